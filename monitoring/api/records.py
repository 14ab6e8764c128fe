"""Reads of what the console shows: the overview, holdings, orders, fills, signals, the journal, health."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Any

from django.db.models import Q
from django.forms import ChoiceField

from monitoring.api import answers
from monitoring.api.operations import Call
from monitoring.api.problems import Fault, Problem, invalid, shown, spoken
from monitoring.api.reading import OneOf, Size
from monitoring.api.shapes import Json, word
from monitoring.console.holding_story import holding_page
from monitoring.console.listings import event_view, fill_view
from monitoring.console.order_chains import order_page
from monitoring.console.paging import Place, Source, page_of, place_of
from monitoring.console.record_filters import (
    WORKING,
    AccountNow,
    OrderForm,
    RecordForm,
    SignalForm,
    read_accounts,
)
from monitoring.console.signal_records import signal_page
from monitoring.console.values import AccountView, Console, HoldingView
from monitoring.models import Finding
from trading.domain.orders import OrderState
from trading.domain.types import DenialCode, SignalKind, SignalState, Symbol, Text
from trading.models import Event, EventLevel, Fill
from trading.models.fields import both, choices
from trading.selectors import instruments_of
from trading.services.calendar import load_calendar
from trading.services.clock import market_at

_Short = Annotated[str, Size(1, 20)]
Cursor = Annotated[str, Size(1, 40)]


@dataclass(frozen=True, slots=True)
class HoldingQuery:
    """Of one account, or one symbol (its beginning)."""

    account: int | None = None
    symbol: _Short | None = None


@dataclass(frozen=True, slots=True)
class After:
    """Which page: the `next` of the one before."""

    after: Cursor | None = None


@dataclass(frozen=True, slots=True)
class RecordQuery:
    """Of one account; symbol (its beginning) or name; of a day, or of every day; without either of today."""

    account: int | None = None
    symbol: _Short | None = None
    day: date | None = None
    every: bool = False
    after: Cursor | None = None


@dataclass(frozen=True, slots=True)
class OrderQuery(RecordQuery):
    """Orders besides by the state of one of the chain; `working`: all that have not ended."""

    state: Annotated[str, OneOf((WORKING, *OrderState))] | None = None


@dataclass(frozen=True, slots=True)
class SignalQuery(RecordQuery):
    """Signals and denials besides by state, kind, code of the denial, and words of the reason."""

    state: Annotated[str, OneOf(tuple(SignalState))] | None = None
    kind: Annotated[str, OneOf(tuple(SignalKind))] | None = None
    code: Annotated[str, OneOf(tuple(DenialCode))] | None = None
    words: Annotated[str, Size(1, 60)] | None = None


@dataclass(frozen=True, slots=True)
class EventQuery(RecordQuery):
    """Events besides by level, code, and words."""

    level: Annotated[str, OneOf(tuple(EventLevel.values))] | None = None
    code: Annotated[str, Size(1, 40)] | None = None
    words: Annotated[str, Size(1, 60)] | None = None


class EventForm(RecordForm):
    """The same filters as the other lists of records have."""

    level = ChoiceField(required=False, choices=[("", both("any", "全部")), *choices(EventLevel)])


# --- at one moment: the console's own value ---------------------------------------------------------


def overview(call: Call) -> answers.Overview:
    """Sum everything up."""
    now = call.console()
    return answers.Overview(
        taken_at=now.taken_at,
        quotes_problem=now.quotes_problem,
        holdings=now.holdings,
        protected=now.protected,
        unprotected=tuple(
            answers.Unprotected(word(reason), count) for reason, count in now.unprotected.items()
        ),
        troubles=now.troubles,
        accounts=tuple(_account(view, now) for view in now.accounts),
    )


def accounts(call: Call) -> answers.Accounts:
    """List the accounts."""
    now = call.console()
    return answers.Accounts(now.taken_at, tuple(_account(view, now) for view in now.accounts))


def _account(view: AccountView, now: Console) -> answers.AccountAnswer:
    speed = Decimal(1) if view.clock is None else view.clock.speed
    return answers.account_answer(view, market_at(view.clock, now.taken_at), speed)


def holdings(call: Call) -> answers.Holdings:
    """List the open holdings."""
    now, query = call.console(), call.query
    if query.account is not None and all(one.pk != query.account for one in now.accounts):
        raise _no_account(query.account)
    wanted = (query.symbol or "").upper()
    return answers.Holdings(
        now.taken_at,
        now.quotes_problem,
        tuple(
            answers.Holding(view.pk, view.name, one, one.is_protected, one.is_reached)
            for view in now.accounts
            if query.account in (None, view.pk)
            for one in view.holdings
            if one.symbol.startswith(wanted)
        ),
    )


def health(call: Call) -> answers.Health:
    """Say whether everything runs."""
    now = call.console()
    rows = Finding.objects.select_related("account").order_by("account", "code", "subject")
    found = call.caller.reach.rows(rows)
    return answers.Health(
        taken_at=now.taken_at,
        quotes_problem=now.quotes_problem,
        troubles=now.troubles,
        processes=None if now.processes is None else tuple(map(answers.process, now.processes)),
        accounts=tuple(
            answers.AccountHealth(one.pk, one.name, one.gateway, one.ticks) for one in now.accounts
        ),
        findings=tuple(
            answers.FindingAnswer(
                account=row.account_id,
                code=row.code,
                subject=row.subject,
                symbol=row.symbol,
                level=word(row.level),
                words=Text(row.account.mask(row.text_en), row.account.mask(row.text_zh)),
                since=row.since,
            )
            for row in found
        ),
    )


def holding(call: Call) -> answers.HoldingStory:
    """Tell one life of a holding."""
    row = call.row
    account = read_accounts(call.real, call.caller.reach)[row.account_id]
    now = _shown(row.pk, call.console()) if row.closed_at is None else None
    page = holding_page(row, account, now, load_calendar(), place(call.query.after))
    return answers.holding_story(page)


def _shown(pk: int, now: Console) -> HoldingView | None:
    found = (one for account in now.accounts for one in account.holdings if one.pk == pk)
    return next(found, None)


# --- records --------------------------------------------------------------------------------------


def orders(call: Call) -> answers.Chains:
    """List orders with their re-orders and fills."""
    form = _asked(OrderForm, call)
    page = order_page(form, place(call.query.after), load_calendar())
    return answers.Chains(
        tuple(map(answers.chain, page.chains)),
        page.outside,
        page.more_outside,
        next_of(page.older),
    )


def signals(call: Call) -> answers.Signals:
    """List signals and denials."""
    page = signal_page(_asked(SignalForm, call), place(call.query.after))
    return answers.Signals(page.records, next_of(page.older))


def fills(call: Call) -> answers.Fills:
    """List fills, those nobody here ordered too."""
    form = _asked(RecordForm, call)
    rows = Fill.objects.filter(form.scope.on_days("trade_date"), form.symbols())
    page = page_of([Source(rows, "at")], place(call.query.after))
    found = [row for _, row in page.rows]
    names = instruments_of({Symbol(row.symbol) for row in found})
    return answers.Fills(tuple(fill_view(row, names) for row in found), next_of(page.older))


def events(call: Call) -> answers.Events:
    """List what happened."""
    form, query = _asked(EventForm, call), call.query
    wanted = form.scope.at_times("at") & form.symbols()
    for name in ("level", "code"):
        if getattr(query, name) is not None:
            wanted &= Q(**{name: getattr(query, name)})
    if query.words is not None:
        wanted &= Q(text_zh__icontains=query.words) | Q(text_en__icontains=query.words)
    rows = Event.objects.filter(wanted).select_related("account").defer("detail")
    page = page_of([Source(rows, "at")], place(query.after))
    return answers.Events(
        tuple(
            answers.event(event_view(row, row.account.mask), row.account_id)
            for _, row in page.rows
        ),
        next_of(page.older),
    )


def _asked(form_type: type[Any], call: Call) -> Any:
    """Return the pages' own form with the parameters of an address. Raises Problem for what it refuses."""
    query = call.query
    data: dict[str, Json] = {
        one.name: str(value)
        for one in fields(query)
        if one.name not in ("after", "every") and (value := getattr(query, one.name)) is not None
    }
    if query.every:
        data["every"] = "on"
    known: Any = read_accounts(call.real, call.caller.reach)
    if query.account is not None and query.account not in known:
        raise _no_account(query.account)
    form = form_type(data, known)
    if not form.is_valid():
        raise invalid(*(_fault(form, name, data) for name in form.errors))
    return form


def _fault(form: RecordForm, name: str, data: dict[str, Json]) -> Fault:
    text = spoken(lambda: " ".join(map(str, form.errors[name])))
    return Fault("BAD_VALUE", text, field=name, value=shown(data.get(name)))


def account_now(call: Call) -> AccountNow:
    """Return the account a path is about, with its market time."""
    return read_accounts(call.real, call.caller.reach)[call.account.pk]


def _no_account(pk: int) -> Problem:
    text = Text(f"There is no account {pk}.", f"没有编号为 {pk} 的账户。")
    remedy = Text("See /api/v1/accounts.", "请查看 /api/v1/accounts。")
    return invalid(Fault("BAD_VALUE", text, remedy, "account", str(pk)))


def place(written: str | None) -> Place | None:
    """Return where a page begins. Raises Problem for a cursor nobody here wrote."""
    if written is None:
        return None
    place = place_of(written)
    if place is None:
        text = Text("This is no cursor of ours.", "这不是本系统给出的游标。")
        remedy = Text("Give the `next` of the page before.", "请填写上一页的 next。")
        fault = Fault("BAD_CURSOR", text, remedy, "after", shown(written))
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, fault)
    return place


def next_of(older: Place | None) -> str | None:
    return None if older is None else str(older)
