"""The paper exchange and its counter: a pure core without clock, files or network (rules §4, §5).

Inputs are quotes, orders, cancels, corporate actions and the time; outputs are events, in order, from `drain`. The
same inputs give the same events. Cash and shares are conserved to the cent. Times are aware, in China time, and never
run back: an input older than the last one is taken at the last one's time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from trading.domain.calendar import (
    MarketPhase,
    TradingCalendar,
    phase_at,
    sessions_since_listing,
)
from trading.domain.fees import FeeSchedule, cash_needed, fill_fees
from trading.domain.instruments import Instrument
from trading.domain.limits import daily_limits
from trading.domain.matching import Execution
from trading.domain.types import CHINA, ZERO, CorporateAction, Limits, Quote, Side, Symbol
from trading.paper import xtconstant
from trading.paper.counter import refusal
from trading.paper.market import Market
from trading.paper.records import (
    Account,
    ExchangeEvent,
    Holding,
    Order,
    OrderChanged,
    Trade,
    Traded,
)

_BOOKS_CLOSE = time(15, 35)
_FIRST_ORDER_ID = 1_082_130_432
_EVER = datetime(1990, 1, 1, tzinfo=CHINA)


class Exchange:
    """Accounts, orders and trades of a simulated counter. `instruments` may grow while it runs.

    `accounts`, `today`, `now`, `serial` and `actions` are its whole durable state, see `store`.
    """

    def __init__(
        self, calendar: TradingCalendar, instruments: Mapping[Symbol, Instrument]
    ) -> None:
        self.calendar = calendar
        self.instruments = instruments
        self.accounts: dict[str, Account] = {}
        self.actions: list[CorporateAction] = []  # announced, not applied yet
        self.now: datetime = _EVER
        self.today: date | None = None  # the running or last session
        self.serial = 0  # numbers orders and trades
        self.touched: set[str] = set()  # accounts changed since the store last looked
        self._midnight = self._next_turn = _EVER
        self._markets: dict[Symbol, Market] = {}
        self._working: dict[Symbol, dict[int, Order]] = {}
        self._last_prices: dict[Symbol, Decimal] = {}
        self._phases: dict[Symbol, MarketPhase] = {}
        self._phases_second = _EVER
        self._events: list[ExchangeEvent] = []

    # accounts ------------------------------------------------------------------------------------------------

    def open_account(self, account_id: str, cash: Decimal, fees: FeeSchedule) -> None:
        """Open an account with `cash` yuan. Raises ValueError when it exists."""
        if account_id in self.accounts:
            raise ValueError(f"account {account_id} exists")
        self.accounts[account_id] = Account(account_id, cash, fees)
        self.touched.add(account_id)

    def seed_position(
        self, account_id: str, symbol: Symbol, quantity: int, cost: Decimal, bought_on: date
    ) -> None:
        """Give an account shares it bought at `cost` yuan; sellable from the session after `bought_on`."""
        holding = self.accounts[account_id].holding(self.instruments[symbol])
        holding.buy(quantity, cost * quantity, ZERO, bought_on)
        if self.today is not None and bought_on < self.today:
            holding.bought_today -= quantity
            holding.yesterday += quantity
        self.touched.add(account_id)

    def account(self, account_id: str) -> Account:
        """Return the account to look at: cash, frozen_cash, positions, orders, trades. Raises KeyError."""
        return self.accounts[account_id]

    # inputs --------------------------------------------------------------------------------------------------

    def quote(self, quote: Quote) -> None:
        """Take a quote and match the orders that wait in its symbol. Quotes of past sessions are passed over."""
        self.advance(quote.time)
        if self.today is None or quote.time < self._midnight:
            return
        market = self._markets.get(quote.symbol)
        if market is None:
            market = self._markets[quote.symbol] = Market()
        before = market.quote
        if not market.accept(quote):
            return
        waiting = self._working.get(quote.symbol)
        if waiting:
            phase = self.phase(quote.symbol)
            for order, executions in tuple(market.match(waiting.values(), before, phase)):
                self._book(order, executions)

    def submit(
        self,
        account_id: str,
        symbol: Symbol,
        side: Side,
        quantity: int,
        price: Decimal,
        remark: str,
        strategy: str,
        at: datetime,
        refused: str = "",
    ) -> Order:
        """Take an order and return it as it stands now: working, filled or refused (status 57, `message` says why).

        `refused`: a reason the client already knows why the counter refuses it. Raises KeyError on an unknown account.
        """
        self.advance(at)
        account = self.accounts[account_id]
        self.serial += 1
        number = _FIRST_ORDER_ID + self.serial
        order = Order(
            number, account_id, symbol, side, quantity, price, self.now, remark, strategy
        )
        self._put(order)
        problem = refused or self._refusal(account, symbol, side, quantity, price)
        if problem:
            return self._put(replace(order, status=xtconstant.ORDER_JUNK, message=problem))
        order = self._put(self._freeze(account, order))
        order = replace(order, status=xtconstant.ORDER_REPORTED, sysid=f"{self.serial:010d}")
        self._put(order)
        market = self._markets[symbol]
        quote_phase = phase_at(self.calendar, self._quote_time(market), self.instruments[symbol])
        order, executions = market.enter(order, self.phase(symbol), quote_phase)
        self._book(order, executions)
        return account.orders[order.order_id]

    def cancel(self, account_id: str, order_id: int, at: datetime) -> str:
        """Cancel what is left of an order; return "" or why the counter refuses. Raises KeyError on an unknown account."""
        self.advance(at)
        order = self.accounts[account_id].orders.get(order_id)
        if order is None:
            return "[COUNTER] 无此委托"
        if not order.working:
            done = order.status == xtconstant.ORDER_SUCCEEDED
            return (
                "[COUNTER] 委托已成交，不能撤单" if done else "[COUNTER] 委托已撤或已废，不能撤单"
            )
        if not self.phase(order.symbol).accepts_cancels:
            return "[COUNTER] 当前时段不允许撤单"
        some = order.traded_quantity > 0
        asked = xtconstant.ORDER_PARTSUCC_CANCEL if some else xtconstant.ORDER_REPORTED_CANCEL
        self._end(self._put(replace(order, status=asked)))
        return ""

    def advance(self, at: datetime) -> None:
        """Let time pass to `at`: the books close at 15:35, a new session makes yesterday's buys sellable."""
        if at <= self.now:
            return
        self.now = at
        if at >= self._next_turn:
            self._turn(at.astimezone(CHINA))

    def corporate_action(self, action: CorporateAction) -> None:
        """Announce an ex-rights event; it is applied before the session of its date, at once when that has begun."""
        self.actions.append(action)
        if self.today is not None and action.on <= self.today:
            self._apply_actions(self.today)

    def drain(self) -> Sequence[ExchangeEvent]:
        """Return and forget the events since the last call, in order."""
        events, self._events = self._events, []
        return events

    # what can be seen ----------------------------------------------------------------------------------------

    def phase(self, symbol: Symbol) -> MarketPhase:
        """Return the phase of an instrument now, computed once a second."""
        second = self.now.replace(microsecond=0)
        if second != self._phases_second:
            self._phases.clear()
            self._phases_second = second
        phase = self._phases.get(symbol)
        if phase is None:
            phase = phase_at(self.calendar, second, self.instruments.get(symbol))
            self._phases[symbol] = phase
        return phase

    def quote_of(self, symbol: Symbol) -> Quote | None:
        """Return this session's newest quote."""
        market = self._markets.get(symbol)
        return market.quote if market else None

    def last_price(self, holding: Holding) -> Decimal:
        """Return the price a holding is valued at: last, previous close, yesterday's last, else its cost (yuan)."""
        quote = self.quote_of(holding.symbol)
        if quote is not None:
            return quote.last or quote.previous_close
        return self._last_prices.get(holding.symbol, holding.open_price)

    def limits_of(self, symbol: Symbol) -> Limits | None:
        """Return the session's limits: those the quote states, else computed; None when not known."""
        market, instrument = self._markets.get(symbol), self.instruments.get(symbol)
        if market is None or market.quote is None or instrument is None or self.today is None:
            return None
        quote = market.quote
        if market.limits is None and quote.previous_close > 0:
            sessions = sessions_since_listing(self.calendar, instrument, self.today)
            market.limits = daily_limits(instrument, quote.previous_close, self.today, sessions)
        computed = market.limits or Limits(None, None)
        if market.limits is None and not (quote.limit_up and quote.limit_down):
            return None
        return Limits(quote.limit_up or computed.up, quote.limit_down or computed.down)

    def restore(
        self,
        accounts: Iterable[Account],
        actions: Iterable[CorporateAction],
        now: datetime,
        today: date | None,
        serial: int,
    ) -> None:
        """Take over the state of an exchange that was stopped or killed."""
        self.accounts.update({account.account_id: account for account in accounts})
        self.actions = list(actions)
        self.now, self.today, self.serial = now, today, serial
        self._set_turn(now.astimezone(CHINA))
        for account in self.accounts.values():
            for order in account.orders.values():
                if order.working:
                    self._working.setdefault(order.symbol, {})[order.order_id] = order

    # inside --------------------------------------------------------------------------------------------------

    def _refusal(
        self, account: Account, symbol: Symbol, side: Side, quantity: int, price: Decimal
    ) -> str:
        instrument = self.instruments.get(symbol)
        if instrument is None or self.today is None:
            return "[COUNTER] 证券代码不存在" if instrument is None else "[COUNTER] 系统未开市"
        phase, quote, limits = self.phase(symbol), self.quote_of(symbol), self.limits_of(symbol)
        return refusal(
            account, instrument, side, quantity, price, phase, quote, limits, self.today
        )

    def _freeze(self, account: Account, order: Order) -> Order:
        instrument = self.instruments[order.symbol]
        if order.side is Side.SELL:
            account.holding(instrument).frozen += order.quantity
            return replace(order, status=xtconstant.ORDER_WAIT_REPORTING)
        needed = cash_needed(
            account.schedule, instrument, order.quantity, order.price, self._session()
        )
        account.cash -= needed
        account.frozen_cash += needed
        return replace(order, status=xtconstant.ORDER_WAIT_REPORTING, frozen_cash=needed)

    def _book(self, order: Order, executions: tuple[Execution, ...]) -> None:
        """Book what an order met; an order that only moved in the queue is kept without an event."""
        for execution in executions:
            order = self._fill(order, execution)
        if order.working:
            self._keep(order)

    def _fill(self, order: Order, execution: Execution) -> Order:
        account, instrument = self.accounts[order.account_id], self.instruments[order.symbol]
        amount = execution.price * execution.quantity
        before, on = order.traded_amount, self._session()
        fees = fill_fees(account.schedule, instrument, order.side, on, before, amount).total
        holding = account.holding(instrument)
        if order.side is Side.BUY:
            holding.buy(execution.quantity, amount, fees, self.today)
            account.frozen_cash -= amount + fees
            order = replace(order, frozen_cash=order.frozen_cash - amount - fees)
        else:
            holding.sell(execution.quantity, amount, fees)
            account.cash += amount - fees
        traded = order.traded_quantity + execution.quantity
        done = traded == order.quantity
        status = xtconstant.ORDER_SUCCEEDED if done else xtconstant.ORDER_PART_SUCC
        self._tell_trade(account, order, execution, fees)
        order = replace(
            order, status=status, traded_quantity=traded, traded_amount=before + amount
        )
        return self._put(self._release(order) if done else order)

    def _tell_trade(
        self, account: Account, order: Order, execution: Execution, fees: Decimal
    ) -> None:
        self.serial += 1
        trade = Trade(
            f"{self._session():%Y%m%d}{self.serial:08d}",
            order.order_id,
            order.sysid,
            order.account_id,
            order.symbol,
            order.side,
            execution.quantity,
            execution.price,
            fees,
            self.now,
            order.remark,
            order.strategy,
        )
        account.trades.append(trade)
        self._events.append(Traded(trade))

    def _end(self, order: Order) -> None:
        some = order.traded_quantity > 0
        status = xtconstant.ORDER_PART_CANCEL if some else xtconstant.ORDER_CANCELED
        self._put(self._release(replace(order, status=status)))

    def _release(self, order: Order) -> Order:
        """Give back what an order that ends still holds."""
        account = self.accounts[order.account_id]
        if order.side is Side.SELL:
            account.holding(self.instruments[order.symbol]).frozen -= order.remaining
            return order
        account.cash += order.frozen_cash
        account.frozen_cash -= order.frozen_cash
        return replace(order, frozen_cash=ZERO)

    def _put(self, order: Order) -> Order:
        """Keep an order and tell its change."""
        self._keep(order)
        self._events.append(OrderChanged(order))
        self.touched.add(order.account_id)
        return order

    def _keep(self, order: Order) -> None:
        self.accounts[order.account_id].orders[order.order_id] = order
        if order.working:
            self._working.setdefault(order.symbol, {})[order.order_id] = order
        elif order.symbol in self._working:
            self._working[order.symbol].pop(order.order_id, None)
            if not self._working[order.symbol]:
                del self._working[order.symbol]

    def _turn(self, at: datetime) -> None:
        """Close the books of the running session, start the one of `at`, whatever is due."""
        if self.today is not None and at >= datetime.combine(self.today, _BOOKS_CLOSE, CHINA):
            for orders in list(self._working.values()):
                for order in list(orders.values()):
                    self._end(order)
        if at.date() != self.today and self.calendar.is_session(at.date()):
            self._start_session(at.date())
        self._set_turn(at)

    def _set_turn(self, at: datetime) -> None:
        midnight = datetime.combine(at.date(), time(), CHINA)
        close = datetime.combine(at.date(), _BOOKS_CLOSE, CHINA)
        self._next_turn = close if at < close else midnight + timedelta(days=1)
        if self.today is not None:
            self._midnight = datetime.combine(self.today, time(), CHINA)

    def _start_session(self, on: date) -> None:
        for symbol, market in self._markets.items():
            if market.quote is not None and market.quote.last > 0:
                self._last_prices[symbol] = market.quote.last
        self._markets.clear()
        self.today = on
        self._apply_actions(on)
        for account in self.accounts.values():
            account.orders.clear()
            account.trades.clear()
            account.positions = {s: h for s, h in account.positions.items() if h.quantity > 0}
            for holding in account.positions.values():
                holding.start_session(on)
            self.touched.add(account.account_id)

    def _apply_actions(self, on: date) -> None:
        due = [action for action in self.actions if action.on <= on]
        self.actions = [action for action in self.actions if action.on > on]
        for action in sorted(due, key=lambda one: one.on):
            if action.symbol in self._last_prices:
                self._last_prices[action.symbol] *= action.factor
            for account in self.accounts.values():
                holding = account.positions.get(action.symbol)
                if holding is not None and holding.quantity > 0:
                    account.cash += holding.ex_rights(action)
                    self.touched.add(account.account_id)

    def _session(self) -> date:
        """Return the running session; orders exist only within one."""
        return self.today or self.now.date()

    def _quote_time(self, market: Market) -> datetime:
        return market.quote.time if market.quote else self.now
