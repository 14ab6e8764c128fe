"""The price of an order: what the book offers, inside the day's limits and the price cage (rules §4)."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from trading.domain.limits import round_to_tick
from trading.domain.types import Level, Limits, Quote, Side


class PriceMode(StrEnum):
    """How the first order of a decision is priced; re-orders always take the opposite book."""

    OPPONENT = "opponent"
    LAST = "last"
    LIMIT = "limit"


#: Which level of the opposite book an attempt reaches for: the first order, then the re-orders (rules §4).
_LEVEL_BY_ATTEMPT = {0: 3, 1: 3, 2: 5}
_DEEPEST_LEVEL = 5


def order_price(
    mode: PriceMode,
    side: Side,
    quote: Quote,
    *,
    trigger: Decimal | None,
    tick: Decimal,
    limits: Limits,
    cage: Decimal | None,
    attempt: int = 0,
) -> Decimal | None:
    """Return the fixed price to send, in yuan, or None when there is no usable price.

    `attempt` 0 is the first order, priced by `mode`; re-order 1 takes level 3 of the opposite book, 2 level 5, 3 and
    later the edge of the cage (level 5 without one). An absent level falls back to the next one of level 3, level 1,
    last, previous close. `trigger` is the price of mode LIMIT. `cage` is what `cage_bound` says for this side. The
    result is on the tick (a sell rounded down, a buy up) and inside limits and cage; never 0, NaN or negative.
    """
    wanted = _wanted(mode, side, quote, trigger, cage, attempt)
    if wanted is None:
        return None
    price = round_to_tick(wanted, tick, side)
    lowest, highest = _range(side, tick, limits, cage)
    if highest is not None and highest < lowest:
        return None
    price = max(price, lowest)
    return price if highest is None else min(price, highest)


def _wanted(
    mode: PriceMode,
    side: Side,
    quote: Quote,
    trigger: Decimal | None,
    cage: Decimal | None,
    attempt: int,
) -> Decimal | None:
    if attempt == 0 and mode is PriceMode.LAST:
        return _first_usable(quote.last)
    if attempt == 0 and mode is PriceMode.LIMIT:
        return _first_usable(trigger)
    book = quote.bids if side is Side.SELL else quote.asks
    level = _LEVEL_BY_ATTEMPT.get(attempt)
    return _first_usable(
        cage if level is None else None,
        _price_at(book, level or _DEEPEST_LEVEL),
        _price_at(book, 3),
        _price_at(book, 1),
        quote.last,
        quote.previous_close,
    )


def _range(
    side: Side, tick: Decimal, limits: Limits, cage: Decimal | None
) -> tuple[Decimal, Decimal | None]:
    """Return the lowest and the highest price on the tick that limits and cage allow; no highest = None."""
    floors = [limits.down, cage if side is Side.SELL else None]
    ceilings = [limits.up, cage if side is Side.BUY else None]
    lowest = max(
        (round_to_tick(price, tick, Side.BUY) for price in floors if price is not None),
        default=tick,
    )
    highest = min(
        (round_to_tick(price, tick, Side.SELL) for price in ceilings if price is not None),
        default=None,
    )
    return max(lowest, tick), highest


def _price_at(book: tuple[Level, ...], level: int) -> Decimal | None:
    return book[level - 1].price if len(book) >= level else None


def _first_usable(*prices: Decimal | None) -> Decimal | None:
    return next(
        (price for price in prices if price is not None and price.is_finite() and price > 0), None
    )
