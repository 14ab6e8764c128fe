"""What a person chose, in a real browser: columns, order, filter and first rows of the holdings, colours, flashes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from monitoring import views
from monitoring.console.build import build
from monitoring.console.shared import SharedConsole
from monitoring.services.operator import DEFAULTS, save_operator
from tests.browser.chromium import chromium, installed
from tests.integration.still_account import NOW, StillAccount
from trading.models import Account, Event, Position
from trading.services.clock import DEMO, set_clock

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(installed() is None, reason="no Chromium is installed here"),
]

#: 12 holdings, each a cent dearer than the one before.
SYMBOLS = [f"601{number:03d}.SH" for number in range(12)]
SHOWN = "[...document.querySelectorAll('.holdings tbody tr')].filter((one) => !one.hidden).map((one) => one.cells[0].textContent.slice(0, 6)).join()"
COLOUR = "getComputedStyle(document.querySelector('.up')).color"


@pytest.fixture
def world(transactional_db, calendar, tmp_path, monkeypatch) -> StillAccount:
    world = StillAccount(())
    for number, symbol in enumerate(SYMBOLS):
        world.hold(symbol)
        world.quote(symbol, f"10.{20 + number}")
    lunch = NOW + timedelta(hours=2)  # no quote is stale then
    set_clock(DEMO, timezone.now(), lunch)
    Account.objects.update(gateway_seen_at=lunch + timedelta(minutes=5))
    shared = SharedConsole(lambda real: build(real, world.store, tmp_path))
    monkeypatch.setattr(views, "console_now", shared)
    return world


def test_the_table_is_as_its_reader_wants_it_while_the_board_changes(world, live_server):
    user = get_user_model().objects.create_superuser("boss")
    client = Client()
    client.force_login(user)
    with chromium() as page:
        page.cookie(live_server.url, "django_language", "en")
        page.cookie(live_server.url, "sessionid", client.cookies["sessionid"].value)
        page.open(live_server.url)
        came = [symbol[:6] for symbol in SYMBOLS]
        assert page.ask(SHOWN).split(",") == came
        assert page.ask(COLOUR) == "rgb(200, 22, 29)"

        head = "document.querySelector('.holdings th.c-price')"
        page.ask(f"{head}.click()")
        assert page.ask(SHOWN).split(",") == came[::-1]
        assert page.ask(f"{head}.getAttribute('aria-sort')") == "descending"
        world.quote(SYMBOLS[0], "10.90")  # the board brings a new price: the order follows it
        page.until(f"{SHOWN}.startsWith('{came[0]}')", 10)
        page.ask(f"{head}.click()")
        assert page.ask(SHOWN).endswith(came[0])
        page.ask(f"{head}.click()")
        assert page.ask(SHOWN).split(",") == came

        page.ask(
            "document.getElementById('find-holding').value = '601003'; document.getElementById('find-holding').dispatchEvent(new Event('input')); 1"
        )
        assert page.ask(SHOWN) == "601003"
        assert "11" in page.ask("document.getElementById('found').textContent")

        save_operator(user, DEFAULTS.__class__(rows="10", columns=("price",), colours="green_up"))
        page.open(live_server.url)
        assert page.ask(COLOUR) == "rgb(8, 114, 47)"
        assert page.ask("getComputedStyle(document.querySelector('.c-cost')).display") == "none"
        assert len(page.ask(SHOWN).split(",")) == 10
        page.ask("document.getElementById('show-all').click()")
        assert len(page.ask(SHOWN).split(",")) == 12
        Position.objects.filter(symbol=SYMBOLS[1]).update(exit_enabled=False)
        page.open(live_server.url)
        page.ask(f"{head}.click()")
        # The unprotected one stands last now, and is not left out.
        page.until(f"{SHOWN}.endsWith('{came[1]}')", 10)
        assert len(page.ask(SHOWN).split(",")) == 11

        row = {
            "account": world.account,
            "at": NOW,
            "code": "X",
            "symbol": "",
            "text_zh": "x",
            "actor": "system",
        }
        Event.objects.create(**row, level="info", text_en="only information")
        Event.objects.create(**row, level="alarm", text_en="the line is <b>down</b>")
        page.until("!document.getElementById('flash').hidden", 10)
        told = page.ask("document.getElementById('flash').textContent")
        assert "the line is <b>down</b>" in told
        assert "only information" not in told
        page.ask("document.querySelector('#flash button').click()")
        assert page.ask("document.getElementById('flash').hidden") is True
        assert page.complaints == []
