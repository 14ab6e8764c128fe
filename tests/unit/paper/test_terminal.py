from __future__ import annotations

import json
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.unit.paper.market_day import (
    ACCOUNT,
    BANK,
    CASH,
    MONDAY,
    TUESDAY,
    at,
    exchange,
    levels,
    quote,
)
from trading.domain.types import BookStatus
from trading.paper import transport, xtdata
from trading.paper import xtconstant as xt
from trading.paper.delivery import Delivery
from trading.paper.store import Store
from trading.paper.terminal import Terminal
from trading.paper.xttrader import Deadlock, XtQuantTrader, XtQuantTraderCallback
from trading.paper.xttype import StockAccount

pytestmark = [pytest.mark.fast, pytest.mark.orders]

PATH = "memory://test"
US = StockAccount(ACCOUNT)


class Heard(XtQuantTraderCallback):
    """Keeps everything that arrives, as (kind, object), in order."""

    def __init__(self) -> None:
        self.all: list[tuple[str, object]] = []

    def of(self, kind: str) -> list[Any]:
        return [what for name, what in self.all if name == kind]

    def kinds(self) -> list[str]:
        return [name for name, _ in self.all]


def _listener(kind: str):
    return lambda self, *what: self.all.append((kind, *what) if what else (kind, None))


for _name in [name for name in vars(XtQuantTraderCallback) if name.startswith("on_")]:
    setattr(Heard, _name, _listener(_name.removeprefix("on_")))


class House:
    """One terminal at 10:00 with a quote, and one program that is connected and subscribed."""

    def __init__(self, delivery: Delivery | None = None, store: Store | None = None) -> None:
        self.exchange = exchange()
        self.terminal = Terminal(self.exchange, store, delivery)
        transport.serve_in_process(PATH, self.terminal)
        self.terminal.feed([quote("10:00")])
        self.terminal.step(at("10:00"))
        self.heard = Heard()
        self.trader = XtQuantTrader(PATH, 100, self.heard)
        self.trader.start()
        assert self.trader.connect() == 0
        assert self.trader.subscribe(US) == 0

    def order(
        self, side=xt.STOCK_BUY, volume=500, price=10.05, kind=xt.FIX_PRICE, remark="M1"
    ) -> int:
        code = str(BANK)
        return self.trader.order_stock_async(US, code, side, volume, kind, price, "mini", remark)

    def step(self, clock="10:00:01") -> None:
        self.terminal.step(at(clock))


@pytest.fixture
def house():
    yield House()
    transport.forget(PATH)


def test_an_order_answers_then_reports_every_status_then_the_fill(house):
    seq = house.order()
    assert seq > 0
    assert house.heard.all == []
    house.step()
    assert house.heard.kinds() == [
        "order_stock_async_response", "stock_order", "stock_order", "stock_order", "stock_trade",
        "stock_order",
    ]  # fmt: skip
    (response,) = house.heard.of("order_stock_async_response")
    assert (response.seq, response.order_remark, response.error_msg) == (seq, "M1", "")
    orders = house.heard.of("stock_order")
    assert [order.order_status for order in orders] == [48, 49, 50, 56]
    assert [bool(order.order_sysid) for order in orders] == [False, False, True, True]
    assert {order.order_id for order in orders} == {response.order_id}
    last = orders[-1]
    assert (last.price, last.traded_price, last.traded_volume) == (10.05, 10.01, 500)
    assert last.price_type != xt.FIX_PRICE  # the counter's own number
    (trade,) = house.heard.of("stock_trade")
    assert (trade.traded_price, trade.traded_volume, trade.commission) == (10.01, 500, 5.05)
    assert trade.order_remark == "M1"


