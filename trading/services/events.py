"""The journal: what a person may need to read, in both languages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from trading.domain.types import Text
from trading.models import Event, EventLevel
from trading.models.prepared import PreparedInsert

#: A state that lasts is told again after this long.
AGAIN_AFTER = timedelta(hours=12)


def journal(
    account_id: int,
    level: EventLevel,
    code: str,
    text: Text,
    now: datetime,
    *,
    symbol: str = "",
    actor: str = "system",
    **detail: Any,
) -> None:
    """Append one event; `detail` must be JSON-able."""
    _APPEND(
        {
            "account_id": account_id,
            "at": now,
            "level": level.value,
            "code": code,
            "symbol": symbol,
            "text_en": text.en,
            "text_zh": text.zh,
            "actor": actor,
            "detail": detail,
        }
    )


_APPEND = PreparedInsert(Event)


def journal_once(
    account_id: int,
    level: EventLevel,
    code: str,
    text: Text,
    now: datetime,
    *,
    symbol: str = "",
) -> None:
    """Append the event unless it was said in the same words within the last 12 hours: ticks come every few seconds."""
    said = Event.objects.filter(
        account_id=account_id, code=code, symbol=symbol, at__gt=now - AGAIN_AFTER
    )
    if not said.filter(text_en=text.en).exists():
        journal(account_id, level, code, text, now, symbol=symbol)
