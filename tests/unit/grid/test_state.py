"""What a session remembers survives a restart and an ex-rights morning."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from grid.domain.rules import ended
from grid.domain.state import Outcome, from_json, scaled_state, start, to_json
from tests.unit.grid.cases import at, centred, d, facts, fill, follow, lots, with_ledger
from trading.domain.types import Side

pytestmark = [pytest.mark.fast, pytest.mark.grid]


@pytest.mark.parametrize(
    "state",
    [
        start(d("10.123456789")),
        follow(["10.51", "10.60"], centred())[0],
        follow(["9.40", "9.45"], centred())[0],
        ended(
            follow(["10.51", "10.45"], centred())[0],
            Outcome(Side.SELL, 300, d(3140), at(9)),
            centred(),
        ),
        follow(
            ["10.80"],
            lots(),
            with_ledger(facts(), fill(1, "buy", 300, "10", on=at(-86400).date())),
        )[0],
        replace(start(d(10)), empty_read_at=at(1)),
    ],
)
def test_a_state_goes_through_json_without_loss(state):
    assert from_json(json.loads(json.dumps(to_json(state)))) == state


def test_a_corporate_action_scales_every_price():
    state = replace(
        follow(["10.51"], centred())[0],
        last_sale=d("10.20"),
        last_sell_at=at(0),
        first_centre=d(9),
    )
    after = scaled_state(state, d("0.5"))
    assert (after.centre, after.first_centre, after.extreme, after.last_sale) == (
        d(5),
        d("4.5"),
        d("5.255"),
        d("5.1"),
    )
    assert (after.tracker, after.last_sell_at) == (state.tracker, state.last_sell_at)


@pytest.mark.parametrize("text", ["0", "-1", "NaN"])
def test_a_session_does_not_start_without_a_centre(text):
    with pytest.raises(ValueError, match="centre"):
        start(d(text))