def test_queries_tell_the_same_story(house):
    order_id = house.trader.order_stock(
        US, BANK, xt.STOCK_BUY, 500, xt.FIX_PRICE, 9.95, "mini", "M2"
    )
    asset = house.trader.query_stock_asset(US)
    assert (asset.cash, asset.frozen_cash) == (float(CASH) - 4980.55, 4980.55)
    assert asset.total_asset == float(CASH) + 10_000
    assert house.trader.query_stock_order(US, order_id).order_status == 50
    assert len(house.trader.query_stock_orders(US, cancelable_only=True)) == 1
    house.trader.order_stock(US, BANK, xt.STOCK_SELL, 400, xt.FIX_PRICE, 10.2)
    (position,) = house.trader.query_stock_positions(US)
    assert (position.volume, position.can_use_volume, position.frozen_volume) == (1000, 600, 400)
    assert (position.open_price, position.avg_price, position.last_price) == (9.0, 9.0, 10.0)
    assert house.trader.query_stock_position(US, "000001.SZ") is None
    assert house.trader.query_stock_trades(US) == []
    answers: list[Any] = []
    house.trader.query_stock_orders_async(US, answers.append)
    house.trader.query_stock_asset_async(US, answers.append)
    house.step()
    assert len(answers[0]) == 2
    assert answers[1].cash == asset.cash


def test_a_cancel_is_accepted_and_only_the_reports_say_it_is_done(house):
    order_id = house.trader.order_stock(US, BANK, xt.STOCK_BUY, 500, xt.FIX_PRICE, 9.95)
    seq = house.trader.cancel_order_stock_async(US, order_id)
    house.heard.all.clear()
    house.step()
    (response,) = house.heard.of("cancel_order_stock_async_response")
    assert (response.seq, response.cancel_result, response.order_id) == (seq, 0, order_id)
    assert [order.order_status for order in house.heard.of("stock_order")][-2:] == [51, 54]


def test_a_cancel_by_the_counters_number(house):
    order_id = house.trader.order_stock(US, BANK, xt.STOCK_BUY, 500, xt.FIX_PRICE, 9.95)
    sysid = house.trader.query_stock_order(US, order_id).order_sysid
    assert house.trader.cancel_order_stock_sysid(US, "SZ", sysid) == -1
    assert house.trader.cancel_order_stock_sysid(US, "SH", sysid) == 0
    assert house.trader.query_stock_order(US, order_id).order_status == xt.ORDER_CANCELED


def test_f010_a_cancel_that_lost_the_race_is_told_the_order_has_filled(house):
    order_id = house.trader.order_stock(US, BANK, xt.STOCK_BUY, 500, xt.FIX_PRICE, 10.05)
    house.trader.cancel_order_stock_async(US, order_id)
    house.step()
    assert house.heard.kinds()[-2:] == ["cancel_order_stock_async_response", "cancel_error"]
    (error,) = house.heard.of("cancel_error")
    assert (error.order_id, error.market) == (order_id, xt.SH_MARKET)
    assert "已成交" in error.error_msg
    assert house.trader.query_stock_order(US, order_id).order_status == xt.ORDER_SUCCEEDED


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": 0},
        {"kind": 99},
        {"volume": 0},
        {"price": 0.0},
        {"price": float("nan")},
        {"side": 1},
    ],
)
def test_f006_what_the_client_refuses_leaves_no_row_no_57_and_no_error(house, wrong):
    seq = house.order(**wrong)
    house.step()
    assert house.heard.kinds() == ["order_stock_async_response"]
    (response,) = house.heard.of("order_stock_async_response")
    assert (response.seq, response.order_id) == (seq, -1)
    assert house.trader.query_stock_orders(US) == []


def test_f005_a_refused_order_has_no_fill_and_no_row(house):
    assert house.trader.order_stock(US, BANK, xt.STOCK_BUY, 500, 0, 10.05) == -1
    house.step()
    assert house.trader.query_stock_trades(US) == []
    assert house.exchange.account(ACCOUNT).cash == CASH


def test_an_account_that_is_not_logged_in_refuses_by_order_error(house):
    house.terminal.set_account_status(ACCOUNT, xt.ACCOUNT_STATUS_FAIL)
    seq = house.order()
    house.step()
    assert house.heard.kinds() == ["account_status", "order_stock_async_response", "order_error"]
    (error,) = house.heard.of("order_error")
    assert (error.order_id, error.order_remark, error.seq) == (-1, "M1", seq)
    assert house.trader.query_stock_asset(US) is None
    assert house.trader.query_stock_positions(US) is None
    (status,) = house.trader.query_account_status()
    assert status.status == xt.ACCOUNT_STATUS_FAIL


