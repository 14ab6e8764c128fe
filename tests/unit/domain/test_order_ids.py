"""The id in the remark: unique, checked, and still recognisable when a terminal cuts it short."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain.order_ids import (
    SHORTEST_PREFIX,
    client_order_id,
    decision_key,
    is_client_order_id,
    next_counter,
    own_prefix,
)
from trading.domain.types import CHINA, Side, SignalKind, Symbol

pytestmark = [pytest.mark.fast, pytest.mark.orders]

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
salts = st.integers(0, 1023)
counters = st.integers(0, 2**30 - 1)
BANK = Symbol("600036.SH")


@given(salts, counters)
def test_an_id_is_short_ascii_and_recognised(salt, counter):
    text = client_order_id(salt, counter)
    assert text.isascii()
    assert len(text) <= 13
    assert is_client_order_id(text)
    assert own_prefix(text) == text


@given(salts, counters, salts, counters)
def test_different_orders_have_different_ids_even_when_cut_short(salt, counter, other, following):
    first, second = client_order_id(salt, counter), client_order_id(other, following)
    assert (first == second) == ((salt, counter) == (other, following))
    if salt == other and counter != following:
        assert first[:SHORTEST_PREFIX] != second[:SHORTEST_PREFIX]


def test_ten_thousand_orders_in_a_row_keep_different_prefixes():
    prefixes = {client_order_id(7, counter)[:SHORTEST_PREFIX] for counter in range(10_000)}
    assert len(prefixes) == 10_000


@given(salts, counters, st.integers(0, 9), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_noticed(salt, counter, place, wrong):
    text = client_order_id(salt, counter)
    typed = text[:place] + wrong + text[place + 1 :]
    assert is_client_order_id(typed) == (typed == text)


@given(salts, counters, st.integers(1, 7))
def test_two_exchanged_neighbours_are_noticed_unless_they_are_each_others_complement(
    salt, counter, place
):
    text = client_order_id(salt, counter)
    first, second = text[place], text[place + 1]
    typed = text[:place] + second + first + text[place + 2 :]
    difference = ALPHABET.index(first) ^ ALPHABET.index(second)
    assert is_client_order_id(typed) == (difference in (0, 31))


@given(salts, counters, st.integers(0, 10))
def test_a_cut_id_is_recognised_from_eight_characters(salt, counter, length):
    text = client_order_id(salt, counter)
    expected = text[:length] if length >= SHORTEST_PREFIX else None
    assert own_prefix(text[:length]) == expected


def test_an_id_with_something_appended_is_recognised():
    text = client_order_id(3, 99)
    assert own_prefix(text + ".ex") == text


@pytest.mark.parametrize(
    "remark",
    ["", "manual", "grid buy", "MANUALSELL", "m0000000", "M000000", "M123456789", "手工委托"],
)
def test_a_remark_somebody_typed_is_not_ours(remark):
    assert own_prefix(remark) is None
    assert not is_client_order_id(remark)


@pytest.mark.parametrize(("salt", "counter"), [(-1, 0), (1024, 0), (0, -1), (0, 2**30)])
def test_a_number_that_does_not_fit_is_refused(salt, counter):
    with pytest.raises(ValueError, match="expected 0 to"):
        client_order_id(salt, counter)


def test_a_restored_database_does_not_use_ids_again():
    now = datetime(2026, 11, 23, 10, 0, tzinfo=CHINA)
    counter = next_counter(None, now)
    assert next_counter(counter, now) == counter + 1
    assert next_counter(counter - 5000, now + timedelta(hours=1)) == counter + 3600
    assert next_counter(None, now + timedelta(days=365 * 30)) < 2**30


def test_a_decision_is_named_by_date_kind_side_symbol_life_and_sequence():
    key = decision_key(date(2026, 11, 23), SignalKind.STOP_LOSS, Side.SELL, BANK, 2, 0)
    assert key == "20261123|stop_loss|sell|600036.SH|2|0"


@pytest.mark.parametrize(
    "other",
    [
        (date(2026, 11, 24), SignalKind.GRID, Side.SELL, BANK, 2, 0),
        (date(2026, 11, 23), SignalKind.MANUAL, Side.SELL, BANK, 2, 0),
        (date(2026, 11, 23), SignalKind.GRID, Side.BUY, BANK, 2, 0),
        (date(2026, 11, 23), SignalKind.GRID, Side.SELL, Symbol("000001.SZ"), 2, 0),
        (date(2026, 11, 23), SignalKind.GRID, Side.SELL, BANK, 3, 0),
        (date(2026, 11, 23), SignalKind.GRID, Side.SELL, BANK, 2, 1),
    ],
)
def test_another_decision_has_another_key(other):
    assert decision_key(*other) != decision_key(
        date(2026, 11, 23), SignalKind.GRID, Side.SELL, BANK, 2, 0
    )
