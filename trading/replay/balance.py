"""Does a replay balance? Asked after every one: cash, shares and fees to the cent, between the exchange and our books.

The ledger here is a third account of the same day: it starts from the options and folds our Fill rows and the
ex-rights events, knowing neither the exchange's cash nor our Position rows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import ROUND_HALF_UP, Decimal

from trading.domain.fees import order_fees
from trading.domain.instruments import Settlement
from trading.domain.orders import OrderState
from trading.domain.types import CHINA, ZERO, CorporateAction, Fees, Side, Symbol, Text
from trading.errors import MiniqmtError
from trading.models import Account, Fill, Order, Position
from trading.replay.engine import BROKER_ACCOUNT, Replay
from trading.services.accounts import fee_schedule

_CENT = Decimal("0.01")


class ImbalanceError(MiniqmtError):
    """The books of a replay do not agree. `text` says in both languages what differs; it is a defect, not an input."""

    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(text.en)


@dataclass(slots=True)
class Life:
    """What one life of a holding came to: shares, and yuan paid and received."""

    symbol: Symbol
    number: int
    quantity: int = 0
    bought_today: int = 0
    bought_on: date | None = None
    bought: Decimal = ZERO
    sold: Decimal = ZERO
    fees: Decimal = ZERO
    dividends: Decimal = ZERO

    def profit(self, last: Decimal) -> Decimal:
        """Return the profit in yuan after fees, what is left valued at `last`."""
        return self.sold + self.dividends + self.quantity * last - self.bought - self.fees


@dataclass(slots=True)
class Ledger:
    """Cash (yuan) and lives by symbol, in order."""

    cash: Decimal
    lives: dict[Symbol, list[Life]] = field(default_factory=dict)

    def held(self) -> dict[Symbol, int]:
        """Return the shares of every symbol that is held."""
        return {
            symbol: lives[-1].quantity
            for symbol, lives in self.lives.items()
            if lives[-1].quantity
        }

    def life_to_buy_into(self, symbol: Symbol) -> Life:
        """Return the running life, a new one when there is none."""
        lives = self.lives.setdefault(symbol, [])
        if not lives or not lives[-1].quantity:
            lives.append(Life(symbol, len(lives) + 1))
        return lives[-1]


def check_balance(replay: Replay, *, finished: bool = True) -> Ledger:
    """Return the ledger of a replay that has run. Raises ImbalanceError naming the first difference.

    `finished`: its days were played to the close of the books, so nothing may be open any more.
    """
    account = Account.objects.get(pk=replay.account.pk)
    fills = list(Fill.objects.filter(account=account).select_related("order").order_by("pk"))
    _fills_are_the_exchange_s(replay, fills)
    ledger = _ledger(replay, fills)
    _orders_add_up(account, replay, fills)
    if finished:
        _nothing_is_open(account, replay)
        _cash_agrees(account, replay, ledger)
    _shares_agree(account, replay, ledger)
    return ledger


def _require(equal: bool, en: str, zh: str) -> None:
    if not equal:
        raise ImbalanceError(Text(f"The replay does not balance: {en}.", f"回放账目不平：{zh}。"))


def _fills_are_the_exchange_s(replay: Replay, fills: Iterable[Fill]) -> None:
    """Every trade of the exchange is booked once, with its price, quantity and fees; nothing else is."""
    theirs = Counter(
        (
            trade.traded_id,
            trade.order_id,
            str(trade.symbol),
            trade.side.value,
            trade.quantity,
            trade.price,
            trade.fees,
        )
        for trade in replay.trades
    )
    ours = Counter(
        (
            fill.traded_id,
            fill.broker_order_id,
            fill.symbol,
            fill.side,
            fill.quantity,
            fill.price,
            _fees(fill).total,
        )
        for fill in fills
    )
    for row in theirs - ours:
        _require(
            False,
            f"the exchange traded {_row(row)}, which is not booked",
            f"交易所成交 {_row(row)} 未入账",
        )
    for row in ours - theirs:
        _require(
            False,
            f"booked {_row(row)}, which the exchange never traded so",
            f"已入账 {_row(row)} 与交易所不符",
        )


def _row(row: tuple[object, ...]) -> str:
    return " ".join(map(str, row))


def _ledger(replay: Replay, fills: Iterable[Fill]) -> Ledger:
    ledger = Ledger(replay.options.cash)
    for seed in replay.options.seeds:
        life = ledger.life_to_buy_into(seed.symbol)
        life.quantity += seed.quantity
        life.bought += seed.quantity * seed.cost
    for _, event in sorted(_events(replay, fills), key=lambda pair: pair[0]):
        if isinstance(event, CorporateAction):
            _pay(ledger, event)
        else:
            _book(ledger, replay, event)
    return ledger


def _events(
    replay: Replay, fills: Iterable[Fill]
) -> Iterator[tuple[tuple[datetime, int], CorporateAction | Fill]]:
    last = max(on for recording in replay.recordings for on in recording.sessions)
    for number, action in enumerate(replay.options.corporate_actions):
        if action.on <= last:
            yield (datetime.combine(action.on, time(), CHINA), number), action
    for fill in fills:
        yield (fill.at, fill.pk), fill


def _pay(ledger: Ledger, action: CorporateAction) -> None:
    held = ledger.held().get(action.symbol, 0)
    if held:
        life = ledger.lives[action.symbol][-1]
        paid = (action.cash_per_share * held).quantize(_CENT, ROUND_HALF_UP)
        life.quantity = int(held * action.share_ratio)
        life.dividends += paid
        ledger.cash += paid


def _book(ledger: Ledger, replay: Replay, fill: Fill) -> None:
    symbol, fees = Symbol(fill.symbol), _fees(fill).total
    if fill.side == Side.BUY:
        life = ledger.life_to_buy_into(symbol)
        life.bought_today = fill.quantity + (
            life.bought_today if life.bought_on == fill.trade_date else 0
        )
        life.bought_on = fill.trade_date
        life.quantity += fill.quantity
        life.bought += fill.price * fill.quantity
        ledger.cash -= fill.price * fill.quantity + fees
    else:
        lives = ledger.lives.get(symbol)
        life = lives[-1] if lives else Life(symbol, 0)
        t1 = replay.exchange.instruments[symbol].settlement is Settlement.T1
        locked = life.bought_today if t1 and life.bought_on == fill.trade_date else 0
        _require(
            fill.quantity <= life.quantity - locked,
            f"{fill.quantity} {symbol} were sold on {fill.trade_date}, {life.quantity} held, {locked} of them not sellable",
            f"{fill.trade_date} 卖出 {symbol} {fill.quantity} 股，当时持有 {life.quantity} 股，其中 {locked} 股不可卖",
        )
        life.quantity -= fill.quantity
        life.sold += fill.price * fill.quantity
        ledger.cash += fill.price * fill.quantity - fees
    life.fees += fees


def _orders_add_up(account: Account, replay: Replay, fills: Iterable[Fill]) -> None:
    """An order has traded what its fills add up to, and its fees are those of one order, not of each fill."""
    schedule = fee_schedule(account)
    by_order: Mapping[int | None, list[Fill]] = defaultdict(list)
    for fill in fills:
        by_order[fill.order_id].append(fill)
    _require(None not in by_order, "a fill belongs to no order", "有成交不属于任何委托")
    for order in Order.objects.filter(account=account):
        own = by_order.get(order.pk, [])
        name = f"{order.client_order_id} ({order.symbol})"
        quantity, amount = (
            sum(f.quantity for f in own),
            sum((f.price * f.quantity for f in own), ZERO),
        )
        _require(
            (quantity, amount) == (order.filled_quantity, order.filled_amount),
            f"order {name} says {order.filled_quantity} shares for {order.filled_amount} yuan, its fills {quantity} for {amount}",
            f"委托 {name} 记 {order.filled_quantity} 股 {order.filled_amount} 元，而成交合计 {quantity} 股 {amount} 元",
        )
        _require(
            quantity <= order.quantity,
            f"order {name} for {order.quantity} shares traded {quantity}",
            f"委托 {name} 数量 {order.quantity} 股，成交 {quantity} 股",
        )
        instrument = replay.exchange.instruments[Symbol(order.symbol)]
        due = order_fees(schedule, instrument, Side(order.side), amount, order.trade_date)
        paid = sum(map(_fees, own), Fees())
        _require(
            paid == due,
            f"order {name} paid {paid}, due are {due}",
            f"委托 {name} 实付费用 {paid}，应付 {due}",
        )


def _nothing_is_open(account: Account, replay: Replay) -> None:
    for order in Order.objects.filter(account=account):
        _require(
            OrderState(order.state).terminal and order.chain_settled,
            f"order {order.client_order_id} ({order.symbol}) is still {order.state} after the books closed",
            f"收盘清算后委托 {order.client_order_id}（{order.symbol}）仍为 {order.state}",
        )
    theirs = replay.exchange.account(BROKER_ACCOUNT)
    frozen = {symbol: held.frozen for symbol, held in theirs.positions.items() if held.frozen}
    working = [order.order_id for order in theirs.orders.values() if order.working]
    _require(
        not frozen and not working and theirs.frozen_cash == 0 and account.frozen_cash == 0,
        f"frozen at the exchange are {theirs.frozen_cash} yuan and shares {frozen}, open orders {working}",
        f"交易所仍冻结 {theirs.frozen_cash} 元、股份 {frozen}，未结委托 {working}",
    )


def _cash_agrees(account: Account, replay: Replay, ledger: Ledger) -> None:
    theirs = replay.exchange.account(BROKER_ACCOUNT).cash
    _require(
        ledger.cash == theirs == account.cash,
        f"cash by the fills {ledger.cash}, at the exchange {theirs}, in our books {account.cash} yuan",
        f"按成交推算资金 {ledger.cash} 元，交易所 {theirs} 元，账本 {account.cash} 元",
    )


def _shares_agree(account: Account, replay: Replay, ledger: Ledger) -> None:
    positions = replay.exchange.account(BROKER_ACCOUNT).positions
    theirs = {symbol: held.quantity for symbol, held in positions.items() if held.quantity}
    rows = Position.objects.filter(account=account, closed_at__isnull=True)
    ours = {Symbol(row.symbol): row.quantity for row in rows}
    for symbol in sorted({*ledger.held(), *theirs, *ours}):
        counted = ledger.held().get(symbol, 0), theirs.get(symbol, 0), ours.get(symbol, 0)
        _require(
            len(set(counted)) == 1,
            f"shares of {symbol} by the fills {counted[0]}, at the exchange {counted[1]}, in our books {counted[2]}",
            f"{symbol} 按成交推算 {counted[0]} 股，交易所 {counted[1]} 股，账本 {counted[2]} 股",
        )


def _fees(fill: Fill) -> Fees:
    return Fees(fill.commission, fill.stamp_duty, fill.transfer_fee)
