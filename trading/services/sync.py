"""The sync tick: the newest complete broker snapshot becomes Account and Position rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F, Max

from trading.domain.calendar import TradingCalendar, books_closed
from trading.domain.freshness import from_the_future
from trading.domain.reports import BrokerPosition, Snapshot
from trading.domain.types import CHINA, AccountMode, Symbol, Text
from trading.faults import crash_point
from trading.models import (
    Account,
    BrokerSnapshot,
    Close,
    CorporateAction,
    Event,
    EventLevel,
    Position,
)
from trading.models.prepared import Prepared, PreparedUpdate
from trading.ports import QuoteReader
from trading.selectors import account_of, open_positions, symbols_of_interest
from trading.services.adoption import adopt_missing
from trading.services.clock import environment_of
from trading.services.daily_bars import saw_the_close
from trading.services.events import journal
from trading.services.pace import pace_of, pace_of_account
from trading.services.reminders import remind
from trading.services.rows import update_rows

#: A snapshot older than this is asked for again.
ASK_AFTER = timedelta(seconds=10)
#: A quantity that differs for this long is no fill on its way.
SECOND_LOOK = timedelta(seconds=10)
#: Event of each session's end; its detail holds `total` and `before` as exact texts, null when nobody said.
BOOKS_CLOSED = "BOOKS_CLOSED"


def store_snapshot(account_id: int, snapshot: Snapshot, now: datetime) -> bool:
    """Keep the newest complete snapshot, and project it at once: the caller has just booked its fills.

    True when it says anything new.
    """
    assert snapshot.asset is not None
    assert snapshot.positions is not None
    asset = snapshot.asset
    payload = {
        "cash": [str(asset.cash), str(asset.frozen_cash)],
        "positions": [
            [
                p.symbol,
                p.quantity,
                p.sellable,
                str(p.open_price),
                str(p.diluted_cost),
                p.yesterday,
                p.name,
            ]
            for p in sorted(snapshot.positions, key=lambda p: p.symbol)
        ],
    }
    digest = hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()
    # Values move with every quote and decide nothing: they are written, and count as no news.
    _VALUES(
        account_id,
        snapshot_at=snapshot.taken_at,
        market_value=asset.market_value,
        total_asset=asset.total,
    )
    # An account seen for the first time has no previous close: its day's loss counts from here.
    _FIRST_TOTAL(account_id, previous_total=asset.total)
    stored = _DIGESTS(account_id)
    if stored == [(digest, digest)]:
        _watch_differences(account_id, now)
        return False
    if not stored or stored[0][0] != digest:
        fields: dict[str, Any] = {
            "epoch": snapshot.epoch,
            "taken_at": snapshot.taken_at,
            "digest": digest,
            "payload": payload,
        }
        if not _STORE(account_id, **fields):
            BrokerSnapshot.objects.create(account_id=account_id, **fields)
    crash_point("sync.snapshot_stored")
    project(account_id, now)
    _watch_differences(account_id, now)
    return True


_VALUES = PreparedUpdate(lambda account: Account.objects.filter(pk=account))
_FIRST_TOTAL = PreparedUpdate(
    lambda account: Account.objects.filter(pk=account, previous_total=None)
)
#: What is stored of the newest snapshot, and what of it is projected.
_DIGESTS = Prepared(
    lambda account: BrokerSnapshot.objects.filter(pk=account).values_list(
        "digest", "projected_digest"
    )
)
_SNAPSHOT = Prepared(lambda account: BrokerSnapshot.objects.filter(pk=account))
_STORE = PreparedUpdate(lambda account: BrokerSnapshot.objects.filter(pk=account))
_PROJECTED = PreparedUpdate(
    lambda account, digest: BrokerSnapshot.objects.filter(pk=account, digest=digest)
)
_DIFFERING = Prepared(
    lambda account: Position.objects.filter(account_id=account, closed_at=None).exclude(
        broker_quantity=F("quantity"), stale_since=None
    )
)


def sync_tick(
    account_id: int, now: datetime, quotes: QuoteReader, calendar: TradingCalendar
) -> None:
    """Project the newest snapshot; ask for a fresh one when it is old; record closes when the books close."""
    with transaction.atomic():
        project(account_id, now)
        account = account_of(account_id)
        if _is_old(account, now):
            _VALUES(account_id, snapshot_wanted_at=now)
        remind(account, now, calendar)
        if books_closed(now):
            _close_books(account, now, quotes, calendar)


def _is_old(account: Account, now: datetime) -> bool:
    """Whether a fresh snapshot is due; one from the future was dated by a clock that is right again."""
    pace, taken = pace_of(AccountMode(account.mode)), account.snapshot_at
    return (
        taken is None or now - taken >= pace.market(ASK_AFTER) or from_the_future(taken, now, pace)
    )


def project(account_id: int, now: datetime) -> None:
    """Write what the newest snapshot says into Account and Position; nothing to do when it is projected already."""
    stored = _DIGESTS(account_id)
    if not stored or stored[0][0] == stored[0][1]:
        return
    snapshot = _SNAPSHOT(account_id)[0]
    account, reported = account_of(account_id), _positions_of(snapshot.payload)
    ours = _project_positions(account, reported)
    shown_for = (account.snapshot_at or snapshot.taken_at) - snapshot.taken_at
    settled = adopt_missing(account, ours, reported.values(), shown_for, now)
    crash_point("sync.positions_projected")
    cash, frozen = (Decimal(text) for text in snapshot.payload["cash"])
    _VALUES(account_id, cash=cash, frozen_cash=frozen)
    # Until it is settled the rows are those of no digest: the one before may come back, and must be projected again.
    _PROJECTED(account_id, snapshot.digest, projected_digest=snapshot.digest if settled else "")


def _positions_of(payload: Mapping[str, Any]) -> dict[Symbol, BrokerPosition]:
    rows = {}
    for symbol, quantity, sellable, open_price, diluted, yesterday, name in payload["positions"]:
        rows[Symbol(symbol)] = BrokerPosition(
            Symbol(symbol),
            quantity,
            sellable,
            Decimal(open_price),
            Decimal(diluted),
            0,
            yesterday,
            name,
        )
    return rows


def _project_positions(
    account: Account, reported: Mapping[Symbol, BrokerPosition]
) -> Mapping[Symbol, Position]:
    ours = {Symbol(row.symbol): row for row in open_positions(account.pk)}
    changed = []
    for symbol, row in ours.items():
        fields = _seen_at_broker(row, reported.get(symbol))
        if any(getattr(row, name) != value for name, value in fields.items()):
            for name, value in fields.items():
                setattr(row, name, value)
            changed.append(row)
    if changed:
        update_rows(changed, ["broker_quantity", "broker_sellable", "broker_cost"])
    return ours


def _seen_at_broker(row: Position, broker: BrokerPosition | None) -> dict[str, Any]:
    """A symbol the terminal does not show keeps its shares in our books, and none is sellable (R7)."""
    if broker is None:
        return {"broker_quantity": None, "broker_sellable": None, "broker_cost": row.broker_cost}
    return {
        "broker_quantity": broker.quantity,
        "broker_sellable": broker.sellable,
        "broker_cost": broker.diluted_cost,
    }


def _watch_differences(account_id: int, now: datetime) -> None:
    """Say once when the terminal's quantity differs from ours in two looks apart; fills travel on their own."""
    differing = []
    for row in _DIFFERING(account_id):
        if row.broker_quantity == row.quantity:
            Position.objects.filter(pk=row.pk).update(stale_since=None)
        elif row.stale_since is None:
            Position.objects.filter(pk=row.pk).update(stale_since=now)
        elif now - row.stale_since >= pace_of_account(account_id).market(SECOND_LOOK):
            differing.append(row)
    if differing:
        _tell_differences(account_id, differing, now)


