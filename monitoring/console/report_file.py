"""The reports as files people keep: one page a session with all accounts, in both languages, complete in itself.

Written beside its place and moved there, so that nobody ever finds half of one; written again when a report came later.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.safestring import SafeString

from monitoring.audit.chain import newest_anchor
from monitoring.console.daily import DailyView, daily_view
from monitoring.console.record_filters import read_accounts
from monitoring.models import DayReport
from trading.domain.types import Text
from trading.services.calendar import load_calendar
from trading.services.reach import EVERYTHING

log = logging.getLogger(__name__)

#: Sessions that one run looks at: whoever comes back after a longer absence has the pages of the console.
NEWEST = 30
_STYLES = ("console.css", "records.css", "figures.css")
_TITLE = Text("Daily report", "日报")
_ANCHOR = Text(
    "Audit anchor of this moment (manage.py audit verify --anchor):",
    "此刻的审计锚点（manage.py audit verify --anchor）：",
)
_LANGUAGES = (("zh", "zh-hans"), ("en", "en"))


def folder_of(home: Path) -> Path:
    """Return where the files are."""
    return home / "reports"


def file_of(home: Path, on: date) -> Path:
    """Return the file of a session."""
    return folder_of(home) / f"report-{on:%Y-%m-%d}.html"


def keep_report_files(home: Path, real: datetime) -> int:
    """Write the files of the newest reported sessions that are not there, or older than a report; returns how many.

    Raises OSError when the folder cannot be written: the next run tries again.
    """
    made: dict[date, datetime] = {}
    newest = DayReport.objects.order_by("-on").values_list("on", "made_at")[: NEWEST * 4]
    for on, made_at in newest:
        made[on] = max(made_at, made.get(on, made_at))
    due = [
        on for on in sorted(made, reverse=True)[:NEWEST] if _is_due(file_of(home, on), made[on])
    ]
    for on in due:
        _write(file_of(home, on), page_of(on, real))
    return len(due)


def page_of(on: date, real: datetime) -> str:
    """Return the whole page of a session."""
    calendar = load_calendar()
    days = [
        daily_view(account, on, calendar) for account in read_accounts(real, EVERYTHING).values()
    ]
    context = {
        "on": on,
        "made_at": real,
        "style": _style(),
        "title": _TITLE,
        "anchor": newest_anchor(),
        "anchor_words": _ANCHOR,
        "bodies": [(name, language, _body(days, language)) for name, language in _LANGUAGES],
    }
    return render_to_string("monitoring/report_file.html", context)


def _body(days: Sequence[DailyView], language: str) -> SafeString:
    with translation.override(language):
        return render_to_string("monitoring/report_body.html", {"days": days})


def _style() -> str:
    found = [finders.find(f"monitoring/{name}") for name in _STYLES]
    return "\n".join(Path(path).read_text(encoding="utf-8") for path in found if path)


def _is_due(file: Path, made_at: datetime) -> bool:
    try:
        return datetime.fromtimestamp(file.stat().st_mtime, UTC) < made_at
    except FileNotFoundError:
        return True


def _write(file: Path, page: str) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.part")
    try:
        draft.write_text(page, encoding="utf-8", newline="\n")
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    log.info("the report %s is kept", file.name)
