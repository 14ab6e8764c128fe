"""The one reconcile service: the terminal's reports become bound orders, booked fills and moved states.

Everything here is idempotent: a report that arrives twice, late or out of order changes nothing the second time.
The caller opens the transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta
from typing import Any

from trading.domain.orders import OrderState, contradiction, state_after_report
from trading.domain.reconcile import KnownOrder, LocalOrder, NewFill, bind, clean, new_fills
from trading.domain.reports import (
    BrokerOrder,
    BrokerState,
    BrokerTrade,
    CancelResponse,
    ConnectionReport,
    Event,
    Snapshot,
    SubmitError,
    SubmitResponse,
)
from trading.domain.risk import RiskLimits, trips
from trading.domain.types import CHINA, Side, Symbol, Text, TradingState
from trading.faults import crash_point
from trading.models import Account, BrokerEvent, EventLevel, Fill, Order
from trading.services.accounts import set_trading_state
from trading.services.adoption import books_are_open, open_books
from trading.services.booking import adopt_fills, book_fill, settle_chain
from trading.services.events import journal
from trading.services.moves import move
from trading.services.raw_reports import plain, raw
from trading.services.sync import store_snapshot


class Execution:
    """The reconcile service of one account, for one gateway: remembers the last lists only to skip equal ones."""

    def __init__(self, account_id: int) -> None:
        self._account_id = account_id
        self.epoch = 0
        self._orders_seen: tuple[BrokerOrder, ...] | None = None
        self._trades_seen: tuple[BrokerTrade, ...] | None = None
        self._foreign: set[int] = set()
        self._changed = self._open = False
        self._judged: tuple[Snapshot, Text | None] | None = None

    def record(self, events: Sequence[Event], now: datetime) -> bool:
        """Store the raw reports, then reconcile them in order of arrival; True unless nothing can have changed."""
        rows = [
            raw(self._account_id, event)
            for event in events
            if not isinstance(event.report, Snapshot)
        ]
        BrokerEvent.objects.bulk_create(rows)
        crash_point("execution.stored")
        self._changed = bool(rows)
        for event in events:
            self._apply(event.report, now)
        return self._changed

    def forget(self) -> None:
        """Look at everything again: what was read last was not kept."""
        self._orders_seen = self._trades_seen = self._judged = None
        self._foreign.clear()
        self._open = False

    def judge(self, snapshot: Snapshot) -> Text | None:
        """Say why a snapshot cannot be believed, or None (R6): did a list shrink, did a known order lose progress?"""
        if self._judged is None or self._judged[0] is not snapshot:
            # An answer alone is no sighting: an order may be accepted and swallowed.
            orders = (
                Order.objects.filter(
                    account_id=self._account_id,
                    trade_date=snapshot.taken_at.astimezone(CHINA).date(),
                    submitted_at__lt=snapshot.taken_at,
                )
                .exclude(sysid="", filled_quantity=0)
                .values_list("broker_order_id", "filled_quantity", "state")
            )
            known = [
                KnownOrder(number, filled, OrderState(state).terminal)
                for number, filled, state in orders
                if number is not None
            ]
            self._judged = (snapshot, clean(known, snapshot))
        return self._judged[1]

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

    def _apply(self, report: Any, now: datetime) -> None:
        match report:
            case BrokerTrade():
                self._book([report], now)
            case BrokerOrder():
                self._orders([report], now, from_query=False)
            case SubmitResponse():
                self._submitted(report, now)
            case SubmitError():
                self._submit_error(report, now)
            case CancelResponse():
                self._cancelled(report, now)
            case Snapshot():
                self._snapshot(report, now)
            case ConnectionReport():
                pass  # the gateway's own business

    def _snapshot(self, snapshot: Snapshot, now: datetime) -> None:
        self._open = self._open or open_books(self._account_id, snapshot, now)
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
            self._orders(snapshot.orders, now, from_query=True)
            self._orders_seen, self._changed = snapshot.orders, True
        self._changed |= store_snapshot(self._account_id, snapshot, now)

    def _book(self, trades: Iterable[BrokerTrade], now: datetime) -> None:
        self._open = self._open or books_are_open(self._account_id)
        if not self._open:
            return  # the first snapshot that can be believed brings them again
        today = now.astimezone(CHINA).date()
        rows = self._todays(now)
        sysids = {
            row.broker_order_id: row.sysid
            for row in rows
            if row.broker_order_id is not None and row.sysid
        }
        account = Account.objects.get(pk=self._account_id)
        known = set(
            Fill.objects.filter(account=account, trade_date=today).values_list("key", flat=True)
        )
        for fill in new_fills(known, str(account.pk), today, trades, sysids):
            if fill.problem is not None:
                self._alarm("FILL_NOT_BOOKED", fill.problem, fill.trade.symbol, now)
            else:
                book_fill(account, _order_of(fill, rows), fill.trade, fill.key, self.epoch, now)

    def _orders(self, reports: Sequence[BrokerOrder], now: datetime, *, from_query: bool) -> None:
        rows = {row.pk: row for row in self._todays(now)}
        binding = bind([_local(row) for row in rows.values()], reports)
        for pk, report in binding.bound.items():
            self._report(rows[pk], report, now, from_query=from_query)
        for report in binding.foreign:
            self._external(report, now)
        for report in (*binding.ambiguous, *binding.orphans):
            self._unplaced(report, now)
        for pk, report in binding.doubled:
            text = Text(
                f"Order {rows[pk].client_order_id} of {report.symbol} exists twice at the broker: "
                f"{rows[pk].broker_order_id} and {report.broker_order_id}.",
                f"{report.symbol} 的委托 {rows[pk].client_order_id} 在券商处出现两次："
                f"{rows[pk].broker_order_id} 和 {report.broker_order_id}。",
            )
            self._broken(rows[pk], text, now)

    def _report(
        self, order: Order, report: BrokerOrder, now: datetime, *, from_query: bool
    ) -> None:
        problem = contradiction(OrderState(order.state), report) or _lives(order, report)
        if problem is not None:
            self._broken(order, problem, now)
            return
        old = OrderState(order.state)
        if order.broker_order_id is None:
            move(order, old, self.epoch, now, broker_order_id=report.broker_order_id)
            crash_point("execution.bound")
            adopt_fills(order, self.epoch, now)
            old = OrderState(order.state)
        new = state_after_report(old, order.quantity, order.filled_quantity, report)
        fields = _first_told(order, report, now)
        told_all = report.traded_quantity == order.filled_quantity
        if (
            from_query
            and report.state.terminal
            and told_all
            and new.terminal
            and not order.end_confirmed
        ):
            fields["end_confirmed"] = True
        if new in _CANCELLED and old not in _CANCELLED and _ended_with_the_day(order, now):
            fields["end_reason"] = "DAY_END"
        if new is OrderState.REJECTED and old is not OrderState.REJECTED:
            if fields:
                move(order, old, self.epoch, now, **fields)
            self.reject(order, report.message or "no reason given", now)
        elif fields or new is not old:
            move(order, new, self.epoch, now, detail={"broker": report.state.value}, **fields)
            if new.terminal and not old.terminal:
                # What it held is free once the terminal says so: ask at once, a re-order waits for it.
                Account.objects.filter(pk=self._account_id).update(snapshot_wanted_at=now)

    def _broken(self, order: Order, problem: Text, now: datetime) -> None:
        if set_trading_state(self._account_id, TradingState.HALTED, problem, now):
            journal(
                self._account_id,
                EventLevel.ALARM,
                "INVARIANT_BROKEN",
                problem,
                now,
                symbol=order.symbol,
            )

    def _submitted(self, response: SubmitResponse, now: datetime) -> None:
        order = self._sent(response.remark, response.seq)
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

    def _submit_error(self, error: SubmitError, now: datetime) -> None:
        """A hint only: believed when it names, by its remark, an order that is still without an answer."""
        order = self._sent(error.remark, error.seq)
        if order is not None and OrderState(order.state) is OrderState.SUBMITTING:
            self.reject(order, error.message, now)

    def _sent(self, remark: str, seq: int) -> Order | None:
        orders = Order.objects.filter(account_id=self._account_id)
        by_remark = orders.filter(client_order_id=remark).first() if remark else None
        # Every connection counts its seq from 1 again: the newest order with this number is meant, or none.
        by_seq = orders.filter(epoch=self.epoch, seq=seq).order_by("-claimed_at", "-pk").first()
        in_doubt = by_seq is not None and OrderState(by_seq.state) in _IN_DOUBT
        return by_remark or (by_seq if in_doubt else None)

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
            Account.objects.filter(pk=self._account_id).update(snapshot_wanted_at=now)

    def _alarm(self, code: str, text: Text, symbol: Symbol, now: datetime) -> None:
        journal(self._account_id, EventLevel.ALARM, code, text, now, symbol=symbol)

    def _unplaced(self, report: BrokerOrder, now: datetime) -> None:
        """An order that carries our mark, but which of ours it is cannot be said: a person decides."""
        if report.broker_order_id not in self._foreign:
            self._foreign.add(report.broker_order_id)
            text = Text(
                f"Order {report.broker_order_id} of {report.symbol} carries our mark {report.remark!r}, "
                "but it cannot be said which order it is. Look at the terminal.",
                f"{report.symbol} 的委托 {report.broker_order_id} 带有本程序标记 {report.remark!r}，但无法对应。请查看客户端。",
            )
            self._alarm("ORDER_UNPLACED", text, report.symbol, now)

    def _external(self, report: BrokerOrder, now: datetime) -> None:
        """Adopt an order somebody made elsewhere: counted and shown, never cancelled by us."""
        if report.broker_order_id in self._foreign:
            return
        self._foreign.add(report.broker_order_id)
        text = Text(
            f"Order {report.broker_order_id} for {report.quantity} {report.symbol} was not made by this program.",
            f"{report.symbol} {report.quantity} 股的委托 {report.broker_order_id} 不是本程序所下。",
        )
        journal(
            self._account_id,
            EventLevel.WARNING,
            "EXTERNAL_ORDER",
            text,
            now,
            symbol=report.symbol,
            order=plain(report),
        )

    def _todays(self, at: datetime) -> list[Order]:
        return list(
            Order.objects.filter(
                account_id=self._account_id, trade_date=at.astimezone(CHINA).date()
            )
        )


def _lives(order: Order, report: BrokerOrder) -> Text | None:
    """Say when an order that the client refused without a row has one all the same, and is not refused there."""
    without_row = order.state == OrderState.REJECTED and order.broker_order_id is None
    if not without_row or report.state is BrokerState.REJECTED:
        return None
    return Text(
        f"The client refused order {order.client_order_id} of {report.symbol}, but the broker shows it as "
        f"{report.state.value} ({report.broker_order_id}). Check it at the terminal before trading this symbol.",
        f"客户端拒绝了 {report.symbol} 的委托 {order.client_order_id}，券商却显示为 {report.state.value}"
        f"（{report.broker_order_id}）。请先在客户端核对，再交易该标的。",
    )


def _ended_with_the_day(order: Order, now: datetime) -> bool:
    """Whether a cancel that we did not ask for is the exchange's own, after the close."""
    return order.cancel_tries == 0 and now.astimezone(CHINA).time() >= _CLOSE


