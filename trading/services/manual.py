"""A person sells or buys: a signal of kind manual, which the ticks decide like any other.

It is left pending for the strategy tick instead of being decided here. One place decides, under one lease, over one
picture of quotes and orders; a second one would have to know every wish of that tick, for a denial that does not come
up again counts as over. The price is up to five seconds, and that nothing is decided outside continuous trading.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction

from trading.domain.calendar import MarketPhase, TradingCalendar, phase_at
from trading.domain.instruments import LotRule, lot_rule
from trading.domain.manual import (
    purchase_by_amount,
    purchase_by_shares,
    sale_by_ratio,
    sale_by_shares,
)
from trading.domain.types import (
    Denial,
    GatewayStatus,
    Purpose,
    Quote,
    Side,
    SignalKind,
    SignalState,
    Symbol,
    Text,
    TradingState,
)
from trading.models import EventLevel, Order, Position, Signal
from trading.ports import QuoteReader
from trading.selectors import WORKING_STATES
from trading.services.corrections import CorrectionError
from trading.services.events import journal
from trading.services.pricing import price_intent
from trading.services.quotes import capture
from trading.services.tick import settings_and_problem
from trading.services.view import TickView

#: What is sellable and the lot rule → shares, or why not.
Size = Callable[[int, LotRule], int | Denial]
#: The price a buy would be sent at now (yuan) and the lot rule → shares, or why not.
BuySize = Callable[[Decimal, LotRule], int | Denial]


def part(ratio: Decimal) -> Size:
    """Sell this part of what is sellable, 1 = everything."""
    return lambda sellable, lot: sale_by_ratio(sellable, ratio, lot)


def shares(number: int) -> Size:
    """Sell so many shares."""
    return lambda sellable, lot: sale_by_shares(sellable, number, lot)


def for_amount(yuan: Decimal) -> BuySize:
    """Buy whole lots for at most so many yuan, fees not counted."""
    return lambda price, lot: purchase_by_amount(yuan, price, lot)


def so_many(number: int) -> BuySize:
    """Buy so many shares."""
    return lambda price, lot: purchase_by_shares(number, lot)


def sell(
    position_id: int,
    size: Size,
    why: str,
    now: datetime,
    actor: str,
    *,
    quotes: QuoteReader,
    calendar: TradingCalendar,
) -> Text:
    """Ask for a sale from an open life at market time `now`; returns what will happen. Raises CorrectionError."""
    if not why.strip():
        raise CorrectionError(Text("A sale needs a reason.", "必须写明卖出原因。"))
    account_id = Position.objects.values_list("account_id", flat=True).get(pk=position_id)
    captured = capture(account_id, quotes)  # before the transaction: it waits for nobody outside
    try:
        with transaction.atomic():
            settings, problem = settings_and_problem(account_id)
            if settings is None:
                raise CorrectionError(problem or Text("no settings", "没有配置"))
            view = TickView(account_id, settings, now, phase_at(calendar, now), captured, calendar)
            row = _open(view, position_id)
            return _ask(view, row, sale_quantity(view, row, size), why, actor)
    except IntegrityError:  # somebody else's came first
        symbol = Position.objects.values_list("symbol", flat=True).get(pk=position_id)
        raise _at_work(symbol) from None


def buy(
    account_id: int,
    symbol: Symbol,
    size: BuySize,
    why: str,
    now: datetime,
    actor: str,
    *,
    quotes: QuoteReader,
    calendar: TradingCalendar,
    highest: Decimal | None = None,
) -> Text:
    """Ask for a buy at market time `now`; returns what will happen. Raises CorrectionError.

    `highest`: the most a share may cost, yuan. The tick prices and checks it like every order; the quantity stays.
    """
    if not why.strip():
        raise CorrectionError(Text("A buy needs a reason.", "必须写明买入原因。"))
    captured = capture(account_id, quotes, also=[symbol])
    try:
        with transaction.atomic():
            settings, problem = settings_and_problem(account_id)
            if settings is None:
                raise CorrectionError(problem or Text("no settings", "没有配置"))
            view = TickView(account_id, settings, now, phase_at(calendar, now), captured, calendar)
            if not view.account.enabled:
                raise CorrectionError(
                    Text(
                        f"The account {view.account.name} is disabled: nothing is decided for it. Enable it first.",
                        f"账户 {view.account.name} 已停用，不会处理任何信号；请先启用。",
                    )
                )
            nothing_at_work(view, symbol)
            quantity = buy_quantity(view, symbol, size, highest)
            signal = _signal(view, symbol, Side.BUY, quantity, why, actor, highest=highest)
            return _asked_for(view, signal, why, actor)
    except IntegrityError:  # somebody else's came first
        raise _at_work(symbol) from None


def buy_quantity(
    view: TickView, symbol: Symbol, size: BuySize, highest: Decimal | None = None
) -> int:
    """Return how many shares this buy would have now. Raises CorrectionError."""
    quote, instrument = _quote(view, symbol), view.instrument(symbol)
    lot = lot_rule(instrument, view.on)
    if not lot.largest:
        raise CorrectionError(
            Text(
                f"{symbol} is of a kind that is not traded here.",
                f"本系统不交易 {symbol} 这类品种。",
            )
        )
    priced = price_intent(
        kind=SignalKind.MANUAL,
        side=Side.BUY,
        quantity=lot.minimum,
        quote=quote,
        instrument=instrument,
        on=view.on,
        session=view.session(symbol),
        mode=view.settings.orders.price_mode,
        trigger=quote.last,
        highest=highest,
    )
    found = priced if isinstance(priced, Denial) else size(priced.intent.price, lot)
    if isinstance(found, Denial):
        en, zh = found.text
        raise CorrectionError(Text(f"{symbol}: {en}.", f"{symbol}：{zh}。"))
    return found


def _open(view: TickView, position_id: int) -> Position:
    row = next((row for row in view.rows.values() if row.pk == position_id), None)
    if row is None:
        raise CorrectionError(Text("This holding is sold already.", "该持仓已清空。"))
    nothing_at_work(view, Symbol(row.symbol))
    return row


def nothing_at_work(view: TickView, symbol: Symbol) -> None:
    """Raises CorrectionError while another manual order of this symbol is at work: one at a time."""
    at_work = Order.objects.filter(
        account_id=view.account_id,
        symbol=symbol,
        purpose=Purpose.MANUAL,
        state__in=WORKING_STATES,
    )
    pending = Signal.objects.filter(
        account_id=view.account_id,
        symbol=symbol,
        kind=SignalKind.MANUAL,
        state=SignalState.PENDING,
    )
    if at_work.exists() or pending.exists():
        raise _at_work(symbol)


def _at_work(symbol: str) -> CorrectionError:
    return CorrectionError(
        Text(
            f"{symbol}: a manual order is at work already; look at signals and orders, or cancel it first.",
            f"{symbol}：已有手动委托在处理中；请查看信号与委托，或先撤单。",
        )
    )


def sale_quantity(view: TickView, row: Position, size: Size) -> int:
    """Return how many shares this sale would have now. Raises CorrectionError."""
    symbol = Symbol(row.symbol)
    sellable = view.free_after_cancels(symbol)
    if sellable <= 0:
        locked = view.locked(symbol)
        raise CorrectionError(
            Text(
                f"{symbol}: nothing is sellable now; {locked} of {row.quantity} shares were bought today (T+1), the"
                " rest is held by orders or not shown by the terminal.",
                f"{symbol}：当前没有可卖数量；{row.quantity} 股中 {locked} 股为今日买入（T+1），"
                "其余被委托占用或终端未显示。",
            )
        )
    quantity = size(sellable, lot_rule(view.instrument(symbol), view.on))
    if isinstance(quantity, Denial):
        en, zh = quantity.text
        raise CorrectionError(Text(f"{symbol}: {en}.", f"{symbol}：{zh}。"))
    return quantity


def _ask(view: TickView, row: Position, quantity: int, why: str, actor: str) -> Text:
    signal = _signal(view, Symbol(row.symbol), Side.SELL, quantity, why, actor, position=row)
    return _asked_for(view, signal, why, actor)


def _signal(
    view: TickView,
    symbol: Symbol,
    side: Side,
    quantity: int,
    why: str,
    actor: str,
    *,
    position: Position | None = None,
    highest: Decimal | None = None,
) -> Signal:
    quote = _quote(view, symbol)
    return Signal.objects.create(
        account_id=view.account_id,
        position=position,
        symbol=symbol,
        kind=SignalKind.MANUAL,
        side=side,
        quantity=quantity,
        trigger_price=quote.last,
        last=quote.last,
        quote_time=quote.time,
        reason_en=f"{actor}: {why}",
        reason_zh=f"{actor}：{why}",
        state=SignalState.PENDING,
        created_at=view.now,
        held_at=view.now,
        config_revision=view.settings.revision,
        highest=highest,
    )


def _asked_for(view: TickView, signal: Signal, why: str, actor: str) -> Text:
    """Tell the journal who asked for it; returns what will come of it."""
    symbol, quantity, buys = signal.symbol, signal.quantity, signal.side == Side.BUY
    what, said, code = ("Buy", "买入", "MANUAL_BUY") if buys else ("Sale", "卖出", "MANUAL_SALE")
    text = Text(
        f"{what} of {quantity} {symbol} asked for by {actor}: {why}",
        f"{actor} 请求{said} {symbol} {quantity} 股：{why}",
    )
    journal(
        view.account_id,
        EventLevel.WARNING,
        code,
        text,
        view.now,
        symbol=symbol,
        actor=actor,
        quantity=quantity,
        signal=signal.pk,
    )
    comes = _what_comes(view, buys)
    return Text(
        f"{symbol}: a {what.lower()} of {quantity} shares is asked for (signal {signal.pk}). {comes.en}",
        f"{symbol}：已请求{said} {quantity} 股（信号 {signal.pk}）。{comes.zh}",
    )


def _quote(view: TickView, symbol: Symbol) -> Quote:
    quote = view.latest(symbol)
    if quote is None or quote.last <= 0:
        raise CorrectionError(
            Text(
                f"{symbol}: no price is known; look at the market data.",
                f"{symbol}：没有行情价格，请检查行情。",
            )
        )
    return quote


def _what_comes(view: TickView, buys: bool) -> Text:
    """Say what the next tick will do with it, as far as it can be known now."""
    seconds = int(view.settings.signals.max_age(SignalKind.MANUAL).total_seconds())
    if view.account.trading_state == TradingState.HALTED:
        return Text(
            "The account is halted: it will be denied. Resume trading first.",
            "账户处于停止状态：该请求将被拒绝，请先恢复交易。",
        )
    if buys and view.account.trading_state == TradingState.REDUCING:
        return Text(
            "The account only reduces: it will be denied. Resume trading first.",
            "账户处于只减仓状态：该买入将被拒绝，请先恢复交易。",
        )
    if not view.phase.continuous:
        phase = "closed" if view.phase is MarketPhase.CLOSED else view.phase.value
        return Text(
            f"Nothing is decided outside continuous trading ({phase} now): it waits {seconds} s, then it expires.",
            f"非连续竞价时段（当前 {phase}）不作处理：等待 {seconds} 秒后失效。",
        )
    if view.account.gateway_status != GatewayStatus.ARMED:
        return Text(
            f"The gateway only observes: it waits for it {seconds} s, then it expires.",
            f"网关处于观察状态：等待 {seconds} 秒，仍未就绪则失效。",
        )
    return Text(
        "The next strategy tick, within 5 s, checks it like every order; the signal then shows the order or the reason.",
        "下一次策略检查（5 秒内）按与其他委托相同的规则处理；结果见该信号。",
    )
