"""The doctor: each planted fault is found with its remedy, a sound installation has none, and nothing stops the look."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from monitoring.doctor.examine import at_once, examine, in_time
from monitoring.doctor.machine import python_of
from monitoring.doctor.running import redis_of
from monitoring.doctor.signs import Up, up_state
from monitoring.doctor.table import CHECKS
from monitoring.doctor.values import Case, Check, Diagnosis, Severity, exit_code, ok
from monitoring.processes import only_instance
from monitoring.run_file import read_run_file
from tests.database_files import changed
from tests.integration.ill_house import (
    FAIL,
    FAULTS,
    WARN,
    House,
    database_damaged,
    task_paused,
    up_hangs,
    wrong,
)
from tests.redis_servers import embedded_redis
from trading.domain.types import Text

pytestmark = [pytest.mark.system, pytest.mark.unattended]

#: What `--fix` may do; everything else is a person's.
SAFE = {
    *("FOLDER_MISSING", "FILE_OPEN", "RUN_FILE_STALE"),
    *("DRAFTS_LEFT", "TASK_MISSING", "TASK_DIFFERS"),
}


@pytest.fixture
def house(home, settings) -> House:
    return House(home, settings)


def test_a_sound_installation_has_nothing_wrong(house):
    found = house.look()
    assert wrong(found) == []
    assert exit_code(found) == 0
    assert {one.check for one in found} == {check.name for check in CHECKS}


def skip_what_windows_does_not_check(code):
    if os.name == "nt" and code == "FILE_OPEN":
        pytest.skip("rights are the folder's there")


@pytest.mark.parametrize("code", FAULTS)
def test_a_planted_fault_is_found_with_its_remedy_in_both_languages(house, monkeypatch, code):
    skip_what_windows_does_not_check(code)
    monkeypatch.setattr(sys, "path", sys.path[:])
    plant, severity, remedy = FAULTS[code]
    plant(house)

    found = house.look()

    faults = {one.code: one for one in wrong(found)}
    assert code in faults, [(one.code, one.text.en) for one in found]
    one = faults[code]
    assert one.severity is severity
    assert (one.fix is not None) is (code in SAFE)
    assert one.remedy is not None
    assert remedy in one.remedy.en
    assert any("\u4e00" <= letter <= "\u9fff" for letter in one.text.zh + one.remedy.zh)
    assert not [said for said in faults if said.endswith("_BROKE")]
    assert exit_code(found) >= (2 if severity is FAIL else 1)


@pytest.mark.parametrize(
    ("version", "is_64_bit", "codes"),
    [
        ((3, 10), True, ["PYTHON_VERSION"]),
        ((3, 14), True, ["PYTHON_VERSION"]),
        ((3, 11), False, ["PYTHON_32_BIT"]),
        ((3, 11), True, ["PYTHON"]),
        ((3, 13), True, ["PYTHON"]),
    ],
)
def test_a_python_that_is_not_tested_is_a_failure(version, is_64_bit, codes):
    assert [one.code for one in python_of(version, is_64_bit)] == codes


@pytest.mark.parametrize(
    ("version", "code"),
    [("5.0.14", "REDIS_OLD"), ("6.0.16", "REDIS_OLD"), ("6.2.0", "REDIS"), ("7.4.1", "REDIS")],
)
def test_a_redis_before_6_2_is_too_old(version, code):
    assert redis_of(version).code == code


def test_the_embedded_redis_will_do_and_a_wrong_password_is_told_apart(house):
    with embedded_redis(house.home) as server:
        house.settings.REDIS_URL = server.url
        assert "REDIS" in [one.code for one in house.look()]
        house.settings.REDIS_URL = server.url.replace("for-tests-only", "another")
        assert "REDIS_PASSWORD" in [one.code for one in wrong(house.look())]


def test_a_port_of_another_program_is_told_while_nothing_runs(house):
    (house.home / "run.json").unlink()
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            line.bind(("127.0.0.1", 5555))
            line.listen()
        except OSError:
            pass  # somebody has it already: so much the better
        assert "PORT_TAKEN" in [one.code for one in wrong(house.look())]


def test_an_up_that_holds_its_lock_and_looks_after_nothing_hangs(house):
    with only_instance(house.home / "up.lock"):
        up_hangs(house)
        assert "UP_HANGS" in [one.code for one in wrong(house.look())]


@pytest.mark.parametrize(
    ("free", "severity"), [(150_000_000, FAIL), (900_000_000, WARN), (5_000_000_000, Severity.OK)]
)
def test_a_disk_that_fills_up_is_told_in_time(house, monkeypatch, free, severity):
    usage = shutil.disk_usage(house.home)._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    assert [one.severity for one in house.look() if one.check == "disk"] == [severity]


@pytest.mark.parametrize(
    ("off", "code"), [(0.0, "CLOCK_OFFSET"), (60.0, "CLOCK_OFF"), (-60.0, "CLOCK_OFF")]
)
def test_a_time_server_says_how_far_the_clock_is_off(house, off, code):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        line.settimeout(10)

        def answer() -> None:
            _, whom = line.recvfrom(256)
            at = time.time() + 2_208_988_800 - off
            moment = struct.pack("!II", int(at), int(at % 1 * 2**32))
            line.sendto(b"\x24\x01" + 30 * b"\0" + moment + moment, whom)

        server = threading.Thread(target=answer)
        server.start()
        found = house.look(f"127.0.0.1:{line.getsockname()[1]}")
        server.join(10)
    [said] = [one for one in found if one.code == code]
    assert said.severity is (FAIL if code == "CLOCK_OFF" else Severity.OK)


def test_a_time_server_that_does_not_answer_is_not_checked(house):
    [said] = [one for one in house.look("127.0.0.1:1") if one.code == "CLOCK_OFFSET"]
    assert said.severity is Severity.NOT_CHECKED


@pytest.mark.skipif(os.name == "nt", reason="rights of files are POSIX's")
@pytest.mark.parametrize(
    ("line", "is_told"),
    [
        ("DATABASE_URL=postgres://me:x@db/x", True),
        ("DJANGO_SECRET_KEY=abc", True),
        ("LOG_LEVEL=INFO", False),
        ("# DJANGO_SECRET_KEY=abc", False),
        ("DJANGO_SECRET_KEY=", False),
    ],
)
def test_variables_that_others_can_read_matter_when_one_of_them_is_a_secret(house, line, is_told):
    path = house.project / ".env"
    path.write_text(f"{line}\n", encoding="utf-8")
    path.chmod(0o644)
    assert ("FILE_OPEN" in [one.code for one in wrong(house.look())]) is is_told


# --- what is put right ---


@pytest.mark.parametrize("code", sorted(SAFE))
def test_what_is_safe_is_put_right(house, code):
    skip_what_windows_does_not_check(code)
    FAULTS[code][0](house)
    house.fix(code)
    assert code not in [one.code for one in wrong(house.look())]


def test_f160_a_run_file_of_a_dead_up_is_told_and_put_right_and_holds_nobody_up(house):
    up_hangs(house)  # the file names a process, and nobody holds the lock: the system freed it
    assert up_state(house.home, house.now) is Up.NONE
    with only_instance(house.home / "up.lock"):
        pass  # the next one starts whatever the file says
    house.fix("RUN_FILE_STALE")
    assert "processes" not in read_run_file(house.home)


def test_a_task_that_is_written_again_stays_paused(house):
    task_paused(house)
    changed(
        house.home / "miniqmt.sqlite3",
        "UPDATE django_celery_beat_periodictask SET queue = 'other' WHERE name = 'strategy'",
    )
    house.fix("TASK_DIFFERS")
    codes = [one.code for one in wrong(house.look())]
    assert "TASK_DIFFERS" not in codes
    assert "TASK_PAUSED" in codes


# --- the look itself ---


def test_a_check_that_raises_is_a_diagnosis_and_the_others_go_on():
    def breaks(case: Case) -> list[Diagnosis]:
        raise ZeroDivisionError("planted")

    title = Text("planted", "植入")
    checks = [
        Check("broken", title, breaks),
        Check("next", title, lambda case: [ok("NEXT", "fine", "正常")]),
    ]
    case = Case(Path(), Path(), timezone.now())
    for ask in (at_once, in_time):
        found = list(examine(case, checks, ask))
        assert [(one.check, one.code) for one in found] == [
            ("broken", "BROKEN_BROKE"),
            ("next", "NEXT"),
        ]
        assert "planted" in found[0].text.en


def test_a_check_that_hangs_is_left_at_its_deadline_and_the_others_go_on():
    over = threading.Event()

    def hangs(case: Case) -> list[Diagnosis]:
        over.wait(30)
        return []

    title = Text("planted", "植入")
    checks = [
        Check("hung", title, hangs, deadline=0.05),
        Check("next", title, lambda case: [ok("NEXT", "fine", "正常")]),
    ]
    found = list(examine(Case(Path(), Path(), timezone.now()), checks))
    over.set()
    assert [one.code for one in found] == ["HUNG_SLOW", "NEXT"]


def test_what_is_looked_at_late_is_judged_by_the_time_it_is_then():
    # On a slow machine the first checks take half a minute; quotes are not from the future because of that.
    began = timezone.now()
    times = iter([began, began + timedelta(seconds=30)])
    seen = []
    checks = [
        Check(name, Text(name, name), lambda case: seen.append(case.now) or []) for name in "ab"
    ]
    list(examine(Case(Path(), Path(), began), checks, at_once, lambda: next(times)))
    assert seen == [began, began + timedelta(seconds=30)]


def test_a_database_that_is_away_is_one_failure_and_the_rest_is_not_checked(house):
    database_damaged(house)
    found = house.look()
    assert [one.code for one in wrong(found)] == ["DATABASE_DAMAGED"]
    silent = {one.check for one in found if one.severity is Severity.NOT_CHECKED}
    assert {"migrations", "calendar", "schedule", "protection"} <= silent
