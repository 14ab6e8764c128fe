"""`manage.py shadow ACCOUNT`: the gateway of a shadow account, with the twin of its terminal in the same process.

It works like any gateway, with the quotes of the real market, and cannot send: nothing that this process can import
reaches a real terminal (tests/architecture/test_shadow.py), and the vendor's library is locked out of it.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from trading.broker.gateway import Gateway
from trading.broker.qmt import QmtBroker
from trading.domain.calendar import TradingCalendar
from trading.domain.instruments import Instrument
from trading.domain.types import AccountMode, GatewayStatus, Symbol, Text
from trading.management.gateway_run import account_named, desk_of, run_gateway
from trading.management.known_days import calendar_known_on
from trading.management.one_instance import Alive, AlreadyRunning, gateway_lock, one_instance
from trading.management.waiting import StopSignal
from trading.models import Account, AccountCopy
from trading.paper import xttrader, xttype
from trading.paper.exchange import Exchange
from trading.paper.shadow import ShadowMarket, open_shadow
from trading.paper.store import Store
from trading.ports import QuoteReader
from trading.selectors import instruments_of, symbols_of_interest
from trading.services.accounts import fee_schedule
from trading.services.clock import market_time
from trading.services.desk import AccountDesk
from trading.services.gateway_lease import END_AFTER
from trading.services.kill_switch import kill_file
from trading.services.shadow import begin_with, copy_to_begin_with, goes_on, holdings_of
from trading.services.shared_quotes import open_quotes

log = logging.getLogger(__name__)

#: The vendor's library cannot be imported in this process, whoever asks.
LOCKED_OUT = ("xtquant", "xtquant.xttrader", "xtquant.xtdata", "xtquant.xttype")
#: Seconds the reading of the real account may take; it is a process of its own.
READING = 60.0


class Command(BaseCommand):
    help = "Runs a shadow account: live quotes, recorded orders, none sent. 运行影子账户：只记录，不报单。"
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", help="name of the shadow account 影子账户名称")

    def handle(self, *args: Any, **options: Any) -> None:
        lock_out()
        account, home = _account(options["account"]), Path(settings.HOME)
        try:
            with one_instance(home / gateway_lock(account.pk)) as alive:
                self._run(account, home, alive)
        except AlreadyRunning:
            raise _problem(
                f"{account.name} is already running.", f"账户 {account.name} 已在运行。"
            ) from None

    def _run(self, account: Account, home: Path, alive: Alive) -> None:
        stop = StopSignal()
        calendar, quotes = calendar_known_on(timezone.localdate()), open_quotes()
        _read_again(account)
        path = home / f"shadow-{account.pk}.sqlite3"
        shadow = open_market(account, path, calendar, quotes, timezone.now())
        with closing(shadow):
            desk = desk_of(account, quotes, calendar)
            gateway = shadow.gateway(account, desk, stop.wake)
            self.stdout.write(
                f"Shadow {account.name} is running; nothing is sent. 影子账户已启动，不发出委托。"
            )
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
                END_AFTER.total_seconds,
                lambda _stand_down, _now: _problem(
                    f"Another process acts for {account.name}; this one ends.",
                    f"账户 {account.name} 已由另一进程负责，本进程退出。",
                ),
            )


def lock_out() -> None:
    """Make every import of the vendor's library fail in this process, from now on."""
    for name in LOCKED_OUT:
        sys.modules[name] = None  # type: ignore[assignment]


class Shadowing:
    """The gateway with its market: quotes are shown before it looks, and what it sent is met before it goes on."""

    def __init__(self, gateway: Gateway, market: ShadowMarket) -> None:
        self._gateway, self._market = gateway, market

    @property
    def status(self) -> GatewayStatus:
        return self._gateway.status

    @status.setter
    def status(self, status: GatewayStatus) -> None:
        self._gateway.status = status

    @property
    def over(self) -> Text | None:
        return self._gateway.over

    def nudge(self) -> None:
        self._gateway.nudge()

    def distrust(self, why: Text | None, now: datetime) -> None:
        self._gateway.distrust(why, now)

    def step(self, now: datetime) -> bool:
        self._market.step(now)
        changed = self._gateway.step(now)
        self._market.step(now)
        return self._gateway.step(now) or changed

    def close(self, now: datetime) -> None:
        self._gateway.close(now)


