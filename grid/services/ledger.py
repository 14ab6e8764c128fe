"""The ledger is a projection of trading's fills: pulled, never pushed; made again from them at any time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta

from django.db import transaction

from grid.domain.ledger import GridFill, Ledger, Lot, book, scaled
from grid.models import GridAdjustment, GridLot, GridOpeningLot, GridSession, GridTrade
from grid.selectors import ledger_columns, ledger_of, lot_rows
from trading.domain.types import ZERO, Side, Text
from trading.models import EventLevel, Fill
from trading.models.prepared import Prepared
from trading.services.events import journal

#: Sources of our orders lie in [grid:, grid;).
_FROM, _TO = "grid:", "grid;"
#: Fills are looked for among orders this old at most; older ones are `check_ledger`'s.
LOOK_BACK = timedelta(days=7)


def session_id_of(source: str) -> int | None:
    """Return the session a signal's or order's source names, None when it is none of ours."""
    word, _, number = source.partition(":")
    return int(number) if word == "grid" and number.isdigit() else None


def pull_fills(
    account_id: int, ledgers: Mapping[int, Ledger], on: date, rows: Iterable[GridSession]
) -> dict[int, Ledger]:
    """Book the fills nobody has booked yet, each once; returns the new ledgers of the sessions they are of.

    `rows`, `ledgers`: the open sessions, and theirs by id; any other is read. One query when there is nothing new.
    """
    new_ones = _UNBOOKED(account_id, on - LOOK_BACK)
    if not new_ones:
        return {}
    fills = Fill.objects.filter(pk__in=new_ones)
    by_session: dict[int, list[Fill]] = defaultdict(list)
    for fill in fills.select_related("order__signal").order_by("pk"):
        number = session_id_of(fill.order.source)
        if number is not None:
            by_session[number].append(fill)
    changed: dict[int, Ledger] = {}
    known = {row.pk: row for row in rows}
    for number, new in by_session.items():
        row = known.get(number) or GridSession.objects.filter(pk=number).first()
        if row is not None:
            changed[number] = _book(row, ledgers.get(number) or ledger_of(row), new)
    return changed


_UNBOOKED = Prepared(
    lambda account, since: Fill.objects.filter(
        account_id=account,
        order__source__gte=_FROM,
        order__source__lt=_TO,
        order__trade_date__gte=since,
        grid_trade__isnull=True,
    ).values_list("pk", flat=True)
)


def _book(row: GridSession, ledger: Ledger, new: list[Fill]) -> Ledger:
    newest = GridTrade.objects.filter(session=row).order_by("-fill_id").first()
    if newest is not None and new[0].pk < newest.fill_id:
        # A fill that got its order late lies before others: the books are made again in the order of the fills.
        return rebuild(row)
    for fill in new:
        ledger, trade = _booked(row, ledger, fill)
        trade.save()
    _write(row, ledger)
    return ledger


def _booked(row: GridSession, ledger: Ledger, fill: Fill) -> tuple[Ledger, GridTrade]:
    """Return the ledger after a fill, and the row that says so, not saved."""
    value = fill_value(fill)
    after = book(ledger, value)
    trade = GridTrade(
        session=row,
        fill=fill,
        number=value.order,
        side=value.side,
        quantity=value.quantity,
        price=value.price,
        fees=value.fees,
        realised=after.realised - ledger.realised,
        at=fill.at,
    )
    return after, trade


def fill_value(fill: Fill) -> GridFill:
    """Return a fill as the ledger sees it: its chain, its fees, and the lots its order names."""
    order = fill.order
    assert order is not None
    signal = order.signal
    lots = signal.detail.get("lots", ()) if signal is not None else ()
    return GridFill(
        order=order.root_id or order.pk,
        side=Side(fill.side),
        quantity=fill.quantity,
        price=fill.price,
        fees=fill.commission + fill.stamp_duty + fill.transfer_fee,
        on=fill.trade_date,
        lots=tuple(number for number, _ in lots),
    )


def from_fills(row: GridSession) -> Ledger:
    """Return what the ledger must be: its fills and corporate actions in their order. Writes nothing."""
    return _folded(row, _fills(row))[0]


def rebuild(row: GridSession) -> Ledger:
    """Write the ledger of a session again from its fills; the projection is replaced whole."""
    with transaction.atomic():
        GridTrade.objects.filter(session=row).delete()
        fills = _fills(row)
        ledger, trades = _folded(row, fills)
        GridTrade.objects.bulk_create(trades, batch_size=500)
        _write(row, ledger)
    return ledger


def check_ledger(row: GridSession, now: datetime, *, repair: bool) -> Text | None:
    """Compare a session's books with its fills; return what differs, None when nothing does.

    `repair`: write them again. A difference is an alarm in the journal either way.
    """
    written, expected = ledger_of(row), from_fills(row)
    booked = GridTrade.objects.filter(session=row).count()
    fills = len(_fills(row))
    if written == expected and booked == fills:
        return None
    text = Text(
        f"{row.symbol}: the ledger of session {row.pk} shows {written.quantity} shares and {written.realised} yuan "
        f"realised in {booked} fills; its {fills} fills give {expected.quantity} and {expected.realised}."
        + (" It was made again." if repair else ""),
        f"{row.symbol}：会话 {row.pk} 账本为 {written.quantity} 股、已实现 {written.realised} 元（{booked} 笔）；"
        f"按 {fills} 笔成交应为 {expected.quantity} 股、{expected.realised} 元。"
        + ("已重建。" if repair else ""),
    )
    journal(row.account_id, EventLevel.ALARM, "GRID_LEDGER_DIFFERS", text, now, symbol=row.symbol)
    if repair:
        rebuild(row)
    return text


def scale_ledger(row: GridSession, ledger: Ledger, adjustment: GridAdjustment) -> Ledger:
    """Put a session's open lots through a corporate action, kept so that a rebuild does it again in its place."""
    newest = GridTrade.objects.filter(session=row).order_by("-fill_id").first()
    adjustment.after_fill = 0 if newest is None else newest.fill_id
    adjustment.save()
    after = scaled(ledger, adjustment.factor, adjustment.share_ratio)
    _write(row, after)
    return after


