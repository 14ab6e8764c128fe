"""An order whose outcome nobody knows: it keeps its reservation, says so, is never sent again, and is bound late."""

from __future__ import annotations

import pytest

from tests.integration.scenes import (
    FELL,
    STOCK,
    account,
    at_broker,
    codes,
    falling,
    moves,
    restart,
    seconds_after,
    start_gateway,
    stop_gateway,
)
from tests.misbehaving import Misbehaving, answers, late, lost, news, pushes
from trading.errors import SubmitUncertain
from trading.models import Order, OrderEvent

pytestmark = [
    pytest.mark.orders,
    pytest.mark.unattended,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]

NO_ORDERS = {"query_stock_orders", "query_stock_trades"}


def _silent(shown_from=None, world=None):
    """Nothing tells of the order: no answer, no push, and the lists do not show it before `shown_from`."""

    def shown(request, truth):
        hidden = shown_from is None or world[0].exchange.now < world[0].moment(shown_from)
        return [] if request["op"] in NO_ORDERS and hidden else truth

    return Misbehaving(back=lost(news), shown=shown)


def test_f001_8_s_without_evidence_is_unknown_with_its_reservation_an_alarm_and_no_second_call():
    terminal = _silent()
    world = falling(terminal, until="09:34:00")
    world.run(until="09:33:30")
    [order] = world.orders()
    assert (order.state, order.was_unknown) == ("unknown", True)
    [unknown] = OrderEvent.objects.filter(order=order, new_state="unknown")
    assert seconds_after(world, FELL, unknown.at) == 8
    assert codes(world, "ORDER_UNKNOWN") == ["ORDER_UNKNOWN"]
    assert len(terminal.calls("order_stock")) == 1
    assert len(at_broker(world)) == 1


def test_f002_a_late_push_binds_an_unknown_order():
    terminal = Misbehaving(
        back=lambda m, now: (
            ()
            if answers("order_stock")(m)
            else late(pushes("stock_order", "stock_trade"), 20)(m, now)
        ),
        shown=lambda request, truth: [] if request["op"] in NO_ORDERS else truth,
    )
    world = falling(terminal, book={})
    world.run(until="09:32:00")
    [order] = world.orders()
    assert moves(order)[:3] == ["approved", "submitting", "unknown"]
    assert (order.state, order.filled_quantity) == ("filled", 1000)
    assert len(terminal.calls("order_stock")) == 1


def test_f025_f026_a_query_binds_an_unknown_order_that_no_push_told_of():
    held = []
    terminal = _silent("09:31:20", held)
    world = falling(terminal, until="09:32:00")
    held.append(world)
    world.run(until="09:31:30")
    [order] = world.orders()
    assert moves(order) == ["approved", "submitting", "unknown", "submitted"]
    assert order.broker_order_id == at_broker(world)[0].order_id


def test_an_unknown_sell_reserves_its_shares_and_exits_may_sell_the_rest():
    # The first take-profit sells 600 of 1,000 and its outcome stays unknown; the stop-loss may sell the other 400.
    terminal = Misbehaving(
        on_the_way=lambda m, now: (
            () if m["op"] == "order_stock" and m["order_volume"] == 600 else None
        )
    )
    world = falling(terminal, until=FELL)
    world._made.clear()
    world.hold(STOCK, "10.00", since="09:30:00", until="09:30:30")
    world.hold(STOCK, "10.70", since="09:30:30", until="09:30:40")
    world.hold(STOCK, "10.62", since="09:30:40", until="09:31:00")
    world.hold(STOCK, "9.20", since="09:31:00", until="09:32:00")
    world.run(until="09:31:40")
    first, second = world.orders()
    assert (first.kind, first.quantity, first.state) == ("first_take_profit", 600, "unknown")
    assert (second.kind, second.quantity, second.state) == ("stop_loss", 400, "filled")
    assert [m["order_volume"] for m in terminal.calls("order_stock")] == [600, 400]


@pytest.mark.parametrize("lives", [True, False])
def test_a_submit_the_client_answers_with_minus_1_is_unknown_and_never_called_again(lives):
    world = falling()
    calls = []

    def submit(request):
        calls.append(request)
        if lives:
            really(request)
        raise SubmitUncertain("order_stock_async returned -1")

    really, world._broker.submit = world._broker.submit, submit
    world.run(until="09:31:20")
    [order] = world.orders()
    assert len(calls) == 1
    assert order.state == ("submitted" if lives else "unknown")
    assert moves(order)[2] == "unknown"


def test_f033_submitting_of_a_dead_gateway_becomes_unknown_and_is_bound_by_the_next_one():
    terminal = Misbehaving()
    world = falling(terminal, until="09:32:00")
    really = world._broker.submit

    def submit_and_die(request):
        seq = really(request)
        stop_gateway(world)
        return seq

    world._broker.submit = submit_and_die
    world.at("09:31:05", lambda: Order.objects.filter(state="submitting").update(seq=None))
    world.at("09:31:10", lambda: start_gateway(world))
    world.run(until="09:31:40")
    [order] = world.orders()
    assert moves(order) == ["approved", "submitting", "unknown", "submitted"]
    assert len(terminal.calls("order_stock")) == 1


def test_f117_a_request_that_reaches_the_counter_after_its_sender_died_is_bound_not_repeated():
    terminal = Misbehaving(on_the_way=late(lambda m: m.get("op") == "order_stock", 12))
    world = falling(terminal, until="09:33:00")
    world.at("09:31:03", lambda: restart(world))
    world.run(until="09:31:30")
    [order] = world.orders()
    assert order.state == "submitted"
    assert moves(order)[2] == "unknown"
    assert len(at_broker(world)) == 1


def test_a_submitting_order_becomes_unknown_although_the_connection_is_gone():
    world = falling(_silent(), until="09:33:00")

    def cut():
        world.terminal.logged_in = False
        world.terminal.close()

    world.at("09:31:02", cut)
    world.run(until="09:31:15")
    [order] = world.orders()
    assert order.state == "unknown"
    assert codes(world, "ORDER_UNKNOWN") == ["ORDER_UNKNOWN"]


def test_more_than_two_unknown_orders_stop_buying():
    stocks = ("600036.SH", "600000.SH", "600016.SH")
    terminal = Misbehaving(on_the_way=lost(lambda m: m.get("op") == "order_stock"))
    world = falling(terminal, holdings=tuple((s, 1000, "10.00") for s in stocks))
    world.run(until="09:31:30")
    assert [order.state for order in world.orders()] == ["unknown"] * 3
    assert account(world).trading_state == "reducing"


def test_an_unknown_order_that_works_again_does_not_give_its_decision_key_back():
    # 1,500,000 shares go out in two pieces; the first stays unknown, the rest is decided anew. When the first is bound
    # and rests, the rest waits for its end; then it is ordered again, under a third key.
    terminal = Misbehaving(
        on_the_way=late(lambda m: m.get("order_volume") == 1_000_000, 25),
    )
    world = falling(terminal, until="09:34:00", holdings=((STOCK, 1_500_000, "10.00"),))
    world.run(until="09:33:30")
    kinds = [(order.kind, order.quantity, order.was_unknown) for order in world.orders()]
    assert kinds[0] == ("stop_loss", 1_000_000, True)
    assert kinds[1] == ("stop_loss", 500_000, False)
    keys = [order.decision_key for order in world.orders()]
    assert len(set(keys)) == len(keys) >= 3
