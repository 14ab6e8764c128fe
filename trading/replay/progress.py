"""A progress bar on a terminal, nothing elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from rich import progress
from rich.console import Console

from trading.domain.types import Text
from trading.replay.engine import Progress


@contextmanager
def shown(console: Console, language: str) -> Iterator[Progress | None]:
    """Give what `Replay.run` tells its progress to; None when nobody watches."""
    if not console.is_terminal:
        yield None
        return
    title = Text("Replay", "回放").in_language(language)
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)

        def tell(now: datetime, done: int, total: int) -> None:
            bar.update(
                task, completed=done, total=total, description=f"{title} {now:%Y-%m-%d %H:%M}"
            )

        yield tell
