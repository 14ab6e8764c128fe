"""A month of an account: its calendar, what each rule earned, and what its grids did. A constant number of queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Count, Q, Sum

from grid.models import GridTrade
from monitoring.console.deals import closes_of, read_sales
from monitoring.console.record_filters import AccountNow
from monitoring.models import DayReport
from monitoring.results import RuleResult, by_day, by_rule, total_of
from trading.domain.calendar import TradingCalendar
from trading.domain.types import CHINA, ZERO, Side, Symbol
from trading.models import Fill
from trading.selectors import instruments_of

#: Years a month can be of: the exchange opened in the first.
_FIRST, _LAST = 1990, 2999
#: Grid sessions a page shows.
_SESSIONS = 200


class DayCell(NamedTuple):
    """One working day of the grid. `change`: of the account's total since the close before, None = not known."""

    on: date
    is_session: bool
    is_over: bool
    realised: Decimal
    sells: bool
    fills: int
    change: Decimal | None
    has_report: bool


class GridRounds(NamedTuple):
    """What one grid session did in the month, by its own lots; yuan. `rounds`: orders that closed something."""

    session: int
    symbol: str
    name: str
    rounds: int
    fills: int
    realised: Decimal
    fees: Decimal


@dataclass(frozen=True, slots=True)
class ResultsPage:
    """`first`: the month's first day. `change`: what is known of the sessions' changes. `complete`: see `Sales`."""

    first: date
    weeks: tuple[tuple[DayCell | None, ...], ...]
    rules: tuple[RuleResult, ...]
    realised: Decimal
    change: Decimal | None
    fees: Decimal
    grids: tuple[GridRounds, ...]
    complete: bool
    unknown: int

    @property
    def month_before(self) -> date:
        return (self.first - timedelta(days=1)).replace(day=1)

    @property
    def month_after(self) -> date:
        return _next_month(self.first)


def results_page(account: AccountNow, first: date, calendar: TradingCalendar) -> ResultsPage:
    """Read the month that begins on `first`, up to the account's today."""
    last = min(_next_month(first) - timedelta(days=1), max(account.on, first))
    sales = read_sales(account.row.pk, first, last)
    changes = _changes(account, first, last)
    fills = _fills(account.row.pk, first, last)
    rules = by_rule(sales.rows, closes_of(account.row, sales.rows))
    known = [change for change in changes.values() if change is not None]
    return ResultsPage(
        first=first,
        weeks=_weeks(account, first, calendar, by_day(sales.rows), changes, fills),
        rules=rules,
        realised=total_of(sales.rows),
        change=sum(known, ZERO) if known else None,
        fees=sum((fees for _, _, fees in fills.values()), ZERO),
        grids=_grids(account.row.pk, first, last),
        complete=sales.complete,
        unknown=sum(rule.unknown for rule in rules),
    )


def month_of(text: str) -> date | None:
    """Return the first day of a month written `2026-01`; None when it is none."""
    try:
        first = datetime.strptime(text, "%Y-%m").replace(tzinfo=CHINA).date()
    except ValueError:
        return None
    return first if _FIRST <= first.year <= _LAST else None


def _next_month(first: date) -> date:
    return (first.replace(day=28) + timedelta(days=4)).replace(day=1)


def _changes(account: AccountNow, first: date, last: date) -> dict[date, Decimal | None]:
    """Return how the account's total changed in each session: as reported, and today so far."""
    reports = DayReport.objects.filter(account=account.row, on__gte=first, on__lte=last)
    found = {report.on: report.change for report in reports}
    row = account.row
    if first <= account.on <= last and account.on not in found:
        total, before = row.total_asset, row.previous_total
        is_open = before is not None and row.previous_total_on != account.on
        found[account.on] = total - before if is_open and total is not None and before is not None else None  # fmt: skip
    return found


def _fills(account_id: int, first: date, last: date) -> dict[date, tuple[int, int, Decimal]]:
    """Return per day how many fills there were, how many of them sales, and all fees (yuan)."""
    rows = Fill.objects.filter(account=account_id, trade_date__gte=first, trade_date__lte=last)
    counted = rows.values("trade_date", "side").annotate(
        count=Count("pk"), one=Sum("commission"), two=Sum("stamp_duty"), three=Sum("transfer_fee")
    )
    found: dict[date, tuple[int, int, Decimal]] = {}
    for row in counted.order_by("trade_date"):
        count, sold, fees = found.get(row["trade_date"], (0, 0, ZERO))
        sells = row["count"] if row["side"] == Side.SELL else 0
        found[row["trade_date"]] = (
            count + row["count"],
            sold + sells,
            fees + row["one"] + row["two"] + row["three"],
        )
    return found


def _weeks(
    account: AccountNow,
    first: date,
    calendar: TradingCalendar,
    realised: Mapping[date, Decimal],
    changes: Mapping[date, Decimal | None],
    fills: Mapping[date, tuple[int, int, Decimal]],
) -> tuple[tuple[DayCell | None, ...], ...]:
    """Return the month's weeks, Monday to Friday: the exchange is never open at a weekend."""
    weeks: list[list[DayCell | None]] = []
    day = first
    while day.month == first.month:
        place = day.weekday()
        if place < 5:
            if not weeks or place == 0:
                weeks.append([None] * 5)
            count, sold, _ = fills.get(day, (0, 0, ZERO))
            weeks[-1][place] = DayCell(
                on=day,
                is_session=calendar.is_session(day),
                is_over=day <= account.on,
                realised=realised.get(day, ZERO),
                sells=sold > 0,
                fills=count,
                change=changes.get(day),
                has_report=day in changes,
            )
        day += timedelta(days=1)
    return tuple(tuple(week) for week in weeks)


def _grids(account_id: int, first: date, last: date) -> tuple[GridRounds, ...]:
    begin = datetime.combine(first, time(), CHINA)
    end = datetime.combine(last, time(), CHINA) + timedelta(days=1)
    booked = GridTrade.objects.filter(session__account=account_id, at__gte=begin, at__lt=end)
    rows: Sequence[Mapping[str, Any]] = list(
        booked.values("session", "session__symbol")
        .annotate(
            rounds=Count("number", distinct=True, filter=~Q(realised=ZERO)),
            trades=Count("pk"), earned=Sum("realised"), paid=Sum("fees"),
        )
        .order_by("session")[:_SESSIONS]
    )  # fmt: skip
    names = instruments_of({Symbol(row["session__symbol"]) for row in rows})
    return tuple(
        GridRounds(
            session=row["session"],
            symbol=row["session__symbol"],
            name=known.name if (known := names.get(row["session__symbol"])) else "",
            rounds=row["rounds"],
            fills=row["trades"],
            realised=row["earned"],
            fees=row["paid"],
        )
        for row in rows
    )
