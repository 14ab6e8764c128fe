"""Starting by itself: what systemd and the Task Scheduler are given is what they document, in any folder, without secrets."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections import defaultdict
from io import StringIO
from pathlib import Path, PurePosixPath, PureWindowsPath
from xml.etree import ElementTree

import pytest
from django.core.management import CommandError, call_command

from monitoring.autostart import Place, systemd_unit, task_xml
from tests.redis_servers import ROOT, wait_until
from tests.stack import is_there

pytestmark = [pytest.mark.system, pytest.mark.unattended]

ODD = [
    "/srv/miniqmt",
    "/srv/my folder",
    "/srv/量化 交易",
    '/srv/a"b',
    "/srv/100%done",
    "/srv/$HOME x",
    "/srv/a\\b",
]


def unit(place: Place) -> dict[str, list[str]]:
    """The values of every setting of a unit, by its section and name."""
    section, found = "", defaultdict(list)
    for line in filter(None, systemd_unit(place).splitlines()):
        if line.startswith("["):
            section = line.strip("[]")
        else:
            key, _, value = line.partition("=")
            found[f"{section}.{key}"].append(value)
    return found


def read(word: str) -> str:
    """As systemd reads a word: quotes, backslashes, specifiers."""
    [one] = shlex.split(word)
    return one.replace("%%", "%")


@pytest.mark.parametrize("folder", ODD)
def test_the_unit_has_whatever_the_folders_are_called(folder):
    home, project = PurePosixPath(folder, "var"), PurePosixPath(folder)
    python = project / ".venv" / "bin" / "python"
    made = unit(Place(project, home, python, "me", ("--no-flower",)))
    [where] = made["Service.WorkingDirectory"]
    assert where.replace("%%", "%") == str(project)
    environment = [read(line) for line in made["Service.Environment"]]
    assert environment == [f"MINIQMT_HOME={home}", "PYTHONUTF8=1"]
    command = [
        word.replace("%%", "%").replace("$$", "$")
        for word in shlex.split(made["Service.ExecStart"][0])
    ]
    assert command == [str(python), str(project / "manage.py"), "up", "--no-flower"]
    assert made["Service.Restart"] == ["on-failure"]
    assert made["Service.KillSignal"] == ["SIGTERM"]
    assert made["Install.WantedBy"] == ["default.target"]


@pytest.mark.parametrize("folder", ["plain", "with space", "量化 交易", "100%"])
def test_systemd_itself_has_nothing_against_the_unit(tmp_path, folder):
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed: the unit was only parsed")
    project = tmp_path / folder
    project.mkdir()
    python = project / "python"
    python.symlink_to(sys.executable)
    path = tmp_path / "miniqmt.service"
    path.write_text(systemd_unit(Place(project, project, python, "me")), encoding="utf-8")
    done = subprocess.run(
        [program, "--user", "verify", str(path)],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        encoding="utf-8",
        timeout=30,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


# --- the Task Scheduler ---

SPACE = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
#: Elements as documented (Task Scheduler Schema 1.2), by the element they are in; in order where the schema has one.
ORDERED = {
    "Task": ["RegistrationInfo", "Triggers", "Principals", "Settings", "Data", "Actions"],
    "LogonTrigger": [
        *("Enabled", "StartBoundary", "EndBoundary", "Repetition", "ExecutionTimeLimit"),
        *("UserId", "Delay"),
    ],
    "Exec": ["Command", "Arguments", "WorkingDirectory"],
}
KNOWN = {
    "RegistrationInfo": {"URI", "Author", "Date", "Description", "Version", "Source"},
    "Triggers": {"LogonTrigger", "BootTrigger"},
    "Principals": {"Principal"},
    "Principal": {"UserId", "LogonType", "GroupId", "DisplayName", "RunLevel"},
    "Settings": {
        *("AllowStartOnDemand", "RestartOnFailure", "MultipleInstancesPolicy", "Priority"),
        *("DisallowStartIfOnBatteries", "StopIfGoingOnBatteries", "AllowHardTerminate"),
        *("StartWhenAvailable", "RunOnlyIfNetworkAvailable", "WakeToRun", "Enabled", "Hidden"),
        *("DeleteExpiredTaskAfter", "IdleSettings", "NetworkSettings", "ExecutionTimeLimit"),
        "RunOnlyIfIdle",
    },
    "IdleSettings": {"Duration", "WaitTimeout", "StopOnIdleEnd", "RestartOnIdle"},
    "RestartOnFailure": {"Interval", "Count"},
    "Actions": {"Exec"},
}


def windows(folder: str) -> Place:
    project = PureWindowsPath(folder)
    return Place(
        project, project / "var", project / ".venv/Scripts/python.exe", "PC\\me", ("--no-flower",)
    )


def task(place: Place) -> ElementTree.Element:
    return ElementTree.fromstring(task_xml(place))


def test_the_task_has_documented_elements_only_in_their_order():
    for element in task(windows(r"C:\miniqmt")).iter():
        name = element.tag.removeprefix(SPACE)
        below = [one.tag.removeprefix(SPACE) for one in element]
        if name in ORDERED:
            assert below == [one for one in ORDERED[name] if one in below], name
        elif below:
            assert set(below) <= KNOWN[name], name
        assert len(below) == len(set(below))


def test_the_task_is_of_the_session_that_sees_qmt_at_logon_without_an_end_and_comes_back():
    made = task(windows(r"C:\miniqmt"))

    def text(path: str) -> str:
        return str(made.findtext("/".join(SPACE + name for name in path.split("/"))))

    assert text("Principals/Principal/LogonType") == "InteractiveToken"
    assert text("Principals/Principal/UserId") == "PC\\me"
    assert text("Triggers/LogonTrigger/UserId") == "PC\\me"
    assert text("Settings/ExecutionTimeLimit") == "PT0S"
    assert text("Settings/MultipleInstancesPolicy") == "IgnoreNew"
    assert text("Settings/RestartOnFailure/Interval") == "PT1M"
    assert 1 <= int(text("Settings/RestartOnFailure/Count")) <= 255
    principal = made.find(f"{SPACE}Principals/{SPACE}Principal")
    actions = made.find(f"{SPACE}Actions")
    assert principal is not None
    assert actions is not None
    assert principal.get("id") == actions.get("Context")


@pytest.mark.parametrize("folder", [r"C:\miniqmt", r"C:\My Folder\量化 交易", r"D:\a & b <c>"])
def test_the_task_has_whatever_the_folders_are_called(folder):
    place = windows(folder)
    made = task(place).find(f"{SPACE}Actions/{SPACE}Exec")
    assert made is not None
    command, arguments, where = (one.text for one in made)
    assert command == str(place.project / ".venv" / "Scripts" / "pythonw.exe")
    assert where == folder
    # As Windows splits it: a word with a space is in quotes, nothing in it is escaped.
    assert shlex.split(arguments or "", posix=False) == [
        *("-X", "utf8", "-m", "miniqmt.background"),
        f'"{place.home}"' if " " in folder else str(place.home),
        *("up", "--no-flower"),
    ]


def test_the_task_is_written_in_the_encoding_it_names():
    content = task_xml(windows("C:\\量化"))
    assert content[:2] == b"\xff\xfe"
    assert content.decode("utf-16").startswith('<?xml version="1.0" encoding="UTF-16"?>\r\n')


# --- the command ---


def run(*words: str, **options: object) -> str:
    out = StringIO()
    call_command("install_autostart", *words, lang="en", stdout=out, **options)
    return out.getvalue()


@pytest.fixture(autouse=True)
def _at(settings, tmp_path, monkeypatch):
    settings.HOME = tmp_path / "home"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("DATABASE_URL", "postgres://me:planted-secret@db/x")
    monkeypatch.setenv("MINIQMT_NOTIFY_URLS", "wecombot://planted-secret")


@pytest.mark.parametrize(
    ("system", "name", "written"),
    [
        pytest.param(
            *("linux", "miniqmt", "config/systemd/user/miniqmt.service"),
            marks=pytest.mark.skipif(os.name == "nt", reason="paths of Windows look otherwise"),
        ),
        ("windows", "second", "home/autostart/second.xml"),
    ],
)
def test_it_is_shown_written_and_removed_and_no_secret_is_in_it(tmp_path, system, name, written):
    path = tmp_path / written
    shown = run(system=system, name=name)
    assert "Nothing was written" in shown
    assert not path.exists()

    said = run("--write", system=system, name=name)
    assert path.exists()
    content = path.read_bytes().decode("utf-16" if system == "windows" else "utf-8")
    assert str(tmp_path / "home") in content
    assert "planted" not in content + shown + said
    assert "DATABASE_URL, MINIQMT_NOTIFY_URLS" in said
    assert ("schtasks /Create" if system == "windows" else "systemctl --user enable") in said
    if system == "windows":
        assert getpass.getuser() in content

    assert "Removed" in run("--remove", system=system, name=name)
    assert not path.exists()
    assert "There is no" in run("--remove", system=system, name=name)


def test_a_folder_of_ones_own_a_bad_name_and_a_place_nothing_can_be_written_to(tmp_path):
    run("--write", system="linux", folder=str(tmp_path / "mine"))
    assert (tmp_path / "mine" / "miniqmt.service").exists()
    with pytest.raises(CommandError, match="letters, digits"):
        run(name="../evil")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(CommandError, match="file"):
        run("--write", system="linux", folder=str(tmp_path / "file"))


# --- without a window ---


def in_background(home: Path, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "miniqmt.background", str(home), *words],
        cwd=ROOT,
        env={**os.environ, "MINIQMT_READ_DOTENV": "false", "DATABASE_URL": ""},
        stdin=subprocess.DEVNULL,
    )


def test_a_command_without_a_window_has_its_exit_code_and_a_file_of_what_it_said(tmp_path):
    process = in_background(tmp_path, "status", "--lang", "zh")
    assert process.wait(60) == 2
    said = (tmp_path / "logs" / "status.log").read_text(encoding="utf-8")
    assert "当前没有进程在运行" in said


#: A command that runs until it is asked to end, and says who it is.
WAITS = """
import os, pathlib, threading
pathlib.Path(os.environ["MINIQMT_HOME"], "pid").write_text(str(os.getpid()), encoding="utf-8")
threading.Event().wait(60)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_a_command_ends_with_whoever_started_it_without_a_window(tmp_path, how):
    process = in_background(tmp_path, "shell", "--no-imports", "-c", WAITS)
    written = tmp_path / "pid"
    try:
        wait_until(lambda: written.exists() and written.read_text(encoding="utf-8"), 60)
        command = int(written.read_text(encoding="utf-8"))
        process.send_signal(signal.Signals[how])
        process.wait(30)
        wait_until(lambda: not is_there(command), 20)
    finally:
        process.kill()
