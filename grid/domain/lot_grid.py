"""Style A, the lot grid: buy on each further drop, sell each lot at its own profit, loss or age (rules §3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar

from grid.domain import levels
from grid.domain.ledger import Lot
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
    Trade,
    reset,
)
from trading.domain.instruments import LotRule
from trading.domain.settings import SettingError
from trading.domain.types import ZERO, Side, Text
from trading.domain.wording import percent, yuan

#: A level whose order came to nothing is tried again after this long: without it every quote would try (F92).
LEVEL_COOLDOWN = timedelta(seconds=60)
_ONE = Decimal(1)

_Step = tuple[GridState, Decision | None]

_RANGES = ranges(
    ("grid_buy_amount", "100", "1000000000"),
    ("grid_price_drop", "0.001", "0.50"),
    ("grid_take_profit_ratio", "0.001", "1"),
    ("grid_stop_loss_ratio", "-0.50", "-0.001"),
    ("grid_max_hold_days", "1", "365"),
    ("max_lots", "1", "100"),
    ("max_investment", "100", "1000000000"),
)
_WHOLE = frozenset({"grid_max_hold_days", "max_lots"})


@dataclass(frozen=True, slots=True)
class LotGrid:
    """Style A, the settings users know. Amounts in yuan, ratios of a price. Raises SettingError.

    `grid_price_drop`: how far below reference, cheapest lot or last sale the next buy lies. A lot is due at
    `grid_take_profit_ratio` above or `grid_stop_loss_ratio` (negative) below its price, or after more than
    `grid_max_hold_days` days. The ranges are the house's: rules §3 names the defaults only.
    """

    style: ClassVar[str] = "lot"

    max_investment: Decimal
    grid_buy_amount: Decimal = Decimal(5000)
    grid_price_drop: Decimal = Decimal("0.02")
    grid_take_profit_ratio: Decimal = Decimal("0.08")
    grid_stop_loss_ratio: Decimal = Decimal("-0.10")
    grid_max_hold_days: int = 30
    max_lots: int = 10

    def __post_init__(self) -> None:
        check(self, _RANGES, _WHOLE)
        if self.max_investment < self.grid_buy_amount:
            least = f"grid_buy_amount {self.grid_buy_amount}"
            raise wrong(self, "max_investment", f"at least {least}", f"不小于 {least}")

    def misfit(self, lot: LotRule) -> SettingError | None:
        """Return what does not fit the instrument's lots: nothing, for lots are cut to size when bought."""
        return None


