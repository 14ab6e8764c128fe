"""A preview: what a session would be and do, before anybody starts it. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from grid.domain import preview as domain_preview
from grid.domain.rehearsal import Rehearsal, rehearse
from grid.services.history import past_quotes
from grid.services.sessions import Draft, Request, draft, preview_of
from trading.domain.calendar import TradingCalendar
from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import CHINA, AccountMode, Quote
from trading.errors import GatewayUnavailable
from trading.models import Account, TradingConfig
from trading.ports import QuoteReader
from trading.services.accounts import fee_schedule


@dataclass(frozen=True, slots=True)
class Preview:
    """`rehearsal`: of past quotes, without days when there is no history. `grid_on`: whether grids may trade at all."""

    draft: Draft
    quote: Quote | None
    plan: domain_preview.Preview
    rehearsal: Rehearsal
    grid_on: bool


def prepare(
    request: Request,
    quotes: QuoteReader,
    calendar: TradingCalendar,
    now: datetime,
    history: Sequence[Quote] | None = None,
) -> Preview:
    """Return the preview of a request. Raises SessionRefused.

    `history`: quotes to rehearse on, None = what is known of the symbol's past.
    """
    quote = newest(request.symbol, quotes)
    made = draft(request, quote, now)
    account = Account.objects.get(pk=request.account_id)
    on = now.astimezone(CHINA).date()
    symbol = made.instrument.symbol
    if history is None:
        history = past_quotes(AccountMode(account.mode), symbol, on, calendar)
    market = domain_preview.Market(made.instrument, fee_schedule(account), on)
    own = [quote for quote in history if quote.symbol == symbol]
    return Preview(
        draft=made,
        quote=quote,
        plan=preview_of(made, now),
        # From the first price of the past: today's centre was not known then.
        rehearsal=rehearse(own, made.rules, market, made.base_quantity),
        grid_on=TradingConfig.objects.filter(pk=account.pk, grid_enabled=True).exists(),
    )


def newest(symbol: str, quotes: QuoteReader) -> Quote | None:
    """Return a symbol's newest quote; None when there is none, when the store is away, or for what is no symbol."""
    try:
        code = parse_symbol(symbol)
        return quotes.latest([code]).get(code)
    except (SymbolError, GatewayUnavailable):
        return None
