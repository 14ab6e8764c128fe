"""The page of results: what each rule earned adds up to what the day reports say, and the month shows each session."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from monitoring.console import deals
from monitoring.console.record_filters import read_accounts
from monitoring.console.results_page import month_of, results_page
from monitoring.models import DayReport
from monitoring.services.day_report import make_day_reports
from tests.integration.days import BANK, LIQUOR
from tests.integration.grid_days import books, grid_world, path, session, start
from tests.integration.record_scenes import HOSTILE, person, text, words_of
from tests.integration.scenes import wish
from tests.world import World
from trading import selectors
from trading.domain.types import Side, SignalKind
from trading.models import Account, Close, Event, Fill, Instrument, Order
from trading.services.calendar import load_calendar
from trading.services.clock import DEMO, set_clock
from trading.services.reach import EVERYTHING

pytestmark = [pytest.mark.system, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

REAL = timezone.now()
FEBRUARY = date(2023, 2, 1)


@pytest.fixture
def world(calendar):
    """A stop-loss sold 1,000 at 9.19; a person sold 100 at a gain; the close came at 9.50."""
    world = World(holdings=[(BANK, 1000, "10.00"), (LIQUOR, 200, "10.00")])
    world.hold(BANK, "10.00", since="09:30:00", until="09:31:00")
    world.hold(BANK, "9.20", since="09:31:00", until="09:31:30")
    world.hold(LIQUOR, "10.10", since="09:30:00", until="09:32:31")
    wish(world, "09:32:00", LIQUOR, Side.SELL, 100)
    world.run(until="09:32:30")
    # The report is made up for on the next day, nobody having closed the books; then the totals are filled in.
    set_clock("demo", REAL, world.moment("15:36:00") + timedelta(days=1))
    make_day_reports(REAL)
    DayReport.objects.update(equity_before=Decimal(1_012_000), equity=Decimal(1_011_300))
    set_clock("demo", REAL, world.moment("15:36:00"))
    Close.objects.update_or_create(
        environment=DEMO, symbol=BANK, on=world.on, defaults={"close": Decimal("9.50")}
    )
    with time_machine.travel(REAL, tick=False):
        yield world


def page(first: date = FEBRUARY):
    [account] = read_accounts(REAL, EVERYTHING).values()
    return results_page(account, first, load_calendar())


def cell(on: date):
    return next(one for week in page().weeks for one in week if one is not None and one.on == on)


def test_each_sale_belongs_to_its_rule_and_all_add_up_to_the_report_of_the_day(world):
    stop, manual = page().rules
    assert (stop.rule, stop.sales, stop.won, stop.win_rate) == ("stop_loss", 1, 0, 0)
    assert (manual.rule, manual.sales, manual.won, manual.win_rate) == ("manual", 1, 1, 1)
    # 9,190.00 less 5.00 + 9.19 + 0.09 fees and 10,000 of cost.
    assert stop.realised == Decimal("-824.28")
    report = DayReport.objects.get()
    assert page().realised == stop.realised + manual.realised
    assert page().realised == report.realised.quantize(Decimal("0.01"))
    assert page().fees == report.commission + report.stamp_duty + report.transfer_fee


def test_a_stop_loss_that_the_close_came_back_from_saved_less_than_nothing(world):
    stop, manual = page().rules
    assert stop.saved == Decimal("9190.00") - Decimal("9500.00")
    assert manual.saved is None


def test_a_close_nobody_knows_is_no_zero(world):
    Close.objects.all().delete()
    assert page().rules[0].saved is None


def test_the_session_shows_its_change_and_what_was_realised(world):
    report = DayReport.objects.get()
    day = cell(world.on)
    assert (day.change, day.realised, day.fills) == (report.change, page().realised, 2)
    assert page().change == report.change


def test_a_session_nobody_closed_is_unknown_and_a_holiday_is_closed(world):
    DayReport.objects.update(equity=None)
    assert cell(world.on).change is None
    assert page().change is None
    january = page(date(2023, 1, 1))
    days = {one.on: one for week in january.weeks for one in week if one is not None}
    assert not days[date(2023, 1, 24)].is_session  # the spring festival
    assert days[date(2023, 1, 20)].is_session
    assert all(one.on.weekday() < 5 for one in days.values())


def test_today_shows_what_the_account_gained_so_far(world):
    DayReport.objects.all().delete()
    Account.objects.update(
        total_asset=Decimal(1_000_100), previous_total=Decimal(1_000_000),
        previous_total_on=world.on - timedelta(days=1),
    )  # fmt: skip
    assert cell(world.on).change == 100


def test_a_sale_of_another_month_is_not_counted_here(world):
    Fill.objects.create(
        account=world.account, position=world.position(LIQUOR), trade_date=date(2023, 3, 1),
        symbol=LIQUOR, side="sell", quantity=100, price=Decimal(20), amount=Decimal(2000),
        broker_order_id=9, traded_id="9", key="later", at=world.moment("10:00:00") + timedelta(28),
        booked_at=world.moment("10:00:00") + timedelta(28),
    )  # fmt: skip
    assert page().realised == DayReport.objects.get().realised.quantize(Decimal("0.01"))
    march = page(date(2023, 3, 1))
    assert [rule.rule for rule in march.rules] == ["outside"]
    assert march.realised == 1000


def test_an_ex_rights_morning_after_a_sale_does_not_change_what_it_earned(world):
    before = page().realised
    row = world.position(LIQUOR)
    levels = {
        "bought_quantity": [str(row.bought_quantity), str(row.bought_quantity * 2)],
        "bought_amount": [str(row.bought_amount), str(row.bought_amount / 2)],
    }
    Event.objects.create(
        account=world.account, at=world.moment("09:30:00") + timedelta(days=1), level="info",
        code="EX_RIGHTS_SCALE", symbol=LIQUOR, text_en="", text_zh="", detail={"levels": levels},
    )  # fmt: skip
    type(row).objects.filter(pk=row.pk).update(
        bought_quantity=row.bought_quantity * 2, bought_amount=row.bought_amount / 2
    )
    assert page().realised == before


def test_too_many_fills_are_said_and_nothing_is_guessed(world, monkeypatch):
    monkeypatch.setattr(deals, "MOST", 1)
    assert (page().complete, page().rules, page().realised) == (False, (), 0)
    assert "too many fills" in text(person("view_account"), "results")


def test_grid_rounds_are_told_by_session_by_their_own_lots(calendar):
    world = grid_world()
    path(world, "09:30:00", ["10.00"] * 6, tail=5)
    start(world, "09:30:30")
    path(world, "09:31:00", ["10.60", "10.70", "10.60"])
    path(world, "09:32:10", ["9.90", "9.80", "9.90"])
    world.run(until="09:33:00")
    set_clock("demo", REAL, world.moment("09:33:00"))
    [row] = page().grids
    ledger = books(world)
    assert (row.session, row.symbol, row.rounds) == (session(world).pk, BANK, 1)
    assert (row.fills, row.realised, row.fees) == (
        len(world.fills()),
        ledger.realised,
        ledger.fees,
    )
    assert [rule.rule for rule in page().rules] == ["grid"]


# -- the page


def test_the_page_says_it_in_both_languages(world):
    english = words_of(text(person("view_account"), "results"))
    assert "stop loss 1 0.00% -824.28 -310.00" in english
    chinese = words_of(text(person("view_account", language="zh-hans"), "results"))
    assert "止损 1 0.00% -824.28 -310.00" in chinese
    assert "盈亏日历" in chinese


def test_a_hostile_name_is_shown_and_not_run(world):
    Instrument.objects.update(name=HOSTILE)
    selectors._minute[0] = None, {}
    page = text(person("view_account"), "results")
    assert "<script>alert" not in page


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"month": "2023-13"}, "is no month"),
        ({"month": "0001-01"}, "is no month"),
        ({"account": "99"}, "There is no such account"),
        ({"account": "x' OR 1"}, "There is no such account"),
    ],
)
def test_an_address_that_makes_no_sense_is_named_and_the_page_shown(world, query, said):
    page = text(person("view_account"), "results", **query)
    assert said in page
    assert "2023-02" in page


@pytest.mark.parametrize(
    ("written", "first"),
    [("2023-02", date(2023, 2, 1)), ("1989-12", None), ("", None), ("2023-02-01", None)],
)
def test_a_month_is_written_with_its_year(written, first):
    assert month_of(written) == first


def test_whoever_may_not_view_accounts_does_not_see_it(world):
    assert person().get("/results/").status_code == 403


def test_the_queries_do_not_grow_with_the_fills(world):
    counts = []
    order = Order.objects.filter(kind=SignalKind.MANUAL).get()
    for number in range(2):
        with CaptureQueriesContext(connection) as captured:
            page()
        counts.append(len(captured))
        at = world.moment("09:40:00") + timedelta(seconds=number)
        Fill.objects.bulk_create(
            Fill(account=world.account, order=order, position=order.position, trade_date=world.on,
                 symbol=LIQUOR, side="sell", quantity=1, price=Decimal(10), amount=Decimal(10),
                 broker_order_id=9, traded_id=str(one), key=f"{number}-{one}", at=at, booked_at=at)
            for one in range(30)
        )  # fmt: skip
    assert counts[0] == counts[1] <= 16
