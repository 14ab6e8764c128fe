"""The words of the house as values: symbols, sides, quotes, kinds, states and denials.

Money and prices are `Decimal` yuan, quantities are whole shares (`int`), ratios are `Decimal` (0.05 is 5 %),
times are aware datetimes in China Standard Time. Nothing here reads a clock, a database or a network.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, NewType

#: China has had no daylight saving time since 1991: a fixed offset is exact and needs no time-zone database.
CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")

#: A canonical instrument key such as `600036.SH`; made by `symbols.parse_symbol` only.
Symbol = NewType("Symbol", str)

ZERO = Decimal(0)


class Text(NamedTuple):
    """A sentence a person can read, in both languages of the house."""

    en: str
    zh: str

    def in_language(self, language: str) -> str:
        """Return the Chinese sentence for any `zh…` language code, else the English one."""
        return self.zh if language.lower().startswith("zh") else self.en


class Side(StrEnum):
    """Side of an order or a fill, as the account sees it."""

    BUY = "buy"
    SELL = "sell"


class Purpose(StrEnum):
    """Which engine an order serves; one working order per (account, symbol, side, purpose)."""

    EXIT = "exit"
    MANUAL = "manual"
    GRID = "grid"
    ADD_ON = "add_on"
    STRATEGY = "strategy"


class SignalKind(StrEnum):
    """Why a signal exists. `priority`: a higher number wins in one symbol (rules §1)."""

    STOP_LOSS = "stop_loss"
    TRAILING_TAKE_PROFIT = "trailing_take_profit"
    FIRST_TAKE_PROFIT = "first_take_profit"
    MANUAL = "manual"
    GRID = "grid"
    ADD_ON = "add_on"
    STRATEGY = "strategy"  # of a plug-in (docs/strategies.md)

    @property
    def priority(self) -> int:
        return _PRIORITY[self]

    @property
    def purpose(self) -> Purpose:
        return _PURPOSE[self]

    @property
    def protective(self) -> bool:
        """A sale that protects a holding: never denied by value, count, ratio or loss limits."""
        return self.purpose is Purpose.EXIT


_PRIORITY = {
    SignalKind.STOP_LOSS: 60,
    SignalKind.TRAILING_TAKE_PROFIT: 50,
    SignalKind.FIRST_TAKE_PROFIT: 40,
    SignalKind.MANUAL: 30,
    SignalKind.GRID: 20,
    SignalKind.ADD_ON: 10,
    SignalKind.STRATEGY: 5,
}
_PURPOSE = {
    SignalKind.STOP_LOSS: Purpose.EXIT,
    SignalKind.TRAILING_TAKE_PROFIT: Purpose.EXIT,
    SignalKind.FIRST_TAKE_PROFIT: Purpose.EXIT,
    SignalKind.MANUAL: Purpose.MANUAL,
    SignalKind.GRID: Purpose.GRID,
    SignalKind.ADD_ON: Purpose.ADD_ON,
    SignalKind.STRATEGY: Purpose.STRATEGY,
}


class SignalState(StrEnum):
    """Life of a signal: pending until one of the four ends."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    DENIED = "denied"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


