"""Real days: the reducers decide, quote by quote, what an independent plain-loop calculation decides."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from grid.domain.rules import build, parameter_names
from grid.domain.state import Trade, start
from tests.unit.domain.real_data import data_file
from tests.unit.grid.cases import Market
from tests.unit.grid.independent_grid_calculation import (
    centred_log,
    lot_log,
    minutes,
    snapshots,
)
from trading.domain.symbols import parse_symbol

pytestmark = [pytest.mark.grid]

WIDE = {"max_deviation": "0.5", "target_profit": "1", "stop_loss": "-0.5", "duration_days": 365}
CENTRED = {
    "moderate": {},
    "aggressive": {"interval": "0.03", "position_ratio": "0.3", "callback": "0.003", "max_deviation": "0.1", "target_profit": "0.15", "stop_loss": "-0.15"},
    "narrow, kept running": {"interval": "0.01", "callback": "0.002", **WIDE},
    "fixed quantity": {"interval": "0.015", "callback": "0.003", "trade_mode": "shares", "fixed_quantity": 300, **WIDE},
    "small budget": {"interval": "0.01", "callback": "0.001", "max_investment": "6000", **WIDE},
    "soon satisfied": {"interval": "0.01", "callback": "0.002", **WIDE, "target_profit": "0.01", "stop_loss": "-0.01"},
}  # fmt: skip
LOTS = {
    "the users' settings": {},
    "fine": {"grid_price_drop": "0.01", "grid_take_profit_ratio": "0.02", "grid_stop_loss_ratio": "-0.03"},
    "five days": {"grid_price_drop": "0.01", "grid_take_profit_ratio": "0.04", "grid_max_hold_days": 5, "max_lots": 3},
    "small budget": {"grid_price_drop": "0.005", "grid_take_profit_ratio": "0.01", "max_investment": "9000"},
}  # fmt: skip
FILES = ("sh_time.h5", "sz_time.h5")
BASES = {"centred": (0, 1000, 3000), "lot": (0, 700)}


def played(style, name, path, base, named, t1=True):
    """Run the reducers; return their log in the words of the independent one, and its parameters."""
    values = {"max_investment": "40000", **named}
    numbers = {n: Decimal(v) if isinstance(v, str) and n != "trade_mode" else v for n, v in values.items()}  # fmt: skip
    rules = build(style, numbers)
    centre = path[0][0]
    end = (
        path[0][1] + timedelta(days=int(numbers.get("duration_days", 7)))
        if style == "centred"
        else None
    )
    market = Market(rules, start(centre), base=base, symbol=parse_symbol(name), t1=t1)
    market.ends_at = end
    market.play(path)
    log = []
    for time, said in market.said:
        if isinstance(said, Trade):
            closes = f" of {market.buys_of(said)}" if said.lots else ""
            log.append(f"{time} {said.side.value} {said.quantity} @ {said.trigger}{closes}")
        else:
            stop = "stop " if said is market.stopped else ""
            log.append(f"{time} {stop}{said.code.value}")
    own = {name: getattr(rules, name) for name in parameter_names(style)}
    return log, {**own, "centre": centre, "end": end}


def compare(style, name, path):
    trades = 0
    other = {"centred": centred_log, "lot": lot_log}[style]
    for label, named in {"centred": CENTRED, "lot": LOTS}[style].items():
        for base in BASES[style]:
            log, parameters = played(style, name, path, base, named)
            assert log == other(path, base, parameters), (name, label, base)
            trades += sum(" @ " in line for line in log)
    return trades


@pytest.mark.parametrize("style", ["centred", "lot"])
@pytest.mark.parametrize("file", FILES)
def test_real_minutes_of_43_days_give_the_trades_of_an_independent_calculation(file, style):
    stocks = minutes(data_file(f"hikyuu/{file}"))
    assert len(stocks) >= 2
    assert all(len(path) == 43 * 240 for path in stocks.values())
    assert sum(compare(style, name, path) for name, path in stocks.items()) > 100


@pytest.mark.parametrize("style", ["centred", "lot"])
def test_the_recorded_snapshots_of_600519_give_the_trades_of_an_independent_calculation(style):
    path = snapshots(data_file("ddb/600519_20230201_snapshot_orders_trades.zip"))
    assert len(path) > 4000
    named = {
        "centred": {"interval": "0.01", "callback": "0.001", "max_investment": "2000000", **WIDE},
        "lot": {
            "grid_buy_amount": "200000",
            "grid_price_drop": "0.004",
            "max_investment": "2000000",
        },
    }[style]
    other = {"centred": centred_log, "lot": lot_log}[style]
    log, parameters = played(style, "600519.SH", path, 1000, named)
    assert log == other(path, 1000, parameters)
    assert sum(" @ " in line for line in log) >= 1
