"""Orders & fills, signals, one holding: what the pages say of a day that really ran, to whom, and what they cost."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from monitoring.console.denial_words import MEANINGS
from monitoring.console.paging import PAGE
from tests.integration.record_scenes import (
    HELD,
    HOSTILE,
    NUMBER,
    REAL,
    SOLD,
    TODAY,
    YESTERDAY,
    a_sold_morning,
    denial,
    person,
    text,
    words_of,
)
from tests.world import World
from trading.domain.types import DenialCode
from trading.models import (
    Account,
    Event,
    Fill,
    Instrument,
    Order,
    Position,
    Signal,
    UnknownOutcome,
)
from trading.services import config

pytestmark = [pytest.mark.system, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]


@pytest.fixture
def world(calendar, tmp_path, monkeypatch, now) -> World:
    return a_sold_morning(tmp_path, monkeypatch)


@pytest.fixture
def reader(world) -> Client:
    return person("view_account")


def pages(world: World) -> list[tuple[str, int | None]]:
    return [("orders", None), ("signals", None), ("holding", Position.objects.get(symbol=HELD).pk)]


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


def test_what_a_working_order_waits_for_is_said(world, reader):
    order = world.orders(state="submitted")[-1]
    table = [
        ({"state": "approved", "expires_at": world.moment("09:32:25")}, "is dropped if not sent within 0:05"),
        ({"state": "submitted", "limit_down": order.price}, "keeps its place at limit-down"),
        ({"limit_down": order.price - 1, "kind": "first_take_profit"}, "times out (300 s) in"),
    ]  # fmt: skip
    for fields, said in table:
        Order.objects.filter(pk=order.pk).update(**fields)
        assert said in words_of(text(reader, "orders")), said
    config.change(world.account.pk, {"sell_monitor_enabled": "false"}, actor=None, why="test")
    assert "no timeout: rests until the close" in words_of(text(reader, "orders"))


def test_today_is_each_accounts_own_today(world, reader):
    """The demo's market is in 2023, a live account's is now."""
    [first, *_] = world.orders()
    live = Account.objects.create(name="real", broker_account_id="77", mode="live")
    for number, on in enumerate((REAL.date() + timedelta(days=1), REAL.date())):
        first.pk, first.account, first.position, first.signal = None, live, None, None
        first.client_order_id, first.decision_key, first.trade_date = (
            f"L{number}",
            f"L{number}",
            on,
        )
        first.save(force_insert=True)
    page = text(reader, "orders")
    assert world.orders()[0].client_order_id in page
    assert ("L0<" in page, "L1<" in page) == (True, False)
    assert "each account by its own clock" in page


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
        ({"words": "可用资金不足"}, "d"), ({"words": "usable CASH"}, "d"),
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


# -- from the overview


def test_the_overview_leads_to_the_holding_and_to_the_lists(world, reader):
    page = text(reader, "console")
    for target in (f"/holding/{Position.objects.get(symbol=HELD).pk}/", "/orders/", "/signals/"):
        assert f'href="{target}' in page, target


# -- what is wrong is named, and nothing is lost


@pytest.mark.parametrize("name", ["orders", "signals"])
def test_f166_a_bad_filter_is_named_and_the_others_still_hold(world, reader, name):
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
    assert "data-act" not in text(reader, "orders")
    assert "data-act" not in text(reader, "holding", held)
    trader = person("view_account", "trade_account")  # the console asks for no access to the admin
    order = world.orders()[-1].pk
    assert f'href="{reverse("act", args=("cancel", order))}"' in text(trader, "orders")
    assert f'href="{reverse("act", args=("sell", held))}"' in text(trader, "holding", held)
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
    assert max(few.values()) <= 27
