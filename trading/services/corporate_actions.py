"""The ex-rights check: once a day for each holding, before any decision of that day (rules §1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db.models import QuerySet

from trading.domain import positions
from trading.domain.corporate_actions import ExRights, ExRightsVerdict, detect
from trading.domain.instruments import tick_size
from trading.domain.limits import daily_limits
from trading.domain.types import CHINA, Limits, Quote, Symbol
from trading.models import Close, CorporateAction, Event, EventLevel, Position
from trading.selectors import position_value_of
from trading.services.booking import assign, state_fields
from trading.services.clock import environment_of
from trading.services.view import TickView

Levels = dict[str, list[str | None]]
#: What a corporate action scales.
_LEVELS = (
    *("quantity", "bought_quantity", "bought_amount", "cost", "base_cost"),
    *("high_since_entry", "armed_high", "trailing_level"),
)
#: An older close than this says nothing of today's price; so many missed sessions are enough for any price.
_OLDEST, _MOST_MISSED = timedelta(days=30), 10
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
        levels = _apply(view, row, verdict, action)
        changed.append(row)
        if verdict.kind is not ExRights.NONE:
            events.append(_event(view, symbol, verdict, levels))
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
    closes = _closes(view, symbols, [day for day in (previous, before) if day is not None])
    unseen = [symbol for symbol in symbols if (symbol, previous) not in closes]
    older = _newest_closes(view, unseen) if unseen else {}
    rows = CorporateAction.objects.filter(on=view.on, symbol__in=symbols)
    actions = {Symbol(row.symbol): row for row in rows}
    found = {}
    for symbol in symbols:
        recorded, action = closes.get((symbol, previous)), actions.get(symbol)
        factor = None if action is None else action.factor
        known = _Known(recorded, closes.get((symbol, before)), older.get(symbol), factor)
        found[symbol] = _verdict(view, symbol, known), action
    return found


class _Known(NamedTuple):
    """Of one symbol: the closes of the previous session and the one before, else an older one, and today's factor."""

    recorded: Close | None
    before: Close | None
    older: Close | None
    factor: Decimal | None


def _verdict(view: TickView, symbol: Symbol, known: _Known) -> ExRightsVerdict:
    quote, instrument = view.latest(symbol), view.instrument(symbol)
    assert quote is not None  # only symbols with a quote of today are due
    recorded, before, older, factor = known
    newest = recorded or older
    limits = _reach(view, symbol, newest) if newest is not None and newest.close > 0 else None
    return detect(
        quote.previous_close,
        recorded.close if recorded is not None else None,
        before.close if before is not None else None,
        known_factor=factor,
        last_known=older.close if older is not None else None,
        limits=limits,
        tick=tick_size(instrument, view.on),
        quoted_then=recorded.previous_close if recorded is not None else None,
    )


def _reach(view: TickView, symbol: Symbol, newest: Close) -> Limits:
    """Return how far the price could get since a close we have: one day's limits for each session that we missed."""
    instrument, session = view.instrument(symbol), view.session(symbol)
    missed = len(view.calendar.sessions_between(newest.on, view.on)) - 2
    limits = daily_limits(instrument, newest.close, view.on, session)
    for _ in range(min(missed, _MOST_MISSED)):
        if limits.up is None or limits.down is None:
            break
        up = daily_limits(instrument, limits.up, view.on, session).up
        limits = Limits(up, daily_limits(instrument, limits.down, view.on, session).down)
    return limits


def _apply(
    view: TickView, row: Position, verdict: ExRightsVerdict, action: CorporateAction | None
) -> Levels:
    """Write the verdict into the row; returns what it changed: name → [before, after]."""
    if verdict.kind is not ExRights.REFUSED:
        row.checked_close_on = view.on
    row.ex_rights_unverified = verdict.kind in (
        ExRights.UNVERIFIED,
        ExRights.PAUSED,
        ExRights.REFUSED,
    )
    row.paused_by_ex_rights = verdict.kind is ExRights.PAUSED
    if verdict.kind is not ExRights.SCALE:
        return {}
    before = position_value_of(row)
    ratio = action.share_ratio if action is not None else Decimal(1)
    tick = tick_size(view.instrument(Symbol(row.symbol)), view.on)
    after = positions.scale(before, verdict.factor, ratio, tick)
    assign(row, after)
    return moved({name: (getattr(before, name), getattr(after, name)) for name in _LEVELS})


def moved(values: Mapping[str, tuple[object, object]]) -> Levels:
    """Return what differs as an event keeps it: name → [before, after], exact texts, null for what there is not."""
    return {
        name: [None if one is None else str(one) for one in pair]
        for name, pair in values.items()
        if pair[0] != pair[1]
    }


def _event(view: TickView, symbol: Symbol, verdict: ExRightsVerdict, levels: Levels) -> Event:
    level = EventLevel.INFO if verdict.kind is ExRights.SCALE else EventLevel.ALARM
    return Event(
        account_id=view.account_id,
        at=view.now,
        level=level,
        code=f"EX_RIGHTS_{verdict.kind.name}",
        symbol=symbol,
        text_en=verdict.text.en,
        text_zh=verdict.text.zh,
        detail={"factor": str(verdict.factor), "levels": levels},
    )


def _ours(view: TickView, symbols: Sequence[Symbol]) -> QuerySet[Close]:
    """The closes of the account's own market: an invented one has other prices under the same codes."""
    return Close.objects.filter(environment=environment_of(view.busy.mode), symbol__in=symbols)


def _closes(
    view: TickView, symbols: Sequence[Symbol], days: list[date]
) -> dict[tuple[Symbol, date | None], Close]:
    return {(Symbol(row.symbol), row.on): row for row in _ours(view, symbols).filter(on__in=days)}


def _newest_closes(view: TickView, symbols: Sequence[Symbol]) -> dict[Symbol, Close]:
    """Return the newest older close of symbols whose previous session nobody recorded; one query."""
    since = view.on - _OLDEST
    rows = _ours(view, symbols).filter(on__lt=view.on, on__gte=since).order_by("on")
    return {Symbol(row.symbol): row for row in rows}


def of_today(quote: Quote | None, on: date) -> bool:
    """Whether there is a quote, and it is of this day."""
    return quote is not None and quote.time.astimezone(CHINA).date() == on
