"""Lines and levels as prices, budget and reservation: the arithmetic both styles share (rules §3)."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from grid.domain.state import Facts

_ONE = Decimal(1)
#: A callback counts from a ten-thousandth below its ratio.
CALLBACK_TOLERANCE = Decimal("0.0001")
#: A buy is reserved at this multiple of its trigger.
RESERVATION = Decimal("1.02")


class Lines(NamedTuple):
    """The two lines of a centred grid, and how far beyond them a trade may still happen (yuan)."""

    upper: Decimal
    lower: Decimal
    sell_floor: Decimal
    buy_ceiling: Decimal


def lines(centre: Decimal, interval: Decimal, callback: Decimal) -> Lines:
    """Return the lines at a centre: never beyond one of them by more than one callback."""
    upper = centre * (_ONE + interval)
    lower = centre * (_ONE - interval)
    return Lines(upper, lower, upper * (_ONE - callback), lower * (_ONE + callback))


def turned_down(peak: Decimal, price: Decimal, callback: Decimal) -> bool:
    """Whether the price fell back far enough from its peak."""
    return peak - price >= peak * (callback - CALLBACK_TOLERANCE)


def turned_up(valley: Decimal, price: Decimal, callback: Decimal) -> bool:
    """Whether the price rose far enough from its valley."""
    return price - valley >= valley * (callback - CALLBACK_TOLERANCE)


def reservation_price(trigger: Decimal, last: Decimal, limit_up: Decimal | None) -> Decimal:
    """Return the price a buy is reserved at, and never sent above: max(trigger, last) × 1.02, not above limit-up."""
    price = max(trigger, last) * RESERVATION
    return price if limit_up is None else min(price, limit_up)


def budget_left(facts: Facts, max_investment: Decimal) -> Decimal:
    """Return the yuan a session may still spend: its budget less open lots and its own working buys."""
    return max_investment - facts.ledger.cost - facts.reserved_buys


def affordable(facts: Facts, max_investment: Decimal, price: Decimal) -> int:
    """Return the shares the budget left buys at a price (not cut to lots)."""
    left = budget_left(facts, max_investment)
    return int(left / price) if left > 0 else 0


def available(facts: Facts) -> int:
    """Return the shares the session may sell now: free ones, never more than its lots and its base."""
    return max(0, min(facts.sellable - facts.promised, facts.ledger.may_sell(facts.base_quantity)))
