"""The page of one holding: what would sell it, and everything that was decided about it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from tests.audit import unprotected
from tests.integration.record_scenes import (
    HELD,
    SOLD,
    a_sold_morning,
    denial,
    person,
    text,
    words_of,
)
from tests.world import World
from trading.models import Event, Fill, Position

pytestmark = [pytest.mark.system, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]


@pytest.fixture
def world(calendar, tmp_path, monkeypatch, now) -> World:
    return a_sold_morning(tmp_path, monkeypatch)


@pytest.fixture
def reader(world) -> Client:
    return person("view_account")


def test_a_holding_shows_its_levels_and_the_one_that_would_sell_it_now(world, reader):
    page = words_of(text(reader, "holding", Position.objects.get(symbol=HELD).pk))
    assert "protected: the stop-loss sells at 9.25" in page
    assert "the price would have to fall 11.06%" in page
    assert "Stop-loss ← would sell now 9.25 -11.06% cost -7.5%: everything is sold" in page
    assert "First take-profit is watched from 10.60 +1.92% cost +6%" in page


@pytest.mark.parametrize(
    ("state", "level"),
    [
        ({"armed": True, "armed_high": "10.80", "high_since_entry": "10.80"}, "First take-profit ← would sell now 10.746"),
        ({"first_take_profit_done": True, "high_since_entry": "11.20"}, "Trailing take-profit ← would sell now 10.416"),
        ({"first_take_profit_done": True, "high_since_entry": "11.20"}, "Next trailing tier 11.50"),
    ],
)  # fmt: skip
def test_the_levels_follow_the_state_of_the_holding(world, reader, state, level):
    Position.objects.filter(symbol=HELD).update(
        **{name: Decimal(value) if isinstance(value, str) else value for name, value in state.items()}
    )  # fmt: skip
    assert level in words_of(text(reader, "holding", Position.objects.get(symbol=HELD).pk))


def test_shares_bought_today_and_what_is_out_of_the_ordinary_are_named(world, reader):
    row = Position.objects.get(symbol=HELD)
    Fill.objects.create(
        account=world.account, trade_date=world.on, symbol=HELD, side="buy", quantity=300, price=Decimal(10),
        amount=Decimal(3000), broker_order_id=5, traded_id="1", key="k", position=row,
        at=world.moment("09:31:10"), booked_at=world.moment("09:31:10"),
    )  # fmt: skip
    Position.objects.filter(pk=row.pk).update(
        stop_loss_ratio=Decimal("-0.05"), exits_paused_until=world.moment("09:36:00"), ex_rights_unverified=True,
        stale_since=world.moment("09:32:00"), broker_quantity=900,
    )  # fmt: skip
    page = words_of(text(reader, "holding", row.pk))
    for said in (
        "300 bought today (T+1)",
        "Own stop-loss ratio: -5%.",
        "Exits rest until 09:36:00.",
        "could not be verified",
        "The terminal shows 900 shares, our books 1000.",
        "cost -5%",
    ):
        assert said in page, said


def test_the_story_of_a_holding_is_told_newest_first_from_signal_to_end(world, reader):
    Event.objects.create(account=world.account, at=world.moment("09:30:10"), level="info", code="EX_RIGHTS",
                         symbol=SOLD, text_en="10 for 11 on this day", text_zh="除权", actor="system")  # fmt: skip
    denial(world, "ORDER_RATE", "09:30:50", symbol=SOLD)
    page = words_of(text(reader, "holding", Position.objects.get(symbol=SOLD).pk))
    story = page.split("newest first")[1]
    told = [
        "re-order 2",
        "re-order 1",
        "(stop loss): cancelled",
        "signal sell 1,000",
        "denial add on held back",
        "10 for 11",
    ]
    places = [story.index(one) for one in told]
    assert places == sorted(places)
    assert world.signals()[0].reason_en in story


def test_a_life_tells_nothing_of_the_one_before(world, reader):
    row = Position.objects.get(symbol=HELD)
    Position.objects.filter(pk=row.pk).update(closed_at=world.moment("09:31:00"), quantity=0)
    later = Position.objects.create(
        account=world.account, symbol=HELD, life=2, quantity=100, bought_quantity=100,
        bought_amount=Decimal(1000), opened_on=world.on,
    )  # fmt: skip
    for clock, words in (("09:30:30", "of the first"), ("09:31:30", "of the second")):
        Event.objects.create(account=world.account, at=world.moment(clock), level="info", code="X", symbol=HELD,
                             text_en=words, text_zh=words)  # fmt: skip
    first, second = text(reader, "holding", row.pk), text(reader, "holding", later.pk)
    assert ("of the first" in first, "of the second" in first) == (True, False)
    assert ("of the first" in second, "of the second" in second) == (False, True)
    assert "sold" in words_of(first).split("What happened")[0]


def test_settings_that_are_unusable_leave_no_levels_and_break_nothing(world, reader):
    row = world.account.config
    with unprotected():
        type(row).history.all().delete()
    type(row).objects.update(signal_max_age=1)
    page = text(reader, "holding", Position.objects.get(symbol=HELD).pk)
    assert "There are no usable settings" in page


def test_a_holding_that_never_was_is_not_found(world, reader):
    assert reader.get(reverse("holding", args=[10**6])).status_code == 404
