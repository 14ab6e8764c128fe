"""Daily bars of a local TDX installation, without the network."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from trading.domain.daily import DailyBar
from trading.domain.symbols import exchange_of
from trading.domain.types import Symbol
from trading.errors import SourceError
from trading.market_data.sources.daily import read_daily
from trading.market_data.sources.tdx import FOLDERS


def local_daily_bars(symbol: Symbol, count: int, folder: Path | None = None) -> list[DailyBar]:
    """Return the newest `count` daily bars of a symbol, oldest first, from `vipdoc` in MINIQMT_MOOTDX_FOLDER.

    They are as new as TDX last downloaded them. Raises SourceError when there is no folder, no file of the symbol, or
    one that is damaged.
    """
    root = folder or settings.MINIQMT_MOOTDX_FOLDER
    if not root:
        raise SourceError(
            "MINIQMT_MOOTDX_FOLDER", None, "folder", "", "the folder of a local TDX, with vipdoc"
        )
    exchange = exchange_of(symbol).lower()
    name = f"{exchange}{symbol[:6]}.day"
    return read_daily(Path(root) / "vipdoc" / exchange / FOLDERS[".day"] / name)[-count:]
