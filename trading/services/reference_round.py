"""Before the open, what the real terminal states of instruments and days is read and kept; differences are told.

The terminal is asked by a process of its own (`manage.py reference`): a crash of the vendor's library there touches
nothing else. Its details are those of the day from 09:00 on only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from trading.domain.calendar import TradingCalendar, sessions_since_listing
from trading.domain.instruments import StatedLimits
from trading.domain.reference import Dividend, InstrumentDetail, differences, from_row
from trading.domain.symbols import is_symbol
from trading.domain.types import CHINA, AccountMode, Symbol, Text
from trading.errors import GatewayUnavailable
from trading.models import Account, EventLevel
from trading.selectors import instruments_of, symbols_of_interest, watched_symbols
from trading.services import leases
from trading.services.calendar import cross_check, load_calendar
from trading.services.clock import market_time
from trading.services.daily_bars import keep_corporate_actions
from trading.services.events import journal_once
from trading.services.instruments import InstrumentFact, keep_instruments, keep_stated_limits
from trading.services.reference_process import read_apart

log = logging.getLogger(__name__)

#: Rows and refusals of one reading; `reference_process.read_apart`.
Reader = Callable[[Sequence[str]], tuple[list[Any], list[tuple[str, str, int]]]]

LEASE, PERIOD = "reference", timedelta(minutes=10)
#: The terminal states the day's limits from 09:00 on; at 09:30 they are needed.
FROM, UNTIL = time(9, 1), time(9, 30)
SOURCE = "terminal"


def before_the_open(real: datetime, read: Reader = read_apart) -> None:
    """Read and keep, every ten minutes between 09:01 and 09:30, while a live account is enabled. `real` is real time."""
    accounts = list(Account.objects.filter(enabled=True, mode=AccountMode.LIVE).order_by("pk"))
    now = market_time(AccountMode.LIVE, real).astimezone(CHINA)
    if not accounts or not FROM <= now.time() < UNTIL or now.weekday() >= 5:
        return
    if not leases.claim(LEASE, PERIOD, real):
        return
    # One after the other, and neither for the other's sake: a year whose holidays are unknown has limits today.
    for step in (_keep_days, _keep_details):
        _try(step, accounts, read, now)


def _try(
    step: Callable[[Sequence[Account], Reader, datetime], None],
    accounts: Sequence[Account],
    read: Reader,
    now: datetime,
) -> None:
    try:
        step(accounts, read, now)
    except GatewayUnavailable as problem:
        log.warning("reference data were not read: %s", problem)
        _tell(
            accounts,
            "REFERENCE_NOT_READ",
            Text(
                f"The terminal's reference data were not read; limits are those of the rules. {problem}",
                f"未能读取终端的基础数据，涨跌停价按规则计算。{problem}",
            ),
            now,
        )


def _keep_days(accounts: Sequence[Account], read: Reader, now: datetime) -> None:
    today = now.date()
    span = ["--first", f"{today}", "--last", f"{today.replace(month=12, day=31)}"]
    rows, _ = read(["calendar", "SH", *span])
    cross_check([date.fromisoformat(row) for row in rows], SOURCE, today)


def _keep_details(accounts: Sequence[Account], read: Reader, now: datetime) -> None:
    today, calendar = now.date(), load_calendar()
    asked = watched_symbols().union(*(symbols_of_interest(one.pk) for one in accounts))
    wanted = set(
        filter(is_symbol, asked)
    )  # one that is none would be the end of the whole reading
    if not wanted or not calendar.is_session(today):
        return
    rows, refused = read(["details", *sorted(wanted)])
    details = {one.symbol: one for one in (from_row(InstrumentDetail, row) for row in rows)}
    current = {symbol: one for symbol, one in details.items() if one.trading_day == today}
    facts = [
        InstrumentFact(s, one.name or None, listed_on=one.listed_on) for s, one in current.items()
    ]
    keep_instruments(facts, SOURCE, now)
    keep_stated_limits(
        {s: StatedLimits(today, one.limit_up, one.limit_down) for s, one in current.items()}
    )
    _tell_differences(accounts, details, calendar, now)
    for symbol, name, _ in refused:
        text = Text(
            f"{symbol}: what the terminal states cannot be read ({name})",
            f"{symbol}：终端数据无法读取（{name}）",
        )
        _tell(accounts, "REFERENCE_REFUSED", text, now, symbol)
    span = ["--first", f"{today - timedelta(days=10)}", "--last", f"{today}"]
    rows, _ = read(["dividends", *sorted(wanted), *span])
    keep_corporate_actions(from_row(Dividend, row).action() for row in rows)


def _tell_differences(
    accounts: Sequence[Account],
    details: dict[Symbol, InstrumentDetail],
    calendar: TradingCalendar,
    now: datetime,
) -> None:
    known = instruments_of(details)
    for symbol, detail in details.items():
        session = sessions_since_listing(calendar, known[symbol], now.date())
        for text in differences(detail, known[symbol], now.date(), session):
            _tell(accounts, "TERMINAL_DISAGREES", text, now, symbol)


def _tell(
    accounts: Sequence[Account], code: str, text: Text, now: datetime, symbol: str = ""
) -> None:
    for account in accounts:
        journal_once(account.pk, EventLevel.ALARM, code, text, now, symbol=symbol)
