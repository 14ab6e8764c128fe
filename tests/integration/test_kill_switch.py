"""The kill switch: just before the call, latched, and without database or Redis."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError

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
from tests.integration.test_absence import swallowed
from tests.integration.test_admin import act, client_of
from tests.misbehaving import Misbehaving
from tests.world import World
from trading import faults
from trading.domain.types import CHINA, Side, Text, TradingState
from trading.models import Account, GatewayLease, Order
from trading.services import kill_switch
from trading.services.accounts import set_trading_state
from trading.services.corrections import CorrectionError
from trading.services.sync import sync_tick

pytestmark = [
    pytest.mark.orders,
    pytest.mark.unattended,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]


@pytest.fixture
def home(tmp_path, settings):
    settings.HOME = tmp_path
    return tmp_path


def armed_world(terminal=None, **more):
    """A falling holding whose gateway reads the kill file as the command's does."""
    world = falling(terminal, **more)
    world.gateway._killed = lambda: kill_switch.kill_file(world.account.name)
    return world


@pytest.mark.parametrize("name", ["KILL", "KILL-replay"])
def test_a_file_stops_sending_and_latches_the_account(home, name):
    terminal = Misbehaving()
    world = armed_world(terminal)
    world.at("09:30:30", lambda: (home / name).touch())
    world.at("09:31:20", lambda: (home / name).unlink())
    world.run(until="09:31:50")
    assert terminal.calls("order_stock") == []
    assert (
        account(world).trading_state == TradingState.HALTED
    )  # the file is gone, the switch stays
    assert codes(world).count("TRADING_HALTED") == 1


def test_the_file_of_another_account_stops_nothing(home):
    (home / "KILL-other").touch()
    world = armed_world()
    world.run(until="09:31:10")
    assert world.orders()[0].state == "submitted"


@pytest.mark.parametrize("how", ["file", "switch"])
def test_i10_a_halt_between_the_claim_and_the_call_holds_the_order_back(home, how):
    terminal = Misbehaving()
    world = armed_world(terminal)
    really = world.gateway._desk.claim_next

    def claim_and_halt(epoch, now):
        claimed = really(epoch, now)
        if claimed is not None and how == "file":
            (home / "KILL").touch()
        elif claimed is not None:
            Account.objects.update(trading_state=TradingState.HALTED)
        return claimed

    world.gateway._desk.claim_next = claim_and_halt
    world.run(until="09:31:30")
    [order] = world.orders()
    assert moves(order) == ["approved", "submitting", "expired"]
    assert order.end_reason == ("KILL_FILE" if how == "file" else "TRADING_STATE")
    assert terminal.calls("order_stock") == []


@pytest.mark.parametrize("how", ["file", "switch"])
def test_i10_a_halt_after_the_last_look_at_market_and_quote_holds_the_order_back(home, how):
    terminal = Misbehaving()
    world = armed_world(terminal)

    def halt_when_checked(point):
        if point == "gateway.checked" and how == "file":
            (home / "KILL").touch()
        elif point == "gateway.checked":
            Account.objects.update(trading_state=TradingState.HALTED)

    faults.arm(halt_when_checked)
    try:
        world.run(until="09:31:30")
    finally:
        faults.arm(None)
    [order] = world.orders()
    assert moves(order) == ["approved", "submitting", "expired"]
    assert terminal.calls("order_stock") == []


def test_cancels_go_out_while_the_file_is_there(home):
    terminal = Misbehaving()
    world = armed_world(terminal)
    world.at("09:31:05", lambda: (home / "KILL").touch())

    def everything():
        kill_switch.cancel_all(account(world), "enough", world.moment("09:31:10"), "wang")

    world.at("09:31:10", everything)
    world.run(until="09:31:30")
    assert world.orders()[0].state == "cancelled"
    assert len(terminal.calls("order_stock")) == 1
    assert len(terminal.calls("cancel_order_stock")) == 1


