"""One channel as a program that is run apart: bounded in time, whatever the other side does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

#: Seconds all messages to one channel may take; apprise itself waits 4 s for a connection and 4 s for an answer.
WITHIN = 20.0
#: A person waits for the answer of a test, and the web server with them.
TEST_WITHIN = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a message, in words without the address."""

    ok: bool
    text: str


Send = Callable[[str, Sequence[Mapping[str, str]]], Sequence[Answer]]


def send_apart(
    url: str, messages: Sequence[Mapping[str, str]], within: float = WITHIN
) -> list[Answer]:
    """Send messages to an address; one answer for each. It never raises for what the other side does."""
    return _run([], {"url": url, "messages": list(messages)}, len(messages), within)


def check_apart(url: str, within: float = TEST_WITHIN) -> Answer:
    """Say whether a service has an address like this; nothing is sent."""
    return _run(["check"], {"url": url}, 1, within)[0]


def _run(arguments: Sequence[str], asked: Any, answers: int, within: float) -> list[Answer]:
    command = [sys.executable, "-m", "monitoring.alerts.sender", *arguments]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(asked).encode(),
            capture_output=True,
            timeout=within,
            cwd=settings.BASE_DIR,
        )
        said = done.stdout
        why = f"the sender ended with code {done.returncode}"
    except subprocess.TimeoutExpired as expired:
        said, why = expired.stdout or b"", f"no answer within {within:g} s"
    except OSError as problem:
        said, why = b"", f"the sender could not be started: {problem.strerror}"
    got = [json.loads(line) for line in said.splitlines() if line.startswith(b"{")][:answers]
    known = [Answer(one["ok"], one["answer"]) for one in got]
    return known + [Answer(False, why)] * (answers - len(known))
