"""The invariants of exactly-once, read from outside: the product's database against the terminal's own store.

An independent reader: plain SQL and JSON, nothing of `trading`. Amounts are `Decimal` yuan, the product's integers of
1/10000 yuan included. One account. Each violation is a line that begins with the invariant's number:

I1  at most one broker order per client order id; at most one working order per symbol, side and purpose
I2  every broker order with our mark has an Order row, which says the same of it
I3  every broker fill is booked exactly once and nothing else is; Σ fills of an order = what it traded, here and there
I4  position = opening + Σ buys − Σ sells + adjustments, here and there
I5  cash = opening − Σ buys + Σ sells − fees, to the cent, here and there
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

Row = dict[str, Any]

#: Our ids: `M` and nine characters; a terminal may cut a remark, but not below eight characters.
MARK, SHORTEST = "M", 8
#: States in which an order of ours still counts at the exchange.
_WORKING_HERE = ("submitting", "submitted", "partially_filled", "cancel_requested")
#: The vendor's numbers of an order that can still trade: waiting to be reported, reported, being cancelled, part filled.
_WORKING_THERE = (49, 50, 51, 52, 55)


@dataclass(frozen=True)
class Opening:
    """What the account had before the first trade: yuan, shares by symbol; `adjustments`: shares given or taken since."""

    cash: Decimal
    shares: Mapping[str, int]
    adjustments: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Books:
    """Both sides at one moment. The terminal was read first: what it shows may not have reached us yet."""

    there_orders: list[Row]
    there_trades: list[Row]
    there_account: Row
    orders: list[Row]
    fills: list[Row]
    positions: dict[str, int]
    projected_cash: Decimal | None


def violations(
    product: Path, terminal: Path, opening: Opening, *, at_rest: bool = False
) -> list[str]:
    """Return what does not hold, empty when all does.

    While orders trade, news of the last instant may be on their way: ask again for some seconds. `at_rest`: nothing
    works any more, so the account's projected cash must agree too.
    """
    books = read_books(product, terminal)
    found = [*_i1(books), *_i2(books), *_i3(books), *_i4(books, opening), *_i5(books, opening)]
    if at_rest:
        found += _at_rest(books)
    return found


def read_books(product: Path, terminal: Path) -> Books:
    """Read both stores, each in one transaction."""
    with _reading(terminal) as there:
        orders = [json.loads(body) for (body,) in there.execute("SELECT body FROM paper_order")]
        trades = [json.loads(body) for (body,) in there.execute("SELECT body FROM trade")]
        [account] = [json.loads(body) for (body,) in there.execute("SELECT body FROM account")]
    with _reading(product) as here:
        here.row_factory = sqlite3.Row
        ours = [dict(row) for row in here.execute("SELECT * FROM trading_order ORDER BY id")]
        fills = [dict(row) for row in here.execute("SELECT * FROM trading_fill ORDER BY id")]
        held = here.execute(
            "SELECT symbol, SUM(quantity) AS quantity FROM trading_position"
            " WHERE closed_at IS NULL GROUP BY symbol"
        )
        positions = {row["symbol"]: row["quantity"] for row in held}
        [row] = here.execute("SELECT cash, frozen_cash FROM trading_account").fetchall()
    known = row["cash"] is not None
    cash = _yuan(row["cash"]) + _yuan(row["frozen_cash"] or 0) if known else None
    return Books(orders, trades, account, ours, fills, positions, cash)


def _reading(path: Path) -> closing[sqlite3.Connection]:
    # Read-only, so that a store that is not there is an error and not an empty one.
    database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=20)
    database.execute("BEGIN")
    return closing(database)


def _i1(books: Books) -> Iterator[str]:
    remarks = Counter(order["remark"] for order in books.there_orders if order["remark"])
    for remark, count in remarks.items():
        if count > 1:
            yield f"I1 {remark} was sent {count} times"
    purposes = {row["client_order_id"]: row for row in books.orders}
    working: Counter[tuple[str, str, str]] = Counter()
    for order in books.there_orders:
        row = purposes.get(order["remark"])
        if row is not None and order["status"] in _WORKING_THERE and not row["was_unknown"]:
            working[order["symbol"], order["side"], row["purpose"]] += 1
    for (symbol, side, purpose), count in working.items():
        if count > 1:
            yield f"I1 {count} orders work for {side} {symbol} ({purpose})"


def _i2(books: Books) -> Iterator[str]:
    rows = {row["client_order_id"]: row for row in books.orders}
    for order in books.there_orders:
        remark = order["remark"]
        if not remark.startswith(MARK) or len(remark) < SHORTEST:
            continue
        row = rows.get(remark)
        if row is None:
            yield f"I2 broker order {order['order_id']} ({remark}) has no row"
            continue
        said = (order["symbol"], order["side"], order["quantity"], Decimal(order["price"]))
        written = (row["symbol"], row["side"], row["quantity"], _yuan(row["price"]))
        if said != written:
            yield f"I2 {remark} is {written} here and {said} there"
        if row["broker_order_id"] != order["order_id"]:
            yield f"I2 {remark} has number {row['broker_order_id']} here and {order['order_id']} there"
    there = {order["order_id"] for order in books.there_orders}
    for row in books.orders:
        if row["broker_order_id"] is not None and row["broker_order_id"] not in there:
            yield f"I2 {row['client_order_id']} has number {row['broker_order_id']}, which nobody gave"


def _i3(books: Books) -> Iterator[str]:
    booked = Counter(fill["traded_id"] for fill in books.fills)
    traded = {trade["traded_id"]: trade for trade in books.there_trades}
    for number, count in booked.items():
        if count > 1:
            yield f"I3 fill {number} is booked {count} times"
        if number not in traded:
            yield f"I3 fill {number} is booked and was never traded"
    for number, trade in traded.items():
        if number not in booked:
            yield f"I3 fill {number} of {trade['symbol']} is not booked"
    for fill in books.fills:
        told = _told(traded[fill["traded_id"]]) if fill["traded_id"] in traded else None
        if told is not None and _said(fill) != told:
            yield f"I3 fill {fill['traded_id']} is {_said(fill)} here and {told} there"
    yield from _order_sums(books)
    yield from _order_fees(books)


def _order_fees(books: Books) -> Iterator[str]:
    """An order's fees, its fills together: which of them bears the minimum depends on the order they are booked in."""
    here: dict[int, Decimal] = defaultdict(Decimal)
    there: dict[int, Decimal] = defaultdict(Decimal)
    for fill in books.fills:
        here[fill["broker_order_id"]] += _fees(fill)
    for trade in books.there_trades:
        there[trade["order_id"]] += Decimal(trade["fees"])
    for number, fees in there.items():
        if here[number] != fees:
            yield f"I3 the fills of broker order {number} cost {here[number]} here and {fees} there"


