"""What a session waits for at a price, in words: the answer to "why does it not trade now?".

Nothing here decides; it says with numbers what `rules.step` would need. A style without words of its own is shown by
its lines only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from grid.domain import levels
from grid.domain.centred_grid import LINE_COOLDOWN, SIDE_COOLDOWN, CentredGrid
from grid.domain.lot_grid import LEVEL_COOLDOWN, LotGrid, due_lots, next_buy
from grid.domain.parameters import GridRules
from grid.domain.rules import STYLES
from grid.domain.state import Facts, GridState, PlannedLine, Tracker
from trading.domain.types import CHINA, Side, Text
from trading.domain.wording import percent, yuan

_ONE = Decimal(1)


def explain(
    state: GridState, price: Decimal, rules: GridRules, now: datetime, facts: Facts
) -> tuple[Text, ...]:
    """Return what the session waits for at a price (yuan), most important first."""
    if state.pending is not None:
        return (
            Text(
                f"A trade is under way, nothing else is decided meanwhile: {state.pending.reason.en}",
                f"交易进行中，期间不作其他决策：{state.pending.reason.zh}",
            ),
        )
    words = _WORDS.get(rules.style)
    return () if words is None else tuple(words(state, price, rules, now, facts))


def ladder(state: GridState, rules: GridRules, facts: Facts) -> tuple[PlannedLine, ...]:
    """Return the lines of a running session from where it is now: sales above, the buys a falling price reaches."""
    if isinstance(rules, LotGrid):
        return tuple(_next_buys(state, rules, facts))
    return STYLES[rules.style].plan(state.centre, rules, facts)


def _next_buys(state: GridState, rules: LotGrid, facts: Facts) -> Iterator[PlannedLine]:
    """A lot grid's next buys: below its cheapest lot or last sale, while lots and money last."""
    price, spent = next_buy(state, facts, rules), facts.reserved_buys
    for _ in range(rules.max_lots - len(facts.ledger.lots)):
        highest = levels.reservation_price(price, price, None)
        cap = levels.affordable(replace(facts, reserved_buys=spent), rules.max_investment, highest)
        quantity = facts.lot.floor_buy(min(int(rules.grid_buy_amount / price), cap))
        if quantity == 0:
            return
        gain = price * (_ONE + rules.grid_take_profit_ratio)
        yield PlannedLine(Side.BUY, price, quantity, gain, highest)
        spent += price * quantity
        price *= _ONE - rules.grid_price_drop


def _centred(
    state: GridState, price: Decimal, rules: CentredGrid, now: datetime, facts: Facts
) -> list[Text]:
    line = levels.lines(state.centre, rules.interval, rules.callback)
    turn = rules.callback - levels.CALLBACK_TOLERANCE
    said = []
    if state.tracker is Tracker.RISING:
        sells = state.extreme * (_ONE - turn)
        said.append(
            Text(
                f"Above the upper line {yuan(line.upper)}: follows the peak {yuan(state.extreme)}, and sells when the price "
                f"turns down to {yuan(sells)}, unless it fell below {yuan(line.sell_floor)} by then.",
                f"已突破上线 {yuan(line.upper)}：跟踪高点 {yuan(state.extreme)}，回落至 {yuan(sells)} 卖出，"
                f"低于 {yuan(line.sell_floor)} 则放弃。",
            )
        )
    elif state.tracker is Tracker.FALLING:
        buys = state.extreme * (_ONE + turn)
        said.append(
            Text(
                f"Below the lower line {yuan(line.lower)}: follows the valley {yuan(state.extreme)}, and buys when the price "
                f"turns up to {yuan(buys)}, unless it rose above {yuan(line.buy_ceiling)} by then.",
                f"已跌破下线 {yuan(line.lower)}：跟踪低点 {yuan(state.extreme)}，反弹至 {yuan(buys)} 买入，"
                f"高于 {yuan(line.buy_ceiling)} 则放弃。",
            )
        )
    elif not line.lower <= price <= line.upper:
        if price > line.upper:
            at, beyond, follows = (
                line.upper,
                Text("above the upper line", "高于上线"),
                Text("peak", "高点"),
            )
        else:
            at, beyond, follows = (
                line.lower,
                Text("below the lower line", "低于下线"),
                Text("valley", "低点"),
            )
        said.append(
            Text(
                f"{yuan(price)} is {beyond.en} {yuan(at)}: the next tick begins to follow the {follows.en}, unless what"
                " stands below holds it back.",
                f"现价 {yuan(price)} 已{beyond.zh} {yuan(at)}：下一次检查开始跟踪{follows.zh}，除非受以下限制。",
            )
        )
    else:
        said.append(
            Text(
                f"{yuan(price)} lies between the lines: a sale needs more than {yuan(line.upper)}, a buy less than "
                f"{yuan(line.lower)} (centre {yuan(state.centre)}).",
                f"现价 {yuan(price)} 位于两线之间：高于 {yuan(line.upper)} 才会卖出，低于 {yuan(line.lower)} 才会买入"
                f"（中心 {yuan(state.centre)}）。",
            )
        )
    said += _rests(state.buy_tried_at, LINE_COOLDOWN, now, "the lower line", "下线")
    said += _rests(state.sell_tried_at, LINE_COOLDOWN, now, "the upper line", "上线")
    said += _rests(state.last_buy_at, SIDE_COOLDOWN, now, "buying", "买入")
    said += _rests(state.last_sell_at, SIDE_COOLDOWN, now, "selling", "卖出")
    return said + _limits_of_both(rules, facts)