class OpenMarket:
    """The twin of one shadow account, with the file that remembers it."""

    def __init__(self, market: ShadowMarket, store: Store, address: str) -> None:
        self.market, self._store, self._address = market, store, address
        market.serve(address)

    def gateway(
        self, account: Account, desk: AccountDesk, arrived: Callable[[], None] = lambda: None
    ) -> Shadowing:
        """Return the gateway that works with it. Its session ends each day before the open, as a real one does."""
        number = account.broker_account_id
        broker = QmtBroker(xttrader, xttype, self._address, 100, number, arrived)
        gateway = Gateway(broker, desk, killed=lambda: kill_file(account.name), one_session=True)
        return Shadowing(gateway, self.market)

    def close(self) -> None:
        self._store.close()


def open_market(
    account: Account, path: Path, calendar: TradingCalendar, quotes: QuoteReader, real: datetime
) -> OpenMarket:
    """Open the twin: anew with the newest copy of the real account, or where it stood. Raises CommandError."""
    now = market_time(AccountMode.SHADOW, real)
    copy = copy_to_begin_with(account, now)
    if copy is None and not path.exists():
        raise _problem(
            f"{account.name} has nothing to begin with: `python manage.py account_copy {account.name}`.",
            f"{account.name} 没有可用的副本：请先运行 `python manage.py account_copy {account.name}`。",
        )
    if copy is not None:
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()
    instruments: dict[Symbol, Instrument] = {}
    exchange, store = Exchange(calendar, instruments), Store(path)
    market = ShadowMarket(
        exchange,
        instruments,
        store,
        quotes,
        lambda: symbols_of_interest(account.pk),
        instruments_of,
        since=now,
    )
    if copy is not None:
        _hold(account, copy, exchange, instruments, now)
        market.terminal.step(now)  # in its file, before the ledger says that it began
        begin_with(account, copy, real, now)
    else:
        goes_on(account, now)
    return OpenMarket(market, store, f"memory://shadow-{account.pk}")


def _hold(
    account: Account,
    copy: AccountCopy,
    exchange: Exchange,
    instruments: dict[Symbol, Instrument],
    now: datetime,
) -> None:
    holdings = holdings_of(copy)
    instruments.update(instruments_of([symbol for symbol, _, _ in holdings]))
    number, fees = account.broker_account_id, fee_schedule(account)
    open_shadow(number, copy.cash, holdings, fees, exchange, now.date())


def _read_again(account: Account) -> None:
    """Have the real account read by a process of its own, which only reads; what it cannot do is in its words."""
    if not account.terminal_folder:
        return
    manage = Path(settings.BASE_DIR) / "manage.py"
    command = [sys.executable, str(manage), "account_copy", account.name]
    try:
        done = subprocess.run(command, capture_output=True, timeout=READING, check=False)
    except (OSError, subprocess.TimeoutExpired) as problem:
        log.warning("the real account was not read: %s", problem)
        return
    if done.returncode:
        log.warning(
            "the real account was not read: %s", done.stderr.decode("utf-8", "replace")[-300:]
        )


def _account(name: str) -> Account:
    account = account_named(name)
    if account is None or account.mode != AccountMode.SHADOW:
        raise _problem(
            f"There is no shadow account named {name!r}: the console's page “Going live” makes it.",
            f"没有名为“{name}”的影子账户：请在控制台“上线路径”页面建立。",
        )
    return account


def _problem(en: str, zh: str) -> CommandError:
    text = Text(en, zh)
    return CommandError(f"{text.en} {text.zh}")