def test_a_file_that_was_there_only_while_the_database_was_away_counts_all_the_same(home):
    world = armed_world()
    world.run(until="09:30:20")
    desk, really = world.gateway._desk, world.gateway._desk.kill

    def away(name, now):
        raise DatabaseError("away")

    desk.kill = away
    (home / "KILL").touch()
    with pytest.raises(DatabaseError):
        world.gateway.step(world.moment("09:30:21"))
    (home / "KILL").unlink()
    desk.kill = really
    world.gateway.step(world.moment("09:30:22"))
    assert account(world).trading_state == TradingState.HALTED


@pytest.mark.parametrize("place", ["file/below", "file", "gone"])
def test_a_data_directory_that_cannot_be_read_or_is_gone_forbids_sending(home, settings, place):
    (home / "file").touch()
    settings.HOME = home / place
    assert kill_switch.kill_file("replay") == "KILL"


@pytest.mark.parametrize("state", [TradingState.HALTED, TradingState.REDUCING])
def test_a_switch_that_is_not_active_says_so_at_the_open_and_every_half_hour_of_trading(
    home, state
):
    world = World(symbols=[STOCK])
    at = world.moment("09:20:00")
    set_trading_state(world.account.pk, state, Text("enough", "够了"), at, actor="wang")
    times = [
        *("09:21:00", "09:45:00", "09:51:00", "10:20:00", "10:22:00"),
        *("12:00:00", "13:00:01", "14:58:00", "15:20:00"),
        *(
            world.moment("09:30:01") + timedelta(days=1),
            world.moment("09:59:00") + timedelta(days=1),
        ),
    ]
    for clock in times:
        sync_tick(world.account.pk, world.moment(clock), world.store, world.calendar)

    said = world.events(code=f"TRADING_STILL_{state.name}")
    assert [f"{event.at.astimezone(CHINA):%d %H:%M}" for event in said] == [
        "01 09:51", "01 10:22", "01 13:00", "02 09:30",
    ]  # fmt: skip
    assert all("enough" in event.text_en for event in said)

    set_trading_state(world.account.pk, TradingState.ACTIVE, Text("go", "恢复"), at, actor="wang")
    sync_tick(world.account.pk, world.moment("11:00:00"), world.store, world.calendar)
    assert world.events(code=f"TRADING_STILL_{state.name}") == said


# --- the command and the page -------------------------------------------------------------------------------------


@pytest.fixture
def one(db, home):
    return Account.objects.create(name="one", broker_account_id="1")


def state_of(row):
    row.refresh_from_db()
    return row.trading_state


