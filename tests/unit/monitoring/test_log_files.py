"""The log files: JSON a line, no secret, repetitions counted, begun anew by size and age, and never anybody's trouble."""

from __future__ import annotations

import gc
import json
import logging
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.contextvars import bound_contextvars

from monitoring import log_files
from monitoring.log_files import JsonLines, configuration, opened, process_name

pytestmark = [pytest.mark.fast, pytest.mark.unattended]

SECRET = "planted-secret"


class Clock:
    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


class Desk:
    """A logger with one file; `lines` reads it back."""

    def __init__(self, folder: Path) -> None:
        self.path, self.clock = folder / "worker.jsonl", Clock()
        self.log = logging.Logger("trading.test")  # noqa: LOG001 - nobody else hears it
        self.handler = JsonLines(self.path, "worker", {SECRET}, self.clock)
        self.log.addHandler(self.handler)

    def lines(self) -> list[dict[str, Any]]:
        text = self.path.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def say(self, text: str, *args: object, at: float | None = None) -> None:
        record = self.log.makeRecord("trading.test", logging.WARNING, "", 0, text, args, None)
        record.created = self.clock.now if at is None else at
        self.log.handle(record)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.handler.close()


def test_a_line_says_when_how_loud_who_and_what_with_every_number_bound_to_its_task(desk):
    with bound_contextvars(tick="1f0c", task="trading.strategy"):
        desk.log.addHandler(console := logging.StreamHandler())
        console.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        desk.log.handlers.reverse()  # the console first: what it leaves on the record is not ours
        desk.log.warning("委托 %s", "abc", extra={"order": "abc", "signal": 12})
    [line] = desk.lines()
    assert set(line) == {
        *("at", "level", "process", "logger", "event", "tick", "task", "order", "signal")
    }
    assert line["at"].endswith("Z")
    assert {name: line[name] for name in ("level", "process", "logger", "event")} == {
        "level": "warning",
        "process": "worker",
        "logger": "trading.test",
        "event": "委托 abc",
    }
    assert (line["tick"], line["task"], line["order"], line["signal"]) == (
        "1f0c",
        "trading.strategy",
        "abc",
        12,
    )


def test_a_traceback_is_one_line(desk):
    try:
        raise ZeroDivisionError("planted")
    except ZeroDivisionError:
        desk.log.exception("it failed")
    [line] = desk.lines()
    assert "ZeroDivisionError: planted" in line["exception"]
    assert line["event"] == "it failed"


@pytest.mark.parametrize(
    "say",
    [
        lambda log: log.warning("key %s", SECRET),
        lambda log: log.warning("password=%s", "planted-other"),
        lambda log: log.warning("x", extra={"api_token": "planted-other"}),
        lambda log: log.warning("x", extra={"detail": {"url": f"https://hc-ping.com/{SECRET}"}}),
        lambda log: log.error(
            "x", exc_info=(ValueError, ValueError(f"redis://:{SECRET}@h:1/0"), None)
        ),
    ],
)
def test_no_secret_is_written_down(desk, say: Callable[[logging.Logger], None]):
    say(desk.log)
    assert "planted" not in desk.path.read_text(encoding="utf-8")
    assert len(desk.lines()) == 1


def test_a_line_that_is_repeated_is_counted_and_told_when_another_minute_begins(desk):
    for second in range(38):
        desk.say("the terminal does not answer", at=desk.clock.now + second)
    desk.say("something else", at=desk.clock.now + 70)
    told = [line["event"] for line in desk.lines()]
    assert told == [
        "the terminal does not answer",
        "repeated 37 times: the terminal does not answer",
        "something else",
    ]
    assert desk.lines()[1]["repeated"] == 37


def test_two_lines_that_take_turns_are_counted_apart_and_told_at_the_end(desk):
    for _ in range(10):
        desk.say("one")
        desk.say("two")
    desk.handler.close()
    assert [line["event"] for line in desk.lines()] == [
        *("one", "two", "repeated 9 times: one", "repeated 9 times: two")
    ]


def test_a_thousand_different_lines_are_all_written_and_few_are_remembered(desk):
    for number in range(1000):
        desk.say("line %d", number)
    assert len(desk.lines()) == 1000
    assert len(desk.handler._repeats._seen) <= log_files.REMEMBERED


def test_a_traceback_that_was_written_keeps_nothing_alive(desk):
    class Large:
        pass

    def fails() -> weakref.ref[Large]:
        large = Large()
        try:
            raise ValueError("planted")
        except ValueError:
            desk.log.exception("it failed")
        return weakref.ref(large)

    kept = fails()
    gc.collect()
    assert kept() is None


def test_a_file_is_begun_anew_by_its_size_and_old_ones_go(desk, monkeypatch):
    desk.handler.maxBytes, desk.handler.backupCount = 2000, 3
    for number in range(200):
        desk.say("line %d", number)
    kept = sorted(path.name for path in desk.path.parent.glob("worker.jsonl*"))
    assert kept == [
        "worker.jsonl",
        *(f"worker.jsonl.{n}" for n in (1, 2, 3)),
        "worker.jsonl.begun",
    ]
    assert all(path.stat().st_size < 2400 for path in desk.path.parent.glob("worker.jsonl*"))
    assert desk.lines()[-1]["event"] == "line 199"


