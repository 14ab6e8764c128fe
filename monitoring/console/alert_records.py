"""Alerts for their page: what stands first needs a person, then everything in the order of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.db.models import Q

from monitoring.alerts.names import name_of
from monitoring.alerts.sources import IN_MARKET_TIME
from monitoring.console.paging import Place, Source, page_of
from monitoring.console.search_fields import choice, containing
from monitoring.models import Alert, AlertChannel, AlertDelivery, Category, Heartbeat, Severity
from trading.domain.types import Text
from trading.models import Account
from trading.models.fields import both
from trading.services.reach import Reach

#: Words of the filter by state.
UNACKNOWLEDGED, STANDING, OVER, ACKNOWLEDGED = "unacknowledged", "standing", "over", "acknowledged"
_STATES = [
    (UNACKNOWLEDGED, both("to be acknowledged", "待确认")),
    (ACKNOWLEDGED, both("acknowledged", "已确认")),
    (STANDING, both("not over", "未解除")),
    (OVER, both("over", "已解除")),
]
_TONES = {Severity.WARNING: "calm", Severity.ALARM: "bad", Severity.CRITICAL: "bad"}
_DELIVERED = {
    AlertDelivery.State.SENT: "good",
    AlertDelivery.State.FAILED: "bad",
    AlertDelivery.State.WAITING: "calm",
}


class AlertForm(forms.Form):
    """What to look for; a bad value is named and not applied, every other one is."""

    severity = choice(both("Severity from", "最低级别"), Severity.choices)
    category = choice(both("Category", "类别"), Category.choices)
    state = choice(both("State", "状态"), _STATES)
    account = choice(both("Account", "账户"), [])
    words = forms.CharField(
        label=both("Code, symbol or words", "代码或关键词"),
        required=False,
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, data: Mapping[str, Any], reach: Reach) -> None:
        super().__init__(data)
        field = self.fields["account"]
        assert isinstance(field, forms.ChoiceField)
        names = [
            (str(pk), name)
            for pk, name in reach.rows(Account.objects.all()).values_list("pk", "name")
        ]
        field.choices = [("", both("all", "全部")), *names]
        if len(names) < 2:
            field.widget = forms.HiddenInput()

    def rows(self) -> Q:
        """Select what was asked for."""
        self.is_valid()
        asked = self.cleaned_data
        wanted = Q()
        if asked.get("severity"):
            wanted &= Q(severity__gte=int(asked["severity"]))
        if asked.get("category"):
            wanted &= Q(category=asked["category"])
        if asked.get("account"):
            wanted &= Q(account=int(asked["account"]))
        if asked.get("words"):
            wanted &= containing(asked["words"], "code", "symbol", "text_zh", "text_en")
        return wanted & _in_state(asked.get("state", ""))


def unacknowledged() -> Q:
    """Select alerts that a person has to acknowledge and nobody has."""
    return Q(severity__gte=Severity.CRITICAL, acknowledged_at=None, about=None)


def _in_state(state: str) -> Q:
    return {
        UNACKNOWLEDGED: unacknowledged(),
        ACKNOWLEDGED: Q(acknowledged_at__isnull=False),
        STANDING: Q(over_at=None, about=None),
        OVER: Q(over_at__isnull=False),
    }.get(state, Q())


@dataclass(frozen=True, slots=True)
class DeliveryLine:
    """One channel, and what became of the alert there."""

    channel: str
    state: str
    tone: str
    at: datetime | None
    answer: str


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """One alert as it is shown; `first`, `last`, `over_at` are market time if `of_market`, everything else is real."""

    pk: int
    account: str
    code: str
    name: Text
    symbol: str
    severity: str
    tone: str
    category: str
    words: Text
    count: int
    first: datetime
    last: datetime
    of_market: bool
    made_at: datetime
    is_end: bool
    over_at: datetime | None
    needs_person: bool
    acknowledged_at: datetime | None
    acknowledged_by: str
    escalated_at: datetime | None
    filed_at: datetime | None
    deliveries: tuple[DeliveryLine, ...]


@dataclass(frozen=True, slots=True)
class ChannelLine:
    """One channel and whether it works. The address is not among this."""

    name: str
    service: str
    enabled: bool
    last_sent_at: datetime | None
    last_problem: str


@dataclass(frozen=True, slots=True)
class AlertPage:
    """One page of alerts, newest first, and what sends them."""

    records: tuple[AlertRecord, ...]
    older: Place | None
    unacknowledged: int
    channels: tuple[ChannelLine, ...]
    heartbeat: Heartbeat | None


def alert_page(form: AlertForm, after: Place | None, reach: Reach) -> AlertPage:
    """Read one page; of accounts that are seen, and what is of none only for whoever sees all; the number of queries does not depend on how much is on it."""
    seen = reach.rows(Alert.objects.all())
    rows = seen.filter(form.rows()).select_related("account")
    page = page_of([Source(rows, "made_at")], after)
    alerts = [row for _, row in page.rows]
    sent: dict[int, list[DeliveryLine]] = {alert.pk: [] for alert in alerts}
    lines = AlertDelivery.objects.filter(alert__in=sent).select_related("channel")
    for row in lines.order_by("pk"):
        state = AlertDelivery.State(row.state)
        at = row.sent_at or (row.next_attempt_at if state == AlertDelivery.State.WAITING else None)
        tone = _DELIVERED.get(state, "")
        line = DeliveryLine(row.channel.name, str(state.label), tone, at, row.answer)
        sent[row.alert_id].append(line)
    return AlertPage(
        tuple(_record(alert, tuple(sent[alert.pk])) for alert in alerts),
        page.older,
        seen.filter(unacknowledged()).count(),
        tuple(
            ChannelLine(one.name, one.masked_url, one.enabled, one.last_sent_at, one.last_problem)
            for one in reach.rows(AlertChannel.objects.order_by("name"))
        ),
        reach.rows(Heartbeat.objects.all()).first(),
    )


def _record(alert: Alert, deliveries: tuple[DeliveryLine, ...]) -> AlertRecord:
    severity = Severity(alert.severity)
    return AlertRecord(
        pk=alert.pk,
        account="" if alert.account is None else alert.account.name,
        code=alert.code,
        name=name_of(alert.code),
        symbol=alert.symbol,
        severity=str(severity.label),
        tone=_TONES.get(severity, ""),
        category=str(Category(alert.category).label),
        words=Text(alert.text_en, alert.text_zh),
        count=alert.count,
        first=alert.first_at,
        last=alert.last_at,
        of_market=alert.source in IN_MARKET_TIME,
        made_at=alert.made_at,
        is_end=alert.about_id is not None,
        over_at=alert.over_at,
        needs_person=alert.pages and alert.acknowledged_at is None and alert.about_id is None,
        acknowledged_at=alert.acknowledged_at,
        acknowledged_by=alert.acknowledged_by,
        escalated_at=alert.escalated_at,
        filed_at=alert.filed_at,
        deliveries=deliveries,
    )
