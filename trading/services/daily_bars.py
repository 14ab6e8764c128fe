"""Daily bars as rows: kept once per symbol and session by an upsert, completed sessions only.

What changes takes with it the indicators that were counted from it (services/indicators.py counts them again).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction

from trading.domain.calendar import TradingCalendar
from trading.domain.daily import DailyBar, is_completed
from trading.domain.types import CHINA, CorporateAction, Quote, Symbol
from trading.models import Close, DailyIndicator
from trading.models import CorporateAction as CorporateActionRow
from trading.models import DailyBar as DailyBarRow
from trading.services.clock import DEMO, LIVE

#: A quote of this time or later has the closing price; an earlier one is a day that was seen in part.
CLOSES_AT = time(15, 0)
#: Closes of so many newest sessions of an import serve the ex-rights check too.
_CLOSES = 5
_COLUMNS = ("open", "high", "low", "close", "previous_close", "volume", "amount", "source")
_AT_ONCE = 500
#: How exactly the rows of corporate actions keep their numbers.
_FACTOR, _RATIO, _MONEY = Decimal("1e-10"), Decimal("1e-8"), Decimal("1e-4")


class Kept(NamedTuple):
    """How many bars were new or changed, known already, and refused: sessions that are not over, or are none."""

    changed: int
    same: int
    refused: int


def keep_bars(
    bars: Iterable[DailyBar],
    source: str,
    calendar: TradingCalendar,
    now: datetime,
    environment: str = LIVE,
) -> Kept:
    """Write bars, each symbol and session once; a bar that is there already is replaced when it differs.

    `environment`: whose market they are of (`services.clock.environment_of`).

    A source is a function that returns bars, whatever it reads. Today's bar before the books close, and a bar of a day
    that is no session, are refused: half a day is no day.
    """
    wanted: dict[tuple[Symbol, date], DailyBar] = {}
    refused = 0
    for bar in bars:
        if bar.is_sound and is_completed(bar.on, calendar, now):
            wanted[bar.symbol, bar.on] = bar
        else:
            refused += 1
    by_symbol: dict[Symbol, list[DailyBar]] = defaultdict(list)
    for bar in wanted.values():
        by_symbol[bar.symbol].append(bar)
    changed = sum(
        _keep(symbol, sorted(of, key=lambda bar: bar.on), source, environment)
        for symbol, of in by_symbol.items()
    )
    return Kept(changed, len(wanted) - changed, refused)


def _keep(symbol: Symbol, bars: Sequence[DailyBar], source: str, environment: str) -> int:
    with transaction.atomic():
        ours = DailyBarRow.objects.filter(environment=environment, symbol=symbol)
        known = {row.on: row for row in ours}
        rows = [_row(bar, source, environment) for bar in bars]
        new = [row for row in rows if _differs(row, known.get(row.on))]
        if not new:
            return 0
        DailyBarRow.objects.bulk_create(
            new,
            update_conflicts=True,
            unique_fields=["environment", "symbol", "on"],
            update_fields=_COLUMNS,
            batch_size=_AT_ONCE,
        )
        forget_indicators(symbol, new[0].on, [environment])
        # Our own record of a close, if there is one, stays: it is what decisions of that evening saw.
        closes = [
            Close(
                environment=environment,
                symbol=row.symbol,
                on=row.on,
                close=row.close,
                previous_close=row.previous_close,
            )
            for row in new[-_CLOSES:]
        ]
        Close.objects.bulk_create(closes, ignore_conflicts=True)
    return len(new)


def _row(bar: DailyBar, source: str, environment: str) -> DailyBarRow:
    return DailyBarRow(
        environment=environment,
        symbol=bar.symbol,
        on=bar.on,
        open=bar.open,
        high=bar.high,
        low=bar.low,
        close=bar.close,
        previous_close=bar.previous_close,
        volume=bar.volume,
        amount=bar.amount,
        source=source[:32],
    )


def _differs(row: DailyBarRow, known: DailyBarRow | None) -> bool:
    return known is None or any(
        getattr(row, name) != getattr(known, name) for name in _COLUMNS if name != "source"
    )


def forget_indicators(
    symbol: Symbol, since: date, environments: Sequence[str] = (DEMO, LIVE)
) -> None:
    """Drop what was counted from a session on: its bar, or a factor, is another one now."""
    DailyIndicator.objects.filter(
        environment__in=environments, symbol=symbol, on__gte=since
    ).delete()


def keep_corporate_actions(actions: Iterable[CorporateAction]) -> int:
    """Write typed ex-rights events, one per symbol and day; returns how many are new or different.

    They are used by the morning's check of that day (services/corporate_actions.py), and by the indicators.
    """
    changed = 0
    for action in actions:
        values = {
            "factor": action.factor.quantize(_FACTOR),
            "share_ratio": action.share_ratio.quantize(_RATIO),
            "cash_per_share": action.cash_per_share.quantize(_MONEY),
            "note": action.note,
        }
        with transaction.atomic():
            rows = CorporateActionRow.objects.filter(symbol=action.symbol, on=action.on)
            known = rows.first()
            if known is not None and all(getattr(known, n) == v for n, v in values.items()):
                continue
            CorporateActionRow.objects.update_or_create(
                symbol=action.symbol, on=action.on, defaults=values
            )
            forget_indicators(action.symbol, action.on)
            changed += 1
    return changed


def saw_the_close(quote: Quote, on: date) -> bool:
    """Whether a quote says how this session ended: it is of its end, or the symbol does not trade."""
    at = quote.time.astimezone(CHINA)
    return at.date() == on and quote.last > 0 and (at.time() >= CLOSES_AT or quote.suspended)


def bars_of_quotes(quotes: Mapping[Symbol, Quote], on: date) -> list[DailyBar]:
    """Return the day's bars from its last quotes; a symbol that did not trade, or was not seen to its end, has none."""
    found = []
    for symbol, quote in quotes.items():
        if not saw_the_close(quote, on) or not quote.volume:
            continue
        bar = DailyBar(
            symbol,
            on,
            open=quote.open,
            high=quote.high,
            low=quote.low,
            close=quote.last,
            volume=quote.volume,
            amount=quote.amount,
            previous_close=quote.previous_close if quote.previous_close > 0 else None,
        )
        if bar.is_sound:
            found.append(bar)
    return found
