"""Reconciliation with the broker, as values: which fills are new, can this answer be believed, what differs.

Whose order a report is: `binding`. Nothing here changes anything: the gateway's one reconcile service books what is
returned, at start-up and at every round alike.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from trading.domain.reports import (
    BrokerAsset,
    BrokerPosition,
    BrokerTrade,
    Snapshot,
)
from trading.domain.types import CHINA, Symbol, Text


@dataclass(frozen=True, slots=True)
class NewFill:
    """A fill our books do not have. `problem`: why it must not be booked before a person has looked, else None."""

    key: str
    trade: BrokerTrade
    problem: Text | None = None


def fill_key(
    account: str, trade_date: date, trade: BrokerTrade, sysids: Mapping[int, str] | None = None
) -> str | None:
    """Return the identity of a fill: account, trade date, symbol, sysid or order id, traded id (design).

    None when the terminal gave no traded id, or no number of the order: such a push is ignored, a later query brings
    the fill. `sysids` maps the client's order numbers to the counter's, so that a push that came before the counter's
    number was known has the key of the query that follows; give it whenever orders are known.
    """
    order = trade.sysid or (sysids or {}).get(trade.broker_order_id, "") or _number(trade)
    if not trade.traded_id or not order:
        return None
    return f"{account}|{trade_date:%Y%m%d}|{trade.symbol}|{order}|{trade.traded_id}"


def new_fills(
    known_keys: Collection[str],
    account: str,
    trade_date: date,
    trades: Iterable[BrokerTrade],
    sysids: Mapping[int, str] | None = None,
) -> tuple[NewFill, ...]:
    """Return each fill of `trade_date` (China time) that is not known yet, once, oldest first.

    Doubled and reordered deliveries give the same answer; another day's replay, empty quantities and rows without
    identity are dropped. A fill booked before the counter's number was known is recognised by either number.
    """
    today = (row for row in trades if _of_day(row, trade_date) and row.quantity > 0)
    rows = sorted(today, key=_row_order)
    numbers = dict(sysids or {}) | {
        row.broker_order_id: row.sysid for row in rows if row.sysid and row.broker_order_id > 0
    }
    found: dict[str, BrokerTrade] = {}
    for row in rows:
        key = fill_key(account, trade_date, row, numbers)
        if key is None or key in known_keys or _early_key(account, trade_date, row) in known_keys:
            continue
        found.setdefault(key, row)
    return tuple(NewFill(key, row, _fill_problem(row)) for key, row in found.items())


@dataclass(frozen=True, slots=True)
class KnownOrder:
    """What a broker order had already come to today, whoever placed it."""

    broker_order_id: int
    traded_quantity: int
    terminal: bool


def clean(previous_known: Iterable[KnownOrder], snapshot: Snapshot) -> Text | None:
    """Return why this answer must not be believed, None when it may be (R6).

    A clean answer is complete and contains every order already known today, none of them with less traded or alive
    again. A shrunken or empty list is a bad query, not news.
    """
    missing = _missing_part(snapshot)
    if missing is not None:
        return missing
    shown = {order.broker_order_id: order for order in snapshot.orders or ()}
    for known in previous_known:
        order = shown.get(known.broker_order_id)
        if order is None:
            return Text(
                f"Order {known.broker_order_id} was known today and is missing from the broker's "
                f"list of {len(shown)}.",
                f"券商委托列表（{len(shown)} 条）缺少今日已知的委托 {known.broker_order_id}。",
            )
        revived = known.terminal and not order.state.terminal
        if order.traded_quantity < known.traded_quantity or revived:
            return Text(
                f"Order {known.broker_order_id} lost progress: {known.traded_quantity} shares were traded, "
                f"the answer says {order.traded_quantity}, {order.state.value}.",
                f"委托 {known.broker_order_id} 进度倒退：已成交 {known.traded_quantity} 股，"
                f"本次查询为 {order.traded_quantity} 股，{order.state.value}。",
            )
    return None


class DifferenceKind(StrEnum):
    """How a broker's holding differs from what our fills add up to."""

    MISSING = (
        "missing"  # no row: the last known holding stays, stale, and its symbol is not traded
    )
    LESS = "less"  # also a row of 0 that no sale explains: not closed
    MORE = "more"  # bought elsewhere, a bonus, or a fill we have not seen yet


@dataclass(frozen=True, slots=True)
class PositionDifference:
    """Shares our fills explain against shares the broker reports (None: it has no row)."""

    symbol: Symbol
    expected: int
    reported: int | None
    kind: DifferenceKind
    text: Text


