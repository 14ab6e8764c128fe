"""The pages of one's own security: the second factor, and saying again who one is."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from monitoring.security import second_factor, step_up
from monitoring.views import own_content_only
from trading.domain.types import Text

_WRONG_FIRST = Text(
    "Password or code is not right. Wait for the next code of the app; its clock must be right.",
    "密码或验证码不正确。请等待应用显示下一个验证码；设备时间须准确。",
)
_REMOVED = Text("The second factor is off.", "已停用第二验证因素。")


@require_http_methods(["GET", "POST"])
@own_content_only
@login_required
@sensitive_post_parameters()
def confirm(request: HttpRequest) -> HttpResponse:
    """Ask for the password and the code; then go back to where it was needed."""
    back, problem = _next(request), None
    if request.method == "POST":
        problem = step_up.confirm(request, _said(request, "password"), _said(request, "code"))
        if problem is None:
            return HttpResponseRedirect(back)
    context = {"next": back, "problem": problem, "with_code": second_factor.is_on(request.user)}
    return render(request, "monitoring/confirm.html", context, status=403 if problem else 200)


@require_http_methods(["GET", "POST"])
@own_content_only
@login_required
@sensitive_post_parameters()
def second_factor_page(request: HttpRequest) -> HttpResponse:
    """Set the second factor up, renew its recovery codes, or switch it off; each with the password and a code."""
    user: Any = request.user
    was_on, did = second_factor.is_on(user), _said(request, "do")
    context: dict[str, Any] = {"next": _next(request)}
    if request.method == "POST" and did in ("begin", "renew", "remove"):
        context |= _renew_or_remove(request, did) if was_on else _switch_on(request)
    is_on = second_factor.is_on(user)
    context |= {"is_on": is_on, "left": second_factor.codes_left(user) if is_on else 0}
    if not is_on:
        context["secret"] = second_factor.begin(user)
    status = 403 if context.get("problem") else 200
    return render(request, "monitoring/second_factor.html", context, status=status)


def _switch_on(request: HttpRequest) -> dict[str, Any]:
    user: Any = request.user
    problem = step_up.confirm(request, _said(request, "password"), "")
    codes = None if problem else second_factor.confirm(user, _said(request, "code"))
    if codes is None:
        return {"problem": _WRONG_FIRST}
    step_up.mark(request, with_factor=True)
    return {"codes": codes}


def _renew_or_remove(request: HttpRequest, did: str) -> dict[str, Any]:
    user: Any = request.user
    problem = step_up.confirm(request, _said(request, "password"), _said(request, "code"))
    if problem is not None:
        return {"problem": problem}
    if did == "remove":
        second_factor.remove(user)
        step_up.mark(request, with_factor=False)
        return {"told": _REMOVED}
    return {"codes": second_factor.renew_codes(user)}


def _said(request: HttpRequest, name: str) -> str:
    return str(request.POST.get(name, ""))[:128]


def _next(request: HttpRequest) -> str:
    """Where it goes on; never to another site."""
    asked = str(request.POST.get("next") or request.GET.get("next") or "")
    ours = url_has_allowed_host_and_scheme(asked, {request.get_host()}, request.is_secure())
    return asked if ours else reverse("console")
