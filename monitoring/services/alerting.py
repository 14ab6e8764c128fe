"""What a person does about alerts and channels: each is one change, and what concerns others is an event that names him."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from monitoring.models import Alert, AlertChannel
from trading.domain.types import AccountMode, Text
from trading.models import Account, EventLevel
from trading.services.clock import market_time
from trading.services.events import journal
from trading.services.reach import EVERYTHING, Reach


def acknowledge(
    alerts: Iterable[int], actor: str, now: datetime, reach: Reach = EVERYTHING
) -> int:
    """Note that a person has seen these alerts, of accounts within the reach that is acted on; returns how many nobody
    had acknowledged before. `now` is real time.
    """
    rows = reach.tradable(Alert.objects.filter(pk__in=list(alerts), acknowledged_at=None))
    return rows.update(acknowledged_at=now, acknowledged_by=actor[:64])


def save_channel(
    channel: AlertChannel, changed: Iterable[str], actor: str, real: datetime
) -> None:
    """Save a channel; every enabled account's journal says who changed what, and nothing of its address."""
    is_new = channel._state.adding
    names = ", ".join(changed)
    with transaction.atomic():
        channel.save()
        if is_new:
            _tell(Text(f"{actor} made the alert channel {channel.name}.", f"{actor} 新增了告警渠道 {channel.name}。"), actor, real)  # fmt: skip
        elif names:
            _tell(Text(f"{actor} changed the alert channel {channel.name}: {names}.", f"{actor} 修改了告警渠道 {channel.name}：{names}。"), actor, real)  # fmt: skip


def remove_channel(channel: AlertChannel, actor: str, real: datetime) -> None:
    """Delete a channel with what waits for it; the journal says who did."""
    name = channel.name
    with transaction.atomic():
        channel.delete()
        _tell(Text(f"{actor} deleted the alert channel {name}.", f"{actor} 删除了告警渠道 {name}。"), actor, real)  # fmt: skip


def _tell(text: Text, actor: str, real: datetime) -> None:
    account = Account.objects.filter(enabled=True).order_by("pk").first()
    if account is None:
        return
    now = market_time(AccountMode(account.mode), real)
    journal(account.pk, EventLevel.WARNING, "ALERT_CHANNEL_CHANGED", text, now, actor=actor[:64])
