"""The health tick on real rows: what begins and what is over is told once, and a quiet market is no trouble."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from monitoring.models import Finding
from monitoring.run_file import LOCK, write_run_file
from monitoring.services.health import check_health
from trading.domain.types import CHINA, Quote, Symbol
from trading.market_data.store import MemoryQuoteStore
from trading.models import Account, Event, Position, TickLease, TradingConfig
from trading.services.clock import set_clock

pytestmark = [
    pytest.mark.unattended,
    pytest.mark.fast,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]

REAL = datetime(2026, 8, 15, 20, 0, tzinfo=UTC)  # a Saturday night: market time is the clock's
OPEN = datetime(2026, 8, 10, 10, 0, tzinfo=CHINA)
HELD = Symbol("600036.SH")


class House:
    """One demo account at ten o'clock of a session, everything around it working until told otherwise."""

    def __init__(self, home, market: datetime = OPEN) -> None:
        self.home, self.real = home, REAL
        self.begin = market
        set_clock("demo", REAL - timedelta(hours=1), market - timedelta(hours=1))
        self.account = Account.objects.create(
            name="demo", broker_account_id="8800000001", mode="demo"
        )
        TradingConfig.objects.create(account=self.account, auto_trading_enabled=True)
        Position.objects.create(
            account=self.account,
            symbol=HELD,
            quantity=100,
            bought_quantity=100,
            bought_amount=Decimal(1000),
            opened_on=date(2026, 8, 7),
        )
        self.quotes = MemoryQuoteStore()
        self.dead: set[str] = set()
        self.look()  # the first look after a gap says nothing

    def look(self, after: float = 30) -> None:
        """Let so many seconds pass, whatever works leaves its traces, then look."""
        self.real += timedelta(seconds=after)
        now = self.begin + (self.real - REAL)
        for name in ("sync", "strategy", "orders"):
            if name not in self.dead:
                TickLease.objects.update_or_create(
                    name=f"{name}:{self.account.pk}", defaults={"started_at": self.real}
                )
        if "gateway" not in self.dead:
            Account.objects.filter(pk=self.account.pk).update(
                gateway_status="armed", gateway_seen_at=now, snapshot_at=now
            )
        if "feed" not in self.dead:
            self.quotes.put("test", [quote(now)], 10, now)
        check_health(self.quotes, lambda: self.real, self.home)

    def events(self) -> list[str]:
        return list(Event.objects.order_by("pk").values_list("code", flat=True))

    def standing(self) -> list[tuple[str, str]]:
        return list(Finding.objects.order_by("pk").values_list("code", "subject"))


def quote(at: datetime) -> Quote:
    price = Decimal("10.00")
    return Quote(HELD, at, price, price, open=price, high=price, low=price, volume=1000)


@pytest.fixture
def house(tmp_path) -> House:
    return House(tmp_path)


def test_a_house_that_works_has_nothing_to_tell(house):
    for _ in range(5):
        house.look()
    assert house.events() == []
    assert house.standing() == []


@pytest.mark.parametrize(
    ("dead", "code", "subject", "looks"),
    [
        ("strategy", "TICK_LATE", "strategy", 1),
        ("gateway", "GATEWAY_SILENT", "", 4),
        ("feed", "FEED_SILENT", "", 2),
    ],
)
def test_trouble_is_told_when_it_begins_and_when_it_is_over_and_never_in_between(
    house, dead, code, subject, looks
):
    house.dead.add(dead)
    for _ in range(looks):
        house.look()
    assert house.standing() == [(code, subject)]
    for _ in range(5):
        house.look()
    assert house.events() == [code]
    house.dead.clear()
    for _ in range(5):
        house.look()
    assert house.events() == [code, f"{code}_OVER"]
    assert house.standing() == []
    begun, over = Event.objects.order_by("pk")
    assert (begun.level, over.level) == ("alarm", "info")
    assert begun.text_zh in over.text_zh


