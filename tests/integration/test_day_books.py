"""The books of a session: a match signs itself off, a difference keeps the next day from buying until it is explained."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.integration.scenes import OTHER, STOCK, codes, falling, wish
from tests.integration.test_admin import act, client_of, html, page, person
from tests.misbehaving import Misbehaving
from tests.world import TODAY, World
from trading.domain.types import CorporateAction, Side, SignalKind, Symbol
from trading.models import DayBooks
from trading.services import day_books
from trading.services.corrections import CorrectionError

pytestmark = [
    pytest.mark.orders,
    pytest.mark.unattended,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]


def a_day(terminal=None):
    """A holding is sold at its stop, another stock is bought; then the day runs to its end."""
    world = World(holdings=[(STOCK, 1000, "10.00")], symbols=[OTHER])
    world.hold(STOCK, "10.00", since="09:30:00", until="09:31:00")
    world.hold(STOCK, "9.20", since="09:31:00", until="09:32:00")
    world.hold(OTHER, "10.00", since="09:30:00", until="09:32:00")
    wish(world, "09:30:20", OTHER, Side.BUY, 300)
    if terminal is not None:
        world.terminal.delivery = terminal
    return world


def to_the_close(world):
    """Play the morning, and then the minute in which the books close."""
    world.run(until="09:31:40")
    world._ends = None
    at = world.moment("15:34:45")
    while at <= world.moment("15:35:20"):
        world._second(at, [])
        at += timedelta(seconds=1)


def astray(field, change, since="15:35:00"):
    """The terminal's asset or holdings are off by something from a time on."""
    asked = {"cash": "query_stock_asset", "volume": "query_stock_positions"}[field]

    def shown(request, truth):
        if request["op"] != asked or not truth or world[0].exchange.now < world[0].moment(since):
            return truth
        return [*truth[:-1], {**truth[-1], field: truth[-1][field] + change}]

    world = []
    return Misbehaving(shown=shown), world


def test_a_day_that_agrees_signs_itself_off_to_the_cent():
    world = a_day()
    to_the_close(world)
    [books] = DayBooks.objects.all()
    assert (books.state, books.signed_by, books.differences) == ("matched", "system", [])
    account = world.exchange.account(world.account.broker_account_id)
    assert books.expected_cash == books.closing_cash == account.cash
    assert books.opening_cash == Decimal(1_000_000)
    assert books.fees == sum(trade.fees for trade in account.trades)
    assert books.fills == len(account.trades) >= 2
    assert books.holdings == {OTHER: 300}
    assert books.signed_at >= world.moment("15:35:00")


@pytest.mark.parametrize(
    ("field", "change", "item"), [("cash", 0.01, "cash"), ("volume", 100, "holding")]
)
def test_a_difference_is_named_alarmed_and_kept_for_a_person(field, change, item):
    terminal, held = astray(field, change)
    world = a_day(terminal)
    held.append(world)
    to_the_close(world)
    [books] = DayBooks.objects.all()
    assert books.state == "differs"
    assert [one["item"] for one in books.differences] == [item]
    assert books.signed_at is None
    assert codes(world, "BOOKS_DIFFER") == ["BOOKS_DIFFER"]


def test_a_difference_that_passes_within_seconds_is_no_difference():
    terminal, held = astray("cash", 0.01)
    world = a_day(terminal)
    held.append(world)

    def heal():
        terminal._shown = lambda request, truth: truth

    world.at("15:35:05", heal)
    to_the_close(world)
    [books] = DayBooks.objects.all()
    assert books.state == "matched"
    assert codes(world, "BOOKS_DIFFER") == []


def yesterdays(world, state="differs"):
    return DayBooks.objects.create(
        account=world.account,
        on=TODAY - timedelta(days=1),
        state=state,
        opening_cash=Decimal(1_000_000),
        closing_cash=Decimal(1_000_000),
        differences=[
            {"item": "cash", "about": "", "ours": "1", "theirs": "2", "en": "e", "zh": "z"}
        ],
    )


