"""What the gateway's process does again and again: step, and protect the account while the worker does not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Protocol

from trading.domain.calendar import MarketPhase, TradingCalendar, phase_at
from trading.domain.pace import Pace
from trading.domain.types import GatewayStatus, Text
from trading.models import EventLevel, TickLease
from trading.ports import QuoteReader
from trading.services.events import journal
from trading.services.runner import TICKS, TickSpec, lease_name, market_times, run_tick

log = logging.getLogger(__name__)

#: Seconds between two steps while there may be something to do, and otherwise.
BUSY, IDLE = 1.0, 2.0
#: A tick is missing after `LATE` periods, but never sooner than this: a busy machine is late now and then.
MISSING_AFTER = timedelta(seconds=4)
#: Nobody has started a tick for so many periods: the gateway runs it itself, and then again after so many. A lease is
#: free after half a period, so between two runs of ours every period of a worker that is back finds its turn.
LATE, AGAIN = 2.0, 1.5


class Steppable(Protocol):
    """The gateway, as far as its loop is concerned."""

    status: GatewayStatus

    def nudge(self) -> None: ...

    def distrust(self, why: Text | None, now: datetime) -> None: ...

    def step(self, now: datetime) -> bool: ...


class TickWatch:
    """Whether somebody else runs a tick, by a monotonic timer: no step of the system's clock deceives it."""

    def __init__(self, spec: TickSpec, pace: Pace = Pace()) -> None:  # noqa: B008 - immutable
        self.spec = spec
        self.is_missing = False
        self._period = pace.period(spec.period).total_seconds()
        self._started: datetime | None = None  # the newest start in the row, whoever's
        self._seen_at: float | None = None
        self._ran_at: float | None = None

    def look(self, started: datetime | None, at: float) -> None:
        """Note when the tick last started; somebody's start since the last look ends an outage."""
        if self._seen_at is None or started != self._started:
            self._seen_at, self.is_missing = at, False
        elif at - self._seen_at > max(LATE * self._period, MISSING_AFTER.total_seconds()):
            self.is_missing = True
        self._started = started

    def is_ours(self, at: float) -> bool:
        """Whether it is missing and our turn to run it."""
        again = self._ran_at is None or at - self._ran_at >= AGAIN * self._period
        return self.is_missing and again

    def ran_here(self, started: datetime | None, at: float) -> None:
        """We ran it ourselves: that is nobody's coming back."""
        self._started, self._ran_at = started, at

    def forget(self) -> None:
        """Nobody needs the tick now: count from when somebody does."""
        self._seen_at, self.is_missing = None, False


class Protection:
    """Runs the ticks of one account that the worker does not run, and says so once per outage."""

    def __init__(
        self,
        account_id: int,
        quotes: QuoteReader,
        nudge: Callable[[], None],
        real: Callable[[], datetime],
        monotonic: Callable[[], float],
        ticks: Iterable[TickSpec] = TICKS.values(),
        pace: Pace = Pace(),  # noqa: B008 - immutable
    ) -> None:
        self._account_id, self._quotes, self._nudge = account_id, quotes, nudge
        self._real, self._monotonic = real, monotonic
        self._watches = [TickWatch(spec, pace) for spec in ticks]
        self.is_active = False

    def step(self, now: datetime, phase: MarketPhase) -> None:
        """Look after every tick that is of use at this market time; run those that are missing and due."""
        started = self._starts()
        for watch in self._watches:
            if not watch.spec.useful(phase, now):
                watch.forget()
                continue
            watch.look(started.get(self._name(watch)), self._monotonic())
        missing = [watch for watch in self._watches if watch.is_missing]
        self._tell(missing, now)
        for watch in missing:
            self._run(watch)

    def pause(self) -> None:
        """Nothing can be done for the account now, such as without a terminal."""
        for watch in self._watches:
            watch.forget()

    def _run(self, watch: TickWatch) -> None:
        at = self._monotonic()
        if not watch.is_ours(at):
            return
        ran = run_tick(
            watch.spec, self._quotes, lambda _: self._nudge(), self._real, self._account_id
        )
        if ran:
            watch.ran_here(self._starts().get(self._name(watch)), at)

    def _tell(self, missing: list[TickWatch], now: datetime) -> None:
        if bool(missing) == self.is_active:
            return
        self.is_active = not self.is_active
        if missing:
            names = ", ".join(watch.spec.name for watch in missing)
            text = Text(
                f"The worker is late ({names}): the gateway runs the account's ticks itself until it is back.",
                f"任务进程超时未运行（{names}）：在其恢复之前由网关自行执行本账户的检查。",
            )
            level, code = EventLevel.ALARM, "PROTECTIVE_PASS"
        else:
            text = Text(
                "Back to normal: the worker runs the ticks.", "已恢复正常：由任务进程执行检查。"
            )
            level, code = EventLevel.INFO, "PROTECTIVE_PASS_OVER"
        log.warning("%s", text.en)
        journal(self._account_id, level, code, text, now)

    def _name(self, watch: TickWatch) -> str:
        return lease_name(watch.spec, self._account_id)

    def _starts(self) -> dict[str, datetime | None]:
        names = [self._name(watch) for watch in self._watches]
        return dict(TickLease.objects.filter(name__in=names).values_list("name", "started_at"))


class GatewayLoop:
    """One cycle after the other, over any gateway; `cycle` returns how many seconds to wait.

    `clock` says why the machine's clock cannot be relied on, None when it can.
    """

    def __init__(
        self,
        account_id: int,
        gateway: Steppable,
        protection: Protection,
        calendar: TradingCalendar,
        real: Callable[[], datetime],
        clock: Callable[[datetime, MarketPhase], Text | None] = lambda now, phase: None,
    ) -> None:
        self._account_id, self._gateway, self._protection = account_id, gateway, protection
        self._calendar, self._real, self._clock = calendar, real, clock
        self._distrust: Text | None = None

    def now(self) -> datetime | None:
        """Return the account's market time, None when it is disabled."""
        due = market_times(self._real(), self._account_id)
        return due[0].now if due else None

    def cycle(self) -> float:
        now = self.now()
        if now is None:
            return IDLE
        phase = phase_at(self._calendar, now)
        distrust = self._clock(now, phase)
        if distrust != self._distrust:
            self._gateway.distrust(distrust, now)
            self._distrust = distrust
        self._gateway.step(now)
        if self._gateway.status is not GatewayStatus.ARMED:
            self._protection.pause()
            return BUSY if phase is not MarketPhase.CLOSED else IDLE
        self._protection.step(now, phase)
        if self._protection.is_active:
            self._gateway.step(self.now() or now)  # what has just been decided goes out at once
        return BUSY if phase is not MarketPhase.CLOSED else IDLE
