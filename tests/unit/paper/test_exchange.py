from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest

from tests.unit.paper.market_day import (
    ACCOUNT,
    BANK,
    BOND_FUND,
    CASH,
    FRIDAY,
    MONDAY,
    STAR,
    TUESDAY,
    at,
    exchange,
    levels,
    quote,
)
from trading.domain.types import ZERO, BookStatus, CorporateAction, Limits, Side
from trading.paper import xtconstant as xt
from trading.paper.exchange import Exchange
from trading.paper.records import Order, OrderChanged, Traded

pytestmark = [pytest.mark.fast, pytest.mark.orders]

BUY, SELL = Side.BUY, Side.SELL


def send(
    market: Exchange,
    side: Side,
    quantity: int,
    price: str,
    clock: str = "10:00",
    symbol=BANK,
    on=MONDAY,
) -> Order:
    return market.submit(ACCOUNT, symbol, side, quantity, Decimal(price), "r", "s", at(clock, on))


def open_market(clock: str = "10:00", **fields) -> Exchange:
    market = exchange()
    market.quote(quote(clock, **fields))
    return market


def order_of(market: Exchange, order: Order) -> Order:
    return market.account(ACCOUNT).orders[order.order_id]


def statuses(market: Exchange) -> list[int]:
    return [event.order.status for event in market.drain() if isinstance(event, OrderChanged)]


def test_a_crossing_buy_fills_from_the_book_and_tells_every_step():
    market = open_market()
    order = send(market, BUY, 500, "10.05")
    assert (order.status, order.traded_quantity) == (xt.ORDER_SUCCEEDED, 500)
    events = market.drain()
    told = [e.order.status if isinstance(e, OrderChanged) else "fill" for e in events]
    assert told == [48, 49, 50, "fill", 56]
    fill = next(event.trade for event in events if isinstance(event, Traded))
    assert (fill.price, fill.quantity) == (Decimal("10.01"), 500)
    # 5,005 yuan, commission 5.00 (minimum), transfer fee 0.05
    account = market.account(ACCOUNT)
    assert account.cash == CASH - Decimal("5005") - Decimal("5.05")
    assert account.frozen_cash == 0
    holding = account.positions[BANK]
    assert (holding.quantity, holding.sellable, holding.yesterday) == (1_500, 1_000, 1_000)
    assert holding.open_price == Decimal("14005") / 1_500


def test_a_resting_buy_freezes_cash_with_fees_and_gives_it_back_on_cancel():
    market = open_market()
    order = send(market, BUY, 500, "9.99")
    account = market.account(ACCOUNT)
    # 4,995 + 5.00 commission + 0.05 transfer + 0.50 margin
    assert account.frozen_cash == Decimal("5000.55")
    assert account.cash == CASH - account.frozen_cash
    market.drain()
    assert market.cancel(ACCOUNT, order.order_id, at("10:01")) == ""
    assert statuses(market) == [51, 54]
    assert (account.cash, account.frozen_cash) == (CASH, ZERO)


def test_a_resting_order_fills_when_the_market_comes_to_it():
    market = open_market()
    order = send(market, BUY, 500, "9.95")
    market.quote(quote("10:00:03", "9.96", 11_000, asks=levels(("9.95", 300)), bids=()))
    assert order_of(market, order).status == xt.ORDER_PART_SUCC
    market.quote(quote("10:00:06", "9.95", 11_600, asks=levels(("9.97", 300)), bids=()))
    done = order_of(market, order)
    assert (done.status, done.traded_amount) == (xt.ORDER_SUCCEEDED, Decimal("9.95") * 500)
    assert market.account(ACCOUNT).frozen_cash == 0


def test_an_order_waits_behind_the_queue_at_its_price():
    market = open_market()
    order = send(market, BUY, 500, "9.99")  # 1,000 shares stand there already
    market.quote(quote("10:00:03", "9.99", 10_900, bids=levels(("9.99", 100)), asks=()))
    assert order_of(market, order).traded_quantity == 0
    market.quote(quote("10:00:06", "9.99", 11_300, bids=levels(("9.99", 100)), asks=()))
    assert order_of(market, order).traded_quantity == 300


