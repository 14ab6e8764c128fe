"""Readers of recorded days: `open_source` turns a file, a ZIP or a directory into quotes (docs/replay-sources.md)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from operator import attrgetter
from pathlib import Path

from trading.domain.types import Quote, Symbol, Text
from trading.errors import SourceError
from trading.market_data.sources.bars import BarReader, Label
from trading.market_data.sources.corporate_actions import read_corporate_actions
from trading.market_data.sources.files import file_sha256, open_table, source_files, source_sha256
from trading.market_data.sources.forms import form_of
from trading.market_data.sources.recording import Recording
from trading.market_data.sources.snapshots import SnapshotReader

__all__ = ["Label", "Recording", "open_source", "read_corporate_actions"]

#: Heartbeat of recorded snapshots in seconds; bars declare one bar.
SNAPSHOT_HEARTBEAT = 10


def open_source(path: Path, label: Label = "start") -> Recording:
    """Read a CSV, a ZIP holding one, or a directory of such files, whole, and return it checked.

    `label`: which edge of a bar its time names, unless a column of that name says it. Raises SourceError, before
    any quote is given out.
    """
    files = source_files(path)
    sums = [file_sha256(file) for file in files]
    _refuse_doubles(files, sums)
    quotes: list[Quote] = []
    warnings: list[Text] = []
    heartbeat = SNAPSHOT_HEARTBEAT
    spans: dict[Symbol, list[tuple[datetime, datetime, str]]] = {}
    for file in files:
        read, warned, beat = _read(file, label)
        heartbeat = max(heartbeat, beat)
        warnings += warned
        quotes += read
        for symbol, first, last in _spans(read):
            spans.setdefault(symbol, []).append((first, last, file.name))
    _refuse_overlaps(spans)
    quotes.sort(key=attrgetter("time"))  # stable: equal times stay in the order of the source
    warnings += _state_previous_closes(quotes)
    return Recording(
        name=path.resolve().name,
        sha256=source_sha256(path, sums),
        sessions=tuple(sorted({quote.time.date() for quote in quotes})),
        symbols=tuple(sorted(spans)),
        warnings=tuple(warnings),
        heartbeat=heartbeat,
        _quotes=tuple(quotes),
    )


def _read(file: Path, label: Label) -> tuple[list[Quote], list[Text], int]:
    with open_table(file) as table:
        form = form_of(table.name, table.header)
        if form is None:
            bars = BarReader(table, label)
            return bars.read(), [], bars.length
        snapshots = SnapshotReader(form, table)
        return snapshots.read(), snapshots.warnings, SNAPSHOT_HEARTBEAT


def _refuse_doubles(files: Sequence[Path], sums: Sequence[str]) -> None:
    seen: dict[str, str] = {}
    for file, digest in zip(files, sums, strict=True):
        if digest in seen:
            raise SourceError(
                file.name, None, "file", f"the same bytes as {seen[digest]}", "every file once"
            )
        seen[digest] = file.name


def _spans(quotes: Iterable[Quote]) -> list[tuple[Symbol, datetime, datetime]]:
    first: dict[Symbol, datetime] = {}
    last: dict[Symbol, datetime] = {}
    for quote in quotes:
        first.setdefault(quote.symbol, quote.time)
        last[quote.symbol] = quote.time
    return [(symbol, first[symbol], last[symbol]) for symbol in first]


def _refuse_overlaps(spans: dict[Symbol, list[tuple[datetime, datetime, str]]]) -> None:
    for symbol, parts in spans.items():
        parts.sort()
        for before, after in pairwise(parts):
            if after[0] < before[1]:
                expected = f"no time before {before[1].isoformat()}, where {before[2]} ends"
                raise SourceError(
                    after[2], None, f"time of {symbol}", after[0].isoformat(), expected
                )


def _state_previous_closes(quotes: list[Quote]) -> list[Text]:
    """Give quotes without a previous close the last price of the session before; the first session: its open.

    Changes the list in place and returns a warning for each symbol whose previous close is only its open.
    """
    last: dict[Symbol, Quote] = {}
    close: dict[tuple[Symbol, date], Decimal] = {}
    warned: dict[Symbol, Text] = {}
    for index, quote in enumerate(quotes):
        before = last.get(quote.symbol)
        if quote.last:
            last[quote.symbol] = quote
        if quote.previous_close:
            continue
        key = (quote.symbol, quote.time.date())
        if key not in close:
            if before is not None and before.time.date() < key[1]:
                close[key] = before.last
            elif quote.open or quote.last:
                close[key] = quote.open or quote.last
                warned.setdefault(quote.symbol, _guessed(quote, close[key]))
        if key in close:
            quotes[index] = replace(quote, previous_close=close[key])
    return list(warned.values())


def _guessed(quote: Quote, price: Decimal) -> Text:
    day = quote.time.date().isoformat()
    return Text(
        f"{quote.symbol}: no previous close for {day}; its open {price} stands in, so that day's limits may be wrong",
        f"{quote.symbol}：{day} 无昨收价，以开盘价 {price} 代替，当日涨跌停价可能不准",
    )
