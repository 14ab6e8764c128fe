"""MacdCross, the example of a strategy plug-in: MACD crosses on completed sessions, confirmed by the moving averages.

Golden cross (DIF rose above DEA in the last session) while MA 10 > 20 > 30 > 60: buy what is watched and not held.
Death cross (DIF fell below DEA) while MA 10 < 20 < 30 < 60: sell what is held. Switched on by its path in
`MINIQMT_PLUG_INS`; it orders only with `strategy_execution_enabled`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from trading.domain.daily import Indicators
from trading.domain.plug_in import Advice
from trading.domain.portfolio import Portfolio
from trading.domain.types import Side, Text


def signals(portfolio: Portfolio, now: datetime) -> Iterator[Advice]:
    """Advise on every symbol whose last two sessions have indicators; what was traded today is left alone."""
    for symbol, (before, last) in sorted(portfolio.indicators.items()):
        if symbol in portfolio.traded_today:
            continue
        held = portfolio.held(symbol) > 0
        side = crossed(before, last)
        if side is Side.BUY and not held and symbol in portfolio.watched:
            yield Advice(symbol, side, _said("golden cross", "金叉，均线多头排列", last))
        elif side is Side.SELL and held:
            yield Advice(symbol, side, _said("death cross", "死叉，均线空头排列", last))


def crossed(before: Indicators, last: Indicators) -> Side | None:
    """Return BUY for a golden cross in the last session with rising averages, SELL for its opposite, else None."""
    if last.averages is None:
        return None
    rose = before.dif <= before.dea and last.dif > last.dea
    fell = before.dif >= before.dea and last.dif < last.dea
    if rose and all(a > b for a, b in pairwise(last.averages)):
        return Side.BUY
    if fell and all(a < b for a, b in pairwise(last.averages)):
        return Side.SELL
    return None


def _said(en: str, zh: str, last: Indicators) -> Text:
    values = f"DIF {last.dif:.4f}, DEA {last.dea:.4f}"
    return Text(f"MACD {en} on {last.on}: {values}", f"{last.on} MACD {zh}：{values}")
