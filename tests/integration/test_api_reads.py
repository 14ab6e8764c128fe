"""What the JSON API answers of a day that really ran: what the console says, as the document describes it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from monitoring import views as pages
from monitoring.api.shapes import number
from monitoring.api.table import READS
from monitoring.models import Finding
from tests.integration.api_scenes import (
    V1,
    Program,
    a_day,
    everything,
    fresh_server,
    is_as_documented,
    path_of,
    problem_of,
)
from tests.integration.record_scenes import (
    HELD,
    HOSTILE,
    NUMBER,
    REAL,
    SOLD,
    TODAY,
    YESTERDAY,
)
from tests.world import World
from trading.models import (
    Account,
    Event,
    Fill,
    Instrument,
    Order,
    Position,
    Signal,
    UnknownOutcome,
    WatchedSymbol,
)

pytestmark = [pytest.mark.system, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]


@pytest.fixture
def world(calendar, tmp_path, monkeypatch, now) -> World:
    return a_day(tmp_path, monkeypatch)


@pytest.fixture
def program(world) -> Program:
    return Program(scopes=["read"])


# -- the document


def test_the_document_is_served_to_whoever_may_call_anything(world, program):
    response = program.get("/openapi.json")
    assert response.json()["openapi"] == "3.1.0"
    again = program.get("/openapi.json", **{"if-none-match": response.headers["ETag"]})
    assert again.status_code == 304
    assert program.client.get(f"{V1}/openapi.json").status_code == 401


def test_every_read_answers_what_the_document_says_of_it(world, program):
    rows = everything(world)
    for one in READS:
        response = program.get(path_of(one, rows))
        assert response.status_code == 200, (one.name, response.content)
        assert response.headers["Content-Type"] == "application/json"
        is_as_documented(one, response.json())
        assert NUMBER not in response.content.decode(), one.name
        items = response.json().get("items")
        assert items is None or items or one.name in ("backups", "fills", "quotes"), one.name


# -- the same as the console


def test_holdings_say_what_the_console_says(world, program):
    [account] = pages.console_now.at(REAL).accounts
    body = program.get("/holdings").json()
    assert len(body["items"]) == len(account.holdings) == 2
    for said, view in zip(body["items"], account.holdings, strict=True):
        one = said["holding"]
        assert (one["pk"], one["symbol"], one["quantity"]) == (view.pk, view.symbol, view.quantity)
        assert said["account"] == account.pk
        assert one["status"]["code"] == view.status.value
        assert one["words"] == {"en": view.words.en, "zh": view.words.zh}
        for name in ("cost", "last", "sale_price", "profit_ratio", "distance"):
            value = getattr(view, name)
            assert one[name] == (None if value is None else number(value)), name
    held = next(one["holding"] for one in body["items"] if one["holding"]["symbol"] == HELD)
    assert (held["last"], held["cost"]) == ("10.40", "10.00")
    assert held["quote_at"].startswith("2023-02-01T09:32:")
    assert held["sale_kind"] == {"code": "stop_loss", "en": "stop loss", "zh": "止损"}


def test_what_is_not_known_is_null_and_never_zero(world, program):
    Account.objects.update(cash=None, total_asset=None)
    world.store.latest = lambda symbols: {}
    body = program.get("/overview").json()["accounts"][0]
    assert (body["cash"], body["total"], body["day_profit"]) == (None, None, None)
    held = program.get("/holdings").json()["items"][0]["holding"]
    assert (held["last"], held["profit"], held["distance"]) == (None, None, None)


def test_a_holding_has_its_levels_and_its_story(world, program):
    sold = Position.objects.get(symbol=SOLD)
    body = program.get(f"/holdings/{sold.pk}").json()
    assert body["name"] == "浦发银行"
    assert [one["kind"]["code"] for one in body["levels"] if one["sells_now"]] == ["stop_loss"]
    what = [entry["what"]["en"] for entry in body["story"]]
    assert {"signal", "order"} <= set(what)
    assert program.get("/holdings/999999").status_code == 404
    assert program.get(f"/holdings/{10**30}").status_code == 404


def test_a_chain_of_orders_is_one_thing_with_its_reason(world, program):
    [chain] = program.get("/orders").json()["items"]
    orders = world.orders()
    assert [one["client_order_id"] for one in chain["orders"]] == [
        order.client_order_id for order in orders
    ]
    assert (chain["quantity"], chain["average"]) == (1000, None)
    assert chain["reason"]["en"] == world.signals()[0].reason_en
    assert chain["orders"][0]["end"]["en"] == "its time ran out"


# -- looking for something


def test_records_are_found_by_the_filters_of_the_pages(world, program):
    everything(world)
    mine = world.account.pk
    table = [
        ("/orders", "", 1), ("/orders", "symbol=600000", 1), ("/orders", "symbol=浦发", 1),
        ("/orders", "symbol=600036", 0), ("/orders", "state=working", 1), ("/orders", "state=rejected", 0),
        ("/orders", f"day={YESTERDAY}", 0), ("/orders", f"day={TODAY}&account={mine}", 1), ("/orders", "every=true", 1),
        ("/signals", "", 2), ("/signals", "state=accepted", 1), ("/signals", "code=CASH", 1),
        ("/signals", "words=35,000", 1), ("/signals", "kind=stop_loss", 1), ("/signals", "words=moon", 0),
        ("/events", "code=GRID_STARTED", 1), ("/events", "words=no such words", 0), ("/events", "level=alarm&code=X", 0),
        ("/fills", "", 0), ("/holdings", "symbol=600036", 1), ("/holdings", f"account={mine}", 2),
        ("/grids", "status=open", 1), ("/grids", "status=stopped", 0), ("/grids", "symbol=600000", 0),
        ("/unknown-outcomes", "", 1), ("/unknown-outcomes", "account=9999", 0), ("/reports", f"on={YESTERDAY}", 0),
    ]  # fmt: skip
    for path, query, count in table:
        response = program.get(f"{path}?{query}")
        assert len(response.json().get("items", [])) == count, (path, query, response.content)


def test_a_bad_parameter_is_named_with_what_would_be_right(world, program):
    table = [
        ("/orders", "day=2023-02-31", "day", "2023-02-31"), ("/orders", "state=gone", "state", "gone"),
        ("/orders", "account=9999", "account", "9999"), ("/orders", "symbol=" + "6" * 21, "symbol", "6" * 21),
        ("/orders", "after=nowhere", "after", "nowhere"), ("/orders", "colour=red", "colour", "red"),
        ("/orders", "account=x", "account", "x"), ("/orders", "every=perhaps", "every", "perhaps"),
        ("/orders", "symbol=a%00", "symbol", "a\0"), ("/holdings", "account=9999", "account", "9999"),
        ("/signals", "code=NOPE", "code", "NOPE"), ("/signals", "after=" + "9" * 16 + "-9-" + "9" * 19, "after", None),
        ("/quotes", "symbols=nothing", "symbols", "nothing"), ("/quotes", "page=0", "page", "0"),
        ("/overview", "x=1", "x", "1"), ("/orders", "state=working&state=filled", "state", None),
    ]  # fmt: skip
    for path, query, field, value in table:
        problem = problem_of(program.get(f"{path}?{query}"))
        assert (problem["status"], problem["field"]) == (422, field), (path, query)
        assert value is None or problem["value"] == value, query
        told = problem["remedy"] or problem["text"]
        assert told["en"], query
        assert told["zh"], query


def test_all_that_is_wrong_is_named_at_once(world, program):
    problem = problem_of(program.get("/orders?day=soon&state=gone&colour=red"))
    assert {one["field"] for one in problem["errors"]} == {"day", "state", "colour"}


def test_pages_follow_each_other_without_loss(world, program):
    at = world.moment("09:30:00")
    for count in range(70):
        Event.objects.create(
            account=world.account, at=at + timedelta(seconds=count // 7), level="info",
            code="MANY", text_en=str(count), text_zh="x",
        )  # fmt: skip
    seen, after = [], ""
    while after is not None:
        body = program.get(f"/events?code=MANY{after and '&after=' + after}").json()
        seen += [one["words"]["en"] for one in body["items"]]
        after = body["next"]
    assert len(seen) == len(set(seen)) == 70


# -- what it costs, and what stays the same


def test_an_answer_that_did_not_change_is_not_sent_again(world, program, now):
    for path in ("/holdings", "/orders", f"/accounts/{world.account.pk}/configuration"):
        first = program.get(path)
        again = program.get(path, **{"if-none-match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b""), path
    etag = program.get("/holdings").headers["ETag"]
    now.shift(2)
    later = program.get("/holdings", **{"if-none-match": etag})
    assert later.status_code == 304  # only the clock went on
    Position.objects.filter(symbol=HELD).update(quantity=900)
    now.shift(2)
    assert program.get("/holdings", **{"if-none-match": etag}).status_code == 200


def test_the_console_is_built_and_written_once_a_second_for_all(world, program):
    for path in ("/holdings", "/overview"):
        program.get(path)
    with CaptureQueriesContext(connection) as captured:
        assert program.get("/holdings").content == program.get("/holdings").content
        program.get("/overview")
    assert len(captured) == 0


def test_a_kept_answer_is_of_its_own_address(world, program):
    all_of_them = program.get("/holdings").json()["items"]
    one = program.get("/holdings?symbol=600036").json()["items"]
    assert (len(all_of_them), len(one)) == (2, 1)


def test_the_number_of_queries_does_not_grow_with_the_rows(world, now, monkeypatch):
    def cost() -> dict[str, int]:
        counted = {}
        for one in READS:
            fresh_server(monkeypatch)  # nothing is remembered
            now.shift(2)
            with CaptureQueriesContext(connection) as captured:
                assert program.get(path_of(one, rows)).status_code == 200
            counted[one.name] = len(captured)
        return counted

    program, rows = Program(scopes=["read"]), everything(world)
    many(world, range(2))
    cost()
    few = cost()
    many(world, range(2, 40))
    assert cost() == few
    assert max(few.values()) <= 45


def many(world: World, rows: range) -> None:
    """More holdings, signals, orders, fills, events, findings."""
    for count in rows:
        at = world.moment("09:30:00") + timedelta(seconds=count)
        symbol = f"60{count + 1000:04d}.SH"
        held = Position.objects.create(
            account=world.account, symbol=symbol, quantity=100, bought_quantity=100, bought_amount=Decimal(1000),
            opened_on=world.on - timedelta(days=1), life=1, broker_quantity=100, broker_sellable=100,
        )  # fmt: skip
        signal = Signal.objects.create(
            account=world.account, position=held, symbol=symbol, kind="grid", side="buy", quantity=100,
            trigger_price=Decimal(10), last=Decimal(10), quote_time=at, reason_en="x", reason_zh="x",
            state="accepted", created_at=at, held_at=at, config_revision=1, source="grid:3",
        )  # fmt: skip
        order = Order.objects.create(
            account=world.account, signal=signal, position=held, client_order_id=f"m{count}",
            decision_key=f"m{count}", trade_date=world.on, symbol=symbol, side="buy", kind="grid", purpose="grid",
            quantity=100, chain_quantity=100, price=Decimal(10), state="filled", filled_quantity=100,
            filled_amount=Decimal(1000), approved_at=at, expires_at=at, config_revision=1, source="grid:3",
        )  # fmt: skip
        Fill.objects.create(
            account=world.account, order=order, position=held, trade_date=world.on, symbol=symbol, side="buy",
            quantity=100, price=Decimal(10), amount=Decimal(1000), broker_order_id=count, traded_id=str(count),
            key=f"m{count}", at=at, booked_at=at,
        )  # fmt: skip
        Event.objects.create(
            account=world.account, at=at, level="info", code="M", text_en="x", text_zh="x"
        )
        Finding.objects.create(
            account=world.account, code="M", subject=str(count), level="alarm", text_en="x", text_zh="x",
            since=at, seen_at=REAL,
        )  # fmt: skip
        UnknownOutcome.objects.create(order=order, since=at, why_en="x", why_zh="x")
        WatchedSymbol.objects.create(account=world.account, symbol=symbol, added_at=REAL)


# -- others' words


def test_hostile_words_are_only_words_wherever_the_answer_is_put(world, program):
    everything(world)
    Instrument.objects.update(name=HOSTILE)
    Order.objects.update(message=f"{HOSTILE} {NUMBER}\u2028")
    Signal.objects.update(reason_en=HOSTILE)
    Event.objects.create(
        account=world.account, at=world.moment("09:31:00"), level="info", code="X", text_en=f"{HOSTILE}&{NUMBER}",
        text_zh='"}\\', actor=HOSTILE,
    )  # fmt: skip
    for path in ("/orders", "/signals", "/events?code=X", "/holdings", "/grids"):
        response = program.get(path)
        text = response.content.decode()
        for mark in "<>&\u2028":
            assert mark not in text, (path, mark)
        assert NUMBER not in text, path
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    [event] = program.get("/events?code=X").json()["items"]
    assert (event["words"]["en"], event["words"]["zh"]) == (f"{HOSTILE}&…{NUMBER[-4:]}", '"}\\')
    problem = problem_of(program.get("/orders?state=<script>"))
    assert problem["value"] == "<script>"
