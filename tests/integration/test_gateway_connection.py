"""The gateway and a terminal that dies in silence, hangs, comes late, or has lost what it should push."""

from __future__ import annotations

import itertools
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest

from tests.integration.scenes import FELL, STOCK, account, codes, falling
from tests.misbehaving import Misbehaving, lost, pushes
from tests.redis_servers import ROOT
from tests.world import World
from trading.broker.gateway import Gateway
from trading.broker.qmt import QmtBroker
from trading.management.commands.gateway import CONNECTING
from trading.management.watchdog import EXIT_CODE
from trading.models import Account, TradingConfig
from trading.paper import xttrader, xttype
from trading.services.accounts import fee_schedule
from trading.services.desk import AccountDesk
from trading.services.gateway_lease import END_AFTER

pytestmark = [
    pytest.mark.orders,
    pytest.mark.unattended,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]


def connects_of(world: World) -> list[float]:
    """Note when the gateway connects, in seconds since the day began; filled while the world runs."""
    seen: list[float] = []
    really, begins = world._broker.connect, world.moment("09:14:50")

    def connect(now):
        seen.append((now - begins).total_seconds())
        really(now)

    world._broker.connect = connect  # type: ignore[method-assign]
    return seen


def statuses_at(world: World, *clocks: str) -> dict[str, tuple[str, str]]:
    """What the account's row says of its gateway at these seconds; filled while the world runs."""
    said: dict[str, tuple[str, str]] = {}

    def note(clock: str) -> None:
        row = account(world)
        said[clock] = row.gateway_status, row.gateway_reason["en"]

    for clock in clocks:
        world.at(clock, partial(note, clock))
    return said


def test_f118_a_terminal_that_dies_without_a_word_is_noticed_though_its_quotes_still_answer():
    def dead(now):
        return world.moment("09:31:10") <= now < world.moment("09:32:30")

    terminal = Misbehaving(back=lambda message, now: () if dead(now) else None)
    world = falling(terminal, until="09:35:00", settings={"sell_order_timeout": "3600"})
    connects = connects_of(world)
    said = statuses_at(world, "09:31:10", "09:31:27", "09:33:30")
    world.run(until="09:33:30")
    assert said["09:31:10"][0] == "armed"
    assert said["09:31:27"] == ("observing", "the terminal has not answered for 15 s")
    assert len(connects) >= 2  # not a word for 30 s: connected anew
    assert said["09:33:30"] == ("armed", "armed")
    assert world.orders()[0].state == "submitted"


def test_f121_a_terminal_that_is_not_there_before_the_opening_is_said_and_asked_until_it_is():
    world = falling(settings={"sell_monitor_enabled": "false"})
    world.terminal.logged_in = False
    world.at("09:20:00", lambda: setattr(world.terminal, "logged_in", True))
    connects = connects_of(world)
    said = statuses_at(world, "09:15:30", "09:19:59", "09:21:30")
    world.run(until="09:21:30")
    for clock in ("09:15:30", "09:19:59"):
        status, reason = said[clock]
        assert status == "observing"
        assert reason.startswith("no connection (connect returned -1: ")
    assert said["09:21:30"] == ("armed", "armed")
    waits = [later - one for one, later in itertools.pairwise(connects)]
    assert waits[:6] == [2, 4, 8, 16, 30, 60]
    assert max(waits) == 60


def test_f122_holdings_shown_as_none_are_no_reason_to_connect_anew():
    empty = ("query_stock_positions", "query_stock_orders")

    def shown(request, truth):
        bad = world.moment("09:31:10") <= world.exchange.now < world.moment("09:31:50")
        return [] if bad and request["op"] in empty else truth

    world = falling(Misbehaving(shown=shown), settings={"sell_order_timeout": "600"})
    connects = connects_of(world)
    said = statuses_at(world, "09:31:45", "09:32:00")
    world.run(until="09:32:00")
    assert said["09:31:45"][0] == "observing"  # nothing is sent on such a picture
    assert said["09:32:00"] == ("armed", "armed")
    assert len(connects) == 1
    assert world.position(STOCK).quantity == 1000


