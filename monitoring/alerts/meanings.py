"""What each code means to a person: how much it matters, and what it is about. One table (docs/operations.md shows it).

A code that is not in it goes out by the level of its event, as a matter of the system: nothing new is ever silent.
"""

from __future__ import annotations

from typing import NamedTuple

from monitoring.models import Category, Severity
from trading.models import EventLevel

OVER = "_OVER"


class Meaning(NamedTuple):
    """`apart`: events of the code are about different matters when their words differ, numbers aside."""

    severity: Severity
    category: Category
    apart: bool = False


INFO, WARNING = Severity.INFO, Severity.WARNING
ALARM, CRITICAL = Severity.ALARM, Severity.CRITICAL
_C = Category

MEANINGS: dict[str, Meaning] = {
    # What was traded, and what was not.
    "STOP_LOSS": Meaning(ALARM, _C.TRADE),
    "TAKE_PROFIT": Meaning(WARNING, _C.TRADE),
    "FILL": Meaning(INFO, _C.TRADE),
    "EXTERNAL_FILL": Meaning(WARNING, _C.TRADE),
    "EXTERNAL_ORDER": Meaning(WARNING, _C.TRADE),
    "LATE_FILL": Meaning(ALARM, _C.TRADE),
    "FILL_NOT_BOOKED": Meaning(CRITICAL, _C.TRADE),
    "FILL_SIDE_UNKNOWN": Meaning(CRITICAL, _C.TRADE),
    "MANUAL_SALE": Meaning(WARNING, _C.TRADE),
    "MANUAL_BUY": Meaning(WARNING, _C.TRADE),
    "CANCEL_ASKED": Meaning(WARNING, _C.TRADE),
    "CANCEL_FAILED": Meaning(ALARM, _C.TRADE),
    "ORDER_REJECTED": Meaning(ALARM, _C.TRADE),
    "REJECTIONS_IN_A_ROW": Meaning(CRITICAL, _C.TRADE),
    "ORDER_EXPIRED": Meaning(ALARM, _C.TRADE),
    "ORDER_UNKNOWN": Meaning(CRITICAL, _C.TRADE),
    "UNKNOWN_CARRIED": Meaning(CRITICAL, _C.TRADE),
    "UNKNOWN_DECIDED": Meaning(WARNING, _C.TRADE),
    "ORDER_ABSENT": Meaning(WARNING, _C.TRADE),
    "ORDER_STUCK": Meaning(CRITICAL, _C.TRADE, apart=True),
    "ORDER_ADOPTED": Meaning(ALARM, _C.TRADE),
    "ORDER_BOUND_WEAKLY": Meaning(ALARM, _C.TRADE),
    "ORDER_UNPLACED": Meaning(ALARM, _C.TRADE),
    "REORDER_DENIED": Meaning(ALARM, _C.TRADE),
    "DENIED": Meaning(INFO, _C.TRADE, apart=True),
    # Whether holdings are protected.
    "UNPROTECTED": Meaning(CRITICAL, _C.PROTECTION, apart=True),
    "EXIT_HELD_BACK": Meaning(ALARM, _C.PROTECTION, apart=True),
    "EX_RIGHTS_SCALE": Meaning(INFO, _C.PROTECTION),
    "EX_RIGHTS_REFUSED": Meaning(ALARM, _C.PROTECTION),
    "EX_RIGHTS_UNVERIFIED": Meaning(ALARM, _C.PROTECTION),
    "EX_RIGHTS_PAUSED": Meaning(CRITICAL, _C.PROTECTION),
    "ATTEMPTS_EXHAUSTED": Meaning(CRITICAL, _C.PROTECTION),
    "EXITS_PAUSED": Meaning(ALARM, _C.PROTECTION),
    "EXITS_SWITCHED": Meaning(WARNING, _C.PROTECTION),
    "OWN_THRESHOLDS": Meaning(WARNING, _C.PROTECTION),
    "PROTECTIVE_PASS": Meaning(ALARM, _C.PROTECTION),
    "TRADING_HALTED": Meaning(CRITICAL, _C.PROTECTION),
    "TRADING_STILL_HALTED": Meaning(CRITICAL, _C.PROTECTION),
    "TRADING_REDUCING": Meaning(ALARM, _C.PROTECTION),
    "TRADING_STILL_REDUCING": Meaning(ALARM, _C.PROTECTION),
    "TRADING_ACTIVE": Meaning(WARNING, _C.PROTECTION),
    "CANCEL_ALL": Meaning(ALARM, _C.PROTECTION),
    # Terminal, gateway, clock.
    "GATEWAY_SILENT": Meaning(CRITICAL, _C.CONNECTION),
    "GATEWAY_OBSERVING": Meaning(CRITICAL, _C.CONNECTION),
    "GATEWAY_STOOD_DOWN": Meaning(WARNING, _C.CONNECTION),
    "SNAPSHOT_OLD": Meaning(ALARM, _C.CONNECTION),
    "PUSHES_DEAD": Meaning(ALARM, _C.CONNECTION),
    "CYCLES_FAILED": Meaning(WARNING, _C.CONNECTION),
    "CLOCK_JUMPED": Meaning(CRITICAL, _C.CONNECTION),
    "CLOCK_STEADY": Meaning(INFO, _C.CONNECTION),
    # Quotes.
    "FEED_SILENT": Meaning(CRITICAL, _C.QUOTES),
    "QUOTE_OLD": Meaning(ALARM, _C.QUOTES),
    "SOURCE_DOWN": Meaning(WARNING, _C.QUOTES, apart=True),
    "QUOTES_REFUSED": Meaning(WARNING, _C.QUOTES, apart=True),
    "SOURCE_LATE": Meaning(WARNING, _C.QUOTES, apart=True),
    "SOURCE_FILLS_IN": Meaning(WARNING, _C.QUOTES, apart=True),
    "TERMINAL_DISAGREES": Meaning(ALARM, _C.QUOTES),
    "REFERENCE_NOT_READ": Meaning(ALARM, _C.QUOTES),
    "REFERENCE_REFUSED": Meaning(ALARM, _C.QUOTES),
    # Whether the books agree with the broker's.
    "POSITION_DIFFERS": Meaning(CRITICAL, _C.BOOKS),
    "BOOKS_DIFFER": Meaning(CRITICAL, _C.BOOKS),
    "BOOKS_EXPLAINED": Meaning(WARNING, _C.BOOKS),
    "BOOKS_CLOSED": Meaning(INFO, _C.BOOKS),
    "INVARIANT_BROKEN": Meaning(CRITICAL, _C.BOOKS),
    "SOLD_MORE_THAN_HELD": Meaning(CRITICAL, _C.BOOKS),
    "HOLDING_ADOPTED": Meaning(WARNING, _C.BOOKS),
    "HOLDING_TAKEN_OVER": Meaning(WARNING, _C.BOOKS),
    "HIGH_RESET": Meaning(WARNING, _C.BOOKS),
    # Grids.
    "GRID_STARTED": Meaning(INFO, _C.GRID),
    "GRID_EDITED": Meaning(INFO, _C.GRID),
    "GRID_PAUSED": Meaning(WARNING, _C.GRID),
    "GRID_RESUMED": Meaning(INFO, _C.GRID),
    "GRID_STOPPING": Meaning(WARNING, _C.GRID),
    "GRID_STOPPED": Meaning(WARNING, _C.GRID),
    "GRID_DEVIATION": Meaning(ALARM, _C.GRID),
    "GRID_TARGET": Meaning(WARNING, _C.GRID),
    "GRID_LOSS": Meaning(ALARM, _C.GRID),
    "GRID_EXPIRED": Meaning(WARNING, _C.GRID),
    "GRID_EMPTY": Meaning(WARNING, _C.GRID),
    "GRID_EX_RIGHTS": Meaning(WARNING, _C.GRID),
    "GRID_LEDGER_DIFFERS": Meaning(ALARM, _C.GRID),
    "GRID_UNREADABLE": Meaning(ALARM, _C.GRID),
    "GRID_MOVED_IN": Meaning(INFO, _C.GRID),
    # What people changed.
    "CONFIG_CHANGED": Meaning(WARNING, _C.CHANGE),
    "ACCESS_CHANGED": Meaning(WARNING, _C.CHANGE, apart=True),
    "ALERT_CHANNEL_CHANGED": Meaning(WARNING, _C.CHANGE, apart=True),
    "ACCOUNT_OPENED": Meaning(WARNING, _C.CHANGE),
    "STAGE_FORWARD": Meaning(ALARM, _C.CHANGE),
    "STAGE_BACK": Meaning(CRITICAL, _C.PROTECTION),
    "CAPS_CHANGED": Meaning(ALARM, _C.CHANGE),
    "ACCOUNT_COPIED": Meaning(INFO, _C.CHANGE),
    "SHADOW_BEGAN": Meaning(INFO, _C.BOOKS),
    "SHADOW_NOT_BEGUN": Meaning(WARNING, _C.BOOKS),
    "SHADOW_COMPARED": Meaning(INFO, _C.REPORT),
    "ACCOUNT_CHANGED": Meaning(WARNING, _C.CHANGE),
    "TASK_PAUSED": Meaning(ALARM, _C.CHANGE, apart=True),
    "TASK_RESUMED": Meaning(INFO, _C.CHANGE, apart=True),
    "FIRST_TAKE_PROFIT_REARMED": Meaning(WARNING, _C.CHANGE),
    "HIGH_CORRECTED": Meaning(WARNING, _C.CHANGE),
    "INSTRUMENT_CHANGED": Meaning(WARNING, _C.CHANGE),
    "INSTRUMENT_CORRECTED": Meaning(INFO, _C.CHANGE),
    "INSTRUMENT_RELEASED": Meaning(INFO, _C.CHANGE),
    "WATCH_LIST_CHANGED": Meaning(INFO, _C.CHANGE),
    "OPENING_ACCEPTED": Meaning(WARNING, _C.CHANGE),
    "MOVED_IN": Meaning(WARNING, _C.CHANGE),
    # The system itself.
    "TICK_FAILED": Meaning(CRITICAL, _C.SYSTEM),
    "TICK_LATE": Meaning(ALARM, _C.SYSTEM, apart=True),
    "CONFIG_INVALID": Meaning(CRITICAL, _C.SYSTEM),
    "CALENDAR_UNKNOWN": Meaning(CRITICAL, _C.SYSTEM),
    "CALENDAR_DISPUTED": Meaning(ALARM, _C.SYSTEM),
    "CALENDAR_ENDS_SOON": Meaning(ALARM, _C.SYSTEM),
    "CALENDAR_ENDS": Meaning(WARNING, _C.SYSTEM),
    "ALERTS_NOT_SENT": Meaning(ALARM, _C.SYSTEM),
    "REPORT_MISSING": Meaning(ALARM, _C.SYSTEM),
    "DISK_LOW": Meaning(ALARM, _C.SYSTEM),
    "BACKUP_FAILED": Meaning(ALARM, _C.SYSTEM),
    "BACKUP_OLD": Meaning(ALARM, _C.SYSTEM),
    "OLD_ROWS_FORGOTTEN": Meaning(INFO, _C.SYSTEM),
    "INDICATORS_FAILED": Meaning(ALARM, _C.SYSTEM),
    "PLUG_IN_FAILED": Meaning(ALARM, _C.SYSTEM),
    "PREMARKET_NOT_READY": Meaning(CRITICAL, _C.SYSTEM),
    "PREMARKET_READY": Meaning(INFO, _C.SYSTEM),
    "STARTED": Meaning(INFO, _C.SYSTEM),
    "PROCESS_RESTARTED": Meaning(ALARM, _C.SYSTEM, apart=True),
    "PROCESS_HELD_BACK": Meaning(CRITICAL, _C.SYSTEM, apart=True),
    # Reports.
    "DAY_REPORT": Meaning(INFO, _C.REPORT),
}

_BY_LEVEL = {
    EventLevel.INFO: INFO,
    EventLevel.WARNING: WARNING,
    EventLevel.ALARM: ALARM,
}


def ends(code: str) -> bool:
    """Return whether a code says that a matter is over."""
    return code.endswith(OVER) and code not in MEANINGS


def meaning_of(code: str, level: EventLevel) -> Meaning:
    """Return what an event of this code means; the end of a matter is information about the same thing."""
    if ends(code):
        return meaning_of(code.removesuffix(OVER), EventLevel.INFO)._replace(severity=INFO)
    known = MEANINGS.get(code)
    return known or Meaning(_BY_LEVEL[level], Category.SYSTEM)
