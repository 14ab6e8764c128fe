"""What is wrong with an account's surroundings, as a pure decision: facts in, findings out.

Ages are of real time, except those of quotes, which are market time; a quiet market is no trouble, so the facts say
whether the market needed something for long enough to miss it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from trading.domain.orders import OrderState
from trading.domain.protection import WORDS, Protection
from trading.domain.types import GatewayStatus, Symbol, Text

#: An armed gateway leaves a heartbeat every 30 s; three of them may be missed.
GATEWAY_PATIENCE = timedelta(seconds=90)
#: The gateway asks every 10 s or less, and observes after 15 s without an answer.
SNAPSHOT_PATIENCE = timedelta(seconds=90)
#: Without any quote for 10 s nothing is decided (rules §7); a line that is opened again needs 15 s.
FEED_PATIENCE = timedelta(seconds=30)
#: Liquid stocks pause for up to 56 s (rules §7).
QUOTE_PATIENCE = timedelta(minutes=5)
#: An order becomes UNKNOWN after 8 s; a query that knows it comes a few seconds later.
SUBMITTING_PATIENCE, UNKNOWN_PATIENCE = timedelta(seconds=20), timedelta(seconds=60)
#: Free bytes below which logs and database may soon fail.
LOW_DISK = 1_000_000_000
#: There is one every day; a machine may be off over a long weekend.
BACKUP_PATIENCE = timedelta(days=4)
#: Why a holding is unprotected until somebody acts. The rest has findings of its own, or is on its way.
LASTING = (
    *(Protection.HALTED, Protection.AUTO_OFF, Protection.STOP_LOSS_OFF, Protection.SELL_OFF),
    *(Protection.HOLDING_OFF, Protection.PAUSED, Protection.NO_COST, Protection.SUSPENDED),
    *(Protection.QUOTE_REFUSED, Protection.QUOTE_SOURCE),
    *(Protection.NOT_TRADED, Protection.LIMITS_UNCLEAR),
    *(Protection.EX_RIGHTS_UNVERIFIED, Protection.UNKNOWN_ORDER, Protection.ATTEMPTS_EXHAUSTED),
)
#: Symbols a sentence names; the others are counted.
NAMED = 5
#: From this month on next year's trading days should be known (rules §5); so long before the end it is an alarm.
WARN_FROM_MONTH = 11
ENDS_SOON = timedelta(days=30)
_ADD = Text(
    " Add next year's days (`manage.py trading_days`), or update the program.",
    "请补充下一年的交易日（`manage.py trading_days`），或更新程序。",
)
#: What is said again every day it lasts, and not only when it begins.
DAILY = frozenset({"CALENDAR_ENDS", "CALENDAR_ENDS_SOON", "CALENDAR_DISPUTED"})


class Level(StrEnum):
    """How loud a finding is; the journal has the same levels."""

    WARNING = "warning"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong and lasts. `subject`: what it is about when an account can have several of one code."""

    code: str
    level: Level
    text: Text
    symbol: str = ""
    subject: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.code, self.subject or self.symbol


@dataclass(frozen=True, slots=True)
class TickFacts:
    """One tick of one account. `age`: since it last started, None = never; `needed`: now and all of `patience` ago."""

    name: str
    period: timedelta
    age: timedelta | None
    needed: bool


@dataclass(frozen=True, slots=True)
class GatewayFacts:
    """`silent_for`: since its last heartbeat, None = it never left one."""

    status: GatewayStatus
    reason: Text
    silent_for: timedelta | None
    snapshot_age: timedelta | None


@dataclass(frozen=True, slots=True)
class QuoteFacts:
    """Of the held symbols: how long the feed is silent, and the age of each newest quote (None = never any).

    `feed_needed`, `quotes_needed`: continuous trading now and for all of the patience. Suspended symbols are left out.
    """

    feed_silent_for: timedelta | None = None
    feed_needed: bool = False
    ages: Mapping[Symbol, timedelta | None] = field(default_factory=dict)
    quotes_needed: bool = False


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """One source of quotes while the market trades, and how it serves the symbols this account holds or trades.

    `down`: it does not answer, and why. `refused`: symbols whose quotes it gives are refused, with the last reason.
    `late`: symbols whose quotes it brings late. `fills_in`: symbols it serves although another source comes first.
    """

    name: str
    down: Text | None = None
    refused: Mapping[Symbol, Text] = field(default_factory=dict)
    late: Sequence[Symbol] = ()
    fills_in: Sequence[Symbol] = ()


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """An order that waits for an answer; `age` since it was claimed for sending."""

    client_order_id: str
    symbol: str
    state: OrderState
    age: timedelta


