"""Acting in the console: who may, what is shown first, what happens once, and what is told of everything else."""

from __future__ import annotations

import itertools

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from monitoring.console.actions import ACTIONS, LABELS
from monitoring.console.order_words import CHECK_WORDS
from monitoring.models import Act
from tests.integration.acting_scenes import (
    ANSWERS,
    ETF,
    NO_REASON,
    NUMBER,
    PASSWORD,
    REAL,
    STAR,
    Morning,
    a_morning,
    address,
    asked,
    person,
    prepared,
    trader,
    words,
)
from tests.integration.people import code_of, phone
from tests.ledgers import turn_into
from trading.domain import risk
from trading.models import Account, Event, Instrument, Order, Position, Signal, WatchedSymbol

pytestmark = [pytest.mark.system, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

EVERY = sorted(ACTIONS)
WITH_REASON = sorted(set(EVERY) - set(NO_REASON))

#: What each act changes: the code of its event, and a sentence of its answer.
DONE = {
    "sell": ("MANUAL_SALE", "a sale of 500 shares is asked for (signal"),
    "buy": ("MANUAL_BUY", "a buy of 239 shares is asked for (signal"),
    "cancel": ("CANCEL_ASKED", "is asked for. The gateway sends it within seconds"),
    "cancel-all": ("CANCEL_ALL", "The cancel of 1 orders is asked for"),
    "halt": ("TRADING_HALTED", "is halted now. No order goes out"),
    "reduce": ("TRADING_REDUCING", "is reducing now. Sales and stop-losses go on"),
    "resume": ("TRADING_ACTIVE", "is active now. The rules decide"),
    "exits-on": ("EXITS_SWITCHED", "are on: the next tick"),
    "exits-off": ("EXITS_SWITCHED", "are off: it is not protected"),
    "thresholds": ("OWN_THRESHOLDS", "are set: the next tick"),
    "grid-pause": ("GRID_PAUSED", "No new orders"),
    "grid-resume": ("GRID_RESUMED", "It trades again"),
    "grid-stop": ("GRID_STOPPING", "Working orders are cancelled"),
    "watch": ("WATCH_LIST_CHANGED", "is on the watch list"),
    "unwatch": ("WATCH_LIST_CHANGED", "is off the watch list"),
}


@pytest.fixture
def morning(tmp_path, monkeypatch) -> Morning:
    return a_morning(tmp_path, monkeypatch)


@pytest.fixture
def boss(morning, now) -> Client:
    return trader()


def test_every_act_tells_everything_first_is_done_once_and_says_what_comes_of_it(morning, boss):
    assert set(DONE) == set(EVERY)
    for name in ("watch", "unwatch", "exits-off", "exits-on", "thresholds", "sell", "buy", "grid-pause", "grid-resume",
                 "grid-stop", "cancel-all", "cancel", "reduce", "halt", "resume"):  # fmt: skip
        if name == "cancel":  # asked for already by "cancel all"
            Order.objects.filter(symbol="600000.SH").update(cancel_wanted_at=None)
        morning.grid.refresh_from_db()
        before = Event.objects.count()
        page, data = asked(boss, morning, name)
        told = words(page)
        assert page.status_code == 200, (name, told)
        assert "…3456" in told
        assert "simulated, no real money" in told
        assert NUMBER not in page.content.decode()
        assert Event.objects.count() == before, name  # looking changes nothing
        answer = boss.post(address(morning, name), data, follow=True)
        code, sentence = DONE[name]
        assert sentence in words(answer), (name, words(answer))
        assert "success" not in words(answer).lower()
        event = Event.objects.order_by("pk").last()
        assert (event.code, event.actor) == (code, "p0"), name
        row = Act.objects.get(token=data["token"])
        assert (row.actor, row.action, row.why) == ("p0", name, data.get("why", ""))
        # The same form again: the same answer, nothing more.
        footprint = morning.footprint()
        again = (
            boss.post(address(morning, name), data, follow=True) if name != "unwatch" else answer
        )
        assert words(again) == words(answer), name
        assert morning.footprint() == footprint, name
    assert WatchedSymbol.objects.filter(symbol="600036.SH").exists()


def test_who_may_only_look_is_told_so_and_sees_no_button(morning, now):
    reader, chinese = person("view_account"), person("view_account", language="zh-hans")
    assert "您只能查看，不能操作" in words(chinese.get(address(morning, "halt")))
    before = morning.footprint()
    for name in EVERY:
        url = address(morning, name)
        for response in (reader.get(url), reader.post(url, {**ANSWERS.get(name, {}), "why": "x"})):
            assert response.status_code == 403
            assert "You may look, not act" in words(response)
    assert reader.get(reverse("trade")).status_code == 403
    for page in ("orders", "signals"):
        assert "data-act" not in reader.get(reverse(page)).content.decode()
    holding = reverse("holding", args=(morning.holding.pk,))
    assert "data-act" not in reader.get(holding).content.decode()
    assert morning.footprint() == before


def test_who_may_trade_but_not_look_cannot_act(morning, now):
    response = person("trade_account").get(address(morning, "halt"))
    assert response.status_code == 403


def test_nobody_is_sent_to_the_login_and_a_form_without_its_token_against_forgery_is_refused(
    morning, now
):
    before = morning.footprint()
    nobody, forged = Client(), trader(enforce_csrf_checks=True)
    for name in EVERY:
        url = address(morning, name)
        for response in (nobody.get(url), nobody.post(url, {"why": "x"})):
            assert response.status_code == 302
            assert response["Location"].startswith(reverse("login"))
        _, data = asked(forged, morning, name)
        assert forged.post(url, data).status_code == 403
        assert forged.put(url).status_code in (403, 405)
    assert morning.footprint() == before


def test_a_live_account_asks_for_the_password_and_a_wrong_one_changes_nothing(morning, boss):
    for name in sorted({*EVERY} - {"halt"}):
        prepared(morning, name)
        page, data = asked(boss, morning, name)
        assert 'type="password"' not in page.content.decode(), name
        turn_into("live")
        page, data = asked(boss, morning, name)
        assert 'type="password"' in page.content.decode(), name
        assert "LIVE: real money" in words(page)
        before = morning.footprint()
        tries = {"": "Write your password"}
        if name in ("buy", "cancel", "sell"):  # five wrong ones would lock the login
            tries["not this one"] = "Password or code is not right"
        for wrong, sentence in tries.items():
            response = boss.post(address(morning, name), {**data, "password": wrong})
            assert response.status_code == 422
            assert sentence in words(response), name
            assert wrong == "" or wrong not in response.content.decode()
            assert data.get("why", "") in response.content.decode()  # nothing written is lost
        assert morning.footprint() == before, name
        turn_into("demo")
        Account.objects.update(trading_state="active")
        Position.objects.update(exit_enabled=True)


def test_what_is_done_to_a_shadow_is_said_to_be_recorded_only_and_asks_for_no_password(
    morning, boss
):
    turn_into("shadow")
    page, _ = asked(boss, morning, "halt")
    assert "recorded, never sent" in words(page)
    assert 'type="password"' not in page.content.decode()


def test_a_live_account_acts_with_the_right_password(morning, boss):
    turn_into("live")
    _, data = asked(boss, morning, "reduce")
    answer = boss.post(address(morning, "reduce"), {**data, "password": PASSWORD}, follow=True)
    assert "is reducing now" in words(answer)
    assert morning.account.trading_state == "reducing"
    assert PASSWORD not in "".join(str(row.__dict__) for row in Act.objects.all())


def test_nothing_stands_between_a_person_and_the_brake_of_a_live_account(morning, boss):
    turn_into("live")
    page, data = asked(boss, morning, "halt")
    assert 'type="password"' not in page.content.decode()
    assert "LIVE: real money" in words(page)
    assert "is halted now" in words(boss.post(address(morning, "halt"), data, follow=True))
    assert morning.account.trading_state == "halted"


def test_what_trades_or_lets_trade_on_a_live_account_takes_the_second_factor(morning, boss):
    takes = {"sell", "buy", "resume", "exits-off", "thresholds", "grid-resume"}
    for name in sorted(takes):
        prepared(morning, name)
        turn_into("live")
        _, data = asked(boss, morning, name)
        before = morning.footprint()
        response = boss.post(address(morning, name), {**data, "password": PASSWORD})
        assert response.status_code == 422
        assert "second factor" in words(response), name
        assert morning.footprint() == before, name
        Position.objects.update(exit_enabled=True)
        Account.objects.update(trading_state="active")
    device = phone(get_user_model().objects.get())
    page, data = asked(boss, morning, "sell")
    assert 'name="code"' in page.content.decode()
    proof = {"password": PASSWORD, "code": code_of(device)}
    answer = boss.post(address(morning, "sell"), {**data, **proof}, follow=True)
    assert DONE["sell"][1] in words(answer)


def test_a_trader_may_halt_and_whoever_may_release_lets_go_again(morning, now):
    hand, risk_manager = (
        person("view_account", "trade_account"),
        person("view_account", "release_account"),
    )
    _, data = asked(risk_manager, morning, "halt")
    assert risk_manager.post(address(morning, "halt"), data).status_code == 403
    _, data = asked(hand, morning, "halt")
    hand.post(address(morning, "halt"), data)
    for client, names in ((hand, ()), (risk_manager, ("reduce", "resume"))):
        trade = client.get(reverse("trade")).content.decode()
        offered = [name for name in ("reduce", "resume") if address(morning, name) in trade]
        assert offered == list(names)
        assert (address(morning, "cancel-all") in trade) == (client is hand)
        assert ("?symbol=" in trade) == (client is hand)
    for name in ("reduce", "resume"):
        response = hand.post(address(morning, name), data)
        assert response.status_code == 403
        assert "released by whoever may release it" in words(response)
    assert morning.account.trading_state == "halted"
    _, data = asked(risk_manager, morning, "resume")
    risk_manager.post(address(morning, "resume"), data)
    assert morning.account.trading_state == "active"


def test_an_act_without_a_usable_reason_is_not_done(morning, boss):
    for name, why in itertools.product(WITH_REASON, ("", "   ", "x" * 201)):
        prepared(morning, name)
        _, data = asked(boss, morning, name)
        before = morning.footprint()
        response = boss.post(address(morning, name), {**data, "why": why})
        assert response.status_code == 422, name
        assert "Reason:" in words(response), name
        assert morning.footprint() == before, name
        Account.objects.update(trading_state="active")


BAD_NUMBERS = [
    "0",
    "-100",
    "1e400",
    "NaN",
    "Infinity",
    "a few",
    "",
    "12.345678",
    "9" * 60,
    "100 股",
]


def test_a_number_that_cannot_be_used_is_named_with_what_to_write(morning, boss):
    for name, hows in (("sell", ("shares", "percent")), ("buy", ("shares", "amount"))):
        for how in hows:
            for amount in BAD_NUMBERS:
                refused(morning, boss, name, how=how, amount=amount)


def refused(morning: Morning, boss: Client, name: str, sentence: str = "", **answers: str) -> None:
    """Post these answers as they are: refused, named, nothing changed, nothing lost."""
    _, data = asked(boss, morning, name)
    before = morning.footprint()
    response = boss.post(address(morning, name), {**data, **answers})
    told = words(response)
    assert response.status_code in (409, 422), told
    assert "⚠" in told
    assert sentence in told
    if not sentence and len(answers["amount"]) <= 40:
        assert "write one such as" in told or "write at most" in told, told
    assert "I want to" in response.content.decode()
    assert morning.footprint() == before


MISFITS: list[tuple[str, dict[str, str], str]] = [
    ("sell", {"how": "percent", "amount": "101"}, "write at most 100"),
    ("sell", {"how": "shares", "amount": "150"}, "150 shares cannot be sold"),
    ("sell", {"how": "shares", "amount": "1100"}, "at most 1000"),
    ("sell", {"how": "shares", "amount": "1.5"}, "Shares: 1.5 is not whole"),
    ("sell", {"how": "percent", "amount": "5"}, "below one lot"),
    ("sell", {"how": "all of it", "amount": ""}, "Say how much"),
    ("buy", {"how": "shares", "amount": "199"}, "write 200"),
    ("buy", {"symbol": "600036", "how": "shares", "amount": "150"}, "write 100 or 200"),
    ("buy", {"symbol": "600036", "how": "amount", "amount": "999"}, "write at least that"),
    ("buy", {"how": "amount", "amount": "9999999999"}, "at most"),
    ("buy", {"how": "shares", "amount": "9999999999"}, "write less"),
    ("buy", {"highest": "cheap"}, "Never above: “cheap” is no price"),
    ("grid-stop", {"policy": "burn"}, "burn"),
    ("thresholds", {"stop_loss_ratio": "0"}, "Stop-loss: “0” is no percentage from 1 to 20"),
    ("thresholds", {"stop_loss_ratio": "NaN"}, "write one such as 5, or nothing"),
    ("thresholds", {"first_take_profit_ratio": "1e400"}, "First take-profit: “1e400”"),
    ("thresholds", {"first_take_profit_ratio": "20.5"}, "from 1 to 20"),
    ("watch", {"symbol": "000001.SH"}, "Symbol:"),
    ("watch", {"symbol": ""}, "write one such as 600036"),
    ("watch", {"note": "x" * 101}, "at most 100 characters"),
]


def test_what_cannot_be_done_names_the_remedy_and_changes_nothing(morning, boss):
    for name, answers, sentence in MISFITS:
        _, data = asked(boss, morning, name)
        before = morning.footprint()
        response = boss.post(address(morning, name), {**data, **answers})
        assert response.status_code in (409, 422), (name, answers)
        assert sentence in words(response), words(response)
        assert morning.footprint() == before


def test_what_is_confirmed_is_what_was_shown(morning, boss):
    """Another quantity, or a price that moved more than 1 %, is shown again before anything is asked for."""
    _, data = asked(boss, morning, "sell")
    before = morning.footprint()
    for changed in ({"amount": "30"}, {"shown": "500@9.80"}, {"shown": "500@"}, {"shown": ""}):
        response = boss.post(address(morning, "sell"), {**data, **changed})
        assert response.status_code == 409
        assert "It changed since it was shown" in words(response)
    assert morning.footprint() == before
    near = boss.post(address(morning, "sell"), {**data, "shown": "500@9.95"}, follow=True)
    assert "a sale of 500 shares is asked for" in words(near)


def test_calculating_anew_acts_on_nothing(morning, boss):
    _, data = asked(boss, morning, "sell")
    before = morning.footprint()
    response = boss.post(
        address(morning, "sell"), {**data, "amount": "30", "why": "", "again": "1"}
    )
    assert response.status_code == 200
    assert "Ask to sell 300 shares" in words(response)
    assert "Reason:" not in words(response)
    assert morning.footprint() == before


def test_a_page_that_is_out_of_date_is_answered_in_words(morning, boss):
    forms = {
        name: asked(boss, morning, name)[1]
        for name in ("sell", "cancel", "unwatch", "halt", "exits-off")
    }
    urls = {name: address(morning, name) for name in forms}
    Position.objects.filter(symbol="600036.SH").update(closed_at=REAL)
    Order.objects.filter(symbol="600000.SH").update(state="filled")
    WatchedSymbol.objects.all().delete()
    Account.objects.update(trading_state="halted")
    before = morning.footprint()
    for name, status, sentence in (
        ("sell", 404, "sold already"),
        ("exits-off", 404, "sold already"),
        ("cancel", 409, "The order has ended (filled)"),
        ("unwatch", 404, "not on the watch list"),
        ("halt", 409, "halted already"),
    ):
        response = boss.post(urls[name], forms[name])
        assert (response.status_code, sentence in words(response)) == (status, True), words(
            response
        )
    assert morning.footprint() == before


def test_an_address_that_names_nothing_is_answered_in_words(morning, boss):
    for name in EVERY:
        url = reverse("act", args=(name, 999_999))
        for response in (boss.get(url), boss.post(url, {"why": "x", "token": "a" * 32})):
            assert response.status_code == 404
            assert "Nothing was done" in words(response)
    assert boss.get(reverse("act", args=("explode", 1))).status_code == 404
    assert boss.get(reverse("act-done", args=("a" * 32,))).status_code == 404


def test_a_damaged_form_is_not_done(morning, boss):
    _, data = asked(boss, morning, "halt")
    for token in ("", "short", "<" * 32, "a" * 33):
        response = boss.post(address(morning, "halt"), {**data, "token": token})
        assert response.status_code == 400
    assert morning.account.trading_state == "active"


def test_a_form_of_somebody_else_is_not_answered(morning, boss):
    _, data = asked(boss, morning, "halt")
    boss.post(address(morning, "halt"), data)
    assert trader().post(address(morning, "halt"), data).status_code == 400


def test_an_act_that_died_on_the_way_is_not_repeated(morning, boss, now):
    _, data = asked(boss, morning, "halt")
    Act.objects.create(
        token=data["token"], at=REAL, actor="p0", account=morning.account, action="halt"
    )
    now.shift(60)
    answer = boss.post(address(morning, "halt"), data, follow=True)
    assert "It is not done twice" in words(answer)
    assert morning.account.trading_state == "active"


def test_two_wishes_for_one_symbol_become_one_signal(morning, boss):
    """Two forms, each with a token of its own: the second is told that the first is at work."""
    (_, first), (_, second) = asked(boss, morning, "sell"), asked(boss, morning, "sell")
    boss.post(address(morning, "sell"), first)
    response = boss.post(address(morning, "sell"), second)
    assert response.status_code == 409
    assert "at work already" in words(response)
    assert Signal.objects.filter(kind="manual").count() == 1


def test_a_check_that_fails_now_is_on_the_button(morning, boss):
    Account.objects.update(trading_state="halted")
    page, _ = asked(boss, morning, "buy", symbol=STAR)
    assert "would be denied now" in words(page)
    assert "The main switch is halted" in words(page)
    Account.objects.update(trading_state="active", gateway_status="observing")
    page, _ = asked(boss, morning, "buy", symbol=STAR)
    assert "would wait now" in words(page)


def test_every_act_has_a_name_and_every_check_has_words():
    assert set(LABELS) == set(ACTIONS)
    of_the_tick = {"account_enabled", "settings_valid", "kill_file", "continuous_trading"}
    assert set(CHECK_WORDS) == {check.__name__ for check in risk.CHECKS} | of_the_tick


def test_a_symbol_is_found_by_its_code_or_a_part_of_its_name(morning, boss):
    Instrument.objects.update_or_create(symbol=STAR, defaults={"name": "某某科技"})
    account = morning.account.pk
    for written, symbol in (
        ("6881", STAR),
        ("某科", STAR),
        ("index", ETF),
        ("６００５１９", "600519.SH"),
    ):
        page = boss.get(reverse("trade"), {"q": written, "account": account})
        assert f"{reverse('act', args=('buy', account))}?symbol={symbol}" in page.content.decode()
    nothing = boss.get(reverse("trade"), {"q": "<b>nobody</b>"})
    assert "Nothing fits “<b>nobody</b>”" in words(nothing).replace("“ ", "“").replace(" ”", "”")
    assert "<b>nobody" not in nothing.content.decode()


def test_the_pages_of_records_offer_what_can_be_done(morning, boss):
    orders = boss.get(reverse("orders")).content.decode()
    assert reverse("act", args=("cancel", morning.order.pk)) in orders
    holding = boss.get(reverse("holding", args=(morning.holding.pk,))).content.decode()
    for name in ("sell", "exits-off"):
        assert address(morning, name) in holding
    trade = boss.get(reverse("trade")).content.decode()
    for name in ("halt", "reduce", "cancel-all", "watch", "unwatch", "grid-pause", "grid-stop"):
        assert address(morning, name) in trade
