"""Grid sessions through the real order path: signals, risk, reservation, gateway, the twin, fills, ledger."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from grid.models import GridTrade
from grid.models.sessions import StopPolicy
from grid.services.sessions import stop
from grid.services.tick import grid_tick
from tests.integration.grid_days import (
    BANK,
    GOLD,
    books,
    grid_world,
    path,
    session,
    start,
    traded,
)
from tests.integration.scenes import codes, restart, start_gateway, stop_gateway
from tests.world import TODAY
from trading.domain.symbols import parse_symbol
from trading.domain.types import CorporateAction
from trading.models import Account

pytestmark = [pytest.mark.django_db, pytest.mark.grid, pytest.mark.usefixtures("calendar")]

TOMORROW = timedelta(days=1)
#: Nobody buys, and nobody trades: only what is offered can be had.
NOBODY = {"bids": [], "volume": 2_000_000}


def opened(**more):
    """A world at 10.00, in which a session begins at 09:30:30."""
    world = grid_world(**more)
    path(world, "09:30:00", ["10.00"] * 6, tail=5)
    return world


def test_a_centred_grid_sells_above_its_upper_line_and_buys_below_its_lower_one():
    world = opened()
    start(world, "09:30:30")
    path(world, "09:31:00", ["10.60", "10.70", "10.60"])
    path(world, "09:40:00", ["9.90", "9.80", "9.90"])
    world.run(until="09:41:30")
    assert traded(world) == ["sell 200 filled", "buy 200 filled"]
    sold, bought = world.orders(purpose="grid")
    row = session(world)
    assert [sold.source, bought.source] == [row.source, row.source]
    assert row.centre == bought.filled_amount / 200
    ledger = books(world)
    assert ledger.quantity == 0  # the buy closed what was sold out of the base
    assert ledger.realised == sold.filled_amount - bought.filled_amount - ledger.fees
    assert row.pending is None
    assert row.signal is None


def test_f104_grid_trades_move_shares_and_cash():
    world = opened()
    start(world, "09:30:30")
    path(world, "09:31:00", ["9.45", "9.40", "9.45"])
    world.run(until="09:32:00")
    (bought,) = world.orders(purpose="grid")
    assert world.position(BANK).quantity == 1200
    ledger = books(world)
    cash = Account.objects.get(pk=world.account.pk).cash
    assert cash == 1_000_000 - bought.filled_amount - ledger.fees
    assert world.exchange.account("8800000001").positions[BANK].quantity == 1200


def test_a_lot_grid_sells_each_lot_the_next_day_at_the_earliest():
    world = opened()
    start(world, "09:30:30", "lot", grid_take_profit_ratio="0.03")
    path(world, "09:31:00", ["9.80"])
    path(world, "09:35:00", ["10.20"])
    next_day = world.moment("09:30:00") + TOMORROW
    path(world, next_day, ["10.20"], previous_close="10.20")
    world.run(until=next_day + timedelta(minutes=1))
    assert traded(world) == ["buy 500 filled", "sell 500 filled"]
    bought, sold = world.orders(purpose="grid")
    assert (bought.trade_date, sold.trade_date) == (world.on, world.on + TOMORROW)
    assert sold.signal.detail == {"lots": [[bought.pk, 500]]}
    ledger = books(world)
    assert (ledger.lots, ledger.unmatched) == ((), ())
    assert ledger.realised == sold.filled_amount - bought.filled_amount - ledger.fees
    assert session(world).last_sale == sold.filled_amount / 500
    assert world.position(BANK).quantity == 1000


def test_a_grid_on_a_t0_fund_turns_over_within_the_day():
    world = grid_world(holdings=(), symbols=[GOLD])
    path(world, "09:30:00", ["4.000"] * 6, GOLD, tail=5, previous_close="4.000")
    start(world, "09:30:30", "lot", GOLD, centre="4.000", grid_take_profit_ratio="0.02")
    path(world, "09:31:00", ["3.920"], GOLD, previous_close="4.000")
    path(world, "09:35:00", ["4.100"], GOLD, previous_close="4.000")
    world.run(until="09:36:30")
    assert traded(world) == ["buy 1200 filled", "sell 1200 filled"]
    assert books(world, GOLD).quantity == 0
    assert books(world, GOLD).realised > 0


def test_a_lot_grid_buys_level_after_level_and_stays_within_its_budget():
    world = opened()
    start(world, "09:30:30", "lot", max_investment="12000")
    path(world, "09:31:00", ["9.80"])
    path(world, "09:33:00", ["9.60"])
    path(world, "09:35:00", ["9.40"])
    path(world, "09:37:00", ["9.20"])
    world.run(until="09:38:30")
    assert traded(world) == ["buy 500 filled", "buy 500 filled", "buy 200 filled"]
    assert books(world).cost <= 12000
    assert session(world).said_code == "BUDGET"


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        (100, ["buy 200 partially_cancelled", "buy 100 cancelled"]),
        (137, ["buy 200 partially_cancelled"]),  # the 63 that are left are no order
    ],
)
def test_an_order_that_ends_partly_filled_books_what_filled_and_moves_the_centre_to_it(
    offered, expected
):
    world = opened()
    start(world, "09:30:30")
    path(world, "09:31:00", ["9.45", "9.40"], tail=5)
    # The rest is out of reach: 9.45 × 1.02 = 9.639 is the most a buy may cost.
    asks = [("9.46", offered), ("9.70", 5000)]
    world.hold(BANK, "9.45", since="09:31:10", until="09:31:11", asks=asks, **NOBODY)
    world.hold(BANK, "9.45", since="09:31:13", until="09:36:00", asks=asks[1:], **NOBODY)
    world.run(until="09:35:50")
    assert traded(world) == expected
    orders = world.orders(purpose="grid")
    assert max(order.price for order in orders) <= Decimal("9.639")
    row = session(world)
    assert row.centre == Decimal("9.46")
    assert (row.signal, row.pending) == (None, None)
    assert [(lot.id, lot.quantity) for lot in books(world).lots] == [(orders[0].pk, offered)]


def test_partial_fills_are_aggregated_into_one_lot_and_one_centre():
    world = opened()
    start(world, "09:30:30")
    path(world, "09:31:00", ["9.45", "9.40"], tail=5)
    for since, until, offered in (("10", "20", "9.46"), ("20", "30", "9.45")):
        asks = [(offered, 100)]
        world.hold(BANK, "9.45", since=f"09:31:{since}", until=f"09:31:{until}", asks=asks, **NOBODY)  # fmt: skip
    world.run(until="09:31:40")
    (order,) = world.orders(purpose="grid")
    assert len(world.fills()) == 2
    assert session(world).centre == order.filled_amount / 200
    (lot,) = books(world).lots
    assert (lot.id, lot.quantity) == (order.pk, 200)


def test_a_grid_order_is_cancelled_after_90_seconds_and_ordered_once_more():
    world = opened()
    start(world, "09:30:30")
    path(world, "09:31:00", ["9.45", "9.40"], tail=5)
    world.hold(BANK, "9.45", since="09:31:10", until="09:37:00", asks=[("9.70", 100)], **NOBODY)  # fmt: skip
    world.run(until="09:36:50")
    first, again = world.orders(purpose="grid")
    waited = (first.ended_at - first.submitted_at).total_seconds()
    assert 90 <= waited <= 96
    assert (first.state, again.state, again.attempt) == ("cancelled", "cancelled", 1)
    row = session(world)
    assert (row.centre, row.signal, row.pending) == (10, None, None)
    assert row.said_code == "NOT_FILLED"
    assert row.buy_tried_at is not None
    assert books(world).bought_quantity == 0


def test_a_gateway_that_dies_between_buy_and_fill_loses_nothing():
    world = opened()
    start(world, "09:30:30")
    path(world, "09:31:00", ["9.45", "9.40", "9.45"])
    world.at("09:31:10", lambda: stop_gateway(world))
    world.hold(BANK, "9.45", since="09:32:00", until="09:34:00", every=5)
    world.at("09:32:30", lambda: start_gateway(world))
    world.run(until="09:33:50")
    orders = world.orders(purpose="grid")
    filled = sum(order.filled_quantity for order in orders)
    assert len([order for order in orders if order.filled_quantity]) <= 1
    assert books(world).bought_quantity == filled
    assert world.position(BANK).quantity == 1000 + filled
    assert world.exchange.account("8800000001").positions[BANK].quantity == 1000 + filled


def test_f107_a_stop_with_a_working_order_ends_when_the_order_is_terminal_also_across_a_restart():
    world = opened()
    start(world, "09:30:30")
    path(world, "09:31:00", ["9.45", "9.40"], tail=5)
    world.hold(BANK, "9.45", since="09:31:10", until="09:35:00", asks=[("9.70", 100)], **NOBODY)  # fmt: skip
    # The gateway dies, then a person stops the session: nobody can cancel its order now.
    world.at("09:31:30", lambda: stop_gateway(world))
    world.at("09:31:40", lambda: stop(session(world).pk, StopPolicy.KEEP, "enough", world.moment("09:31:40"), "me"))  # fmt: skip
    seen = []
    for clock in ("09:31:50", "09:32:50"):
        world.at(clock, lambda: seen.append((session(world).status, world.orders(purpose="grid")[0].state)))  # fmt: skip
    world.at("09:33:00", lambda: start_gateway(world))
    world.run(until="09:34:30")
    assert seen == [("stopping", "submitted"), ("stopping", "submitted")]
    (order,) = world.orders(purpose="grid")
    assert (order.state, order.cancel_reason) == ("cancelled", "WITHDRAWN")
    row = session(world)
    assert row.status == "stopped"
    assert row.stopped_at > order.ended_at
    assert codes(world, "GRID_STOPPED") == ["GRID_STOPPED"]


def test_a_session_that_sells_its_lots_at_its_stop_ends_after_the_sale():
    world = grid_world(holdings=(), symbols=[GOLD])
    path(world, "09:30:00", ["4.000"] * 6, GOLD, tail=5, previous_close="4.000")
    start(world, "09:30:30", "lot", GOLD, centre="4.000")
    path(world, "09:31:00", ["3.920"], GOLD, previous_close="4.000")
    path(world, "09:33:00", ["3.950"], GOLD, previous_close="4.000")
    world.at("09:33:10", lambda: stop(session(world, GOLD).pk, StopPolicy.SELL_LOTS, "enough", world.moment("09:33:10"), "me"))  # fmt: skip
    world.run(until="09:34:00")
    assert traded(world) == ["buy 1200 filled", "sell 1200 filled"]
    assert session(world, GOLD).status == "stopped"
    assert books(world, GOLD).quantity == 0


def test_lots_bought_today_are_sold_by_a_stopping_session_tomorrow():
    world = opened()
    start(world, "09:30:30", "lot")
    path(world, "09:31:00", ["9.80"])
    world.at("09:31:30", lambda: stop(session(world).pk, StopPolicy.SELL_LOTS, "enough", world.moment("09:31:30"), "me"))  # fmt: skip
    status = []
    world.at("15:35:10", lambda: status.append(session(world).status))
    next_day = world.moment("09:30:00") + TOMORROW
    path(world, next_day, ["9.80", "9.80"], previous_close="9.80")
    world.run(until=next_day + timedelta(minutes=1))
    assert status == ["stopping"]
    assert traded(world) == ["buy 500 filled", "sell 500 filled"]
    assert session(world).status == "stopped"
    assert world.position(BANK).quantity == 1000


def test_an_ex_rights_morning_scales_centre_lots_and_base_once():
    action = CorporateAction(parse_symbol(BANK), TODAY + TOMORROW, Decimal("0.5"), Decimal(2))
    world = opened(corporate_actions=[action])
    start(world, "09:30:30", "lot")
    path(world, "09:31:00", ["9.80"])
    world.hold(BANK, "10.00", since="14:56:00", until="14:57:00", every=5)
    morning = world.moment("09:30:00") + TOMORROW
    path(world, morning, ["5.00", "5.00"], previous_close="5.00")
    world.run(until=morning + timedelta(minutes=1))
    row = session(world)
    assert (row.centre, row.first_centre, row.base_quantity) == (5, 5, 2000)
    (lot,) = books(world).lots
    assert (lot.quantity, lot.price) == (1000, Decimal("4.905"))
    assert row.adjustments.count() == 1
    assert traded(world) == ["buy 500 filled"]


def test_fills_are_booked_once_however_often_the_tick_runs():
    world = opened()
    start(world, "09:30:30")
    path(world, "09:31:00", ["9.45", "9.40", "9.45"])
    world.run(until="09:32:00")
    now = world.moment("09:32:05")
    before = books(world)
    for _ in range(3):
        grid_tick(world.account.pk, now, world.store, world.calendar, lambda _: None)
    assert books(world) == before
    assert GridTrade.objects.count() == len(world.fills())


@pytest.mark.parametrize("second", ["10", "11", "12", "15"])
def test_a_gateway_restarted_at_any_instant_of_a_trade_doubles_and_loses_nothing(second):
    world = opened()
    start(world, "09:30:30")
    path(world, "09:31:00", ["9.45", "9.40", "9.45"])
    world.at(f"09:31:{second}", lambda: restart(world))
    world.run(until="09:32:00")
    filled = [order for order in world.orders(purpose="grid") if order.filled_quantity]
    assert len(filled) <= 1
    held = 1000 + sum(order.filled_quantity for order in filled)
    assert world.position(BANK).quantity == held
    assert world.exchange.account("8800000001").positions[BANK].quantity == held
    assert books(world).quantity == held - 1000
    row = session(world)
    assert (row.signal, row.pending) == (None, None)


def test_a_tick_that_runs_twice_in_a_second_decides_once():
    world = opened()
    start(world, "09:30:30")
    path(world, "09:31:00", ["9.45", "9.40", "9.45"])
    arguments = world.account.pk, world.moment("09:31:10"), world.store, world.calendar
    world.at("09:31:10", lambda: grid_tick(*arguments, lambda _: None))
    world.run(until="09:31:30")
    assert traded(world) == ["buy 200 filled"]
    assert len(world.signals(kind="grid")) == 1


@pytest.mark.parametrize("skip", [True, False])
def test_ticks_that_are_left_out_change_nothing(skip):
    world = opened(skip=skip)
    start(world, "09:30:30")
    path(world, "09:31:00", ["10.60", "10.70", "10.60"])
    world.run(until="09:32:00")
    (order,) = world.orders(purpose="grid")
    assert (order.side, order.quantity, order.price) == ("sell", 200, Decimal("10.57"))
    assert (order.approved_at, order.state) == (world.moment("09:31:10"), "filled")
    row = session(world)
    assert (row.centre, row.tracker) == (order.filled_amount / 200, "idle")
    assert row.last_sell_at == world.moment("09:31:10")
