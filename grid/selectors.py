"""All reads of grid trading. Rows become domain values here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from django.db.models import F

from grid.domain.ledger import Ledger, Lot
from grid.domain.parameters import GridRules
from grid.domain.rules import STYLES, build, parameter_names
from grid.domain.state import (
    Facts,
    GridState,
    PlannedLine,
    SessionStatus,
    Tracker,
    trade_from_json,
    trade_to_json,
)
from grid.domain.templates import TEMPLATES, Template
from grid.models import GridLot, GridMark, GridSession, GridTemplate
from trading.domain.types import Symbol, Text
from trading.models.prepared import Prepared
from trading.selectors import fold_mark

#: Columns of a session that hold its state; all but `pending` under the same name as in the domain.
STATE_COLUMNS = (
    "centre",
    "first_centre",
    "tracker",
    "extreme",
    "last_buy_at",
    "last_sell_at",
    "last_sale",
    "buy_tried_at",
    "sell_tried_at",
    "empty_read_at",
    "pending",
)
_LEDGER_TOTALS = (
    "realised",
    "fees",
    "bought_quantity",
    "bought_amount",
    "sold_quantity",
    "sold_amount",
)


def open_sessions(account_id: int) -> list[GridSession]:
    """Return the sessions that are not stopped; one query."""
    return _OPEN(account_id)


_OPEN = Prepared(
    lambda account: (
        GridSession.objects.filter(account_id=account)
        .exclude(status=SessionStatus.STOPPED)
        .order_by("pk")
    )
)


def symbols_of_interest(account_id: int) -> dict[Symbol, datetime]:
    """Return the symbols of open sessions with the mark up to which their quotes are followed; one query."""
    return {
        Symbol(symbol): fold_mark(seen, behind, followed)
        for symbol, seen, behind, followed in _INTEREST(account_id)
    }


_INTEREST = Prepared(
    lambda account: (
        GridSession.objects.filter(account_id=account)
        .exclude(status=SessionStatus.STOPPED)
        .values_list("symbol", "seen", "behind", "account__grid_mark__followed_until")
    )
)


def followed_until(account_id: int) -> datetime | None:
    """Return the mark up to which the account's sessions follow quotes, None before the first."""
    return next(iter(_FOLLOWED(account_id)), None)


_FOLLOWED = Prepared(
    lambda account: GridMark.objects.filter(pk=account).values_list("followed_until", flat=True)
)


def kept_from_exits(account_id: int) -> dict[Symbol, int]:
    """Return what is left of the base holdings that exits may not sell; one query."""
    return {Symbol(symbol): base - sold for symbol, base, sold in _KEPT(account_id)}


_KEPT = Prepared(
    lambda account: (
        GridSession.objects.filter(
            account_id=account,
            exits_may_sell_base=False,
            base_quantity__gt=F("unmatched_quantity"),
        )
        .exclude(status=SessionStatus.STOPPED)
        .values_list("symbol", "base_quantity", "unmatched_quantity")
    )
)


def rules_of(row: GridSession) -> GridRules:
    """Return the validated parameters of a session. Raises SettingError when a hand spoiled the row."""
    return _rules(
        row.style, tuple((name, getattr(row, name)) for name in parameter_names(row.style))
    )


@lru_cache(maxsize=2000)
def _rules(style: str, values: tuple[tuple[str, Any], ...]) -> GridRules:
    return build(style, dict(values))


def state_of(row: GridSession) -> GridState:
    """Return the state of a session."""
    return GridState(
        centre=row.centre,
        first_centre=row.first_centre,
        tracker=Tracker(row.tracker),
        extreme=row.extreme,
        last_buy_at=row.last_buy_at,
        last_sell_at=row.last_sell_at,
        last_sale=row.last_sale,
        buy_tried_at=row.buy_tried_at,
        sell_tried_at=row.sell_tried_at,
        pending=None if row.pending is None else trade_from_json(row.pending),
        empty_read_at=row.empty_read_at,
    )