_CLOSE = time(15)
_CANCELLED = (OrderState.CANCELLED, OrderState.PARTIALLY_CANCELLED)
_IN_DOUBT = (OrderState.SUBMITTING, OrderState.UNKNOWN)


def _first_told(order: Order, report: BrokerOrder, now: datetime) -> dict[str, Any]:
    """Return the fields of an order that this report is the first to tell."""
    fields: dict[str, Any] = {}
    if order.broker_order_id is None:
        fields["broker_order_id"] = report.broker_order_id
    if report.sysid and not order.sysid:
        fields["sysid"] = report.sysid
    if order.submitted_at is None:
        fields["submitted_at"] = now
    if report.message and report.message != order.message:
        fields["message"] = report.message
    return fields


def _local(order: Order) -> LocalOrder:
    return LocalOrder(
        id=order.pk,
        client_order_id=order.client_order_id,
        symbol=Symbol(order.symbol),
        side=Side(order.side),
        quantity=order.quantity,
        price=order.price,
        state=OrderState(order.state),
        filled=order.filled_quantity,
        broker_order_id=order.broker_order_id,
        seq=order.seq,
        submitted_at=order.submitted_at,
        epoch=order.epoch,
    )


def _order_of(fill: NewFill, rows: Sequence[Order]) -> Order | None:
    """Return the fill's order: by the broker's number, else by the remark it carries."""
    trade = fill.trade
    same = [row for row in rows if row.symbol == trade.symbol]
    by_number = [row for row in same if row.broker_order_id == trade.broker_order_id]
    by_remark = [row for row in same if trade.remark and row.client_order_id == trade.remark]
    return next(iter(by_number or by_remark), None)
