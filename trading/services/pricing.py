"""From a wish to a priced intent: limits, cage, lot and price of the moment, as the exchange will check them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache

from trading.domain.calendar import TradingCalendar, sessions_since_listing
from trading.domain.instruments import Instrument, lot_rule, tick_size
from trading.domain.limits import cage_bound, day_limits, round_to_tick
from trading.domain.order_price import PriceMode, order_price
from trading.domain.risk import Intent
from trading.domain.types import (
    CHINA,
    ZERO,
    Denial,
    DenialCode,
    Limits,
    Quote,
    Side,
    SignalKind,
    Text,
)
from trading.selectors import instruments_today


@dataclass(frozen=True, slots=True)
class Priced:
    """An intent with what it was priced from."""

    intent: Intent
    limits: Limits
    quote: Quote


def limits_by_rule(calendar: TradingCalendar) -> Callable[[Quote, datetime], Limits | None]:
    """Return what tells the day's limits around a quote's previous close at a market time; None: nothing certain is known."""

    @lru_cache(maxsize=20_000)
    def known(
        instrument: Instrument,
        on: date,
        previous_close: Decimal,
        up: Decimal | None,
        down: Decimal | None,
    ) -> Limits | None:
        at = datetime.combine(on, time(9, 30), CHINA)
        quote = Quote(instrument.symbol, at, ZERO, previous_close, limit_up=up, limit_down=down)
        session = sessions_since_listing(calendar, instrument, on)
        limits = day_limits(instrument, quote, on, session)
        return None if isinstance(limits, Denial) else limits

    def limits_of(quote: Quote, now: datetime) -> Limits | None:
        on = quote.time.astimezone(CHINA).date()
        # Read again every minute: a person, or the terminal before the open, may correct it.
        instrument = instruments_today([quote.symbol], now)[quote.symbol]
        return known(instrument, on, quote.previous_close, quote.limit_up, quote.limit_down)

    return limits_of


def price_intent(
    *,
    kind: SignalKind,
    side: Side,
    quantity: int,
    quote: Quote,
    instrument: Instrument,
    on: date,
    mode: str,
    trigger: Decimal | None,
    attempt: int = 0,
    session: int | None = None,
    highest: Decimal | None = None,
) -> Priced | Denial:
    """Price an order of `quantity` shares; a Denial when the limits disagree or there is no usable price.

    `session`: number of the session since the listing, None = long listed. `highest`: the most a buy may cost, yuan.
    """
    limits = day_limits(instrument, quote, on, session)
    if isinstance(limits, Denial):
        return limits
    tick = tick_size(instrument, on)
    price = order_price(
        PriceMode(mode),
        side,
        quote,
        trigger=trigger,
        tick=tick,
        limits=limits,
        cage=cage_bound(instrument, side, quote, on),
        attempt=attempt,
    )
    if price is None:
        text = Text("no usable price in the book", "盘口没有可用价格")
        return Denial(DenialCode.NO_PRICE, text)
    if highest is not None and side is Side.BUY:
        price = min(price, round_to_tick(highest, tick, Side.SELL))
    intent = Intent(
        kind, quote.symbol, side, quantity, price, instrument, lot_rule(instrument, on), tick
    )
    return Priced(intent, limits, quote)