def test_the_counter_refuses_with_status_57_and_a_reason(house):
    house.order(price=12.0)
    house.step()
    assert [order.order_status for order in house.heard.of("stock_order")] == [48, 57]
    assert house.heard.of("stock_order")[-1].status_msg == "[COUNTER] 委托价格超过涨跌停价格限制"


def test_market_orders_do_not_work_in_a_simulation(house):
    house.order(kind=xt.MARKET_SH_CONVERT_5_CANCEL, price=0.0)
    house.step()
    assert house.heard.of("stock_order")[-1].order_status == xt.ORDER_JUNK


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("M" * 30, "M" * 24),
        ("止损单止损单止损单止损单", "止损单止损单止损"),
        ("ab止损单止损单止损单", "ab止损单止损单止"),
    ],
)
def test_a_remark_keeps_24_bytes_and_the_rest_is_silently_gone(house, sent, kept):
    house.order(remark=sent)
    house.step()
    assert {order.order_remark for order in house.heard.of("stock_order")} == {kept}


def test_one_session_id_has_one_holder(house):
    second = XtQuantTrader(PATH, 100, Heard())
    second.start()
    assert second.connect() == -1
    house.trader.stop()
    assert second.connect() == 0


def test_a_session_whose_holder_died_is_free_once_its_files_are_gone(house):
    second = XtQuantTrader(PATH, 100, Heard())
    second.start()
    house.terminal.release_session(100)
    assert second.connect() == 0
    house.order()
    house.step()
    assert house.heard.all == []


def test_connecting_needs_a_terminal_a_start_and_a_login(house):
    nobody = XtQuantTrader("memory://nowhere", 7, Heard())
    nobody.start()
    assert nobody.connect() == -1
    unstarted = XtQuantTrader(PATH, 7, Heard())
    assert unstarted.connect() == -1
    house.terminal.logged_in = False
    unstarted.start()
    assert unstarted.connect() == -1
    assert unstarted.query_stock_orders(US) is None
    assert unstarted.order_stock(US, BANK, 23, 100, 11, 10.0) == -1


def test_closing_the_terminal_disconnects_and_nothing_reconnects_by_itself(house):
    house.terminal.close()
    assert house.heard.kinds() == ["disconnected"]
    assert house.order() == -1
    assert house.trader.query_stock_asset(US) is None
    assert house.trader.connect() == 0
    assert house.trader.query_stock_asset(US).cash == float(CASH)
    house.order()
    house.step()
    assert house.heard.of("stock_order") == []  # connected, but not subscribed again


def test_pushes_reach_only_who_subscribed(house):
    other = Heard()
    trader = XtQuantTrader(PATH, 200, other)
    trader.start()
    assert trader.connect() == 0
    assert trader.subscribe(StockAccount("nobody")) == -1
    house.order()
    house.step()
    assert other.all == []
    assert len(trader.query_stock_orders(US)) == 1


def test_an_exception_in_a_callback_vanishes_and_the_next_push_arrives(house):
    house.heard.on_stock_order = lambda order: 1 / 0
    house.order()
    house.step()
    assert [type(problem) for problem in house.trader.swallowed] == [ZeroDivisionError] * 4
    assert len(house.heard.of("stock_trade")) == 1


def test_f114_a_synchronous_call_inside_a_callback_is_the_end(house):
    house.heard.on_stock_trade = lambda trade: house.trader.query_stock_asset(US)
    house.order()
    house.step()
    assert [type(problem) for problem in house.trader.swallowed] == [Deadlock]
    assert house.trader.lost  # the order's own end never arrived
    house.order()
    house.step()
    assert house.heard.of("stock_order")[-1].order_status == xt.ORDER_REPORTED


def test_relaxed_order_saves_queries_but_not_orders(house):
    house.trader.set_relaxed_response_order_enabled(True)
    seen = []
    house.heard.on_stock_trade = lambda trade: seen.append(house.trader.query_stock_asset(US))
    house.order()
    house.step()
    assert seen[0].cash < float(CASH)
    house.heard.on_stock_trade = lambda trade: house.trader.cancel_order_stock(US, 1)
    house.order()
    house.step()
    assert [type(problem) for problem in house.trader.swallowed] == [Deadlock]


def test_stop_inside_a_callback_fails(house):
    house.heard.on_stock_trade = lambda trade: house.trader.stop()
    house.order()
    house.step()
    assert str(house.trader.swallowed[0]) == "cannot join current thread"


