from __future__ import annotations

import pytest

from tests.unit.domain.exit_cases import d
from trading.domain.settings import SettingError, in_range
from trading.domain.wording import percent, yuan

pytestmark = [pytest.mark.fast, pytest.mark.system]


@pytest.mark.parametrize(
    ("price", "shown"),
    [
        ("10", "10.00"),
        ("10.5", "10.50"),
        ("3.08025", "3.0803"),
        ("10.501", "10.501"),
        ("0.0001", "0.0001"),
        ("35000", "35000.00"),
    ],
)
def test_a_price_is_shown_with_two_to_four_decimals(price, shown):
    assert yuan(d(price)) == shown


@pytest.mark.parametrize(
    ("ratio", "shown"),
    [
        ("-0.075", "-7.5%"),
        ("0.06", "6%"),
        ("1", "100%"),
        ("-0.00001", "0%"),
        ("0.123456", "12.35%"),
        ("0", "0%"),
    ],
)
def test_a_ratio_is_shown_as_a_percentage(ratio, shown):
    assert percent(d(ratio)) == shown


@pytest.mark.parametrize("value", [1, 5, d("4.5")])
def test_a_setting_inside_its_range_passes(value):
    in_range("max_lots", value, 1, 5)


@pytest.mark.parametrize("value", [0, 6, d("5.01"), d("NaN"), "3", True, None, 3.0])
def test_f170_a_setting_outside_its_range_or_type_is_refused(value):
    with pytest.raises(SettingError, match=f"max_lots is {value}, expected a number from 1 to 5"):
        in_range("max_lots", value, 1, 5)