@pytest.mark.parametrize(
    ("side", "quantity", "price", "clock", "said"),
    [
        (BUY, 100, "10.001", "10:00", "最小价格变动"),
        (BUY, 100, "0", "10:00", "最小价格变动"),
        (BUY, 100, "11.01", "10:00", "涨跌停"),
        (SELL, 100, "8.99", "10:00", "涨跌停"),
        (BUY, 100, "10.50", "10:00", "有效申报价格"),
        (SELL, 100, "9.50", "10:00", "有效申报价格"),
        (BUY, 150, "10.00", "10:00", "数量"),
        (BUY, 20_000, "10.00", "10:00", "可用资金不足"),
        (SELL, 1_100, "10.00", "10:00", "可用股份数不足"),
        (SELL, 50, "10.00", "10:00", "数量"),
        (BUY, 100, "10.00", "09:27", "当前时段"),
        (BUY, 100, "10.00", "12:00", "当前时段"),
        (BUY, 100, "10.00", "15:01", "当前时段"),
        (BUY, 100, "10.00", "20:00", "当前时段"),
    ],
)
def test_the_counter_refuses_what_the_rules_forbid(side, quantity, price, clock, said):
    market = open_market("09:16")
    order = send(market, side, quantity, price, clock)
    assert order.status == xt.ORDER_JUNK
    assert order.message.startswith("[COUNTER] ")
    assert said in order.message
    account = market.account(ACCOUNT)
    assert (account.cash, account.frozen_cash) == (CASH, ZERO)
    assert account.positions[BANK].frozen == 0
    assert statuses(market) == [48, 57]


def test_the_price_cage_does_not_hold_in_an_auction():
    market = open_market("09:16")
    assert send(market, BUY, 100, "10.50", "09:17").status == xt.ORDER_REPORTED


def test_limits_stated_by_the_quote_win_over_computed_ones():
    market = exchange()
    market.quote(replace(quote("10:00"), limit_up=Decimal("10.05")))
    limits = market.limits_of(BANK)
    assert limits == Limits(Decimal("10.05"), Decimal("9.00"))
    assert "涨跌停" in send(market, BUY, 100, "10.06").message


@pytest.mark.parametrize(
    ("reason", "said"),
    [("no quote", "无行情"), ("suspended", "停牌"), ("unknown", "证券代码不存在")],
)
def test_without_a_market_nothing_is_accepted(reason, said):
    market = exchange()
    if reason == "suspended":
        market.quote(quote("10:00", status=BookStatus.HALTED))
    symbol = "600000.SH" if reason == "unknown" else BANK
    assert said in send(market, BUY, 100, "10.00", symbol=symbol).message


def test_shares_bought_today_are_sold_tomorrow():
    market = open_market()
    send(market, BUY, 200, "10.05", symbol=BANK)
    assert "可用股份数不足" in send(market, SELL, 1_200, "10.00").message
    market.quote(quote("09:31", on=TUESDAY))
    order = send(market, SELL, 1_000, "9.99", "09:31", on=TUESDAY)
    assert order.status == xt.ORDER_SUCCEEDED
    assert market.account(ACCOUNT).positions[BANK].sellable == 200


def test_a_t0_fund_is_sold_on_the_day_it_was_bought():
    market = open_market(symbol=BOND_FUND)
    assert send(market, BUY, 200, "10.05", symbol=BOND_FUND).status == xt.ORDER_SUCCEEDED
    assert send(market, SELL, 200, "9.99", symbol=BOND_FUND).status == xt.ORDER_SUCCEEDED
    holding = market.account(ACCOUNT).positions[BOND_FUND]
    assert (holding.quantity, holding.sellable, holding.bought_today) == (0, 0, 0)


