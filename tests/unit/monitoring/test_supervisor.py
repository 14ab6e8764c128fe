"""The supervisor keeps its processes running, in order, and stops them in order. Time is given; children are real."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from monitoring.child_log import console
from monitoring.child_process import NICER, spawn
from monitoring.restarts import MOST, REFILL, Restarts
from monitoring.supervisor import (
    BACKOFF,
    CALM_AT_STOP,
    PROVED,
    ProcessSpec,
    ProcessStatus,
    StartError,
    State,
    Supervisor,
)
from monitoring.weight import LIVES
from tests.stack import is_there
from trading.management.progress import Answers, mark

pytestmark = [pytest.mark.system, pytest.mark.unattended]

WALL = datetime(2026, 7, 6, tzinfo=UTC)
WAITS = "import sys; sys.stdin.read()"  # its end is how Windows asks
ENDS = "raise SystemExit(3)"
DEAF = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: None)
getattr(signal, "SIGBREAK", None) and signal.signal(signal.SIGBREAK, lambda *_: None)
print("ERROR deaf now", flush=True)
time.sleep(60)
"""


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def supervise(tmp_path, clock):
    """Give a function that makes a supervisor; whatever it started is ended with the test."""
    made = []

    def make(*specs, **options):
        supervisor = Supervisor(
            specs,
            tmp_path / "logs",
            monotonic=clock,
            **{"wall": lambda: WALL} | options,
        )
        made.append(supervisor)
        return supervisor

    yield make
    for supervisor in made:
        supervisor.stop()


def child(name, code=WAITS, **options):
    return ProcessSpec(name, [sys.executable, "-c", code], **options)


def status(supervisor, name):
    return next(status for status in supervisor.statuses() if status.name == name)