@pytest.mark.parametrize("state", ["differs", "explained", "matched", "open"])
def test_the_next_day_buys_nothing_until_it_is_explained_and_sells_as_ever(state):
    world = a_day()
    yesterdays(world, state)
    wish(world, "09:30:40", STOCK, Side.SELL, 100)
    world.run(until="09:31:40")
    bought = world.orders(symbol=OTHER, side=Side.BUY)
    assert bool(bought) is (state != "differs")
    assert {denial.code for denial in world.denials()} == (
        {"BOOKS_DIFFER"} if state == "differs" else set()
    )
    kinds = {order.kind for order in world.orders(symbol=STOCK)}
    assert kinds == {SignalKind.MANUAL, SignalKind.STOP_LOSS}


def test_after_a_person_explained_it_buying_goes_on_and_the_reason_is_kept():
    world = a_day()
    books = yesterdays(world)
    now = world.moment("09:20:00")
    day_books.explain(books.pk, "transferred 1 yuan", now, "wang")
    with pytest.raises(CorrectionError):
        day_books.explain(books.pk, "again", now, "wang")
    world.run(until="09:30:40")
    assert world.orders(symbol=OTHER, side=Side.BUY)
    books.refresh_from_db()
    assert (books.state, books.signed_by, books.reason) == (
        "explained",
        "wang",
        "transferred 1 yuan",
    )
    assert [event.actor for event in world.events(code="BOOKS_EXPLAINED")] == ["wang"]


def test_cash_goes_on_from_the_last_books():
    world = a_day()
    books = yesterdays(world, "matched")
    DayBooks.objects.filter(pk=books.pk).update(closing_cash=Decimal("1000000.01"))
    to_the_close(world)
    todays = DayBooks.objects.get(on=TODAY)
    assert todays.state == "differs"
    assert todays.expected_cash - todays.closing_cash == Decimal("0.01")


def test_a_dividend_that_is_known_is_no_difference():
    action = CorporateAction(
        symbol=Symbol(STOCK),
        on=TODAY,
        factor=Decimal("0.98"),
        share_ratio=Decimal(1),
        cash_per_share=Decimal("0.2"),
        note="a dividend",
    )
    world = World(holdings=[(STOCK, 1000, "10.00")], corporate_actions=[action])
    world.hold(STOCK, "9.80", since="09:30:00", until="09:31:00", previous_close="9.80")
    books = yesterdays(world, "matched")
    DayBooks.objects.filter(pk=books.pk).update(holdings={STOCK: 1000})
    to_the_close(world)
    todays = DayBooks.objects.get(on=TODAY)
    assert (todays.state, todays.closing_cash) == ("matched", Decimal("1000200"))


def swallowed_and_deaf(since):
    """The only order never reached the counter, and no gateway looks before `since`."""

    def on_the_way(message, now):
        return () if message["op"] == "order_stock" else None

    world = falling(Misbehaving(on_the_way=on_the_way), until="09:32:00")
    world.at("09:31:20", lambda: setattr(world, "_converse", lambda now: world.terminal.step(now)))
    world.at(since, lambda: delattr(world, "_converse"))
    to_the_close(world)
    return world


def test_an_order_that_is_unknown_at_the_close_keeps_the_books_open():
    world = swallowed_and_deaf("15:35:14")
    books = DayBooks.objects.get()
    assert world.orders()[0].state == "unknown"
    assert books.state == "differs"
    assert [one["item"] for one in books.differences] == ["order"]


def test_after_the_close_two_queries_prove_it_absent_and_the_books_agree():
    world = swallowed_and_deaf("15:35:02")
    assert world.orders()[0].state == "absent"
    assert DayBooks.objects.get().state == "matched"


# --- the page -----------------------------------------------------------------------------------------------------


def test_the_page_shows_the_differences_and_takes_an_explanation(django_user_model):
    world = falling()
    books = yesterdays(world)
    boss = client_of(django_user_model.objects.create_superuser("boss", password="x"))
    for url in (page(DayBooks, "changelist"), page(DayBooks, "change", books.pk)):
        response = boss.get(url)
        assert response.status_code == 200
        assert world.account.broker_account_id not in html(response)
    act(person("view_daybooks"), DayBooks, "explain", books, why="no right")
    books.refresh_from_db()
    assert books.state == "differs"
    act(boss, DayBooks, "explain", books, why="interest")
    books.refresh_from_db()
    assert (books.state, books.reason) == ("explained", "interest")
