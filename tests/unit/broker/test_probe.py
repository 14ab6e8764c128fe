"""The probe against the twin: the path of every question, what it reports, and what it refuses to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.misbehaving import Misbehaving, pushes
from tests.unit.paper.market_day import ACCOUNT, BANK, BOND_FUND, CALENDAR, MONDAY, at, quote
from tests.unit.paper.market_day import exchange as an_exchange
from trading.broker.probe.context import Probe
from trading.broker.probe.questions import QUESTIONS, ask_all
from trading.broker.probe.report import Outcome, Report
from trading.broker.probe.session import ProbeSession
from trading.domain.calendar import phase_at
from trading.domain.types import Text
from trading.paper import transport, xtconstant, xtdata, xttrader, xttype
from trading.paper.delivery import Delivery
from trading.paper.terminal import Terminal

pytestmark = [pytest.mark.orders]

ADDRESS = "memory://probe"
MAIN, OTHER = 118, 119


class Bench:
    """A terminal, a clock that moves when the probe waits, and a person who does as a test says."""

    def __init__(self, clock: str = "10:00", delivery: Delivery | None = None) -> None:
        self.exchange = an_exchange()
        self.terminal = Terminal(self.exchange, delivery=delivery)
        self.market, self.second = at(clock), 0.0
        self.later: list[tuple[float, Callable[[], object]]] = []
        self.asked: list[str] = []
        self.does: dict[str, Callable[[], str]] = {}
        self.types = {"Type the symbol": str(BANK), "last four digits": ACCOUNT[-4:]}
        self.terminal.step(self.market)
        # asks and bids in the middle of the day's limits
        self.terminal.feed([quote(clock), quote(clock, symbol=BOND_FUND)])
        transport.serve_in_process(ADDRESS, self.terminal)
        self.data = xtdata.connect_to(ADDRESS)

    def wait(self, seconds: float) -> None:
        self.second += seconds
        self.market += timedelta(seconds=seconds)
        for due, act in [one for one in self.later if one[0] <= self.second]:
            self.later.remove((due, act))
            act()
        self.terminal.step(self.market)

    def open_session(self, number: int) -> ProbeSession:
        made = ProbeSession(
            xttrader, xttype, ADDRESS, number, ACCOUNT, self.wait, lambda: self.second
        )
        made.open()
        return made

    def asked_for(self, text: Text) -> str:
        assert text.zh
        self.asked.append(text.en)
        for part, act in self.does.items():
            if part in text.en:
                return act()
        return next((typed for part, typed in self.types.items() if part in text.en), "")

    def hold(self, number: int) -> Any:
        bench, session = self, self.open_session(number)
        assert session.codes["connect"] == 0

        class Holder:
            def kill(self) -> None:  # its number stays held for some seconds
                free = bench.second + 4
                bench.later.append((free, lambda: bench.terminal.release_session(number)))

        return Holder()

    def probe(self, **changes: Any) -> Probe:
        class Someone:
            asked = staticmethod(self.asked_for)

        given: dict[str, Any] = {
            "session": self.open_session(MAIN),
            "open_session": self.open_session,
            "main": MAIN,
            "other": OTHER,
            "now": lambda: self.market,
            "clock": lambda: self.second,
            "wait": self.wait,
            "phase": lambda: phase_at(CALENDAR, self.market),
            "data": self.data,
            "person": Someone(),
            "hold": self.hold,
            "symbol": BANK,
            "with_orders": True,
        }
        return Probe(**{**given, **changes})

    def orders(self) -> list[Any]:
        return list(self.exchange.accounts[ACCOUNT].orders.values())


@pytest.fixture
def bench():
    made = Bench()
    yield made
    transport.forget(ADDRESS)


def findings(probe: Probe, *only: str) -> dict[str, Any]:
    return {one.number: one.finding for one in ask_all(probe, only, lambda question: None)}


def test_every_question_is_answered_or_says_what_is_missing(bench):
    def close() -> str:
        bench.terminal.close()
        bench.terminal.logged_in = False
        return ""

    def log_in() -> str:
        bench.later.append((bench.second + 7, lambda: setattr(bench.terminal, "logged_in", True)))
        return ""

    bench.does = {"Close the QMT client": close, "Start the client": log_in}
    found = findings(bench.probe(watch=60.0))
    assert list(found) == [f"P{number}" for number in range(1, 16)]
    assert {number for number, one in found.items() if one.outcome is Outcome.FAILED} == set()
    assert {number for number, one in found.items() if one.outcome is Outcome.SKIPPED} == set()
    answered = {number for number, one in found.items() if one.outcome is Outcome.ANSWERED}
    assert {"P1", "P4", "P5", "P8", "P10", "P11", "P12", "P15"} <= answered
    assert all(one.note.en and one.note.zh for one in found.values())


def test_without_a_person_and_orders_it_only_reads(bench):
    found = findings(bench.probe(person=None, with_orders=False, hold=None))
    assert bench.orders() == []
    skipped = {number for number, one in found.items() if one.outcome is Outcome.SKIPPED}
    assert skipped == {"P1", "P3", "P4", "P8", "P11"}
    assert "--with-orders" in found["P1"].note.en
    assert "--guided" in found["P4"].note.en


# -- orders


def test_the_two_orders_are_one_lot_at_the_far_limits_and_are_cancelled(bench):
    found = findings(bench.probe(), "P1", "P3", "P8", "P11")
    buy, sale = bench.orders()
    assert (buy.side, buy.quantity, buy.price) == ("buy", 100, Decimal("9.00"))
    assert (sale.side, sale.quantity, sale.price) == ("sell", 100, Decimal("11.00"))
    assert {one.status for one in bench.orders()} == {xtconstant.ORDER_CANCELED}
    assert len(bench.asked) == 4  # twice for each
    assert found["P1"].facts["whole"] == {"submitted": True, "query": True, "order": True}
    assert len(found["P1"].facts["remarks"]["sent"]) == 24
    assert set(found["P3"].facts["seconds"]) == {"submitted", "query", "order"}
    assert found["P8"].facts["states"][-1] == "54"
    assert "cancel_error" in str(found["P8"].facts["cancels"][-1])
    assert found["P11"].facts["resting"]["can_use_volume"] == 900
    assert found["P11"].facts["after"]["can_use_volume"] == 1000


def test_a_client_that_cuts_the_remark_is_found_out(bench):
    bench.terminal.delivery = Misbehaving(
        shown=lambda request, truth: (
            [{**row, "order_remark": row["order_remark"][:10]} for row in truth]
            if request["op"] == "query_stock_orders"
            else truth
        )
    )
    found = findings(bench.probe(), "P1")
    assert found["P1"].facts["whole"] == {"submitted": True, "query": False, "order": True}
    assert [one.status for one in bench.orders()] == [xtconstant.ORDER_CANCELED]


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ({"Type the symbol": "y"}, 1),
        ({"last four digits": "0000"}, 2),
        ({"Type the symbol": ""}, 1),
    ],
)
def test_an_order_that_is_not_confirmed_twice_is_not_sent(bench, typed, asked):
    bench.types.update(typed)
    found = findings(bench.probe(), "P1")
    assert (found["P1"].outcome, len(bench.asked), bench.orders()) == (Outcome.SKIPPED, asked, [])
    assert "Not confirmed" in found["P1"].note.en


@pytest.mark.parametrize("clock", ["09:20", "11:30", "12:00", "14:57", "15:10"])
def test_outside_continuous_trading_no_order_is_sent(clock):
    bench = Bench(clock)
    found = findings(bench.probe(), "P1", "P11")
    assert (bench.asked, bench.orders()) == ([], [])
    assert all("continuous trading only" in one.note.en for one in found.values())
    transport.forget(ADDRESS)


def test_trading_that_ends_while_a_person_types_is_looked_at_again(bench):
    def slowly() -> str:
        bench.wait(5 * 3600)
        return ACCOUNT[-4:]

    bench.does = {"last four digits": slowly}
    findings(bench.probe(), "P1")
    assert (len(bench.asked), bench.orders()) == (2, [])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"objection": lambda: Text("halted", "停止")}, "halted"),
        ({"symbol": None}, "--symbol"),
        ({"person": None}, "--with-orders"),
    ],
)
def test_what_else_stands_against_an_order_is_said(bench, changes, says):
    found = findings(bench.probe(**changes), "P1", "P11")
    assert bench.orders() == []
    assert all(says in one.note.en for one in found.values())


def test_a_price_near_the_market_is_refused(bench):
    bench.terminal.feed([quote("10:00:03", "9.20")])
    found = findings(bench.probe(), "P1")
    assert "within 3 %" in found["P1"].note.en
    assert bench.orders() == []


@pytest.mark.parametrize("call", ["order_stock_async", "cancel_order_stock_async"])
def test_whatever_breaks_once_an_order_may_be_there_a_person_is_told_to_look(bench, call):
    probe = bench.probe()
    real = getattr(probe.session.trader, call)

    def breaks(*arguments: Any) -> int:
        real(*arguments)
        raise OSError("the client is gone")

    setattr(probe.session.trader, call, breaks)
    found = findings(probe, "P1")
    assert "MAY STILL BE THERE" in bench.asked[-1]
    assert found["P1"].outcome is Outcome.FAILED
    assert len(bench.orders()) == 1


def test_an_order_whose_cancels_come_to_nothing_is_left_to_the_person_by_its_number(bench):
    policy = Misbehaving(
        on_the_way=lambda message, now: () if message["op"] == "cancel_order_stock" else None
    )
    bench.terminal.delivery = policy
    found = findings(bench.probe(), "P1", "P8")
    [order] = bench.orders()
    assert f"THE ORDER ({order.order_id}) MAY STILL BE THERE" in bench.asked[-1]
    assert len(policy.calls("cancel_order_stock")) == 3
    assert {one.outcome for one in found.values()} == {Outcome.FAILED}


# -- single questions


def test_a_second_holder_of_a_session_number_is_refused_and_a_killed_ones_number_is_waited_for(
    bench,
):
    facts = findings(bench.probe(), "P5")["P5"].facts
    assert facts["same number while it is held"] == {"connect": -1}
    assert facts["another number meanwhile"] == {"connect": 0, "subscribe": 0}
    assert facts["tries after stop()"] == [0]
    assert facts["tries after a kill"][:2] == [-1, -1]
    assert 4 <= facts["again after a kill, seconds"] <= 6


def test_what_queries_say_while_the_client_is_away_and_what_status_it_comes_back_with(bench):
    def close() -> str:
        bench.terminal.close()
        bench.terminal.logged_in = False
        return ""

    def comes_back() -> str:
        bench.terminal.logged_in = True
        bench.terminal.set_account_status(ACCOUNT, xtconstant.ACCOUNT_STATUS_CORRECTING)
        return ""

    bench.does = {"Close the QMT client": close, "Start the client": comes_back}
    facts = findings(bench.probe(), "P4")["P4"].facts
    assert facts["on_disconnected"] == 1
    assert facts["client closed"][0]["orders"] == {"answer": "none before the deadline"}
    assert facts["while it logs in"][0]["orders"]["rows"] == "None"
    assert facts["while it logs in"][0]["statuses"] == [5]


def test_pushes_that_come_twice_are_counted():
    doubled = pushes("stock_order")
    bench = Bench(
        delivery=Misbehaving(back=lambda message, now: (now, now) if doubled(message) else None)
    )
    facts = findings(bench.probe(), "P1", "P12")["P12"].facts
    assert facts["heard more than once"] >= 1
    assert facts["most often"] == 2
    transport.forget(ADDRESS)


def test_a_night_is_watched_for_changes_of_the_status(bench):
    number = ACCOUNT

    def becomes(status: int) -> Callable[[], None]:
        return lambda: bench.terminal.set_account_status(number, status)

    bench.later = [(60.0, becomes(6)), (300.0, becomes(0))]
    changes = findings(bench.probe(watch=600.0), "P10")["P10"].facts["changes"]
    assert [one["statuses"] for one in changes] == [[0], [6], [0]]


def test_an_account_that_is_not_logged_in_is_not_granted(bench):
    bench.terminal.set_account_status(ACCOUNT, 3)
    found = findings(bench.probe(), "P15")["P15"]
    assert (found.outcome, found.facts["account status"]) == (Outcome.FAILED, [3])


def test_no_list_of_fills_or_orders_is_not_taken_for_an_empty_one(bench):
    bench.terminal.set_account_status(ACCOUNT, xtconstant.ACCOUNT_STATUS_CORRECTING)
    found = findings(bench.probe(), "P2", "P9")
    for one in found.values():
        assert (one.outcome, one.facts["rows"]) == (Outcome.FAILED, "None")
        assert "gave no list" in one.note.en


def test_a_question_that_fails_does_not_keep_the_others_from_being_asked(bench):
    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("the data service is gone")

    found = findings(bench.probe(data=Broken()), "P14", "P2")
    assert found["P14"].outcome is Outcome.FAILED
    assert "is gone" in found["P14"].note.en
    assert found["P2"].outcome is Outcome.PARTLY


def test_the_report_shows_every_answer_and_never_the_whole_account_number(bench):
    answers = ask_all(bench.probe(), (), lambda question: None)
    report = Report(
        ACCOUNT, at("10:30", MONDAY), {"terminal": f"C:/{ACCOUNT}/userdata_mini"}, answers
    )
    markdown, content = report.as_markdown(), report.as_json()
    for text in (markdown, content):
        assert ACCOUNT not in text
        assert f"…{ACCOUNT[-4:]}" in text
    assert [one["question"] for one in json.loads(content)["answers"]] == [
        f"P{number}" for number in range(1, 16)
    ]
    for question in QUESTIONS:
        assert f"## {question.number} {question.title.en}" in markdown
