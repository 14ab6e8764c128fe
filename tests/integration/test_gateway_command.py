"""What the gateway's process does around its gateway: its commands refuse plainly, its ticks step in, its clock agrees."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from miniqmt.schedule import SCHEDULE
from tests.redis_servers import embedded_redis, wait_until
from trading.domain.calendar import MarketPhase
from trading.domain.types import CHINA, AccountMode, GatewayStatus, Symbol
from trading.management.gateway_loop import BUSY, IDLE, GatewayLoop, Protection, TickWatch
from trading.management.one_instance import (
    MARKET_DATA_LOCK,
    SIGN_EVERY,
    Alive,
    SignsOfLife,
    gateway_lock,
    one_instance,
)
from trading.management.quote_line import SILENT, QuoteLine
from trading.management.quote_sources import QuoteSources
from trading.management.simulated_time import SimulatedTime
from trading.management.waiting import StopSignal
from trading.market_data.store import MemoryQuoteStore
from trading.models import Account, Event, MarketClock, TradingConfig
from trading.services import leases
from trading.services.calendar import load_calendar
from trading.services.clock import DEMO, market_time, read_clocks, set_clock
from trading.services.nudges import NudgeListener, Nudger
from trading.services.runner import ORDERS, TICKS, TickSpec

pytestmark = [
    pytest.mark.system,
    pytest.mark.unattended,
    pytest.mark.django_db,
    pytest.mark.usefixtures("connection_kept"),
]

REAL = datetime(2026, 11, 20, 22, 0, tzinfo=CHINA)
MARKET = datetime(2026, 11, 20, 10, 0, tzinfo=CHINA)


def an_account(**fields: object) -> Account:
    account = Account.objects.create(
        **{"name": "demo", "broker_account_id": "8800000001", "mode": "demo", **fields}
    )
    TradingConfig.objects.create(account=account)
    return account


# -- the commands


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "another"}, "no account named 'demo'"),
        ({"mode": "shadow"}, "mode shadow have no gateway"),
        pytest.param(
            {"mode": "live"},
            "runs on Windows only",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="there it runs"),
        ),
    ],
)
def test_f161_a_gateway_that_cannot_be_is_refused_and_never_takes_the_twin_instead(
    fields, says, settings, tmp_path
):
    settings.HOME = tmp_path
    an_account(**fields)
    with pytest.raises(CommandError, match=says) as refused:
        call_command("gateway", "demo")
    assert len(str(refused.value).splitlines()) == 1


def test_an_account_has_one_gateway(settings, tmp_path):
    settings.HOME = tmp_path
    account = an_account()
    with (
        one_instance(tmp_path / gateway_lock(account.pk)),
        pytest.raises(CommandError, match="already running"),
    ):
        call_command("gateway", "demo")


def test_quotes_are_read_by_one_process(settings, tmp_path):
    settings.HOME = tmp_path
    with (
        one_instance(tmp_path / MARKET_DATA_LOCK),
        pytest.raises(CommandError, match="already running"),
    ):
        call_command("market_data")


def test_a_holder_that_goes_on_shows_it_on_its_lock_and_one_that_hangs_does_not(tmp_path):
    second = [0.0]
    with one_instance(tmp_path / "lock"):
        alive, signs = Alive(tmp_path / "lock", lambda: second[0]), SignsOfLife(tmp_path / "lock")
        signs()
        assert not signs()
        alive()
        assert signs()
        alive()  # at once again: not written
        assert not signs()
        second[0] += SIGN_EVERY
        alive()
        assert signs()


def test_a_message_of_a_tick_is_of_no_use_any_more_when_the_next_one_comes():
    assert set(SCHEDULE) >= set(TICKS)
    for name, entry in SCHEDULE.items():
        assert entry["options"]["expire_seconds"] < entry["schedule"].total_seconds(), name
    assert {name: entry["schedule"] for name, entry in SCHEDULE.items() if name in TICKS} == {
        name: spec.period for name, spec in TICKS.items()
    }


# -- the protective pass


def at(second: float) -> datetime:
    return REAL + timedelta(seconds=second)


def test_a_tick_is_missing_when_nobody_started_it_for_two_periods():
    watch = TickWatch(ORDERS)
    started = at(0)
    for second in (0.0, 2.0, 4.0):
        watch.look(started, second)
        assert not watch.is_missing
    watch.look(started, 4.1)
    assert watch.is_missing
    watch.ran_here(at(4), 4.1)
    watch.look(at(4), 5.0)
    assert watch.is_missing  # that was us
    watch.look(at(6), 6.0)
    assert not watch.is_missing


def test_a_step_of_the_systems_clock_does_not_make_a_tick_look_present_or_missing():
    watch = TickWatch(ORDERS)
    watch.look(at(3600), 0.0)  # started "in the future"
    watch.look(at(3600), 4.1)
    assert watch.is_missing
    watch.look(at(0), 5.0)  # the clock was set back, and the worker runs
    assert not watch.is_missing


def test_a_tick_nobody_needs_is_not_missing():
    watch = TickWatch(ORDERS)
    watch.look(None, 0.0)
    watch.forget()
    watch.look(None, 100.0)
    assert not watch.is_missing


class Scene:
    """An account whose ticks are counted, with real and monotonic time in the test's hand."""

    def __init__(self) -> None:
        self.account = an_account()
        set_clock(DEMO, REAL, MARKET)
        self.second = 0.0
        self.ran: list[float] = []
        self.nudges = 0
        spec = TickSpec("orders", timedelta(seconds=2), self._tick, lambda phase, now: True)
        self.lease = f"orders:{self.account.pk}"
        self.protection = Protection(
            self.account.pk,
            MemoryQuoteStore(),
            self._nudge,
            self.real,
            lambda: self.second,
            [spec],
        )

    def _tick(self, *_: object) -> None:
        self.ran.append(self.second)

    def _nudge(self) -> None:
        self.nudges += 1

    def real(self) -> datetime:
        return at(self.second)

    def play(self, seconds: int, *, worker: bool, phase: float = 0.0) -> None:
        """Let seconds pass; a worker claims the tick every two seconds, `phase` seconds after the even ones."""
        for _ in range(4 * seconds):
            self.second += 0.25
            if worker and self.second % 2 == phase:
                leases.claim(self.lease, timedelta(seconds=2), self.real())
            if self.second % 1 == 0:
                self.protection.step(at(self.second - 12 * 3600), MarketPhase.MORNING)

    def codes(self) -> list[str]:
        return list(Event.objects.order_by("pk").values_list("code", flat=True))


