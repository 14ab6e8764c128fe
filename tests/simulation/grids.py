"""Grid sessions in a plan: of both styles, on held and unheld symbols, with prices that cross their lines. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.plan import Plan, Stock

#: A fund whose shares may be sold on the day they were bought.
FUND = "513100.SH"
#: How a price moves that a grid can follow: down and up again, past several lines.
SWINGS: tuple[tuple[float, ...], ...] = (
    (1.0, 0.965, 1.0, 1.03, 1.0),
    (1.0, 0.97, 0.95, 0.985, 1.02),
    (1.0, 1.03, 1.022, 1.02, 1.028, 0.99),
    (1.0, 0.97, 0.975, 0.99, 1.01, 1.003),
    (1.0, 1.025, 1.02, 0.975, 0.98, 1.0),
    (1.0, 0.98, 0.955, 0.94, 0.90),
    (1.0, 0.97, 1.005, 0.965, 1.005, 0.96),
)
SLIDE = (1.0, 0.985, 0.97, 0.955)


@dataclass(frozen=True, slots=True)
class Grid:
    """A session a person starts at a second, and what people do with it afterwards: (second, deed)."""

    second: int
    symbol: str
    style: str
    values: dict[str, Any]
    base_quantity: int | None
    exits_may_sell_base: bool
    deeds: tuple[tuple[int, str], ...]


def with_grids(plan: Plan) -> Plan:
    """Return the plan, in one of three cases with one or two grid sessions beside its exits."""
    chance = random.Random(f"grids:{plan.seed}")
    if chance.random() >= 1 / 3:
        return plan
    stocks = list(plan.stocks)
    if chance.random() < 0.3:
        stocks.append(replace(stocks[0], symbol=FUND, held=chance.choice([0, 1000, 2000])))
    chosen = chance.sample(range(len(stocks)), min(len(stocks), chance.choice([1, 1, 2])))
    if stocks[-1].symbol == FUND and len(stocks) - 1 not in chosen:
        chosen[0] = len(stocks) - 1
    for place in chosen:
        stocks[place] = _swinging(stocks[place], chance)
    seconds = max(plan.seconds, chance.randint(36, 54))
    grids = tuple(_grid(stocks[place], seconds, chance) for place in chosen)
    settings = {**plan.settings, "grid_enabled": "true"}
    settings["grid_order_timeout"] = chance.choice(["5", "8", "30"])
    settings["signal_max_drift"] = chance.choice(["0.02", "0.05"])
    if chance.random() < 0.7:
        settings["price_mode"] = "opponent"
    made = replace(plan, seconds=seconds, stocks=tuple(stocks), settings=settings, grids=grids)
    return _a_loss(made) if chance.random() < 0.06 else made


def _a_loss(plan: Plan) -> Plan:
    """A fund slides until its first lot is sold at its loss, and the later ones stay."""
    fund = replace(plan.stocks[0], symbol=FUND, way=SLIDE, depth=50, held=0, bought_today=0)
    others = tuple(stock for stock in plan.stocks[1:] if stock.symbol != FUND)
    grid = Grid(
        second=4,
        symbol=FUND,
        style="lot",
        values={
            "grid_buy_amount": Decimal(6000),
            "grid_price_drop": Decimal("0.005"),
            "grid_take_profit_ratio": Decimal("0.01"),
            "grid_stop_loss_ratio": Decimal("-0.02"),
            "max_investment": Decimal(40_000),
        },
        base_quantity=None,
        exits_may_sell_base=False,
        deeds=(),
    )
    settings = plan.settings | {"price_mode": "opponent"}
    return replace(plan, seconds=54, stocks=(fund, *others), settings=settings, grids=(grid,))


def _swinging(stock: Stock, chance: random.Random) -> Stock:
    held = 0 if chance.random() < 0.2 else stock.held
    return replace(stock, way=chance.choice(SWINGS), depth=chance.choice([3, 50, 50]), held=held)


def _grid(stock: Stock, seconds: int, chance: random.Random) -> Grid:
    lot = (
        0.8 if stock.symbol == FUND else 0.4
    )  # of other symbols a lot is sold tomorrow at the earliest
    style = "lot" if chance.random() < lot else "centred"
    budget = chance.choice(["3000", "12000", "40000"])
    if style == "lot":
        values: dict[str, Any] = {
            "grid_buy_amount": chance.choice(["3000", "6000"]) if budget != "3000" else "3000",
            "grid_price_drop": chance.choice(["0.005", "0.01"]),
            "grid_take_profit_ratio": chance.choice(["0.005", "0.01"]),
            "grid_stop_loss_ratio": chance.choice(["-0.02", "-0.10"]),
        }
    else:
        values = {
            "interval": chance.choice(["0.01", "0.01", "0.02"]),
            "callback": chance.choice(["0.002", "0.003"]),
            "position_ratio": chance.choice(["0.25", "0.5", "1"]),
        }
        if stock.held == 0 or chance.random() < 0.3:
            values |= {"trade_mode": "shares", "fixed_quantity": chance.choice([100, 300])}
    values["max_investment"] = budget
    numbers = {
        name: Decimal(value) if name != "trade_mode" and isinstance(value, str) else value
        for name, value in values.items()
    }
    orders = [("pause", "resume"), ("stop keep",), ("stop sell_lots",)]
    deeds = chance.choice([(), (), (), (), *orders])
    at = sorted(chance.sample(range(18, seconds), len(deeds)))
    return Grid(
        second=chance.randint(4, 9),
        symbol=stock.symbol,
        style=style,
        values=numbers,
        base_quantity=chance.choice([None, None, 0]),
        exits_may_sell_base=chance.random() < 0.7,
        deeds=tuple(zip(at, deeds, strict=True)),
    )