class LotStyle:
    """The rules of style A. It has no exits of its own but an empty holding: each lot has them."""

    name = LotGrid.style
    parameters = LotGrid

    def exit(
        self, state: GridState, price: Decimal, rules: LotGrid, now: datetime, facts: Facts
    ) -> Stop | None:
        """Return None: deviation, target, loss and end belong to style B."""
        return None

    def had_shares(self, facts: Facts) -> bool:
        """Whether an empty holding says anything: lots are open although nothing is held."""
        return facts.ledger.quantity > 0

    def step(
        self, state: GridState, price: Decimal, rules: LotGrid, now: datetime, facts: Facts
    ) -> _Step:
        """Follow one quote: due lots are sold first, then a further drop buys."""
        if facts.ledger.lots:
            due = due_lots(price, rules, facts)
            if due and not _rests(now, state.sell_tried_at):
                return self._sell(state, price, rules, now, facts, due)
        if price <= next_buy(state, facts, rules) and not _rests(now, state.buy_tried_at):
            return self._buy(state, price, rules, now, facts)
        return state, None

    def filled(self, state: GridState, outcome: Outcome) -> GridState:
        """Return the state after an order that traded; the reference stays."""
        free = replace(reset(state), buy_tried_at=None, sell_tried_at=None)
        if outcome.side is Side.BUY:
            return replace(free, last_buy_at=outcome.at)
        return replace(free, last_sell_at=outcome.at, last_sale=outcome.average)

    def plan(self, centre: Decimal, rules: LotGrid, facts: Facts) -> tuple[PlannedLine, ...]:
        """Return the buys from a reference downwards, each with the price at which its lot takes its profit."""
        planned: list[PlannedLine] = []
        price, spent = centre, ZERO
        while len(planned) < rules.max_lots:
            price = price * (_ONE - rules.grid_price_drop)
            highest = levels.reservation_price(price, price, None)
            cap = int((rules.max_investment - spent) / highest)
            quantity = facts.lot.floor_buy(min(int(rules.grid_buy_amount / price), cap))
            if quantity == 0:
                break
            gain = price * (_ONE + rules.grid_take_profit_ratio)
            planned.append(PlannedLine(Side.BUY, price, quantity, gain, highest))
            spent += price * quantity
        return tuple(planned)

    def _sell(
        self,
        state: GridState,
        price: Decimal,
        rules: LotGrid,
        now: datetime,
        facts: Facts,
        due: list[Lot],
    ) -> _Step:
        tried = replace(state, sell_tried_at=now)
        free = levels.available(facts)
        wanted = min(sum(lot.quantity for lot in due), free)
        quantity = facts.lot.floor_sell(wanted, max(facts.sellable - facts.promised, 0))
        if quantity == 0:
            text = Text("the due lots cannot be sold now", "到价批次当前不可卖")
            return reset(tried), Refusal(Side.SELL, RefusalCode.NOTHING_SELLABLE, text)
        taken = allot(due, quantity)
        text = Text(
            f"{len(taken)} lot(s) due at {yuan(price)}: {_why(due[0], price, rules)[0]}: sell {quantity}",
            f"{len(taken)} 个批次在 {yuan(price)} 到价：{_why(due[0], price, rules)[1]}：卖出 {quantity} 股",
        )
        trade = Trade(Side.SELL, quantity, price, now, text, lots=taken)
        return replace(tried, pending=trade), trade

    def _buy(
        self, state: GridState, price: Decimal, rules: LotGrid, now: datetime, facts: Facts
    ) -> _Step:
        if len(facts.ledger.lots) >= rules.max_lots:
            return (
                state,
                None,
            )  # as many lots as it may have: nothing was missed, so nothing is told
        tried = replace(state, buy_tried_at=now)
        highest = levels.reservation_price(price, price, facts.limit_up)
        cap = levels.affordable(facts, rules.max_investment, highest)
        quantity = facts.lot.floor_buy(min(int(rules.grid_buy_amount / price), cap))
        if quantity == 0:
            text = Text("amount or budget left buy not one lot", "单次金额或剩余额度不足一手")
            return reset(tried), Refusal(Side.BUY, RefusalCode.BUDGET, text)
        start = next_buy(state, facts, rules)
        drop = percent(rules.grid_price_drop)
        text = Text(
            f"price {yuan(price)} reached {yuan(start)}, {drop} below the last level: buy {quantity}",
            f"现价 {yuan(price)} 触及 {yuan(start)}，较上一档下跌 {drop}：买入 {quantity} 股",
        )
        trade = Trade(Side.BUY, quantity, price, now, text, highest)
        return replace(tried, pending=trade), trade


def next_buy(state: GridState, facts: Facts, rules: LotGrid) -> Decimal:
    """Return the price at or below which a lot grid buys next: under its cheapest open lot, else under its last sale.

    Never counted from above the reference.
    """
    keep = _ONE - rules.grid_price_drop
    cheapest = facts.ledger.cheapest
    if cheapest is not None:
        # Divided last: a level that is a whole tick comes out as one.
        return cheapest.amount * keep / cheapest.quantity
    if state.last_sale is None:
        return state.centre * keep
    return min(state.last_sale, state.centre) * keep


def due_lots(price: Decimal, rules: LotGrid, facts: Facts) -> list[Lot]:
    """Return the lots to sell at a price, the lowest cost first; under T+1 those of today are not among them."""
    gain, loss = _ONE + rules.grid_take_profit_ratio, _ONE + rules.grid_stop_loss_ratio
    due = []
    for lot in facts.ledger.lots:
        if facts.t1 and lot.on >= facts.on:
            continue
        worth = price * lot.quantity  # divided last, compared undivided: exact
        if (
            worth >= lot.amount * gain
            or worth <= lot.amount * loss
            or (facts.on - lot.on).days > rules.grid_max_hold_days
        ):
            due.append(lot)
    if len(due) > 1:
        due.sort(key=lambda lot: (lot.price, lot.id))
    return due


def allot(due: list[Lot], quantity: int) -> tuple[tuple[int, int], ...]:
    """Return which lots `quantity` shares close, the lowest cost first, as (lot, shares)."""
    taken = []
    for lot in due:
        part = min(lot.quantity, quantity)
        if part:
            taken.append((lot.id, part))
        quantity -= part
    return tuple(taken)


def _why(lot: Lot, price: Decimal, rules: LotGrid) -> Text:
    change = percent(price / lot.price - 1)
    if price >= lot.price * (_ONE + rules.grid_take_profit_ratio):
        return Text(f"profit {change}", f"止盈 {change}")
    if price <= lot.price * (_ONE + rules.grid_stop_loss_ratio):
        return Text(f"loss {change}", f"止损 {change}")
    days = rules.grid_max_hold_days
    return Text(f"held for more than {days} days", f"持有超过 {days} 天")


def _rests(now: datetime, tried_at: datetime | None) -> bool:
    return tried_at is not None and now - tried_at < LEVEL_COOLDOWN
