"""Pausing and resuming a periodic task: the one thing about it that belongs to the operator."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django_celery_beat.models import PeriodicTask, PeriodicTasks

from trading.domain.types import AccountMode, Text
from trading.models import Account, EventLevel
from trading.services.clock import market_time
from trading.services.events import journal
from trading.services.runner import TICKS


def switch_task(name: str, on: bool, why: str, real: datetime, actor: str) -> bool:
    """Pause or resume a task; every enabled account's journal says who did and why. True when it changed.

    Pausing a tick is an alarm: from then on only the gateways' protective passes look after the accounts.
    """
    with transaction.atomic():
        changed = PeriodicTask.objects.filter(name=name, enabled=not on).update(enabled=on)
        if not changed:
            return False
        PeriodicTasks.update_changed()  # beat reads its tables again
        for account in Account.objects.filter(enabled=True):
            now = market_time(AccountMode(account.mode), real)
            level, text = _said(name, on, why, actor)
            code = "TASK_RESUMED" if on else "TASK_PAUSED"
            journal(account.pk, level, code, text, now, actor=actor, task=name)
    return True


def _said(name: str, on: bool, why: str, actor: str) -> tuple[EventLevel, Text]:
    if on:
        text = Text(
            f"{actor} resumed the task {name}: {why}", f"{actor} 恢复了周期任务 {name}：{why}"
        )
        return EventLevel.INFO, text
    if name not in TICKS:
        text = Text(
            f"{actor} paused the task {name}: {why}", f"{actor} 暂停了周期任务 {name}：{why}"
        )
        return EventLevel.WARNING, text
    text = Text(
        f"{actor} paused the tick {name}: {why}. Trading does not stop: the gateway runs it itself.",
        f"{actor} 暂停了周期任务 {name}：{why}。交易并未停止：由网关自行执行。",
    )
    return EventLevel.ALARM, text
