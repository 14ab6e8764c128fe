"""The admin: everything can be read, little changed, and that through services with a reason."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from tests.world import World
from trading.models import (
    Account,
    BrokerEvent,
    Denial,
    Event,
    Fill,
    Instrument,
    Order,
    Position,
    Signal,
    TradingConfig,
    TradingDay,
)
from trading.services import config

pytestmark = [pytest.mark.system, pytest.mark.django_db]

NUMBER = "8800123456"
READ_ONLY = (BrokerEvent, Denial, Event, Fill, Order, Position, Signal)
ALL = (*READ_ONLY, Account, Instrument, TradingConfig, TradingDay)
LANGUAGES = ("zh-hans", "en")
NOW = datetime(2023, 2, 1, 2, tzinfo=UTC)


@pytest.fixture
def world(calendar):
    """A day with a sale, a denial and a raw report that names the account's number."""
    world = World(holdings=[("600036.SH", 1000, "10.00"), ("000001.SZ", 500, "12.00")])
    world.hold("600036.SH", "10.00", since="09:30:00", until="09:31:00")
    world.hold("600036.SH", "9.20", since="09:31:00", until="09:32:00")
    world.run(until="09:32:00")
    Account.objects.filter(pk=world.account.pk).update(broker_account_id=NUMBER)
    world.account.refresh_from_db()
    BrokerEvent.objects.create(
        account=world.account, epoch=1, kind="trade", payload={"account": NUMBER}, received_at=NOW
    )
    Denial.objects.create(
        account=world.account, symbol="000001.SZ", kind="add_on", code="NO_CASH",
        text_en="no cash", text_zh="资金不足", at=NOW,
    )  # fmt: skip
    Instrument.objects.get_or_create(
        symbol="600036.SH",
        defaults={"board": "main", "category": "stock", "settlement": "T+1"},
    )
    return world


@pytest.fixture
def account(db):
    account = Account.objects.create(name="one", broker_account_id=NUMBER)
    TradingConfig.objects.create(account=account)
    return account


@pytest.fixture
def boss():
    return client_of(get_user_model().objects.create_superuser("boss", password="x"))


def client_of(user, language="en") -> Client:
    client = Client(headers={"accept-language": language})
    client.force_login(user)
    return client


def page(model, name, *arguments) -> str:
    return str(reverse(f"admin:trading_{model._meta.model_name}_{name}", args=arguments))


def html(response) -> str:
    return str(response.content.decode())


def act(client, model, action, row, **answers):
    data = {"action": action, "_selected_action": [row.pk], "confirmed": "yes", **answers}
    return client.post(page(model, "changelist"), data, follow=True)


def person(*permissions) -> Client:
    user = get_user_model().objects.create_user("reader", password="x", is_staff=True)
    rows = Permission.objects.filter(content_type__app_label="trading", codename__in=permissions)
    user.user_permissions.add(*rows)
    return client_of(user)


# -- reading


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_opens_in_both_languages_and_never_shows_the_number(world, boss, language):
    for model in ALL:
        row = model._default_manager.first()
        assert row is not None, model
        for url in (page(model, "changelist"), page(model, "change", row.pk)):
            response = boss.get(url, headers={"accept-language": language})
            assert response.status_code == 200, url
            assert NUMBER not in html(response), url
    for url in (
        page(TradingConfig, "history", world.account.pk),
        page(Order, "history", world.orders()[0].pk),
    ):
        response = boss.get(url, headers={"accept-language": language})
        assert response.status_code == 200
        assert NUMBER not in html(response)


def test_every_list_answers_a_search(world, boss):
    for model in ALL:
        response = boss.get(page(model, "changelist"), {"q": "600"})
        assert response.status_code == 200, model


def test_what_happened_is_neither_added_nor_changed_nor_deleted(world, boss):
    for model in READ_ONLY:
        row = model._default_manager.first()
        assert boss.get(page(model, "add")).status_code == 403
        assert boss.post(page(model, "change", row.pk), {"symbol": "x"}).status_code == 403
        assert boss.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403


def test_an_order_shows_its_moves_and_its_fills(world, boss):
    text = html(boss.get(page(Order, "change", world.orders()[0].pk)))
    assert "approved" in text
    assert "1000" in text
    assert "moves of this order" in text.lower()


