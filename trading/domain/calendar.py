"""Trading days and market phases; every interval is half-open [from, to) in China time (rules §5)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum

from trading.domain.effective import ALWAYS, in_force
from trading.domain.instruments import Board, Category, Instrument
from trading.domain.symbols import exchange_of
from trading.domain.types import CHINA


class MarketPhase(StrEnum):
    """时段. At 11:30:00 and 15:00:00 the market is closed already."""

    CLOSED = "closed"
    OPENING_AUCTION = "opening_auction"  # 09:15-09:20, cancels accepted
    OPENING_AUCTION_NO_CANCEL = "opening_auction_no_cancel"  # 09:20-09:25
    PRE_OPEN = "pre_open"  # 09:25-09:30, nothing accepted
    MORNING = "morning"  # 09:30-11:30
    LUNCH = "lunch"
    AFTERNOON = "afternoon"  # 13:00-14:57
    CLOSING_AUCTION = "closing_auction"  # 14:57-15:00, no cancel
    POST_CLOSE = "post_close"  # 15:00-15:05
    AFTER_HOURS = "after_hours"  # 15:05-15:30 fixed price, where the instrument has it

    @property
    def continuous(self) -> bool:
        return self in (MarketPhase.MORNING, MarketPhase.AFTERNOON)

    @property
    def accepts_orders(self) -> bool:
        """Whether the exchange takes new orders now."""
        return self in _ORDERS

    @property
    def accepts_cancels(self) -> bool:
        """Whether the exchange takes cancels now."""
        return self in _CANCELS


_CANCELS = frozenset(
    {
        MarketPhase.OPENING_AUCTION,
        MarketPhase.MORNING,
        MarketPhase.AFTERNOON,
        MarketPhase.AFTER_HOURS,
    }
)
_ORDERS = _CANCELS | {MarketPhase.OPENING_AUCTION_NO_CANCEL, MarketPhase.CLOSING_AUCTION}

#: When each phase of a session begins. Source: trading rules of SSE, SZSE and BSE 2026 (rules §5).
_PHASES: tuple[tuple[time, MarketPhase], ...] = (
    (time(0, 0), MarketPhase.CLOSED),
    (time(9, 15), MarketPhase.OPENING_AUCTION),
    (time(9, 20), MarketPhase.OPENING_AUCTION_NO_CANCEL),
    (time(9, 25), MarketPhase.PRE_OPEN),
    (time(9, 30), MarketPhase.MORNING),
    (time(11, 30), MarketPhase.LUNCH),
    (time(13, 0), MarketPhase.AFTERNOON),
    (time(14, 57), MarketPhase.CLOSING_AUCTION),
    (time(15, 0), MarketPhase.POST_CLOSE),
    (time(15, 5), MarketPhase.AFTER_HOURS),
    (time(15, 30), MarketPhase.CLOSED),
)
_BOOKS_CLOSE = time(15, 35)

_RULES_OF_2026 = date(2026, 7, 6)
_Switch = tuple[tuple[date, bool], ...]

#: Who has after-hours fixed-price trading. STAR had it from its first day, ChiNext since its reform; all SSE and SZSE
#: shares and funds since the rules of 2026.
_SINCE_2026: _Switch = ((ALWAYS, False), (_RULES_OF_2026, True))
_AFTER_HOURS_SHARES: dict[Board, _Switch] = {
    Board.MAIN: _SINCE_2026,
    Board.CHINEXT: ((ALWAYS, False), (date(2020, 8, 24), True)),
    Board.STAR: ((ALWAYS, True),),
    Board.BSE: ((ALWAYS, False),),
}
#: Who closes by auction: everything, but SSE funds only since the rules of 2026; before, they traded on until 15:00.
_CLOSING_AUCTION_SSE_FUNDS = _SINCE_2026


class TradingCalendar:
    """The sessions between two known dates. A day outside them is not a session, and not known."""

    def __init__(self, sessions: Iterable[date], known_from: date, known_until: date) -> None:
        self.known_from, self.known_until = known_from, known_until
        self._sessions = frozenset(day for day in sessions if known_from <= day <= known_until)
        self._ordered = tuple(sorted(self._sessions))

    def knows(self, on: date) -> bool:
        """Whether the calendar can say anything about this day."""
        return self.known_from <= on <= self.known_until

    def is_session(self, on: date) -> bool:
        """Whether `on` is a trading day; an unknown day is closed."""
        return on in self._sessions

    def previous_session(self, on: date) -> date | None:
        """Return the last session strictly before `on`, None when none is known."""
        index = bisect_left(self._ordered, on)
        return self._ordered[index - 1] if index else None

    def next_session(self, on: date) -> date | None:
        """Return the first session strictly after `on`, None when none is known."""
        index = bisect_right(self._ordered, on)
        return self._ordered[index] if index < len(self._ordered) else None

    def sessions_between(self, first: date, last: date) -> tuple[date, ...]:
        """Return the sessions in [first, last]."""
        return self._ordered[bisect_left(self._ordered, first) : bisect_right(self._ordered, last)]

    def sessions_before(self, on: date) -> int:
        """Return how many known sessions lie strictly before `on`."""
        return bisect_left(self._ordered, on)


def sessions_since_listing(
    calendar: TradingCalendar, instrument: Instrument, on: date
) -> int | None:
    """Return the number of the session `on` since the listing (1 = its first), None when long listed or not known."""
    listed_on = instrument.listed_on
    if listed_on is None or on < listed_on or not calendar.knows(listed_on):
        return None
    return len(calendar.sessions_between(listed_on, on))


def phase_at(
    calendar: TradingCalendar, at: datetime, instrument: Instrument | None = None
) -> MarketPhase:
    """Return the phase at an aware time.

    Without an instrument: the phase of the market as a whole, by which decisions are timed (nothing is decided or
    cancelled automatically from 14:57 on). With one: what the exchange does with its orders on that day, where the
    rules differ (after-hours trading; SSE funds trade on until 15:00 before 2026-07-06). Raises ValueError when `at`
    is naive.
    """
    local = _in_china(at)
    on = local.date()
    if not calendar.is_session(on):
        return MarketPhase.CLOSED
    phase = _PHASES[bisect_right(_STARTS, local.time()) - 1][1]
    if phase is MarketPhase.AFTER_HOURS and not _has_after_hours(instrument, on):
        return MarketPhase.CLOSED
    if phase is MarketPhase.CLOSING_AUCTION and not _has_closing_auction(instrument, on):
        return MarketPhase.AFTERNOON
    return phase


def continuous_seconds(calendar: TradingCalendar, start: datetime, end: datetime) -> Decimal:
    """Return the seconds of continuous trading in [start, end); 0 when end ≤ start. Order timeouts count in these.

    09:30–11:30 and 13:00–14:57 of every known session: 14,220 s a day. Raises ValueError on a naive time.
    """
    micros = _continuous_micros(calendar, _in_china(end)) - _continuous_micros(
        calendar, _in_china(start)
    )
    return Decimal(max(micros, 0)) / 1_000_000


def books_closed(at: datetime) -> bool:
    """Whether the day's books are closed (15:35 and later)."""
    return _in_china(at).time() >= _BOOKS_CLOSE


