"""The paper terminal as a process: it is killed, stopped and started twice, and its books stay whole."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from monitoring.child_process import past_the_launcher
from tests.unit.paper.terminal_over_tcp import eventually
from tests.unit.paper.test_terminal import Heard
from trading.paper import tcp_client, xtdata
from trading.paper import xtconstant as xt
from trading.paper.xttrader import XtQuantTrader
from trading.paper.xttype import StockAccount

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.unattended]

ROOT = Path(__file__).resolve().parents[2]
US = StockAccount("8800000001")
FUND, STOCK = "513100.SH", "601100.SH"
CASH, SHARES = Decimal(100_000_000), 2_000_000
RICH = ("--cash", str(CASH), "--position", f"{FUND}:{SHARES}@1.500")
IN_THE_MORNING = ("--start", "2026-11-20T10:00:00", "--speed", "5", *RICH)


def environment(home: Path) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "miniqmt.settings",
        "MINIQMT_HOME": str(home),
        "MINIQMT_READ_DOTENV": "false",
        "PYTHONUTF8": "1",
    }


def django(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "django", *arguments],
        cwd=ROOT,
        env=environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a database and the calendar, which the first start fills by itself."""
    home = tmp_path_factory.mktemp("prepared")
    told = django(home, "paper_terminal")
    assert (told.returncode, told.stdout) == (1, "")
    assert "manage.py migrate" in told.stderr.splitlines()[-1]
    assert "Traceback" not in told.stderr.splitlines()[-1]
    made = django(home, "migrate", "-v", "0")
    assert made.returncode == 0, made.stderr
    with running(home) as process:
        stop(process)
    for left in home.glob("paper.*"):
        left.unlink()
    return home


