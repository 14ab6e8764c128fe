"""What one strategy tick knows of an account: every part is read at most once, and only when a decision needs it.

An ordinary tick, on which no rule is reached, reads the configuration, the holdings and three yes-or-no facts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.db.models import Count, Q, QuerySet

from trading.domain.calendar import MarketPhase, TradingCalendar, sessions_since_listing
from trading.domain.exits import ExitRules
from trading.domain.freshness import freshness
from trading.domain.instruments import Instrument, Settlement, lot_rule
from trading.domain.orders import OrderState
from trading.domain.pace import Pace
from trading.domain.positions import Position as PositionValue
from trading.domain.settings import SettingError
from trading.domain.source_health import may_trade
from trading.domain.types import CHINA, ZERO, Quote, Side, SignalState, Symbol
from trading.models import Account, BooksState, DayBooks, Denial, Fill, Order, Position, Signal
from trading.models.prepared import Prepared
from trading.ports import Arrival, QuoteReader
from trading.selectors import (
    Busy,
    account_of,
    bought_on,
    instruments_today,
    kept_from_exits,
    open_positions,
    position_value_of,
    read_busy,
    unsettled_orders,
)
from trading.services.config import Settings
from trading.services.pace import pace_of


class TickView:
    """Everything one tick may know. Parts are read lazily, inside the tick's transaction."""

    def __init__(
        self,
        account_id: int,
        settings: Settings,
        now: datetime,
        phase: MarketPhase,
        quotes: QuoteReader,
        calendar: TradingCalendar,
    ) -> None:
        self.account_id, self.settings, self.now, self.phase = account_id, settings, now, phase
        self.quotes, self.calendar = quotes, calendar
        self.on: date = now.astimezone(CHINA).date()
        self._latest: dict[Symbol, Quote | None] = {}
        #: Own thresholds that cannot be used, by symbol.
        self.misfits: dict[Symbol, SettingError] = {}

    @cached_property
    def account(self) -> Account:
        return account_of(self.account_id)

    @property
    def pace(self) -> Pace:
        """How fast this account's market runs."""
        return pace_of(self.busy.mode)

    @cached_property
    def rows(self) -> Mapping[Symbol, Position]:
        """The open lives by symbol."""
        return {Symbol(row.symbol): row for row in open_positions(self.account_id)}

    @cached_property
    def busy(self) -> Busy:
        """What is open besides the holdings."""
        return read_busy(self.account_id)

    @cached_property
    def orders(self) -> Sequence[Order]:
        """Working orders, and ended ones whose chain may go on."""
        return unsettled_orders(self.account_id) if self.busy.orders else ()

    def approved(self, order: Order) -> None:
        """Count an order of this very tick: the next decision must see what it promises."""
        self.orders = [*self.orders, order]

    @cached_property
    def pending(self) -> Sequence[Signal]:
        return _PENDING(self.account_id) if self.busy.signals else ()

    @cached_property
    def denials(self) -> Sequence[Denial]:
        return _DENIALS(self.account_id) if self.busy.denials else ()

    @cached_property
    def kept(self) -> Mapping[Symbol, int]:
        """Shares by symbol that exits must leave."""
        return kept_from_exits(self.account_id)

    @cached_property
    def bought(self) -> Mapping[Symbol, int]:
        """Shares bought today by symbol."""
        return bought_on(self.account_id, self.on)

    @cached_property
    def positions(self) -> Mapping[Symbol, PositionValue]:
        """The holdings as the domain's values."""
        return {symbol: position_value_of(row) for symbol, row in self.rows.items()}

    @cached_property
    def last_quotes(self) -> Mapping[Symbol, Quote]:
        """The newest quote of each holding that has one."""
        quotes = {symbol: self.latest(symbol) for symbol in self.rows}
        return {symbol: quote for symbol, quote in quotes.items() if quote is not None}

    @cached_property
    def todays(self) -> Mapping[str, int]:
        """How many orders, buys and cancels there were today."""
        asked = (self.account_id, self.on, self.now - timedelta(seconds=10))
        counted = next(iter(_TODAYS(*asked)), (self.account_id, 0, 0, 0, 0))
        return dict(
            zip(("orders", "buys", "cancels", "cancels_last_10s"), counted[1:], strict=True)
        )

    @cached_property
    def spent_unseen(self) -> Decimal:
        """Yuan that today's buys paid and froze after the newest snapshot was asked for: its cash still has them."""
        seen = self.account.snapshot_at
        if seen is None:
            return ZERO
        buys = Fill.objects.filter(
            account_id=self.account_id, trade_date=self.on, side=Side.BUY, booked_at__gte=seen
        ).exclude(order__submitted_at__lt=seen)
        return sum((f.amount + f.commission + f.stamp_duty + f.transfer_fee for f in buys), ZERO)

    @cached_property
    def books_differ(self) -> bool:
        """Whether the books of an earlier day differ from the terminal, unexplained."""
        books = DayBooks.objects.filter(account_id=self.account_id, on__lt=self.on)
        return books.filter(state=BooksState.DIFFERS).exists()

    def count_again(self) -> None:
        """An order was approved: today's numbers are read anew when they are asked for."""
        self.__dict__.pop("todays", None)

    @cached_property
    def refused(self) -> Mapping[tuple[Symbol, Side], Sequence[Order]]:
        """Today's ended orders, newest first, of each symbol and side; only of symbols that were refused today."""
        found: dict[tuple[Symbol, Side], list[Order]] = defaultdict(list)
        for order in _REFUSED(self.account_id, self.on):
            found[Symbol(order.symbol), Side(order.side)].append(order)
        return found

    @cached_property
    def _instruments(self) -> Mapping[Symbol, Instrument]:
        """Those of all holdings, asked for at once."""
        return instruments_today(self.rows, self.now)

    def instrument(self, symbol: Symbol) -> Instrument:
        """Return what is known of a symbol; the first question reads those of all holdings at once."""
        known = self._instruments
        return known[symbol] if symbol in known else self.know([symbol])[symbol]

    def know(self, symbols: Iterable[Symbol]) -> Mapping[Symbol, Instrument]:
        """Read the instruments of symbols that may not be held, all at once."""
        return instruments_today(symbols, self.now)

    def session(self, symbol: Symbol) -> int | None:
        """Return the number of today's session since the listing; the first ones have no limits."""
        return sessions_since_listing(self.calendar, self.instrument(symbol), self.on)

    def latest(self, symbol: Symbol) -> Quote | None:
        """Return the newest accepted quote; the first question reads those of all holdings at once."""
        if symbol not in self._latest:
            asked = {symbol} if self._latest else {symbol, *self.rows}
            self._latest |= dict.fromkeys(asked) | dict(self.quotes.latest(asked))
        return self._latest[symbol]

    def fresh(self, symbol: Symbol) -> bool:
        """Whether this symbol's newest quote may be decided on."""
        fed = self.quotes.fed(symbol)
        trades = may_trade(fed.source, self.settings.allow_mootdx_trading)
        return trades and freshness(
            self.latest(symbol), fed.at, fed.heartbeat, self.now, self.pace
        )

    def may_trade(self, symbol: Symbol) -> bool:
        """Whether this account may decide on the source that serves the symbol (`allow_mootdx_trading`)."""
        return may_trade(self.quotes.fed(symbol).source, self.settings.allow_mootdx_trading)

    def since(self, after: Mapping[Symbol, datetime]) -> Mapping[Symbol, Sequence[Arrival]]:
        """Return per symbol what arrived after its time, without what this account only shows."""
        found = self.quotes.since(after)
        if self.settings.allow_mootdx_trading:
            return found
        kept = {
            symbol: tuple(one for one in arrivals if may_trade(one.source, False))
            for symbol, arrivals in found.items()
        }
        return {symbol: arrivals for symbol, arrivals in kept.items() if arrivals}

    def rules_of(self, row: Position | None) -> ExitRules:
        """Return the exit rules of a holding: its own thresholds, else the account's.

        Own thresholds that are out of range count as none: the holding stays protected (see `misfits`).
        """
        rules = self.settings.exits
        if row is None:
            return rules
        own = row.stop_loss_ratio, row.first_take_profit_ratio
        if row.exit_enabled and own == (None, None):
            return rules
        try:
            return rules.for_holding(
                enabled=row.exit_enabled, stop_loss_ratio=own[0], first_take_profit_ratio=own[1]
            )
        except SettingError as problem:
            self.misfits[Symbol(row.symbol)] = problem
            return rules.for_holding(enabled=row.exit_enabled)

    def paused(self, row: Position) -> bool:
        """Whether nothing is decided for a holding: a person cancelled its exit, or its ex-rights are unexplained."""
        rests = row.exits_paused_until is not None and self.now < row.exits_paused_until
        return rests or row.paused_by_ex_rights

    def locked(self, symbol: Symbol) -> int:
        """Shares bought today that T+1 keeps until tomorrow."""
        t1 = self.instrument(symbol).settlement is Settlement.T1
        return self.bought.get(symbol, 0) if t1 else 0

    def free_after_cancels(self, symbol: Symbol) -> int:
        """Shares an exit may count on: orders of ours could be cancelled for it, an UNKNOWN one keeps its own."""
        row = self.rows[symbol]
        if row.broker_sellable is None:
            return 0
        at_work = frozen = 0
        for order in self.orders:
            if (
                order.symbol == symbol
                and order.side == Side.SELL
                and OrderState(order.state).working
            ):
                left = order.quantity - order.filled_quantity
                frozen += left if OrderState(order.state) is OrderState.UNKNOWN else 0
                at_work += left
        free = min(row.broker_sellable + at_work, row.quantity - self.locked(symbol)) - frozen
        return self.for_exits(symbol, free)

    def for_exits(self, symbol: Symbol, free: int) -> int:
        """Return what of `free` shares an exit may have; beside shares it must leave, only whole lots."""
        kept = self.kept.get(symbol, 0)
        if kept == 0:
            return max(0, free)
        return lot_rule(self.instrument(symbol), self.on).floor_buy(max(0, free - kept))


_PENDING = Prepared(
    lambda account: Signal.objects.filter(account_id=account, state=SignalState.PENDING)
)
#: Of a trade date, in one row: account, orders, buys, cancels, cancels after a moment. No order, no row.
_TODAYS: Prepared[tuple[int, ...]] = Prepared(
    lambda account, on, moment: (
        Order.objects.filter(account_id=account, trade_date=on)
        .values_list("account_id")
        .annotate(
            orders=Count("pk"),
            buys=Count("pk", filter=Q(side=Side.BUY)),
            cancels=Count("pk", filter=Q(cancel_tries__gt=0)),
            late_cancels=Count("pk", filter=Q(last_cancel_at__gt=moment)),
        )
    )
)
_DENIALS = Prepared(
    lambda account: Denial.objects.filter(account_id=account, cleared_at__isnull=True)
)


def _ended_beside_a_refusal(account: Any, on: Any) -> QuerySet[Order]:
    todays = Order.objects.filter(account_id=account, trade_date=on)
    refused = todays.filter(state=OrderState.REJECTED).values("symbol")
    return todays.filter(symbol__in=refused, ended_at__isnull=False).order_by("-pk")


_REFUSED = Prepared(_ended_beside_a_refusal)