@dataclass(frozen=True, slots=True)
class CalendarFacts:
    """`today` is a market date; `known_until` the last day the calendar can say anything about."""

    today: date
    known_until: date
    #: From today on: closed, because calendar and terminal disagree.
    disputed: Sequence[date] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one account at one moment. `gateway` None: an account of its mode has none, or needs none now."""

    calendar: CalendarFacts
    ticks: Sequence[TickFacts] = ()
    gateway: GatewayFacts | None = None
    quotes: QuoteFacts = QuoteFacts()
    sources: Sequence[SourceFacts] = ()
    orders: Sequence[OrderFacts] = ()
    #: Holdings that are not protected now, by the reason.
    unprotected: Mapping[Protection, Sequence[Symbol]] = field(default_factory=dict)
    config_problem: Text | None = None
    free_bytes: int | None = None
    #: Processes that ended so often that `up` keeps them down for now.
    held_back: Sequence[str] = ()
    #: Why the newest backup failed, until one succeeds; and how old the newest good one is (None: there is none yet).
    backup_problem: Text | None = None
    backup_age: timedelta | None = None


def patience(period: timedelta) -> timedelta:
    """Return the age at which a tick is late: three periods, and never less than 15 s."""
    return max(3 * period, timedelta(seconds=15))


def findings(facts: Facts) -> list[Finding]:
    """Return everything that is wrong, one finding per code and subject."""
    return [
        *_ticks(facts.ticks),
        *_gateway(facts.gateway),
        *_quotes(facts.quotes),
        *_sources(facts.sources),
        *_orders(facts.orders),
        *_protection(facts.unprotected),
        *_settings(facts.config_problem),
        *_calendar(facts.calendar),
        *_disk(facts.free_bytes),
        *_processes(facts.held_back),
        *_backups(facts.backup_problem, facts.backup_age),
    ]


def _ticks(ticks: Sequence[TickFacts]) -> Iterator[Finding]:
    for tick in ticks:
        if not tick.needed or (tick.age is not None and tick.age <= patience(tick.period)):
            continue
        limit = patience(tick.period).total_seconds()
        text = Text(
            f"The tick {tick.name} has not run for more than {limit:.0f} s; the worker's log says why.",
            f"周期任务 {tick.name} 超过 {limit:.0f} 秒没有运行；原因见任务进程的日志。",
        )
        yield Finding("TICK_LATE", Level.ALARM, text, subject=tick.name)


def _gateway(gateway: GatewayFacts | None) -> Iterator[Finding]:
    """One finding at most: a silent gateway explains old snapshots."""
    if gateway is None:
        return
    if gateway.silent_for is None or gateway.silent_for > GATEWAY_PATIENCE:
        text = Text(
            f"The gateway has given no sign of life for more than {GATEWAY_PATIENCE.seconds} s: no order leaves.",
            f"网关超过 {GATEWAY_PATIENCE.seconds} 秒没有心跳：委托无法发出。",
        )
        yield Finding("GATEWAY_SILENT", Level.ALARM, text)
    elif gateway.status is not GatewayStatus.ARMED:
        text = Text(
            f"The gateway only observes: {gateway.reason.en or 'no reason given'}. No order leaves.",
            f"网关处于观察状态：{gateway.reason.zh or '原因未知'}。委托无法发出。",
        )
        yield Finding("GATEWAY_OBSERVING", Level.ALARM, text)
    elif gateway.snapshot_age is None or gateway.snapshot_age > SNAPSHOT_PATIENCE:
        text = Text(
            f"The newest picture of the account is older than {SNAPSHOT_PATIENCE.seconds} s.",
            f"最新账户快照已超过 {SNAPSHOT_PATIENCE.seconds} 秒。",
        )
        yield Finding("SNAPSHOT_OLD", Level.ALARM, text)


def _quotes(quotes: QuoteFacts) -> Iterator[Finding]:
    if not quotes.ages:
        return
    silent = quotes.feed_silent_for
    if quotes.feed_needed and (silent is None or silent > FEED_PATIENCE):
        text = Text(
            f"No quote at all for more than {FEED_PATIENCE.seconds} s while the market trades: nothing is decided.",
            f"交易时段超过 {FEED_PATIENCE.seconds} 秒没有任何行情：暂停一切判断。",
        )
        yield Finding("FEED_SILENT", Level.ALARM, text)
        return  # it explains every old quote
    if not quotes.quotes_needed:
        return
    minutes = QUOTE_PATIENCE.seconds // 60
    ages = quotes.ages.items()
    old = sorted(symbol for symbol, age in ages if age is None or age > QUOTE_PATIENCE)
    if len(old) == len(quotes.ages) > 1:
        # A feed that says the same old quotes again and again is as good as silent.
        text = Text(
            f"Not one of {len(old)} holdings has had a new quote for more than {minutes} minutes while the market trades: nothing is decided.",
            f"交易时段超过 {minutes} 分钟，{len(old)} 个持仓均无新行情：暂停一切判断。",
        )
        yield Finding("FEED_SILENT", Level.ALARM, text)
        return
    for symbol in old:
        text = Text(
            f"{symbol}: no quote for more than {minutes} minutes while the market trades; it is not protected.",
            f"{symbol}：交易时段超过 {minutes} 分钟没有行情，该持仓不受保护。",
        )
        yield Finding("QUOTE_OLD", Level.ALARM, text, symbol)


def _sources(sources: Sequence[SourceFacts]) -> Iterator[Finding]:
    """What a source does is a warning: whether a holding suffers from it is said by the findings about holdings."""
    for source in sources:
        name = source.name
        if source.down is not None:
            text = Text(
                f"The source of quotes {name} is down: {source.down.en}.",
                f"行情源 {name} 中断：{source.down.zh}。",
            )
            yield Finding("SOURCE_DOWN", Level.WARNING, text, subject=name)
        if source.refused:
            first = min(source.refused)
            why, names = source.refused[first], _names(source.refused)
            text = Text(
                f"Quotes of {name} are refused for {names.en}; {first}: {why.en}.",
                f"行情源 {name} 的行情被拒收：{names.zh}；{first}：{why.zh}。",
            )
            yield Finding("QUOTES_REFUSED", Level.WARNING, text, subject=name)
        if source.late:
            names = _names(source.late)
            text = Text(
                f"The source of quotes {name} brings its quotes late: {names.en}.",
                f"行情源 {name} 的行情延迟：{names.zh}。",
            )
            yield Finding("SOURCE_LATE", Level.WARNING, text, subject=name)
        if source.fills_in:
            names = _names(source.fills_in)
            text = Text(
                f"Quotes come from {name} instead of a better source: {names.en}.",
                f"以下标的改用行情源 {name}：{names.zh}。",
            )
            yield Finding("SOURCE_FILLS_IN", Level.WARNING, text, subject=name)


def _names(symbols: Iterable[Symbol]) -> Text:
    ordered = sorted(symbols)
    more, names = len(ordered) - NAMED, ", ".join(ordered[:NAMED])
    return Text(
        names + (f" and {more} more" if more > 0 else ""),
        names + (f" 等 {len(ordered)} 只" if more > 0 else ""),
    )


def _orders(orders: Sequence[OrderFacts]) -> Iterator[Finding]:
    limits = {
        OrderState.SUBMITTING: SUBMITTING_PATIENCE,
        OrderState.UNKNOWN: UNKNOWN_PATIENCE,
    }
    for order in orders:
        limit = limits.get(order.state)
        if limit is None or order.age <= limit:
            continue
        name = order.client_order_id
        text = Text(
            f"Order {name} ({order.symbol}) is {order.state} for more than {limit.seconds} s. Look at the terminal.",
            f"委托 {name}（{order.symbol}）处于 {order.state} 状态已超过 {limit.seconds} 秒，请查看客户端。",
        )
        yield Finding("ORDER_STUCK", Level.ALARM, text, order.symbol, name)


def _protection(unprotected: Mapping[Protection, Sequence[Symbol]]) -> Iterator[Finding]:
    """One finding a reason: a stop-loss is never off in silence."""
    for status in LASTING:
        symbols = unprotected.get(status, ())
        if not symbols:
            continue
        why, names = WORDS[status], _names(symbols)
        text = Text(f"Not protected, {why.en}: {names.en}.", f"未受保护（{why.zh}）：{names.zh}。")
        yield Finding("UNPROTECTED", Level.ALARM, text, subject=status.value)


def _settings(problem: Text | None) -> Iterator[Finding]:
    if problem is not None:
        yield Finding("CONFIG_INVALID", Level.ALARM, problem)


def _calendar(calendar: CalendarFacts) -> Iterator[Finding]:
    today, until = calendar.today, calendar.known_until
    if calendar.disputed:
        days = ", ".join(map(str, calendar.disputed[:NAMED]))
        text = Text(
            f"Calendar and terminal disagree about {days}: closed, nothing is sent, until you decide under Trading days.",
            f"交易日历与终端对 {days} 的说法不一致：按休市处理、不发送委托，请在“交易日历”中确定。",
        )
        yield Finding("CALENDAR_DISPUTED", Level.ALARM, text)
    if today > until:
        text = Text(
            f"The trading calendar ends on {until}: every later day counts as closed.{_ADD.en}",
            f"交易日历止于 {until}：之后的日期一律视为休市。{_ADD.zh}",
        )
        yield Finding("CALENDAR_UNKNOWN", Level.ALARM, text)
    elif until - today <= ENDS_SOON:
        text = Text(
            f"The trading calendar ends on {until}, in less than a month: then nothing is traded, no stop-loss either."
            f"{_ADD.en}",
            f"交易日历止于 {until}，不足一个月：此后不再交易，止损也不会发出。{_ADD.zh}",
        )
        yield Finding("CALENDAR_ENDS_SOON", Level.ALARM, text)
    elif today.month >= WARN_FROM_MONTH and until.year <= today.year:
        text = Text(
            f"The trading calendar ends on {until}.{_ADD.en}",
            f"交易日历止于 {until}。{_ADD.zh}",
        )
        yield Finding("CALENDAR_ENDS", Level.WARNING, text)


def _disk(free: int | None) -> Iterator[Finding]:
    if free is not None and free < LOW_DISK:
        text = Text(
            f"Less than {LOW_DISK // 1_000_000} MB are free where the database lies. Make room.",
            f"数据库所在磁盘剩余空间不足 {LOW_DISK // 1_000_000} MB，请清理。",
        )
        yield Finding("DISK_LOW", Level.ALARM, text)


def _processes(held_back: Sequence[str]) -> Iterator[Finding]:
    for name in held_back:
        text = Text(
            f"The process {name} ended too often: it stays down and is tried once a minute. The end of logs/{name}.log"
            " says why; put that right.",
            f"进程 {name} 频繁退出：已暂停重启，每分钟只再试一次。请按 logs/{name}.log 末尾的原因处理。",
        )
        yield Finding("PROCESS_HELD_BACK", Level.ALARM, text, subject=name[:32])


def _backups(problem: Text | None, age: timedelta | None) -> Iterator[Finding]:
    if problem is not None:
        text = Text(
            f"The newest backup failed: {problem.en} It is tried again every ten minutes while it is of use.",
            f"最近一次备份失败：{problem.zh}有效时段内每十分钟重试一次。",
        )
        yield Finding("BACKUP_FAILED", Level.ALARM, text)
    elif age is not None and age > BACKUP_PATIENCE:
        text = Text(
            f"The newest good backup is older than {BACKUP_PATIENCE.days} days. Is the task `backup` paused?",
            f"最近一次可用的备份已超过 {BACKUP_PATIENCE.days} 天。周期任务 backup 是否被暂停？",
        )
        yield Finding("BACKUP_OLD", Level.ALARM, text)