class Late(Delivery):
    """Answers and pushes come two seconds late, fills twice."""

    def times(self, message, now):
        due = now + timedelta(seconds=2)
        return (due, due) if message["push"] == "stock_trade" else (due,)


def test_f018_a_policy_can_delay_and_double_messages():
    house = House(Late())
    house.order()
    house.step("10:00:01")
    assert house.heard.all == []
    house.step("10:00:02")
    assert len(house.heard.of("stock_trade")) == 2
    assert len({trade.traded_id for trade in house.heard.of("stock_trade")}) == 1


class Zombie(Delivery):
    """Orders reach the counter five seconds late, whoever sent them."""

    def arrivals(self, request, now):
        return (now + timedelta(seconds=5),)


def test_a_policy_can_let_an_order_arrive_after_its_sender_died():
    house = House(Zombie())
    house.order()
    house.trader.stop()
    house.step("10:00:04")
    assert house.exchange.account(ACCOUNT).orders == {}
    house.step("10:00:05")
    assert len(house.exchange.account(ACCOUNT).orders) == 1
    assert house.heard.all == []


class Forgetful(Delivery):
    """Queries of positions are answered with an empty list, of orders not at all."""

    def answer(self, request, result):
        return {"query_stock_positions": [], "query_stock_orders": None}.get(request["op"], result)


def test_f066_a_policy_can_answer_empty_or_not_at_all():
    house = House(Forgetful())
    assert house.trader.query_stock_positions(US) == []
    assert house.trader.query_stock_orders(US) is None
    assert house.trader.query_stock_asset(US) is not None


def test_f020_partial_reports_carry_the_cumulative_volume(house):
    house.order(volume=1_500, price=10.01)
    house.terminal.feed([quote("10:00:03", volume=10_600, asks=levels(("10.01", 500)))])
    house.step("10:00:03")
    assert [order.traded_volume for order in house.heard.of("stock_order")] == [
        0,
        0,
        0,
        1000,
        1500,
    ]
    assert [trade.traded_volume for trade in house.heard.of("stock_trade")] == [1000, 500]


def test_a_killed_terminal_restarts_with_what_it_confirmed(tmp_path):
    path = tmp_path / "twin.sqlite3"
    with closing(Store(path)) as left_open, closing(Store(path)) as opened_again:
        _restart_and_compare(left_open, opened_again)


def _restart_and_compare(left_open: Store, opened_again: Store) -> None:
    house = House(store=left_open)
    order_id = house.trader.order_stock(US, BANK, xt.STOCK_BUY, 500, xt.FIX_PRICE, 9.95, "", "M9")
    again = House(store=opened_again)  # the first one was never closed
    (order,) = again.trader.query_stock_orders(US)
    assert (order.order_id, order.order_remark, order.order_status) == (order_id, "M9", 50)
    again.terminal.feed([quote("10:01", "9.90", 20_000)])
    again.step("10:01")
    assert again.trader.query_stock_order(US, order_id).order_status == xt.ORDER_SUCCEEDED


def test_every_message_is_json(house):
    sent = []
    client = house.terminal.open_client(
        lambda message: sent.append(json.loads(json.dumps(message)))
    )
    ask = {"op": "connect", "session": 9, "seq": 1, "account_id": ACCOUNT}
    assert house.terminal.request(client, ask) == 0
    house.terminal.request(client, {"op": "subscribe", "account_id": ACCOUNT})
    wish = {"op": "subscribe_quotes", "number": 1, "codes": ["SH"], "single": False}
    house.terminal.request(client, wish)
    for op in ("asset", "orders", "trades", "positions"):
        house.terminal.post(client, {"op": f"query_stock_{op}", "seq": 2, "account_id": ACCOUNT})
    house.order()
    house.terminal.feed([quote("10:00:03", volume=11_000)])
    house.step("10:00:03")
    assert {message["push"] for message in sent} == {
        "answer",
        "stock_order",
        "stock_trade",
        "quotes",
    }
    with pytest.raises(KeyError):
        house.terminal.request(client, {"op": "nonsense"})


