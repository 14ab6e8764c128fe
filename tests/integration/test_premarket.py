"""The look before the open: kept once a session, told when the verdict changes, never between sessions."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from monitoring.models import PremarketCheck
from monitoring.services.premarket import check_before_the_open
from tests.integration.days import BANK
from tests.ledgers import turn_into
from tests.world import World
from trading.domain.source_health import FALLBACK
from trading.domain.types import Symbol, TradingState
from trading.models import Account, Event, TradingConfig, TradingDay
from trading.services.clock import set_clock

pytestmark = [pytest.mark.unattended, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

REAL = timezone.now()


@pytest.fixture
def world() -> World:
    """An armed account at 09:24 with one holding, whose auction quotes have come."""
    made = World(holdings=[(BANK, 1000, "10.00")])
    made.hold(BANK, "10.00", since="09:15:10", until="09:24:00")
    made.run(until="09:24:00")
    return made


def look(world: World, clock: str, tmp_path: Path) -> int:
    set_clock("demo", REAL, world.moment(clock))
    Account.objects.update(gateway_seen_at=world.moment(clock), snapshot_at=world.moment(clock))
    return check_before_the_open(REAL, world.store, tmp_path)


def told() -> list[str]:
    return list(Event.objects.filter(code__startswith="PREMARKET").values_list("code", flat=True))


def test_a_ready_session_is_told_once(world: World, tmp_path: Path) -> None:
    assert look(world, "09:24:00", tmp_path) == 1
    assert look(world, "09:25:00", tmp_path) == 0
    check = PremarketCheck.objects.get()
    assert (check.on, check.ready) == (world.on, True), check.items
    assert check.looked_at == world.moment("09:25:00")
    assert told() == ["PREMARKET_READY"]


def test_what_is_put_right_in_time_is_told_again(world: World, tmp_path: Path) -> None:
    Account.objects.update(trading_state=TradingState.HALTED)
    look(world, "09:24:00", tmp_path)
    assert not PremarketCheck.objects.get().ready
    assert "halted" in Event.objects.get(code="PREMARKET_NOT_READY").text_en
    Account.objects.update(trading_state=TradingState.ACTIVE)
    look(world, "09:26:00", tmp_path)
    assert told() == ["PREMARKET_NOT_READY", "PREMARKET_READY"]


@pytest.mark.parametrize("clock", ["08:59:59", "09:30:00", "12:00:00"])
def test_outside_the_half_hour_before_the_open_nothing_is_looked_at(
    world: World, tmp_path: Path, clock: str
) -> None:
    assert look(world, clock, tmp_path) == 0
    assert not PremarketCheck.objects.exists()


def test_a_holiday_has_no_session_to_begin(world: World, tmp_path: Path) -> None:
    TradingDay.objects.filter(pk=world.on).update(is_session=False)
    assert look(world, "09:24:00", tmp_path) == 0


def test_a_day_the_calendar_does_not_know_is_an_alarm(world: World, tmp_path: Path) -> None:
    TradingDay.objects.filter(on__gte=date(world.on.year, world.on.month, 1)).delete()
    assert look(world, "09:24:00", tmp_path) == 1
    assert told() == ["PREMARKET_NOT_READY"]


def test_quotes_of_yesterday_are_none_of_today(world: World, tmp_path: Path) -> None:
    set_clock("demo", REAL, world.moment("09:24:00") + timedelta(days=1))
    later = world.moment("09:24:00") + timedelta(days=1)
    Account.objects.update(gateway_seen_at=later, snapshot_at=later)
    assert check_before_the_open(REAL, world.store, tmp_path) == 1
    wrong = [
        one["name_en"] for one in PremarketCheck.objects.get().items if one["verdict"] == "stop"
    ]
    assert wrong == ["quotes"]


@pytest.mark.parametrize("allowed", [False, True])
def test_a_quote_that_may_not_trade_is_none(world: World, tmp_path: Path, allowed: bool) -> None:
    TradingConfig.objects.update(allow_mootdx_trading=allowed)
    now = world.moment("09:24:30")
    before = world.store.latest([Symbol(BANK)])[Symbol(BANK)]
    world.store.put(FALLBACK, [replace(before, time=now)], 10, now)
    look(world, "09:24:40", tmp_path)
    assert PremarketCheck.objects.get().ready is allowed


def test_the_command_says_it_in_words_and_by_its_exit_code(world: World) -> None:
    set_clock("demo", REAL, world.moment("09:24:00"))
    out = StringIO()
    with pytest.raises(CommandError, match="may not begin"):
        call_command(
            "premarket", "--lang", "en", stdout=out
        )  # its own quotes: there are none here
    assert "quotes" in out.getvalue()
    assert "STOP" in out.getvalue()


@pytest.mark.parametrize(("mode", "told_of"), [("demo", []), ("paper", ["PREMARKET_NOT_READY"])])
def test_only_a_demo_that_was_never_read_is_left_in_peace(
    world: World, tmp_path: Path, mode: str, told_of: list[str]
) -> None:
    turn_into(mode)
    Account.objects.update(snapshot_at=None)
    set_clock("demo", REAL, world.moment("09:29:50"))
    check_before_the_open(REAL, world.store, tmp_path)
    assert told() == told_of
