"""What a path names: a row with its account, or 404, as of one that is out of reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import Model, QuerySet

from grid.models import GridSession
from monitoring.api.operations import Target
from monitoring.api.problems import not_found
from trading.domain.types import Text
from trading.models import Account, Order, Position, TradingConfig, UnknownOutcome
from trading.services.reach import Reach

#: The largest number a row can have.
_MOST = 2**63 - 1


def account(path: Mapping[str, Any], reach: Reach) -> Target:
    """The account `pk`."""
    row = _row(reach, Account.objects.all(), path["pk"], Text("account", "账户"))
    return Target(row, row)


def settings(path: Mapping[str, Any], reach: Reach) -> Target:
    """The settings of the account `pk`."""
    rows = TradingConfig.objects.select_related("account")
    row = _row(reach, rows, path["pk"], Text("account with settings", "有配置的账户"))
    return Target(row, row.account)


def holding(path: Mapping[str, Any], reach: Reach) -> Target:
    """The holding `pk`, one that was sold too."""
    return _of_account(Position.objects.select_related("account"), Text("holding", "持仓"))(
        path, reach
    )


def order(path: Mapping[str, Any], reach: Reach) -> Target:
    """The order `pk`."""
    return _of_account(Order.objects.select_related("account"), Text("order", "委托"))(path, reach)


def grid(path: Mapping[str, Any], reach: Reach) -> Target:
    """The grid session `pk`."""
    rows = GridSession.objects.select_related("account")
    return _of_account(rows, Text("grid session", "网格会话"))(path, reach)


def outcome(path: Mapping[str, Any], reach: Reach) -> Target:
    """The unknown outcome of the order `pk`."""
    rows = UnknownOutcome.objects.select_related("order__account")
    row = _row(reach, rows, path["pk"], Text("unknown outcome", "结果未知的委托"))
    return Target(row, row.order.account)


def _of_account(rows: QuerySet[Any], name: Text) -> Callable[[Mapping[str, Any], Reach], Target]:
    def load(path: Mapping[str, Any], reach: Reach) -> Target:
        row = _row(reach, rows, path["pk"], name)
        return Target(row, row.account)

    return load


def _row(reach: Reach, rows: QuerySet[Any], pk: int, name: Text) -> Any:
    row: Model | None = reach.rows(rows).filter(pk=pk).first() if pk <= _MOST else None
    if row is None:
        text = Text(f"There is no {name.en} {pk}.", f"没有编号为 {pk} 的{name.zh}。")
        raise not_found(text, "pk", pk)
    return row
