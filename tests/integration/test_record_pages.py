"""Orders & fills, signals, one holding: what the pages say of a day that really ran, to whom, and what they cost."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from monitoring import views
from monitoring.console.build import build
from monitoring.console.denial_words import MEANINGS
from monitoring.console.paging import PAGE
from monitoring.console.shared import SharedConsole
from tests.world import World
from trading import selectors
from trading.domain.types import DenialCode
from trading.models import (
    Account,
    Denial,
    Event,
    Fill,
    Instrument,
    Order,
    Position,
    Signal,
    UnknownOutcome,
)
from trading.services.clock import DEMO, set_clock

pytestmark = [pytest.mark.system, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

HELD, SOLD = "600036.SH", "600000.SH"
NUMBER = "8800123456"
REAL = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
TODAY, YESTERDAY = "2023-02-01", "2023-01-31"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def now():
    with time_machine.travel(REAL, tick=False) as clock:
        yield clock


@pytest.fixture
def world(calendar, tmp_path, monkeypatch, now) -> World:
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
    shared = SharedConsole(lambda real: build(real, world.store, tmp_path))
    monkeypatch.setattr(views, "console_now", shared)
    return world


def person(*permissions: str, staff: bool = False, language: str = "en") -> Client:
    user = get_user_model().objects.create_user(f"p{os.urandom(4).hex()}", is_staff=staff)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client(headers={"accept-language": language})
    client.force_login(user)
    return client


@pytest.fixture
def reader(world) -> Client:
    return person("view_account")


def text(client: Client, name: str, pk: int | None = None, **query: str) -> str:
    address = reverse(name, args=[] if pk is None else [pk])
    response = client.get(f"{address}?{urlencode(query)}")
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def words_of(page: str) -> str:
    """The page as a person reads it."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def pages(world: World) -> list[tuple[str, int | None]]:
    return [("orders", None), ("signals", None), ("holding", Position.objects.get(symbol=HELD).pk)]


def denial(world: World, code: str = "CASH", at: str = "09:31:00", **row) -> Denial:
    values = {"account": world.account, "symbol": HELD, "kind": "add_on", "code": code,
              "text_en": "needs 35,000.00 yuan", "text_zh": "需要 35,000.00 元", "at": world.moment(at), **row}  # fmt: skip
    return Denial.objects.create(**values)


# -- orders and fills


def test_an_order_and_its_re_orders_are_one_thing_with_its_reason(world, reader):
    chain = world.orders()
    assert len(chain) >= 2
    page = words_of(text(reader, "orders"))
    signal = world.signals()[0]
    assert page.count(signal.reason_en) == 1
    assert "decided by: automatic rule" in page
    assert "re-order 1" in page
    assert "its time ran out" in page
    for order in chain:
        assert order.client_order_id in page
    assert f"filled {sum(order.filled_quantity for order in chain):,} / 1,000" in page


def test_a_working_order_counts_its_timeout_down(world, reader, now):
    def left(page: str) -> int:
        [seconds] = re.findall(r'data-left="(\d+)" data-runs="1"', page)
        return int(seconds)

    order = world.orders(state="submitted")[-1]
    Order.objects.filter(pk=order.pk).update(submitted_at=world.moment("09:32:15"))
    first = text(reader, "orders")
    assert left(first) == 25  # of 30 s; it is 09:32:20
    assert 'hx-trigger="every 2s"' in first
    now.move_to(REAL + timedelta(seconds=10))
    assert left(text(reader, "orders")) == 15


def test_fills_stand_under_their_order_and_others_apart(world, reader):
    fill = world.fills()[0] if world.fills() else None
    order = world.orders()[0]
    row = {"account": world.account, "trade_date": world.on, "symbol": SOLD, "side": "sell", "quantity": 300,
           "price": Decimal("9.21"), "amount": Decimal(2763), "commission": Decimal(5), "broker_order_id": 77,
           "at": world.moment("09:32:00"), "booked_at": world.moment("09:32:00")}  # fmt: skip
    Fill.objects.create(**row, order=order, traded_id="T-OURS", key="a")
    Fill.objects.create(**row, order=None, traded_id="T-OTHER", key="b")
    page = text(reader, "orders")
    ours, others = page.split("Fills this program did not order")
    assert "T-OURS" in ours
    assert "2,763.00" in others
    assert "T-OURS" not in others
    assert fill is None or fill.traded_id in ours


