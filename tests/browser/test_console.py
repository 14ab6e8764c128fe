"""The console in a real browser: it loads from us alone, refreshes by itself, and says when it is out of date."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from monitoring import views
from monitoring.console.build import build
from monitoring.console.shared import SharedConsole
from tests.browser.chromium import chromium, installed
from tests.world import World
from trading.services.clock import DEMO, set_clock

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(installed() is None, reason="no Chromium is installed here"),
]

HELD = "600036.SH"
PRICE = "document.querySelector('.holdings [id^=price] b').textContent"


@pytest.fixture
def world(transactional_db, calendar, tmp_path, monkeypatch) -> World:
    """A holding at 10.40; its market time is 09:31:30 now."""
    world = World(holdings=[(HELD, 1000, "10.00")])
    world.hold(HELD, "10.40", since="09:30:00", until="09:31:31")
    world.run(until="09:31:30")
    set_clock(DEMO, timezone.now() - timedelta(seconds=100), world.moment("09:29:50"))
    shared = SharedConsole(lambda real: build(real, world.store, tmp_path))
    monkeypatch.setattr(views, "console_now", shared)
    return world


def test_a_person_logs_in_sees_a_holding_and_its_price_change(world, live_server, monkeypatch):
    get_user_model().objects.create_superuser("boss", password="a long password")
    with chromium() as page:
        page.size(1280, 800)
        page.open(live_server.url)
        page.until("location.pathname === '/login/'")
        page.ask(
            "document.querySelector('[name=username]').value = 'boss';"
            "document.querySelector('[name=password]').value = 'a long password';"
            "document.querySelector('form.login').requestSubmit()"
        )
        page.until("location.pathname === '/' && document.querySelector('.holdings')")
        assert HELD in page.ask("document.querySelector('.holdings').textContent")
        assert page.ask(PRICE) == "10.40"

        quote = world.quote("09:31:32", HELD, "10.56")
        world.store.put("xtquant", [quote], 10, quote.time)
        page.until(f"{PRICE} === '10.56'", 10)
        page.until("document.querySelector('.holdings .changed')", 1)
        assert page.ask("document.querySelector('[data-clock=market]').textContent").startswith(
            "2023-02-01 09:3"
        )

        page.size(390, 844)
        assert page.ask("document.documentElement.scrollWidth") == 390

        assert {url for url in page.requests if not url.startswith(live_server.url)} == set()
        assert page.complaints == []

        assert page.ask("document.getElementById('stale').hidden") is True

        def broken(real):
            raise TimeoutError("the database does not answer")

        monkeypatch.setattr(views, "console_now", SharedConsole(broken))
        page.until("!document.getElementById('stale').hidden", 15)
        assert page.ask(PRICE) == "10.56"  # what was known stays, under the red words


def test_a_session_that_ended_leads_to_the_login_and_not_into_the_page(world, live_server):
    user = get_user_model().objects.create_superuser("boss", password="a long password")
    client = Client()
    client.force_login(user)
    with chromium() as page:
        page.cookie(live_server.url, "sessionid", client.cookies["sessionid"].value)
        page.open(live_server.url)
        assert page.ask(PRICE) == "10.40"
        Session.objects.all().delete()
        page.until("location.pathname === '/login/'", 15)
