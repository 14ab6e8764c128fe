"""What the terminal said, as it said it: rows that are kept whatever becomes of them."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from trading.domain.reports import Event
from trading.models import BrokerEvent


def raw(account_id: int, event: Event) -> BrokerEvent:
    return BrokerEvent(
        account_id=account_id,
        epoch=event.epoch,
        kind=type(event.report).__name__,
        payload=plain(event.report),
        received_at=event.received_at,
    )


def plain(report: Any) -> dict[str, Any]:
    """Return a report as JSON-able values; amounts as text, so that no float ever holds them."""
    return {name: _json(value) for name, value in dataclasses.asdict(report).items()}


def _json(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value
