"""The portfolio: everything one tick knows of an account, frozen, so that every decision of the tick sees the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType

from trading.domain.daily import Indicators
from trading.domain.instruments import Instrument
from trading.domain.orders import WorkingRef
from trading.domain.positions import Position
from trading.domain.types import ZERO, Purpose, Quote, Side, Symbol


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """Yuan, from the newest clean snapshot; None = not known. `previous_total`: the total at the previous close.

    `cash` is what the broker calls usable: it has already taken off what the buys it knows of froze. `spent_since`:
    what fills of buys cost that this snapshot knows nothing of yet.
    """

    cash: Decimal | None
    total_asset: Decimal | None
    previous_total: Decimal | None = None
    spent_since: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Portfolio:
    """An account at one tick. `working`: our working orders, UNKNOWN ones included, each once.

    `frozen_at_broker`: client order ids of the buys whose cash the snapshot already shows as frozen. For strategy
    plug-ins only: `watched` symbols, `indicators` of the last two completed sessions (the older one first), and what was
    ordered by a strategy, bought or sold today.
    """

    account: AccountFacts
    positions: Mapping[Symbol, Position] = field(default_factory=dict)
    instruments: Mapping[Symbol, Instrument] = field(default_factory=dict)
    working: tuple[WorkingRef, ...] = ()
    quotes: Mapping[Symbol, Quote] = field(default_factory=dict)
    frozen_at_broker: frozenset[str] = frozenset()
    watched: frozenset[Symbol] = frozenset()
    indicators: Mapping[Symbol, tuple[Indicators, Indicators]] = field(default_factory=dict)
    traded_today: frozenset[Symbol] = frozenset()

    def __post_init__(self) -> None:
        for name in ("positions", "instruments", "quotes", "indicators"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def held(self, symbol: Symbol) -> int:
        """Shares held, 0 when none."""
        position = self.positions.get(symbol)
        return 0 if position is None else position.quantity

    def working_in(self, symbol: Symbol) -> tuple[WorkingRef, ...]:
        """Our orders of this symbol that have not ended."""
        return tuple(o for o in self.working if o.symbol == symbol and o.state.working)

    def works(self, symbol: Symbol, side: Side, purpose: Purpose) -> bool:
        """Whether an order of this purpose works there; an UNKNOWN one keeps its own shares and does not count."""
        return any(
            order.side is side and order.kind.purpose is purpose and order.state.known
            for order in self.working_in(symbol)
        )

    def promised_shares(self, symbol: Symbol, at_least: int = 0) -> int:
        """Shares that working sales of priority `at_least` or more promise; an UNKNOWN sale always promises its own."""
        return sum(
            order.open_quantity
            for order in self.working_in(symbol)
            if order.side is Side.SELL
            and (order.kind.priority >= at_least or not order.state.known)
        )

    def reserved_cash(self) -> Decimal:
        """Yuan our working buys reserve, whether the broker has frozen it already or not."""
        return sum((order.open_cash for order in self._buys()), ZERO)

    def free_cash(self) -> Decimal | None:
        """Yuan a new buy may use: the broker's usable cash less what it cannot know of yet; None = not known."""
        if self.account.cash is None:
            return None
        unseen = (o for o in self._buys() if o.client_order_id not in self.frozen_at_broker)
        reserved = sum((order.open_cash for order in unseen), ZERO)
        return max(self.account.cash - self.account.spent_since - reserved, ZERO)

    def position_value(self, symbol: Symbol, quote: Quote | None = None) -> Decimal | None:
        """Yuan this symbol is worth, working buys at their limit included; None when a holding has no price.

        The price is the last one of `quote`, or of the portfolio's quote, or else its previous close.
        """
        ordered = sum(
            (o.open_quantity * o.price for o in self._buys() if o.symbol == symbol), ZERO
        )
        quantity = self.held(symbol)
        if quantity == 0:
            return ordered
        price = _price(quote or self.quotes.get(symbol))
        return None if price is None else quantity * price + ordered

    def total_position_value(self) -> Decimal | None:
        """Yuan all holdings and working buys are worth; None when one of them has no price."""
        total = ZERO
        for symbol in self.positions.keys() | {order.symbol for order in self._buys()}:
            value = self.position_value(symbol)
            if value is None:
                return None
            total += value
        return total

    def day_loss_ratio(self) -> Decimal | None:
        """Loss since the previous close as a fraction of the total then, negative for a gain; None = not known."""
        before, now = self.account.previous_total, self.account.total_asset
        if before is None or now is None or before <= 0:
            return None
        return (before - now) / before

    def _buys(self) -> tuple[WorkingRef, ...]:
        return tuple(o for o in self.working if o.side is Side.BUY and o.state.working)


def _price(quote: Quote | None) -> Decimal | None:
    if quote is None:
        return None
    price = quote.last if quote.last > 0 else quote.previous_close
    return price if price > 0 else None
