"""Files on disk as checked rows of text: a CSV, a ZIP holding one, a file of TDX, or a directory of such files.

Nothing is ever extracted, no size is trusted, and whatever is wrong becomes one `SourceError`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from trading.errors import SourceError
from trading.market_data.sources import tdx

#: Bounds of what is read: a recorded day of one market is about 1 GB, CSV packs 5 to 20 times.
LARGEST_FILE = 2 * 1024**3
LARGEST_RATIO = 200
LONGEST_LINE = 1024**2

#: What lies beside `snapshot.csv` in a recorded day and holds orders and trades, not quotes.
NOT_QUOTES = frozenset({"entrust.csv", "trade.csv"})


@dataclass(frozen=True, slots=True)
class Table:
    """One open CSV: `name` for messages, the `folder` it lies in (it may name the day), its header and its rows.

    `rows` gives (line number, cells), every row as wide as the header.
    """

    name: str
    folder: str
    header: tuple[str, ...]
    rows: Iterator[tuple[int, list[str]]]


def source_files(path: Path) -> tuple[Path, ...]:
    """Return the files a source consists of, in the order of their names. Raises SourceError."""
    if path.is_file():
        return (path,)
    if not path.is_dir():
        raise SourceError(
            path.name, None, "file", str(path), "a CSV, a ZIP holding one, or a directory of them"
        )
    files = [
        found
        for found in path.rglob("*")
        if (found.suffix.lower() in (".csv", ".zip") or tdx.is_tdx(found)) and found.is_file()
    ]
    inside = {found: PurePosixPath(found.relative_to(path).as_posix()) for found in files}
    kept = _quote_files(inside.values())
    if not kept:
        raise SourceError(
            path.name, None, "directory", "", "at least one .csv, .zip, .day, .lc1 or .lc5 file"
        )
    return tuple(
        sorted(
            (found for found in files if inside[found] in kept), key=lambda found: inside[found]
        )
    )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def source_sha256(path: Path, sums: Iterable[str]) -> str:
    """Return the sum of a source: of its file, or of a directory's sorted file sums, one a line."""
    sums = sorted(sums)
    return sums[0] if path.is_file() else hashlib.sha256("\n".join(sums).encode()).hexdigest()


@contextmanager
def open_table(path: Path) -> Iterator[Table]:
    """Open a CSV, the one CSV of a ZIP, or a file of TDX. Raises SourceError, while the rows are read too."""
    try:
        if tdx.is_tdx(path):
            yield Table(path.name, path.resolve().parent.name, tdx.HEADER, tdx.rows(path))
        elif path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                member = _member(path, archive)
                inside = PurePosixPath(member.filename)
                with _open_member(path, archive, member) as stream:
                    yield _table(f"{path.name}/{inside}", inside.parent.name or path.stem, stream)
        else:
            _check_size(path.name, path.stat().st_size)
            with path.open("rb") as stream:
                yield _table(path.name, path.resolve().parent.name, stream)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise SourceError(
            path.name, None, "archive", str(error), "an undamaged ZIP file"
        ) from error
    except OSError as error:
        raise SourceError(path.name, None, "file", str(error), "a readable file") from error


def _member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = {
        PurePosixPath(info.filename): info for info in archive.infolist() if not info.is_dir()
    }
    found = sorted(_quote_files(name for name in members if name.suffix.lower() == ".csv"))
    if len(found) != 1:
        names = ", ".join(map(str, found[:3]))
        raise SourceError(path.name, None, "archive", names, "exactly one CSV of quotes in a ZIP")
    info = members[found[0]]
    _check_size(f"{path.name}/{found[0]}", info.file_size)
    if info.file_size > LARGEST_RATIO * max(info.compress_size, 1):
        ratio = f"{info.file_size} bytes packed in {info.compress_size}"
        raise SourceError(
            path.name, None, "archive", ratio, f"a packing ratio of at most {LARGEST_RATIO}"
        )
    return info


def _open_member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    try:
        # ZipExtFile reads line by line in Python; the buffer makes that C.
        return io.BufferedReader(archive.open(member), 2**18)  # type: ignore[type-var]
    except (RuntimeError, NotImplementedError) as error:  # a password, a rare compression
        raise SourceError(
            path.name, None, "archive", str(error), "a plain ZIP without a password"
        ) from error


def _quote_files(names: Iterable[PurePosixPath]) -> set[PurePosixPath]:
    """Drop what no person put there, and the orders and trades beside a snapshot file."""
    kept = {
        name
        for name in names
        if not any(part.startswith((".", "__MACOSX")) for part in name.parts)
    }
    return {
        name
        for name in kept
        if not (name.name.lower() in NOT_QUOTES and name.with_name("snapshot.csv") in kept)
    }


def _check_size(name: str, size: int) -> None:
    if size > LARGEST_FILE:
        raise SourceError(name, None, "size", f"{size} bytes", f"at most {LARGEST_FILE} bytes")
    if size == 0:
        raise SourceError(name, None, "file", "0 bytes", "a header line and rows")


def _table(name: str, folder: str, stream: IO[bytes]) -> Table:
    rows = _rows(name, _lines(name, stream))
    _, header = next(rows, (0, []))
    columns = tuple(cell.strip() for cell in header)
    for column in columns:
        if not column or columns.count(column) > 1:
            raise SourceError(name, 1, "header", column, "every column named, and named once")
    return Table(name, folder, columns, _as_wide_as(name, len(columns), rows))


def _lines(name: str, stream: IO[bytes]) -> Iterator[str]:
    line = 0
    while raw := stream.readline(LONGEST_LINE):
        line += 1
        try:
            yield raw.decode("utf-8-sig" if line == 1 else "utf-8")
        except UnicodeDecodeError as error:
            value = raw[error.start : error.start + 8].hex(" ")
            raise SourceError(name, line, "text", value, "UTF-8") from error


def _rows(name: str, lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines, strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        expected = "a row of comma-separated cells"
        raise SourceError(name, reader.line_num, "row", str(error), expected) from error


def _as_wide_as(
    name: str, width: int, rows: Iterable[tuple[int, list[str]]]
) -> Iterator[tuple[int, list[str]]]:
    line = None
    for line, row in rows:
        if len(row) != width:
            raise SourceError(
                name, line, "row", f"{len(row)} cells", f"{width} cells as in the header"
            )
        yield line, row
    if line is None:
        raise SourceError(name, None, "file", "a header only", "at least one row")
