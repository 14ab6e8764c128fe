from __future__ import annotations

import json
import logging
import socket
import threading
import time
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest

from tests.unit.paper.market_day import ACCOUNT, BANK, STAR, exchange, quote
from tests.unit.paper.terminal_over_tcp import TOKEN, Running, eventually, with_token
from tests.unit.paper.test_terminal import Heard
from trading.paper import tcp, tcp_client, transport, wire, xtdata
from trading.paper import xtconstant as xt
from trading.paper.store import Store
from trading.paper.wire import BadLine, Lines
from trading.paper.xttrader import XtQuantTrader
from trading.paper.xttype import StockAccount

pytestmark = [pytest.mark.system, pytest.mark.unattended]

US = StockAccount(ACCOUNT)


@pytest.fixture
def running(monkeypatch):
    with_token(monkeypatch)
    served = Running()
    yield served
    served.stop()


def trader_of(running: Running, session: int = 100) -> tuple[XtQuantTrader, Heard]:
    heard = Heard()
    trader = XtQuantTrader(running.server.address, session, heard)
    trader.start()
    assert trader.connect() == 0
    assert trader.subscribe(US) == 0
    return trader, heard


def buy(trader: XtQuantTrader, remark: str, volume: int = 100, price: float = 10.01) -> int:
    return trader.order_stock_async(
        US, str(BANK), xt.STOCK_BUY, volume, xt.FIX_PRICE, price, "mini", remark
    )


def raw(running: Running, *lines: bytes) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", running.server.port), timeout=5)
    for one in lines:
        line.sendall(one)
    return line


def is_closed(line: socket.socket) -> bool:
    """Whether the other side hung up, once everything it said is read."""
    try:
        with suppress(ConnectionError):
            while line.recv(65536):
                pass
    except TimeoutError:
        return False
    return True


HELLO = json.dumps({"token": TOKEN}).encode() + b"\n"


# what a program sees ------------------------------------------------------------------------------------------


def test_an_order_answers_then_reports_every_status_then_the_fill(running):
    trader, heard = trader_of(running)
    seq = buy(trader, "M1", 500)
    assert eventually(lambda: len(heard.all) == 6)
    assert heard.kinds() == [
        "order_stock_async_response", "stock_order", "stock_order", "stock_order", "stock_trade",
        "stock_order",
    ]  # fmt: skip
    [response] = heard.of("order_stock_async_response")
    assert (response.seq, response.order_remark) == (seq, "M1")
    assert [order.order_status for order in heard.of("stock_order")] == [48, 49, 50, 56]
    assert trader.query_stock_order(US, response.order_id).traded_volume == 500
    trader.stop()


def test_queries_answer_at_once_and_in_the_vendors_objects(running):
    trader, _ = trader_of(running)
    asset, [position] = trader.query_stock_asset(US), trader.query_stock_positions(US)
    assert (asset.cash, position.stock_code, position.volume) == (100_000.0, str(BANK), 1_000)
    assert trader.query_stock_orders(US) == []
    assert trader.query_stock_trades(StockAccount("nobody")) is None
    trader.stop()


def test_all_callbacks_run_one_after_the_other_on_one_thread(running, monkeypatch):
    trader, heard = trader_of(running)
    threads: set[str] = set()

    def slowly(order: object) -> None:
        threads.add(threading.current_thread().name)
        time.sleep(0.001)

    monkeypatch.setattr(heard, "on_stock_order", slowly)
    for number in range(20):
        buy(trader, f"M{number}", price=9.0 + number / 100)
    answers = "order_stock_async_response"
    assert eventually(lambda: len(heard.of(answers)) == 20)
    assert [one.order_remark for one in heard.of(answers)] == [f"M{n}" for n in range(20)]
    assert threads == {"paper-terminal"}
    trader.stop()