def step_until(supervisor, condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while True:
        supervisor.step()
        if condition():
            return
        assert time.monotonic() < deadline, supervisor.statuses()
        time.sleep(0.01)


def is_in(supervisor, name, state):
    return lambda: status(supervisor, name).state is state


def test_processes_start_in_order_each_when_the_one_before_is_ready(supervise):
    is_ready: list[bool] = []
    supervisor = supervise(child("redis", ready=lambda: bool(is_ready)), child("worker"))
    supervisor.step()
    assert [status.state for status in supervisor.statuses()] == [State.STARTING, State.WAITING]
    is_ready.append(True)
    step_until(supervisor, is_in(supervisor, "worker", State.RUNNING))
    assert status(supervisor, "redis").state is State.RUNNING


def test_a_process_that_is_slow_to_get_ready_does_not_hold_up_the_others(supervise, clock):
    supervisor = supervise(child("web", ready=lambda: False, ready_within=20), child("worker"))
    supervisor.step()
    clock.now += 20
    supervisor.step()
    assert status(supervisor, "worker").pid is not None


@pytest.mark.parametrize(
    "options", [{"ready": lambda: False}, {"code": ENDS, "ready": lambda: False}]
)
def test_without_an_essential_process_nothing_starts(supervise, clock, options):
    supervisor = supervise(child("redis", essential=True, **options), child("worker"))

    def later():
        clock.now += 20

    with pytest.raises(StartError, match="redis"):
        step_until(supervisor, later)
    assert status(supervisor, "worker").state is State.WAITING


def test_a_process_that_was_killed_is_back_within_a_second(supervise, clock):
    supervisor = supervise(child("worker"))
    step_until(supervisor, is_in(supervisor, "worker", State.RUNNING))
    first = status(supervisor, "worker")
    supervisor._children[0].process.kill()
    step_until(supervisor, is_in(supervisor, "worker", State.BACKING_OFF))
    clock.now += 1
    step_until(supervisor, is_in(supervisor, "worker", State.RUNNING))
    now = status(supervisor, "worker")
    assert now.pid != first.pid
    assert (now.restarts, now.last_exit is not None and now.last_exit != 0) == (1, True)


def test_a_process_that_ends_at_once_is_tried_less_and_less_often(supervise, clock):
    supervisor = supervise(child("beat", ENDS))
    waited = []
    for _ in range(6):
        step_until(supervisor, is_in(supervisor, "beat", State.BACKING_OFF))
        due = supervisor._children[0].start_at
        waited.append(due - clock.now)
        clock.now = due - 0.01
        supervisor.step()
        assert status(supervisor, "beat").pid is None
        clock.now = due
        supervisor.step()
    assert waited == [pytest.approx(seconds) for seconds in BACKOFF[:6]]
    assert waited[4] <= 5  # killed five times in a row, it has another five seconds to start in
    assert BACKOFF[-1] == 30
    assert status(supervisor, "beat").last_exit == 3


def test_how_long_a_process_waits_counts_from_its_last_start(supervise, clock):
    # Killed again and again, but each time after it had run: nothing is gained by keeping it away.
    supervisor = supervise(child("worker"))
    for _ in range(5):
        step_until(supervisor, is_in(supervisor, "worker", State.RUNNING))
        clock.now += 5
        supervisor._children[0].process.kill()
        step_until(supervisor, is_in(supervisor, "worker", State.BACKING_OFF))
        assert supervisor._children[0].start_at - clock.now == pytest.approx(BACKOFF[0])
        clock.now += 1


def test_one_that_had_run_for_a_minute_starts_quickly_again(supervise, clock):
    supervisor = supervise(child("beat"))
    for _ in range(3):
        step_until(supervisor, is_in(supervisor, "beat", State.RUNNING))
        clock.now += PROVED
        supervisor._children[0].process.kill()
        step_until(supervisor, is_in(supervisor, "beat", State.BACKING_OFF))
        assert supervisor._children[0].start_at - clock.now == pytest.approx(BACKOFF[0])
        clock.now += 1


def test_a_program_that_is_not_there_is_tried_again_and_the_others_run(supervise):
    supervisor = supervise(ProcessSpec("flower", ["/no/such/program"]), child("worker"))
    step_until(supervisor, is_in(supervisor, "worker", State.RUNNING))
    assert status(supervisor, "flower").state is State.BACKING_OFF


def test_f131_a_process_without_a_heartbeat_is_killed_and_starts_again(supervise, clock):
    beats = [True]
    supervisor = supervise(
        child("gateway", alive=lambda: beats[0], alive_every=5, alive_within=30)
    )
    step_until(supervisor, is_in(supervisor, "gateway", State.RUNNING))
    clock.now += 5
    supervisor.step()
    beats[0] = False
    for _ in range(5):
        clock.now += 5
        supervisor.step()
    assert status(supervisor, "gateway").restarts == 0
    clock.now += 5
    step_until(supervisor, is_in(supervisor, "gateway", State.BACKING_OFF))


def hang(supervisor, clock, name, every=5.0):
    """Let nothing be heard of a process until it was killed and runs again; returns the seconds it took."""
    first, began = status(supervisor, name), clock.now
    while status(supervisor, name).restarts == first.restarts:
        clock.now += every
        supervisor.step()
        time.sleep(0.02)  # until a killed one is gone
        assert clock.now - began < 200
    step_until(supervisor, is_in(supervisor, name, State.RUNNING))
    return clock.now - began


def test_f124_a_process_that_was_started_again_is_watched_like_the_first(supervise, clock):
    # The question is about the work, not about the process it was asked of first.
    beats = [True]
    supervisor = supervise(child("worker", alive=lambda: beats[0], alive_every=5, alive_within=30))
    step_until(supervisor, is_in(supervisor, "worker", State.RUNNING))
    beats[0] = False
    seen = set()
    for _ in range(3):
        seen.add(status(supervisor, "worker").pid)
        assert 30 <= hang(supervisor, clock, "worker") <= 45
    assert len(seen) == 3
    now = status(supervisor, "worker")
    assert (now.restarts, now.hung) == (3, True)


def test_a_process_that_ended_by_itself_is_not_said_to_have_hung(supervise, clock):
    supervisor = supervise(child("worker", alive=lambda: True))
    step_until(supervisor, is_in(supervisor, "worker", State.RUNNING))
    supervisor._children[0].process.kill()
    step_until(supervisor, is_in(supervisor, "worker", State.BACKING_OFF))
    assert not status(supervisor, "worker").hung


def test_a_machine_that_slept_kills_nobody_when_it_wakes(supervise, clock):
    shown = []
    supervisor = supervise(
        child("gateway", alive=lambda: False, alive_every=5, alive_within=30),
        show=lambda name, line: shown.append(line),
    )
    step_until(supervisor, is_in(supervisor, "gateway", State.RUNNING))
    for seconds in (5, 8 * 3600, 5):
        clock.now += seconds
        supervisor.step()
    assert [line for line in shown if "killed" in line] == []


def clock_steps(supervisor, clock, seconds, every=5.0):
    """Let time pass for the supervisor."""
    until = clock.now + seconds
    while clock.now < until:
        clock.now += every
        supervisor.step()


def leak(supervisor, clock, name):
    """Let a process live for ten minutes, and then wait until its successor runs."""
    first = status(supervisor, name)
    clock_steps(supervisor, clock, LIVES)
    hang(supervisor, clock, name, every=1.0)
    return first, status(supervisor, name)


def test_a_process_that_holds_too_much_memory_is_ended_in_order_and_says_so(supervise, clock):
    lines = []
    supervisor = supervise(
        child("worker", ceiling=600 << 20),
        child("web", ceiling=700 << 20),
        weigh=lambda _pid: 650 << 20,
        show=lambda name, line: lines.append((name, line)),
    )
    step_until(supervisor, is_in(supervisor, "web", State.RUNNING))
    before, after = leak(supervisor, clock, "worker")
    assert before.pid != after.pid
    assert (after.restarts, after.heavy, after.hung) == (1, 650, False)
    assert ("worker", "holds 650 MB, more than 600: ends and starts again") in lines
    assert status(supervisor, "web").restarts == 0
    clock_steps(supervisor, clock, LIVES / 2)  # heavy from its start on: not yet again
    assert status(supervisor, "worker").pid == after.pid


def test_a_heavy_process_that_does_not_listen_is_killed(supervise, clock):
    lines = []
    supervisor = supervise(
        child("worker", DEAF, ceiling=1, stop_within=0.2),
        weigh=lambda _pid: 2 << 20,
        show=lambda name, line: lines.append(line),
    )
    step_until(supervisor, lambda: any("deaf" in line for line in lines))
    _, after = leak(supervisor, clock, "worker")
    assert (after.restarts, after.heavy) == (1, 2)


@pytest.mark.parametrize(("calms_down", "waits"), [(True, 10), (False, 60)])
def test_a_heavy_gateway_waits_for_its_orders_and_not_for_ever(
    supervise, clock, calms_down, waits
):
    is_calm: list[bool] = []
    supervisor = supervise(
        child("gateway", ceiling=1, calm=lambda: bool(is_calm)), weigh=lambda _pid: 2 << 20
    )
    step_until(supervisor, is_in(supervisor, "gateway", State.RUNNING))
    first = status(supervisor, "gateway").pid
    clock_steps(supervisor, clock, LIVES + 10)
    assert status(supervisor, "gateway").pid == first
    if calms_down:
        is_calm.append(True)
    began = clock.now
    while supervisor._children[0].heavy == 0:
        clock.now += 2
        supervisor.step()
        assert clock.now - began <= waits
    step_until(supervisor, is_in(supervisor, "gateway", State.BACKING_OFF))


# --- the budget ---------------------------------------------------------------------------------


def spend(restarts, name):
    while not restarts.take(name, WALL):
        pass


def test_a_process_over_its_budget_stays_down_loudly_until_it_may_start_again(supervise, clock):
    restarts, lines, now = Restarts(), [], [WALL]
    spend(restarts, "beat")
    supervisor = supervise(
        child("beat", ENDS),
        child("web"),
        restarts=restarts,
        wall=lambda: now[0],
        show=lambda name, line: lines.append((name, line)),
    )
    step_until(supervisor, is_in(supervisor, "beat", State.BACKING_OFF))
    clock.now += 1
    step_until(supervisor, is_in(supervisor, "beat", State.HELD_BACK))
    held = status(supervisor, "beat")
    assert (held.restarts, held.due) == (0, WALL + REFILL)
    assert [name for name, line in lines if "ended too often" in line] == ["beat"]
    assert status(supervisor, "web").state is not State.HELD_BACK
    clock.now += REFILL.total_seconds() - 1
    supervisor.step()
    assert status(supervisor, "beat").state is State.HELD_BACK
    clock.now += 1
    now[0] += REFILL
    step_until(supervisor, is_in(supervisor, "beat", State.BACKING_OFF))
    assert (status(supervisor, "beat").restarts, status(supervisor, "beat").due) == (1, None)


def test_an_up_that_is_started_again_in_a_loop_goes_on_with_the_budget_it_had(supervise, tmp_path):
    first = Restarts(tmp_path / "restarts.json")
    first.begin()
    spend(first, "worker")
    supervisor = supervise(
        child("redis", essential=True),
        child("worker"),
        child("web"),
        restarts=Restarts(tmp_path / "restarts.json"),
    )
    step_until(supervisor, is_in(supervisor, "web", State.RUNNING))
    assert status(supervisor, "worker").state is State.HELD_BACK
    assert status(supervisor, "redis").state is State.RUNNING
    again = Restarts(tmp_path / "restarts.json")
    # Its start after a crash is one of those it has; of what nothing works without, none is counted.
    assert (again.left("web", WALL), again.left("redis", WALL)) == (MOST - 1, MOST)


def test_a_process_without_a_restart_left_may_be_as_heavy_as_it_likes(supervise, clock):
    restarts = Restarts()
    spend(restarts, "worker")
    supervisor = supervise(
        child("worker", ceiling=1), weigh=lambda _pid: 2 << 20, restarts=restarts
    )
    step_until(supervisor, is_in(supervisor, "worker", State.RUNNING))
    first = status(supervisor, "worker").pid
    clock_steps(supervisor, clock, 2 * LIVES)
    assert status(supervisor, "worker").pid == first


@pytest.mark.parametrize(
    ("story", "answers"),
    [
        ("", True),  # nobody asked: nothing to finish
        ("ask", False),
        ("ask finish", True),
        ("ask finish look ask", False),
        ("ask look look look", False),  # it does not forget
        ("ask look finish", True),
        ("ask look ask finish look", True),
    ],
)
def test_f131_who_is_asked_and_finishes_nothing_does_not_answer(tmp_path, story, answers):
    asked, finished = tmp_path / "asked", tmp_path / "finished"
    alive = Answers(asked, finished)
    for place, word in enumerate(story.split()):
        if word == "look":
            alive()
        else:
            path = asked if word == "ask" else finished
            mark(path)
            moment = (place + 1) * 10**9
            os.utime(path, ns=(moment, moment))
    assert alive() is answers


def test_a_question_that_fails_is_no_answer(supervise):
    def broken():
        raise RuntimeError

    supervisor = supervise(child("redis", ready=broken))
    supervisor.step()
    assert status(supervisor, "redis").state is State.STARTING


def test_f127_everything_stops_in_the_reverse_order_and_a_stage_together(supervise):
    shown = []
    supervisor = supervise(
        child("redis", stage=0),
        child("gateway", stage=1),
        child("worker", stage=2),
        child("web", stage=2),
        show=lambda name, line: shown.append((name, line)),
    )
    step_until(supervisor, is_in(supervisor, "web", State.RUNNING))
    processes = [running.process for running in supervisor._children]
    supervisor.stop()
    assert [name for name, line in shown if line.startswith("stopped")] == [
        *("worker", "web", "gateway", "redis")
    ]
    assert all(process.poll() is not None for process in processes)
    assert {status.state for status in supervisor.statuses()} == {State.STOPPED}


@pytest.mark.parametrize(("answered", "told"), [(True, False), (False, True)])
def test_f127_a_gateway_stops_once_its_orders_are_answered_or_says_that_one_is_not(
    supervise, monkeypatch, answered, told
):
    monkeypatch.setattr("monitoring.supervisor.CALM_AT_STOP", 0.3)
    asked, lines = [], []

    def calm():
        asked.append(time.monotonic())
        return answered and len(asked) > 3

    supervisor = supervise(
        child("gateway", calm=calm, stage=1),
        child("web", stage=2),
        show=lambda name, line: lines.append((name, line)),
    )
    step_until(supervisor, is_in(supervisor, "web", State.RUNNING))
    supervisor.stop()
    stopped = [name for name, line in lines if line.startswith("stopped")]
    assert stopped == ["web", "gateway"]
    assert len(asked) > 3
    assert [name for name, line in lines if "something under way" in line] == ["gateway"] * told


def test_a_process_is_asked_its_own_way_and_killed_when_it_does_not_listen(supervise):
    asked, lines = [], []
    supervisor = supervise(
        child("worker", DEAF, stop=lambda: asked.append("shutdown"), stop_within=0.2),
        child("beat", DEAF, stop_within=0.2),
        show=lambda name, line: lines.append((name, line)),
    )
    step_until(supervisor, lambda: len([name for name, line in lines if "deaf" in line]) == 2)
    before = time.monotonic()
    supervisor.stop()
    assert asked == ["shutdown"]
    assert 0.4 <= time.monotonic() - before < 2
    assert ("beat", "did not stop in time: killed") in lines


def test_what_a_process_says_is_kept_and_the_important_lines_are_shown(supervise, tmp_path):
    shown = []
    code = "print('quiet line'); print('2026 WARNING trading 行情 stale', flush=True); " + WAITS
    supervisor = supervise(child("worker", code), show=lambda name, line: shown.append(line))
    step_until(supervisor, lambda: any("WARNING" in line for line in shown))
    supervisor.stop()
    assert "quiet line" not in shown
    log = (tmp_path / "logs" / "worker.log").read_text(encoding="utf-8")
    assert log.splitlines() == ["quiet line", "2026 WARNING trading 行情 stale"]


def test_f126_a_console_that_lacks_a_character_shows_the_rest():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="gbk")
    console(stream)("worker", "行情 🚀 ok")
    assert stream.buffer.getvalue().decode("gbk").strip() == "worker | 行情 ? ok"


