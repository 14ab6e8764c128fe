"""The charts of a holding in a real browser: drawn under the page's own policy, without a word from the browser."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from monitoring import views
from monitoring.console.build import build
from monitoring.console.shared import SharedConsole
from monitoring.models import PricePoint
from tests.browser.chromium import chromium, installed
from tests.world import World
from trading.models import DailyBar, Position
from trading.services.clock import DEMO, set_clock

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(installed() is None, reason="no Chromium is installed here"),
]

SOLD = "600000.SH"
DRAWN = "[...document.querySelectorAll('.chart')].filter(one => one.querySelector('canvas'))"
#: Pixels of the colour of falling prices in the daily chart: candle, marker and stop-loss are drawn in it.
COLOURED = """(() => {
  const wanted = getComputedStyle(document.documentElement).getPropertyValue('--down').trim();
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(wanted.slice(at, at + 2), 16));
  return [...document.querySelectorAll('#daily-chart canvas')].some((canvas) => {
    const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    for (let at = 0; at < data.length; at += 4) {
      if (data[at] === r && data[at + 1] === g && data[at + 2] === b && data[at + 3] === 255) return true;
    }
    return false;
  });
})()"""


@pytest.fixture
def world(transactional_db, calendar, tmp_path, monkeypatch) -> World:
    """09:31:30: a stop-loss has sold; two daily bars and two minutes are known."""
    world = World(holdings=[(SOLD, 1000, "10.00")])
    world.hold(SOLD, "10.00", since="09:30:00", until="09:31:00")
    world.hold(SOLD, "9.20", since="09:31:00", until="09:31:31")
    world.run(until="09:31:30")
    for back, close in ((2, Decimal("10.20")), (1, Decimal("10.00"))):
        DailyBar.objects.create(
            environment=DEMO,
            symbol=SOLD, on=world.on - timedelta(days=back), open=close + 1, high=close + 1,
            low=close, close=close, volume=1, amount=close, source="test",
        )  # fmt: skip
    for minute in (30, 31):
        PricePoint.objects.create(
            symbol=SOLD, at=world.moment(f"09:{minute}:00"),
            price=Decimal("9.20"), recorded_at=timezone.now(),
        )  # fmt: skip
    set_clock(DEMO, timezone.now() - timedelta(seconds=100), world.moment("09:29:50"))
    shared = SharedConsole(lambda real: build(real, world.store, tmp_path))
    monkeypatch.setattr(views, "console_now", shared)
    return world


def test_both_charts_are_drawn_and_the_policy_has_nothing_to_forbid(world, live_server):
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("boss", password="a password"))
    address = f"{live_server.url}/holding/{Position.objects.get(symbol=SOLD).pk}/"
    with chromium() as page:
        page.cookie(live_server.url, "sessionid", client.cookies["sessionid"].value)
        for width, dark in ((1280, False), (390, True)):
            page.size(width, 900, dark=dark)
            page.open(address)
            page.until(f"{DRAWN}.length === 2")
            page.until(COLOURED)
            assert page.ask("document.documentElement.scrollWidth") == width
            assert page.ask("document.querySelectorAll('style').length") == 0
            assert page.ask("document.querySelector('.alternative table') !== null")
        assert [one for one in page.requests if not one.startswith(live_server.url)] == []
        assert page.complaints == []
