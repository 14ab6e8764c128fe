"""The pages of figures: results by month, reports by day. They read, and write nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from monitoring.console.daily import daily_view, report_rows
from monitoring.console.record_filters import AccountNow, read_accounts
from monitoring.console.report_file import folder_of
from monitoring.console.results_page import month_of, results_page
from monitoring.record_views import record_page
from trading.domain.types import Text
from trading.services.calendar import load_calendar
from trading.services.reach import reach_of

#: Sessions on one page of the list.
_REPORTS = 30
_NO_DAY = Text(
    "“after” is no day (such as 2026-01-31): the newest reports are shown.",
    "“after”不是日期（例如 2026-01-31）：显示最新的日报。",
)
_NO_ACCOUNT = Text("There is no such account: the first is shown.", "没有该账户：显示第一个账户。")
_NO_MONTH = Text(
    "“month” is no month (such as 2026-01): the present one is shown.",
    "“month”不是月份（例如 2026-01）：显示本月。",
)


class Day:
    """A day in an address: `2026-01-31`."""

    regex = r"\d{4}-\d{2}-\d{2}"

    def to_python(self, value: str) -> date:
        """Raises ValueError for a day that no calendar has: there is no such page."""
        return date.fromisoformat(value)

    def to_url(self, value: date | str) -> str:
        return str(value)


@record_page
def results(request: HttpRequest) -> HttpResponse:
    """What a month brought: by day, by rule, by grid."""
    accounts = read_accounts(timezone.now(), reach_of(request.user))
    if not accounts:
        return render(request, "monitoring/nothing_yet.html")
    account, problem = _account(request, accounts)
    present = account.on.replace(day=1)
    written = request.GET.get("month", "")
    first = month_of(written) if written else present
    if first is None:
        first, problem = present, _NO_MONTH
    page = results_page(account, first, load_calendar())
    context = {
        "page": page,
        "account": account,
        "accounts": list(accounts.values()),
        "problem": problem,
        "has_after": page.month_after <= present,
    }
    return render(request, "monitoring/results.html", context)


def _account(
    request: HttpRequest, accounts: Mapping[int, AccountNow]
) -> tuple[AccountNow, Text | None]:
    """Return the account that was asked for, the first one where none or no such was."""
    first = next(iter(accounts.values()))
    written = request.GET.get("account", "")
    if not written:
        return first, None
    wanted = accounts.get(int(written)) if written.isdecimal() and len(written) < 12 else None
    return (first, _NO_ACCOUNT) if wanted is None else (wanted, None)


@record_page
def reports(request: HttpRequest) -> HttpResponse:
    """The reported sessions, newest first."""
    written = request.GET.get("after", "")
    after = _day(written) if written else None
    accounts = read_accounts(timezone.now(), reach_of(request.user))
    rows, older = report_rows(after, _REPORTS, accounts)
    today = max((one.on for one in accounts.values()), default=None)
    context = {
        "rows": rows,
        "older": older,
        "is_newest": after is None,
        "problem": _NO_DAY if written and after is None else None,
        "today": today or timezone.localdate(),
        "folder": folder_of(Path(settings.HOME)),
    }
    return render(request, "monitoring/reports.html", context)


@record_page
def report(request: HttpRequest, on: date) -> HttpResponse:
    """One day of all accounts, or of one."""
    accounts = read_accounts(timezone.now(), reach_of(request.user))
    calendar = load_calendar()
    shown, problem, chosen = list(accounts.values()), None, "account" in request.GET
    if chosen and accounts:
        one, problem = _account(request, accounts)
        shown = [one]
    newest = max((one.on for one in accounts.values()), default=on)
    after = calendar.next_session(on)
    context = {
        "on": on,
        "days": [daily_view(one, on, calendar) for one in shown],
        "before": calendar.previous_session(on),
        "after": after if after is not None and after <= newest else None,
        "chosen": chosen,
        "problem": problem,
        "query": f"?{urlencode({'account': shown[0].row.pk})}" if chosen and shown else "",
    }
    return render(request, "monitoring/report.html", context)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
