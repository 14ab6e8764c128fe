"""The gateway of one account, as an object that is stepped: it acts and observes; ticks decide.

It owns the broker session, and is the only one that moves an order past APPROVED. Everything it knows is in the
database; the services it calls come as an argument (`Desk`), so that it runs the same under a command, a replay or
a simulation. `step(now)` returns at once; no thread, no sleep, no clock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from trading.broker.pushes import PATIENCE, PushWatch
from trading.broker.refusals import NoSession
from trading.broker.renewal import is_due
from trading.domain.arming import confirms
from trading.domain.pace import Pace
from trading.domain.reports import BrokerTrade, ConnectionReport, Event, Snapshot
from trading.domain.types import GatewayStatus, Text
from trading.errors import GatewayUnavailable, OrderRejected, SubmitUncertain
from trading.faults import crash_point
from trading.ports import Agenda, Broker, Claimed, Desk

log = logging.getLogger(__name__)

# All of these measure machines, so they are real time; `Pace` says what that is in market time.
#: Waits between connection attempts, in seconds.
BACKOFF = (2, 4, 8, 16, 30, 60)
#: Start-up compares two snapshots this far apart before it arms (R1).
CONFIRM_AFTER = timedelta(seconds=3)
POLL_BUSY = timedelta(seconds=3)  # R9: while anything is open
POLL_IDLE = timedelta(seconds=10)
#: No snapshot for this long in an armed gateway: stop submitting until one comes (R3).
SNAPSHOT_TOO_OLD = timedelta(seconds=15)
#: The heartbeat an armed gateway leaves in its account's row, at most this often.
BEAT = timedelta(seconds=30)
#: Not one word for this long: the terminal may have been restarted without saying so; connect again.
DEAF = timedelta(seconds=30)
#: So many refusals in a row, and a new process tries: nothing of a library that failed so often is kept.
GIVE_UP_AFTER = 10
#: An unanswered round of queries is asked again after this long.
ASK_AGAIN = timedelta(seconds=8)


class Gateway:
    """See the module. `killed` names the kill file that forbids sending, if there is one. `wanted` may be set by a nudge; `due(now)` says whether a step has anything to do.

    `one_session`: the vendor's library is not used for a second session. When the first one is lost, or of yesterday,
    `over` says why, nothing is done any more, and the process ends; the supervisor starts the next one.
    """

    def __init__(
        self,
        broker: Broker,
        desk: Desk,
        pace: Pace = Pace(),  # noqa: B008 - immutable
        killed: Callable[[], str | None] = lambda: None,
        *,
        one_session: bool = False,
    ) -> None:
        self._one_session = one_session
        self.over: Text | None = None
        self._connected_at: datetime | None = None
        self._login: Text | None = None  # what is wrong with the account's login, as it was pushed
        self._broker, self._desk, self._pace, self._killed = broker, desk, pace, killed
        self._to_latch: str | None = None  # a kill file was seen; the account does not say so yet
        self._distrust: Text | None = None  # of the machine's clock
        self.status = GatewayStatus.OBSERVING
        self.reason = Text("starting", "正在启动")
        self.wanted = True
        #: Whether the terminal is being connected to: that may take a while, and nothing can be sent meanwhile.
        self.connecting = False
        self._epoch = 0
        self._connected = False
        self._failures = 0
        self._next_attempt: datetime | None = None
        self._asked_at: datetime | None = None  # of the round of queries that has not answered yet
        self._last_ask: datetime | None = None
        self._good: Snapshot | None = None
        self._first: Snapshot | None = None  # start-up: the one to be confirmed
        self._open_work = self._in_flight = True
        self._wish: datetime | None = None  # for a snapshot that shows what had happened by then
        self._beat_at: datetime | None = None
        self._looked_at: datetime | None = None
        self._heard_at: datetime | None = None  # anything at all, through this connection
        self._pushes = PushWatch(pace.market(PATIENCE))
        self._lag = pace.market(broker.channel.lag)

    # -- what a driver needs to know

    def due(self, now: datetime) -> bool:
        """Whether `step(now)` could do anything: a nudge, work in flight, or a poll that is due."""
        return (
            self.wanted
            or self._broker.pending
            or self._in_flight
            or not self._connected
            or self._beat_at is None
            or self._blind(now)
            or self._deaf(now)
            or self._poll_due(now)
        )

    @property
    def snapshot_at(self) -> datetime | None:
        """When the newest trusted snapshot was asked for."""
        return self._good.taken_at if self._good is not None else None

    def distrust(self, why: Text | None, now: datetime) -> None:
        """The machine's clock cannot be relied on, and `why`; None: it can again. Meanwhile the gateway observes."""
        self._distrust = why
        if why is None:
            return
        # What was noted by the old time says nothing by the new one: after a step back it would lie in the future.
        self._asked_at = self._last_ask = self._next_attempt = self._looked_at = None
        self._good, self._heard_at = None, now
        self._observing(why, now)

    def nudge(self) -> None:
        """Something was committed for this gateway: look at once."""
        self.wanted = True

    # -- one step

    def step(self, now: datetime) -> bool:
        """Observe, then act; True when the books may have changed. Raises nothing the broker caused."""
        nudged, self.wanted = self.wanted, False
        self._latch_kill(now)
        self._renew(now)
        if self.over is not None:
            return False
        if not self._connected and not self._connect(now):
            # Without a connection nothing answers any more, and the deadline of what was sent passes all the same.
            return self._epoch > 0 and self._overdue(now)
        if self._beat_at is None:
            self._beat(now)  # the database was away when it was to be told
        changed = self._observe(now)
        if not (changed or nudged or now != self._looked_at):
            return False  # only an answer without news came since the agenda was read
        self._looked_at = now
        agenda = self._desk.agenda()
        if agenda.open_work:
            if agenda.submitting or agenda.decided:
                changed |= self._overdue(now)
            if self.status is GatewayStatus.ARMED:
                changed |= self._act(agenda, now)
            if changed:
                agenda = self._desk.agenda()
        self._open_work, self._in_flight = agenda.open_work, agenda.in_flight
        self._wish = agenda.snapshot_wanted
        if self._wished or self._poll_due(now):
            self._ask(now)
        return changed

    def close(self, now: datetime) -> None:
        """Stop in order."""
        self._observing(self.over or Text("stopped", "已停止"), now)
        self._broker.close()
        self._connected = False

    def _renew(self, now: datetime) -> None:
        """The session of yesterday ends before the open: clients are restarted and log in anew in the night."""
        if self._one_session and self._connected and is_due(self._connected_at, now):
            why = Text("a new session for the day", "每日开盘前重新建立会话")
            self._connection(ConnectionReport(False, *why, lost=True), now)

    def _latch_kill(self, now: datetime) -> None:
        """A kill file that was here only while the database was away counts all the same."""
        self._to_latch = self._killed() or self._to_latch
        if self._to_latch is not None:
            self._desk.kill(self._to_latch, now)
            self._to_latch = None

    def _connect(self, now: datetime) -> bool:
        left = self._next_attempt - now if self._next_attempt else timedelta(0)
        longest = self._pace.market(timedelta(seconds=BACKOFF[-1]))
        if timedelta(0) < left <= longest:  # longer: the market's clock was set back
            return False
        if not self._epoch:
            self._epoch = self._desk.take_over(now)
        self.connecting = True
        try:
            self._broker.connect(now)
        except GatewayUnavailable as problem:
            wait = self._back_off(now)
            why = problem.reason if isinstance(problem, NoSession) else Text(*[str(problem)] * 2)
            en = f"no connection ({why.en}); next attempt in {wait} s"
            self._observing(Text(en, f"未连接（{why.zh}），{wait} 秒后重试"), now)
            if self._one_session and self._failures >= GIVE_UP_AFTER:
                self.over = why
            return False
        finally:
            self.connecting = False
        crash_point("gateway.connected")
        self._connected, self._next_attempt, self._connected_at = True, None, now
        self._pushes.connected()
        self._login = None
        self._asked_at = self._last_ask = self._first = self._good = None
        self._heard_at = now
        self._observing(Text("reading the account", "正在读取账户"), now)
        return True

    def _back_off(self, now: datetime) -> int:
        """Wait longer after each failure, until the gateway is armed; return the seconds."""
        wait = BACKOFF[min(self._failures, len(BACKOFF) - 1)]
        self._failures += 1
        self._next_attempt = now + self._pace.market(timedelta(seconds=wait))
        return wait

    def _observe(self, now: datetime) -> bool:
        # A late status of an old connection says nothing about now; its fills happened all the same.
        events = [
            event
            for event in self._broker.drain(now)
            if event.epoch == self._broker.epoch or isinstance(event.report, BrokerTrade)
        ]
        was, changed = self.status, False
        if events:
            self._heard_at = now
            crash_point("gateway.drained")
            changed = self._desk.record(events, now)
            crash_point("gateway.recorded")
        self._watch_pushes(events, now)
        for event in events:
            if isinstance(event.report, Snapshot):
                self._seen(event.report, now)
            elif isinstance(event.report, ConnectionReport):
                self._connection(event.report, now)
        if self._blind(now):
            self._observing(
                Text("the terminal has not answered for 15 s", "终端超过 15 秒没有应答"), now
            )
        if self._deaf(now):
            why = Text("not one answer for 30 s", "超过 30 秒没有任何应答")
            self._connection(ConnectionReport(False, *why, lost=True), now)
        return changed or self.status is not was

    def _blind(self, now: datetime) -> bool:
        """Whether an armed gateway has had no trusted snapshot for too long (R3)."""
        oldest = now - self._pace.market(SNAPSHOT_TOO_OLD)
        too_old = self._good is None or self._good.taken_at < oldest
        return self.status is GatewayStatus.ARMED and too_old

    def _deaf(self, now: datetime) -> bool:
        """Whether an open connection has gone dead: a client that restarts tells nobody (F13)."""
        return (
            self._connected
            and self._heard_at is not None
            and now - self._heard_at > self._pace.market(DEAF)
        )

    def _watch_pushes(self, events: Sequence[Event], now: datetime) -> None:
        if not self._broker.channel.pushes:
            return
        were_dead = self._pushes.dead
        self._pushes.look(events, now)
        if self._pushes.dead != were_dead:
            self._desk.pushes(dead=self._pushes.dead, now=now)

    def _connection(self, report: ConnectionReport, now: datetime) -> None:
        why = report.reason
        self._login = None if report.ok else why
        if report.ok:
            return
        if not report.lost:
            self._observing(why, now)  # the next two readings that agree arm again
            return
        self._observing(Text(f"connection lost: {why.en}", f"连接中断：{why.zh}"), now)
        self._broker.close()
        self._connected = False
        self._back_off(now)
        if self._one_session:
            self.over = why

    def _seen(self, snapshot: Snapshot, now: datetime) -> None:
        self._asked_at = None
        problem = self._desk.problem_with(snapshot)
        if problem is not None:
            self._first = None
            if self.status is not GatewayStatus.ARMED:
                self._observing(problem if snapshot.account_ok else self._login or problem, now)
            return
        self._good = snapshot
        if self.status is GatewayStatus.ARMED:
            if self._beat_at is None or now - self._beat_at >= self._pace.market(BEAT):
                self._beat(now)
        elif self._distrust is not None:
            if self.reason != self._distrust:
                self._observing(self._distrust, now)
        elif self._first is None or not confirms(self._first, snapshot):
            self._first = snapshot
        elif snapshot.as_of - self._first.taken_at >= self._pace.market(CONFIRM_AFTER):
            self.status, self.reason = GatewayStatus.ARMED, Text("armed", "已就绪")
            self._failures, self._beat_at = 0, None
            crash_point("gateway.armed")
            self._beat(now)

    def _beat(self, now: datetime) -> None:
        self._beat_at = None
        self._desk.beat(self.status, self.reason, now)
        self._beat_at = now

    def _observing(self, reason: Text, now: datetime) -> None:
        if (self.status, self.reason) != (GatewayStatus.OBSERVING, reason):
            log.warning("observing: %s", reason.en)
        self.status, self.reason = GatewayStatus.OBSERVING, reason
        self._first = None
        self._beat(now)

    def _overdue(self, now: datetime) -> bool:
        return self._desk.overdue(self._epoch, now, self._broker.channel.lag) > 0

    def _act(self, agenda: Agenda, now: datetime) -> bool:
        # First the ends: an order of an earlier day has a number that may be another order's today.
        changed = agenda.day_ended(now) and self._desk.day_end(self._epoch, now) > 0
        if agenda.approved:
            changed |= self._desk.expire(now) > 0
            changed |= self._send_approved(agenda.approved, now)
        if agenda.to_cancel:
            changed |= self._send_cancels(now)
        return changed

    def _send_approved(self, count: int, now: datetime) -> bool:
        """Send at most as many as the agenda knew: what is approved meanwhile nudges, and has a step of its own."""
        for number in range(count):
            claimed = self._desk.claim_next(self._epoch, now) if self._killed() is None else None
            if claimed is None:
                return number > 0
            self._send(claimed, now)
        return True

    def _send_cancels(self, now: datetime) -> bool:
        changed = False
        seen_at = self._good.as_of if self._good else None
        for broker_order_id in self._desk.claim_cancels(self._epoch, seen_at, now):
            changed = True
            crash_point("gateway.cancel_claimed")
            try:
                self._broker.cancel(broker_order_id)
                crash_point("gateway.cancel_sent")
            except GatewayUnavailable as problem:
                log.warning("cancel of %s was not sent: %s", broker_order_id, problem)
        return changed

    def _send(self, claimed: Claimed, now: datetime) -> None:
        """The one call that can create an order; SUBMITTING is committed, and there is no second attempt."""
        crash_point("gateway.claimed")
        why = self._desk.objection(claimed, now)
        # Nothing comes between these looks and the call, not even a crash point: who halts while the call is under
        # way is too late for this one order.
        if why is None and self._killed() is not None:
            why = "KILL_FILE"
        if why is not None:
            self._desk.hold_back(claimed.order_id, why, self._epoch, now)
            self._latch_kill(now)
            return
        try:
            seq = self._broker.submit(claimed.request)
        except OrderRejected as problem:
            self._desk.refused(claimed.order_id, str(problem), self._epoch, now)
        except SubmitUncertain as problem:
            self._desk.uncertain(claimed.order_id, str(problem), self._epoch, now)
        else:
            crash_point("gateway.submitted")
            self._desk.sent(claimed.order_id, seq, self._epoch, now, self._broker.epoch)
            crash_point("gateway.sent")

    def _poll_due(self, now: datetime) -> bool:
        if not self._connected:
            return False
        if self._asked_at is not None:
            return now - self._asked_at >= self._pace.market(ASK_AGAIN)
        if self._last_ask is None:
            return True
        settled = self.status is GatewayStatus.ARMED and self._good is not None
        busy = self._open_work or self._behind
        wait = (POLL_BUSY if busy else POLL_IDLE) if settled else CONFIRM_AFTER
        return now - self._last_ask >= self._pace.market(wait)

    @property
    def _wished(self) -> bool:
        return self._wish is not None and (self._last_ask is None or self._wish > self._last_ask)

    @property
    def _behind(self) -> bool:
        """Whether what was asked for last may be older than the wish."""
        asked = self._last_ask
        return self._wish is not None and asked is not None and self._wish > asked - self._lag

    def _ask(self, now: datetime) -> None:
        try:
            self._broker.request_snapshot(now)
            crash_point("gateway.asked")
        except GatewayUnavailable as problem:
            log.warning("no snapshot: %s", problem)
        self._asked_at = self._last_ask = now
