"""Instruments and the exchange rules that depend on them, by effective date (rules §5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from trading.domain.effective import ALWAYS, in_force
from trading.domain.symbols import exchange_of
from trading.domain.types import Symbol, Text


class Board(StrEnum):
    """Where an instrument is listed."""

    MAIN = "main"
    CHINEXT = "chinext"
    STAR = "star"
    BSE = "bse"


class Category(StrEnum):
    """What an instrument is; settlement is a separate attribute, never "fund ⇒ T+0".

    OTHER is what the rules do not cover (B shares, bond repos, plain bonds, indexes): recognised, never traded.
    """

    STOCK = "stock"
    DEPOSITARY_RECEIPT = "depositary_receipt"
    FUND = "fund"
    CONVERTIBLE_BOND = "convertible_bond"
    OTHER = "other"

    @property
    def is_share(self) -> bool:
        """Stocks and depositary receipts, which share most rules."""
        return self in (Category.STOCK, Category.DEPOSITARY_RECEIPT)


class Settlement(StrEnum):
    """T+1: shares bought today are sold tomorrow at the earliest. T+0: within the day."""

    T1 = "T+1"
    T0 = "T+0"


@dataclass(frozen=True, slots=True)
class StatedLimits:
    """The price limits a terminal states for one day, in yuan; None = it states none on that side."""

    on: date
    up: Decimal | None
    down: Decimal | None


@dataclass(frozen=True, slots=True)
class Instrument:
    """What the rules need to know of an instrument. `index_board`: for index funds, the board of the index.

    `stated`: the limits its terminal named last; they hold for their own day only.
    """

    symbol: Symbol
    name: str = ""
    board: Board = Board.MAIN
    category: Category = Category.STOCK
    settlement: Settlement = Settlement.T1
    special_treatment: bool = False  # ST, *ST
    listed_on: date | None = None
    delisting_from: date | None = None  # first session of the delisting period
    index_board: Board | None = None
    stated: StatedLimits | None = None


@dataclass(frozen=True, slots=True)
class LotRule:
    """Quantities an order may have: at least `minimum`, then by `step`; at most `largest` per order (shares).

    `largest` 0: nothing may be ordered at all.
    """

    minimum: int
    step: int
    largest: int

    def __post_init__(self) -> None:
        if self.minimum < 1 or self.step < 1 or 0 < self.largest < 2 * self.minimum:
            raise ValueError(f"{self} leaves no room to split an order")

    def buy_problem(self, quantity: int) -> Text | None:
        """Say why a buy of `quantity` shares is refused by the exchange, or None."""
        return self._size_problem(quantity) or self._lot_problem(quantity)

    def sell_problem(self, quantity: int, sellable: int) -> Text | None:
        """Say why a sell is refused: a lot multiple, or everything sellable; a remainder below the minimum goes whole."""
        if quantity > sellable:
            return Text(
                f"{quantity} is more than the {sellable} sellable",
                f"{quantity} 超过可卖数量 {sellable}",
            )
        everything = quantity == sellable
        return self._size_problem(quantity) or (
            None if everything else self._lot_problem(quantity)
        )

    def floor_buy(self, quantity: int) -> int:
        """Return the largest valid buy quantity ≤ `quantity`, 0 when there is none (not capped by `largest`)."""
        if quantity < self.minimum or not self.largest:
            return 0
        return quantity - (quantity - self.minimum) % self.step

    def floor_sell(self, quantity: int, sellable: int) -> int:
        """Return the largest valid sell quantity ≤ `quantity`; everything when `quantity` ≥ `sellable`; else 0."""
        if quantity >= sellable > 0 and self.largest:
            return sellable
        return self.floor_buy(min(quantity, sellable))

    def split(self, quantity: int) -> tuple[int, ...]:
        """Return quantities ≤ `largest` that sum to `quantity`, each one valid, sent in sequence.

        `quantity` is one that `floor_buy` or `floor_sell` returned. No part falls below the minimum, so a part never
        depends on being the last; only the last one may carry an odd remainder (everything that is left).
        """
        parts = []
        while quantity > self.largest > 0:
            part = self.floor_buy(min(self.largest, quantity - self.minimum))
            parts.append(part)
            quantity -= part
        if quantity > 0 and self.largest:
            parts.append(quantity)
        return tuple(parts)

    def _size_problem(self, quantity: int) -> Text | None:
        if quantity <= 0:
            return Text(
                f"the quantity is {quantity}, not above 0", f"数量为 {quantity}，必须大于 0"
            )
        if not self.largest:
            return Text("this kind of instrument is not traded here", "本系统不交易此类品种")
        if quantity > self.largest:
            return Text(
                f"{quantity} is more than one order may have ({self.largest})",
                f"{quantity} 超过单笔申报上限 {self.largest}",
            )
        return None

    def _lot_problem(self, quantity: int) -> Text | None:
        if quantity < self.minimum:
            return Text(
                f"{quantity} is below the smallest order ({self.minimum})",
                f"{quantity} 低于最小申报数量 {self.minimum}",
            )
        if (quantity - self.minimum) % self.step:
            return Text(
                f"{quantity} is not a multiple of {self.step}",
                f"{quantity} 不是 {self.step} 的整数倍",
            )
        return None


class _Kind(NamedTuple):
    """What a code range says."""

    category: Category
    board: Board = Board.MAIN
    settlement: Settlement = Settlement.T1
    index_board: Board | None = None


_SHARE = _Kind(Category.STOCK)
_FUND = _Kind(Category.FUND)
_FUND_T0 = _Kind(Category.FUND, settlement=Settlement.T0)
_STAR_FUND = _Kind(Category.FUND, index_board=Board.STAR)
_CONVERTIBLE = _Kind(Category.CONVERTIBLE_BOND, settlement=Settlement.T0)
_OTHER = _Kind(Category.OTHER)

#: Code range → kind, the longest prefix wins. Source: code allocation guides of SSE and SZSE. SSE keeps own ranges
#: for bond and money (511), cross-border (513) and gold funds (518), which settle T+0; SZSE's 159 mixes them all,
#: so there T+1 is assumed until the terminal or the operator says otherwise.
_KIND_BY_PREFIX: dict[str, dict[str, _Kind]] = {
    "SH": {
        "60": _SHARE,
        "688": _Kind(Category.STOCK, Board.STAR),
        "689": _Kind(Category.DEPOSITARY_RECEIPT, Board.STAR),
        "5": _FUND,
        **dict.fromkeys(("511", "513", "518"), _FUND_T0),
        **dict.fromkeys(("588", "589"), _STAR_FUND),
        **dict.fromkeys(("110", "111", "113", "118"), _CONVERTIBLE),
    },
    "SZ": {
        "00": _SHARE,
        "30": _Kind(Category.STOCK, Board.CHINEXT),
        **dict.fromkeys(("15", "16", "18"), _FUND),
        **dict.fromkeys(("123", "127", "128"), _CONVERTIBLE),
    },
    "BJ": dict.fromkeys(("43", "83", "87", "88", "92"), _Kind(Category.STOCK, Board.BSE)),
}

#: Short names carry marks of the day (XD, XR, DR, N, C …) before the ST of a stock under special treatment.
_SPECIAL_TREATMENT = re.compile(r"(?:XD|XR|DR|[NCUWV])*S?[*＊]?ST")


def instrument_for(symbol: Symbol, name: str = "") -> Instrument:
    """Return what the code alone says: board and category; T+1 for every fund whose category is not known by code.

    The exchange's short name, when given, adds what no code says: special treatment, and the board a fund's index
    is made of.
    """
    kind = _kind_of(symbol)
    short_name = name.strip().replace(" ", "")
    return Instrument(
        symbol=symbol,
        name=name,
        board=kind.board,
        category=kind.category,
        settlement=kind.settlement,
        special_treatment=kind.category.is_share and bool(_SPECIAL_TREATMENT.match(short_name)),
        index_board=_index_board(kind, short_name),
    )


def _kind_of(symbol: Symbol) -> _Kind:
    kinds = _KIND_BY_PREFIX.get(
        exchange_of(symbol), {}
    )  # an account may hold shares of another market
    return next((kinds[symbol[:n]] for n in (3, 2, 1) if symbol[:n] in kinds), _OTHER)


def _index_board(kind: _Kind, short_name: str) -> Board | None:
    if kind.category is not Category.FUND or kind.index_board is not None:
        return kind.index_board
    if "债" in short_name:  # 科创债: bonds of technology companies, not the STAR board
        return None
    if "科创" in short_name or "双创" in short_name:
        return Board.STAR
    return Board.CHINEXT if "创业板" in short_name else None


_MAIN_LOTS = LotRule(minimum=100, step=100, largest=1_000_000)
_NOT_TRADED = LotRule(minimum=1, step=1, largest=0)

#: Share lots by board. Sources: SSE trading rules 2026 (上证发〔2026〕41号), SZSE (深证上〔2026〕551号), BSE
#: (北证公告〔2026〕17号); ChiNext's 300,000 came with its registration reform, 2020-08-24.
_SHARE_LOTS: dict[Board, tuple[tuple[date, LotRule], ...]] = {
    Board.MAIN: ((ALWAYS, _MAIN_LOTS),),
    Board.CHINEXT: ((ALWAYS, _MAIN_LOTS), (date(2020, 8, 24), LotRule(100, 100, 300_000))),
    Board.STAR: ((ALWAYS, LotRule(minimum=200, step=1, largest=100_000)),),
    Board.BSE: ((ALWAYS, LotRule(minimum=100, step=1, largest=1_000_000)),),
}
#: Lots of everything else, same sources.
_OTHER_LOTS: dict[Category, tuple[tuple[date, LotRule], ...]] = {
    Category.FUND: ((ALWAYS, _MAIN_LOTS),),
    Category.CONVERTIBLE_BOND: ((ALWAYS, LotRule(minimum=10, step=10, largest=1_000_000)),),
    Category.OTHER: ((ALWAYS, _NOT_TRADED),),
}


def lot_rule(instrument: Instrument, on: date) -> LotRule:
    """Return the lot rule in force on `on`."""
    return _lot_rule(instrument.board, instrument.category, on)


@lru_cache(maxsize=256)  # a tick asks for each of thousands of holdings
def _lot_rule(board: Board, category: Category, on: date) -> LotRule:
    if category.is_share:
        return in_force(_SHARE_LOTS[board], on)
    return in_force(_OTHER_LOTS[category], on)


_CENT = ((ALWAYS, Decimal("0.01")),)
_TENTH_OF_A_CENT = ((ALWAYS, Decimal("0.001")),)

#: Price steps in yuan, sources as for the lots.
_TICKS: dict[Category, tuple[tuple[date, Decimal], ...]] = {
    Category.STOCK: _CENT,
    Category.DEPOSITARY_RECEIPT: _CENT,
    Category.FUND: _TENTH_OF_A_CENT,
    Category.CONVERTIBLE_BOND: _TENTH_OF_A_CENT,
    Category.OTHER: _TENTH_OF_A_CENT,
}


def tick_size(instrument: Instrument, on: date) -> Decimal:
    """Return the price step in yuan: stocks 0.01, funds and convertible bonds 0.001."""
    return in_force(_TICKS[instrument.category], on)
