"""The live console in a real browser: it listens, survives a cut line, and says when what it shows is old."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from monitoring import views
from monitoring.console.boards import Boards, render
from monitoring.console.build import build
from monitoring.console.shared import SharedConsole
from tests.browser.chromium import chromium, installed
from tests.browser.server import web_server
from tests.world import World
from trading.services.clock import DEMO, set_clock

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(installed() is None, reason="no Chromium is installed here"),
]

HELD = "600036.SH"
PRICE = "document.querySelector('[id^=price] b').textContent"
IS_STALE = "!document.getElementById('stale').hidden"


@pytest.fixture
def world(transactional_db, calendar, tmp_path, monkeypatch) -> World:
    """A holding at 10.40; its market time is 09:31:30 now."""
    world = World(holdings=[(HELD, 1000, "10.00")])
    world.hold(HELD, "10.40", since="09:30:00", until="09:31:31")
    world.run(until="09:31:30")
    set_clock(DEMO, timezone.now() - timedelta(seconds=100), world.moment("09:29:50"))
    monkeypatch.setattr(
        views, "console_now", SharedConsole(lambda real: build(real, world.store, tmp_path))
    )
    monkeypatch.setattr(views.live, "_boards", Boards(render))
    monkeypatch.setattr(views, "boards", views.live._boards)
    return world


@pytest.fixture
def web(world):
    with web_server() as web:
        yield web


@pytest.fixture
def page(web):
    """The console, as its owner sees it."""
    user = get_user_model().objects.create_superuser("boss", password="a long password")
    client = Client()
    client.force_login(user)
    with chromium() as page:
        page.size(1280, 800)
        page.cookie(web.url, "sessionid", client.cookies["sessionid"].value)
        page.open(web.url)
        assert page.ask(PRICE) == "10.40"
        yield page


def quote(world: World, at: str, price: str) -> None:
    made = world.quote(at, HELD, price)
    world.store.put("xtquant", [made], 10, made.time)


def asked(page, what: str) -> int:
    page.ask("1")  # whatever the browser did until now is noted
    return sum(f"/{what}/" in url for url in page.requests)


def test_the_page_hears_of_a_price_without_asking_and_survives_a_cut_line(page, web, world):
    page.ask("document.querySelector('.holdings').dataset.stays = 'yes'; 1")
    quote(world, "09:31:32", "10.56")
    page.until(f"{PRICE} === '10.56'", 5)
    assert page.ask("document.querySelector('[id^=price].changed') !== null")
    assert page.ask("document.querySelector('.holdings').dataset.stays") == "yes"  # cells alone
    assert (asked(page, "stream"), asked(page, "board")) == (1, 0)
    assert page.complaints == []

    web.stop()
    page.until(IS_STALE, 12)
    assert page.ask(PRICE) == "10.56"  # what was known stays, under the red words
    quote(world, "09:31:33", "10.61")
    web.start()
    page.until(f"{PRICE} === '10.61'", 10)
    page.until(f"!({IS_STALE})", 5)
    assert asked(page, "stream") >= 2
    polls = asked(page, "board")
    quote(world, "09:31:34", "10.65")
    page.until(f"{PRICE} === '10.65'", 5)
    assert asked(page, "board") <= polls + 1  # it listens again


def test_a_page_whose_server_looks_at_nothing_new_says_so_in_red(page, world, monkeypatch):
    def broken(real):
        raise TimeoutError("the database does not answer")

    monkeypatch.setattr(views, "console_now", SharedConsole(broken))
    page.until(IS_STALE, 15)
    colour = page.ask("getComputedStyle(document.getElementById('stale')).backgroundColor")
    assert colour == "rgb(196, 0, 15)"


def test_the_end_of_the_session_leads_to_the_login(page):
    Session.objects.all().delete()
    page.until("location.pathname === '/login/'", 10)


def test_f164_a_part_that_does_not_fit_asks_for_the_whole_and_freezes_nothing(page, world):
    page.ask("document.querySelector('[id^=price]').remove(); 1")
    quote(world, "09:31:32", "10.56")
    page.until(f"document.querySelector('[id^=price] b') && {PRICE} === '10.56'", 8)
    quote(world, "09:31:33", "10.61")
    page.until(f"{PRICE} === '10.61'", 5)


def test_a_tab_nobody_looks_at_holds_no_line(page):
    hide = (
        "Object.defineProperty(document, 'hidden', {configurable: true, get: () => HIDDEN});"
        "document.dispatchEvent(new Event('visibilitychange')); 1"
    )

    def becomes(viewers: int) -> None:
        for _ in range(50):
            if views.live.viewers == viewers:
                return
            threading.Event().wait(0.1)
        assert views.live.viewers == viewers

    becomes(1)
    page.ask(hide.replace("HIDDEN", "true"))
    becomes(0)
    page.ask(hide.replace("HIDDEN", "false"))
    becomes(1)
