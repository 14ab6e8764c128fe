"""Orders as people think of them: an order with its re-orders is one thing, with its fills, its reason and its end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce

from monitoring.console.listings import fill_view, why_ended
from monitoring.console.paging import Place, Source, page_of
from monitoring.console.record_filters import WORKING, AccountNow, OrderForm, Scope
from monitoring.console.values import FillView
from trading.domain.calendar import TradingCalendar, continuous_seconds, phase_at
from trading.domain.instruments import Instrument
from trading.domain.orders import OrderState
from trading.domain.timeouts import OrderRules, order_timeout
from trading.domain.types import ZERO, Side, SignalKind, Symbol, Text
from trading.errors import ConfigError
from trading.models import Event, Fill, Order, UnknownOutcome
from trading.models.orders import WORKING as WORKING_STATES
from trading.selectors import instruments_of
from trading.services import config

Names = Mapping[Symbol, Instrument]
#: Fills without an order of ours that are shown beside the first page.
OUTSIDE = 30


@dataclass(frozen=True, slots=True)
class Wait:
    """What a working order waits for. `left`: seconds until it happens, by market time; None = no such end.

    `runs`: whether they pass now; `speed`: how many in a real second.
    """

    words: Text
    left: int | None = None
    runs: bool = False
    speed: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class UnknownView:
    """What is known of an order whose outcome is not."""

    since: datetime
    why: Text
    verdict: Text
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One order of a chain. `end`: why it ended; `cancel`: who wished it gone, when and why."""

    row: Order
    state: OrderState
    end: Text
    message: str
    wait: Wait | None
    cancel: Text | None
    cancel_at: datetime | None
    unknown: UnknownView | None
    fills: tuple[FillView, ...]


@dataclass(frozen=True, slots=True)
class ChainView:
    """An order with its re-orders and further pieces. `average`: yuan per filled share. `decided`: who decided."""

    root: Order
    account: str
    symbol: Symbol
    name: str
    side: Side
    kind: SignalKind
    quantity: int
    filled: int
    average: Decimal | None
    state: OrderState
    reason: Text
    decided: Text
    orders: tuple[OrderLine, ...]


@dataclass(frozen=True, slots=True)
class OrderPage:
    """One page of chains. `outside`: fills nobody here ordered; `is_moving`: something on it will change by itself."""

    chains: tuple[ChainView, ...]
    older: Place | None
    outside: tuple[FillView, ...]
    more_outside: bool

    @property
    def is_moving(self) -> bool:
        return any(line.state.working for chain in self.chains for line in chain.orders)


def decided_by(source: str, kind: SignalKind) -> Text:
    """Say who or what decided an order or a signal."""
    if source == "adopted":
        return Text("placed at the terminal, adopted", "在客户端下单，已接管")
    owner, _, number = source.partition(":")
    if owner == "grid" and number:
        return Text(f"grid session {number}", f"网格会话 {number}")
    if source:
        return Text(f"strategy {source}", f"策略 {source}")
    if kind is SignalKind.MANUAL:
        return Text("a person", "人工")
    return Text("automatic rule", "自动规则")


def order_page(form: OrderForm, after: Place | None, calendar: TradingCalendar) -> OrderPage:
    """Read one page of chains; the number of queries does not depend on how much is on it."""
    scope, symbols = form.scope, form.symbols()
    roots = Order.objects.filter(symbols, root=None).select_related("signal", "account")
    page = page_of(
        [Source(roots.filter(_wanted(scope, form.value("state"))), "approved_at")], after
    )
    tops = [row for _, row in page.rows]
    members = list(
        Order.objects.filter(root__in=[row.pk for row in tops]).select_related("signal", "account")
    )
    outside: list[Fill] = []
    if after is None and form.value("state") is None:
        alone = Fill.objects.filter(scope.on_days("trade_date"), symbols, order=None)
        outside = list(alone.order_by("-at", "-pk")[: OUTSIDE + 1])
    names = instruments_of({Symbol(row.symbol) for row in (*tops, *outside)})
    reader = _Reader([*tops, *members], names, scope.accounts, calendar)
    return OrderPage(
        chains=tuple(reader.chain(top) for top in tops),
        older=page.older,
        outside=tuple(fill_view(row, names) for row in outside[:OUTSIDE]),
        more_outside=len(outside) > OUTSIDE,
    )


def _wanted(scope: Scope, state: str | None) -> Q:
    """Select the first orders of the chains of which one order is wanted; today's are also all that still work."""
    here = Order.objects.filter(account__in=list(scope.accounts))
    days = scope.on_days("trade_date")
    if scope.is_today:
        days |= Q(pk__in=_tops(here.filter(state__in=WORKING_STATES)))
    if state is None:
        return days
    states = WORKING_STATES if state == WORKING else [state]
    return days & Q(pk__in=_tops(here.filter(state__in=states)))


def _tops(orders: QuerySet[Order]) -> QuerySet[Any, Any]:
    return orders.annotate(top=Coalesce("root_id", "pk")).values("top")


def ended(order: Order) -> Text:
    """Say why an order ended, or is being cancelled; a person who says it was never sent has cancelled nothing."""
    if order.state == OrderState.ABSENT and order.end_reason == "PERSON":
        return Text("a person says it was never sent", "人工确认从未发出")
    return why_ended(order)