def halt(*arguments):
    out = StringIO()
    call_command("halt", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("names", [["one"], []])
def test_the_command_halts_reduces_and_resumes_with_a_reason(one, names):
    for option, state in ((None, "halted"), ("--reduce", "reducing"), ("--resume", "active")):
        halt(*names, *filter(None, [option]), "--why", "a test")
        assert state_of(one) == state
    reasons = list(one.events.order_by("pk").values_list("code", "text_en", "actor"))
    assert [code for code, _, _ in reasons] == [
        "TRADING_HALTED", "TRADING_REDUCING", "TRADING_ACTIVE",
    ]  # fmt: skip
    assert {text for _, text, _ in reasons} == {"a test"}
    assert all(actor != "system" for _, _, actor in reasons)


def test_the_command_cancels_everything(one):
    assert "0" in halt("one", "--cancel-all", "--why", "enough")
    assert one.events.get(code="CANCEL_ALL").detail["orders"] == 0


def test_the_command_needs_a_reason_and_an_account_there_is(one):
    for arguments in (["one"], ["nobody", "--why", "x"], ["one", "--why", " "]):
        with pytest.raises(CommandError):
            halt(*arguments)
    assert state_of(one) == "active"


def test_nothing_resumes_while_the_file_is_there(one, home):
    halt("one", "--why", "storm")
    (home / "KILL").touch()
    with pytest.raises(CommandError, match="remove it first"):
        halt("one", "--resume", "--why", "over")
    assert state_of(one) == "halted"
    (home / "KILL").unlink()
    halt("one", "--resume", "--why", "over")
    assert state_of(one) == "active"


@pytest.mark.parametrize(("names", "file"), [(["one"], "KILL-one"), ([], "KILL")])
def test_without_a_database_the_command_leaves_the_file(home, monkeypatch, names, file):
    def away(**where):
        raise DatabaseError("away")

    monkeypatch.setattr(Account.objects, "filter", away)
    assert file in halt(*names, "--why", "storm")
    assert (home / file).read_text(encoding="utf-8") == "storm\n"
    with pytest.raises(CommandError):
        halt(*names, "--resume", "--why", "over")


def test_cancel_all_reaches_every_working_order_also_the_unknown_one(home):
    # One sale rests, one was swallowed: it is cancelled as soon as it is known to be there, if ever.
    world = falling(swallowed(), holdings=((STOCK, 1000, "10.00"), (OTHER, 1000, "10.00")))

    def everything():
        assert (
            kill_switch.cancel_all(account(world), "enough", world.moment("09:31:20"), "wang") == 2
        )

    world.at("09:31:20", everything)
    world.run(until="09:31:40")
    lost, resting = world.orders(symbol=STOCK)[0], world.orders(symbol=OTHER)[0]
    assert (resting.state, resting.cancelled_by_person) == ("cancelled", True)
    assert (lost.state, lost.cancel_reason) == ("unknown", "CANCEL_ALL")
    assert lost.cancel_wanted_at is not None
    assert account(world).trading_state == TradingState.ACTIVE
    assert "EXITS_PAUSED" in codes(world)
    assert len(at_broker(world)) == 1


def test_the_page_cancels_everything_and_does_not_resume_over_the_file(
    one, home, django_user_model
):
    boss = client_of(django_user_model.objects.create_superuser("boss", password="x"))
    act(boss, Account, "cancel_all", one, why="enough")
    assert one.events.filter(code="CANCEL_ALL", actor="boss").count() == 1
    act(boss, Account, "halt", one, why="storm")
    (home / "KILL-one").touch()
    response = act(boss, Account, "resume", one, why="over")
    assert "remove it first" in response.content.decode()
    assert state_of(one) == "halted"


# --- automatic trips ----------------------------------------------------------------------------------------------


def losing(world, total_before):
    """The account was worth more at the previous close."""
    Account.objects.filter(pk=world.account.pk).update(
        previous_total=Decimal(total_before), previous_total_on=None
    )
    world._record_total = lambda *_: None  # what a replay finds out for itself


@pytest.mark.parametrize(("before", "state"), [("1060000", "active"), ("1064300", "reducing")])
def test_the_days_loss_stops_buying_and_sales_go_on(before, state):
    world = falling(book={})
    losing(
        world, before
    )  # 1,010,000 now, 1,009,200 and less after the fall: 5 % of 1,064,300 is lost
    world.run(until="09:31:30")
    assert account(world).trading_state == state
    assert world.orders()[0].state == "filled"


def test_who_resumes_after_the_loss_is_not_overruled_the_same_day():
    world = falling(book={})
    losing(world, "1100000")

    def resume():
        now = world.moment("09:31:20")
        kill_switch.switch(account(world), TradingState.ACTIVE, "I know", now, "wang")

    world.at("09:31:20", resume)
    wish(world, "09:31:30", OTHER, Side.BUY, 100)
    world.run(until="09:32:00")
    assert account(world).trading_state == TradingState.ACTIVE
    assert codes(world).count("TRADING_REDUCING") == 1


def test_i15_orders_of_a_higher_epoch_than_the_lease_halt_trading():
    world = falling()
    world.run(until="09:31:05")
    GatewayLease.objects.update(epoch=0)  # as after a restore from a copy
    Order.objects.update(epoch=5)
    restart(world)
    world.gateway.step(world.moment("09:31:06"))
    assert account(world).trading_state == TradingState.HALTED
    assert GatewayLease.objects.get().epoch == 6


def test_no_reason_no_switch(one):
    with pytest.raises(CorrectionError):
        kill_switch.switch(one, TradingState.HALTED, " ", one.snapshot_at, "wang")
