"""`manage.py indicators --fetch`: daily bars of TDX become rows, completed sessions only."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

import pytest
import time_machine
from django.core.management import CommandError, call_command

from tests.tdx_server import Bar, How, TdxServer
from trading.domain.types import CHINA, Symbol
from trading.market_data.mootdx_client import DAY
from trading.models import DailyBar

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

BANK = Symbol("600036.SH")
DAYS = (date(2023, 1, 31), date(2023, 2, 1))


@pytest.fixture
def server(settings) -> Iterator[TdxServer]:
    with TdxServer() as one:
        one.bars[BANK, DAY] = [
            Bar(on, "10.00", "10.50", "9.90", "10.20", 5000, 5e6) for on in DAYS
        ]
        settings.MINIQMT_MOOTDX_SERVERS = [one.address]
        yield one


@pytest.mark.parametrize(
    ("now", "kept"),
    [
        (datetime(2023, 2, 1, 14, 0, tzinfo=CHINA), DAYS[:1]),
        (datetime(2023, 2, 1, 15, 35, tzinfo=CHINA), DAYS),
    ],
    ids=["while the session runs", "when its books are closed"],
)
def test_f139_bars_of_servers_are_kept_when_their_session_is_over(server, now, kept):
    with time_machine.travel(now, tick=False):
        call_command("indicators", "600036", "--fetch", "10")

    bars = DailyBar.objects.order_by("on")
    assert tuple(bar.on for bar in bars) == kept
    assert {(bar.close, bar.volume, bar.source) for bar in bars} == {
        (Decimal("10.2"), 500_000, "TDX servers")
    }


def test_a_server_that_fails_leaves_the_rows_as_they_are_and_says_why(server):
    server.how["bars"] = How.EMPTY
    with pytest.raises(CommandError, match="未能获取日线"):
        call_command("indicators", "600036", "--fetch", "10")
    assert not DailyBar.objects.exists()


def test_a_local_tdx_goes_first(server, settings, tmp_path):
    folder = tmp_path / "vipdoc" / "sh" / "lday"
    folder.mkdir(parents=True)
    record = struct.pack("<IIIIIfII", 20230131, 1000, 1050, 990, 1020, 1e7, 10_000, 0)
    (folder / "sh600036.day").write_bytes(record)
    settings.MINIQMT_MOOTDX_FOLDER = str(tmp_path)

    call_command("indicators", "600036", "--fetch", "10")

    assert [(bar.on, bar.source) for bar in DailyBar.objects.all()] == [(DAYS[0], "local TDX")]
    assert server.asked == []


def test_what_mootdx_does_not_cover_is_an_error_in_words(server):
    with pytest.raises(CommandError, match="Beijing"):
        call_command("indicators", "920001", "--fetch", "10")


def test_a_symbol_that_is_none_is_told_before_anybody_is_asked(server):
    with pytest.raises(CommandError, match="is not a symbol"):
        call_command("indicators", "bank", "--fetch", "10")
    assert server.asked == []