def test_shares_in_an_open_sell_are_frozen_until_it_ends():
    market = open_market()
    order = send(market, SELL, 600, "10.10")
    holding = market.account(ACCOUNT).positions[BANK]
    assert (holding.frozen, holding.sellable) == (600, 400)
    assert "可用股份数不足" in send(market, SELL, 500, "10.10").message
    market.cancel(ACCOUNT, order.order_id, at("10:01"))
    assert (holding.frozen, holding.sellable) == (0, 1_000)


def test_a_sold_out_holding_stays_as_an_empty_row_until_the_next_session():
    market = open_market()
    send(market, SELL, 1_000, "9.99")
    assert market.account(ACCOUNT).positions[BANK].quantity == 0
    market.advance(at("23:00"))
    assert BANK in market.account(ACCOUNT).positions
    market.advance(at("09:00", TUESDAY))
    assert BANK not in market.account(ACCOUNT).positions


@pytest.mark.parametrize("clock", ["09:21", "14:58"])
def test_no_cancel_where_the_exchange_takes_none(clock):
    market = open_market("09:16", status=BookStatus.AUCTION)
    order = send(market, BUY, 100, "9.50", "09:17")
    assert "不允许撤单" in market.cancel(ACCOUNT, order.order_id, at(clock))
    assert order_of(market, order).status == xt.ORDER_REPORTED


def test_f010_a_filled_order_cannot_be_cancelled():
    market = open_market()
    order = send(market, BUY, 100, "10.05")
    assert "已成交" in market.cancel(ACCOUNT, order.order_id, at("10:01"))
    assert "不能撤单" in market.cancel(ACCOUNT, send(market, BUY, 1, "1").order_id, at("10:01"))
    assert "无此委托" in market.cancel(ACCOUNT, 7, at("10:01"))
    assert order_of(market, order).status == xt.ORDER_SUCCEEDED


def test_the_opening_auction_fills_at_the_opening_price():
    market = open_market("09:16", status=BookStatus.AUCTION, volume=0)
    order = send(market, BUY, 300, "10.20", "09:17")
    low = send(market, BUY, 100, "9.90", "09:17")
    market.quote(quote("09:24", "0", 0, status=BookStatus.AUCTION, asks=levels(("10.08", 9_000))))
    assert order_of(market, order).traded_quantity == 0
    market.quote(quote("09:25:03", "10.08", 200, opened="10.08"))
    assert (order_of(market, order).traded_quantity, order_of(market, low).traded_quantity) == (
        200,
        0,
    )
    market.quote(quote("09:30:01", "10.08", 200, asks=levels(("10.09", 50)), opened="10.08"))
    filled = order_of(market, order)
    assert filled.traded_quantity == 250
    assert [t.price for t in market.account(ACCOUNT).trades] == [
        Decimal("10.08"),
        Decimal("10.20"),
    ]


def test_the_closing_auction_fills_at_the_close_and_not_before():
    market = open_market("14:56", volume=10_000)
    waiting = send(market, SELL, 500, "9.97", "14:56")  # meets 9.99 on arrival
    assert waiting.status == xt.ORDER_SUCCEEDED
    resting = send(market, SELL, 300, "10.02", "14:56")
    market.quote(quote("14:57:03", "10.03", 10_000, status=BookStatus.AUCTION))
    late = send(market, BUY, 200, "10.10", "14:58")
    market.quote(quote("14:59:57", "10.03", 10_000, status=BookStatus.AUCTION))
    assert order_of(market, resting).traded_quantity == 0
    market.quote(quote("15:00:00", "10.03", 10_000))  # the result is not there yet
    assert order_of(market, late).traded_quantity == 0
    market.quote(quote("15:00:03", "10.04", 10_400))
    assert order_of(market, resting).status == xt.ORDER_SUCCEEDED
    assert order_of(market, late).traded_quantity == 100  # 400 shares traded, 300 went to the sell
    assert {t.price for t in market.account(ACCOUNT).trades[1:]} == {Decimal("10.04")}


