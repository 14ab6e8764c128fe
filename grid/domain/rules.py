"""The reducer of a grid session: `step(state, quote, rules, now, facts) -> (state', decision)`, for every style.

A style is one file with a class of this protocol and one line in `STYLES`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Protocol

from grid.domain.centred_grid import CentredStyle
from grid.domain.lot_grid import LotStyle
from grid.domain.parameters import GridRules
from grid.domain.state import (
    Decision,
    Facts,
    GridState,
    Outcome,
    PlannedLine,
    Refusal,
    RefusalCode,
    Stop,
    StopCode,
    Tracker,
    Trade,
    reset,
)
from trading.domain.settings import SettingError
from trading.domain.types import ZERO, Quote, Side, Text


class Style(Protocol):
    """The rules of one style. `rules` are the parameters of the class that names it."""

    name: str
    #: The frozen dataclass of its parameters.
    parameters: type[Any]

    def exit(
        self, state: GridState, price: Decimal, rules: Any, now: datetime, facts: Facts
    ) -> Stop | None:
        """Return why the session ends at this price, None when it goes on."""
        ...

    def had_shares(self, facts: Facts) -> bool:
        """Whether an empty holding means that its shares are gone."""
        ...

    def step(
        self, state: GridState, price: Decimal, rules: Any, now: datetime, facts: Facts
    ) -> tuple[GridState, Decision | None]:
        """Follow one price with nothing pending; a trade it decides is pending in the new state."""
        ...

    def filled(self, state: GridState, outcome: Outcome) -> GridState:
        """Return the state after an order that traded something."""
        ...

    def plan(self, centre: Decimal, rules: Any, facts: Facts) -> tuple[PlannedLine, ...]:
        """Return the lines from a centre: a sale above, then the buys a falling price reaches, while money lasts."""
        ...


STYLES: Mapping[str, Style] = MappingProxyType(
    {style.name: style for style in (LotStyle(), CentredStyle())}
)


def build(style: str, values: Mapping[str, Any]) -> GridRules:
    """Return the validated parameters of a style. Raises SettingError, also for an unknown style or name."""
    if style not in STYLES:
        known = " / ".join(STYLES)
        raise SettingError("style", style, Text(known, known))
    names = parameter_names(style)
    for name in values:
        if name not in names:
            known = ", ".join(names)
            raise SettingError("parameter", name, Text(f"one of {known}", f" {known} 之一"))
    rules: GridRules = STYLES[style].parameters(**values)
    return rules


def parameter_names(style: str) -> tuple[str, ...]:
    """Return the names of a style's parameters."""
    return tuple(field.name for field in fields(STYLES[style].parameters))


def step(
    state: GridState, quote: Quote, rules: GridRules, now: datetime, facts: Facts
) -> tuple[GridState, Decision | None]:
    """Follow one accepted quote. Freshness and phase are the caller's.

    Exits come first and are watched while the session is paused (`may_trade` False) or a trade is pending too.
    """
    price = quote.last
    if not price.is_finite() or price <= 0 or quote.suspended:
        return state, None
    style = STYLES[rules.style]
    stop = style.exit(state, price, rules, now, facts)
    if stop is not None:
        return state, stop
    if facts.held == 0 or state.empty_read_at is not None:
        state, stop = _emptied(state, style, facts)
        if stop is not None:
            return state, stop
    if state.pending is not None or not facts.may_trade:
        return state, None
    return style.step(state, price, rules, now, facts)


def fold(
    state: GridState,
    quotes: Iterable[Quote],
    rules: GridRules,
    facts: Facts,
    oldest: datetime | None = None,
) -> tuple[GridState, tuple[Decision, ...]]:
    """Follow quotes, oldest first, each at its own time; ends with the first trade or stop.

    Refusals on the way are among the decisions. Later quotes decide nothing: a trade under way is pending. A quote
    from before `oldest` moves the tracker and trades no more: its signal would have expired, which is a reset (F92).
    """
    said: list[Decision] = []
    for quote in quotes:
        state, decision = step(state, quote, rules, quote.time, facts)
        if isinstance(decision, Trade) and oldest is not None and decision.at < oldest:
            state, decision = reset(state), _too_late(decision)
        if decision is not None:
            said.append(decision)
        if isinstance(decision, Stop) or state.pending is not None:
            break
    return state, tuple(said)


def _too_late(trade: Trade) -> Refusal:
    side = ("buy", "买入") if trade.side is Side.BUY else ("sell", "卖出")
    text = Text(
        f"the {side[0]} line was touched at {trade.at:%H:%M:%S}, too long ago to trade on it now",
        f"{side[1]}档位于 {trade.at:%H:%M:%S} 触及，距今过久，不再据此交易",
    )
    return Refusal(trade.side, RefusalCode.TOO_LATE, text)


def ended(state: GridState, outcome: Outcome, rules: GridRules) -> GridState:
    """Return the state after the pending trade's order chain ended: with fills a booking, without a reset."""
    if outcome.quantity == 0:
        return reset(state)
    return STYLES[rules.style].filled(state, outcome)


def paused(state: GridState) -> GridState:
    """Return the state of a session that pauses: what it followed is over, what is pending goes on."""
    return replace(state, tracker=Tracker.IDLE, extreme=ZERO)


def _emptied(state: GridState, style: Style, facts: Facts) -> tuple[GridState, Stop | None]:
    """Two confirmed reads of an empty holding end a session; one read, or a failed one, does not (F98)."""
    if facts.held is None:
        return state, None
    if facts.held > 0 or not style.had_shares(facts):
        return (state if state.empty_read_at is None else replace(state, empty_read_at=None)), None
    if state.empty_read_at is None:
        return replace(state, empty_read_at=facts.read_at), None
    if facts.read_at == state.empty_read_at:
        return state, None
    text = Text("its holding is empty, seen twice", "持仓已清空（两次确认）")
    return state, Stop(StopCode.EMPTY, text)
