"""Acting with the keyboard alone, in a real browser: the confirmation opens, is filled in, done once, and told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from monitoring import views
from monitoring.console.boards import Boards, render
from monitoring.console.build import build
from monitoring.console.shared import SharedConsole
from monitoring.models import Act
from tests.browser.chromium import chromium, installed
from tests.browser.server import web_server
from tests.world import World
from trading.models import Account
from trading.services.clock import DEMO, set_clock

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(installed() is None, reason="no Chromium is installed here"),
]

OPEN = "document.getElementById('acting').open"


@pytest.fixture
def page(transactional_db, calendar, tmp_path, monkeypatch):
    """The overview on a phone, as somebody sees it who may trade."""
    world = World(holdings=[("600036.SH", 1000, "10.00")])
    world.hold("600036.SH", "10.40", since="09:30:00", until="09:31:31")
    world.run(until="09:31:30")
    set_clock(DEMO, timezone.now() - timedelta(seconds=100), world.moment("09:29:50"))
    monkeypatch.setattr(
        views, "console_now", SharedConsole(lambda real: build(real, world.store, tmp_path))
    )
    monkeypatch.setattr(views.live, "_boards", Boards(render))
    monkeypatch.setattr(views, "boards", views.live._boards)
    user = get_user_model().objects.create_superuser("boss", password="a long password")
    client = Client()
    client.force_login(user)
    with web_server() as web, chromium() as page:
        page.size(390, 844)
        page.cookie(web.url, "sessionid", client.cookies["sessionid"].value)
        page.open(web.url)
        yield page


def test_an_account_is_halted_from_the_overview_without_a_mouse(page):
    page.ask("document.querySelector('[id^=halt-]').focus(); 1")
    page.key("Enter")
    page.until(OPEN)
    assert page.ask("document.getElementById('act-title').textContent").startswith("Halt trading")
    assert page.ask("document.documentElement.scrollWidth") <= 390
    page.key("Escape")
    page.until(f"!({OPEN})")
    assert Account.objects.get().trading_state == "active"
    page.ask("document.querySelector('[id^=halt-]').focus(); 1")
    page.key("Enter")
    page.until(OPEN)
    page.ask("document.querySelector('#acting [name=why]').focus(); 1")
    page.write("by keyboard")
    page.key("Enter")
    page.until("document.querySelector('#acting .answered') !== null")
    assert "is halted now" in page.ask("document.querySelector('#acting .answered').textContent")
    assert Account.objects.get().trading_state == "halted"
    assert [act.why for act in Act.objects.all()] == ["by keyboard"]
    page.key("Escape")
    page.until("document.querySelector('[id^=resume-]') !== null")  # the overview has heard of it
