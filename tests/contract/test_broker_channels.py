"""Every channel says the same of an order: QMT in its process or behind a socket, a strategy inside the full client.

What only some can do is a capability (`channels.Can`), and its tests run where it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

import pytest

from tests.contract.channels import CHANNELS, Can, House
from tests.unit.paper.market_day import BANK, at
from tests.unit.paper.terminal_over_tcp import eventually, with_token
from trading.domain.reports import (
    BrokerOrder,
    BrokerState,
    BrokerTrade,
    CancelResponse,
    ConnectionReport,
    Event,
    Report,
    Snapshot,
    SubmitResponse,
)
from trading.domain.types import Side
from trading.errors import GatewayUnavailable, SubmitUncertain
from trading.ports import OrderRequest

R = TypeVar("R", bound=Report)

pytestmark = [pytest.mark.system, pytest.mark.orders]


def over(*needed: Can) -> pytest.MarkDecorator:
    """Run the test over every channel that can do this."""
    able = [channel for channel in CHANNELS if channel.can.issuperset(needed)]
    names = [channel.__name__ for channel in able]
    return pytest.mark.parametrize("house", able, indirect=True, ids=names)


@pytest.fixture
def house(request, monkeypatch) -> Iterator[House]:
    with_token(monkeypatch)
    made = request.param()
    yield made
    made.close()


class Desk:
    """A connected broker and everything it reported, in order."""

    def __init__(self, house: House) -> None:
        self.house, self.broker = house, house.broker()
        self.broker.connect(house.now())
        self.events: list[Event] = []

    def reports(self, kind: type[R]) -> list[R]:
        return [event.report for event in self.events if isinstance(event.report, kind)]

    def until(self, kind: type[R], number: int = 1) -> list[R]:
        """Return the reports of a kind once there are so many."""

        def enough() -> bool:
            self.house.pause()
            self.events += self.broker.drain(self.house.now())
            return len(self.reports(kind)) >= number

        assert eventually(enough), self.events
        return self.reports(kind)

    def asked(self) -> Snapshot:
        """Return the answer to a query made now."""
        seen = len(self.reports(Snapshot))
        self.broker.request_snapshot(self.house.now())
        return self.until(Snapshot, seen + 1)[-1]

    def snapshot(self) -> Snapshot:
        """Return what is shown once everything that has happened so far must be."""
        self.house.wait(self.broker.channel.lag)
        return self.asked()

    def shown(self, number: int = 1) -> tuple[BrokerOrder, ...]:
        """Return the orders of a snapshot, once they are so many."""

        def there() -> bool:
            return len(self.snapshot().orders or ()) >= number

        assert eventually(there)
        return self.reports(Snapshot)[-1].orders or ()


@pytest.fixture
def desk(house) -> Iterator[Desk]:
    made = Desk(house)
    yield made
    made.broker.close()


def buy(price: str, quantity: int = 500, name: str = "M1") -> OrderRequest:
    return OrderRequest(name, BANK, Side.BUY, quantity, Decimal(price))


def cash_of(snapshot: Snapshot) -> tuple[Decimal, Decimal]:
    assert snapshot.asset is not None
    return snapshot.asset.cash, snapshot.asset.frozen_cash


@over()
def test_an_order_is_shown_under_its_remark_with_its_fill_its_shares_and_its_cash(desk):
    before = desk.snapshot()
    assert before.complete
    assert cash_of(before) == (Decimal(100_000), Decimal(0))

    desk.broker.submit(buy("10.05"))
    [order] = desk.shown()
    after = desk.snapshot()

    assert (order.remark, order.symbol, order.side) == ("M1", BANK, Side.BUY)
    assert (order.quantity, order.price) == (500, Decimal("10.05"))
    [trade] = after.trades
    assert (trade.quantity, trade.price, trade.remark) == (500, Decimal("10.01"), "M1")
    [shown] = after.orders
    assert (shown.state, shown.traded_quantity) == (BrokerState.FILLED, 500)
    assert shown.broker_order_id == trade.broker_order_id > 0
    assert [(p.quantity, p.sellable) for p in after.positions] == [(1_500, 1_000)]
    assert cash_of(after) == (Decimal("94989.95"), Decimal(0))


@over()
def test_what_had_happened_by_the_time_a_snapshot_speaks_of_is_in_it(desk):
    placed = []
    for number in range(4):
        placed.append((desk.house.now(), f"M{number}"))
        desk.broker.submit(buy("9.90", 100, f"M{number}"))
        for _ in range(30):
            desk.house.pause()
        desk.asked()
    desk.snapshot()
    seen = desk.reports(Snapshot)
    assert len(seen) == 5
    for snapshot in seen:
        assert snapshot.taken_at - snapshot.as_of == desk.broker.channel.lag
        remarks = {order.remark for order in snapshot.orders}
        assert {name for at_, name in placed if at_ < snapshot.as_of} <= remarks
    assert len(seen[-1].orders) == 4


@over()
def test_an_order_that_rests_is_cancelled_by_the_number_it_is_shown_with(desk):
    desk.broker.submit(buy("9.90"))
    [resting] = desk.shown()
    desk.broker.cancel(resting.broker_order_id)

    def cancelled() -> bool:
        return [one.state for one in desk.snapshot().orders] == [BrokerState.CANCELLED]

    assert eventually(cancelled)
    assert cash_of(desk.snapshot()) == (Decimal(100_000), Decimal(0))


@over()
@pytest.mark.parametrize("request_", [buy("9.905"), buy("10.00", 50), buy("10.00", 0)])
def test_a_refused_order_holds_nothing_whether_it_is_shown_or_not(desk, request_):
    desk.broker.submit(request_)
    after = desk.snapshot()
    assert {order.state for order in after.orders} <= {BrokerState.REJECTED}
    assert after.trades == ()
    assert cash_of(after) == (Decimal(100_000), Decimal(0))


@over()
def test_a_closing_terminal_is_reported_and_nothing_is_sent_into_the_void(house, desk):
    house.close()
    [gone] = desk.until(ConnectionReport)
    assert not gone.ok
    with pytest.raises(SubmitUncertain):
        desk.broker.submit(buy("10.00"))
    with pytest.raises(GatewayUnavailable):
        desk.broker.connect(house.now())


@over()
def test_a_new_connection_has_a_new_epoch_and_the_same_books(desk):
    desk.broker.submit(buy("10.05"))
    desk.shown()
    desk.broker.connect(desk.house.now())
    again = desk.snapshot()
    assert (again.epoch, len(again.trades)) == (2, 1)


@over()
def test_times_are_those_of_the_market(desk):
    desk.broker.submit(buy("10.05"))
    desk.shown()
    [trade] = desk.snapshot().trades
    assert at("10:00") <= trade.time <= at("10:01")
    assert trade.time.utcoffset() == timedelta(hours=8)


@over(Can.PUSH)
def test_what_is_pushed_is_what_a_snapshot_shows_later(desk):
    desk.broker.submit(buy("10.05"))
    orders = desk.until(BrokerOrder, 4)
    [trade] = desk.until(BrokerTrade)
    assert [order.state for order in orders] == [
        BrokerState.UNREPORTED, BrokerState.WAIT_REPORTING, BrokerState.REPORTED, BrokerState.FILLED
    ]  # fmt: skip
    after = desk.snapshot()
    assert after.orders == (orders[-1],)
    assert after.trades == (trade,)


@over()
def test_only_what_can_push_says_so(house, desk):
    desk.broker.submit(buy("10.05"))
    desk.house.wait(desk.broker.channel.lag)
    desk.snapshot()
    assert desk.broker.channel.pushes is (Can.PUSH in house.can)
    assert bool(desk.reports(BrokerTrade)) is desk.broker.channel.pushes


@over(Can.ANSWER)
def test_a_submit_and_a_cancel_are_answered_with_seq_and_remark(desk):
    seq = desk.broker.submit(buy("9.90"))
    [answer] = desk.until(SubmitResponse)
    assert (answer.seq, answer.remark, answer.message) == (seq, "M1", "")
    desk.until(BrokerOrder, 3)
    desk.broker.cancel(answer.broker_order_id)
    [cancelled] = desk.until(CancelResponse)
    assert (cancelled.accepted, cancelled.broker_order_id) == (True, answer.broker_order_id)


@over(Can.TELL_REFUSALS)
@pytest.mark.parametrize(
    ("request_", "says"),
    [(buy("9.905"), "最小价格变动单位"), (buy("10.00", 50), "委托数量不合法")],
)
def test_what_the_counter_refuses_is_rejected_with_its_reason(desk, request_, says):
    desk.broker.submit(request_)
    rejected = desk.until(BrokerOrder, 2)[-1]
    assert rejected.state is BrokerState.REJECTED
    assert says in rejected.message


@over(Can.ANSWER, Can.TELL_REFUSALS)
def test_what_the_client_refuses_has_an_answer_and_no_row(desk):
    desk.broker.submit(replace(buy("10.00"), quantity=0))
    [answer] = desk.until(SubmitResponse)
    assert answer.broker_order_id == -1
    assert desk.snapshot().orders == ()


@over(Can.LOCK)
def test_two_brokers_cannot_hold_one_session(house, desk):
    with pytest.raises(GatewayUnavailable):
        house.broker().connect(house.now())


def test_every_capability_is_lacking_somewhere_or_it_would_be_no_capability():
    for one in Can:
        assert {one in channel.can for channel in CHANNELS} == {True, False}
