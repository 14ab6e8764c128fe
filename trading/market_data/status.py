"""What an exchange's status code means, corrected by the clock where the exchange says more than it does."""

from __future__ import annotations

from datetime import datetime, time

from trading.domain.types import BookStatus

AUCTION_FROM = time(9, 15)
MATCHED_FROM = time(9, 25)
OPEN_FROM = time(9, 30)
LUNCH_FROM = time(11, 30)
AFTERNOON_FROM = time(13, 0)
CLOSING_AUCTION_FROM = time(14, 57)
CLOSED_FROM = time(15, 0)


def at_its_time(status: BookStatus, moment: datetime) -> BookStatus:
    """Return the status, but CONTINUOUS only while the market really trades.

    Shanghai says TRADE from 09:25:01 and all through lunch although nothing trades (measured on recorded days).
    `moment` is aware, in China time.
    """
    if status is not BookStatus.CONTINUOUS:
        return status
    clock = moment.time()
    if OPEN_FROM <= clock < LUNCH_FROM or AFTERNOON_FROM <= clock < CLOSED_FROM:
        return status
    if clock < OPEN_FROM:
        return BookStatus.PRE_OPEN
    return BookStatus.BREAK if clock < AFTERNOON_FROM else BookStatus.CLOSED


def by_the_clock(moment: datetime) -> BookStatus:
    """Return the status a source without a status column has at `moment`, from the day's phases (rules §5)."""
    clock = moment.time()
    if AUCTION_FROM <= clock < MATCHED_FROM or CLOSING_AUCTION_FROM <= clock < CLOSED_FROM:
        return BookStatus.AUCTION
    return at_its_time(BookStatus.CONTINUOUS, moment)
