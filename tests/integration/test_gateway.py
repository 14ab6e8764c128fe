"""The gateway: when it submits, when it only observes, and how it comes back."""

from __future__ import annotations

import itertools
from contextlib import suppress
from datetime import timedelta
from functools import partial

import pytest
from django.db import OperationalError

from tests.integration.scenes import (
    FELL,
    STOCK,
    account,
    at_broker,
    codes,
    falling,
    moves,
    restart,
)
from tests.misbehaving import Misbehaving
from tests.world import World
from trading import faults
from trading.models import Order
from trading.services.orders_tick import orders_tick

pytestmark = [
    pytest.mark.orders,
    pytest.mark.unattended,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]

ACCOUNT = "8800000001"


def _note(world: World, seen: dict[str, str], clock: str) -> None:
    seen[clock] = world.gateway.status.value


def _statuses(world: World, since: str, until: str) -> dict[str, str]:
    """Note the gateway's status at every second of [since, until); filled while the world runs."""
    seen: dict[str, str] = {}
    at, end = world.moment(since), world.moment(until)
    while at < end:
        clock = f"{at:%H:%M:%S}"
        world.at(clock, partial(_note, world, seen, clock))
        at += timedelta(seconds=1)
    return seen


def _first(seen: dict[str, str], status: str) -> str:
    return next(clock for clock, found in seen.items() if found == status)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda op, truth: None, id="failed"),
        pytest.param(lambda op, truth: [] if op == "query_stock_orders" else truth, id="empty"),
        pytest.param(
            lambda op, truth: truth[1:] if op == "query_stock_orders" else truth, id="shrunken"
        ),
        pytest.param(
            lambda op, truth: None if op == "query_stock_asset" else truth, id="no-asset"
        ),
        pytest.param(
            lambda op, truth: None if op == "query_stock_positions" else truth, id="no-positions"
        ),
        pytest.param(
            lambda op, truth: None if op == "query_stock_trades" else truth, id="no-trades"
        ),
    ],
)
def test_f066_f067_15_s_of_bad_answers_stop_submitting_and_a_good_one_resumes(answer):
    # The first order rests; then the queries go bad for 40 s. The books do not move in that time.
    def shown(request, truth):
        bad = world.moment("09:31:10") <= world.exchange.now < world.moment("09:31:50")
        return (
            answer(request["op"], truth) if bad and request["op"].startswith("query_") else truth
        )

    world = falling(Misbehaving(shown=shown), settings={"sell_order_timeout": "600"})
    seen = _statuses(world, "09:31:00", "09:32:00")
    kept = []
    world.at(
        "09:31:49", lambda: kept.append((world.position(STOCK).quantity, world.orders()[0].state))
    )
    world.run(until="09:32:00")
    assert set(list(seen.values())[:20]) == {"armed"}
    assert "09:31:22" <= _first(seen, "observing") <= "09:31:26"
    assert seen["09:31:59"] == "armed"
    assert kept == [(1000, "submitted")]


def test_a_gateway_that_comes_back_amid_fills_is_armed_after_four_seconds():
    # 100 shares at every quote: no two readings of the account are ever the same.
    world = falling(book={"bids": [("9.20", 100)]})
    world._made = [quote for quote in world._made if quote.time < world.moment(FELL)]
    world.hold(STOCK, "9.20", since=FELL, until="09:32:00", every=1, bids=[("9.20", 100)])
    world.at("09:31:03", lambda: restart(world))
    seen = _statuses(world, "09:31:03", "09:31:09")
    world.run(until="09:31:20")
    assert 1 <= sum(fill.at >= world.moment("09:31:04") for fill in world.fills()) < 10
    assert _first(seen, "observing") == "09:31:03"
    assert _first(seen, "armed") <= "09:31:07"
    assert sum(fill.quantity for fill in world.fills()) == 1000
    assert len(at_broker(world)) == 1


def test_a_bad_snapshot_changes_nothing_but_its_fills_are_booked():
    def shown(request, truth):
        bad = world.exchange.now >= world.moment("09:31:05")
        return None if bad and request["op"] == "query_stock_orders" else truth

    from tests.misbehaving import lost, pushes

    world = falling(Misbehaving(back=lost(pushes("stock_trade", "stock_order")), shown=shown))
    world._made = [q for q in world._made if q.time < world.moment("09:31:09")]
    world.hold(
        STOCK, "9.20", since="09:31:09", until="09:33:00", bids=[("9.20", 1000)], volume=2_000_000
    )
    world.run(until="09:31:20")
    assert [f.quantity for f in world.fills()] == [1000]
    assert world.orders()[0].state == "filled"


def test_nothing_is_submitted_while_observing_and_what_was_approved_before_expires():
    # The terminal stops answering in the very second of the decision; it is back 40 s later.
    terminal = Misbehaving(
        shown=lambda request, truth: (
            None
            if request["op"].startswith("query_")
            and world.moment("09:30:40") <= world.exchange.now < world.moment("09:31:40")
            else truth
        )
    )
    world = falling(terminal, until="09:33:00")
    world.run(until="09:32:10")
    sent = [order for order in world.orders() if order.claimed_at]
    assert all(order.claimed_at >= world.moment("09:31:40") for order in sent)
    assert [order.state for order in sent] == ["submitted"]
    assert len(terminal.calls("order_stock")) == 1


