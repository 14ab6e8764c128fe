"""Orders whose outcome nobody knows: the wait, the proof of absence, and what a person decides.

The gateway looks at them after every clean query and carries decisions out; it alone moves an order. Everything that
must outlive it is in the row `UnknownOutcome`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from trading.domain.absence import Missed, counts, proven, speaks_for, swallowed
from trading.domain.instruments import Settlement
from trading.domain.orders import OrderState
from trading.domain.reports import Snapshot
from trading.domain.types import CHINA, Side, Symbol, Text
from trading.faults import crash_point
from trading.models import BrokerSnapshot, EventLevel, Order, UnknownOutcome, Wish
from trading.models.prepared import Prepared, PreparedUpdate
from trading.selectors import instrument_of
from trading.services.accounts import want_snapshot
from trading.services.booking import adopt_fills, settle_chain
from trading.services.broker_rows import local_order
from trading.services.corrections import CorrectionError, needs_reason
from trading.services.events import journal
from trading.services.moves import move


class UnknownOutcomes:
    """Those of one account, for its gateway; after a look that finds none it asks the database no more."""

    def __init__(self, account_id: int) -> None:
        self._account_id = account_id
        #: False: certainly none is open. True until the first look.
        self.any = True
        #: False: certainly no order is known by the answer to its submit alone.
        self.answered = True

    def begin(self, order: Order, why: Text, epoch: int, now: datetime) -> bool:
        """An order becomes unknown, with an alarm, and its wait begins. False when it cannot."""
        detail = {"why": why.en}
        if not move(order, OrderState.UNKNOWN, epoch, now, was_unknown=True, detail=detail):
            return False
        crash_point("desk.unknown")
        self.any = True
        wait = {"since": now, "why_en": why.en[:200], "why_zh": why.zh[:200]}
        again = {"resolved_at": None, "missed_at": None, "missed_on": "", "wish": ""}
        UnknownOutcome.objects.update_or_create(order=order, defaults={**wait, **again})
        text = Text(
            f"The outcome of the {order.side} of {order.quantity} {order.symbol} ({order.client_order_id}) is unknown: "
            f"{why.en}. Its shares or cash stay reserved; it is not sent again. Look at the terminal.",
            f"{order.symbol} {order.quantity} 股委托（{order.client_order_id}）结果未知：{why.zh}。"
            "所占资金或股份继续保留，不会重发。请查看客户端。",
        )
        journal(
            self._account_id, EventLevel.ALARM, "ORDER_UNKNOWN", text, now, symbol=order.symbol
        )
        return True

    def doubt(self, snapshot: Snapshot, epoch: int, now: datetime) -> bool:
        """After a clean query: find orders that were accepted and are not shown. True when one became unknown."""
        if not self.answered:
            return False
        told = _ANSWERED(self._account_id, snapshot.taken_at.astimezone(CHINA).date())
        self.answered = bool(told)
        why = Text(
            "it was accepted, but no list shows it a minute later",
            "客户端已受理，但一分钟后委托查询仍无此委托",
        )
        begun = [
            self.begin(order, why, epoch, now)
            for order in told
            if swallowed(local_order(order), snapshot)
        ]
        return any(begun)

    def review(self, snapshot: Snapshot, epoch: int, now: datetime) -> bool:
        """After a clean query whose orders and fills are booked: find what is proven absent. True when one moved."""
        moved = False
        for outcome in self._open():
            order = outcome.order
            if order.state != OrderState.UNKNOWN:
                _resolve(outcome, now)  # a report named it
            elif order.trade_date != snapshot.taken_at.astimezone(CHINA).date():
                self._carry_over(outcome, now)  # the broker shows only today
            else:
                moved |= self._look(outcome, snapshot, epoch, now)
        return moved

    def carry_out(self, epoch: int, now: datetime) -> bool:
        """Do what a person decided. True when an order moved."""
        moved = False
        for outcome in self._open():
            if outcome.order.state != OrderState.UNKNOWN:
                continue
            if outcome.wish == Wish.ABSENT:
                reason = Text(outcome.wish_reason, outcome.wish_reason)
                moved |= self._absent(outcome, epoch, reason, "PERSON", now)
            elif outcome.wish == Wish.BIND:
                moved |= _bind(outcome, epoch, now)
                self.answered = True
        return moved

    def _open(self) -> Iterable[UnknownOutcome]:
        if not self.any:
            return ()
        rows = {row.pk: row for row in _OPEN(self._account_id)}
        for order in _THEIR_ORDERS(self._account_id) if rows else ():
            if order.pk in rows:
                rows[order.pk].order = order
        self.any = bool(rows)
        return rows.values()

    def _look(
        self, outcome: UnknownOutcome, snapshot: Snapshot, epoch: int, now: datetime
    ) -> bool:
        order, connection = outcome.order, f"{epoch}.{snapshot.epoch}"
        local = local_order(order)
        verdict = speaks_for(
            local, snapshot, _taken(order), _locked(Symbol(order.symbol), snapshot)
        )
        if verdict is not None:
            outcome.missed_at, outcome.missed_on = None, ""
        else:
            missed = Missed(
                outcome.since,
                snapshot.as_of,
                outcome.missed_at if outcome.missed_on == connection else None,
                any_order_known=bool(snapshot.orders),
                books_unchanged=_unchanged_since_before(order),
            )
            verdict = proven(missed)
            if verdict is None:
                why = Text(
                    "two clean queries, cash and holdings show it does not exist",
                    "两次有效查询及资金、持仓均表明该委托不存在",
                )
                return self._absent(outcome, epoch, why, "ABSENT", now)
            if missed.first is None:
                begins = counts(missed) is None
                outcome.missed_at = snapshot.as_of if begins else None
                outcome.missed_on = connection if begins else ""
        _SEEN(
            order.pk,
            missed_at=outcome.missed_at,
            missed_on=outcome.missed_on,
            checked_at=snapshot.taken_at,
            verdict_en=verdict.en[:200],
            verdict_zh=verdict.zh[:200],
        )
        return False

    def _absent(
        self, outcome: UnknownOutcome, epoch: int, why: Text, reason: str, now: datetime
    ) -> bool:
        """What it reserved is free with this one move, and its rule may decide anew under a new key."""
        order = outcome.order
        if not move(
            order, OrderState.ABSENT, epoch, now, end_reason=reason, detail={"why": why.en}
        ):
            return False
        settle_chain(order, epoch, now, final=True)
        _resolve(outcome, now)
        text = Text(
            f"Order {order.client_order_id} ({order.side} {order.quantity} {order.symbol}) does not exist: {why.en}. "
            "What it reserved is free.",
            f"委托 {order.client_order_id}（{order.symbol} {order.quantity} 股）不存在：{why.zh}。所占资金或股份已释放。",
        )
        journal(
            self._account_id, EventLevel.WARNING, "ORDER_ABSENT", text, now, symbol=order.symbol
        )
        return True

    def _carry_over(self, outcome: UnknownOutcome, now: datetime) -> None:
        if outcome.carried_over:
            return
        UnknownOutcome.objects.filter(pk=outcome.pk).update(carried_over=True)
        order = outcome.order
        text = Text(
            f"The day of order {order.client_order_id} ({order.side} {order.quantity} {order.symbol}) ended with its "
            "outcome unknown, and the terminal shows only today. Decide it on the page of unknown outcomes.",
            f"委托 {order.client_order_id}（{order.symbol} {order.quantity} 股）当日结果未知，而客户端只显示今日委托。"
            "请在“结果未知的委托”页面作出决定。",
        )
        journal(
            self._account_id, EventLevel.ALARM, "UNKNOWN_CARRIED", text, now, symbol=order.symbol
        )


_OPEN = Prepared(
    lambda account: UnknownOutcome.objects.filter(
        order__account_id=account, resolved_at=None
    ).order_by("pk")
)
_ANSWERED = Prepared(
    lambda account, on: Order.objects.filter(
        account_id=account,
        trade_date=on,
        state__in=[OrderState.SUBMITTED, OrderState.CANCEL_REQUESTED],
        sysid="",
        filled_quantity=0,
    ).order_by("pk")
)
_SEEN = PreparedUpdate(lambda order: UnknownOutcome.objects.filter(pk=order))
_THEIR_ORDERS = Prepared(
    lambda account: Order.objects.filter(
        account_id=account, unknown_outcome__resolved_at=None, unknown_outcome__isnull=False
    )
)


def decide(
    order_id: int, wish: Wish, why: str, now: datetime, actor: str, number: int | None = None
) -> bool:
    """Store a person's decision about an unknown order; the gateway carries it out at its next look.

    `number`: the broker's, for `Wish.BIND`. Raises CorrectionError when it cannot be.
    """
    needs_reason(why)
    with transaction.atomic():
        outcome = (
            UnknownOutcome.objects.select_for_update(of=("self",))
            .select_related("order")
            .get(pk=order_id)
        )
        order = outcome.order
        if order.state != OrderState.UNKNOWN:
            raise CorrectionError(
                Text(
                    f"The outcome of {order.client_order_id} is known by now: {order.state}.",
                    f"委托 {order.client_order_id} 的结果已经明确：{order.state}。",
                )
            )
        if wish is Wish.BIND:
            _may_bind(order, number)
        outcome.wish, outcome.wish_number = wish, number if wish is Wish.BIND else None
        outcome.wish_reason, outcome.wish_actor = why[:200], actor
        outcome.wished_at = now
        outcome.save(
            update_fields=["wish", "wish_number", "wish_reason", "wish_actor", "wished_at"]
        )
        want_snapshot(order.account_id, now)
        said_en, said_zh = _SAID[wish]
        text = Text(
            f"Unknown order {order.client_order_id} of {order.symbol}: {said_en.format(number=number)}. {why}",
            f"结果未知的委托 {order.client_order_id}（{order.symbol}）：{said_zh.format(number=number)}。{why}",
        )
        journal(
            order.account_id,
            EventLevel.WARNING,
            "UNKNOWN_DECIDED",
            text,
            now,
            symbol=order.symbol,
            actor=actor,
            client_order_id=order.client_order_id,
            wish=wish.value,
            broker_order_id=number,
        )
    return True


_SAID = {
    Wish.BIND: ("it is the broker's order {number}", "它就是柜台委托 {number}"),
    Wish.ABSENT: ("it was never sent", "该委托从未发出"),
    Wish.WAIT: ("keep waiting", "继续等待"),
}


def _may_bind(order: Order, number: int | None) -> None:
    if number is None or number <= 0:
        raise CorrectionError(Text("Give the broker's number of the order.", "请填写柜台委托号。"))
    if number in _taken(order):
        raise CorrectionError(
            Text(
                f"Order {number} at the broker is another order of ours.",
                f"柜台委托 {number} 已对应本程序的另一笔委托。",
            )
        )


def _bind(outcome: UnknownOutcome, epoch: int, now: datetime) -> bool:
    order, number = outcome.order, outcome.wish_number
    if number is None or number in _taken(order):
        UnknownOutcome.objects.filter(pk=outcome.pk).update(wish="", wish_number=None)
        return False
    detail = {"person": outcome.wish_actor, "why": outcome.wish_reason}
    done = move(
        order,
        OrderState.SUBMITTED,
        epoch,
        now,
        detail=detail,
        broker_order_id=number,
        submitted_at=order.submitted_at or now,
    )
    if done:
        adopt_fills(order, epoch, now)
        _resolve(outcome, now)
    return done


def _resolve(outcome: UnknownOutcome, now: datetime) -> None:
    UnknownOutcome.objects.filter(pk=outcome.pk).update(resolved_at=now)


def _taken(order: Order) -> set[int]:
    """Broker ids of the other orders of that day."""
    return {
        number
        for pk, number in _NUMBERED(order.account_id, order.trade_date)
        if number and pk != order.pk
    }


_NUMBERED = Prepared(
    lambda account, on: Order.objects.filter(
        account_id=account, trade_date=on, broker_order_id__isnull=False
    ).values_list("pk", "broker_order_id")
)


def _locked(symbol: Symbol, snapshot: Snapshot) -> int:
    """Shares that T+1 keeps from being sold, by the terminal's own fills of today."""
    if instrument_of(symbol).settlement is not Settlement.T1:
        return 0
    return sum(
        trade.quantity
        for trade in snapshot.trades or ()
        if trade.symbol == symbol and trade.side is Side.BUY
    )


def _unchanged_since_before(order: Order) -> bool:
    """Whether cash and holdings are the same ever since before the submit: the stored snapshot changes only with them."""
    claimed_at = order.claimed_at
    return claimed_at is not None and any(
        taken_at < claimed_at for taken_at in _SNAPSHOT_TAKEN(order.account_id)
    )


_SNAPSHOT_TAKEN = Prepared(
    lambda account: BrokerSnapshot.objects.filter(pk=account).values_list("taken_at", flat=True)
)
