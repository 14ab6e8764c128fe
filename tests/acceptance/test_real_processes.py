"""A slice of the campaign of real processes: eight runs, two at a time, each another scenario.

The whole of it: `python -m tests.simulation --processes 500 --jobs 2 --finished FILE` (docs/reliability.md).
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from tests.simulation.processes import campaign
from tests.simulation.processes.checks import Expected, broken
from tests.simulation.processes.house import House
from tests.simulation.processes.market import write_market
from tests.simulation.processes.points import ELSEWHERE, death_at
from tests.simulation.processes.scenarios import SCENARIOS
from tests.stack import PRODUCT, TERMINAL
from trading.faults import POINTS

pytestmark = [pytest.mark.system, pytest.mark.unattended]

#: Scenario and seed of each run.
SLICE = {
    "kill": 36,
    "two_gateways": 1,
    "redis_killed": 1,
    "power_cut": 1,
    "any_order": 1,
    "kill_file": 1,
    "database_read_only": 1,
    "five_times": 1,
}
DOCTORED = "kill"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, campaign.Outcome]]:
    runs = tmp_path_factory.mktemp("runs")
    with closing(campaign.Grounds(runs, keep=True)) as grounds, ThreadPoolExecutor(2) as pool:
        played = pool.map(lambda case: campaign.play(case[1], grounds, case[0]), SLICE.items())
        yield {outcome.scenario: outcome for outcome in played}


real = [
    pytest.mark.slow,
    pytest.mark.usefixtures("whole_machine"),
    pytest.mark.skipif(os.name == "nt", reason="kill -9 and SIGSTOP are POSIX"),
    pytest.mark.xdist_group("real processes"),
]


def marked(function):
    for mark in real:
        function = mark(function)
    return function


@marked
def test_after_every_scenario_the_books_agree_and_what_fell_is_sold(outcomes):
    wrong = {campaign.repeat(one): one.broken for one in outcomes.values() if one.broken}
    assert wrong == {}
    assert outcomes["kill"].hits != []
    assert outcomes["kill_file"].hits == ["desk.dropped"]
    assert min(outcome.fills for outcome in outcomes.values()) > 5


@pytest.fixture
def finished(outcomes, tmp_path) -> House:
    """A copy of the folder that a run has left."""
    outcome = outcomes[DOCTORED]
    folder = tmp_path / "run"
    shutil.copytree(outcome.folder, folder)
    chance = random.Random(f"processes:{DOCTORED}:{outcome.seed}")
    market = write_market(folder / "day.csv", chance, **SCENARIOS[DOCTORED].market)
    return House(folder / "home", market)


FALSE = {
    "I6": (
        TERMINAL,
        "UPDATE paper_order SET body = json_set(body, '$.message', '可用股份数不足')",
    ),
    "I7": (TERMINAL, "UPDATE trade SET body = json_set(body, '$.quantity', 99999)"),
    "I8": (
        TERMINAL,
        "UPDATE paper_order SET body = json_set(body, '$.message', '当前时段不允许委托', '$.status', 57)",
    ),
    "I9": (PRODUCT, "UPDATE trading_order SET chain_quantity = 1"),
    "I11": (PRODUCT, "UPDATE trading_tradingconfig SET revision = revision + 1"),
    "I12": (
        PRODUCT,
        "DELETE FROM trading_orderevent WHERE id = (SELECT MIN(id) FROM trading_orderevent)",
    ),
    "I13": (
        PRODUCT,
        "UPDATE trading_orderevent SET old_state = 'filled' WHERE new_state = 'submitted'",
    ),
    "I14": (PRODUCT, "UPDATE trading_order SET state = 'submitting'"),
    "I15": (
        PRODUCT,
        "UPDATE trading_orderevent SET epoch = 99 WHERE id ="
        " (SELECT MIN(id) FROM trading_orderevent WHERE new_state = 'submitting')",
    ),
    "I16": (PRODUCT, "UPDATE trading_signal SET last = last + 100"),
    "I17": (PRODUCT, "UPDATE trading_position SET quantity = quantity + 100"),
    "I18": (TERMINAL, "DELETE FROM paper_order"),
    "I20": (PRODUCT, "UPDATE trading_account SET frozen_cash = 10000"),
}


def lines(house: House, expected: Expected = Expected()) -> set[str]:  # noqa: B008 - immutable
    """The invariants that do not hold, but for the gateway, which runs no more."""
    found = broken(house, expected)
    return {line.split()[0] for line in found if "the gateway is not armed" not in line}


@marked
@pytest.mark.parametrize("number", FALSE)
def test_false_rows_break_their_invariant(finished, number):
    name, statement = FALSE[number]
    assert number not in lines(finished)
    with closing(sqlite3.connect(finished.home / name)) as database, database:
        assert database.execute(statement).rowcount > 0
    assert number in lines(finished)


@marked
def test_an_order_in_a_time_of_silence_and_an_error_nobody_explains_are_found(finished):
    assert lines(finished) == set()
    day = (datetime(2026, 8, 10), datetime(2026, 8, 11))  # noqa: DTZ001 - naive like the terminal's
    assert lines(finished, Expected(silent=[day])) == {"I10"}
    with (finished.logs / "gateway.txt").open("a", encoding="utf-8") as log:
        log.write("2026-08-10 09:31:00,000 ERROR trading something nobody expected\n")
    assert lines(finished) == {"I19"}
    assert lines(finished, Expected(log=["nobody expected"])) == set()


@pytest.mark.fast
def test_every_crash_point_has_a_run_that_aims_at_it():
    chance = random.Random(1)
    aimed = {name for name in POINTS if name not in ELSEWHERE and death_at(name, chance).faults}
    assert aimed | set(ELSEWHERE) == set(POINTS)
    assert set(ELSEWHERE.values()) <= set(SCENARIOS)


@pytest.mark.fast
def test_a_campaign_of_processes_goes_on_where_it_was_stopped(tmp_path: Path):
    file = tmp_path / "finished.jsonl"
    campaign.Finished(file).add(campaign.Outcome(7, "kill", 20.0, [], ["gateway.sent"], 3, 9))

    finished = campaign.Finished(file)

    assert list(campaign.run([7], 1, finished, tmp_path)) == []
    figures = campaign.summary(finished.outcomes.values(), 20.0)
    assert (figures["runs"], figures["points"]["gateway.sent"], figures["failing"]) == (1, 1, {})
