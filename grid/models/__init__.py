"""The rows of grid trading."""

from __future__ import annotations

from grid.models.ledger import GridAdjustment, GridLot, GridOpeningLot, GridTrade
from grid.models.sessions import GridMark, GridSession
from grid.models.templates import GridTemplate

__all__ = [
    "GridAdjustment",
    "GridLot",
    "GridMark",
    "GridOpeningLot",
    "GridSession",
    "GridTemplate",
    "GridTrade",
]