def _order_sums(books: Books) -> Iterator[str]:
    sums: Counter[int] = Counter()
    amounts: dict[int, Decimal] = defaultdict(Decimal)
    for fill in books.fills:
        if fill["order_id"] is not None:
            sums[fill["order_id"]] += fill["quantity"]
            amounts[fill["order_id"]] += _yuan(fill["amount"])
    there = {order["remark"]: order for order in books.there_orders}
    for row in books.orders:
        name, filled = row["client_order_id"], row["filled_quantity"]
        if sums[row["id"]] != filled:
            yield f"I3 {name} says {filled} filled, its fills {sums[row['id']]}"
        if amounts[row["id"]] != _yuan(row["filled_amount"]):
            yield f"I3 {name} says {_yuan(row['filled_amount'])} yuan, its fills {amounts[row['id']]}"
        order = there.get(name)
        if order is None:
            if filled:
                yield f"I3 {name} is filled, and nobody ordered it"
        elif order["traded_quantity"] != filled:
            yield f"I3 {name} has {filled} filled here and {order['traded_quantity']} there"
        elif row["state"] == "filled" and filled != row["quantity"]:
            yield f"I3 {name} counts as filled with {filled} of {row['quantity']}"


def _i4(books: Books, opening: Opening) -> Iterator[str]:
    there = {one["symbol"]: one["quantity"] for one in books.there_account["positions"]}
    yield from _holdings("here", books.positions, books.fills, opening)
    yield from _holdings("there", there, books.there_trades, opening)


def _holdings(
    where: str, held: Mapping[str, int], trades: Iterable[Row], opening: Opening
) -> Iterator[str]:
    expected = Counter(opening.shares)
    expected.update(opening.adjustments)
    for trade in trades:
        sign = 1 if trade["side"] == "buy" else -1
        expected[trade["symbol"]] += sign * trade["quantity"]
    for symbol in sorted(expected.keys() | held.keys()):
        if held.get(symbol, 0) != expected[symbol]:
            yield f"I4 {symbol}: {held.get(symbol, 0)} held {where}, {expected[symbol]} by its fills"


def _i5(books: Books, opening: Opening) -> Iterator[str]:
    account = books.there_account
    kept = Decimal(account["cash"]) + Decimal(account["frozen_cash"])
    there = opening.cash
    for trade in books.there_trades:
        sign = 1 if trade["side"] == "sell" else -1
        there += sign * Decimal(trade["price"]) * trade["quantity"] - Decimal(trade["fees"])
    here = opening.cash
    for fill in books.fills:
        sign = 1 if fill["side"] == "sell" else -1
        here += sign * _yuan(fill["amount"]) - _fees(fill)
    if there != kept:
        yield f"I5 cash there is {kept}, {there} by its trades"
    if here != kept:
        yield f"I5 cash there is {kept}, {here} by our fills"


def _at_rest(books: Books) -> Iterator[str]:
    for row in books.orders:
        if row["state"] in (*_WORKING_HERE, "unknown", "approved"):
            yield f"I3 {row['client_order_id']} is {row['state']}, at rest nothing is"
    account = books.there_account
    kept = Decimal(account["cash"]) + Decimal(account["frozen_cash"])
    if books.projected_cash != kept:
        yield f"I5 the account shows {books.projected_cash}, the terminal {kept}"


def _said(fill: Row) -> tuple[Any, ...]:
    amounts = (_yuan(fill["price"]), _yuan(fill["amount"]))
    return (fill["symbol"], fill["side"], fill["quantity"], *amounts, fill["broker_order_id"])


def _told(trade: Row) -> tuple[Any, ...]:
    price = Decimal(trade["price"])
    amounts = (price, price * trade["quantity"])
    return (trade["symbol"], trade["side"], trade["quantity"], *amounts, trade["order_id"])


def _fees(fill: Row) -> Decimal:
    return _yuan(fill["commission"] + fill["stamp_duty"] + fill["transfer_fee"])


def _yuan(number: int) -> Decimal:
    return Decimal(number) / 10_000
