"""Timeouts, cancels and re-orders of the unfilled remainder (rules §4)."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from decimal import Decimal

import pytest

from tests.integration.scenes import QUIET, STOCK, at_broker, codes, falling, moves, wish
from tests.misbehaving import Misbehaving, lost, pushes
from tests.world import World
from trading.domain.types import Side
from trading.models import Position
from trading.paper import xtconstant

pytestmark = [
    pytest.mark.orders,
    pytest.mark.unattended,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]

ACCOUNT = "8800000001"
#: Nobody trades, but five levels are shown: they end far below, outside the cage.
DEEP = [("9.19", 100), ("9.18", 100), ("9.17", 100), ("9.16", 100), ("9.15", 100)]


def _rest(order, at):
    return (order.last_cancel_at - order.submitted_at).total_seconds()


def test_f014_f023_a_stop_loss_rests_30_s_is_cancelled_and_ordered_again_once_a_query_shows_its_end():
    terminal = Misbehaving()
    world = falling(terminal, until="09:32:00")
    world.run(until="09:31:45")
    first, second = world.orders()
    assert _rest(first, world) == 30
    assert moves(first)[-2:] == ["cancel_requested", "cancelled"]
    assert first.end_confirmed
    assert (second.attempt, second.quantity, second.root_id) == (1, 1000, first.pk)
    assert second.approved_at - first.ended_at <= timedelta(seconds=4)
    assert second.decision_key != first.decision_key


def test_f014_only_the_query_that_shows_the_end_brings_the_re_order():
    def shown(request, truth):
        late = world.moment("09:31:29") <= world.exchange.now < world.moment("09:31:41")
        if request["op"] == "query_stock_orders" and truth and late:
            return [{**row, "order_status": 50} for row in truth]
        return truth

    world = falling(Misbehaving(shown=shown), until="09:33:00")
    world.run(until="09:31:50")
    first, second = world.orders()
    assert moves(first)[-1] == "cancelled"
    assert second.approved_at >= world.moment("09:31:41")


def test_a_stop_loss_that_is_being_ordered_again_keeps_its_claim_on_the_shares():
    # Cancelled at 09:31:34, ordered again at 09:31:36; in between a tick looks at what a person wants.
    world = falling(until="09:33:00", settings={"sell_order_timeout": "33"})
    wish(world, "09:31:34", STOCK, Side.SELL, 500, price="9.20")
    world.run(until="09:31:45")

    [first, second] = world.orders()
    assert first.ended_at <= world.moment("09:31:35") < second.approved_at
    assert (second.kind, second.quantity, second.attempt) == ("stop_loss", 1000, 1)
    assert [denial.code for denial in world.denials()] == ["SHARES_PROMISED"]


def test_f029_f030_a_re_order_is_for_the_unfilled_remainder_only():
    world = falling(until="09:31:03")
    world.hold(
        STOCK, "9.20", since="09:31:06", until="09:31:07", bids=[("9.20", 300)], volume=2_000_100
    )
    world.hold(STOCK, "9.20", since="09:31:09", until="09:32:00", bids=[], volume=2_000_100)
    world.run(until="09:31:45")
    first, second = world.orders()
    assert (first.state, first.filled_quantity) == ("partially_cancelled", 300)
    assert second.quantity == 700


def test_the_attempts_go_deeper_into_the_book_and_the_stop_loss_then_decides_anew():
    # 100 shares a level are far too few for 100,000: every attempt times out. The cage is in force in June.
    world = World(holdings=[(STOCK, 100_000, "10.00")], on=date(2023, 6, 1))
    world.hold(STOCK, "10.00", since="09:30:00", until="09:31:00")
    world.hold(STOCK, "9.20", since="09:31:00", until="09:36:00", bids=DEEP)
    world.run(until="09:34:00")
    orders = world.orders()
    assert [order.attempt for order in orders[:5]] == [0, 1, 2, 3, 0]
    prices = [str(order.price) for order in orders[:4]]
    assert prices == [
        "9.1700",
        "9.1700",
        "9.1500",
        "9.0100",
    ]  # level 3, 3, 5, the edge of the cage
    left = 100_000
    for order in orders[:4]:
        assert order.quantity == left
        left -= order.filled_quantity
    assert len({order.decision_key for order in orders}) == len(orders)
    assert (orders[4].root_id, orders[4].quantity) == (None, left)
    assert orders[4].signal_id != orders[0].signal_id
    assert codes(world).count("ATTEMPTS_EXHAUSTED") == 1


def test_lunch_does_not_count_towards_the_timeout():
    world = World(holdings=[(STOCK, 1000, "10.00")])
    world.hold(STOCK, "10.00", since="11:29:00", until="11:29:45")
    world.hold(STOCK, "9.20", since="11:29:45", until="11:30:00", **QUIET)
    world.hold(STOCK, "9.20", since="13:00:00", until="13:01:00", **QUIET)
    stop, second = {}, world._second

    def without_most_of_lunch(now, batch):
        if not world.moment("11:32:00") <= now < world.moment("12:58:00"):
            second(now, batch)

    world._second = without_most_of_lunch
    world.at("12:59:59", lambda: stop.update(state=world.orders()[0].state))
    world.run(until="13:00:25")
    order = world.orders()[0]
    assert stop == {"state": "submitted"}
    waited = (order.last_cancel_at - world.moment("13:00:00")).total_seconds()
    before = (world.moment("11:30:00") - order.submitted_at).total_seconds()
    assert 30 <= waited + before <= 32


def test_a_take_profit_may_rest_300_s():
    world = World(holdings=[(STOCK, 1000, "10.00")])
    world.hold(STOCK, "10.70", since="09:30:30", until="09:30:40")
    world.hold(STOCK, "10.62", since="09:30:40", until="09:37:00", **QUIET)
    world.run(until="09:35:50")
    first = world.orders()[0]
    assert first.kind == "first_take_profit"
    assert _rest(first, world) == 300


def test_a_refused_cancel_is_tried_again_2_5_s_later_three_times_then_one_alarm():
    world = falling(Misbehaving(), until="09:33:00")
    world.exchange.cancel = lambda *given: "[COUNTER] 系统繁忙"
    world.run(until="09:32:30")
    [order] = world.orders()
    sent = world.terminal.delivery.calls("cancel_order_stock")
    assert (order.state, order.cancel_tries, len(sent)) == ("cancel_requested", 3, 3)
    assert codes(world).count("CANCEL_FAILED") == 1
    assert order.message == "[COUNTER] 系统繁忙"


def test_a_terminal_that_takes_cancels_again_gets_the_order_out_of_a_stop_losss_way():
    # Nobody is there to do what the alarm asks for; the order of the old price would hold the shares all day.
    world = falling(Misbehaving(), until="09:35:00")
    cancel = world.exchange.cancel
    world.exchange.cancel = lambda *given: "[COUNTER] 系统繁忙"
    world.at("09:32:20", lambda: setattr(world.exchange, "cancel", cancel))
    world.run(until="09:34:00")
    first, second, *_ = world.orders()
    assert (first.state, first.cancel_tries) == ("cancelled", 4)
    assert (second.kind, second.quantity, second.attempt) == ("stop_loss", first.quantity, 1)
    assert codes(world).count("CANCEL_FAILED") == 1


def test_cancels_of_one_order_are_at_least_2_5_s_apart():
    sent = []
    world = falling(until="09:33:00")
    world.exchange.cancel = lambda *given: sent.append(given[2]) or "[COUNTER] 系统繁忙"
    world.run(until="09:32:00")
    gaps = [(b - a).total_seconds() for a, b in itertools.pairwise(sent)]
    assert len(sent) == 3
    assert min(gaps) >= 2.5


def test_f010_an_order_that_filled_meanwhile_is_not_cancelled():
    # It fills in the second in which its time is up; nobody has told us. The query before the cancel shows it.
    terminal = Misbehaving(back=lost(pushes("stock_order", "stock_trade")))
    world = falling(terminal, until="09:31:27")
    world.hold(
        STOCK, "9.20", since="09:31:30", until="09:32:00", bids=[("9.20", 1000)], volume=2_000_000
    )
    world.run(until="09:31:40")
    [order] = world.orders()
    assert order.state == "filled"
    assert terminal.calls("cancel_order_stock") == []


def test_a_sell_resting_at_limit_down_keeps_its_place():
    terminal = Misbehaving()
    world = falling(terminal, until="09:31:00")
    world.hold(STOCK, "9.00", since="09:31:00", until="09:33:00", low="9.00", **QUIET)
    world.run(until="09:32:30")
    [order] = world.orders()
    assert (order.price, order.state) == (Decimal("9.00"), "submitted")
    assert terminal.calls("cancel_order_stock") == []


def test_an_order_somebody_cancelled_at_the_terminal_is_not_ordered_again_and_exits_rest_5_minutes():
    world = falling(until="09:38:00")

    def somebody():
        world.exchange.cancel(ACCOUNT, at_broker(world)[0].order_id, world.exchange.now)

    world.at("09:31:10", somebody)
    world.run(until="09:37:00")
    first, second = world.orders()[:2]
    assert (first.state, first.cancel_tries) == ("cancelled", 0)
    assert codes(world).count("EXITS_PAUSED") == 1
    paused = Position.objects.get(symbol=STOCK).exits_paused_until
    assert second.approved_at >= paused
    assert second.root_id is None


def test_oversize_quantities_go_out_one_after_the_other():
    world = falling(until="09:32:00", holdings=((STOCK, 2_300_000, "10.00"),), book={})
    world._made = [q for q in world._made if q.time < world.moment("09:31:00")]
    bids = [("9.19", 900_000), ("9.18", 900_000), ("9.17", 900_000)]
    world.hold(STOCK, "9.20", since="09:31:00", until="09:32:00", bids=bids)
    most = []
    world.exchange.submit, really = (
        lambda *given: (
            most.append(sum(order.working for order in at_broker(world))),
            really(*given),
        )[1],
        world.exchange.submit,
    )
    world.run(until="09:31:30")
    orders = world.orders()
    assert [order.quantity for order in orders] == [1_000_000, 1_000_000, 300_000]
    assert {order.state for order in orders} == {"filled"}
    assert most == [0, 0, 0]
    assert {order.root_id for order in orders[1:]} == {orders[0].pk}


@pytest.mark.parametrize("told", [300, 1000])
def test_a_late_fill_reduces_the_live_re_order_by_a_cancel(told):
    # The broker says "cancelled, nothing traded"; after the re-order has left it corrects itself.
    def shown(request, truth):
        early = world.exchange.now < world.moment("09:31:50")
        if request["op"] == "query_stock_trades" and early:
            return []
        if request["op"] == "query_stock_orders" and truth and early:
            done = world.exchange.now >= world.moment("09:31:31")
            state = xtconstant.ORDER_CANCELED if done else xtconstant.ORDER_REPORTED
            return [{**truth[0], "traded_volume": 0, "order_status": state}, *truth[1:]]
        return truth

    back = lost(pushes("stock_order", "stock_trade"))
    world = falling(
        Misbehaving(back=back, shown=shown),
        until="09:31:27",
        holdings=((STOCK, 2000, "10.00"),),
    )
    world._made.clear()
    world.hold(STOCK, "10.70", since="09:30:30", until="09:30:40")
    settings = {"bids": [], "volume": 2_000_000}
    world.hold(STOCK, "10.62", since="09:30:40", until="09:31:27", **settings)
    world.quote("09:31:27", STOCK, "10.62", bids=[("10.62", told)], volume=2_000_100)
    world.hold(STOCK, "10.62", since="09:31:30", until="09:33:00", bids=[], volume=2_000_100)
    from trading.services import config

    config.change(world.account.pk, {"take_profit_order_timeout": "45"}, actor=None, why="test")
    world.run(until="09:32:40")
    first, second = world.orders()[:2]
    assert (first.quantity, first.filled_quantity) == (1200, told)
    assert second.root_id == first.pk
    assert second.cancel_reason == "LATE_FILL"
    total = sum(order.filled_quantity for order in world.orders())
    rest = [order.quantity for order in world.orders()[2:]]
    assert total <= 1200
    assert rest[:1] == [1200 - told]
