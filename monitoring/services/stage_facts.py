"""What the path to live asks about: read from rows and files; nothing is decided or written here."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings
from django.db.models import QuerySet

from monitoring import backup_files
from monitoring.models import AlertChannel, Finding, PremarketCheck, ShadowDay
from trading.domain.orders import OrderState
from trading.domain.stages import Facts, Needs
from trading.domain.types import CHINA, AccountMode, Text
from trading.models import Account, AccountCopy, BooksState, DayBooks, EventLevel, Order
from trading.selectors import WORKING_STATES
from trading.services.clock import SIMULATED, market_time
from trading.services.stages import Path as StagePath

#: Where `qmt_probe` writes its reports, in the data directory.
PROBES = "probe"
_CLEAN = (BooksState.MATCHED, BooksState.EXPLAINED)
#: Findings that the checks look at themselves, or that keep nobody from a step.
_ELSEWHERE = ("BACKUP_OLD", "BACKUP_FAILED", "REPORT_MISSING")
_OPENS = time(9, 30)
#: A pre-market check older than this says nothing: a long holiday, and some days.
_LATELY = timedelta(days=14)


def needs() -> Needs:
    """Return how much each step asks, as this installation has it."""
    return Needs(
        paper_sessions=settings.MINIQMT_PAPER_SESSIONS,
        shadow_sessions=settings.MINIQMT_SHADOW_SESSIONS,
        capped_sessions=settings.MINIQMT_CAPPED_SESSIONS,
    )


def facts_of(
    path: StagePath, real: datetime, home: Path, *, has_factor: bool, caps_problem: Text | None
) -> Facts:
    """Return what is known of a path at a real time; `home`: the data directory."""
    ledger = path.ledger
    rows = [] if ledger is None else [ledger.pk]
    orders = Order.objects.filter(account__in=rows)
    books = _books(ledger)
    return Facts(
        clean_sessions=books.filter(state__in=_CLEAN).count(),
        differing=DayBooks.objects.filter(account__in=rows, state=BooksState.DIFFERS).count(),
        unknown_orders=orders.filter(state=OrderState.UNKNOWN).count(),
        working=orders.filter(state__in=WORKING_STATES).count(),
        alarms=tuple(
            Finding.objects.filter(account__in=rows, level=EventLevel.ALARM)
            .exclude(code__in=_ELSEWHERE)
            .order_by("code")
            .values_list("code", flat=True)
            .distinct()
        ),
        quotes=_quotes(ledger),
        copy_age=_age(real, _copied(path.number)),
        simulated=_simulated(path),
        compared=_compared(ledger),
        premarket_ready=_premarket(ledger, real),
        probed=_probed(home / PROBES, path.number),
        channel_age=_age(real, _delivered()),
        backup_age=_age(real, _backed_up(home)),
        has_factor=has_factor,
        caps_problem=caps_problem,
    )


def _age(real: datetime, at: datetime | None) -> timedelta | None:
    return None if at is None else max(real - at, timedelta(0))


def _first_session(ledger: Account | None) -> date:
    """Return the first day whose session counts: one that had begun before the stage did is no whole one.

    By the ledger's own clock: simulated sessions have days of their own.
    """
    if ledger is None or ledger.stage_since is None:
        return date.min
    since = market_time(AccountMode(ledger.mode), ledger.stage_since)
    return since.date() + timedelta(days=since.time() >= _OPENS)


def _books(ledger: Account | None) -> QuerySet[DayBooks]:
    """The sessions since the stage began."""
    return DayBooks.objects.filter(account=ledger, on__gte=_first_session(ledger))


def _compared(ledger: Account | None) -> int:
    """Sessions of the shadow since the stage began whose comparison with the market is kept."""
    return ShadowDay.objects.filter(account=ledger, on__gte=_first_session(ledger)).count()


def _quotes(ledger: Account | None) -> str:
    """Say where quotes of the real market come from on this machine."""
    folder = os.environ.get("MINIQMT_QMT_PATH", "")
    if ledger is not None:
        folder = ledger.terminal_folder or folder
    if folder and find_spec("xtquant") is not None:
        return "QMT"
    return str(settings.FALLBACK_QUOTES)


def _copied(number: str) -> datetime | None:
    copies = AccountCopy.objects.filter(broker_account_id=number).order_by("-taken_at")
    return copies.values_list("taken_at", flat=True).first()


def _simulated(path: StagePath) -> tuple[str, ...]:
    """Other accounts of an invented market; the path's own paper account rests with the step."""
    rows = Account.objects.filter(enabled=True, mode__in=SIMULATED)
    others = rows.exclude(pk__in=[row.pk for row in path.ledgers.values()])
    return tuple(others.order_by("name").values_list("name", flat=True))


def _premarket(ledger: Account | None, real: datetime) -> bool | None:
    since = (real - _LATELY).astimezone(CHINA).date()
    checks = PremarketCheck.objects.filter(account=ledger, on__gte=since).order_by("-on")
    return checks.values_list("ready", flat=True).first()


def _probed(folder: Path, number: str) -> Mapping[str, str]:
    """Return the newest outcome of each question about this account; what the twin answered, or cannot be read, is none."""
    found: dict[str, str] = {}
    for file in sorted(folder.glob("probe-*.json")):
        try:
            report = json.loads(file.read_text(encoding="utf-8"))
            if (
                str(report["account"])[-4:] == number[-4:]
                and report["about"]["terminal"] != "paper"
            ):
                found |= {str(one["question"]): str(one["outcome"]) for one in report["answers"]}
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def _delivered() -> datetime | None:
    channels = AlertChannel.objects.filter(enabled=True, last_sent_at__isnull=False)
    return channels.order_by("-last_sent_at").values_list("last_sent_at", flat=True).first()


def _backed_up(home: Path) -> datetime | None:
    """Return when the newest backup was made; each was read or restored on trial before it got its note."""
    backups = backup_files.list_backups(home, settings.SECRET_KEY)
    newest = backup_files.newest_of([one for one in backups if one.sealed])
    return None if newest is None else newest.note.made_at
