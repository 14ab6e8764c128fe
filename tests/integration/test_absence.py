"""An order that never reached the counter is proven absent, frees what it held once, and is decided anew."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.integration.scenes import (
    OTHER,
    STOCK,
    account,
    at_broker,
    codes,
    falling,
    moves,
    restart,
    wish,
)
from tests.misbehaving import Misbehaving, lost, news
from trading.domain.reports import Event, SubmitResponse
from trading.domain.types import CHINA, Side
from trading.models import Order, OrderEvent, UnknownOutcome, Wish
from trading.services import unknown_outcomes
from trading.services.corrections import CorrectionError

pytestmark = [
    pytest.mark.orders,
    pytest.mark.unattended,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]


def swallowed(first_only=True):
    """The client says it accepted the sale of our holding, and the counter never sees it."""
    count = iter(range(1000))

    def on_the_way(message, now):
        ours = message["op"] == "order_stock" and message["stock_code"] == STOCK
        return () if ours and (not first_only or next(count) == 0) else None

    return Misbehaving(on_the_way=on_the_way)


def scene(terminal, *, earlier_order=True, until="09:35:00"):
    """A holding falls; its sale is swallowed. With `earlier_order` the broker's list of today is not empty."""
    world = falling(
        terminal,
        until=until,
        book={},
        holdings=((STOCK, 1000, "10.00"), (OTHER, 1000, "9.25")),
    )
    if earlier_order:
        wish(world, "09:30:30", OTHER, Side.SELL, 100, price="10.00")
    return world


def ours(world):
    return world.orders(symbol=STOCK)


def at_second(world, moment):
    return f"{moment.astimezone(CHINA):%H:%M:%S}" if moment else None


def test_a_swallowed_order_is_absent_after_a_minute_and_two_clean_queries_and_its_rule_decides_anew():
    terminal = swallowed()
    world = scene(terminal)
    world.run(until="09:32:40")
    first, second = ours(world)
    assert moves(first) == ["approved", "submitting", "unknown", "absent"]
    unknown = first.events.get(new_state="unknown").at
    assert timedelta(seconds=70) <= first.ended_at - unknown <= timedelta(seconds=76)
    assert second.approved_at > first.ended_at
    assert (second.state, second.filled_quantity) == ("filled", 1000)
    assert first.decision_key != second.decision_key
    assert codes(world, "ORDER_ABSENT") == ["ORDER_ABSENT"]
    assert len([m for m in terminal.calls("order_stock") if m["stock_code"] == STOCK]) == 2
    assert UnknownOutcome.objects.get().resolved_at == first.ended_at


def test_an_order_whose_only_answer_came_behind_a_list_is_doubted_all_the_same():
    requests = ("order_stock", "cancel_order_stock")
    nothing_arrives = Misbehaving(on_the_way=lambda m, now: () if m["op"] in requests else None)
    world = scene(nothing_arrives, earlier_order=False)

    def answer():
        order = ours(world)[0]
        accepted = SubmitResponse(order.seq, 1_190_000_001, order.client_order_id)
        list_ = world.gateway._good
        now, epoch = world.moment("09:31:05"), list_.epoch
        world.gateway._desk.record([Event(one, epoch, now) for one in (list_, accepted)], now)

    world.at("09:31:05", answer)
    states = []
    world.at("09:31:06", lambda: states.append(ours(world)[0].state))
    world.run(until="09:32:20")
    assert [*states, ours(world)[0].state] == ["submitted", "unknown"]


def test_without_any_order_today_it_takes_two_minutes_and_unchanged_books():
    world = scene(swallowed(), earlier_order=False)
    world.run(until="09:33:40")
    first = ours(world)[0]
    assert first.state == "absent"
    unknown = first.events.get(new_state="unknown").at
    assert timedelta(seconds=130) <= first.ended_at - unknown <= timedelta(seconds=136)


def test_an_order_that_lives_where_no_list_shows_it_is_never_absent():
    # The order is at the counter: its shares are frozen, whatever the lists of orders and fills say.
    hidden = {"query_stock_orders", "query_stock_trades"}

    def shown(request, truth):
        if request["op"] not in hidden or not truth:
            return truth
        return [row for row in truth if row["stock_code"] != STOCK]

    world = falling(
        Misbehaving(back=lost(news), shown=shown),
        until="09:36:00",
        holdings=((STOCK, 1000, "10.00"), (OTHER, 1000, "9.25")),
    )
    world.run(until="09:35:30")
    [order] = ours(world)
    assert order.state == "unknown"
    assert len(at_broker(world)) == 1
    assert "frozen" in UnknownOutcome.objects.get().verdict_en


def test_a_restart_neither_forgets_nor_shortens_the_wait():
    world = scene(swallowed())
    world.at("09:32:00", lambda: restart(world))
    world.run(until="09:32:50")
    first = ours(world)[0]
    outcome = UnknownOutcome.objects.get()
    assert at_second(world, outcome.since) == "09:31:08"
    assert first.state == "absent"
    assert first.ended_at >= world.moment(
        "09:32:18"
    )  # two queries of the new connection, after the minute
    assert outcome.missed_on.startswith("2.")


