"""How many shares a person's sale has (rules §1: by ratio, floored to a lot; ratio 1 sells all)."""

from __future__ import annotations

from decimal import Decimal

from trading.domain.instruments import LotRule
from trading.domain.types import Denial, DenialCode, Text


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