def test_a_thousand_orders_are_answered_and_none_is_lost_or_doubled(monkeypatch):
    with_token(monkeypatch)
    running = Running(made=exchange(cash=Decimal(10_000_000)))
    trader, heard = trader_of(running)
    started = time.monotonic()
    seqs = [buy(trader, f"M{number}", price=9.50) for number in range(1_000)]
    assert eventually(lambda: len(heard.of("order_stock_async_response")) >= 1_000, 30)
    assert time.monotonic() - started < 20
    assert [one.seq for one in heard.of("order_stock_async_response")] == seqs
    assert len({one.order_id for one in trader.query_stock_orders(US)}) == 1_000
    assert trader.swallowed == []
    trader.stop()
    running.stop()


def test_a_query_inside_a_callback_is_answered_when_responses_are_relaxed(running, monkeypatch):
    trader, heard = trader_of(running)
    trader.set_relaxed_response_order_enabled(True)
    found: list[float] = []
    monkeypatch.setattr(
        heard, "on_stock_trade", lambda trade: found.append(trader.query_stock_asset(US).cash)
    )
    buy(trader, "M1", 100)
    assert eventually(lambda: found)
    assert found == [pytest.approx(100_000 - 1001 - 5.01)]
    assert eventually(
        lambda: heard.kinds()[-1:] == ["stock_order"]
    )  # nothing read meanwhile is lost
    assert heard.of("stock_order")[-1].order_status == xt.ORDER_SUCCEEDED
    trader.stop()


def test_quotes_are_pushed_from_the_first_one_after_the_subscription(running):
    data = xtdata.connect_to(running.server.address)
    assert data.get_full_tick([BANK])[BANK]["lastPrice"] == 10.0
    seen: list[Any] = []
    number = data.subscribe_whole_quote(["SH"], seen.append)
    running.source.show(quote("10:00:03", "10.02", 11_000), quote("10:00:06", "10.03", 12_000))
    assert eventually(lambda: len(seen) == 2)  # two of one symbol in one breath: both are seen
    assert [one[BANK]["lastPrice"] for one in seen] == [10.02, 10.03]
    data.unsubscribe_quote(number)
    detail = data.get_instrument_detail(str(STAR))
    assert detail is not None
    assert detail["InstrumentName"] == "华兴源创"
    data.disconnect()


# connections that end -----------------------------------------------------------------------------------------


def test_a_closing_terminal_is_heard_of_once_and_can_be_connected_to_again(monkeypatch):
    with_token(monkeypatch)
    first = Running()
    trader, heard = trader_of(first)
    first.stop()
    assert eventually(lambda: heard.kinds() == ["disconnected"])
    assert trader.connect() == -1
    assert (trader.query_stock_asset(US), buy(trader, "M1")) == (None, -1)
    second = Running(port=first.server.port)
    assert (trader.connect(), trader.subscribe(US)) == (0, 0)
    assert buy(trader, "M2") > 0
    assert eventually(lambda: heard.of("stock_trade"))
    trader.stop()
    second.stop()
    assert heard.kinds().count("disconnected") == 1  # one that stopped by itself is not told


def test_a_program_that_dies_frees_its_session(running):
    trader, heard = trader_of(running)
    other = XtQuantTrader(running.server.address, 100, Heard())
    other.start()
    assert other.connect() == -1
    assert isinstance(trader._connection, tcp_client.TcpConnection)
    trader._connection._hang_up()  # as the system does for a program that was killed
    assert eventually(lambda: heard.kinds() == ["disconnected"])
    assert eventually(lambda: other.connect() == 0)
    other.stop()


def test_a_silent_terminal_fails_like_the_vendors_in_bounded_time(running, monkeypatch):
    trader, _ = trader_of(running)
    monkeypatch.setattr(wire, "DEADLINE", 0.2)
    monkeypatch.setattr(running.terminal, "request", lambda client, message: time.sleep(0.5))
    started = time.monotonic()
    assert trader.query_stock_asset(US) is None
    assert trader.order_stock(US, BANK, xt.STOCK_BUY, 100, xt.FIX_PRICE, 10.0) == -1
    assert time.monotonic() - started < 2
    trader.stop()