@pytest.fixture
def home(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "home"
    shutil.copytree(prepared, copy)
    token = copy / "paper.token"
    monkeypatch.setattr(
        tcp_client, "_token_source", [lambda: token.read_text(encoding="utf-8").strip()]
    )
    return copy


@contextmanager
def running(home: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A started process that has said where it listens; it is gone at the end, whatever happened."""
    command, known = past_the_launcher(
        [sys.executable, "-m", "django", "paper_terminal", *arguments], environment(home)
    )
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=known,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )
    try:
        assert eventually(lambda: is_up(process, home), 60), process.communicate()
        yield process
    finally:
        process.kill()
        process.communicate()


def is_up(process: subprocess.Popen[str], home: Path) -> bool:
    assert process.poll() is None, process.communicate()
    return (home / "paper.json").exists() and notice(home)["pid"] == process.pid


def notice(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / "paper.json").read_text(encoding="utf-8"))
    return found


def stop(process: subprocess.Popen[str]) -> None:
    """Ask the process to stop, and wait for its end."""
    process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM))
    process.wait(10)


def address(home: Path) -> str:
    return f"tcp://127.0.0.1:{notice(home)['port']}"


def trader_at(home: Path) -> tuple[XtQuantTrader, Heard]:
    heard = Heard()
    trader = XtQuantTrader(address(home), 100, heard)
    trader.start()
    assert (trader.connect(), trader.subscribe(US)) == (0, 0)
    return trader, heard


def order(
    trader: XtQuantTrader, symbol: str, side: int, volume: int, price: float, name: str
) -> None:
    trader.order_stock_async(US, symbol, side, volume, xt.FIX_PRICE, price, "mini", name)


def trade_until(trader: XtQuantTrader, home: Path, heard: Heard, fills: int) -> None:
    """Send orders, most of them larger than what the book shows, until so many fills were heard of."""
    data = xtdata.connect_to(address(home))
    for number in range(100):
        ticks = data.get_full_tick([FUND, STOCK])
        fund, stock = ticks[FUND], ticks[STOCK]
        order(trader, FUND, xt.STOCK_SELL, 60_000, fund["bidPrice"][0], f"S{number}")
        order(trader, STOCK, xt.STOCK_BUY, 12_000, stock["askPrice"][0], f"B{number}")
        if eventually(lambda: len(heard.of("stock_trade")) >= fills, 0.1):
            break
    data.disconnect()


def check_books(trader: XtQuantTrader) -> None:
    """What orders, trades, cash and shares say agrees to the cent and the share."""
    orders, trades = trader.query_stock_orders(US), trader.query_stock_trades(US)
    asset = trader.query_stock_asset(US)
    traded: Counter[int] = Counter()
    shares: Counter[str] = Counter({FUND: SHARES})
    cash = CASH
    for one in trades:
        sign = 1 if one.order_type == xt.STOCK_SELL else -1
        cash += sign * exact(one.traded_amount) - exact(one.commission)
        shares[one.stock_code] -= sign * one.traded_volume
        traded[one.order_id] += one.traded_volume
    assert len({one.traded_id for one in trades}) == len(trades)
    assert {one.order_id: one.traded_volume for one in orders if one.traded_volume} == traded
    assert exact(asset.cash) + exact(asset.frozen_cash) == cash
    volumes = {one.stock_code: one.volume for one in trader.query_stock_positions(US)}
    assert {symbol: volumes[symbol] for symbol in shares} == shares


def exact(amount: float) -> Decimal:
    return Decimal(str(round(amount, 4)))


def test_a_terminal_killed_amid_fills_comes_back_with_everything_it_ever_told(home):
    told_trades: dict[str, int] = {}
    told_orders: dict[int, int] = {}
    for _ in range(3):
        with running(home, *IN_THE_MORNING) as process:
            trader, heard = trader_at(home)
            before = len(told_trades)
            assert {one.traded_id for one in trader.query_stock_trades(US)} >= set(told_trades)
            trade_until(trader, home, heard, fills=20)
            process.kill()
            assert eventually(partial(heard.of, "disconnected"))
            told_trades |= {one.traded_id: one.traded_volume for one in heard.of("stock_trade")}
            for one in heard.of("stock_order"):
                told_orders[one.order_id] = max(
                    told_orders.get(one.order_id, 0), one.traded_volume
                )
            assert len(told_trades) > before
            assert xt.ORDER_PART_SUCC in {one.order_status for one in heard.of("stock_order")}
            assert (home / "paper.json").exists()  # nobody was left to take it away
    with running(home, *IN_THE_MORNING) as process:
        trader, heard = trader_at(home)
        kept = {one.traded_id: one.traded_volume for one in trader.query_stock_trades(US)}
        assert {name: kept[name] for name in told_trades} == told_trades
        volumes = {one.order_id: one.traded_volume for one in trader.query_stock_orders(US)}
        assert all(volumes[name] >= volume for name, volume in told_orders.items())
        check_books(trader)
        trade_until(trader, home, heard, fills=5)  # it goes on trading
        check_books(trader)
        trader.stop()


def test_begun_on_a_day_without_a_session_it_shows_holdings_of_before_and_no_trade(home):
    with running(home, "--start", "2026-11-21T10:00:00", "--position", f"{STOCK}:1000@10.00"):
        trader, _ = trader_at(home)
        [held] = [one for one in trader.query_stock_positions(US) if one.stock_code == STOCK]
        assert (held.volume, held.yesterday_volume, held.can_use_volume) == (1_000, 1_000, 1_000)
        assert trader.query_stock_trades(US) == []
        trader.stop()


def test_asked_to_stop_it_says_goodbye_and_leaves_nothing(home):
    with running(home) as process:
        trader, heard = trader_at(home)
        assert trader.query_stock_asset(US).cash == 1_000_000
        stop(process)
        assert process.returncode == 0
        assert eventually(lambda: heard.kinds() == ["disconnected"])
        assert not (home / "paper.json").exists()
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_second_one_in_the_same_folder_is_refused_in_one_sentence(home):
    with running(home):
        second = django(home, "paper_terminal")
        assert (second.returncode, second.stdout) == (1, "")
        [sentence] = second.stderr.splitlines()
        assert "already running" in sentence
        assert "已有模拟终端在运行" in sentence
        trader, _ = trader_at(home)  # the first one did not notice
        trader.stop()


def test_another_source_keeps_the_accounts_and_what_they_hold(home):
    ten = ("--start", "2026-11-20T10:00:00")
    with running(home, *ten):
        pass
    with running(home, "--source", "none", *ten):
        trader, _ = trader_at(home)
        held = {one.stock_code: one.volume for one in trader.query_stock_positions(US)}
        assert held[FUND] == 20_000
        order(trader, FUND, xt.STOCK_SELL, 100, 1.5, "S1")
        assert eventually(lambda: trader.query_stock_orders(US))
        assert trader.query_stock_orders(US)[0].status_msg == "[COUNTER] 该证券今日无行情"
        trader.stop()


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--position", "600036", "写成 600036.SH:1000@35.20"),
        ("--cash", "much", "不是金额"),
        ("--start", "yesterday", "不是时间"),
        ("--speed", "0", "必须大于 0"),
        ("--source", "nowhere.csv", "nowhere.csv"),
        ("--misbehave", "zombies", "不认识 zombies"),
    ],
)
def test_a_wrong_option_is_refused_in_one_sentence(home, option, value, says):
    told = django(home, "paper_terminal", option, value)
    assert told.returncode == 1
    [sentence] = told.stderr.splitlines()
    assert says in sentence
    assert not (home / "paper.json").exists()


def test_one_that_misbehaves_says_so_and_does(home):
    with running(home, "--misbehave", "none_lists,pushes_dead", "--seed", "3") as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert "IT MISBEHAVES ON PURPOSE: none_lists,pushes_dead" in process.stdout.readline()


def test_only_its_owner_can_read_its_files_and_it_is_small(home):
    with running(home) as process:
        if os.name != "nt":
            for name in ("paper.token", "paper.json"):
                assert (home / name).stat().st_mode & 0o777 == 0o600
        status = Path(f"/proc/{process.pid}/status")
        if not status.exists():
            pytest.skip("the system does not tell what a process uses")
        [resident] = [line for line in status.read_text().splitlines() if "VmRSS" in line]
        assert int(resident.split()[1]) < 80 * 1024
        loaded = Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8")
        assert not any(f"/{name}/" in loaded for name in ("numpy", "pandas", "xtquant"))


def test_the_account_it_opens_is_the_one_asked_for(home):
    with running(home, "--account", "123", "--cash", "5000", "--position", "600200.SH:700@9.80"):
        account = StockAccount("123")
        trader = XtQuantTrader(address(home), 100, Heard())
        trader.start()
        assert (trader.connect(), trader.subscribe(account)) == (0, 0)
        [held] = trader.query_stock_positions(account)
        assert (held.stock_code, held.volume, held.can_use_volume) == ("600200.SH", 700, 700)
        assert held.open_price == 9.8
        assert trader.query_stock_asset(account).cash == 5000
        assert held.instrument_name == "演示网格"
        trader.stop()
