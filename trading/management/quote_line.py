"""The line of the market data process to its terminal: opened, watched, and opened again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

from trading.domain.types import Quote, Symbol
from trading.errors import GatewayUnavailable
from trading.market_data.xtquant_feed import XtQuantFeed
from trading.ports import Feed

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


class QuoteLine(Feed):
    """A feed over lines that come and go. `open_line` opens one, or raises what its library raises."""

    def __init__(self, open_line: Callable[[], Line], name: str = "xtquant") -> None:
        self._open_line = open_line
        self._line: Line | None = None
        self._feed = XtQuantFeed(self, name)
        self.name, self.heartbeat = name, self._feed.heartbeat
        self._heard_at: float | None = None
        self._not_before = float("-inf")  # the next try
        self.problem = ""

    def keep(self, at: float, *, trading: bool) -> None:
        """Open the line, anew when it is lost or silent; `at` in monotonic seconds, `trading`: quotes are expected."""
        if self._is_dead(at, trading):
            self._reopen(at)

    def heard(self, at: float) -> None:
        """Note that a good quote has come over it, or that none is expected now."""
        self._heard_at = at

    def subscribe(self, symbols: Iterable[Symbol]) -> None:
        """Make sure these symbols are delivered. Raises GatewayUnavailable."""
        self._feed.subscribe(symbols)

    def poll(self, now: datetime) -> Sequence[Quote]:
        """Return what has come. Raises GatewayUnavailable without a line."""
        if self._line is None:
            raise GatewayUnavailable(f"{self.name}: {self.problem or 'not connected'}")
        return self._feed.poll(now)

    def unreadable(self) -> Sequence[tuple[Symbol, str]]:
        return self._feed.unreadable()

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

    def _reopen(self, at: float) -> None:
        if at < self._not_before:
            return
        self.close()
        self._not_before = at + LEFT_ALONE
        try:
            self._line = self._open_line()
        except Exception as problem:  # noqa: BLE001 - the vendor raises bare exceptions of any type
            self.problem = str(problem)
            return
        self._feed.forget_subscriptions()
        self._heard_at, self.problem = at, ""
