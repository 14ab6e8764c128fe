"""Whoever is limited to one account finds nothing of another one at any address, and acts on nothing of it.

The addresses come from the URL configuration (tests/integration/addresses.py) and are asked with the keys of every row of
the other account: a page that is added is asked like the others.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from django.apps import apps
from django.contrib import admin
from django.utils import timezone

from grid.models import GridSession
from grid.services import sessions
from monitoring import views
from monitoring.alerts.sources import SOURCES
from monitoring.console.actions import ACTIONS
from monitoring.console.boards import Boards, Reader, render
from monitoring.console.build import build
from monitoring.console.shared import SharedConsole
from monitoring.console.values import ProcessView
from monitoring.models import Act, Alert, DayReport, Finding, LogLine
from monitoring.security.roles import Role
from monitoring.services.api_tokens import Scope, create
from tests.integration.addresses import Address, addresses
from tests.integration.api_scenes import fresh_server
from tests.integration.people import browser, everything, somebody
from tests.world import World
from trading.admin.reach import WithinReach
from trading.domain.stock_pool import Entry
from trading.domain.types import Symbol, Text
from trading.models import (
    Account,
    AccountAccess,
    AccountLimit,
    DayBooks,
    Event,
    Instrument,
    Order,
    Position,
    TradingConfig,
    UnknownOutcome,
    WatchedSymbol,
)
from trading.services import shared_quotes, watch_list
from trading.services.clock import DEMO, set_clock
from trading.services.reach import EVERYTHING, NOTHING, Reach, path_of, reach_of

pytestmark = [pytest.mark.system, pytest.mark.django_db]

MINE, HIDDEN = "600036.SH", ("688777.SH", "300555.SZ")
NAME, NUMBER = "secluded", "8800997731"
#: What would tell of the other account.
TELLING = (NAME, NUMBER[-4:], *HIDDEN, *(one[:6] for one in HIDDEN))
#: Pages whose address or form holds what was asked for: they tell nothing that the question did not say.
_KEY = re.compile(r"<(?:(\w+):)?(\w+)>")
#: Pages of Django's and others' apps, which are not about accounts, and why a limited person may have them.
NOT_OF_ACCOUNTS = {"ApiToken": "one's own, whose reach is that of its user"}


@pytest.fixture
def world(calendar, monkeypatch, tmp_path):
    """The other account: a sale, an order at work, a grid, a watch list, and rows in every other table."""
    fresh_server(monkeypatch)
    world = World(
        holdings=[(one, 1000, "10.00") for one in HIDDEN], settings={"grid_enabled": "on"}
    )
    world.hold(HIDDEN[0], "10.00", since="09:30:00", until="09:32:00")
    world.hold(HIDDEN[1], "10.00", since="09:30:00", until="09:31:00")
    world.hold(HIDDEN[1], "9.20", since="09:31:00", until="09:32:00", bids=[], volume=2_000_000)
    world.run(until="09:31:50")
    now, at = world.moment("09:31:50"), timezone.now()
    set_clock(DEMO, at, now)
    theirs = world.account
    Account.objects.update(name=NAME, broker_account_id=NUMBER)
    request = sessions.Request(
        account_id=theirs.pk,
        symbol=Symbol(HIDDEN[0]),
        style="lot",
        values={"max_investment": Decimal(30000)},
    )
    quote_now = world.store.latest([Symbol(HIDDEN[0])])[Symbol(HIDDEN[0])]
    sessions.start_session(request, quote_now, now, actor="a test", why="a test")
    watch_list.watch(
        theirs.pk, [Entry(Symbol(HIDDEN[1]), f"a note on {HIDDEN[1]}")], now, "a test"
    )
    order = Order.objects.filter(symbol=HIDDEN[1]).latest("pk")
    UnknownOutcome.objects.create(order=order, since=now, why_en=NAME, why_zh=NAME)
    sums = dict.fromkeys(("bought", "sold", "commission", "stamp_duty", "transfer_fee"), 0)
    DayReport.objects.create(account=theirs, on=world.on, made_at=at, orders=2, fills=0, **sums)
    DayBooks.objects.get_or_create(account=theirs, on=world.on, defaults={"state": "differs"})
    said = {"text_en": f"of {NAME} {HIDDEN[0]}", "text_zh": f"{NAME} {HIDDEN[0]}"}
    Finding.objects.create(account=theirs, code="X", level="alarm", since=at, seen_at=at, **said)
    common = {"code": "ORDER_STUCK", "severity": 30, "category": "trade", "key": "x", **said}
    common |= {"source": "event", "source_pk": 1}
    moments = {"first_at": now, "last_at": now, "made_at": at}
    Alert.objects.create(account=theirs, symbol=HIDDEN[0], **common, **moments)
    Alert.objects.create(
        account=None, **{**common, "key": "of the house", "source_pk": 2}, **moments
    )
    Act.objects.create(
        token="t" * 32, at=at, actor="x", account=theirs, action="sell", subject=HIDDEN[0]
    )
    LogLine.objects.create(at=at, level="warning", process=f"gateway-{NAME}", text=f"{HIDDEN[0]}")
    row = {"board": "main", "category": "stock", "settlement": "T+1"}
    for symbol in (*HIDDEN, MINE):
        Instrument.objects.update_or_create(symbol=symbol, defaults=row)

    def look(real):
        found = build(real, world.store, tmp_path)
        names = ("web", f"gateway-{NAME}", "gateway-mine")
        rows = tuple(ProcessView(one, "backing off", at, 3, Text("", "")) for one in names)
        return type(found)(found.taken_at, found.accounts, rows, found.quotes_problem)

    monkeypatch.setattr(views, "console_now", SharedConsole(look))
    monkeypatch.setattr(shared_quotes._of_thread, "reader", world.store, raising=False)
    return world


@pytest.fixture
def mine(world) -> Account:
    """The account the person is limited to: one holding, settings, an event."""
    theirs = Account.objects.get(name=NAME)
    row = Account.objects.create(name="mine", broker_account_id="8800111155", mode=theirs.mode)
    TradingConfig.objects.create(account=row)
    values = {
        "opened_on": world.on,
        "quantity": 200,
        "bought_quantity": 200,
        "bought_amount": 2000,
    }
    Position.objects.create(account=row, symbol=MINE, **values)
    return row


def limited(account: Account, *, may_trade: bool = True) -> Any:
    """Somebody who has every role, on this account alone."""
    user = somebody(f"limited-{may_trade}", *Role)
    limit = AccountLimit.objects.create(user=user)
    AccountAccess.objects.create(limit=limit, account=account, may_trade=may_trade)
    return user


def keys_of(world: World) -> set[str]:
    """Keys that rows of the other account have, with their symbols, the day and the token of an act."""
    rows = (Position, Order, GridSession, UnknownOutcome, WatchedSymbol)
    numbers = {
        str(pk) for model in rows for pk in model._base_manager.values_list("pk", flat=True)[:2]
    }
    return numbers | {str(world.account.pk), "t" * 32, str(world.on), HIDDEN[0]}


def urls_of(address: Address, keys: set[str]) -> list[str]:
    """The address with every key that fits."""
    if not _KEY.search(address.route):
        return ["/" + address.route]
    numbers = {key for key in keys if key.isdecimal()}
    if address.name == "act":
        return [f"/act/{name}/{key}/" for name in ACTIONS for key in numbers]
    if "<day:" in address.route:
        return [re.sub("<[^>]+>", key, "/" + address.route) for key in keys if key.count("-") == 2]
    if address.page is not None:
        rows = address.page.model._base_manager.order_by("pk")
        keys = {str(pk) for pk in rows.values_list("pk", flat=True)[:2]} or {"1"}
    elif "<int:" in address.route:
        keys = numbers
    return [address.with_key(quote(key)) for key in sorted(keys)]


def told(body: str, url: str) -> list[str]:
    """What a page says of the other account; what its own address said does not count."""
    plain = body.replace(url, "").replace(quote(url, safe=""), "")
    for key in TELLING:
        if key in url:  # asked for by name: it may say the name back
            plain = plain.replace(key, "")
    return [word for word in TELLING if word in plain]


def of_others(world: World) -> dict[str, Any]:
    """Every row of the other account, and every one that all share; what a person leaves of their own does not count."""
    rows = everything()
    own = ("admin.LogEntry", "otp_totp.TOTPDevice", "monitoring.ApiToken", "monitoring.ApiCall")
    found = {name: rows[name] for name in rows if name not in own}
    for model in apps.get_models(include_auto_created=True):
        path, name = path_of(model), model._meta.label
        if name in found and path is not None:
            theirs = model._base_manager.filter(**{path: world.account.pk}).order_by("pk")
            found[name] = list(theirs.values_list())
    return found


def test_every_address_is_silent_about_the_other_account(world, mine):
    user = limited(mine)
    person, keys = browser(user), keys_of(world)
    person.raise_request_exception = False
    asked = 0
    for address in addresses():
        if address.name in ("logout", "admin:logout"):
            continue
        for url in urls_of(address, keys):
            person.cookies.pop("messages", None)  # Django says the key back that it was asked for
            response = person.get(url)
            assert response.status_code < 500, url
            body = "" if response.streaming else response.content.decode()
            assert not told(body + response.headers.get("Location", ""), url), url
            asked += 1
    assert asked > 250


def test_somebody_without_a_limit_is_told_of_it_on_many_of_them(world, mine):
    """The test above could not fail if the pages said nothing at all."""
    boss = browser(somebody("boss", *Role))
    boss.raise_request_exception = True
    keys, loud = keys_of(world), set()
    for address in addresses():
        if address.name in ("act", "logout", "admin:logout"):
            continue
        for url in urls_of(address, keys):
            response = boss.get(url)
            if not response.streaming and told(response.content.decode(), url):
                loud.add(address.name)
    wanted = {"console", "console-board", "orders", "signals", "holding", "trade", "act-done", "configuration",
              "configuration-history", "grids", "grid", "results", "reports", "report", "alerts", "ready",
              "metrics", "grid-start", "admin:trading_account_changelist", "admin:monitoring_logline_changelist"}  # fmt: skip
    assert sorted(wanted - loud) == []
    assert sum(name.endswith("_changelist") for name in loud) > 15


@pytest.mark.parametrize("may_trade", [True, False])
def test_no_form_reaches_the_other_account_and_none_at_all_where_one_may_only_look(
    world, mine, may_trade
):
    user = limited(mine, may_trade=may_trade)
    person, keys = browser(user), keys_of(world)
    person.raise_request_exception = False
    before = of_others(world)
    answers = {"confirmed": "yes", "why": "x", "how": "all", "token": "a" * 32, "quantity": "100", "shown": "",
               "account": str(world.account.pk), "symbol": HIDDEN[0], "alert": "1", "post": "yes"}  # fmt: skip
    for address in addresses():
        own = ("logout", "admin:logout", "login", "admin:login", "set_language", "me", "confirm")
        if address.name in own or "password" in address.name:
            continue
        for url in urls_of(address, keys):
            assert address.post(person, url, answers).status_code < 500, url
    assert of_others(world) == before


@pytest.mark.parametrize("may_trade", [True, False])
def test_no_action_of_the_admin_reaches_it(world, mine, may_trade):
    user = limited(mine, may_trade=may_trade)
    person, tried = browser(user), 0
    before = of_others(world)
    for address in addresses():
        page = address.page
        if page is None or not address.name.endswith("_changelist"):
            continue
        for _, name, _ in page._get_base_actions():
            path = path_of(page.model)
            rows = page.model._base_manager.all()
            if path is not None and may_trade:
                rows = rows.exclude(**{path: mine.pk})
            keys = [str(pk) for pk in rows.values_list("pk", flat=True)[:20]]
            data = {"action": name, "_selected_action": keys, "index": "0", "confirmed": "yes",
                    "post": "yes", "why": "x", "how": "all", "number": "1", "high": "99"}  # fmt: skip
            person.post("/" + address.route, data)
            tried += 1
    assert of_others(world) == before
    assert tried > 20


@pytest.mark.parametrize("may_trade", [True, False])
def test_a_token_reaches_no_further_than_its_user(world, mine, may_trade):
    user = limited(mine, may_trade=may_trade)
    secret = create(user, "a program", tuple(Scope), timezone.timedelta(days=1), timezone.now())[1]
    bearer = {"authorization": f"Bearer {secret}"}
    person = browser()
    before = of_others(world)
    for address in addresses():
        if not address.route.startswith("api/"):
            continue
        for url in urls_of(address, {*keys_of(world), str(mine.pk)}):
            body = person.get(url, headers=bearer).content.decode()
            assert not told(body, url), url
            person.post(url, json.dumps({"why": "x"}), "application/json",
                        headers={**bearer, "idempotency-key": quote(url)[-60:]})  # fmt: skip
    assert of_others(world) == before
    halted = Event.objects.filter(account=mine, code="TRADING_HALTED")
    assert halted.exists() == may_trade


def test_the_own_account_is_looked_at_and_acted_on(world, mine):
    person = browser(limited(mine))
    page = person.get("/").content.decode()
    assert "mine" in page
    assert MINE in page
    assert f"/act/halt/{mine.pk}/" in page
    form = person.get(f"/act/halt/{mine.pk}/").content.decode()
    token = re.search(r'name="token" value="(\w+)"', form)[1]
    shown = re.search(r'name="shown" value="([^"]*)"', form)[1]
    done = person.post(f"/act/halt/{mine.pk}/", {"token": token, "shown": shown, "why": "a test"})
    assert done.status_code == 302
    assert Account.objects.get(pk=mine.pk).trading_state == "halted"


def test_who_may_only_look_is_offered_no_act_and_is_told_why(world, mine):
    person = browser(limited(mine, may_trade=False))
    assert "/act/" not in person.get("/").content.decode()
    assert f"/act/halt/{mine.pk}/" not in person.get("/trade/").content.decode()
    refused = person.get(f"/act/halt/{mine.pk}/")
    assert refused.status_code == 403
    assert "look at this account" in refused.content.decode()


def test_every_page_of_the_admin_knows_of_reaches():
    for page in admin.site._registry.values():
        if page.model.__name__ in NOT_OF_ACCOUNTS:
            continue
        assert isinstance(page, WithinReach), page


def test_a_limit_is_given_by_whoever_looks_after_users_and_by_nobody_who_is_limited(world, mine):
    boss, trader = browser(somebody("boss", Role.ADMIN)), browser(somebody("trader", Role.TRADER))
    somebody("visitor", Role.VIEWER)
    visitor = limited(mine)
    pages = ("/admin/trading/accountlimit/", "/admin/trading/accountlimit/add/")
    assert [boss.get(one).status_code for one in pages] == [200, 200]
    assert [trader.get(one).status_code for one in pages] == [403, 403]
    assert [browser(visitor).get(one).status_code for one in pages] == [403, 403]
    assert browser(visitor).get(f"/admin/auth/user/{visitor.pk}/change/").status_code in (302, 403)


def test_a_limit_that_is_given_is_in_the_chained_log_and_an_alert_says_to_whom(world, mine):
    boss, visitor = browser(somebody("boss", Role.ADMIN)), somebody("visitor", Role.VIEWER)
    rows = {"accounts-TOTAL_FORMS": "1", "accounts-INITIAL_FORMS": "0",
            "accounts-0-account": str(mine.pk), "accounts-0-may_trade": "on"}  # fmt: skip
    boss.post("/admin/trading/accountlimit/add/", {"user": str(visitor.pk), **rows})
    assert reach_of(visitor) == Reach(frozenset({mine.pk}), frozenset({mine.pk}))
    source = next(one for one in SOURCES if one.name == "access")
    causes = [source.cause(row) for row in source.rows()]
    [cause] = [one for one in causes if one is not None]
    assert cause.code == "ACCESS_CHANGED"
    assert "visitor: mine (trade)" in cause.text.en


def test_no_limit_is_everything_an_empty_one_nothing_and_none_holds_for_a_superuser(world, mine):
    free, bound = somebody("free", Role.VIEWER), somebody("bound", Role.VIEWER)
    root = somebody("root", superuser=True)
    for user in (bound, root):
        AccountLimit.objects.create(user=user)
    assert [reach_of(one) for one in (free, bound, root, None)] == [EVERYTHING, NOTHING, EVERYTHING, NOTHING]  # fmt: skip
    assert NOTHING.rows(Position.objects.all()).count() == 0
    assert NOTHING.rows(Event.objects.all()).count() == 0


def test_two_readers_of_one_reach_share_a_board_and_nothing_is_read_again_for_them(
    world, mine, django_assert_num_queries
):
    boards = Boards(render)
    now = views.console_now.at(timezone.now())
    bound = Reader("en", False, frozenset(), Reach(frozenset({mine.pk})))
    with django_assert_num_queries(0):
        mine_of_it, whole = boards.of(now, bound), boards.of(now, Reader("en", False, frozenset()))
        assert (
            boards.of(now, Reader("en", False, frozenset(), Reach(frozenset({mine.pk}))))
            is mine_of_it
        )
    assert not [word for word in TELLING if word in mine_of_it.html]
    assert [word for word in TELLING if word in whole.html]
    assert "gateway-mine" in mine_of_it.html


def test_news_of_the_other_account_are_no_news(world, mine):
    now = views.console_now.at(timezone.now())
    bound = Reach(frozenset({mine.pk}))
    changed = now.accounts[0]
    other = type(now)(now.taken_at, (type(changed)(**{**_fields(changed), "trading_state": "halted"}), *now.accounts[1:]), now.processes, False)  # fmt: skip
    assert now.digest != other.digest
    assert now.within(bound).digest == other.within(bound).digest


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}
