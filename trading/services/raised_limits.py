"""Which settings of a change let more happen than before: a live account asks for them twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Switched on, each lets orders out that were kept.
_ARMING = (
    *("auto_trading_enabled", "buy_enabled", "grid_enabled", "add_on_enabled"),
    *("strategy_execution_enabled", "allow_mootdx_trading"),
)
#: Higher is more; an empty one is no limit at all.
_LIMITS = (
    *("buy_amount", "max_order_value", "max_position_value", "max_total_position_ratio"),
    *("daily_loss_ratio", "max_buy_orders_per_day", "orders_per_second"),
)


def raised(before: Any, after: Mapping[str, Any]) -> list[str]:
    """Return the names of the settings in `after` that loosen the row `before`."""
    armed = [name for name in _ARMING if after.get(name) and not getattr(before, name)]
    return armed + [
        name for name in _LIMITS if name in after and _is_more(getattr(before, name), after[name])
    ]


def _is_more(before: Any, after: Any) -> bool:
    if before is None:
        return False
    return after is None or bool(after > before)
