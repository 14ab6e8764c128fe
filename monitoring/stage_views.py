"""The path to live: where each broker account stands, what the next step asks, and the steps themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from monitoring.acting_views import acting
from monitoring.console.confirming import asks_code, reauthenticated
from monitoring.console.stage_forms import BackForm, CapsForm, ForwardForm
from monitoring.console.stage_page import StagePage, stage_page
from monitoring.security import second_factor
from monitoring.templatetags.console import speak
from trading.admin.base import RELEASE, actor_of
from trading.domain.stages import WORDS, Stage, may_enter
from trading.domain.types import Text
from trading.models import Account
from trading.services.corrections import CorrectionError
from trading.services.reach import Reach, reach_of
from trading.services.stages import Path as StagePath
from trading.services.stages import path_of, paths, set_caps, step_back, step_forward

_CLOSED = Text(
    "The checks above do not all pass: nothing was done.", "上方检查尚未全部通过，未执行任何操作。"
)
_OTHER = Text(
    "The account stands elsewhere by now: nothing was done. This is how it is; look, and decide again.",
    "该账户所处阶段已有变化，未执行任何操作。以下为当前情况，请核对后再决定。",
)


@acting("GET", "HEAD")
def going_live(request: HttpRequest) -> HttpResponse:
    """List the paths; the only one is shown at once."""
    reach = reach_of(request.user)
    found = [one for one in paths() if _is_seen(one, reach)]
    if len(found) == 1:
        return redirect("going-live-path", pk=_pk(found[0]))
    rows = [(one, WORDS[one.stage], _pk(one), _masked(one)) for one in found]
    return render(request, "monitoring/going_live.html", {"rows": rows})


@acting("GET", "HEAD", "POST")
def path(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one path (GET), or take one step on it (POST)."""
    found = _path(request, pk)
    if request.method != "POST":
        return _page(request, found)
    _needs_to_trade(request, found)
    if request.POST.get("seen") != found.stage.value:
        return _page(request, found, problem=_OTHER, status=409)
    return _back(request, found) if "to" in request.POST else _forward(request, found)


