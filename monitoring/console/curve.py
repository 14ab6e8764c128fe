"""What an account was worth through its session, as a line to draw: minutes of trading on the x axis, no lunch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple

from monitoring.models import EquityPoint
from trading.domain.types import CHINA

#: The drawing's own units: a minute of trading is one unit wide.
WIDTH, HEIGHT = 240, 60
_MARGIN = Decimal(2)
#: More minutes without a point than this are a hole in the line, not a slope.
HOLE = 5
_MORNING, _NOON, _AFTERNOON = 570, 690, 780  # 09:30, 11:30, 13:00 in minutes of the day


class Point(NamedTuple):
    """A minute of market time, and yuan."""

    at: datetime
    value: Decimal


@dataclass(frozen=True, slots=True)
class CurveView:
    """A line: `path` and `base` (the height of the previous close, None = unknown) in the drawing's units, yuan else."""

    path: str
    base: str | None
    first: Point
    last: Point
    low: Decimal
    high: Decimal
    #: What it gained since the previous close, or since its first point where that is unknown.
    gain: Decimal


def session_minute(at: datetime) -> int:
    """Return how many minutes of trading have passed (0–240); before the open 0, at lunch 120, after the close 240."""
    local = at.astimezone(CHINA)
    minute = local.hour * 60 + local.minute
    if minute < _AFTERNOON:
        return min(max(minute - _MORNING, 0), _NOON - _MORNING)
    return min(minute - _AFTERNOON + 120, WIDTH)


def curve_of(points: Sequence[Point], before: Decimal | None) -> CurveView | None:
    """Return the line through points in their order of time; None without any. `before`: yuan at the previous close."""
    if not points:
        return None
    values = [point.value for point in points]
    low, high = min(values), max(values)
    bottom, top = (low, high) if before is None else (min(low, before), max(high, before))
    span = top - bottom
    room = HEIGHT - 2 * _MARGIN

    def height(value: Decimal) -> str:
        share = (value - bottom) / span if span else Decimal("0.5")
        return f"{_MARGIN + room * (1 - share):.1f}"

    steps: list[str] = []
    previous: int | None = None
    for point in points:
        minute = session_minute(point.at)
        goes_on = previous is not None and minute - previous <= HOLE
        steps.append(f"{'L' if goes_on else 'M'}{minute} {height(point.value)}")
        if not goes_on:
            steps.append("h.5")  # a lonely point is seen too
        previous = minute
    return CurveView(
        path="".join(steps),
        base=None if before is None else height(before),
        first=points[0],
        last=points[-1],
        low=low,
        high=high,
        gain=points[-1].value - (points[0].value if before is None else before),
    )


def read_points(wanted: Mapping[int, tuple[date, datetime]]) -> dict[int, list[Point]]:
    """Return the points of accounts: of one day each, up to a market time; one query."""
    if not wanted:
        return {}
    begin = min(_begins(day) for day, _ in wanted.values())
    end = max(now for _, now in wanted.values())
    rows = EquityPoint.objects.filter(account__in=list(wanted), at__gte=begin, at__lte=end)
    found: dict[int, list[Point]] = {}
    for account_id, at, equity in rows.order_by("at").values_list("account_id", "at", "equity"):
        day, now = wanted[account_id]
        if _begins(day) <= at < _begins(day) + timedelta(days=1) and at <= now:
            found.setdefault(account_id, []).append(Point(at, equity))
    return found


class Curves:
    """The curves of accounts, drawn again when there is a new point: the console is built every second."""

    def __init__(self) -> None:
        self._key: object = None
        self._points: dict[int, list[Point]] = {}

    def of(self, moments: Iterable[tuple[int, datetime]]) -> Mapping[int, list[Point]]:
        """Return today's points of each account at its market time; one small query while there is nothing new."""
        wanted = {pk: (now.astimezone(CHINA).date(), now) for pk, now in moments}
        rows = EquityPoint.objects.order_by("-recorded_at").values_list("pk", "recorded_at")
        key = (
            rows.first(),
            tuple((pk, now.replace(second=0, microsecond=0)) for pk, (_, now) in wanted.items()),
        )
        if key != self._key:
            self._points, self._key = read_points(wanted), key
        return self._points


def _begins(day: date) -> datetime:
    return datetime.combine(day, time(), CHINA)
