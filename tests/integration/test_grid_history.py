"""What past a preview may rehearse on: the demo's own, never an invented one under a real name."""

from __future__ import annotations

from datetime import date

import pytest

from grid.services.history import DAYS, past_quotes
from trading.domain.types import AccountMode, Symbol
from trading.models import Instrument
from trading.services.calendar import load_calendar
from trading.services.demo import ensure_demo_account

pytestmark = [pytest.mark.grid, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

FUND, ON = Symbol("513100.SH"), date(2023, 2, 1)


def days(mode: AccountMode, symbol: Symbol = FUND) -> int:
    quotes = past_quotes(mode, symbol, ON, load_calendar())
    assert all(quote.symbol == symbol and quote.time.date() < ON for quote in quotes)
    return len({quote.time.date() for quote in quotes})


def test_the_demo_has_the_past_of_its_own_instruments():
    assert ensure_demo_account()
    assert days(AccountMode.DEMO) == DAYS
    assert days(AccountMode.DEMO, Symbol("600519.SH")) == 0


def test_a_real_symbol_with_a_code_of_the_demo_has_no_invented_past():
    assert days(AccountMode.PAPER) == 0
    Instrument.objects.create(
        symbol=FUND, name="纳指ETF", board="main", category="fund", settlement="T+0"
    )
    assert days(AccountMode.PAPER) == 0
    ensure_demo_account()
    assert days(AccountMode.LIVE) == 0
