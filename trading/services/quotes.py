"""Quotes are read before a tick's transaction begins: no transaction waits for a call to the outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from trading.domain.types import Quote, Symbol
from trading.ports import Arrival, Fed, QuoteReader
from trading.selectors import symbols_of_interest


class CapturedQuotes(QuoteReader):
    """What the quote store said at one moment, for some symbols; of any other it knows nothing."""

    def __init__(
        self,
        arrivals: Mapping[Symbol, Sequence[Arrival]],
        latest: Mapping[Symbol, Quote],
        fed: Mapping[Symbol, Fed],
    ) -> None:
        self._arrivals, self._latest, self._fed = arrivals, latest, fed

    def since(self, after: Mapping[Symbol, datetime]) -> Mapping[Symbol, Sequence[Arrival]]:
        found = {
            symbol: tuple(one for one in self._arrivals.get(symbol, ()) if one.at > moment)
            for symbol, moment in after.items()
        }
        return {symbol: arrivals for symbol, arrivals in found.items() if arrivals}

    def latest(self, symbols: Iterable[Symbol]) -> Mapping[Symbol, Quote]:
        return {symbol: self._latest[symbol] for symbol in symbols if symbol in self._latest}

    def fed(self, symbol: Symbol) -> Fed:
        return self._fed.get(symbol, Fed())


def capture(account_id: int, quotes: QuoteReader, also: Iterable[Symbol] = ()) -> CapturedQuotes:
    """Read everything a tick of this account may ask of the store: holdings, pending signals, unsettled orders.

    `also`: symbols of which the newest quote is wanted besides.
    """
    marks = symbols_of_interest(account_id)
    arrivals = quotes.since(marks)
    # Usually most holdings have a new quote, and it is their newest: nothing is read twice.
    latest = {symbol: new[-1].quote for symbol, new in arrivals.items()}
    wanted = marks.keys() | set(also)
    latest.update(quotes.latest(wanted - latest.keys()))
    return CapturedQuotes(arrivals, latest, quotes.feeds(wanted))
