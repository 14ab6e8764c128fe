"""Each invariant of grid sessions can fail: rows of a world that is in order are doctored, and it is said."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection

from grid.models import GridLot, GridSession
from tests.simulation.grid_invariants import CHECKS
from tests.simulation.grids import FUND, Grid, with_grids
from tests.simulation.invariants import broken
from tests.simulation.plan import Plan, Stock, plan_of
from tests.simulation.world import World

pytestmark = [pytest.mark.orders, pytest.mark.grid, pytest.mark.unattended]

BANK = "600036.SH"
#: A lot grid buys a fund three times and sells two lots; a centred one sells of its base holding, and is stopped.
PLAN = Plan(
    seed=5,
    seconds=48,
    stocks=(
        Stock(FUND, Decimal("2.00"), (1.0, 0.98, 0.96, 0.975), 50, held=2000, bought_today=0),
        Stock(BANK, Decimal("20.00"), (1.0, 1.03, 1.01, 1.0), 50, held=2000, bought_today=0),
    ),
    settings={
        "price_mode": "opponent",
        "grid_enabled": "true",
        "signal_max_drift": "0.05",
        "grid_order_timeout": "8",
    },
    misbehaviours=(),
    crashes=0.0,
    raises=0.0,
    delays=0.0,
    deeds=(),
    grids=(
        Grid(
            5,
            FUND,
            "lot",
            {
                "max_investment": Decimal(12000),
                "grid_buy_amount": Decimal(3000),
                "grid_price_drop": Decimal("0.01"),
                "grid_take_profit_ratio": Decimal("0.01"),
            },
            base_quantity=0,
            exits_may_sell_base=True,
            deeds=(),
        ),
        Grid(
            5,
            BANK,
            "centred",
            {
                "max_investment": Decimal(20000),
                "interval": Decimal("0.01"),
                "callback": Decimal("0.002"),
            },
            base_quantity=None,
            exits_may_sell_base=True,
            deeds=((40, "stop keep"),),
        ),
    ),
)


@pytest.fixture(scope="module")
def settled(database):
    world = World(PLAN, database).run()
    database.keep()
    return world


@pytest.fixture
def world(database, settled):
    database.reset()
    yield settled
    database.reset()


LOT = "(SELECT MIN(id) FROM grid_gridlot WHERE NOT unmatched)"
BOUGHT = "(SELECT id FROM grid_gridsession WHERE style = 'lot')"
SOLD = "(SELECT MIN(id) FROM trading_order WHERE side = 'sell' AND source LIKE 'grid:%')"
#: The invariant, words of its sentence, and what is doctored.
DOCTORED = [
    ("I21", "fills in its books", "DELETE FROM grid_gridtrade WHERE id = 1"),
    ("I21", "shows the lots", f"UPDATE grid_gridlot SET quantity = quantity + 100 WHERE id = {LOT}"),
    ("I21", "sales out of the base", "DELETE FROM grid_gridlot WHERE unmatched"),
    ("I22", "shows the totals", f"UPDATE grid_gridsession SET fees = fees + 1 WHERE id = {BOUGHT}"),
    ("I22", "what is open say", f"UPDATE grid_gridsession SET realised = realised + 1 WHERE id = {BOUGHT}"),
    ("I22", "cost", f"UPDATE grid_gridlot SET amount = amount + 10000 WHERE id = {LOT}"),
    ("I22", "decided for", "UPDATE grid_gridtrade SET realised = realised + 20000 WHERE side = 'sell'"
     f" AND session_id = {BOUGHT}"),
    ("I23", "are allowed", f"UPDATE grid_gridsession SET max_investment = 30000000 WHERE id = {BOUGHT}"),
    ("I24", "could be sold", f"UPDATE trading_order SET quantity = 2100 WHERE id = {SOLD}"),
    ("I25", "is stopped and", f"UPDATE trading_order SET ended_at = NULL, state = 'submitted' WHERE id = {SOLD}"
     " AND source IN (SELECT 'grid:' || id FROM grid_gridsession WHERE status = 'stopped')"),
    ("I25", "after its end", "UPDATE grid_gridsession SET stopped_at = started_at WHERE status = 'stopped'"),
]  # fmt: skip


def test_the_world_is_in_order_before_it_is_doctored(world):
    assert broken(world) == []
    assert {row.style: row.status for row in GridSession.objects.all()} == {
        "lot": "active",
        "centred": "stopped",
    }
    assert {row.unmatched for row in GridLot.objects.all()} == {True, False}
    assert GridSession.objects.get(style="lot").sold_quantity > 0


@pytest.mark.parametrize(
    ("number", "words", "statement"),
    DOCTORED,
    ids=[f"{number}-{words.replace(' ', '-')}" for number, words, _ in DOCTORED],
)
def test_a_doctored_world_is_caught(world, number, words, statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        assert cursor.rowcount > 0

    sentences = broken(world)

    assert any(line.startswith(f"{number} ") and words in line for line in sentences), sentences


def test_every_invariant_is_doctored():
    numbers = {check.__name__.split("_")[0].upper() for check in CHECKS}

    assert {number for number, _, _ in DOCTORED} == numbers


def test_a_third_of_the_seeds_has_grids_of_both_styles_on_held_and_unheld_symbols():
    plans = [with_grids(plan_of(seed)) for seed in range(600)]
    grids = [(grid, plan) for plan in plans for grid in plan.grids]

    assert 150 < sum(bool(plan.grids) for plan in plans) < 250
    held = {
        (grid.style, stock.held > 0)
        for grid, plan in grids
        for stock in plan.stocks
        if stock.symbol == grid.symbol
    }
    assert held == {("lot", True), ("lot", False), ("centred", True), ("centred", False)}
    assert {deed for grid, _ in grids for _, deed in grid.deeds} == {
        "pause",
        "resume",
        "stop keep",
        "stop sell_lots",
    }
