"""A walk from the overview through the records in a real browser, on a desk and on a phone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from monitoring import record_views, views
from monitoring.console.build import build
from monitoring.console.shared import SharedConsole
from tests.browser.chromium import Page, chromium, installed
from tests.world import World
from trading.models import Position, Signal
from trading.services.clock import DEMO, set_clock

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(installed() is None, reason="no Chromium is installed here"),
]

SOLD, HELD = "600000.SH", "600036.SH"
AS_OF = "document.querySelector('#records time').textContent"
LEFT = "document.querySelector('[data-left]').textContent"


@pytest.fixture
def world(transactional_db, calendar, tmp_path, monkeypatch) -> World:
    """09:32:20: a stop-loss found no buyer and works again; one signal was denied; another holding stands."""
    world = World(holdings=[(HELD, 1000, "10.00"), (SOLD, 1000, "10.00")])
    world.hold(HELD, "10.40", since="09:30:00", until="09:32:21")
    world.hold(SOLD, "10.00", since="09:30:00", until="09:31:00")
    world.hold(SOLD, "9.20", since="09:31:00", until="09:32:21", bids=[], volume=2_000_000)
    world.run(until="09:32:20")
    first = Signal.objects.get()
    first.pk, first.kind, first.side, first.state = None, "add_on", "buy", "denied"
    first.denial_code, first.outcome_en, first.outcome_zh = (
        "CASH",
        "35,000 needed",
        "需要 35,000 元",
    )
    first.save()
    set_clock(DEMO, timezone.now() - timedelta(seconds=150), world.moment("09:29:50"))
    shared = SharedConsole(lambda real: build(real, world.store, tmp_path))
    monkeypatch.setattr(views, "console_now", shared)
    return world


def click(page: Page, selector: str, then: str) -> None:
    page.ask(f"document.querySelector({selector!r}).click()")
    page.until(f"document.readyState === 'complete' && location.pathname === {then!r}")


def test_a_walk_from_the_overview_to_the_reason_of_a_denial_the_holding_and_its_orders(
    world, live_server, monkeypatch
):
    user = get_user_model().objects.create_superuser("boss", password="a long password")
    client = Client()
    client.force_login(user)
    denied = Signal.objects.get(state="denied").pk
    holding = f"/holding/{Position.objects.get(symbol=HELD).pk}/"
    with chromium() as page:
        page.cookie(live_server.url, "sessionid", client.cookies["sessionid"].value)
        page.cookie(live_server.url, "django_language", "zh-hans")
        page.size(1280, 800)
        page.open(live_server.url)
        click(page, f"#s-{denied}", "/signals/")
        why = page.ask("document.querySelector(':target').textContent")
        assert "可用资金不足以支付买入金额及费用。" in why
        assert "需要 35,000 元" in why

        click(page, "#to-console", "/")
        click(page, f'.holdings a[href="{holding}"]', holding)
        assert "受保护：止损价 9.25" in page.ask("document.querySelector('.answer').textContent")
        assert "止损价" in page.ask("document.querySelector('.levels .next').textContent")

        click(page, "#to-orders", "/orders/")
        before = page.ask(LEFT)
        page.until(f"{LEFT} !== {before!r}", 5)
        page.ask("document.querySelector('[name=symbol]').value = '600036'")
        page.ask("document.querySelector('form[role=search]').requestSubmit()")
        page.until("location.search.includes('symbol=600036')")
        page.until("document.readyState === 'complete'")
        assert page.ask("document.querySelector('.chain')") is None

        page.size(390, 844, dark=True)
        for path in ("/orders/?day=2023-02-31", "/signals/", holding):
            page.open(f"{live_server.url}{path}")
            assert page.ask("document.documentElement.scrollWidth") == 390, path

        ours = (live_server.url, "data:")  # the browser's own date box draws its icon from data
        assert [url for url in page.requests if not url.startswith(ours)] == []
        assert page.complaints == []

        page.open(f"{live_server.url}/orders/")
        before = page.ask(AS_OF)
        page.until(f"{AS_OF} !== {before!r}", 10)  # it looked again by itself
        assert page.ask("document.getElementById('stale').hidden") is True

        def broken(form, after, calendar):
            raise TimeoutError("the database does not answer")

        monkeypatch.setattr(record_views, "order_page", broken)
        page.until("!document.getElementById('stale').hidden", 15)
        assert page.ask("document.querySelector('.chain') !== null")  # what was known stays
