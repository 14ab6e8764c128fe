"""The line of the market data process to its terminal: opened, watched, and opened again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Protocol

from trading.domain.types import Symbol
from trading.market_data.pump import LimitsOf, MarketData, no_limits
from trading.market_data.xtquant_feed import XtQuantFeed
from trading.ports import QuoteWriter

#: Seconds of real time without a quote, while the exchange trades, after which the line is opened anew.
SILENT = 15.0
#: Seconds a terminal that did not let us in is left alone: a try may take seconds, and would at every step.
LEFT_ALONE = 2.0


class Line(Protocol):
    """One connection to the quotes of a terminal."""

    @property
    def is_open(self) -> bool: ...

    def subscribe_whole_quote(
        self, code_list: list[str], callback: Callable[[Any], None]
    ) -> Any: ...

    def get_full_tick(self, code_list: list[str]) -> Any: ...

    def close(self) -> None: ...


class QuoteLine:
    """A feed over lines that come and go. `open_line` opens one, or raises what its library raises."""

    def __init__(
        self,
        open_line: Callable[[], Line],
        store: QuoteWriter,
        name: str,
        limits: LimitsOf = no_limits,
    ) -> None:
        self._open_line = open_line
        self._line: Line | None = None
        self._feed = XtQuantFeed(self, name)
        self._market_data = MarketData([self._feed], store, limits)
        self._heard_at: float | None = None
        self._not_before = float("-inf")  # the next try
        self.problem = ""

    def step(self, wanted: Iterable[Symbol], now: datetime, at: float, *, trading: bool) -> int:
        """Keep the line open and the symbols subscribed, and store what has come; returns how many quotes.

        `now` is market time, `at` monotonic seconds; `trading`: quotes are expected now.
        """
        if self._is_dead(at, trading) and not self._reopen(at):
            return 0
        self._market_data.subscribe(wanted)
        self.problem = self._market_data.health[self._feed.name].last_failure
        count = self._market_data.step(now)
        if count or not trading:
            self._heard_at = at
        return count

    def close(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.close()

    # what the feed asks of the vendor's module

    def subscribe_whole_quote(self, code_list: list[str], callback: Callable[[Any], None]) -> Any:
        return self._connected().subscribe_whole_quote(code_list, callback)

    def get_full_tick(self, code_list: list[str]) -> Any:
        return self._connected().get_full_tick(code_list)

    def _connected(self) -> Line:
        if self._line is None:
            raise ConnectionError("not connected")
        return self._line

    def _is_dead(self, at: float, trading: bool) -> bool:
        if self._line is None or not self._line.is_open:
            return True
        return trading and self._heard_at is not None and at - self._heard_at > SILENT

    def _reopen(self, at: float) -> bool:
        if at < self._not_before:
            return False
        self.close()
        self._not_before = at + LEFT_ALONE
        try:
            self._line = self._open_line()
        except Exception as problem:  # noqa: BLE001 - the vendor raises bare exceptions of any type
            self.problem = str(problem)
            return False
        self._feed.forget_subscriptions()
        self._heard_at = at
        return True
