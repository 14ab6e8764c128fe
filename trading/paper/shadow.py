"""The twin a shadow trades with: it lives in the shadow's process, sees the quotes of the real market, and has no line out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from trading.domain.fees import FeeSchedule
from trading.domain.instruments import Instrument
from trading.domain.types import CHINA, Symbol
from trading.paper import transport
from trading.paper.delivery import Delivery
from trading.paper.exchange import Exchange
from trading.paper.store import Store
from trading.paper.terminal import Terminal
from trading.ports import QuoteReader

#: When the session before is over for good.
_OVER = time(15, 40)
#: Symbol, shares, the cost of one in yuan.
_Holding = tuple[Symbol, int, Decimal]


class ShadowMarket:
    """The exchange and its terminal. `interest`: the symbols to follow; `know`: what is known of symbols.

    Only quotes that arrive after `since` are shown: an order that waits is never met by what happened before.
    """

    def __init__(
        self,
        exchange: Exchange,
        instruments: dict[Symbol, Instrument],
        store: Store | None,
        quotes: QuoteReader,
        interest: Callable[[], Iterable[Symbol]],
        know: Callable[[Iterable[Symbol]], Mapping[Symbol, Instrument]],
        since: datetime,
        delivery: Delivery | None = None,
    ) -> None:
        self.exchange = exchange
        self.terminal = Terminal(exchange, store, delivery)
        self._instruments, self._quotes = instruments, quotes
        self._interest, self._know, self._since = interest, know, since
        self._seen: dict[Symbol, datetime] = {}

    def serve(self, address: str) -> None:
        """Be reachable in this process."""
        transport.serve_in_process(address, self.terminal)

    def step(self, now: datetime) -> None:
        """Show the exchange what came since the last step, in its order; then let time pass to `now` (market time)."""
        held = {
            symbol for account in self.exchange.accounts.values() for symbol in account.positions
        }
        wanted = held.union(self._interest())
        missing = wanted - self._instruments.keys()
        if missing:
            self._instruments.update(self._know(missing))
        marks = {symbol: self._seen.get(symbol, self._since) for symbol in wanted}
        found = self._quotes.since(marks)
        arrived = [one for arrivals in found.values() for one in arrivals if one.at <= now]
        for arrival in sorted(arrived, key=lambda one: one.at):
            self._seen[arrival.quote.symbol] = arrival.at
            self.terminal.feed([arrival.quote])
        self.terminal.step(now)


def open_shadow(
    number: str,
    cash: Decimal,
    holdings: Iterable[_Holding],
    fees: FeeSchedule,
    exchange: Exchange,
    today: date,
) -> None:
    """Open the copy of an account at the twin: everything in it may be sold today."""
    before = exchange.calendar.previous_session(today) or today - timedelta(days=1)
    exchange.advance(datetime.combine(before, _OVER, CHINA))
    exchange.open_account(number, cash, fees)
    for symbol, quantity, cost in holdings:
        exchange.seed_position(number, symbol, quantity, cost, before)
