"""The overview's first load is small: the page as it is sent, and everything that it asks for, however many holdings."""

from __future__ import annotations

import gzip
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import time_machine
from django.contrib.staticfiles import finders

from monitoring import views
from monitoring.console.boards import Boards, render
from monitoring.console.build import build
from monitoring.console.shared import SharedConsole
from tests.integration.record_scenes import person
from tests.integration.still_account import REAL, StillAccount
from trading.models import Position

pytestmark = [pytest.mark.system, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

#: Bytes of a first load over the line, at most.
LIMIT = 400_000


@pytest.mark.parametrize("holdings", [0, 1000])
def test_a_first_load_stays_under_400_kb(tmp_path, monkeypatch, holdings):
    with time_machine.travel(REAL, tick=False):
        world = StillAccount(())
        symbols = [f"60{number:04d}.SH" for number in range(holdings)]
        Position.objects.bulk_create(_held(world, symbol) for symbol in symbols)
        for symbol in symbols:
            world.quote(symbol, "10.40")
        shared = SharedConsole(lambda real: build(real, world.store, tmp_path))
        monkeypatch.setattr(views, "console_now", shared)
        monkeypatch.setattr(views, "boards", Boards(render))
        answer = person("view_account", "trade_account").get("/", headers={"accept-encoding": "gzip"})  # fmt: skip
    assert answer.headers["Content-Encoding"] == "gzip"
    page = gzip.decompress(answer.content).decode()
    assert page.count('<tr id="holding-') == holdings
    files = re.findall(r'(?:src|href)="/static/([^"]+)"', page)
    assert len(files) > 5
    # The library of charts is larger than all else together: only pages that draw ask for it.
    assert not [name for name in files if "chart" in name]
    assert len(answer.content) + sum(map(_size, files)) < LIMIT


def _held(world: StillAccount, symbol: str) -> Position:
    return Position(
        account=world.account, symbol=symbol, quantity=1000, bought_quantity=1000,
        bought_amount=Decimal(10_000), base_cost=Decimal(10), broker_sellable=1000,
        high_since_entry=Decimal("10.50"), opened_on=datetime(2023, 1, 1, tzinfo=UTC).date(),
    )  # fmt: skip


def _size(name: str) -> int:
    found = finders.find(name)
    assert isinstance(found, str)
    return Path(found).stat().st_size
