"""Everything a session's page and `manage.py grid show` say of a session, as values in both languages.

A read, assembled when somebody looks: nothing here is stored, and nothing decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Q

from grid.domain.centred_grid import CentredGrid
from grid.domain.explain import explain, ladder
from grid.domain.ledger import Ledger
from grid.domain.parameters import GridRules
from grid.domain.state import Facts, GridState, SessionStatus
from grid.models import GridSession, GridTrade
from grid.selectors import SessionFigures, figures, ledger_of, rules_of, state_of
from trading.domain.calendar import TradingCalendar, phase_at
from trading.domain.freshness import freshness
from trading.domain.instruments import Settlement, lot_rule
from trading.domain.settings import SettingError
from trading.domain.symbols import parse_symbol
from trading.domain.types import CHINA, GatewayStatus, Quote, Side, Symbol, Text, TradingState
from trading.domain.wording import percent, yuan
from trading.errors import GatewayUnavailable
from trading.models import Denial, Event, Order, Position, Signal, TradingConfig
from trading.ports import QuoteReader
from trading.selectors import bought_on, instrument_of

#: Rows of a kind a page shows.
ROWS = 50
#: Decisions and events a page shows.
NOTES = 20
#: Codes of trading's events that are about grids.
_CODES = "GRID_"


class Line(NamedTuple):
    """A price the session waits for, or knows. `away`: from the present price, a ratio; None without one."""

    text: Text
    price: Decimal
    quantity: int | None = None
    away: Decimal | None = None


class LotShown(NamedTuple):
    """One open lot (or, `unmatched`, one sale out of the base holding) at the present price; yuan."""

    number: int
    unmatched: bool
    quantity: int
    price: Decimal
    cost: Decimal
    profit: Decimal | None
    on: str


class Note(NamedTuple):
    """One thing it decided, refused or was told; newest first on the page."""

    at: datetime
    code: str
    text: Text


@dataclass(frozen=True)
class Overview:
    """What is shown of a session. `now_text`: what it waits for, or what keeps it from trading, most important first."""

    row: GridSession
    quote: Quote | None
    fresh: bool
    now_text: tuple[Text, ...]
    lines: tuple[Line, ...]
    lots: tuple[LotShown, ...]
    figures: SessionFigures
    rounds: int
    trades: Sequence[GridTrade]
    orders: Sequence[Order]
    notes: tuple[Note, ...]

    @property
    def last(self) -> Decimal | None:
        """The present price in yuan, None when there is none."""
        return self.quote.last if self.quote is not None and self.quote.last > 0 else None


def overview(
    row: GridSession, quotes: QuoteReader, calendar: TradingCalendar, now: datetime
) -> Overview:
    """Return what there is to say of a session at `now` (market time). A quote store that is away is "no price"."""
    quote, fresh = _quote(row, quotes, now)
    last = quote.last if quote is not None and quote.last > 0 else None
    ledger = ledger_of(row)
    trades = GridTrade.objects.filter(session=row)
    sold = trades.filter(side=Side.SELL).values("number").distinct()
    orders = Order.objects.filter(account_id=row.account_id, source=row.source)
    words, lines = _words_and_lines(row, ledger, quote, fresh, calendar, now)
    return Overview(
        row=row,
        quote=quote,
        fresh=fresh,
        now_text=words,
        lines=lines,
        lots=tuple(_lots(ledger, last)),
        figures=figures(row, ledger, last),
        rounds=sold.count(),
        trades=list(trades.select_related("fill__order").order_by("-pk")[:ROWS]),
        orders=list(orders.order_by("-pk")[:ROWS]),
        notes=_notes(row),
    )


def _quote(row: GridSession, quotes: QuoteReader, now: datetime) -> tuple[Quote | None, bool]:
    symbol = Symbol(row.symbol)
    try:
        quote = quotes.latest([symbol]).get(symbol)
        fed = quotes.fed(symbol)
    except GatewayUnavailable:
        return None, False
    return quote, freshness(quote, fed.at, fed.heartbeat, now)


def _words_and_lines(
    row: GridSession,
    ledger: Ledger,
    quote: Quote | None,
    fresh: bool,
    calendar: TradingCalendar,
    now: datetime,
) -> tuple[tuple[Text, ...], tuple[Line, ...]]:
    said = [*_own_state(row), *_hindrances(row, calendar, now)]
    if row.status == SessionStatus.STOPPED:
        return tuple(said), ()
    if not fresh:
        said.append(_no_quote(quote))
    try:
        rules, state = rules_of(row), state_of(row)
    except (SettingError, ValueError, TypeError, KeyError) as problem:
        said.append(
            Text(
                f"Its row cannot be read, so it does nothing: {problem}",
                f"会话数据无法读取，不作任何动作：{problem}",
            )
        )
        return tuple(said), ()
    facts = _facts(row, ledger, now)
    last = quote.last if quote is not None and quote.last > 0 else None
    if last is not None:
        said += explain(state, last, rules, now, facts)
    return tuple(said), tuple(_lines(state, rules, facts, last))


def _own_state(row: GridSession) -> Iterable[Text]:
    why = Text(row.status_en, row.status_zh)
    match SessionStatus(row.status):
        case SessionStatus.PAUSED:
            yield Text(
                f"Paused: no new orders, exits only alert. {why.en}",
                f"已暂停：不发新委托，退出条件只提醒。{why.zh}",
            )
        case SessionStatus.STOPPING:
            yield Text(
                f"Stopping: it ends when its orders have ended. {why.en}",
                f"停止中：待其委托全部结束。{why.zh}",
            )
        case SessionStatus.STOPPED:
            yield Text(f"Stopped. {why.en}", f"已停止。{why.zh}")
        case SessionStatus.ACTIVE:
            pass
    if row.ex_rights_unclear:
        yield Text(
            "An ex-rights change could not be verified: resume it when its prices are right.",
            "除权未能核实：确认价格无误后请恢复运行。",
        )


def _hindrances(row: GridSession, calendar: TradingCalendar, now: datetime) -> Iterable[Text]:
    if row.status == SessionStatus.STOPPED:
        return
    account = row.account
    config = TradingConfig.objects.filter(pk=row.account_id).first()
    if config is not None and not config.grid_enabled:
        yield Text(
            "Grid trading is off for this account (setting grid_enabled): no session trades.",
            "该账户未开启网格交易（配置项 grid_enabled）：所有会话均不交易。",
        )
    if config is not None and not config.auto_trading_enabled:
        yield Text(
            "Automatic trading is off (setting auto_trading_enabled): its signals are denied.",
            "自动交易未开启（配置项 auto_trading_enabled）：信号会被拒绝。",
        )
    if account.trading_state == TradingState.HALTED:
        yield Text("The account is halted: nothing is sent.", "账户已停止：不发任何委托。")
    if account.trading_state == TradingState.REDUCING:
        yield Text("The account only reduces: nothing is bought.", "账户只减仓：不买入。")
    if not account.enabled:
        yield Text("The account is switched off.", "账户未启用。")
    elif account.gateway_status != GatewayStatus.ARMED:
        yield Text("The gateway is not armed: signals wait for it.", "网关未就绪：信号等待网关。")
    phase = phase_at(calendar, now)
    if not phase.continuous:
        yield Text(
            f"It is not continuous trading now ({phase.value}): nothing is decided.",
            "当前不在连续竞价时段：不作决策。",
        )


def _no_quote(quote: Quote | None) -> Text:
    if quote is None:
        return Text("No quote is known: nothing is decided.", "没有行情：不作决策。")
    if quote.suspended:
        return Text("The symbol is suspended: nothing is decided.", "标的停牌：不作决策。")
    clock = f"{quote.time.astimezone(CHINA):%Y-%m-%d %H:%M:%S}"
    return Text(
        f"The newest quote is of {clock} and no longer fresh: nothing is decided.",
        f"最新行情时间 {clock}，已不新鲜：不作决策。",
    )


def _facts(row: GridSession, ledger: Ledger, now: datetime) -> Facts:
    instrument = instrument_of(parse_symbol(row.symbol))
    on = now.astimezone(CHINA).date()
    held = Position.objects.filter(
        account_id=row.account_id, symbol=row.symbol, closed_at__isnull=True
    ).first()
    t1 = instrument.settlement is Settlement.T1
    locked = bought_on(row.account_id, on).get(Symbol(row.symbol), 0) if t1 else 0
    quantity = 0 if held is None else held.quantity
    return Facts(
        ledger=ledger,
        lot=lot_rule(instrument, on),
        on=on,
        held=quantity,
        sellable=max(0, quantity - locked),
        base_quantity=row.base_quantity,
        t1=t1,
        ends_at=row.ends_at,
    )


def _lines(state: GridState, rules: GridRules, facts: Facts, last: Decimal | None) -> list[Line]:
    """Return the ladder, highest first: where it sells, where it buys, its centre, and the present price."""
    buys, sells = Text("buys at", "买入档"), Text("sells at", "卖出档")
    found = [
        Line(buys if planned.side is Side.BUY else sells, planned.price, planned.quantity)
        for planned in ladder(state, rules, facts)
    ]
    gain = getattr(rules, "grid_take_profit_ratio", None)
    if gain is not None:
        for lot in facts.ledger.lots:
            name = Text(f"lot {lot.id} takes its profit", f"批次 {lot.id} 止盈")
            found.append(Line(name, lot.price * (1 + gain), lot.quantity))
    found.append(Line(Text("centre or reference", "中心价/基准价"), state.centre))
    if last is not None:
        found.append(Line(Text("price now", "现价"), last))
    found = [line._replace(away=(line.price - last) / last if last else None) for line in found]
    return sorted(found, key=lambda line: -line.price)


def _lots(ledger: Ledger, last: Decimal | None) -> Iterable[LotShown]:
    for unmatched, lots in ((False, ledger.lots), (True, ledger.unmatched)):
        for lot in lots:
            sign = -1 if unmatched else 1
            profit = None if last is None else sign * (last * lot.quantity - lot.amount) - lot.fees
            yield LotShown(
                lot.id, unmatched, lot.quantity, lot.price, lot.amount, profit, lot.on.isoformat()
            )


def _notes(row: GridSession) -> tuple[Note, ...]:
    """Return the last things it decided, was refused or was told, newest first."""
    found = [
        note
        for signal in Signal.objects.filter(account_id=row.account_id, source=row.source).order_by(
            "-pk"
        )[:NOTES]
        for note in _of_signal(signal)
    ]
    until = row.stopped_at
    window = Q(at__gte=row.started_at) & (Q() if until is None else Q(at__lte=until))
    own = Q(account_id=row.account_id, symbol=row.symbol) & window
    denials = Denial.objects.filter(own, kind="grid").order_by("-pk")[:NOTES]
    found += [Note(one.at, one.code, Text(one.text_en, one.text_zh)) for one in denials]
    events = Event.objects.filter(own, code__startswith=_CODES).order_by("-pk")[:NOTES]
    found += [Note(one.at, one.code, Text(one.text_en, one.text_zh)) for one in events]
    if row.said_at is not None:
        found.append(Note(row.said_at, row.said_code, Text(row.said_en, row.said_zh)))
    unique = {(note.at, note.code, note.text): note for note in found}
    return tuple(sorted(unique.values(), key=lambda note: note.at, reverse=True)[:NOTES])


def _of_signal(signal: Signal) -> Iterable[Note]:
    yield Note(signal.created_at, signal.side.upper(), Text(signal.reason_en, signal.reason_zh))
    if signal.decided_at is not None and signal.outcome_en:
        code = signal.denial_code or signal.state.upper()
        yield Note(signal.decided_at, code, Text(signal.outcome_en, signal.outcome_zh))


def state_words(row: GridSession) -> Text:
    """Return a session's state in one line, for lists."""
    why = Text(row.status_en, row.status_zh)
    tail = Text(f": {why.en}" if why.en else "", f"：{why.zh}" if why.zh else "")
    if row.status == SessionStatus.ACTIVE:
        price = yuan(row.centre)
        if row.style == CentredGrid.style:
            return Text(f"active, centre {price}", f"运行中，中心价 {price}")
        return Text(f"active, reference {price}", f"运行中，基准价 {price}")
    return Text(f"{row.status}{tail.en}", f"{row.get_status_display()}{tail.zh}")


def away_words(away: Decimal | None) -> str:
    """Return how far a line lies from the present price."""
    if away is None:
        return "-"
    return f"{'+' if away > 0 else ''}{percent(away)}"


__all__ = [
    "Line",
    "LotShown",
    "Note",
    "Overview",
    "away_words",
    "overview",
    "state_words",
]
