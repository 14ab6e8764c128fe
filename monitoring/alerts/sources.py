"""Where alerts come from: rows that the services write anyway, each table read in the order of its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zlib import crc32

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.db.models import QuerySet

from monitoring.alerts.meanings import MEANINGS
from monitoring.models import DayReport
from monitoring.run_file import read_run_file
from trading.domain import wording
from trading.domain.types import DenialCode, Purpose, Side, SignalKind, Text
from trading.models import AccountLimit, Denial, Event, EventLevel, Fill, Order, TradingConfig
from trading.services import config

#: Settings that one message names; the others are counted.
_NAMED = 6
#: The ordinary course of a day: nobody needs to be told.
_ORDINARY = {DenialCode.MARKET_CLOSED, DenialCode.DUPLICATE}
#: Whose changes concern who may do what.
_ACCESS_APPS = ("auth", "axes", "otp_totp", "otp_static")
_LIMIT = AccountLimit._meta.model_name
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that happened. `at`: as its row has it, market time for what belongs to an account's market."""

    source: str
    pk: int
    code: str
    level: EventLevel
    text: Text
    at: datetime
    account_id: int | None = None
    symbol: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A table whose rows are causes of alerts, or (None) are not.

    `whole`: every number of it is read, and some rows are written by single statements, outside of transactions.
    """

    name: str
    rows: Callable[[], QuerySet[Any]]
    cause: Callable[[Any], Cause | None]
    whole: bool = False


#: The journal keeps the denial of a protective sale under the denial's own code.
_DENIALS = frozenset(code.value for code in DenialCode) - MEANINGS.keys()


def _event(row: Event) -> Cause:
    code = "EXIT_HELD_BACK" if row.code in _DENIALS else row.code
    text = Text(row.text_en[:_LONGEST], row.text_zh[:_LONGEST])
    level = EventLevel(row.level)
    return Cause("event", row.pk, code, level, text, row.at, row.account_id, row.symbol)


_KINDS = {
    SignalKind.STOP_LOSS: Text("stop-loss", "止损"),
    SignalKind.FIRST_TAKE_PROFIT: Text("first take-profit", "首次止盈"),
    SignalKind.TRAILING_TAKE_PROFIT: Text("trailing take-profit", "动态止盈"),
    SignalKind.MANUAL: Text("manual", "手动"),
    SignalKind.GRID: Text("grid", "网格"),
    SignalKind.ADD_ON: Text("add-on", "补仓"),
    SignalKind.STRATEGY: Text("strategy plug-in", "策略"),
}
_ELSEWHERE = Text("not by this program", "非本程序下单")


def _fill(row: Fill) -> Cause:
    why = _ELSEWHERE if row.order is None else _KINDS[SignalKind(row.order.kind)]
    en, zh = ("Bought", "买入") if row.side == Side.BUY else ("Sold", "卖出")
    price, amount = wording.yuan(row.price), f"{row.amount:,.2f}"
    text = Text(
        f"{en} {row.quantity:,} {row.symbol} at {price} yuan, {amount} yuan in all ({why.en}).",
        f"{zh} {row.symbol} {row.quantity:,} 股，成交价 {price} 元，金额 {amount} 元（{why.zh}）。",
    )
    level = EventLevel.INFO
    return Cause("fill", row.pk, "FILL", level, text, row.at, row.account_id, row.symbol)


def _order(row: Order) -> Cause | None:
    kind = SignalKind(row.kind)
    if kind.purpose is not Purpose.EXIT:
        return None
    is_stop = kind is SignalKind.STOP_LOSS
    price, signal = wording.yuan(row.price), row.signal
    why = _KINDS[kind] if signal is None else Text(signal.reason_en, signal.reason_zh)
    text = Text(
        f"Sells {row.quantity:,} {row.symbol} at {price} yuan. {why.en}",
        f"卖出 {row.symbol} {row.quantity:,} 股，委托价 {price} 元。{why.zh}",
    )
    code, level = ("STOP_LOSS", EventLevel.ALARM) if is_stop else ("TAKE_PROFIT", EventLevel.WARNING)  # fmt: skip
    return Cause("order", row.pk, code, level, text, row.approved_at, row.account_id, row.symbol)


def _denial(row: Denial) -> Cause | None:
    kind = SignalKind(row.kind)
    if kind.protective or row.code in _ORDINARY:  # of a protective sale the journal tells
        return None
    what = _KINDS[kind]
    text = Text(
        f"{what.en} of {row.symbol} held back ({row.code}): {row.text_en}"[:_LONGEST],
        f"{row.symbol} {what.zh}被风控拦下（{row.code}）：{row.text_zh}"[:_LONGEST],
    )
    level = EventLevel.INFO
    return Cause("denial", row.pk, "DENIED", level, text, row.at, row.account_id, row.symbol)


def _report(row: DayReport) -> Cause:
    total = "?" if row.equity is None else f"{row.equity:,.2f}"
    change = "?" if row.change is None else f"{row.change:+,.2f}"
    realised = "?" if row.realised is None else f"{row.realised:+,.2f}"
    alarms = sum(row.alarms.values())
    text = Text(
        f"Day report {row.on}: total {total} yuan ({change}), realised {realised}, {row.fills} fills of "
        f"{row.orders} orders, {alarms} alarms.",
        f"{row.on} 日报：总资产 {total} 元（{change}），已实现盈亏 {realised} 元，委托 {row.orders} 笔、"
        f"成交 {row.fills} 笔，报警 {alarms} 次。",
    )
    return Cause(
        "report", row.pk, "DAY_REPORT", EventLevel.INFO, text, row.made_at, row.account_id
    )


def _settings(row: Any) -> Cause | None:
    before = row.prev_record
    if before is None:
        return None
    settings = set(config.setting_names())
    changes = [one for one in row.diff_against(before).changes if one.field in settings]
    said = [_change_of(one.field, one.old, one.new) for one in changes[:_NAMED]]
    more = len(changes) - _NAMED
    also = Text(f" and {more} more", f" 等 {len(changes)} 项") if more > 0 else Text("", "")
    who = "system" if row.history_user is None else row.history_user.get_username()
    why = row.history_change_reason or ""
    text = Text(
        f"{who} changed the settings ({', '.join(one.en for one in said)}{also.en}). {why}".strip(),
        f"{who} 修改了系统配置（{'，'.join(one.zh for one in said)}{also.zh}）。{why}",
    )
    level = EventLevel.WARNING
    return Cause(
        "settings", row.history_id, "CONFIG_CHANGED", level, text, row.history_date, row.account_id
    )


def _change_of(name: str, old: object, new: object) -> Text:
    label, before, after = config.label_of(name), _value(old), _value(new)
    return Text(f"{label.en}: {before.en} → {after.en}", f"{label.zh}：{before.zh} → {after.zh}")


def _value(value: object) -> Text:
    if isinstance(value, bool):
        return Text("on", "开") if value else Text("off", "关")
    return Text("none", "无") if value is None else Text(str(value), str(value))


_DID = {
    ADDITION: Text("added", "新增"),
    CHANGE: Text("changed", "修改"),
    DELETION: Text("deleted", "删除"),
}


def _access(row: LogEntry) -> Cause | None:
    kind = row.content_type
    if kind is None or not (kind.app_label in _ACCESS_APPS or kind.model == _LIMIT):
        return None
    did, what = _DID[row.action_flag], f"{kind.model} {row.object_repr[:80]}"
    text = Text(
        f"{row.user.get_username()} {did.en} {what}: who may do what has changed.",
        f"{row.user.get_username()} {did.zh}了 {what}：访问权限有变动。",
    )
    return Cause("access", row.pk, "ACCESS_CHANGED", EventLevel.WARNING, text, row.action_time)


SOURCES = (
    Source("event", lambda: Event.objects.all(), _event, whole=True),
    Source("order", lambda: Order.objects.filter(root=None).select_related("signal"), _order),
    Source("fill", lambda: Fill.objects.select_related("order"), _fill),
    Source("denial", lambda: Denial.objects.all(), _denial),
    Source("report", lambda: DayReport.objects.all(), _report),
    Source("settings", lambda: TradingConfig.history.select_related("history_user"), _settings),
    Source("access", lambda: LogEntry.objects.select_related("user", "content_type"), _access),
)

#: Those whose rows have the market time of their account; the others have real time.
IN_MARKET_TIME = frozenset({"event", "order", "fill", "denial"})

#: The process whose first start stands for the start of everything.
_FIRST = "worker"
_LONGEST_NAME = 13


def starts(home: Path, known: Mapping[str, int]) -> list[Cause]:
    """Return the starts of processes that `up` tells of and are not `known` (short name → second since 1970).

    Also those of the `up` before, which may have been killed before anybody looked.
    """
    found, run = [], read_run_file(home)
    for row in (*run.get("earlier", ()), *run.get("processes", ())):
        try:
            name, restarts = str(row["name"]), int(row["restarts"])
            since = datetime.fromisoformat(row["since"])
        except (TypeError, KeyError, ValueError):
            continue  # it has not started yet
        second, short = int(since.timestamp()), short_name(name)
        if second > known.get(short, 0) and (restarts or name == _FIRST):
            found.append(_start(f"up:{short}", second, name, restarts, since, row.get("heavy")))
    return found


def short_name(name: str) -> str:
    """Return a process's name as a column of 16 characters has it behind `up:`; two names never become one."""
    return name if len(name) <= _LONGEST_NAME else f"{name[:5]}{crc32(name.encode()):08x}"


def _start(
    source: str, second: int, name: str, restarts: int, since: datetime, heavy: object
) -> Cause:
    if not restarts:
        text = Text("The system has started.", "系统已启动。")
        return Cause(source, second, "STARTED", EventLevel.INFO, text, since)
    how = Text("ended", "曾结束")
    if heavy:
        how = Text(f"held {heavy} MB of memory", f"占用内存 {heavy} MB，超过上限")
    text = Text(
        f"The process {name} {how.en} and was started again ({restarts} restarts since the start).",
        f"进程 {name} {how.zh}，已重新启动（启动以来共重启 {restarts} 次）。",
    )
    return Cause(source, second, "PROCESS_RESTARTED", EventLevel.ALARM, text, since)
