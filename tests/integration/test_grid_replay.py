"""A price path goes in, grid trades come out: through gateway, twin and services, the same on every run."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.replays import BANK, MONDAY, TUESDAY, plain, snapshot, steady
from tests.unit.domain.real_data import data_file
from tests.unit.grid.independent_grid_calculation import centred_log, lot_log, minutes
from trading.domain.symbols import parse_symbol
from trading.market_data.sources import open_source
from trading.replay import arguments
from trading.replay.arguments import OptionError
from trading.replay.result import json_bytes

pytestmark = [pytest.mark.grid]

GRIDS_ONLY = {"grid_enabled": "on", "stop_loss_enabled": "off", "take_profit_enabled": "off"}
CENT = Decimal("0.01")


def up_and_down(folder):
    """Two days: down to 9.59, the next day up to 10.30."""
    return plain(
        folder,
        steady("09:30:02", "09:30:30", "10.00"),
        steady("09:30:30", "09:31:00", "9.79"),
        steady("09:31:00", "09:31:30", "9.59"),
        steady("09:30:02", "09:30:30", "9.70", on=TUESDAY, previous_close="9.59"),
        steady("09:30:30", "09:31:00", "10.30", on=TUESDAY, previous_close="9.59"),
    )


@pytest.mark.slow
def test_a_lot_grid_buys_down_and_sells_its_lots_the_next_day(play, tmp_path):
    spec = f"{BANK}:lot,grid_buy_amount=20000,max_investment=60000,grid_take_profit_ratio=0.04"
    played = play(
        open_source(up_and_down(tmp_path)), settings=GRIDS_ONLY, guests={"grids": [spec]}
    )

    (grid,) = played.result["grids"]
    assert [(t["side"], t["quantity"], t["price"], t["time"][:10]) for t in grid["trades"]] == [
        ("buy", 2000, "9.80", str(MONDAY)),
        ("buy", 2000, "9.60", str(MONDAY)),
        ("sell", 4000, "10.29", str(TUESDAY)),
    ]
    orders = {order["order"] for order in played.result["orders"]}
    assert {trade["order"] for trade in grid["trades"]} == orders
    assert (grid["lots"], grid["status"], grid["invested"]) == ([], "active", "0.00")
    profit = Decimal(10_290 * 4 - 9_800 * 2 - 9_600 * 2) - Decimal(grid["fees"])
    assert Decimal(grid["realised"]) == profit
    assert Decimal(played.result["cash"]) == 1_000_000 + profit
    assert played.result["config"]["grids"] == [spec]


def test_the_result_is_the_same_on_every_run_and_with_no_tick_left_out(play, tmp_path):
    source = plain(
        tmp_path,
        steady("09:30:02", "09:30:30", "10.00"),
        steady("09:30:30", "09:31:00", "9.79"),
    )
    spec = f"{BANK}:lot,max_investment=60000"
    until = lambda now: f"{now:%H:%M}" >= "09:32"  # noqa: E731
    found = {
        json_bytes(
            play(
                open_source(source), settings=GRIDS_ONLY, guests={"grids": [spec]}, skip=skip, until=until,
            ).result
        )
        for skip in (True, True, False)
    }  # fmt: skip
    assert len(found) == 1
    (grid,) = json.loads(found.pop())["grids"]
    assert [trade["side"] for trade in grid["trades"]] == ["buy"]
    assert [lot["quantity"] for lot in grid["lots"]] == [500]


def test_without_the_option_a_result_has_no_grids(play, tmp_path):
    source = plain(tmp_path, steady("09:30:02", "09:30:10", "10.00"))
    assert "grids" not in play(open_source(source), until=lambda now: f"{now:%H:%M}" > "09:30").result  # fmt: skip


def test_a_session_can_be_a_file_and_refuses_what_the_rules_refuse(play, tmp_path):
    source = plain(tmp_path, steady("09:30:02", "09:30:20", "10.00"))
    file = tmp_path / "grid.json"
    wanted = {"symbol": BANK, "style": "centred", "interval": "0.03", "max_investment": 20000, "centre": 9.5, "base_quantity": 0}  # fmt: skip
    file.write_text(json.dumps(wanted), encoding="utf-8")
    until = lambda now: f"{now:%H:%M:%S}" >= "09:30:30"  # noqa: E731
    played = play(open_source(source), settings=GRIDS_ONLY, guests={"grids": [str(file)]}, until=until)  # fmt: skip
    (grid,) = played.result["grids"]
    assert (grid["centre"], grid["parameters"]["interval"]) == ("9.50", "0.03")
    assert played.result["config"]["grids"] == ["grid.json"]

    wanted["base_quantity"] = 500
    file.write_text(json.dumps(wanted), encoding="utf-8")
    with pytest.raises(OptionError, match="the base holding is 500, 0 are held"):
        play(open_source(source), settings=GRIDS_ONLY, guests={"grids": [str(file)]}, until=until)


@pytest.mark.fast
@pytest.mark.parametrize(
    ("spec", "en", "zh"),
    [
        ("hello", "is not a symbol", "不是证券代码"),
        (f"{BANK}:", "expected SYMBOL:STYLE", "代码:风格"),
        (f"{BANK}:square", "a style or template of lot", "lot"),
        (f"{BANK}:lot,interval=0.03", "parameter is interval, expected one of", "parameter 为 interval"),
        (f"{BANK}:centred,interval=0.5", "interval is 0.5, expected a number from 0.01 to 0.20", "0.01 至 0.20"),
        (f"{BANK}:lot,max_lots=2,max_lots=3", "every name once", "每个名称只出现一次"),
        (f"{BANK}:lot,stop_policy=maybe", "keep or sell_lots", "keep 或 sell_lots"),
        ("nowhere.json", "a readable JSON file", "可读的 JSON 文件"),
    ],
)  # fmt: skip
def test_a_wrong_specification_is_one_line_before_anything_runs(tmp_path, spec, en, zh):
    source = plain(tmp_path, steady("09:30:02", "09:30:05", "10.00"))
    with pytest.raises(OptionError) as caught:
        arguments.plan(sources=[source], wishes={"grids": [spec]})
    assert en in caught.value.text.en
    assert zh in caught.value.text.zh
    assert "--grid is" in caught.value.text.en


@pytest.mark.fast
def test_asking_for_a_grid_switches_grids_on_unless_the_person_says_otherwise(tmp_path):
    source = plain(tmp_path, steady("09:30:02", "09:30:05", "10.00"))
    wishes = {"grids": [f"{BANK}:lot,max_investment=20000"]}
    assert arguments.plan(sources=[source], wishes=wishes).options.settings == {"grid_enabled": "on"}  # fmt: skip
    off = arguments.plan(sources=[source], wishes=wishes, settings=["grid_enabled=off"])
    assert off.options.settings == {"grid_enabled": "off"}


# -- real minutes

DAYS = 4
WIDE = {"max_deviation": "0.5", "target_profit": "1", "stop_loss": "-0.5", "duration_days": "365"}
STYLES = {
    "centred": {"interval": "0.01", "callback": "0.002", "max_investment": "40000", **WIDE},
    "lot": {"grid_price_drop": "0.008", "grid_take_profit_ratio": "0.01", "max_investment": "40000"},
}  # fmt: skip
BASE = {"centred": 1000, "lot": 0}
ROOMY = {"max_position_value": "10000000", "daily_loss_ratio": "0.2", "max_total_position_ratio": "1"}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLES)
def test_real_minutes_give_the_trades_of_an_independent_calculation(play, tmp_path, style):
    paths = days_of({**minutes(data_file("hikyuu/sh_time.h5")), **minutes(data_file("hikyuu/sz_time.h5"))})  # fmt: skip
    assert len(paths) == 6
    words = ",".join(f"{name}={value}" for name, value in STYLES[style].items())
    specs = [
        f"{symbol}:{style},{words},centre={path[0][0]},base_quantity={BASE[style]}"
        for symbol, path in paths.items()
    ]
    played = play(
        open_source(plain(tmp_path, rows_of(paths))),
        holdings=[f"{symbol}:{BASE[style]}@{path[0][0]}" for symbol, path in paths.items() if BASE[style]],
        settings={**GRIDS_ONLY, **ROOMY},
        guests={"grids": specs},
    )  # fmt: skip
    grids = {grid["symbol"]: grid for grid in played.result["grids"]}
    trades = 0
    for symbol, path in paths.items():
        log = log_of(played.result, symbol, grids[symbol])
        assert log == independent(style, path), symbol
        trades += len(log)
    assert trades >= 20


def days_of(stocks):
    """Return the first days of each stock, only minutes of continuous trading in which nothing ends."""
    found = {}
    for name, path in stocks.items():
        days = sorted({at.date() for _, at in path})[:DAYS]
        found[parse_symbol(name)] = [
            (price, at)
            for price, at in path
            if at.date() in days
            and ("09:31" <= f"{at:%H:%M}" < "11:30" or "13:01" <= f"{at:%H:%M}" < "14:57")
        ]
    return found


def rows_of(paths):
    """Return the paths as quotes whose best levels are a cent away; yesterday's close is the last minute shown."""
    for symbol, path in paths.items():
        close, day = path[0][0], None
        before = close
        for price, at in path:
            if at.date() != day:
                close, day = before, at.date()
            before = price
            yield snapshot(f"{at:%H:%M:%S}", str(price), on=at.date(), symbol=symbol, previous_close=str(close))  # fmt: skip


