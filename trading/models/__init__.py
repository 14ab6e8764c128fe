"""The rows; money and prices are exact integers behind `Decimal`."""

from __future__ import annotations

from trading.models.access import AccountAccess, AccountLimit
from trading.models.accounts import Account, GatewayLease, MarketClock, TickLease
from trading.models.books import BooksState, DayBooks
from trading.models.config import TradingConfig
from trading.models.events import BrokerEvent, BrokerSnapshot, Event, EventLevel
from trading.models.former import FormerFill, FormerHolding
from trading.models.market import (
    Close,
    CorporateAction,
    DailyBar,
    DailyIndicator,
    Instrument,
    QuoteSource,
    TradingDay,
)
from trading.models.orders import Fill, Order, OrderEvent, UnknownOutcome, Wish
from trading.models.positions import Position
from trading.models.signals import Denial, Signal
from trading.models.stages import AccountCopy, LiveCaps
from trading.models.watch import WatchedSymbol

__all__ = [
    "Account",
    "AccountAccess",
    "AccountCopy",
    "AccountLimit",
    "BooksState",
    "BrokerEvent",
    "BrokerSnapshot",
    "Close",
    "CorporateAction",
    "DailyBar",
    "DailyIndicator",
    "DayBooks",
    "Denial",
    "Event",
    "EventLevel",
    "Fill",
    "FormerFill",
    "FormerHolding",
    "GatewayLease",
    "Instrument",
    "LiveCaps",
    "MarketClock",
    "Order",
    "OrderEvent",
    "Position",
    "QuoteSource",
    "Signal",
    "TickLease",
    "TradingConfig",
    "TradingDay",
    "UnknownOutcome",
    "WatchedSymbol",
    "Wish",
]
