"""The day report: one row per account and session, made from rows after the books close; missed ones are made up for.

Everything but the totals can be counted again at any time. The totals are those the sync tick wrote into the journal
when the books closed: a session that nobody closed has none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.db.models import Max, Min

from monitoring.models import DayReport
from trading.domain.calendar import TradingCalendar, books_closed
from trading.domain.types import CHINA, ZERO, AccountMode, Side
from trading.models import Account, Close, Denial, Event, EventLevel, Fill, Order, Position
from trading.services.calendar import load_calendar
from trading.services.clock import environment_of, market_time
from trading.services.sync import BOOKS_CLOSED

#: At most so many missed sessions are made up for in one run; the next one goes on.
MOST = 30
_CLOSE = time(15, 35)
_CENT, _UNIT = Decimal("0.01"), Decimal("0.0001")


def make_day_reports(real: datetime) -> int:
    """Make the reports that are due and not there yet, for every enabled account; returns how many."""
    calendar = load_calendar()
    made = 0
    for account in Account.objects.filter(enabled=True).order_by("pk"):
        now = market_time(AccountMode(account.mode), real)
        for on in _due(account, now, calendar)[:MOST]:
            # Whoever comes second finds the row: the constraint lets in one per account and session.
            report = _report(account, on, calendar, real)
            made += len(DayReport.objects.bulk_create([report], ignore_conflicts=True))
    return made


def _due(account: Account, now: datetime, calendar: TradingCalendar) -> Sequence[date]:
    """Return the closed sessions without a report, oldest first: from the account's first event on."""
    newest = DayReport.objects.filter(account=account).aggregate(on=Max("on"))["on"]
    if newest is not None:
        first = newest + timedelta(days=1)
    else:
        begun = Event.objects.filter(account=account).aggregate(at=Min("at"))["at"]
        if begun is None:
            return ()
        first = begun.astimezone(CHINA).date()
    today = now.date()
    last = today if books_closed(now) and _closing(account, today) else today - timedelta(days=1)
    return calendar.sessions_between(first, last) if first <= last else ()


def _closing(account: Account, on: date) -> Event | None:
    begins = datetime.combine(on, time(0), CHINA)
    closings = Event.objects.filter(
        account=account, code=BOOKS_CLOSED, at__gte=begins, at__lt=begins + timedelta(days=1)
    )
    return closings.first()


def _report(account: Account, on: date, calendar: TradingCalendar, real: datetime) -> DayReport:
    since = _fills_since(account, on)
    fills = [fill for fill in since if fill.trade_date == on]
    closing = _closing(account, on)
    totals = closing.detail if closing is not None else {}
    before = calendar.previous_session(on) or on - timedelta(days=1)
    # From close to close: what happens at night belongs to the session after it.
    window = {
        "at__gte": datetime.combine(before, _CLOSE, CHINA),
        "at__lt": datetime.combine(on, _CLOSE, CHINA),
    }
    denials = Denial.objects.filter(account=account, **window)
    alarms = Event.objects.filter(account=account, level=EventLevel.ALARM, **window)
    return DayReport(
        account=account,
        on=on,
        orders=Order.objects.filter(account=account, trade_date=on).count(),
        fills=len(fills),
        bought=_sum(fill.amount for fill in fills if fill.side == Side.BUY),
        sold=_sum(fill.amount for fill in fills if fill.side == Side.SELL),
        commission=_sum(fill.commission for fill in fills),
        stamp_duty=_sum(fill.stamp_duty for fill in fills),
        transfer_fee=_sum(fill.transfer_fee for fill in fills),
        realised=_realised(fills, since),
        equity_before=_amount(totals.get("before")),
        equity=_amount(totals.get("total")),
        denials=Counter(denials.order_by("code").values_list("code", flat=True)),
        alarms=Counter(alarms.order_by("code").values_list("code", flat=True)),
        positions=_holdings(account, on, since),
        made_at=real,
    )


# --- what was sold, and what is left ---


@dataclass(frozen=True, slots=True)
class _Then:
    """What a life had bought, and held, before some of its later fills."""

    bought_quantity: int
    bought_amount: Decimal
    quantity: int

    @property
    def cost(self) -> Decimal | None:
        """Average buy cost in yuan per share, None when unknown."""
        return self.bought_amount / self.bought_quantity if self.bought_quantity > 0 else None


def _fills_since(account: Account, on: date) -> list[Fill]:
    fills = Fill.objects.filter(account=account, trade_date__gte=on)
    return list(fills.select_related("position").order_by("pk"))


def _without(row: Position, later: Iterable[Fill]) -> _Then:
    """Take fills back from a life. An ex-rights morning since then is not taken back."""
    then = _Then(row.bought_quantity, row.bought_amount, row.quantity)
    for fill in later:
        if fill.side == Side.BUY:
            then = _Then(
                then.bought_quantity - fill.quantity,
                then.bought_amount - fill.amount,
                then.quantity - fill.quantity,
            )
        else:
            then = _Then(then.bought_quantity, then.bought_amount, then.quantity + fill.quantity)
    return then


def _realised(fills: Sequence[Fill], since: Sequence[Fill]) -> Decimal | None:
    """Return the result of the day's sales after their fees; None when a cost is unknown."""
    result = ZERO
    for fill in fills:
        if fill.side != Side.SELL:
            continue
        row = fill.position
        later = [one for one in since if one.position_id == fill.position_id and one.pk > fill.pk]
        cost = _without(row, later).cost if row is not None else None
        if cost is None:
            return None
        fees = fill.commission + fill.stamp_duty + fill.transfer_fee
        result += fill.amount - fees - cost * fill.quantity
    return result.quantize(_UNIT, ROUND_HALF_UP)


def _holdings(account: Account, on: date, since: Sequence[Fill]) -> list[dict[str, Any]]:
    after: dict[int | None, list[Fill]] = defaultdict(list)
    for fill in since:
        if fill.trade_date > on:
            after[fill.position_id].append(fill)
    closes: Mapping[str, Decimal] = dict(
        Close.objects.filter(
            environment=environment_of(AccountMode(account.mode)), on=on
        ).values_list("symbol", "close")
    )
    end = datetime.combine(on + timedelta(days=1), time(0), CHINA)
    held = []
    lives = Position.objects.filter(account=account, opened_on__lte=on).order_by("symbol")
    for row in lives.exclude(closed_at__lt=end):
        then = _without(row, after[row.pk])
        if then.quantity <= 0:
            continue
        close = closes.get(row.symbol)
        held.append(
            {
                "symbol": row.symbol,
                "quantity": then.quantity,
                "cost": None if then.cost is None else str(then.cost.quantize(_UNIT)),
                "close": None if close is None else str(close),
                "value": None if close is None else str((close * then.quantity).quantize(_CENT)),
            }
        )
    return held


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
