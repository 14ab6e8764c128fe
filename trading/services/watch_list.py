"""The watch list of an account: people add, remove, import and export; nothing else writes it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from django.db import transaction

from trading.domain.stock_pool import Entry
from trading.domain.types import Symbol, Text
from trading.models import EventLevel, WatchedSymbol
from trading.services.corrections import CorrectionError
from trading.services.events import journal

#: More symbols than anybody watches; a file that names more is a mistake.
LARGEST = 2000


class Outcome(NamedTuple):
    """What an import changed, in symbols."""

    added: tuple[Symbol, ...]
    known: tuple[Symbol, ...]
    removed: tuple[Symbol, ...] = ()


def entries(account_id: int) -> list[Entry]:
    """Return the watch list, by symbol."""
    rows = WatchedSymbol.objects.filter(account_id=account_id).order_by("symbol")
    return [Entry(Symbol(row.symbol), row.note) for row in rows]


def watch(
    account_id: int,
    wanted: Iterable[Entry],
    now: datetime,
    actor: str,
    *,
    replace: bool = False,
) -> Outcome:
    """Add symbols; one that is there keeps its note unless the new one says something. All or none.

    `replace`: what is not wanted is removed. Raises CorrectionError when the list becomes too long.
    """
    notes = {entry.symbol: entry.note for entry in wanted}
    with transaction.atomic():
        rows = {row.symbol: row for row in WatchedSymbol.objects.filter(account_id=account_id)}
        gone = [row for symbol, row in rows.items() if replace and symbol not in notes]
        if len(rows) + len(notes.keys() - rows.keys()) - len(gone) > LARGEST:
            raise CorrectionError(
                Text(
                    f"the watch list holds {LARGEST} symbols at most; remove some first",
                    f"自选列表最多 {LARGEST} 个标的；请先移除一些",
                )
            )
        new = {symbol: note for symbol, note in notes.items() if symbol not in rows}
        for symbol, note in new.items():
            WatchedSymbol.objects.create(
                account_id=account_id, symbol=symbol, note=note, added_at=now
            )
        for symbol in notes.keys() & rows.keys():
            row = rows[symbol]
            if notes[symbol] and row.note != notes[symbol]:
                row.note = notes[symbol]
                row.save(update_fields=["note"])
        WatchedSymbol.objects.filter(pk__in=[row.pk for row in gone]).delete()
        outcome = Outcome(
            tuple(new),
            tuple(symbol for symbol in notes if symbol not in new),
            tuple(Symbol(row.symbol) for row in gone),
        )
        _tell(account_id, outcome, now, actor)
    return outcome


def unwatch(account_id: int, symbols: Iterable[Symbol], now: datetime, actor: str) -> Outcome:
    """Remove symbols from the list; what was not on it is ignored."""
    with transaction.atomic():
        rows = WatchedSymbol.objects.filter(account_id=account_id, symbol__in=list(symbols))
        removed = tuple(Symbol(row.symbol) for row in rows)
        rows.delete()
        outcome = Outcome((), (), removed)
        _tell(account_id, outcome, now, actor)
    return outcome


def _tell(account_id: int, outcome: Outcome, now: datetime, actor: str) -> None:
    if not outcome.added and not outcome.removed:
        return
    en, zh = [], []
    if outcome.added:
        en.append(f"added {' '.join(outcome.added)}")
        zh.append(f"加入 {' '.join(outcome.added)}")
    if outcome.removed:
        en.append(f"removed {' '.join(outcome.removed)}")
        zh.append(f"移除 {' '.join(outcome.removed)}")
    text = Text(f"Watch list: {', '.join(en)}.", f"自选列表：{'，'.join(zh)}。")
    journal(account_id, EventLevel.INFO, "WATCH_LIST_CHANGED", text, now, actor=actor)
