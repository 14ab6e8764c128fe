"""The campaign itself: seeds that once failed, some planted bugs that must be caught, and how it goes on.

Two thousand seeds: tests/acceptance/thousand_seeds.py; all planted bugs: `python -m tests.simulation --plant all`.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulation import bugs, campaign
from tests.simulation.plan import plan_of
from tests.simulation.planting import NEEDS
from tests.simulation.revision import modules

pytestmark = [pytest.mark.orders, pytest.mark.unattended]

#: Planted bugs, each with a seed that shows it. A change of the code may move the story: then others are tried.
CAUGHT = {
    "fill_key_without_trade_id": 5,
    "retry_after_timeout": 4,
    "t1_from_volume": 2,
    "zero_volume_row_keeps_its_life": 2,
}
OTHERS = range(40)


#: Seeds that once broke an invariant.
ONCE_BROKEN = (2354, 2629, 3980, 25222, 39772, 43186)


@pytest.mark.parametrize("seed", ONCE_BROKEN)
def test_a_seed_that_once_broke_an_invariant_does_not(database, seed):
    assert campaign.play(seed, database)[0].broken == []


def test_no_seed_breaks_an_invariant_over_the_full_client(database):
    played = [campaign.play(seed, database, channel="full_client")[0] for seed in range(8)]
    assert {
        campaign.repeat(one.seed, channel="full_client"): one.broken
        for one in played
        if one.broken
    } == {}
    assert sum(one.orders for one in played) >= 8


def test_a_planted_bug_breaks_an_invariant_over_the_full_client(database):
    outcome = campaign.first_caught("t1_from_volume", OTHERS, database, "full_client")
    assert outcome is not None
    assert campaign.repeat(outcome.seed, channel="full_client").endswith(
        "--channel full_client --show"
    )


@pytest.mark.parametrize("bug", sorted(CAUGHT))
def test_a_planted_bug_breaks_an_invariant(database, bug):
    outcome = campaign.first_caught(bug, [CAUGHT[bug], *OTHERS], database)

    assert outcome is not None
    assert set(outcome.invariants) - {"I19"}


def test_a_seed_tells_the_same_story_twice(database):
    first, again = (campaign.play(3, database)[1] for _ in range(2))

    assert first.story == again.story
    assert first.hits == again.hits


def test_the_twenty_bugs_of_the_list_are_planted_and_more():
    assert len(bugs.TWENTY) == 20
    assert len(bugs.NAMES) >= 30
    assert all(bugs.meaning(name) for name in bugs.NAMES)


@pytest.mark.parametrize("bug", bugs.NAMES)
def test_a_planted_bug_is_taken_out_again(bug):
    patches: list[Any] = list(bugs.BUGS[bug]())
    seams = [(patch.getter(), patch.attribute) for patch in patches]
    were = [getattr(owner, name) for owner, name in seams]

    with bugs.planted(bug):
        planted = [getattr(owner, name) for owner, name in seams]

    assert seams
    assert all(was is not now for was, now in zip(were, planted, strict=True))
    assert [getattr(owner, name) for owner, name in seams] == were


def test_a_bug_is_looked_for_only_where_it_can_show():
    assert set(NEEDS) < set(bugs.NAMES)
    for bug, needed in NEEDS.items():
        assert any(needed(campaign.whole_plan(seed)) for seed in range(400)), bug


def test_the_plan_of_a_seed_never_changes():
    assert plan_of(17) == plan_of(17)
    assert plan_of(17) != plan_of(18)


def test_a_campaign_goes_on_where_it_was_stopped(tmp_path):
    file = tmp_path / "finished.jsonl"
    first = campaign.Outcome(1, [], 2, {"gateway.sent": 1}, {"gateway.sent": 3}, ["zombie"])
    campaign.Finished(file).add([first, campaign.Outcome(2, ["I1 x"], 1)])

    finished = campaign.Finished(file)

    assert sorted(finished.outcomes) == [1, 2]
    assert list(campaign.run([1, 2], 1, finished)) == []
    figures = campaign.summary(finished.outcomes.values(), 1.0)
    assert figures["failing"] == {"2": ["I1 x"]}
    assert figures["points"]["gateway.sent"] == {"passed": 3, "crashed": 1}
    assert figures["points"]["gateway.armed"] == {"passed": 0, "crashed": 0}
    assert figures["misbehaviours"]["zombie"] == 1


def test_what_other_code_found_does_not_count(tmp_path, monkeypatch):
    file = tmp_path / "finished.jsonl"
    campaign.Finished(file).add([campaign.Outcome(1, [], 2)])
    with file.open("a", encoding="utf-8") as lines:
        lines.write('{"seed": 2, "bro')  # the machine stopped here
    monkeypatch.setattr(campaign, "revision", lambda: "another")

    finished = campaign.Finished(file)

    assert (finished.outcomes, finished.of_others) == ({}, 1)


def test_the_revision_is_that_of_what_seeds_run_and_of_nothing_else():
    ran = modules()
    assert {"trading.services.execution", "trading.broker.gateway", "grid.services.tick"} < set(
        ran
    )
    assert {"trading.paper.exchange", "tests.simulation.invariants"} < set(ran)
    assert not [name for name in ran if ".admin" in name or ".commands" in name]


def test_what_was_found_over_another_channel_does_not_count(tmp_path):
    file = tmp_path / "finished.jsonl"
    campaign.Finished(file, "full_client").add([campaign.Outcome(1, [], 2)])

    assert campaign.Finished(file).outcomes == {}
    assert sorted(campaign.Finished(file, "full_client").outcomes) == [1]
