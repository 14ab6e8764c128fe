"""How a settings dataclass refuses a value: by field, value and allowed range, in both languages."""

from __future__ import annotations

from decimal import Decimal

from trading.domain.types import Text


class SettingError(ValueError):
    """A setting that cannot be used. `field`, `value` and `text` say which, what and why; `str()` is English."""

    def __init__(self, field: str, value: object, expected: Text) -> None:
        self.field, self.value = field, value
        self.text = Text(
            f"{field} is {value}, expected {expected.en}", f"{field} 为 {value}，应为{expected.zh}"
        )
        super().__init__(self.text.en)


def in_range(field: str, value: object, low: Decimal | int, high: Decimal | int) -> None:
    """Raise SettingError unless `value` is a finite number in [low, high], both ends included."""
    # Text and booleans come from forms and JSON: "false" must never count as a number (F170).
    number = None if isinstance(value, bool) or not isinstance(value, int | Decimal) else value
    if number is not None and Decimal(number).is_finite() and low <= number <= high:
        return
    raise SettingError(
        field, value, Text(f"a number from {low} to {high}", f" {low} 至 {high} 之间的数")
    )
