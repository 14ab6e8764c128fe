"""Quotes of past sessions, where there are any: for the rehearsal of a preview.

Nothing is recorded beyond the last quotes of a symbol, so today only the invented market of demo and paper accounts
has a past (it can be walked again). For real symbols a person names files: `grid start … --history SOURCE`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from trading.domain.calendar import TradingCalendar
from trading.domain.types import AccountMode, Quote, Symbol
from trading.market_data.demo import DemoMarket, demo_instruments
from trading.selectors import instrument_of
from trading.services.clock import DEMO, environment_of

#: Sessions a preview looks back.
DAYS = 3


def past_quotes(
    mode: AccountMode, symbol: Symbol, before: date, calendar: TradingCalendar, days: int = DAYS
) -> Sequence[Quote]:
    """Return the continuous quotes of up to `days` sessions before a day, oldest first; none = no history here."""
    invented = demo_instruments().get(symbol)
    # The invented codes exist for real too: only where the demo's own instruments are, its past is theirs.
    if (
        environment_of(mode) != DEMO
        or invented is None
        or instrument_of(symbol).name != invented.name
    ):
        return ()
    market = DemoMarket(calendar)
    sessions: list[date] = []
    on = calendar.previous_session(before)
    while on is not None and len(sessions) < days:
        sessions.append(on)
        on = calendar.previous_session(on)
    return [quote for on in reversed(sessions) for quote in market.session(symbol, on)]
