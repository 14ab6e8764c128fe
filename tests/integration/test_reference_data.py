"""Instruments and trading days as rows: sources state, people decide, unknown stays closed and conservative."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.urls import reverse

from monitoring.models import PremarketCheck
from monitoring.services.premarket import check_before_the_open
from trading.domain.calendar import phase_at
from trading.domain.instruments import Board, Category, Settlement, lot_rule
from trading.domain.limits import daily_limits
from trading.domain.symbols import parse_symbol
from trading.domain.types import CHINA, CorporateAction
from trading.market_data.store import MemoryQuoteStore
from trading.models import Account, Event, Instrument, TradingConfig, TradingDay
from trading.models import CorporateAction as CorporateActionRow
from trading.selectors import instruments_of
from trading.services.calendar import Compared, cross_check, load_calendar, settle_day
from trading.services.daily_bars import keep_corporate_actions
from trading.services.instruments import (
    InstrumentFact,
    correct_instrument,
    keep_instruments,
    release_corrections,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

BANK, FUND = parse_symbol("600036.SH"), parse_symbol("159605.SZ")
NOW = datetime(2026, 7, 3, 9, tzinfo=CHINA)
FRIDAY, MONDAY = date(2026, 7, 3), date(2026, 7, 6)


@pytest.fixture
def account():
    made = Account.objects.create(name="demo", broker_account_id="8800000001", mode="demo")
    TradingConfig.objects.create(account=made)
    return made


def told(code):
    return list(Event.objects.filter(code=code).values_list("text_en", flat=True))


# --- instruments --------------------------------------------------------------------------------


def keep(*facts, source="terminal"):
    return keep_instruments(facts, source, NOW)


def test_what_a_source_states_is_kept_once_and_what_it_leaves_out_stays(account):
    fact = InstrumentFact(BANK, "招商银行", listed_on=date(2002, 4, 9))
    assert keep(fact) == (1, 0, 0)
    assert keep(fact) == (0, 0, 1)
    assert keep(InstrumentFact(BANK, settlement=Settlement.T1)) == (0, 0, 1)
    row = Instrument.objects.get()
    assert (row.name, row.listed_on, row.source) == ("招商银行", date(2002, 4, 9), "terminal")
    assert Event.objects.count() == 0


def test_the_name_says_special_treatment_and_the_rules_use_it(account):
    keep(InstrumentFact(BANK, "招商银行"))
    keep(InstrumentFact(BANK, "*ST招商"))
    instrument = instruments_of([BANK])[BANK]
    assert instrument.special_treatment
    # 5 % through 2026-07-05 (rules §5), 10 % after it.
    assert daily_limits(instrument, Decimal(10), FRIDAY).down == Decimal("9.50")
    assert daily_limits(instrument, Decimal(10), MONDAY).down == Decimal("9.00")
    assert told("INSTRUMENT_CHANGED") == [f"{BANK}: special_treatment is yes now, was no."]
    keep(InstrumentFact(BANK, "招商银行"))
    assert not instruments_of([BANK])[BANK].special_treatment


def test_a_board_that_is_stated_changes_lots(account):
    keep(InstrumentFact(BANK, board=Board.STAR))
    assert lot_rule(instruments_of([BANK])[BANK], FRIDAY).minimum == 200


def test_a_fund_nobody_knows_more_of_settles_t_plus_1_until_somebody_says_otherwise(account):
    assert instruments_of([FUND])[FUND].settlement is Settlement.T1
    keep(InstrumentFact(FUND, "中概互联"))
    assert instruments_of([FUND])[FUND].settlement is Settlement.T1
    keep(InstrumentFact(FUND, settlement=Settlement.T0))
    instrument = instruments_of([FUND])[FUND]
    assert (instrument.settlement, instrument.category) == (Settlement.T0, Category.FUND)


def test_a_correction_by_a_person_wins_until_it_is_taken_back(account):
    keep(InstrumentFact(BANK, "招商银行"))
    assert correct_instrument(BANK, {"special_treatment": True}, "li", NOW)
    assert not correct_instrument(BANK, {"special_treatment": True}, "wang", NOW)
    assert keep(InstrumentFact(BANK, "招商银行A")) == (0, 1, 0)
    assert keep(InstrumentFact(BANK, special_treatment=False)) == (0, 0, 1)
    row = Instrument.objects.get()
    assert (row.special_treatment, row.corrections) == (True, {"special_treatment": "li"})
    assert len(told("INSTRUMENT_CORRECTED")) == 1
    assert release_corrections(BANK, "li", NOW)
    keep(InstrumentFact(BANK, "招商银行A"))
    assert not Instrument.objects.get().special_treatment


def test_a_file_of_instruments_is_imported_whole_or_not_at_all(account, tmp_path, capsys):
    file = tmp_path / "instruments.csv"
    file.write_text(
        "symbol,name,settlement,listed_on,special_treatment\n"
        "600036,招商银行,,2002-04-09,no\nsz159605,中概互联,T+0,,\n",
        encoding="utf-8",
    )
    call_command("instruments", "--import", str(file))
    call_command("instruments", "--import", str(file))
    call_command("instruments", "159605")
    out = capsys.readouterr().out
    assert "2 new" in out
    assert "2 as they were" in out
    assert "159605.SZ  中概互联  main  fund  T+0" in out
    file.write_text("symbol,board\n600036,moon\n", encoding="utf-8")
    with pytest.raises(CommandError, match="line 2: board is 'moon'"):
        call_command("instruments", "--import", str(file))


def test_the_page_shows_and_keeps_a_correction(account, client):
    keep(InstrumentFact(BANK, "招商银行"))
    client.force_login(get_user_model().objects.create_superuser("li", password="x" * 12))
    page = reverse("admin:trading_instrument_change", args=[BANK])
    form = client.get(page).context["adminform"].form
    data = {name: form.initial.get(name) or "" for name in form.fields} | {"settlement": "T+0"}
    data.pop("special_treatment")
    assert client.post(page, data).status_code == 302
    row = Instrument.objects.get()
    assert (row.settlement, row.corrections) == ("T+0", {"settlement": "li"})
    listed = client.get(reverse("admin:trading_instrument_changelist"), headers={"accept-language": "en"})  # fmt: skip
    assert "settlement (li)" in listed.content.decode()


# --- typed ex-rights events ---------------------------------------------------------------------


def test_events_of_a_terminal_are_kept_as_exactly_as_the_rows_can():
    action = CorporateAction(BANK, FRIDAY, 1 / Decimal(3), Decimal("1.3"), Decimal("0.123456"))
    assert keep_corporate_actions([action]) == 1
    assert keep_corporate_actions([action]) == 0
    assert keep_corporate_actions([replace(action, factor=Decimal("0.5"))]) == 1
    assert CorporateActionRow.objects.get().factor == Decimal("0.5")


# --- trading days -------------------------------------------------------------------------------


def sessions(first: date, last: date) -> set[date]:
    return set(load_calendar().sessions_between(first, last))


def test_a_terminal_that_agrees_changes_nothing():
    stated = sessions(date(2026, 1, 1), date(2026, 12, 31))
    assert cross_check(stated, "terminal", FRIDAY) == Compared((), (), ())
    assert cross_check((), "terminal", FRIDAY) == Compared((), (), ())


@pytest.mark.parametrize("terminal_says", [True, False])
def test_a_day_they_disagree_about_is_closed_until_a_person_decides(terminal_says):
    day = date(2026, 7, 4) if terminal_says else MONDAY
    stated = sessions(date(2026, 6, 1), date(2026, 7, 31)) ^ {day}
    for _ in range(2):
        assert cross_check(stated, "terminal", FRIDAY) == Compared((day,), (), ())
        assert not load_calendar().is_session(day)
        assert load_calendar().knows(day)
    noon = datetime(day.year, day.month, day.day, 10, tzinfo=CHINA)
    assert not phase_at(load_calendar(), noon).continuous
    assert settle_day(day, True, "li")
    assert load_calendar().is_session(day)
    assert not settle_day(day, False, "li")
    assert cross_check(stated ^ {day}, "terminal", FRIDAY).disputed == ()
    assert load_calendar().is_session(day)


def test_next_year_is_learned_from_the_terminal_and_the_past_is_only_told():
    year = {date(2027, 1, 4), date(2027, 1, 5)}
    past = date(2026, 6, 30)
    stated = (sessions(date(2026, 1, 1), date(2026, 12, 31)) - {past}) | year
    found = cross_check(stated, "terminal", FRIDAY)
    assert (found.disputed, found.past) == ((), (past,))
    assert found.learned[0] == date(2027, 1, 1)
    calendar = load_calendar()
    assert calendar.is_session(past)
    assert calendar.known_until == date(2027, 1, 5)
    assert [on for on in found.learned if calendar.is_session(on)] == sorted(year)


def test_the_premarket_check_stops_on_a_disputed_day(account, tmp_path):
    cross_check(sessions(date(2026, 6, 1), date(2026, 7, 31)) - {FRIDAY}, "terminal", FRIDAY)
    now = datetime(2026, 7, 3, 9, 5, tzinfo=CHINA)
    Account.objects.update(snapshot_at=now)
    assert check_before_the_open(now, MemoryQuoteStore(), tmp_path) == 1
    [calendar] = [one for one in PremarketCheck.objects.get().items if one["name_en"] == "calendar"]  # fmt: skip
    assert calendar["verdict"] == "stop"
    assert "disagree" in calendar["en"]


def test_only_a_disputed_day_can_be_changed_on_its_page(client):
    client.force_login(get_user_model().objects.create_superuser("li", password="x" * 12))
    cross_check(sessions(date(2026, 6, 1), date(2026, 7, 31)) - {MONDAY}, "terminal", FRIDAY)
    page = reverse("admin:trading_tradingday_change", args=[MONDAY])
    assert client.post(page, {"is_session": "on"}).status_code == 302
    assert TradingDay.objects.get(on=MONDAY).source == "by hand: li"
    assert load_calendar().is_session(MONDAY)
    other = reverse("admin:trading_tradingday_change", args=[MONDAY + timedelta(days=1)])
    assert client.post(other, {"is_session": ""}).status_code == 403
