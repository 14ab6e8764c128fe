"""The sales of a range of days as rows have them: one query for fills, one for ex-rights mornings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

from django.db.models import Q, QuerySet

from monitoring.results import OUTSIDE, Basis, Deal, Rescaled, Sale, sales_of
from trading.domain.types import CHINA, AccountMode, Side, Symbol
from trading.models import Account, Close, DailyBar, Event, Fill, Position
from trading.services.clock import environment_of

#: Fills that are read at most: of the days asked for, and of the same holdings since.
MOST = 20_000
#: When it was booked, its place within that moment, and what it is.
_Step = tuple[datetime, int, Deal | Rescaled]
_SCALED = "EX_RIGHTS_SCALE"


@dataclass(frozen=True, slots=True)
class Sales:
    """Sales, oldest first. `complete`: all of them; there were too many fills otherwise, and nothing is told."""

    rows: tuple[Sale, ...]
    complete: bool = True


def read_sales(account_id: int, first: date, last: date) -> Sales:
    """Return the sales of the days `first` to `last` with what they earned; a constant number of queries."""
    since = Fill.objects.filter(account=account_id, trade_date__gte=first)
    sold = since.filter(trade_date__lte=last, side=Side.SELL)
    lives = sold.filter(position__isnull=False).values("position")
    wanted = since.filter(Q(position__in=lives) | Q(position=None, trade_date__lte=last))
    fills = list(wanted.select_related("order", "position").order_by("pk")[: MOST + 1])
    if len(fills) > MOST:
        return Sales((), complete=False)
    steps: list[_Step] = [(fill.booked_at, fill.pk, _deal(fill)) for fill in fills]
    rows = {fill.position_id: fill.position for fill in fills if fill.position is not None}
    mornings = _mornings(
        account_id, {pk: row for pk, row in rows.items() if pk is not None}, first
    )
    # A morning comes before the fills of its own second.
    ordered: list[_Step] = sorted(
        [*((at, 0, one) for at, one in mornings), *steps], key=lambda step: step[:2]
    )
    now = {pk: Basis(row.bought_quantity, row.bought_amount) for pk, row in rows.items() if pk is not None}  # fmt: skip
    sales = sales_of([step for _, _, step in ordered], now)
    return Sales(tuple(sale for sale in sales if first <= sale.deal.on <= last))


def _deal(fill: Fill) -> Deal:
    order = fill.order
    return Deal(
        number=fill.pk,
        life=fill.position_id,
        on=fill.trade_date,
        symbol=Symbol(fill.symbol),
        side=Side(fill.side),
        quantity=fill.quantity,
        amount=fill.amount,
        fees=fill.commission + fill.stamp_duty + fill.transfer_fee,
        rule=OUTSIDE if order is None else order.kind,
        chain=-fill.pk if order is None else order.root_id or order.pk,
    )


def _mornings(
    account_id: int, rows: Mapping[int, Position], first: date
) -> list[tuple[datetime, Rescaled]]:
    """Return the ex-rights mornings of these lives since a day, as the journal kept them."""
    begin = datetime.combine(first, time(), CHINA)
    symbols = {row.symbol for row in rows.values()}
    events = Event.objects.filter(
        account=account_id, code=_SCALED, symbol__in=symbols, at__gte=begin
    )
    found = []
    for event in events.order_by("pk")[:MOST]:
        levels: Mapping[str, Sequence[str | None]] = event.detail.get("levels", {})
        for pk, row in rows.items():
            if row.symbol == event.symbol and _lived(row, event.at):
                found.append((event.at, _rescaled(pk, levels)))
    return found


def _lived(row: Position, at: datetime) -> bool:
    return row.opened_on <= at.astimezone(CHINA).date() and (
        row.closed_at is None or row.closed_at > at
    )


def _rescaled(life: int, levels: Mapping[str, Sequence[str | None]]) -> Rescaled:
    """Read what an event says it changed: name → [before, after]."""
    quantity, amount = (levels.get(name, (None,))[0] for name in ("bought_quantity", "bought_amount"))  # fmt: skip
    return Rescaled(
        life,
        None if quantity is None else int(quantity),
        None if amount is None else Decimal(amount),
    )


def closes_of(account: Account, sales: Sequence[Sale]) -> Mapping[tuple[Symbol, date], Decimal]:
    """Return the close of each sale's symbol on its day, where somebody recorded it; two queries."""
    environment = environment_of(AccountMode(account.mode))
    symbols = {sale.deal.symbol for sale in sales}
    days = {sale.deal.on for sale in sales}
    found: dict[tuple[Symbol, date], Decimal] = {}
    tables: tuple[QuerySet[DailyBar] | QuerySet[Close], ...] = (
        DailyBar.objects.filter(environment=environment, symbol__in=symbols, on__in=days),
        Close.objects.filter(environment=environment, symbol__in=symbols, on__in=days),
    )
    for rows in tables:  # our own record of a close has the last word
        for symbol, on, close in rows.values_list("symbol", "on", "close"):
            found[Symbol(symbol), on] = close
    return found
