"""Grid sessions in `manage.py replay --grid …`: begun through the services once their symbol has a price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from grid.domain.rules import STYLES, build, parameter_names
from grid.domain.templates import TEMPLATES
from grid.models import GridSession, GridTrade
from grid.selectors import figures, ledger_of
from grid.services.ledger import from_fills
from grid.services.sessions import SessionRefused, start_session
from grid.services.spec import OWN_WORDS, request_of, typed, words_of
from grid.services.words import plain
from trading.domain.settings import SettingError
from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import CHINA, Symbol, Text
from trading.models import Account
from trading.replay.arguments import OptionError
from trading.replay.balance import ImbalanceError
from trading.replay.guests import Stage
from trading.replay.result import money

#: A budget for checking an option whose real one depends on the holding.
_ENOUGH = Decimal(10) ** 8
_SHOWN = Decimal("0.0001")


class GridGuest:
    """`--grid SYMBOL:STYLE,NAME=VALUE…` or a JSON file, repeatable (docs/grid.md)."""

    key = "grids"
    option = "--grid"
    metavar = "SPEC"
    help = "a grid session SYMBOL:STYLE,NAME=VALUE… or FILE.json, repeatable 网格会话"
    settings: Mapping[str, str] = {"grid_enabled": "on"}

    def problem(self, text: str) -> Text | None:
        """Return what is wrong with a specification. Templates of users are not there: the database is a fresh one."""
        try:
            symbol, plan, named = words_of(text)
            parse_symbol(symbol)
            values = {n: v for n, v in typed(named).items() if n not in OWN_WORDS}
            if plan is not None and plan not in STYLES and plan not in TEMPLATES:
                known = ", ".join((*STYLES, *TEMPLATES))
                return Text(f"a style or template of {known}", f" {known} 之一")
            values.setdefault("max_investment", _ENOUGH)
            template = TEMPLATES.get(plan or "")
            style = template.style if template is not None else plan or "centred"
            build(style, {**(template.values if template else {}), **values})
        except (SessionRefused, SymbolError, SettingError) as problem:
            said = problem.text
            return Text(f"a grid session ({said.en})", f"网格会话（{said.zh}）")
        return None

    def shown(self, text: str) -> str:
        """Return a specification as it is, of a file its name."""
        return Path(text).name if text.lower().endswith(".json") else text

    def begin(self, stage: Stage, texts: Sequence[str], now: datetime) -> Sequence[str]:
        """Start the sessions whose symbol has a quote of today, once the account was read."""
        if not Account.objects.filter(pk=stage.account.pk, cash__isnull=False).exists():
            return texts
        return [text for text in texts if not self._started(stage, text, now)]

    def _started(self, stage: Stage, text: str, now: datetime) -> bool:
        name, plan, named = words_of(text)
        symbol = parse_symbol(name)
        quote = stage.store.latest([symbol]).get(symbol)
        if quote is None or quote.last <= 0 or _day(quote.time) != _day(now):
            return False
        try:
            request = request_of(stage.account.pk, symbol, plan, named)
            start_session(request, quote, now, actor="replay", why="replay option")
        except SessionRefused as problem:
            said = problem.text
            expected = Text(f"a grid session ({said.en})", f"网格会话（{said.zh}）")
            raise OptionError(self.option, text, expected) from problem
        return True

    def result(self, stage: Stage) -> list[dict[str, Any]]:
        """Return every session with its lots and trades; each ledger must equal its fills."""
        rows = GridSession.objects.filter(account=stage.account).order_by("pk")
        latest = stage.store.latest([Symbol(row.symbol) for row in rows])
        return [
            _session(row, last.last if (last := latest.get(Symbol(row.symbol))) else None)
            for row in rows
        ]

    def tables(
        self, rows: Sequence[Mapping[str, Any]]
    ) -> Sequence[tuple[Text, Sequence[Text], list[list[Any]]]]:
        """Return the sessions, and their trades, as tables."""
        if not rows:
            return ()
        heads = [
            Text("symbol", "代码"), Text("style", "风格"), Text("status", "状态"), Text("buys", "买入"), Text("sales", "卖出"),
            Text("open lots", "未平批次"), Text("realised", "已实现"), Text("fees", "费用"), Text("profit", "盈亏"), Text("reason", "原因"),
        ]  # fmt: skip
        sessions = [
            [
                row["symbol"], row["style"], row["status"],
                str(sum(trade["side"] == "buy" for trade in row["trades"])),
                str(sum(trade["side"] == "sell" for trade in row["trades"])),
                str(len(row["lots"])), row["realised"], row["fees"], row["profit"], row["why"],
            ]
            for row in rows
        ]  # fmt: skip
        return ((Text("Grid sessions", "网格会话"), heads, sessions),)


GRIDS = GridGuest()


def _session(row: GridSession, last: Decimal | None) -> dict[str, Any]:
    ledger = ledger_of(row)
    if ledger != from_fills(row):
        raise ImbalanceError(
            Text(
                f"the ledger of the grid on {row.symbol} is not what its fills give",
                f"{row.symbol} 网格账本与成交不符",
            )
        )
    found = figures(row, ledger, last)
    trades = list(
        GridTrade.objects.filter(session=row).select_related("fill__order").order_by("fill_id")
    )
    numbers = {number: order for order, number in _orders(trades)}
    return {
        "symbol": row.symbol,
        "style": row.style,
        "status": row.status,
        "stop_code": row.stop_code,
        "why": {"en": row.status_en, "zh": row.status_zh},
        "parameters": {name: _text(getattr(row, name)) for name in parameter_names(row.style)},
        "base_quantity": row.base_quantity,
        "exits_may_sell_base": row.exits_may_sell_base,
        "started": _time(row.started_at),
        "stopped": _time(row.stopped_at),
        "first_centre": _level(row.first_centre),
        "centre": _level(row.centre),
        "lots": [
            {
                "order": numbers.get(lot.id),
                "unmatched": unmatched,
                "quantity": lot.quantity,
                "price": _level(lot.price),
                "amount": money(lot.amount),
                "fees": money(lot.fees),
                "date": lot.on.isoformat(),
            }
            for unmatched, lots in ((False, ledger.lots), (True, ledger.unmatched))
            for lot in lots
        ],
        "trades": [
            {
                "time": _time(trade.at),
                "side": trade.side,
                "quantity": trade.quantity,
                "price": money(trade.price),
                "fees": money(trade.fees),
                "realised": money(trade.realised),
                "order": numbers.get(trade.number),
            }
            for trade in trades
        ],
        "realised": money(found.realised),
        "unrealised": None if found.unrealised is None else money(found.unrealised),
        "profit": None if found.profit is None else money(found.profit),
        "fees": money(found.fees),
        "invested": money(found.open_cost),
        "last_remark": {"code": row.said_code, "en": row.said_en, "zh": row.said_zh},
    }


def _orders(trades: Sequence[GridTrade]) -> list[tuple[str, int]]:
    """Return the client order id of each chain: of its first order, as elsewhere in the result."""
    found = []
    for trade in trades:
        order = trade.fill.order
        if order is not None:
            first = order.root if order.root_id else order
            found.append((first.client_order_id if first else "", trade.number))
    return found


def _day(at: datetime) -> Any:
    return at.astimezone(CHINA).date()


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(CHINA).isoformat()


def _level(price: Decimal) -> str:
    return money(price.quantize(_SHOWN))


def _text(value: Any) -> Any:
    return str(plain(value)) if isinstance(value, Decimal) else value