def test_a_signal_says_its_reason_in_the_language_of_the_reader(world, boss):
    [signal] = world.signals()
    url = page(Signal, "change", signal.pk)
    assert signal.reason_zh in html(boss.get(url, headers={"accept-language": "zh-hans"}))
    assert signal.reason_en in html(boss.get(url))


def test_prices_are_written_as_a_person_writes_them(world, boss):
    Signal.objects.update(trigger_price=Decimal("12.5569"), last=Decimal(9))

    page = boss.get(reverse("admin:trading_signal_changelist")).content.decode()

    assert ">12.5569<" in page
    assert ">9.00<" in page
    assert "12.55690000" not in page


@pytest.mark.parametrize(
    ("mode", "language", "badge"),
    [("demo", "zh-hans", "DEMO 演示"), ("demo", "en", "DEMO"), ("live", "zh-hans", "LIVE 实盘")],
)
def test_every_page_says_whose_market_it_shows(account, boss, mode, language, badge):
    Account.objects.update(mode=mode)
    boss.cookies["django_language"] = language

    page = boss.get(reverse("admin:index")).content.decode()

    assert f'<span class="mode mode-{mode}">{badge}</span>' in page


def test_an_instrument_keeps_its_symbol_and_takes_an_st_mark(world, boss):
    url = page(Instrument, "change", "600036.SH")
    kind = {"board": "main", "category": "stock", "settlement": "T+1"}
    boss.post(url, {"symbol": "1", "name": "X", "special_treatment": "on", **kind})
    row = Instrument.objects.get(pk="600036.SH")
    assert (row.name, row.special_treatment) == ("X", True)


def test_a_day_the_calendar_does_not_know_is_added_with_who_said_so(boss):
    boss.post(page(TradingDay, "add"), {"on": "2031-01-02", "is_session": "on"})
    [row] = TradingDay.objects.all()
    assert (row.is_session, row.source) == (True, "by hand: boss")
    assert boss.post(page(TradingDay, "change", row.pk), {"on": "2031-01-02"}).status_code == 403


# -- accounts


def test_an_account_is_opened_with_its_settings_and_keeps_its_number(boss):
    fees = {"commission_rate": "0.00025", "commission_minimum": "5", "fund_commission_minimum": "0",
            "transfer_fee_exchanges": "SH", "freeze_margin": "0.0001"}  # fmt: skip
    new = {"name": "two", "broker_account_id": NUMBER, "mode": "paper"}
    boss.post(page(Account, "add"), {**new, **fees})
    row = Account.objects.get(name="two")
    assert TradingConfig.objects.get(pk=row.pk).auto_trading_enabled is False
    changed = {"enabled": "on", "broker_account_id": "999", "name": "x", **fees}
    changed["commission_rate"] = "0.0002"
    response = boss.post(page(Account, "change", row.pk), changed, follow=True)
    assert NUMBER not in html(response)
    row.refresh_from_db()
    assert (row.name, row.broker_account_id) == ("two", NUMBER)
    assert row.commission_rate == Decimal("0.0002")
    assert list(Event.objects.order_by("pk").values_list("code", "actor")) == [
        ("ACCOUNT_OPENED", "boss"),
        ("ACCOUNT_CHANGED", "boss"),
    ]


@pytest.mark.parametrize(("action", "state"), [("halt", "halted"), ("reduce_only", "reducing")])
def test_a_person_halts_and_resumes_with_a_reason(account, boss, action, state):
    act(boss, Account, action, account, why="storm")
    account.refresh_from_db()
    assert account.trading_state == state
    act(boss, Account, "resume", account, why=" ")
    account.refresh_from_db()
    assert account.trading_state == state
    act(boss, Account, "resume", account, why="over")
    account.refresh_from_db()
    assert account.trading_state == "active"
    last = Event.objects.order_by("pk").last()
    assert (last.code, last.actor, last.text_en) == ("TRADING_ACTIVE", "boss", "over")


def test_reading_an_account_is_not_trading_with_it(account):
    client = person("view_account", "change_account")
    assert 'value="halt"' not in html(client.get(page(Account, "changelist")))
    act(client, Account, "halt", account, why="no")
    account.refresh_from_db()
    assert account.trading_state == "active"


