"""Tables of a command, for people and for pipes: columns in line, nothing drawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import IO

from rich.console import Console
from rich.table import Table

from trading.domain.types import Text

#: Columns of output that goes to a file or a pipe.
WIDTH = 200


class Output:
    """Says things in one language."""

    def __init__(self, stream: IO[str], language: str) -> None:
        self.language = language
        width = None if stream.isatty() else WIDTH
        self._console = Console(file=stream, width=width, highlight=False)

    def say(self, text: Text) -> None:
        """Print a sentence."""
        self._console.print(self.word(text), markup=False)

    def word(self, text: Text) -> str:
        """Return a text in the language of the output."""
        return text.in_language(self.language)

    def table(self, heads: Sequence[Text], rows: Iterable[Sequence[object]]) -> None:
        """Print rows under their heads; no rows are a sentence."""
        cells = [["-" if cell is None else str(cell) for cell in row] for row in rows]
        if not cells:
            self.say(Text("None.", "无。"))
            return
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for head in heads:
            table.add_column(self.word(head), overflow="fold")
        for row in cells:
            table.add_row(*row)
        self._console.print(table, markup=False)

    def facts(self, rows: Iterable[tuple[str, str]]) -> None:
        """Print names with their values."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
        for _ in range(2):
            table.add_column(overflow="fold")
        for row in rows:
            table.add_row(*row)
        self._console.print(table, markup=False)
