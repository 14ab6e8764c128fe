"""A position and its life: begins when the quantity leaves 0, ends when it returns to 0; nothing is inherited."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

from trading.domain.types import ZERO, Side, Symbol

#: The finest amount the house stores, in yuan; state kept for later is kept in whole units of it.
STORED_UNIT = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Position:
    """One life of a holding, with the state the exit rules keep for it.

    `bought_quantity` and `bought_amount` (yuan) are what this life's buys add up to, so the cost is exact; sells do
    not change them. `seen` is the store time of the last folded quote. What can be sold now is not kept here: it is
    asked of the terminal each time (`sellable`).
    """

    symbol: Symbol
    quantity: int
    bought_quantity: int
    bought_amount: Decimal
    opened_on: date
    life: int = 1
    base_cost: Decimal | None = None  # first valid cost of this life, never overwritten
    high_since_entry: Decimal = ZERO
    first_take_profit_done: bool = False
    armed: bool = False
    armed_high: Decimal = ZERO
    trailing_level: Decimal | None = None
    seen: datetime | None = None

    @property
    def cost(self) -> Decimal:
        """Average buy cost in yuan per share of this life, 0 when unknown."""
        return self.bought_amount / self.bought_quantity if self.bought_quantity > 0 else ZERO

    @property
    def cost_for_decision(self) -> Decimal | None:
        """`cost`, or `base_cost` when the cost is ≤ 0, or None when neither is > 0."""
        return self.cost_times(Decimal(1))

    def cost_times(self, multiple: Decimal) -> Decimal | None:
        """Return the cost for decisions × `multiple` in yuan, None when the cost is unknown.

        Divides last, so a level that is a whole tick comes out as one: 37,040 yuan for 3,700 shares × 0.925 is
        9.26 exactly, while the rounded cost × 0.925 is a hair below it and would miss a price of 9.26.
        """
        if self.bought_quantity > 0 and self.bought_amount > 0:
            return self.bought_amount * multiple / self.bought_quantity
        if self.base_cost is not None and self.base_cost > 0:
            return self.base_cost * multiple
        return None


def opened(symbol: Symbol, quantity: int, price: Decimal, on: date, life: int = 1) -> Position:
    """Return a new life seeded with `quantity` shares at `price` (the terminal's open price; ≤ 0 = unknown cost).

    Raises ValueError when the quantity is not positive.
    """
    if quantity <= 0:
        raise ValueError(f"{symbol}: a life begins with shares, not with {quantity}")
    if price <= 0:
        return Position(symbol, quantity, 0, ZERO, on, life)
    return Position(
        symbol,
        quantity,
        quantity,
        price * quantity,
        on,
        life,
        base_cost=price,
        high_since_entry=price,
    )


def apply_fill(
    position: Position | None,
    symbol: Symbol,
    side: Side,
    quantity: int,
    price: Decimal,
    on: date,
    life: int = 1,
) -> Position | None:
    """Return the position after a fill, None when the life ended. `life`: the number a new life gets.

    Shares of unknown cost take the average of what is bought later. Raises ValueError when more is sold than held,
    quantity or price are not positive, or the fill is of another symbol.
    """
    if quantity <= 0 or price <= 0:
        raise ValueError(f"{symbol}: a fill has a quantity and a price, not {quantity} at {price}")
    if position is not None and position.symbol != symbol:
        raise ValueError(f"a fill of {symbol} is not one of {position.symbol}")
    held = 0 if position is None else position.quantity
    if side is Side.SELL and quantity > held:
        raise ValueError(f"{symbol}: {quantity} sold, {held} held")
    if position is None or held == 0:
        return opened(symbol, quantity, price, on, life)
    if side is Side.SELL:
        return replace(position, quantity=held - quantity) if quantity < held else None
    return replace(
        position,
        quantity=held + quantity,
        bought_quantity=position.bought_quantity + quantity,
        bought_amount=position.bought_amount + price * quantity,
        base_cost=price if position.base_cost is None else position.base_cost,
    )


def with_first_take_profit(position: Position) -> Position:
    """Return the position after the first take-profit's order chain ended with anything filled (rules §1.4)."""
    return replace(position, first_take_profit_done=True, armed=False, armed_high=ZERO)


def rearmed(position: Position) -> Position:
    """Return the position after an operator gave the first take-profit back: not done, not armed, no trailing level."""
    return replace(
        position, first_take_profit_done=False, armed=False, armed_high=ZERO, trailing_level=None
    )


def with_high(position: Position, high: Decimal) -> Position:
    """Return the position after an operator corrected the high; the trailing level is found again from it.

    Raises ValueError when the high is not positive.
    """
    if high <= 0:
        raise ValueError(f"{position.symbol}: a high of {high} is not a price")
    return replace(position, high_since_entry=high, trailing_level=None)


def scale(position: Position, factor: Decimal, share_ratio: Decimal, tick: Decimal) -> Position:
    """Return the position after a corporate action: prices × factor, quantities × share_ratio.

    Scales cost, base_cost, high, armed_high, trailing_level once (rules §1). Highs are rounded half up to the tick
    (yuan), costs to the stored unit; a fraction of a share is dropped, the terminal's row has the last word on it.
    Raises ValueError when factor or share_ratio are not positive.
    """
    if factor <= 0 or share_ratio <= 0:
        raise ValueError(
            f"{position.symbol}: factor {factor} and share ratio {share_ratio} must be > 0"
        )
    bought = int(position.bought_quantity * share_ratio)
    amount = position.bought_amount
    if position.bought_quantity:
        amount = _rounded(amount * factor * bought / position.bought_quantity, STORED_UNIT)
    level = position.trailing_level
    return replace(
        position,
        quantity=int(position.quantity * share_ratio),
        bought_quantity=bought,
        bought_amount=amount,
        base_cost=None
        if position.base_cost is None
        else _rounded(position.base_cost * factor, STORED_UNIT),
        high_since_entry=_rounded(position.high_since_entry * factor, tick),
        armed_high=_rounded(position.armed_high * factor, tick),
        trailing_level=None
        if level is None
        else (level * factor).quantize(STORED_UNIT, ROUND_DOWN),
    )


def sellable(
    quantity: int, bought_today: int, t1: bool, broker_sellable: int | None, promised: int
) -> int:
    """Return min(broker's can-use, quantity − today's buys if T+1, less what other orders promise), never below 0 (R8).

    `promised` counts shares of working and UNKNOWN sell orders; it is taken from our own count only, because the
    terminal's can-use is already without the shares its open sells froze. `broker_sellable` None = the terminal has
    not said: 0.
    """
    if broker_sellable is None:
        return 0
    own = quantity - (bought_today if t1 else 0) - promised
    return max(0, min(broker_sellable, own))


def _rounded(value: Decimal, step: Decimal) -> Decimal:
    return (value / step).quantize(Decimal(1), ROUND_HALF_UP) * step
