"""When a process that holds too much memory is replaced: three looks in a row, not too young, and when nothing is under way."""

from __future__ import annotations

import pytest

from monitoring.weight import CALM_WITHIN, LIVES, LOOKS, WEIGH_EVERY, Verdict, Weight

pytestmark = [pytest.mark.system, pytest.mark.unattended, pytest.mark.fast]

CEILING, BORN = 400, 1000.0
OLD = BORN + LIVES


def verdicts(*held, since=OLD, ceiling=CEILING):
    weight = Weight(ceiling, BORN)
    return [weight.weigh(bytes_, since + place * WEIGH_EVERY) for place, bytes_ in enumerate(held)]


@pytest.mark.parametrize(
    ("held", "last"),
    [
        ([401] * LOOKS, Verdict.WHEN_CALM),
        ([400] * LOOKS, Verdict.STAYS),  # the ceiling itself may be reached
        ([401] * (LOOKS - 1), Verdict.STAYS),
        ([401, 401, 399, 401, 401], Verdict.STAYS),
        ([401, 401, None, 401, 401], Verdict.STAYS),  # nobody knows: nobody is ended for it
        ([None] * 9, Verdict.STAYS),
    ],
)
def test_only_three_looks_in_a_row_say_that_it_is_too_heavy(held, last):
    assert verdicts(*held)[-1] is last


def test_one_that_is_heavy_by_nature_lives_ten_minutes_all_the_same():
    looks = int(LIVES // WEIGH_EVERY)
    found = verdicts(*[401] * (looks + 1), since=BORN)
    assert set(found[:looks]) == {Verdict.STAYS}
    assert found[looks] is Verdict.WHEN_CALM


def test_a_calm_moment_is_waited_for_a_minute_and_no_longer():
    weight = Weight(CEILING, BORN)
    for _ in range(LOOKS):
        found = weight.weigh(401, OLD)
    assert found is Verdict.WHEN_CALM
    assert weight.weigh(401, OLD + CALM_WITHIN - 1) is Verdict.WHEN_CALM
    assert weight.weigh(401, OLD + CALM_WITHIN) is Verdict.NOW


def test_one_that_gives_its_memory_back_while_it_is_waited_for_stays():
    weight = Weight(CEILING, BORN)
    for _ in range(LOOKS):
        weight.weigh(401, OLD)
    assert weight.weigh(100, OLD + 10) is Verdict.STAYS
    assert weight.weigh(401, OLD + CALM_WITHIN) is Verdict.STAYS


def test_it_is_looked_at_every_half_minute_and_with_a_ceiling_of_0_never():
    assert not Weight(CEILING, BORN).is_due(BORN + WEIGH_EVERY - 1)
    assert Weight(CEILING, BORN).is_due(BORN + WEIGH_EVERY)
    assert not Weight(0, BORN).is_due(BORN + 9 * LIVES)
