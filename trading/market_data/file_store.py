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

from trading.domain.source_health import Condition, Said
from trading.domain.types import Quote, Symbol
from trading.errors import GatewayUnavailable
from trading.market_data.records import (
    Batch,
    FeedState,
    Kept,
    Record,
    Stamper,
    arrivals_since,
    fed_by,
    feed_number_of,
    micros,
    pack_feed,
    quote_of,
    steps_of,
    unpack_feed,
)
from trading.market_data.said import pack, unpack
from trading.ports import Arrival, Fed, QuoteReader, QuoteWriter

VERSION = 3

_SCHEMA = f"""
BEGIN;
CREATE TABLE newest (symbol TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE tape (symbol TEXT, slot INTEGER, at INTEGER NOT NULL, record BLOB NOT NULL,
    PRIMARY KEY (symbol, slot)) WITHOUT ROWID;
CREATE TABLE feed (number INTEGER PRIMARY KEY, state BLOB NOT NULL);
CREATE TABLE said (source TEXT, symbol TEXT, at INTEGER NOT NULL, refused INTEGER NOT NULL,
    state TEXT NOT NULL, PRIMARY KEY (source, symbol)) WITHOUT ROWID;
PRAGMA user_version={VERSION};
COMMIT;
"""
#: Microseconds that what a source says of a symbol is kept: whoever is not asked any more is forgotten.
SAID_KEPT = 7 * 86_400_000_000
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
        self._has_noted = False

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = self._stamper = None

    def clear(self) -> None:
        """Forget everything: for a demo or a replay that begins again."""
        with self._using() as db:
            if db is not None:
                db.executescript(
                    "BEGIN; DELETE FROM newest; DELETE FROM tape; DELETE FROM feed; DELETE FROM said; COMMIT;"
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
            return Kept(dict(newest), _feeds(db))

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

    def note(self, said: Iterable[Said]) -> None:
        """Keep what the sources say, a row per source and symbol; at first, forget what was said before this process."""
        rows = [
            (
                *(one.source, one.symbol, micros(one.taken_at)),
                *(one.condition is Condition.REFUSED, pack(one)),
            )
            for one in said
        ]
        with self._using() as db:
            if db is None:
                raise GatewayUnavailable(f"{self._path} was opened for reading")
            with db:
                db.execute("BEGIN IMMEDIATE")
                if not self._has_noted:
                    db.execute("DELETE FROM said")
                db.executemany("INSERT OR REPLACE INTO said VALUES (?, ?, ?, ?, ?)", rows)
                oldest = max((row[2] for row in rows), default=0) - SAID_KEPT
                db.execute("DELETE FROM said WHERE at < ?", (oldest,))
        self._has_noted = True

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
            newest, feeds = _newest(db, after), _feeds(db)
            return arrivals_since(after, newest, lambda slots: _slots(db, slots), feeds)

    def latest(self, symbols: Iterable[Symbol]) -> Mapping[Symbol, Quote]:
        """Return the newest quote of each symbol that has one."""
        with self._reading() as db:
            newest = {} if db is None else _newest(db, symbols)
        return {symbol: quote_of(symbol, packed) for symbol, packed in newest.items()}

    def fed(self, symbol: Symbol) -> Fed:
        """Return the feed of this symbol; `Fed()` before any quote."""
        return self.feeds([symbol])[symbol]

    def feeds(self, symbols: Iterable[Symbol]) -> Mapping[Symbol, Fed]:
        """Return the feeds of many symbols at once: two statements, not two of each."""
        wanted = list(symbols)
        with self._reading() as db:
            newest = {} if db is None else _newest(db, wanted)
            states = {} if db is None else _feeds(db)
        known = {symbol: states.get(feed_number_of(packed)) for symbol, packed in newest.items()}
        return {symbol: fed_by(known.get(symbol)) for symbol in wanted}

    def said(self, symbols: Iterable[Symbol]) -> list[Said]:
        """Return what each source said last of itself (symbol "") and of these symbols, in their order."""
        with self._using() as db:
            rows: list[tuple[str, str, str]] = []
            if db is not None:
                rows = [
                    row
                    for part in _parts(["", *symbols])
                    for row in db.execute(
                        f"SELECT source, symbol, state FROM said WHERE symbol IN ({_marks(part)})",
                        part,
                    ).fetchall()
                ]
        said = (unpack(*row) for row in rows)
        return sorted(said, key=lambda one: (one.symbol, one.rank))

    def refused(self) -> set[Symbol]:
        """Return the symbols whose quotes a source has refused: few, so that nobody reads all to find them."""
        with self._using() as db:
            rows = [] if db is None else db.execute("SELECT symbol FROM said WHERE refused")
            return {Symbol(symbol) for (symbol,) in rows}

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
        except sqlite3.OperationalError:
            raise  # locked by somebody, or no room: the quotes in it are as good as before
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
    found: dict[Symbol, bytes] = {}
    for part in _parts(list(symbols)):
        statement = f"SELECT symbol, record FROM newest WHERE symbol IN ({_marks(part)})"
        found.update(db.execute(statement, part).fetchall())
    return found


def _parts(wanted: list[str] | list[Symbol]) -> Iterator[list[str] | list[Symbol]]:
    return (wanted[first : first + _CHUNK] for first in range(0, len(wanted), _CHUNK))


def _marks(part: list[str] | list[Symbol]) -> str:
    return ",".join("?" * len(part))


def _feeds(db: sqlite3.Connection) -> dict[int, FeedState]:
    rows = db.execute("SELECT number, state FROM feed").fetchall()
    return {number: unpack_feed(state) for number, state in rows}


def _slots(db: sqlite3.Connection, slots: Sequence[tuple[Symbol, int]]) -> list[bytes | None]:
    statement = "SELECT record FROM tape WHERE symbol = ? AND slot = ?"
    rows = (db.execute(statement, slot).fetchone() for slot in slots)
    return [None if row is None else row[0] for row in rows]
