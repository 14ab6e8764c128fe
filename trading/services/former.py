"""What a former system knew of a holding passes to the holding when that is found in the account, once."""

from __future__ import annotations

from datetime import datetime

from trading.domain.types import Text
from trading.models import EventLevel, FormerHolding, Position
from trading.services.events import journal

_TAKEN = ("base_cost", "first_take_profit_done", "armed", "armed_high", "exit_enabled")


def take_over(row: Position, now: datetime) -> None:
    """Give a holding that was just adopted the exit state that waits for it; most have none.

    Its quantity and cost stay the terminal's. The high is the higher of both: it never falls by moving in.
    """
    waiting = FormerHolding.objects.filter(
        account_id=row.account_id, symbol=row.symbol, adopted_at__isnull=True
    )
    former = waiting.first()
    if former is None or not waiting.update(adopted_at=now):
        return
    for name in _TAKEN:
        setattr(row, name, getattr(former, name))
    row.base_cost = former.base_cost or row.base_cost
    row.high_since_entry = max(row.high_since_entry, former.high_since_entry)
    row.opened_on = former.opened_on or row.opened_on
    row.save(update_fields=[*_TAKEN, "high_since_entry", "opened_on"])
    off = "" if row.exit_enabled else " Its exits are OFF, as they were."
    aus = "" if row.exit_enabled else "其退出规则为关闭（沿用原设置）。"
    text = Text(
        f"{row.symbol}: high {row.high_since_entry.normalize():f}, first take-profit "
        f"{'done' if row.first_take_profit_done else 'not done'}, taken over from the former system.{off}",
        f"{row.symbol}：已沿用原系统的最高价 {row.high_since_entry.normalize():f}、首次止盈"
        f"{'已完成' if row.first_take_profit_done else '未完成'}。{aus}",
    )
    level = EventLevel.INFO if row.exit_enabled else EventLevel.WARNING
    journal(row.account_id, level, "HOLDING_TAKEN_OVER", text, now, symbol=row.symbol)
