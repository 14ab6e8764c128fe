"""Grid trading in the admin: preview before a start, actions with a reason, pages that say why; in both languages."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from grid.domain.state import SessionStatus
from grid.models import GridSession, GridTemplate
from grid.services import sessions
from grid.services.sessions import Request
from tests.integration.grid_days import grid_world, path, start
from tests.world import World
from trading.models import TradingConfig

pytestmark = [pytest.mark.grid, pytest.mark.system, pytest.mark.django_db]

LANGUAGES = ("zh-hans", "en")
BANK = "600036.SH"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def world(calendar):
    """An account that holds 1,000 shares at 10.00, grids allowed, at 09:35."""
    world = World(holdings=[(BANK, 1000, "10.00")], settings={"grid_enabled": "on"})
    world.hold(BANK, "10.00", since="09:30:00", until="09:35:00")
    world.run(until="09:34:00")
    return world


@pytest.fixture
def boss():
    return client_of(get_user_model().objects.create_superuser("boss", password="x"))


@pytest.fixture(autouse=True)
def market(monkeypatch, request):
    """The pages ask the clock of the world and its quotes, not those of this machine."""
    if "world" not in request.fixturenames:
        return
    made = request.getfixturevalue("world")
    now = made.moment("09:34:00")
    for module in ("grid.admin.sessions",):
        monkeypatch.setattr(f"{module}.market_now", lambda account: now)
        monkeypatch.setattr(f"{module}.quotes_of_thread", lambda: made.store)


def client_of(user, language="en") -> Client:
    client = Client(headers={"accept-language": language})
    client.force_login(user)
    return client


def person(*permissions: str) -> Client:
    user = get_user_model().objects.create_user("reader", password="x", is_staff=True)
    rows = Permission.objects.filter(codename__in=permissions)
    assert len(rows) == len(permissions)
    user.user_permissions.add(*rows)
    return client_of(user)


def page(name, *arguments, model="gridsession") -> str:
    return str(reverse(f"admin:grid_{model}_{name}", args=arguments))


def html(response) -> str:
    return str(response.content.decode())


def wanted(world, **more: str) -> dict[str, str]:
    return {
        "account": str(world.account.pk),
        "symbol": BANK,
        "plan": "moderate",
        "max_investment": "20000",
        "exits_may_sell_base": "on",
        "stop_policy": "keep",
        "why": "a calm stock",
        **more,
    }


def started(world, **more) -> GridSession:
    request = Request(
        account_id=world.account.pk,
        symbol=BANK,
        template="moderate",
        values={"max_investment": Decimal(20000)},
        **more,
    )
    now = world.moment("09:34:00")
    [quote] = world.store.latest([BANK]).values()
    return sessions.start_session(request, quote, now, actor="boss", why="a calm stock")


def act(client, action, row, **answers):
    data = {"action": action, "_selected_action": [row.pk], "confirmed": "yes", **answers}
    return client.post(page("changelist"), data, follow=True)


# -- starting


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("Worst case", "Break-even after fees", "Rehearsal on the past", "is not known")),
        ("zh-hans", ("最坏情况", "保本价", "历史演练", "无法估计轮数")),
    ],
)
def test_a_preview_shows_lines_costs_and_worst_case_and_starts_nothing(
    world, boss, language, words
):
    shown = html(boss.post(page("add"), wanted(world), headers={"accept-language": language}))

    assert all(word in shown for word in words)
    assert "10.50" in shown  # the upper line of centre 10, 5 %
    assert "9.50" in shown
    assert not GridSession.objects.exists()


def test_what_was_previewed_is_started_even_when_the_price_moved_meanwhile(world, boss):
    shown = html(boss.post(page("add"), wanted(world)))
    assert 'name="centre" value="10"' in shown

    answer = boss.post(page("add"), wanted(world, centre="10", confirmed="yes"))

    row = GridSession.objects.get()
    assert answer.url == page("change", row.pk)
    assert (row.centre, row.status, row.base_quantity) == (10, SessionStatus.ACTIVE, 1000)
    assert row.max_investment == 20000
    assert row.changed_why == "a calm stock"
    assert "boss" in row.history.get().history_change_reason


def test_a_way_back_from_the_preview_keeps_what_was_typed(world, boss):
    shown = html(boss.post(page("add"), wanted(world, interval="0.06", back="yes")))
    assert 'value="0.06"' in shown
    assert not GridSession.objects.exists()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"interval": "0.5"}, "interval is 0.5, expected a number from 0.01 to 0.20"),
        ({"callback": "0.06"}, "callback is 0.06, expected less than interval"),
        ({"grid_buy_amount": "5000"}, "grid_buy_amount is no parameter of the centred grid"),
        ({"symbol": "hello"}, "is not a symbol"),
        ({"base_quantity": "5000"}, "the base holding is 5000, 1000 are held"),
        ({"fixed_quantity": "150", "trade_mode": "shares"}, "fixed_quantity is 150"),
        ({"why": ""}, "required"),
        ({"max_investment": "NaN"}, "number"),
    ],
)
def test_a_wrong_value_is_refused_at_its_field_and_nothing_starts(world, boss, changes, complaint):
    for confirmed in ({}, {"confirmed": "yes"}):
        shown = html(boss.post(page("add"), wanted(world, **changes, **confirmed)))
        assert complaint in shown.replace("&#x27;", "'")
    assert not GridSession.objects.exists()


def test_a_second_session_on_the_same_symbol_is_refused_in_words(world, boss):
    started(world)
    shown = html(boss.post(page("add"), wanted(world, confirmed="yes")))
    assert "has a grid session that is not stopped" in shown
    assert GridSession.objects.count() == 1


def test_the_preview_warns_while_grids_are_off_for_the_account(world, boss):
    TradingConfig.objects.filter(pk=world.account.pk).update(grid_enabled=False)
    assert "grid_enabled" in html(boss.post(page("add"), wanted(world)))


# -- permissions


def test_who_may_not_trade_reads_and_starts_or_changes_nothing(world):
    row = started(world)
    reader = person("view_gridsession")

    assert reader.get(page("changelist")).status_code == 200
    shown = html(reader.get(page("change", row.pk)))
    assert 'value="Stop"' not in shown
    assert reader.get(page("add")).status_code == 403
    assert reader.post(page("add"), wanted(world, confirmed="yes")).status_code == 403
    assert reader.post(page("edit", row.pk), {}).status_code == 403
    act(reader, "pause", row, why="no right to")
    row.refresh_from_db()
    assert row.status == SessionStatus.ACTIVE


def test_a_session_is_never_changed_or_deleted_by_form(world, boss):
    row = started(world)
    assert boss.post(page("change", row.pk), {"centre": "1"}).status_code == 403
    assert boss.post(page("delete", row.pk), {"post": "yes"}).status_code == 403
    assert boss.get(page("change", 999)).status_code == 404
    assert boss.get(page("change", "x")).status_code == 404


# -- steering


def test_pause_resume_and_stop_ask_for_a_reason_and_say_what_came_of_it(world, boss):
    row = started(world)
    asked = html(boss.post(page("changelist"), {"action": "pause", "_selected_action": [row.pk]}))
    assert "Reason" in asked
    row.refresh_from_db()
    assert row.status == SessionStatus.ACTIVE

    assert "done" in html(act(boss, "pause", row, why="news tonight"))
    row.refresh_from_db()
    assert (row.status, row.status_en) == (SessionStatus.PAUSED, "news tonight")
    assert "nothing changed" in html(act(boss, "pause", row, why="again"))

    act(boss, "resume", row, why="calm again")
    row.refresh_from_db()
    assert row.status == SessionStatus.ACTIVE

    act(boss, "stop", row, why="enough", policy="sell_lots")
    row.refresh_from_db()
    assert (row.status, row.stop_policy) == (SessionStatus.STOPPING, "sell_lots")
    assert "stopping" in html(act(boss, "resume", row, why="too late"))


def test_an_edit_is_whole_or_nothing_and_its_history_shows_the_difference(world, boss):
    row = started(world)
    form = boss.get(page("edit", row.pk)).context["form"]
    answers = {name: form[name].value() for name in form.fields}
    answers |= {"interval": "0.06", "why": "wider lines"}

    assert boss.post(page("edit", row.pk), {**answers, "callback": "0.5"}).status_code == 200
    row.refresh_from_db()
    assert row.interval == Decimal("0.05")

    boss.post(page("edit", row.pk), answers)
    row.refresh_from_db()
    assert (row.interval, row.revision, row.centre) == (Decimal("0.06"), 2, 10)
    shown = html(boss.get(page("history", row.pk)))
    assert "0.05 → 0.06" in shown
    assert "wider lines" in shown


def test_an_edit_of_what_somebody_else_changed_meanwhile_is_refused(world, boss):
    row = started(world)
    form = boss.get(page("edit", row.pk)).context["form"]
    answers = {name: form[name].value() for name in form.fields}
    sessions.edit(
        row.pk, {"interval": Decimal("0.08")}, revision=1, why="faster",
        now=world.moment("09:34:00"), actor="other",
    )  # fmt: skip

    shown = html(boss.post(page("edit", row.pk), {**answers, "interval": "0.06", "why": "late"}))

    assert "revision 2 by now, you saw 1" in shown
    row.refresh_from_db()
    assert row.interval == Decimal("0.08")


def test_a_clone_begins_with_the_parameters_of_its_model_and_goes_through_the_preview(world, boss):
    row = started(world)
    form = boss.get(page("add"), {"clone": row.pk}).context["form"]
    assert form["plan"].value() == "own:centred"
    assert form["interval"].value() == "0.05"
    assert form["symbol"].value() is None


# -- the page of a session


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("What it waits for", "lies between the lines", "Budget left", "Open lots")),
        ("zh-hans", ("当前状态说明", "位于两线之间", "剩余额度", "未平批次")),
    ],
)
def test_the_page_says_what_a_session_waits_for(world, boss, language, words):
    row = started(world)
    shown = html(boss.get(page("change", row.pk), headers={"accept-language": language}))
    assert all(word in shown for word in words)
    assert "10.50" in shown
    assert "9.50" in shown


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"grid_enabled": False}, "Grid trading is off"),
        ({"auto_trading_enabled": False}, "Automatic trading is off"),
    ],
)
def test_the_page_names_what_keeps_every_session_from_trading(world, boss, change, says):
    row = started(world)
    TradingConfig.objects.filter(pk=world.account.pk).update(**change)
    assert says in html(boss.get(page("change", row.pk)))


def test_the_page_says_when_there_is_no_quote_or_no_trading(world, boss, monkeypatch):
    row = started(world)
    night = world.moment("09:34:00") + timedelta(hours=12)
    monkeypatch.setattr("grid.admin.sessions.market_now", lambda account: night)
    shown = html(boss.get(page("change", row.pk)))
    assert "It is not continuous trading now" in shown
    assert "no longer fresh" in shown


def test_a_row_that_a_hand_spoiled_is_shown_with_its_trouble_and_no_500(world, boss):
    row = started(world)
    GridSession.objects.filter(pk=row.pk).update(interval=Decimal("0.9"))
    assert "cannot be read" in html(boss.get(page("change", row.pk)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_words_are_escaped_on_every_page(world, boss, language):
    row = started(world)
    headers = {"accept-language": language}
    act(boss, "pause", row, why=HOSTILE)
    urls = (
        page("changelist"),
        page("change", row.pk),
        page("history", row.pk),
        page("edit", row.pk),
        page("add"),
    )
    for url in urls:
        shown = html(boss.get(url, headers=headers))
        assert HOSTILE not in shown, url
    shown = html(boss.post(page("add"), wanted(world, why=HOSTILE, symbol=HOSTILE[:16]), headers=headers))  # fmt: skip
    assert "<script>a" not in shown


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("takes its profit", "were bought today", "Fees paid", "reached 9.80, 2% below the last level: buy 500")),
        ("zh-hans", ("止盈", "为今日买入", "已付费用", "较上一档下跌 2%：买入 500 股")),
    ],
)  # fmt: skip
def test_the_page_of_a_session_that_traded_shows_lots_fills_profit_and_why(
    calendar, boss, monkeypatch, language, words
):
    world = grid_world()
    path(world, "09:30:00", ["10.00"] * 12)
    start(world, "09:30:30", "lot", grid_take_profit_ratio="0.03")
    path(world, "09:31:00", ["9.80"])
    world.run(until="09:31:40")
    monkeypatch.setattr("grid.admin.sessions.market_now", lambda account: world.moment("09:31:40"))
    monkeypatch.setattr("grid.admin.sessions.quotes_of_thread", lambda: world.store)
    row = GridSession.objects.get()

    shown = html(boss.get(page("change", row.pk), headers={"accept-language": language}))

    missing = [word for word in words if word not in shown]
    assert missing == []
    (order,) = world.orders(purpose="grid")
    assert order.client_order_id in shown
    assert "9.81" in shown  # the price of the fill
    assert "10.1043" in shown  # 9.81 × 1.03
    # 500 × (9.80 − 9.81) − 5.05 of fees
    assert "-10.05" in shown
    assert world.account.broker_account_id not in shown


# -- templates


@pytest.mark.parametrize("language", LANGUAGES)
def test_built_in_templates_are_shown_beside_those_of_users(boss, language, db):
    shown = html(
        boss.get(page("changelist", model="gridtemplate"), headers={"accept-language": language})
    )
    words = {"en": ("conservative", "read-only"), "zh-hans": ("稳健", "只读")}[language]
    assert all(word in shown for word in words)


def test_a_template_is_made_changed_and_deleted_within_the_ranges_of_the_rules(boss, db):
    add = page("add", model="gridtemplate")
    wrong = html(boss.post(add, {"name": "mine", "style": "centred", "interval": "0.5"}))
    assert "interval is 0.5, expected a number from 0.01 to 0.20" in wrong
    assert not GridTemplate.objects.exists()

    boss.post(add, {"name": "mine", "style": "centred", "interval": "0.04"})
    row = GridTemplate.objects.get()
    assert row.values == {"interval": "0.04"}

    change = page("change", row.pk, model="gridtemplate")
    assert "expected less than" in html(
        boss.post(change, {"interval": "0.04", "callback": "0.05"})
    )
    boss.post(change, {"interval": "0.03"})
    row.refresh_from_db()
    assert row.values == {"interval": "0.03"}

    boss.post(page("delete", row.pk, model="gridtemplate"), {"post": "yes"})
    assert not GridTemplate.objects.exists()


def test_a_template_of_ones_own_is_offered_for_a_start_and_a_built_in_name_is_taken(world, boss):
    add = page("add", model="gridtemplate")
    boss.post(add, {"name": "mine", "style": "lot", "grid_price_drop": "0.01"})
    assert "exists" in html(boss.post(add, {"name": "moderate", "style": "lot"}))

    boss.post(page("add"), wanted(world, plan="mine", confirmed="yes"))
    row = GridSession.objects.get()
    assert (row.style, row.grid_price_drop) == ("lot", Decimal("0.01"))


def test_templates_need_the_right_to_trade(db):
    reader = person("view_gridtemplate")
    assert reader.get(page("changelist", model="gridtemplate")).status_code == 200
    answer = reader.post(page("add", model="gridtemplate"), {"name": "mine", "style": "lot"})
    assert answer.status_code == 403
