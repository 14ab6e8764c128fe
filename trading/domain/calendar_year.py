"""A year of trading days from what the exchanges announce: the weekdays on which they are closed.

The exchanges trade from Monday to Friday and never on a weekend, whatever working days are shifted there; the notice of
each December names the closed days of the next year (trading rules of SSE and SZSE 2026, on trading days).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from trading.domain.types import Text

#: Sessions of a year: 237 (2002) to 246 (2008) since 2001. Outside of these a list is not complete, or too long.
FEWEST, MOST = 236, 247
#: The longest closed stretch there was: the ten days of a Spring Festival with both weekends, and one to spare.
LONGEST = 12
_WRITTEN = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\.\.(\d{4}-\d{2}-\d{2}))?")


class CalendarYearError(ValueError):
    """Correct what was typed; nothing has been changed."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


def parse_closed(words: Iterable[str], year: int) -> frozenset[date]:
    """Return the weekdays that `words` name, each `2027-01-01` or `2027-02-05..2027-02-11` (both days included).

    Weekends in a stretch do not matter. Raises CalendarYearError.
    """
    return frozenset(
        day for word in words for day in _stretch(word, year) if day.isoweekday() <= 5
    )


def _stretch(word: str, year: int) -> list[date]:
    found = _WRITTEN.fullmatch(word)
    try:
        first, last = (date.fromisoformat(one) for one in (found[1], found[2] or found[1]))  # type: ignore[index]
    except (TypeError, ValueError):
        raise CalendarYearError(
            Text(
                f"--closed: {word!r} is no day and no stretch; write 2027-01-01 or 2027-02-05..2027-02-11.",
                f"--closed：“{word}”不是日期或区间；请写作 2027-01-01 或 2027-02-05..2027-02-11。",
            )
        ) from None
    if not first.year == last.year == year:
        raise CalendarYearError(
            Text(
                f"--closed: {word} is not in {year}; name days of that year.",
                f"--closed：{word} 不在 {year} 年内；请填写该年的日期。",
            )
        )
    length = (last - first).days + 1
    if not 1 <= length <= LONGEST:
        raise CalendarYearError(
            Text(
                f"--closed: {word} has {length} days; a stretch has 1 to {LONGEST}, its first day first.",
                f"--closed：{word} 共 {length} 天；区间应为 1 至 {LONGEST} 天，且先写第一天。",
            )
        )
    return [first + timedelta(days=offset) for offset in range(length)]


def days_of(year: int, closed: frozenset[date]) -> Mapping[date, bool]:
    """Return for every day of the year whether it is a session. Raises CalendarYearError for an unlikely number."""
    first = date(year, 1, 1)
    length = (date(year + 1, 1, 1) - first).days
    days = [first + timedelta(days=offset) for offset in range(length)]
    found = {day: day.isoweekday() <= 5 and day not in closed for day in days}
    sessions = sum(found.values())
    if not FEWEST <= sessions <= MOST:
        raise CalendarYearError(
            Text(
                f"--closed: {year} would have {sessions} sessions; a year has {FEWEST} to {MOST}."
                " Name every closed weekday of the exchanges' notice.",
                f"--closed：{year} 年将有 {sessions} 个交易日；一年应为 {FEWEST} 至 {MOST} 个。"
                "请填写交易所休市安排中的全部休市日。",
            )
        )
    return found
