"""The page of the alerts: everybody who may view accounts reads it, acknowledging has a permission of its own."""

from __future__ import annotations

import re
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from monitoring import views
from monitoring.console.access import VIEW
from monitoring.console.alert_records import AlertForm, alert_page
from monitoring.console.paging import place_of
from monitoring.record_views import record_page
from monitoring.services.alerting import acknowledge as note_acknowledged
from monitoring.templatetags.console import say
from trading.domain.types import Text
from trading.services.reach import reach_of

ACKNOWLEDGE = "monitoring.operate"
#: Alerts that one press of the button acknowledges at most.
_MOST = 500
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)
_NO_PLACE = Text(
    "The address of this page is damaged: the newest rows are shown.",
    "页面地址有误：显示最新的记录。",
)


@record_page
def alerts(request: HttpRequest) -> HttpResponse:
    """List alerts, newest first, with what became of them at each channel."""
    reach = reach_of(request.user)
    form = AlertForm(request.GET, reach)
    written = request.GET.get("after", "")
    after = place_of(written) if written else None
    page = alert_page(form, after, reach)
    context: dict[str, Any] = {
        "form": form,
        "page": page,
        "problem": _NO_PLACE if written and after is None else None,
        "may_acknowledge": request.user.has_perm(ACKNOWLEDGE) and reach.has_any_to_trade,
        "older_link": _link(request, after=page.older),
        "newest_link": _link(request, after=None),
        "is_newest": after is None,
        "here": request.get_full_path(),
    }
    return render(request, "monitoring/alerts_page.html", context)


def _link(request: HttpRequest, after: object) -> str:
    parameters = request.GET.copy()
    parameters.pop("after", None)
    if after is not None:
        parameters["after"] = str(after)
    query = parameters.urlencode()
    return f"{request.path}?{query}" if query else request.path


@require_POST
@views.own_content_only
@login_required
@permission_required((VIEW, ACKNOWLEDGE), raise_exception=True)
def acknowledge(request: HttpRequest) -> HttpResponse:
    """Note that this person has seen the alerts whose numbers were sent, then show the page again."""
    numbers = [one for one in request.POST.getlist("alert") if _NUMBER.fullmatch(one)]
    actor = request.user.get_username()
    reach = reach_of(request.user)
    noted = note_acknowledged(map(int, numbers[:_MOST]), actor, timezone.now(), reach)
    if noted:
        messages.success(request, say(f"Acknowledged: {noted}.", f"已确认 {noted} 条。"))
    else:
        same = say("They were acknowledged already.", "这些告警此前已确认，未做更改。")
        messages.warning(request, same)
    back = request.POST.get("back", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None) or not back.startswith("/"):
        back = reverse("alerts")
    return HttpResponseRedirect(back)