def _fills(row: GridSession) -> list[Fill]:
    fills = Fill.objects.filter(account_id=row.account_id, order__source=row.source)
    return list(fills.select_related("order__signal").order_by("pk"))


def open_with(row: GridSession, lots: Iterable[GridOpeningLot]) -> None:
    """Begin the ledger of a new session with lots that were bought before this system. Its rows are saved here."""
    GridOpeningLot.objects.bulk_create(lots)
    _write(row, _opening(row))


def _opening(row: GridSession) -> Ledger:
    """Return the ledger before the first fill."""
    lots = GridOpeningLot.objects.filter(session=row).order_by("place")
    return Ledger(
        lots=tuple(Lot(-lot.place, lot.quantity, lot.amount, ZERO, lot.on) for lot in lots)
    )


def _folded(row: GridSession, fills: Iterable[Fill]) -> tuple[Ledger, list[GridTrade]]:
    waiting = list(GridAdjustment.objects.filter(session=row).order_by("after_fill", "on"))
    ledger, trades = _opening(row), []
    for fill in fills:
        while waiting and waiting[0].after_fill < fill.pk:
            action = waiting.pop(0)
            ledger = scaled(ledger, action.factor, action.share_ratio)
        ledger, trade = _booked(row, ledger, fill)
        trades.append(trade)
    for action in waiting:
        ledger = scaled(ledger, action.factor, action.share_ratio)
    return ledger, trades


def _write(row: GridSession, ledger: Ledger) -> None:
    columns = ledger_columns(ledger)
    for name, value in columns.items():
        setattr(row, name, value)
    GridSession.objects.filter(pk=row.pk).update(**columns)
    GridLot.objects.filter(session=row).delete()
    GridLot.objects.bulk_create(lot_rows(row.pk, ledger), batch_size=500)