def test_f112_calls_that_time_out_and_lines_that_are_opened_anew_leave_no_thread_behind(
    running, monkeypatch
):
    monkeypatch.setattr(wire, "DEADLINE", 0.05)
    answer, silent = running.terminal.request, lambda client, message: time.sleep(0.1)
    before = threading.active_count()
    for _ in range(8):
        monkeypatch.setattr(running.terminal, "request", answer)
        monkeypatch.setattr(wire, "DEADLINE", 5.0)
        trader, _ = trader_of(running)
        monkeypatch.setattr(running.terminal, "request", silent)
        monkeypatch.setattr(wire, "DEADLINE", 0.05)
        for _ in range(3):
            assert trader.query_stock_asset(US) is None
        assert threading.active_count() <= before + 1
        trader.stop()
    eventually(lambda: threading.active_count() == before)


def test_a_slow_program_is_dropped_and_nobody_waits_for_it(running, monkeypatch, caplog):
    monkeypatch.setattr(tcp, "BACKLOG", 100_000)
    quick, _ = trader_of(running)
    slow = raw(running, HELLO)
    ask = {"id": 1, "ask": {"op": "query_stock_positions", "account_id": ACCOUNT}}
    with suppress(ConnectionError):
        for _ in range(100):  # it asks for some 50 MB and reads nothing
            slow.sendall((json.dumps(ask).encode() + b"\n") * 1_000)
    assert eventually(lambda: "does not read" in caplog.text)
    started = time.monotonic()
    assert quick.query_stock_asset(US).cash == 100_000
    assert time.monotonic() - started < 1
    slow.close()
    quick.stop()


# who is let in ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x", "\udce4"])
def test_a_wrong_token_is_not_let_in(running, monkeypatch, token):
    with_token(monkeypatch, token)
    with pytest.raises(ConnectionError, match="lets nobody in"):
        transport.open_connection(running.server.address, lambda message: None)
    trader = XtQuantTrader(running.server.address, 1, Heard())
    trader.start()
    assert trader.connect() == -1
    with pytest.raises(Exception, match="无法连接"):
        xtdata.connect_to(running.server.address)


@pytest.mark.parametrize(
    "first",
    [
        b"\n",
        b"{}\n",
        b"[1]\n",
        b"null\n",
        b'{"token": null}\n',
        b'{"token": ["a"]}\n',
        b"\x80\x04\x95pickle\n",
        b"GET / HTTP/1.1\r\n",
        b"[" * 4000 + b"\n",
        b"x" * 5000,
        b'{"id": 1, "ask": {"op": "query_account_status"}}\n',
    ],
)
def test_anything_but_the_token_first_closes_the_connection(running, first):
    line = raw(running, first)
    assert is_closed(line)
    line.close()


def test_who_says_nothing_is_not_waited_for_for_ever(running, monkeypatch):
    monkeypatch.setattr(wire, "DEADLINE", 0.1)
    line = raw(running, HELLO[:10])
    assert is_closed(line)
    line.close()


