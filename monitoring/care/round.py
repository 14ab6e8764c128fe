"""When data care is due: a backup before the open and one after the books, then what may be forgotten, then the file.

Machines are looked after in real time, whatever a simulated market does meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction

from monitoring import backup_files
from monitoring.backup_files import Backup, Why
from monitoring.care import backup, second_place
from monitoring.care.errors import NothingDone
from monitoring.care.retention import forget
from trading.domain.calendar import MarketPhase, TradingCalendar, phase_at
from trading.domain.types import CHINA, AccountMode, Text
from trading.management.one_instance import AlreadyRunning, one_instance
from trading.models import Account, EventLevel
from trading.services import leases
from trading.services.calendar import load_calendar
from trading.services.clock import market_time
from trading.services.events import journal, journal_once

#: Of a session's day, in China's time; later than its end it is of no use.
BEFORE_OPEN = time(8, 30), time(9, 10)
#: Of every day, from the closing of the books on; made up for until midnight.
AFTER_BOOKS = time(15, 45), time(23, 55)
_WINDOWS = {Why.BEFORE_OPEN: BEFORE_OPEN, Why.AFTER_BOOKS: AFTER_BOOKS}
#: A backup that failed is tried again after so long.
AGAIN_AFTER = timedelta(minutes=10)
#: The part of the file that must be empty, and the bytes, before it is written anew.
EMPTY_PART, EMPTY_BYTES = 0.25, 32_000_000
#: Held by the round that is on its way.
LOCK = "data_care.lock"
_LEASE, _DAY = "data_care", timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a moment: a new backup, and why there is none or no copy of it; both None: nothing was due."""

    backup: Backup | None = None
    problem: Text | None = None


def due(now: datetime, is_session: bool, made: Collection[tuple[datetime, Why]]) -> Why | None:
    """Return which backup is due; `made`: the moments and reasons of those there are."""
    local = now.astimezone(CHINA)
    today = {why for at, why in made if at.astimezone(CHINA).date() == local.date()}
    for why, (begins, ends) in _WINDOWS.items():
        if begins <= local.time() < ends and why not in today:
            return why if is_session or why is Why.AFTER_BOOKS else None
    return None


def care(home: Path, clock: Callable[[], datetime]) -> Done:
    """Do what is due now. `clock` gives real time. What fails is told, and tried again later; it never raises for it."""
    now = clock()
    if not any(
        begins <= now.astimezone(CHINA).time() < ends for begins, ends in _WINDOWS.values()
    ):
        return Done()
    try:
        with one_instance(home / LOCK):
            return _care(home, now)
    except AlreadyRunning:  # a disk that hangs holds one thread of the worker, not all of them
        return Done()


def _care(home: Path, now: datetime) -> Done:
    calendar = load_calendar()
    backups = backup_files.list_backups(home, settings.SECRET_KEY)
    made = [(one.note.made_at, one.note.why) for one in backups]
    why = due(now, calendar.is_session(now.astimezone(CHINA).date()), made)
    newest = backup_files.newest_of(backups)
    if why is not None or second_place.is_missing(newest):
        return _back_up(home, why, newest, now)
    after_books = (now.astimezone(CHINA).date(), Why.AFTER_BOOKS)
    if after_books in {(at.astimezone(CHINA).date(), reason) for at, reason in made}:
        _tidy(now, calendar)  # whatever is forgotten now is in a backup
    return Done()


def _back_up(home: Path, why: Why | None, newest: Backup | None, now: datetime) -> Done:
    failed = backup_files.last_failure(home)
    if failed is not None and timedelta(0) <= now - failed < AGAIN_AFTER:
        return Done()
    made = None
    try:
        if why is not None:
            made = newest = backup.make(home, why, now)
        if newest is not None and second_place.is_missing(newest):
            second_place.copy(newest, now)
    except NothingDone as problem:
        backup_files.remember_failure(home, problem.text, now)
        _tell(EventLevel.ALARM, "BACKUP_FAILED", problem.text, now)
        return Done(made, problem.text)
    backup_files.forget_failure(home)
    return Done(made)


def _tidy(now: datetime, calendar: TradingCalendar) -> None:
    """Once a day: the lease is taken when everything is done, so that a long list is worked off in several rounds."""
    if not leases.is_due(_LEASE, _DAY, now):
        return
    forgotten = forget(now)
    if forgotten.total:
        text = Text(
            f"Forgotten: {forgotten.reports} old reports of the terminal, {forgotten.denials} denials, "
            f"{forgotten.logins} expired logins, {forgotten.points} minutes of curves.",
            f"已清理：旧柜台回报 {forgotten.reports} 条、风控拒绝 {forgotten.denials} 条、"
            f"过期登录 {forgotten.logins} 条、曲线分钟点 {forgotten.points} 条。",
        )
        _tell(EventLevel.INFO, "OLD_ROWS_FORGOTTEN", text, now)
    if forgotten.more:
        return
    if connection.vendor == "sqlite" and _all_closed(now, calendar):
        look_after_file()
    with transaction.atomic():
        leases.claim(_LEASE, _DAY, now)


def by_hand(home: Path, now: datetime) -> Backup:
    """Make a backup because a person wants one, and its copy. Raises NothingDone."""
    made = backup.make(home, Why.BY_HAND, now)
    if second_place.is_missing(made):
        second_place.copy(made, now)
    backup_files.forget_failure(home)
    return made


def _all_closed(now: datetime, calendar: TradingCalendar) -> bool:
    modes = Account.objects.filter(enabled=True).values_list("mode", flat=True).distinct()
    times = (market_time(AccountMode(mode), now) for mode in modes)
    return all(phase_at(calendar, at) is MarketPhase.CLOSED for at in times)


def look_after_file() -> bool:
    """Empty the WAL, refresh the statistics; write the file anew when much of it is empty. True when it was.

    SQLite only, and only while no market is open: writing anew holds the write lock.
    """
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cursor.execute("PRAGMA optimize")
        pages = cursor.execute("PRAGMA page_count").fetchone()[0]
        empty = cursor.execute("PRAGMA freelist_count").fetchone()[0]
        size = cursor.execute("PRAGMA page_size").fetchone()[0]
        if empty < EMPTY_PART * pages or empty * size < EMPTY_BYTES:
            return False
        cursor.execute("VACUUM")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return True


def _tell(level: EventLevel, code: str, text: Text, now: datetime) -> None:
    """Say it once a day and account; the finding stands as long as it lasts."""
    say = journal if level is EventLevel.INFO else journal_once
    for account in Account.objects.filter(enabled=True).order_by("pk"):
        say(account.pk, level, code, text, market_time(AccountMode(account.mode), now))
