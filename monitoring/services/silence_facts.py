"""What the silences of one account are judged by, out of rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

from monitoring.alerts.silences import REJECTIONS, SilenceFacts
from monitoring.models import AlertDelivery, DayReport
from trading.domain.orders import OrderState
from trading.domain.types import CHINA
from trading.models import Event, Order
from trading.services.sync import BOOKS_CLOSED

#: Of these nobody can say yet whether the broker takes them.
_OPEN = (OrderState.APPROVED, OrderState.SUBMITTING, OrderState.UNKNOWN)
#: And these the broker never saw, or nobody knows.
_UNSEEN = (OrderState.EXPIRED, OrderState.ABSENT)


def silence_facts(
    account_id: int,
    on: date,
    real: datetime,
    age: Callable[[datetime | None], timedelta | None],
    *,
    tells_of_alerts: bool,
) -> SilenceFacts:
    """Read the facts of an account on its market date. `age`: real time since a market time.

    `tells_of_alerts`: the outbox is one for all accounts, and one of them tells of it.
    """
    orders = Order.objects.filter(account=account_id, trade_date=on)
    answered = orders.exclude(state__in=[*_OPEN, *_UNSEEN]).order_by("-pk")
    states = answered.values_list("state", flat=True)[:REJECTIONS]
    return SilenceFacts(
        newest_orders=[state == OrderState.REJECTED for state in states],
        oldest_due_at=_oldest_due(real) if tells_of_alerts else None,
        unreported_since=_unreported(account_id, real, age),
    )


def _oldest_due(real: datetime) -> datetime | None:
    waiting = AlertDelivery.objects.filter(
        state=AlertDelivery.State.WAITING, next_attempt_at__lte=real, channel__enabled=True
    )
    oldest: datetime | None = (
        waiting.order_by("next_attempt_at").values_list("next_attempt_at", flat=True).first()
    )
    return oldest


def _unreported(
    account_id: int, real: datetime, age: Callable[[datetime | None], timedelta | None]
) -> datetime | None:
    closings = Event.objects.filter(account=account_id, code=BOOKS_CLOSED).order_by("-pk")
    at = closings.values_list("at", flat=True).first()
    if at is None:
        return None
    on = at.astimezone(CHINA).date()
    if DayReport.objects.filter(account=account_id, on__gte=on).exists():
        return None
    closed_for = age(at)
    return None if closed_for is None else real - closed_for