def test_a_cancel_by_a_person_names_the_person_and_the_words(world, reader):
    order = world.orders()[-1]
    at = world.moment("09:32:19")
    Order.objects.filter(pk=order.pk).update(
        cancel_wanted_at=at, cancelled_by_person=True, cancel_reason="PERSON", cancel_tries=1
    )
    Event.objects.create(account=world.account, at=at, level="warning", code="CANCEL_ASKED", text_en="x",
                         text_zh="x", actor="alice", detail={"client_order_id": order.client_order_id})  # fmt: skip
    page = words_of(text(reader, "orders"))
    assert "cancel asked for by alice, sent 1×" in page
    assert "已请求撤单（操作人 alice），已发送 1 次" in words_of(
        text(person("view_account", language="zh-hans"), "orders")
    )


def test_an_unknown_outcome_says_so_and_leads_to_its_page(world, reader):
    order = world.orders()[-1]
    Order.objects.filter(pk=order.pk).update(state="unknown", was_unknown=True)
    UnknownOutcome.objects.create(
        order=order, since=world.moment("09:32:10"), why_en=f"no answer to {NUMBER}", why_zh="没有回应",
        verdict_en="no list shows it", verdict_zh="各列表均无",
    )  # fmt: skip
    page = words_of(text(reader, "orders"))
    assert "Nobody knows whether the broker has it" in page
    assert "no answer to …3456 · no list shows it" in page
    link = f"/admin/trading/unknownoutcome/{order.pk}/change/"
    assert link not in page
    assert link in text(person("view_account", "view_unknownoutcome", staff=True), "orders")


def test_an_order_a_person_called_never_sent_was_not_cancelled(world, reader):
    last = world.orders()[-1]
    Order.objects.filter(pk=last.pk).update(state="absent", end_reason="PERSON")
    page = words_of(text(reader, "orders"))
    assert "a person says it was never sent" in page
    assert "cancelled by a person" not in page


def test_yesterdays_order_that_still_works_is_among_todays(world, reader):
    Order.objects.update(trade_date=world.on - timedelta(days=1))
    [*_, last] = world.orders()
    assert last.client_order_id in text(reader, "orders")
    Order.objects.filter(pk=last.pk).update(state="cancelled")
    assert last.client_order_id not in text(reader, "orders")
    assert last.client_order_id in text(reader, "orders", day=YESTERDAY)


def test_orders_are_found_by_symbol_state_day_and_account(world, reader):
    mine = str(world.account.pk)
    other = str(Account.objects.create(name="two", broker_account_id="77", mode="paper").pk)
    table = [
        ({}, True), ({"symbol": "600000"}, True), ({"symbol": "600000.sh"}, True), ({"symbol": "浦发"}, True),
        ({"symbol": "600036"}, False), ({"symbol": "招商"}, False), ({"symbol": "no such name"}, False),
        ({"state": "working"}, True), ({"state": "cancelled"}, True), ({"state": "rejected"}, False),
        ({"day": TODAY}, True), ({"day": YESTERDAY}, False), ({"every": "on"}, True),
        ({"account": mine}, True), ({"account": other}, False),
    ]  # fmt: skip
    order = world.orders()[0].client_order_id
    for query, shown in table:
        page = text(reader, "orders", **query)
        assert (order in page) is shown, query
        assert ("No orders match." in page) is not shown, query


# -- signals


def test_a_denied_signal_says_why_in_plain_words(world, reader):
    signal = world.signals()[0]
    Signal.objects.filter(pk=signal.pk).update(
        state="denied", denial_code="SELL_DISABLED", outcome_en="selling is off", outcome_zh="卖出已关闭"
    )  # fmt: skip
    page = words_of(text(reader, "signals"))
    assert signal.reason_en in page
    assert MEANINGS["SELL_DISABLED"].en in page
    assert "→ selling is off" in page
    assert MEANINGS["SELL_DISABLED"].zh in text(
        person("view_account", language="zh-hans"), "signals"
    )