def test_a_file_is_begun_anew_when_it_is_a_day_old_also_after_a_restart(desk, tmp_path):
    desk.say("yesterday")
    desk.handler.close()
    later = JsonLines(desk.path, "worker", (), desk.clock)
    desk.clock.now += log_files.SECONDS + 1
    desk.log.handlers = [later]
    desk.say("today")
    later.close()
    assert [line["event"] for line in desk.lines()] == ["today"]
    assert "yesterday" in (tmp_path / "worker.jsonl.1").read_text(encoding="utf-8")


def test_a_file_somebody_has_open_on_windows_goes_on_and_is_begun_anew_later(desk, monkeypatch):
    def refuses(self: Path, _target: object) -> Path:
        raise PermissionError(32, "used by another process")

    desk.handler.maxBytes = 300
    with monkeypatch.context() as windows:
        windows.setattr("os.rename", refuses)
        for number in range(20):
            desk.say("line %d", number)
        assert len(desk.lines()) == 20
    desk.clock.now += log_files.TRY_AGAIN
    desk.say("now it can be")
    assert len(desk.lines()) == 1


def test_a_file_that_can_never_be_begun_anew_does_not_grow_for_ever(desk, monkeypatch, capsys):
    def refuses(_source: object, _target: object) -> None:
        raise PermissionError(32, "used by another process")

    monkeypatch.setattr("os.rename", refuses)
    monkeypatch.setattr(log_files, "MOST_BYTES", 3000)
    desk.handler.maxBytes = 300
    for number in range(100):
        desk.say("line %d", number)
    assert desk.path.stat().st_size < 3500
    assert capsys.readouterr().err.count("cannot be written") == 1


class Full:
    """A disk without room, as the system reports it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def test_f126_a_full_disk_is_told_once_and_who_logs_goes_on(desk, monkeypatch, capsys):
    desk.say("before")
    with monkeypatch.context() as full:
        real = JsonLines._open
        full.setattr(JsonLines, "_open", lambda self: Full(real(self)))
        desk.handler.stream = Full(desk.handler.stream)
        for number in range(50):
            desk.say("lost %d", number)
    told = capsys.readouterr().err
    assert told.count("trading goes on") == 1
    assert "交易继续" in told
    desk.say("after")
    assert desk.path.read_text(encoding="utf-8").splitlines()[-1].count('"after"') == 1
    desk.handler.stream = Full(desk.handler.stream)
    desk.say("lost again")
    assert capsys.readouterr().err.count("trading goes on") == 1


def test_a_folder_nothing_can_be_written_to_is_told_once_and_who_logs_goes_on(tmp_path, capsys):
    (tmp_path / "logs").write_text("a file where the folder should be", encoding="utf-8")
    handler = opened(tmp_path, "worker", ())
    log = logging.Logger("trading.test")  # noqa: LOG001 - nobody else hears it
    log.addHandler(handler)
    for number in range(20):
        log.warning("line %d", number)
    handler.close()
    assert capsys.readouterr().err.count("trading goes on") == 1


def test_f126_a_line_whose_arguments_do_not_fit_is_left_out_and_the_next_is_written(desk, capsys):
    desk.log.warning("price %.2f", None)
    desk.log.warning("after it")
    assert [line["event"] for line in desk.lines()] == ["after it"]
    assert "ERROR logs" in capsys.readouterr().err


def test_a_second_process_of_the_same_name_has_a_file_of_its_own(tmp_path):
    first, second = opened(tmp_path, "worker", ()), opened(tmp_path, "worker", ())
    assert Path(first.baseFilename).name == "worker.jsonl"
    assert Path(second.baseFilename).name == "worker-2.jsonl"
    log_files._held.close()


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["/v/celery/__main__.py", "-A", "miniqmt", "worker", "--pool=threads"], "worker"),
        ([r"celery.exe", "-A", "miniqmt", "beat"], "beat"),
        (["/v/celery/__main__.py", "-A", "miniqmt", "flower"], ""),
        (["/v/uvicorn/__main__.py", "miniqmt.asgi:application"], "web"),
        (["/v/miniqmt/web.py", "--port", "8000"], "web"),
        (["manage.py", "runserver"], "web"),
        (["/v/django/__main__.py", "gateway", "实盘/1"], "gateway-实盘_1"),
        (["manage.py", "market_data"], "market_data"),
        (["manage.py", "paper_terminal", "--source", "demo"], "paper_terminal"),
        (["manage.py", "replay", "day.csv"], ""),
        (["manage.py", "doctor"], ""),
        (["-c"], ""),
        ([], ""),
    ],
)
def test_who_runs_all_day_has_a_file_and_nobody_else(argv, name):
    assert process_name(argv) == name


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR"])
def test_the_console_shows_what_it_is_asked_to_and_the_file_never_less_than_warnings(
    tmp_path, level
):
    made = configuration(tmp_path, ["manage.py", "market_data"], level, ())
    levels = logging.getLevelNamesMapping()
    assert made["handlers"]["stderr"]["level"] == level
    assert levels[made["root"]["level"]] <= logging.WARNING
    assert levels[made["loggers"]["trading"]["level"]] <= logging.INFO
    assert "file" not in configuration(tmp_path, ["manage.py", "check"], level, ())["handlers"]
    assert sys.stderr is made["handlers"]["stderr"]["stream"]