def _has_after_hours(instrument: Instrument | None, on: date) -> bool:
    if instrument is None:
        return in_force(_SINCE_2026, on)
    if instrument.category is Category.FUND:
        return in_force(_SINCE_2026, on)
    return instrument.category.is_share and in_force(_AFTER_HOURS_SHARES[instrument.board], on)


def _has_closing_auction(instrument: Instrument | None, on: date) -> bool:
    if (
        instrument is None
        or instrument.category is not Category.FUND
        or exchange_of(instrument.symbol) != "SH"
    ):
        return True
    return in_force(_CLOSING_AUCTION_SSE_FUNDS, on)


def _in_china(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    return at if at.tzinfo is CHINA else at.astimezone(CHINA)


def _micros(clock: time) -> int:
    return ((clock.hour * 60 + clock.minute) * 60 + clock.second) * 1_000_000 + clock.microsecond


_STARTS = tuple(start for start, _ in _PHASES)
_ENDS = (*_STARTS[1:], None)
_CONTINUOUS = tuple(
    (_micros(start), _micros(end))
    for (start, phase), end in zip(_PHASES, _ENDS, strict=True)
    if phase.continuous and end is not None
)
_CONTINUOUS_DAY = sum(end - start for start, end in _CONTINUOUS)


def _continuous_micros(calendar: TradingCalendar, local: datetime) -> int:
    """Count the microseconds of continuous trading from the calendar's beginning to a China time."""
    total = calendar.sessions_before(local.date()) * _CONTINUOUS_DAY
    if calendar.is_session(local.date()):
        now = _micros(local.time())
        total += sum(min(max(now - start, 0), end - start) for start, end in _CONTINUOUS)
    return total