def test_what_was_held_back_before_a_signal_is_there_too_and_says_whether_it_lasts(world, reader):
    denial(world)
    denial(world, "ORDER_RATE", "09:31:30", symbol=SOLD, cleared_at=world.moment("09:31:40"))
    page = words_of(text(reader, "signals"))
    assert "held back before a signal" in page
    assert "needs 35,000.00 yuan still so" in page
    assert "needs 35,000.00 yuan over since 09:31:40" in page


def test_every_denial_code_has_plain_words_in_both_languages():
    assert set(MEANINGS) == {code.value for code in DenialCode}
    for code, words in MEANINGS.items():
        assert words.en.endswith("."), code
        assert words.zh.endswith("。"), code


def test_signals_are_found_by_symbol_state_kind_code_words_and_day(world, reader):
    table = [
        ({}, "sd"), ({"symbol": "600000"}, "s"), ({"symbol": "招商"}, "d"),
        ({"state": "accepted"}, "s"), ({"state": "denied"}, "d"), ({"state": "expired"}, ""),
        ({"kind": "stop_loss"}, "s"), ({"kind": "add_on"}, "d"), ({"code": "CASH"}, "d"), ({"code": "LOT"}, ""),
        ({"words": "35,000"}, "d"), ({"words": "Stop-LOSS"}, "s"), ({"words": "止损"}, "s"), ({"words": "moon"}, ""),
        ({"day": TODAY}, "sd"), ({"day": YESTERDAY}, ""), ({"every": "on", "words": "需要"}, "d"),
        ({"symbol": "600000", "words": "35,000"}, ""),
    ]  # fmt: skip
    denied = denial(world, cleared_at=world.moment("09:32:00"))
    signal = world.signals()[0]
    for query, shown in table:
        page = text(reader, "signals", **query)
        found = {"s": f'id="s{signal.pk}"' in page, "d": f'id="d{denied.pk}"' in page}
        assert "".join(name for name, is_there in found.items() if is_there) == shown, query


def test_a_denial_of_a_signal_is_told_with_it(world, reader):
    row = denial(
        world, "GATEWAY_NOT_ARMED", symbol=SOLD, kind="stop_loss", signal=world.signals()[0]
    )
    page = text(reader, "signals", code="GATEWAY_NOT_ARMED", words="35,000")
    assert MEANINGS["GATEWAY_NOT_ARMED"].en in page
    assert f'id="d{row.pk}"' not in page


def test_from_the_overview_it_is_two_clicks_to_why_a_signal_was_denied(world, reader):
    signal = world.signals()[0]
    assert f'href="/signals/?symbol={SOLD}#s{signal.pk}"' in text(reader, "console")
    assert f'id="s{signal.pk}"' in text(reader, "signals", symbol=SOLD)


# -- one holding


def test_a_holding_shows_its_levels_and_the_one_that_would_sell_it_now(world, reader):
    page = words_of(text(reader, "holding", Position.objects.get(symbol=HELD).pk))
    assert "protected: the stop-loss sells at 9.25" in page
    assert "the price would have to fall 11.06%" in page
    assert "Stop-loss ← would sell now 9.25 -11.06% cost -7.5%: everything is sold" in page
    assert "First take-profit is watched from 10.60 +1.92% cost +6%" in page


@pytest.mark.parametrize(
    ("state", "level"),
    [
        ({"armed": True, "armed_high": "10.80", "high_since_entry": "10.80"}, "First take-profit ← would sell now 10.746"),
        ({"first_take_profit_done": True, "high_since_entry": "11.20"}, "Trailing take-profit ← would sell now 10.416"),
        ({"first_take_profit_done": True, "high_since_entry": "11.20"}, "Next trailing tier 11.50"),
    ],
)  # fmt: skip
def test_the_levels_follow_the_state_of_the_holding(world, reader, state, level):
    Position.objects.filter(symbol=HELD).update(
        **{name: Decimal(value) if isinstance(value, str) else value for name, value in state.items()}
    )  # fmt: skip
    assert level in words_of(text(reader, "holding", Position.objects.get(symbol=HELD).pk))


