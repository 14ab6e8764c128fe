"""Four real processes under a real supervisor: killed, stopped, and left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from monitoring.processes import AlreadyRunning, only_instance
from monitoring.run_file import read_run_file, redis_url, write_run_file
from tests.redis_servers import ROOT, wait_until
from tests.stack import is_there

pytestmark = [pytest.mark.system, pytest.mark.unattended]

NAMES = ("redis", "gateway", "worker", "web")

# The smallest `up`: it runs four children that do nothing and end with their parent.
UP = """
import sys, time
from datetime import datetime, UTC
from pathlib import Path
from monitoring.child_log import console
from monitoring.processes import AlreadyRunning, only_instance
from monitoring.run_file import write_run_file
from monitoring.supervisor import ProcessSpec, Supervisor

CHILD = '''
import sys, time
from monitoring.processes import exit_with_parent, on_stop_signals
exit_with_parent()
print("INFO up", flush=True)
time.sleep(120)
'''
home = Path(sys.argv[1])

def publish(statuses):
    rows = [status.as_row() for status in statuses]
    write_run_file(home, {"redis_url": "redis://:secret@127.0.0.1:1/0", "processes": rows})

try:
    with only_instance(home / "up.lock"):
        Supervisor(
            [ProcessSpec(name, [sys.executable, "-c", CHILD]) for name in sys.argv[2:]],
            home / "logs",
            wall=lambda: datetime.now(UTC),
            publish=publish,
            show=console(sys.stdout),
        ).run()
except AlreadyRunning as problem:
    sys.exit(f"already running: {problem}")
"""


@pytest.fixture
def up(tmp_path):
    processes = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", UP, str(tmp_path), *NAMES],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=10)


def pids(home):
    rows = read_run_file(home).get("processes", ())
    return {row["name"]: row["pid"] for row in rows if row["state"] == "running"}


def are_running(home):
    return lambda: len(pids(home)) == len(NAMES)


def test_f159_a_killed_process_is_back_within_two_seconds_and_a_stop_ends_all(up, tmp_path):
    supervisor = up()
    wait_until(are_running(tmp_path))
    before = pids(tmp_path)
    os.kill(before["worker"], getattr(signal, "SIGKILL", signal.SIGTERM))
    killed_at = time.monotonic()
    wait_until(lambda: pids(tmp_path).get("worker") not in (None, before["worker"]))
    assert time.monotonic() - killed_at < 2
    now = pids(tmp_path)
    assert {name: now[name] for name in NAMES if name != "worker"} == {
        name: before[name] for name in NAMES if name != "worker"
    }
    asked_at = time.monotonic()
    supervisor.terminate()
    assert supervisor.wait(10) == 0
    assert time.monotonic() - asked_at < 3
    wait_until(lambda: all(not is_there(pid) for pid in now.values()), 1)
    assert {row["state"] for row in read_run_file(tmp_path)["processes"]} == {"stopped"}
    assert "INFO up" in (tmp_path / "logs" / "web.log").read_text(encoding="utf-8")


def test_ctrl_c_ends_all(up, tmp_path):
    supervisor = up()
    wait_until(are_running(tmp_path))
    supervisor.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT))
    assert supervisor.wait(5) == 0


def test_a_stop_while_it_starts_leaves_nothing_behind(up, tmp_path):
    supervisor = up()
    wait_until(lambda: len(pids(tmp_path)) >= 1)
    supervisor.terminate()
    assert supervisor.wait(5) == 0
    assert pids(tmp_path) == {}


def test_f160_processes_whose_supervisor_was_killed_end_by_themselves(up, tmp_path):
    supervisor = up()
    wait_until(are_running(tmp_path))
    left = pids(tmp_path)
    supervisor.kill()
    wait_until(lambda: all(not is_there(pid) for pid in left.values()), 5)
    again = up()  # the lock went with the killed one
    wait_until(lambda: pids(tmp_path) != left and are_running(tmp_path)())
    assert again.poll() is None


def test_there_is_one_instance_a_data_directory(up, tmp_path):
    up()
    wait_until(are_running(tmp_path))
    second = up()
    assert second.wait(5) == 1
    assert b"already running" in second.stdout.read()
    with pytest.raises(AlreadyRunning), only_instance(tmp_path / "up.lock"):
        pass


# --- run.json -----------------------------------------------------------------------------------


def test_commands_find_the_embedded_redis(tmp_path):
    assert redis_url(tmp_path) == ""
    write_run_file(tmp_path, {"redis_url": "redis://:secret@127.0.0.1:7001/0", "web_port": 8000})
    assert redis_url(tmp_path) == "redis://:secret@127.0.0.1:7001/0"
    if os.name == "posix":
        assert (tmp_path / "run.json").stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"redis_url": 5}', "\x00"])
def test_a_run_file_that_cannot_be_read_names_no_redis(tmp_path, content):
    (tmp_path / "run.json").write_text(content, encoding="utf-8")
    assert redis_url(tmp_path) == ""


def test_settings_use_the_embedded_redis_unless_an_address_is_given(tmp_path):
    write_run_file(tmp_path, {"redis_url": "redis://:secret@127.0.0.1:7001/0"})
    code = (
        "import json\n"
        "from miniqmt import settings\n"
        "print(json.dumps([settings.REDIS_URL, settings.CELERY_BROKER_URL]))"
    )
    environment = {**os.environ, "MINIQMT_HOME": str(tmp_path), "MINIQMT_READ_DOTENV": "false"}
    environment.pop("REDIS_URL", None)
    found = []
    for given in ({}, {"REDIS_URL": "redis://127.0.0.1:7002/0"}):
        result = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**environment, **given},
            capture_output=True,
            encoding="utf-8",
        )
        found.append(json.loads(result.stdout))
    assert found == [["redis://:secret@127.0.0.1:7001/0"] * 2, ["redis://127.0.0.1:7002/0"] * 2]
