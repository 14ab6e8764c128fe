"""The configuration of an account: whole or nothing, remembered, and failing closed (design, configuration)."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from tests.audit import unprotected
from tests.integration.days import BANK, change, codes, spoil
from tests.world import World
from trading.errors import ConfigError
from trading.models import Account, TradingConfig
from trading.services import config

pytestmark = [pytest.mark.exits, pytest.mark.django_db]
ONLY_SQLITE = pytest.mark.skipif(
    connection.vendor != "sqlite", reason="only SQLite keeps a text in a column of numbers"
)


@pytest.fixture
def account():
    account = Account.objects.create(name="one", broker_account_id="1")
    TradingConfig.objects.create(account=account)
    return account


def change_of(account, actor=None, revision=None, **values):
    return config.change(account.pk, values, actor=actor, why="a test", revision=revision)


def row(account) -> TradingConfig:
    return TradingConfig.objects.get(pk=account.pk)


def test_f170_a_change_is_whole_or_nothing(account):
    with pytest.raises(ConfigError):
        change_of(account, stop_loss_ratio="-0.05", first_take_profit_ratio="7")
    stored = row(account)
    assert (stored.stop_loss_ratio, stored.revision) == (Decimal("-0.075"), 1)
    assert stored.history.count() == 1


def test_settings_that_contradict_each_other_are_refused(account):
    with pytest.raises(ConfigError, match=r"add_on_drop is 0\.08, expected less than 0\.075"):
        change_of(account, add_on_enabled="on", add_on_drop="0.08")


def test_the_person_who_saw_an_older_revision_has_to_look_again(account):
    change_of(account, revision=1, stop_loss_ratio="-0.05")
    with pytest.raises(ConfigError, match="revision 2 by now, you saw 1"):
        change_of(account, revision=1, stop_loss_ratio="-0.06")
    assert row(account).stop_loss_ratio == Decimal("-0.05")


@pytest.mark.parametrize(("word", "meant"), [
    ("false", False), ("off", False), ("0", False), (" No ", False), (False, False),
    ("true", True), ("ON", True), ("1", True), (True, True),
])  # fmt: skip
def test_f170_a_switch_means_what_the_word_says(account, word, meant):
    change_of(account, take_profit_enabled=word)
    assert row(account).take_profit_enabled is meant


@pytest.mark.parametrize("word", ["", "maybe", "2", None, "falsch"])
def test_f170_an_unclear_switch_is_refused(account, word):
    with pytest.raises(ConfigError, match="take_profit_enabled"):
        change_of(account, take_profit_enabled=word)


def test_an_unknown_setting_is_named_with_those_that_exist(account):
    with pytest.raises(ConfigError, match=r"stop_los_ratio is no setting.*stop_loss_ratio"):
        change_of(account, stop_los_ratio="-0.05")


@pytest.mark.parametrize(("name", "value", "low", "high"), [
    ("stop_loss_ratio", "-0.5", "-0.20", "-0.01"),
    ("stop_loss_ratio", "0.05", "-0.20", "-0.01"),
    ("first_take_profit_pullback", "0.06", "0", "0.05"),
    ("signal_max_age", "0", "10", "600"),
    ("signal_max_age", "100000", "10", "600"),
    ("grid_signal_max_age", "1", "10", "600"),
    ("signal_max_drift", "-0.01", "0.001", "0.1"),
    ("sell_order_timeout", "1", "5", "3600"),
    ("max_buy_orders_per_day", "0", "1", "5000"),
    ("max_total_position_ratio", "1.5", "0.01", "1"),
    ("buy_amount", "10", "1000", "10000000"),
])  # fmt: skip
def test_f170_a_value_out_of_its_range_is_named_with_field_value_and_range(
    account, name, value, low, high
):
    with pytest.raises(ConfigError) as problem:
        change_of(account, **{name: value})
    for part in (f"{name} is", value, low, high):
        assert part in str(problem.value)
    assert row(account).revision == 1


@pytest.mark.parametrize(("name", "value"), [
    ("stop_loss_ratio", "NaN"), ("stop_loss_ratio", "five"), ("stop_loss_ratio", "-0.0500001"),
    ("stop_loss_ratio", ""), ("sell_order_timeout", "12.5"), ("trailing_tiers", "0.05"),
    ("trailing_tiers", "0.10:0.93,0.05:0.96"), ("trailing_tiers", "0.05:1"), ("price_mode", "market"),
    ("max_position_value", "1e30"), ("sell_order_timeout", None),
])  # fmt: skip
def test_f170_what_is_no_value_of_the_setting_is_a_configuration_error(account, name, value):
    with pytest.raises(ConfigError, match=name):
        change_of(account, **{name: value})
    assert row(account).revision == 1


def test_f170_the_history_tells_who_changed_what_and_why(account, django_user_model):
    assert django_user_model is get_user_model()
    person = get_user_model().objects.create(username="li")
    change_of(account, actor=person, stop_loss_ratio="-0.05")
    newest, first = row(account).history.order_by("-history_id")
    assert (newest.history_user, newest.history_change_reason) == (person, "a test")
    delta = newest.diff_against(first)
    changed = {c.field: (c.old, c.new) for c in delta.changes}
    assert changed["stop_loss_ratio"] == (Decimal("-0.075"), Decimal("-0.05"))
    assert "take_profit_enabled" not in changed


@pytest.mark.parametrize(
    "key",
    ["stop_loss_ratio = 0, revision", "id", "account_id", "revision", "pk; DROP TABLE x", "save"],
)
def test_f154_a_key_that_is_no_setting_reaches_neither_row_nor_database(account, key):
    changes = {"stop_loss_ratio": "-0.05", key: "9"}
    with pytest.raises(ConfigError, match="is no setting"):
        config.change(account.pk, changes, actor=None, why="a test")
    stored = row(account)
    assert (stored.stop_loss_ratio, stored.revision) == (Decimal("-0.075"), 1)


@pytest.mark.parametrize(
    ("name", "value", "zh"),
    [
        ("stop_los_ratio", "-0.05", "没有名为 stop_los_ratio 的配置项"),
        ("buy_enabled", "maybe", "应为 on（开）或 off（关）"),
        ("trailing_tiers", "high", "这样的数对"),
        ("buy_amount", "much", "buy_amount 为 'much'：'much' 不是数字"),
        ("stop_loss_ratio", "5", "stop_loss_ratio 为 5，应为"),
    ],
)
def test_what_cannot_be_read_is_refused_in_both_languages(account, name, value, zh):
    with pytest.raises(ConfigError) as refused:
        config.change(account.pk, {name: value}, actor=None, why="a test")
    text = config.explain(refused.value)
    assert zh in text.zh
    assert text.en == str(refused.value)
    assert not re.search("[一-鿿]", text.en)


def test_a_change_without_a_reason_is_refused(account):
    with pytest.raises(ConfigError, match="reason"):
        config.change(account.pk, {"stop_loss_ratio": "-0.05"}, actor=None, why="  ")


# -- an invalid row in the day


def broken_day(last: str, **columns) -> World:
    world = World(holdings=[(BANK, 1000, "10.00")])
    spoil(world, "09:30:20", **columns)
    world.hold(BANK, "10.00", since="09:30:00", until="09:30:30")
    world.hold(BANK, "10.80", since="09:30:30", until="09:31:00")
    world.hold(BANK, last, since="09:31:00", until="09:32:00")
    return world


BROKEN = [
    {"stop_loss_ratio": Decimal("0.3")},
    {"first_take_profit_ratio": Decimal("0.9")},
    {"trailing_tiers": "rubbish"},
    {"trailing_tiers": [["0.1", "0.9"], ["0.05", "0.96"]]},
    {"price_mode": "market"},
    {"signal_max_age": 0},
]


@pytest.mark.usefixtures("calendar")
@pytest.mark.parametrize("columns", BROKEN)
def test_an_invalid_row_leaves_the_stop_loss_of_the_last_valid_revision(columns):
    world = broken_day("9.20", **columns)
    world.run(until="09:31:30")
    [order] = world.orders()
    assert (order.kind, order.state, order.config_revision) == ("stop_loss", "filled", 1)
    assert codes(world.events(level="alarm")) == ["CONFIG_INVALID"]


@pytest.mark.usefixtures("calendar")
def test_an_invalid_row_denies_every_other_decision_and_is_told_once():
    world = broken_day("10.74", stop_loss_ratio=Decimal("0.3"))
    world.run(until="09:31:50")
    [signal] = world.signals()
    assert (signal.kind, signal.state) == ("first_take_profit", "denied")
    assert signal.denial_code == "CONFIG_INVALID"
    alarms = [event for event in world.events(level="alarm") if event.code == "CONFIG_INVALID"]
    assert len([event for event in alarms if not event.symbol]) == 1
    assert "stop_loss_ratio is 0.3" in alarms[0].text_en


@pytest.mark.usefixtures("calendar")
def test_an_invalid_row_is_told_without_any_signal_and_again_after_it_was_mended():
    world = World(holdings=[(BANK, 1000, "10.00")])
    world.hold(BANK, "10.00", since="09:30:00", until="09:34:00")
    spoil(world, "09:30:20", stop_loss_ratio=Decimal("0.3"))
    change(world, "09:31:20", stop_loss_ratio="-0.06")
    spoil(world, "09:32:20", stop_loss_ratio=Decimal("0.3"))
    world.run(until="09:33:30")
    assert codes(world.events(level="alarm")) == ["CONFIG_INVALID", "CONFIG_INVALID"]


@pytest.mark.usefixtures("calendar")
def test_a_row_that_was_never_valid_decides_nothing_and_says_so_once():
    world = World(holdings=[(BANK, 1000, "10.00")])
    rows = TradingConfig.objects.filter(pk=world.account.pk)
    rows.update(stop_loss_ratio=Decimal("0.3"))
    with unprotected():
        TradingConfig.history.update(stop_loss_ratio=Decimal("0.3"))
    world.hold(BANK, "9.20", since="09:30:00", until="09:32:00")
    world.run(until="09:31:30")
    assert world.orders() == []
    assert codes(world.events(level="alarm")) == ["CONFIG_INVALID"]


@pytest.mark.usefixtures("calendar")
@pytest.mark.parametrize(
    "unreadable",
    [
        pytest.param("stop_loss_ratio = 'abc'", marks=ONLY_SQLITE),
        "price_mode = 'abc'",
        "trailing_tiers = '[1]'",
        "stop_loss_ratio = 9223372036854775807",
    ],
)
def test_what_a_hand_wrote_unreadably_into_the_database_counts_as_invalid(unreadable):
    world = World(holdings=[(BANK, 1000, "10.00")])
    world.hold(BANK, "9.20", since="09:30:00", until="09:31:00")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE trading_tradingconfig SET " + unreadable)
    world.run(until="09:30:30")
    assert [order.kind for order in world.orders()] == ["stop_loss"]
    assert codes(world.events(level="alarm")) == ["CONFIG_INVALID"]
