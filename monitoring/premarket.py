"""Whether a session may begin, as a pure decision: facts of an account before the open in, items with a verdict out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from monitoring.health import LOW_DISK, NAMED
from trading.domain.types import GatewayStatus, Text, TradingState

#: The gateway reads the account every 10 s; so old an answer is none for the open.
SNAPSHOT_PATIENCE = timedelta(seconds=60)
#: A quote may come before its second is over; more is a clock that is slow.
AHEAD = timedelta(seconds=2)
#: The calendar should reach so far.
HORIZON = timedelta(days=30)


class Verdict(StrEnum):
    """OK; WARNING: something is off, and protection works; STOP: a stop-loss would not be sent."""

    OK = "ok"
    WARNING = "warning"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was looked at."""

    name: Text
    verdict: Verdict
    text: Text


@dataclass(frozen=True, slots=True)
class Facts:
    """One account before the open. Ages in market time, money in yuan, symbols by name.

    `quotes_due`: the opening auction has begun, so every symbol should have a quote of today. `books`: the state of
    the last session's books, None = there were none. `ahead`: how far the newest quote lies in the future.
    """

    on: date
    is_session: bool | None
    known_until: date
    disputed: bool
    gateway: GatewayStatus
    gateway_alive: bool
    gateway_reason: Text
    snapshot_age: timedelta | None
    cash: Decimal | None
    holdings: int
    differing: Sequence[str]
    unverified: Sequence[str]
    without_cost: Sequence[str]
    without_limits: Sequence[str]
    without_quote: Sequence[str]
    quotes_due: bool
    ahead: timedelta
    config_problem: Text | None
    switched_off: Sequence[Text]
    trading_state: TradingState
    unknown_orders: int
    books: str | None
    free_bytes: int


def examine(facts: Facts) -> list[Item]:
    """Return every item in the order in which a person asks."""
    return [
        Item(name, *judge)
        for name, judge in (
            (Text("calendar", "交易日历"), _calendar(facts)),
            (Text("terminal and login", "终端与登录"), _gateway(facts)),
            (Text("account", "资金与快照"), _snapshot(facts)),
            (Text("holdings", "持仓一致"), _holdings(facts)),
            (Text("costs and ex-rights", "成本与除权"), _costs(facts)),
            (Text("price limits", "涨跌停"), _limits(facts)),
            (Text("quotes", "行情"), _quotes(facts)),
            (Text("clock", "时钟"), _clock(facts)),
            (Text("settings", "配置"), _settings(facts)),
            (Text("switches", "开关"), _switches(facts)),
            (Text("unknown orders", "结果未知的委托"), _unknown(facts)),
            (Text("books of the last session", "上一交易日对账"), _books(facts)),
            (Text("disk", "磁盘"), _disk(facts)),
        )
    ]


def may_begin(items: Sequence[Item]) -> bool:
    """Whether nothing stands against the open."""
    return all(item.verdict is not Verdict.STOP for item in items)


def in_words(items: Sequence[Item]) -> Text:
    """Return what is not OK, in one sentence; that everything is, when it is."""
    wrong = [item for item in items if item.verdict is not Verdict.OK]
    if not wrong:
        return Text("everything is ready", "一切就绪")
    return Text(
        "; ".join(f"{item.name.en}: {item.text.en}" for item in wrong),
        "；".join(f"{item.name.zh}：{item.text.zh}" for item in wrong),
    )


_Judged = tuple[Verdict, Text]


def _ok(en: str, zh: str) -> _Judged:
    return Verdict.OK, Text(en, zh)


def _warning(en: str, zh: str) -> _Judged:
    return Verdict.WARNING, Text(en, zh)


def _stop(en: str, zh: str) -> _Judged:
    return Verdict.STOP, Text(en, zh)


def _named(symbols: Sequence[str]) -> str:
    more = len(symbols) - NAMED
    return " ".join(symbols[:NAMED]) + (f" +{more}" if more > 0 else "")


def _calendar(facts: Facts) -> _Judged:
    if facts.is_session is None:
        return _stop(
            f"{facts.on} is unknown: add it under Trading days",
            f"{facts.on} 未知：请在“交易日历”中补充",
        )
    if facts.disputed:
        return _stop(
            f"terminal and calendar disagree about {facts.on}: decide under Trading days",
            f"终端与交易日历对 {facts.on} 的说法不一致：请在“交易日历”中确定",
        )
    if not facts.is_session:
        return _stop(f"{facts.on} is no session", f"{facts.on} 不是交易日")
    if facts.known_until - facts.on < HORIZON:
        return _warning(
            f"known until {facts.known_until} only: update, or add next year's days (`manage.py trading_days`)",
            f"仅已知至 {facts.known_until}：请更新或补充明年的交易日",
        )
    return _ok(
        f"a session; known until {facts.known_until}", f"交易日；已知至 {facts.known_until}"
    )


