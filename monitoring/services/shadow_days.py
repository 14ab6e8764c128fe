"""After the books of a session: each order a shadow recorded, beside the market's own prices, kept as rows.

The prices are those of the minutes that are kept for the curves: a touch within a minute that no minute's price shows
counts as none, so the comparison errs to the strict side.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django.db import transaction

from monitoring.models import PricePoint, ShadowDay, ShadowOrder
from trading.domain.shadow import Compared, Recorded, Tape, compare
from trading.domain.types import CHINA, ZERO, AccountMode, Side, Text
from trading.models import Account, DayBooks, EventLevel, Order
from trading.services.clock import market_time
from trading.services.events import journal

#: Missed days that one run makes up for.
MOST = 30
_MINUTE = timedelta(minutes=1)
_AGREES = (Tape.FILLED, Tape.RESTED)
_Prices = Sequence[tuple[datetime, Decimal]]


def compare_shadow_days(real: datetime) -> int:
    """Compare the sessions of every shadow whose books are closed; returns how many."""
    made = 0
    for account in Account.objects.filter(mode=AccountMode.SHADOW).order_by("pk"):
        closed = DayBooks.objects.filter(account=account, closing_cash__isnull=False)
        known = ShadowDay.objects.filter(account=account).values("on")
        for on in closed.exclude(on__in=known).order_by("on").values_list("on", flat=True)[:MOST]:
            made += _compare(account, on, real)
    return made


def _compare(account: Account, on: date, real: datetime) -> bool:
    orders = Order.objects.filter(account=account, trade_date=on, claimed_at__isnull=False)
    found = list(orders.order_by("pk"))
    tape = _tape({order.symbol for order in found}, on)
    compared = [(order, _of(order, tape.get(order.symbol, ()))) for order in found]
    agreeing = sum(one.tape in _AGREES for _, one in compared)
    difference = sum((one.difference or ZERO for _, one in compared), ZERO)
    with transaction.atomic():
        day, is_new = ShadowDay.objects.get_or_create(
            account=account,
            on=on,
            defaults={
                "orders": len(found),
                "agreeing": agreeing,
                "difference": difference,
                "made_at": real,
            },
        )
        if not is_new:  # somebody else's came first
            return False
        ShadowOrder.objects.bulk_create(
            ShadowOrder(
                day=day,
                order=order,
                tape=one.tape,
                reached_at=one.reached_at,
                reached=one.reached,
                difference=one.difference,
            )
            for order, one in compared
        )
        text = Text(
            f"Shadow of {on}: {len(found)} orders recorded, none sent; {agreeing} agree with the market,"
            f" difference {difference:+,.2f} yuan.",
            f"{on} 影子：记录委托 {len(found)} 笔，未发出；与市场一致 {agreeing} 笔，差额 {difference:+,.2f} 元。",
        )
        now = market_time(AccountMode.SHADOW, real)
        journal(account.pk, EventLevel.INFO, "SHADOW_COMPARED", text, now)
    return True


def _of(order: Order, prices: _Prices) -> Compared:
    recorded = Recorded(Side(order.side), order.price, order.filled_quantity, order.filled_amount)
    begins = order.claimed_at or order.approved_at
    ends = order.ended_at or datetime.combine(order.trade_date, time(15), CHINA)
    during = [(at, price) for at, price in prices if begins - _MINUTE < at <= ends]
    return compare(recorded, during)


def _tape(symbols: set[str], on: date) -> Mapping[str, list[tuple[datetime, Decimal]]]:
    begins = datetime.combine(on, time(0), CHINA)
    points = PricePoint.objects.filter(
        symbol__in=symbols, at__gte=begins, at__lt=begins + timedelta(days=1)
    )
    found: dict[str, list[tuple[datetime, Decimal]]] = defaultdict(list)
    for symbol, at, price in points.order_by("at").values_list("symbol", "at", "price"):
        found[symbol].append((at, price))
    return found
