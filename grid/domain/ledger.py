"""The ledger of a grid session: lots from fills only, exact to 1/10000 yuan, profit with fees (rules §3).

Style A: a sell closes the lots its order names. Style B: a sell closes the newest open lots first; the rest is an
unmatched sell, out of the base holding, which the next buys close first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from trading.domain.positions import STORED_UNIT
from trading.domain.types import ZERO, Side


@dataclass(frozen=True, slots=True)
class GridFill:
    """One fill of a session's order. `order`: number of the order's chain, so partial fills and re-orders are one.

    `price` and `fees` in yuan; `on`: trade date. `lots`: the lots a sell's order names, in the order it closes them;
    empty for style B.
    """

    order: int
    side: Side
    quantity: int
    price: Decimal
    fees: Decimal
    on: date
    lots: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Lot:
    """What is still open of one buy order (or of one unmatched sell). `amount` and `fees` in yuan are of what is open."""

    id: int
    quantity: int
    amount: Decimal
    fees: Decimal
    on: date

    @property
    def price(self) -> Decimal:
        """Average price in yuan per share, fees not included."""
        return self.amount / self.quantity


@dataclass(frozen=True, slots=True)
class Ledger:
    """Open lots and unmatched sells, oldest first, and what is behind them. Money in yuan.

    `realised`: profit of what was closed, less the fees of both its sides. `fees`: all fees paid. The fields that are not given are derived, and kept because every quote asks for them.
    """

    lots: tuple[Lot, ...] = ()
    unmatched: tuple[Lot, ...] = ()
    realised: Decimal = ZERO
    fees: Decimal = ZERO
    bought_quantity: int = 0
    bought_amount: Decimal = ZERO
    sold_quantity: int = 0
    sold_amount: Decimal = ZERO
    #: Shares and cost of the open lots, shares of the unmatched sells.
    quantity: int = field(init=False)
    cost: Decimal = field(init=False)
    #: The open lot with the lowest price.
    cheapest: Lot | None = field(init=False)
    unmatched_quantity: int = field(init=False)
    #: profit at a price = `carry` + `net_quantity` × price
    carry: Decimal = field(init=False)
    net_quantity: int = field(init=False)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "quantity", sum(lot.quantity for lot in self.lots))
        put(self, "cost", sum((lot.amount for lot in self.lots), ZERO))
        put(self, "cheapest", min(self.lots, key=lambda lot: lot.price, default=None))
        put(self, "unmatched_quantity", sum(lot.quantity for lot in self.unmatched))
        carry = self.realised - self.cost - sum((lot.fees for lot in self.lots), ZERO)
        put(self, "carry", carry + sum((sell.amount - sell.fees for sell in self.unmatched), ZERO))
        put(self, "net_quantity", self.quantity - self.unmatched_quantity)

    def profit(self, price: Decimal) -> Decimal:
        """Realised and unrealised profit in yuan at a price: marked to market, never the cash that flowed."""
        return self.carry + self.net_quantity * price

    def unrealised(self, price: Decimal) -> Decimal:
        """Profit of what is open at a price, less the fees paid for it."""
        return self.profit(price) - self.realised

    def may_sell(self, base_quantity: int) -> int:
        """Shares the session may sell at most: its lots and what is left of the base holding it was given."""
        return max(0, self.quantity + base_quantity - self.unmatched_quantity)


def book(ledger: Ledger, fill: GridFill) -> Ledger:
    """Return the ledger after a fill. Raises ValueError when it has no quantity or price."""
    if fill.quantity <= 0 or fill.price <= 0 or fill.fees < 0:
        raise ValueError(
            f"a fill of {fill.quantity} at {fill.price} with fees {fill.fees} is none"
        )
    amount = fill.price * fill.quantity
    work = _Work(ledger, fill, amount)
    if fill.side is Side.BUY:
        work.buy()
        return work.result(
            bought_quantity=ledger.bought_quantity + fill.quantity,
            bought_amount=ledger.bought_amount + amount,
        )
    work.sell()
    return work.result(
        sold_quantity=ledger.sold_quantity + fill.quantity,
        sold_amount=ledger.sold_amount + amount,
    )


def rebuild(fills: Iterable[GridFill]) -> Ledger:
    """Return the ledger of these fills, in the order in which they were booked."""
    ledger = Ledger()
    for fill in fills:
        ledger = book(ledger, fill)
    return ledger


def scaled(ledger: Ledger, factor: Decimal, share_ratio: Decimal) -> Ledger:
    """Return the ledger after a corporate action: prices × factor, shares × share_ratio (a fraction is dropped).

    Raises ValueError when factor or ratio are not positive.
    """
    if factor <= 0 or share_ratio <= 0:
        raise ValueError(f"factor {factor} and share ratio {share_ratio} must be > 0")
    return replace(
        ledger,
        lots=_scaled(ledger.lots, factor, share_ratio),
        unmatched=_scaled(ledger.unmatched, factor, share_ratio),
    )


def _scaled(lots: tuple[Lot, ...], factor: Decimal, ratio: Decimal) -> tuple[Lot, ...]:
    made = []
    for lot in lots:
        quantity = int(lot.quantity * ratio)
        if quantity:
            amount = _money(lot.amount * factor * quantity / lot.quantity)
            made.append(replace(lot, quantity=quantity, amount=amount))
    return tuple(made)


class _Work:
    """One fill on its way into the lots; what it has not closed yet is `left`."""

    def __init__(self, ledger: Ledger, fill: GridFill, amount: Decimal) -> None:
        self.ledger, self.fill = ledger, fill
        self.lots, self.unmatched = list(ledger.lots), list(ledger.unmatched)
        self.left, self.amount, self.fees = fill.quantity, amount, fill.fees
        self.realised = ledger.realised

    def buy(self) -> None:
        self._close_newest(self.unmatched, sign=-1)
        self._open(self.lots)

    def sell(self) -> None:
        for number in self.fill.lots:
            self._close(self.lots, number, sign=1)
        self._close_newest(self.lots, sign=1)
        self._open(self.unmatched)

    def result(self, **totals: object) -> Ledger:
        return replace(
            self.ledger,
            lots=tuple(self.lots),
            unmatched=tuple(self.unmatched),
            realised=self.realised,
            fees=self.ledger.fees + self.fill.fees,
            **totals,  # type: ignore[arg-type]  # the totals of one side
        )

    def _close_newest(self, lots: list[Lot], sign: int) -> None:
        for lot in reversed(lots[:]):
            self._close(lots, lot.id, sign)

    def _close(self, lots: list[Lot], number: int, sign: int) -> None:
        """Close as much as is left of the fill against one lot; `sign` 1: the fill sells what the lot bought."""
        place = next((i for i, lot in enumerate(lots) if lot.id == number), None)
        if place is None or self.left == 0:
            return
        lot = lots[place]
        quantity = min(self.left, lot.quantity)
        paid, paid_fees = (
            _part(lot.amount, quantity, lot.quantity),
            _part(lot.fees, quantity, lot.quantity),
        )
        got, got_fees = (
            _part(self.amount, quantity, self.left),
            _part(self.fees, quantity, self.left),
        )
        self.realised += sign * (got - paid) - got_fees - paid_fees
        self.left -= quantity
        self.amount -= got
        self.fees -= got_fees
        if quantity == lot.quantity:
            del lots[place]
        else:
            lots[place] = replace(
                lot,
                quantity=lot.quantity - quantity,
                amount=lot.amount - paid,
                fees=lot.fees - paid_fees,
            )

    def _open(self, lots: list[Lot]) -> None:
        """What the fill did not close is open: one lot for all fills of an order."""
        if self.left == 0:
            return
        place = next((i for i, lot in enumerate(lots) if lot.id == self.fill.order), None)
        if place is None:
            lots.append(Lot(self.fill.order, self.left, self.amount, self.fees, self.fill.on))
            return
        lot = lots[place]
        lots[place] = replace(
            lot,
            quantity=lot.quantity + self.left,
            amount=lot.amount + self.amount,
            fees=lot.fees + self.fees,
        )


def _part(amount: Decimal, quantity: int, of: int) -> Decimal:
    """Return the share of an amount, rounded to what the house stores; the last part takes what is left."""
    return amount if quantity == of else _money(amount * quantity / of)


def _money(amount: Decimal) -> Decimal:
    return amount.quantize(STORED_UNIT, ROUND_HALF_UP)
