"""The independent reader of the invariants: true books pass, and for each invariant false ones are caught."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from tests.invariants import Opening, violations
from tests.replays import BANK, after, plain, steady
from trading.market_data.sources import open_source
from trading.paper.records import OrderChanged, Traded
from trading.paper.store import Store

pytestmark = [pytest.mark.orders, pytest.mark.unattended]

NAMES = ("product.sqlite3", "terminal.sqlite3")
OPENING = Opening(Decimal(1_000_000), {BANK: 1_000})


@pytest.fixture(scope="module")
def true_books(tmp_path_factory):
    return tmp_path_factory.mktemp("books")


@pytest.fixture
def stores(play, empty_database, true_books, tmp_path):
    """The two stores after a stop-loss that met 100 shares at a time, ran out of its time and was sent again."""
    if not any(true_books.iterdir()):
        _make(play, empty_database[0].connection, true_books)
    return tuple(Path(shutil.copy(true_books / name, tmp_path)) for name in NAMES)


def _make(play, database, folder):
    thin = {"bid": ("9.20", 100), "ask": ("9.21", 100)}
    falls = [
        *steady("09:30:00", "09:30:30", "10.00"),
        *steady("09:30:30", "09:34:00", "9.20", **thin),
    ]
    played = play(
        open_source(plain(folder, falls)),
        holdings=[f"{BANK}:1000@10.00"],
        settings={"sell_order_timeout": "9"},
        until=after("09:33:30"),
    )
    states = [state for _, _, state, _ in played.orders()]
    assert states == ["partially_cancelled", "partially_cancelled", "filled"]
    with closing(sqlite3.connect(folder / NAMES[0])) as copy:
        database.backup(copy)
    exchange = played.replay.exchange
    [account] = exchange.accounts.values()
    exchange.touched.add(account.account_id)
    events = [*map(OrderChanged, account.orders.values()), *map(Traded, account.trades)]
    with closing(Store(folder / NAMES[1])) as store:
        store.save(exchange, events)


def change(path, *statements):
    with closing(sqlite3.connect(path)) as database, database:
        for statement in statements:
            assert database.execute(statement).rowcount > 0, statement


def doctor(path, table, **fields):
    """Change fields in the body of the terminal's first row of a table."""
    parts = ", ".join(f"'$.{name}', json('{json.dumps(value)}')" for name, value in fields.items())
    key = {"paper_order": "order_id", "trade": "traded_id"}[table]
    change(
        path,
        f"UPDATE {table} SET body = json_set(body, {parts})"
        f" WHERE {key} = (SELECT MIN({key}) FROM {table})",
    )


def numbers(stores, **more):
    """The invariants that do not hold."""
    return {line.split()[0] for line in violations(*stores, OPENING, **more)}


def test_true_books_hold_every_invariant(stores):
    assert violations(*stores, OPENING, at_rest=True) == []


ORDER = "(SELECT MIN(id) FROM trading_order)"
FILL = "(SELECT MIN(id) FROM trading_fill)"
COLUMNS = (
    "trade_date, symbol, side, quantity, price, amount, commission, stamp_duty, transfer_fee,"
    " broker_order_id, traded_id, at, booked_at, account_id, order_id, position_id"
)


@pytest.mark.parametrize(
    ("broken", "statement"),
    [
        pytest.param(
            "I2",
            f"UPDATE trading_order SET quantity = quantity + 100 WHERE id = {ORDER}",
            id="quantity",
        ),
        pytest.param(
            "I2", f"UPDATE trading_order SET price = price + 100 WHERE id = {ORDER}", id="price"
        ),
        pytest.param(
            "I2", f"UPDATE trading_order SET broker_order_id = 9 WHERE id = {ORDER}", id="number"
        ),
        pytest.param(
            "I2",
            f"UPDATE trading_order SET client_order_id = 'M000000000' WHERE id = {ORDER}",
            id="a-broker-order-without-a-row",
        ),
        pytest.param("I3", f"DELETE FROM trading_fill WHERE id = {FILL}", id="a-fill-was-lost"),
        pytest.param(
            "I3",
            f"INSERT INTO trading_fill ({COLUMNS}, key) SELECT {COLUMNS}, key || 'x'"
            f" FROM trading_fill WHERE id = {FILL}",
            id="a-fill-was-booked-twice",
        ),
        pytest.param(
            "I3",
            f"UPDATE trading_fill SET traded_id = 'x' WHERE id = {FILL}",
            id="an-invented-fill",
        ),
        pytest.param(
            "I3",
            f"UPDATE trading_fill SET price = price + 1 WHERE id = {FILL}",
            id="a-fill-s-price",
        ),
        pytest.param(
            "I3",
            f"UPDATE trading_order SET filled_quantity = filled_quantity - 1 WHERE id = {ORDER}",
            id="an-order-s-sum",
        ),
        pytest.param(
            "I3",
            f"UPDATE trading_order SET filled_amount = filled_amount + 1 WHERE id = {ORDER}",
            id="an-order-s-amount",
        ),
        pytest.param(
            "I4",
            "UPDATE trading_position SET quantity = 100, closed_at = NULL",
            id="shares-that-were-sold",
        ),
        pytest.param(
            "I5",
            f"UPDATE trading_fill SET commission = commission + 100 WHERE id = {FILL}",
            id="a-cent",
        ),
    ],
)
def test_books_of_ours_that_are_false_are_caught(stores, broken, statement):
    change(stores[0], statement)
    assert broken in numbers(stores)


@pytest.mark.parametrize(
    ("broken", "table", "fields"),
    [
        pytest.param("I1", "paper_order", {"remark": None}, id="one-remark-twice"),
        pytest.param("I3", "paper_order", {"traded_quantity": 1}, id="another-traded-volume"),
        pytest.param("I3", "trade", {"quantity": 1}, id="another-fill"),
        pytest.param("I4", "trade", {"quantity": 1}, id="another-holding"),
        pytest.param("I5", "trade", {"fees": "0.01"}, id="other-fees"),
    ],
)
def test_a_terminal_that_says_something_else_is_caught(stores, broken, table, fields):
    if "remark" in fields:  # that of the order sent next
        with closing(sqlite3.connect(stores[1])) as database:
            bodies = database.execute("SELECT body FROM paper_order ORDER BY order_id DESC")
            fields = {"remark": json.loads(bodies.fetchone()[0])["remark"]}
    doctor(stores[1], table, **fields)
    assert broken in numbers(stores)


def test_two_orders_that_work_for_one_purpose_are_caught(stores):
    change(stores[1], "UPDATE paper_order SET body = json_set(body, '$.status', 50)")
    assert "I1" in numbers(stores)


def test_at_rest_nothing_works_and_the_account_shows_the_terminals_cash(stores):
    change(stores[0], f"UPDATE trading_order SET state = 'submitted' WHERE id = {ORDER}")
    change(stores[0], "UPDATE trading_account SET cash = cash + 1")
    assert violations(*stores, OPENING) == []
    assert numbers(stores, at_rest=True) == {"I3", "I5"}


def test_an_adjustment_explains_shares_nobody_traded(stores):
    given = Opening(OPENING.cash, {BANK: 900}, {BANK: 100})
    assert violations(*stores, given) == []


def test_a_store_that_is_not_there_is_no_empty_store(stores, tmp_path):
    with pytest.raises(sqlite3.Error):
        violations(stores[0], tmp_path / "nowhere.sqlite3", OPENING)
