"""Signals in the day: they wait, are checked again, and end in one of four ways (rules §2)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.integration.days import (
    BANK,
    LIQUOR,
    THIN,
    by_hand,
    change,
    codes,
    outage,
    switch,
)
from tests.world import World
from trading.domain.types import BookStatus, Side
from trading.models import Position, Signal
from trading.services.orders import request_cancel

pytestmark = [pytest.mark.exits, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]


def a_day(**more) -> World:
    return World(holdings=[(BANK, 1000, "10.00")], **more)


def stop_touched_during_an_outage(until: str, after: str = "10.00") -> World:
    """The stop is touched at 09:31:00 while the gateway only observes; the price is `after` from 09:31:06 on."""
    world = a_day()
    outage(world, "09:30:20", until)
    world.hold(BANK, "10.00", since="09:30:00", until="09:31:00")
    world.hold(BANK, "9.20", since="09:31:00", until="09:31:06")
    world.hold(BANK, after, since="09:31:06", until="09:35:00")
    return world


def test_f042_a_signal_outlives_rounds_without_one_until_it_can_be_sent():
    world = stop_touched_during_an_outage(until="09:31:40")
    world.run(until="09:32:10")
    [signal] = world.signals()
    assert (signal.kind, signal.state) == ("stop_loss", "accepted")
    assert codes(world.denials()) == ["GATEWAY_NOT_ARMED"]
    assert [order.state for order in world.orders()] == ["filled"]


def test_f043_a_signal_that_waited_more_than_120_s_expires():
    world = stop_touched_during_an_outage(until="09:33:20")
    world.run(until="09:34:00")
    [signal] = world.signals()
    assert signal.state == "expired"
    assert signal.decided_at is not None
    waited = signal.decided_at - signal.held_at
    assert timedelta(seconds=120) < waited <= timedelta(seconds=125)
    assert "120" in signal.outcome_en
    assert world.orders() == []


def test_f024_a_signal_blocked_by_a_suspension_is_kept_and_sent_when_trading_goes_on():
    world = a_day()
    outage(world, "09:30:20", "09:31:20")
    world.hold(BANK, "10.00", since="09:30:00", until="09:31:00")
    world.hold(BANK, "9.20", since="09:31:00", until="09:31:06")
    world.hold(BANK, "9.20", since="09:31:06", until="09:32:20", status=BookStatus.HALTED)
    world.hold(BANK, "9.20", since="09:32:20", until="09:33:00")
    world.at("09:32:10", lambda: states.append(world.signals()[0].state))
    states: list[str] = []
    world.run(until="09:32:50")
    assert states == ["pending"]
    assert codes(world.denials()) == ["GATEWAY_NOT_ARMED", "SUSPENDED"]
    assert [order.state for order in world.orders()] == ["filled"]


def test_f024_a_signal_blocked_by_a_stale_quote_is_kept():
    world = a_day()
    outage(world, "09:30:20", "09:31:20")
    world.hold(BANK, "10.00", since="09:30:00", until="09:31:00")
    world.hold(BANK, "9.20", since="09:31:00", until="09:31:06")
    world.hold(BANK, "9.30", since="09:32:20", until="09:33:00")
    world.run(until="09:32:50")
    assert codes(world.denials()) == ["GATEWAY_NOT_ARMED", "QUOTE_STALE"]
    assert [order.state for order in world.orders()] == ["filled"]


def test_f024_a_manual_sale_waits_for_the_shares_another_order_promises():
    world = a_day()
    world.hold(BANK, "10.00", since="09:30:00", until="09:30:40", **THIN)
    world.hold(BANK, "10.00", since="09:30:40", until="09:32:00")
    by_hand(world, "09:30:10", Side.SELL, BANK, 600, "10.00")
    by_hand(world, "09:30:21", Side.SELL, BANK, 400, "10.00")
    world.run(until="09:31:30")
    assert codes(world.denials()) == ["DUPLICATE"]
    assert [(o.quantity, o.state) for o in world.orders()] == [(600, "filled"), (400, "filled")]


def test_f024_shares_promised_to_another_order_block_and_do_not_deny():
    world = a_day()
    world.hold(BANK, "10.00", since="09:30:00", until="09:31:30", **THIN)
    by_hand(world, "09:30:10", Side.SELL, BANK, 800, "10.00")
    by_hand(world, "09:30:21", Side.SELL, BANK, 400, "10.00")
    world.run(until="09:30:40")
    assert codes(world.denials()) == ["SHARES_PROMISED"]
    assert [signal.state for signal in world.signals()] == ["accepted", "pending"]


def test_f045_a_denial_is_stored_once_and_again_only_after_it_cleared():
    world = a_day(settings={"auto_trading_enabled": "off"})
    world.hold(BANK, "9.20", since="09:30:00", until="09:32:00")
    world.hold(BANK, "10.00", since="09:32:00", until="09:33:00")
    world.hold(BANK, "9.20", since="09:33:00", until="09:35:00")
    world.run(until="09:34:30")
    first, second = world.denials()
    assert (first.code, second.code) == ("AUTO_OFF", "AUTO_OFF")
    # At 09:32:00 the quote of 09:31:57 is folded too: a level touched between ticks counts.
    assert first.cleared_at == world.moment("09:32:05")
    assert second.cleared_at is None
    assert [signal.state for signal in world.signals()] == ["denied", "denied"]
    assert len(world.events(code="AUTO_OFF")) == 2


def test_f062_with_auto_trading_off_detection_goes_on_and_says_so_once():
    world = a_day(settings={"auto_trading_enabled": "off"})
    world.hold(BANK, "9.20", since="09:30:00", until="09:40:00")
    world.run(until="09:39:00")
    [signal] = world.signals()
    assert (signal.state, signal.denial_code) == ("denied", "AUTO_OFF")
    assert codes(world.events(level="alarm")).count("AUTO_OFF") == 1
    assert world.orders() == []


def test_f052_switched_off_and_on_again_the_rule_acts_at_the_next_tick():
    world = a_day(settings={"auto_trading_enabled": "off"})
    world.hold(BANK, "9.20", since="09:30:00", until="09:33:00")
    change(world, "09:32:00", auto_trading_enabled="on")
    world.run(until="09:32:20")
    assert [signal.state for signal in world.signals()] == ["denied", "accepted"]
    assert [d.cleared_at is None for d in world.denials()] == [False]
    [order] = world.orders()
    assert order.approved_at == world.moment("09:32:05")


def test_with_auto_trading_off_a_person_can_sell_what_the_stop_would_have_sold():
    world = a_day(settings={"auto_trading_enabled": "off"})
    world.hold(BANK, "9.20", since="09:30:00", until="09:33:00")
    by_hand(world, "09:31:01", Side.SELL, BANK, 500, "9.20")
    world.run(until="09:31:30")
    assert [(o.kind, o.state) for o in world.orders()] == [("manual", "filled")]


@pytest.mark.parametrize(("state", "sold"), [("reducing", 1000), ("halted", 0)])
def test_reducing_lets_protective_sells_go_and_halted_does_not(state, sold):
    world = a_day()
    switch(world, "09:30:10", state)
    world.hold(BANK, "10.00", since="09:30:00", until="09:31:00")
    world.hold(BANK, "9.20", since="09:31:00", until="09:32:00")
    world.run(until="09:31:40")
    assert sum(fill.quantity for fill in world.fills()) == sold
    assert codes(world.denials()) == ([] if sold else ["TRADING_STATE"])


def test_reducing_denies_a_buy():
    world = a_day(symbols=[LIQUOR])
    switch(world, "09:30:10", "reducing")
    world.hold(LIQUOR, "10.00", since="09:30:00", until="09:32:00")
    by_hand(world, "09:30:31", Side.BUY, LIQUOR, 100, "10.00")
    world.run(until="09:31:00")
    [signal] = world.signals()
    assert (signal.state, signal.denial_code) == ("denied", "TRADING_STATE")


def test_f040_a_changed_stop_supersedes_the_signal_of_the_old_one():
    world = stop_touched_during_an_outage(until="09:31:40", after="9.20")
    change(world, "09:31:20", stop_loss_ratio="-0.10")
    world.run(until="09:32:10")
    [signal] = world.signals()
    assert signal.state == "superseded"
    assert "9.25" in signal.outcome_en
    assert "9.00" in signal.outcome_en
    assert world.orders() == []


def test_f040_a_changed_stop_decides_on_the_next_tick_and_signals_keep_their_revision():
    world = a_day()
    world.hold(BANK, "9.50", since="09:30:00", until="09:32:00")
    change(world, "09:31:02", stop_loss_ratio="-0.05")
    world.run(until="09:31:10")
    [signal], [order] = world.signals(), world.orders()
    assert signal.created_at == world.moment("09:31:05")
    assert (signal.config_revision, order.config_revision) == (2, 2)


@pytest.mark.parametrize("what", ["rule", "holding"])
def test_f046_switching_off_supersedes_the_pending_signal_at_the_next_tick(what):
    world = stop_touched_during_an_outage(until="09:31:40", after="9.20")
    if what == "rule":
        change(world, "09:31:16", stop_loss_enabled="false")
    else:
        off = {"exit_enabled": False}
        world.at("09:31:16", lambda: Position.objects.filter(account=world.account).update(**off))
    world.run(until="09:32:10")
    [signal] = world.signals()
    assert (signal.state, signal.decided_at) == ("superseded", world.moment("09:31:20"))
    assert world.orders() == []


def breakout_during_an_outage(after: str) -> World:
    """Armed at 10.80, the pullback to 10.74 touched while the gateway only observes, then `after`."""
    world = a_day()
    outage(world, "09:30:20", "09:31:40")
    world.hold(BANK, "10.00", since="09:30:00", until="09:30:30")
    world.hold(BANK, "10.80", since="09:30:30", until="09:31:00")
    world.hold(BANK, "10.74", since="09:31:00", until="09:31:06")
    world.hold(BANK, after, since="09:31:06", until="09:33:00")
    return world


def test_f043_a_take_profit_whose_price_drifted_over_one_percent_is_denied():
    world = breakout_during_an_outage("10.90")
    world.run(until="09:32:10")
    [signal] = world.signals()
    assert (signal.kind, signal.state) == ("first_take_profit", "denied")
    assert signal.denial_code == "PRICE_DRIFT"
    assert world.orders() == []


def test_f044_a_breakout_that_fell_below_its_floor_is_superseded_and_disarmed():
    world = breakout_during_an_outage("10.40")
    world.run(until="09:32:10")
    [signal] = world.signals()
    assert signal.state == "superseded"
    assert not world.position(BANK).armed
    assert world.orders() == []


def test_f043_a_signal_from_the_future_is_denied():
    world = stop_touched_during_an_outage(until="09:31:40")
    ahead = world.moment("09:45:00")
    world.at("09:31:12", lambda: Signal.objects.update(quote_time=ahead))
    world.run(until="09:32:10")
    [signal] = world.signals()
    assert (signal.state, signal.denial_code) == ("denied", "FUTURE_TIME")


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("09:24:30", "09:30:00"),
        ("11:30:00", "13:00:00"),
        ("14:57:00", "15:00:00"),
    ],
)
def test_f078_nothing_is_decided_outside_continuous_trading(since, until):
    world = a_day()
    world.hold(BANK, "9.20", since=since, until=until)
    world.run(until=until)
    decided = [signal for signal in world.signals() if signal.created_at < world.moment(until)]
    assert decided == []


def test_f057_a_person_who_cancels_an_exit_pauses_the_holding_for_five_minutes():
    world = a_day()
    world.hold(BANK, "10.00", since="09:30:00", until="09:31:00")
    world.hold(BANK, "9.20", since="09:31:00", until="09:37:00", bids=[], volume=2_000_000)
    world.hold(BANK, "9.20", since="09:37:00", until="09:38:00", volume=3_000_000)

    def cancel() -> None:
        [order] = world.orders()
        request_cancel(order, "PERSON", world.moment("09:31:10"), by_person=True)

    world.at("09:31:10", cancel)
    world.run(until="09:37:30")
    first, second = world.orders(attempt=0)
    assert first.state == "cancelled"
    assert codes(world.events(level="alarm")).count("EXITS_PAUSED") == 1
    [pause] = world.events(code="EXITS_PAUSED")
    assert second.approved_at >= pause.at + timedelta(minutes=5)
    assert second.approved_at < pause.at + timedelta(minutes=5, seconds=10)


def test_a_paused_holding_keeps_its_pending_signal_waiting():
    world = stop_touched_during_an_outage(until="09:31:30", after="9.20")
    rows = Position.objects.filter(account=world.account)
    world.at("09:31:16", lambda: rows.update(exits_paused_until=world.moment("09:32:30")))
    world.run(until="09:33:00")
    [order] = world.orders()
    assert order.approved_at == world.moment("09:32:30")
    assert len(world.signals()) == 1
