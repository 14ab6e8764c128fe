"""The twin's memory on disk: a killed terminal that starts again has every order and trade it ever confirmed.

One SQLite file of its own, one transaction per input. Rows are JSON, because nobody but the twin reads them; `Decimal`
travels as text, so nothing is rounded. Rows of past days are kept for people to look at, only today's are loaded.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from trading.domain.fees import FeeSchedule
from trading.domain.instruments import Settlement
from trading.domain.types import CHINA, CorporateAction, Side, Symbol
from trading.faults import crash_point
from trading.paper.exchange import Exchange
from trading.paper.records import Account, ExchangeEvent, Holding, Order, OrderChanged, Trade

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE state (name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE account (account_id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE paper_order (order_id INTEGER PRIMARY KEY, day TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE trade (traded_id TEXT PRIMARY KEY, day TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX paper_order_day ON paper_order (day);
CREATE INDEX trade_day ON trade (day);
"""

_Row = TypeVar("_Row", Account, Holding, Order, Trade, FeeSchedule, CorporateAction)


class StoreError(Exception):
    """The file is not one this version can read; nothing was changed in it."""


class Store:
    """The durable store of one exchange. `path` is a file, or `:memory:` for a test."""

    def __init__(self, path: str | Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._db.executescript(
                f"BEGIN; {_SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;"
            )
        elif version != SCHEMA_VERSION:
            self._db.close()
            raise StoreError(f"{path}: schema {version}, this version reads {SCHEMA_VERSION}")

    def close(self) -> None:
        self._db.close()

    def save(self, exchange: Exchange, events: Sequence[ExchangeEvent]) -> None:
        """Keep what one input changed, all or nothing."""
        day = str(exchange.today)
        changed = {
            event.order.order_id: event.order
            for event in events
            if isinstance(event, OrderChanged)
        }
        trades = [event.trade for event in events if not isinstance(event, OrderChanged)]
        accounts = [exchange.accounts[account_id] for account_id in sorted(exchange.touched)]
        state = {
            "now": exchange.now.isoformat(),
            "today": None if exchange.today is None else day,
            "serial": exchange.serial,
            "actions": [_plain(action) for action in exchange.actions],
        }
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._upsert("state", [("exchange", json.dumps(state))])
            self._upsert("account", [(a.account_id, _account_body(a)) for a in accounts])
            self._upsert("paper_order", self._order_rows(exchange, changed.values()))
            self._upsert("trade", [(t.traded_id, f"{t.at:%Y-%m-%d}", _body(t)) for t in trades])
            crash_point("terminal.saving")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        exchange.touched.clear()

    def load(self, exchange: Exchange) -> bool:
        """Give the exchange what was saved last; False when nothing was. Its accounts replace those of equal number."""
        row = self._db.execute("SELECT body FROM state WHERE name = 'exchange'").fetchone()
        if row is None:
            return False
        state = json.loads(row[0])
        bodies = self._db.execute("SELECT body FROM account ORDER BY account_id")
        accounts = {}
        for (body,) in bodies.fetchall():
            account = _account_from(json.loads(body))
            accounts[account.account_id] = account
        query = "SELECT body FROM {} WHERE day = ? ORDER BY rowid"
        for (body,) in self._db.execute(query.format("paper_order"), (str(state["today"]),)):
            order = _from_plain(Order, json.loads(body))
            accounts[order.account_id].orders[order.order_id] = order
        query = "SELECT body FROM trade WHERE day = ? ORDER BY traded_id"
        for (body,) in self._db.execute(query, (str(state["today"]),)):
            trade = _from_plain(Trade, json.loads(body))
            accounts[trade.account_id].trades.append(trade)
        actions = [_from_plain(CorporateAction, action) for action in state["actions"]]
        today = None if state["today"] is None else date.fromisoformat(state["today"])
        now = _time(state["now"])
        exchange.restore(accounts.values(), actions, now, today, state["serial"])
        return True

    def _upsert(self, table: str, rows: Iterable[tuple[object, ...]]) -> None:
        rows = list(rows)
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self._db.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", rows)

    def _order_rows(
        self, exchange: Exchange, changed: Iterable[Order]
    ) -> Iterable[tuple[object, ...]]:
        for order in changed:
            # The newest row knows its place in the queue; an order of a past day is not in the account any more.
            newest = exchange.accounts[order.account_id].orders.get(order.order_id, order)
            yield order.order_id, f"{order.at:%Y-%m-%d}", _body(newest)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, frozenset):
        return sorted(value)
    return value


def _body(row: Order | Trade) -> str:
    return json.dumps(_plain(row), ensure_ascii=False)


def _account_body(account: Account) -> str:
    body = {
        "account_id": account.account_id,
        "cash": _plain(account.cash),
        "frozen_cash": _plain(account.frozen_cash),
        "schedule": _plain(account.schedule),
        "positions": [_plain(holding) for holding in account.positions.values()],
    }
    return json.dumps(body, ensure_ascii=False)


def _account_from(body: dict[str, Any]) -> Account:
    holdings = [_from_plain(Holding, one) for one in body["positions"]]
    return Account(
        body["account_id"],
        Decimal(body["cash"]),
        _from_plain(FeeSchedule, body["schedule"]),
        Decimal(body["frozen_cash"]),
        {holding.symbol: holding for holding in holdings},
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(CHINA)


_READERS: dict[str, Callable[[Any], Any]] = {
    "Decimal": Decimal,
    "datetime": _time,
    "date": date.fromisoformat,
    "Side": Side,
    "Settlement": Settlement,
    "Symbol": Symbol,
    "frozenset[str]": frozenset,
}


def _from_plain(cls: type[_Row], body: dict[str, Any]) -> _Row:
    """Build a row from JSON by the annotations of its class."""
    values = {}
    for one in fields(cls):
        reader = _READERS.get(str(one.type).removesuffix(" | None"))
        value = body[one.name]
        values[one.name] = value if reader is None or value is None else reader(value)
    return cls(**values)
