"""Style B, the centred grid: arm beyond a line, trade on the turn, move the centre to the fill (rules §3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from grid.domain import levels
from grid.domain.parameters import check, ranges, wrong
from grid.domain.state import (
    Decision,
    Facts,
    GridState,
    Outcome,
    PlannedLine,
    Refusal,
    RefusalCode,
    Stop,
    StopCode,
    Tracker,
    Trade,
    reset,
)
from trading.domain.instruments import LotRule
from trading.domain.settings import SettingError
from trading.domain.types import ZERO, Side, Text
from trading.domain.wording import percent, yuan

LINE_COOLDOWN = timedelta(seconds=60)
SIDE_COOLDOWN = timedelta(seconds=300)
#: For a sell more than 2 % above the last sale: a rally must not run past its levels (F103).
SHORT_COOLDOWN = timedelta(seconds=150)
_RALLY = Decimal("1.02")
_ONE = Decimal(1)

#: The smallest buy of a centred grid, in yuan.
SMALLEST_BUY = Decimal(100)
#: The one pair for which the target may be smaller than the loss it risks.
_WIDEST_LOSS = (Decimal("0.01"), Decimal("-0.50"))

_Step = tuple[GridState, Decision | None]

_RANGES = ranges(
    ("interval", "0.01", "0.20"),
    ("position_ratio", "0.01", "1"),
    ("callback", "0.001", "0.10"),
    ("max_deviation", "0.05", "0.50"),
    ("target_profit", "0.01", "1"),
    ("stop_loss", "-0.50", "-0.001"),
    ("duration_days", "1", "365"),
    ("fixed_quantity", "0", "1000000"),
    ("max_investment", "100", "1000000000"),
)
_WHOLE = frozenset({"duration_days", "fixed_quantity"})


class TradeMode(StrEnum):
    """How a centred grid sizes its orders."""

    AMOUNT = "amount"
    SHARES = "shares"


@dataclass(frozen=True, slots=True)
class CentredGrid:
    """Style B. Amounts in yuan, ratios of a price or of `max_investment`, `fixed_quantity` in shares.

    `callback`: how far the price turns back from its peak or valley before a trade. `fixed_quantity` 0 = sized as in
    amount mode. Raises SettingError naming field, value and range.
    """

    style: ClassVar[str] = "centred"

    max_investment: Decimal
    interval: Decimal = Decimal("0.05")
    position_ratio: Decimal = Decimal("0.25")
    callback: Decimal = Decimal("0.005")
    max_deviation: Decimal = Decimal("0.15")
    target_profit: Decimal = Decimal("0.10")
    stop_loss: Decimal = Decimal("-0.10")
    duration_days: int = 7
    trade_mode: TradeMode = TradeMode.AMOUNT
    fixed_quantity: int = 0

    def __post_init__(self) -> None:
        check(self, _RANGES, _WHOLE)
        if self.trade_mode not in tuple(TradeMode):
            raise wrong(self, "trade_mode", "amount or shares", " amount 或 shares")
        object.__setattr__(self, "trade_mode", TradeMode(self.trade_mode))
        if self.callback >= self.interval:
            top = f"interval {self.interval}"
            raise wrong(self, "callback", f"less than {top}", f"小于 {top}")
        if self.max_deviation <= self.interval:
            low = f"interval {self.interval}"
            raise wrong(self, "max_deviation", f"more than {low}", f"大于 {low}")
        if self.max_investment * self.position_ratio < SMALLEST_BUY:
            text = f"{SMALLEST_BUY} / position_ratio {self.position_ratio}"
            raise wrong(self, "max_investment", f"at least {text}", f"不小于 {text}")
        if self.target_profit < -self.stop_loss and (
            (self.target_profit, self.stop_loss) != _WIDEST_LOSS
        ):
            low = f"|stop_loss| {-self.stop_loss}"
            raise wrong(self, "target_profit", f"at least {low}", f"不小于 {low}")

    def misfit(self, lot: LotRule) -> SettingError | None:
        """Return why the fixed quantity is no order of this instrument, None when it is one."""
        if self.fixed_quantity and lot.floor_buy(self.fixed_quantity) != self.fixed_quantity:
            en = f"at least {lot.minimum}, by {lot.step}, or 0"
            zh = f"不小于 {lot.minimum} 且按 {lot.step} 递增，或 0"
            return wrong(self, "fixed_quantity", en, zh)
        return None


class CentredStyle:
    """The rules of style B."""

    name = CentredGrid.style
    parameters = CentredGrid

    def exit(
        self, state: GridState, price: Decimal, rules: CentredGrid, now: datetime, facts: Facts
    ) -> Stop | None:
        """Return why the session ends now: (1) deviation, (2) target or loss, (3) its end; empty is asked elsewhere."""
        away, centre = rules.max_deviation, state.centre
        if abs(centre - state.first_centre) > state.first_centre * away or (
            abs(price - centre) > centre * away
        ):
            return _deviated(state, price, rules)
        ledger = facts.ledger
        if ledger.bought_quantity:
            profit = ledger.profit(price)
            if ledger.sold_quantity and profit >= rules.max_investment * rules.target_profit:
                return _profit_stop(StopCode.TARGET, profit, rules.target_profit)
            if profit <= rules.max_investment * rules.stop_loss:
                return _profit_stop(StopCode.LOSS, profit, rules.stop_loss)
        if facts.ends_at is not None and now > facts.ends_at:
            return Stop(
                StopCode.EXPIRED,
                Text(
                    f"its {rules.duration_days} days are over", f"{rules.duration_days} 天期限已到"
                ),
            )
        return None

    def had_shares(self, facts: Facts) -> bool:
        """Whether an empty holding says anything: the session was given shares, or bought some."""
        return facts.base_quantity > 0 or facts.ledger.bought_quantity > 0

    def step(
        self, state: GridState, price: Decimal, rules: CentredGrid, now: datetime, facts: Facts
    ) -> _Step:
        """Follow one quote; the trade it decides is pending in the new state."""
        if state.tracker is Tracker.RISING:
            if price > state.extreme:
                return replace(state, extreme=price), None
            if levels.turned_down(state.extreme, price, rules.callback):
                return self._sell(state, price, rules, now, facts)
            return state, None
        if state.tracker is Tracker.FALLING:
            if price < state.extreme:
                return replace(state, extreme=price), None
            if levels.turned_up(state.extreme, price, rules.callback):
                return self._buy(state, price, rules, now, facts)
            return state, None
        if price > state.centre * (_ONE + rules.interval):
            return replace(state, tracker=Tracker.RISING, extreme=price), None
        if price < state.centre * (_ONE - rules.interval):
            return replace(state, tracker=Tracker.FALLING, extreme=price), None
        return state, None

    def filled(self, state: GridState, outcome: Outcome) -> GridState:
        """Return the state after an order that traded: the centre moves to its average price, new lines begin."""
        average = outcome.average
        moved = replace(reset(state), centre=average, buy_tried_at=None, sell_tried_at=None)
        if outcome.side is Side.BUY:
            return replace(moved, last_buy_at=outcome.at)
        return replace(moved, last_sell_at=outcome.at, last_sale=average)

    def plan(self, centre: Decimal, rules: CentredGrid, facts: Facts) -> tuple[PlannedLine, ...]:
        """Return the sale at the upper line, and the buys while the price falls from line to line.

        Each buy moves the centre; they end with the money or with the session, which stops beyond `max_deviation`.
        """
        planned: list[PlannedLine] = []
        if free := sell_quantity(rules, facts):
            planned.append(PlannedLine(Side.SELL, centre * (_ONE + rules.interval), free))
        price, spent, held = centre, ZERO, facts.held or 0
        while centre - price <= centre * rules.max_deviation:
            price = price * (_ONE - rules.interval)
            highest = levels.reservation_price(price, price, None)
            now = replace(facts, held=held, reserved_buys=spent)
            quantity = buy_quantity(rules, now, highest)
            if quantity == 0:
                break
            closes = price * (_ONE + rules.interval)
            planned.append(PlannedLine(Side.BUY, price, quantity, closes, highest))
            spent += price * quantity
            held += quantity
        return tuple(planned)

    def _sell(
        self, state: GridState, price: Decimal, rules: CentredGrid, now: datetime, facts: Facts
    ) -> _Step:
        line = levels.lines(state.centre, rules.interval, rules.callback)
        if price < line.sell_floor:
            return _refused(
                state, Side.SELL, RefusalCode.BEYOND_LINE, _beyond(price, line.sell_floor)
            )
        wait = SIDE_COOLDOWN
        if state.last_sale is not None and price > state.last_sale * _RALLY:
            wait = SHORT_COOLDOWN
        rests = _rests(now, state.sell_tried_at, state.last_sell_at, wait)
        if rests is not None:
            return _refused(state, Side.SELL, RefusalCode.COOLDOWN, rests)
        tried = replace(state, sell_tried_at=now)
        quantity = sell_quantity(rules, facts)
        if quantity == 0:
            text = Text("nothing of it can be sold now", "当前无可卖数量")
            return _refused(tried, Side.SELL, RefusalCode.NOTHING_SELLABLE, text)
        peak = state.extreme
        text = Text(
            f"price {yuan(price)} turned {percent((peak - price) / peak)} down from its peak {yuan(peak)}, "
            f"above the upper line {yuan(line.upper)} of centre {yuan(state.centre)}: sell {quantity}",
            f"现价 {yuan(price)} 自最高 {yuan(peak)} 回落 {percent((peak - price) / peak)}，"
            f"曾突破上线 {yuan(line.upper)}（中心 {yuan(state.centre)}）：卖出 {quantity} 股",
        )
        return _decided(tried, Trade(Side.SELL, quantity, price, now, text))

    def _buy(
        self, state: GridState, price: Decimal, rules: CentredGrid, now: datetime, facts: Facts
    ) -> _Step:
        line = levels.lines(state.centre, rules.interval, rules.callback)
        if price > line.buy_ceiling:
            return _refused(
                state, Side.BUY, RefusalCode.BEYOND_LINE, _beyond(price, line.buy_ceiling)
            )
        rests = _rests(now, state.buy_tried_at, state.last_buy_at, SIDE_COOLDOWN)
        if rests is not None:
            return _refused(state, Side.BUY, RefusalCode.COOLDOWN, rests)
        tried = replace(state, buy_tried_at=now)
        if facts.held is None:
            text = Text("what is held is not known now", "当前持仓未知")
            return _refused(tried, Side.BUY, RefusalCode.HOLDING_UNKNOWN, text)
        highest = levels.reservation_price(price, price, facts.limit_up)
        quantity = buy_quantity(rules, facts, highest)
        if quantity == 0:
            text = Text("the budget left buys not one lot", "剩余额度不足一手")
            return _refused(tried, Side.BUY, RefusalCode.BUDGET, text)
        valley = state.extreme
        text = Text(
            f"price {yuan(price)} turned {percent((price - valley) / valley)} up from its valley {yuan(valley)}, "
            f"below the lower line {yuan(line.lower)} of centre {yuan(state.centre)}: buy {quantity}",
            f"现价 {yuan(price)} 自最低 {yuan(valley)} 反弹 {percent((price - valley) / valley)}，"
            f"曾跌破下线 {yuan(line.lower)}（中心 {yuan(state.centre)}）：买入 {quantity} 股",
        )
        return _decided(tried, Trade(Side.BUY, quantity, price, now, text, highest))


def buy_quantity(rules: CentredGrid, facts: Facts, highest: Decimal) -> int:
    """Return the shares of the next buy, 0 = none: never more than the budget left pays at `highest` (yuan)."""
    cap = levels.affordable(facts, rules.max_investment, highest)
    if rules.trade_mode is TradeMode.SHARES and rules.fixed_quantity:
        wanted = rules.fixed_quantity
    elif facts.held:
        wanted = max(
            facts.lot.floor_buy(int(facts.held * rules.position_ratio)), facts.lot.minimum
        )
    else:
        wanted = int(rules.max_investment * rules.position_ratio / highest)
    return facts.lot.floor_buy(min(wanted, cap))


def sell_quantity(rules: CentredGrid, facts: Facts) -> int:
    """Return the shares of the next sell, 0 = none: whole lots, one lot when the ratio gives less."""
    free = levels.available(facts)
    if rules.trade_mode is TradeMode.SHARES and rules.fixed_quantity:
        wanted = rules.fixed_quantity
    else:
        part = int((facts.sellable - facts.promised) * rules.position_ratio)
        wanted = max(facts.lot.floor_buy(part), facts.lot.minimum)
    return facts.lot.floor_buy(min(wanted, free))


def _decided(state: GridState, trade: Trade) -> _Step:
    return replace(state, pending=trade), trade


def _refused(state: GridState, side: Side, code: RefusalCode, text: Text) -> _Step:
    return reset(state), Refusal(side, code, text)


def _rests(
    now: datetime, tried_at: datetime | None, traded_at: datetime | None, wait: timedelta
) -> Text | None:
    """Return which cooldown still runs, None when neither does."""
    if tried_at is not None and now - tried_at < LINE_COOLDOWN:
        return Text("this line triggered less than 60 s ago", "该档位 60 秒内已触发过")
    if traded_at is not None and now - traded_at < wait:
        seconds = int(wait.total_seconds())
        return Text(
            f"the last trade of this side was less than {seconds} s ago",
            f"距上次同向成交不足 {seconds} 秒",
        )
    return None


def _beyond(price: Decimal, bound: Decimal) -> Text:
    return Text(
        f"price {yuan(price)} went beyond the line by more than one callback, past {yuan(bound)}: no trade",
        f"现价 {yuan(price)} 越过 {yuan(bound)}，超出档位一个回调幅度：不交易",
    )


def _deviated(state: GridState, price: Decimal, rules: CentredGrid) -> Stop:
    moved = abs(state.centre - state.first_centre) / state.first_centre
    away = max(moved, abs(price - state.centre) / state.centre)
    most = percent(rules.max_deviation)
    text = Text(
        f"centre or price deviate by {percent(away)}, more than {most}",
        f"中心或价格偏离 {percent(away)}，超过 {most}",
    )
    return Stop(StopCode.DEVIATION, text)


def _profit_stop(code: StopCode, profit: Decimal, ratio: Decimal) -> Stop:
    text = Text(
        f"profit {profit + ZERO:.2f} yuan reached {percent(ratio)} of the budget",
        f"盈亏 {profit + ZERO:.2f} 元，达到额度的 {percent(ratio)}",
    )
    return Stop(code, text)
