"""Fills, orders, days and the history of settings as CSV files for a spreadsheet: every amount as it is in the books."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db.models import QuerySet

from monitoring.care.errors import NothingDone
from monitoring.models import DayReport
from trading.domain.types import CHINA, Text
from trading.models import Fill, Order, TradingConfig

#: What a spreadsheet takes for a formula at the beginning of a cell, also in its wide form.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
#: Rows that are in memory at a time.
_CHUNK = 500
_HISTORY = ("account__name", "history_date", "history_user__username", "history_change_reason")
#: Columns of the history table itself, which say nothing more.
_OF_HISTORY = {"account", "id"}


@dataclass(frozen=True, slots=True)
class Written:
    """One file, and how many rows it has below its heads."""

    path: Path
    rows: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: of one account or of all (None), of the days from `since` to `until`, where they are given."""

    account_id: int | None = None
    since: date | None = None
    until: date | None = None


def export(folder: Path, wanted: Wanted) -> list[Written]:
    """Write the files into a folder, which is made for its owner alone. Raises NothingDone when one is there already."""
    tables: Mapping[str, tuple[QuerySet[Any], Sequence[str]]] = {
        "fills.csv": (_days(Fill.objects.order_by("pk"), "trade_date", wanted), _FILLS),
        "orders.csv": (_days(Order.objects.order_by("pk"), "trade_date", wanted), _ORDERS),
        "days.csv": (_days(DayReport.objects.order_by("on", "pk"), "on", wanted), _DAYS),
        "settings.csv": (_moments(wanted), (*_HISTORY, *_settings())),
    }
    there = [name for name in tables if (folder / name).exists()]
    if there:
        raise NothingDone(
            f"{folder} already holds {', '.join(there)}: name another folder.",
            f"{folder} 中已有 {'、'.join(there)}：请指定其他文件夹。",
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return [_write(folder / name, rows, heads) for name, (rows, heads) in tables.items()]
    except OSError as problem:
        raise NothingDone(f"It cannot be written: {problem}.", f"无法写入：{problem}。") from None


_FILLS = (
    *("account__name", "trade_date", "at", "symbol", "side", "quantity", "price", "amount"),
    *("commission", "stamp_duty", "transfer_fee", "order__client_order_id", "order__kind"),
    *("broker_order_id", "traded_id", "booked_at"),
)
_ORDERS = (
    *("account__name", "trade_date", "client_order_id", "symbol", "side", "kind", "purpose"),
    *(
        "quantity",
        "price",
        "trigger_price",
        "state",
        "filled_quantity",
        "filled_amount",
        "attempt",
    ),
    *("root__client_order_id", "broker_order_id", "sysid", "approved_at", "submitted_at"),
    *("ended_at", "end_reason", "message", "config_revision", "source"),
)
_DAYS = (
    *("account__name", "on", "orders", "fills", "bought", "sold", "commission", "stamp_duty"),
    *("transfer_fee", "realised", "equity_before", "equity", "denials", "alarms", "positions"),
)


def cell(value: object) -> str:
    """Return a value as a spreadsheet's cell: numbers exact, times of China, and no text that is run as a formula."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.astimezone(CHINA).replace(tzinfo=None).isoformat(" ")
    if isinstance(value, (bool, int, date)):
        return str(value).lower()
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _settings() -> list[str]:
    fields = TradingConfig._meta.concrete_fields
    return [one.name for one in fields if one.name not in _OF_HISTORY]


def _days(rows: QuerySet[Any], field: str, wanted: Wanted) -> QuerySet[Any]:
    if wanted.account_id is not None:
        rows = rows.filter(account=wanted.account_id)
    if wanted.since is not None:
        rows = rows.filter(**{f"{field}__gte": wanted.since})
    return rows if wanted.until is None else rows.filter(**{f"{field}__lte": wanted.until})


def _moments(wanted: Wanted) -> QuerySet[Any]:
    rows: QuerySet[Any] = TradingConfig.history.order_by("history_date", "history_id")
    if wanted.account_id is not None:
        rows = rows.filter(account=wanted.account_id)
    if wanted.since is not None:
        rows = rows.filter(history_date__gte=_begins(wanted.since))
    if wanted.until is None:
        return rows
    return rows.filter(history_date__lt=_begins(wanted.until) + timedelta(days=1))


def _begins(on: date) -> datetime:
    return datetime.combine(on, time(0), CHINA)


def _write(path: Path, rows: QuerySet[Any], columns: Sequence[str]) -> Written:
    """Write one file with the mark by which Excel knows UTF-8."""
    number = 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(column.replace("__", ".") for column in columns)
        values: Iterable[tuple[Any, ...]] = rows.values_list(*columns).iterator(_CHUNK)
        for row in values:
            writer.writerow(map(cell, row))
            number += 1
    return Written(path, number)


WORDS = {
    "fills.csv": Text("fills", "成交"),
    "orders.csv": Text("orders", "委托"),
    "days.csv": Text("day reports: result, totals, holdings", "日报：盈亏、总资产、持仓"),
    "settings.csv": Text("history of the settings", "配置历史"),
}