def test_shares_bought_today_and_what_is_out_of_the_ordinary_are_named(world, reader):
    row = Position.objects.get(symbol=HELD)
    Fill.objects.create(
        account=world.account, trade_date=world.on, symbol=HELD, side="buy", quantity=300, price=Decimal(10),
        amount=Decimal(3000), broker_order_id=5, traded_id="1", key="k", position=row,
        at=world.moment("09:31:10"), booked_at=world.moment("09:31:10"),
    )  # fmt: skip
    Position.objects.filter(pk=row.pk).update(
        stop_loss_ratio=Decimal("-0.05"), exits_paused_until=world.moment("09:36:00"), ex_rights_unverified=True,
        stale_since=world.moment("09:32:00"), broker_quantity=900,
    )  # fmt: skip
    page = words_of(text(reader, "holding", row.pk))
    for said in (
        "300 bought today (T+1)",
        "Own stop-loss ratio: -5%.",
        "Exits rest until 09:36:00.",
        "could not be verified",
        "The terminal shows 900 shares, our books 1000.",
        "cost -5%",
    ):
        assert said in page, said


def test_the_story_of_a_holding_is_told_newest_first_from_signal_to_end(world, reader):
    Event.objects.create(account=world.account, at=world.moment("09:30:10"), level="info", code="EX_RIGHTS",
                         symbol=SOLD, text_en="10 for 11 on this day", text_zh="除权", actor="system")  # fmt: skip
    denial(world, "ORDER_RATE", "09:30:50", symbol=SOLD)
    page = words_of(text(reader, "holding", Position.objects.get(symbol=SOLD).pk))
    story = page.split("newest first")[1]
    told = [
        "re-order 2",
        "re-order 1",
        "(stop loss): cancelled",
        "signal sell 1,000",
        "denial add on held back",
        "10 for 11",
    ]
    places = [story.index(one) for one in told]
    assert places == sorted(places)
    assert world.signals()[0].reason_en in story


def test_a_life_tells_nothing_of_the_one_before(world, reader):
    row = Position.objects.get(symbol=HELD)
    Position.objects.filter(pk=row.pk).update(closed_at=world.moment("09:31:00"), quantity=0)
    later = Position.objects.create(
        account=world.account, symbol=HELD, life=2, quantity=100, bought_quantity=100,
        bought_amount=Decimal(1000), opened_on=world.on,
    )  # fmt: skip
    for clock, words in (("09:30:30", "of the first"), ("09:31:30", "of the second")):
        Event.objects.create(account=world.account, at=world.moment(clock), level="info", code="X", symbol=HELD,
                             text_en=words, text_zh=words)  # fmt: skip
    first, second = text(reader, "holding", row.pk), text(reader, "holding", later.pk)
    assert ("of the first" in first, "of the second" in first) == (True, False)
    assert ("of the first" in second, "of the second" in second) == (False, True)
    assert "sold" in words_of(first).split("What happened")[0]


def test_settings_that_are_unusable_leave_no_levels_and_break_nothing(world, reader):
    config = world.account.config
    type(config).history.all().delete()
    type(config).objects.update(signal_max_age=1)
    page = text(reader, "holding", Position.objects.get(symbol=HELD).pk)
    assert "There are no usable settings" in page


def test_a_holding_that_never_was_is_not_found(world, reader):
    assert reader.get(reverse("holding", args=[10**6])).status_code == 404


def test_the_overview_leads_to_the_holding_and_to_the_lists(world, reader):
    page = text(reader, "console")
    for target in (f"/holding/{Position.objects.get(symbol=HELD).pk}/", "/orders/", "/signals/"):
        assert f'href="{target}' in page, target


# -- what is wrong is named, and nothing is lost


