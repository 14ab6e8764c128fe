"""What a person and a program can see of a fault: rows of alerts, the page of the alerts, and the memory of processes."""

from __future__ import annotations

import contextlib
import http.cookiejar
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.week.faults import LASTING, STARTED, Fault
from tests.week.house import WeekHouse

#: Seconds between two looks at the memory, and of a process's life that do not count: it is still loading.
SAMPLE, LOADING = 10.0, 60.0


@dataclass
class Pending:
    """A fault that happened, and the alerts that told of such things before it."""

    fault: Fault
    row: dict[str, Any]
    since: float
    before: dict[int, int]

    def up_ended(self, house: WeekHouse) -> None:
        """What `up` had not told of yet when it ended is told by the start of everything."""
        self.fault = replace(self.fault, shows=(*self.fault.shows, STARTED), about="")
        self.before = alerts_of(house, self.fault)


def alerts_of(house: WeekHouse, fault: Fault) -> dict[int, int]:
    """Return how often each alert of the codes of a fault has been told of."""
    if not fault.shows:
        return {}
    marks = ", ".join("?" * len(fault.shows))
    rows = house.rows(
        f"SELECT id, count FROM monitoring_alert WHERE code IN ({marks}) AND text_en LIKE ?",
        *fault.shows,
        f"%{fault.about}%",
    )
    return dict(rows)


def new_alert(house: WeekHouse, pending: Pending) -> int | None:
    """Return the alert that is new since the fault, or has been told of once more."""
    now = alerts_of(house, pending.fault)
    new = next((pk for pk, count in now.items() if count > pending.before.get(pk, 0)), None)
    return _standing(house, pending.fault) if new is None else new


def _standing(house: WeekHouse, fault: Fault) -> int | None:
    """Return the alert of a matter that lasted already when the fault came."""
    codes = [code for code in fault.shows if code in LASTING]
    if not codes:
        return None
    marks = ", ".join("?" * len(codes))
    query = f"SELECT MAX(id) FROM monitoring_alert WHERE over_at IS NULL AND code IN ({marks})"
    found: int | None = house.rows(query, *codes)[0][0]
    return found


class Visitor:
    """A person with a browser who has logged in, and logs in again when that is asked for."""

    def __init__(self, house: WeekHouse) -> None:
        self._house = house
        self._cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self._cookies)
        )

    def page(self, path: str) -> str:
        """Return a page. Raises OSError while the web is away."""
        page = self._get(path)
        if 'name="csrfmiddlewaretoken"' in page and 'name="password"' in page:
            self._log_in(page)
            page = self._get(path)
        return page

    def sees_alert(self, pk: int, words: str) -> bool:
        """Whether the page of the alerts shows this one, asked for by its code."""
        try:
            return f'id="a{pk}"' in self.page(f"alerts/?words={urllib.parse.quote(words)}")
        except (OSError, KeyError, ValueError):
            return False

    def _get(self, path: str) -> str:
        with self._opener.open(self._house.facts()["web"] + path, timeout=10) as answer:
            return str(answer.read().decode("utf-8"))

    def _log_in(self, page: str) -> None:
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token is not None
        password = (self._house.home / "admin-password.txt").read_text("utf-8").strip()
        form = {"csrfmiddlewaretoken": token[1], "username": "admin", "password": password}
        where = self._house.facts()["web"] + "login/"
        request = urllib.request.Request(where, urllib.parse.urlencode(form).encode())
        request.add_header("Referer", where)
        with self._opener.open(request, timeout=10):
            pass


@dataclass
class Memory:
    """Samples of every process: seconds, and MB that nobody shares with it, by name and life."""

    lives: dict[tuple[str, int], list[tuple[float, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def look(self, house: WeekHouse, now: float) -> None:
        names = {row["pid"]: name for name, row in house.processes().items() if row["pid"]}
        names[house.process.pid] = "up"
        for pid, name in names.items():
            with contextlib.suppress(OSError):
                self.lives[name, pid].append((now, private_mb(pid)))

    def slopes(self) -> dict[str, dict[str, float]]:
        """Return MB an hour of each process, within its lives: each has a level of its own, the slope is shared.

        `error` is the standard error of the slope: lives are short while a fault comes every half minute.
        """
        found = {}
        for name in sorted({name for name, _ in self.lives}):
            lives = [_settled(life) for (one, _), life in self.lives.items() if one == name]
            found[name] = {
                "lives": len(lives),
                "largest_mb": round(max((mb for life in self.lives_of(name) for _, mb in life), default=0.0), 1),
                **_slope([life for life in lives if len(life) > 2]),
            }  # fmt: skip
        return found

    def lives_of(self, name: str) -> list[list[tuple[float, float]]]:
        return [life for (one, _), life in self.lives.items() if one == name]


def _settled(life: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(at, mb) for at, mb in life if at >= life[0][0] + LOADING]


def _slope(lives: Sequence[Sequence[tuple[float, float]]]) -> dict[str, float]:
    centred: list[tuple[float, float]] = []
    for life in lives:
        at, mb = (sum(column) / len(life) for column in zip(*life, strict=True))
        centred += [(x - at, y - mb) for x, y in life]
    spread = sum(x * x for x, _ in centred)
    free = len(centred) - len(lives) - 1
    if not spread or free < 1:
        return {}
    slope = sum(x * y for x, y in centred) / spread
    left = sum((y - slope * x) ** 2 for x, y in centred)
    error = (left / free / spread) ** 0.5
    return {
        "mb_per_hour": round(slope * 3600, 2),
        "error": round(error * 3600, 2),
        "samples": len(centred),
    }


def private_mb(pid: int) -> float:
    """Return the memory of a process that nobody shares with it; 0 where only Linux could say. Raises OSError."""
    if not Path("/proc/self/smaps_rollup").exists():
        return 0.0
    text = Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8")
    return sum(int(kb) for kb in re.findall(r"^Private_\w+:\s+(\d+)", text, re.MULTILINE)) / 1024


class Sampler:
    """Looks at the memory every ten seconds, and at which process was started again and why."""

    def __init__(self, house: WeekHouse) -> None:
        self.memory, self.restarts = Memory(), list[dict[str, Any]]()
        self.last_fault = ""
        self._house, self._over = house, threading.Event()
        self._known: dict[tuple[int, str], int] = {}
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._look, name="memory")

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        looked = 0.0
        while not self._over.wait(1.0):
            now = time.monotonic()
            with contextlib.suppress(OSError, ValueError, KeyError):
                self._restarts()
                if now - looked >= SAMPLE:
                    looked = now
                    self.memory.look(self._house, now - self._began)

    def _restarts(self) -> None:
        for name, row in self._house.processes().items():
            key, count = (self._house.process.pid, name), int(row["restarts"])
            if count > self._known.get(key, 0):
                self._known[key] = count
                told = {one: row.get(one) for one in ("last_exit", "hung", "heavy")}
                self.restarts.append({"process": name, **told, "after": self.last_fault})
