"""The one reconcile service: the terminal's reports become bound orders, booked fills and moved states.

Everything here is idempotent: a report that arrives twice, late or out of order changes nothing the second time.
The caller opens the transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q

from trading.domain.binding import bind, order_of_answer
from trading.domain.orders import OrderState, contradiction, state_after_report
from trading.domain.reconcile import KnownOrder, clean, new_fills
from trading.domain.reports import (
    BrokerOrder,
    BrokerTrade,
    CancelResponse,
    ConnectionReport,
    Event,
    Snapshot,
    SubmitError,
    SubmitResponse,
)
from trading.domain.risk import RiskLimits, trips
from trading.domain.types import CHINA, Symbol, Text, TradingState
from trading.faults import crash_point
from trading.models import BrokerEvent, EventLevel, Fill, Order
from trading.models.prepared import Prepared, PreparedInsert
from trading.selectors import account_of, orders_of_day
from trading.services.accounts import set_trading_state, want_snapshot
from trading.services.adoption import Opening, books_are_open
from trading.services.booking import adopt_fills, book_fill, settle_chain
from trading.services.broker_rows import (
    broker_event,
    ended_with_the_day,
    first_told,
    lives,
    local_order,
    order_of_fill,
)
from trading.services.day_books import Bookkeeper
from trading.services.events import journal
from trading.services.gateway_lease import still_leased
from trading.services.loss_watch import LossWatch
from trading.services.moves import move
from trading.services.strangers import Strangers
from trading.services.sync import store_snapshot
from trading.services.unknown_outcomes import UnknownOutcomes


class Execution:
    """The reconcile service of one account, for one gateway: remembers the last lists only to skip equal ones."""

    def __init__(self, account_id: int) -> None:
        self._account_id = account_id
        self.epoch = 0
        #: When this gateway took over.
        self.began_at: datetime | None = None
        self.forget()

    def record(self, events: Sequence[Event], now: datetime) -> bool:
        """Store the raw reports, then reconcile them in order of arrival; True unless nothing can have changed."""
        rows = [
            broker_event(self._account_id, event)
            for event in events
            if not isinstance(event.report, Snapshot)
        ]
        _RAW(*rows)
        crash_point("execution.stored")
        self._changed = bool(rows)
        for event in events:
            self._apply(event, now)
        # After all of them: an answer may have come behind a list, which looked for answered orders before it.
        self.unknown.answered |= bool(rows)
        return self._changed

    def forget(self) -> None:
        """Look at everything again: what was read last was not kept."""
        self._orders_seen: tuple[BrokerOrder, ...] | None = None
        self._trades_seen: tuple[BrokerTrade, ...] | None = None
        self._listed: tuple[date, tuple[KnownOrder, ...]] | None = None  # the last believed list
        self._judged: tuple[Snapshot, Text | None] | None = None
        self._opening = Opening(self._account_id)
        self._strangers = Strangers(self._account_id)
        self.unknown = UnknownOutcomes(self._account_id)
        self._loss = LossWatch(self._account_id)
        self._books = Bookkeeper(self._account_id)
        self._open = self._changed = False

    def judge(self, snapshot: Snapshot) -> Text | None:
        """Say why a snapshot cannot be believed, or None (R6): did a list shrink, did a known order lose progress?"""
        if self._judged is None or self._judged[0] is not snapshot:
            on = snapshot.taken_at.astimezone(CHINA).date()
            known = [
                KnownOrder(number, filled, OrderState(state).terminal)
                for number, filled, state in _SIGHTED(self._account_id, on, snapshot.as_of)
                if number is not None
            ]
            if self._listed is not None and self._listed[0] == on:
                known += self._listed[1]  # whoever placed them
            problem = clean(known, snapshot)
            if problem is None and not self._open:
                problem = self._opening.reason
            self._judged = (snapshot, problem)
        return self._judged[1]

    def doubt(self, order: Order, why: Text, now: datetime) -> None:
        """An order becomes unknown, and also a list that says nothing new may bind it now."""
        if self.unknown.begin(order, why, self.epoch, now):
            self._orders_seen = None
            self.trip(now)

    def carry_out(self, now: datetime) -> bool:
        """Do what a person decided about unknown orders; the next list then tells what became of them."""
        if not self.unknown.carry_out(self.epoch, now):
            return False
        self._orders_seen = self._trades_seen = None
        return True

    def reject(self, order: Order, why: str, now: datetime) -> None:
        """The broker refused an order: REJECTED, its reservation freed, its chain over; a burst trips REDUCING."""
        if not move(
            order, OrderState.REJECTED, self.epoch, now, message=why, end_reason="REJECTED"
        ):
            return
        crash_point("execution.rejected")
        settle_chain(order, self.epoch, now, final=True)
        text = Text(
            f"The broker refused the {order.side} of {order.quantity} {order.symbol} at {order.price}: {why}",
            f"券商拒绝了 {order.symbol} {order.quantity} 股（{order.price}）的委托：{why}",
        )
        journal(
            self._account_id, EventLevel.ALARM, "ORDER_REJECTED", text, now, symbol=order.symbol
        )
        self.trip(now)

    def trip(self, now: datetime) -> None:
        """Go to REDUCING after a burst of refusals, or when too much is unknown (rules §6)."""
        orders = Order.objects.filter(account_id=self._account_id)
        refused = orders.filter(
            state=OrderState.REJECTED, ended_at__gt=now - timedelta(seconds=60)
        ).count()
        unknown = orders.filter(state=OrderState.UNKNOWN).count()
        why = trips(refused, None, unknown, RiskLimits())
        if why is not None:
            set_trading_state(self._account_id, TradingState.REDUCING, why, now)

    # -- one report

    def _apply(self, event: Event, now: datetime) -> None:
        match event.report:
            case BrokerTrade() as trade:
                self._book([trade], now)
            case BrokerOrder() as order:
                self._orders([order], now)
            case SubmitResponse() as answer:
                self._submitted(answer, event.epoch, now)
            case SubmitError() as error:
                self._submit_error(error, event.epoch, now)
            case CancelResponse() as answer:
                self._cancelled(answer, now)
            case Snapshot() as snapshot:
                self._snapshot(snapshot, now)
            case ConnectionReport():
                pass  # the gateway's own business

    def _snapshot(self, snapshot: Snapshot, now: datetime) -> None:
        if not still_leased(self._account_id, self.epoch):
            # Another gateway has gone on while we were frozen: what we read is old. Its fills happened.
            self._book(snapshot.trades or (), now)
            return
        self._open = self._open or self._opening.look(snapshot, now)
        if not self._open:
            return
        if snapshot.trades is not None and snapshot.trades != self._trades_seen:
            self._book(snapshot.trades, now)
            crash_point("execution.trades_booked")
            # An order may have waited for these fills: look at all of them again.
            self._trades_seen, self._orders_seen, self._changed = snapshot.trades, None, True
        if self.judge(snapshot) is not None:
            return  # a bad query is no news; the fills it carries happened all the same
        if snapshot.orders is not None and snapshot.orders != self._orders_seen:
            early = self._orders(snapshot.orders, now, snapshot.as_of)
            self._orders_seen, self._changed = None if early else snapshot.orders, True
            on = snapshot.taken_at.astimezone(CHINA).date()
            self._listed = (
                on,
                tuple(
                    KnownOrder(one.broker_order_id, one.traded_quantity, one.state.terminal)
                    for one in snapshot.orders
                    # Before the open a terminal may still list yesterday's, which then go.
                    if one.time.astimezone(CHINA).date() >= on
                ),
            )
        self._changed |= store_snapshot(self._account_id, snapshot, now)
        if self.unknown.doubt(snapshot, self.epoch, now):
            self._orders_seen, self._changed = None, True
            self.trip(now)
        self._changed |= self.unknown.review(snapshot, self.epoch, now)
        self._books.look(snapshot, now)
        loss = self._loss.look(snapshot, now)
        if loss is not None:
            set_trading_state(self._account_id, TradingState.REDUCING, loss, now)

    def _book(self, trades: Iterable[BrokerTrade], now: datetime) -> None:
        self._open = self._open or books_are_open(self._account_id)
        if not self._open:
            return  # the first snapshot that can be believed brings them again
        today = now.astimezone(CHINA).date()
        rows = orders_of_day(self._account_id, today)
        sysids = {
            row.broker_order_id: row.sysid
            for row in rows
            if row.broker_order_id is not None and row.sysid
        }
        account = account_of(self._account_id)
        known = set(_KEYS(self._account_id, today))
        new = new_fills(known, str(account.pk), today, trades, sysids)
        if new:
            # The cash and shares it moved show in the next snapshot; an idle gateway would ask ten seconds later.
            want_snapshot(self._account_id, now)
        for fill in new:
            if fill.problem is not None:
                self._alarm("FILL_NOT_BOOKED", fill.problem, fill.trade.symbol, now)
            else:
                book_fill(
                    account, order_of_fill(fill, rows), fill.trade, fill.key, self.epoch, now
                )

    def _orders(
        self, reports: Sequence[BrokerOrder], now: datetime, listed_at: datetime | None = None
    ) -> bool:
        """Book them; `listed_at`: they are all there were then. Return whether time alone may tell more of them."""
        today = now.astimezone(CHINA).date()
        rows = {row.pk: row for row in orders_of_day(self._account_id, today)}
        todays = [one for one in reports if one.time.astimezone(CHINA).date() >= today]
        binding = bind([local_order(row) for row in rows.values()], todays, complete_at=listed_at)
        from_query = listed_at is not None
        for pk, report in binding.bound.items():
            self._report(rows[pk], report, now, from_query=from_query, weakly=pk in binding.weak)
        for report in binding.foreign:
            self._strangers.external(report, now)
        for report in binding.ambiguous:
            self._strangers.unplaced(report, now)
        for report in binding.orphans:
            found = self._strangers.orphan(report, self.began_at, self.epoch, now)
            if isinstance(found, Order):
                adopt_fills(found, self.epoch, now)
                self._report(found, report, now, from_query=from_query)
            elif found is not None:
                self._broken(report.symbol, found, now)
        for pk, report in binding.doubled:
            text = Text(
                f"Order {rows[pk].client_order_id} of {report.symbol} exists twice at the broker: "
                f"{rows[pk].broker_order_id} and {report.broker_order_id}.",
                f"{report.symbol} 的委托 {rows[pk].client_order_id} 在券商处出现两次："
                f"{rows[pk].broker_order_id} 和 {report.broker_order_id}。",
            )
            self._broken(report.symbol, text, now)
        return bool(binding.early)

    def _report(
        self,
        order: Order,
        report: BrokerOrder,
        now: datetime,
        *,
        from_query: bool,
        weakly: bool = False,
    ) -> None:
        problem = contradiction(OrderState(order.state), report) or lives(order, report)
        if problem is not None:
            self._broken(order.symbol, problem, now)
            return
        old = OrderState(order.state)
        if order.broker_order_id is None:
            number = report.broker_order_id
            move(order, old, self.epoch, now, broker_order_id=number, weakly_bound=weakly)
            crash_point("execution.bound")
            adopt_fills(order, self.epoch, now)
            if weakly:
                self._tell_weak(order, now)
            old = OrderState(order.state)
        new = state_after_report(old, order.quantity, order.filled_quantity, report)
        fields = first_told(order, report, now)
        told_all = report.traded_quantity == order.filled_quantity
        if (
            from_query
            and report.state.terminal
            and told_all
            and new.terminal
            and not order.end_confirmed
        ):
            fields["end_confirmed"] = True
        if new in _CANCELLED and old not in _CANCELLED and ended_with_the_day(order, now):
            fields["end_reason"] = "DAY_END"
        if new is OrderState.REJECTED and old is not OrderState.REJECTED:
            if fields:
                move(order, old, self.epoch, now, **fields)
            self.reject(order, report.message or "no reason given", now)
        elif fields or new is not old:
            move(order, new, self.epoch, now, detail={"broker": report.state.value}, **fields)
            if new.terminal and not old.terminal:
                # What it held is free once the terminal says so: ask at once, a re-order waits for it.
                want_snapshot(self._account_id, now)

    def _broken(self, symbol: str, problem: Text, now: datetime) -> None:
        if set_trading_state(self._account_id, TradingState.HALTED, problem, now):
            self._alarm("INVARIANT_BROKEN", problem, symbol, now)

    def _submitted(self, response: SubmitResponse, connection: int, now: datetime) -> None:
        order = self._sent(response.remark, response.seq, connection)
        if order is None:
            return
        if response.broker_order_id <= 0:
            if order.broker_order_id is not None:
                return  # it has a row: only that row tells its end
            self.reject(order, response.message or "refused by the client without a reason", now)
        elif order.broker_order_id is None:
            old = OrderState(order.state)
            new = OrderState.SUBMITTED if old in _IN_DOUBT else old
            move(
                order,
                new,
                self.epoch,
                now,
                broker_order_id=response.broker_order_id,
                submitted_at=now,
            )
            adopt_fills(order, self.epoch, now)

    def _submit_error(self, error: SubmitError, connection: int, now: datetime) -> None:
        """A hint only: believed when it names, by its remark, an order that is still without an answer."""
        order = self._sent(error.remark, error.seq, connection)
        if order is not None and OrderState(order.state) is OrderState.SUBMITTING:
            self.reject(order, error.message, now)

    def _sent(self, remark: str, seq: int, connection: int) -> Order | None:
        likely = _ANSWERED(self._account_id, remark, self.epoch, connection, seq)
        rows = {row.pk: row for row in likely}
        found = order_of_answer(
            map(local_order, rows.values()), remark, seq, self.epoch, connection
        )
        return rows[found.id] if found is not None else None

    def _cancelled(self, response: CancelResponse, now: datetime) -> None:
        """A refused cancel is information, not an end: the next query tells what became of the order."""
        if response.accepted:
            return
        order = Order.objects.filter(
            account_id=self._account_id,
            trade_date=now.astimezone(CHINA).date(),
            broker_order_id=response.broker_order_id,
        ).last()
        if order is not None:
            Order.objects.filter(pk=order.pk).update(message=response.message)
            want_snapshot(self._account_id, now)

    def _alarm(self, code: str, text: Text, symbol: str, now: datetime, **detail: Any) -> None:
        journal(self._account_id, EventLevel.ALARM, code, text, now, symbol=symbol, **detail)

    def _tell_weak(self, order: Order, now: datetime) -> None:
        text = Text(
            f"Order {order.broker_order_id} at the broker was taken for our {order.client_order_id} of {order.symbol}: "
            "symbol, side, quantity, price and time agree, and nothing else does. Check its remark at the terminal.",
            f"券商委托 {order.broker_order_id} 已按代码、方向、数量、价格和时间对应为 {order.symbol} 的委托 "
            f"{order.client_order_id}，备注未能对应。请在客户端核对。",
        )
        self._alarm("ORDER_BOUND_WEAKLY", text, Symbol(order.symbol), now)


#: Orders that a list which was asked for later must show. An answer alone is no sighting: an order may be accepted
#: and swallowed.
_SIGHTED = Prepared(
    lambda account, on, before: (
        Order.objects.filter(account_id=account, trade_date=on, submitted_at__lt=before)
        .exclude(sysid="", filled_quantity=0)
        .values_list("broker_order_id", "filled_quantity", "state")
    )
)
_ANSWERED = Prepared(
    lambda account, remark, epoch, connection, seq: Order.objects.filter(
        Q(client_order_id=remark) | Q(epoch=epoch, connection=connection, seq=seq),
        account_id=account,
    )
)
_RAW = PreparedInsert(BrokerEvent)
_KEYS = Prepared(
    lambda account, on: Fill.objects.filter(account_id=account, trade_date=on).values_list(
        "key", flat=True
    )
)


_CANCELLED = (OrderState.CANCELLED, OrderState.PARTIALLY_CANCELLED)
_IN_DOUBT = (OrderState.SUBMITTING, OrderState.UNKNOWN)
