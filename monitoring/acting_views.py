"""Acting: a confirmation that tells everything, one POST that does it once, and the answer."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import wraps
from typing import Any, NamedTuple

from django.contrib.auth.decorators import login_required
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from monitoring import views
from monitoring.console.access import VIEW
from monitoring.console.acting import (
    Action,
    Confirmation,
    Gone,
    Moment,
    Outcome,
    is_real,
    moment_of,
)
from monitoring.console.acting_forms import ActForm
from monitoring.console.actions import ACTIONS
from monitoring.console.confirming import asks_code, reauthenticated
from monitoring.console.trade_page import answer_of, trade_page
from monitoring.models import Act
from trading.admin.base import RELEASE, TRADE
from trading.domain.types import Text
from trading.errors import GatewayUnavailable
from trading.models import Account
from trading.services.corrections import CorrectionError
from trading.services.reach import ONLY_LOOK, reach_of

_View = Callable[..., HttpResponseBase]
_NOT_DONE = Text("Nothing was done", "未执行任何操作")
_NOT_ALLOWED = Text("Not allowed", "没有权限")
_ONLY_LOOK = Text(
    "You may look, not act. Acting needs the permission to trade (trade_account); an administrator can"
    " give it to you. Nothing was done.",
    "您只能查看，不能操作。操作需要“交易”权限（trade_account），请联系管理员授予。未执行任何操作。",
)
_NOT_THERE = Text("There is nothing of this kind (any more).", "没有该对象。")
_NOT_YOURS = Text(
    "The main switch is released by whoever may release it (release_account, role “Risk manager”). Nothing was done.",
    "解除总开关需要“解除”权限（release_account，“风控员”角色）。未执行任何操作。",
)
_QUOTES = Text(
    "Quotes cannot be read now, so nothing was done. Look at the market data, then try again.",
    "目前无法读取行情，未执行任何操作。请检查行情后重试。",
)
_OTHER = Text(
    "It changed since it was shown, so nothing was done. This is how it is now: look, and confirm again.",
    "显示之后情况已有变化，未执行任何操作。以下为当前情况，请核对后再次确认。",
)
_DAMAGED = Text(
    "This form is damaged: nothing was done. Open the confirmation again.",
    "表单已损坏，未执行任何操作。请重新打开确认页。",
)
#: Longer than any act takes: without an answer by then it died on the way.
_ACTS_WITHIN = timedelta(seconds=30)
_BEING_DONE = Text(
    "This was confirmed a moment ago and is being done. Look again.",
    "该操作刚刚确认，正在执行。请刷新查看。",
)
_UNANSWERED = Text(
    "This was confirmed already, and what came of it is not recorded. It is not done twice: look at signals, orders and "
    "events.",
    "该操作此前已确认，但结果没有记录。不会重复执行：请查看信号、委托与事件。",
)


def acting(*methods: str) -> Callable[[_View], _View]:
    """Show only to whoever may trade; who may not is told so, in words."""

    def decorated(view: _View) -> _View:
        @login_required
        @wraps(view)
        def entered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            may = request.user.has_perm
            if not (may(VIEW) and (may(TRADE) or may(RELEASE))):
                return _told(request, _ONLY_LOOK, 403)
            return view(request, *args, **kwargs)

        safe: _View = require_http_methods(list(methods))(views.own_content_only(entered))
        return safe

    return decorated


class _Asked(NamedTuple):
    """One request to act."""

    action: Action
    subject: Any
    account: Account
    at: Moment


@acting("GET", "HEAD", "POST")
def act(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    """Show what is to be confirmed (GET), or do it once (POST)."""
    if name not in ACTIONS:
        return _told(request, Text("There is no such act.", "没有此项操作。"), 404)
    action = ACTIONS[name]
    try:
        subject = action.find(pk)
        account = action.account_of(subject)
        loosens = action.loosens(subject)
        reach = reach_of(request.user)
        if not reach.sees(account.pk):
            return _told(request, _NOT_THERE, 404)  # as if there were none
        if not reach.trades(account.pk):
            return _told(request, ONLY_LOOK, 403)
        if not request.user.has_perm(RELEASE if loosens else TRADE):
            return _told(request, _NOT_YOURS if loosens else _ONLY_LOOK, 403)
        at = moment_of(account, timezone.now(), request.user.get_username())
        asked = _Asked(action, subject, account, at)
        return _post(request, asked) if request.method == "POST" else _ask(request, asked)
    except Gone as gone:
        # It may have been another account's.
        is_free = reach_of(request.user).is_everything
        return _told(request, gone.text if is_free else _NOT_THERE, 404)
    except CorrectionError as problem:
        return _told(request, problem.text, 409)
    except GatewayUnavailable:
        return _told(request, _QUOTES, 503)


def _ask(request: HttpRequest, asked: _Asked) -> HttpResponse:
    initial = asked.action.initial(asked.subject, request.GET.dict(), asked.at)
    form = asked.action.form(initial=initial)
    # What the form begins with is looked at as if it were written.
    answers = asked.action.form(initial).usable()
    return _confirmation(
        request, asked, form, asked.action.confirm(asked.subject, answers, asked.at)
    )


def _post(request: HttpRequest, asked: _Asked) -> HttpResponse:
    token = request.POST.get("token", "")
    if len(token) != 32 or not token.isalnum():
        return _told(request, _DAMAGED, 400)
    before = Act.objects.filter(token=token).first()
    if before is not None:
        return _once(request, before)
    form = asked.action.form(request.POST)
    answers = form.usable()
    now = asked.action.confirm(asked.subject, answers, asked.at)
    if "again" in request.POST:
        form.errors.pop("why", None)  # nobody asked for it yet
        return _confirmation(request, asked, form, now)
    if form.is_valid() and _needs_proof(asked):
        factor = asked.action.takes_factor or asked.action.loosens(asked.subject)
        refused = reauthenticated(request, factor=factor)
        if refused is not None:
            return _confirmation(request, asked, form, now, 422, unproven=refused)
    if not form.is_valid():
        return _confirmation(request, asked, form, now, 422)
    if now.problem is not None:
        return _confirmation(request, asked, form, now, 409)
    if asked.action.is_other(request.POST.get("shown", ""), now):
        return _confirmation(request, asked, form, now, 409, notice=_OTHER)
    return _do(request, asked, form, token)


def _do(request: HttpRequest, asked: _Asked, form: ActForm, token: str) -> HttpResponse:
    """Write that it is done, do it, and write what came of it: whatever dies between, it is not done twice."""
    action, subject, at = asked.action, asked.subject, asked.at
    row = Act(
        token=token,
        at=timezone.now(),
        actor=request.user.get_username(),
        account=asked.account,
        action=action.name,
        subject=action.subject_words(subject, form.cleaned_data)[:64],
        why=form.cleaned_data.get("why", ""),
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:  # the other half of a double click was faster
        return _once(request, Act.objects.get(token=token))
    try:
        outcome = action.act(subject, form.cleaned_data, at)
    except (CorrectionError, GatewayUnavailable) as problem:  # refused whole: nothing was done
        row.delete()
        text = problem.text if isinstance(problem, CorrectionError) else _QUOTES
        form.refuse(getattr(problem, "field", None), text)
        now = action.confirm(subject, form.cleaned_data, at)
        return _confirmation(request, asked, form, now, 409)
    _answer(row, outcome)
    return HttpResponseRedirect(reverse("act-done", args=(token,)))


def _answer(row: Act, outcome: Outcome) -> None:
    row.answer_en, row.answer_zh = outcome.words
    row.rows, row.answered_at = dict(outcome.rows), timezone.now()
    row.save(update_fields=["answer_en", "answer_zh", "rows", "answered_at"])


def _once(request: HttpRequest, row: Act) -> HttpResponse:
    """Answer a form that was confirmed before as it was answered then."""
    if row.actor != request.user.get_username():
        return _told(request, _DAMAGED, 400)
    return HttpResponseRedirect(reverse("act-done", args=(row.token,)))


@acting("GET", "HEAD")
def done(request: HttpRequest, token: str) -> HttpResponse:
    """Say what was confirmed, and what has come of it until now."""
    rows = reach_of(request.user).rows(Act.objects.select_related("account"))
    row = rows.filter(token=token).first()
    if row is None:
        return _told(request, Text("Nothing was confirmed here.", "此处没有已确认的操作。"), 404)
    words = Text(row.answer_en, row.answer_zh)
    if row.answered_at is None:
        words = _UNANSWERED if timezone.now() - row.at > _ACTS_WITHIN else _BEING_DONE
    context = {"row": row, "words": words, "answer": answer_of(row)}
    return render(request, "monitoring/act_done.html", context)


@acting("GET", "HEAD")
def trade(request: HttpRequest) -> HttpResponse:
    """Find a symbol, and everything there is to act on beside holdings and orders."""
    return render(
        request,
        "monitoring/trade.html",
        trade_page(request.GET, timezone.now(), reach_of(request.user)),
    )


def _confirmation(
    request: HttpRequest,
    asked: _Asked,
    form: ActForm,
    now: Confirmation,
    status: int = 200,
    *,
    notice: Text | None = None,
    unproven: Text | None = None,
) -> HttpResponse:
    """Show the confirmation. Each showing has a token of its own: a form is done once."""
    context: Mapping[str, Any] = {
        "now": now,
        "form": form,
        "action": asked.action.name,
        "address": request.path,
        "token": secrets.token_hex(16),
        "market_now": asked.at.now,
        "notice": notice,
        "needs_proof": _needs_proof(asked),
        "with_code": asks_code(request),
        "unproven": unproven,
        "may_act": now.problem is None,
        "looks_again": bool(asked.action.form.shows_anew),
    }
    return render(request, "monitoring/act.html", context, status=status)


def _needs_proof(asked: _Asked) -> bool:
    return asked.action.takes_proof and is_real(asked.account)


def _told(request: HttpRequest, words: Text, status: int) -> HttpResponse:
    title = _NOT_ALLOWED if status == 403 else _NOT_DONE
    context = {"words": words, "title": title}
    return render(request, "monitoring/act_told.html", context, status=status)
