"""Stop-loss, first and trailing take-profit through whole days: who goes first, what counts, what is left alone."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.integration.days import BANK, LIQUOR, THIN, by_hand, change, codes, spoil
from tests.world import World
from trading.domain.types import BookStatus, Side
from trading.models import Position

pytestmark = [pytest.mark.exits, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]


def a_day(quantity: int = 1000, **more) -> World:
    return World(holdings=[(BANK, quantity, "10.00")], **more)


def breakout(world: World, first: list[tuple[str, int]] | None = None, **book) -> None:
    """Arm at 10.80 from 09:30:30, pull back to 10.74 from 09:31:00 on with this book, whose first bids are `first`."""
    world.hold(BANK, "10.00", since="09:30:00", until="09:30:30")
    world.hold(BANK, "10.80", since="09:30:30", until="09:31:00")
    world.quote("09:31:00", BANK, "10.74", **book | ({} if first is None else {"bids": first}))
    world.hold(BANK, "10.74", since="09:31:03", until="09:31:30", **book)


def set_position(world: World, clock: str, **columns) -> None:
    world.at(clock, lambda: Position.objects.filter(account=world.account).update(**columns))


def test_f079_the_first_take_profit_is_done_in_the_second_of_its_fill():
    world = a_day()
    breakout(world)
    done: list[bool] = []
    for clock in ("09:30:59", "09:31:00"):
        world.at(clock, lambda: done.append(world.position(BANK).first_take_profit_done))
    world.run(until="09:31:20")
    [order] = world.orders()
    assert (order.kind, order.filled_quantity) == ("first_take_profit", 600)
    position = world.position(BANK)
    assert (position.quantity, done) == (400, [False, True])
    assert position.bought_quantity == 1000


def test_f016_f055_a_stop_loss_cancels_the_working_take_profit_waits_and_then_sells_all():
    world = a_day()
    breakout(world, bids=[], volume=2_000_000)
    world.hold(BANK, "9.20", since="09:31:30", until="09:33:00", volume=3_000_000)
    world.run(until="09:32:30")
    take, stop = world.orders()
    assert (take.kind, take.state, take.filled_quantity) == ("first_take_profit", "cancelled", 0)
    assert take.cancel_reason == "SUPERSEDED"
    assert (stop.kind, stop.state, stop.filled_quantity) == ("stop_loss", "filled", 1000)
    # The stop was touched at 09:31:30: the cancel, the query that confirms it, and the next tick.
    assert stop.approved_at <= world.moment("09:31:35")
    closed = Position.objects.get(account=world.account)
    assert (closed.quantity, closed.first_take_profit_done) == (0, False)


def test_f030_a_stop_loss_after_half_a_take_profit_sells_the_rest():
    world = a_day()
    breakout(world, bids=[], volume=2_000_000, first=[("10.74", 200)])
    world.hold(BANK, "9.20", since="09:31:30", until="09:33:00", volume=3_000_000)
    world.run(until="09:32:30")
    take, stop = world.orders()
    assert (take.state, take.filled_quantity) == ("partially_cancelled", 200)
    assert (stop.kind, stop.state, stop.filled_quantity) == ("stop_loss", "filled", 800)
    closed = Position.objects.get(account=world.account)
    assert (closed.quantity, closed.first_take_profit_done) == (0, True)


def test_f016_a_chain_that_ends_partly_filled_counts_as_done():
    world = a_day(settings={"take_profit_order_timeout": "20", "reorder_max_attempts": "0"})
    breakout(world, bids=[], volume=2_000_000, first=[("10.74", 200)])
    world.hold(BANK, "10.74", since="09:31:30", until="09:34:00", bids=[], volume=2_000_000)
    world.run(until="09:33:30")
    [take] = world.orders()
    assert (take.state, take.filled_quantity) == ("partially_cancelled", 200)
    assert world.position(BANK).first_take_profit_done


def test_f016_a_chain_that_ends_unfilled_does_not_count():
    world = a_day(settings={"take_profit_order_timeout": "40", "reorder_max_attempts": "0"})
    breakout(world, bids=[], volume=2_000_000)
    world.hold(BANK, "10.90", since="09:31:30", until="09:34:00", bids=[], volume=2_000_000)
    world.run(until="09:33:30")
    [take] = world.orders()
    assert (take.state, take.filled_quantity) == ("cancelled", 0)
    position = world.position(BANK)
    assert (position.first_take_profit_done, position.armed) == (False, True)
    assert position.armed_high == Decimal("10.90")


def test_f063_a_manual_sale_gives_way_to_the_stop_loss():
    world = a_day()
    world.hold(BANK, "10.00", since="09:30:00", until="09:30:30", **THIN)
    by_hand(world, "09:30:11", Side.SELL, BANK, 500, "10.00")
    world.hold(BANK, "9.20", since="09:30:30", until="09:32:00", volume=3_000_000)
    world.run(until="09:31:30")
    manual, stop = world.orders()
    assert (manual.kind, manual.state) == ("manual", "cancelled")
    assert (stop.kind, stop.filled_quantity) == ("stop_loss", 1000)


def test_f051_a_higher_sale_waits_without_a_false_alarm_about_t1():
    world = a_day()
    breakout(world, bids=[], volume=2_000_000)
    world.hold(BANK, "9.20", since="09:31:30", until="09:33:00", bids=[], volume=2_000_000)
    world.run(until="09:32:50")
    assert "T1_NOT_SELLABLE" not in codes(world.denials())


def test_the_trailing_take_profit_sells_what_the_first_left():
    world = a_day()
    breakout(world)
    world.hold(BANK, "10.95", since="09:31:30", until="09:32:00")
    world.hold(BANK, "10.50", since="09:32:00", until="09:33:00")
    world.run(until="09:32:40")
    _, trailing = world.orders()
    # High 10.95 is a gain of 9.5 %: the tier of 5 %, level 10.95 × 0.96 = 10.512.
    assert (trailing.kind, trailing.filled_quantity) == ("trailing_take_profit", 400)
    assert trailing.trigger_price == Decimal("10.512")


def test_f059_exactly_six_percent_arms():
    world = a_day()
    world.hold(BANK, "10.59", since="09:30:00", until="09:30:30")
    world.hold(BANK, "10.60", since="09:30:30", until="09:31:00")
    armed: list[bool] = []
    world.at("09:30:29", lambda: armed.append(world.position(BANK).armed))
    world.run(until="09:30:50")
    assert (armed, world.position(BANK).armed) == ([False], True)
    assert world.orders() == []


@pytest.mark.parametrize(("price", "sold"), [("11.05", 1000), ("11.06", 0)])
def test_f059_thirteen_times_85_percent_is_11_05(price, sold):
    world = a_day()
    world.hold(BANK, "11.50", since="09:30:00", until="09:30:30", previous_close="11.50")
    set_position(world, "09:30:11", first_take_profit_done=True, high_since_entry=Decimal("13.00"))
    world.hold(BANK, price, since="09:30:30", until="09:31:30", previous_close="11.50")
    world.run(until="09:31:10")
    assert sum(fill.quantity for fill in world.fills()) == sold


@pytest.mark.parametrize(("cost", "last", "sold"), [
    ("10.00", "9.25", 1000), ("10.00", "9.26", 0), ("9.80", "9.07", 0), ("9.80", "9.06", 1000),
])  # fmt: skip
def test_f059_the_stop_is_exact(cost, last, sold):
    world = World(holdings=[(BANK, 1000, cost)])
    world.hold(BANK, last, since="09:30:00", until="09:31:00")
    world.run(until="09:30:40")
    assert sum(fill.quantity for fill in world.fills()) == sold


def test_f039_a_stored_level_at_the_peak_sells_nothing():
    world = a_day()
    world.hold(BANK, "10.20", since="09:30:00", until="09:31:00")
    set_position(
        world,
        "09:30:11",
        first_take_profit_done=True,
        high_since_entry=Decimal("10.20"),
        trailing_level=Decimal("10.20"),
    )
    world.run(until="09:30:50")
    assert world.orders() == []
    assert codes(world.events()).count("HIGH_RESET") == 1
    assert world.position(BANK).trailing_level is None


def test_f044_a_breakout_armed_overnight_is_disarmed_by_a_gap_down():
    world = a_day()
    set_position(world, "09:20:00", armed=True, armed_high=Decimal("10.90"))
    world.hold(BANK, "10.30", since="09:30:00", until="09:31:00")
    world.run(until="09:30:40")
    assert world.orders() == []
    assert not world.position(BANK).armed


def test_f041_a_filled_take_profit_is_not_decided_again():
    world = a_day()
    breakout(world)
    world.hold(BANK, "10.74", since="09:31:30", until="09:36:00")
    world.run(until="09:35:30")
    assert len(world.orders()) == len(world.signals()) == 1


def test_f023_f047_a_stop_loss_that_cannot_fill_is_ordered_again_and_then_decides_anew():
    world = a_day(settings={"sell_order_timeout": "10"})
    world.hold(BANK, "10.00", since="09:30:00", until="09:30:30", **THIN)
    world.hold(BANK, "9.20", since="09:30:30", until="09:34:00", bids=[], volume=2_000_000)
    world.run(until="09:33:50")
    attempts = [order.attempt for order in world.orders()]
    assert attempts[:5] == [0, 1, 2, 3, 0]
    assert "ATTEMPTS_EXHAUSTED" in codes(world.events(level="alarm"))


def test_f051_f056_shares_bought_today_are_not_sold_and_it_is_said_once():
    world = World(symbols=[BANK])
    world.somebody("09:30:30", Side.BUY, BANK, 1000, "10.05")
    world.hold(BANK, "10.00", since="09:30:00", until="09:31:30")
    world.hold(BANK, "9.10", since="09:31:30", until="09:36:00")
    world.run(until="09:35:50")
    assert world.position(BANK).quantity == 1000
    assert (world.signals(), world.orders()) == ([], [])
    assert codes(world.denials()) == ["T1_NOT_SELLABLE"]
    assert codes(world.events(level="alarm")).count("T1_NOT_SELLABLE") == 1


def test_f056_of_a_holding_topped_up_today_only_yesterdays_shares_are_sold():
    world = a_day()
    world.somebody("09:30:30", Side.BUY, BANK, 500, "10.05")
    world.hold(BANK, "10.00", since="09:30:00", until="09:31:30")
    world.hold(BANK, "9.10", since="09:31:30", until="09:33:00")
    world.run(until="09:32:30")
    assert [(o.quantity, o.state) for o in world.orders()] == [(1000, "filled")]
    assert world.position(BANK).quantity == 500


def test_f101_a_protective_sale_at_limit_down_is_sent_and_rests():
    world = a_day()
    world.hold(BANK, "10.00", since="09:30:00", until="09:30:30", **THIN)
    world.hold(
        BANK, "9.00", since="09:30:30", until="09:36:00",
        bids=[], asks=[("9.00", 500_000)], volume=2_000_000,
    )  # fmt: skip
    world.run(until="09:35:30")
    [order] = world.orders()
    assert (order.price, order.state, order.cancel_tries) == (Decimal("9.00"), "submitted", 0)


def test_f061_a_suspended_stock_stops_no_other_stock():
    world = World(holdings=[(BANK, 1000, "10.00"), (LIQUOR, 1000, "10.00")])
    world.hold(BANK, "9.20", since="09:30:00", until="09:32:00", status=BookStatus.HALTED)
    world.hold(LIQUOR, "9.20", since="09:30:00", until="09:32:00")
    world.run(until="09:31:30")
    assert [(o.symbol, o.state) for o in world.orders()] == [(LIQUOR, "filled")]
    assert world.events(level="alarm") == []


def test_f053_f055_an_add_on_buys_120_s_apart_and_what_it_bought_is_kept_until_tomorrow():
    settings = {"add_on_enabled": "on", "buy_amount": "2000", "max_position_value": "20000"}
    world = a_day(settings=settings)
    world.hold(BANK, "9.28", since="09:30:00", until="09:31:03")
    world.hold(BANK, "9.17", since="09:31:00", until="09:33:00")
    world.hold(BANK, "9.04", since="09:33:00", until="09:34:30")
    world.run(until="09:34:00")
    first, second, stop = world.orders()
    assert [first.kind, second.kind, stop.kind] == ["add_on", "add_on", "stop_loss"]
    assert (first.side, first.filled_quantity) == ("buy", 200)
    assert second.approved_at - first.approved_at >= timedelta(seconds=120)
    assert stop.filled_quantity == 1000
    assert world.position(BANK).quantity == 400


def test_f055_nothing_is_added_once_the_first_take_profit_is_done():
    world = a_day(settings={"add_on_enabled": "on"})
    set_position(world, "09:20:00", first_take_profit_done=True)
    world.hold(BANK, "9.28", since="09:30:00", until="09:31:00")
    world.run(until="09:30:50")
    assert world.orders() == []


def test_f054_an_add_on_beyond_the_limit_is_not_made():
    world = a_day(settings={"add_on_enabled": "on", "max_position_value": "9500"})
    world.hold(BANK, "9.28", since="09:30:00", until="09:31:00")
    world.run(until="09:30:50")
    assert world.orders() == []


@pytest.mark.parametrize("own", ["tight", "wide"])
def test_a_holding_has_its_own_stop(own):
    ratio = {"tight": Decimal("-0.03"), "wide": Decimal("-0.20")}[own]
    world = a_day()
    set_position(world, "09:20:00", stop_loss_ratio=ratio)
    last = "9.60" if own == "tight" else "9.10"
    world.hold(BANK, last, since="09:30:00", until="09:31:00")
    world.run(until="09:30:40")
    assert len(world.orders()) == (1 if own == "tight" else 0)


def test_f072_an_impossible_own_stop_stops_neither_its_holding_nor_the_others():
    world = World(holdings=[(BANK, 1000, "10.00"), (LIQUOR, 1000, "10.00")])
    rows = Position.objects.filter(symbol=BANK)
    world.at("09:20:00", lambda: rows.update(stop_loss_ratio=Decimal("0.5")))
    for symbol in (BANK, LIQUOR):
        world.hold(symbol, "9.20", since="09:30:00", until="09:32:00")
    world.run(until="09:31:30")
    assert sorted(order.symbol for order in world.orders()) == [BANK, LIQUOR]
    assert codes(world.events(level="alarm")).count("CONFIG_INVALID") == 1


def test_a_holding_switched_off_keeps_its_high():
    world = a_day()
    set_position(world, "09:20:00", exit_enabled=False)
    world.hold(BANK, "10.90", since="09:30:00", until="09:31:00")
    world.hold(BANK, "9.10", since="09:31:00", until="09:32:00")
    world.run(until="09:31:40")
    assert world.orders() == []
    assert world.position(BANK).high_since_entry == Decimal("10.90")


def test_f055_settings_whose_add_on_would_buy_below_the_stop_leave_the_stop():
    world = a_day()
    spoil(world, "09:20:00", add_on_enabled=True, add_on_drop=Decimal("0.09"))
    world.hold(BANK, "9.20", since="09:30:00", until="09:31:00")
    world.run(until="09:30:40")
    assert [order.kind for order in world.orders()] == ["stop_loss"]


def test_f060_sixty_holdings_are_decided_in_one_tick():
    symbols = [f"6000{number:02d}.SH" for number in range(60)]
    world = World(holdings=[(symbol, 100, "10.00") for symbol in symbols])
    for symbol in symbols:
        world.quote("09:30:00", symbol, "10.00")
        world.hold(symbol, "9.20", since="09:30:30", until="09:31:40", every=9)
    world.run(until="09:31:35")
    signals = world.signals()
    assert len(signals) == 60
    assert len({signal.created_at for signal in signals}) == 1
    assert len(world.fills()) == 60
    # They leave at two a second; waiting for that is nothing to be alarmed by.
    assert world.events(level="alarm") == []


def test_nothing_is_sold_again_after_a_settings_change_that_holds_nothing():
    world = a_day()
    world.hold(BANK, "9.50", since="09:30:00", until="09:32:00")
    change(world, "09:31:00", stop_loss_ratio="-0.10")
    world.run(until="09:31:40")
    assert world.orders() == []
