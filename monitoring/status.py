"""What runs in a data directory, how long already, and whether every holding is protected: `manage.py status`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, InterfaceError

from monitoring.console.health import process_views, tick_starts, ticks_of
from monitoring.console.machines import with_machines
from monitoring.console.values import ProcessView, TickView
from monitoring.doctor.signs import Up, alive, up_state
from monitoring.run_file import read_run_file
from monitoring.services.unprotected import Holdings, holdings_of
from monitoring.supervisor import State
from trading.domain.protection import Protection
from trading.domain.types import AccountMode, GatewayStatus, TradingState
from trading.errors import GatewayUnavailable
from trading.models import Account
from trading.services.calendar import load_calendar
from trading.services.clock import environment_of, market_at, read_clocks
from trading.services.protection import gateway_alive, gateway_heard_at
from trading.services.shared_quotes import quotes_of_thread

#: Of the JSON; it changes only when a name in it changes its meaning or goes.
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """One account. `holdings` None: no quotes can be read, so nobody knows. `ticks`: the newest run of each."""

    name: str
    mode: AccountMode
    trading_state: TradingState
    gateway: GatewayStatus
    gateway_alive: bool
    holdings: Holdings | None
    ticks: Sequence[TickView]

    @property
    def unprotected(self) -> int | None:
        """How many holdings no stop-loss protects, None when nobody knows."""
        if self.holdings is None:
            return None
        return sum(len(symbols) for symbols in self.holdings.without.values())


@dataclass(frozen=True, slots=True)
class Status:
    """Everything at one moment (real time). `by_hand`: processes that live without `up`. `problem`: of the database."""

    at: datetime
    up: Up
    since: datetime | None
    web: str
    processes: Sequence[ProcessView]
    by_hand: Sequence[str]
    accounts: Sequence[AccountStatus]
    problem: str

    @property
    def exit_code(self) -> int:
        """0: all runs and is protected; 1: something is off; 2: nothing looks after the accounts, or nobody knows."""
        if self.problem or self.up is Up.HANGS or (self.up is Up.NONE and not self.by_hand):
            return 2
        down = any(one.state not in (State.RUNNING, State.STARTING) for one in self.processes)
        open_ = [one for one in self.accounts if one.holdings is None or one.holdings.is_open]
        off = any(one.unprotected != 0 or not one.gateway_alive for one in open_)
        return int(down or off or any(tick.is_late for one in self.accounts for tick in one.ticks))


def status_of(home: Path, real: datetime, database: bool = True) -> Status:
    """Look at everything; a database that is away is said in `problem`. `database` False: there is none yet."""
    state, run = up_state(home, real), read_run_file(home)
    # A file of an `up` that is gone tells of processes that are gone too.
    views = process_views(run) if state is not Up.NONE else []
    accounts: Sequence[AccountStatus] = ()
    problem = ""
    if database:
        try:
            accounts = _accounts(real)
            views = with_machines(settings.MINIQMT_MACHINE, views)
        except (DatabaseError, InterfaceError) as failure:
            problem = str(failure).strip() or type(failure).__name__
    return Status(
        at=real,
        up=state,
        since=min((one.since for one in views if one.since is not None), default=None),
        web=str(run.get("web", "")) if state is not Up.NONE else "",
        processes=views,
        by_hand=tuple(alive(home, real)) if state is Up.NONE else (),
        accounts=accounts,
        problem=problem,
    )


def _accounts(real: datetime) -> list[AccountStatus]:
    clocks, calendar, starts, quotes = (
        read_clocks(),
        load_calendar(),
        tick_starts(),
        quotes_of_thread(),
    )
    found = []
    for account in Account.objects.filter(enabled=True).order_by("pk"):
        mode = AccountMode(account.mode)
        clock = clocks.get(environment_of(mode))
        try:
            holdings = holdings_of(account, real, quotes, calendar)
        except GatewayUnavailable:
            holdings = None
        gateway = GatewayStatus(account.gateway_status)
        found.append(
            AccountStatus(
                name=account.name,
                mode=mode,
                trading_state=TradingState(account.trading_state),
                gateway=gateway,
                gateway_alive=gateway_alive(gateway, gateway_heard_at(account, clock), real),
                holdings=holdings,
                ticks=ticks_of(account.pk, starts, calendar, market_at(clock, real), real),
            )
        )
    return found


def plain(status: Status) -> dict[str, object]:
    """Return what JSON can carry; the names are kept (`SCHEMA`)."""
    return {
        "schema": SCHEMA,
        "at": status.at.isoformat(),
        "exit_code": status.exit_code,
        "up": status.up.value,
        "since": _iso(status.since),
        "uptime_seconds": None if status.since is None else _seconds(status.at - status.since),
        "web": status.web,
        "processes": [
            {
                "name": one.name,
                "state": one.state,
                "since": _iso(one.since),
                "restarts": one.restarts,
                "why_en": one.story.en,
                "why_zh": one.story.zh,
            }
            for one in status.processes
        ],
        "by_hand": list(status.by_hand),
        "accounts": [_plain_account(one) for one in status.accounts],
        "problem": status.problem,
    }


def _plain_account(one: AccountStatus) -> dict[str, object]:
    without: dict[Protection, Sequence[object]] = (
        dict(one.holdings.without) if one.holdings else {}
    )
    return {
        "name": one.name,
        "mode": one.mode.value,
        "trading_state": one.trading_state.value,
        "gateway": one.gateway.value,
        "gateway_alive": one.gateway_alive,
        "holdings": None if one.holdings is None else one.holdings.count,
        "unprotected": one.unprotected,
        "reasons": {reason.value: list(symbols) for reason, symbols in without.items()},
        "ticks": [
            {"name": tick.name, "started": _iso(tick.started_at), "late": tick.is_late}
            for tick in one.ticks
        ],
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _seconds(span: timedelta) -> int:
    return int(span.total_seconds())
