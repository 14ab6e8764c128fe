"""The console: what it says of a day that really ran, to whom, how often it asks, and in which words."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from monitoring import views
from monitoring.console.build import build
from monitoring.console.shared import SharedConsole
from monitoring.models import Finding
from tests.audit import unprotected
from tests.ledgers import turn_into
from tests.world import World
from trading import selectors
from trading.domain.protection import Protection
from trading.domain.types import Symbol
from trading.errors import GatewayUnavailable
from trading.models import Account, Denial, Event, Instrument, Order, Position, Signal, TickLease
from trading.services.clock import DEMO, set_clock

pytestmark = [pytest.mark.system, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

HELD, SOLD = "600036.SH", "600000.SH"
NUMBER = "8800123456"
REAL = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)  # 04:00:00 of the next day in China
PAGES = ("console", "console-board")


class Console:
    """A day at 09:31:30, when one holding was sold by its stop and one is left; the page is built from its rows."""

    def __init__(self, home, holdings: int = 1) -> None:
        held = [f"{600036 + number}.SH" for number in range(holdings)]
        self.world = World(holdings=[(symbol, 1000, "10.00") for symbol in (*held, SOLD)])
        for symbol in held:
            self.world.hold(symbol, "10.40", since="09:30:00", until="09:31:31")
        self.world.hold(SOLD, "10.00", since="09:30:00", until="09:31:00")
        self.world.hold(SOLD, "9.20", since="09:31:00", until="09:31:31")
        self.world.run(until="09:31:30")
        self.home, self.built = home, 0
        set_clock(DEMO, REAL - timedelta(seconds=100), self.world.moment("09:29:50"))
        Account.objects.update(broker_account_id=NUMBER)
        row = {"board": "main", "category": "stock", "settlement": "T+1"}
        Instrument.objects.get_or_create(symbol=HELD, defaults=row)
        rename("招商银行")

    def build(self, real=REAL):
        self.built += 1
        return build(real, self.world.store, self.home)

    @property
    def account(self):
        return self.build().accounts[0]

    @property
    def holding(self):
        [holding] = self.account.holdings
        return holding


@pytest.fixture
def console(calendar, tmp_path, monkeypatch):
    console = Console(tmp_path)
    monkeypatch.setattr(views, "console_now", SharedConsole(console.build))
    return console


def rename(name: str) -> None:
    Instrument.objects.filter(symbol=HELD).update(name=name)
    selectors._minute[0] = None, {}  # every process reads names once a minute


def person(*permissions: str, staff: bool = False, language: str = "en") -> Client:
    user = get_user_model().objects.create_user(f"p{os.urandom(4).hex()}", is_staff=staff)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client(headers={"accept-language": language})
    client.force_login(user)
    return client


@pytest.fixture
def reader(console, now) -> Client:
    return person("view_account")


def text(client: Client, name: str = "console", **headers: str) -> str:
    response = client.get(reverse(name), headers=headers)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


# -- what it says


def test_a_holding_shows_its_price_profit_and_what_would_sell_it(console):
    row = console.holding
    assert (row.symbol, row.name, row.quantity, row.sellable) == (HELD, "招商银行", 1000, 1000)
    assert (row.cost, row.last, row.high) == (Decimal(10), Decimal("10.40"), Decimal("10.40"))
    assert (row.profit, row.profit_ratio) == (Decimal(400), Decimal("0.04"))
    assert (row.sale_kind, row.sale_price, row.status) == (
        "stop_loss", Decimal("9.25"), Protection.PROTECTED,
    )  # fmt: skip
    assert row.distance is not None
    assert round(row.distance, 4) == Decimal("0.1106")
    assert row.fresh


def test_the_sale_of_the_day_is_told_from_signal_to_fill(console, reader):
    [order], [fill] = console.world.orders(), console.world.fills()
    page = text(reader)
    assert console.world.signals()[0].reason_en.replace("'", "&#x27;") in page
    assert "Stop-loss" in page
    assert page.count(str(order.broker_order_id)) == 2  # the order's and its fill's
    assert f"{fill.amount:,.2f}" in page
    fees = fill.commission + fill.stamp_duty + fill.transfer_fee
    assert f"{fees:,.2f}" in page
    assert "1 of 1 protected" in page
    assert "protected: the stop-loss sells at 9.25" in page


def test_an_unknown_number_is_a_dash_and_never_zero(console, reader):
    Account.objects.update(cash=None, total_asset=None, market_value=None)
    Position.objects.update(bought_quantity=0, base_cost=None, high_since_entry=0,
                            broker_sellable=None)  # fmt: skip
    console.world.store._tapes.clear()
    row = console.holding
    assert (row.sellable, row.cost, row.last, row.profit, row.distance) == (None,) * 5
    page = text(reader, "console-board")
    holding = page.split("Holdings")[2].split("</table>")[0]
    assert holding.count("—") == 7
    assert "0.00" not in holding
    assert re.search(r"Total assets</dt><dd><span [^>]*>—</span></dd>", page)


def test_a_price_that_is_not_fresh_says_how_old_it_is(console, reader, now):
    assert 'class="aged"' not in text(reader)
    now.move_to(REAL + timedelta(seconds=15))
    page = text(reader)
    assert 'class="aged"' in page
    assert "the quote is stale since 09:31:30" in page
    assert "0 of 1 protected" in page


def test_quotes_that_cannot_be_read_are_unknown_and_the_rest_is_there(
    console, reader, monkeypatch
):
    class Silent(type(console.world.store)):
        def latest(self, symbols):
            raise GatewayUnavailable("gone")

    console.world.store = Silent()
    page = text(reader)
    assert "Quotes cannot be read" in page
    assert "Stop-loss" in page
    assert "0 of 1 protected" in page


def test_times_are_those_of_the_exchange_and_both_clocks_are_there(console, reader):
    page = text(reader)
    assert "2026-01-06 04:00:00" in page  # real
    assert 'data-speed="1.000000"' in page
    assert "09:31:0" in page
    assert "morning session" in page


def test_the_demo_says_that_it_is_one(console, reader):
    assert "DEMO — a simulated market and account" in text(reader)
    turn_into("live")
    console.built = 0
    views.console_now = SharedConsole(console.build)
    assert "DEMO" not in text(reader)


@pytest.mark.parametrize(
    ("stage", "says"),
    [
        ("live", "LIVE — real money"),
        ("capped", "LIVE WITH CAPS — real money"),
        ("withdrawn", "LED BACK FROM LIVE — nothing is sent"),
    ],
)
def test_a_live_account_says_how_far_it_went(console, reader, stage, says):
    turn_into("live")
    Account.objects.update(stage=stage)
    assert says in text(reader)


def test_switches_main_switch_and_gateway_are_shown_with_their_reasons(console, reader):
    Account.objects.update(
        trading_state="halted", trading_state_reason={"en": "I broke", "zh": "坏了"},
        gateway_status="observing", gateway_reason={"en": "reading", "zh": "读取中"},
    )  # fmt: skip
    page = text(reader)
    for words in (
        "halted",
        "I broke",
        "observing",
        "reading",
        "auto trading <b>on",
        "grid <b>off",
    ):
        assert words in page, words
    assert "unprotected: trading is halted" in page


def test_settings_that_were_never_valid_protect_nobody(console, reader):
    config = Account.objects.get().config
    with unprotected():
        type(config).history.all().delete()
    type(config).objects.update(signal_max_age=1)
    page = text(reader)
    assert "unprotected: no usable settings" in page
    assert "signal_max_age" in page


def test_the_end_of_the_calendar_stands_on_the_page_as_long_as_it_lasts(console, reader):
    now, account = timezone.now(), Account.objects.get()
    row = {"level": "alarm", "since": now, "seen_at": now, "text_zh": "日历止于"}
    Finding.objects.create(
        account=account, code="CALENDAR_ENDS_SOON", text_en="it ends on 12-31", **row
    )
    Finding.objects.create(account=account, code="FEED_SILENT", text_en="no quotes", **row)
    page = text(reader)
    assert "it ends on 12-31" in page
    assert "no quotes" not in page  # the page says that by itself


def test_a_disabled_account_protects_nobody(console, reader):
    Account.objects.update(enabled=False)
    assert "unprotected: the account is disabled" in text(reader)


@pytest.mark.parametrize("enabled", [False, True])
def test_an_account_that_rests_is_named_and_takes_no_room(console, reader, enabled):
    other = Account.objects.create(
        name="two", broker_account_id="77", mode="paper", enabled=enabled
    )
    page = reader.get("/").content.decode()
    assert f'id="head-{other.pk}"' in page
    assert (f'id="holdings-{other.pk}"' in page) is enabled


def test_denials_and_alarms_are_told_and_only_todays(console, reader):
    at = console.world.moment("09:31:00")
    for day, words in ((at, "no cash"), (at - timedelta(days=1), "of yesterday")):
        Denial.objects.create(
            account=console.world.account, symbol=HELD, kind="add_on", code="CASH",
            text_en=words, text_zh=words, at=day, cleared_at=day,
        )  # fmt: skip
        Event.objects.create(
            account=console.world.account, at=day, level="alarm", code="X",
            text_en=f"alarm {words} of {NUMBER}", text_zh="报警",
        )  # fmt: skip
    page = text(reader)
    assert "no cash" in page
    assert "alarm no cash of …3456" in page
    assert "of yesterday" not in page


def test_a_long_day_has_an_end_on_the_page(console, reader):
    row = {"account": console.world.account, "level": "info", "code": "X", "text_zh": "x"}
    at = console.world.moment("09:31:00")
    Event.objects.bulk_create(
        Event(**row, at=at, text_en=f"event {number};") for number in range(200)
    )
    page = text(reader)
    assert "event 199;" in page
    assert "event 100;" not in page
    assert "Only the newest are shown" in page


# -- health


def run_file(console, **web) -> None:
    rows = [
        {"name": "gateway-demo", "state": "running", "pid": 1, "restarts": 2, "last_exit": -9,
         "since": "2026-01-05T19:58:02+00:00"},
        {"name": "beat", "state": "running", "pid": 2, "restarts": 1, "last_exit": -9, "hung": True,
         "since": "2026-01-05T19:58:30+00:00"},
        {"name": "worker", "state": "backing off", "pid": None, "restarts": 1, "last_exit": 1,
         "since": "2026-01-05T19:59:00+00:00"},
        {"name": "web", "state": "running", "pid": os.getpid(), "restarts": 0, "last_exit": None,
         "since": "2026-01-05T19:50:00+00:00", **web},
    ]  # fmt: skip
    content = {"redis_url": "redis://:secret@127.0.0.1:1/0", "processes": rows}
    (console.home / "run.json").write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["gateway-demo ended (killed) and was started again at 03:58:02, restarts: 2",
                "beat ended (it made no progress and was killed) and was started again at 03:58:30",
                "worker ended (exit code 1); starts again soon", "worker does not run"]),
        ("zh-hans", ["gateway-demo 曾结束（被强制结束），03:58:02 重新启动，共重启 2 次",
                     "beat 曾结束（长时间无进展，已被强制结束），03:58:30 重新启动，共重启 1 次",
                     "worker 已结束（退出码 1），即将重新启动", "worker 未在运行"]),
    ],
)  # fmt: skip
def test_a_process_that_ended_is_told_in_words(console, reader, language, words):
    run_file(console)
    page = text(reader, accept_language=language)
    for said in words:
        assert said in page, said
    assert "secret" not in page


@pytest.mark.parametrize(("ago", "hangs"), [(29, False), (31, True)])
def test_f131_an_up_that_looks_after_nothing_is_told_in_words(console, reader, ago, hangs):
    run_file(console)
    lock = console.home / "up.lock"
    lock.touch()
    os.utime(lock, times=(REAL.timestamp() - ago,) * 2)
    page = text(reader, accept_language="en")
    assert ("up looks after nothing" in page) is hangs
    assert ("up does not run" in page) is hangs


def test_what_another_up_left_behind_is_not_told_as_news(console, reader):
    run_file(console, pid=0)  # nobody's, whoever started the tests
    page = text(reader)
    assert "was not started by" in page
    assert "gateway-demo ended" not in page


@pytest.mark.parametrize("content", ["", "[]", "{", '{"processes": [1, {"pid": []}]}'])
def test_a_broken_run_file_breaks_nothing(console, reader, content):
    (console.home / "run.json").write_text(content, encoding="utf-8")
    assert "was not started by" in text(reader)


def test_each_tick_says_when_it_last_began_and_whether_it_is_late(console):
    account = console.world.account.pk
    TickLease.objects.create(name=f"strategy:{account}", started_at=REAL - timedelta(seconds=4))
    TickLease.objects.create(name=f"orders:{account}", started_at=REAL - timedelta(seconds=5))
    ticks = {tick.name: tick for tick in console.account.ticks}
    late = {name: tick.is_late for name, tick in ticks.items()}
    assert late == {"sync": False, "strategy": False, "orders": True}
    assert ticks["sync"].started_at is None


@pytest.mark.parametrize(
    ("clock", "needed", "late"),
    [
        ("09:29:59", False, False),
        ("09:30:03", True, False),  # nothing was due before: its first one may still come
        ("09:30:11", True, True),
        ("12:00:00", False, False),
    ],
)
def test_a_tick_is_late_only_when_it_was_needed_for_two_periods(console, clock, needed, late):
    account = console.world.account.pk
    TickLease.objects.create(name=f"strategy:{account}", started_at=REAL - timedelta(hours=20))
    set_clock(DEMO, REAL, console.world.moment(clock))
    [strategy] = [tick for tick in console.account.ticks if tick.name == "strategy"]
    assert (strategy.is_needed, strategy.is_late) == (needed, late)


# -- to whom


@pytest.mark.parametrize("name", PAGES)
def test_who_may_not_view_accounts_sees_nothing(console, now, name):
    response = person("view_order").get(reverse(name))
    assert response.status_code == 403
    assert HELD not in response.content.decode()


def test_a_stranger_is_sent_to_the_login_and_comes_back(console, now):
    get_user_model().objects.create_superuser("boss", password="a long password")
    client = Client(headers={"accept-language": "en"})
    response = client.get("/")
    assert (response.status_code, response.url) == (302, "/login/?next=/")
    polled = client.get("/board/")
    assert (polled.status_code, polled.headers["HX-Redirect"]) == (401, "/login/?next=%2F")
    wrong = client.post("/login/", {"username": "boss", "password": "no", "next": "/"})
    assert wrong.status_code == 200
    right = {"username": "boss", "password": "a long password", "next": "/"}
    assert client.post("/login/", right).url == "/"
    assert client.get("/").status_code == 200
    assert client.post("/logout/").url == "/login/"
    assert client.get("/").status_code == 302


def test_only_staff_who_may_see_them_get_links_to_the_admin(console, now):
    assert "/admin/" not in text(person("view_account", "view_position"))
    account = Account.objects.get()
    some = text(person("view_account", "view_position", staff=True))
    assert f"/admin/trading/account/{account.pk}/change/" in some
    assert "/admin/trading/order/" not in some


def test_the_number_of_the_account_is_never_shown_in_full(console, now):
    Event.objects.create(account=console.world.account, at=console.world.moment("09:31:00"),
                         level="info", code="X", text_en=NUMBER, text_zh=NUMBER)  # fmt: skip
    page = text(person("view_account", staff=True))
    assert NUMBER not in page
    assert "…3456" in page


@pytest.mark.parametrize("name", [*PAGES, "login"])
def test_nothing_from_elsewhere_may_load_and_no_script_is_in_the_page(console, now, name):
    client = Client() if name == "login" else person("view_account")
    response = client.get(reverse(name))
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    body = response.content.decode()
    assert "<script>" not in body
    for forbidden in (" style=", " onclick=", "javascript:", "http://", "https://"):
        assert forbidden not in body, forbidden
    assert response.headers["Cache-Control"] == "no-store"


HOSTILE = "<script>alert(1)</script>"


def test_hostile_words_are_only_words(console, reader):
    Signal.objects.update(reason_en=HOSTILE, outcome_en=HOSTILE)
    Account.objects.update(trading_state="halted", trading_state_reason={"en": HOSTILE})
    rename("<b onload=x>")
    Event.objects.create(account=console.world.account, at=console.world.moment("09:31:00"),
                         level="alarm", code="X", text_en=HOSTILE, text_zh="")  # fmt: skip
    Order.objects.update(message=HOSTILE)
    page = text(reader)
    assert HOSTILE not in page
    assert "<b onload" not in page
    assert "&lt;b onload=x&gt;" in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 5


# -- in which language


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["1 of 1 protected", "Holdings", "Would sell at", "stop loss", "filled", "Real time"]),
        ("zh-hans", ["1 / 1 受保护", "持仓", "当前卖出价", "止损", "全部成交", "真实时间", "受保护：止损价 9.25",
                     "上午连续竞价", "卖出"]),
    ],
)  # fmt: skip
def test_the_page_speaks_the_language_of_the_reader(console, reader, language, words):
    page = text(reader, accept_language=language)
    for said in words:
        assert said in page, said


def test_the_language_can_be_switched_and_stays(console, reader):
    response = reader.post("/i18n/setlang/", {"language": "zh-hans", "next": "/"})
    assert response.url == "/"
    assert "持仓" in text(reader, accept_language="en")
    assert '<html lang="zh-hans"' in text(reader)


# -- how often it asks


def test_many_viewers_in_one_second_cost_one_look(console, reader, now):
    for _ in range(5):
        text(reader)
        text(reader, "console-board")
    assert console.built == 1
    now.move_to(REAL + timedelta(seconds=1))
    text(reader, "console-board")
    assert console.built == 2
    now.move_to(REAL - timedelta(hours=1))  # the clock was set back
    text(reader, "console-board")
    assert console.built == 3


def test_while_nothing_changes_the_answer_is_304_and_says_how_old_it_is(console, reader, now):
    url = reverse("console-board")
    first = reader.get(url)
    now.move_to(REAL + timedelta(seconds=2))
    same = reader.get(url, headers={"if-none-match": first.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    taken = int(same.headers["X-Taken-At"]) - int(first.headers["X-Taken-At"])
    assert taken == 2000
    assert console.built == 2
    other = reader.get(
        url, headers={"if-none-match": first.headers["ETag"], "accept-language": "zh-hans"}
    )
    assert other.status_code == 200
    console.world.quote("09:31:32", HELD, "10.50")
    quote = console.world._made[-1]
    console.world.store.put("xtquant", [quote], 10, quote.time)
    now.move_to(REAL + timedelta(seconds=4))
    news = reader.get(url, headers={"if-none-match": first.headers["ETag"]})
    assert news.status_code == 200
    assert "10.50" in news.content.decode()
    assert news.headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize("holdings", [3, 60])
def test_the_queries_do_not_grow_with_the_holdings(calendar, tmp_path, holdings):
    console = Console(tmp_path, holdings)
    with CaptureQueriesContext(connection) as captured:
        assert len(console.account.holdings) == holdings
    assert len(captured) <= 22


def test_the_words_of_the_page_are_in_both_languages():
    """Every text of a template goes through `say`: no Chinese word stands in one outside it."""
    folder = django_settings.BASE_DIR / "templates"
    for file in folder.rglob("*.html"):
        bare = "".join(
            part.split("%}", 1)[-1] for part in file.read_text(encoding="utf-8").split("{% say")
        )
        found = [letter for letter in bare if "一" <= letter <= "鿿"]
        assert "".join(found) in ("", "中文"), file.name


def test_a_holding_of_another_account_does_not_mix_in(console):
    other = Account.objects.create(name="two", broker_account_id="77", mode="paper")
    Position.objects.create(
        account=other, symbol=SOLD, quantity=100, bought_quantity=100,
        bought_amount=Decimal(1000), opened_on=console.world.on,
    )  # fmt: skip
    one, two = console.build().accounts
    assert [row.symbol for row in one.holdings] == [HELD]
    assert [row.symbol for row in two.holdings] == [Symbol(SOLD)]
    assert two.fills.rows == ()