def test_every_change_is_published_once(supervise):
    published: list[Sequence[ProcessStatus]] = []
    supervisor = supervise(child("worker"), publish=published.append)
    step_until(supervisor, is_in(supervisor, "worker", State.RUNNING))
    told = len(published)
    for _ in range(5):
        supervisor.step()
    assert len(published) == told
    row = published[-1][0].as_row()
    assert (row["name"], row["state"], row["restarts"]) == ("worker", "running", 0)
    assert row["since"] == "2026-07-06T00:00:00+00:00"


def test_a_full_disk_does_not_end_the_supervisor(supervise):
    def publish(_statuses):
        raise OSError("No space left on device")

    shown = []
    supervisor = supervise(
        child("worker"), publish=publish, show=lambda name, line: shown.append(line)
    )
    step_until(supervisor, is_in(supervisor, "worker", State.RUNNING))
    assert any("No space left" in line for line in shown)


@pytest.mark.skipif(os.name == "nt", reason="Windows has classes instead of numbers")
@pytest.mark.parametrize(("yields", "more"), [(False, 0), (True, NICER)])
def test_who_only_looks_comes_after_what_trades(yields, more):
    script = "import os, sys, time; sys.stdin.read(1); print(os.getpriority(os.PRIO_PROCESS, 0))"
    with spawn([sys.executable, "-c", script], {}, None, yields) as child:
        said, _ = child.communicate()
    assert int(said) == os.getpriority(os.PRIO_PROCESS, 0) + more


