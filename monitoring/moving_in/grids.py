"""Grid templates and running grid sessions of the former system become ours; sessions arrive paused."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from grid.models import GridTemplate
from grid.services import moving_in
from grid.services.moving_in import OpenLot, RunningSession
from grid.services.sessions import SessionRefused
from grid.services.templates import checked, save_template
from monitoring.moving_in.books import unusable
from monitoring.moving_in.installation import Installation, Row
from monitoring.moving_in.report import Outcome, Report
from monitoring.moving_in.values import Unusable, day, moment, money, number, shares
from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import Symbol, Text
from trading.models import Account

_TEMPLATE = Text("grid template", "网格模板")
_SESSION = Text("grid session", "网格会话")
_ORDER = Text("grid order", "网格委托")
_DAY = timedelta(days=1)
_WORKING = ("submitted", "partial_filled", "cancel_requested", "cancel_failed")
#: Ours ← theirs, of a session and of a template.
_RATIOS = {
    "interval": "price_interval",
    "position_ratio": "position_ratio",
    "callback": "callback_ratio",
    "max_deviation": "max_deviation",
    "target_profit": "target_profit",
    "stop_loss": "stop_loss",
}


def grid_templates(found: Installation, now: datetime, report: Report) -> None:
    """Import the user's templates under their names, or one made of their number."""
    for row in found.tables["grid_config_templates"]:
        source = str(row.get("template_name"))
        name = (
            source if re.fullmatch(r"[A-Za-z0-9_-]{1,50}", source) else f"moved-in-{row.get('id')}"
        )
        try:
            values = checked("centred", _values(row))
            kept = GridTemplate.objects.filter(name=name).first()
            if kept is None:
                save_template(name, "centred", _values(row), now)
        except Unusable as problem:
            report.add(_TEMPLATE, source, Outcome.UNUSABLE, name, unusable(problem))
            continue
        except SessionRefused as problem:
            report.add(_TEMPLATE, source, Outcome.UNUSABLE, name, problem.text)
            continue
        if kept is None:
            report.add(_TEMPLATE, source, Outcome.NEW, name)
        elif kept.values == values:
            report.add(_TEMPLATE, source, Outcome.SAME, name)
        else:
            why = Text(
                "one of that name is here with other values, which stay",
                "本系统已有同名模板且参数不同，保持不变",
            )
            report.add(_TEMPLATE, source, Outcome.LEFT, name, why)


def _values(row: Row) -> dict[str, Any]:
    values: dict[str, Any] = {
        ours: number(theirs, row.get(theirs)) for ours, theirs in _RATIOS.items()
    }
    if row.get("duration_days") is not None:
        values["duration_days"] = shares("duration_days", row["duration_days"])
    return values


def grid_sessions(
    found: Installation,
    account: Account,
    held: Mapping[Symbol, int],
    now: datetime,
    actor: str,
    report: Report,
) -> None:
    """Import the sessions that run, with their open lots and where their centre is; say why the others are not."""
    lots: dict[Any, list[Row]] = defaultdict(list)
    for lot in found.tables["grid_lots"]:
        lots[lot.get("session_id")].append(lot)
    for row in found.tables["grid_trading_sessions"]:
        source = f"{row.get('stock_code')} #{row.get('id')}"
        try:
            outcome, why = _session(row, lots[row.get("id")], account, held, now, actor)
        except (Unusable, SymbolError) as problem:
            outcome, why = Outcome.UNUSABLE, unusable(problem)
        except SessionRefused as problem:
            outcome, why = Outcome.UNUSABLE, problem.text
        report.add(_SESSION, source, outcome, "", why)
    _working_orders(found.tables["grid_orders"], report)


def _session(
    row: Row,
    lots: Sequence[Row],
    account: Account,
    held: Mapping[Symbol, int],
    now: datetime,
    actor: str,
) -> tuple[Outcome, Text]:
    symbol = parse_symbol(str(row.get("stock_code")))
    if row.get("status") != "active":
        return Outcome.LEFT, Text(
            f"it is {row.get('status')}; what it bought is part of the holding",
            f"状态为 {row.get('status')}；其买入的股份属于持仓",
        )
    if moving_in.has_open_session(account.pk, symbol):
        return Outcome.SAME, Text("the symbol has a session here", "该标的已有会话")
    ends = moment("end_time", row["end_time"]) if row.get("end_time") else None
    if ends is not None and ends <= now:
        return Outcome.LEFT, Text(f"it ended on {ends:%Y-%m-%d}", f"已于 {ends:%Y-%m-%d} 到期")
    session = _running(row, lots, symbol, held.get(symbol, 0), ends, now)
    moving_in.move_in(account.pk, session, now, actor)
    return Outcome.NEW, Text(
        f"paused, with {len(session.lots)} lots; resume it when you have looked",
        f"已暂停，含 {len(session.lots)} 个批次；核对后请恢复",
    )


def _running(
    row: Row,
    lots: Sequence[Row],
    symbol: Symbol,
    held: int,
    ends: datetime | None,
    now: datetime,
) -> RunningSession:
    started = moment("start_time", row["start_time"]) if row.get("start_time") else now
    values = _values(row)
    values["max_investment"] = money("max_investment", row.get("max_investment"))
    values["trade_mode"] = str(row.get("trade_mode") or "amount")
    values["fixed_quantity"] = shares("fixed_volume", row.get("fixed_volume") or 0)
    if ends is not None:
        values["duration_days"] = max(1, -(-(ends - started) // _DAY))
    first = row.get("center_price")
    return RunningSession(
        symbol=symbol,
        values={"duration_days": 7, **values},
        centre=money("current_center_price", row.get("current_center_price") or first),
        first_centre=money("center_price", first),
        lots=[lot for lot in map(_lot, lots) if lot is not None],
        held=held,
        started_at=started,
    )


def _lot(row: Row) -> OpenLot | None:
    left = shares("remaining_volume", row.get("remaining_volume") or 0)
    if left == 0:
        return None
    price: Decimal = number("buy_price", row.get("buy_price"))
    return OpenLot(left, money("buy_amount", price * left), day("opened_at", row.get("opened_at")))


def _working_orders(rows: Sequence[Row], report: Report) -> None:
    working = [row for row in rows if row.get("status") in _WORKING]
    for row in working:
        why = Text(
            "it works at the broker: cancel it in the terminal before you start here",
            "该委托仍在柜台有效：启动本系统前请在终端撤单",
        )
        source = f"{row.get('stock_code')} {row.get('order_id')}"
        report.add(_ORDER, source, Outcome.LEFT, "", why)
