"""Whatever is ordered and whatever the market does: nothing is lost, nothing is made, nothing stays frozen."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.paper.market_day import (
    ACCOUNT,
    BANK,
    BOND_FUND,
    CASH,
    MONDAY,
    TUESDAY,
    at,
    exchange,
)
from trading.domain.fees import FeeSchedule, order_fees
from trading.domain.types import ZERO, Level, Quote, Side, Symbol
from trading.paper import xtconstant as xt
from trading.paper.exchange import Exchange
from trading.paper.records import Traded

pytestmark = [pytest.mark.fast, pytest.mark.orders]

CENT = Decimal("0.01")
CLOCKS = (
    "09:16", "09:22", "09:26", "09:30", "10:30", "13:00", "14:56", "14:58", "15:00:03", "15:06", "15:36",
)  # fmt: skip

prices = st.integers(min_value=985, max_value=1015).map(lambda cents: Decimal(cents) / 100)
symbols = st.sampled_from([BANK, BOND_FUND])
quote_step = st.tuples(
    st.just("quote"),
    symbols,
    prices,
    st.integers(0, 3_000),
    st.lists(st.integers(1, 900), max_size=5),
)
submit_step = st.tuples(
    st.just("submit"),
    symbols,
    st.sampled_from(list(Side)),
    st.integers(1, 20).map(lambda lots: lots * 100),
    prices,
)
cancel_step = st.tuples(st.just("cancel"), st.integers(0, 30))
time_step = st.just(("time",))
days = st.lists(
    st.one_of(quote_step, quote_step, submit_step, submit_step, cancel_step, time_step),
    min_size=15,
    max_size=60,
)


class Run:
    """Plays steps against an exchange and keeps its own books from the fills alone."""

    def __init__(self, commission: Decimal) -> None:
        self.exchange: Exchange = exchange(fees=FeeSchedule(commission_rate=commission))
        self.clock = 0
        self.volume: dict[Symbol, int] = defaultdict(lambda: 1_000)
        self.orders: list[int] = []
        self.cash = CASH
        self.shares: dict[Symbol, int] = defaultdict(int, {BANK: 1_000})
        self.sold: dict[Symbol, int] = defaultdict(int)

        for symbol in (BANK, BOND_FUND):
            self.quote(symbol, Decimal("10.00"), 0, [])

    def play(self, steps: list[tuple[Any, ...]]) -> None:
        for step in steps:
            getattr(self, step[0])(*step[1:])
            self.check()
        self.exchange.advance(at("16:00", MONDAY))
        self.check()

    def now(self):
        return at(CLOCKS[self.clock], MONDAY)

    def time(self) -> None:
        self.clock = min(self.clock + 1, len(CLOCKS) - 1)
        self.exchange.advance(self.now())

    def quote(self, symbol: Symbol, last: Decimal, traded: int, depth: list[int]) -> None:
        self.volume[symbol] += traded
        asks = tuple(Level(last + CENT * n, size) for n, size in enumerate(depth, 1))
        bids = tuple(Level(last - CENT * n, size) for n, size in enumerate(depth))
        volume = self.volume[symbol]
        opened = Decimal("10.00")
        self.exchange.quote(
            Quote(symbol, self.now(), last, opened, opened, volume=volume, bids=bids, asks=asks)
        )

    def submit(self, symbol: Symbol, side: Side, quantity: int, price: Decimal) -> None:
        order = self.exchange.submit(ACCOUNT, symbol, side, quantity, price, "", "", self.now())
        self.orders.append(order.order_id)

    def cancel(self, index: int) -> None:
        if self.orders:
            self.exchange.cancel(ACCOUNT, self.orders[index % len(self.orders)], self.now())

    def check(self) -> None:
        account = self.exchange.account(ACCOUNT)
        for event in self.exchange.drain():
            if isinstance(event, Traded):
                self._book(event.trade)
        assert account.cash + account.frozen_cash == self.cash
        assert account.cash >= 0
        assert account.frozen_cash >= 0
        working = [order for order in account.orders.values() if order.working]
        assert account.frozen_cash == sum((order.frozen_cash for order in working), ZERO)
        assert all(order.frozen_cash >= 0 for order in account.orders.values())
        for symbol, holding in account.positions.items():
            open_sells = [o for o in working if o.symbol == symbol and o.side is Side.SELL]
            assert holding.quantity == self.shares[symbol] >= 0
            assert holding.frozen == sum(order.remaining for order in open_sells)
        assert self.sold[BANK] <= 1_000
        self._check_orders(account)

    def _check_orders(self, account) -> None:
        for order in account.orders.values():
            filled = [t for t in account.trades if t.order_id == order.order_id]
            assert order.traded_quantity == sum(trade.quantity for trade in filled)
            assert order.traded_amount == sum((trade.amount for trade in filled), ZERO)
            assert sum((trade.fees for trade in filled), ZERO) == self._fees(account, order)
            for trade in filled:
                better = trade.price <= order.price
                assert better if order.side is Side.BUY else trade.price >= order.price
        ids = [trade.traded_id for trade in account.trades]
        assert len(ids) == len(set(ids))

    def _fees(self, account, order) -> Decimal:
        instrument = self.exchange.instruments[order.symbol]
        amount = order.traded_amount
        return order_fees(account.schedule, instrument, order.side, amount, MONDAY).total

    def _book(self, trade) -> None:
        sign = 1 if trade.side is Side.BUY else -1
        self.cash -= sign * trade.amount + trade.fees
        self.shares[trade.symbol] += sign * trade.quantity
        if trade.side is Side.SELL:
            self.sold[trade.symbol] += trade.quantity


@settings(max_examples=120, deadline=None)
@given(days, st.sampled_from([Decimal("0.00025"), Decimal("0.003")]))
def test_cash_and_shares_are_conserved_to_the_cent(steps, commission):
    run = Run(commission)
    run.play(steps)
    account = run.exchange.account(ACCOUNT)
    assert not [order for order in account.orders.values() if order.working]
    assert account.frozen_cash == 0
    assert all(holding.frozen == 0 for holding in account.positions.values())


@settings(max_examples=60, deadline=None)
@given(days)
def test_the_same_inputs_give_the_same_day(steps):
    first, second = Run(Decimal("0.00025")), Run(Decimal("0.00025"))
    first.play(steps)
    second.play(steps)
    assert first.exchange.accounts == second.exchange.accounts


@settings(max_examples=60, deadline=None)
@given(days)
def test_the_next_morning_everything_held_is_sellable_and_nothing_is_open(steps):
    run = Run(Decimal("0.00025"))
    run.play(steps)
    run.exchange.advance(at("09:00", TUESDAY))
    account = run.exchange.account(ACCOUNT)
    assert account.orders == {}
    for holding in account.positions.values():
        assert 0 < holding.quantity == holding.sellable == holding.yesterday


@settings(max_examples=60, deadline=None)
@given(days)
def test_terminal_orders_never_change_again(steps):
    run = Run(Decimal("0.00025"))
    ended: dict[int, object] = {}
    final = {xt.ORDER_PART_CANCEL, xt.ORDER_CANCELED, xt.ORDER_SUCCEEDED, xt.ORDER_JUNK}
    for step in steps:
        getattr(run, step[0])(*step[1:])
        for order in run.exchange.account(ACCOUNT).orders.values():
            assert (
                ended.setdefault(order.order_id, order) == order if order.status in final else True
            )
