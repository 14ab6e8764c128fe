"""Everything measured, in Prometheus' form: out of the value the console shows, rows and files, at the moment it is asked for.

There are several processes, and one truth: nothing is counted in memory. Labels are accounts, ticks, states, codes and
processes: as many as there are of those, whatever is traded.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from django.db.models import Count, Min
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from monitoring.console.values import AccountView, Console
from monitoring.memory import resident_bytes
from monitoring.models import Alert, AlertDelivery, Finding, Heartbeat, Severity
from monitoring.run_file import read_run_file
from monitoring.services.readiness import readiness
from monitoring.task_times import read_task_times
from trading.domain.orders import OrderState
from trading.domain.protection import Protection
from trading.models import Event, Order
from trading.services.clock import market_at

CONTENT_TYPE = CONTENT_TYPE_LATEST
#: Events that say that our books and the broker's differ.
DIFFERENCES = ("POSITION_DIFFERS", "BOOKS_DIFFER", "FILL_NOT_BOOKED", "SOLD_MORE_THAN_HELD")
_DAY = timedelta(hours=24)
#: The ordinary course of a day; everything else leaves a holding without protection.
_ORDINARY = {
    *(Protection.PROTECTED, Protection.MARKET_CLOSED, Protection.ORDER_WORKING, Protection.T1),
}


def metrics(console: Console, home: Path) -> bytes:
    """Return the metrics of the moment the console was read, in Prometheus' text form."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(console, home))
    return generate_latest(registry)


def _gauge(name: str, help_: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"miniqmt_{name}", help_, labels=labels)