# -- which processes there are may change


def test_a_process_that_is_wanted_later_starts_and_one_that_is_not_any_more_ends(supervise):
    lines = []
    supervisor = supervise(
        child("gateway-a"), child("worker"), show=lambda *line: lines.append(line)
    )
    step_until(supervisor, is_in(supervisor, "worker", State.RUNNING))
    worker = status(supervisor, "worker").pid

    supervisor.keep("gateway-", [child("gateway-b"), child("gateway-c")])
    step_until(supervisor, is_in(supervisor, "gateway-c", State.RUNNING))
    step_until(supervisor, lambda: ("gateway-a", "is not wanted any more: stopped") in lines)

    assert [one.name for one in supervisor.statuses()] == ["worker", "gateway-b", "gateway-c"]
    assert status(supervisor, "worker").pid == worker
    assert status(supervisor, "gateway-b").restarts == 0


def test_what_is_wanted_as_before_goes_on(supervise):
    supervisor = supervise(child("gateway-a"))
    step_until(supervisor, is_in(supervisor, "gateway-a", State.RUNNING))
    pid = status(supervisor, "gateway-a").pid
    supervisor.keep("gateway-", [child("gateway-a"), child("gateway-b")])
    step_until(supervisor, is_in(supervisor, "gateway-b", State.RUNNING))
    assert status(supervisor, "gateway-a").pid == pid


