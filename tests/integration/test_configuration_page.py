"""The page of the settings: what a change would do is shown first, one bad value saves nothing, nothing typed is lost."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from monitoring import configuration_views, views
from monitoring.console.build import build
from monitoring.console.shared import SharedConsole
from tests.integration.people import code_of, phone
from tests.integration.record_scenes import person, words_of
from tests.integration.still_account import BANK, OTHER, REAL, StillAccount
from tests.ledgers import turn_into
from trading.models import Account, Position, TradingConfig
from trading.services import config

pytestmark = [pytest.mark.system, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

VIEW = ("view_account", "view_tradingconfig")
MAY = (*VIEW, "change_tradingconfig")
PAGE = "/configuration/"
PASSWORD = "correct horse battery"


@pytest.fixture
def world(calendar, tmp_path, monkeypatch):
    """10:00: 1,000 shares at cost 10.00 stand at 10.40."""
    with time_machine.travel(REAL, tick=False):
        world = StillAccount()
        monkeypatch.setattr(configuration_views, "quotes_of_thread", lambda: world.store)
        shared = SharedConsole(lambda real: build(real, world.store, tmp_path))
        monkeypatch.setattr(views, "console_now", shared)
        yield world


@pytest.fixture
def boss(world) -> Client:
    return person(*MAY)


def row(world: StillAccount) -> TradingConfig:
    return TradingConfig.objects.get(pk=world.account.pk)


def change(world: StillAccount, why: str = "test", **values: str) -> TradingConfig:
    config.change(world.account.pk, values, actor=None, why=why)
    return row(world)


def post(client: Client, world: StillAccount, seen: int | None = None, **typed: str):
    data = {"account": world.account.pk, "seen_revision": seen or row(world).revision, **typed}
    return client.post(PAGE, data)


def shown(response) -> str:
    assert response.status_code == 200
    return words_of(response.content.decode()).replace("&quot;", '"').replace("&#x27;", "'")


def box(response, name: str) -> str:
    """What stands in the box of a setting."""
    page = response.content.decode()
    found: list[str] = re.findall(rf'name="{name}" value="([^"]*)" autocomplete', page)
    return found[0]


# -- looking


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["Stop-loss ratio", "−0.20 … −0.01", "Default -0.075", "fraction: 0.01 is 1 %", "Review"]),
        ("zh-hans", ["止损比例", "范围 −0.20 … −0.01", "默认 -0.075", "小数：0.01 即 1%", "5 … 3600 秒", "查看变更"]),
    ],
)  # fmt: skip
def test_every_setting_is_shown_with_range_default_effect_and_unit(world, language, words):
    client = person(*MAY, language=language)
    response = client.get(PAGE)
    page = shown(response)
    for said in words:
        assert said in page, said
    for name in config.setting_names():
        assert f'name="{name}"' in response.content.decode(), name


def test_the_overview_leads_to_the_settings_in_one_click(world, boss):
    assert f'href="{PAGE}?account={world.account.pk}"' in boss.get("/").content.decode()


# -- a change


def test_a_change_is_reviewed_with_its_effect_and_then_saved_with_its_reason(world, boss):
    review = post(boss, world, stop_loss_ratio="-0.05")
    page = shown(review)
    assert "-0.075 → -0.05" in page
    assert "9.25 9.50" in page  # the stop of what cost 10.00
    assert row(world).stop_loss_ratio == Decimal("-0.075")  # nothing is saved yet

    answer = post(boss, world, stop_loss_ratio="-0.05", confirmed="yes", why="a calm week")
    assert answer.url == f"{PAGE}?account={world.account.pk}"
    now = row(world)
    assert (now.stop_loss_ratio, now.changed_why) == (Decimal("-0.05"), "a calm week")
    assert "Saved as revision" in shown(boss.get(answer.url))


@pytest.mark.parametrize(
    ("last", "typed", "said"),
    [
        ("10.40", "-0.05", "At the present prices nothing is traded at once"),
        ("9.40", "-0.05", "sells at once stop loss 1,000 shares"),
        ("9.40", "-0.07", "At the present prices nothing is traded at once"),
    ],
)
def test_a_stop_above_the_price_is_told_before_it_sells(world, boss, last, typed, said):
    world.quote(BANK, last)
    page = shown(post(boss, world, stop_loss_ratio=typed))
    assert said in page


def test_switching_protection_off_says_who_loses_it(world, boss):
    for name in ("stop_loss_enabled", "auto_trading_enabled", "sell_enabled"):
        page = shown(post(boss, world, **{name: "off"}))
        assert "takes protection away" in page, name
        assert "lose their stop-loss" in page, name


def test_without_a_price_nobody_is_told_that_nothing_happens(world, boss):
    world.hold(OTHER)
    page = shown(post(boss, world, stop_loss_ratio="-0.05"))
    assert "Not known for 1 holding(s): there is no price." in page
    assert "nothing is traded at once" not in page


def test_what_stands_between_the_change_and_the_sale_is_told(world, boss):
    world.quote(BANK, "9.40")
    table = [({"trading_state": "halted"}, "The account is halted or disabled"),
             ({"trading_state": "active", "total_asset": 97, "previous_total": 100}, "The account would only reduce from now on")]  # fmt: skip
    for fields, said in table:
        Account.objects.update(**fields)
        page = shown(post(boss, world, stop_loss_ratio="-0.05", daily_loss_ratio="0.02"))
        assert said in page, said
        assert "sells at once" in page, said
    with time_machine.travel(REAL + timedelta(hours=2), tick=False):  # lunch
        assert "The market is closed" in shown(post(boss, world, stop_loss_ratio="-0.05"))


def test_a_spoiled_row_lets_only_its_stop_losses_act(world, boss):
    """Put right, the take-profits come back: that is said as the change it is."""
    Position.objects.update(first_take_profit_done=True, trailing_level=Decimal("10.45"), high_since_entry=Decimal("10.9"))  # fmt: skip
    TradingConfig.objects.filter(pk=world.account.pk).update(sell_order_timeout=1)
    page = shown(post(boss, world, sell_order_timeout="30"))
    assert "sells at once trailing take profit 1,000 shares" in page


def test_what_concerns_no_holding_says_so(world, boss):
    assert "No level of any holding changes." in shown(post(boss, world, buy_order_timeout="70"))


def test_a_choice_is_told_in_words(world):
    client = person(*MAY, language="zh-hans")
    assert "对手价 → 最新价" in shown(post(client, world, price_mode="last"))


def test_a_form_that_changes_nothing_saves_nothing(world, boss):
    before = row(world).revision
    page = shown(post(boss, world, stop_loss_ratio="-0.0750", confirmed="yes", why="x"))
    assert "Nothing is different" in page
    assert row(world).revision == before


# -- one bad value


BAD = [
    ("stop_loss_ratio", "99", "“99”"),
    ("stop_loss_ratio", "NaN", "“NaN”"),
    ("stop_loss_ratio", "", "empty"),
    ("stop_loss_ratio", "1e400", "“1e400”"),
    ("stop_loss_ratio", "-0.07500001", "fewer decimals"),
    ("stop_loss_ratio", "<script>alert(1)</script>", "alert(1)"),
    ("stop_loss_enabled", "99", "“99”"),
    ("stop_loss_enabled", "perhaps", "“perhaps”"),
    ("sell_order_timeout", "false", "“false”"),
    ("sell_order_timeout", "3.5", "“3.5”"),
    ("sell_order_timeout", "9" * 5000, "999…"),
    ("buy_amount", "sNaN", "“sNaN”"),
    ("buy_amount", "Infinity", "“Infinity”"),
    ("buy_amount", "35000.00001", "fewer decimals"),
    ("max_position_value", "1e400", "“1e400”"),
    ("orders_per_second", "0", "“0”"),
    ("price_mode", "market", "“market”"),
    ("trailing_tiers", "0.05", "“0.05”"),
    ("trailing_tiers", "0.10:0.9,0.05:0.8", "strictly rise"),
    ("trailing_tiers", "0.05:NaN", "a number from 0.01 to 0.999"),
]


@pytest.mark.parametrize("step", [{}, {"confirmed": "yes", "why": "x"}])
def test_f170_one_bad_value_saves_nothing_and_names_field_value_and_remedy(world, boss, step):
    before = row(world)
    for name, value, said in BAD:
        response = post(boss, world, **{"buy_order_timeout": "77", name: value}, **step)
        page = shown(response)
        assert f"({name}) is" in page, (name, value)
        assert said in page, (name, value)
        assert "nothing was saved. Enter " in page, (name, value)
        assert "<script>alert" not in response.content.decode()
        after = row(world)
        assert (after.revision, after.buy_order_timeout) == (before.revision, 60), (name, value)
        assert box(response, "buy_order_timeout") == "77"  # what was good is not lost either


def test_a_bad_value_stands_in_its_box_and_every_one_is_named(world, boss):
    response = post(
        boss, world, stop_loss_ratio="99", buy_amount="many", stop_loss_enabled="maybe"
    )
    page = shown(response)
    assert box(response, "stop_loss_ratio") == "99"
    assert box(response, "buy_amount") == "many"
    assert '<option value="maybe" selected>' in response.content.decode()
    assert all(f"({name}) is" in page for name in ("stop_loss_ratio", "buy_amount", "stop_loss_enabled"))  # fmt: skip


def test_a_value_that_does_not_go_with_another_is_told(world, boss):
    change(world, add_on_enabled="on")
    page = shown(post(boss, world, stop_loss_ratio="-0.05"))
    assert "(add_on_drop) is “0.07”: nothing was saved. Enter less than 0.05" in page
    assert row(world).stop_loss_ratio == Decimal("-0.075")


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("−0.05", "-0.05"), (" -0.05 ", "-0.05"), ("-5e-2", "-0.05")],
)
def test_a_number_is_read_as_people_write_it(world, boss, typed, kept):
    post(boss, world, stop_loss_ratio=typed, confirmed="yes", why="x")
    assert row(world).stop_loss_ratio == Decimal(kept)


def test_tiers_typed_on_a_chinese_keyboard_are_tiers(world, boss):
    post(boss, world, trailing_tiers="0.05：0.95，0.10：0.9", confirmed="yes", why="x")
    assert row(world).trailing_tiers == [["0.05", "0.95"], ["0.10", "0.9"]]


def test_a_reason_is_required_and_what_was_typed_stays(world, boss):
    before = row(world).revision
    for why, said in (("", "reason is empty"), ("   ", "reason is empty"), ("x" * 201, "201")):
        response = post(boss, world, stop_loss_ratio="-0.05", confirmed="yes", why=why)
        assert said in shown(response)
        assert 'name="stop_loss_ratio" value="-0.05"' in response.content.decode()
    assert row(world).revision == before


@pytest.mark.parametrize("account", ["", "999999", "x", "<b>"])
def test_another_account_is_never_changed_instead(world, boss, account):
    data = {"account": account, "seen_revision": row(world).revision, "stop_loss_ratio": "-0.05",
            "confirmed": "yes", "why": "x"}  # fmt: skip
    assert boss.post(PAGE, data).status_code == 404
    assert boss.get(PAGE, {"account": account}).status_code == 404
    assert row(world).stop_loss_ratio == Decimal("-0.075")


# -- two people at once


def test_f162_a_form_opened_on_an_older_revision_is_refused_and_loses_nothing(world, boss):
    seen = row(world).revision
    change(world, why="the other one", sell_order_timeout="45")
    old = {"stop_loss_ratio": "-0.05", "sell_order_timeout": "30"}  # the whole form, as it was
    for step in ({}, {"confirmed": "yes", "why": "mine"}):
        response = post(boss, world, seen, **old, **step)
        page = shown(response)
        assert "Somebody else changed the settings meanwhile" in page
        assert "the other one" in page
        assert box(response, "stop_loss_ratio") == "-0.05"  # what was typed stays
        assert box(response, "sell_order_timeout") == "45"  # what was not is not taken back
        assert "changed by somebody else, now: 45" in page
        assert row(world).stop_loss_ratio == Decimal("-0.075")
    assert f'name="why" value="{"mine"}"' in response.content.decode()

    post(
        boss, world, stop_loss_ratio="-0.05", sell_order_timeout="45", confirmed="yes", why="mine"
    )
    now = row(world)
    assert (now.stop_loss_ratio, now.sell_order_timeout) == (Decimal("-0.05"), 45)


@pytest.mark.parametrize("seen", ["", "99", "-1", "x", "9" * 30])
def test_a_form_without_a_true_revision_saves_nothing(world, boss, seen):
    data = {"account": world.account.pk, "seen_revision": seen, "stop_loss_ratio": "-0.05",
            "confirmed": "yes", "why": "x"}  # fmt: skip
    assert "Nothing was saved" in shown(boss.post(PAGE, data))
    assert row(world).stop_loss_ratio == Decimal("-0.075")


# -- history


def versions(world: StillAccount) -> dict[int, int]:
    return {one.revision: one.history_id for one in TradingConfig.history.all()}


def test_the_history_says_who_when_why_and_what(world):
    user = get_user_model().objects.create_user("anna")
    config.change(world.account.pk, {"sell_order_timeout": "45"}, actor=user, why="slow broker")
    page = shown(person(*VIEW).get(reverse("configuration-history", args=[world.account.pk])))
    assert "anna" in page
    assert "slow broker" in page
    assert "30 → 45" in page


def test_any_two_revisions_can_be_compared(world, boss):
    first = row(world).revision
    change(world, sell_order_timeout="45")
    change(world, stop_loss_ratio="-0.05")
    last = change(world, sell_order_timeout="50").revision
    address = reverse("configuration-compare", args=[world.account.pk])
    for one, two in ((first, last), (last, first)):
        page = shown(boss.get(address, {"one": one, "two": two}))
        assert "30 → 50" in page
        assert "-0.075 → -0.05" in page
    for query in ({}, {"one": last, "two": last}, {"one": "x", "two": "1e9"}, {"one": last, "two": "9" * 40},
                  {"one": last, "two": last + 1}, {"one": 1, "two": "9" * 12}):  # fmt: skip
        page = shown(boss.get(address, query, follow=True))
        assert f"Compare two different revisions from 1 to {last}." in page, query


def test_a_roll_back_across_two_versions_is_reviewed_and_needs_a_reason(world, boss):
    first = row(world).revision
    change(world, stop_loss_ratio="-0.05")
    change(world, sell_order_timeout="45")
    address = reverse("configuration-back", args=[world.account.pk, versions(world)[first]])
    assert address in boss.get(reverse("configuration-history", args=[world.account.pk])).content.decode()  # fmt: skip
    page = shown(boss.get(address))
    assert "-0.05 → -0.075" in page
    assert "45 → 30" in page
    assert "9.50 9.25" in page
    seen = {"seen_revision": row(world).revision}
    assert "reason is empty" in shown(boss.post(address, {**seen, "why": ""}))
    assert row(world).sell_order_timeout == 45
    boss.post(address, {**seen, "why": "it was better"})
    now = row(world)
    assert (now.stop_loss_ratio, now.sell_order_timeout, now.revision) == (
        Decimal("-0.075"), 30, seen["seen_revision"] + 1)  # fmt: skip
    assert now.changed_why == "it was better"


def test_a_roll_back_somebody_overtook_is_refused_in_words(world, boss):
    first = row(world).revision
    seen = change(world, stop_loss_ratio="-0.05").revision
    change(world, sell_order_timeout="45")
    address = reverse("configuration-back", args=[world.account.pk, versions(world)[first]])
    response = boss.post(address, {"seen_revision": seen, "why": "back"})
    page = shown(response)
    assert "Somebody else changed the settings meanwhile" in page
    assert "45 → 30" in page
    assert 'value="back"' in response.content.decode()
    assert row(world).sell_order_timeout == 45


def test_the_newest_change_is_taken_back_in_three_clicks(world, boss):
    """Overview → settings → roll back → confirm."""
    before = row(world).stop_loss_ratio
    change(world, stop_loss_ratio="-0.05")
    page = boss.get(f"{PAGE}?account={world.account.pk}").content.decode()
    [address] = re.findall(r'id="undo" href="([^"]+)"', page)
    assert "Roll back to revision" in shown(boss.get(address))
    boss.post(address, {"seen_revision": row(world).revision, "why": "undo"})
    assert row(world).stop_loss_ratio == before


def test_a_version_that_is_no_longer_valid_is_refused_in_words(world, boss):
    bad = row(world)
    bad.sell_order_timeout, bad.revision = 1, bad.revision + 1
    bad.save()  # a hand, past the validation
    first = bad.revision
    change(world, sell_order_timeout="45")
    address = reverse("configuration-back", args=[world.account.pk, versions(world)[first]])
    for response in (boss.get(address), boss.post(address, {"seen_revision": row(world).revision, "why": "x"})):  # fmt: skip
        assert "cannot be used any more" in shown(response)
    assert row(world).sell_order_timeout == 45


def test_a_row_a_hand_spoiled_is_told_and_can_be_put_right(world, boss):
    TradingConfig.objects.filter(pk=world.account.pk).update(sell_order_timeout=1)
    page = shown(boss.get(PAGE))
    assert "sell_order_timeout is 1" in page
    assert "(sell_order_timeout) is" in shown(post(boss, world, stop_loss_ratio="-0.05"))
    post(boss, world, sell_order_timeout="30", confirmed="yes", why="put right")
    assert row(world).sell_order_timeout == 30


def test_an_address_that_names_nothing_is_not_found(world, boss):
    pk = world.account.pk
    for number in ("0", "999999", "9" * 30):
        for address in (f"{pk}/back/{number}/", f"{number}/history/", f"{number}/back/1/"):
            assert boss.get(f"{PAGE}{address}").status_code == 404, address
    shown(boss.get(f"{PAGE}{pk}/history/", {"before": "9" * 30}))
    shown(boss.get(f"{PAGE}{pk}/history/", {"before": "9" * 18}))


# -- who may


def test_who_may_look_may_not_change(world):
    reader = person(*VIEW)
    page = reader.get(PAGE).content.decode()
    assert 'id="review"' not in page
    assert '<fieldset class="card" disabled>' in page
    assert (
        post(reader, world, stop_loss_ratio="-0.05", confirmed="yes", why="x").status_code == 403
    )
    back = reverse("configuration-back", args=[world.account.pk, versions(world)[row(world).revision]])  # fmt: skip
    assert reader.get(back).status_code == 403
    assert reader.post(back, {"why": "x"}).status_code == 403
    assert row(world).stop_loss_ratio == Decimal("-0.075")


def test_without_the_permission_nothing_is_seen(world):
    nobody = person("view_account")
    pk = world.account.pk
    for address in (PAGE, f"{PAGE}{pk}/history/", f"{PAGE}{pk}/compare/", f"{PAGE}{pk}/back/1/"):
        assert nobody.get(address).status_code == 403, address
        assert Client().get(address).status_code == 302, address
    assert "to-configuration" not in nobody.get("/").content.decode()


def test_a_change_needs_the_token_against_forged_forms(world):
    user = get_user_model().objects.create_superuser("boss2")
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    assert post(client, world, stop_loss_ratio="-0.05").status_code == 403


def test_real_money_asks_for_the_password_again(world):
    user = get_user_model().objects.create_superuser("boss2", password=PASSWORD)
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    turn_into("live", pk=world.account.pk)
    typed = {"stop_loss_ratio": "-0.05", "confirmed": "yes", "why": "x"}
    assert 'type="password"' in post(client, world, stop_loss_ratio="-0.05").content.decode()
    for password, said in (
        (None, "Write your password"),
        ("wrong", "Password or code is not right"),
    ):
        given = {} if password is None else {"password": password}
        response = post(client, world, **typed, **given)
        assert said in shown(response)
        assert "wrong" not in re.findall(r'type="password"[^>]*', response.content.decode())[0]
    assert row(world).stop_loss_ratio == Decimal("-0.075")
    post(client, world, **typed, password=PASSWORD)
    assert row(world).stop_loss_ratio == Decimal("-0.05")
    # A higher limit takes the second factor as well.
    higher = {"buy_amount": "90000", "confirmed": "yes", "why": "x", "password": PASSWORD}
    assert "second factor" in shown(post(client, world, **higher))
    assert row(world).buy_amount != 90000
    device = phone(user)
    post(client, world, **higher, code=code_of(device))
    assert row(world).buy_amount == 90000


# -- what it costs


def test_the_queries_grow_neither_with_the_holdings_nor_with_the_history(world, boss):
    def cost() -> list[int]:
        counted = []
        for act in (
            lambda: boss.get(PAGE),
            lambda: post(boss, world, stop_loss_ratio="-0.05"),
            lambda: boss.get(reverse("configuration-history", args=[world.account.pk])),
        ):
            with CaptureQueriesContext(connection) as captured:
                assert act().status_code == 200
            counted.append(len(captured))
        return counted

    change(world, sell_order_timeout="31")
    cost()
    few = cost()
    for number in range(40):
        world.hold(f"601{number:03d}.SH")
        change(world, sell_order_timeout=str(32 + number))
    cost()  # what was just changed is validated once
    assert cost() == few