def _gateway(facts: Facts) -> _Judged:
    if not facts.gateway_alive:
        return _stop("the gateway is silent: is it running?", "网关无响应：是否在运行？")
    if facts.gateway is not GatewayStatus.ARMED:
        return _stop(
            f"the gateway observes: {facts.gateway_reason.en}",
            f"网关观察中：{facts.gateway_reason.zh}",
        )
    return _ok("armed", "就绪")


def _snapshot(facts: Facts) -> _Judged:
    if facts.snapshot_age is None or facts.cash is None:
        return _stop("the account was never read", "从未读取到账户")
    seconds = int(facts.snapshot_age.total_seconds())
    if facts.snapshot_age > SNAPSHOT_PATIENCE:
        return _stop(f"last read {seconds} s ago", f"最近一次读取在 {seconds} 秒前")
    return _ok(f"{facts.cash.normalize():f} yuan usable", f"可用 {facts.cash.normalize():f} 元")


def _holdings(facts: Facts) -> _Judged:
    if facts.differing:
        names = _named(facts.differing)
        return _warning(f"other than at the terminal: {names}", f"与终端不一致：{names}")
    return _ok(f"{facts.holdings} as at the terminal", f"{facts.holdings} 个，与终端一致")


def _costs(facts: Facts) -> _Judged:
    if facts.without_cost:
        names = _named(facts.without_cost)
        return _stop(
            f"without a cost, so without a stop-loss: {names}", f"缺少成本，无法止损：{names}"
        )
    if facts.unverified:
        names = _named(facts.unverified)
        return _warning(f"ex-rights to be verified: {names}", f"除权待核实：{names}")
    return _ok("known", "已知")


def _limits(facts: Facts) -> _Judged:
    if facts.without_limits:
        names = _named(facts.without_limits)
        verdict = _stop if facts.quotes_due else _warning
        return verdict(f"no previous close known: {names}", f"昨收未知：{names}")
    return _ok("known", "已知")


def _quotes(facts: Facts) -> _Judged:
    if not facts.without_quote:
        return _ok("there", "已有")
    names = _named(facts.without_quote)
    if facts.quotes_due:
        return _stop(f"none of today: {names}", f"今日尚无行情：{names}")
    return _ok("expected from 09:15", "09:15 起应有行情")


def _clock(facts: Facts) -> _Judged:
    if facts.ahead > AHEAD:
        seconds = f"{facts.ahead.total_seconds():.1f}"
        return _stop(
            f"quotes are {seconds} s ahead: set the computer's clock",
            f"行情时间超前 {seconds} 秒：请校准系统时钟",
        )
    return _ok("not behind the quotes", "未落后于行情")


def _settings(facts: Facts) -> _Judged:
    if facts.config_problem is not None:
        return Verdict.STOP, facts.config_problem
    return _ok("valid", "有效")


def _switches(facts: Facts) -> _Judged:
    if facts.trading_state is TradingState.HALTED:
        return _stop("halted", "总开关：停止")
    if facts.switched_off:
        en = ", ".join(one.en for one in facts.switched_off)
        zh = "、".join(one.zh for one in facts.switched_off)
        return _stop(f"off: {en}", f"已关闭：{zh}")
    if facts.trading_state is TradingState.REDUCING:
        return _warning("reducing: sells only", "只减仓")
    return _ok("on", "开启")


def _unknown(facts: Facts) -> _Judged:
    if facts.unknown_orders:
        number = facts.unknown_orders
        return _warning(f"{number}: decide them on their page", f"{number} 笔：请在其页面上处理")
    return _ok("none", "无")


def _books(facts: Facts) -> _Judged:
    if facts.books in ("open", "differs"):
        said = {"open": ("not closed", "未结"), "differs": ("differ", "有差异")}[facts.books]
        return _warning(f"{said[0]}: no buying until explained", f"{said[1]}：说明之前不买入")
    return _ok(facts.books or "none yet", "一致或已说明" if facts.books else "尚无")


def _disk(facts: Facts) -> _Judged:
    gigabytes = f"{facts.free_bytes / 1e9:.1f}"
    if facts.free_bytes < LOW_DISK:
        return _warning(f"{gigabytes} GB free: make room", f"仅剩 {gigabytes} GB：请清理")
    return _ok(f"{gigabytes} GB free", f"剩余 {gigabytes} GB")


def plain(items: Sequence[Item]) -> list[dict[str, str]]:
    """Return items as JSON keeps them."""
    return [
        {
            "verdict": item.verdict.value,
            "name_en": item.name.en,
            "name_zh": item.name.zh,
            "en": item.text.en,
            "zh": item.text.zh,
        }
        for item in items
    ]
