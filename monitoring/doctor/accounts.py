"""Checks of the accounts: terminals, sources of quotes, the protection of every holding, and what health finds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from monitoring.doctor.machine import CLOCK_OFF, age_in_words
from monitoring.doctor.signs import PATIENCE, touched
from monitoring.doctor.values import Case, Diagnosis, fail, named, not_checked, ok, warn
from monitoring.health import FEED_PATIENCE
from monitoring.loopback import reaches
from monitoring.models import Finding
from monitoring.services.unprotected import holdings_of
from trading.domain.calendar import phase_at
from trading.domain.protection import WORDS
from trading.domain.source_health import Condition, cause
from trading.domain.types import AccountMode, GatewayStatus, Symbol, Text
from trading.errors import GatewayUnavailable
from trading.management.one_instance import gateway_lock
from trading.management.paper_files import NOTICE, TOKEN, terminal_address
from trading.models import Account, EventLevel
from trading.selectors import symbols_of_interest
from trading.services.calendar import load_calendar
from trading.services.clock import SIMULATED, environment_of, market_at, read_clocks
from trading.services.protection import gateway_alive, gateway_heard_at
from trading.services.quote_sources import overview, quotes_mode
from trading.services.shared_quotes import quotes_of_thread


def terminals(case: Case) -> Iterator[Diagnosis]:
    """Look whether each account's terminal is there and its gateway armed."""
    clocks = read_clocks()
    for account in Account.objects.filter(enabled=True).order_by("pk"):
        mode = AccountMode(account.mode)
        sign = touched(case.home / gateway_lock(account.pk), case.now)
        if sign is None or sign > PATIENCE:
            yield not_checked(
                "GATEWAY_NOT_RUNNING",
                f"{account.name}: no gateway runs here, so its terminal was not asked.",
                f"{account.name}：网关未运行，未检查其终端。",
            )
            continue
        yield from _terminal(case, account, mode)
        heard = gateway_heard_at(account, clocks.get(environment_of(mode)))
        yield _gateway(
            account, gateway_alive(GatewayStatus(account.gateway_status), heard, case.now)
        )


def _terminal(case: Case, account: Account, mode: AccountMode) -> Iterator[Diagnosis]:
    if mode not in SIMULATED:
        return  # only the gateway may talk to it: its status says whether it is there
    remedy = Text(
        "Look at logs/paper_terminal.log; `up` makes both when it starts.",
        "请查看 logs/paper_terminal.log；`up` 启动时会自动建立。",
    )
    if not (case.home / TOKEN).exists():
        text = Text(
            f"{account.name}: the paper terminal's token {TOKEN} is missing.",
            f"{account.name}：缺少模拟终端的令牌文件 {TOKEN}。",
        )
        yield fail("TERMINAL_TOKEN", text, remedy)
    address = urlsplit(terminal_address(case.home) or "")
    if not address.port or not reaches(address.hostname or "", address.port):
        text = Text(
            f"{account.name}: the paper terminal does not answer ({NOTICE}).",
            f"{account.name}：模拟终端没有应答（{NOTICE}）。",
        )
        yield fail("TERMINAL_AWAY", text, remedy)


def _gateway(account: Account, is_alive: bool) -> Diagnosis:
    name, reason = account.name, account.gateway_reason
    if not is_alive:
        text = Text(f"{name}: the gateway is silent.", f"{name}：网关没有心跳。")
        remedy = Text(
            "The end of its log says why; `up` kills and starts again what hangs.",
            "原因见其日志末尾；`up` 会重新启动卡住的进程。",
        )
        return fail("GATEWAY_SILENT", text, remedy)
    if account.gateway_status != GatewayStatus.ARMED:
        text = Text(
            f"{name}: the gateway only observes: {reason.get('en') or 'no reason given'}.",
            f"{name}：网关观察中：{reason.get('zh') or '原因未知'}。",
        )
        remedy = Text(
            "Start the client, log in with this account, and wait half a minute (docs/live-qmt.md).",
            "请启动客户端并登录该账户，等待半分钟（见 docs/live-qmt.zh-CN.md）。",
        )
        return fail("GATEWAY_OBSERVES", text, remedy)
    return ok("TERMINAL", f"{name}: logged in, armed.", f"{name}：已登录，网关就绪。")