@pytest.mark.usefixtures("calendar")
def test_while_the_worker_is_away_the_gateway_runs_its_ticks_and_says_so_once():
    scene = Scene()
    scene.play(20, worker=True)
    assert (scene.ran, scene.codes()) == ([], [])
    scene.play(20, worker=False)
    assert scene.ran[0] <= 26
    gaps = {later - earlier for earlier, later in itertools.pairwise(scene.ran)}
    assert gaps == {3.0}
    assert scene.codes() == ["PROTECTIVE_PASS"]
    before = len(scene.ran)
    scene.play(10, worker=True)
    assert len(scene.ran) <= before + 1
    assert scene.codes() == ["PROTECTIVE_PASS", "PROTECTIVE_PASS_OVER"]
    scene.play(10, worker=False)
    assert scene.codes()[2:] == ["PROTECTIVE_PASS"]


@pytest.mark.usefixtures("calendar")
@pytest.mark.parametrize("phase", [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75])
def test_a_worker_that_is_back_gets_its_turn_within_two_periods(phase):
    # The lease gives a tick to one of both: a gateway that always came first would never let go.
    scene = Scene()
    scene.play(10, worker=False)
    assert scene.codes() == ["PROTECTIVE_PASS"]
    scene.play(5, worker=True, phase=phase)
    assert scene.codes() == ["PROTECTIVE_PASS", "PROTECTIVE_PASS_OVER"]
    before = len(scene.ran)
    scene.play(20, worker=True, phase=phase)
    assert len(scene.ran) == before


@pytest.mark.usefixtures("calendar")
@pytest.mark.parametrize("status", [GatewayStatus.ARMED, GatewayStatus.OBSERVING])
def test_only_an_armed_gateway_stands_in_for_the_worker(status):
    scene = Scene()
    gateway = StandIn(status)
    loop = GatewayLoop(scene.account.pk, gateway, scene.protection, load_calendar(), scene.real)
    waits = set()
    for _ in range(10):
        scene.second += 1
        waits.add(loop.cycle())
    assert bool(scene.ran) == (status is GatewayStatus.ARMED)
    assert waits == {BUSY}
    scene.second += 8 * 3600  # in the evening
    assert loop.cycle() == IDLE
    Account.objects.update(enabled=False)
    steps = gateway.steps
    assert loop.cycle() == IDLE
    assert gateway.steps == steps


class StandIn:
    """A gateway that only counts its steps."""

    def __init__(self, status: GatewayStatus) -> None:
        self.status, self.steps = status, 0

    def nudge(self) -> None: ...

    def step(self, now: datetime) -> bool:
        self.steps += 1
        return False


# -- nudges and waiting


def test_a_nudge_arrives_and_a_redis_that_is_gone_is_no_trouble(tmp_path):
    woken = threading.Event()
    with embedded_redis(tmp_path) as server:
        listener = NudgeListener(server.url, 7, woken.set)
        listener.start()
        wait_until(woken.is_set)  # it has subscribed
        woken.clear()
        nudge = Nudger(server.url)
        nudge(8)
        assert not woken.wait(0.2)
        nudge(7)
        assert woken.wait(2)
    nudge(7)
    listener.stop()
    Nudger("")(7)


@pytest.mark.skipif(sys.platform == "win32", reason="no process can signal itself there")
def test_waiting_ends_with_a_wake_and_with_a_signal():
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        stop = StopSignal()
        assert not stop.wait(0.01)
        stop.wake()
        stop.wake()
        assert stop.wait(10)
        assert not stop.wait(0.01)  # two calls, one wake
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
        assert not stop.wait(10)
        assert stop.asked()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# -- the clock


