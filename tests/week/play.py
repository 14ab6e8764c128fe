"""A session of the week: faults while the market is open, what is seen of each, and what holds when the day is over."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.simulation.processes.template import make_template
from tests.stack import CHILDREN, copy_of, wait_for
from tests.week.checks import broken, errors_logged, unexplained
from tests.week.faults import MISBEHAVIOURS, Fault, deck, power_cut
from tests.week.faults import STARTED as STARTED_AGAIN
from tests.week.house import STARTED, WeekHouse
from tests.week.looks import Pending, Sampler, Visitor, alerts_of, new_alert
from tests.week.market import AFTERNOON, SILENCE, Session, at_time, sessions, write_week

Say = Callable[[str], None]
#: Market seconds before the close from which on nothing more is done: everything has to be sold by then.
QUIET = 1_800
#: Real seconds at the end of a day until everything must hold.
SETTLED = 240.0
#: How much slower than real time the market is when a day that is looked at is nearly over.
STILL = 0.1


@dataclass
class Plan:
    """What is asked for. `lasts`: seconds of each session in which something happens; `every`: real seconds."""

    folder: Path
    days: int = 5
    speed: int = 20
    every: float = 30.0
    seed: int = 1
    lasts: int = AFTERNOON[1]
    only: tuple[str, ...] = ()


@dataclass
class Day:
    """What came of one session."""

    day: int
    seed: int
    on: str = ""
    seconds: float = 0.0
    partial: bool = False
    faults: list[dict[str, Any]] = field(default_factory=list)
    not_shown: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    orders: int = 0
    fills: int = 0
    restarts: list[dict[str, Any]] = field(default_factory=list)
    memory: dict[str, dict[str, float]] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    unexplained: dict[str, int] = field(default_factory=dict)
    database_mb: float = 0.0

    @property
    def failed(self) -> bool:
        return bool(self.not_shown or self.broken or self.missed)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def play(plan: Plan, done: int, say: Say) -> Iterator[Day]:
    """Play the sessions that are left; yields each when it is over. `done`: how many were played before."""
    chance = random.Random(f"week:{plan.seed}")
    week = sessions(chance, plan.days, lasts=plan.lasts)
    market = write_week(plan.folder / "week.csv", week, chance)
    home = plan.folder / "home"
    begun = home.exists()
    if not begun:
        template = plan.folder / "template"
        copy_of(make_template(template) if not template.exists() else template, home)
    house = WeekHouse(home, market, plan.speed)
    try:
        if begun:
            house.set_clock(
                house.there_now()
            )  # as long as it was away, the market has not gone on
        for number, session in enumerate(week):
            if number >= done:
                yield _Player(plan, house, session, number, say).play()
                if number + 1 < len(week):
                    _on_to(house, week[number + 1])
    finally:
        house.stop() if house.process.poll() is None else house.end()


def _on_to(house: WeekHouse, session: Session) -> None:
    """The night is skipped, as the demo does it: from 15:36 to just before the next opening."""
    house.set_clock(house.market_now())
    wait_for(lambda: house.market_now() >= session.opens - timedelta(minutes=5), STARTED)


class _Player:
    def __init__(
        self, plan: Plan, house: WeekHouse, session: Session, number: int, say: Say
    ) -> None:
        self.plan, self.house, self.session, self.say = plan, house, session, say
        self.chance = random.Random(f"week:{plan.seed}:{number}")
        self.number = number
        self.day = Day(number + 1, plan.seed, f"{session.opens:%Y-%m-%d}")
        self.notes = plan.folder / f"session-{number + 1}.json"
        if self.notes.exists():  # this session was interrupted
            self.day = Day(**json.loads(self.notes.read_text("utf-8")))
            self.day.partial = True
        self.pending: list[Pending] = []
        self.visitor = Visitor(house)

    def play(self) -> Day:
        began, since = time.monotonic(), datetime.now(UTC).isoformat()
        day, house = self.day, self.house
        if wait_for(house.works_again, STARTED) is None:
            day.missed.append(f"not everything runs {STARTED:.0f} s after the start")
        with Sampler(house) as sampler:
            self._open(sampler)
            self._close()
            day.restarts += sampler.restarts
            day.memory = sampler.memory.slopes()
        errors = errors_logged(house, since)
        day.errors, day.unexplained = dict(errors), unexplained(errors)
        day.orders, day.fills = self._count("trading_order"), self._count("trading_fill")
        day.database_mb = round(sum(one.stat().st_size for one in house.home.glob("miniqmt.sqlite3*")) / 1e6, 1)  # fmt: skip
        day.seconds = round(day.seconds + time.monotonic() - began, 1)
        self.notes.unlink(missing_ok=True)
        return day

    # --- while the market is open

    def _open(self, sampler: Sampler) -> None:
        house, session = self.house, self.session
        house.wait_for_market(session.opens + timedelta(seconds=60))
        last = session.opens + timedelta(seconds=min(self.plan.lasts, AFTERNOON[1] - QUIET))
        cards, cut_at = self._cards(), self._cut_at()
        silence = session.silent
        due = time.monotonic()
        while (now := house.market_now()) < last:
            self._skip_lunch(now)
            self._look()
            if silence is not None and now >= session.opens + timedelta(seconds=silence[0]):
                self._note(_SILENCE, sampler)
                silence = None
            if house.process.poll() is not None:
                self.day.missed.append(f"up ended by itself with {house.process.returncode}")
                house.start()
            if self.plan.every and time.monotonic() >= due:
                due = time.monotonic() + self.plan.every
                if cut_at is not None and now >= cut_at:
                    cut_at = None
                    self._happen(self._cut(), sampler)
                else:
                    self._happen(next(cards), sampler)
            time.sleep(0.5)

    def _cards(self) -> Iterator[Fault]:
        """The deck goes on from day to day; or only what was asked for."""
        if self.plan.only:
            return (one for one in deck(self.chance) if one.name in self.plan.only)
        return deck(self.chance)

    def _cut_at(self) -> datetime | None:
        if self.plan.lasts < AFTERNOON[1]:
            return None
        return self.session.opens + timedelta(seconds=self.chance.randrange(1_800, 6_000))

    def _cut(self) -> Fault:
        self.house.misbehave = MISBEHAVIOURS[self.number % len(MISBEHAVIOURS)]
        return power_cut(self.chance.choice([0, 10, 40]))

    def _happen(self, fault: Fault, sampler: Sampler) -> None:
        sampler.last_fault = fault.name
        self._note(fault, sampler)
        row = self.day.faults[-1]
        began = time.monotonic()
        if STARTED_AGAIN in fault.shows:
            for one in self.pending:
                one.up_ended(self.house)
        try:
            fault.do(self.house)
        except (OSError, KeyError, AssertionError) as problem:
            row["not_done"] = repr(problem)
            self.pending.pop()
        row["lasted"] = round(time.monotonic() - began, 1)
        self._keep()
        self.say(f"  {row['at']} {fault.name} ({row['lasted']} s)")

    def _keep(self) -> None:
        self.notes.write_text(json.dumps(self.day.as_json(), ensure_ascii=False), "utf-8")

    def _note(self, fault: Fault, sampler: Sampler) -> None:
        row: dict[str, Any] = {"fault": fault.name, "at": f"{self.house.market_now():%H:%M:%S}"}
        self.day.faults.append(row)
        before = alerts_of(self.house, fault)
        self.pending.append(Pending(fault, row, time.monotonic(), before))

    def _look(self) -> None:
        """Ask rows and page about the faults that were not seen yet."""
        for one in list(self.pending):
            passed = time.monotonic() - one.since
            pk = new_alert(self.house, one)
            if pk is not None:
                one.row.setdefault("told_after", round(passed))
            if not one.fault.shows or (pk is not None and self._on_page(pk)):
                one.row["page_after"] = round(passed)
                self.pending.remove(one)
            elif passed > one.fault.within:
                what = "on no page" if pk is not None else "no alert"
                self.day.not_shown.append(f"{one.row['at']} {one.fault.name}: {what}")
                self.pending.remove(one)

    def _on_page(self, pk: int) -> bool:
        [(code,)] = self.house.rows("SELECT code FROM monitoring_alert WHERE id = ?", pk)
        return self.visitor.sees_alert(pk, code)

    def _skip_lunch(self, now: datetime) -> None:
        begins, ends = self.session.lunch
        if begins + timedelta(seconds=60) < now < ends - timedelta(seconds=120):
            self.house.set_clock(ends - timedelta(seconds=100))

    # --- when it is closed

    def _close(self) -> None:
        house, opens = self.house, self.session.opens
        whole = self.plan.lasts == AFTERNOON[1]
        while self.pending:
            self._look()
            time.sleep(1.0)
        if wait_for(house.works_again, STARTED) is None:
            self.day.missed.append(f"not everything works {STARTED:.0f} s after the last fault: {house.gateway()}")  # fmt: skip
        if house.market_now() < self.session.closes and whole:
            house.wait_for_market(self.session.closes + timedelta(seconds=30))
        # The rest of the afternoon is skipped, but for the minutes in which all that noticed it comes to rest.
        house.set_clock(at_time(opens, 15, 20 if whole else 31))
        house.wait_for_market(at_time(opens, 15, 34, 50))
        house.set_clock(house.market_now(), 1)
        house.wait_for_market(at_time(opens, 15, 35, 10))
        began, found = time.monotonic(), ["never looked"]
        while found and time.monotonic() - began < SETTLED:
            if house.market_now() > at_time(opens, 15, 35, 45):  # at 15:36 the night would begin
                house.set_clock(at_time(opens, 15, 35, 45), STILL)
            try:
                house.ask()  # by a slowed clock a gateway of this speed would look minutes later
                found = broken(house, reported=whole)
            except (OSError, ValueError, sqlite3.OperationalError) as problem:
                found = [repr(problem)]
            time.sleep(1.0 if found else 0.0)
        self.day.broken = found
        on = f"{opens:%Y-%m-%d}"
        for path in ("", f"report/{on}/", "alerts/") if whole else ("", "alerts/"):
            self._page_opens(path)
        running = house.processes()
        self.day.missed += [f"{name} does not run" for name in CHILDREN if name not in running]

    def _page_opens(self, path: str) -> None:
        try:
            if "</html>" not in self.visitor.page(path):
                self.day.missed.append(f"/{path} is no page")
        except OSError as problem:
            self.day.missed.append(f"/{path}: {problem!r}")

    def _count(self, table: str) -> int:
        return int(self.house.rows(f"SELECT COUNT(*) FROM {table}")[0][0])


#: Of the recording itself: while it lasts nobody brings a quote.
_SILENCE = Fault(
    f"no quotes for {SILENCE // 60} minutes", lambda house: None, ("FEED_SILENT",), within=240
)
