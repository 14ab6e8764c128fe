"""Everything the console can show, at once: a day with a sale, denials, a grid, alerts, versions, hostile names.

It is built once for a module of tests, in the test database, with quotes where the web server itself looks for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from grid.models import GridSession
from monitoring import views
from monitoring.alerts.collect import collect
from monitoring.console.boards import Boards, render
from monitoring.console.setting_history import versions_of
from monitoring.console.shared import SharedConsole
from monitoring.models import (
    Act,
    Alert,
    DayReport,
    EquityPoint,
    LogLine,
    ShadowDay,
    ShadowOrder,
)
from monitoring.services.day_report import make_day_reports
from tests.audit import take_down
from tests.integration.care_scenes import a_backup
from tests.integration.grid_days import grid_world, start
from tests.integration.record_scenes import denial
from tests.integration.scenes import wish
from tests.world import World
from trading.domain.caps import Caps
from trading.domain.stock_pool import Entry
from trading.domain.types import AccountMode, Side, Symbol, Text
from trading.market_data.file_store import FileQuoteStore
from trading.models import (
    Account,
    DailyBar,
    EventLevel,
    Instrument,
    Order,
    Position,
    Signal,
)
from trading.selectors import _minute
from trading.services import config, watch_list
from trading.services.clock import DEMO, set_clock
from trading.services.events import journal
from trading.services.stages import path_of, step_forward

HELD, SOLD, GRID, WATCHED = "600036.SH", "600000.SH", "518880.SH", "510300.SH"
#: What somebody might have written as a name or a note; the second one turns what follows round.
SCRIPT = "<script>hacked=1</script>"
HOSTILE = SCRIPT + "\"'🙂"
TURNED = "a\"'><img src=x>\u202e\u05d0\u05d1"
NAMES = {HELD: "招商银行", SOLD: HOSTILE, GRID: "黄金ETF", WATCHED: "沪深300ETF"}


@dataclass(frozen=True)
class House:
    """What stands in the house, by primary key; `client` is logged in as somebody who may do everything."""

    world: World
    client: Client

    @property
    def account(self) -> int:
        return int(self.world.account.pk)

    @property
    def holding(self) -> int:
        return int(Position.objects.get(account=self.account, symbol=HELD).pk)

    @property
    def grid(self) -> int:
        return int(GridSession.objects.latest("pk").pk)

    @property
    def denied(self) -> int:
        return int(Signal.objects.get(state="denied").pk)

    @property
    def in_paper(self) -> int:
        return int(Account.objects.get(name="next").pk)

    @property
    def capped(self) -> int:
        return int(Account.objects.get(name="mine-live").pk)

    @property
    def token(self) -> str:
        return str(Act.objects.latest("pk").token)

    @property
    def first_version(self) -> int:
        return int(versions_of(self.account).order_by("history_id")[0].history_id)


@contextmanager
def whole_house(home: Path, calendar_rows: list[Any]) -> Iterator[House]:
    """Fill the database, and let market time stand still when the day has got there; everything is gone afterwards."""
    from trading.models import TradingDay

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "HOME", home)
        patch.setattr(settings, "REDIS_URL", "")
        patch.setattr(views, "console_now", SharedConsole(views._build))
        patch.setattr(views.live, "_boards", Boards(render))
        patch.setattr(views, "boards", views.live._boards)
        days = [TradingDay(on=on, is_session=is_, source=of) for on, is_, of in calendar_rows]
        TradingDay.objects.bulk_create(days, ignore_conflicts=True, batch_size=500)
        try:
            yield _filled(home)
        finally:
            take_down()
            call_command("flush", interactive=False, verbosity=0)


def _filled(home: Path) -> House:
    world = _day()
    boss = get_user_model().objects.create_superuser("boss", password="a long password")
    for symbol, name in NAMES.items():
        row = {"board": "main", "category": "stock", "settlement": "T+1", "name": name}
        Instrument.objects.update_or_create(symbol=symbol, defaults=row)
    _minute[0] = None, {}
    _denials(world)
    _reports(world)
    stands = world.moment("09:33:01")
    set_clock(DEMO, timezone.now(), stands, speed=Decimal("0.0001"))
    Account.objects.update(gateway_seen_at=stands)
    watch_list.watch(world.account.pk, [Entry(Symbol(WATCHED), TURNED)], stands, "boss")
    config.change(world.account.pk, {"buy_amount": "20000"}, actor=boss, why=HOSTILE)
    Act.objects.create(
        token="a" * 32, account=world.account, action="cancel-all", actor="boss", at=timezone.now(),
        why=TURNED, answer_en="Nothing to cancel.", answer_zh="没有可撤销的委托。", answered_at=timezone.now(),
    )  # fmt: skip
    _alerts(world, home)
    _care(home)
    _paths(world, stands)
    with_quotes = FileQuoteStore(home / "quotes.sqlite3", writes=True)
    quotes = list(world.store.latest([Symbol(one) for one in NAMES]).values())
    with_quotes.put("xtdata", quotes, 10, stands)
    with_quotes.close()
    client = Client()
    client.force_login(boss)
    return House(world, client)


def _paths(world: World, at: datetime) -> None:
    """Two broker accounts on their way to live, none of them in operation: one in paper, one with caps after a shadow."""
    for name, number in (("next", "8800001111"), ("mine", "8800002222")):
        Account.objects.create(name=name, broker_account_id=number, mode="paper", enabled=True)
    for _ in range(2):
        step_forward(path_of("8800002222"), HOSTILE, at, "boss", caps=Caps())
    shadow = path_of("8800002222").ledgers[AccountMode.SHADOW]
    day = ShadowDay.objects.create(
        account=shadow, on=at.date(), orders=1, agreeing=1, difference=Decimal("-3.50"), made_at=at
    )
    sold = Order.objects.filter(account=world.account, side="sell").order_by("pk")[0]
    ShadowOrder.objects.create(
        day=day, order=sold, tape="filled", reached=Decimal("9.20"), difference=Decimal("-3.50")
    )
    live = Account.objects.get(name="mine-live")
    Position.objects.create(
        account=live, symbol=HELD, quantity=100, bought_quantity=100,
        bought_amount=Decimal(1000), opened_on=at.date(), closed_at=at,
    )  # fmt: skip
    Account.objects.exclude(pk=world.account.pk).update(enabled=False)


def _day() -> World:
    """A stop-loss sells, a grid starts and a person sells 100 shares: 09:30 to 09:33."""
    world = grid_world(
        [(HELD, 1000, "10.00"), (SOLD, 1000, "10.00"), (GRID, 1000, "10.00")],
        settings={"stop_loss_enabled": "on", "take_profit_enabled": "on"},
        symbols=[WATCHED],
    )
    for symbol, price in ((HELD, "10.20"), (GRID, "10.00"), (WATCHED, "10.05")):
        world.hold(symbol, price, since="09:30:00", until="09:33:01")
    world.hold(SOLD, "10.00", since="09:30:00", until="09:31:00")
    world.hold(SOLD, "9.20", since="09:31:00", until="09:33:01")
    start(world, "09:32:00", symbol=GRID)
    wish(world, "09:32:10", HELD, Side.SELL, 100)
    world.run(until="09:33:00")
    for back in range(1, 40):
        close = Decimal("10.00") + Decimal(back % 7) / 20
        DailyBar.objects.create(
            environment=DEMO,
            symbol=HELD, on=world.on - timedelta(days=back), open=close, high=close + 1,
            low=close - 1, close=close + Decimal("0.1"), volume=1, amount=close, source="test",
        )  # fmt: skip
    return world


def _denials(world: World) -> None:
    """A denied signal, and a denial before there was a signal."""
    first = Signal.objects.earliest("pk")
    first.pk, first.kind, first.side, first.state = None, "add_on", "buy", "denied"
    first.denial_code, first.outcome_en, first.outcome_zh = (
        "CASH",
        "35,000 needed",
        "需要 35,000 元",
    )
    first.save()
    denial(world, code="T1_NOT_SELLABLE", symbol=SOLD, text_en=HOSTILE, text_zh=HOSTILE)


def _reports(world: World) -> None:
    """The day is reported on the next one, as if nobody had closed its books."""
    now = timezone.now()
    set_clock(DEMO, now, world.moment("15:36:00") + timedelta(days=1))
    make_day_reports(now)
    DayReport.objects.update(equity_before=Decimal(1_012_000), equity=Decimal(1_011_300))
    for minute in range(90):
        at = world.moment("09:30:00") + timedelta(minutes=minute)
        worth = Decimal(1_011_300 + (minute * 37) % 900)
        EquityPoint.objects.update_or_create(
            account=world.account, at=at, defaults={"equity": worth, "recorded_at": now}
        )


def _care(home: Path) -> None:
    """A backup, and what processes warned of."""
    a_backup(home, timedelta(hours=3))
    a_backup(home, timedelta(hours=30))
    line = {"at": timezone.now(), "process": "worker", "logger": "trading.tasks"}
    LogLine.objects.create(**line, level="warning", text=HOSTILE, tick="1f0c2a77-aaaa")
    LogLine.objects.create(**line, level="error", text="tick failed", trace=f"Traceback: {SCRIPT}")


def _alerts(world: World, home: Path) -> None:
    now = timezone.now()
    words = Text(f"sold at limit-down {SCRIPT}", f"跌停卖出 {SCRIPT}")
    at = world.moment("09:32:30")
    journal(world.account.pk, EventLevel.ALARM, "GATEWAY_SILENT", words, at, symbol=SOLD)
    collect(now + timedelta(seconds=10), home)
    assert Alert.objects.exists()