@pytest.mark.usefixtures("calendar")
def test_the_terminal_and_everybody_else_have_the_same_market_time():
    real = [timezone.now()]
    clock = SimulatedTime(load_calendar(), lambda: real[0])
    clock.begin(MARKET, Decimal(5), afresh=True)
    real[0] += timedelta(seconds=10)
    assert clock() == MARKET + timedelta(seconds=50) == market_time(AccountMode.DEMO, real[0])


@pytest.mark.usefixtures("calendar")
def test_after_the_books_closed_the_row_goes_on_in_the_next_session():
    real = [REAL]
    SimulatedTime(load_calendar(), lambda: real[0]).begin(MARKET, Decimal(1), afresh=True)
    real[0] += timedelta(hours=5, minutes=36, seconds=7)
    clock = SimulatedTime(load_calendar(), lambda: real[0])
    following = datetime(2026, 11, 23, 9, 29, 57, tzinfo=CHINA)
    assert clock() == following == market_time(AccountMode.DEMO, real[0])


@pytest.mark.usefixtures("calendar")
@pytest.mark.parametrize(
    ("away", "afresh", "then"),
    [
        (timedelta(minutes=5), False, MARKET + timedelta(minutes=5)),
        (timedelta(minutes=5), True, MARKET),
        (timedelta(days=30), False, MARKET),
    ],
)
def test_a_terminal_that_comes_back_goes_on_with_the_clock_that_still_runs(away, afresh, then):
    real = [REAL]
    SimulatedTime(load_calendar(), lambda: real[0]).begin(MARKET, Decimal(1), afresh=True)
    real[0] += away
    clock = SimulatedTime(load_calendar(), lambda: real[0])
    clock.begin(MARKET, Decimal(1), afresh=afresh)
    assert clock() == then


@pytest.mark.usefixtures("calendar")
def test_market_time_never_goes_back():
    real = [REAL]
    clock = SimulatedTime(load_calendar(), lambda: real[0])
    clock.begin(MARKET, Decimal(1), afresh=True)
    first = clock()
    real[0] -= timedelta(hours=1)
    assert clock() == first
    assert read_clocks()[DEMO].base_market == MARKET
    assert MarketClock.objects.count() == 1


# -- the line to the quotes


ONE, OTHER = Symbol("600036.SH"), Symbol("600000.SH")


class Terminal:
    """Lines that open or not; every one remembers what was subscribed on it."""

    def __init__(self) -> None:
        self.is_there = True
        self.lines: list[OneLine] = []

    def open(self) -> OneLine:
        if not self.is_there:
            raise ConnectionError("nobody there")
        self.lines.append(OneLine())
        return self.lines[-1]


class OneLine:
    def __init__(self) -> None:
        self.is_open = True
        self.codes: list[str] = []

    def subscribe_whole_quote(self, code_list, callback):
        self.codes += code_list
        return 1

    def get_full_tick(self, code_list):
        return {}

    def close(self) -> None:
        self.is_open = False


def sources_over(open_line) -> QuoteSources:
    return QuoteSources(QuoteLine(open_line), MemoryQuoteStore())


def test_a_lost_line_is_opened_again_and_everything_subscribed_on_it():
    terminal = Terminal()
    line = sources_over(terminal.open)
    line.step([ONE], MARKET, 0.0, trading=False)
    line.step([ONE, OTHER], MARKET, 1.0, trading=False)
    assert terminal.lines[0].codes == [ONE, OTHER]
    terminal.lines[0].is_open = terminal.is_there = False
    assert line.step([ONE], MARKET, 2.0, trading=False) == 0
    assert line.problem == "nobody there"
    terminal.is_there = True
    line.step([ONE, OTHER], MARKET, 4.0, trading=False)
    assert terminal.lines[1].codes == [OTHER, ONE]
    assert line.problem == ""
    line.close()
    assert not terminal.lines[1].is_open


def test_f110_a_terminal_that_does_not_let_us_in_is_left_alone_for_a_while_not_asked_at_every_step():
    terminal = Terminal()
    terminal.is_there = False
    asked = []

    def open_line():
        asked.append(at)
        return terminal.open()

    line = sources_over(open_line)
    for at in (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.5, 4.0):
        assert line.step([ONE, OTHER], MARKET, at, trading=True) == 0
    assert asked == [0.0, 2.0, 4.0]
    assert line.problem == "nobody there"


def test_a_line_that_is_silent_while_the_exchange_trades_is_opened_anew():
    terminal = Terminal()
    line = sources_over(terminal.open)
    line.step([ONE], MARKET, 0.0, trading=False)
    line.step([ONE], MARKET, 1000.0, trading=False)
    line.step([ONE], MARKET, 1000.0 + SILENT, trading=True)
    assert len(terminal.lines) == 1
    line.step([ONE], MARKET, 1001.0 + SILENT, trading=True)
    assert len(terminal.lines) == 2