def test_another_command_of_the_same_name_replaces_it(supervise):
    supervisor = supervise(child("gateway-a"))
    step_until(supervisor, is_in(supervisor, "gateway-a", State.RUNNING))
    pid = status(supervisor, "gateway-a").pid
    supervisor.keep("gateway-", [child("gateway-a", WAITS + "  # a shadow now")])
    step_until(supervisor, is_in(supervisor, "gateway-a", State.RUNNING))
    assert status(supervisor, "gateway-a").pid != pid


def test_one_that_is_not_wanted_ends_when_nothing_is_under_way_and_is_not_waited_for_long(
    supervise, clock
):
    supervisor = supervise(child("gateway-a", DEAF, calm=lambda: False, stop_within=5))
    step_until(supervisor, is_in(supervisor, "gateway-a", State.RUNNING))
    pid = status(supervisor, "gateway-a").pid
    supervisor.keep("gateway-", [])
    for _ in range(5):
        supervisor.step()
    assert is_there(pid)
    clock.now += CALM_AT_STOP  # asked, and deaf
    supervisor.step()
    clock.now += 5
    step_until(supervisor, lambda: not is_there(pid))


def test_a_stop_ends_what_is_just_leaving_too(supervise):
    supervisor = supervise(child("gateway-a", calm=lambda: False), child("worker"))
    step_until(supervisor, is_in(supervisor, "worker", State.RUNNING))
    pid = status(supervisor, "gateway-a").pid
    supervisor.keep("gateway-", [])
    supervisor.want_stop()
    supervisor.want_stop()
    supervisor.stop()
    assert not is_there(pid)