def log_of(result, symbol, grid):
    signals = {
        signal["number"]: signal for signal in result["signals"] if signal["symbol"] == symbol
    }
    log = [
        f"{fill['time']} {fill['side']} {fill['quantity']} @ {plainly(signals[fill['signal']]['last'])}"
        for fill in result["fills"]
        if fill["symbol"] == symbol
    ]
    return [*log, *([f"stop {grid['stop_code']}"] if grid["stop_code"] else [])]


def plainly(number):
    return f"{Decimal(number).normalize():f}"


def independent(style, path):
    numbers = {
        name: int(value) if name == "duration_days" else Decimal(value)
        for name, value in STYLES[style].items()
    }
    defaults = {
        "centred": {"position_ratio": Decimal("0.25"), "fixed_quantity": 0, "end": path[0][1] + timedelta(days=365)},
        "lot": {"grid_buy_amount": Decimal(5000), "grid_stop_loss_ratio": Decimal("-0.10"), "grid_max_hold_days": 30, "max_lots": 10},
    }[style]  # fmt: skip
    calculate = {"centred": centred_log, "lot": lot_log}[style]
    log = calculate(path, BASE[style], {**defaults, **numbers, "centre": path[0][0]}, CENT)
    found = []
    for line in log:
        day, clock, *rest = line.split(" ")
        if " @ " in line:
            side, quantity, _, price = rest[:4]
            found.append(f"{day}T{clock} {side} {quantity} @ {plainly(price)}")
        elif rest[:1] == ["stop"]:
            found.append(" ".join(rest))
    return found