class _Collector(Collector):
    """All families at one moment."""

    def __init__(self, console: Console, home: Path) -> None:
        self._real, self._home = console.taken_at, home
        self._accounts = [one for one in console.accounts if one.is_enabled]
        self._quotes_problem = console.quotes_problem

    def collect(self) -> Iterator[Metric]:
        yield from self._ticks()
        yield from self._orders()
        yield from self._health()
        yield from self._holdings()
        yield from self._processes()
        yield from self._alerts()

    def _ticks(self) -> Iterator[Metric]:
        age = _gauge("tick_age_seconds", "Since the tick last began.", "account", "tick")
        lag = _gauge(
            *("tick_lag_seconds", "How far it is behind its period; 0 while it is not needed."),
            *("account", "tick"),
        )
        for account in self._accounts:
            for tick in account.ticks:
                if tick.started_at is None:
                    continue
                seconds = max(0.0, (self._real - tick.started_at).total_seconds())
                late = max(0.0, seconds - tick.period) if tick.is_needed else 0.0
                age.add_metric([account.name, tick.name], seconds)
                lag.add_metric([account.name, tick.name], late)
        took = _gauge("task_duration_seconds", "How long the task took last time.", "task")
        for name, value in sorted(read_task_times(self._home).items()):
            took.add_metric([name], value)
        yield from (age, lag, took)

    def _orders(self) -> Iterator[Metric]:
        states = _gauge("orders_today", "Orders of the market's day.", "account", "state")
        unknown = _gauge("orders_unknown", "Orders whose outcome nobody knows.", "account")
        queue = _gauge(
            "order_queue_age_seconds", "Market seconds the oldest approved order waits.", "account"
        )
        differences = _gauge(
            *("reconciliation_differences", "Differences from the broker's books in 24 hours."),
            "account",
        )
        for account in self._accounts:
            now, rows = (
                market_at(account.clock, self._real),
                Order.objects.filter(account=account.pk),
            )
            today = rows.filter(trade_date=now.date()).values("state").annotate(number=Count("pk"))
            counted = {row["state"]: row["number"] for row in today}
            for state in OrderState:
                states.add_metric([account.name, state.value], counted.get(state.value, 0))
            waiting = rows.filter(state=OrderState.APPROVED).aggregate(at=Min("approved_at"))["at"]
            oldest = 0.0 if waiting is None else max(0.0, (now - waiting).total_seconds())
            queue.add_metric([account.name], oldest)
            unknown.add_metric([account.name], rows.filter(state=OrderState.UNKNOWN).count())
            told = Event.objects.filter(account=account.pk, at__gt=now - _DAY)
            differences.add_metric([account.name], told.filter(code__in=DIFFERENCES).count())
        yield from (states, unknown, queue, differences)

    def _health(self) -> Iterator[Metric]:
        state = readiness(self._real)
        yield _single("ready", "1 when every account may trade.", float(state.ready))
        each = _gauge("account_ready", "1 when this account may trade.", "account")
        for one in state.accounts:
            each.add_metric([one.name], float(not one.reasons))
        yield each
        found = _gauge("findings", "What is wrong and lasts, by code.", "account", "code")
        rows = Finding.objects.values("account__name", "code").annotate(number=Count("pk"))
        for row in rows.order_by("account__name", "code"):
            found.add_metric([row["account__name"], row["code"]], row["number"])
        yield found

    def _holdings(self) -> Iterator[Metric]:
        held = _gauge("holdings", "Holdings by whether they are protected.", "account", "status")
        off = _gauge(
            "protection_off", "Holdings without protection, beyond the ordinary.", "account"
        )
        age = _gauge("quote_age_seconds", "Market seconds, of the oldest holding.", "account")
        for account in self._accounts:
            statuses = [one.status for one in account.holdings]
            for status in Protection:
                held.add_metric([account.name, status.value], statuses.count(status))
            off.add_metric([account.name], sum(one not in _ORDINARY for one in statuses))
            oldest = self._quote_age(account)
            if oldest is not None:
                age.add_metric([account.name], oldest)
        yield from (held, off, age)

    def _quote_age(self, account: AccountView) -> float | None:
        times = [one.quote_at for one in account.holdings if one.quote_at is not None]
        if self._quotes_problem or not times:
            return None  # what is not known is not told
        return max(0.0, (market_at(account.clock, self._real) - min(times)).total_seconds())

    def _processes(self) -> Iterator[Metric]:
        up = _gauge("process_up", "1 while it runs.", "process")
        restarts = _gauge("process_restarts", "How often it was started again.", "process")
        memory = _gauge("process_resident_bytes", "Memory it holds.", "process")
        for row in read_run_file(self._home).get("processes", ()):
            if not isinstance(row, dict):
                continue
            name, pid, again = str(row.get("name")), row.get("pid"), row.get("restarts")
            up.add_metric([name], float(row.get("state") == "running"))
            if isinstance(again, int):
                restarts.add_metric([name], again)
            held = resident_bytes(pid) if isinstance(pid, int) else None
            if held is not None:
                memory.add_metric([name], held)
        yield from (up, restarts, memory)

    def _alerts(self) -> Iterator[Metric]:
        waiting = AlertDelivery.objects.filter(state=AlertDelivery.State.WAITING)
        yield _single("alerts_waiting", "Messages that wait to be sent.", waiting.count())
        due = waiting.filter(next_attempt_at__lte=self._real)
        oldest = due.aggregate(at=Min("next_attempt_at"))["at"]
        age = 0.0 if oldest is None else (self._real - oldest).total_seconds()
        yield _single("alert_queue_age_seconds", "How long the oldest of them is overdue.", age)
        asked = Alert.objects.filter(
            severity__gte=Severity.CRITICAL, acknowledged_at=None, over_at=None, about=None
        )
        yield _single(
            "alerts_unacknowledged", "Critical alerts nobody has acknowledged.", asked.count()
        )
        last = Heartbeat.objects.first()
        if last is not None:
            yield _single(
                "heartbeat_reached", "1 when the monitor outside was reached.", last.reached
            )


def _single(name: str, help_: str, value: float) -> Metric:
    family = _gauge(name, help_)
    family.add_metric([], value)
    return family