class TradingState(StrEnum):
    """The account's main switch: ACTIVE all, REDUCING sells only, HALTED nothing."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


class GatewayStatus(StrEnum):
    """Whether the gateway may submit: only ARMED submits."""

    OBSERVING = "observing"
    ARMED = "armed"


class AccountMode(StrEnum):
    """What the account is connected to."""

    DEMO = "demo"
    PAPER = "paper"
    SHADOW = "shadow"
    LIVE = "live"


class DenialCode(StrEnum):
    """Why our own risk check refused or held back an order (rules §2, §6)."""

    AUTO_OFF = "AUTO_OFF"
    STRATEGY_OFF = "STRATEGY_OFF"
    STAGE = "STAGE"
    TRADING_STATE = "TRADING_STATE"
    GATEWAY_NOT_ARMED = "GATEWAY_NOT_ARMED"
    MARKET_CLOSED = "MARKET_CLOSED"
    CALENDAR_UNKNOWN = "CALENDAR_UNKNOWN"
    QUOTE_SOURCE = "QUOTE_SOURCE"
    QUOTE_STALE = "QUOTE_STALE"
    SUSPENDED = "SUSPENDED"
    NO_PRICE = "NO_PRICE"
    PRICE_LIMIT = "PRICE_LIMIT"
    LOT = "LOT"
    TICK = "TICK"
    T1_NOT_SELLABLE = "T1_NOT_SELLABLE"
    SHARES_PROMISED = "SHARES_PROMISED"
    CASH = "CASH"
    CAPS = "CAPS"
    MAX_ORDER_VALUE = "MAX_ORDER_VALUE"
    MAX_POSITION_VALUE = "MAX_POSITION_VALUE"
    MAX_TOTAL_POSITION_RATIO = "MAX_TOTAL_POSITION_RATIO"
    DAILY_LOSS = "DAILY_LOSS"
    BOOKS_DIFFER = "BOOKS_DIFFER"
    MAX_ORDERS_PER_DAY = "MAX_ORDERS_PER_DAY"
    ORDER_RATE = "ORDER_RATE"
    CANCEL_RATIO = "CANCEL_RATIO"
    SELF_TRADE = "SELF_TRADE"
    DUPLICATE = "DUPLICATE"
    BUY_DISABLED = "BUY_DISABLED"
    SELL_DISABLED = "SELL_DISABLED"
    REFUSED_REPEATEDLY = "REFUSED_REPEATEDLY"
    PRICE_DRIFT = "PRICE_DRIFT"
    FUTURE_TIME = "FUTURE_TIME"
    LIMITS_DISAGREE = "LIMITS_DISAGREE"
    CONFIG_INVALID = "CONFIG_INVALID"

    @property
    def blocks(self) -> bool:
        """True when the signal stays pending and is tried again; every other code denies it."""
        return self in _BLOCKING


_BLOCKING = frozenset(
    {
        DenialCode.GATEWAY_NOT_ARMED,
        DenialCode.MARKET_CLOSED,
        DenialCode.QUOTE_SOURCE,
        DenialCode.QUOTE_STALE,
        DenialCode.SUSPENDED,
        DenialCode.NO_PRICE,
        DenialCode.T1_NOT_SELLABLE,
        DenialCode.SHARES_PROMISED,
        DenialCode.SELF_TRADE,
        DenialCode.DUPLICATE,
        DenialCode.ORDER_RATE,
    }
)


@dataclass(frozen=True, slots=True)
class Denial:
    """An order or signal we refused ourselves: a value, never an exception."""

    code: DenialCode
    text: Text


class Level(NamedTuple):
    """One level of the displayed book: price in yuan, quantity in shares."""

    price: Decimal
    quantity: int


class BookStatus(StrEnum):
    """What the exchange itself says about the symbol at the time of a quote."""

    UNKNOWN = "unknown"
    PRE_OPEN = "pre_open"
    AUCTION = "auction"  # opening or closing call auction: levels carry the virtual match price
    CONTINUOUS = "continuous"
    BREAK = "break"
    CLOSED = "closed"
    HALTED = "halted"  # suspension, volatility halt
    AFTER_HOURS = "after_hours"  # fixed-price trading after the close


@dataclass(frozen=True, slots=True)
class Quote:
    """One snapshot of one symbol.

    Prices in yuan; 0 means "not stated" in `last`, `open`, `high`, `low` (as exchanges send it before the first
    match). `volume` is the cumulative day volume in shares, `amount` the cumulative turnover in yuan. `bids` and
    `asks` are best first, only levels with price > 0 and quantity > 0 (an auction's unmatched remainder is dropped).
    `limit_up`/`limit_down` are the exchange's own limits when the source states them.
    """

    symbol: Symbol
    time: datetime
    last: Decimal
    previous_close: Decimal
    open: Decimal = ZERO
    high: Decimal = ZERO
    low: Decimal = ZERO
    volume: int = 0
    amount: Decimal = ZERO
    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()
    status: BookStatus = BookStatus.UNKNOWN
    limit_up: Decimal | None = None
    limit_down: Decimal | None = None
    #: Seconds this quote stays fresh at most; a feed of minute bars declares its bar here.
    fresh_for: int = 90

    @property
    def suspended(self) -> bool:
        return self.status is BookStatus.HALTED


@dataclass(frozen=True, slots=True)
class Limits:
    """A day's price limits in yuan; None = no limit on that side (e.g. the first sessions of an IPO)."""

    up: Decimal | None
    down: Decimal | None


@dataclass(frozen=True, slots=True)
class Fees:
    """Fees of one fill or order in yuan, each rounded half up to the cent."""

    commission: Decimal = ZERO
    stamp_duty: Decimal = ZERO
    transfer_fee: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.commission + self.stamp_duty + self.transfer_fee

    def __add__(self, other: Fees) -> Fees:
        return Fees(
            self.commission + other.commission,
            self.stamp_duty + other.stamp_duty,
            self.transfer_fee + other.transfer_fee,
        )

    def __sub__(self, other: Fees) -> Fees:
        return Fees(
            self.commission - other.commission,
            self.stamp_duty - other.stamp_duty,
            self.transfer_fee - other.transfer_fee,
        )


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """An ex-rights event: shares × `share_ratio`, then cash paid per old share; price factor applies to prices.

    `factor` = reference price after / close before (e.g. 0.5 for a 1:1 bonus issue).
    """

    symbol: Symbol
    on: date
    factor: Decimal
    share_ratio: Decimal = Decimal(1)
    cash_per_share: Decimal = ZERO
    note: str = field(default="")
