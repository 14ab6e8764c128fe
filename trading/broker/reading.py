"""A line to a real account that only reads: it hands out cash and holdings, and has nothing that orders or cancels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from types import ModuleType
from typing import NamedTuple

from trading.broker.probe.session import ProbeSession
from trading.broker.qmt_rows import asset_of, position_of
from trading.domain.types import Symbol
from trading.errors import GatewayUnavailable


class Held(NamedTuple):
    """One holding: shares, and what one cost in yuan."""

    symbol: Symbol
    quantity: int
    cost: Decimal


class Reading(NamedTuple):
    """What the account had when it was read; cash in yuan, frozen cash with it."""

    cash: Decimal
    holdings: Sequence[Held]


class AccountReading:
    """One short session of one account. `wait` lets time pass; `clock` is monotonic seconds."""

    def __init__(
        self,
        xttrader: ModuleType,
        xttype: ModuleType,
        path: str,
        session: int,
        number: str,
        wait: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        line = ProbeSession(xttrader, xttype, path, session, number, wait, clock)
        # Only these three of the line are kept.
        self._open, self._query, self._close = line.open, line.query, line.close

    def read(self) -> Reading:
        """Read the account twice; the readings must agree. Raises GatewayUnavailable."""
        if not self._open():
            raise GatewayUnavailable("the client does not let this account in")
        try:
            first, second = self._once(), self._once()
        finally:
            self._close()
        if first != second:
            raise GatewayUnavailable(
                "two readings differ: the client is still loading, or trading"
            )
        return first

    def _once(self) -> Reading:
        asset, rows = self._query("asset").rows, self._query("positions").rows
        if not asset or rows is None:
            raise GatewayUnavailable("the client did not answer")
        money = asset_of(asset[0])
        held = [position_of(row) for row in rows]
        return Reading(
            money.cash + money.frozen_cash,
            tuple(
                Held(one.symbol, one.quantity, one.open_price or one.diluted_cost)
                for one in sorted(held, key=lambda one: one.symbol)
                if one.quantity > 0
            ),
        )