class _Reader:
    """The chains of one page; what belongs to their orders is read at once."""

    def __init__(
        self,
        orders: Sequence[Order],
        names: Names,
        accounts: Mapping[int, AccountNow],
        calendar: TradingCalendar,
    ) -> None:
        self._names, self._accounts, self._calendar = names, accounts, calendar
        self._chains: dict[int, list[Order]] = defaultdict(list)
        for order in sorted(orders, key=lambda one: one.pk):
            self._chains[order.root_id or order.pk].append(order)
        keys = [order.pk for order in orders]
        self._fills: dict[int | None, list[FillView]] = defaultdict(list)
        for fill in Fill.objects.filter(order__in=keys).order_by("at", "pk"):
            self._fills[fill.order_id].append(fill_view(fill, names))
        outcomes = UnknownOutcome.objects.filter(order__in=keys)
        self._unknown = {outcome.pk: outcome for outcome in outcomes}
        self._asked = _who_asked(orders)
        self._rules = _rules({one.account_id for one in orders if OrderState(one.state).working})

    def chain(self, root: Order) -> ChainView:
        orders = self._chains[root.pk]
        filled = sum(order.filled_quantity for order in orders)
        amount = sum((order.filled_amount for order in orders), ZERO)
        symbol, signal = Symbol(root.symbol), root.signal
        states = [OrderState(order.state) for order in orders]
        state = next((one for one in reversed(states) if one.working), states[-1])
        if not state.working and filled >= root.chain_quantity:
            state = OrderState.FILLED
        kind = SignalKind(root.kind)
        return ChainView(
            root=root,
            account=root.account.name,
            symbol=symbol,
            name=self._names[symbol].name,
            side=Side(root.side),
            kind=kind,
            quantity=root.chain_quantity,
            filled=filled,
            average=amount / filled if filled else None,
            state=state,
            reason=Text("", "") if signal is None else Text(signal.reason_en, signal.reason_zh),
            decided=decided_by(root.source, kind),
            orders=tuple(self._line(order) for order in orders),
        )

    def _line(self, order: Order) -> OrderLine:
        return OrderLine(
            row=order,
            state=OrderState(order.state),
            end=ended(order),
            message=order.account.mask(order.message),
            wait=self._wait(order),
            cancel=self._cancel(order),
            cancel_at=order.cancel_wanted_at,
            unknown=self._outcome(order),
            fills=tuple(self._fills[order.pk]),
        )

    def _outcome(self, order: Order) -> UnknownView | None:
        known = self._unknown.get(order.pk)
        if known is None:
            return None
        mask = order.account.mask
        return UnknownView(
            since=known.since,
            why=Text(mask(known.why_en), mask(known.why_zh)),
            verdict=Text(mask(known.verdict_en), mask(known.verdict_zh)),
            resolved_at=known.resolved_at,
        )

    def _cancel(self, order: Order) -> Text | None:
        """Say that a cancel was asked for, by whom, and how often it was sent."""
        if order.cancel_wanted_at is None and not order.cancelled_by_person:
            return None
        sent = order.cancel_tries
        who = self._asked.get(order.client_order_id)
        if order.cancelled_by_person:
            by = Text(f"by {who}", f"操作人 {who}") if who else Text("by a person", "人工")
        else:
            by = Text("by the program", "程序")
        return Text(
            f"cancel asked for {by.en}, sent {sent}×", f"已请求撤单（{by.zh}），已发送 {sent} 次"
        )

    def _wait(self, order: Order) -> Wait | None:
        state = OrderState(order.state)
        now, speed = self._accounts[order.account_id].now, self._accounts[order.account_id].speed
        if state is OrderState.APPROVED:
            left = max(0, int((order.expires_at - now).total_seconds()))
            return Wait(
                Text("is dropped if not sent within", "未报出则作废，剩余"), left, True, speed
            )
        if state not in (OrderState.SUBMITTED, OrderState.PARTIALLY_FILLED):
            return None
        rules = self._rules.get(order.account_id)
        if rules is None:
            return None
        at_limit = order.limit_down is not None and order.price <= order.limit_down
        if at_limit and order.side == Side.SELL:
            return Wait(Text("keeps its place at limit-down", "在跌停价排队，不撤单"))
        timeout = order_timeout(SignalKind(order.kind), Side(order.side), rules)
        if timeout is None or order.submitted_at is None:
            return Wait(Text("no timeout: rests until the close", "不限时：当日有效"))
        rested = continuous_seconds(self._calendar, order.submitted_at, now)
        left = max(0, int(timeout - rested))
        runs = phase_at(self._calendar, now).continuous
        return Wait(
            Text(f"times out ({timeout} s) in", f"超时撤单（{timeout} 秒），剩余"), left, runs
        )


def _rules(accounts: Iterable[int]) -> dict[int, OrderRules]:
    found = {}
    for account in accounts:
        try:
            found[account] = config.load(account).orders
        except ConfigError:
            continue  # nobody counts down by settings that do not exist
    return found


def _who_asked(orders: Sequence[Order]) -> Mapping[str, str]:
    """Return who asked for the cancel of an order, by its id; the journal has it at the same moment."""
    asked = [one for one in orders if one.cancelled_by_person and one.cancel_wanted_at]
    events = Event.objects.filter(
        account__in={one.account_id for one in orders},
        code="CANCEL_ASKED",
        at__in={one.cancel_wanted_at for one in asked},
    )
    return {str(event.detail.get("client_order_id", "")): event.actor for event in events}
