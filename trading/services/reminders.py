"""An account whose main switch is not ACTIVE says so again: a switch somebody forgot must not go unnoticed."""

from __future__ import annotations

from datetime import datetime, timedelta

from trading.domain.calendar import TradingCalendar, phase_at
from trading.domain.types import Text, TradingState
from trading.models import Account, Event, EventLevel
from trading.services.events import journal

#: In continuous trading it is said again after this much market time, so also at the open of every session.
AGAIN = timedelta(minutes=30)
_WHAT = {
    TradingState.HALTED: Text(
        "nothing is sent, holdings are not protected", "不发送委托，持仓未受保护"
    ),
    TradingState.REDUCING: Text("only sales go on", "只卖不买"),
}


def remind(account: Account, now: datetime, calendar: TradingCalendar) -> None:
    """Repeat the alarm of a switch that is still HALTED or REDUCING."""
    state = TradingState(account.trading_state)
    if state is TradingState.ACTIVE or not phase_at(calendar, now).continuous:
        return
    code = f"TRADING_STILL_{state.name}"
    said = Event.objects.filter(account=account, code__in=(code, f"TRADING_{state.name}"))
    if said.filter(at__gt=now - AGAIN, at__lte=now).exists():
        return
    what, why = _WHAT[state], account.trading_state_reason or {}
    text = Text(
        f"Still {state.name}: {what.en}. {why.get('en', '')} Resume with a reason when it is over.",
        f"仍为 {state.name}：{what.zh}。{why.get('zh', '')} 处理完毕后请填写原因恢复。",
    )
    journal(account.pk, EventLevel.ALARM, code, text, now)
