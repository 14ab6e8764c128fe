"""`manage.py qmt_probe ACCOUNT`: asks a real terminal (or, to see how it goes, the paper one) what only it can answer.

Reads only, unless `--with-orders` is given; the report is written into the data directory. It has session numbers of
its own, so it may run beside the account's gateway; with orders it may not, and holds the gateway's lock meanwhile.
"""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from trading.broker import vendor
from trading.broker.probe.context import Probe
from trading.broker.probe.questions import QUESTIONS, Question, ask_all
from trading.broker.probe.report import Report
from trading.broker.probe.session import ProbeSession
from trading.broker.userdata import GATEWAY_SESSIONS, client_runs, first_session, folder_problem
from trading.domain.calendar import MarketPhase, phase_at
from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import CHINA, AccountMode, Symbol, Text, TradingState
from trading.errors import GatewayUnavailable
from trading.management.known_days import calendar_known_on
from trading.management.one_instance import AlreadyRunning, gateway_lock, one_instance
from trading.management.paper_files import read_token, terminal_address
from trading.management.watchdog import Watchdog
from trading.models import Account, GatewayLease
from trading.paper import tcp_client, xtdata, xttrader, xttype
from trading.services.clock import SIMULATED, market_time
from trading.services.gateway_lease import unexpired

#: Seconds a call of the vendor's library may hang before the probe ends itself.
HANGS = 90.0


