"""Daily bars, and what is counted from them: values only. Nothing here decides an exit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from trading.domain.calendar import TradingCalendar, books_closed
from trading.domain.corporate_actions import ExRights, detect
from trading.domain.types import CHINA, Symbol


@dataclass(frozen=True, slots=True)
class DailyBar:
    """One session of a symbol or an index as it was traded: yuan (or points) and shares, nothing adjusted.

    `previous_close`: the exchange's for that session, ex-rights included; None = the source does not say.
    """

    symbol: Symbol
    on: date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    amount: Decimal = Decimal(0)
    previous_close: Decimal | None = None

    @property
    def change(self) -> Decimal | None:
        """Change since the exchange's previous close as a ratio; None = not known, never 0 for that."""
        if self.previous_close is None or self.previous_close <= 0:
            return None
        return self.close / self.previous_close - 1

    @property
    def is_sound(self) -> bool:
        """Whether its prices are above 0 and lie between its low and its high."""
        prices = (self.open, self.high, self.low, self.close)
        if not all(price.is_finite() and price > 0 for price in prices):
            return False
        return self.high == max(prices) and self.low == min(prices) and self.volume >= 0


def is_completed(on: date, calendar: TradingCalendar, now: datetime) -> bool:
    """Whether `on` is a session whose books are closed: only such bars are kept (rules §7)."""
    today = now.astimezone(CHINA).date()
    over = on < today or (on == today and books_closed(now))
    return over and calendar.is_session(on)


def price_factors(
    bars: Sequence[DailyBar], calendar: TradingCalendar, known: Mapping[date, Decimal]
) -> list[Decimal]:
    """Return by what earlier prices are multiplied to count on each bar's day: 1 where nothing happened.

    `bars`: of one symbol, in their order. `known`: factors of the source of corporate actions. The exchange's previous
    close decides as it does for a holding (`detect`, its guard against a stale one too), but only after a session
    whose bar is there: after a gap only the known factors count.
    """
    found = []
    for index, bar in enumerate(bars):
        if index == 0:
            found.append(Decimal(1))
            continue
        before = bars[index - 1]
        factor = Decimal(1)
        for on, one in sorted(known.items()):
            if before.on < on <= bar.on:
                factor *= one
        if bar.previous_close is not None and calendar.previous_session(bar.on) == before.on:
            factor = _seen(bars, index, known.get(bar.on))
        found.append(factor)
    return found


def _seen(bars: Sequence[DailyBar], index: int, known: Decimal | None) -> Decimal:
    bar, before = bars[index], bars[index - 1]
    assert bar.previous_close is not None
    verdict = detect(
        bar.previous_close,
        before.close,
        bars[index - 2].close if index > 1 else None,
        known_factor=known,
        quoted_then=before.previous_close,
    )
    if verdict.kind is ExRights.SCALE:
        return verdict.factor
    # A previous close that is stale or contradicted says nothing; the source of corporate actions still may.
    return Decimal(1) if known is None or verdict.kind is ExRights.NONE else known


@dataclass(frozen=True, slots=True)
class Indicators:
    """MACD(12, 26, 9) and moving averages after a completed session, prices as they count after it.

    `sessions`: how many it was counted over. An average over more sessions than there are is None.
    """

    on: date
    close: Decimal
    sessions: int
    ema12: Decimal
    ema26: Decimal
    dea: Decimal
    ma10: Decimal | None = None
    ma20: Decimal | None = None
    ma30: Decimal | None = None
    ma60: Decimal | None = None

    @property
    def dif(self) -> Decimal:
        return self.ema12 - self.ema26

    @property
    def histogram(self) -> Decimal:
        """MACD as Chinese terminals draw it: 2 × (DIF − DEA)."""
        return 2 * (self.dif - self.dea)

    @property
    def averages(self) -> tuple[Decimal, Decimal, Decimal, Decimal] | None:
        """MA 10, 20, 30, 60; None while one of them is not there yet."""
        if self.ma10 is None or self.ma20 is None or self.ma30 is None or self.ma60 is None:
            return None
        return self.ma10, self.ma20, self.ma30, self.ma60