def test_after_hours_trading_is_at_the_close_and_only_for_its_own_orders():
    market = open_market("14:56")
    day_order = send(market, SELL, 300, "10.30", "14:56")
    market.quote(quote("15:00:03", "10.04", 10_400))
    after = send(market, SELL, 500, "10.04", "15:06")
    assert after.status == xt.ORDER_REPORTED
    market.quote(quote("15:06:03", "10.04", 10_700, status=BookStatus.AFTER_HOURS))
    assert order_of(market, after).traded_quantity == 300
    assert order_of(market, day_order).traded_quantity == 0
    market.quote(quote("15:06:06", "10.04", 11_700, status=BookStatus.AFTER_HOURS))
    assert order_of(market, after).status == xt.ORDER_SUCCEEDED


def test_at_1535_unfilled_orders_die_and_everything_frozen_is_free():
    market = open_market()
    buy = send(market, BUY, 500, "9.90")
    sell = send(market, SELL, 500, "10.30")
    part = send(market, BUY, 1_500, "10.01")
    market.drain()
    market.advance(at("15:34:59"))
    assert statuses(market) == []
    market.advance(at("15:35"))
    assert [order_of(market, one).status for one in (buy, sell, part)] == [54, 54, 53]
    account = market.account(ACCOUNT)
    assert account.frozen_cash == 0
    assert account.positions[BANK].frozen == 0


def test_orders_die_too_when_the_close_itself_was_slept_through():
    market = open_market()
    send(market, BUY, 500, "9.90")
    market.drain()
    market.advance(at("09:00", TUESDAY))
    assert statuses(market) == [54]
    assert market.account(ACCOUNT).orders == {}
    assert market.account(ACCOUNT).cash == CASH


def test_a_corporate_action_is_applied_before_its_session():
    market = open_market()
    market.corporate_action(
        CorporateAction(BANK, TUESDAY, Decimal("0.5"), Decimal(2), Decimal("0.10"))
    )
    holding = market.account(ACCOUNT).positions[BANK]
    assert (holding.quantity, holding.open_price) == (1_000, Decimal("9.00"))
    market.advance(at("09:00", TUESDAY))
    holding = market.account(ACCOUNT).positions[BANK]
    assert (holding.quantity, holding.sellable, holding.open_price) == (
        2_000,
        2_000,
        Decimal("4.50"),
    )
    assert market.account(ACCOUNT).cash == CASH + 100


def test_a_zeroed_or_older_quote_changes_nothing():
    market = open_market()
    market.quote(quote("10:00:03", "0", 0, bids=(), asks=()))
    market.quote(quote("09:59", "9.00", 20_000))
    market.quote(quote("14:59", "9.00", 20_000, on=FRIDAY))
    seen = market.quote_of(BANK)
    assert seen is not None
    assert (seen.last, seen.volume) == (Decimal("10.00"), 10_000)


def test_a_star_share_is_bought_from_200_by_1():
    market = open_market(symbol=STAR)
    assert "数量" in send(market, BUY, 199, "10.01", symbol=STAR).message
    assert send(market, BUY, 201, "10.01", symbol=STAR).status == xt.ORDER_SUCCEEDED


def test_time_never_runs_back():
    market = open_market()
    market.advance(at("09:00"))
    assert market.now == at("10:00")
    assert isinstance(market.now, datetime)


def test_an_account_is_opened_once():
    market = exchange()
    with pytest.raises(ValueError, match=ACCOUNT):
        market.open_account(ACCOUNT, CASH, market.account(ACCOUNT).schedule)


def test_the_minimum_commission_is_paid_once_per_order():
    market = open_market()
    order = send(market, BUY, 1_500, "10.01")
    market.quote(quote("10:00:03", volume=11_000, asks=levels(("10.01", 500))))
    fees = [trade.fees for trade in market.account(ACCOUNT).trades]
    assert order_of(market, order).traded_quantity == 1_500
    assert fees == [Decimal("5.10"), Decimal("0.05")]


