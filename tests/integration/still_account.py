"""An account at one moment of a session, for pages that need no day to have run: rows, and quotes in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from trading import selectors
from trading.domain.symbols import parse_symbol
from trading.domain.types import CHINA, BookStatus, Quote
from trading.market_data.store import MemoryQuoteStore
from trading.models import Account, Instrument, Position, TradingConfig
from trading.services.clock import DEMO, set_clock

BANK, OTHER, NAMES = "600036.SH", "600000.SH", {"600036.SH": "招商银行", "600000.SH": "浦发银行"}
#: A Wednesday in continuous trading; the demo's clock shows it at this real time.
NOW = datetime(2023, 2, 1, 10, 0, tzinfo=CHINA)
REAL = datetime(2026, 1, 6, 4, 0, tzinfo=CHINA)


class StillAccount:
    """A demo account, armed and trading; each holding has 1,000 shares at cost 10.00."""

    def __init__(self, holdings: Sequence[str] = (BANK,), last: str = "10.40") -> None:
        self.account = Account.objects.create(
            name="demo", broker_account_id="8800123456", mode="demo", gateway_status="armed"
        )
        self.config = TradingConfig.objects.create(
            account=self.account, auto_trading_enabled=True, grid_enabled=True
        )
        self.store = MemoryQuoteStore()
        row = {"board": "main", "category": "stock", "settlement": "T+1"}
        for symbol, name in NAMES.items():
            Instrument.objects.update_or_create(symbol=symbol, defaults={**row, "name": name})
        selectors._minute[0] = None, {}
        set_clock(DEMO, REAL, NOW)
        for symbol in holdings:
            self.hold(symbol)
            self.quote(symbol, last)

    def hold(self, symbol: str, quantity: int = 1000, cost: str = "10.00") -> Position:
        return Position.objects.create(
            account=self.account,
            symbol=symbol,
            quantity=quantity,
            bought_quantity=quantity,
            bought_amount=Decimal(cost) * quantity,
            base_cost=Decimal(cost),
            broker_sellable=quantity,
            high_since_entry=Decimal("10.50"),
            opened_on=NOW.date().replace(day=1, month=1),
        )

    def quote(self, symbol: str, last: str) -> None:
        price = Decimal(last)
        made = Quote(
            symbol=parse_symbol(symbol),
            time=NOW,
            last=price,
            previous_close=Decimal(10),
            open=price,
            high=price,
            low=price,
            volume=1000,
            bids=(),
            asks=(),
            status=BookStatus.CONTINUOUS,
        )
        self.store.put("xtdata", [made], 10, NOW)