@acting("GET", "HEAD", "POST")
def caps(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the caps of a live account, or change them; that takes the second factor."""
    found = _path(request, pk)
    live = found.live
    if live is None:
        raise Http404
    _needs_release(request)
    _needs_to_trade(request, found)
    page = _look(request, found)
    form = CapsForm(request.POST or None, page.caps)
    problem = None
    if request.method == "POST" and form.is_valid():
        problem = reauthenticated(request, factor=True)
        if problem is None:
            why = form.cleaned_data["why"]
            try:
                set_caps(live, form.caps, why, timezone.now(), actor_of(request))
            except CorrectionError as refused:
                problem = refused.text
            else:
                messages.success(request, speak(Text("The caps are changed.", "实盘上限已更改。")))
                return redirect("going-live-path", pk=pk)
    failed = request.method == "POST"
    context = {"page": page, "form": form, "problem": problem, "with_code": asks_code(request)}
    return render(
        request, "monitoring/going_live_caps.html", context, status=422 if failed else 200
    )


def _forward(request: HttpRequest, found: StagePath) -> HttpResponse:
    _needs_release(request)
    if not reach_of(request.user).is_everything:
        raise PermissionDenied  # a step opens a ledger, which nobody who is limited does
    page = _look(request, found)
    form = _form(request, page)
    if form is None:
        return _page(request, found, problem=_OTHER, status=409)
    if not form.is_valid():
        return _page(request, found, form=form, status=422)
    assert page.to is not None
    ticked = form.vouched
    if not may_enter(page.checks, ticked):
        return _page(request, found, form=form, problem=_CLOSED, status=409)
    unproven = reauthenticated(request, factor=True)
    if unproven is not None:
        return _page(request, found, form=form, unproven=unproven, status=422)
    evidence = {
        check.code: ticked[check.code] if check.passed is None else check.text.en
        for check in page.checks
    }
    chosen = getattr(form, "caps", None) if page.to is Stage.CAPPED else None
    try:
        why, now = form.cleaned_data["why"], timezone.now()
        account = step_forward(found, why, now, actor_of(request), caps=chosen, evidence=evidence)
    except CorrectionError as problem:
        return _page(request, _path_again(found), problem=problem.text, status=409)
    messages.success(request, speak(_moved(account, page.to)))
    return redirect("going-live-path", pk=account.pk)


def _moved(account: Account, to: Stage) -> Text:
    words = WORDS[to]
    if to is Stage.LIVE:
        return Text(
            "It is live now: the caps do not hold any more, the limits of the configuration do.",
            "现已进入实盘：实盘上限不再生效，以风控配置的限额为准。",
        )
    return Text(
        f"It stands at {words.en} now, in the ledger {account.name}. `up` starts its gateway within half a minute.",
        f"现处于“{words.zh}”，账簿为 {account.name}。`up` 将在半分钟内启动其网关。",
    )


def _back(request: HttpRequest, found: StagePath) -> HttpResponse:
    form = BackForm(request.POST)
    if not form.is_valid():
        return _page(request, found, back_form=form, status=422)
    to, why = Stage(form.cleaned_data["to"]), form.cleaned_data["why"]
    try:
        told = step_back(found, to, why, timezone.now(), actor_of(request))
    except CorrectionError as problem:
        return _page(request, _path_again(found), problem=problem.text, status=409)
    messages.warning(request, speak(told))
    return redirect("going-live-path", pk=_pk(_path_again(found)))


def _page(
    request: HttpRequest,
    found: StagePath,
    *,
    form: ForwardForm | None = None,
    back_form: BackForm | None = None,
    problem: Text | None = None,
    unproven: Text | None = None,
    status: int = 200,
) -> HttpResponse:
    page = _look(request, found)
    form = form or _form(request, page, empty=True)
    asked = [] if form is None else [_row(form, check) for check in page.checks]
    context: dict[str, Any] = {
        "page": page,
        "form": form,
        "rows": asked,
        "back_form": back_form or BackForm(),
        "problem": problem,
        "unproven": unproven,
        "with_code": asks_code(request),
        "may_release": request.user.has_perm(RELEASE),
    }
    return render(request, "monitoring/going_live_path.html", context, status=status)


def _row(form: ForwardForm, check: Any) -> tuple[Any, Any, Any]:
    """A check, and the fields in which the person answers it where nobody else can."""
    if check.passed is not None:
        return check, None, None
    return check, form[f"tick_{check.code}"], form[f"said_{check.code}"]


def _look(request: HttpRequest, found: StagePath) -> StagePage:
    return stage_page(
        found,
        timezone.now(),
        Path(settings.HOME),
        has_factor=second_factor.is_on(request.user),
    )


def _form(request: HttpRequest, page: StagePage, *, empty: bool = False) -> ForwardForm | None:
    if page.to is None:
        return None
    asked = [check for check in page.checks if check.passed is None]
    data = None if empty else request.POST
    return ForwardForm(data, asked, page.path.number, page.to, page.caps)


def _needs_release(request: HttpRequest) -> None:
    if not request.user.has_perm(RELEASE):
        raise PermissionDenied


def _is_seen(found: StagePath, reach: Reach) -> bool:
    """A path is one thing: whoever sees all its ledgers sees it."""
    return all(reach.sees(row.pk) for row in found.ledgers.values())


def _needs_to_trade(request: HttpRequest, found: StagePath) -> None:
    reach = reach_of(request.user)
    if not all(reach.trades(row.pk) for row in found.ledgers.values()):
        raise PermissionDenied


def _path(request: HttpRequest, pk: int) -> StagePath:
    number = Account.objects.filter(pk=pk).values_list("broker_account_id", flat=True).first()
    found = None if number is None else path_of(number)
    if found is None or not found.ledgers or not _is_seen(found, reach_of(request.user)):
        raise Http404
    return found


def _path_again(found: StagePath) -> StagePath:
    return path_of(found.number)


def _pk(found: StagePath) -> int:
    row = found.ledger or next(iter(found.ledgers.values()))
    return row.pk


def _masked(found: StagePath) -> str:
    return next(iter(found.ledgers.values())).masked_number
