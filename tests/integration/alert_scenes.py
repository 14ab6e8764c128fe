"""A desk of alerts for tests: events are written, time passes, rounds are made, and what came of it is read."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitoring.alerts import sender
from monitoring.alerts.channels import Answer
from monitoring.alerts.collect import collect
from monitoring.alerts.deliver import deliver, file_unsent
from monitoring.models import Alert, AlertChannel, AlertDelivery, Severity
from trading.domain.types import Text
from trading.models import Account, EventLevel
from trading.services.events import journal

NUMBER = "8800123456"
REAL = datetime(2026, 8, 10, 4, 0, tzinfo=UTC)  # noon in China


class AlertDesk:
    """One account, real time under the test's control, and everything that would be sent kept in `sent`."""

    def __init__(self, home: Path, now: datetime = REAL) -> None:
        self.home, self.now = home, now
        self.account = Account.objects.create(name="demo", broker_account_id=NUMBER, mode="demo")
        self.sent: list[tuple[str, Mapping[str, str]]] = []
        self.works = True

    def channel(self, name: str = "ops", **fields: object) -> AlertChannel:
        values = {"url": f"json://127.0.0.1/{name}", "minimum": Severity.INFO, **fields}
        return AlertChannel.objects.create(name=name, **values)

    def event(
        self,
        code: str,
        en: str = "it happened",
        zh: str = "发生",
        *,
        symbol: str = "",
        level: EventLevel = EventLevel.ALARM,
    ) -> None:
        journal(self.account.pk, level, code, Text(en, zh), self.now, symbol=symbol)

    def round(self, after: float = 10) -> None:
        """Let seconds pass, then make alerts, deliver what is due, and write down what nobody took."""
        self.now += timedelta(seconds=after)
        collect(self.now, self.home)
        deliver(self._send, lambda: self.now)
        file_unsent(self.now, self.home)

    def told(self, name: str = "ops") -> list[str]:
        """The titles that went to a channel."""
        return [one["title"] for url, one in self.sent if url.endswith(f"/{name}")]

    def alerts(self) -> list[str]:
        return list(Alert.objects.order_by("pk").values_list("code", flat=True))

    def states(self) -> list[str]:
        rows = AlertDelivery.objects.order_by("pk")
        return [str(state) for state in rows.values_list("state", flat=True)]

    def _send(self, url: str, messages: Sequence[Mapping[str, str]]) -> list[Answer]:
        if not self.works:
            return [Answer(False, "refused") for _ in messages]
        self.sent += [(url, one) for one in messages]
        return [Answer(True, "ok") for _ in messages]


def send_here(url: str, messages: Sequence[Mapping[str, str]]) -> list[Answer]:
    """Send with the real library in this process: a new one for each test would be slow."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of modules that it imports
        return [Answer(one["ok"], one["answer"]) for one in sender.send(url, messages)]
