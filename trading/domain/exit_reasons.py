"""Why an exit rule sells, in plain words with its numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from trading.domain.types import SignalKind, Text
from trading.domain.wording import percent, yuan


class Touch(NamedTuple):
    """The first quote that reached a rule's level: level, price, and the highs at that moment (yuan)."""

    level: Decimal
    price: Decimal
    high: Decimal
    armed_high: Decimal


def reason(kind: SignalKind, touch: Touch, last: Decimal, cost: Decimal) -> Text:
    """Return the reason for a sale; `last` is the price it is decided at, `cost` the cost it is decided with."""
    level, price = yuan(touch.level), yuan(touch.price)
    now = Text("", "")
    if last != touch.price:
        now = Text(f", now {yuan(last)}", f"，现价 {yuan(last)}")
    gain = percent((last - cost) / cost)
    end = Text(
        f"{now.en}; cost {yuan(cost)}, gain {gain}.", f"{now.zh}；成本 {yuan(cost)}，盈亏 {gain}。"
    )
    if kind is SignalKind.STOP_LOSS:
        below = percent(1 - touch.level / cost)
        return Text(
            f"Stop-loss: price {price} reached {level}, {below} below cost{end.en}",
            f"止损：价格 {price} 触及 {level}（低于成本 {below}）{end.zh}",
        )
    if kind is SignalKind.TRAILING_TAKE_PROFIT:
        share = percent(touch.level / touch.high)
        return Text(
            f"Trailing take-profit: price {price} reached {level}, {share} of the high {yuan(touch.high)}{end.en}",
            f"动态止盈：价格 {price} 触及 {level}（最高价 {yuan(touch.high)} 的 {share}）{end.zh}",
        )
    back = percent(1 - touch.price / touch.armed_high)
    return Text(
        f"First take-profit: price {price} fell {back} from the breakout high {yuan(touch.armed_high)}{end.en}",
        f"首次止盈：价格 {price} 自突破高点 {yuan(touch.armed_high)} 回落 {back}{end.zh}",
    )
