"""Daily bars of a local TDX installation, without the network."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path

from django.conf import settings

from trading.domain.symbols import exchange_of
from trading.domain.types import Symbol
from trading.errors import GatewayUnavailable, SourceError
from trading.market_data.mootdx_history import DayBar
from trading.market_data.sources import tdx


def local_daily_bars(symbol: Symbol, count: int, folder: Path | None = None) -> list[DayBar]:
    """Return the newest `count` daily bars of a symbol, oldest first, from `vipdoc` in the folder of the settings.

    They are as new as TDX last downloaded them. Raises GatewayUnavailable when there is no folder, no file of the
    symbol, or one that is damaged.
    """
    root = folder or Path(settings.MINIQMT_MOOTDX_FOLDER or "")
    exchange = exchange_of(symbol).lower()
    path = root / "vipdoc" / exchange / tdx.FOLDERS[".day"] / f"{exchange}{symbol[:6]}.day"
    if not (folder or settings.MINIQMT_MOOTDX_FOLDER) or not path.is_file():
        raise GatewayUnavailable(f"no local TDX file of {symbol} ({path})")
    try:
        return [_bar(symbol, record) for record in list(tdx.records(path, symbol))[-count:]]
    except (SourceError, ValueError, ArithmeticError, OSError) as problem:
        raise GatewayUnavailable(f"{path.name}: {problem}") from problem


def _bar(symbol: Symbol, record: tdx.Record) -> DayBar:
    opened, high, low, close = map(Decimal, (record.open, record.high, record.low, record.close))
    if not 0 < low <= min(opened, close) <= max(opened, close) <= high:
        raise ValueError(f"the prices of {record.time} contradict each other")
    return DayBar(
        symbol,
        datetime.strptime(record.time, "%Y%m%d").date(),  # noqa: DTZ007 - a date has no zone
        opened,
        high,
        low,
        close,
        int(record.volume),
        Decimal(record.amount).quantize(Decimal("0.01")),
    )
