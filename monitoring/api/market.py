"""Reads of quotes by source and of grid sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated

from grid.domain.rules import parameter_names
from grid.domain.state import SessionStatus
from grid.models import GridSession, GridTrade
from grid.selectors import SessionFigures
from grid.services.overview import Line, LotShown, Note, overview, state_words
from grid.services.parameter_help import HELP
from monitoring.api.operations import Call
from monitoring.api.problems import Fault, Problem, invalid, shown, spoken
from monitoring.api.reading import OneOf, Size, Within
from monitoring.api.records import Cursor, account_now, next_of, place
from monitoring.api.shapes import Value, Word
from monitoring.console.paging import Source, page_of
from trading.domain.source_health import WORDS
from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import Side, Symbol, Text
from trading.errors import GatewayUnavailable
from trading.selectors import instrument_of, instruments_of
from trading.services import quote_sources
from trading.services.calendar import load_calendar
from trading.services.clock import market_time
from trading.services.quote_sources import SourceLine, quotes_mode
from trading.services.reach import within
from trading.services.shared_quotes import quotes_of_thread

#: Symbols that can be asked for at once.
_MOST = 100


@dataclass(frozen=True, slots=True)
class QuoteQuery:
    """`symbols`: with commas between them, else all that are held, traded, gridded or watched; `trouble`: only those that
    a source does not serve well."""

    symbols: Annotated[str, Size(1, 1000)] | None = None
    trouble: bool = False
    page: Annotated[int, Within(1, 100_000)] = 1


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """What one source says (yuan, shares; market times), over the last five minutes where it is counted. `taken`: it serves
    the symbol; `why`: why, or why not."""

    source: str
    taken: bool
    condition: Word
    why: Text
    time: datetime | None
    arrived_at: datetime | None
    age: timedelta | None
    last: Decimal | None
    bid: Decimal | None
    ask: Decimal | None
    volume: int | None
    latency: timedelta | None
    calls: int
    failed: int
    accepted: int
    refused: int
    accepted_since_start: int
    refusals: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class QuoteSymbol:
    """A symbol, with what each source says of it."""

    symbol: Symbol
    name: str
    lines: tuple[QuoteLine, ...]


@dataclass(frozen=True, slots=True)
class Quotes:
    """Quotes by source at a market time. `noted`: the market data process has said anything at all; `silent_since`: it
    says nothing any more. `count`: symbols on all pages, `page_size` on one."""

    market_time: datetime
    noted: bool
    silent_since: datetime | None
    sources: tuple[QuoteLine, ...]
    items: tuple[QuoteSymbol, ...]
    count: int
    page: int
    page_size: int


def quotes(call: Call) -> Quotes:
    """Say what each source of quotes says."""
    mode, query = quotes_mode(), call.query
    now = market_time(mode, call.real)
    try:
        found = quote_sources.overview(
            now,
            mode,
            within(call.caller.reach, _symbols(query.symbols)),
            trouble_only=query.trouble,
            page=query.page,
        )
    except GatewayUnavailable as problem:
        text = Text(f"No quotes can be read: {problem}", f"无法读取行情：{problem}")
        remedy = Text(
            "Is `manage.py up` running? Try again.", "`manage.py up` 是否在运行？请重试。"
        )
        fault = Fault("QUOTES_AWAY", text, remedy)
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, fault, retry_after=5) from problem
    return Quotes(
        market_time=now,
        noted=found.noted,
        silent_since=found.silent_since,
        sources=tuple(map(_line, found.sources)),
        items=tuple(
            QuoteSymbol(one.symbol, one.name, tuple(map(_line, one.lines)))
            for one in found.symbols
        ),
        count=found.count,
        page=query.page,
        page_size=quote_sources.PAGE,
    )


def _symbols(written: str | None) -> list[Symbol] | None:
    if written is None:
        return None
    names = [name for name in written.replace(",", " ").split() if name][:_MOST]
    try:
        return [parse_symbol(name) for name in names]
    except SymbolError as problem:
        raise invalid(bad_symbol(problem, "symbols", written)) from problem


def bad_symbol(problem: SymbolError, field: str, value: object) -> Fault:
    """Return what is wrong with a symbol."""
    remedy = Text("Write it like 600036.SH.", "请写成 600036.SH。")
    return Fault("BAD_SYMBOL", problem.text, remedy, field, shown(value))


def _line(line: SourceLine) -> QuoteLine:
    said = line.said
    seen = said.seen
    return QuoteLine(
        source=said.source,
        taken=said.chosen,
        condition=Word(said.condition.value, *WORDS[said.condition]),
        why=line.why,
        time=said.time,
        arrived_at=said.arrived_at,
        age=line.age,
        last=said.last,
        bid=said.bid,
        ask=said.ask,
        volume=said.volume,
        latency=seen.latency,
        calls=seen.calls,
        failed=seen.failed,
        accepted=seen.accepted,
        refused=seen.refused,
        accepted_since_start=said.total,
        refusals=said.refusals,
    )


# --- grids ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GridQuery:
    """Of one account or symbol; `status` `open`: all that are not stopped."""

    account: int | None = None
    symbol: Annotated[str, Size(1, 20)] | None = None
    status: Annotated[str, OneOf(("open", *SessionStatus))] | None = None
    after: Cursor | None = None


@dataclass(frozen=True, slots=True)
class GridRow:
    """A grid session. `realised`: yuan after fees; `state`: in one line."""

    pk: int
    account: int
    symbol: Symbol
    name: str
    style: Word
    status: Word
    state: Text
    max_investment: Decimal
    realised: Decimal
    revision: int
    started_at: datetime
    ends_at: datetime | None
    stopped_at: datetime | None


@dataclass(frozen=True, slots=True)
class Grids:
    """Grid sessions, the newest first."""

    items: tuple[GridRow, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a session. `label`, `effect`: what it is called and does."""

    name: str
    label: Text
    effect: Text
    value: Value