def test_f118_a_closed_terminal_is_reconnected_with_growing_waits_and_read_again():
    terminal = Misbehaving()
    world = falling(terminal, until="09:35:00", settings={"sell_order_timeout": "3600"})
    connects = []
    really = world._broker.connect

    def connect(now):
        connects.append(now)
        really(now)

    world._broker.connect = connect

    def closed():
        world.terminal.logged_in = False
        world.terminal.close()

    world.at("09:31:10", closed)
    world.at("09:32:00", lambda: setattr(world.terminal, "logged_in", True))
    seen = _statuses(world, "09:31:00", "09:33:00")
    world.run(until="09:33:00")
    gaps = [(b - a).total_seconds() for a, b in itertools.pairwise(connects[1:])]
    assert gaps == sorted(gaps)
    assert gaps[:3] == [4, 8, 16]
    assert _first(seen, "observing") <= "09:31:11"
    assert seen["09:32:59"] == "armed"
    assert world.orders()[0].state == "submitted"
    assert account(world).gateway_status == "armed"


def test_f120_a_terminal_that_lets_in_and_throws_out_is_not_stormed():
    world = falling(until="09:33:00")
    connects = []
    really = world._broker.connect

    def connect(now):
        connects.append(now)
        really(now)
        world.terminal.tell(ACCOUNT, {"push": "disconnected"})

    def storm():
        world._broker.connect = connect
        world.terminal.close()

    world.at("09:31:10", storm)
    world.run(until="09:32:10")
    assert 3 <= len(connects) <= 6


@pytest.mark.parametrize("status", [-1, 1, 3, 5, 6, 7, 9])
def test_f119_an_account_that_is_not_in_order_is_observed_only(status):
    terminal = Misbehaving()
    world = falling(terminal, until="09:33:00")
    world.at("09:30:50", lambda: world.terminal.set_account_status(ACCOUNT, status))
    world.at("09:31:30", lambda: world.terminal.set_account_status(ACCOUNT, 0))
    seen = _statuses(world, "09:30:52", "09:32:00")
    world.run(until="09:32:00")
    assert {seen[clock] for clock in seen if clock < "09:31:30"} == {"observing"}
    assert seen["09:31:45"] == "armed"
    sent = [order.claimed_at for order in world.orders() if order.claimed_at]
    assert sent
    assert min(sent) > world.moment("09:31:30")


def test_f117_a_late_report_of_an_old_connection_is_dropped_but_its_fills_are_booked():
    world = falling(book={})
    world.run(until="09:31:01")
    before = world.gateway.status
    broker = world._broker
    broker._put_for(broker.epoch - 1)("disconnected", {})
    world.gateway.step(world.moment("09:31:02"))
    assert world.gateway.status == before


@pytest.mark.parametrize("told_by", ["us", "the exchange"])
def test_after_15_35_what_still_rests_is_ended_with_that_reason(told_by):
    world = falling(settings={"sell_monitor_enabled": "false"})
    world.run(until="09:31:10")
    close = world.moment("15:35:00")
    if told_by == "us":
        world.gateway._desk.day_end(world.gateway._epoch, close)
    else:
        world.terminal.step(close)
        world.gateway.step(close)
    orders_tick(world.account.pk, close, world.store, world.calendar, world._nudge)
    [order] = world.orders()
    assert (order.state, order.end_reason) == ("cancelled", "DAY_END")
    assert order.ended_at == close
    assert order.chain_settled
    assert "EXITS_PAUSED" not in codes(world)


def test_an_order_of_an_earlier_day_is_ended_before_anything_is_sent_or_cancelled():
    # No gateway was armed at 15:35 yesterday; its number may be another order's today.
    terminal = Misbehaving()
    world = falling(terminal)

    def yesterdays():
        today = Order.objects.get()
        Order.objects.filter(pk=today.pk).update(
            trade_date=today.trade_date - timedelta(days=1),
            submitted_at=today.submitted_at - timedelta(days=1),
            cancel_wanted_at=today.submitted_at,
            broker_order_id=at_broker(world)[0].order_id,
        )

    world.at("09:31:02", yesterdays)
    world.run(until="09:31:20")
    old = world.orders()[0]
    assert (old.state, old.end_reason) == ("cancelled", "DAY_END")
    assert moves(old)[-1] == "cancelled"
    assert terminal.calls("cancel_order_stock") == []


def test_it_beats_in_the_accounts_row_while_it_is_armed():
    world = falling()
    world.run(until="09:32:40")
    assert world.moment("09:32:40") - account(world).gateway_seen_at <= timedelta(seconds=35)


def test_that_it_is_armed_is_told_again_when_the_database_was_away_at_that_moment():
    world = falling(until="09:32:00")
    step, failed = world.gateway.step, []

    def away_once(point: str) -> None:
        if point == "gateway.armed" and not failed:
            failed.append(point)
            raise OperationalError("database is locked")

    def goes_on(now):  # as its process does
        with suppress(OperationalError):
            return step(now)

    world.gateway.step = goes_on
    world.at("09:30:50", lambda: world.terminal.set_account_status(ACCOUNT, 5))
    world.at("09:31:00", lambda: world.terminal.set_account_status(ACCOUNT, 0))
    faults.arm(away_once)
    try:
        world.at("09:31:00", failed.clear)
        world.run(until="09:31:08")
    finally:
        faults.arm(None)
    assert failed
    assert account(world).gateway_status == "armed"
