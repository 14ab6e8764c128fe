"""The page of an account's settings: look, type, see what it would do, say why, save; and the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from monitoring import views
from monitoring.console import setting_history as stories
from monitoring.console.confirming import asks_code, reauthenticated
from monitoring.console.setting_effects import Effects, effects_of
from monitoring.console.typed_settings import (
    Judged,
    changes_of,
    groups_of,
    judged,
    touched,
    typed_in,
    values_of,
    written,
)
from monitoring.templatetags.console import speak
from trading.domain.types import AccountMode, Text
from trading.errors import ConfigError
from trading.models import Account, TradingConfig
from trading.services import config
from trading.services.clock import market_time
from trading.services.raised_limits import raised
from trading.services.reach import reach_of
from trading.services.shared_quotes import quotes_of_thread

VIEW, CHANGE = "trading.view_tradingconfig", "trading.change_tradingconfig"
#: What a row raises that a hand wrote past every validation.
_UNREADABLE = (ValueError, TypeError, ArithmeticError)
#: A reason is as long as its column.
_LONGEST_WHY = 200
#: What a column of numbers can hold, and how many digits surely fit.
_GREATEST, _DIGITS = 2**63 - 1, 18


def _page(view: Any) -> Any:
    guarded = login_required(permission_required(VIEW, raise_exception=True)(view))
    return views.own_content_only(guarded)


def market_now(account: Account) -> Any:
    """Return the market time of this account now."""
    return market_time(AccountMode(account.mode), timezone.now())


# -- look, and type


@require_http_methods(["GET", "HEAD", "POST"])
@_page
def configuration(request: HttpRequest) -> HttpResponse:
    """Show every setting; what is typed is judged, shown as before → after, and saved once a reason is given."""
    configured = Account.objects.filter(config__isnull=False).order_by("pk")
    accounts = list(reach_of(request.user).rows(configured))
    account = _chosen(request, accounts)
    if account is None:
        return render(request, "monitoring/configuration.html", {"accounts": ()})
    try:
        row = TradingConfig.objects.select_related("account").get(pk=account.pk)
    except _UNREADABLE as problem:
        told = _unreadable(problem)
        context = {**_around(request, account, accounts), "problem": told}
        return render(request, "monitoring/configuration.html", context)
    if request.method == "POST":
        return _posted(request, row, accounts)
    return _form(request, row, accounts)


def _chosen(request: HttpRequest, accounts: Sequence[Account]) -> Account | None:
    sent = request.POST if request.method == "POST" else request.GET
    wanted = sent.get("account")
    if wanted is None and request.method != "POST":
        return accounts[0] if accounts else None
    for one in accounts:
        if str(one.pk) == wanted:
            return one
    raise Http404  # never another account than the one that was meant


def _form(
    request: HttpRequest,
    row: TradingConfig,
    accounts: Sequence[Account],
    typed: Mapping[str, str] | None = None,
    found: Judged | None = None,
    others: Mapping[str, str] | None = None,
    problem: Text | None = None,
) -> HttpResponse:
    problems = {} if found is None else found.problems
    if found is not None and problem is None:
        problem = found.problem
    context = {
        **_around(request, row.account, accounts),
        "row": row,
        "groups": groups_of(row, typed, problems, others),
        "problem": problem,
        "problems": problems,
        "typed": bool(typed),
        "why": request.POST.get("why", ""),
        "history": stories.history_of(row),
        "settings_problem": _standing_problem(row),
    }
    return render(request, "monitoring/configuration.html", context)


def _around(request: HttpRequest, account: Account, accounts: Sequence[Account]) -> dict[str, Any]:
    return {
        "account": account,
        "accounts": accounts,
        "may_change": request.user.has_perm(CHANGE) and reach_of(request.user).trades(account.pk),
        "is_live": account.mode == AccountMode.LIVE,
        "with_code": asks_code(request),
    }


def _standing_problem(row: TradingConfig) -> Text | None:
    try:
        return config.load(row.pk).problem
    except ConfigError as problem:
        return config.explain(problem)


def _unreadable(problem: Exception) -> Text:
    return Text(
        f"The stored settings cannot be read ({problem}): only stop-losses of the last valid revision act."
        " Roll back to a revision of the history in the admin.",
        f"已保存的配置无法读取（{problem}）：只有上一有效版本的止损生效。请在管理后台从变更历史回滚。",
    )


# -- judge, and save


def _posted(request: HttpRequest, row: TradingConfig, accounts: Sequence[Account]) -> HttpResponse:
    _needs(request, row)
    typed, seen = typed_in(request.POST), request.POST.get("seen_revision", "")
    if seen != str(row.revision):
        return _stale(request, row, accounts, typed, seen)
    meant = touched(row, typed)
    found = judged(row, meant)
    if not found.is_good:
        return _form(request, row, accounts, typed, found)
    if "back" in request.POST:
        return _form(request, row, accounts, typed)
    if not found.values:
        same = Text(
            "Nothing is different from what is stored: nothing to save.",
            "与当前配置完全相同，无需保存。",
        )
        return _form(request, row, accounts, typed, problem=same)
    if "confirmed" not in request.POST:
        return _review(request, row, found.values, meant)
    refused = _refused(request, row, found.values)
    if refused is not None:
        return _review(request, row, found.values, meant, refused)
    try:
        _save(request, row, found.values)
    except ConfigError as problem:
        present = TradingConfig.objects.select_related("account").get(pk=row.pk)
        if present.revision != row.revision:  # somebody was faster between the look and the change
            return _stale(request, present, accounts, typed, seen)
        return _form(request, row, accounts, typed, problem=config.explain(problem))
    done = Text(
        f"Saved as revision {row.revision + 1}; it counts from the next tick on.",
        f"已保存为第 {row.revision + 1} 版，下一周期起生效。",
    )
    return _done(request, row, done)


def _needs(request: HttpRequest, row: TradingConfig) -> None:
    if not (request.user.has_perm(CHANGE) and reach_of(request.user).changes(row)):
        raise PermissionDenied


def _save(request: HttpRequest, row: TradingConfig, values: Mapping[str, Any]) -> None:
    """All or none. Raises ConfigError."""
    why = request.POST.get("why", "").strip()
    config.change(row.pk, values, actor=request.user, why=why, revision=row.revision)


def _done(request: HttpRequest, row: TradingConfig, said: Text) -> HttpResponse:
    messages.success(request, speak(said))
    return redirect(f"{reverse('configuration')}?account={row.pk}")


def _refused(request: HttpRequest, row: TradingConfig, values: Mapping[str, Any]) -> Text | None:
    """Why this is not saved yet: no reason, or, where real money is concerned, no password; more room takes a code."""
    why = request.POST.get("why", "").strip()
    if not why:
        return Text(
            "reason is empty: nothing was saved. Say in a few words why.",
            "原因为空：未保存。请简要说明变更原因。",
        )
    if len(why) > _LONGEST_WHY:
        return Text(
            f"reason has {len(why)} characters: nothing was saved. At most {_LONGEST_WHY} are kept.",
            f"原因共 {len(why)} 个字符：未保存。最多 {_LONGEST_WHY} 个字符。",
        )
    if row.account.mode != AccountMode.LIVE:
        return None
    return reauthenticated(request, factor=bool(raised(row, values)))


def _stale(
    request: HttpRequest,
    row: TradingConfig,
    accounts: Sequence[Account],
    typed: Mapping[str, str],
    seen: str,
) -> HttpResponse:
    """Refuse a form that was opened on an older revision: what the person changed stays, all else is as it is by now."""
    old = stories.stored_at(row, int(seen)) if _is_number(seen) else None
    meant = dict(typed) if old is None else touched(old, typed)
    before = {} if old is None else values_of(old)
    others = {
        name: written(name, getattr(row, name))
        for name, value in before.items()
        if value != getattr(row, name)
    }
    newest = stories.history_of(row).versions[:1]
    who = newest[0].who if newest else Text("somebody", "他人")
    why = newest[0].why if newest else ""
    problem = Text(
        f"Somebody else changed the settings meanwhile: they are at revision {row.revision} ({who.en}: {why}), you saw"
        f" {seen or '?'}. Nothing was saved. What you typed is kept below, all else is as it is now: look, and go on.",
        f"配置已被他人修改：现在是第 {row.revision} 版（{who.zh}：{why}），您看到的是第 {seen or '?'} 版。未保存任何内容。"
        "您填写的内容保留在下方，其余为当前值：请核对后继续。",
    )
    return _form(request, row, accounts, meant, judged(row, meant), others, problem)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS


def _review(
    request: HttpRequest,
    row: TradingConfig,
    values: Mapping[str, Any],
    meant: Mapping[str, str],
    problem: Text | None = None,
    back_to: stories.Version | None = None,
) -> HttpResponse:
    """Show before → after and what it does to the holdings, and ask for the reason."""
    context = {
        **_around(request, row.account, ()),
        "row": row,
        "changes": changes_of(row, values),
        "effects": _effects(row, values),
        "hidden": list(meant.items()),
        "problem": problem,
        "why": request.POST.get("why", ""),
        "back_to": back_to,
    }
    return render(request, "monitoring/configuration_review.html", context)


def _effects(row: TradingConfig, values: Mapping[str, Any]) -> Effects | None:
    """What it would do to the holdings; None while nothing valid is stored, or will be."""
    try:
        before = config.load(row.pk)
        after = config.tried(copy(row), values)
    except ConfigError:
        return None
    account = row.account
    return effects_of(account, before, after, quotes_of_thread(), market_now(account))


# -- history


@require_safe
@_page
def history(request: HttpRequest, pk: int) -> HttpResponse:
    """Show who changed what, when and why; any two revisions can be chosen to be compared."""
    row = _row(request, pk)
    before = request.GET.get("before", "")
    found = stories.history_of(row, int(before) if _is_number(before) else None)
    context = {
        **_around(request, row.account, ()),
        "row": row,
        "history": found,
        "is_newest": not before,
        "newest_link": request.path,
        "older_link": f"{request.path}?before={found.older}",
    }
    return render(request, "monitoring/configuration_history.html", context)


@require_safe
@_page
def compare(request: HttpRequest, pk: int) -> HttpResponse:
    """Show any two revisions side by side."""
    row = _row(request, pk)
    asked = {request.GET.get(name, "").strip() for name in ("one", "two")}
    numbers = sorted(int(text) for text in asked if _is_number(text))
    stored = [one for one in (stories.stored_at(row, number) for number in numbers) if one]
    if len(stored) != 2:
        told = Text(
            f"Compare two different revisions from 1 to {row.revision}.",
            f"请填写 1 至 {row.revision} 之间两个不同的版本号进行比较。",
        )
        messages.error(request, speak(told))
        return redirect("configuration-history", pk=pk)
    old, new = stored
    context = {
        **_around(request, row.account, ()),
        "row": row,
        "old": stories.version_of(row, old),
        "new": stories.version_of(row, new),
        "changes": changes_of(old, values_of(new)),
    }
    return render(request, "monitoring/configuration_compare.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@_page
def roll_back(request: HttpRequest, pk: int, version: int) -> HttpResponse:
    """Show what going back would change, across however many revisions, and do it once a reason is given."""
    row = _row(request, pk)
    _needs(request, row)
    stored = get_object_or_404(stories.versions_of(row.pk), history_id=version)
    to = stories.version_of(row, stored)
    values = {
        name: value for name, value in values_of(stored).items() if value != getattr(row, name)
    }
    problem = _refused_roll_back(request, row, to, values)
    if request.method != "POST" or problem is not None:
        return _review(request, row, values, {}, problem, to)
    try:
        _save(request, row, values)
    except ConfigError as refusal:
        return _review(request, _row(request, pk), values, {}, config.explain(refusal), to)
    done = Text(
        f"Rolled back to the settings of revision {to.revision}, as revision {row.revision + 1}.",
        f"已回滚到第 {to.revision} 版的配置，保存为第 {row.revision + 1} 版。",
    )
    return _done(request, row, done)


def _refused_roll_back(
    request: HttpRequest, row: TradingConfig, to: stories.Version, values: Mapping[str, Any]
) -> Text | None:
    try:
        config.tried(copy(row), values)
    except ConfigError as problem:
        told = config.explain(problem)
        return Text(
            f"Revision {to.revision} cannot be used any more: {told.en}. Choose another one.",
            f"第 {to.revision} 版已不能使用：{told.zh}。请选择其他版本。",
        )
    if request.method != "POST":
        return None
    seen = request.POST.get("seen_revision", "")
    if seen != str(row.revision):
        return Text(
            f"Somebody else changed the settings meanwhile: they are at revision {row.revision}, you saw {seen or '?'}."
            " Nothing was saved. What would change by now is below: look, and confirm again.",
            f"配置已被他人修改：现在是第 {row.revision} 版，您看到的是第 {seen or '?'} 版。未保存任何内容。"
            "下方为现在回滚会发生的变更：请核对后再次确认。",
        )
    if not values:
        return Text("The settings are already these.", "当前配置与该版本相同。")
    return _refused(request, row, values)


def _row(request: HttpRequest, pk: int) -> TradingConfig:
    if pk > _GREATEST:
        raise Http404
    rows = TradingConfig.objects.select_related("account")
    return get_object_or_404(reach_of(request.user).rows(rows), pk=pk)
