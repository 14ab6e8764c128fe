"""A person sells: the same decisions, the same order path, and an answer that says what comes of it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.integration.days import BANK
from tests.world import World
from trading.domain.types import Side, Text, TradingState
from trading.market_data.file_store import FileQuoteStore
from trading.models import Account, Event, Position, Signal
from trading.services import shared_quotes
from trading.services.accounts import set_trading_state
from trading.services.clock import set_clock
from trading.services.corrections import CorrectionError
from trading.services.manual import part, sell, shares

pytestmark = [pytest.mark.orders, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]


def a_day(quantity: int = 1000, last: str = "10.00", until: str = "09:40:00", **more) -> World:
    world = World(holdings=[(BANK, quantity, "10.00")], **more)
    world.hold(BANK, last, since="09:30:00", until=until)
    return world


def ask(world: World, clock: str, size, answers: list[Text], why: str = "a test") -> None:
    """Let a person ask for a sale of the one holding in this second."""

    def act() -> None:
        row = Position.objects.get(account=world.account, closed_at=None)
        try:
            text = sell(
                row.pk, size, why, world.moment(clock), "boss",
                quotes=world.store, calendar=world.calendar,
            )  # fmt: skip
        except CorrectionError as refusal:
            text = refusal.text
        answers.append(text)
        world._moved()

    world.at(clock, act)


def test_a_sale_of_100_shares_is_decided_by_the_next_tick_and_filled():
    world, said = a_day(), []
    ask(world, "09:31:01", shares(100), said)
    world.run(until="09:31:20")
    [order] = world.orders()
    assert (order.kind, order.purpose, order.quantity, order.state) == (
        *("manual", "manual", 100),
        "filled",
    )
    assert order.approved_at == world.moment("09:31:05")
    assert order.broker_order_id is not None
    assert world.position(BANK).quantity == 900
    [signal] = world.signals()
    assert (signal.state, signal.reason_en) == ("accepted", "boss: a test")
    assert f"signal {signal.pk}" in said[0].en
    [event] = world.events(code="MANUAL_SALE")
    assert (event.actor, event.symbol, event.detail["quantity"]) == ("boss", BANK, 100)


def test_auto_trading_off_does_not_hold_a_person_back():
    world, said = a_day(settings={"auto_trading_enabled": "off"}), []
    ask(world, "09:31:01", part(Decimal(1)), said)
    world.run(until="09:31:20")
    [order] = world.orders()
    assert (order.quantity, order.state) == (1000, "filled")


def test_a_stop_loss_goes_before_a_person():
    world, said = a_day(until="09:31:00"), []
    world.hold(BANK, "9.20", since="09:31:00", until="09:32:00")
    ask(world, "09:30:59", part(Decimal("0.5")), said)
    world.run(until="09:31:30")
    assert [(order.kind, order.quantity) for order in world.orders()] == [("stop_loss", 1000)]
    [manual] = world.signals(kind="manual")
    assert manual.state == "superseded"  # nothing is left to sell


def test_a_halted_account_denies_and_the_person_is_told_before():
    world, said = a_day(), []
    world.at(
        "09:30:30",
        lambda: set_trading_state(
            world.account.pk,
            TradingState.HALTED,
            Text("stop", "停"),
            world.moment("09:30:30"),
            "boss",
        ),
    )
    ask(world, "09:31:01", shares(100), said)
    world.run(until="09:31:20")
    assert world.orders() == []
    [signal] = world.signals()
    assert (signal.state, signal.denial_code) == ("denied", "TRADING_STATE")
    assert "will be denied" in said[0].en
    assert "将被拒绝" in said[0].zh


def test_at_lunch_the_wish_waits_and_expires_and_the_person_is_told_so():
    world, said = a_day(), []
    world.quote("11:29:57", BANK, "10.00")
    ask(world, "11:45:00", shares(100), said)
    world.quote("13:00:01", BANK, "10.00")
    world.run(until="13:00:10")
    assert world.orders() == []
    [signal] = world.signals()
    assert signal.state == "expired"
    assert "lunch" in said[0].en
    assert "120" in said[0].en


@pytest.mark.parametrize(
    ("size", "word"),
    [
        (shares(150), "150 shares cannot be sold"),
        (shares(1100), "at most 1000"),
        (part(Decimal("0.05")), "below one lot"),
    ],
)
def test_what_the_exchange_would_not_take_is_refused_at_once(size, word):
    world, said = a_day(), []
    ask(world, "09:31:01", size, said)
    world.run(until="09:31:10")
    assert word in said[0].en
    assert world.signals() == []


def test_a_second_sale_waits_for_the_first():
    world, said = a_day(), []
    ask(world, "09:31:01", shares(100), said)
    ask(world, "09:31:02", shares(200), said)
    world.run(until="09:31:20")
    assert "at work already" in said[1].en
    assert [order.quantity for order in world.orders()] == [100]


def test_shares_bought_today_cannot_be_sold_and_the_person_is_told_why():
    world, said = World(symbols=[BANK]), []
    world.hold(BANK, "10.00", since="09:30:00", until="09:40:00")
    world.somebody("09:30:30", Side.BUY, BANK, 100, "10.10")
    ask(world, "09:31:01", shares(100), said)
    world.run(until="09:31:02")
    assert "100 of 100 shares were bought today (T+1)" in said[0].en
    assert world.signals() == []


def test_a_sale_needs_a_reason():
    world, said = a_day(), []
    ask(world, "09:31:01", shares(100), said, why=" ")
    world.run(until="09:31:02")
    assert "reason" in said[0].en


# --- the page


@pytest.fixture
def held(tmp_path, monkeypatch):
    """A holding at 09:31:03 with a quote in the file all processes share."""
    world = a_day(until="09:31:06")
    world.run(until="09:31:03")
    set_clock("demo", timezone.now(), world.moment("09:31:03"))
    store = FileQuoteStore(tmp_path / "quotes.sqlite3", writes=True)
    quote = world.store.latest([BANK])[BANK]
    store.put("test", [quote], 10, world.moment("09:31:03"))
    reader = FileQuoteStore(tmp_path / "quotes.sqlite3")
    monkeypatch.setattr(shared_quotes._of_thread, "reader", reader, raising=False)
    yield world
    store.close()
    reader.close()


def press_sell(client: Client, world: World, **answers: str) -> str:
    row = world.position(BANK)
    data = {
        "action": "sell",
        "_selected_action": [row.pk],
        "confirmed": "yes",
        "why": "I want to",
        **answers,
    }
    response = client.post(reverse("admin:trading_position_changelist"), data, follow=True)
    return str(response.content.decode())


def boss(language: str = "en", *, may_trade: bool = True) -> Client:
    user = get_user_model().objects.create_user(
        "boss", password="x", is_staff=True, is_superuser=may_trade
    )
    client = Client(headers={"accept-language": language})
    client.force_login(user)
    return client


@pytest.mark.parametrize(
    ("answers", "quantity"),
    [
        ({"how": "all", "amount": ""}, 1000),
        ({"how": "shares", "amount": "100"}, 100),
        ({"how": "percent", "amount": "25"}, 200),
    ],
)
def test_the_page_asks_how_much_and_says_what_will_happen(held, answers, quantity):
    page = press_sell(boss(), held, **answers)
    [signal] = Signal.objects.filter(kind="manual")
    assert (signal.quantity, signal.state) == (quantity, "pending")
    assert f"a sale of {quantity} shares is asked for (signal {signal.pk})" in page
    assert "within 5 s" in page
    event = Event.objects.get(code="MANUAL_SALE")
    assert (event.actor, "I want to" in event.text_zh) == ("boss", True)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"how": "shares", "amount": ""}, "请填写数量"),
        ({"how": "shares", "amount": "1.5"}, "必须为整数"),
        ({"how": "percent", "amount": "101"}, "最多 100%"),
        ({"how": "shares", "amount": "150"}, "不能卖出 150 股"),
    ],
)
def test_a_wrong_amount_is_told_in_the_language_of_the_reader(held, answers, said):
    assert said in press_sell(boss("zh-hans"), held, **answers)
    assert not Signal.objects.filter(kind="manual").exists()


def test_who_may_not_trade_cannot_sell(held):
    press_sell(boss(may_trade=False), held, how="all")
    assert not Signal.objects.filter(kind="manual").exists()
    assert Account.objects.get(pk=held.account.pk).trading_state == "active"
