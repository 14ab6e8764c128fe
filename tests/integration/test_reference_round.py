"""Before the open the terminal's word on instruments, limits and days is kept; where it differs, nothing is sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from tests.unit.broker.test_xt_reference import DETAIL
from trading.domain.instruments import instrument_for
from trading.domain.limits import day_limits
from trading.domain.reference import Dividend, to_row
from trading.domain.types import CHINA, Denial, DenialCode, Limits, Quote, Symbol
from trading.errors import GatewayUnavailable
from trading.models import Account, CorporateAction, Event, Instrument, Position, WatchedSymbol
from trading.selectors import instrument_of, instruments_of
from trading.services.calendar import load_calendar
from trading.services.reference_round import before_the_open

pytestmark = [pytest.mark.orders, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

BANK, FUND = Symbol("600036.SH"), Symbol("510300.SH")
TODAY = date(2026, 8, 10)
OPEN = datetime(2026, 8, 10, 9, 5, tzinfo=CHINA)
TEN = Decimal("10.00")


class Terminal:
    """What `manage.py reference` would say; `asked` keeps the kinds."""

    def __init__(self, *details, refused=(), dividends=(), days=None) -> None:
        self.details, self.refused, self.dividends = details, list(refused), dividends
        self.days = days
        self.asked: list[str] = []
        self.symbols: set[str] = set()
        self.fails: set[str] = set()

    def __call__(self, arguments):
        kind = arguments[0]
        self.asked.append(kind)
        self.symbols |= set(arguments[1:])
        if kind in self.fails:
            raise GatewayUnavailable(f"no {kind}")
        if kind == "calendar":
            known = load_calendar().sessions_between(TODAY, date(2026, 12, 31))
            return [f"{day}" for day in self.days or known], []
        if kind == "dividends":
            return [to_row(one) for one in self.dividends], []
        return [to_row(one) for one in self.details], self.refused


@pytest.fixture
def account():
    made = Account.objects.create(name="real", broker_account_id="8800000001", mode="live")
    WatchedSymbol.objects.create(account=made, symbol=BANK, added_at=OPEN)
    return made


def quote(**changes):
    return Quote(BANK, OPEN, TEN, TEN, **changes)


def codes():
    return sorted(Event.objects.values_list("code", flat=True))


def test_what_the_terminal_states_is_kept_and_its_limits_hold_for_the_day(account):
    special = replace(
        DETAIL, name="*ST招行", limit_up=Decimal("10.50"), limit_down=Decimal("9.50")
    )
    before_the_open(OPEN, Terminal(special))
    row = Instrument.objects.get(pk=BANK)
    assert (row.name, row.special_treatment, row.source) == ("*ST招行", True, "terminal")
    known = instrument_of(BANK)
    assert known == instruments_of([BANK])[BANK]
    limits = day_limits(known, quote(), TODAY)
    # By the rules of 2026 a share under special treatment has 10 %: the terminal says otherwise.
    assert isinstance(limits, Denial)
    assert limits.code is DenialCode.LIMITS_DISAGREE
    assert "TERMINAL_DISAGREES" in codes()
    # Tomorrow they are old, and the rules count.
    tomorrow = day_limits(known, quote(), TODAY + timedelta(days=1))
    assert tomorrow == Limits(Decimal("11.00"), Decimal("9.00"))


def test_f072_what_is_no_symbol_of_ours_is_not_asked_of_the_terminal(account):
    for other in ("00700.HGT", "122001.SH"):  # Stock Connect; a bond
        Position.objects.create(
            account=account, symbol=other, quantity=500, bought_quantity=500,
            bought_amount=Decimal(500), opened_on=date(2026, 8, 7), seen=OPEN,
        )  # fmt: skip
    terminal = Terminal(DETAIL)
    before_the_open(OPEN, terminal)
    assert BANK in terminal.symbols
    assert not {"00700.HGT", "122001.SH"} & terminal.symbols
    assert "REFERENCE_NOT_READ" not in codes()


def test_limits_that_agree_are_no_news(account):
    before_the_open(OPEN, Terminal(DETAIL))
    assert day_limits(instrument_of(BANK), quote(), TODAY) == Limits(
        Decimal("11.00"), Decimal("9.00")
    )
    assert codes() == []


def test_a_quote_that_states_limits_itself_is_the_newer_word(account):
    before_the_open(OPEN, Terminal(replace(DETAIL, limit_up=Decimal("10.50"))))
    told = quote(limit_up=Decimal("11.00"), limit_down=Decimal("9.00"))
    assert day_limits(instrument_of(BANK), told, TODAY) == Limits(
        Decimal("11.00"), Decimal("9.00")
    )


def test_details_of_the_session_before_are_neither_kept_nor_believed(account):
    old = replace(DETAIL, trading_day=TODAY - timedelta(days=3), limit_up=Decimal("10.50"))
    before_the_open(OPEN, Terminal(old))
    assert not Instrument.objects.filter(pk=BANK).exists()
    assert instrument_of(BANK) == instrument_for(BANK)
    assert codes() == ["TERMINAL_DISAGREES"]


def test_what_cannot_be_read_is_said_once(account):
    terminal = Terminal(refused=[(BANK, "UpStopPrice", 1)])
    before_the_open(OPEN, terminal)
    before_the_open(OPEN + timedelta(minutes=11), terminal)
    assert codes() == ["REFERENCE_REFUSED"]
    assert terminal.asked.count("details") == 2


@pytest.mark.parametrize("fails", ["calendar", "details", "dividends"])
def test_a_reading_that_fails_is_said_and_keeps_nothing_else_from_being_read(account, fails):
    terminal = Terminal(DETAIL)
    terminal.fails = {fails}
    before_the_open(OPEN, terminal)
    assert codes() == ["REFERENCE_NOT_READ"]
    assert {"calendar", "details"} <= set(terminal.asked)
    assert Instrument.objects.filter(pk=BANK).exists() is (fails != "details")


def test_a_day_on_which_calendar_and_terminal_disagree_is_closed(account):
    known = load_calendar().sessions_between(TODAY, date(2026, 12, 31))
    before_the_open(
        OPEN, Terminal(DETAIL, days=[day for day in known if day != date(2026, 8, 12)])
    )
    assert not load_calendar().is_session(date(2026, 8, 12))


def test_ex_rights_days_are_kept_for_the_morning_check(account):
    zero = Decimal(0)
    event = Dividend(BANK, TODAY, Decimal("0.5"), zero, zero, zero, zero, Decimal("1.0526315789"))
    before_the_open(OPEN, Terminal(DETAIL, dividends=[event]))
    [row] = CorporateAction.objects.all()
    assert (row.symbol, row.on, row.cash_per_share) == (BANK, TODAY, Decimal("0.5"))
    assert round(row.factor, 6) == Decimal("0.95")


@pytest.mark.parametrize(
    ("at", "mode", "asked"),
    [
        ("2026-08-10T09:05", "live", True),
        ("2026-08-10T08:59", "live", False),  # still yesterday's limits
        ("2026-08-10T09:30", "live", False),
        ("2026-08-08T09:05", "live", False),  # a Saturday
        ("2026-08-10T09:05", "paper", False),
    ],
)
def test_the_terminal_is_asked_before_the_open_of_a_live_account(account, at, mode, asked):
    Account.objects.update(mode=mode)
    terminal = Terminal(DETAIL)
    before_the_open(datetime.fromisoformat(at).replace(tzinfo=CHINA), terminal)
    assert bool(terminal.asked) is asked


def test_it_is_read_every_ten_minutes_whoever_is_sent_to_do_it(account):
    terminal = Terminal(DETAIL)
    for minute in range(25):
        for _ in range(2):
            before_the_open(OPEN - timedelta(minutes=4) + timedelta(minutes=minute), terminal)
    assert 3 <= terminal.asked.count("details") <= 6