def _tell_differences(account_id: int, rows: Sequence[Position], now: datetime) -> None:
    told = dict(
        Event.objects.filter(account_id=account_id, code="POSITION_DIFFERS")
        .values_list("symbol")
        .annotate(at=Max("at"))
    )
    today = now.astimezone(CHINA).date()
    # An ex-rights morning: the terminal shows the new shares first, ours follow with today's first quote.
    coming = set(CorporateAction.objects.filter(on=today).values_list("symbol", flat=True))
    for row in rows:
        at = told.get(row.symbol)
        explained = row.symbol in coming and row.checked_close_on != today
        if explained or (at is not None and row.stale_since is not None and at >= row.stale_since):
            continue
        seen = row.broker_quantity
        shown = "no such holding" if seen is None else f"{seen} shares"
        text = Text(
            f"{row.symbol}: the terminal shows {shown}, our books {row.quantity}. "
            "Nothing is written off; only what both agree on can be sold.",
            f"{row.symbol}：客户端显示 {'无此持仓' if seen is None else f'{seen} 股'}，账本为 {row.quantity} 股。"
            "不作冲销，只卖出双方都认可的数量。",
        )
        journal(account_id, EventLevel.ALARM, "POSITION_DIFFERS", text, now, symbol=row.symbol)


def _close_books(
    account: Account, now: datetime, quotes: QuoteReader, calendar: TradingCalendar
) -> None:
    """Once a day after 15:35: remember closes (to notice an ex-rights morning by) and the day's total."""
    today = now.astimezone(CHINA).date()
    if account.previous_total_on == today or not calendar.is_session(today):
        return
    latest = quotes.latest(list(symbols_of_interest(account.pk)))
    # A symbol whose quotes stopped before the end has no close: tomorrow says so, instead of scaling by a wrong one.
    rows = [
        Close(
            environment=environment_of(AccountMode(account.mode)),
            symbol=symbol,
            on=today,
            close=quote.last,
            previous_close=quote.previous_close,
        )
        for symbol, quote in latest.items()
        if saw_the_close(quote, today)
    ]
    Close.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
    Account.objects.filter(pk=account.pk).update(
        previous_total=account.total_asset, previous_total_on=today
    )
    _tell_close(account, now)


def _tell_close(account: Account, now: datetime) -> None:
    """The journal keeps each session's totals: the account's row knows only the newest."""
    total, before = account.total_asset, account.previous_total
    change = None if total is None or before is None else total - before
    text = Text(
        f"Books closed: total {_shown(total)} yuan, {_shown(change)} since the previous close.",
        f"当日账簿已关闭：总资产 {_shown(total)} 元，较前收变动 {_shown(change)} 元。",
    )
    journal(
        account.pk,
        EventLevel.INFO,
        BOOKS_CLOSED,
        text,
        now,
        total=_exact(total),
        before=_exact(before),
    )


def _exact(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def _shown(amount: Decimal | None) -> str:
    return "?" if amount is None else f"{amount:.2f}"