def state_columns(state: GridState) -> dict[str, Any]:
    """Return the columns of a state."""
    columns = {name: getattr(state, name) for name in STATE_COLUMNS}
    columns["pending"] = None if state.pending is None else trade_to_json(state.pending)
    return columns


def ledgers_of(rows: Sequence[GridSession]) -> dict[int, Ledger]:
    """Return the ledger of each session by its id; one query for all."""
    lots: dict[int, list[GridLot]] = defaultdict(list)
    if len(rows) == 1:
        found: Iterable[GridLot] = _LOTS(rows[0].pk)
    else:
        sessions = [row.pk for row in rows]
        found = GridLot.objects.filter(session__in=sessions).order_by("place")
    for lot in found:
        lots[lot.session_id].append(lot)
    return {row.pk: _ledger(row, lots.get(row.pk, ())) for row in rows}


_LOTS = Prepared(lambda session: GridLot.objects.filter(session_id=session).order_by("place"))


def ledger_of(row: GridSession) -> Ledger:
    """Return the ledger of one session."""
    return ledgers_of([row])[row.pk]


def ledger_columns(ledger: Ledger) -> dict[str, Any]:
    """Return the columns of a session that sum its ledger up."""
    columns = {name: getattr(ledger, name) for name in _LEDGER_TOTALS}
    return {**columns, "unmatched_quantity": ledger.unmatched_quantity}


def lot_rows(session_id: int, ledger: Ledger) -> list[GridLot]:
    """Return the rows of a ledger's open lots and unmatched sales."""
    return [
        GridLot(
            session_id=session_id,
            number=lot.id,
            unmatched=unmatched,
            quantity=lot.quantity,
            amount=lot.amount,
            fees=lot.fees,
            on=lot.on,
            place=place,
        )
        for unmatched, lots in ((False, ledger.lots), (True, ledger.unmatched))
        for place, lot in enumerate(lots)
    ]


def _ledger(row: GridSession, lots: Iterable[GridLot]) -> Ledger:
    kept: dict[bool, list[Lot]] = {False: [], True: []}
    for lot in lots:
        kept[lot.unmatched].append(Lot(lot.number, lot.quantity, lot.amount, lot.fees, lot.on))
    totals = {name: getattr(row, name) for name in _LEDGER_TOTALS}
    return Ledger(lots=tuple(kept[False]), unmatched=tuple(kept[True]), **totals)


class SessionFigures(NamedTuple):
    """What a page shows of a session at a price; yuan and shares. `unrealised`, `profit`: None without a price."""

    open_quantity: int
    open_cost: Decimal
    budget_left: Decimal
    realised: Decimal
    fees: Decimal
    unrealised: Decimal | None
    profit: Decimal | None


def figures(row: GridSession, ledger: Ledger, last: Decimal | None) -> SessionFigures:
    """Return the figures of a session at a last price (yuan)."""
    return SessionFigures(
        open_quantity=ledger.quantity,
        open_cost=ledger.cost,
        budget_left=row.max_investment - ledger.cost,
        realised=ledger.realised,
        fees=ledger.fees,
        unrealised=None if last is None else ledger.unrealised(last),
        profit=None if last is None else ledger.profit(last),
    )


def next_lines(row: GridSession, facts: Facts) -> tuple[PlannedLine, ...]:
    """Return the lines of a running session from where it is now: a sale above, the buys below."""
    return STYLES[row.style].plan(row.centre, rules_of(row), facts)


def templates() -> Mapping[str, Template]:
    """Return the built-in templates and those of users, by name; a built-in name cannot be taken."""
    found = dict(TEMPLATES)
    for row in GridTemplate.objects.order_by("name"):
        values = {name: _value(text) for name, text in row.values.items()}
        found.setdefault(row.name, Template(row.name, Text(row.name, row.name), row.style, values))
    return found


def _value(text: Any) -> Any:
    """Numbers are kept as text so that no float holds them; whole numbers and words stay what they are."""
    try:
        return Decimal(text) if isinstance(text, str) else text
    except ArithmeticError:
        return text
