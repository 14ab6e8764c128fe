"""What a person's order would be, and would meet, if it were decided now. Nothing is written.

The checks are those the tick asks (`trading.domain.risk`), all of them and not only the first that objects, with the
facts the tick would gather; and what keeps the tick itself from deciding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from trading.domain import risk
from trading.domain.calendar import TradingCalendar, phase_at
from trading.domain.instruments import Instrument
from trading.domain.order_price import PriceMode
from trading.domain.risk import RiskFacts, RiskLimits
from trading.domain.types import Denial, DenialCode, Quote, Side, SignalKind, Symbol, Text
from trading.models import Account
from trading.ports import QuoteReader
from trading.services.corrections import CorrectionError
from trading.services.decisions import Decisions
from trading.services.kill_switch import kill_file
from trading.services.orders import working_ref
from trading.services.pricing import Priced, price_intent
from trading.services.quotes import capture
from trading.services.risk_facts import gather_facts
from trading.services.tick import settings_and_problem
from trading.services.view import TickView


@dataclass(frozen=True, slots=True)
class Check:
    """One check by its name. `objection`: what it says against the order, None when it passes.

    `waits`: the signal would stay pending and be tried again until it expires; otherwise it would be denied.
    """

    name: str
    objection: Text | None = None
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """An order as it would be now. Yuan and shares; None is "not known".

    `price`: the limit price it would be sent at. `sellable`: shares a manual sale may have after all promises;
    `locked`: bought today (T+1). `facts`: what risk control knows, None where there is no price to ask it with.
    """

    account: Account
    instrument: Instrument
    side: Side
    quantity: int
    now: datetime
    quote: Quote | None
    is_fresh: bool
    mode: PriceMode
    price: Decimal | None
    held: int
    sellable: int
    locked: int
    limits: RiskLimits
    facts: RiskFacts | None
    pieces: int
    #: A buy never above this, yuan.
    highest: Decimal | None
    checks: tuple[Check, ...]

    @property
    def last(self) -> Decimal | None:
        return self.quote.last if self.quote is not None and self.quote.last > 0 else None

    @property
    def value(self) -> Decimal | None:
        """What it is worth at the last price."""
        return None if self.last is None else self.last * self.quantity

    @property
    def order_value(self) -> Decimal | None:
        """What it is worth at the price it would be sent at: the limits are asked about this."""
        return None if self.price is None else self.price * self.quantity

    @property
    def failing(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.objection is not None)

    @property
    def denial(self) -> Check | None:
        """Return the check that would deny it now, None when none would."""
        return next((check for check in self.failing if not check.waits), None)


def view_of(
    account_id: int, symbol: Symbol, now: datetime, quotes: QuoteReader, calendar: TradingCalendar
) -> TickView:
    """Return what a tick would know of this account and symbol now (market time).

    Raises CorrectionError without usable settings, GatewayUnavailable when quotes cannot be read.
    """
    settings, problem = settings_and_problem(account_id)
    if settings is None:
        raise CorrectionError(problem or Text("no settings", "没有配置"))
    captured = capture(account_id, quotes, also=[symbol])
    return TickView(account_id, settings, now, phase_at(calendar, now), captured, calendar)


def preview(
    view: TickView, symbol: Symbol, side: Side, quantity: int, highest: Decimal | None = None
) -> Preview:
    """Return what this order would be and meet now."""
    quote, instrument, row = view.latest(symbol), view.instrument(symbol), view.rows.get(symbol)
    sellable = Decisions(view).sellable(symbol, SignalKind.MANUAL)
    priced = _priced(view, symbol, side, quantity, highest)
    working = [one for one in map(working_ref, view.orders) if one.state.working]
    checks, facts = [*_of_the_tick(view)], None
    if isinstance(priced, Priced):
        facts = gather_facts(view, priced, working, sellable)
        checks += (
            _asked(check.__name__, check(priced.intent, facts, view.settings.risk))
            for check in risk.CHECKS
        )
    else:
        checks.append(_no_price(priced))
    return Preview(
        account=view.account,
        instrument=instrument,
        side=side,
        quantity=quantity,
        now=view.now,
        quote=quote,
        is_fresh=view.fresh(symbol),
        mode=PriceMode(view.settings.orders.price_mode),
        price=priced.intent.price if isinstance(priced, Priced) else None,
        held=0 if row is None else row.quantity,
        sellable=sellable,
        locked=view.locked(symbol),
        limits=view.settings.risk,
        facts=facts,
        pieces=len(priced.intent.lot.split(quantity)) if isinstance(priced, Priced) else 1,
        highest=highest,
        checks=tuple(checks),
    )


def _priced(
    view: TickView, symbol: Symbol, side: Side, quantity: int, highest: Decimal | None
) -> Priced | Denial | None:
    quote = view.latest(symbol)
    if quote is None or quote.last <= 0:
        return None
    return price_intent(
        kind=SignalKind.MANUAL,
        side=side,
        quantity=quantity,
        quote=quote,
        instrument=view.instrument(symbol),
        on=view.on,
        session=view.session(symbol),
        mode=view.settings.orders.price_mode,
        trigger=quote.last,
        highest=highest,
    )


def _of_the_tick(view: TickView) -> Iterator[Check]:
    """Yield what must hold before a tick asks risk control at all."""
    account = view.account
    yield Check("account_enabled", None if account.enabled else Text(
        "The account is disabled: no tick decides for it. Enable it first.",
        "账户已停用，不会处理任何信号。请先启用。",
    ), waits=True)  # fmt: skip
    yield Check("settings_valid", None if view.settings.valid else Text(
        "The settings cannot be used; only stop-losses act until they are corrected.",
        "配置无效，更正之前只有止损生效。",
    ))  # fmt: skip
    name = kill_file(account.name)
    yield Check("kill_file", None if name is None else Text(
        f"The file {name} is in the data directory: nothing is sent. Remove it, then resume.",
        f"数据目录中有文件 {name}：不会报单。请删除后恢复交易。",
    ))  # fmt: skip
    seconds = int(view.settings.signals.max_age(SignalKind.MANUAL).total_seconds())
    yield Check("continuous_trading", None if view.phase.continuous else Text(
        f"Nothing is decided outside continuous trading: it waits {seconds} s, then it expires.",
        f"非连续竞价时段不作处理：等待 {seconds} 秒后失效。",
    ), waits=True)  # fmt: skip


def _no_price(problem: Denial | None) -> Check:
    if isinstance(problem, Denial):
        return _asked("no_price", problem)
    nothing = Text(
        "No price is known. Put it on the watch list: its quotes are then fetched.",
        "没有行情价格。请加入自选列表，系统随后会获取其行情。",
    )
    return _asked("no_price", Denial(DenialCode.NO_PRICE, nothing))


def _asked(name: str, denial: Denial | None) -> Check:
    if denial is None:
        return Check(name)
    return Check(name, denial.text, waits=denial.code.blocks)
