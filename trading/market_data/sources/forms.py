"""The forms of recorded snapshots, told apart by their header (docs/replay-sources.md describes each)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trading.domain.types import BookStatus
from trading.errors import SourceError

#: The day stands in the name of the folder, not in a column.
FOLDER = "/"

#: Shanghai's words; STAR adds POSMT/POSSP after the close.
SSE_STATUS: Mapping[str, BookStatus] = {
    "START": BookStatus.PRE_OPEN,
    "OCALL": BookStatus.AUCTION,
    "TRADE": BookStatus.CONTINUOUS,
    "ICALL": BookStatus.AUCTION,
    "CCALL": BookStatus.AUCTION,
    "CLOSE": BookStatus.CLOSED,
    "ENDTR": BookStatus.CLOSED,
    "POSMT": BookStatus.AFTER_HOURS,
    "SUSP": BookStatus.HALTED,
    "HALT": BookStatus.HALTED,
    "VOLA": BookStatus.HALTED,
    "POSSP": BookStatus.HALTED,
}

#: Phase codes of the vendor's day files: 2 and 4 are breaks, 8 and 9 suspension and volatility halt.
PHASE_STATUS: Mapping[str, BookStatus] = {
    "0": BookStatus.PRE_OPEN,
    "1": BookStatus.AUCTION,
    "2": BookStatus.BREAK,
    "3": BookStatus.CONTINUOUS,
    "4": BookStatus.BREAK,
    "5": BookStatus.AUCTION,
    "6": BookStatus.CLOSED,
    "7": BookStatus.AFTER_HOURS,
    "8": BookStatus.HALTED,
    "9": BookStatus.HALTED,
    "10": BookStatus.CLOSED,
    "11": BookStatus.AFTER_HOURS,
}

PLAIN_STATUS: Mapping[str, BookStatus] = {status.value: status for status in BookStatus}


def _numbered(pattern: str, first: int) -> tuple[str, ...]:
    return tuple(pattern.format(number) for number in range(first, first + 10))


@dataclass(frozen=True, slots=True)
class SnapshotForm:
    """Which column says what. `marker`: columns that only this form has; "" = the form has no such column.

    `statuses`: how the status column reads; `strict_status`: a word that is not in it is an error (else UNKNOWN and
    a warning). `optional`: columns that may be absent; then they count as not stated.
    """

    name: str
    marker: frozenset[str]
    date: str
    time: str
    symbol: str
    last: str
    previous_close: str
    open: str
    high: str
    low: str
    volume: str
    amount: str
    bid_prices: tuple[str, ...]
    bid_quantities: tuple[str, ...]
    ask_prices: tuple[str, ...]
    ask_quantities: tuple[str, ...]
    status: str
    statuses: Mapping[str, BookStatus]
    limit_up: str = ""
    limit_down: str = ""
    exchange: str = ""
    strict_status: bool = False
    optional: bool = False

    @property
    def sides(self) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
        """Return the (price columns, quantity columns) of bids and asks, best first."""
        return (self.bid_prices, self.bid_quantities), (self.ask_prices, self.ask_quantities)

    @property
    def required(self) -> tuple[str, ...]:
        """Return the columns without which a file of this form is refused."""
        if self.optional:
            return (self.time, self.symbol, self.last)
        named = (
            self.date, self.time, self.symbol, self.last, self.previous_close, self.open, self.high, self.low,
            self.volume, self.amount, self.status, self.limit_up, self.limit_down,
            *self.bid_prices, *self.bid_quantities, *self.ask_prices, *self.ask_quantities,
        )  # fmt: skip
        return tuple(column for column in named if column not in ("", FOLDER))


#: One symbol's day beside its orders and trades: `20230201/snapshot.csv`.
SSE_DAY = SnapshotForm(
    name="sse-day",
    marker=frozenset({"UpdateTime", "InstruStatus"}),
    date=FOLDER,
    time="UpdateTime",
    symbol="SecurityID",
    last="LastPrice",
    previous_close="PreCloPrice",
    open="OpenPrice",
    high="HighPrice",
    low="LowPrice",
    volume="TradVolume",
    amount="Turnover",
    bid_prices=_numbered("BidPrice{}", 1),
    bid_quantities=_numbered("BidVolume{}", 1),
    ask_prices=_numbered("AskPrice{}", 1),
    ask_quantities=_numbered("AskVolume{}", 1),
    status="InstruStatus",
    statuses=SSE_STATUS,
    exchange="SH",
)

#: A day with the exchange's own limits and numeric phases.
PHASED_DAY = SnapshotForm(
    name="phased-day",
    marker=frozenset({"MDDate", "MDTime"}),
    date="MDDate",
    time="MDTime",
    symbol="HTSCSecurityID",
    last="LastPx",
    previous_close="PreClosePx",
    open="OpenPx",
    high="HighPx",
    low="LowPx",
    volume="TotalVolumeTrade",
    amount="TotalValueTrade",
    bid_prices=_numbered("BuyPrice{}", 1),
    bid_quantities=_numbered("BuyOrderQty{}", 1),
    ask_prices=_numbered("SellPrice{}", 1),
    ask_quantities=_numbered("SellOrderQty{}", 1),
    status="TradingPhaseCode",
    statuses=PHASE_STATUS,
    limit_up="MaxPx",
    limit_down="MinPx",
)

#: Many Shanghai symbols in one file; the queue at the best price that follows the levels is not read.
SSE_MARKET = SnapshotForm(
    name="sse-market",
    marker=frozenset({"DateTime", "InstrumentStatus"}),
    date="",
    time="DateTime",
    symbol="SecurityID",
    last="LastPx",
    previous_close="PreClosePx",
    open="OpenPx",
    high="HighPx",
    low="LowPx",
    volume="TotalVolumeTrade",
    amount="TotalValueTrade",
    bid_prices=_numbered("BidPrice{}", 0),
    bid_quantities=_numbered("BidOrderQty{}", 0),
    ask_prices=_numbered("OfferPrice{}", 0),
    ask_quantities=_numbered("OfferOrderQty{}", 0),
    status="InstrumentStatus",
    statuses=SSE_STATUS,
    exchange="SH",
)

#: Our own: what a person can write with a spreadsheet.
PLAIN = SnapshotForm(
    name="plain",
    marker=frozenset({"time", "symbol"}),
    date="",
    time="time",
    symbol="symbol",
    last="last",
    previous_close="previous_close",
    open="open",
    high="high",
    low="low",
    volume="volume",
    amount="amount",
    bid_prices=_numbered("bid{}", 1),
    bid_quantities=_numbered("bid{}_quantity", 1),
    ask_prices=_numbered("ask{}", 1),
    ask_quantities=_numbered("ask{}_quantity", 1),
    status="status",
    statuses=PLAIN_STATUS,
    limit_up="limit_up",
    limit_down="limit_down",
    strict_status=True,
    optional=True,
)

FORMS = (SSE_DAY, PHASED_DAY, SSE_MARKET, PLAIN)

#: A header with these columns holds bars, not snapshots.
BAR_MARKER = frozenset({"time", "symbol", "close"})


def form_of(file: str, header: tuple[str, ...]) -> SnapshotForm | None:
    """Return the snapshot form of a header, None for bars. Raises SourceError for any other header."""
    columns = frozenset(header)
    if columns >= BAR_MARKER and "last" not in columns:
        return None
    for form in FORMS:
        if columns >= form.marker:
            require(file, columns, form.required)
            return form
    expected = "the header of a form in docs/replay-sources.md"
    raise SourceError(file, 1, "header", ",".join(header[:6]), expected)


def require(file: str, columns: frozenset[str], required: tuple[str, ...]) -> None:
    """Raise SourceError naming the first required column that is missing."""
    for column in required:
        if column not in columns:
            raise SourceError(file, 1, "header", "", f"a column {column}")
