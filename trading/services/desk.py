"""The gateway's desk: the services it calls, each one short transaction on the database and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, Max, OuterRef

from trading.domain.calendar import TradingCalendar, books_closed, phase_at
from trading.domain.freshness import freshness
from trading.domain.orders import OrderState, state_at_day_end
from trading.domain.pace import Pace
from trading.domain.reports import Event, Snapshot
from trading.domain.risk import cancel_allowed
from trading.domain.source_health import FALLBACK
from trading.domain.stages import Stage, standing
from trading.domain.types import (
    CHINA,
    AccountMode,
    DenialCode,
    GatewayStatus,
    Side,
    SignalKind,
    Symbol,
    Text,
    TradingState,
)
from trading.errors import ConfigError
from trading.faults import crash_point
from trading.models import Account, EventLevel, GatewayLease, Order
from trading.models import Event as Entry
from trading.models.prepared import Prepared, PreparedUpdate
from trading.ports import Agenda, Claimed, Desk, OrderRequest, QuoteReader
from trading.selectors import WORKING_STATES, instrument_of, read_agenda
from trading.services import config
from trading.services.accounts import set_trading_state
from trading.services.booking import settle_chain
from trading.services.caps import last_look
from trading.services.events import journal
from trading.services.execution import Execution
from trading.services.gateway_lease import Lease
from trading.services.kill_switch import latch
from trading.services.moves import move

#: No evidence of a submitted order for this long (real time): its outcome is unknown (design, life of an order).
SUBMIT_DEADLINE = timedelta(seconds=8)
#: Sells before buys; among them exits, then what a person wants, then the rest.
_URGENCY = {kind: -kind.priority for kind in SignalKind}


class AccountDesk(Desk):
    """The desk of one account. `quotes` answers how old a quote is at the last check before the call.

    `lease`: by default one without an end, for a process that nobody competes with.
    """

    def __init__(
        self,
        account_id: int,
        quotes: QuoteReader,
        calendar: TradingCalendar,
        pace: Pace = Pace(),  # noqa: B008 - immutable
        lease: Lease | None = None,
    ) -> None:
        self._account_id, self._quotes, self._calendar = account_id, quotes, calendar
        self._pace, self._lease = pace, lease or Lease(account_id)
        self._execution = Execution(account_id)
        self._epoch = 0

    def take_over(self, now: datetime) -> int:
        with transaction.atomic():
            lease = self._lease.take()
            crash_point("desk.taken_over")
            self._epoch = self._execution.epoch = self._above_all(lease, now)
            self._execution.began_at = now
            for order in _IN_STATE(self._account_id, OrderState.SUBMITTING):
                self._execution.doubt(order, Text("its sender ended", "发送进程已结束"), now)
        return self._epoch

    def renew(self) -> None:
        """Make the lease last, once it is taken. Raises StandDown when another gateway has it."""
        if self._epoch:
            self._lease.renew(self._epoch)

    def release(self) -> None:
        """Give the lease back: this gateway ends in order."""
        if self._epoch:
            self._lease.release(self._epoch)

    def beat(self, status: GatewayStatus, reason: Text, now: datetime) -> None:
        # One that stood down says nothing about the one that acts.
        _BEAT(
            self._account_id,
            self._epoch,
            gateway_status=status,
            gateway_reason=reason._asdict(),
            gateway_seen_at=now,
        )

    def record(self, events: Sequence[Event], now: datetime) -> bool:
        try:
            with transaction.atomic():
                return self._execution.record(events, now)
        except BaseException:
            self._execution.forget()  # the database knows nothing of it, so neither may the memory
            raise

    def pushes(self, *, dead: bool, now: datetime) -> None:
        if dead:
            text = Text(
                "The terminal does not push fills any more: they are seen by queries, up to 3 s later. Restart it"
                " when the exchange is closed.",
                "终端不再推送成交：改由查询获知，最多延迟 3 秒。请在收盘后重启终端。",
            )
            journal(self._account_id, EventLevel.ALARM, "PUSHES_DEAD", text, now)
        else:
            text = Text("The terminal pushes fills again.", "终端已恢复推送成交。")
            journal(self._account_id, EventLevel.INFO, "PUSHES_DEAD_OVER", text, now)

    def problem_with(self, snapshot: Snapshot) -> Text | None:
        return self._execution.judge(snapshot)

    def agenda(self) -> Agenda:
        return read_agenda(self._account_id)

    def expire(self, now: datetime) -> int:
        approved = _IN_STATE(self._account_id, OrderState.APPROVED)
        late = [order for order in approved if order.expires_at < now]
        for order in late:
            with transaction.atomic():
                self._drop(order, order.cancel_reason or "OUTBOX_EXPIRED", now)
        return len(late)

    def claim_next(self, epoch: int, now: datetime) -> Claimed | None:
        approved = _IN_STATE(self._account_id, OrderState.APPROVED)
        waiting = [order for order in approved if order.expires_at >= now]
        try:
            pace = config.load(self._account_id).risk.orders_per_second
        except ConfigError:
            return None  # no settings, no orders; the ticks have raised the alarm
        if len(_CLAIMED_SINCE(self._account_id, now - timedelta(seconds=1))) >= pace:
            return None  # they wait for the next second, most urgent first
        for order in sorted(waiting, key=_turn):
            with transaction.atomic():
                if move(
                    order,
                    OrderState.SUBMITTING,
                    epoch,
                    now,
                    lease_must_last=True,
                    claimed_at=now,
                    journal_mark=next(iter(_NEWEST_ENTRY(self._account_id)), 0),
                    epoch=epoch,
                ):
                    return _claimed(order)
        return None

    def objection(self, claimed: Claimed, now: datetime) -> str | None:
        (side, kind), *_ = _ORDERED(claimed.order_id)
        symbol = claimed.request.symbol
        if not phase_at(self._calendar, now, instrument_of(symbol)).accepts_orders:
            return "MARKET_CLOSED"
        if kind != SignalKind.MANUAL:
            quote = self._quotes.latest([symbol]).get(symbol)
            fed = self._quotes.fed(symbol)
            if not freshness(quote, fed.at, fed.heartbeat, now, self._pace):
                return "QUOTE_STALE"
            if fed.source == FALLBACK and not self._allows_fallback():
                return "QUOTE_SOURCE"
        crash_point("gateway.checked")
        state, stands = self._switch()
        if stands is Stage.CAPPED:
            over = last_look(claimed.order_id, now.astimezone(CHINA).date())
            if over is not None:
                return over
            state, stands = self._switch()
        # The stage and the main switch last: the call comes next.
        if stands is Stage.WITHDRAWN:
            return DenialCode.STAGE.value
        buys_in_reducing = state is TradingState.REDUCING and side == Side.BUY
        return "TRADING_STATE" if state is TradingState.HALTED or buys_in_reducing else None

    def _switch(self) -> tuple[TradingState, Stage]:
        state, mode, stage = _SWITCH(self._account_id)[0]
        return TradingState(state), standing(AccountMode(mode), stage)

    def _allows_fallback(self) -> bool:
        try:
            return config.load(self._account_id).allow_mootdx_trading
        except ConfigError:
            return False

    def kill(self, name: str, now: datetime) -> None:
        latch(self._account_id, name, now)

    def hold_back(self, order_id: int, why: str, epoch: int, now: datetime) -> None:
        with transaction.atomic():
            self._drop(Order.objects.get(pk=order_id), why, now)

    def sent(
        self, order_id: int, seq: int | None, epoch: int, now: datetime, connection: int = 0
    ) -> None:
        _SENT(order_id, epoch, seq=seq, connection=connection)

    def refused(self, order_id: int, why: str, epoch: int, now: datetime) -> None:
        with transaction.atomic():
            self._execution.reject(Order.objects.get(pk=order_id), why, now)

    def uncertain(self, order_id: int, why: str, epoch: int, now: datetime) -> None:
        with transaction.atomic():
            self._execution.doubt(Order.objects.get(pk=order_id), Text(why, why), now)

    def overdue(self, epoch: int, now: datetime, lag: timedelta = timedelta(0)) -> int:
        deadline = SUBMIT_DEADLINE + lag
        since = now - self._pace.market(deadline)
        submitting = _IN_STATE(self._account_id, OrderState.SUBMITTING)
        late = [
            one
            for one in submitting
            # Claimed in the future: the clock was set back, and how long that is ago nobody can say.
            if one.claimed_at is not None and not since < one.claimed_at <= now
        ]
        seconds = int(deadline.total_seconds())
        why = Text(f"no answer for {seconds} s", f"{seconds} 秒内没有回报")
        for order in late:
            with transaction.atomic():
                self._execution.doubt(order, why, now)
        if not self._execution.unknown.any:
            return len(late)
        with transaction.atomic():
            return len(late) + self._execution.carry_out(now)

    def claim_cancels(self, epoch: int, seen_at: datetime | None, now: datetime) -> Sequence[int]:
        """An order is cancelled only after it was read again since the wish: it may have filled meanwhile (F10)."""
        if seen_at is None:
            return []
        wanted = _TO_CANCEL(self._account_id, seen_at)
        if not wanted:
            return []
        ids: list[int] = []
        limits = config.load(self._account_id).risk
        recent = len(_CANCELLED_SINCE(self._account_id, now - timedelta(seconds=10)))
        for order in wanted:
            if not cancel_allowed(recent + len(ids), limits):
                break  # the counter throttles: the rest waits
            if not phase_at(
                self._calendar, now, instrument_of(Symbol(order.symbol))
            ).accepts_cancels:
                continue
            with transaction.atomic():
                done = move(
                    order,
                    OrderState.CANCEL_REQUESTED,
                    epoch,
                    now,
                    detail={"reason": order.cancel_reason},
                    cancel_wanted_at=None,
                    last_cancel_at=now,
                    cancel_tries=order.cancel_tries + 1,
                )
            if done and order.broker_order_id is not None:
                ids.append(order.broker_order_id)
        return ids

    def day_end(self, epoch: int, now: datetime) -> int:
        today = now.astimezone(CHINA).date()
        rows = self._orders().filter(trade_date__lte=today)
        if not books_closed(now):
            rows = rows.filter(trade_date__lt=today)  # its day ended while no gateway was armed
        ended = 0
        for order in rows:
            end = state_at_day_end(OrderState(order.state), order.filled_quantity)
            if end.value == order.state:
                continue
            with transaction.atomic():
                if move(order, end, epoch, now, end_reason="DAY_END"):
                    crash_point("desk.day_ended")
                    settle_chain(order, epoch, now, final=True)
                    ended += 1
        return ended

    # -- inside

    def _above_all(self, lease: GatewayLease, now: datetime) -> int:
        """Return the new epoch. Orders of a higher one mean that the lease went back: invariant I15 is broken."""
        highest = Order.objects.filter(account_id=self._account_id).aggregate(at=Max("epoch"))[
            "at"
        ]
        if highest is None or highest < lease.epoch:
            return lease.epoch
        GatewayLease.objects.filter(pk=lease.pk).update(epoch=highest + 1)
        why = Text(
            f"Orders of gateway epoch {highest} exist, and the lease says {lease.epoch}: two gateways may have sent. "
            "Compare the orders with the terminal.",
            f"存在网关任期 {highest} 的委托，而当前任期为 {lease.epoch}：可能有两个网关同时报单。请与客户端核对委托。",
        )
        if set_trading_state(self._account_id, TradingState.HALTED, why, now):
            journal(self._account_id, EventLevel.ALARM, "INVARIANT_BROKEN", why, now)
        return int(highest) + 1

    def _orders(self, *states: OrderState):  # type: ignore[no-untyped-def]
        wanted = [state.value for state in states] or list(WORKING_STATES)
        return Order.objects.filter(account_id=self._account_id, state__in=wanted)

    def _drop(self, order: Order, why: str, now: datetime) -> None:
        if move(order, OrderState.EXPIRED, self._epoch, now, end_reason=why):
            crash_point("desk.dropped")
            settle_chain(order, self._epoch, now, final=True)
            text = Text(
                f"The order for {order.quantity} {order.symbol} was not sent: {why}.",
                f"{order.symbol} {order.quantity} 股的委托没有发出：{why}。",
            )
            journal(
                self._account_id,
                EventLevel.WARNING,
                "ORDER_EXPIRED",
                text,
                now,
                symbol=order.symbol,
            )


_IN_STATE = Prepared(
    lambda account, state: Order.objects.filter(account_id=account, state=state).order_by("pk")
)
_ORDERED = Prepared(lambda order: Order.objects.filter(pk=order).values_list("side", "kind"))
_SWITCH = Prepared(
    lambda account: Account.objects.filter(pk=account).values_list(
        "trading_state", "mode", "stage"
    )
)
_NEWEST_ENTRY = Prepared(
    lambda account: (
        Entry.objects.filter(account_id=account).order_by("-pk").values_list("pk", flat=True)[:1]
    )
)
_SENT = PreparedUpdate(lambda order, epoch: Order.objects.filter(pk=order, epoch=epoch))
_CLAIMED_SINCE = Prepared(
    lambda account, moment: Order.objects.filter(
        account_id=account, claimed_at__gt=moment
    ).values_list("pk")
)
_CANCELLED_SINCE = Prepared(
    lambda account, moment: Order.objects.filter(
        account_id=account, last_cancel_at__gt=moment
    ).values_list("pk")
)
_BEAT = PreparedUpdate(
    lambda account, epoch: Account.objects.filter(
        Exists(GatewayLease.objects.filter(account_id=OuterRef("pk"), epoch=epoch)), pk=account
    )
)
_TO_CANCEL = Prepared(
    lambda account, seen_at: Order.objects.filter(
        account_id=account,
        state__in=[OrderState.SUBMITTED, OrderState.PARTIALLY_FILLED, OrderState.CANCEL_REQUESTED],
        cancel_wanted_at__lte=seen_at,
        broker_order_id__isnull=False,
    ).order_by("pk")
)


def _turn(order: Order) -> tuple[bool, int, int]:
    return order.side == Side.BUY, _URGENCY[SignalKind(order.kind)], order.pk


def _claimed(order: Order) -> Claimed:
    request = OrderRequest(
        client_order_id=order.client_order_id,
        symbol=Symbol(order.symbol),
        side=Side(order.side),
        quantity=order.quantity,
        price=order.price,
    )
    return Claimed(order.pk, request)
