"""The ex-rights check: once a day for each holding, before any decision of that day (rules §1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from trading.domain import positions
from trading.domain.corporate_actions import ExRights, ExRightsVerdict, detect
from trading.domain.instruments import tick_size
from trading.domain.limits import daily_limits
from trading.domain.types import CHINA, Quote, Symbol
from trading.models import Close, CorporateAction, Event, EventLevel, Position
from trading.selectors import position_value_of
from trading.services.booking import assign, state_fields
from trading.services.view import TickView

_COLUMNS = ["checked_close_on", "ex_rights_unverified", "paused_by_ex_rights"]


def check_ex_rights(view: TickView) -> None:
    """Compare today's previous closes with the closes we recorded, and scale what an ex-rights day scales."""
    due = {
        symbol: row
        for symbol, row in view.rows.items()
        # A life that began today has today's prices already.
        if row.checked_close_on != view.on
        and row.opened_on < view.on
        and of_today(view.latest(symbol), view.on)
    }
    if not due:
        return
    found = ex_rights_of(view, list(due))
    changed, events = [], []
    for symbol, row in due.items():
        verdict, action = found[symbol]
        if verdict.kind is ExRights.REFUSED and row.ex_rights_unverified:
            continue  # said already; a better previous close may still come today
        _apply(view, row, verdict, action)
        changed.append(row)
        if verdict.kind is not ExRights.NONE:
            events.append(_event(view, symbol, verdict))
    if changed:
        Position.objects.bulk_create(
            changed,
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=[*_COLUMNS, *state_fields(position_value_of(changed[0]))],
            batch_size=500,
        )
    Event.objects.bulk_create(events, batch_size=500)


def ex_rights_of(
    view: TickView, symbols: Sequence[Symbol]
) -> Mapping[Symbol, tuple[ExRightsVerdict, CorporateAction | None]]:
    """Return what today's previous close says of each symbol, all of which have a quote of today; two queries."""
    previous = view.calendar.previous_session(view.on)
    before = view.calendar.previous_session(previous) if previous is not None else None
    closes = _closes(symbols, [day for day in (previous, before) if day is not None])
    rows = CorporateAction.objects.filter(on=view.on, symbol__in=symbols)
    actions = {Symbol(row.symbol): row for row in rows}
    found = {}
    for symbol in symbols:
        recorded, action = closes.get((symbol, previous)), actions.get(symbol)
        verdict = _verdict(view, symbol, recorded, closes.get((symbol, before)), action)
        found[symbol] = verdict, action
    return found


def _verdict(
    view: TickView,
    symbol: Symbol,
    recorded: Decimal | None,
    before: Decimal | None,
    action: CorporateAction | None,
) -> ExRightsVerdict:
    quote, instrument = view.latest(symbol), view.instrument(symbol)
    assert quote is not None  # only symbols with a quote of today are due
    limits = (
        daily_limits(instrument, recorded, view.on, view.session(symbol)) if recorded else None
    )
    return detect(
        quote.previous_close,
        recorded,
        before,
        known_factor=action.factor if action is not None else None,
        limits=limits,
        tick=tick_size(instrument, view.on),
    )


def _apply(
    view: TickView, row: Position, verdict: ExRightsVerdict, action: CorporateAction | None
) -> None:
    if verdict.kind is not ExRights.REFUSED:
        row.checked_close_on = view.on
    row.ex_rights_unverified = verdict.kind in (
        ExRights.UNVERIFIED,
        ExRights.PAUSED,
        ExRights.REFUSED,
    )
    row.paused_by_ex_rights = verdict.kind is ExRights.PAUSED
    if verdict.kind is ExRights.SCALE:
        ratio = action.share_ratio if action is not None else Decimal(1)
        tick = tick_size(view.instrument(Symbol(row.symbol)), view.on)
        assign(row, positions.scale(position_value_of(row), verdict.factor, ratio, tick))


def _event(view: TickView, symbol: Symbol, verdict: ExRightsVerdict) -> Event:
    level = EventLevel.INFO if verdict.kind is ExRights.SCALE else EventLevel.ALARM
    return Event(
        account_id=view.account_id,
        at=view.now,
        level=level,
        code=f"EX_RIGHTS_{verdict.kind.name}",
        symbol=symbol,
        text_en=verdict.text.en,
        text_zh=verdict.text.zh,
        detail={"factor": str(verdict.factor)},
    )


def _closes(
    symbols: Sequence[Symbol], days: list[date]
) -> dict[tuple[Symbol, date | None], Decimal]:
    rows = Close.objects.filter(symbol__in=symbols, on__in=days)
    return {(Symbol(row.symbol), row.on): row.close for row in rows}


def of_today(quote: Quote | None, on: date) -> bool:
    """Whether there is a quote, and it is of this day."""
    return quote is not None and quote.time.astimezone(CHINA).date() == on
