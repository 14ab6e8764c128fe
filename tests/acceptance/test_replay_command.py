"""`manage.py replay` as a person types it: the same bytes every time, one line for every mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.replays import BANK, MONDAY, STAR_DAY, needs, plain, steady

pytestmark = [pytest.mark.exits, pytest.mark.system, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def replay(tmp_path):
    """A function that runs the command in a home of its own and returns the finished process."""

    def run(*arguments, **variables):
        ours = ("LC_", "LANG", "MINIQMT_", "DJANGO_")
        inherited = {name: v for name, v in os.environ.items() if not name.startswith(ours)}
        own = {"MINIQMT_HOME": str(tmp_path / "home"), "MINIQMT_READ_DOTENV": "false"}
        return subprocess.run(
            [sys.executable, "manage.py", "replay", *map(str, arguments)],
            cwd=ROOT,
            env={**inherited, **own, "PYTHONUTF8": "1", **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
        )

    return run


@pytest.fixture
def day(tmp_path):
    """A morning on which 1,000 shares bought at 10.00 meet their stop."""
    return plain(
        tmp_path,
        steady("09:30:02", "09:30:20", "9.60"),
        steady("09:30:20", "09:30:40", "9.20"),
    )


WORLDS = [
    {"PYTHONHASHSEED": "1"},
    {"PYTHONHASHSEED": "2", "TZ": "America/New_York"},
    {"TZ": "UTC", "LANG": "zh_CN.UTF-8"},
]


def test_every_run_writes_the_same_bytes(replay, day, tmp_path):
    written = []
    for number, world in enumerate(WORLDS):
        target = tmp_path / f"{number}.json"
        done = replay(day, "--position", f"{BANK}:1000@10", "--json", target, **world)
        assert done.returncode == 0, done.stderr
        written.append(target.read_bytes())

    assert len(set(written)) == 1
    assert written[0].endswith(b"}\n")
    assert b"\r" not in written[0]
    result = json.loads(written[0])
    keys = ["cash", "config", "denials", "fills", "orders", "positions", "signals", "source"]
    assert list(result) == keys
    assert result["source"]["name"] == "day.csv"
    (fill,) = result["fills"]
    assert fill == {
        "time": f"{MONDAY}T09:30:20+08:00",
        "symbol": BANK,
        "side": "sell",
        "quantity": 1000,
        "price": "9.19",
        "commission": "5.00",
        "stamp_duty": "4.60",
        "transfer_fee": "0.09",
        "order": result["orders"][0]["order"],
        "signal": 1,
    }
    assert result["cash"] == "1009180.31"


@needs(STAR_DAY)
def test_a_recorded_day_is_the_same_in_new_york(replay, tmp_path):
    written = []
    for number, world in enumerate(({}, {"TZ": "America/New_York", "PYTHONHASHSEED": "7"})):
        target = tmp_path / f"{number}.json"
        done = replay(STAR_DAY, "--position", "688293:1000@106", "--json", target, **world)
        assert done.returncode == 0, done.stderr
        written.append(target.read_bytes())

    assert written[0] == written[1]
    assert json.loads(written[0])["fills"]


@pytest.mark.parametrize(
    ("choice", "world", "heading", "kind"),
    [
        ([], {"LANG": "zh_CN.UTF-8"}, "盈亏（已扣费用）", "止损"),
        (["--lang", "en"], {"LANG": "zh_CN.UTF-8"}, "Profit and loss after fees", "stop loss"),
    ],
)
def test_the_tables_speak_the_language_asked_for(replay, day, choice, world, heading, kind):
    done = replay(day, "--position", f"{BANK}:1000@10", *choice, **world)

    assert (done.returncode, done.stderr) == (0, "")
    assert heading in done.stdout
    assert kind in done.stdout


def test_two_sources_are_a_list(replay, day, tmp_path):
    other = plain(
        tmp_path, steady("09:30:02", "09:30:20", "5.00", symbol="600000.SH"), name="b.csv"
    )
    target = tmp_path / "result.json"

    done = replay(day, other, "--json", target)

    assert done.returncode == 0, done.stderr
    source = json.loads(target.read_bytes())["source"]
    assert [entry["name"] for entry in source] == ["day.csv", "b.csv"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("time,symbol,last\n2026-08-10 09:30:02,600036,10.005\n", "line 2: last is '10.005'"),
        (
            "time,symbol,last\n2026-08-10 09:30:02,600036,10\n2026-08-10,600036,10\n",
            "line 3: time is",
        ),
        (
            "time,symbol,last\n2026-08-09 09:30:02,600036,10\n",
            "day is '2026-08-09', expected a trading day",
        ),
        (
            "time,symbol,last\n2099-08-10 09:30:02,600036,10\n",
            "day is '2099-08-10', expected a day the cal",
        ),
        ("what,is,this\n1,2,3\n", "line 1: header is"),
    ],
)
def test_a_malformed_file_is_one_line_and_exit_code_1(replay, tmp_path, text, told):
    source, target = tmp_path / "bad.csv", tmp_path / "result.json"
    source.write_text(text, encoding="utf-8")

    done = replay(source, "--json", target)

    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "bad.csv" in line
    assert told in line
    assert not target.exists()


def test_the_same_quotes_twice_are_refused(replay, day, tmp_path):
    again = tmp_path / "again.csv"
    again.write_bytes(day.read_bytes() + b"\n")

    done = replay(day, again)

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"again.csv: time of {BANK}" in line


@pytest.mark.parametrize(
    ("arguments", "english", "chinese"),
    [
        (["--position", "600036:1000"], "SYMBOL:QTY@COST", "代码:数量@成本"),
        (["--position", "600036:1.5@10"], "a whole number of shares", "整数股数"),
        (["--position", "600036:100@-1"], "an amount in yuan", "金额（元）"),
        (["--position", "777:100@10"], "a symbol", "证券代码"),
        (
            ["--position", "600036:1@1", "--position", "sh600036:1@1"],
            "every symbol once",
            "只出现一次",
        ),
        (["--cash", "much"], "an amount in yuan", "金额（元）"),
        (["--config", "stop_loss_ratio"], "KEY=VALUE", "名称=值"),
        (["--config", "no_such=1"], "KEY one of", "名称之一"),
        (["--config", "stop_loss_ratio=-0.9"], "from -0.20 to -0.01", "-0.20 至 -0.01"),
        (["--json", "no/such/folder/x.json"], "a folder that exists", "已存在目录"),
    ],
)
def test_a_wrong_option_is_one_line_in_both_languages_and_exit_code_2(
    replay, day, arguments, english, chinese
):
    done = replay(day, *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert arguments[-1].partition("=")[2] in line
    assert english in line
    assert chinese in line


def test_what_a_source_does_not_say_is_told(replay, tmp_path):
    source = tmp_path / "bars.csv"
    source.write_text(
        "time,symbol,open,high,low,close,volume\n2026-08-10 09:31,600036,10,10,10,10,1000\n",
        encoding="utf-8",
    )

    done = replay(source, "--label", "end", "--position", "600000:100@5", "--lang", "en")

    assert done.returncode == 0
    assert "no previous close" in done.stderr
    assert "600000.SH: no source quotes this holding" in done.stderr


@pytest.mark.grid
def test_a_grid_on_the_command_line_trades_the_same_in_every_world(replay, tmp_path):
    day = plain(
        tmp_path,
        steady("09:30:02", "09:30:20", "10.00"),
        steady("09:30:20", "09:30:40", "9.79"),
    )
    written = []
    for number, world in enumerate(WORLDS):
        target = tmp_path / f"{number}.json"
        spec = f"{BANK}:lot,grid_buy_amount=20000,max_investment=60000"
        done = replay(day, "--grid", spec, "--json", target, **world)
        assert done.returncode == 0, done.stderr
        written.append(target.read_bytes())
    assert len(set(written)) == 1
    (grid,) = json.loads(written[0])["grids"]
    assert [(t["side"], t["quantity"], t["price"]) for t in grid["trades"]] == [("buy", 2000, "9.80")]  # fmt: skip
    assert "网格会话" in done.stdout  # the last world speaks Chinese


@pytest.mark.grid
def test_a_wrong_grid_is_one_line_and_exit_code_2(replay, day):
    done = replay(day, "--grid", f"{BANK}:lot,grid_price_drop=0.9")
    assert done.returncode == 2
    assert "grid_price_drop is 0.9, expected a number from 0.001 to 0.50" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
