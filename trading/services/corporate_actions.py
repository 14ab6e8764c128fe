"""The ex-rights check: once a day for each holding, before any decision of that day (rules §1)."""

from __future__ import annotations

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
        and _todays(view.latest(symbol), view.on)
    }
    if not due:
        return
    previous = view.calendar.previous_session(view.on)
    before = view.calendar.previous_session(previous) if previous is not None else None
    closes = _closes(list(due), [day for day in (previous, before) if day is not None])
    actions = {
        Symbol(a.symbol): a
        for a in CorporateAction.objects.filter(on=view.on, symbol__in=list(due))
    }
    changed, events = [], []
    for symbol, row in due.items():
        recorded, action = closes.get((symbol, previous)), actions.get(symbol)
        verdict = _verdict(view, row, recorded, closes.get((symbol, before)), action)
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


def _verdict(
    view: TickView,
    row: Position,
    recorded: Decimal | None,
    before: Decimal | None,
    action: CorporateAction | None,
) -> ExRightsVerdict:
    symbol = Symbol(row.symbol)
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


def _closes(symbols: list[Symbol], days: list[date]) -> dict[tuple[Symbol, date | None], Decimal]:
    rows = Close.objects.filter(symbol__in=symbols, on__in=days)
    return {(Symbol(row.symbol), row.on): row.close for row in rows}


def _todays(quote: Quote | None, on: date) -> bool:
    return quote is not None and quote.time.astimezone(CHINA).date() == on
