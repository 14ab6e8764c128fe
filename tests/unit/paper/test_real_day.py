"""A whole recorded day of 600519 (2023-02-01) through the paper exchange: the auctions are the real ones."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path

import pytest

from trading.domain.calendar import TradingCalendar
from trading.domain.fees import FeeSchedule
from trading.domain.instruments import instrument_for
from trading.domain.limits import from_float
from trading.domain.types import CHINA, ZERO, BookStatus, Level, Quote, Side, Symbol
from trading.paper import xtconstant as xt
from trading.paper.exchange import Exchange
from trading.paper.records import Order

FILE = (
    Path(__file__).resolve().parents[3]
    / ".."
    / "shared"
    / "data"
    / "ddb"
    / "600519_20230201_snapshot_orders_trades.zip"
)
pytestmark = [
    pytest.mark.orders,
    pytest.mark.skipif(not FILE.exists(), reason="the recorded day is not beside the project"),
]

MOUTAI, DAY, CENT = Symbol("600519.SH"), date(2023, 2, 1), Decimal("0.01")
STATUS = {
    "START": BookStatus.PRE_OPEN,
    "OCALL": BookStatus.AUCTION,
    "TRADE": BookStatus.CONTINUOUS,
    "CCALL": BookStatus.AUCTION,
    "CLOSE": BookStatus.CLOSED,
    "ENDTR": BookStatus.CLOSED,
}


def at(clock: str) -> datetime:
    return datetime.combine(DAY, time.fromisoformat(clock), CHINA)


def recorded_quotes() -> Iterator[Quote]:
    with zipfile.ZipFile(FILE) as archive, archive.open("20230201/snapshot.csv") as raw:
        for row in csv.DictReader(io.TextIOWrapper(raw, "utf-8-sig")):
            yield Quote(
                MOUTAI,
                at(row["UpdateTime"]),
                from_float(row["LastPrice"], CENT),
                from_float(row["PreCloPrice"], CENT),
                open=from_float(row["OpenPrice"], CENT),
                volume=int(row["TradVolume"]),
                bids=levels(row, "Bid"),
                asks=levels(row, "Ask"),
                status=STATUS[row["InstruStatus"]],
            )


def levels(row: dict[str, str], side: str) -> tuple[Level, ...]:
    pairs = [(row[f"{side}Price{n}"], row[f"{side}Volume{n}"]) for n in range(1, 6)]
    return tuple(
        Level(from_float(price, CENT), int(size))
        for price, size in pairs
        if float(price or 0) > 0 and int(size or 0) > 0
    )


class Day:
    """Plays the recorded day up to a time, then takes orders."""

    def __init__(self) -> None:
        instrument = instrument_for(MOUTAI, "贵州茅台")
        self.exchange = Exchange(TradingCalendar((DAY,), DAY, DAY), {MOUTAI: instrument})
        self.exchange.open_account("1", Decimal(10_000_000), FeeSchedule())
        self.exchange.seed_position("1", MOUTAI, 1_000, Decimal(1700), date(2023, 1, 31))
        self._quotes = recorded_quotes()
        self._next = next(self._quotes)

    def until(self, clock: str) -> None:
        while self._next.time < at(clock):
            self.exchange.quote(self._next)
            self._next = next(self._quotes)

    def order(self, side: Side, quantity: int, price: str, clock: str) -> Order:
        self.until(clock)
        return self.exchange.submit("1", MOUTAI, side, quantity, Decimal(price), "", "", at(clock))

    def fills(self, order: Order) -> list[tuple[Decimal, int]]:
        trades = self.exchange.account("1").trades
        return [(one.price, one.quantity) for one in trades if one.order_id == order.order_id]


def test_the_recorded_auctions_set_the_prices_and_the_cash_adds_up():
    day = Day()
    opening = day.order(Side.BUY, 200, "1900.00", "09:16")
    too_low = day.order(Side.BUY, 100, "1854.97", "09:16")
    bought = day.order(Side.BUY, 100, "1835.00", "10:00")
    day.until("14:56:50")
    closing = day.order(Side.SELL, 400, "1844.50", "14:58")
    day.until("15:40")
    assert day.fills(opening) == [(Decimal("1854.98"), 200)]
    assert day.fills(closing) == [(Decimal("1844.97"), 400)]
    assert day.fills(too_low) == [(Decimal("1854.97"), 100)]  # the day's low is 1811.40
    assert sum(quantity for _, quantity in day.fills(bought)) == 100
    account = day.exchange.account("1")
    spent = sum((t.amount if t.side is Side.BUY else -t.amount) + t.fees for t in account.trades)
    assert account.cash == Decimal(10_000_000) - spent
    assert account.frozen_cash == ZERO
    assert {order.status for order in account.orders.values()} == {xt.ORDER_SUCCEEDED}
    assert account.positions[MOUTAI].quantity == 1_000


def test_an_order_out_of_the_days_reach_dies_at_1535():
    day = Day()
    order = day.order(Side.SELL, 100, "1860.00", "09:40")  # the day's high is 1859.00
    day.until("15:39")
    assert day.exchange.account("1").orders[order.order_id].status == xt.ORDER_CANCELED