def test_a_process_that_up_holds_back_is_told_when_it_begins_and_when_it_is_over(house):
    lock = house.home / LOCK
    lock.touch()

    def look(state: str, silent: float = 0) -> None:
        write_run_file(house.home, {"processes": [{"name": "web", "state": state}, "rubbish"]})
        now = house.real.timestamp() + 30 - silent
        os.utime(lock, (now, now))
        house.look()

    look("held back", silent=60)  # of an `up` that is gone: nobody keeps it true
    assert house.standing() == []
    look("held back")
    look("held back")
    assert house.standing() == [("PROCESS_HELD_BACK", "web")]
    for _ in range(5):
        look("running")
    assert house.events() == ["PROCESS_HELD_BACK", "PROCESS_HELD_BACK_OVER"]


def test_what_comes_and_goes_is_told_once(house):
    for _ in range(4):
        house.dead = {"strategy"}
        house.look()
        house.dead = set()
        house.look()
    assert house.events() == ["TICK_LATE"]


def test_after_a_gap_the_first_look_says_nothing(house):
    house.dead = {"sync", "strategy", "orders", "gateway", "feed"}
    house.look(after=600)
    assert house.events() == []
    house.look()
    assert set(house.events()) == {"TICK_LATE", "GATEWAY_SILENT", "FEED_SILENT"}


def test_a_second_scheduler_looks_in_vain(house):
    house.dead.add("strategy")
    house.look()
    assert check_health(house.quotes, lambda: house.real, house.home) == 0
    assert house.events() == ["TICK_LATE"]


def test_at_lunch_and_at_night_silence_is_no_trouble(tmp_path):
    house = House(tmp_path, OPEN.replace(hour=12))
    house.dead = {"strategy", "feed"}
    for _ in range(6):
        house.look()
    assert house.events() == []
    # At night only sync and orders have a use, for the day's end; a look every ten minutes is enough.
    set_clock("demo", house.real, OPEN.replace(hour=23))
    house.begin = OPEN.replace(hour=23) - (house.real - REAL)
    house.dead = {"strategy", "gateway", "feed"}
    for _ in range(3):
        house.look(after=600)
    assert house.events() == []


def test_a_calendar_that_ends_this_year_is_told_in_november_once(tmp_path):
    house = House(tmp_path, datetime(2026, 11, 24, 10, 0, tzinfo=CHINA))
    for _ in range(4):
        house.look()
    assert house.events() == ["CALENDAR_ENDS"]
    assert Event.objects.get().level == "warning"


def test_the_last_month_of_the_calendar_is_told_every_day_it_lasts(tmp_path):
    house = House(tmp_path, datetime(2026, 12, 1, 10, 0, tzinfo=CHINA))
    for _ in range(3):
        house.look()
    for _ in range(2):  # two days on, the house was away a night: the first look says nothing
        house.begin += timedelta(days=1)
        set_clock("demo", house.real, house.begin + (house.real - REAL))
        for _ in range(3):
            house.look()
    told = Event.objects.filter(code="CALENDAR_ENDS_SOON")
    assert [event.at.astimezone(CHINA).day for event in told] == [1, 2, 3]
    assert {event.level for event in told} == {"alarm"}
    assert house.standing() == [("CALENDAR_ENDS_SOON", "")]


def test_settings_that_a_hand_broke_are_told_once_although_the_ticks_say_so_too(house):
    TradingConfig.objects.filter(pk=house.account.pk).update(stop_loss_ratio=Decimal(3))
    house.look()
    house.look()
    assert house.events() == ["CONFIG_INVALID"]


@pytest.mark.parametrize(
    ("switch", "code"),
    [("auto_trading_enabled", "auto_off"), ("stop_loss_enabled", "stop_loss_off")],
)
def test_a_protection_that_is_off_is_never_off_in_silence(tmp_path, switch, code):
    house = House(tmp_path)
    house.look()
    assert house.standing() == []

    TradingConfig.objects.update(**{switch: False})
    house.look()
    house.look()

    assert house.standing() == [("UNPROTECTED", code)]
    assert house.events() == ["UNPROTECTED"]
    assert HELD in Finding.objects.get().text_en

    TradingConfig.objects.update(**{switch: True})
    for _ in range(4):
        house.look()
    assert house.standing() == []
    assert house.events() == ["UNPROTECTED", "UNPROTECTED_OVER"]
