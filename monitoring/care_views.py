"""The pages of those who look after the installation: its backups, and what its processes warned of."""

from __future__ import annotations

import logging
from pathlib import Path

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from monitoring import views
from monitoring.care.errors import NothingDone
from monitoring.care.listing import listing
from monitoring.care.round import by_hand
from monitoring.console.access import VIEW
from monitoring.console.log_records import LogForm, log_page
from monitoring.console.paging import place_of
from monitoring.record_views import NO_PLACE, link, record_page
from monitoring.templatetags.console import speak
from trading.domain.types import Text
from trading.services.reach import reach_of

MAKE = "monitoring.operate"
VIEW_LOGS = "monitoring.view_logline"

log = logging.getLogger(__name__)


def _needs_everything(request: HttpRequest) -> None:
    """What concerns all accounts is not for somebody who is limited to some. Raises PermissionDenied."""
    if not reach_of(request.user).is_everything:
        raise PermissionDenied


@record_page
def backups(request: HttpRequest) -> HttpResponse:
    """List the backups with what is known of each. None can be had from here: they hold everything."""
    context = {
        "page": listing(Path(settings.HOME), timezone.now()),
        "may_make": request.user.has_perm(MAKE) and reach_of(request.user).is_everything,
        "second_place": bool(settings.MINIQMT_BACKUP_COPY),
    }
    return render(request, "monitoring/backups.html", context)


@require_POST
@views.own_content_only
@login_required
@permission_required((VIEW, MAKE), raise_exception=True)
def make_backup(request: HttpRequest) -> HttpResponse:
    """Make a backup now; a second press while it is being made is refused in words."""
    _needs_everything(request)
    try:
        made = by_hand(Path(settings.HOME), timezone.now())
    except NothingDone as problem:
        messages.error(request, speak(problem.text))
    else:
        log.info("%s made a backup: %s", request.user.get_username(), made.path.name)
        name, size = made.path.name, f"{made.note.size / 1e6:.1f} MB"
        done = Text(f"Made and proven: {name}, {size}.", f"已备份并验证：{name}，{size}。")
        messages.success(request, speak(done))
    return redirect("backups")


@record_page
@permission_required(VIEW_LOGS, raise_exception=True)
def logs(request: HttpRequest) -> HttpResponse:
    """What processes warned of, newest first, from warnings on."""
    _needs_everything(request)
    form = LogForm(request.GET, timezone.now())
    written = request.GET.get("after", "")
    after = place_of(written) if written else None
    page = log_page(form, after)
    context = {
        "form": form,
        "page": page,
        "problem": NO_PLACE if written and after is None else None,
        "levels": [(one, link(request, level=one.value, after=None)) for one in page.levels],
        "processes": [
            (one, link(request, process=one.value, after=None)) for one in page.processes
        ],
        "older_link": link(request, after=page.older),
        "newest_link": link(request, after=None),
        "is_newest": after is None,
        "here": request.get_full_path(),
    }
    return render(request, "monitoring/logs.html", context)
