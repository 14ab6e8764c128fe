"""The pages of grid trading: all sessions, one session with its ladder, and the start in two steps."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from grid.admin.forms import OWN, StartForm, hidden
from grid.admin.pages import preview_page, session_page
from grid.domain.rules import parameter_names
from grid.domain.state import SessionStatus
from grid.models import GridSession
from grid.services.overview import overview, state_words
from grid.services.preview import Preview, prepare
from grid.services.sessions import SessionRefused, start_session
from grid.services.words import plain
from monitoring import views
from monitoring.console.confirming import asks_code, reauthenticated
from monitoring.console.denial_words import MEANINGS
from monitoring.console.grid_ladder import rounds_of, rungs_of
from monitoring.console.grid_list import ARMED, grid_list
from monitoring.console.record_filters import read_accounts
from monitoring.record_views import record_page
from monitoring.templatetags.console import speak
from trading.admin.base import TRADE, actor_of, market_now
from trading.domain.symbols import parse_symbol
from trading.domain.types import AccountMode, Text
from trading.models import Account
from trading.selectors import instrument_of
from trading.services.calendar import load_calendar
from trading.services.reach import Reach, reach_of
from trading.services.shared_quotes import quotes_of_thread

VIEW = "grid.view_gridsession"


def _page(view: Any) -> Any:
    return record_page(permission_required(VIEW, raise_exception=True)(view))


# -- looking


@_page
def grids(request: HttpRequest) -> HttpResponse:
    """All sessions that are not stopped, or every one; the list asks again every five seconds."""
    every = request.GET.get("every") == "on"
    reach = reach_of(request.user)
    accounts = read_accounts(timezone.now(), reach)
    context = {
        "page": grid_list(accounts, quotes_of_thread(), every),
        "every": every,
        "many_accounts": len(accounts) > 1,
        "as_of": next(iter(accounts.values())).now if accounts else None,
        "may_start": request.user.has_perm(TRADE) and reach.has_any_to_trade,
    }
    part = "monitoring/grids_body.html" if "HX-Request" in request.headers else None
    return render(request, part or "monitoring/grids.html", context)


@_page
def grid(request: HttpRequest, pk: int) -> HttpResponse:
    """One session: what it waits for, its ladder, lots, rounds, decisions, fills and orders."""
    reach = reach_of(request.user)
    row = get_object_or_404(reach.rows(GridSession.objects.select_related("account")), pk=pk)
    now = market_now(row.account)
    found = overview(row, quotes_of_thread(), load_calendar(), now)
    context = {
        "row": row,
        "name": instrument_of(parse_symbol(row.symbol)).name,
        "found": found,
        "state": state_words(row),
        "armed": ARMED.get(row.tracker) if row.status != SessionStatus.STOPPED else None,
        "rungs": rungs_of(found),
        "rounds": rounds_of(found.trades),
        "notes": [(note, MEANINGS.get(note.code)) for note in found.notes],
        "facts": session_page(found)["facts"],
        "as_of": now,
        "is_open": row.status != SessionStatus.STOPPED,
        "may_trade": request.user.has_perm(TRADE) and reach.changes(row),
    }
    part = "monitoring/grid_body.html" if "HX-Request" in request.headers else None
    return render(request, part or "monitoring/grid.html", context)


# -- starting one


@require_http_methods(["GET", "HEAD", "POST"])
@views.own_content_only
@login_required
@permission_required((VIEW, TRADE), raise_exception=True)
def start(request: HttpRequest) -> HttpResponse:
    """Ask, show what would come of it, and start it once that was confirmed."""
    reach = reach_of(request.user)
    if request.method != "POST":
        return _ask(request, StartForm(initial=_initial(request, reach), reach=reach))
    form = StartForm(request.POST, reach=reach)
    if "back" in request.POST or not form.is_valid():
        return _ask(request, form)
    account = form.cleaned_data["account"]
    now, quotes = market_now(account), quotes_of_thread()
    try:
        found = prepare(form.request(), quotes, load_calendar(), now)
        if "confirmed" not in request.POST:
            return _preview(request, form, found)
        problem = (
            reauthenticated(request, factor=True) if account.mode == AccountMode.LIVE else None
        )
        if problem is not None:
            return _preview(request, form, found, problem)
        why = form.cleaned_data["why"]
        row = start_session(form.request(), found.quote, now, actor=actor_of(request), why=why)
    except SessionRefused as refusal:
        form.refuse(refusal)
        return _ask(request, form)
    done = Text(f"The grid on {row.symbol} runs.", f"{row.symbol} 的网格已启动。")
    messages.success(request, speak(done))
    return redirect("grid", pk=row.pk)


def _initial(request: HttpRequest, reach: Reach) -> dict[str, Any]:
    """Return what the form begins with: a symbol that was named, or the parameters of the session that is cloned."""
    number = request.GET.get("clone", "")
    if not (number.isascii() and number.isdigit() and len(number) < 18):
        enabled = reach.tradable(Account.objects.filter(enabled=True))
        accounts = list(enabled.values_list("pk", flat=True)[:2])
        only = accounts[0] if len(accounts) == 1 else None
        return {"symbol": request.GET.get("symbol", ""), "account": only}
    row = get_object_or_404(reach.rows(GridSession.objects.all()), pk=int(number))
    return {
        **{name: plain(getattr(row, name)) for name in parameter_names(row.style)},
        "account": row.account_id,
        "plan": f"{OWN}{row.style}",
        "exits_may_sell_base": row.exits_may_sell_base,
        "stop_policy": row.stop_policy,
    }


def _ask(request: HttpRequest, form: StartForm) -> HttpResponse:
    return render(request, "monitoring/grid_start.html", {"form": form})


def _preview(
    request: HttpRequest, form: StartForm, found: Preview, problem: Text | None = None
) -> HttpResponse:
    """Show the preview; what is confirmed is what was shown, so the values it found are fixed."""
    account = form.cleaned_data["account"]
    posted = {
        **form.cleaned_data,
        "account": account.pk,
        "max_investment": plain(found.draft.rules.max_investment),
        "centre": plain(found.draft.centre),
        "base_quantity": str(found.draft.base_quantity),
    }
    context = {
        **preview_page(found),
        "hidden": hidden(posted),
        "account": account,
        "is_live": account.mode == AccountMode.LIVE,
        "with_code": asks_code(request),
        "problem": problem,
    }
    return render(request, "monitoring/grid_preview.html", context)