def test_a_new_day_knows_no_market_until_its_first_quote():
    market = open_market()
    market.quote(quote("14:59", on=FRIDAY))
    market.advance(at("10:00", TUESDAY))
    market.quote(quote("14:59"))
    assert market.quote_of(BANK) is None
    assert "无行情" in send(market, BUY, 100, "10.00", on=TUESDAY).message
    assert market.last_price(market.account(ACCOUNT).positions[BANK]) == Decimal("10.00")


def test_the_diluted_cost_takes_what_sells_brought_after_fees():
    market = open_market()
    send(market, SELL, 500, "9.99")
    # 9,000 spent, 4,995 brought, less 5.00 commission, 2.50 stamp duty and 0.05 transfer fee
    holding = market.account(ACCOUNT).positions[BANK]
    assert holding.net_cost == Decimal("4012.55")
    assert holding.diluted_cost == Decimal("4012.55") / 500
    assert holding.open_price == Decimal("9.00")


def test_a_holding_bought_again_starts_a_new_cost():
    market = open_market(symbol=BOND_FUND)
    send(market, BUY, 200, "10.05", symbol=BOND_FUND)
    send(market, SELL, 200, "9.99", symbol=BOND_FUND)
    market.quote(quote("10:00:03", "10.20", 11_000, symbol=BOND_FUND))
    send(market, BUY, 100, "10.25", "10:01", symbol=BOND_FUND)
    holding = market.account(ACCOUNT).positions[BOND_FUND]
    assert holding.open_price == Decimal("10.21")


def test_an_order_before_the_first_continuous_quote_does_not_meet_the_auctions_book():
    market = open_market("09:24", volume=0)
    assert send(market, BUY, 100, "10.05", "09:30").traded_quantity == 0


def test_what_the_close_left_over_does_not_trade_after_hours():
    market = open_market("14:56:30")
    order = send(market, SELL, 800, "10.02", "14:56:30")
    market.quote(quote("15:00:03", "10.04", 10_400))
    assert order_of(market, order).traded_quantity == 400
    market.quote(quote("15:06", "10.04", 20_000))
    assert order_of(market, order).traded_quantity == 400


def test_after_an_opening_without_us_only_later_volume_counts():
    market = open_market("09:16", volume=0, status=BookStatus.AUCTION)
    order = send(market, BUY, 100, "10.00", "09:17")
    opened = quote("09:30:03", "10.00", 900, opened="10.05", bids=(), asks=levels(("10.02", 100)))
    market.quote(opened)
    assert order_of(market, order).traded_quantity == 0
    market.quote(quote("09:30:06", "10.00", 1_000, bids=(), asks=levels(("10.02", 100))))
    assert order_of(market, order).traded_quantity == 100


def test_the_auction_price_is_the_open_even_when_trading_went_on():
    market = open_market("09:16", volume=0, status=BookStatus.AUCTION)
    send(market, BUY, 100, "10.20", "09:17")
    market.quote(quote("09:30:03", "10.12", 900, opened="10.08"))
    assert market.account(ACCOUNT).trades[0].price == Decimal("10.08")


def test_the_better_price_is_served_first():
    market = open_market()
    low, high = send(market, BUY, 300, "9.97"), send(market, BUY, 300, "9.98")
    market.quote(quote("10:00:03", "9.99", asks=levels(("9.97", 300)), bids=()))
    assert order_of(market, low).traded_quantity == 0
    assert order_of(market, high).status == xt.ORDER_SUCCEEDED


@pytest.mark.parametrize("status", [BookStatus.AUCTION, BookStatus.HALTED, BookStatus.BREAK])
def test_nothing_matches_while_the_symbol_does_not_trade(status):
    market = open_market()
    order = send(market, BUY, 300, "9.98")
    market.quote(quote("10:00:03", "9.90", 20_000, status=status))
    assert order_of(market, order).traded_quantity == 0
