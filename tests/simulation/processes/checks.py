"""What must hold after a run, I1 to I20, as far as rows and the terminal's own store tell; each line begins with its number.

I1 to I5 are `tests/invariants.py`. An independent reader like that: plain SQL, nothing of the program.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from tests.invariants import Opening, Row, violations
from tests.simulation.processes.market import Market, Stock
from tests.stack import CHINA_IS_AHEAD, PRODUCT, TERMINAL

CASH = Decimal(1_000_000)
#: The vendor's numbers: working, and refused by the counter.
_WORKING, _JUNK = (49, 50, 51, 52, 55), 57
_ENDED = {"filled", "cancelled", "partially_cancelled", "rejected", "absent", "expired"}
#: What may follow an end: a late fill corrects a cancel.
_MAY_FOLLOW = {"cancelled": {"partially_cancelled", "filled"}, "partially_cancelled": {"filled"}}
#: What the counter says to an order that should not have been sent (I8), and to one beyond what there is (I6, I9).
_NOT_ALLOWED = ("时段", "最小价格", "涨跌停", "数量不合法", "未开市")
_NO_SHARES, _NO_CASH = "可用股份数不足", "可用资金不足"
#: How old, in market time, the quote of a signal may be.
OLDEST_QUOTE = timedelta(seconds=90)
#: Where a record of a log begins, and those that say that something went wrong.
_BEGINS = re.compile(r"^(?=\[?\d{4}-\d\d-\d\d )", re.MULTILINE)
_ERROR = re.compile(r"\b(ERROR|CRITICAL)\b|^Traceback", re.MULTILINE)


@dataclass(frozen=True)
class Expected:
    """What a scenario explains: log lines it causes, spans of market time in which nothing may be sent, and symbols that
    it keeps from being sold.
    """

    log: Sequence[str] = ()
    silent: Sequence[tuple[datetime, datetime]] = ()
    unsold: Collection[str] = field(default_factory=tuple)


class Readable(Protocol):
    """What is asked of a house: of these processes, or of a whole `up`."""

    @property
    def home(self) -> Path: ...
    @property
    def market(self) -> Market: ...
    @property
    def logs(self) -> Path: ...

    def rows(self, query: str, *values: object, file: str = PRODUCT) -> list[Any]: ...
    def tables(self, *queries: str) -> list[list[Row]]: ...
    def market_now(self) -> datetime: ...
    def gateway(self) -> tuple[str, datetime | None, str]: ...
    def is_armed(self) -> bool: ...
    def refresh(self) -> None: ...


@dataclass(frozen=True)
class Found:
    """Both sides after a run, as rows."""

    house: Readable
    expected: Expected
    orders: list[Row]
    moves: list[Row]
    fills: list[Row]
    signals: list[Row]
    positions: list[Row]
    account: Row
    alarms: Counter[tuple[str, str]]
    there_orders: list[Row]
    there_trades: list[Row]
    there: Row

    @property
    def by_id(self) -> dict[str, Row]:
        return {row["client_order_id"]: row for row in self.orders}


def read(house: Readable, expected: Expected) -> Found:
    def bodies(table: str) -> list[Row]:
        return [
            json.loads(body) for (body,) in house.rows(f"SELECT body FROM {table}", file=TERMINAL)
        ]

    there_orders, there_trades, [there] = bodies("paper_order"), bodies("trade"), bodies("account")
    orders, moves, fills, signals, positions, [account], alarms = house.tables(
        "SELECT * FROM trading_order ORDER BY id",
        "SELECT * FROM trading_orderevent ORDER BY id",
        "SELECT * FROM trading_fill ORDER BY id",
        "SELECT * FROM trading_signal ORDER BY id",
        "SELECT * FROM trading_position ORDER BY id",
        "SELECT * FROM trading_account",
        "SELECT code, symbol, COUNT(*) AS n FROM trading_event GROUP BY code, symbol",
    )
    told = Counter({(row["code"], row["symbol"]): row["n"] for row in alarms})
    return Found(
        *(house, expected, orders, moves, fills, signals, positions, account, told),
        *(there_orders, there_trades, there),
    )


def i6_never_oversold(found: Found) -> Iterator[str]:
    for order in found.there_orders:
        if _NO_SHARES in order["message"]:
            yield f"I6 {order['remark']} sold more of {order['symbol']} than there was"
    for row in found.positions:
        if row["quantity"] < 0:
            yield f"I6 {row['symbol']} holds {row['quantity']}"


def i7_t_plus_one(found: Found) -> Iterator[str]:
    sold: Counter[str] = Counter()
    for trade in found.there_trades:
        if trade["side"] == "sell":
            sold[trade["symbol"]] += trade["quantity"]
    settlements = {one["symbol"]: one["settlement"] for one in found.there["positions"]}
    for symbol, quantity in sold.items():
        yesterdays = found.house.market.opening.get(symbol, 0)
        if settlements.get(symbol) == "T+1" and quantity > yesterdays:
            yield f"I7 {quantity} {symbol} were sold today, yesterday's were {yesterdays}"


def i8_as_the_exchange_allows(found: Found) -> Iterator[str]:
    for order in found.there_orders:
        if order["status"] == _JUNK and any(word in order["message"] for word in _NOT_ALLOWED):
            yield f"I8 {order['remark']} was refused: {order['message']}"


def i9_caps(found: Found) -> Iterator[str]:
    chains: Counter[int] = Counter()
    for row in found.orders:
        chains[row["root_id"] or row["id"]] += row["filled_quantity"]
    for row in found.orders:
        if row["root_id"] is None and chains[row["id"]] > row["chain_quantity"]:
            yield f"I9 {row['client_order_id']} was to trade {row['chain_quantity']}, its chain {chains[row['id']]}"
    for order in found.there_orders:
        if _NO_CASH in order["message"]:
            yield f"I9 {order['remark']} had no cash"


def i10_silence(found: Found) -> Iterator[str]:
    for order in found.there_orders:
        at = datetime.fromisoformat(order["at"]).replace(tzinfo=None)
        for since, until in found.expected.silent:
            if since <= at < until:
                yield f"I10 {order['remark']} was sent at {at:%H:%M:%S} although nothing might be"


def i11_settings(found: Found) -> Iterator[str]:
    [(revision,)] = found.house.rows("SELECT revision FROM trading_tradingconfig")
    for row in found.orders:
        if row["config_revision"] != revision:
            yield f"I11 {row['client_order_id']} used settings {row['config_revision']}, {revision} were in force"


def i12_audit(found: Found) -> Iterator[str]:
    at: dict[int, str] = defaultdict(str)
    for move in found.moves:
        if move["old_state"] != at[move["order_id"]]:
            yield f"I12 order {move['order_id']} was {at[move['order_id']] or 'nothing'}, the next event says {move['old_state']}"
        at[move["order_id"]] = move["new_state"]
    for row in found.orders:
        if at[row["id"]] != row["state"]:
            yield f"I12 {row['client_order_id']} is {row['state']}, its last event says {at[row['id']]}"


def i13_ends_stay(found: Found) -> Iterator[str]:
    for move in found.moves:
        old, new = move["old_state"], move["new_state"]
        if old in _ENDED and new != old and new not in _MAY_FOLLOW.get(old, set()):
            yield f"I13 order {move['order_id']} went from {old} to {new}"


def i14_doubt_is_told(found: Found) -> Iterator[str]:
    for row in found.orders:
        if row["state"] == "submitting":
            yield f"I14 {row['client_order_id']} is still submitting"
        if row["was_unknown"] and not found.alarms["ORDER_UNKNOWN", row["symbol"]]:
            yield f"I14 {row['client_order_id']} was unknown and nobody was told"


def i15_one_submitter(found: Found) -> Iterator[str]:
    newest = 0
    for move in found.moves:
        if move["new_state"] != "submitting":
            continue
        if move["epoch"] < newest:
            yield f"I15 order {move['order_id']} was claimed under epoch {move['epoch']} after {newest}"
        newest = max(newest, move["epoch"])


def i16_quotes(found: Found) -> Iterator[str]:
    stocks = {stock.symbol: stock for stock in found.house.market.stocks}
    for row in found.signals:
        stock, shown = stocks[row["symbol"]], _china(row["quote_time"])
        last = Decimal(row["last"]) / 10_000
        if stock.price((shown - found.house.market.opens).total_seconds()) != last:
            yield f"I16 {row['symbol']} {row['kind']} saw {last}, which was not the price at {shown:%H:%M:%S}"
        if _china(row["created_at"]) - shown > OLDEST_QUOTE:
            yield f"I16 {row['symbol']} {row['kind']} came of a quote of {shown:%H:%M:%S}"


def i17_nothing_written_off(found: Found) -> Iterator[str]:
    change: Counter[int] = Counter()
    for fill in found.fills:
        sign = 1 if fill["side"] == "buy" else -1
        change[fill["position_id"]] += sign * fill["quantity"]
    for row in found.positions:
        began = found.house.market.opening.get(row["symbol"], 0) if row["life"] == 1 else 0
        if row["quantity"] != began + change[row["id"]]:
            yield f"I17 {row['symbol']} #{row['life']} has {row['quantity']}, began with {began}, its fills add {change[row['id']]}"


def i18_alive(found: Found) -> Iterator[str]:
    if not found.house.is_armed():
        yield f"I18 the gateway is not armed: {found.house.gateway()}"
    if found.account["trading_state"] == "halted":
        yield f"I18 the account is halted: {found.account['trading_state_reason']}"
    held = {one["symbol"]: one for one in found.there["positions"]}
    for stock in found.house.market.fallen(found.house.market_now()):
        if stock.symbol in found.expected.unsold:
            continue
        yield from _not_sold(found, stock, held.get(stock.symbol))


def _not_sold(found: Found, stock: Stock, held: Row | None) -> Iterator[str]:
    sales = [
        order
        for order in found.there_orders
        if order["symbol"] == stock.symbol and order["side"] == "sell"
    ]
    if not sales:
        yield f"I18 {stock.symbol} fell through its stop and no sale was sent"
    left = 0 if held is None else held["quantity"] - held["bought_today"]
    if left > 0:
        yield f"I18 {stock.symbol} is below its stop and {left} shares are left"


def i19_no_error_swallowed(found: Found) -> Iterator[str]:
    known = [re.compile(pattern) for pattern in found.expected.log]
    for path in sorted(found.house.logs.glob("*.txt")):
        for record in _BEGINS.split(path.read_text("utf-8", errors="replace")):
            if _ERROR.search(record) and not any(one.search(record) for one in known):
                yield f"I19 {path.stem}: {record.strip()[:120]} … {record.strip()[-120:]}"


def i20_reservations(found: Found) -> Iterator[str]:
    working = [order for order in found.there_orders if order["status"] in _WORKING]
    here = [row for row in found.orders if row["state"] not in _ENDED]
    if working or here:
        return  # I3 says so at rest
    if Decimal(found.account["frozen_cash"] or 0):
        yield f"I20 {Decimal(found.account['frozen_cash']) / 10_000} yuan are frozen in our books for nothing"
    if Decimal(found.there["frozen_cash"]):
        yield f"I20 {found.there['frozen_cash']} yuan are frozen at the terminal for nothing"
    for one in found.there["positions"]:
        if one["frozen"]:
            yield f"I20 {one['frozen']} {one['symbol']} are frozen at the terminal for nothing"


Check = Callable[[Found], Iterator[str]]
CHECKS: tuple[Check, ...] = (
    i6_never_oversold,
    i7_t_plus_one,
    i8_as_the_exchange_allows,
    i9_caps,
    i10_silence,
    i11_settings,
    i12_audit,
    i13_ends_stay,
    i14_doubt_is_told,
    i15_one_submitter,
    i16_quotes,
    i17_nothing_written_off,
    i18_alive,
    i19_no_error_swallowed,
    i20_reservations,
)


#: What time does not heal: no reason to wait for the rest.
_FOR_GOOD = {"I6", "I7", "I8", "I9", "I10", "I11", "I12", "I13", "I15", "I16", "I19"}


def heals(line: str) -> bool:
    """Whether what a line says may be over soon: news on their way, an order that works."""
    return line.split()[0] not in _FOR_GOOD


def broken(house: Readable, expected: Expected) -> list[str]:
    """Return everything that does not hold now; while orders work that is much, at rest nothing may be."""
    house.refresh()
    opening = Opening(CASH, house.market.opening)
    found = violations(house.home / PRODUCT, house.home / TERMINAL, opening, at_rest=True)
    rows = read(house, expected)
    return [*found, *(sentence for check in CHECKS for sentence in check(rows))]


def _china(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None) + CHINA_IS_AHEAD
