"""Signals with their denials, and denials that held something back before a signal arose."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Exists, OuterRef, Q

from monitoring.console.denial_words import codes_about, meaning
from monitoring.console.order_chains import decided_by
from monitoring.console.paging import Place, Source, page_of
from monitoring.console.record_filters import Scope, SignalForm
from trading.domain.instruments import Instrument
from trading.domain.types import Side, SignalKind, SignalState, Symbol, Text
from trading.models import Denial, Order, Signal
from trading.selectors import instruments_of

_NOTHING = Text("", "")


@dataclass(frozen=True, slots=True)
class DenialLine:
    """Why something was not done: the code, what it means in plain words, and the words of that moment."""

    pk: int
    at: datetime
    code: str
    meaning: Text
    words: Text
    over_at: datetime | None


@dataclass(frozen=True, slots=True)
class SignalRecord:
    """A signal, or (`state` None) what was held back before there was one.

    `code` and `meaning`: why it was denied. `denials`: what held it back meanwhile; one that stands already is not told again.
    """

    pk: int
    at: datetime
    account: str
    account_pk: int
    symbol: Symbol
    name: str
    kind: SignalKind
    state: SignalState | None
    side: Side | None = None
    quantity: int = 0
    trigger: Decimal | None = None
    last: Decimal | None = None
    reason: Text = _NOTHING
    outcome: Text = _NOTHING
    decided: Text = _NOTHING
    decided_at: datetime | None = None
    revision: int | None = None
    code: str = ""
    meaning: Text = _NOTHING
    denials: tuple[DenialLine, ...] = ()
    ordered_at: datetime | None = None
    holding: int | None = None


@dataclass(frozen=True, slots=True)
class SignalPage:
    """One page of signals, newest first."""

    records: tuple[SignalRecord, ...]
    older: Place | None


def signal_page(form: SignalForm, after: Place | None) -> SignalPage:
    """Read one page; the number of queries does not depend on how much is on it."""
    scope, symbols = form.scope, form.symbols()
    signals = Signal.objects.filter(symbols, _of_kind(form), _signals(form, scope))
    denials = Denial.objects.filter(symbols, _of_kind(form), _denials(form, scope), signal=None)
    if form.value("state") not in (None, SignalState.DENIED.value):
        denials = denials.none()
    page = page_of(
        [
            Source(denials.select_related("account"), "at"),
            Source(signals.select_related("account"), "created_at"),
        ],
        after,
    )
    rows = [row for _, row in page.rows]
    keys = [row.pk for row in rows if isinstance(row, Signal)]
    names = instruments_of({Symbol(row.symbol) for row in rows})
    told: dict[int | None, list[DenialLine]] = defaultdict(list)
    for denial in Denial.objects.filter(signal__in=keys).order_by("at", "pk"):
        told[denial.signal_id].append(denial_line(denial))
    orders = Order.objects.filter(signal__in=keys, root=None)
    ordered = dict(orders.values_list("signal_id", "approved_at"))
    return SignalPage(
        tuple(
            _signal(row, names, tuple(told[row.pk]), ordered.get(row.pk))
            if isinstance(row, Signal)
            else _held_back(row, names)
            for row in rows
        ),
        page.older,
    )


def denial_line(row: Denial) -> DenialLine:
    """Return a denial as it is shown."""
    return DenialLine(
        row.pk, row.at, row.code, meaning(row.code), Text(row.text_en, row.text_zh), row.cleared_at
    )


def _of_kind(form: SignalForm) -> Q:
    kind = form.value("kind")
    return Q() if kind is None else Q(kind=kind)


def _denials(form: SignalForm, scope: Scope) -> Q:
    wanted = scope.at_times("at")
    if scope.is_today:
        wanted |= Q(account__in=list(scope.accounts), cleared_at=None)
    return wanted & _said(form)


def _said(form: SignalForm) -> Q:
    """Select denials by code and words."""
    code, words = form.value("code"), form.value("words")
    said = Q() if code is None else Q(code=code)
    if words is not None:
        said &= _about(words)
    return said


def _about(words: str) -> Q:
    """Select denials by what was said then, or by the plain words of their code."""
    said = Q(text_zh__icontains=words) | Q(text_en__icontains=words)
    return said | Q(code__in=codes_about(words))


def _signals(form: SignalForm, scope: Scope) -> Q:
    state, code, words = (form.value(name) for name in ("state", "code", "words"))
    wanted = scope.at_times("created_at")
    if scope.is_today:
        wanted |= Q(account__in=list(scope.accounts), state=SignalState.PENDING)
    if state is not None:
        wanted &= Q(state=state)
    denials = Denial.objects.filter(signal=OuterRef("pk"))
    if code is not None:
        wanted &= Q(denial_code=code) | Q(Exists(denials.filter(code=code)))
    if words is not None:
        own = Q(denial_code__in=codes_about(words))
        for field in ("reason_zh", "reason_en", "outcome_zh", "outcome_en", "source"):
            own |= Q(**{f"{field}__icontains": words})
        wanted &= own | Q(Exists(denials.filter(_about(words))))
    return wanted


def _name(symbol: str, names: Mapping[Symbol, Instrument]) -> str:
    return names[Symbol(symbol)].name


def _signal(
    row: Signal,
    names: Mapping[Symbol, Instrument],
    denials: tuple[DenialLine, ...],
    ordered_at: datetime | None,
) -> SignalRecord:
    kind = SignalKind(row.kind)
    return SignalRecord(
        pk=row.pk,
        at=row.created_at,
        account=row.account.name,
        account_pk=row.account_id,
        symbol=Symbol(row.symbol),
        name=_name(row.symbol, names),
        kind=kind,
        state=SignalState(row.state),
        side=Side(row.side),
        quantity=row.quantity,
        trigger=row.trigger_price,
        last=row.last,
        reason=Text(row.reason_en, row.reason_zh),
        outcome=Text(row.outcome_en, row.outcome_zh),
        decided=decided_by(row.source, kind),
        decided_at=row.decided_at,
        revision=row.config_revision,
        code=row.denial_code,
        meaning=meaning(row.denial_code) if row.denial_code else _NOTHING,
        denials=denials,
        ordered_at=ordered_at,
        holding=row.position_id,
    )


def _held_back(row: Denial, names: Mapping[Symbol, Instrument]) -> SignalRecord:
    return SignalRecord(
        pk=row.pk,
        at=row.at,
        account=row.account.name,
        account_pk=row.account_id,
        symbol=Symbol(row.symbol),
        name=_name(row.symbol, names),
        kind=SignalKind(row.kind),
        state=None,
        denials=(denial_line(row),),
    )
