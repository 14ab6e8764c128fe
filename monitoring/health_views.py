"""What programs ask: is it alive, may it trade, what does it measure. Beyond “ok” only with a login or the token."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe

from monitoring import views
from monitoring.console.access import VIEW
from monitoring.console.metrics import CONTENT_TYPE, metrics
from monitoring.services.readiness import Reason, readiness
from trading.services.reach import reach_of

_View = Callable[..., HttpResponseBase]
_REFUSED = (
    "Log in, or show the token MINIQMT_METRICS_TOKEN as “Authorization: Bearer …”.\n"
    "请登录，或以 “Authorization: Bearer …” 出示 MINIQMT_METRICS_TOKEN 令牌。\n"
)


def _may_look(request: HttpRequest) -> bool:
    token = settings.MINIQMT_METRICS_TOKEN
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    if token and scheme.lower() == "bearer":
        return constant_time_compare(shown.strip(), token)
    # It tells of every account.
    return request.user.has_perm(VIEW) and reach_of(request.user).is_everything


def for_programs(view: _View) -> _View:
    """Answer whoever shows the token or may view accounts; anybody else gets 401, and no form."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not _may_look(request):
            headers = {"WWW-Authenticate": "Bearer"}
            return HttpResponse(
                _REFUSED, status=401, content_type="text/plain; charset=utf-8", headers=headers
            )
        response = view(request, *args, **kwargs)
        response.headers["Cache-Control"] = "no-store"
        return response

    safe: _View = require_safe(guarded)
    return safe


@require_safe
def alive(request: HttpRequest) -> HttpResponse:
    """This process answers; nothing else is asked, not even the database."""
    headers = {"Cache-Control": "no-store"}
    return HttpResponse("ok\n", content_type="text/plain", headers=headers)


@for_programs
def ready(request: HttpRequest) -> HttpResponse:
    """200 when every account may trade, else 503; the reasons either way."""
    real = timezone.now()
    state = readiness(real)
    content = {
        "ready": state.ready,
        "at": real.isoformat(timespec="seconds"),
        "reasons": [_reason(one) for one in state.reasons],
        "accounts": [
            {
                "name": one.name,
                "ready": not one.reasons,
                "phase": one.phase.value,
                "reasons": [_reason(reason) for reason in one.reasons],
            }
            for one in state.accounts
        ],
    }
    return JsonResponse(
        content, status=200 if state.ready else 503, json_dumps_params={"ensure_ascii": False}
    )


def _reason(one: Reason) -> dict[str, str]:
    return {"code": one.code, "en": one.text.en, "zh": one.text.zh}


@for_programs
def measured(request: HttpRequest) -> HttpResponse:
    """Everything measured, for Prometheus."""
    content = metrics(views.console_now.at(timezone.now()), Path(settings.HOME))
    return HttpResponse(content, content_type=CONTENT_TYPE)
