from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.exit_cases import d
from trading.domain.corporate_actions import ExRights, detect
from trading.domain.types import Limits

pytestmark = [pytest.mark.fast, pytest.mark.exits]

AROUND_TEN = Limits(up=d("11.00"), down=d("9.00"))


def price(text: str | None) -> Decimal | None:
    return None if text is None else d(text)


@pytest.mark.parametrize(
    ("quoted", "recorded", "before", "source", "expected", "factor"),
    [
        # the exchange quotes what we recorded
        ("10", "10", "9.80", None, ExRights.NONE, "1"),
        ("10", "10", "9.80", "1", ExRights.NONE, "1"),
        ("10", "10", "10", None, ExRights.NONE, "1"),
        # a dividend too small to move the reference by a tick
        ("3.00", "3.00", None, "0.9995", ExRights.NONE, "1"),
        # ex-rights: the ratio is the factor
        ("9.70", "10", "9.80", None, ExRights.SCALE, "0.97"),
        ("5", "10", "9.80", None, ExRights.SCALE, "0.5"),
        ("20", "10", "9.80", None, ExRights.SCALE, "2"),
        ("9.70", "10", "9.80", "0.9701", ExRights.SCALE, "0.97"),
        # a previous close that is one session old
        ("9.80", "10", "9.80", None, ExRights.REFUSED, "1"),
        ("9.80", "10", "9.80", "1", ExRights.REFUSED, "1"),
        ("9.80", "10", "9.80", "0.5", ExRights.REFUSED, "1"),
        # the same number, and the factor source explains it
        ("9.80", "10", "9.80", "0.98", ExRights.SCALE, "0.98"),
        # exchange and factor source contradict each other
        ("10", "10", "9.80", "0.97", ExRights.UNVERIFIED, "1"),
        ("9.90", "10", "9.80", "1", ExRights.UNVERIFIED, "1"),
        ("9.99", "10", "9.80", "1", ExRights.UNVERIFIED, "1"),
        ("5", "10", "9.80", "1", ExRights.PAUSED, "1"),
        # no previous close at all
        ("0", "10", "9.80", None, ExRights.REFUSED, "1"),
        ("NaN", "10", "9.80", None, ExRights.REFUSED, "1"),
    ],
)
def test_with_a_recorded_close_the_ratio_decides(
    quoted, recorded, before, source, expected, factor
):
    verdict = detect(
        d(quoted), d(recorded), price(before), price(source), None, AROUND_TEN, d("0.01")
    )
    assert (verdict.kind, verdict.factor) == (expected, d(factor))


@pytest.mark.parametrize("recorded", [None, "0"])
@pytest.mark.parametrize(
    ("quoted", "source", "last_known", "expected", "factor"),
    [
        ("10", "1", "10", ExRights.NONE, "1"),
        ("5", "0.5", "10", ExRights.SCALE, "0.5"),
        ("10", None, None, ExRights.UNVERIFIED, "1"),
        ("9.50", None, "10", ExRights.UNVERIFIED, "1"),
        ("9.00", None, "10", ExRights.UNVERIFIED, "1"),  # the limit itself is inside
        ("8.99", None, "10", ExRights.PAUSED, "1"),
        ("11.01", None, "10", ExRights.PAUSED, "1"),
    ],
)
def test_without_a_recorded_close_the_factor_source_decides(
    recorded, quoted, source, last_known, expected, factor
):
    limits = None if last_known is None else AROUND_TEN
    verdict = detect(d(quoted), price(recorded), None, price(source), price(last_known), limits)
    assert (verdict.kind, verdict.factor) == (expected, d(factor))


def test_a_day_without_limits_pauses_nothing():
    verdict = detect(d("5"), None, last_known=d("10"), limits=Limits(None, None))
    assert verdict.kind is ExRights.UNVERIFIED


def test_a_verdict_says_what_it_saw():
    stale = detect(d("9.80"), d("10"), d("9.80"))
    assert "9.80 is one session old, the last close was 10.00" in stale.text.en
    paused = detect(d("5"), None, last_known=d("10"), limits=AROUND_TEN)
    assert "5.00, -50% from our 10.00, is beyond the daily limit" in paused.text.en
    assert "暂停" in paused.text.zh


@given(st.integers(1, 100_000), st.integers(1, 100_000))
def test_scaling_by_the_factor_gives_the_quoted_close(quoted, recorded):
    asked, ours = Decimal(quoted) / 100, Decimal(recorded) / 100
    verdict = detect(asked, ours)
    assert (verdict.kind is ExRights.SCALE) == (asked != ours)
    assert abs(ours * verdict.factor - asked) < d("1e-20")
