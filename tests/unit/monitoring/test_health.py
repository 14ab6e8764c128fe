"""What counts as trouble, and what does not: facts in, findings out."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from monitoring.health import (
    CalendarFacts,
    Facts,
    GatewayFacts,
    Level,
    OrderFacts,
    QuoteFacts,
    TickFacts,
    findings,
)
from trading.domain.orders import OrderState
from trading.domain.protection import Protection
from trading.domain.types import GatewayStatus, Symbol, Text

pytestmark = [pytest.mark.fast, pytest.mark.unattended]

WELL = Facts(
    calendar=CalendarFacts(date(2026, 8, 10), date(2026, 12, 31)),
    ticks=(TickFacts("strategy", timedelta(seconds=5), timedelta(seconds=4), True),),
    gateway=GatewayFacts(
        GatewayStatus.ARMED, Text("armed", "已就绪"), timedelta(seconds=31), timedelta(seconds=9)
    ),
    quotes=QuoteFacts(
        timedelta(seconds=3), True, {Symbol("600036.SH"): timedelta(seconds=80)}, True
    ),
    orders=(OrderFacts("A1", "600036.SH", OrderState.SUBMITTING, timedelta(seconds=8)),),
    free_bytes=50_000_000_000,
)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def codes(facts: Facts) -> list[str]:
    return [one.code for one in findings(facts)]


def test_an_account_whose_surroundings_work_has_no_finding():
    assert findings(WELL) == []


@pytest.mark.parametrize(
    ("period", "age", "needed", "found"),
    [
        (5, 15, True, []),
        (5, 15.1, True, ["TICK_LATE"]),
        (2, 14, True, []),  # never less than 15 s
        (10, 30, True, []),
        (10, 31, True, ["TICK_LATE"]),
        (5, None, True, ["TICK_LATE"]),
        (5, 3600, False, []),
        (5, None, False, []),
    ],
)
def test_a_tick_is_late_after_three_periods_while_the_market_needs_it(period, age, needed, found):
    tick = TickFacts("strategy", seconds(period), None if age is None else seconds(age), needed)
    assert codes(replace(WELL, ticks=(tick,))) == found


def test_every_late_tick_is_a_finding_of_its_own():
    late = [TickFacts(name, seconds(5), None, True) for name in ("sync", "strategy")]
    assert [one.key for one in findings(replace(WELL, ticks=late))] == [
        ("TICK_LATE", "sync"),
        ("TICK_LATE", "strategy"),
    ]


@pytest.mark.parametrize(
    ("status", "silent", "snapshot", "found"),
    [
        ("armed", 90, 90, []),
        ("armed", 91, 600, ["GATEWAY_SILENT"]),  # one cause, one finding
        ("armed", None, None, ["GATEWAY_SILENT"]),
        ("observing", 5, None, ["GATEWAY_OBSERVING"]),
        ("armed", 5, 91, ["SNAPSHOT_OLD"]),
        ("armed", 5, None, ["SNAPSHOT_OLD"]),
    ],
)
def test_a_gateway_gives_signs_of_life_is_armed_and_knows_the_account(
    status, silent, snapshot, found
):
    gateway = GatewayFacts(
        GatewayStatus(status),
        Text("no connection", "未连接"),
        None if silent is None else seconds(silent),
        None if snapshot is None else seconds(snapshot),
    )
    assert codes(replace(WELL, gateway=gateway)) == found


def test_an_observing_gateway_says_why_in_both_languages():
    gateway = GatewayFacts(
        GatewayStatus.OBSERVING, Text("no connection", "未连接"), seconds(1), None
    )
    (found,) = findings(replace(WELL, gateway=gateway))
    assert "no connection" in found.text.en
    assert "未连接" in found.text.zh


@pytest.mark.parametrize(
    ("feed", "feed_needed", "ages", "quotes_needed", "found"),
    [
        (30, True, {"600036.SH": 1}, True, []),
        (31, True, {"600036.SH": 999}, True, ["FEED_SILENT"]),
        (None, True, {"600036.SH": None}, True, ["FEED_SILENT"]),
        (31, False, {"600036.SH": 999}, False, []),
        (3, True, {"600036.SH": 300, "000001.SZ": 301}, True, ["QUOTE_OLD"]),
        (3, True, {"600036.SH": 301}, True, ["QUOTE_OLD"]),  # it alone may rest
        # The feed speaks, and says what it said before: of everything.
        (3, True, {"600036.SH": 301, "000001.SZ": None}, True, ["FEED_SILENT"]),
        (3, True, {"600036.SH": 301, "000001.SZ": 301}, False, []),
        (3, True, {"600036.SH": None}, False, []),
        (None, True, {}, True, []),  # nothing is held
    ],
)
def test_a_silent_feed_explains_every_old_quote(feed, feed_needed, ages, quotes_needed, found):
    quotes = QuoteFacts(
        None if feed is None else seconds(feed),
        feed_needed,
        {Symbol(one): None if age is None else seconds(age) for one, age in ages.items()},
        quotes_needed,
    )
    assert codes(replace(WELL, quotes=quotes)) == found


@pytest.mark.parametrize(
    ("state", "age", "found"),
    [
        (OrderState.SUBMITTING, 20, []),
        (OrderState.SUBMITTING, 21, ["ORDER_STUCK"]),
        (OrderState.UNKNOWN, 60, []),
        (OrderState.UNKNOWN, 61, ["ORDER_STUCK"]),
        (OrderState.SUBMITTED, 9999, []),
    ],
)
def test_an_order_without_an_answer_is_stuck_after_a_while(state, age, found):
    order = OrderFacts("A1", "600036.SH", state, seconds(age))
    assert codes(replace(WELL, orders=(order,))) == found


@pytest.mark.parametrize(
    ("today", "until", "found"),
    [
        (date(2026, 10, 31), date(2026, 12, 31), []),
        (date(2026, 11, 1), date(2026, 12, 31), ["CALENDAR_ENDS"]),
        (date(2026, 11, 1), date(2027, 12, 31), []),
        (date(2026, 11, 30), date(2026, 12, 31), ["CALENDAR_ENDS"]),
        (date(2026, 12, 1), date(2026, 12, 31), ["CALENDAR_ENDS_SOON"]),
        (date(2026, 6, 1), date(2026, 6, 30), ["CALENDAR_ENDS_SOON"]),  # whenever it ends
        (date(2026, 12, 31), date(2026, 12, 31), ["CALENDAR_ENDS_SOON"]),
        (date(2027, 1, 1), date(2026, 12, 31), ["CALENDAR_UNKNOWN"]),
    ],
)
def test_the_end_of_the_calendar_is_announced_from_november_on(today, until, found):
    assert codes(replace(WELL, calendar=CalendarFacts(today, until))) == found


def test_the_last_month_of_the_calendar_and_a_disputed_day_are_alarms():
    disputed = date(2026, 8, 11)
    facts = CalendarFacts(date(2026, 8, 10), date(2026, 9, 1), (disputed,))
    found = findings(replace(WELL, calendar=facts))
    assert [(one.code, one.level) for one in found] == [
        ("CALENDAR_DISPUTED", Level.ALARM),
        ("CALENDAR_ENDS_SOON", Level.ALARM),
    ]
    assert "2026-08-11" in found[0].text.zh
    assert "2026-09-01" in found[1].text.zh


def test_wrong_settings_and_a_full_disk_are_findings():
    problem = Text("stop_loss_ratio is 3", "止损比例为 3")
    facts = replace(WELL, config_problem=problem, free_bytes=999_999_999)
    assert codes(facts) == ["CONFIG_INVALID", "DISK_LOW"]
    assert findings(facts)[0].text == problem


def test_a_process_that_is_held_back_is_an_alarm_of_its_own_that_says_where_to_look():
    found = findings(replace(WELL, held_back=["worker", "gateway-a-name-of-more-than-thirty-two"]))
    assert [(one.code, one.level) for one in found] == [("PROCESS_HELD_BACK", Level.ALARM)] * 2
    assert "logs/worker.log" in found[0].text.en
    assert "logs/worker.log" in found[0].text.zh
    assert [len(one.subject) for one in found] == [6, 32]


def test_unprotected_holdings_are_told_once_a_reason_with_at_most_five_names():
    held = [Symbol(f"60000{number}.SH") for number in range(7)]
    facts = replace(
        WELL,
        unprotected={
            Protection.STOP_LOSS_OFF: held,
            Protection.T1: held[:1],
            Protection.MARKET_CLOSED: held,
        },
    )

    [finding] = findings(facts)

    assert (finding.code, finding.subject) == ("UNPROTECTED", "stop_loss_off")
    assert finding.text.en.endswith("600004.SH and 2 more.")
    assert "等 7 只" in finding.text.zh
