"""From rows to alerts to deliveries: one transaction a round, so that nothing is lost and nothing is told twice."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Q

from monitoring.alerts import rules
from monitoring.alerts.meanings import OVER, Meaning, ends, meaning_of
from monitoring.alerts.silences import SENT_WITHIN
from monitoring.alerts.sources import SOURCES, Cause, Source, starts
from monitoring.models import Alert, AlertChannel, AlertCursor, AlertDelivery, Severity
from trading.domain.types import Text
from trading.models import Account
from trading.services import leases

LEASE, PERIOD = "alerts", timedelta(seconds=10)
#: Rows of one table that one round reads; the next goes on.
ROWS = 100
#: An alert is kept so long; the journal keeps its cause for ever.
KEPT_FOR = timedelta(days=180)
_FORGOTTEN = 500
#: How the text of an end begins.
_OVER = "Over: "
_FOR_DISABLED = Q(channel__enabled=False, state=AlertDelivery.State.WAITING)
_UNTOLD = Text("it was over before it was told", "尚未发送即已恢复")


def collect(now: datetime, home: Path) -> bool:
    """Make alerts of what is new and put them into the outbox. False when somebody else just did. `now` is real time.

    Inside the transaction nobody else writes in a transaction: a number that is missing then is one that was given
    back, or of a single statement that is under way. It is waited for once.
    """
    if not leases.is_due(LEASE, PERIOD, now):
        return False
    if not _has_work(now, home):
        return True  # most rounds: no write lock is taken
    with transaction.atomic():
        if not leases.claim(LEASE, PERIOD, now):
            return False
        round_ = _Round(now)
        for source in SOURCES:
            for cause in _new(source):
                round_.take(cause)
        for cause in _starts(home):
            place = {"position": cause.pk}
            AlertCursor.objects.update_or_create(source=cause.source, defaults=place)
            round_.take(cause)
        round_.tell_repeats()
        round_.give_up_disabled()
        round_.escalate()
        round_.write()
        old = Alert.objects.filter(made_at__lt=now - KEPT_FOR).values_list("pk", flat=True)
        Alert.objects.filter(pk__in=list(old[:_FORGOTTEN])).delete()
    return True


def _has_work(now: datetime, home: Path) -> bool:
    positions = dict(AlertCursor.objects.values_list("source", "position"))
    if any(one.rows().filter(pk__gt=positions.get(one.name, 0)).exists() for one in SOURCES):
        return True
    gathered = Alert.objects.filter(gathers=True, made_at__lte=now - rules.GATHERED_FOR)
    switched_off = AlertDelivery.objects.filter(_FOR_DISABLED)
    if gathered.exists() or switched_off.exists() or _starts(home):
        return True
    return (
        AlertChannel.objects.filter(enabled=True, escalation_minutes__gt=0).exists()
        and Alert.objects.filter(_unanswered(now)).exists()
    )


def _unanswered(now: datetime) -> Q:
    """Select critical alerts that stand and nobody has acknowledged."""
    return Q(
        severity__gte=Severity.CRITICAL,
        acknowledged_at=None,
        over_at=None,
        about=None,
        made_at__gt=now - timedelta(days=1),
    )


def _new(source: Source) -> Iterable[Cause]:
    """Move the cursor over the new rows of a table, up to a hole that was not there before."""
    cursor, _ = AlertCursor.objects.get_or_create(source=source.name)
    place, hole = cursor.position, None
    causes = []
    rows = source.rows().filter(pk__gt=place).order_by("pk")[:ROWS]
    for row in rows:
        is_hole = source.whole and place > 0 and row.pk != place + 1  # 0: numbers begin anywhere
        if is_hole and cursor.hole != place + 1:
            hole = place + 1
            break
        place = row.pk
        cause = source.cause(row)
        if cause is not None:
            causes.append(cause)
    if (place, hole) != (cursor.position, cursor.hole):
        AlertCursor.objects.filter(source=source.name).update(position=place, hole=hole)
    return causes


def _starts(home: Path) -> list[Cause]:
    cursors = AlertCursor.objects.filter(source__startswith="up:")
    known = {row.source.removeprefix("up:"): row.position for row in cursors}
    return starts(home, known)


def rules_of(channel: AlertChannel) -> rules.ChannelRules:
    """Return what a channel wants."""
    return rules.ChannelRules(
        channel.minimum,
        tuple(channel.categories),
        channel.quiet_from,
        channel.quiet_until,
        timedelta(minutes=channel.escalation_minutes),
    )


class _Round:
    """One round at one moment: channels, accounts and what gathers are read once, deliveries are written together."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._channels = list(AlertChannel.objects.filter(enabled=True).order_by("pk"))
        self._accounts = {row.pk: row for row in Account.objects.all()}
        self._gathering = {row.key: row for row in Alert.objects.filter(gathers=True)}
        self._repeated: dict[int, Alert] = {}
        self._outbox: list[AlertDelivery] = []

    def take(self, cause: Cause) -> None:
        """Make an alert of it, count it in one that gathers, or end one."""
        meaning = meaning_of(cause.code, cause.level)
        if ends(cause.code):
            self._end(cause, meaning)
            return
        key = rules.matter(
            cause.account_id, cause.code, cause.symbol, cause.text.en, meaning.apart
        )
        found = self._gathering.get(key)
        if found is not None and found.made_at > self._now - rules.GATHERED_FOR:
            found.count += 1
            found.last_at = cause.at
            self._repeated[found.pk] = found
            return
        if found is not None:
            self._close(found)
        self._gathering[key] = alert = self._make(cause, meaning, key)
        self._send(alert)

    def tell_repeats(self) -> None:
        """Say once how often a matter came again, when its time is over."""
        for alert in list(self._gathering.values()):
            if alert.made_at <= self._now - rules.GATHERED_FOR:
                self._close(alert)

    def give_up_disabled(self) -> None:
        """What waits for a channel that was switched off does not come out when it is switched on again."""
        AlertDelivery.objects.filter(_FOR_DISABLED).update(
            state=AlertDelivery.State.FAILED, answer="the channel is switched off 渠道已停用"
        )

    def escalate(self) -> None:
        """Tell further channels of critical alerts that nobody has acknowledged in their time."""
        further = [one for one in self._channels if one.escalation_minutes]
        if not further:
            return
        told = set(
            AlertDelivery.objects.filter(channel__in=further).values_list("alert", "channel")
        )
        for alert in Alert.objects.filter(_unanswered(self._now)).order_by("pk"):
            due = [one for one in further if self._is_due(alert, one)]
            new = [one for one in due if (alert.pk, one.pk) not in told]
            for channel in new:
                self._deliver(alert, channel)
            if new and alert.escalated_at is None:
                Alert.objects.filter(pk=alert.pk).update(escalated_at=self._now)

    def write(self) -> None:
        """Write down what was counted and what is to be sent."""
        for alert in self._repeated.values():
            Alert.objects.filter(pk=alert.pk).update(count=alert.count, last_at=alert.last_at)
        AlertDelivery.objects.bulk_create(self._outbox, batch_size=500)
        self._repeated.clear()
        self._outbox.clear()

    def _is_due(self, alert: Alert, channel: AlertChannel) -> bool:
        wanted = rules_of(channel)
        is_late = alert.made_at + wanted.escalation <= self._now
        return is_late and rules.wants(wanted, alert.severity, alert.category)

    def _make(self, cause: Cause, meaning: Meaning, key: str, **more: Any) -> Alert:
        account = self._accounts.get(cause.account_id or 0)
        mask = (lambda text: text) if account is None else account.mask
        return Alert.objects.create(
            account=account,
            code=cause.code,
            symbol=cause.symbol,
            severity=meaning.severity,
            category=meaning.category,
            text_en=mask(cause.text.en),
            text_zh=mask(cause.text.zh),
            key=key,
            source=cause.source,
            source_pk=cause.pk,
            first_at=cause.at,
            last_at=cause.at,
            made_at=self._now,
            **more,
        )

    def _end(self, cause: Cause, meaning: Meaning) -> None:
        """The matter is over: whoever was told of it hears so, whoever was not hears nothing."""
        self.write()
        code, words = cause.code.removesuffix(OVER), cause.text.en.removeprefix(_OVER)
        key = rules.matter(cause.account_id, code, cause.symbol, words, meaning.apart)
        standing = list(Alert.objects.filter(key=key, over_at=None).order_by("pk"))
        about = standing[-1] if standing else None
        over = self._make(cause, meaning, f"{key}|over"[:160], gathers=False, about=about)
        if about is None:
            self._send(over)
            return
        self._gathering.pop(key, None)
        Alert.objects.filter(pk__in=[one.pk for one in standing]).update(
            over_at=cause.at, gathers=False
        )
        untold = AlertDelivery.objects.filter(
            alert__in=standing, state=AlertDelivery.State.WAITING, attempts=0
        )
        untold.update(state=AlertDelivery.State.DROPPED, answer=f"{_UNTOLD.en} {_UNTOLD.zh}")
        lost = (AlertDelivery.State.DROPPED, AlertDelivery.State.FAILED)
        told = AlertDelivery.objects.filter(alert__in=standing).exclude(state__in=lost)
        channels = set(told.values_list("channel", flat=True))
        for channel in self._channels:
            if channel.pk in channels:
                self._deliver(over, channel)

    def _send(self, alert: Alert, round_: int = 1) -> None:
        for channel in self._channels:
            wanted = rules_of(channel)
            at_once = not channel.escalation_minutes
            if at_once and rules.wants(wanted, alert.severity, alert.category):
                self._deliver(alert, channel, round_)

    def _deliver(self, alert: Alert, channel: AlertChannel, round_: int = 1) -> None:
        at = rules.not_before(rules_of(channel), alert.pages, self._now)
        self._outbox.append(
            AlertDelivery(alert=alert, channel=channel, round=round_, next_attempt_at=at)
        )

    def _close(self, alert: Alert) -> None:
        """Gather no more; what came again meanwhile is told of."""
        self._gathering.pop(alert.key, None)
        Alert.objects.filter(pk=alert.pk).update(gathers=False, told=alert.count)
        if alert.count > alert.told:
            self._send(alert, 2)


def unsent(now: datetime) -> Q:
    """Select alerts that no channel has taken, nor may still take without having failed or waited for too long."""
    going = AlertDelivery.objects.filter(
        Q(state=AlertDelivery.State.SENT)
        | Q(state=AlertDelivery.State.DROPPED)
        | Q(
            state=AlertDelivery.State.WAITING,
            answer="",
            next_attempt_at__gt=now - SENT_WITHIN,
        )
    )
    return ~Q(pk__in=going.values("alert"))
