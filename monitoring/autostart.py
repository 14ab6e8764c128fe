"""What makes a system start `up` by itself: a systemd user unit, or a task of the Windows Task Scheduler.

Only texts are made here. Neither holds a secret: what is in `.env` stays there. On Windows it is a task of the logged-on
session and no service: QMT has a window, and services live in a session that cannot reach it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from subprocess import list2cmdline
from xml.etree import ElementTree

#: Seconds between an end that was not wanted and the next start, and for an end in order.
RESTART, STOP = 10, 60
#: The schedule service restarts a failed task so often at most: its own limit.
MOST_RESTARTS = 255
_TASKS = "http://schemas.microsoft.com/windows/2004/02/mit/task"


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything lies, and whose it is. `options`: further ones of `up`. `python`: of the environment."""

    project: PurePath
    home: PurePath
    python: PurePath
    user: str
    options: Sequence[str] = ()


def systemd_unit(place: Place) -> str:
    """Return the unit of a user's own systemd."""
    manage = place.project / "manage.py"
    command = " ".join(map(_argument, (str(place.python), str(manage), "up", *place.options)))
    sections: Mapping[str, Sequence[tuple[str, str]]] = {
        "Unit": (
            ("Description", "miniqmt: unattended trading of China's A-shares"),
            ("StartLimitIntervalSec", "0"),  # never give up
        ),
        "Service": (
            ("Type", "simple"),
            ("WorkingDirectory", _percent(str(place.project))),
            ("Environment", _quoted(f"MINIQMT_HOME={place.home}")),
            ("Environment", _quoted("PYTHONUTF8=1")),
            ("ExecStart", command),
            ("Restart", "on-failure"),
            ("RestartSec", str(RESTART)),
            # `up` stops its processes in order; what is left then is killed.
            ("KillMode", "mixed"),
            ("KillSignal", "SIGTERM"),
            ("TimeoutStopSec", str(STOP)),
            ("UMask", "0077"),
            ("NoNewPrivileges", "yes"),
        ),
        "Install": (("WantedBy", "default.target"),),
    }
    return "\n".join(
        "\n".join((f"[{name}]", *(f"{key}={value}" for key, value in lines), ""))
        for name, lines in sections.items()
    )


def _argument(word: str) -> str:
    return _quoted(word).replace("$", "$$")


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_percent(escaped)}"'


def _percent(word: str) -> str:
    return word.replace("%", "%%")


def task_xml(place: Place) -> bytes:
    """Return the task for `schtasks /Create /XML`, in the encoding it wants."""
    task = ElementTree.Element("Task", {"version": "1.2", "xmlns": _TASKS})
    for name, content in _task(place).items():
        _add(task, name, content)
    ElementTree.indent(task)
    text = ElementTree.tostring(task, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-16"?>\n{text}\n'.replace("\n", "\r\n").encode(
        "utf-16"
    )


def _task(place: Place) -> Mapping[str, object]:
    python = place.python.with_name("pythonw.exe")
    words = ("-X", "utf8", "-m", "miniqmt.background", str(place.home), "up", *place.options)
    return {
        "RegistrationInfo": {"Description": "miniqmt: unattended trading of China's A-shares"},
        "Triggers": {"LogonTrigger": {"Enabled": "true", "UserId": place.user, "Delay": "PT30S"}},
        "Principals": {
            "Principal id=Author": {
                "UserId": place.user,
                "LogonType": "InteractiveToken",
                "RunLevel": "LeastPrivilege",
            }
        },
        "Settings": {
            "MultipleInstancesPolicy": "IgnoreNew",
            "DisallowStartIfOnBatteries": "false",
            "StopIfGoingOnBatteries": "false",
            "AllowHardTerminate": "true",
            "StartWhenAvailable": "true",
            "RunOnlyIfNetworkAvailable": "false",
            "IdleSettings": {"StopOnIdleEnd": "false", "RestartOnIdle": "false"},
            "AllowStartOnDemand": "true",
            "Enabled": "true",
            "Hidden": "false",
            "RunOnlyIfIdle": "false",
            "WakeToRun": "false",
            "ExecutionTimeLimit": "PT0S",  # as long as it runs
            "Priority": "5",  # an ordinary program's; tasks are slower by themselves
            "RestartOnFailure": {"Interval": "PT1M", "Count": str(MOST_RESTARTS)},
        },
        "Actions Context=Author": {
            "Exec": {
                "Command": str(python),
                "Arguments": list2cmdline(words),
                "WorkingDirectory": str(place.project),
            }
        },
    }


def _add(parent: ElementTree.Element, name: str, content: object) -> None:
    """Add an element, `NAME ATTRIBUTE=VALUE`, with a text or with further elements."""
    tag, _, attribute = name.partition(" ")
    key, _, value = attribute.partition("=")
    element = ElementTree.SubElement(parent, tag, {key: value} if key else {})
    if isinstance(content, Mapping):
        for below, inner in content.items():
            _add(element, below, inner)
    else:
        element.text = str(content)
