"""The console's pages of grids: all of them at a glance, one with its ladder, and a start in two steps."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from grid.models import GridSession
from grid.services import sessions
from grid.services.sessions import Request
from monitoring import grid_views
from monitoring.console.denial_words import MEANINGS
from tests.integration.grid_days import GOLD, grid_world, path, start
from tests.integration.people import code_of, phone
from tests.integration.record_scenes import HOSTILE, person, words_of
from tests.integration.still_account import BANK, NOW, OTHER, REAL, StillAccount
from tests.ledgers import turn_into
from trading.domain import wording
from trading.models import Denial, TradingConfig

pytestmark = [pytest.mark.grid, pytest.mark.system, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]  # fmt: skip

VIEW = ("view_account", "view_gridsession")
MAY = (*VIEW, "trade_account")
PASSWORD = "correct horse battery"


@pytest.fixture
def world(monkeypatch):
    """10:00: 1,000 shares of two symbols at 10.00, grids allowed."""
    with time_machine.travel(REAL, tick=False):
        world = StillAccount((BANK, OTHER), last="10.00")
        monkeypatch.setattr(grid_views, "quotes_of_thread", lambda: world.store)
        yield world


@pytest.fixture
def reader(world) -> Client:
    return person(*VIEW)


@pytest.fixture
def boss(world) -> Client:
    return person(*MAY)


def run(world: StillAccount, symbol: str = BANK, style: str = "centred") -> GridSession:
    """Start a session at centre 10.00."""
    request = Request(world.account.pk, symbol, style=style, values={"max_investment": Decimal(20000)},
                      centre=Decimal(10))  # fmt: skip
    return sessions.start_session(request, None, NOW, actor="tester", why="a calm stock")


def shown(response) -> str:
    assert response.status_code == 200
    return words_of(response.content.decode()).replace("&quot;", '"').replace("&#x27;", "'")


def rungs(response) -> list[tuple[str, str]]:
    """The ladder as (kind, price), from above."""
    page = response.content.decode()
    return re.findall(r'<li class="(\w+)"><span class="at">([\d.]+)<', page)


# -- the list


def test_the_list_says_state_budget_results_and_the_next_levels(world, reader):
    run(world)
    run(world, OTHER, "lot")
    page = shown(reader.get("/grids/"))
    assert "招商银行 600036.SH centred grid" in page
    assert "active, centre 10.00" in page
    assert "9.50 -5.00% 10.50 +5.00% 0 0 sh. 0.00% of 20,000.00" in page
    assert "浦发银行 600000.SH lot grid" in page
    assert "9.80 -2.00%" in page


def test_stopped_sessions_are_shown_when_asked_for(world, reader):
    row = run(world)
    GridSession.objects.filter(pk=row.pk).update(status="stopped", stopped_at=NOW)
    assert "No grid runs." in shown(reader.get("/grids/"))
    assert "招商银行" in shown(reader.get("/grids/?every=on"))


def test_a_session_a_hand_spoiled_is_told_and_the_others_stand(world, reader):
    bad = run(world)
    run(world, OTHER, "lot")
    GridSession.objects.filter(pk=bad.pk).update(interval=Decimal(9))
    page = shown(reader.get("/grids/"))
    assert "Its row cannot be read" in page
    assert "9.80 -2.00%" in page


def test_the_list_asks_again_for_its_part_alone(world, reader):
    run(world)
    page = reader.get("/grids/").content.decode()
    assert 'hx-trigger="every 5s"' in page
    part = reader.get("/grids/", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert "招商银行" in part
    away = Client().get("/grids/", headers={"HX-Request": "true"})
    assert (away.status_code, "HX-Redirect" in away.headers) == (401, True)


def test_the_overview_leads_to_the_grids(world, reader):
    assert 'href="/grids/"' in reader.get("/orders/").content.decode()


# -- one session


def test_the_ladder_of_a_fresh_grid_has_lines_centre_and_price_from_above(world, reader):
    row = run(world)
    response = reader.get(f"/grid/{row.pk}/")
    assert rungs(response)[:4] == [("sell", "10.50"), ("centre", "10.00"), ("last", "10.00"), ("buy", "9.50")]  # fmt: skip
    page = shown(response)
    assert "10.00 lies between the lines" in page
    assert "a calm stock" in page


@pytest.mark.parametrize(
    ("tracker", "extreme", "armed", "said"),
    [
        ("rising", "10.80", ("armed", "10.7471"), "armed to sell"),
        ("falling", "9.20", ("armed", "9.2451"), "armed to buy"),
    ],
)
def test_the_armed_side_shows_what_it_follows_and_where_it_trades(
    world, reader, tracker, extreme, armed, said
):
    row = run(world)
    GridSession.objects.filter(pk=row.pk).update(tracker=tracker, extreme=Decimal(extreme))
    response = reader.get(f"/grid/{row.pk}/")
    assert armed in rungs(response)
    assert ("peak", extreme) in rungs(response)
    assert said in shown(response)
    assert said in shown(reader.get("/grids/"))


def test_lots_rounds_fills_and_decisions_of_a_day_that_ran(calendar, monkeypatch):
    """A fund that settles T+0: bought at 3.92, sold at 4.10, bought again."""
    world = grid_world(holdings=(), symbols=[GOLD])
    path(world, "09:30:00", ["4.000"] * 6, GOLD, tail=5, previous_close="4.000")
    start(world, "09:30:30", "lot", GOLD, centre="4.000", grid_take_profit_ratio="0.02")
    path(world, "09:31:00", ["3.920"], GOLD, previous_close="4.000")
    path(world, "09:35:00", ["4.100"], GOLD, previous_close="4.000")
    path(world, "09:38:00", ["3.900"], GOLD, previous_close="4.000")
    world.run(until="09:39:00")
    row = GridSession.objects.get()
    Denial.objects.create(account=world.account, symbol=GOLD, kind="grid", code="CASH", text_en=HOSTILE,
                          text_zh="x", at=world.moment("09:38:30"))  # fmt: skip
    monkeypatch.setattr(grid_views, "quotes_of_thread", lambda: world.store)
    monkeypatch.setattr(grid_views, "market_now", lambda account: world.moment("09:39:00"))
    response = person(*VIEW).get(f"/grid/{row.pk}/")
    page = shown(response)
    assert HOSTILE not in response.content.decode()
    assert "&lt;script&gt;" in page
    [lot] = row.lots.all()
    assert ("lot", f"{lot.price:.2f}") in rungs(response)
    assert f"lot {lot.number} takes its profit" in page
    sale = next(trade for trade in row.trades.all() if trade.side == "sell")
    brought = f"1,200 {wording.yuan(sale.price)} {sale.fees:,.2f} +{sale.realised:,.2f}"
    assert brought in page  # the round
    assert page.count("filled") >= 3
    assert "The next buy needs" in page
    assert words_of(MEANINGS["CASH"].en) in page  # the denial in words


def test_a_stopped_session_keeps_its_page_and_asks_no_more(world, reader):
    row = run(world)
    GridSession.objects.filter(pk=row.pk).update(
        status="stopped", stopped_at=NOW, status_en="enough"
    )
    response = reader.get(f"/grid/{row.pk}/")
    assert "Stopped. enough" in shown(response)
    assert "every 5s" not in response.content.decode()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/grids/", ["中心网格", "运行中，中心价 10.00", "已用额度", "买入档", "浮动盈亏"]),
        (
            "/grid/{pk}/",
            ["档位图", "未平批次", "最近决策及原因", "现价 10.00 位于两线之间", "参数"],
        ),
        ("/grids/start/", ["启动网格", "风格与模板", "预览", "最大投入（元）"]),
    ],
)
def test_the_pages_speak_chinese(world, address, words):
    row = run(world)
    page = shown(person(*MAY, language="zh-hans").get(address.format(pk=row.pk)))
    for said in words:
        assert said in page, said


# -- starting one


def wanted(world: StillAccount, **more: str) -> dict[str, str]:
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


def test_a_start_is_previewed_and_then_started_as_it_was_shown(world, boss):
    assert "step 1 of 2" in shown(boss.get("/grids/start/"))
    preview = boss.post("/grids/start/", wanted(world, centre="10"))
    page = shown(preview)
    assert "step 2 of 2" in page
    assert "Worst case" in page
    assert not GridSession.objects.exists()
    posted = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', preview.content.decode()))  # fmt: skip
    posted.pop("csrfmiddlewaretoken", None)
    world.quote(BANK, "10.20")  # the price moves meanwhile
    answer = boss.post("/grids/start/", {**posted, "confirmed": "yes"})
    row = GridSession.objects.get()
    assert answer.url == f"/grid/{row.pk}/"
    assert (row.centre, row.base_quantity, row.changed_why) == (10, 1000, "a calm stock")
    assert "The grid on 600036.SH runs." in shown(boss.get(answer.url))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"interval": "0.5"}, "interval is 0.5, expected a number from 0.01 to 0.20"),
        ({"grid_buy_amount": "5000"}, "grid_buy_amount is no parameter of the centred grid"),
        ({"symbol": "hello"}, "is not a symbol"),
        ({"base_quantity": "5000"}, "the base holding is 5000, 1000 are held"),
        ({"why": ""}, "required"),
        ({"max_investment": "NaN"}, "number"),
        ({"interval": "1e400"}, "digits"),
    ],
)
def test_a_wrong_value_starts_nothing_and_what_was_typed_stays(world, boss, changes, complaint):
    for step in ({}, {"confirmed": "yes"}):
        response = boss.post("/grids/start/", wanted(world, **changes, **step))
        assert complaint in shown(response)
        assert "Nothing was started." in shown(response)
        assert f'value="{changes.get("symbol", BANK)}"' in response.content.decode()
    assert not GridSession.objects.exists()


def test_a_way_back_keeps_what_was_typed(world, boss):
    page = boss.post("/grids/start/", wanted(world, interval="0.06", back="yes")).content.decode()
    assert 'value="0.06"' in page


def test_another_like_it_begins_with_its_parameters(world, boss):
    row = run(world)
    GridSession.objects.filter(pk=row.pk).update(interval=Decimal("0.07"))
    page = boss.get(f"/grids/start/?clone={row.pk}").content.decode()
    assert 'value="0.07"' in page
    for number in ("x", "9" * 30, "-1", "<b>"):
        assert boss.get("/grids/start/", {"clone": number}).status_code == 200
    assert boss.get("/grids/start/?clone=999999").status_code == 404


def test_grids_that_are_off_for_the_account_are_told_before_the_start(world, boss):
    TradingConfig.objects.update(grid_enabled=False)
    assert "grid_enabled" in shown(boss.post("/grids/start/", wanted(world)))


def test_real_money_asks_for_the_password_again(world):
    user = get_user_model().objects.create_superuser("boss2", password=PASSWORD)
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    turn_into("live")
    typed = wanted(world, centre="10", confirmed="yes")
    for given, said in (
        ({}, "Write your password"),
        ({"password": "wrong"}, "Password or code is not right"),
        ({"password": PASSWORD}, "second factor"),
    ):
        page = shown(client.post("/grids/start/", {**typed, **given}))
        assert said in page
        assert not GridSession.objects.exists()
    code = code_of(phone(user))
    client.post("/grids/start/", {**typed, "password": PASSWORD, "code": code})
    assert GridSession.objects.count() == 1


# -- who may


def test_who_may_look_may_not_start(world, reader):
    row = run(world)
    assert 'id="start"' not in reader.get("/grids/").content.decode()
    assert "clone" not in reader.get(f"/grid/{row.pk}/").content.decode()
    assert reader.get("/grids/start/").status_code == 403
    assert reader.post("/grids/start/", wanted(world, symbol=OTHER, confirmed="yes")).status_code == 403  # fmt: skip
    assert GridSession.objects.count() == 1


def test_without_the_permission_nothing_is_seen(world):
    row = run(world)
    nobody = person("view_account", "trade_account")
    for address in ("/grids/", f"/grid/{row.pk}/", "/grids/start/"):
        assert nobody.get(address).status_code == 403, address
        assert Client().get(address).status_code == 302, address
    assert "to-grids" not in nobody.get("/orders/").content.decode()


def test_a_start_needs_the_token_against_forged_forms(world):
    client = Client(enforce_csrf_checks=True)
    client.force_login(get_user_model().objects.create_superuser("boss2"))
    assert client.post("/grids/start/", wanted(world, confirmed="yes")).status_code == 403


# -- what it costs


def test_the_queries_do_not_grow_with_the_sessions(world, reader):
    def cost(address: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert reader.get(address).status_code == 200
        return len(captured)

    row = run(world)
    for address in ("/grids/", reverse("grid", args=[row.pk])):
        cost(address)
    few = cost("/grids/")
    one = cost(reverse("grid", args=[row.pk]))
    for number in range(30):
        world.hold(f"601{number:03d}.SH")
        run(world, f"601{number:03d}.SH", "lot" if number % 2 else "centred")
    assert cost("/grids/") == few
    assert cost(reverse("grid", args=[row.pk])) == one
    assert few <= 14
    assert one <= 24


def test_an_address_that_names_nothing_is_not_found(world, boss):
    for number in ("0", "999999", "9" * 30):
        assert boss.get(f"/grid/{number}/").status_code == 404, number
