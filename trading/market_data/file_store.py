"""The quote store in a file, so that a gateway protects without Redis: `quotes.sqlite3`, one transaction a batch.

It is a mirror of nothing valuable: `synchronous=OFF`, and a damaged file is made anew. One process writes, others
read while it does.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from trading.domain.types import Quote, Symbol
from trading.errors import GatewayUnavailable
from trading.market_data.records import (
    Batch,
    FeedState,
    Kept,
    Record,
    Stamper,
    arrivals_since,
    fed_and_heartbeat,
    feed_number_of,
    pack_feed,
    quote_of,
    steps_of,
    unpack_feed,
)
from trading.market_data.store import DEFAULT_HEARTBEAT
from trading.ports import Arrival, QuoteReader, QuoteWriter

VERSION = 1

_SCHEMA = f"""
BEGIN;
CREATE TABLE newest (symbol TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE tape (symbol TEXT, slot INTEGER, at INTEGER NOT NULL, record BLOB NOT NULL,
    PRIMARY KEY (symbol, slot)) WITHOUT ROWID;
CREATE TABLE feed (number INTEGER PRIMARY KEY, state BLOB NOT NULL);
PRAGMA user_version={VERSION};
COMMIT;
"""
#: Symbols or slots asked for in one statement; SQLite's own limit of variables is higher everywhere.
_CHUNK = 500


class FileQuoteStore(QuoteReader, QuoteWriter):
    """Quotes in one SQLite file. Every method raises GatewayUnavailable when the file cannot be read or written.

    `writes` is for the one process that writes; a reader of a file that is not there yet finds no quotes. A store
    belongs to the thread that uses it first: SQLite refuses its connection to any other.
    """

    def __init__(self, path: Path, *, writes: bool = False) -> None:
        self._path, self._writes = path, writes
        self._db: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        self._stamper: Stamper | None = None

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = self._stamper = None

    def clear(self) -> None:
        """Forget everything: for a demo or a replay that begins again."""
        with self._using() as db:
            if db is not None:
                db.executescript(
                    "BEGIN; DELETE FROM newest; DELETE FROM tape; DELETE FROM feed; COMMIT;"
                )
            self._stamper = None

    # --- writing ---

    def put(self, feed: str, quotes: Iterable[Quote], heartbeat: int, now: datetime) -> None:
        """Store accepted quotes in their order of arrival and note that the feed delivered at `now`."""
        if self._stamper is None:
            self._stamper = Stamper(self.kept())
        batch = self._stamper.stamp(feed, quotes, heartbeat, now)
        if batch is not None:
            self.write(batch)

    def kept(self) -> Kept:
        """Return what the file holds, for a writer that starts again."""
        with self._using() as db:
            if db is None:
                return Kept()
            newest = db.execute("SELECT symbol, record FROM newest").fetchall()
            feeds = db.execute("SELECT number, state FROM feed").fetchall()
        return Kept(dict(newest), {number: unpack_feed(state) for number, state in feeds})

    def write(self, batch: Batch) -> None:
        """Store a stamped batch in one transaction."""
        newest = {record.symbol: record.packed for record in batch.records}
        tape = [(record.symbol, record.slot, record.at, record.packed) for record in batch.records]
        feed = batch.feed_number, pack_feed(batch.feed)
        with self._using() as db:
            if db is None:
                raise GatewayUnavailable(f"{self._path} was opened for reading")
            with db:
                db.execute("BEGIN IMMEDIATE")
                db.executemany("INSERT OR REPLACE INTO newest VALUES (?, ?)", newest.items())
                db.executemany("INSERT OR REPLACE INTO tape VALUES (?, ?, ?, ?)", tape)
                db.execute("INSERT OR REPLACE INTO feed VALUES (?, ?)", feed)

    def records_since(self, at: int) -> list[Record]:
        """Return the newest record of every symbol and all that arrived after `at` (microseconds since 1970)."""
        with self._using() as db:
            if db is None:
                return []
            rows = db.execute("SELECT symbol, record FROM tape WHERE at > ? ORDER BY at", (at,))
            recent = rows.fetchall()
            newest = db.execute("SELECT symbol, record FROM newest").fetchall()
        packed = [*((symbol, record) for symbol, record in newest), *recent]
        steps = ((symbol, steps_of(record), record) for symbol, record in packed)
        found = {
            (symbol, step.number): Record(symbol, step.number, step.at, record)
            for symbol, step, record in steps
        }
        return sorted(found.values(), key=lambda record: (record.symbol, record.number))

    # --- reading ---

    def since(self, after: Mapping[Symbol, datetime]) -> Mapping[Symbol, Sequence[Arrival]]:
        """Return per symbol what arrived after its time, oldest first; absent = nothing new."""
        with self._reading() as db:
            if db is None:
                return {}
            return arrivals_since(after, _newest(db, after), lambda slots: _slots(db, slots))

    def latest(self, symbols: Iterable[Symbol]) -> Mapping[Symbol, Quote]:
        """Return the newest quote of each symbol that has one."""
        with self._reading() as db:
            newest = {} if db is None else _newest(db, symbols)
        return {symbol: quote_of(symbol, packed) for symbol, packed in newest.items()}

    def fed_at(self, symbol: Symbol) -> datetime | None:
        """Return when the feed of this symbol last delivered, None = never."""
        feed = self._feed(symbol)
        return None if feed is None else feed.fed_at

    def heartbeat(self, symbol: Symbol) -> int:
        """Return the heartbeat in seconds of the feed of this symbol."""
        feed = self._feed(symbol)
        return DEFAULT_HEARTBEAT if feed is None else feed.heartbeat

    def feeds(self, symbols: Iterable[Symbol]) -> Mapping[Symbol, tuple[datetime | None, int]]:
        """Return `fed_at` and `heartbeat` of many symbols at once: two statements, not two of each."""
        wanted = list(symbols)
        with self._reading() as db:
            newest = {} if db is None else _newest(db, wanted)
            rows = [] if db is None else db.execute("SELECT number, state FROM feed").fetchall()
        states = {number: unpack_feed(state) for number, state in rows}
        known = {symbol: states.get(feed_number_of(packed)) for symbol, packed in newest.items()}
        return {symbol: fed_and_heartbeat(known.get(symbol)) for symbol in wanted}

    def _feed(self, symbol: Symbol) -> FeedState | None:
        with self._reading() as db:
            packed = None if db is None else _newest(db, [symbol]).get(symbol)
            if db is None or packed is None:
                return None
            number = feed_number_of(packed)
            row = db.execute("SELECT state FROM feed WHERE number = ?", (number,)).fetchone()
        return None if row is None else unpack_feed(row[0])

    # --- the file ---

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """Give one moment of the file: all statements inside see the same batches."""
        with self._using() as db:
            if db is None:
                yield None
                return
            db.execute("BEGIN")
            try:
                yield db
            finally:
                db.execute("COMMIT")

    @contextlib.contextmanager
    def _using(self) -> Iterator[sqlite3.Connection | None]:
        try:
            if self._db is not None and self._identity() != self._opened:
                self._db.close()
                self._db = None
            if self._db is None:
                self._db = self._open()
                self._opened = self._identity()
            yield self._db
        except (sqlite3.Error, OSError) as problem:
            broken, self._db = self._db, None
            if broken is not None:
                with contextlib.suppress(sqlite3.Error):  # another thread's: that one still has it
                    broken.close()
            raise GatewayUnavailable(f"{self._path.name}: {problem}") from problem

    def _identity(self) -> tuple[int, int] | None:
        """Tell a file from the one that replaced it."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _open(self) -> sqlite3.Connection | None:
        if self._writes:
            return self._open_for_writing()
        if not self._path.exists():
            return None
        address = f"{self._path.absolute().as_uri()}?mode=ro"
        db = sqlite3.connect(address, uri=True, isolation_level=None)
        if db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            db.close()  # its writer has not finished making it
            return None
        return db

    def _open_for_writing(self) -> sqlite3.Connection:
        try:
            return self._prepared()
        except sqlite3.DatabaseError:
            for ending in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
            return self._prepared()

    def _prepared(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=OFF")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                db.executescript(_SCHEMA)
            elif version != VERSION or db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("another version's, or damaged")
        except sqlite3.Error:
            db.close()
            raise
        return db


def _newest(db: sqlite3.Connection, symbols: Iterable[Symbol]) -> dict[Symbol, bytes]:
    wanted = list(symbols)
    found: dict[Symbol, bytes] = {}
    for first in range(0, len(wanted), _CHUNK):
        part = wanted[first : first + _CHUNK]
        marks = ",".join("?" * len(part))
        found.update(
            db.execute(
                f"SELECT symbol, record FROM newest WHERE symbol IN ({marks})", part
            ).fetchall()
        )
    return found


def _slots(db: sqlite3.Connection, slots: Sequence[tuple[Symbol, int]]) -> list[bytes | None]:
    statement = "SELECT record FROM tape WHERE symbol = ? AND slot = ?"
    rows = (db.execute(statement, slot).fetchone() for slot in slots)
    return [None if row is None else row[0] for row in rows]
