"""Nothing happened where something should have: it is an alert when it begins, another when it is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from monitoring.alerts.collect import collect
from monitoring.alerts.silences import (
    REJECTIONS,
    REPORTED_WITHIN,
    SENT_WITHIN,
    SilenceFacts,
    silences,
)
from monitoring.models import Alert, AlertChannel, AlertDelivery, DayReport, Finding
from tests.integration.test_health import HELD, House
from trading.domain.types import Text
from trading.models import EventLevel, Order
from trading.services.events import journal
from trading.services.sync import BOOKS_CLOSED

pytestmark = [pytest.mark.unattended, pytest.mark.fast]

NOW = datetime(2026, 8, 10, 6, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        (SilenceFacts(), []),
        (SilenceFacts(newest_orders=[True] * (REJECTIONS - 1)), []),
        (SilenceFacts(newest_orders=[True] * REJECTIONS), ["REJECTIONS_IN_A_ROW"]),
        (SilenceFacts(newest_orders=[False, *[True] * REJECTIONS]), []),
        (SilenceFacts(newest_orders=[True] * 5 + [False] + [True] * REJECTIONS), []),
        (SilenceFacts(oldest_due_at=NOW - SENT_WITHIN), []),
        (SilenceFacts(oldest_due_at=NOW - SENT_WITHIN - MINUTE), ["ALERTS_NOT_SENT"]),
        (SilenceFacts(unreported_since=NOW - REPORTED_WITHIN), []),
        (SilenceFacts(unreported_since=NOW - REPORTED_WITHIN - MINUTE), ["REPORT_MISSING"]),
    ],
)
def test_what_counts_as_silence(facts, found):
    assert [one.code for one in silences(facts, NOW)] == found
    assert all(one.text.en and one.text.zh for one in silences(facts, NOW))


@pytest.fixture
def house(db, calendar, tmp_path) -> House:
    return House(tmp_path)


def order(house: House, number: int, state: str) -> None:
    now = house.begin
    Order.objects.create(
        account=house.account, client_order_id=f"o{number}", decision_key=f"k{number}",
        trade_date=now.date(), symbol=HELD, side="sell", kind="manual", purpose="manual",
        quantity=100, chain_quantity=100, price=Decimal(10), state=state, approved_at=now,
        expires_at=now, config_revision=1,
    )  # fmt: skip


def alerts(house: House) -> list[str]:
    collect(house.real + timedelta(seconds=1), house.home)
    return list(Alert.objects.order_by("pk").values_list("code", flat=True))


def test_eleven_rejections_in_a_row_are_told_once_and_so_is_the_first_order_that_is_taken(house):
    for number in range(REJECTIONS):
        order(house, number, "rejected")
    order(house, 90, "expired")  # the broker never saw it
    for _ in range(3):
        house.look()
    assert house.standing() == [("REJECTIONS_IN_A_ROW", "")]
    assert alerts(house) == ["REJECTIONS_IN_A_ROW"]
    assert Alert.objects.get().pages

    order(house, 91, "filled")
    for _ in range(4):
        house.look()
    assert house.standing() == []
    assert alerts(house) == ["REJECTIONS_IN_A_ROW", "REJECTIONS_IN_A_ROW_OVER"]
    assert Alert.objects.first().over_at is not None


@pytest.mark.parametrize(
    ("dead", "code", "looks"),
    [("strategy", "TICK_LATE", 1), ("gateway", "GATEWAY_SILENT", 4), ("feed", "FEED_SILENT", 2)],
)
def test_f131_what_stands_still_reaches_a_person_and_so_does_that_it_goes_on(
    house, dead, code, looks
):
    house.dead.add(dead)
    for _ in range(looks):
        house.look()
    assert alerts(house) == [code]
    house.dead.clear()
    for _ in range(5):
        house.look()
    assert alerts(house) == [code, f"{code}_OVER"]


def test_alerts_that_nobody_sends_are_told_of_on_the_page_and_in_the_file(house):
    channel = AlertChannel.objects.create(name="ops", url="json://127.0.0.1/")
    journal(house.account.pk, EventLevel.ALARM, "ORDER_UNKNOWN", Text("x", "x"), house.begin)
    alerts(house)
    house.look(after=310)  # after a gap
    house.look()
    assert ("ALERTS_NOT_SENT", "") in house.standing()
    AlertDelivery.objects.filter(channel=channel).update(state="sent")
    for _ in range(4):
        house.look()
    assert not Finding.objects.filter(code="ALERTS_NOT_SENT").exists()


def test_closed_books_without_a_report_are_told_until_there_is_one(house):
    journal(house.account.pk, EventLevel.INFO, BOOKS_CLOSED, Text("x", "x"), house.begin)
    house.look(after=1900)
    house.look()
    assert ("REPORT_MISSING", "") in house.standing()
    DayReport.objects.create(
        account=house.account, on=house.begin.date(), orders=0, fills=0, bought=0, sold=0,
        commission=0, stamp_duty=0, transfer_fee=0, made_at=house.real,
    )  # fmt: skip
    for _ in range(4):
        house.look()
    assert ("REPORT_MISSING", "") not in house.standing()