def test_trading_needs_no_right_to_change_rows(account):
    act(person("view_account", "trade_account"), Account, "halt", account, why="yes")
    account.refresh_from_db()
    assert account.trading_state == "halted"


# -- holdings and orders


@pytest.fixture
def holding(account):
    return Position.objects.create(
        account=account, symbol="600036.SH", quantity=100, bought_quantity=100,
        bought_amount=Decimal(1000), base_cost=Decimal(10), high_since_entry=Decimal(13),
        opened_on=NOW.date(), first_take_profit_done=True, trailing_level=Decimal("11.05"),
    )  # fmt: skip


def test_exits_of_one_holding_are_switched_with_an_alarm(holding, boss):
    act(boss, Position, "exits_off", holding, why="by hand today")
    holding.refresh_from_db()
    assert holding.exit_enabled is False
    [event] = Event.objects.all()
    assert (event.code, event.level, event.actor) == ("EXITS_SWITCHED", "alarm", "boss")
    assert "by hand today" in event.text_zh
    act(boss, Position, "exits_off", holding, why="again")
    assert Event.objects.count() == 1
    act(boss, Position, "exits_on", holding, why="back")
    holding.refresh_from_db()
    assert holding.exit_enabled is True


def test_the_first_take_profit_is_given_back(holding, boss):
    act(boss, Position, "rearm", holding, why="partial sale was a mistake")
    holding.refresh_from_db()
    assert (holding.first_take_profit_done, holding.trailing_level) == (False, None)
    assert Event.objects.get().code == "FIRST_TAKE_PROFIT_REARMED"


@pytest.mark.parametrize(
    ("high", "stored"), [("12.5", "12.5"), ("250", "13"), ("0.5", "13"), ("abc", "13"), ("", "13")]
)
def test_a_high_is_corrected_where_it_can_be_believed(holding, boss, high, stored):
    act(boss, Position, "correct_high", holding, why="bad tick", high=high)
    holding.refresh_from_db()
    assert holding.high_since_entry == Decimal(stored)
    assert Event.objects.count() == (stored != "13")


def test_a_reader_corrects_nothing(holding):
    client = person("view_position", "change_position")
    for action in ("exits_off", "rearm", "correct_high"):
        act(client, Position, action, holding, why="x", high="12")
    holding.refresh_from_db()
    assert (holding.exit_enabled, holding.first_take_profit_done) == (True, True)
    assert holding.high_since_entry == 13


def order_of(account, state="submitted") -> Order:
    return Order.objects.create(
        account=account, client_order_id="q1", decision_key="k", trade_date=NOW.date(),
        symbol="600036.SH", side="sell", kind="stop_loss", purpose="exit", quantity=100,
        chain_quantity=100, price=Decimal(9), state=state, approved_at=NOW, expires_at=NOW,
        config_revision=1,
    )  # fmt: skip


@pytest.mark.parametrize(("state", "asked"), [("submitted", True), ("filled", False)])
def test_a_working_order_is_cancelled_by_a_person(account, boss, state, asked):
    order = order_of(account, state)
    act(boss, Order, "cancel", order, why="wrong price")
    order.refresh_from_db()
    assert (order.cancelled_by_person, order.cancel_wanted_at is not None) == (asked, asked)
    assert list(Event.objects.values_list("code", "actor")) == [("CANCEL_ASKED", "boss")] * asked


def test_an_order_that_was_not_sent_yet_counts_as_cancelled_by_a_person(account, boss):
    order = order_of(account, "approved")
    act(boss, Order, "cancel", order, why="wrong price")
    order.refresh_from_db()
    assert (order.cancelled_by_person, order.cancel_wanted_at) == (True, None)


def test_a_reader_cancels_nothing(account):
    order = order_of(account)
    act(person("view_order", "change_order"), Order, "cancel", order, why="x")
    order.refresh_from_db()
    assert order.cancelled_by_person is False


def test_an_action_first_asks_for_the_reason(account, boss):
    data = {"action": "halt", "_selected_action": [account.pk]}
    text = html(boss.post(page(Account, "changelist"), data))
    assert "Reason" in text
    assert NUMBER not in text
    account.refresh_from_db()
    assert account.trading_state == "active"


