from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.paper.market_day import (
    ACCOUNT,
    BANK,
    CALENDAR,
    FRIDAY,
    TUESDAY,
    at,
    exchange,
    instruments,
    levels,
    quote,
)
from trading.domain.types import CorporateAction, Side
from trading.paper.exchange import Exchange
from trading.paper.store import SCHEMA_VERSION, Store, StoreError

pytestmark = [pytest.mark.fast, pytest.mark.unattended]


def traded_day() -> Exchange:
    market = exchange()
    market.quote(quote("10:00"))
    for side, price in ((Side.BUY, "10.01"), (Side.SELL, "9.99"), (Side.BUY, "9.90")):
        market.submit(ACCOUNT, BANK, side, 200, Decimal(price), "r1", "s", at("10:00"))
    market.corporate_action(CorporateAction(BANK, TUESDAY, Decimal("0.99"), note="dividend"))
    return market


def empty() -> Exchange:
    return Exchange(CALENDAR, instruments())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "twin.sqlite3"


@pytest.fixture
def store(path):
    """A store that is left open, as by a killed process, until the test is over."""
    with closing(Store(path)) as left_open:
        yield left_open


def restarted(path: Path) -> Exchange:
    market = empty()
    with closing(Store(path)) as again:
        assert again.load(market)
    return market


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(sql).fetchall()


def test_a_killed_terminal_comes_back_with_everything(store, path):
    market = traded_day()
    store.save(market, market.drain())  # and no close: the process is gone
    again = restarted(path)
    assert again.accounts == market.accounts
    assert (again.now, again.today, again.serial) == (market.now, market.today, market.serial)
    assert again.actions == market.actions


def test_a_resting_order_still_fills_after_the_restart(store, path):
    market = traded_day()
    store.save(market, market.drain())
    again = restarted(path)
    again.quote(quote("10:05", "9.90", 20_000, asks=levels(("9.90", 900))))
    (order,) = [o for o in again.account(ACCOUNT).orders.values() if o.price == Decimal("9.90")]
    assert order.traded_quantity == 200
    assert again.account(ACCOUNT).frozen_cash == 0
    numbers = [trade.traded_id for trade in again.account(ACCOUNT).trades]
    assert len(numbers) == len(set(numbers)) == 3


def test_an_order_keeps_its_place_in_the_queue(store, path):
    market = exchange()
    market.quote(quote("10:00"))
    market.submit(ACCOUNT, BANK, Side.BUY, 200, Decimal("9.99"), "", "", at("10:00"))
    store.save(market, market.drain())
    (order,) = restarted(path).account(ACCOUNT).orders.values()
    assert order.ahead == 1_000
    assert market.touched == set()


def test_orders_of_yesterday_are_kept_but_not_loaded(store, path):
    market = traded_day()
    store.save(market, market.drain())
    market.advance(at("09:00", TUESDAY))
    store.save(market, market.drain())
    again = restarted(path)
    assert again.accounts == market.accounts
    assert again.account(ACCOUNT).orders == {}
    kept = rows(path, "SELECT json_extract(body, '$.status') FROM paper_order ORDER BY 1")
    assert kept == [(54,), (56,), (56,)]


def test_the_books_close_after_a_night_without_power(store, path):
    market = traded_day()
    store.save(market, market.drain())
    again = restarted(path)
    again.advance(at("09:00", TUESDAY))
    account = again.account(ACCOUNT)
    assert (account.frozen_cash, account.positions[BANK].sellable) == (Decimal(0), 1_000)


def test_an_input_is_kept_whole_or_not_at_all(store, path):
    market = traded_day()
    store.save(market, market.drain())
    before = restarted(path).accounts
    market.submit(ACCOUNT, BANK, Side.BUY, 100, Decimal("10.01"), "", "", at("10:01"))
    store._db.execute("DROP TABLE trade")
    with pytest.raises(sqlite3.OperationalError):
        store.save(market, market.drain())
    store._db.execute("CREATE TABLE trade (traded_id, day, body)")
    assert restarted(path).account(ACCOUNT).cash == before[ACCOUNT].cash


def test_a_new_file_has_nothing_to_load():
    with closing(Store(":memory:")) as nothing:
        assert not nothing.load(empty())


def test_a_file_of_another_version_is_refused(path):
    rows(path, f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    with pytest.raises(StoreError, match="schema"):
        Store(path)


def test_the_database_is_in_wal_mode(store, path):
    assert rows(path, "PRAGMA journal_mode") == [("wal",)]


def test_a_holding_keeps_its_purchase_day(store, path):
    market = exchange()
    store.save(market, ())
    assert restarted(path).account(ACCOUNT).positions[BANK].bought_on == FRIDAY


DIES_AFTER_ITS_ANSWERS = """
import os, sys
from decimal import Decimal
from tests.unit.paper.market_day import ACCOUNT, BANK, at, exchange, quote
from trading.paper.store import Store
from trading.paper.terminal import Terminal

terminal = Terminal(exchange(), Store(sys.argv[1]))
terminal.feed([quote("10:00")])
terminal.step(at("10:00"))
client = terminal.open_client(lambda message: None)
for number in range(12):
    answer = terminal.request(client, {
        "op": "order_stock", "account_id": ACCOUNT, "stock_code": str(BANK), "order_type": 23,
        "order_volume": 100, "price_type": 11, "price": 10.01 - number % 3 / 100,
        "strategy_name": "", "order_remark": f"M{number}",
    })
    print(answer["order_id"], flush=True)
os._exit(9)
"""


def test_every_order_that_was_answered_survives_the_death_of_the_process(path):
    command = [sys.executable, "-c", DIES_AFTER_ITS_ANSWERS, str(path)]
    root = Path(__file__).resolve().parents[3]
    died = subprocess.run(command, cwd=root, capture_output=True, check=False)
    assert died.returncode == 9, died.stderr.decode()
    answered = [int(line) for line in died.stdout.split()]
    account = restarted(path).account(ACCOUNT)
    assert list(account.orders) == answered
    assert len(account.trades) == 4
    assert account.frozen_cash == sum(order.frozen_cash for order in account.orders.values()) > 0