def _lot(
    state: GridState, price: Decimal, rules: LotGrid, now: datetime, facts: Facts
) -> list[Text]:
    said = []
    ledger = facts.ledger
    if len(ledger.lots) >= rules.max_lots:
        said.append(
            Text(
                f"{len(ledger.lots)} lots are open, as many as it may have (max_lots): it buys no more.",
                f"已有 {len(ledger.lots)} 个批次，达到上限（max_lots），不再买入。",
            )
        )
    else:
        level = next_buy(state, facts, rules)
        said.append(_next_buy_at(level, price))
    due = due_lots(price, rules, facts)
    if due:
        said.append(Text(f"{len(due)} lot(s) are due for sale.", f"{len(due)} 个批次已到价待卖。"))
    elif ledger.lots:
        gain = min(lot.price for lot in ledger.lots) * (_ONE + rules.grid_take_profit_ratio)
        loss = max(lot.price for lot in ledger.lots) * (_ONE + rules.grid_stop_loss_ratio)
        said.append(
            Text(
                f"No lot is due: the first takes its profit at {yuan(gain)}, the first stops at {yuan(loss)}.",
                f"没有批次到价：最近止盈价 {yuan(gain)}，最近止损价 {yuan(loss)}。",
            )
        )
    today = sum(lot.quantity for lot in ledger.lots if facts.t1 and lot.on >= facts.on)
    if today:
        said.append(
            Text(
                f"{today} shares were bought today and can be sold from the next session on (T+1).",
                f"{today} 股为今日买入，下一交易日起可卖（T+1）。",
            )
        )
    said += _rests(state.buy_tried_at, LEVEL_COOLDOWN, now, "the buy level", "买入档")
    said += _rests(state.sell_tried_at, LEVEL_COOLDOWN, now, "the sale of lots", "批次卖出")
    return said + _limits_of_both(rules, facts)


def _next_buy_at(level: Decimal, price: Decimal) -> Text:
    if price <= level:
        return Text(
            f"{yuan(price)} has reached the level of the next buy, {yuan(level)}: the next tick buys, unless what stands"
            " below holds it back.",
            f"现价 {yuan(price)} 已到达下一买入档 {yuan(level)}：下一次检查即买入，除非受以下限制。",
        )
    away = percent((price - level) / price)
    return Text(
        f"The next buy needs {yuan(level)} or less, {away} below {yuan(price)}.",
        f"跌至 {yuan(level)} 及以下才会再买入，较现价 {yuan(price)} 低 {away}。",
    )


def _limits_of_both(rules: GridRules, facts: Facts) -> list[Text]:
    left = levels.budget_left(facts, rules.max_investment)
    said = [Text(f"Budget left: {left:.2f} yuan.", f"剩余额度：{left:.2f} 元。")]
    if facts.held is None:
        said.append(
            Text("What is held is not known now: nothing is bought.", "当前持仓未知：暂不买入。")
        )
    return said


def _rests(since: datetime | None, wait: timedelta, now: datetime, en: str, zh: str) -> list[Text]:
    if since is None or now - since >= wait:
        return []
    clock = f"{(since + wait).astimezone(CHINA):%H:%M:%S}"
    return [Text(f"Cooldown of {en} until {clock}.", f"{zh}冷却至 {clock}。")]


_Words = Callable[[GridState, Decimal, Any, datetime, Facts], list[Text]]
_WORDS: Mapping[str, _Words] = MappingProxyType({"centred": _centred, "lot": _lot})
