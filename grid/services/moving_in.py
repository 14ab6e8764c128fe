"""A session that another system ran goes on here: paused until a person looks, with its lots and its centre."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from simple_history.utils import update_change_reason

from grid.domain.rules import build, parameter_names
from grid.domain.state import SessionStatus, start
from grid.models import GridOpeningLot, GridSession
from grid.selectors import state_columns
from grid.services.ledger import open_with
from grid.services.sessions import SessionRefused
from trading.domain.instruments import lot_rule
from trading.domain.settings import SettingError
from trading.domain.types import CHINA, Symbol, Text
from trading.models import EventLevel
from trading.selectors import instrument_of
from trading.services.events import journal

_STYLE = "centred"


@dataclass(frozen=True, slots=True)
class OpenLot:
    """Shares of one earlier buy that are not sold yet; `amount` in yuan."""

    quantity: int
    amount: Decimal
    on: date


@dataclass(frozen=True, slots=True)
class RunningSession:
    """A centred grid as it stood: parameters by name (yuan, ratios), both centres, lots oldest first, shares held."""

    symbol: Symbol
    values: Mapping[str, Any]
    centre: Decimal
    first_centre: Decimal
    lots: Sequence[OpenLot]
    held: int
    started_at: datetime


def has_open_session(account_id: int, symbol: Symbol) -> bool:
    """Whether a symbol has a session that is not stopped."""
    rows = GridSession.objects.filter(account_id=account_id, symbol=symbol)
    return rows.exclude(status=SessionStatus.STOPPED).exists()


def move_in(account_id: int, session: RunningSession, now: datetime, actor: str) -> GridSession:
    """Open it, paused; it runs `duration_days` from now once resumed. Raises SessionRefused naming the field."""
    try:
        rules = build(_STYLE, dict(session.values))
    except SettingError as problem:
        raise SessionRefused(problem.text, problem.field) from problem
    on = now.astimezone(CHINA).date()
    if misfit := rules.misfit(lot_rule(instrument_of(session.symbol), on)):
        raise SessionRefused(misfit.text, misfit.field)
    for name in ("centre", "first_centre"):
        _positive(name, getattr(session, name))
    why = Text("moved in; look at it, then resume", "已迁入；请核对后恢复")
    row = GridSession(
        account_id=account_id,
        symbol=session.symbol,
        style=_STYLE,
        status=SessionStatus.PAUSED,
        status_en=why.en,
        status_zh=why.zh,
        started_at=session.started_at,
        ends_at=now + timedelta(days=session.values["duration_days"]),
        changed_why=why.en[:200],
        base_quantity=max(0, session.held - sum(lot.quantity for lot in session.lots)),
        seen=now,
        exits_seen_at=now,
        checked_close_on=on,
        **{name: getattr(rules, name) for name in parameter_names(_STYLE)},
        **state_columns(start(session.centre)),
    )
    row.first_centre = session.first_centre
    with transaction.atomic():
        row.save()
        update_change_reason(row, f"{actor}: {why.en}"[:100])
        open_with(
            row,
            [
                GridOpeningLot(
                    session=row, place=place, quantity=lot.quantity, amount=lot.amount, on=lot.on
                )
                for place, lot in enumerate(session.lots, 1)
            ],
        )
        text = Text(
            f"Grid on {row.symbol} moved in, paused, with {len(session.lots)} lots.",
            f"{row.symbol} 网格已迁入（暂停），含 {len(session.lots)} 个批次。",
        )
        journal(
            account_id,
            EventLevel.INFO,
            "GRID_MOVED_IN",
            text,
            now,
            symbol=row.symbol,
            actor=actor,
            session=row.pk,
        )
    return row


def _positive(name: str, value: Decimal) -> None:
    if value <= 0:
        raise SessionRefused(
            Text(
                f"{name} is {value}, expected a price above 0",
                f"{name} 为 {value}，应为大于 0 的价格",
            ),
            name,
        )
