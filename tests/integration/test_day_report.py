"""The day report: one row per account and session, from what was booked, whenever it is made."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from monitoring.models import DayReport
from monitoring.services.day_report import make_day_reports
from tests.integration.days import BANK, LIQUOR
from tests.world import World
from trading.models import Fill
from trading.services.clock import set_clock

pytestmark = [pytest.mark.unattended, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

REAL = timezone.now()


def a_day_with_a_stop(until: str = "15:35:20") -> World:
    world = World(holdings=[(BANK, 1000, "10.00"), (LIQUOR, 200, "10.00")])
    world.hold(BANK, "10.00", since="09:30:00", until="09:31:00")
    world.hold(BANK, "9.20", since="09:31:00", until="09:31:30")
    world.hold(LIQUOR, "10.10", since="09:30:00", until="09:31:30")
    world.quote("15:00:00", LIQUOR, "10.20")
    world.run(until=until)
    return world


def reports_at(market: datetime) -> int:
    set_clock("demo", REAL, market)
    return make_day_reports(REAL)


def test_a_session_is_reported_once_with_what_was_booked():
    world = a_day_with_a_stop()
    assert reports_at(world.moment("15:36:00")) == 1
    assert reports_at(world.moment("15:36:00")) == 0
    report = DayReport.objects.get()
    [sale] = world.fills()
    assert (report.account, report.on) == (world.account, world.on)
    assert (report.orders, report.fills, report.bought, report.sold) == (1, 1, 0, sale.amount)
    # 1,000 shares at 9.19: the minimum commission, 0.1 % stamp duty before 2023-08-28, 0.001 % transfer fee.
    assert sale.amount == Decimal("9190.00")
    assert report.commission == Decimal("5.00")
    assert report.stamp_duty == Decimal("9.19")
    assert report.transfer_fee == Decimal("0.09")
    assert report.realised == Decimal("9190.00") - Decimal("14.28") - Decimal("10000")
    assert report.positions == [
        {
            "symbol": LIQUOR,
            "quantity": 200,
            "cost": "10.0000",
            "close": "10.2000",
            "value": "2040.00",
        }
    ]
    assert report.equity == 1_000_000 + Decimal("9190.00") - Decimal("14.28") + Decimal("2040")
    assert report.equity_before is not None
    assert report.change == report.equity - report.equity_before
    assert sum(report.alarms.values()) == len(world.events(level="alarm"))


def test_before_the_books_close_there_is_no_report():
    world = a_day_with_a_stop(until="14:00:00")
    assert reports_at(world.moment("14:00:00")) == 0
    # After 15:35 it waits for the totals, which the sync tick writes then.
    assert reports_at(world.moment("15:35:01")) == 0


def test_f130_a_missed_session_is_made_up_for_from_what_was_true_then():
    world = a_day_with_a_stop()
    # The next session already sold the rest, and the one before was never reported.
    [sale] = world.fills()
    later = world.position(LIQUOR)
    Fill.objects.create(
        account=world.account,
        position=later,
        trade_date=world.on + timedelta(days=1),
        symbol=LIQUOR,
        side="sell",
        quantity=200,
        price=Decimal("10.50"),
        amount=Decimal(2100),
        broker_order_id=99,
        traded_id="99",
        key="later",
        at=sale.at + timedelta(days=1),
        booked_at=sale.at + timedelta(days=1),
    )
    type(later).objects.filter(pk=later.pk).update(
        quantity=0, closed_at=sale.at + timedelta(days=1)
    )
    assert reports_at(world.moment("15:36:00") + timedelta(days=2)) == 2  # Thursday and Wednesday
    first, second = DayReport.objects.order_by("on")
    assert (first.on, [one["quantity"] for one in first.positions]) == (world.on, [200])
    assert first.equity is not None
    assert (second.fills, second.sold, second.positions) == (1, 2100, [])
    assert (second.equity, second.change) == (None, None)  # nobody closed that session's books


def test_the_database_refuses_a_second_report_of_a_session():
    world = a_day_with_a_stop(until="09:32:00")
    values = dict.fromkeys(
        ("orders", "fills", "bought", "sold", "commission", "stamp_duty", "transfer_fee"), 0
    )
    DayReport.objects.create(account=world.account, on=world.on, made_at=REAL, **values)
    with pytest.raises(IntegrityError), transaction.atomic():
        DayReport.objects.create(account=world.account, on=world.on, made_at=REAL, **values)


def test_denials_and_alarms_are_counted_by_code():
    world = World(holdings=[(BANK, 1000, "10.00")], settings={"auto_trading_enabled": "off"})
    world.hold(BANK, "9.20", since="09:31:00", until="09:31:30")
    world.quote("14:56:57", BANK, "9.20")
    world.run()
    reports_at(world.moment("15:36:00"))
    report = DayReport.objects.get()
    assert report.denials == {"AUTO_OFF": 1}
    assert report.alarms["AUTO_OFF"] == 1