class Command(BaseCommand):
    help = "Probes what only a real QMT can answer; read-only by default. 探测真实 QMT 的行为（默认只读）。"
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", help="name of the account 账户名称")
        parser.add_argument("--paper", action="store_true", help="the paper terminal 使用模拟终端")
        parser.add_argument("--only", default="", help="questions, such as P1,P14 仅执行这些问题")
        parser.add_argument("--guided", action="store_true", help="ask a person to act 人工配合")
        parser.add_argument(
            "--with-orders", action="store_true", help="send two orders and cancel them 发送委托"
        )
        parser.add_argument("--symbol", help="for orders and ticks 标的")
        parser.add_argument("--watch", type=float, default=0.0, help="seconds of P10 观察秒数")
        parser.add_argument("--out", type=Path, help="folder of the report 报告文件夹")
        parser.add_argument("--hold", type=int, help="internal: hold this session 内部使用")

    def handle(self, *args: Any, **options: Any) -> None:
        account = _account(options["account"], paper=options["paper"])
        try:
            symbol = parse_symbol(options["symbol"]) if options["symbol"] else None
            where = _paper() if options["paper"] else _live(account)
        except (GatewayUnavailable, SymbolError) as problem:
            raise CommandError(str(problem)) from None
        if options["hold"] is not None:
            self._hold(where, account, options["hold"])
            return
        only = _chosen(options["only"])
        watchdog = Watchdog(lambda: HANGS, time.monotonic)
        watchdog.start()
        with ExitStack() as held:
            held.callback(watchdog.stop)
            if options["with_orders"]:
                if account.mode == AccountMode.SHADOW:
                    raise _problem(
                        "A shadow sends nothing: orders are probed with the live account, once it is capped.",
                        "影子账户不发出委托：带委托的探测须在进入限额实盘后用实盘账户进行。",
                    )
                self._alone(account, held)
            probe = self._probe(where, account, symbol, options, watchdog)
            answers = ask_all(probe, only, self._tell(watchdog))
            probe.session.close()
        report = Report(account.broker_account_id, timezone.now().astimezone(CHINA), {
            "market time": f"{probe.now():%Y-%m-%d %H:%M:%S}",
            "terminal": "paper" if options["paper"] else where[2],
            "xtquant": _version(),
            "python": sys.version.split()[0],
        }, answers)  # fmt: skip
        self._write(report, options["out"] or Path(settings.HOME) / "probe")

    def _alone(self, account: Account, held: ExitStack) -> None:
        lock = Path(settings.HOME) / gateway_lock(account.pk)
        try:
            held.enter_context(one_instance(lock))
        except AlreadyRunning:
            raise _problem(
                f"The gateway of {account.name} runs: stop it before a probe with orders.",
                f"账户 {account.name} 的网关正在运行：带委托的探测须先停止网关。",
            ) from None

    def _probe(
        self,
        where: _Where,
        account: Account,
        symbol: Symbol | None,
        options: dict[str, Any],
        watchdog: Watchdog,
    ) -> Probe:
        calendar = calendar_known_on(timezone.localdate())
        mode = AccountMode(account.mode)

        def wait(seconds: float) -> None:
            watchdog.feed()
            time.sleep(seconds)

        def now() -> datetime:
            return market_time(mode, timezone.now()).astimezone(CHINA)

        def phase() -> MarketPhase:
            return phase_at(calendar, now())

        def open_session(number: int) -> ProbeSession:
            watchdog.feed()
            library = where[0], where[1]
            made = ProbeSession(
                *library, where[2], number, account.broker_account_id, wait, time.monotonic
            )
            made.open()
            return made

        main = first_session(account.pk) + GATEWAY_SESSIONS
        return Probe(
            session=open_session(main),
            open_session=open_session,
            main=main,
            other=main + 1,
            now=now,
            clock=time.monotonic,
            wait=wait,
            phase=phase,
            data=where[3](),
            person=_Console(watchdog) if options["guided"] or options["with_orders"] else None,
            hold=lambda number: _Held(options["account"], number, paper=options["paper"]),
            symbol=symbol,
            with_orders=options["with_orders"],
            objection=lambda: _objection(account),
            watch=options["watch"],
            terminal=_terminal(where[2], paper=options["paper"]),
        )

    def _tell(self, watchdog: Watchdog) -> Callable[[Question], None]:
        def tell(question: Question) -> None:
            watchdog.feed()
            self.stdout.write(f"{question.number} {question.title.en} {question.title.zh}")
            self.stdout.flush()

        return tell

    def _write(self, report: Report, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        base = folder / f"probe-{report.at:%Y%m%d-%H%M%S}"
        base.with_suffix(".json").write_text(report.as_json(), encoding="utf-8")
        base.with_suffix(".md").write_text(report.as_markdown(), encoding="utf-8")
        for one in report.answers:
            self.stdout.write(f"{one.number:4} {one.finding.outcome:9} {one.title.en}")
        self.stdout.write(f"Report: {base.with_suffix('.md')} 报告已写入。")

    def _hold(self, where: _Where, account: Account, number: int) -> None:
        session = ProbeSession(
            where[0], where[1], where[2], number, account.broker_account_id, time.sleep,
            time.monotonic,
        )  # fmt: skip
        session.open()
        self.stdout.write(f"held {session.codes}")
        self.stdout.flush()
        time.sleep(HANGS)


#: xttrader, xttype, path or address, and what opens the data service.
_Where = tuple[ModuleType, ModuleType, str, Callable[[], Any]]


class _Console:
    """The person at this console."""

    def __init__(self, watchdog: Watchdog) -> None:
        self._watchdog = watchdog

    def asked(self, text: Text) -> str:
        self._watchdog.pause()
        typed = input(f"{text.en} {text.zh} ")
        self._watchdog.feed()
        return typed


class _Held:
    """A process that holds a session number until it is killed."""

    def __init__(self, account: str, number: int, *, paper: bool) -> None:
        manage = Path(__file__).resolve().parents[3] / "manage.py"
        command = [sys.executable, str(manage), "qmt_probe", account, "--hold", str(number)]
        self._process = subprocess.Popen(
            [*command, *(["--paper"] if paper else [])], stdout=subprocess.PIPE
        )
        if self._process.stdout is not None:
            self._process.stdout.readline()  # bounded by the probe's own watchdog

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(timeout=10)
        if self._process.stdout is not None:
            self._process.stdout.close()


def _account(name: str, *, paper: bool) -> Account:
    try:
        account = Account.objects.get(name=name)
    except Account.DoesNotExist:
        raise _problem(
            f"There is no account named {name!r}.", f"没有名为“{name}”的账户。"
        ) from None
    if paper and account.mode not in SIMULATED:
        raise _problem(
            f"{name} is no simulated account: leave --paper out.",
            f"{name} 不是模拟账户：请去掉 --paper。",
        )
    # A shadow has the number of the real account, which is only read here: see --with-orders.
    if not paper and account.mode not in (AccountMode.LIVE, AccountMode.SHADOW):
        raise _problem(
            f"{name} is a simulated account: add --paper.", f"{name} 是模拟账户：请加 --paper。"
        )
    return account


def _live(account: Account) -> _Where:
    """Return the real library. Raises GatewayUnavailable with what is needed."""
    try:
        library = vendor.load("xttrader"), vendor.load("xttype")
    except GatewayUnavailable as problem:
        text = Text(
            f"{problem} The probe needs Windows with a running, logged-in QMT in mini mode; to see how it goes, use a simulated account with --paper.",
            "探测需要 Windows 及已登录的 QMT（极简模式）；如需预演，请用模拟账户加 --paper。",
        )
        raise GatewayUnavailable(f"{text.en} {text.zh}") from None
    folder = account.terminal_folder or os.environ.get("MINIQMT_QMT_PATH", "")
    wrong = folder_problem(folder)
    if wrong is not None:
        raise GatewayUnavailable(f"{wrong.en} {wrong.zh}")

    def data() -> Any:
        module: Any = vendor.load("xtdata")
        module.enable_hello = False
        return module

    return (*library, folder, data)


def _paper() -> _Where:
    home = Path(settings.HOME)
    address = terminal_address(home)
    if address is None:
        raise GatewayUnavailable(
            "No paper terminal has been started here: `python manage.py paper_terminal`. 尚未启动模拟终端。"
        )
    tcp_client.use_token(lambda: read_token(home))
    return xttrader, xttype, address, lambda: xtdata.connect_to(address)


def _objection(account: Account) -> Text | None:
    """Say why no order may be sent for the account now: a gateway elsewhere, or its main switch."""
    if GatewayLease.objects.filter(
        unexpired(), account=account, expires_at__isnull=False
    ).exists():
        return Text(
            "Refused: a gateway of this account runs elsewhere.",
            "拒绝：该账户的网关正在其他地方运行。",
        )
    account.refresh_from_db(fields=["trading_state"])
    if account.trading_state == TradingState.ACTIVE:
        return None
    return Text(
        f"Refused: the account is {account.trading_state}.",
        f"拒绝：账户总开关为 {account.trading_state}。",
    )


def _terminal(path: str, *, paper: bool) -> dict[str, Any]:
    if paper:
        return {"folder": "paper terminal"}
    return {"folder": "in order", "client runs": client_runs(), "name": Path(path).parent.name}


def _chosen(only: str) -> frozenset[str]:
    chosen = frozenset(one.strip().upper() for one in only.split(",") if one.strip())
    known = {one.number for one in QUESTIONS}
    if not chosen <= known:
        raise _problem(
            f"No question {', '.join(sorted(chosen - known))}; they are P1 to P{len(known)}.",
            f"没有问题 {', '.join(sorted(chosen - known))}；可用 P1 至 P{len(known)}。",
        )
    return chosen


def _version() -> str:
    try:
        return importlib.metadata.version("xtquant")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _problem(en: str, zh: str) -> CommandError:
    text = Text(en, zh)
    return CommandError(f"{text.en} {text.zh}")