@pytest.mark.parametrize("name", ["orders", "signals"])
def test_a_bad_filter_is_named_and_the_others_still_hold(world, reader, name):
    table = [
        ({"day": "2023-02-31"}, "“2023-02-31” is no day"), ({"day": "yesterday"}, "“yesterday” is no day"),
        ({"day": "20230201"}, "is no day"), ({"day": "<b>"}, "“&lt;b&gt;” is no day"),
        ({"state": "gone"}, "“gone” is none of the choices"), ({"account": "9999"}, "“9999” is none of the choices"),
        ({"symbol": "6" * 21}, "at most 20 characters"), ({"after": "nowhere"}, "address of this page is damaged"),
        ({"after": "9" * 16 + "-9-" + "9" * 19}, "address of this page is damaged"),
        ({"symbol": "600000\0"}, "Null characters are not allowed"),
    ]  # fmt: skip
    Account.objects.create(name="two", broker_account_id="77", mode="paper")
    order, signal = world.orders()[0], world.signals()[0]
    there = f'id="o{order.pk}"' if name == "orders" else f'id="s{signal.pk}"'
    for query, said in table:
        page = text(reader, name, **{"symbol": "600000", **query})
        assert said in page, query
        assert there in page, query  # of 600000
        if "day" in query:  # what was typed is still in its box
            typed = query["day"].replace("<", "&lt;").replace(">", "&gt;")
            assert f'value="{typed}"' in page, query


def test_the_bad_values_are_named_in_chinese_too(world):
    page = text(
        person("view_account", language="zh-hans"),
        "signals",
        day="昨天",
        kind="x",
        words="字" * 61,
    )
    for said in ("“昨天”不是日期", "“x”不在可选范围内", "最多 60 个字符", "其余条件均已生效"):
        assert said in page, said


# -- to whom, and how


def test_who_may_not_view_accounts_sees_nothing(world):
    nobody = person("view_order", "view_signal", "view_position")
    for name, pk in pages(world):
        response = nobody.get(reverse(name, args=[] if pk is None else [pk]))
        assert response.status_code == 403
        assert HELD not in response.content.decode()


def test_a_stranger_is_sent_to_the_login_also_from_a_part_that_refreshes(world):
    assert Client().get("/orders/?day=").url == "/login/?next=/orders/%3Fday%3D"
    part = Client().get("/orders/?day=", headers={"hx-request": "true"})
    assert (part.status_code, part.headers["HX-Redirect"]) == (
        401,
        "/login/?next=%2Forders%2F%3Fday%3D",
    )
    assert Client().post("/orders/").status_code == 405


def test_only_staff_who_may_act_are_led_to_where_they_can(world):
    held = Position.objects.get(symbol=HELD).pk
    reader = person("view_account", "view_order", "view_position", staff=True)
    assert "/admin/trading/order/" in text(reader, "orders")
    assert "Cancel (in the admin)" not in text(reader, "orders")
    assert "Sell, switch" not in text(reader, "holding", held)
    trader = person("view_account", "view_order", "view_position", "trade_account", staff=True)
    order = world.orders()[-1].client_order_id
    assert f'href="/admin/trading/order/?q={order}"' in text(trader, "orders")
    assert f'href="/admin/trading/position/?held=yes&amp;q={HELD}"' in text(
        trader, "holding", held
    )
    assert "/admin/" not in text(person("view_account"), "orders")


def test_nothing_from_elsewhere_loads_and_no_script_or_style_is_in_a_page(world, reader):
    for name, pk in pages(world):
        response = reader.get(reverse(name, args=[] if pk is None else [pk]))
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert response.headers["Cache-Control"] == "no-store"
        for forbidden in ("<script>", "<style", " style=", " onclick=", "javascript:", "http://"):
            assert forbidden not in response.content.decode(), (name, forbidden)


