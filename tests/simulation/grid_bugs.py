"""Mistakes of grids: lots, budgets, fees, and orders nobody withdraws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any
from unittest import mock

from grid.domain import ledger as books
from grid.domain import levels
from grid.domain.state import SessionStatus
from grid.services import closing, ending, ledger, tick
from grid.services.work import Work
from tests.simulation.plan import Plan
from tests.simulation.planting import Bug, Patch, needs, put
from trading.services.view import TickView


def _with_grids(plan: Plan) -> bool:
    return bool(plan.grids)


@needs(_with_grids)
def grid_lot_counted_twice() -> list[Patch]:
    """What an order of several fills bought is added to its lot twice."""

    def made(was: Any) -> Any:
        def opened(self: Any, lots: list[books.Lot]) -> None:
            known = any(lot.id == self.fill.order for lot in lots)
            was(self, lots)
            if known:
                was(self, lots)

        return opened

    return [put(books._Work, "_open", made)]


@needs(_with_grids)
def grid_budget_ignored() -> list[Patch]:
    """Every buy may spend the whole budget, whatever the open lots cost."""
    return [mock.patch.object(levels, "budget_left", lambda facts, max_investment: max_investment)]


@needs(_with_grids)
def grid_fees_forgotten() -> list[Patch]:
    """The ledger knows prices and no fees."""

    def made(was: Any) -> Any:
        return lambda fill: replace(was(fill), fees=Decimal(0))

    return [put(ledger, "fill_value", made)]


@needs(_with_grids)
def grid_sale_closes_the_newest_lot() -> list[Patch]:
    """A sale closes the newest lot, whichever it was decided for."""

    def made(was: Any) -> Any:
        return lambda fill: replace(was(fill), lots=())

    return [put(ledger, "fill_value", made)]


@needs(_with_grids)
def stopped_grid_leaves_its_orders() -> list[Patch]:
    """A session that is to stop has ended at once; nobody withdraws what it ordered."""

    def closed(view: TickView, works: Sequence[Work]) -> list[Any]:
        for work in works:
            if work.status is SessionStatus.STOPPING:
                closing._end(view, work)
        return []

    return [
        mock.patch.object(tick, "close_sessions", closed),
        mock.patch.object(ending, "withdraw"),
    ]


GRID: dict[str, Bug] = {
    bug.__name__: bug
    for bug in (
        grid_lot_counted_twice,
        grid_budget_ignored,
        grid_fees_forgotten,
        grid_sale_closes_the_newest_lot,
        stopped_grid_leaves_its_orders,
    )
}