def test_f123_one_account_that_waits_for_its_terminal_does_not_hold_up_another():
    world = falling()
    number = "8800000002"
    world.exchange.open_account(number, Decimal(100_000), fee_schedule(world.account))
    other = Account.objects.create(name="other", broker_account_id=number, mode="demo")
    TradingConfig.objects.create(account=other)
    now = world.moment("09:20:00")
    gateways = []
    for row, address, session in (
        (world.account, "memory://nobody", 100),
        (other, world._address, 101),
    ):
        broker = QmtBroker(xttrader, xttype, address, session, row.broker_account_id)
        gateways.append(Gateway(broker, AccountDesk(row.pk, world.store, world.calendar)))
    seen = []
    for _ in range(40):
        for gateway in gateways:
            gateway.step(now)
        world.terminal.step(now)
        seen.append(tuple(gateway.status.value for gateway in gateways))
        now += timedelta(seconds=1)
    assert {waiting for waiting, _ in seen} == {"observing"}
    assert gateways[0].reason.en.endswith("next attempt in 30 s")
    assert {working for _, working in seen[10:]} == {"armed"}


# --- pushes -------------------------------------------------------------------------------------


def test_f119_pushes_that_do_not_come_are_told_once_and_the_fills_are_booked_from_queries():
    terminal = Misbehaving(back=lost(pushes("stock_order", "stock_trade")))
    world = falling(terminal, book={})
    world.run(until="09:32:30")
    [order] = world.orders()
    assert (order.state, order.filled_quantity) == ("filled", 1000)
    [event] = [event for event in world.events() if event.code == "PUSHES_DEAD"]
    assert event.level == "alarm"
    assert event.at - world.moment(FELL) <= timedelta(seconds=20)


def test_f119_a_terminal_that_pushes_is_not_accused():
    world = falling(book={})
    world.run(until="09:32:30")
    assert world.orders()[0].state == "filled"
    assert codes(world, "PUSHES_DEAD") == []


# --- calls that never return --------------------------------------------------------------------

HANGS = """
import sys, time
from datetime import UTC, datetime
from types import SimpleNamespace
from trading.broker.qmt import QmtBroker
from trading.management.watchdog import Watchdog

class Trader:
    def __init__(self, *_): pass
    def register_callback(self, _): pass
    def start(self): pass
    def connect(self): return self.called("connect")
    def subscribe(self, _): return self.called("subscribe")
    def stop(self): return self.called("stop")
    def called(self, name):
        if name == sys.argv[1]:
            time.sleep(60)
        return 0

library = SimpleNamespace(XtQuantTrader=Trader, XtQuantTraderCallback=object)
broker = QmtBroker(library, SimpleNamespace(StockAccount=str), "userdata_mini", 1, "1")
Watchdog(lambda: 0.5, time.monotonic).start()
broker.connect(datetime.now(UTC))
print("connected", flush=True)
broker.close()
"""


@pytest.mark.parametrize(
    ("call", "said"),
    [
        pytest.param("connect", b"", id="f116"),
        pytest.param("subscribe", b"", id="f119"),
        pytest.param("stop", b"connected", id="f115"),
    ],
)
def test_f115_f116_a_call_of_the_library_that_never_returns_ends_its_process(call, said):
    done = subprocess.run(
        [sys.executable, "-c", HANGS, call], cwd=ROOT, timeout=30, capture_output=True
    )
    assert (done.returncode, done.stdout.strip()) == (EXIT_CODE, said), done.stderr


def test_f116_only_while_it_connects_may_a_gateway_take_longer():
    assert END_AFTER.total_seconds() < 10
    assert CONNECTING <= 30
    world = falling()
    seen = []
    really = world._broker.connect

    def connect(now):
        seen.append(world.gateway.connecting)
        really(now)

    world._broker.connect = connect
    world.terminal.logged_in = False
    world.gateway.step(world.moment("09:20:00"))
    world.terminal.logged_in = True
    world.gateway.step(world.moment("09:20:10"))
    assert seen == [True, True]
    assert world.gateway.connecting is False


def test_a_market_clock_that_is_set_back_does_not_delay_the_next_attempt():
    # A gateway that is there first counts in real time; a simulated terminal then sets the market's clock to its morning.
    world = falling()
    world.terminal.logged_in = False
    connects = connects_of(world)
    world.gateway.step(world.moment("12:17:13"))
    world.gateway.step(world.moment("12:17:14"))
    assert len(connects) == 1  # it waits
    world.gateway.step(world.moment("09:29:50"))
    assert len(connects) == 2
