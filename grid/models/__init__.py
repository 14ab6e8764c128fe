"""The rows of grid trading."""

from __future__ import annotations

from grid.models.ledger import GridAdjustment, GridLot, GridTrade
from grid.models.sessions import GridSession
from grid.models.templates import GridTemplate

__all__ = ["GridAdjustment", "GridLot", "GridSession", "GridTemplate", "GridTrade"]