@dataclass(frozen=True, slots=True)
class GridFill:
    """One fill of a session, with what it realised (yuan, after fees)."""

    at: datetime
    side: Side
    quantity: int
    price: Decimal
    fees: Decimal
    realised: Decimal
    client_order_id: str | None


@dataclass(frozen=True, slots=True)
class GridAnswer:
    """Everything there is to say of a session. `now`: what it waits for or what keeps it; `rounds`: sales done;
    `fills` and `notes`: the newest."""

    session: GridRow
    stop_policy: Word
    base_quantity: int
    exits_may_sell_base: bool
    last: Decimal | None
    is_fresh: bool
    now: tuple[Text, ...]
    lines: tuple[Line, ...]
    lots: tuple[LotShown, ...]
    figures: SessionFigures
    rounds: int
    fills: tuple[GridFill, ...]
    notes: tuple[Note, ...]
    parameters: tuple[Parameter, ...]


def grids(call: Call) -> Grids:
    """List the grid sessions."""
    query = call.query
    rows = call.caller.reach.rows(GridSession.objects.all())
    if query.account is not None:
        rows = rows.filter(account=query.account)
    if query.symbol is not None:
        rows = rows.filter(symbol__startswith=query.symbol.upper())
    if query.status == "open":
        rows = rows.exclude(status=SessionStatus.STOPPED)
    elif query.status is not None:
        rows = rows.filter(status=query.status)
    page = page_of([Source(rows, "started_at")], place(query.after))
    found = [row for _, row in page.rows]
    names = instruments_of({Symbol(row.symbol) for row in found})
    return Grids(
        tuple(_row(row, names[Symbol(row.symbol)].name) for row in found), next_of(page.older)
    )


def grid(call: Call) -> GridAnswer:
    """Tell everything of one session."""
    row = call.row
    found = overview(row, quotes_of_thread(), load_calendar(), account_now(call).now)
    return GridAnswer(
        session=_row(row, instrument_of(Symbol(row.symbol)).name),
        stop_policy=Word(row.stop_policy, *spoken(row.get_stop_policy_display)),
        base_quantity=row.base_quantity,
        exits_may_sell_base=row.exits_may_sell_base,
        last=found.last,
        is_fresh=found.fresh,
        now=found.now_text,
        lines=found.lines,
        lots=found.lots,
        figures=found.figures,
        rounds=found.rounds,
        fills=tuple(map(_fill, found.trades)),
        notes=found.notes,
        parameters=tuple(_parameter(row, name) for name in parameter_names(row.style)),
    )


def _row(row: GridSession, name: str) -> GridRow:
    return GridRow(
        pk=row.pk,
        account=row.account_id,
        symbol=Symbol(row.symbol),
        name=name,
        style=Word(row.style, *spoken(row.get_style_display)),
        status=Word(row.status, *spoken(row.get_status_display)),
        state=Text(spoken(lambda: state_words(row).en).en, spoken(lambda: state_words(row).zh).zh),
        max_investment=row.max_investment,
        realised=row.realised,
        revision=row.revision,
        started_at=row.started_at,
        ends_at=row.ends_at,
        stopped_at=row.stopped_at,
    )


def _fill(trade: GridTrade) -> GridFill:
    order = trade.fill.order
    return GridFill(
        at=trade.at,
        side=Side(trade.side),
        quantity=trade.quantity,
        price=trade.price,
        fees=trade.fees,
        realised=trade.realised,
        client_order_id=None if order is None else order.client_order_id,
    )


def _parameter(row: GridSession, name: str) -> Parameter:
    field = GridSession._meta.get_field(name)
    label = spoken(lambda: field.verbose_name)  # type: ignore[union-attr]
    known = HELP.get(name)
    value = getattr(row, name)
    return Parameter(name, label, Text("", "") if known is None else known.effect, value)
