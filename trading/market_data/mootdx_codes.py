"""What the TDX protocol does not say of itself: markets, units of price and quantity, and what it cannot show.

The library's own tables are not used: they send 920xxx to Shanghai and show funds of 52, 56 and 58 tenfold.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

from trading.domain.instruments import Board, Category, instrument_for
from trading.domain.symbols import exchange_of
from trading.domain.types import Symbol, Text

#: The protocol's number of a market. Beijing has one too, but its quotes cannot be asked for.
MARKETS: Mapping[str, int] = {"SZ": 0, "SH": 1}
#: A symbol that trades in every session: its last daily bar tells which day a server is at. The index of Shanghai.
INDEX = (MARKETS["SH"], "000001")

#: Yuan that one unit of a quoted price is worth.
PRICE_UNIT: Mapping[Category, Decimal] = {
    Category.STOCK: Decimal("0.01"),
    Category.DEPOSITARY_RECEIPT: Decimal("0.01"),
    Category.FUND: Decimal("0.001"),
    Category.CONVERTIBLE_BOND: Decimal("0.0001"),
}
#: Shares of a lot, in which the protocol counts quantities.
LOT: Mapping[Category, int] = {
    **dict.fromkeys(PRICE_UNIT, 100),
    Category.CONVERTIBLE_BOND: 10,
}


def not_covered(symbol: Symbol) -> Text | None:
    """Say why the TDX servers cannot stand in for the terminal's quotes of this symbol; None: they can."""
    instrument = instrument_for(symbol)
    if exchange_of(symbol) not in MARKETS or instrument.board is Board.BSE:
        return Text(
            f"{symbol}: mootdx has no quotes of Beijing's exchange; without the terminal there are none",
            f"{symbol}：mootdx 不提供北交所行情；终端断开时该标的没有行情",
        )
    if instrument.category not in PRICE_UNIT:
        return Text(
            f"{symbol}: neither a share nor a fund nor a convertible bond; mootdx quotes of it are not read",
            f"{symbol}：不是股票、基金或可转债，不读取其 mootdx 行情",
        )
    return None


def on_the_wire(symbol: Symbol) -> tuple[int, str]:
    """Return (market, code) of a symbol that is covered."""
    return MARKETS[exchange_of(symbol)], symbol[:6]


@lru_cache(maxsize=8192)
def units(symbol: Symbol) -> tuple[Decimal, int]:
    """Return (yuan per unit of a quoted price, shares per lot) of a symbol that is covered."""
    category = instrument_for(symbol).category
    return PRICE_UNIT[category], LOT[category]
