"""Instruments as rows: what a source states is kept by an upsert, what a person corrected stays.

A source is anything that gives `InstrumentFact`s: the terminal's details, a file. What it does not state stays as it
is, at first what the code says (domain/instruments.py): T+1 for a fund nobody knows more of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db import transaction

from trading.domain.instruments import (
    Board,
    Category,
    Settlement,
    StatedLimits,
    instrument_for,
)
from trading.domain.types import Symbol, Text
from trading.models import Account, EventLevel, Instrument
from trading.services.events import journal

#: What a source may state and a person may correct.
FIELDS = (
    *("name", "board", "category", "settlement", "special_treatment"),
    *("listed_on", "delisting_from", "index_board"),
)
#: A change of one of these changes limits or lots: it is told.
_DECIDING = ("board", "category", "settlement", "special_treatment", "index_board")


@dataclass(frozen=True, slots=True)
class InstrumentFact:
    """What a source states of a symbol; None = it does not say.

    The short name says special treatment and the board of a fund's index unless these are stated beside it.
    """

    symbol: Symbol
    name: str | None = None
    board: Board | None = None
    category: Category | None = None
    settlement: Settlement | None = None
    special_treatment: bool | None = None
    listed_on: date | None = None
    delisting_from: date | None = None
    index_board: Board | None = None


class Kept(NamedTuple):
    """How many rows are new, changed, and as they were."""

    new: int
    changed: int
    same: int


def keep_instruments(facts: Iterable[InstrumentFact], source: str, now: datetime) -> Kept:
    """Write what a source states, each symbol once; corrections by a person win. `now` is real time.

    What changes limits or lots of a symbol that was known is an event of every enabled account, in words.
    """
    wanted = {fact.symbol: fact for fact in facts}
    with transaction.atomic():
        rows = {Symbol(row.symbol): row for row in Instrument.objects.filter(pk__in=wanted)}
        new: list[Instrument] = []
        changed: list[Instrument] = []
        told: list[Text] = []
        for symbol, fact in wanted.items():
            row = rows.get(symbol)
            values = _values(fact, row)
            before = None if row is None else _of(row)
            if values == before:
                continue
            if before is not None:
                told += _changes(symbol, before, values)
            (new if row is None else changed).append(
                Instrument(
                    symbol=symbol,
                    source=source[:32],
                    updated_at=now,
                    corrections={} if row is None else row.corrections,
                    **values,
                )
            )
        _write([*new, *changed])
        for text in told:
            _tell("INSTRUMENT_CHANGED", EventLevel.WARNING, text, now, source)
    return Kept(len(new), len(changed), len(wanted) - len(new) - len(changed))


def correct_instrument(
    symbol: Symbol, changes: Mapping[str, Any], actor: str, now: datetime
) -> bool:
    """Set what a person knows better; no source changes it from then on. True when anything changed.

    Raises KeyError for what is no field of an instrument.
    """
    with transaction.atomic():
        row = Instrument.objects.select_for_update().get(pk=symbol)
        before = _of(row)
        differing = {name: value for name, value in changes.items() if before[name] != value}
        if not differing:
            return False
        for name, value in differing.items():
            setattr(row, name, value)
            row.corrections[name] = actor[:64]
        row.updated_at = now
        row.save()
        for text in _changes(symbol, before, _of(row), FIELDS):
            _tell("INSTRUMENT_CORRECTED", EventLevel.INFO, text, now, actor)
    return True


def release_corrections(symbol: Symbol, actor: str, now: datetime) -> bool:
    """Give an instrument back to its sources: what they state next counts again. True when a person had corrected it."""
    with transaction.atomic():
        row = Instrument.objects.select_for_update().get(pk=symbol)
        if not row.corrections:
            return False
        named = ", ".join(sorted(row.corrections))
        row.corrections = {}
        row.save(update_fields=["corrections"])
        text = Text(
            f"{symbol}: the sources count again for {named}.",
            f"{symbol}：{named} 恢复由数据源决定。",
        )
        _tell("INSTRUMENT_RELEASED", EventLevel.INFO, text, now, actor)
    return True


def _values(fact: InstrumentFact, row: Instrument | None) -> dict[str, Any]:
    """Return what the row is to say: what a person corrected, else what is stated, else what was known."""
    by_name = instrument_for(fact.symbol, fact.name or "")
    values = {name: _plain(getattr(by_name, name)) for name in FIELDS}
    if row is not None:
        known = _of(row)
        of_the_name = ("name", "special_treatment", "index_board") if fact.name else ()
        values |= {name: one for name, one in known.items() if name not in of_the_name}
        values |= {name: known[name] for name in row.corrections}
    corrected = () if row is None else row.corrections
    for name in FIELDS:
        stated = getattr(fact, name)
        if stated is not None and name not in corrected:
            values[name] = _plain(stated)
    return values | {"index_board": values["index_board"] or ""}


def _of(row: Instrument) -> dict[str, Any]:
    return {name: getattr(row, name) for name in FIELDS}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | date):
        return value
    return str(value)


def keep_stated_limits(stated: Mapping[Symbol, StatedLimits]) -> None:
    """Keep the limits a terminal states for a day; a symbol without a row gets one that says what its code says."""
    rows = []
    for symbol, limits in stated.items():
        values = _values(InstrumentFact(symbol), None)
        known = {"stated_on": limits.on, "stated_up": limits.up, "stated_down": limits.down}
        rows.append(Instrument(symbol=symbol, **values, **known))
    Instrument.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["symbol"],
        update_fields=["stated_on", "stated_up", "stated_down"],
        batch_size=500,
    )


def _write(rows: list[Instrument]) -> None:
    Instrument.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["symbol"],
        update_fields=[*FIELDS, "source", "updated_at"],
        batch_size=500,
    )


def _changes(
    symbol: Symbol,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    names: Iterable[str] = _DECIDING,
) -> list[Text]:
    found = []
    for name in names:
        if before[name] != after[name]:
            was, now = _shown(before[name]), _shown(after[name])
            found.append(
                Text(
                    f"{symbol}: {name} is {now.en} now, was {was.en}.",
                    f"{symbol}：{name} 由 {was.zh} 变为 {now.zh}。",
                )
            )
    return found


def _shown(value: Any) -> Text:
    if isinstance(value, bool):
        return Text("yes", "是") if value else Text("no", "否")
    return Text(str(value or "-"), str(value or "-"))


def _tell(code: str, level: EventLevel, text: Text, now: datetime, actor: str) -> None:
    for account in Account.objects.filter(enabled=True):
        journal(account.pk, level, code, text, now, actor=actor[:64])
