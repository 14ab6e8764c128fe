"""The price levels of one holding, as the exit rules compute them, with what each is for."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trading.domain.exits import ExitRules, first_take_profit_floor, stop_price, trailing_level
from trading.domain.positions import Position
from trading.domain.types import SignalKind, Text
from trading.domain.wording import percent, yuan

_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class LevelView:
    """One price (yuan), None = there is none now. `kind`: the rule that sells there. `gap`: from the price, a ratio."""

    label: Text
    price: Decimal | None
    note: Text
    kind: SignalKind | None = None
    gap: Decimal | None = None
    sells_now: bool = False


def levels_of(
    position: Position,
    rules: ExitRules,
    last: Decimal | None,
    sale: tuple[SignalKind | None, Decimal | None],
) -> tuple[LevelView, ...]:
    """Return all levels, the highest first, those without a price last. `sale`: the rule and level that sell first now."""
    found = [
        _stop(position, rules),
        *_take_profits(position, rules),
        *_add_on(position, rules),
        LevelView(
            Text("High since entry", "建仓后最高价"), position.high_since_entry or None,
            Text("trailing levels come from it", "动态止盈由此计算"),
        ),
        LevelView(
            Text("Cost", "成本"), position.cost_for_decision,
            Text("average price of this life's buys", "本持仓周期的买入均价"),
        ),
    ]  # fmt: skip
    levels = [
        LevelView(
            one.label,
            one.price,
            one.note,
            one.kind,
            one.price / last - 1 if one.price is not None and last else None,
            one.kind is not None and one.price is not None and (one.kind, one.price) == sale,
        )
        for one in found
    ]
    return tuple(sorted(levels, key=lambda one: (one.price is None, -(one.price or Decimal(0)))))


def _stop(position: Position, rules: ExitRules) -> LevelView:
    label, kind = Text("Stop-loss", "止损价"), SignalKind.STOP_LOSS
    if not rules.stop_loss_enabled:
        return LevelView(label, None, Text("switched off", "已关闭"), kind)
    ratio = percent(rules.stop_loss_ratio)
    note = Text(f"cost {ratio}: everything is sold", f"成本 {ratio}：全部卖出")
    return LevelView(label, stop_price(position, rules), note, kind)


def _take_profits(position: Position, rules: ExitRules) -> list[LevelView]:
    if not rules.take_profit_enabled:
        label = Text("Take-profit", "止盈")
        return [LevelView(label, None, Text("switched off", "已关闭"))]
    if position.first_take_profit_done:
        return _trailing(position, rules)
    return _first(position, rules)


def _first(position: Position, rules: ExitRules) -> list[LevelView]:
    kind, pullback = SignalKind.FIRST_TAKE_PROFIT, rules.first_take_profit_pullback
    gain, part = (
        percent(rules.first_take_profit_ratio),
        percent(rules.first_take_profit_sell_ratio),
    )
    back = percent(pullback)
    start = LevelView(
        Text("First take-profit is watched from", "首次止盈触发价"),
        position.cost_times(_ONE + rules.first_take_profit_ratio),
        Text(
            f"cost +{gain}: from there a pullback of {back} sells {part}",
            f"成本 +{gain}：触发后回撤 {back} 卖出 {part}",
        ),
    )
    floor, level = (
        first_take_profit_floor(position, rules),
        position.armed_high * (_ONE - pullback),
    )
    if not position.armed or floor is None or level < floor:
        return [start]
    high = yuan(position.armed_high)
    sells = LevelView(
        Text("First take-profit", "首次止盈价"), level,
        Text(f"{back} below {high}: {part} is sold", f"由 {high} 回撤 {back}：卖出 {part}"), kind,
    )  # fmt: skip
    return [sells, start]


def _trailing(position: Position, rules: ExitRules) -> list[LevelView]:
    kind = SignalKind.TRAILING_TAKE_PROFIT
    found = [
        LevelView(
            Text("Trailing take-profit", "动态止盈价"), trailing_level(position, rules),
            Text("everything is sold", "全部卖出"), kind,
        )
    ]  # fmt: skip
    for gain, share in rules.trailing_tiers:
        price = position.cost_times(_ONE + gain)
        if price is not None and price > position.high_since_entry:
            up, of_high = percent(gain), percent(share)
            note = Text(
                f"cost +{up}: from there it sells at {of_high} of the high",
                f"成本 +{up}：此后按最高价的 {of_high} 卖出",
            )
            found.append(LevelView(Text("Next trailing tier", "下一动态止盈档"), price, note))
            break
    return found


def _add_on(position: Position, rules: ExitRules) -> list[LevelView]:
    if not rules.add_on_enabled or position.first_take_profit_done:
        return []
    drop = percent(rules.add_on_drop)
    price = position.cost_times(_ONE - rules.add_on_drop)
    note = Text(f"cost −{drop}: more is bought", f"成本 −{drop}：补仓买入")
    return [LevelView(Text("Add-on buy", "补仓价"), price, note)]
