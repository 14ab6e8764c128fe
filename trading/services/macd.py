"""MACD(12, 26, 9) and MA 10/20/30/60 with pandas, on completed sessions.

Going on from a stored state gives the very same bits as counting everything again: an EWM without adjustment only
needs its last value, which is stored as the float it is, and the averages are exact sums of whole numbers. Where a
corporate action lies between two sessions, everything before it is multiplied by its factor first.

pandas is imported inside: only `manage.py indicators` calls this, never a process that runs all day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Any, NamedTuple

FAST, SLOW, SIGNAL = 12, 26, 9
WINDOWS = (10, 20, 30, 60)
#: Prices are summed as whole multiples of this, yuan: 60 of them stay below 2^53, so that a float holds the sum exactly.
UNIT = Decimal("0.00000001")


class Point(NamedTuple):
    """One session: `factor` is what earlier prices are multiplied by to count on its day."""

    on: date
    close: Decimal
    factor: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class State:
    """After one session. Averages in yuan, None while there are too few sessions."""

    on: date
    close: Decimal
    sessions: int
    ema12: float
    ema26: float
    dea: float
    averages: tuple[Decimal | None, ...]


def calculate(
    points: Sequence[Point], before: State | None = None, earlier: Sequence[Point] = ()
) -> list[State]:
    """Return the state after each of `points`, which are in their order.

    `before`: the state they go on from, with the sessions that led to it in `earlier` (the last 59 are enough).
    """
    found: list[State] = []
    everything = [*earlier, *points] if before is not None else list(points)
    offset = len(everything) - len(points)
    for start, end in _stretches(points):
        window = _as_counted(everything[: offset + end], offset + start)
        state = found[-1] if found else before
        found += _stretch(points[start:end], state, window)
    return found


def _stretches(points: Sequence[Point]) -> list[tuple[int, int]]:
    """Split at the corporate actions: within a stretch all prices count as they are."""
    cuts = [0, *(i for i, point in enumerate(points) if i and point.factor != 1), len(points)]
    return [(a, b) for a, b in pairwise(cuts) if a < b]


def _as_counted(points: Sequence[Point], first: int) -> list[int]:
    """Return the closes in UNIT as they count from place `first` on, from 59 sessions before it."""
    closes = [_units(point.close) for point in points[first:]]
    factor = points[first].factor
    for point in reversed(points[max(0, first - max(WINDOWS) + 1) : first]):
        closes.insert(0, _units(point.close * factor))
        factor *= point.factor
    return closes


def _units(price: Decimal) -> int:
    return int((price / UNIT).to_integral_value(ROUND_HALF_EVEN))


def _stretch(points: Sequence[Point], before: State | None, window: Sequence[int]) -> list[State]:
    import pandas  # heavy: see above

    closes = [float(point.close) for point in points]
    seed = None if before is None else _scaled(before, points[0].factor)
    fast = _ewm(pandas, closes, FAST, None if seed is None else seed[0])
    slow = _ewm(pandas, closes, SLOW, None if seed is None else seed[1])
    differences = [a - b for a, b in zip(fast, slow, strict=True)]
    dea = _ewm(pandas, differences, SIGNAL, None if seed is None else seed[2])
    units = pandas.Series(window, dtype="float64")
    sums = [units.rolling(length).sum().tolist()[-len(points) :] for length in WINDOWS]
    counted = 0 if before is None else before.sessions
    return [
        State(
            on=point.on,
            close=point.close,
            sessions=counted + place + 1,
            ema12=fast[place],
            ema26=slow[place],
            dea=dea[place],
            averages=tuple(
                _average(of[place], length) for of, length in zip(sums, WINDOWS, strict=True)
            ),
        )
        for place, point in enumerate(points)
    ]


def _scaled(state: State, factor: Decimal) -> tuple[float, float, float]:
    by = float(factor)
    return state.ema12 * by, state.ema26 * by, state.dea * by


def _ewm(pandas: Any, values: Sequence[float], span: int, seed: float | None) -> list[float]:
    """Return the moving average after each value; it begins with the first one, or goes on from `seed`."""
    series = pandas.Series([*([] if seed is None else [seed]), *values], dtype="float64")
    found: list[float] = series.ewm(span=span, adjust=False).mean().tolist()
    return found[len(series) - len(values) :]


def _average(total: float, length: int) -> Decimal | None:
    if total != total:  # NaN: too few sessions
        return None
    return (int(total) * UNIT / length).quantize(UNIT, ROUND_HALF_UP)