def test_two_queries_of_two_connections_prove_nothing():
    world = scene(swallowed(), until="09:36:00")
    for second in ("09:32:14", "09:32:24", "09:32:34", "09:32:44"):
        world.at(second, lambda: restart(world))
    world.run(until="09:32:50")
    assert ours(world)[0].state == "unknown"


def test_a_bad_answer_between_is_no_query():
    """While the list is shrunken nothing is proven; afterwards the minute has passed already."""

    def shown(request, truth):
        broken = world.moment("09:32:00") <= world.exchange.now < world.moment("09:32:40")
        return [] if broken and request["op"] == "query_stock_orders" else truth

    terminal = swallowed()
    terminal._shown = shown
    world = scene(terminal)
    states = []
    world.at("09:32:39", lambda: states.append(ours(world)[0].state))
    world.run(until="09:33:20")
    assert states == ["unknown"]
    assert ours(world)[0].state == "absent"


def test_the_reservation_is_freed_exactly_once():
    world = scene(swallowed())
    world.run(until="09:32:40")
    first = ours(world)[0]
    assert OrderEvent.objects.filter(order=first, new_state="absent").count() == 1
    with pytest.raises(CorrectionError):
        unknown_outcomes.decide(first.pk, Wish.ABSENT, "again", world.moment("09:33:00"), "wang")


def test_an_order_whose_day_ended_unknown_is_carried_to_a_person():
    hidden = {"query_stock_orders", "query_stock_trades"}
    terminal = Misbehaving(
        back=lost(news), shown=lambda m, truth: [] if m["op"] in hidden else truth
    )
    world = falling(terminal)

    def it_is_yesterdays():
        on = Order.objects.get().trade_date - timedelta(days=1)
        Order.objects.update(trade_date=on)

    world.at("09:31:20", it_is_yesterdays)
    world.run(until="09:32:00")
    [order] = world.orders()
    assert order.state == "unknown"
    assert codes(world, "UNKNOWN_CARRIED") == ["UNKNOWN_CARRIED"]


# --- a person decides ---------------------------------------------------------------------------------------------


def decide(world, clock, wish, number=None):
    def act():
        order = ours(world)[0]
        now = world.moment(clock)
        unknown_outcomes.decide(order.pk, wish, "looked at the terminal", now, "wang", number)

    world.at(clock, act)


def test_a_person_says_it_was_never_sent():
    world = scene(swallowed())
    decide(world, "09:31:20", Wish.ABSENT)
    world.run(until="09:31:40")
    first, second = ours(world)
    assert (first.state, first.end_reason) == ("absent", "PERSON")
    assert second.state == "filled"
    [told] = world.events(code="UNKNOWN_DECIDED")
    assert (told.actor, told.detail["wish"]) == ("wang", "absent")
    assert "looked at the terminal" in told.text_en


@pytest.mark.parametrize("book", [None, {}], ids=["rests", "filled"])
def test_a_person_says_which_broker_order_it_is_and_its_fills_follow(book):
    def shown(request, truth):  # its remark is somebody else's: nobody may bind it alone
        lists = ("query_stock_orders", "query_stock_trades")
        if request["op"] not in lists or not truth:
            return truth
        return [{**row, "order_remark": "other"} for row in truth]

    world = falling(Misbehaving(back=lost(news), shown=shown), book=book)

    def act():
        number = at_broker(world)[0].order_id
        now = world.moment("09:31:30")
        unknown_outcomes.decide(ours(world)[0].pk, Wish.BIND, "same time", now, "wang", number)

    states = []
    world.at("09:31:29", lambda: states.append(ours(world)[0].state))
    world.at("09:31:30", act)
    world.run(until="09:31:36")
    [order] = ours(world)
    assert states == ["unknown"]
    assert order.state == ("submitted" if book is None else "filled")
    assert order.broker_order_id == at_broker(world)[0].order_id
    assert order.filled_quantity == sum(fill.quantity for fill in order.fills.all())


def test_a_person_may_keep_waiting_and_the_reason_is_kept():
    world = scene(swallowed())
    decide(world, "09:31:20", Wish.WAIT)
    world.run(until="09:31:40")
    assert ours(world)[0].state == "unknown"
    assert [event.actor for event in world.events(code="UNKNOWN_DECIDED")] == ["wang"]


@pytest.mark.parametrize("number", [None, 0, "other"])
def test_a_number_that_cannot_be_is_refused(number):
    world = scene(swallowed())
    world.run(until="09:31:20")
    if number == "other":
        number = world.orders(symbol=OTHER)[0].broker_order_id
    now = world.moment("09:31:21")
    with pytest.raises(CorrectionError):
        unknown_outcomes.decide(ours(world)[0].pk, Wish.BIND, "it is", now, "wang", number)
    with pytest.raises(CorrectionError):
        unknown_outcomes.decide(ours(world)[0].pk, Wish.ABSENT, "  ", now, "wang")
    assert account(world).trading_state == "active"
