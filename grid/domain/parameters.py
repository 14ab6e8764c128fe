"""What the parameters of all styles share: how they refuse a value, and what a session starts from (rules §3)."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import ClassVar, Protocol

from trading.domain.instruments import LotRule
from trading.domain.settings import SettingError, in_range
from trading.domain.types import Text

Ranges = tuple[tuple[str, Decimal, Decimal], ...]


class GridRules(Protocol):
    """The parameters of a session: a frozen dataclass that a style defines and that refuses what is out of range."""

    style: ClassVar[str]

    @property
    def max_investment(self) -> Decimal:
        """Yuan the session may have in open lots and working buys at most."""
        ...

    def misfit(self, lot: LotRule) -> SettingError | None:
        """Return what does not fit the lots of an instrument."""
        ...


def ranges(*rows: tuple[str, str, str]) -> Ranges:
    """Return (name, lowest, highest) rows, both ends allowed."""
    return tuple((name, Decimal(low), Decimal(high)) for name, low, high in rows)


def check(rules: object, allowed: Ranges, whole: frozenset[str]) -> None:
    """Raise SettingError for the first parameter out of its range, or not a whole number where it must be one."""
    for name, low, high in allowed:
        value = getattr(rules, name)
        in_range(name, value, low, high)
        if name in whole and not isinstance(value, int):
            raise wrong(rules, name, "a whole number", "整数")


def wrong(rules: object, field: str, en: str, zh: str) -> SettingError:
    """Return the error about one field: its value, and what was expected."""
    return SettingError(field, getattr(rules, field), Text(en, zh))


def default_investment(holding_value: Decimal) -> Decimal:
    """Return the budget of a session whose user named none: half of what the holding is worth, in whole yuan."""
    return (holding_value / 2).to_integral_value(ROUND_DOWN)


def starting_centre(
    given: Decimal | None, high: Decimal | None, last: Decimal | None
) -> Decimal | None:
    """Return the first centre or reference: the user's, else the holding's high, else the last price; None = none known."""
    usable = (
        price
        for price in (given, high, last)
        if price is not None and price.is_finite() and price > 0
    )
    return next(usable, None)
