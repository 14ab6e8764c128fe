"""Every address, as it answers strangers, people who may only look, forged forms and foreign names.

The addresses come from the URL configuration (tests/integration/addresses.py): nobody has to remember to add one here.
What is open to all, or to whoever is logged in, is a line of a table, with its reason.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client, RequestFactory
from django.utils import timezone

from monitoring.models import Finding
from monitoring.security.roles import Role
from tests.integration.addresses import addresses, first
from tests.integration.api_scenes import fresh_server
from tests.integration.people import everything
from tests.world import World
from trading.models import Instrument

pytestmark = [pytest.mark.system, pytest.mark.django_db]

#: Open to everybody, and why.
PUBLIC = {
    "admin:django.views.generic.base.RedirectView": "sends on to the page itself, which asks",
    "login": "where one logs in",
    "logout": "ends a session; there may be none",
    "admin:logout": "ends a session; there may be none",
    "admin:login": "where one logs in",
    "set_language": "a stranger reads the log-in in Chinese or English too",
    "console-stream": "says nothing (204): the stream itself is asked by its own tests, beside Django's pages",
    "alive": "says whether the web server lives, nothing else",
}
#: What anybody who is logged in changes is their own, and nobody else's.
OWN = {
    "logout": "the own session",
    "set_language": "the own language",
    "admin:logout": "the own session",
    "admin:login": "sends on whoever is logged in",
    "admin:django.views.generic.base.RedirectView": "sends on to the page itself, which asks",
    "login": "sends on whoever is logged in",
    "admin:password_change": "the own password, with the old one",
    "admin:password_change_done": "only says so",
    "second-factor": "the own second factor, with the password",
    "confirm": "the own session is confirmed, with the password",
    "me": "the own settings",
}
#: Pages of Django's admin that read whatever the method is.
READS = ("_changelist", "_history", "index", "app_list", "jsi18n", "view_on_site", "autocomplete")
REFUSED = {400, 401, 403, 404, 405}


@pytest.fixture
def world(calendar, monkeypatch):
    """A day with a sale: rows in most tables."""
    fresh_server(monkeypatch)  # every address is asked within seconds
    world = World(holdings=[("600036.SH", 1000, "10.00"), ("000001.SZ", 500, "12.00")])
    world.hold("600036.SH", "10.00", since="09:30:00", until="09:31:00")
    world.hold("600036.SH", "9.20", since="09:31:00", until="09:32:00")
    world.run(until="09:32:00")
    row = {"board": "main", "category": "stock", "settlement": "T+1"}
    Instrument.objects.get_or_create(symbol="600036.SH", defaults=row)
    now = timezone.now()
    Finding.objects.create(account=world.account, code="X", level="info", text_en="x", text_zh="x",
                           since=now, seen_at=now)  # fmt: skip
    return world


@pytest.fixture
def boss():
    return logged_in(get_user_model().objects.create_superuser("boss", password="x"))


def logged_in(user: Any, **more: Any) -> Client:
    client = Client(headers={"accept-language": "en"}, raise_request_exception=False, **more)
    client.force_login(user)
    return client


def somebody(*roles: Role) -> Any:
    user = get_user_model().objects.create_user(f"p{len(roles)}", password="x", is_staff=True)
    user.groups.set(Group.objects.filter(name__in=roles))
    return user


def test_the_search_finds_pages_of_every_kind():
    found = {address.name for address in addresses()}
    assert {"console", "orders", "holding", "login", "set_language", "admin:index"} <= found
    assert {"admin:trading_account_changelist", "admin:trading_tradingconfig_change"} <= found
    assert len(found) > 100


def test_f167_a_stranger_gets_nothing_but_the_login(world, boss):
    for address in addresses():
        if address.name in PUBLIC:
            continue
        url = address.url(boss)
        stranger = Client(headers={"accept-language": "en"})
        for response in (
            stranger.get(url),
            address.post(stranger, url, {}),
            stranger.delete(url),
        ):
            assert refuses(response), (url, response.status_code)
            assert "default-src" in response.headers["Content-Security-Policy"], url


def refuses(response: Any) -> bool:
    if response.status_code in (301, 302):
        return "/login/?next=" in response.url
    return response.status_code in {401, 403, 405}


def test_whoever_may_only_look_changes_nothing_wherever_they_post(world, boss):
    viewer = logged_in(somebody(Role.VIEWER))
    before = everything()
    for address in addresses():
        if address.name in OWN or address.name == "admin:jsi18n":
            continue
        url = address.url(boss)
        response = address.post(viewer, url, {"why": "x", "post": "yes", "confirmed": "yes"})
        fine = response.status_code in REFUSED or address.name.endswith(READS)
        assert fine or refuses(response), (url, response.status_code)
        assert everything() == before, url


def test_nor_does_an_action_of_the_admin(world, boss):
    user = somebody(Role.VIEWER)
    viewer, request = logged_in(user), RequestFactory().get("/")
    request.user = user
    before, tried = everything(), 0
    for address in addresses():
        if not address.name.endswith("_changelist") or address.page is None:
            continue
        row = first(address.page.model)
        for name in actions_of(address.page):
            assert name not in address.page.get_actions(request), (address.route, name)
            data = {"action": name, "_selected_action": [getattr(row, "pk", 1)], "index": "0"}
            viewer.post(
                "/" + address.route, {**data, "confirmed": "yes", "why": "x", "how": "all"}
            )
            assert everything() == before, (address.route, name)
            tried += 1
    assert tried > 15


def test_every_action_of_the_admin_names_the_permission_it_needs():
    pages: list[Any] = list(admin.site._registry.values())
    for page in pages:
        for function, name, _ in page._get_base_actions():
            assert getattr(function, "allowed_permissions", None), (page, name)


def actions_of(page: Any) -> list[str]:
    return [name for _, name, _ in page._get_base_actions()]


def test_a_form_of_another_site_is_refused_everywhere(world):
    everybody = get_user_model().objects.create_superuser("boss", password="x")
    client = logged_in(everybody, enforce_csrf_checks=True)
    for address in addresses():
        url = address.url(client)
        # What takes no form at all says that (405) first.
        taken = address.post(client, url, {}).status_code
        assert taken == 403 or (taken == 405 and client.options(url)["Allow"].find("POST") < 0), (
            url
        )


def test_a_name_that_is_not_ours_is_refused_everywhere(world, boss):
    for address in addresses():
        url = address.url(boss)
        response = boss.get(url, headers={"host": "evil.example"})
        assert response.status_code == 400, url


@pytest.mark.parametrize("key", ["000001.SZ", "²", "9" * 30, "..", "a'b\"<i>", "-1"])
def test_an_address_that_names_nothing_is_answered_without_a_failure(world, boss, key):
    for address in addresses():
        url = address.with_key(quote(key))
        for response in (boss.get(url), address.post(boss, url, {})):
            assert response.status_code < 500, (url, response.status_code)


def test_the_look_at_everything_sees_a_change(world):
    before = everything()
    Instrument.objects.filter(symbol="600036.SH").update(name="another")
    assert everything() != before
