"""The pages of the records: orders and fills, signals, one holding. They read, and write nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from monitoring import views
from monitoring.console.access import VIEW
from monitoring.console.chart import chart_of
from monitoring.console.holding_story import holding_page
from monitoring.console.order_chains import order_page
from monitoring.console.paging import Place, place_of
from monitoring.console.record_filters import (
    OrderForm,
    RecordForm,
    Scope,
    SignalForm,
    read_accounts,
)
from monitoring.console.signal_records import signal_page
from monitoring.console.values import HoldingView
from trading.domain.calendar import TradingCalendar
from trading.domain.types import Quote, Symbol, Text
from trading.errors import GatewayUnavailable
from trading.models import Position
from trading.services.calendar import load_calendar
from trading.services.reach import reach_of
from trading.services.shared_quotes import quotes_of_thread

_View = Callable[..., HttpResponseBase]
NO_PLACE = Text(
    "The address of this page is damaged: the newest rows are shown.",
    "页面地址有误：显示最新的记录。",
)


def record_page(view: _View) -> _View:
    """Show only to whoever may view accounts; a part that refreshes itself is sent to the login as a whole page."""
    guarded = login_required(permission_required(VIEW, raise_exception=True)(view))

    @wraps(view)
    def entered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if "HX-Request" in request.headers and not request.user.is_authenticated:
            back = f"{reverse('login')}?{urlencode({'next': request.get_full_path()})}"
            return HttpResponse(status=401, headers={"HX-Redirect": back})
        return guarded(request, *args, **kwargs)

    safe: _View = require_safe(views.own_content_only(entered))
    return safe


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which page of the list was asked for. `problem`: the address made no sense."""

    after: Place | None
    problem: Text | None


def _asked(request: HttpRequest) -> _Asked:
    written = request.GET.get("after", "")
    after = place_of(written) if written else None
    return _Asked(after, NO_PLACE if written and after is None else None)


@record_page
def orders(request: HttpRequest) -> HttpResponse:
    """Orders with their re-orders and fills, of today or of any day."""
    reach = reach_of(request.user)
    accounts, calendar = read_accounts(timezone.now(), reach), load_calendar()
    form = OrderForm(request.GET, accounts)
    asked = _asked(request)
    form.is_valid()
    page = order_page(form, asked.after, calendar)
    context = {
        **_around(request, form, asked, page.older, calendar),
        "page": page,
        "reach": reach,
        "refreshes": form.scope.is_today and asked.after is None and page.is_moving,
    }
    return render(request, "monitoring/orders_page.html", context)


@record_page
def signals(request: HttpRequest) -> HttpResponse:
    """Signals, what became of them, and why."""
    reach = reach_of(request.user)
    accounts, calendar = read_accounts(timezone.now(), reach), load_calendar()
    form = SignalForm(request.GET, accounts)
    asked = _asked(request)
    form.is_valid()
    page = signal_page(form, asked.after)
    context = {**_around(request, form, asked, page.older, calendar), "page": page, "reach": reach}
    return render(request, "monitoring/signals_page.html", context)


@record_page
def holding(request: HttpRequest, pk: int) -> HttpResponse:
    """One holding: what would sell it, and everything that was decided about it."""
    reach = reach_of(request.user)
    row = get_object_or_404(reach.rows(Position.objects.select_related("account")), pk=pk)
    real = timezone.now()
    account = read_accounts(real, reach)[row.account_id]
    asked = _asked(request)
    page = holding_page(row, account, _shown(row), load_calendar(), asked.after)
    chart = chart_of(row, page.name, page.levels, _quote(row), account.now)
    context = {
        "page": page,
        "reach": reach,
        "may_act": reach.trades(row.account_id),
        "chart": chart,
        "chart_data": chart.data(get_language() or "en"),
        "problem": asked.problem,
        "is_newest": asked.after is None,
        "older_link": link(request, after=page.older),
        "newest_link": request.path,
    }
    return render(request, "monitoring/holding_page.html", context)


def _quote(row: Position) -> Quote | None:
    """Return the newest quote of a holding; a store that is away is "no price"."""
    symbol = Symbol(row.symbol)
    try:
        return quotes_of_thread().latest([symbol]).get(symbol)
    except GatewayUnavailable:
        return None


def _shown(row: Position) -> HoldingView | None:
    """Return what the overview says of a holding; it is built once a second for everybody."""
    if row.closed_at is not None:
        return None
    holdings = (
        one
        for account in views.console_now.at(timezone.now()).accounts
        for one in account.holdings
    )
    return next((one for one in holdings if one.pk == row.pk), None)


def _around(
    request: HttpRequest,
    form: RecordForm,
    asked: _Asked,
    older: Place | None,
    calendar: TradingCalendar,
) -> dict[str, Any]:
    """Return what surrounds a list: the form, when this is, and the links to other pages and days."""
    scope = form.scope
    day = scope.current
    before = after = None
    if day is not None:
        before = calendar.previous_session(day)
        after = calendar.next_session(day)
    newest = max((one.on for one in scope.accounts.values()), default=None)
    if after is not None and newest is not None and after > newest:
        after = None
    return {
        "form": form,
        "problem": asked.problem,
        "scope": scope,
        "as_of": _as_of(scope),
        "day_before": before,
        "day_after": after,
        "before_link": link(request, day=before, every=None, after=None),
        "after_link": link(request, day=after, every=None, after=None),
        "today_link": link(request, day=None, every=None, after=None),
        "every_link": link(request, day=None, every="on", after=None),
        "older_link": link(request, after=older),
        "newest_link": link(request, after=None),
        "is_newest": asked.after is None,
        "many_accounts": len(scope.accounts) > 1,
    }


def _as_of(scope: Scope) -> Any:
    return next(iter(scope.accounts.values())).now if scope.accounts else None


def link(request: HttpRequest, **changed: object) -> str:
    """Return the address of this page with some parameters changed; None takes one away."""
    parameters = request.GET.copy()
    for name, value in changed.items():
        parameters.pop(name, None)
        if value is not None:
            parameters[name] = str(value)
    query = parameters.urlencode()
    return f"{request.path}?{query}" if query else request.path
