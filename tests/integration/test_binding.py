"""Orders found again without a word about them, and a second look that changes nothing."""

from __future__ import annotations

import pytest

from tests.integration.scenes import (
    STOCK,
    account,
    at_broker,
    codes,
    falling,
    moves,
    start_gateway,
    stop_gateway,
    wish,
)
from tests.misbehaving import Misbehaving, doubled, lost, news, pushes
from tests.world import World
from trading.domain.order_ids import client_order_id
from trading.domain.types import Side, TradingState
from trading.models import Event, Fill, Order, OrderEvent, Position
from trading.services.execution import Execution

pytestmark = [
    pytest.mark.orders,
    pytest.mark.unattended,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]


def rewritten(remark):
    """Answer every query with this remark in place of ours."""

    def shown(request, truth):
        lists = ("query_stock_orders", "query_stock_trades")
        if request["op"] not in lists or truth is None:
            return truth
        return [{**row, "order_remark": remark} for row in truth]

    return shown


@pytest.mark.parametrize("remark", ["", "M"])
@pytest.mark.parametrize("book", [None, {}], ids=["rests", "fills"])
def test_f003_an_order_without_its_remark_is_found_by_its_likeness_and_said_to_be(remark, book):
    terminal = Misbehaving(back=lost(news), shown=rewritten(remark))
    world = falling(terminal, book=book)
    world.run(until="09:32:10")  # for a minute ours might still come, beside a person's
    [order] = world.orders()
    assert moves(order)[:3] == ["approved", "submitting", "unknown"]
    assert order.state == ("submitted" if book is None else "filled")
    assert (order.weakly_bound, order.broker_order_id) == (True, at_broker(world)[0].order_id)
    assert codes(world, "ORDER_BOUND_WEAKLY") == ["ORDER_BOUND_WEAKLY"]
    assert len(terminal.calls("order_stock")) == 1
    assert (
        world.position(STOCK).quantity == 1000 if book is None else order.filled_quantity == 1000
    )


def test_f003_with_a_second_one_alike_at_the_broker_nobody_is_bound_and_it_is_said():
    def twice(request, truth):
        rows = rewritten("")(request, truth)
        return (
            [*rows, {**rows[0], "order_id": 99, "order_sysid": "99"}]
            if request["op"] == "query_stock_orders" and rows
            else rows
        )

    world = falling(Misbehaving(back=lost(news), shown=twice))
    world.run(until="09:32:10")
    [order] = world.orders()
    assert (order.state, order.broker_order_id) == ("unknown", None)
    assert codes(world).count("ORDER_UNPLACED") == 2
    assert account(world).trading_state == TradingState.ACTIVE


def test_f021_an_order_with_our_mark_that_came_while_we_acted_and_is_not_ours_halts_trading():
    # Another program uses our mark: the broker has the order, nobody here sent it (invariant I2).
    mark = client_order_id(1, 12345)

    def shown(request, truth):
        more = request["op"] == "query_stock_orders" and truth
        return [*truth, {**truth[0], "order_id": 99, "order_remark": mark}] if more else truth

    world = falling(Misbehaving(shown=shown))
    world.run(until="09:31:15")
    assert account(world).trading_state == TradingState.HALTED
    assert codes(world).count("INVARIANT_BROKEN") == 1


@pytest.mark.parametrize("book", [None, {}, {"bids": [("9.20", 300)]}])
def test_f021_an_order_the_books_lost_is_adopted_with_its_fills_by_the_next_gateway(book):
    # A power cut, or a copy from before the order: the rows are gone, the broker has order and fills.
    world = falling(until="09:33:00", book=book)

    def lose():
        stop_gateway(world)
        for model in (OrderEvent, Fill, Order):
            rows = model._base_manager.all()
            rows._raw_delete(rows.db)
        Position._base_manager.update(quantity=1000, closed_at=None)

    world.at("09:31:03", lose)
    world.at("09:31:04", lambda: start_gateway(world))
    world.run(until="09:31:12")

    order, shown = world.orders()[0], at_broker(world)[0]
    assert (order.client_order_id, order.broker_order_id) == (shown.remark, shown.order_id)
    assert order.filled_quantity == shown.traded_quantity
    assert sum(fill.quantity for fill in world.fills(order=order)) == shown.traded_quantity
    assert codes(world).count("ORDER_ADOPTED") == 1
    assert account(world).trading_state == TradingState.ACTIVE
    assert len(at_broker(world)) == len({one.remark for one in at_broker(world)})


def test_f021_a_take_profit_the_books_lost_is_not_made_a_second_time():
    world = World(holdings=((STOCK, 1000, "10.00"),))
    for price, since, until in (
        ("10.70", "09:30:00", "09:30:30"),
        ("10.60", "09:30:30", "09:31:30"),  # 600 are sold on the pullback
        ("11.20", "09:31:30", "09:32:00"),
        ("11.10", "09:32:00", "09:33:00"),  # and would be once more
    ):
        world.hold(STOCK, price, since=since, until=until)

    def lose():
        stop_gateway(world)
        for model in (OrderEvent, Fill, Order):
            rows = model._base_manager.all()
            rows._raw_delete(rows.db)
        before = {"quantity": 1000, "first_take_profit_done": False, "armed": False}
        Position._base_manager.update(**before, armed_high=0)

    world.at("09:31:03", lose)
    world.at("09:31:04", lambda: start_gateway(world))
    world.run(until="09:33:00")

    position = world.position(STOCK)
    assert (position.quantity, position.first_take_profit_done) == (400, True)
    assert [(order.source, order.side, order.quantity) for order in world.orders()] == [
        ("adopted", Side.SELL, 600)
    ]


def _books(world):
    return [
        list(model.objects.order_by("pk").values())
        for model in (Order, OrderEvent, Fill, Position)
    ] + [Event.objects.exclude(code__in=("EXTERNAL_ORDER", "ORDER_UNPLACED")).count()]


@pytest.mark.parametrize(
    "terminal",
    [
        pytest.param(lambda: Misbehaving(), id="behaves"),
        pytest.param(lambda: Misbehaving(back=doubled(lambda m: True, 3)), id="everything-thrice"),
        pytest.param(lambda: Misbehaving(back=lost(news)), id="only-queries"),
        pytest.param(lambda: Misbehaving(back=lost(news), shown=rewritten("")), id="no-remarks"),
        pytest.param(lambda: Misbehaving(back=lost(pushes("stock_trade"))), id="no-fills-pushed"),
    ],
)
@pytest.mark.parametrize("book", [None, {}, {"bids": [("9.20", 300)]}])
def test_reconciliation_converges_in_one_pass_and_a_second_changes_nothing(terminal, book):
    world = falling(terminal(), book=book, until="09:32:00")
    wish(world, "09:30:30", STOCK, Side.SELL, 200)
    world.run(until="09:31:25")
    now = world.moment("09:31:26")
    world._broker.request_snapshot(now)
    world.terminal.step(now)
    events = world._broker.drain(now)

    def look():
        """A service that remembers nothing looks at every row again."""
        service = Execution(world.account.pk)
        service.epoch = world.gateway._epoch
        service.record(events, now)
        return _books(world)

    once = look()
    assert events
    assert look() == once