def compare_positions(
    expected: Mapping[Symbol, int], reported: Sequence[BrokerPosition]
) -> tuple[PositionDifference, ...]:
    """Return the holdings that differ, by symbol; the answer itself must be clean (R7).

    Our fills decide, a report never reduces a holding: a missing symbol or an empty list keeps it, and a row of 0
    closes it only when the sold fills agree, that is, when no difference is left. What stays different is for a
    person, or for the fills that a query of the trades still brings.
    """
    rows = {position.symbol: position.quantity for position in reported}
    differences = (
        _difference(symbol, expected.get(symbol, 0), rows.get(symbol))
        for symbol in sorted(expected.keys() | rows.keys())
    )
    return tuple(difference for difference in differences if difference is not None)


def _number(trade: BrokerTrade) -> str:
    """The client's order number, marked, because the counter counts too."""
    return f"#{trade.broker_order_id}" if trade.broker_order_id > 0 else ""


def _early_key(account: str, trade_date: date, trade: BrokerTrade) -> str:
    """The key the fill had if it was booked before the counter's number was known."""
    return f"{account}|{trade_date:%Y%m%d}|{trade.symbol}|{_number(trade)}|{trade.traded_id}"


def _of_day(trade: BrokerTrade, trade_date: date) -> bool:
    return trade.time.astimezone(CHINA).date() == trade_date


def _row_order(trade: BrokerTrade) -> tuple[datetime, str, str, int, tuple[str, ...]]:
    """A total order, so that the order of delivery never decides which of two equal rows is booked."""
    rest = (trade.side.value if trade.side else "", str(trade.price), trade.sysid, trade.remark)
    return trade.time, trade.symbol, trade.traded_id, trade.quantity, rest


def _fill_problem(trade: BrokerTrade) -> Text | None:
    if trade.side is None:
        return Text(
            f"The broker does not say whether fill {trade.traded_id} of {trade.symbol} was a buy or a sale.",
            f"券商未说明 {trade.symbol} 成交 {trade.traded_id} 的买卖方向。",
        )
    if not trade.price.is_finite() or trade.price <= 0:
        return Text(
            f"Fill {trade.traded_id} of {trade.symbol} has no usable price ({trade.price}).",
            f"{trade.symbol} 成交 {trade.traded_id} 的价格不可用（{trade.price}）。",
        )
    return None


def _missing_part(snapshot: Snapshot) -> Text | None:
    if not snapshot.account_ok:
        return Text("The account is not in order at the broker.", "券商账户状态异常。")
    asset, positions = snapshot.asset, snapshot.positions
    if asset is None:
        return Text("The query of the cash failed.", "资金查询失败。")
    if positions is None:
        return Text("The query of the holdings failed.", "持仓查询失败。")
    if snapshot.orders is None:
        return Text("The query of the orders failed.", "委托查询失败。")
    if snapshot.trades is None:
        return Text("The query of the fills failed.", "成交查询失败。")
    return _zeroed(asset, positions)


def _zeroed(asset: BrokerAsset, positions: tuple[BrokerPosition, ...]) -> Text | None:
    """Outside hours a terminal may answer with zeros: an account that holds shares is not worth nothing."""
    if asset.total > 0 or not any(position.quantity > 0 for position in positions):
        return None
    return Text(
        f"The broker reports holdings but assets of {asset.total} yuan.",
        f"券商返回了持仓，但总资产为 {asset.total} 元。",
    )


def _difference(symbol: Symbol, expected: int, reported: int | None) -> PositionDifference | None:
    if reported == expected or (reported is None and expected == 0):
        return None
    if reported is None:
        kind = DifferenceKind.MISSING
        text = Text(
            f"{symbol}: {expected} shares are in our books, the broker does not list it. "
            "The holding stays as it was and is not traded until the broker shows it again.",
            f"{symbol}：本系统有 {expected} 股，券商未列出。保留原持仓，券商恢复显示前不交易。",
        )
    else:
        kind = DifferenceKind.LESS if reported < expected else DifferenceKind.MORE
        text = Text(
            f"{symbol}: {expected} shares are in our books, {reported} at the broker. "
            "Import the missing fills, or correct the books with a reason.",
            f"{symbol}：本系统 {expected} 股，券商 {reported} 股。请补录成交，或填写原因后调整。",
        )
    return PositionDifference(symbol, expected, reported, kind, text)
