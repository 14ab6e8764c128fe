"""Reads of unknown outcomes, day reports, watch lists and backups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from django.conf import settings as django_settings

from monitoring import backup_files
from monitoring.api.operations import Call
from monitoring.api.records import Cursor, next_of, place
from monitoring.api.shapes import Word, word
from monitoring.backup_files import PROOF_WORDS, WHY_WORDS, list_backups, read_failure
from monitoring.console.paging import Source, page_of
from monitoring.models import DayReport
from trading.domain.types import Side, Symbol, Text
from trading.models import UnknownOutcome, WatchedSymbol
from trading.selectors import instrument_of, instruments_of
from trading.services.unknown_story import Candidate, Said, candidates, silent, story

# --- unknown outcomes -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OutcomeQuery:
    """Of one account; those that are decided only with `all`."""

    account: int | None = None
    all: bool = False
    after: Cursor | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided, and the gateway carries out."""

    decision: Word
    broker_order_id: int | None
    why: str
    actor: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class OutcomeAnswer:
    """An order whose outcome nobody knew; `pk` is the order's."""

    pk: int
    account: int
    client_order_id: str
    symbol: Symbol
    side: Side
    quantity: int
    price: Decimal
    state: Word
    since: datetime
    why: Text
    checked_at: datetime | None
    verdict: Text
    decision: Decision | None
    carried_over: bool
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Unknown outcomes, the newest first."""

    items: tuple[OutcomeAnswer, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class OutcomeStory:
    """What a person needs to decide: what each source said, which said nothing, and which broker orders it may be."""

    outcome: OutcomeAnswer
    name: str
    story: tuple[Said, ...]
    silent: tuple[Text, ...]
    candidates: tuple[Candidate, ...]


def outcomes(call: Call) -> Outcomes:
    """List the orders whose outcome is, or was, unknown."""
    query = call.query
    rows = call.caller.reach.rows(UnknownOutcome.objects.select_related("order__account"))
    if not query.all:
        rows = rows.filter(resolved_at=None)
    if query.account is not None:
        rows = rows.filter(order__account=query.account)
    page = page_of([Source(rows, "since")], place(query.after))
    return Outcomes(tuple(_outcome(row) for _, row in page.rows), next_of(page.older))


def outcome(call: Call) -> OutcomeStory:
    """Tell everything about one."""
    row, mask = call.row, call.account.mask
    return OutcomeStory(
        outcome=_outcome(row),
        name=instrument_of(Symbol(row.order.symbol)).name,
        story=tuple(
            Said(one.at, one.source, Text(mask(one.text.en), mask(one.text.zh)))
            for one in story(row)
        ),
        silent=tuple(silent(row)),
        candidates=tuple(
            Candidate(
                one.number,
                one.quantity,
                one.price,
                one.traded,
                one.state,
                one.time,
                mask(one.remark),
            )
            for one in candidates(row.order)
        ),
    )


def _outcome(row: UnknownOutcome) -> OutcomeAnswer:
    order, mask = row.order, row.order.account.mask
    return OutcomeAnswer(
        pk=order.pk,
        account=order.account_id,
        client_order_id=order.client_order_id,
        symbol=Symbol(order.symbol),
        side=Side(order.side),
        quantity=order.quantity,
        price=order.price,
        state=word(order.state),
        since=row.since,
        why=Text(mask(row.why_en), mask(row.why_zh)),
        checked_at=row.checked_at,
        verdict=Text(mask(row.verdict_en), mask(row.verdict_zh)),
        decision=None
        if not row.wish
        else Decision(
            word(row.wish), row.wish_number, row.wish_reason, row.wish_actor, row.wished_at
        ),
        carried_over=row.carried_over,
        resolved_at=row.resolved_at,
    )


# --- reports, watch lists, backups ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReportQuery:
    """Of one account or session."""

    account: int | None = None
    on: date | None = None
    after: Cursor | None = None


@dataclass(frozen=True, slots=True)
class HeldAtClose:
    """A holding at the end of a session, in yuan."""

    symbol: str
    quantity: int
    cost: Decimal | None
    close: Decimal | None
    value: Decimal | None


@dataclass(frozen=True, slots=True)
class Report:
    """One session of an account, in yuan; null: nobody recorded it. `denials`, `alarms`: how many of each code."""

    account: int
    on: date
    orders: int
    fills: int
    bought: Decimal
    sold: Decimal
    commission: Decimal
    stamp_duty: Decimal
    transfer_fee: Decimal
    realised: Decimal | None
    equity_before: Decimal | None
    equity: Decimal | None
    change: Decimal | None
    denials: Mapping[str, int]
    alarms: Mapping[str, int]
    holdings: tuple[HeldAtClose, ...]
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Reports:
    """Day reports, the last one made first."""

    items: tuple[Report, ...]
    next: str | None


def reports(call: Call) -> Reports:
    """List the day reports."""
    query = call.query
    rows = call.caller.reach.rows(DayReport.objects.all())
    if query.account is not None:
        rows = rows.filter(account=query.account)
    if query.on is not None:
        rows = rows.filter(on=query.on)
    page = page_of([Source(rows, "made_at")], place(query.after))
    return Reports(tuple(_report(row) for _, row in page.rows), next_of(page.older))


def _report(row: DayReport) -> Report:
    same = Report.__dataclass_fields__.keys() - {"account", "holdings"}
    values = {name: getattr(row, name) for name in same}
    held = tuple(
        HeldAtClose(
            str(one["symbol"]),
            int(one["quantity"]),
            *(Decimal(one[name]) if one[name] else None for name in ("cost", "close", "value")),
        )
        for one in row.positions
    )
    return Report(**{**values, "account": row.account_id, "holdings": held})


@dataclass(frozen=True, slots=True)
class Watched:
    """A symbol of a watch list."""

    symbol: Symbol
    name: str
    note: str
    added_at: datetime


@dataclass(frozen=True, slots=True)
class WatchList:
    """An account's watch list, by symbol."""

    account: int
    items: tuple[Watched, ...]


def watch_list(call: Call) -> WatchList:
    """Return an account's watch list."""
    rows = list(WatchedSymbol.objects.filter(account=call.account).order_by("symbol"))
    names = instruments_of({Symbol(row.symbol) for row in rows})
    return WatchList(
        call.account.pk,
        tuple(
            Watched(Symbol(row.symbol), names[Symbol(row.symbol)].name, row.note, row.added_at)
            for row in rows
        ),
    )


@dataclass(frozen=True, slots=True)
class BackupAnswer:
    """A backup. `size` in bytes; `sealed`: made by this installation."""

    name: str
    made_at: datetime
    why: Word
    proof: Word
    size: int
    sha256: str
    sealed: bool


@dataclass(frozen=True, slots=True)
class BackupList:
    """The backups, the newest first. `failed`: why the last try failed and when, null: it did not."""

    failed: Text | None
    failed_at: datetime | None
    items: tuple[BackupAnswer, ...]


def backups(call: Call) -> BackupList:
    """List the backups."""
    home = Path(django_settings.HOME)
    return BackupList(
        failed=read_failure(home),
        failed_at=backup_files.last_failure(home),
        items=tuple(
            BackupAnswer(
                name=one.path.name,
                made_at=one.note.made_at,
                why=Word(one.note.why.value, *WHY_WORDS[one.note.why]),
                proof=Word(one.note.proof.value, *PROOF_WORDS[one.note.proof]),
                size=one.note.size,
                sha256=one.note.sha256,
                sealed=one.sealed,
            )
            for one in reversed(list_backups(home, django_settings.SECRET_KEY))
        ),
    )
