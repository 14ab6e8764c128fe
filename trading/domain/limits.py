"""Daily price limits, price cage and tick rounding, by effective date (rules §5).

Sources unless a table says otherwise: SSE trading rules 2026 (上证发〔2026〕41号), SZSE (深证上〔2026〕551号), BSE
(北证公告〔2026〕17号), all effective 2026-07-06. The terminal's own limits win over everything computed here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import NamedTuple

from trading.domain.effective import ALWAYS, in_force
from trading.domain.instruments import Board, Category, Instrument, tick_size
from trading.domain.symbols import exchange_of
from trading.domain.types import BookStatus, Denial, DenialCode, Limits, Quote, Side, Text

# --- rounding ---------------------------------------------------------------------------------------------------


def round_to_tick(price: Decimal, tick: Decimal, side: Side | None = None) -> Decimal:
    """Round to the tick: down for a sell, up for a buy, half up when no side is given."""
    rounding = {Side.SELL: ROUND_FLOOR, Side.BUY: ROUND_CEILING, None: ROUND_HALF_UP}[side]
    return (price / tick).to_integral_value(rounding) * tick


def from_float(value: str | int | Decimal, tick: Decimal) -> Decimal:
    """Return the tick-exact price behind a value with float noise ("1854.980000000000018" → 1854.98), half up.

    An adapter that holds a float passes its `repr`. Raises ValueError when it is no finite number.
    """
    try:
        price = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a price") from None
    if not price.is_finite():
        raise ValueError(f"{value!r} is not a price")
    return round_to_tick(price, tick)


# --- daily limits -----------------------------------------------------------------------------------------------


class _Band(NamedTuple):
    """Distance of the limits from the previous close, as ratios; None = no limit."""

    up: Decimal | None
    down: Decimal | None


def _band(up: str, down: str | None = None) -> _Band:
    return _Band(Decimal(up), Decimal(down or up))


_Bands = tuple[tuple[date, _Band], ...]

_FREE = _Band(None, None)
_FIVE = _band("0.05")
_TEN = _band("0.10")
_TWENTY = _band("0.20")
_THIRTY = _band("0.30")

_CHINEXT_REFORM = date(2020, 8, 24)
_MAIN_BOARD_REFORM = date(2023, 4, 10)
_RULES_OF_2026 = date(2026, 7, 6)
_CONVERTIBLE_BOND_RULES = date(2022, 8, 1)

#: Shares: (board, under special treatment) → limits by date.
_SHARE_BANDS: dict[tuple[Board, bool], _Bands] = {
    (Board.MAIN, False): ((ALWAYS, _TEN),),
    (Board.MAIN, True): ((ALWAYS, _FIVE), (_RULES_OF_2026, _TEN)),
    (Board.CHINEXT, False): ((ALWAYS, _TEN), (_CHINEXT_REFORM, _TWENTY)),
    (Board.CHINEXT, True): ((ALWAYS, _FIVE), (_CHINEXT_REFORM, _TWENTY)),
    (Board.STAR, False): ((ALWAYS, _TWENTY),),
    (Board.STAR, True): ((ALWAYS, _TWENTY),),
    (Board.BSE, False): ((ALWAYS, _THIRTY),),
    (Board.BSE, True): ((ALWAYS, _THIRTY),),
}
#: Funds: board of the index → limits by date.
_FUND_BANDS: dict[Board | None, _Bands] = {
    Board.CHINEXT: ((ALWAYS, _TEN), (_CHINEXT_REFORM, _TWENTY)),
    Board.STAR: ((ALWAYS, _TWENTY),),
}
_OTHER_FUND_BANDS: _Bands = ((ALWAYS, _TEN),)
#: Convertible bonds. The limits came with the exchanges' implementation rules of 2022-08-01; before, none.
_CONVERTIBLE_BANDS: _Bands = ((ALWAYS, _FREE), (_CONVERTIBLE_BOND_RULES, _TWENTY))
_CONVERTIBLE_DAY_ONE: _Bands = (
    (ALWAYS, _FREE),
    (_CONVERTIBLE_BOND_RULES, _band("0.573", "0.433")),
)
#: How many sessions of a new share have no limit.
_FREE_SESSIONS: dict[Board, tuple[tuple[date, int], ...]] = {
    Board.MAIN: ((ALWAYS, 0), (_MAIN_BOARD_REFORM, 5)),
    Board.CHINEXT: ((ALWAYS, 0), (_CHINEXT_REFORM, 5)),
    Board.STAR: ((ALWAYS, 5),),
    Board.BSE: ((ALWAYS, 1),),
}
#: The first session of a new share where it is not free: +44/−36 % of the issue price since 2013-12-13 (the notices
#: of SSE and SZSE of that day on the first session of new shares; from general knowledge, not from rules §5).
_SHARE_DAY_ONE: _Bands = ((ALWAYS, _FREE), (date(2013, 12, 13), _band("0.44", "0.36")))
#: The first session of the delisting period has no limit since the delisting reform (rules published 2020-12-31).
_DELISTING_DAY_ONE_IS_FREE: tuple[tuple[date, bool], ...] = (
    (ALWAYS, False),
    (date(2020, 12, 31), True),
)


def daily_limits(
    instrument: Instrument,
    previous_close: Decimal,
    on: date,
    sessions_since_listing: int | None = None,
) -> Limits:
    """Return the day's limits from the exchange's previous close.

    `sessions_since_listing`: 1 on the first session; None = long listed. Real rounding: SSE/SZSE half up, BSE
    limit-up truncated, limit-down rounded up (unknown, so the terminal's is taken when it states one). A limit is at
    least one tick away from the previous close, and never below one tick. Raises ValueError when the previous close
    is not above 0: without it no limit is known.
    """
    if not _stated(previous_close):
        raise ValueError(f"no limits without a previous close, got {previous_close}")
    band = _band_for(instrument, on, sessions_since_listing)
    if band.up is None or band.down is None:
        return Limits(None, None)
    tick = tick_size(instrument, on)
    up, down = previous_close * (1 + band.up), previous_close * (1 - band.down)
    if instrument.board is Board.BSE:
        up, down = round_to_tick(up, tick, Side.SELL), round_to_tick(down, tick, Side.BUY)
    else:
        up, down = round_to_tick(up, tick), round_to_tick(down, tick)
    return Limits(
        up=max(up, previous_close + tick), down=max(min(down, previous_close - tick), tick)
    )


def _band_for(instrument: Instrument, on: date, session: int | None) -> _Band:
    if instrument.category.is_share:
        return _share_band(instrument, on, session)
    if instrument.category is Category.FUND:
        return in_force(_FUND_BANDS.get(instrument.index_board, _OTHER_FUND_BANDS), on)
    if instrument.category is Category.CONVERTIBLE_BOND:
        return in_force(_CONVERTIBLE_DAY_ONE if session == 1 else _CONVERTIBLE_BANDS, on)
    return _FREE  # no rule covers it, and lot_rule lets nothing of it be ordered


def _share_band(instrument: Instrument, on: date, session: int | None) -> _Band:
    if on == instrument.delisting_from and in_force(_DELISTING_DAY_ONE_IS_FREE, on):
        return _FREE
    if session is not None and session <= in_force(_FREE_SESSIONS[instrument.board], on):
        return _FREE
    if session == 1:
        return in_force(_SHARE_DAY_ONE, on)
    return in_force(_SHARE_BANDS[instrument.board, instrument.special_treatment], on)


def limits_for(quote: Quote | None, computed: Limits | None) -> Limits | Denial:
    """Return the limits an order must keep: the terminal's win over the computed ones.

    Denial LIMITS_DISAGREE when both are stated and differ (nothing is sent in that symbol, an alert says so);
    NO_PRICE when neither is known (fail closed). `computed` None = not known; Limits(None, None) = known to be none.
    On the BSE a limit-down one tick off is no quarrel: its rounding is not known (rules §5).
    """
    up = quote.limit_up if quote is not None and _stated(quote.limit_up) else None
    down = quote.limit_down if quote is not None and _stated(quote.limit_down) else None
    if computed is None:
        if up is None or down is None:
            return Denial(
                DenialCode.NO_PRICE,
                Text(
                    "neither price limits nor a previous close are known",
                    "既没有涨跌停价，也没有前收盘价",
                ),
            )
        return Limits(up, down)
    slack = (
        Decimal("0.01") if quote is not None and exchange_of(quote.symbol) == "BJ" else Decimal(0)
    )
    if _differ(up, computed.up) or _differ(down, computed.down, slack):
        return Denial(
            DenialCode.LIMITS_DISAGREE,
            Text(
                f"the terminal says limits {down}–{up}, the rules say {computed.down}–{computed.up}",
                f"终端的涨跌停价为 {down}–{up}，按规则计算为 {computed.down}–{computed.up}",
            ),
        )
    return Limits(up or computed.up, down or computed.down)


def day_limits(
    instrument: Instrument,
    quote: Quote | None,
    on: date,
    sessions_since_listing: int | None = None,
) -> Limits | Denial:
    """Return the limits from what quote or terminal state and what the previous close implies; see `limits_for`.

    A quote without limits has those the terminal stated for its symbol and this day.
    """
    stated = instrument.stated
    if quote is not None and stated is not None and stated.on == on:
        quote = replace(
            quote,
            limit_up=quote.limit_up or stated.up,
            limit_down=quote.limit_down or stated.down,
        )
    if quote is None or not _stated(quote.previous_close):
        return limits_for(quote, None)
    return limits_for(
        quote, daily_limits(instrument, quote.previous_close, on, sessions_since_listing)
    )


def _stated(price: Decimal | None) -> bool:
    return price is not None and price.is_finite() and price > 0


def _differ(stated: Decimal | None, computed: Decimal | None, slack: Decimal = Decimal(0)) -> bool:
    """Tell whether both name a limit and not the same one; a terminal's limit where we know of none just wins."""
    return stated is not None and computed is not None and abs(stated - computed) > slack


# --- price cage -------------------------------------------------------------------------------------------------


class _Cage(NamedTuple):
    """How far from the base a limit order may be: a ratio, or this many ticks when that is farther."""

    ratio: Decimal
    ticks: int


_TWO_PERCENT = _Cage(Decimal("0.02"), 0)
_TWO_PERCENT_OR_TICKS = _Cage(Decimal("0.02"), 10)
_FIVE_PERCENT_OR_TICKS = _Cage(Decimal("0.05"), 10)

#: Stocks and depositary receipts in continuous trading, by board.
_CAGES: dict[Board, tuple[tuple[date, _Cage | None], ...]] = {
    Board.MAIN: ((ALWAYS, None), (_MAIN_BOARD_REFORM, _TWO_PERCENT_OR_TICKS)),
    Board.CHINEXT: (
        (ALWAYS, None),
        (_CHINEXT_REFORM, _TWO_PERCENT),
        (_MAIN_BOARD_REFORM, _TWO_PERCENT_OR_TICKS),
    ),
    Board.STAR: ((ALWAYS, _TWO_PERCENT),),
    Board.BSE: ((ALWAYS, _FIVE_PERCENT_OR_TICKS),),
}


def cage_bound(instrument: Instrument, side: Side, quote: Quote, on: date) -> Decimal | None:
    """Return the highest buy or lowest sell price the price cage accepts in continuous trading, None = no cage.

    Base: best ask for a buy (bid for a sell), else the other side's best, last, previous close. The bound is rounded
    half up. No cage in auctions and after hours, for funds and bonds, or when the quote names no price at all.
    """
    if not instrument.category.is_share or quote.status in (
        BookStatus.AUCTION,
        BookStatus.AFTER_HOURS,
    ):
        return None
    cage = in_force(_CAGES[instrument.board], on)
    base = _cage_base(side, quote)
    if cage is None or base is None:
        return None
    tick = tick_size(instrument, on)
    if side is Side.BUY:
        return round_to_tick(max(base * (1 + cage.ratio), base + cage.ticks * tick), tick)
    return max(round_to_tick(min(base * (1 - cage.ratio), base - cage.ticks * tick), tick), tick)


def _cage_base(side: Side, quote: Quote) -> Decimal | None:
    opposite, own = (quote.asks, quote.bids) if side is Side.BUY else (quote.bids, quote.asks)
    prices = [level.price for level in (*opposite[:1], *own[:1])] + [
        quote.last,
        quote.previous_close,
    ]
    return next((price for price in prices if _stated(price)), None)
