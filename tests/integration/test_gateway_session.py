"""A live account's session of the vendor's library: a login that goes and comes, a session that is over."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.integration.scenes import STOCK, account, codes, falling
from tests.integration.test_gateway_connection import connects_of, statuses_at
from tests.misbehaving import Misbehaving, lost, pushes
from tests.world import World
from trading.broker.gateway import GIVE_UP_AFTER, Gateway
from trading.broker.qmt import QmtBroker
from trading.management.commands.gateway import _userdata
from trading.paper import xtconstant, xttrader, xttype
from trading.replay.engine import BROKER_ACCOUNT
from trading.services.desk import AccountDesk

pytestmark = [
    pytest.mark.orders,
    pytest.mark.unattended,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]


def live(world: World) -> Gateway:
    """A gateway of the kind a live account has, over the world's terminal."""
    world.terminal.release_session(100)
    broker = QmtBroker(xttrader, xttype, world._address, 110, BROKER_ACCOUNT)
    desk = AccountDesk(world.account.pk, world.store, world.calendar)
    return Gateway(broker, desk, one_session=True)


def run(world: World, gateway: Gateway, since: str, seconds: int) -> None:
    now = world.moment(since)
    for _ in range(seconds):
        world.terminal.step(now)
        gateway.step(now)
        now += timedelta(seconds=1)


@pytest.mark.parametrize(
    "status",
    [xtconstant.ACCOUNT_STATUS_CORRECTING, xtconstant.ACCOUNT_STATUS_CLOSED],
)
def test_an_account_that_is_not_in_order_stops_sending_and_comes_back_on_the_same_session(status):
    world = falling(settings={"sell_monitor_enabled": "false"})
    number = world.account.broker_account_id

    def becomes(what):
        return lambda: world.terminal.set_account_status(number, what)

    world.at("09:30:20", becomes(status))
    world.at("09:32:00", becomes(xtconstant.ACCOUNT_STATUS_OK))
    connects = connects_of(world)
    said = statuses_at(world, "09:30:15", "09:30:22", "09:31:50", "09:32:30")
    world.run(until="09:32:30")
    assert said["09:30:15"] == ("armed", "armed")
    assert said["09:30:22"][0] == "observing"
    assert said["09:30:22"][1].startswith(f"account status {status}: ")
    assert said["09:31:50"][0] == "observing"  # the stop fell at 09:31:00, and waited
    assert said["09:32:30"] == ("armed", "armed")
    assert len(connects) == 1
    assert [order.state for order in world.orders()][-1] == "submitted"


def test_the_status_of_another_account_at_the_same_client_is_none_of_ours():
    world = falling()
    gateway = live(world)
    run(world, gateway, "09:20:00", 15)
    row = {"account_id": "8800000009", "account_type": 2, "status": 3}
    world.terminal.tell(BROKER_ACCOUNT, {"push": "account_status", "row": row})
    run(world, gateway, "09:20:15", 2)
    assert gateway.status.value == "armed"


def test_a_lost_connection_ends_the_session_and_nothing_is_done_any_more():
    world = falling()
    gateway = live(world)
    run(world, gateway, "09:20:00", 15)
    assert gateway.status.value == "armed"
    world.terminal.close()
    run(world, gateway, "09:20:15", 60)
    assert gateway.over is not None
    assert gateway.over.en == "disconnected"
    assert gateway.status.value == "observing"
    gateway.close(world.moment("09:22:00"))
    assert account(world).gateway_reason["en"] == "disconnected"
    again = live(world)  # as the supervisor starts the next process
    run(world, again, "09:22:10", 8)
    assert (again.status.value, again.over) == ("armed", None)


def test_a_terminal_that_refuses_again_and_again_is_left_to_a_new_process():
    world = falling()
    world.terminal.logged_in = False
    gateway = live(world)
    tried = connects = 0
    really = gateway._broker.connect

    def connect(now):
        nonlocal connects
        connects += 1
        really(now)

    gateway._broker.connect = connect
    now = world.moment("09:20:00")
    while gateway.over is None and tried < 1000:
        gateway.step(now)
        now += timedelta(seconds=1)
        tried += 1
    assert connects == GIVE_UP_AFTER
    assert tried > 300  # with growing waits
    assert "connect returned -1" in gateway.over.en


def test_a_folder_that_is_none_is_the_gateways_reason_until_it_is_put_right(tmp_path):
    world = falling()
    world.terminal.release_session(100)
    asked = []

    def path() -> str:
        asked.append(_userdata)
        return _userdata(str(tmp_path / "userdata_mini")) if len(asked) < 3 else world._address

    broker = QmtBroker(xttrader, xttype, path, 110, BROKER_ACCOUNT)
    gateway = Gateway(broker, AccountDesk(world.account.pk, world.store, world.calendar))
    run(world, gateway, "09:20:00", 2)
    said = account(world).gateway_reason
    assert "There is no folder" in said["en"]
    assert "不存在" in said["zh"]
    run(world, gateway, "09:20:02", 30)
    assert gateway.status.value == "armed"


def test_the_session_of_yesterday_is_over_before_the_open():
    world = falling()
    gateway = live(world)
    run(world, gateway, "08:49:40", 19)
    assert (gateway.status.value, gateway.over) == ("armed", None)
    run(world, gateway, "08:50:00", 1)
    assert gateway.over.en == "a new session for the day"
    fresh = live(world)
    run(world, fresh, "08:50:05", 60)
    assert (fresh.status.value, fresh.over) == ("armed", None)


def test_f119_an_order_that_is_not_pushed_says_that_pushes_are_dead_before_any_fill():
    terminal = Misbehaving(back=lost(pushes("stock_order")))
    world = falling(terminal, settings={"sell_order_timeout": "3600"})  # nobody buys
    world.run(until="09:32:00")
    [order] = world.orders()
    assert (order.symbol, order.filled_quantity) == (STOCK, 0)
    assert len(codes(world, "PUSHES_DEAD")) == 1
