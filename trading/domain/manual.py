"""How many shares a person's order has (rules §1: a sale by ratio, floored to a lot; ratio 1 sells all; §5: lots)."""

from __future__ import annotations

from decimal import Decimal

from trading.domain.instruments import LotRule
from trading.domain.types import Denial, DenialCode, Text
from trading.domain.wording import yuan

#: More shares than anybody buys at once; a number above it is a slip of the hand, and no column holds it.
MOST = 1_000_000_000


def sale_by_ratio(sellable: int, ratio: Decimal, lot: LotRule) -> int | Denial:
    """Return the shares of a sale of this part of what is sellable: floored to a lot, nothing below one lot.

    1 sells everything, odd shares too. Raises ValueError when the ratio is not in (0, 1].
    """
    if not 0 < ratio <= 1:
        raise ValueError(f"a part is above 0 and at most 1, not {ratio}")
    quantity = lot.floor_sell(int(sellable * ratio), sellable)
    if quantity > 0:
        return quantity
    text = Text(
        f"{ratio * 100:f} % of {sellable} sellable shares is below one lot: nothing to sell",
        f"可卖 {sellable} 股的 {ratio * 100:f}% 不足一手，无法卖出",
    )
    return Denial(DenialCode.LOT, text)


def sale_by_shares(sellable: int, shares: int, lot: LotRule) -> int | Denial:
    """Return `shares`, or why the exchange would not take them: a whole lot, or everything sellable."""
    if 0 < shares <= sellable and lot.floor_sell(shares, sellable) == shares:
        return shares
    text = Text(
        f"{shares} shares cannot be sold: at most {sellable}, in lots (from {lot.minimum}, then by {lot.step}),"
        " or everything",
        f"不能卖出 {shares} 股：最多 {sellable} 股，须按手（{lot.minimum} 股起，以 {lot.step} 股递增），或全部卖出",
    )
    return Denial(DenialCode.LOT, text)


def purchase_by_amount(amount: Decimal, price: Decimal, lot: LotRule) -> int | Denial:
    """Return the most whole lots that `amount` yuan buy at `price`, fees not counted; or why there are none.

    Raises ValueError when amount or price is not above 0.
    """
    if not (amount.is_finite() and price.is_finite() and amount > 0 and price > 0):
        raise ValueError(f"amount and price are above 0, not {amount} and {price}")
    if not lot.largest:
        return _not_traded()
    quantity = lot.floor_buy(int(amount / price))
    if quantity > MOST:
        return _too_many()
    if quantity > 0:
        return quantity
    least, written = lot.minimum * price, f"{amount:f}"
    text = Text(
        f"{written} yuan buy less than the smallest order: {lot.minimum} shares at {yuan(price)} are"
        f" {yuan(least)} yuan; write at least that",
        f"{written} 元不足最小申报数量：{lot.minimum} 股 × {yuan(price)} 元 = {yuan(least)} 元，请至少填写该金额",
    )
    return Denial(DenialCode.LOT, text)


def purchase_by_shares(shares: int, lot: LotRule) -> int | Denial:
    """Return `shares`, or why the exchange would not take a buy of so many; the nearest ones it takes are named."""
    if not lot.largest:
        return _not_traded()
    if shares > MOST:
        return _too_many()
    if shares > 0 and lot.floor_buy(shares) == shares:
        return shares
    below = lot.floor_buy(shares) if shares > 0 else 0
    above = below + lot.step if below else lot.minimum
    near_en = f"{below} or {above}" if below else f"{above}"
    near_zh = f"{below} 或 {above}" if below else f"{above}"
    text = Text(
        f"{shares} shares cannot be bought: from {lot.minimum}, then by {lot.step}; write {near_en}",
        f"不能买入 {shares} 股：{lot.minimum} 股起，以 {lot.step} 股递增；请填写 {near_zh}",
    )
    return Denial(DenialCode.LOT, text)


def _too_many() -> Denial:
    text = Text(f"more than {MOST} shares; write less", f"超过 {MOST} 股，请减少")
    return Denial(DenialCode.LOT, text)


def _not_traded() -> Denial:
    text = Text("this kind of instrument is not traded here", "本系统不交易此类品种")
    return Denial(DenialCode.LOT, text)
