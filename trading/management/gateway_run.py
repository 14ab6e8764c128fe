"""A gateway's process from its first turn to its last, whichever terminal it works with."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from django.conf import settings
from django.core.management.base import CommandError
from django.db import DatabaseError

from trading.domain.calendar import TradingCalendar
from trading.domain.types import AccountMode, Text
from trading.errors import StandDown
from trading.management.change_watch import ChangeWatch
from trading.management.clock_guard import ClockGuard
from trading.management.gateway_cycles import Cycles
from trading.management.gateway_loop import GatewayLoop, Protection, Steppable
from trading.management.one_instance import Alive
from trading.management.waiting import StopSignal, await_database
from trading.management.watchdog import Keeper, Watchdog
from trading.models import Account
from trading.ports import QuoteReader
from trading.services.calendar import load_calendar
from trading.services.database_clock import ahead_of_database
from trading.services.desk import AccountDesk
from trading.services.gateway_lease import RENEW, TTL, Lease, place_of
from trading.services.nudges import NudgeListener
from trading.services.pace import pace_of

log = logging.getLogger(__name__)


class AnyGateway(Steppable, Protocol):
    """The gateway, as far as its process is concerned."""

    @property
    def over(self) -> Text | None: ...

    def close(self, now: datetime) -> None: ...


def account_named(name: str) -> Account | None:
    """Return the account; waits for a database that cannot be reached. Raises CommandError when it still cannot."""
    await_database()
    try:
        return Account.objects.filter(name=name).first()
    except DatabaseError:
        raise CommandError(
            "The database cannot be read: see DATABASE_URL; a new one needs `python manage.py migrate` first."
            " 无法读取数据库：请检查 DATABASE_URL；新数据库须先运行 `python manage.py migrate`。"
        ) from None


def desk_of(account: Account, quotes: QuoteReader, calendar: TradingCalendar) -> AccountDesk:
    """Return the account's desk under the lease that only one process of all machines holds."""
    lease = Lease(account.pk, place_of(Path(settings.HOME)), TTL, settings.MINIQMT_MACHINE)
    return AccountDesk(account.pk, quotes, calendar, pace_of(AccountMode(account.mode)), lease)


def _loop_of(
    account: Account,
    gateway: AnyGateway,
    quotes: QuoteReader,
    calendar: TradingCalendar,
    real: Callable[[], datetime],
) -> GatewayLoop:
    """Return what the process does again and again: step, protect, and doubt the machine's clock."""
    pace, clock = pace_of(AccountMode(account.mode)), time.monotonic
    protection = Protection(account.pk, quotes, gateway.nudge, real, clock, pace=pace)
    guard = ClockGuard(account.pk, quotes, real, clock, pace, partial(ahead_of_database, real))
    return GatewayLoop(account.pk, gateway, protection, calendar, real, guard)


def run_gateway(
    account: Account,
    gateway: AnyGateway,
    desk: AccountDesk,
    quotes: QuoteReader,
    calendar: TradingCalendar,
    stop: StopSignal,
    alive: Alive,
    real: Callable[[], datetime],
    patience: Callable[[], float],
    stood_down: Callable[[StandDown, datetime], CommandError],
) -> None:
    """Turn until a signal says stop. `patience`: seconds a turn may take now, before the process ends itself.

    Raises what `stood_down` makes of it, at a market time, when another process acts for the account, and CommandError
    when the session is over, or the trading days are others than the `calendar` it began with: a new process opens the
    next one.
    """
    loop = _loop_of(account, gateway, quotes, calendar, real)
    # The same object as long as no day changed.
    days = ChangeWatch(calendar, load_calendar)
    watchdog = Watchdog(patience, time.monotonic)
    keeper = Keeper(desk.renew, watchdog, RENEW.total_seconds(), time.monotonic)
    cycles = Cycles(account.pk, loop, keeper, real, time.monotonic)
    listener = NudgeListener(settings.REDIS_URL, account.pk, stop.wake)
    listener.start()
    watchdog.start()
    try:
        while not stop.asked() and gateway.over is None and not days.changed():
            alive()
            if stop.wait(cycles.turn()):
                gateway.nudge()
    except StandDown as problem:
        raise stood_down(problem, loop.now() or real()) from None
    finally:
        watchdog.feed()  # the terminal's library may hang when it is stopped, too
        listener.stop()
        _close(gateway, loop, desk, real)
        watchdog.stop()
    if gateway.over is not None:
        raise CommandError(
            f"The session of {account.name} is over ({gateway.over.en}): a new process opens the next one."
            f" 账户 {account.name} 的会话已结束（{gateway.over.zh}）：将由新进程重新建立。"
        )
    if not stop.asked():
        raise CommandError(
            f"The trading days have changed: a new process of {account.name} begins with them."
            f" 交易日历已变更：账户 {account.name} 将由新进程按新日历运行。"
        )


def _close(
    gateway: AnyGateway, loop: GatewayLoop, desk: AccountDesk, real: Callable[[], datetime]
) -> None:
    try:
        gateway.close(loop.now() or real())
        desk.release()
    except DatabaseError:
        log.exception("the gateway could not say goodbye")
