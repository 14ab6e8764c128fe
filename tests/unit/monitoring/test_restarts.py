"""The budget of restarts: it is kept, it fills up again, and a damaged file stops nobody."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from monitoring.restarts import MOST, NAME, REFILL, Restarts

pytestmark = [pytest.mark.system, pytest.mark.unattended, pytest.mark.fast]

NOW = datetime(2026, 7, 6, 2, tzinfo=UTC)


def spent(path, name="worker"):
    restarts = Restarts(path)
    for _ in range(MOST):
        assert not restarts.take(name, NOW)
    return restarts


def test_who_was_started_again_too_often_waits_for_the_next_one_and_nobody_else_does(tmp_path):
    restarts = spent(tmp_path / NAME)
    assert restarts.take("worker", NOW) == REFILL
    assert restarts.take("worker", NOW + REFILL / 2) == REFILL / 2
    assert not restarts.take("web", NOW)
    assert not restarts.take("worker", NOW + REFILL)
    assert restarts.take("worker", NOW + REFILL) == REFILL


def test_the_budget_fills_up_with_time_and_never_above_its_measure(tmp_path):
    restarts = spent(tmp_path / NAME)
    assert restarts.left("worker", NOW + 10 * REFILL) == pytest.approx(10)
    assert restarts.left("worker", NOW + timedelta(days=9)) == MOST


def test_an_up_that_was_killed_leaves_its_budget_to_the_next_one(tmp_path):
    spent(tmp_path / NAME)
    again = Restarts(tmp_path / NAME)
    assert again.after_a_crash
    assert again.take("worker", NOW) == REFILL


def test_an_up_that_was_asked_to_end_leaves_the_budget_but_no_debt(tmp_path):
    restarts = spent(tmp_path / NAME)
    restarts.begin()
    assert Restarts(tmp_path / NAME).after_a_crash
    restarts.end()
    again = Restarts(tmp_path / NAME)
    assert not again.after_a_crash
    assert again.take("worker", NOW) == REFILL


def test_a_clock_that_is_set_back_gives_and_takes_nothing(tmp_path):
    restarts = spent(tmp_path / NAME)
    assert restarts.take("worker", NOW - timedelta(days=400)) == REFILL
    assert restarts.left("web", NOW - timedelta(days=400)) == MOST


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", "null", "\x00", '{"left": {}}', '{"left": 5, "in_order": true}'),
        '{"left": {"worker": 5}, "in_order": true}',
        '{"left": {"worker": ["many", "2026-07-06T02:00:00+00:00"]}, "in_order": true}',
        '{"left": {"worker": [0, "yesterday"]}, "in_order": true}',
        '{"left": {"worker": [0, "2026-07-06T02:00:00"]}, "in_order": true}',
    ],
)
def test_a_damaged_file_is_told_and_ignored_and_written_anew(tmp_path, content):
    path = tmp_path / NAME
    told: list[str] = []
    path.write_text(content, encoding="utf-8")
    restarts = Restarts(path, told.append)
    assert [line for line in told if str(path) in line] == told != []
    assert not restarts.take("worker", NOW)
    assert set(json.loads(path.read_text(encoding="utf-8"))["left"]) == {"worker"}
    assert len(told) == 1


def test_a_budget_beyond_all_measure_in_the_file_is_none(tmp_path):
    path = tmp_path / NAME
    left = {"worker": [1e9, NOW.isoformat()], "web": [-1e9, NOW.isoformat()]}
    path.write_text(json.dumps({"left": left, "in_order": True}), encoding="utf-8")
    restarts = Restarts(path)
    assert restarts.left("worker", NOW) == MOST
    assert not restarts.take("web", NOW + REFILL)


def test_a_folder_that_cannot_be_written_is_told_and_the_budget_kept_in_memory(tmp_path):
    told: list[str] = []
    restarts = Restarts(tmp_path / "none" / NAME, told.append)
    for _ in range(MOST):
        assert not restarts.take("worker", NOW)
    assert restarts.take("worker", NOW) == REFILL
    assert "cannot be written" in told[0]