def test_hostile_words_are_only_words_and_the_account_number_is_masked(world, reader):
    Instrument.objects.update(name="<b onload=x>")
    Signal.objects.update(reason_en=HOSTILE, outcome_en=HOSTILE, source=HOSTILE)
    Order.objects.update(message=f"{HOSTILE} {NUMBER}", source=HOSTILE)
    for symbol in (HELD, SOLD):
        denial(world, symbol=symbol, text_en=HOSTILE)
        Event.objects.create(account=world.account, at=world.moment("09:31:00"), level="info", code="X",
                             symbol=symbol, text_en=f"{HOSTILE} {NUMBER}", text_zh="", actor=HOSTILE)  # fmt: skip
    told = Position.objects.get(symbol=SOLD).pk
    for name, pk in (*pages(world), ("holding", told)):
        query = {} if pk else {"symbol": "<b onload"}
        page = text(reader, name, pk, **query)
        assert HOSTILE not in page, name
        assert "<b onload" not in page, name
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page, name
        assert NUMBER not in page, name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("orders", ["委托与成交", "止损", "次重挂", "超时撤单", "决定者：自动规则", "数据截至市场时间"]),
        ("signals", ["信号", "已采纳", "止损", "卖出", "对应委托", "配置版本"]),
        ("holding", ["受保护：止损价 9.25", "价位", "止损价", "← 当前卖出价", "首次止盈触发价", "决策与成交记录"]),
    ],
)  # fmt: skip
def test_the_pages_speak_chinese(world, name, words):
    pk = Position.objects.get(symbol=HELD).pk if name == "holding" else None
    page = words_of(text(person("view_account", language="zh-hans"), name, pk))
    for said in words:
        assert said in page, said


# -- many rows


def many(world: World, rows: int) -> None:
    """So many more signals with an order, a fill and a denial each, some at the very same moment."""
    held = Position.objects.get(symbol=HELD)
    for number in range(rows):
        at = world.moment("09:30:00") + timedelta(seconds=number // 7)
        signal = Signal.objects.create(
            account=world.account, position=held, symbol=HELD, kind="grid", side="buy", quantity=100,
            trigger_price=Decimal(10), last=Decimal(10), quote_time=at, reason_en=f"wish {number};",
            reason_zh="x", state="accepted", created_at=at, held_at=at, config_revision=1, source="grid:3",
        )  # fmt: skip
        order = Order.objects.create(
            account=world.account, signal=signal, position=held, client_order_id=f"m{number}",
            decision_key=f"m{number}", trade_date=world.on, symbol=HELD, side="buy", kind="grid", purpose="grid",
            quantity=100, chain_quantity=100, price=Decimal(10), state="filled", filled_quantity=100,
            filled_amount=Decimal(1000), approved_at=at, expires_at=at, config_revision=1, source="grid:3",
        )  # fmt: skip
        Fill.objects.create(
            account=world.account, order=order, position=held, trade_date=world.on, symbol=HELD, side="buy",
            quantity=100, price=Decimal(10), amount=Decimal(1000), broker_order_id=number, traded_id=str(number),
            key=f"m{number}", at=at, booked_at=at,
        )  # fmt: skip
        denial(world, signal=signal, kind="grid", at=f"{at:%H:%M:%S}", cleared_at=at)


def test_paging_shows_every_row_once_also_rows_of_one_moment(world, reader):
    many(world, 70)
    for name, pattern in (("orders", r">(m\d+)<"), ("signals", r"(wish \d+;)")):
        seen, address = [], f"/{name}/?symbol=600036"
        while address:
            page = reader.get(address).content.decode()
            found = re.findall(pattern, page)
            assert len(found) <= PAGE
            seen += found
            link = re.search(r'<a href="([^"]+)" id="older"', page)
            address = link[1].replace("&amp;", "&") if link else ""
        assert len(seen) == len(set(seen)) == 70, name
        assert re.sub(r"\D", "", seen[-1]) == "0"


def test_a_story_of_many_tables_is_paged_without_loss(world, reader):
    many(world, 30)
    address, seen = reverse("holding", args=[Position.objects.get(symbol=HELD).pk]), 0
    while address:
        page = reader.get(address).content.decode()
        seen += page.count("<li><span><time")
        link = re.search(r'<a href="([^"]+)" id="older"', page)
        address = link[1].replace("&amp;", "&") if link else ""
    assert seen >= 4 * 30
    assert seen - 4 * 30 == Event.objects.filter(symbol=HELD).count()


def test_the_number_of_queries_does_not_grow_with_the_page(world, reader):
    def cost() -> dict[str, int]:
        counted = {}
        for name, pk in pages(world):
            with CaptureQueriesContext(connection) as captured:
                text(reader, name, pk)
            counted[name] = len(captured)
        return counted

    cost()
    few = cost()
    many(world, 60)
    assert cost() == few
    assert max(few.values()) <= 24
