"""`manage.py gateway ACCOUNT`: the one process that holds an account's broker session."""

from __future__ import annotations

import logging
import os
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from trading.broker import vendor
from trading.broker.gateway import Gateway
from trading.broker.qmt import QmtBroker
from trading.broker.refusals import NoSession
from trading.broker.userdata import Sessions, first_session, folder_problem
from trading.domain.types import AccountMode, Text
from trading.errors import GatewayUnavailable, StandDown
from trading.management.gateway_run import account_named, desk_of, run_gateway
from trading.management.known_days import calendar_known_on
from trading.management.one_instance import Alive, AlreadyRunning, gateway_lock, one_instance
from trading.management.paper_files import read_token, terminal_address
from trading.management.waiting import StopSignal
from trading.models import Account, EventLevel
from trading.paper import tcp_client, xttrader, xttype
from trading.services.clock import SIMULATED
from trading.services.events import journal_once
from trading.services.gateway_lease import END_AFTER
from trading.services.kill_switch import kill_file
from trading.services.pace import pace_of
from trading.services.shared_quotes import open_quotes

log = logging.getLogger(__name__)

#: Seconds the terminal may need to let us in.
CONNECTING = 30.0


class Command(BaseCommand):
    help = "Runs the gateway of one account. 运行一个账户的网关。"
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", help="name of the account 账户名称")

    def handle(self, *args: Any, **options: Any) -> None:
        account = _account(options["account"])
        home = Path(settings.HOME)
        try:
            with one_instance(home / gateway_lock(account.pk)) as alive:
                stop = StopSignal()
                self._run(account, _broker(account, home, stop.wake), stop, alive)
        except AlreadyRunning:
            raise _problem(
                f"A gateway of {account.name} is already running; an account has one.",
                f"账户 {account.name} 的网关已在运行；每个账户只能有一个网关。",
            ) from None

    def _run(self, account: Account, broker: QmtBroker, stop: StopSignal, alive: Alive) -> None:
        calendar, quotes = calendar_known_on(timezone.localdate()), open_quotes()
        desk = desk_of(account, quotes, calendar)
        gateway = Gateway(
            broker,
            desk,
            pace_of(AccountMode(account.mode)),
            lambda: kill_file(account.name),
            one_session=account.mode == AccountMode.LIVE,
        )
        self.stdout.write(f"Gateway of {account.name} is running. 网关已启动。")
        self.stdout.flush()
        run_gateway(
            account,
            gateway,
            desk,
            quotes,
            calendar,
            stop,
            alive,
            timezone.now,
            lambda: CONNECTING if gateway.connecting else END_AFTER.total_seconds(),
            partial(_stood_down, account),
        )


def _stood_down(account: Account, problem: StandDown, now: datetime) -> CommandError:
    log.warning("standing down: %s", problem)
    text = Text(
        f"A second gateway of {account.name} was started and stood down: {problem}.",
        f"账户 {account.name} 的第二个网关已启动并退出：{problem}。",
    )
    journal_once(account.pk, EventLevel.WARNING, "GATEWAY_STOOD_DOWN", text, now)
    return _problem(
        f"Another gateway acts for {account.name}; this one stands down.",
        f"账户 {account.name} 已由另一个网关负责，本网关退出。",
    )


def _account(name: str) -> Account:
    account = account_named(name)
    if account is None:
        raise _problem(f"There is no account named {name!r}.", f"没有名为“{name}”的账户。")
    return account


def _broker(account: Account, home: Path, arrived: Callable[[], None]) -> QmtBroker:
    number = account.broker_account_id
    session = first_session(account.pk)
    if account.mode in SIMULATED:
        tcp_client.use_token(lambda: read_token(home))
        pace = pace_of(AccountMode(account.mode))
        return QmtBroker(xttrader, xttype, lambda: _twin_at(home), session, number, arrived, pace)
    if account.mode != AccountMode.LIVE:
        raise _problem(
            f"Accounts of mode {account.mode} have no gateway.",
            f"模式为 {account.mode} 的账户没有网关。",
        )
    try:
        real_xttrader, real_xttype = vendor.load("xttrader"), vendor.load("xttype")
    except GatewayUnavailable as problem:
        raise CommandError(str(problem)) from None
    folder = account.terminal_folder or os.environ.get("MINIQMT_QMT_PATH", "")
    sessions = Sessions(session, Path(folder))
    return QmtBroker(
        real_xttrader, real_xttype, lambda: _userdata(folder), sessions, number, arrived
    )


def _userdata(folder: str) -> str:
    """Return the folder when it can be one; what is wrong with it is the gateway's reason, until it is put right."""
    wrong = folder_problem(folder)
    if wrong is not None:
        raise NoSession(wrong)
    return folder


def _twin_at(home: Path) -> str:
    address = terminal_address(home)
    if address is None:
        raise GatewayUnavailable("no paper terminal has been started here")
    return address


def _problem(en: str, zh: str) -> CommandError:
    text = Text(en, zh)
    return CommandError(f"{text.en} {text.zh}")
