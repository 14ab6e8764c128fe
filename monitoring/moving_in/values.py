"""Values as another program stored them become ours; binary floats end here."""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from trading.domain.positions import STORED_UNIT
from trading.domain.types import CHINA

_TRUE, _FALSE = ("true", "on", "yes", "1"), ("false", "off", "no", "0", "")


class Unusable(ValueError):
    """A stored value that means nothing here. `expected` says what would."""

    def __init__(self, field: str, value: object, expected_en: str, expected_zh: str) -> None:
        self.field, self.value = field, value
        self.expected_en, self.expected_zh = expected_en, expected_zh
        super().__init__(f"{field} is {value!r}, expected {expected_en}")


def number(field: str, value: Any) -> Decimal:
    """Return a finite number: 0.06, "0.06" and the float nearest to it are the same."""
    try:
        if value is None or isinstance(value, bool):
            raise InvalidOperation
        found = Decimal(str(value).strip())
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise Unusable(field, value, "a number", "数字")
    return found


def money(field: str, value: Any) -> Decimal:
    """Return yuan, to what is stored."""
    return number(field, value).quantize(STORED_UNIT, ROUND_HALF_UP)


def shares(field: str, value: Any) -> int:
    """Return a whole number of shares, 0 or more; 1000.0 is one."""
    found = number(field, value)
    if found != found.to_integral_value() or found < 0:
        raise Unusable(field, value, "a whole number of shares", "整数股数")
    return int(found)


def switch(field: str, value: Any) -> bool:
    """Return on or off; a text such as "false" is off, anything unclear is refused."""
    if isinstance(value, bool):
        return value
    word = "" if value is None else str(value).strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise Unusable(field, value, "on or off", "开或关")


def moment(field: str, value: Any) -> datetime:
    """Return a time of China; seconds since 1970 and ISO texts are understood."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return datetime.fromtimestamp(value, CHINA)
    try:
        found = datetime.fromisoformat(str(value).strip())
    except ValueError as problem:
        raise Unusable(field, value, "a time such as 2026-01-05 09:31:00", "时间，例如 2026-01-05 09:31:00") from problem  # fmt: skip
    return found.replace(tzinfo=CHINA) if found.tzinfo is None else found.astimezone(CHINA)


def day(field: str, value: Any) -> date:
    """Return the day of a time or a date; 20260105 is one."""
    text = str(value).strip()
    if len(text) == 8 and text.isdigit():
        text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    return moment(field, text).date()
