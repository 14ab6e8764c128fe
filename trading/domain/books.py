"""The books of a day against the terminal: cash, holdings, fills and fees, exactly; whatever differs is named.

Nothing is rounded and nothing is tolerated here: a difference is explained by a person, not by a margin.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from trading.domain.reconcile import compare_positions
from trading.domain.reports import BrokerTrade, Snapshot
from trading.domain.types import CHINA, ZERO, Side, Symbol, Text


class Item(StrEnum):
    """What of the books differs."""

    CASH = "cash"
    HOLDING = "holding"
    FILL = "fill"
    FEES = "fees"
    ORDER = "order"


@dataclass(frozen=True, slots=True)
class BookedFill:
    """A fill as we booked it; `fees` in yuan, all of them."""

    traded_id: str
    broker_order_id: int
    symbol: Symbol
    side: Side
    quantity: int
    price: Decimal
    fees: Decimal
    on: date

    @property
    def cash(self) -> Decimal:
        """Yuan it brought, negative for a buy."""
        amount = self.quantity * self.price
        return amount - self.fees if self.side is Side.SELL else -amount - self.fees


@dataclass(frozen=True, slots=True)
class OurBooks:
    """Our side at the close of `on`.

    `opening_cash`: usable and frozen yuan at the last books, None when there are none. `fills`: all since then.
    `dividends`: yuan paid since then. `unknown_orders`: of today, whose outcome nobody knows.
    """

    on: date
    opening_cash: Decimal | None
    fills: tuple[BookedFill, ...]
    holdings: Mapping[Symbol, int]
    dividends: Decimal = ZERO
    unknown_orders: tuple[str, ...] = ()

    @property
    def expected_cash(self) -> Decimal | None:
        """Usable and frozen yuan there should be now."""
        if self.opening_cash is None:
            return None
        return self.opening_cash + self.dividends + sum((one.cash for one in self.fills), ZERO)


@dataclass(frozen=True, slots=True)
class BookDifference:
    """One difference: what, of which symbol or number, our value and the terminal's, in words."""

    item: Item
    about: str
    ours: str
    theirs: str
    text: Text


def cash_of(snapshot: Snapshot) -> Decimal:
    """Return the account's cash in yuan, usable and frozen. The snapshot is clean: it has an asset."""
    assert snapshot.asset is not None
    return snapshot.asset.cash + snapshot.asset.frozen_cash


def compare_books(ours: OurBooks, theirs: Snapshot) -> tuple[BookDifference, ...]:
    """Return every difference between our books and a clean snapshot taken after the close, in a fixed order."""
    cash = _cash(ours, theirs)
    fees = _fees(ours, theirs) if cash else ()  # cash that agrees has the right fees in it
    return (*cash, *fees, *_holdings(ours, theirs), *_fills(ours, theirs), *_orders(ours))


def _cash(ours: OurBooks, theirs: Snapshot) -> tuple[BookDifference, ...]:
    expected, there = ours.expected_cash, cash_of(theirs)
    if expected is None or expected == there:
        return ()
    text = Text(
        f"Cash: our books expect {expected:,.2f} yuan, the terminal shows {there:,.2f} ({there - expected:+,.2f}).",
        f"资金：账本应为 {expected:,.2f} 元，客户端为 {there:,.2f} 元（{there - expected:+,.2f}）。",
    )
    return (BookDifference(Item.CASH, "", str(expected), str(there), text),)


def _fees(ours: OurBooks, theirs: Snapshot) -> tuple[BookDifference, ...]:
    """Only where the terminal states fees at all: many show 0 until the night."""
    stated = sum((trade.commission for trade in _todays(ours, theirs)), ZERO)
    booked = sum((fill.fees for fill in ours.fills if fill.on == ours.on), ZERO)
    if stated == 0 or stated == booked:
        return ()
    text = Text(
        f"Fees of today: {booked:,.2f} yuan in our books, {stated:,.2f} at the terminal. Check the account's rates.",
        f"今日费用：账本 {booked:,.2f} 元，客户端 {stated:,.2f} 元。请核对账户费率。",
    )
    return (BookDifference(Item.FEES, "", str(booked), str(stated), text),)


def _holdings(ours: OurBooks, theirs: Snapshot) -> tuple[BookDifference, ...]:
    return tuple(
        BookDifference(
            Item.HOLDING,
            one.symbol,
            str(one.expected),
            "-" if one.reported is None else str(one.reported),
            one.text,
        )
        for one in compare_positions(ours.holdings, theirs.positions or ())
    )


_Fill = tuple[str, str, str, int, Decimal]


def _fills(ours: OurBooks, theirs: Snapshot) -> tuple[BookDifference, ...]:
    booked: Counter[_Fill] = Counter(
        (one.symbol, one.traded_id, one.side.value, one.quantity, one.price)
        for one in ours.fills
        if one.on == ours.on
    )
    shown: Counter[_Fill] = Counter(
        (one.symbol, one.traded_id, one.side.value if one.side else "?", one.quantity, one.price)
        for one in _todays(ours, theirs)
    )
    only_ours = [_fill_difference(fill, booked[fill], shown[fill]) for fill in booked - shown]
    only_theirs = [_fill_difference(fill, booked[fill], shown[fill]) for fill in shown - booked]
    return tuple(sorted((*only_ours, *only_theirs), key=lambda one: one.about))


def _fill_difference(fill: _Fill, booked: int, shown: int) -> BookDifference:
    symbol, traded_id, side, quantity, price = fill
    about = f"{symbol} {traded_id} {side} {quantity} @ {price}"
    text = Text(
        f"Fill {about}: {booked} in our books, {shown} at the terminal.",
        f"成交 {about}：账本 {booked} 笔，客户端 {shown} 笔。",
    )
    return BookDifference(Item.FILL, about, str(booked), str(shown), text)


def _orders(ours: OurBooks) -> tuple[BookDifference, ...]:
    return tuple(
        BookDifference(
            Item.ORDER,
            number,
            "unknown",
            "-",
            Text(
                f"The outcome of order {number} is unknown at the close.",
                f"收盘时委托 {number} 的结果仍未知。",
            ),
        )
        for number in sorted(ours.unknown_orders)
    )


def _todays(ours: OurBooks, theirs: Snapshot) -> list[BrokerTrade]:
    return [
        trade for trade in theirs.trades or () if trade.time.astimezone(CHINA).date() == ours.on
    ]