def test_the_day_end_is_pushed_like_any_other_change(house):
    house.order(price=9.95)
    house.step()
    house.step("15:35")
    assert house.heard.of("stock_order")[-1].order_status == xt.ORDER_CANCELED
    house.terminal.step(at("09:00", TUESDAY))
    assert house.trader.query_stock_orders(US) == []


def test_ticks_look_like_the_vendors(house):
    data = xtdata.connect_to(PATH)
    ticks = data.get_full_tick([BANK, "000001.SZ"])
    assert list(ticks) == [BANK]
    tick = ticks[BANK]
    assert tick["time"] == int(at("10:00").timestamp() * 1000)
    assert (tick["lastPrice"], tick["lastClose"], tick["openInt"]) == (10.0, 10.0, 13)
    assert (tick["volume"], tick["pvolume"]) == (100, 10_000)
    assert tick["askPrice"] == [10.01, 0.0, 0.0, 0.0, 0.0]
    assert tick["bidVol"] == [10, 0, 0, 0, 0]
    assert list(data.get_full_tick(["SH"])) == [BANK]
    house.terminal.feed([quote("10:00:03", status=BookStatus.HALTED)])
    assert data.get_full_tick([BANK])[BANK]["openInt"] == 17


def _fails(ticks: object) -> None:
    raise ZeroDivisionError


def test_quotes_are_pushed_to_subscribers_until_they_leave(house):
    data = xtdata.connect_to(PATH)
    whole: list[Any] = []
    single: list[Any] = []
    data.subscribe_whole_quote(["SH"], whole.append)
    number = data.subscribe_quote(BANK, period="tick", callback=single.append)
    feed = [quote("10:00:03", "10.01", 10_100), quote("10:00:06", "10.02", 10_200)]
    house.terminal.feed(feed)
    house.step("10:00:06")
    assert whole[0][BANK]["lastPrice"] == 10.02
    assert [tick["lastPrice"] for tick in single[0][BANK]] == [10.01, 10.02]
    data.unsubscribe_quote(number)
    house.terminal.feed([quote("10:00:09", volume=10_300)])
    house.step("10:00:09")
    assert (len(whole), len(single)) == (2, 1)
    data.subscribe_whole_quote([BANK], _fails)
    house.terminal.feed([quote("10:00:12", volume=10_400)])
    house.step("10:00:12")
    assert len(data.swallowed) == 1


def test_subscriptions_do_not_survive_a_reconnect(house):
    data = xtdata.connect_to(PATH)
    seen: list[Any] = []
    data.subscribe_whole_quote(["SH"], seen.append)
    house.terminal.close()
    assert data.get_client().is_connected()
    house.terminal.feed([quote("10:00:03", volume=11_000)])
    house.step("10:00:03")
    assert seen == []
    transport.forget(PATH)
    data.disconnect()
    with pytest.raises(Exception, match="无法连接"):
        data.get_full_tick([BANK])


def test_instrument_detail_states_the_days_limits(house):
    detail = xtdata.connect_to(PATH).get_instrument_detail(BANK)
    assert detail is not None
    assert (detail["UpStopPrice"], detail["DownStopPrice"], detail["PriceTick"]) == (
        11.0,
        9.0,
        0.01,
    )
    assert (detail["PreClose"], detail["TradingDay"]) == (10.0, f"{MONDAY:%Y%m%d}")
    assert (detail["InstrumentName"], detail["InstrumentStatus"], detail["IsTrading"]) == (
        "招商银行",
        0,
        True,
    )
    assert xtdata.connect_to(PATH).get_instrument_detail("000001.SZ") is None


def test_trading_dates_end_today_and_the_calendar_goes_on(house):
    data = xtdata.connect_to(PATH)
    dates = data.get_trading_dates("SH")
    assert dates[-1] == int(at("00:00").timestamp() * 1000)
    assert data.get_trading_dates("SH", count=1) == dates[-1:]
    assert data.get_trading_calendar("SH", "20260810", "20260831") == ["20260810", "20260811"]
    with pytest.raises(Exception, match="超出"):
        data.get_trading_calendar("SH", "20260810", "20271231")


def test_an_account_number_that_is_no_string_gives_a_string():
    said: object = StockAccount(8880001)  # type: ignore[arg-type]  # the mistake people make
    assert said == "资金账号必须为字符串类型"
    assert Decimal(US.account_type) == xt.SECURITY_ACCOUNT
