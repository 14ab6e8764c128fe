"""A day for the pages of the records, and how a test looks at them."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from monitoring import views
from monitoring.console.build import build
from monitoring.console.shared import SharedConsole
from tests.world import World
from trading import selectors
from trading.models import Account, Denial, Instrument
from trading.services.clock import DEMO, set_clock

HELD, SOLD = "600036.SH", "600000.SH"
NUMBER = "8800123456"
REAL = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
TODAY, YESTERDAY = "2023-02-01", "2023-01-31"
HOSTILE = "<script>alert(1)</script>"


def a_sold_morning(home: Path, patch: pytest.MonkeyPatch) -> World:
    """09:32:20: a stop-loss found no buyer in half a minute and went out again; another holding stands."""
    world = World(holdings=[(HELD, 1000, "10.00"), (SOLD, 1000, "10.00")])
    world.hold(HELD, "10.40", since="09:30:00", until="09:32:21")
    world.hold(SOLD, "10.00", since="09:30:00", until="09:31:00")
    world.hold(SOLD, "9.20", since="09:31:00", until="09:32:21", bids=[], volume=2_000_000)
    world.run(until="09:32:20")
    set_clock(DEMO, REAL - timedelta(seconds=150), world.moment("09:29:50"))
    Account.objects.update(broker_account_id=NUMBER)
    row = {"board": "main", "category": "stock", "settlement": "T+1"}
    for symbol, name in ((HELD, "招商银行"), (SOLD, "浦发银行")):
        Instrument.objects.update_or_create(symbol=symbol, defaults={**row, "name": name})
    selectors._minute[0] = None, {}
    patch.setattr(views, "console_now", SharedConsole(lambda real: build(real, world.store, home)))
    return world


def person(*permissions: str, staff: bool = False, language: str = "en") -> Client:
    user = get_user_model().objects.create_user(f"p{os.urandom(4).hex()}", is_staff=staff)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client(headers={"accept-language": language})
    client.force_login(user)
    return client


def text(client: Client, name: str, pk: int | None = None, **query: str) -> str:
    address = reverse(name, args=[] if pk is None else [pk])
    response = client.get(f"{address}?{urlencode(query)}")
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def words_of(page: str) -> str:
    """The page as a person reads it."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def denial(world: World, code: str = "CASH", at: str = "09:31:00", **row) -> Denial:
    values = {"account": world.account, "symbol": HELD, "kind": "add_on", "code": code,
              "text_en": "needs 35,000.00 yuan", "text_zh": "需要 35,000.00 元", "at": world.moment(at), **row}  # fmt: skip
    return Denial.objects.create(**values)