# -- settings


def form_of(client, account, **changes) -> dict[str, object]:
    """What the browser would send: the values of the page, with these changes; None leaves a field out."""
    form = client.get(page(TradingConfig, "change", account.pk)).context["adminform"].form
    data = {name: form[name].value() for name in form.fields}
    data = {**data, "why": "a test", **changes}
    return {name: value for name, value in data.items() if value not in (None, False)}


def save(client, account, **changes):
    url = page(TradingConfig, "change", account.pk)
    return client.post(url, form_of(client, account, **changes))


def row(account) -> TradingConfig:
    return TradingConfig.objects.get(pk=account.pk)


def test_a_change_is_saved_with_who_and_why(account, boss):
    response = save(boss, account, stop_loss_ratio="-0.05", auto_trading_enabled="on",
                    trailing_tiers="0.1:0.9")  # fmt: skip
    assert response.status_code == 302
    stored = row(account)
    assert (stored.stop_loss_ratio, stored.auto_trading_enabled) == (Decimal("-0.05"), True)
    assert stored.trailing_tiers == [["0.1", "0.9"]]
    assert (stored.revision, stored.changed_why) == (2, "a test")
    assert stored.history.first().history_user.username == "boss"


def test_a_form_sent_without_changes_makes_no_revision(account, boss):
    assert save(boss, account).status_code == 302
    assert row(account).revision == 1


def test_values_out_of_range_are_named_each_and_nothing_is_saved(account, boss):
    response = save(boss, account, stop_loss_ratio="0.05", max_position_value="1",
                    trailing_tiers="up", grid_enabled="on")  # fmt: skip
    assert response.status_code == 200
    errors = response.context["adminform"].form.errors
    assert set(errors) == {"stop_loss_ratio", "max_position_value", "trailing_tiers"}
    assert row(account).revision == 1
    assert row(account).grid_enabled is False


@pytest.mark.parametrize(
    ("language", "words"), [("en", "Somebody else changed"), ("zh-hans", "配置已被他人修改")]
)
def test_who_saw_an_older_revision_is_told_so(account, boss, language, words):
    data = form_of(boss, account, stop_loss_ratio="-0.05")
    config.change(account.pk, {"stop_loss_ratio": "-0.06"}, actor=None, why="faster")
    url = page(TradingConfig, "change", account.pk)
    response = boss.post(url, data, headers={"accept-language": language})
    assert words in html(response)
    assert row(account).stop_loss_ratio == Decimal("-0.06")


@pytest.mark.parametrize("why", [None, "  "])
def test_a_change_without_a_reason_is_refused(account, boss, why):
    response = save(boss, account, stop_loss_ratio="-0.05", why=why)
    assert set(response.context["adminform"].form.errors) == {"why"}
    assert row(account).revision == 1


def test_the_history_tells_each_change_and_leads_back(account, boss):
    save(boss, account, stop_loss_ratio="-0.05", why="tighter")
    text = html(boss.get(page(TradingConfig, "history", account.pk)))
    assert "stop-loss ratio: -0.075 → -0.05" in text
    assert "tighter" in text
    first = row(account).history.last()
    url = page(TradingConfig, "rollback", account.pk, first.history_id)
    assert url in text
    assert boss.post(url, {"why": "", "seen_revision": 2}).status_code == 200
    assert row(account).revision == 2
    assert boss.post(url, {"why": "back", "seen_revision": 1}).status_code == 200
    assert row(account).revision == 2
    assert boss.post(url, {"why": "back", "seen_revision": 2}).status_code == 302
    stored = row(account)
    assert (stored.stop_loss_ratio, stored.revision) == (Decimal("-0.075"), 3)
    assert stored.changed_why == "back"


def test_a_reader_sees_the_settings_and_changes_none(account):
    client = person("view_tradingconfig")
    url = page(TradingConfig, "change", account.pk)
    assert client.get(url).status_code == 200
    assert client.post(url, {"why": "x"}).status_code == 403
    first = row(account).history.last()
    back = page(TradingConfig, "rollback", account.pk, first.history_id)
    assert client.get(page(TradingConfig, "history", account.pk)).status_code == 200
    assert client.post(back, {"why": "x", "seen_revision": 1}).status_code == 403
