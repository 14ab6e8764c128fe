"""A replay leaves out ticks that nothing could use: the result is the same, to the byte, as with every tick."""

from __future__ import annotations

import pytest

from tests.replays import BANK, MOUTAI, STAR_DAY, after, needs, plain, snapshot, steady
from trading.market_data.sources import open_source
from trading.replay.result import json_bytes

pytestmark = [pytest.mark.exits, pytest.mark.orders]


def same_with_and_without(play, recording, *, until, **options):
    skipping = play(recording, until=until, **options)
    every = play(recording, until=until, skip=False, **options)

    assert json_bytes(skipping.result) == json_bytes(every.result)
    assert skipping.replay.ticks < every.replay.ticks
    return skipping


def test_a_day_with_every_kind_of_pause_is_the_same(play, tmp_path):
    """A feed that falls silent, a thin book with a re-order, a rest that waits for a buyer, and T+1."""
    source = plain(
        tmp_path,
        steady("09:29:40", "09:30:20", "9.50", previous_close="9.50"),
        steady("09:31:00", "09:31:20", "9.28", previous_close="9.50"),  # an add-on buy
        steady("09:31:20", "09:31:26", "8.70", previous_close="9.50", bid=("8.70", 300)),
        steady("09:31:30", "09:32:40", "8.65", previous_close="9.50"),
        snapshot("09:34:00", "8.60", previous_close="9.50"),
    )

    played = same_with_and_without(
        play,
        open_source(source),
        holdings=[f"{BANK}:1000@10"],
        settings={"add_on_enabled": "on"},
        until=after("09:37:00"),
    )

    assert [order["state"] for order in played.result["orders"]] == [
        "filled",
        "partially_cancelled",
        "filled",
    ]
    assert played.result["denials"]


def test_a_quote_from_just_before_the_opening_counts_at_its_first_tick(play, tmp_path):
    source = open_source(plain(tmp_path, snapshot("09:29:57", "9.20")))

    played = same_with_and_without(
        play, source, holdings=[f"{BANK}:1000@10"], until=after("09:30:30")
    )

    assert played.signals() == [("stop_loss", "09:30:00", 1000)]


@pytest.mark.slow
@needs(STAR_DAY)
def test_the_star_day_is_the_same(play):
    options = {"holdings": ["688293:505@106"], "settings": {"trailing_tiers": "0.05:0.99"}}

    same_with_and_without(play, open_source(STAR_DAY), until=None, **options)


@pytest.mark.slow
@needs(MOUTAI)
def test_the_600519_day_is_the_same(play):
    options = {"holdings": ["600519:1000@1750"], "settings": {"trailing_tiers": "0.05:0.98"}}

    same_with_and_without(play, open_source(MOUTAI), until=None, **options)
