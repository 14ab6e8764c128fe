"""What went wrong with grids elsewhere (failure rows 86–109), as it must not happen here."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from grid import strategy
from grid.models import GridLot, GridSession, GridTrade
from grid.models.sessions import StopPolicy
from grid.services import tick as tick_module
from grid.services.ledger import check_ledger, rebuild
from grid.services.sessions import (
    Request,
    SessionRefused,
    edit,
    pause,
    resume,
    start_session,
    stop,
)
from tests.integration.days import POSITIONS, change, codes, lie
from tests.integration.grid_days import (
    BANK,
    LIQUOR,
    books,
    grid_world,
    path,
    session,
    start,
    traded,
)
from trading.domain.types import BookStatus
from trading.models import Account

pytestmark = [pytest.mark.django_db, pytest.mark.grid, pytest.mark.usefixtures("calendar")]

NOBODY = {"bids": [], "volume": 2_000_000}


def opened(**more):
    """A world at 10.00, in which a session begins at 09:30:30."""
    world = grid_world(**more)
    path(world, "09:30:00", ["10.00"] * 6, tail=5)
    return world


def falls(world, since="09:31:00", **book):
    """The price falls through the lower line and turns: a buy of 200 is decided ten seconds later."""
    path(world, since, ["9.45", "9.40", "9.45"], **book)


@pytest.mark.parametrize("typed", ["600036", "SH600036", "sh.600036", "600036.SH"])
def test_f086_a_session_fires_however_its_symbol_was_typed(typed):
    world = opened()
    start(world, "09:30:30", symbol=typed)
    falls(world)
    world.run(until="09:31:20")
    assert session(world).symbol == BANK
    assert traded(world) == ["buy 200 filled"]


@pytest.mark.parametrize("how", ["stop", "pause"])
def test_f087_a_queued_signal_does_not_survive_its_session(how):
    world = opened()
    start(world, "09:30:30")
    falls(world)
    world.at("09:31:05", lambda: observe(world))
    act = {
        "stop": lambda: stop(session(world).pk, StopPolicy.KEEP, "enough", world.moment("09:31:20"), "me"),
        "pause": lambda: pause(session(world).pk, "wait", world.moment("09:31:20"), "me"),
    }[how]  # fmt: skip
    world.at("09:31:20", act)
    world.run(until="09:32:30")
    assert [signal.state for signal in world.signals(kind="grid")] == ["superseded"]
    assert traded(world) == []
    assert session(world).status == {"stop": "stopped", "pause": "paused"}[how]


def observe(world):
    """Let the gateway only observe from now on: a signal waits for it."""
    world.gateway.step = lambda now: False
    Account.objects.filter(pk=world.account.pk).update(gateway_status="observing")


def test_f088_one_trigger_is_one_signal_and_one_order_however_long_it_lasts():
    world = opened()
    start(world, "09:30:30")
    path(world, "09:31:00", ["9.45", "9.40"], tail=5)
    world.hold(BANK, "9.45", since="09:31:10", until="09:32:20", asks=[("9.70", 100)], **NOBODY)
    world.run(until="09:32:10")
    assert len(world.signals(kind="grid")) == 1
    assert traded(world) == ["buy 200 submitted"]


def test_f090_a_ledger_that_was_lost_is_made_again_from_the_fills():
    world = opened()
    start(world, "09:30:30", "lot")
    path(world, "09:31:00", ["9.80", "9.80", "9.60", "9.60"])
    world.run(until="09:31:50")
    row, before = session(world), books(world)
    assert before.quantity == 1000
    GridLot.objects.all().delete()
    GridTrade.objects.all().delete()
    GridSession.objects.update(bought_quantity=0, bought_amount=0, fees=0)
    row.refresh_from_db()
    text = check_ledger(row, world.moment("09:32:00"), repair=True)
    assert text is not None
    row.refresh_from_db()
    assert books(world) == before
    assert check_ledger(row, world.moment("09:32:00"), repair=True) is None
    assert rebuild(row) == before


def test_f091_a_tick_that_fails_after_its_decision_leaves_nothing_and_orders_once(monkeypatch):
    world = opened()
    start(world, "09:30:30")
    falls(world)
    save, failed = tick_module.save, []

    def fails_once(works):
        if world.orders(purpose="grid") and not failed:
            failed.append(True)
            raise OSError("disk full")
        save(works)

    monkeypatch.setattr(tick_module, "save", fails_once)
    run_tick = tick_module.grid_tick

    def survives(*arguments):
        try:
            with transaction.atomic():
                return run_tick(*arguments)
        except OSError:
            return 0

    monkeypatch.setattr(strategy, "GRID", type(strategy.GRID)("grid", strategy.GRID.period, survives, strategy.GRID.useful))  # fmt: skip
    world.run(until="09:31:50")
    assert failed == [True]
    assert traded(world) == ["buy 200 filled"]
    assert books(world).quantity == 200


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"auto_trading_enabled": "off"}, "AUTO_OFF"),
        ({"buy_enabled": "off"}, "BUY_DISABLED"),
        ({"max_position_value": "10000"}, "MAX_POSITION_VALUE"),
    ],
)
def test_f092_a_denied_signal_resets_the_tracker_and_says_why(settings, code):
    world = opened(settings=settings)
    start(world, "09:30:30")
    path(world, "09:31:00", ["9.45", "9.40", "9.45", "9.60"])
    world.run(until="09:31:40")
    row = session(world)
    assert (row.tracker, row.pending, row.signal, row.centre) == ("idle", None, None, 10)
    assert row.said_code == code
    assert row.said_en
    assert row.said_zh
    assert traded(world) == []


def test_f092_an_expired_signal_resets_the_tracker():
    world = opened()
    start(world, "09:30:30")
    falls(world)
    world.at("09:31:05", lambda: observe(world))
    world.hold(BANK, "9.60", since="09:32:15", until="09:34:00", every=5)
    world.run(until="09:33:00")
    assert [signal.state for signal in world.signals(kind="grid")] in (["expired"], ["denied"])
    row = session(world)
    assert (row.pending, row.signal, row.centre) == (None, None, 10)


def test_f097_a_session_that_cannot_be_read_is_told_of_and_neither_stopped_nor_traded():
    world = opened(holdings=((BANK, 1000, "10.00"), (LIQUOR, 1000, "10.00")))
    path(world, "09:30:00", ["10.00"] * 12, LIQUOR)
    start(world, "09:30:30")
    start(world, "09:30:30", symbol=LIQUOR)
    world.at("09:30:40", lambda: GridSession.objects.filter(symbol=BANK).update(interval=Decimal("0.9")))  # fmt: skip
    falls(world)
    path(world, "09:31:00", ["9.45", "9.40", "9.45"], LIQUOR)
    world.run(until="09:31:30")
    assert session(world).status == "active"
    assert codes(world.events(code="GRID_UNREADABLE")) == ["GRID_UNREADABLE"]
    assert [(order.symbol, order.side) for order in world.orders(purpose="grid")] == [(LIQUOR, "buy")]  # fmt: skip


def test_f098_a_terminal_that_shows_no_holding_for_a_moment_does_not_end_the_session():
    world = opened()
    start(world, "09:30:30")
    world.hold(BANK, "10.00", since="09:31:00", until="09:33:00", every=5)
    lie(world, POSITIONS, lambda rows: [], "09:31:10", "09:31:40")
    world.run(until="09:32:50")
    assert session(world).status == "active"


def test_f099_a_symbol_has_one_session_whoever_asks_at_the_same_time():
    world = opened()
    start(world, "09:30:30")
    refused = []

    def again():
        request = Request(world.account.pk, BANK, values={"max_investment": Decimal(9000)})
        with pytest.raises(SessionRefused) as problem:
            start_session(request, None, world.moment("09:30:40"), actor="me", why="twice")
        refused.append(problem.value.field)

    world.at("09:30:40", again)
    world.run(until="09:30:50")
    assert refused == ["symbol"]
    row = session(world)
    row.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)


def test_f100_an_expired_session_is_stopped_in_its_row():
    world = opened()
    start(world, "09:30:30")
    world.at("09:30:40", lambda: GridSession.objects.update(ends_at=world.moment("09:31:00")))
    world.hold(BANK, "10.00", since="09:31:00", until="09:32:00", every=5)
    world.run(until="09:31:40")
    row = session(world)
    assert (row.status, row.stop_code) == ("stopped", "EXPIRED")
    assert row.stopped_at is not None


def test_f101_a_buy_at_limit_up_is_denied():
    world = opened()
    start(world, "09:30:30", "lot", centre="11.30", max_investment="60000")
    sealed = {"asks": [], "bids": [("11.00", 90_000)]}
    world.hold(BANK, "11.00", since="09:30:35", until="09:32:00", every=5, **sealed)
    world.run(until="09:31:30")
    assert traded(world) == []
    assert {signal.denial_code for signal in world.signals(kind="grid")} == {"PRICE_LIMIT"}
    assert session(world).said_code == "PRICE_LIMIT"


def test_f101_a_sale_of_a_grid_at_limit_down_is_denied():
    world = opened()
    start(world, "09:30:30", centre="8.40", max_deviation="0.5", target_profit="1", stop_loss="-0.5")  # fmt: skip
    path(world, "09:30:35", ["9.10"], tail=5)
    sealed = {"bids": [], "asks": [("9.00", 90_000)]}
    world.hold(BANK, "9.00", since="09:30:40", until="09:32:00", every=5, **sealed)
    world.run(until="09:31:30")
    assert traded(world) == []
    assert {signal.denial_code for signal in world.signals(kind="grid")} == {"PRICE_LIMIT"}


def test_f101_a_suspended_symbol_is_not_traded():
    world = opened()
    start(world, "09:30:30")
    path(world, "09:31:00", ["9.45", "9.40"], tail=5)
    world.hold(BANK, "9.45", since="09:31:10", until="09:32:00", every=5, status=BookStatus.HALTED)
    world.run(until="09:31:50")
    assert traded(world) == []


@pytest.mark.parametrize(
    ("switch", "status", "code"), [("on", "paused", ""), ("off", "stopped", "EMPTY")]
)
def test_f102_a_filled_stop_loss_pauses_the_grid_of_its_symbol(switch, status, code):
    world = opened(settings={"stop_loss_enabled": "on", "pause_grid_after_full_exit": switch})
    start(world, "09:30:30", max_deviation="0.5", stop_loss="-0.5", target_profit="1")
    path(world, "09:31:00", ["9.20"] * 4)
    path(world, "09:33:00", ["9.10", "9.00", "9.10"])
    world.run(until="09:34:00")
    (sold,) = world.orders(kind="stop_loss")
    assert sold.state == "filled"
    row = session(world)
    assert (row.status, row.stop_code) == (status, code)
    if status == "paused":
        assert traded(world) == []
        assert codes(world.events(code="GRID_PAUSED")) == ["GRID_PAUSED"]


def test_f102_a_session_resumed_by_a_person_is_not_paused_again_by_the_same_exit():
    world = opened(settings={"stop_loss_enabled": "on"})
    start(world, "09:30:30", max_deviation="0.5", stop_loss="-0.5", target_profit="1")
    path(world, "09:31:00", ["9.20"] * 4)
    world.at(
        "09:32:00", lambda: resume(session(world).pk, "go on", world.moment("09:32:00"), "me")
    )
    world.hold(BANK, "9.50", since="09:32:05", until="09:33:00", every=5)
    world.run(until="09:32:50")
    assert codes(world.events(code="GRID_PAUSED")) == ["GRID_PAUSED"]


def test_f105_the_fixed_quantity_is_what_is_ordered():
    world = opened()
    start(world, "09:30:30", trade_mode="shares", fixed_quantity=700)
    falls(world)
    world.run(until="09:31:30")
    assert traded(world) == ["buy 700 filled"]


def test_f106_a_price_that_jumped_beyond_the_line_is_not_traded():
    world = opened()
    start(world, "09:30:30")
    path(world, "09:31:00", ["10.51", "10.00"])
    world.run(until="09:31:40")
    assert traded(world) == []
    assert session(world).said_code == "BEYOND_LINE"


def test_f108_a_new_day_and_a_new_process_find_the_tracker_as_it_was():
    world = opened()
    start(world, "09:30:30")
    path(world, "09:31:00", ["10.60", "10.60"], tail=5)
    next_day = world.moment("09:30:00") + timedelta(days=1)
    kept = []
    world.at(next_day - timedelta(minutes=5), lambda: kept.append((session(world).tracker, session(world).extreme)))  # fmt: skip
    path(world, next_day, ["10.55", "10.54"], previous_close="10.60")
    world.run(until=next_day + timedelta(seconds=30))
    assert kept == [("rising", Decimal("10.60"))]
    assert traded(world) == ["sell 200 filled"]


def test_f109_an_exit_with_a_working_order_asks_for_its_cancel_and_the_tick_goes_on():
    world = opened()
    start(world, "09:30:30")
    path(world, "09:31:00", ["9.45", "9.40"], tail=5)
    world.hold(BANK, "9.45", since="09:31:10", until="09:31:20", asks=[("9.70", 100)], **NOBODY)
    world.at("09:31:15", lambda: GridSession.objects.update(ends_at=world.moment("09:31:15")))
    world.hold(BANK, "9.46", since="09:31:20", until="09:32:00", asks=[("9.70", 100)], **NOBODY)
    world.run(until="09:31:50")
    (order,) = world.orders(purpose="grid")
    assert (order.state, order.cancel_reason) == ("cancelled", "WITHDRAWN")
    assert session(world).status == "stopped"


def test_a_base_holding_kept_from_the_exits_is_not_sold_by_them():
    world = opened(settings={"stop_loss_enabled": "on", "pause_grid_after_full_exit": "off"})
    start(world, "09:30:30", exits_may_sell_base=False, base_quantity=600, max_deviation="0.5", stop_loss="-0.5", target_profit="1")  # fmt: skip
    path(world, "09:31:00", ["9.20"] * 4)
    world.run(until="09:32:00")
    (sold,) = world.orders(kind="stop_loss")
    assert (sold.quantity, sold.state) == (400, "filled")
    assert world.position(BANK).quantity == 600


def test_by_default_exits_may_sell_everything():
    world = opened(settings={"stop_loss_enabled": "on"})
    start(world, "09:30:30")
    path(world, "09:31:00", ["9.20"] * 4)
    world.run(until="09:32:00")
    assert [order.quantity for order in world.orders(kind="stop_loss")] == [1000]


def test_switched_off_no_grid_decides():
    world = opened()
    start(world, "09:30:30")
    change(world, "09:30:50", grid_enabled="off")
    falls(world)
    world.run(until="09:31:40")
    assert world.signals(kind="grid") == []


def test_an_edit_is_kept_in_the_history_and_needs_the_revision_the_person_saw():
    world = opened()
    start(world, "09:30:30")
    world.run(until="09:30:50")
    row, now = session(world), world.moment("09:30:50")
    edit(row.pk, {"interval": Decimal("0.06")}, revision=1, why="wider", now=now, actor="me")
    with pytest.raises(SessionRefused) as problem:
        edit(row.pk, {"interval": Decimal("0.07")}, revision=1, why="again", now=now, actor="me")
    assert problem.value.field == "revision"
    with pytest.raises(SessionRefused) as problem:
        edit(row.pk, {"interval": Decimal("0.5")}, revision=2, why="too wide", now=now, actor="me")
    assert problem.value.field == "interval"
    for spoiled in (
        {"base_quantity": -1},
        {"stop_policy": "burn"},
        {"exits_may_sell_base": "off"},
    ):
        with pytest.raises(SessionRefused) as problem:
            edit(row.pk, spoiled, revision=2, why="spoiled", now=now, actor="me")
        assert problem.value.field in spoiled
    row = session(world)
    assert (row.revision, row.interval) == (2, Decimal("0.06"))
    newest, first = row.history.all()
    assert (newest.interval, first.interval) == (Decimal("0.06"), Decimal("0.05"))
    assert newest.history_change_reason == "me: wider"


def test_a_fill_that_is_booked_after_a_later_one_leaves_the_books_in_the_order_of_the_fills():
    world = opened()
    start(world, "09:30:30", "lot")
    path(world, "09:31:00", ["9.80", "9.80", "9.60", "9.60"])
    world.run(until="09:31:50")
    before = books(world)
    first = GridTrade.objects.order_by("fill_id").first()
    first.delete()  # as if the fill had got its order only now
    now = world.moment("09:31:55")
    tick_module.grid_tick(world.account.pk, now, world.store, world.calendar, lambda _: None)
    assert books(world) == before
    assert [lot.id for lot in before.lots] == [order.pk for order in world.orders(purpose="grid")]
