"""The one QMT adapter says the same whether the twin lives in its process or behind a socket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

import pytest

from tests.unit.paper.market_day import ACCOUNT, BANK, at, exchange, quote
from tests.unit.paper.terminal_over_tcp import Running, eventually, with_token
from trading.broker.qmt import QmtBroker
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
from trading.paper import transport, xttrader, xttype
from trading.paper.terminal import Terminal
from trading.ports import OrderRequest

pytestmark = [pytest.mark.system, pytest.mark.orders]

NOW = at("10:00:05")
MEMORY = "memory://contract"


class House(Protocol):
    """A terminal at 10:00 with a book at 9.99 / 10.01, wherever it runs."""

    address: str

    def pause(self) -> None:
        """Let the terminal do what is due, or give it the time."""

    def close(self) -> None:
        """Close the terminal as its window is closed."""


class InProcess:
    address = MEMORY

    def __init__(self) -> None:
        self.terminal = Terminal(exchange())
        transport.serve_in_process(MEMORY, self.terminal)
        self.terminal.feed([quote("10:00")])
        self.terminal.step(at("10:00:01"))

    def pause(self) -> None:
        self.terminal.step(self.terminal.exchange.now + timedelta(milliseconds=50))

    def close(self) -> None:
        self.terminal.close()
        transport.forget(MEMORY)


class OverTcp:
    def __init__(self) -> None:
        self.running = Running()
        self.address = self.running.server.address

    def pause(self) -> None:
        """Do nothing: it runs by itself."""

    def close(self) -> None:
        self.running.stop()


@pytest.fixture(params=[InProcess, OverTcp], ids=["in process", "over TCP"])
def house(request, monkeypatch) -> Iterator[House]:
    with_token(monkeypatch)
    made = request.param()
    yield made
    made.close()


class Desk:
    """A connected broker and everything it reported, in order."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.broker = QmtBroker(xttrader, xttype, house.address, 100, ACCOUNT)
        self.broker.connect(NOW)
        self.events: list[Event] = []

    def reports(self, kind: type[Report]) -> list[Report]:
        return [event.report for event in self.events if isinstance(event.report, kind)]

    def until(self, kind: type[Report], number: int = 1) -> list[Report]:
        """Return the reports of a kind once there are so many."""

        def enough() -> bool:
            self.house.pause()
            self.events += self.broker.drain(NOW)
            return len(self.reports(kind)) >= number

        assert eventually(enough), self.events
        return self.reports(kind)

    def snapshot(self) -> Snapshot:
        seen = len(self.reports(Snapshot))
        self.broker.request_snapshot(NOW)
        newest = self.until(Snapshot, seen + 1)[-1]
        assert isinstance(newest, Snapshot)
        return newest


@pytest.fixture
def desk(house) -> Iterator[Desk]:
    made = Desk(house)
    yield made
    made.broker.close()


def buy(price: str, quantity: int = 500, name: str = "M1") -> OrderRequest:
    return OrderRequest(name, BANK, Side.BUY, quantity, Decimal(price))


def test_submit_answer_pushes_and_snapshot_tell_one_story(desk):
    before = desk.snapshot()
    assert before.complete
    assert before.asset is not None
    assert before.asset.cash == Decimal(100_000)

    seq = desk.broker.submit(buy("10.05"))
    [answer] = desk.until(SubmitResponse)
    orders = desk.until(BrokerOrder, 4)
    [trade] = desk.until(BrokerTrade)

    assert isinstance(answer, SubmitResponse)
    assert isinstance(trade, BrokerTrade)
    assert (answer.seq, answer.remark, answer.message) == (seq, "M1", "")
    assert [order.state for order in orders] == [
        BrokerState.UNREPORTED, BrokerState.WAIT_REPORTING, BrokerState.REPORTED, BrokerState.FILLED
    ]  # fmt: skip
    assert {order.broker_order_id for order in orders} == {answer.broker_order_id}
    assert (trade.quantity, trade.price, trade.remark) == (500, Decimal("10.01"), "M1")
    after = desk.snapshot()
    assert after.orders == (orders[-1],)
    assert after.trades == (trade,)
    assert [(p.quantity, p.sellable) for p in after.positions] == [(1_500, 1_000)]
    assert after.asset.cash == Decimal("94989.95")


def test_an_order_that_rests_is_cancelled(desk):
    desk.broker.submit(buy("9.90"))
    [answer] = desk.until(SubmitResponse)
    desk.until(BrokerOrder, 3)
    desk.broker.cancel(answer.broker_order_id)
    [cancelled] = desk.until(CancelResponse)
    assert (cancelled.accepted, cancelled.broker_order_id) == (True, answer.broker_order_id)
    assert desk.until(BrokerOrder, 5)[-1].state is BrokerState.CANCELLED
    assert desk.snapshot().asset.frozen_cash == 0


@pytest.mark.parametrize(
    ("request_", "says"),
    [(buy("9.905"), "最小价格变动单位"), (buy("10.00", 50), "委托数量不合法")],
)
def test_what_the_counter_refuses_is_rejected_with_its_reason(desk, request_, says):
    desk.broker.submit(request_)
    rejected = desk.until(BrokerOrder, 2)[-1]
    assert rejected.state is BrokerState.REJECTED
    assert says in rejected.message


def test_what_the_client_refuses_has_an_answer_and_no_row(desk):
    desk.broker.submit(replace(buy("10.00"), quantity=0))
    [answer] = desk.until(SubmitResponse)
    assert answer.broker_order_id == -1
    assert desk.snapshot().orders == ()


def test_a_closing_terminal_is_reported_and_nothing_is_sent_into_the_void(house, desk):
    house.close()
    [gone] = desk.until(ConnectionReport)
    assert not gone.ok
    with pytest.raises(SubmitUncertain):
        desk.broker.submit(buy("10.00"))
    with pytest.raises(GatewayUnavailable):
        desk.broker.connect(NOW)


def test_a_new_connection_has_a_new_epoch_and_the_same_books(desk):
    desk.broker.submit(buy("10.05"))
    desk.until(BrokerTrade)
    desk.broker.connect(NOW)
    again = desk.snapshot()
    assert (again.epoch, len(again.trades)) == (2, 1)


def test_two_brokers_cannot_hold_one_session(house, desk):
    with pytest.raises(GatewayUnavailable):
        QmtBroker(xttrader, xttype, house.address, 100, ACCOUNT).connect(NOW)


def test_times_are_those_of_the_market(desk):
    desk.broker.submit(buy("10.05"))
    [trade] = desk.until(BrokerTrade)
    assert at("10:00") <= trade.time <= at("10:01")
    assert isinstance(trade.time, datetime)
