"""The charts of a holding: right numbers, our own deeds at their place, hostile names harmless, the same as tables."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from monitoring import record_views
from monitoring.console import chart
from monitoring.console.curve import Point
from monitoring.models import PricePoint
from tests.integration.record_scenes import (
    HELD,
    HOSTILE,
    REAL,
    SOLD,
    a_sold_morning,
    person,
    text,
    words_of,
)
from trading import selectors
from trading.domain.types import Side
from trading.errors import GatewayUnavailable
from trading.models import DailyBar, Instrument, Position
from trading.services.clock import DEMO

pytestmark = [pytest.mark.system, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]


@pytest.fixture
def world(calendar, tmp_path, monkeypatch):
    world = a_sold_morning(tmp_path, monkeypatch)
    monkeypatch.setattr(record_views, "quotes_of_thread", lambda: world.store)
    for number, close in enumerate(("9.80", "9.90"), 1):
        bar(HELD, world.on - timedelta(days=3 - number), close)
    for minute, price in (("09:30", "10.00"), ("09:31", "9.20"), ("09:32", "9.15")):
        PricePoint.objects.create(
            symbol=SOLD, at=world.moment(f"{minute}:00"), price=Decimal(price), recorded_at=REAL
        )
    with time_machine.travel(REAL, tick=False):
        yield world


def bar(symbol: str, on: date, close: str) -> None:
    price = Decimal(close)
    DailyBar.objects.create(
        environment=DEMO,
        symbol=symbol, on=on, open=price, high=price + 1, low=price - 1, close=price, volume=100,
        amount=price, source="test",
    )  # fmt: skip


def shown(symbol: str, language: str = "en") -> tuple[str, dict[str, Any]]:
    pk = Position.objects.get(symbol=symbol).pk
    page = person("view_account", language=language).get(reverse("holding", args=[pk]))
    content = page.content.decode()
    [data] = re.findall(
        r'<script id="chart-data" type="application/json">(.*?)</script>', content, re.DOTALL
    )
    return content, json.loads(data)


def test_the_candles_are_the_kept_bars_and_today_so_far(world):
    _, data = shown(HELD)
    first = {"time": "2023-01-30", "open": "9.8000", "high": "10.8000", "low": "8.8000", "close": "9.8000"}  # fmt: skip
    assert data["bars"][0] == first
    assert [one["time"] for one in data["bars"]] == ["2023-01-30", "2023-01-31", "2023-02-01"]
    assert Decimal(data["bars"][-1]["close"]) == Decimal("10.40")
    # Nothing was kept of it yet: the newest quote is the last point all the same.
    assert [Decimal(one["value"]) for one in data["minutes"]] == [Decimal("10.40")]


def test_a_bar_of_a_day_that_is_still_to_come_in_the_market_is_not_shown(world):
    bar(HELD, world.on + timedelta(days=1), "50")
    _, data = shown(HELD)
    assert data["bars"][-1]["time"] == "2023-02-01"


def test_a_store_that_is_away_costs_only_the_candle_of_today(world, monkeypatch):
    class Away:
        def latest(self, symbols):
            raise GatewayUnavailable("away")

    monkeypatch.setattr(record_views, "quotes_of_thread", Away)
    _, data = shown(HELD)
    assert [one["time"] for one in data["bars"]] == ["2023-01-30", "2023-01-31"]


def test_the_lines_are_the_levels_with_their_part(world):
    _, data = shown(HELD)
    lines = {(one["label"], one["price"], one["role"]) for one in data["levels"]}
    assert ("Stop-loss", "9.25", "stop") in lines
    assert ("Cost", "10.00", "plain") in lines
    assert ("High since entry", "10.40", "plain") in lines
    assert ("First take-profit is watched from", "10.60", "plain") in lines


def test_a_sold_holding_still_has_its_cost(world):
    Position.objects.filter(symbol=SOLD).update(quantity=0, closed_at=world.moment("09:32:10"))
    _, data = shown(SOLD)
    assert data["levels"] == [{"label": "Cost", "price": "10.00", "role": "plain"}]


def test_the_minutes_carry_our_orders_at_the_minute_they_were_decided(world):
    _, data = shown(SOLD)
    # 09:30 on China's wall clock, as if it were UTC: the chart knows no time zones.
    assert data["minutes"][0] == {"time": 1675243800, "value": "10.0000"}
    orders = world.orders(symbol=SOLD)
    assert len(data["deeds"]) == len(orders) >= 2
    first = data["deeds"][0]
    assert (first["fill"], first["side"], first["time"]) == (False, "sell", 1675243860)
    price = f"{orders[0].price:.2f}"
    assert first["text"] == f"sell order 1,000 at {price} (stop loss)"


def test_a_fill_is_marked_on_its_day_and_at_its_minute(world):
    mark = chart.Mark(world.moment("09:31:07"), True, Side.SELL, 600, Decimal("9.19"), "stop_loss")
    minutes = (Point(world.moment("09:31:00"), Decimal(9)),)
    view = chart.ChartView("x", (), minutes, (), (mark,))
    data = view.data("zh-hans")
    assert data["days"] == [{"time": "2023-02-01", "fill": True, "side": "sell", "text": "卖出成交 600 股，9.19（止损）", "short": "600 × 9.19"}]  # fmt: skip
    assert [one["time"] for one in data["deeds"]] == [1675243860]


def test_a_hostile_name_neither_ends_the_data_nor_becomes_an_element(world):
    Instrument.objects.filter(symbol=HELD).update(name="</script>" + HOSTILE[:20])
    selectors._minute[0] = None, {}
    content, data = shown(HELD)
    assert data["name"] == "</script>" + HOSTILE[:20]
    assert "<script>alert" not in content
    assert "</script><script>" not in content


def test_the_same_stands_in_tables_for_whoever_cannot_see_the_chart(world):
    pk = Position.objects.get(symbol=SOLD).pk
    page = words_of(text(person("view_account"), "holding", pk))
    assert "Minute by minute" in page
    assert "09:32 9.20" in page  # the newest quote, not what the minute began with
    assert "09:30 10.00" in page
    assert "sell order 1,000 at" in page


def test_the_maker_of_the_charts_is_named_and_its_script_is_ours(world):
    content, _ = shown(HELD)
    assert "TradingView Lightweight Charts" in content
    assert 'href="https://www.tradingview.com/"' in content
    sources = re.findall(r'<script src="([^"]+)"', content)
    assert len(sources) == 2
    assert all(source.startswith("/static/monitoring/") for source in sources)


def test_without_anything_to_draw_nothing_is_loaded(world):
    DailyBar.objects.all().delete()
    world.store._tapes.clear()
    pk = Position.objects.get(symbol=HELD).pk
    page = text(person("view_account"), "holding", pk)
    assert "lightweight-charts" not in page


def test_the_queries_do_not_grow_with_what_is_drawn(world):
    row = Position.objects.select_related("account").get(symbol=SOLD)
    counts = []
    for number in range(2):
        with CaptureQueriesContext(connection) as captured:
            chart.chart_of(row, "x", (), None, world.moment("09:33:00"))
        counts.append(len(captured))
        for day in range(5, 60):
            bar(SOLD, world.on - timedelta(days=day + 100 * number), "10")
    assert counts == [4, 4]
