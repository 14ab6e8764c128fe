"""Several machines that share a database: what runs where, what runs nowhere, whose clock is off, who holds a gateway."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError
from django.db.models.functions import Now

from monitoring import stack
from monitoring.console.machines import with_machines
from monitoring.console.values import Console, ProcessView
from monitoring.management.machine_report import MachineReport
from monitoring.management.only import (
    chosen,
    has_the_database,
    leads_elsewhere,
    names_of,
    refuse_strangers,
)
from monitoring.models import Machine
from monitoring.services.machines import SILENT_AFTER, report
from monitoring.status import status_of
from trading.domain.calendar import MarketPhase
from trading.domain.clock_watch import apart
from trading.domain.types import AccountMode, Text
from trading.errors import StandDown
from trading.management.clock_guard import ASK_EVERY, ClockGuard
from trading.market_data.file_store import FileQuoteStore
from trading.models import Account, Event
from trading.services.database_clock import between
from trading.services.gateway_lease import TTL, Lease

pytestmark = [pytest.mark.system, pytest.mark.unattended, pytest.mark.django_db]

NOW = datetime(2026, 8, 10, 2, 0, tzinfo=UTC)
CALM = Text("", "")


@pytest.fixture
def accounts(db) -> list[Account]:
    return [
        Account.objects.create(name=name, broker_account_id=f"88{name}", mode=AccountMode.DEMO)
        for name in ("main", "second")
    ]


def rows(*names: str) -> list[dict[str, object]]:
    return [{"name": name, "state": "running", "since": str(NOW), "restarts": 0} for name in names]


def here(*names: str) -> list[ProcessView]:
    return [ProcessView(name, "running", NOW, 0, CALM) for name in names]


def states(views: list[ProcessView]) -> dict[str, str]:
    return {one.name: one.state for one in views}


# --- which processes run here


def test_a_machine_runs_what_it_is_told_and_the_rest_is_elsewhere():
    around = stack.Surroundings(Path(), Path("home"), stack.Redis("redis://elsewhere"))
    every = stack.trading_processes(
        around, [stack.gateway(around, 1, "main"), stack.gateway(around, 2, "second")]
    )

    def run_here(written: str) -> list[str]:
        return [one.name for one in chosen(every, names_of(written))]

    assert run_here("gateway:main, market_data") == ["market_data", "gateway-main"]
    assert run_here("worker,beat") == ["worker", "beat"]
    assert run_here("gateways") == ["gateway-main", "gateway-second"]
    assert run_here("") == [one.name for one in every]
    with pytest.raises(CommandError, match="gateway:third"):
        refuse_strangers(every, names_of("gateway:third"))


@pytest.mark.parametrize("written", ["gatway:main", "gateway:", "celery"])
def test_a_word_that_is_no_process_is_named_with_those_that_are(written):
    with pytest.raises(CommandError, match=f"{written}.*market_data"):
        names_of(written)


def test_only_the_machine_of_beat_changes_tables_and_without_redis_another_ones_is_named():
    assert has_the_database(names_of(""))
    assert has_the_database(names_of("worker,beat,web"))
    assert not has_the_database(names_of("gateways,market_data"))
    assert leads_elsewhere(names_of("gateways"), "") is not None
    assert leads_elsewhere(names_of("gateways"), "rediss://there") is None
    assert leads_elsewhere(names_of("redis,worker"), "") is None
    assert leads_elsewhere(names_of(""), "") is None


# --- what is seen of the others


def test_one_machine_alone_is_shown_as_ever(accounts):
    report("linux", rows("worker"), None)
    assert with_machines("linux", here("worker")) == here("worker")


def test_each_process_is_shown_with_its_machine_and_what_runs_nowhere_as_such(accounts):
    report("windows", rows("market_data", "gateway-main"), timedelta(milliseconds=40))
    shown = with_machines("linux", here("worker", "beat"))
    assert states(shown) == {
        "worker @ linux": "running",
        "beat @ linux": "running",
        "market_data @ windows": "running",
        "gateway-main @ windows": "running",
        "gateway-second": "nowhere",
    }
    troubles = Console(NOW, (), tuple(shown), False).troubles
    assert [one.en for one in troubles] == ["gateway-second does not run"]


def test_a_machine_that_says_nothing_any_more_is_named_with_what_ran_there(accounts):
    report("windows", rows("market_data", "gateway-main", "gateway-second"), None)
    Machine.objects.update(seen_at=Now() - SILENT_AFTER - timedelta(seconds=1))
    shown = {one.name: one for one in with_machines("linux", here("worker", "beat"))}
    lost = shown["gateway-main @ windows"]
    assert lost.state == "silent"
    assert "machine" in lost.story.en
    assert "gateway-main" not in shown  # it is expected there, and told once


def test_a_machine_that_was_stopped_in_order_runs_nothing(accounts):
    teller = MachineReport("windows", lambda: NOW)
    teller.say(rows("gateway-main"))
    teller._tell(teller._rows)
    assert Machine.objects.get().processes == rows("gateway-main")
    teller._tell(())
    assert states(with_machines("linux", here("worker")))["gateway-main"] == "nowhere"


def test_status_names_the_machine_of_each(accounts, settings, tmp_path):
    settings.MINIQMT_MACHINE = "linux"
    report("windows", rows("gateway-main"), None)
    found = {one.name: one.state for one in status_of(tmp_path, NOW).processes}
    assert found["gateway-main @ windows"] == "running"
    assert found["gateway-second"] == "nowhere"


# --- clocks


@pytest.mark.parametrize(
    ("before", "theirs", "after", "ahead"),
    [(0, 0, 0, 0), (0, 1, 2, 0), (5, 1, 6, 4), (0, 9, 2, -7)],
)
def test_a_slow_answer_makes_no_difference_that_need_not_be(before, theirs, after, ahead):
    moments = [NOW + timedelta(seconds=one) for one in (before, theirs, after)]
    assert between(*moments) == timedelta(seconds=ahead)


@pytest.mark.parametrize(
    ("milliseconds", "is_off"),
    [(0, False), (1000, False), (-1000, False), (1001, True), (-4000, True)],
)
def test_a_clock_more_than_a_second_from_the_databases_is_not_relied_on(milliseconds, is_off):
    assert (apart(timedelta(milliseconds=milliseconds)) is not None) is is_off


def test_the_gateway_observes_until_the_clocks_agree_and_says_both(accounts, tmp_path):
    ahead, at = timedelta(seconds=3.2), 0.0
    guard = ClockGuard(
        accounts[0].pk,
        FileQuoteStore(tmp_path / "quotes.sqlite3", writes=True),
        lambda: NOW + timedelta(seconds=at),
        lambda: at,
        ahead=lambda: ahead,
    )
    why = guard(NOW, MarketPhase.CLOSED)
    assert why is not None
    assert "+3.2 s" in why.en
    ahead, at = timedelta(0), ASK_EVERY / 2
    assert guard(NOW, MarketPhase.CLOSED) == why  # asked again only every ten seconds
    at = ASK_EVERY
    assert guard(NOW, MarketPhase.CLOSED) is None
    codes = list(Event.objects.order_by("pk").values_list("code", flat=True))
    assert codes == ["CLOCK_JUMPED", "CLOCK_STEADY"]


# --- one gateway


def test_a_second_gateway_is_told_on_which_machine_the_first_one_runs(accounts):
    Lease(accounts[0].pk, "here", TTL, "windows-office").take()
    with pytest.raises(StandDown, match="on windows-office"):
        Lease(accounts[0].pk, "there", TTL, "linux").take()
    Lease(accounts[1].pk, "there", TTL, "linux").take()  # another account is another matter
