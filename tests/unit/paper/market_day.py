"""One symbol on one day for the tests of the twin: times, quotes and an exchange with an account."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal

from trading.domain.calendar import TradingCalendar
from trading.domain.fees import FeeSchedule
from trading.domain.instruments import Instrument, Settlement, instrument_for
from trading.domain.types import CHINA, BookStatus, Level, Quote, Symbol
from trading.paper.exchange import Exchange

BANK = Symbol("600036.SH")
STAR = Symbol("688001.SH")
BOND_FUND = Symbol("511010.SH")
ACCOUNT = "8880001"
CASH = Decimal("100000.00")

FRIDAY, MONDAY, TUESDAY = date(2026, 8, 7), date(2026, 8, 10), date(2026, 8, 11)
CALENDAR = TradingCalendar((FRIDAY, MONDAY, TUESDAY), date(2026, 8, 1), date(2026, 8, 31))


def at(clock: str, on: date = MONDAY) -> datetime:
    """Return a time of the day such as `10:00` or `14:59:58`."""
    return datetime.combine(on, time.fromisoformat(clock), CHINA)


def levels(*pairs: tuple[str, int]) -> tuple[Level, ...]:
    return tuple(Level(Decimal(price), quantity) for price, quantity in pairs)


def quote(
    clock: str,
    last: str = "10.00",
    volume: int = 10_000,
    *,
    on: date = MONDAY,
    symbol: Symbol = BANK,
    bids: tuple[Level, ...] | None = None,
    asks: tuple[Level, ...] | None = None,
    previous_close: str = "10.00",
    status: BookStatus = BookStatus.UNKNOWN,
    opened: str = "10.00",
) -> Quote:
    """Return a quote; without levels the book is 1,000 shares each at last - 0.01 and last + 0.01."""
    price = Decimal(last)
    cent = Decimal("0.01")
    return Quote(
        symbol,
        at(clock, on),
        price,
        Decimal(previous_close),
        open=Decimal(opened),
        volume=volume,
        bids=(Level(price - cent, 1_000),) if bids is None else bids,
        asks=(Level(price + cent, 1_000),) if asks is None else asks,
        status=status,
    )


def instruments() -> dict[Symbol, Instrument]:
    return {
        BANK: instrument_for(BANK, "招商银行"),
        STAR: instrument_for(STAR, "华兴源创"),
        BOND_FUND: replace(instrument_for(BOND_FUND, "国债ETF"), settlement=Settlement.T0),
    }


def exchange(cash: Decimal = CASH, fees: FeeSchedule | None = None) -> Exchange:
    """Return an exchange with one account that holds 1,000 shares of the bank, bought on Friday at 9.00."""
    made = Exchange(CALENDAR, instruments())
    made.open_account(ACCOUNT, cash, fees or FeeSchedule())
    made.seed_position(ACCOUNT, BANK, 1_000, Decimal("9.00"), FRIDAY)
    return made