def feeds(case: Case) -> Iterator[Diagnosis]:
    """Look how old the last quote of every source is, and whether any lies in the future."""
    mode = quotes_mode()
    now = market_at(read_clocks().get(environment_of(mode)), case.now)
    try:
        seen = overview(now, mode, [])
        newest = _newest_quote()
    except GatewayUnavailable:
        yield not_checked("FEEDS_NEW", "No quotes are kept here yet.", "尚无行情记录。")
        return
    if newest is not None and (ahead := (newest - now).total_seconds()) > CLOCK_OFF:
        text = Text(
            f"Quotes are {ahead:.1f} s ahead of this computer's clock.",
            f"行情时间比本机时钟快 {ahead:.1f} 秒。",
        )
        remedy = Text("Set the clock by NTP.", "请通过 NTP 校准系统时钟。")
        yield fail("CLOCK_BEHIND_QUOTES", text, remedy)
    is_open = phase_at(load_calendar(), now).continuous
    for line in seen.sources:
        yield _source(line.said.source, line.age, is_open, cause(line.said), line.said.condition)
    if not seen.sources:
        yield not_checked("FEEDS_NEW", "No source has said anything yet.", "行情源尚无记录。")


def _source(
    name: str, age: timedelta | None, is_open: bool, why: Text, condition: Condition
) -> Diagnosis:
    said = Text("never", "从未") if age is None else age_in_words(age)
    text = Text(
        f"Quotes of {name}: the last one {said.en}{'' if age is None else ' ago'}; {why.en}.",
        f"行情源 {name}：最近一条{'' if age is None else '在 '}{said.zh}{'' if age is None else '前'}；{why.zh}。",
    )
    remedy = Text(
        "`python manage.py quotes` says why; without quotes nothing is decided.",
        "`python manage.py quotes` 会说明原因；没有行情时不做任何判断。",
    )
    if is_open and (condition is Condition.DOWN or age is None or age > FEED_PATIENCE):
        return fail("FEED_OLD", text, remedy)
    return ok("FEED", *text)


def _newest_quote() -> datetime | None:
    quotes = quotes_of_thread()
    wanted: set[Symbol] = set()
    for pk in Account.objects.filter(enabled=True).values_list("pk", flat=True):
        wanted.update(symbols_of_interest(pk))
    return max((quote.time for quote in quotes.latest(sorted(wanted)).values()), default=None)


def protection(case: Case) -> Iterator[Diagnosis]:
    """Look whether a stop-loss protects every holding."""
    quotes, days = quotes_of_thread(), load_calendar()
    remedy = Text(
        "The console's page of the holding says what to do; with nothing running: `python manage.py up`.",
        "控制台的持仓页面会说明如何处理；若没有进程在运行，请运行 `python manage.py up`。",
    )
    for account in Account.objects.filter(enabled=True).order_by("pk"):
        try:
            holdings = holdings_of(account, case.now, quotes, days)
        except GatewayUnavailable as problem:
            yield not_checked(
                "PROTECTION_NOT_CHECKED",
                f"{account.name}: no quotes can be read ({problem}).",
                f"{account.name}：无法读取行情（{problem}）。",
            )
            continue
        judge = fail if holdings.is_open else warn
        for status, symbols in holdings.without.items():
            why, said = WORDS[status], named(symbols)
            text = Text(
                f"{account.name}: not protected, {why.en}: {said.en}.",
                f"{account.name}：未受保护（{why.zh}）：{said.zh}。",
            )
            yield judge("UNPROTECTED", text, remedy)
        if not holdings.without:
            count = holdings.count
            yield ok("PROTECTION", f"{account.name}: {count} holdings, none unprotected.", f"{account.name}：{count} 个持仓，均无缺失保护。")  # fmt: skip


def standing(case: Case) -> Iterator[Diagnosis]:
    """Repeat what the health tick finds wrong now."""
    remedy = Text(
        "docs/operations.md, “Alarms that want a person”.",
        "处理方法见 docs/operations.md 的 “Alarms that want a person” 一节。",
    )
    rows = list(Finding.objects.select_related("account").order_by("pk")[:50])
    for row in rows:
        judge = fail if row.level == EventLevel.ALARM else warn
        text = Text(
            f"{row.account.name}: {row.code}: {row.text_en}", f"{row.account.name}：{row.text_zh}"
        )
        yield judge("FINDING", text, remedy)
    if not rows:
        yield ok("FINDINGS", "The health tick finds nothing wrong.", "健康检查没有发现异常。")