def test_the_token_is_neither_logged_nor_shown(running, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    secret = "a token nobody may read"
    with_token(monkeypatch, secret)
    with pytest.raises(ConnectionError) as told:
        transport.open_connection(running.server.address, lambda message: None)
    assert eventually(lambda: "right token" in caplog.text)
    assert secret not in caplog.text + str(told.value)
    assert TOKEN not in caplog.text + running.server.address


def test_the_token_is_read_from_the_file_the_environment_names(running, monkeypatch, tmp_path):
    monkeypatch.setattr(tcp_client, "_token_source", [])
    with pytest.raises(ConnectionError, match="MINIQMT_PAPER_TOKEN_FILE"):
        transport.open_connection(running.server.address, lambda message: None)
    (tmp_path / "token").write_text(TOKEN + "\n", encoding="utf-8")
    monkeypatch.setenv("MINIQMT_PAPER_TOKEN_FILE", str(tmp_path / "token"))
    transport.open_connection(running.server.address, lambda message: None).close()


@pytest.mark.parametrize(
    "address", ["tcp://", "tcp://10.0.0.1:80", "tcp://127.0.0.1:x", "tcp://:1"]
)
def test_the_token_never_leaves_the_machine(monkeypatch, address):
    with_token(monkeypatch)
    with pytest.raises(ConnectionError, match="no address"):
        transport.open_connection(address, lambda message: None)


def test_a_server_without_a_token_does_not_start(running):
    with pytest.raises(ValueError, match="token"):
        tcp.Server(running.terminal, "", running.now)


# what arrives -------------------------------------------------------------------------------------------------

ORDER = {
    "op": "order_stock",
    "seq": 1,
    "account_id": ACCOUNT,
    "stock_code": BANK,
    "order_type": xt.STOCK_BUY,
    "order_volume": 100,
    "price_type": xt.FIX_PRICE,
    "price": 10.0,
    "strategy_name": "",
    "order_remark": "M1",
}


@pytest.mark.parametrize(
    "request_",
    [
        None,
        5,
        {},
        {"op": "nothing"},
        {"op": "query_stock_asset"},
        {"op": "get_full_tick", "codes": 7},
        ORDER | {"order_volume": "100"},
        ORDER | {"order_volume": 100.0},
        ORDER | {"order_volume": True},
        ORDER | {"price": "cheap"},
        ORDER | {"order_remark": None},
        ORDER | {"stock_code": "600036"},
        ORDER | {"stock_code": ["600036.SH"]},
        {name: value for name, value in ORDER.items() if name != "price"},
    ],
)
@pytest.mark.parametrize("how", ["ask", "post"])
def test_a_request_that_makes_no_sense_ends_only_its_own_connection(running, request_, how):
    trader, _ = trader_of(running)
    line = raw(running, HELLO, json.dumps({"id": 1, how: request_}).encode() + b"\n")
    assert is_closed(line)
    line.close()
    assert trader.query_stock_orders(US) == []
    trader.stop()


def test_lines_may_arrive_in_any_pieces(running):
    ask = json.dumps({"id": 7, "ask": {"op": "query_account_status"}}).encode() + b"\n"
    line = raw(running)
    for byte in HELLO + ask:
        line.sendall(bytes([byte]))
    read = b""
    while read.count(b"\n") < 2:
        read += line.recv(65536)
    assert [json.loads(one) for one in read.splitlines()] == [
        {"welcome": 1},
        {"id": 7, "result": [{"account_id": ACCOUNT, "account_type": 2, "status": 0}]},
    ]
    line.close()


def test_a_line_longer_than_the_bound_ends_the_connection(running, monkeypatch):
    monkeypatch.setattr(wire, "LONGEST_REQUEST", 100_000)
    line = raw(running, HELLO)
    with suppress(ConnectionError):
        for _ in range(100):
            line.sendall(b"x" * 50_000)
    assert is_closed(line)
    line.close()


def test_lines_are_cut_wherever_they_were_broken():
    lines = Lines(20)
    for piece in (b"", b'{"a"', b":1}", b'\n{"b":2}\n{"c', b'":3}\n'):
        lines.push(piece)
    assert [lines.next() for _ in range(4)] == [{"a": 1}, {"b": 2}, {"c": 3}, None]
    lines.push(b"x" * 21)
    with pytest.raises(BadLine, match="longer"):
        lines.next()


def test_a_decimal_travels_as_text():
    assert wire.encode({"price": Decimal("10.10")}) == b'{"price":"10.10"}\n'
    with pytest.raises(TypeError):
        wire.encode({"price": object()})


# the store ----------------------------------------------------------------------------------------------------


def test_what_was_answered_is_in_the_store_of_the_next_start(monkeypatch, tmp_path):
    with_token(monkeypatch)
    path = tmp_path / "paper.sqlite3"
    running = Running(store=lambda: Store(path))
    trader, heard = trader_of(running)
    buy(trader, "M1", 500)
    assert eventually(lambda: heard.of("stock_trade"))
    running.stop()
    again = Running(store=lambda: Store(path))
    trader, _ = trader_of(again)
    [order] = trader.query_stock_orders(US)
    assert (order.order_remark, order.order_status) == ("M1", xt.ORDER_SUCCEEDED)
    assert [trade.traded_volume for trade in trader.query_stock_trades(US)] == [500]
    trader.stop()
    again.stop()
