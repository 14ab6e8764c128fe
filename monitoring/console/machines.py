"""The processes of all machines that share the database, and those that run on none although an account needs them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from monitoring.console.health import process_views
from monitoring.console.values import AT, ProcessView
from monitoring.services.machines import SILENT_AFTER, needed, other_machines
from trading.domain.clock_watch import APART
from trading.domain.types import Text

_SECONDS = int(SILENT_AFTER.total_seconds())
_SILENT = Text(
    f"its machine has said nothing for {_SECONDS} s: it, or its line to the database, is down",
    f"所在机器已 {_SECONDS} 秒没有报告：机器或其与数据库的连接已中断",
)
_NOWHERE = Text(
    "runs on no machine that has reported: start it there, or look at each machine's MINIQMT_RUNS",
    "没有任何机器在运行此进程：请启动它，或检查各机器的 MINIQMT_RUNS",
)


def with_machines(own: str, here: Iterable[ProcessView]) -> list[ProcessView]:
    """Return the processes of this machine and of all others, each with its machine's name, and what runs nowhere.

    Where no other machine has ever reported nothing is added; one query then, two otherwise.
    """
    others, views = other_machines(own), list(here)
    if not others:
        return views
    found = [_at(one, own) for one in views]
    for machine in others:
        for one in process_views({"processes": machine.processes}):
            found.append(_at(_as_of(machine, one), machine.name))
    there = {one.name.partition(AT)[0] for one in found}
    found += [
        ProcessView(name, "nowhere", None, 0, _NOWHERE) for name in needed() if name not in there
    ]
    return found


def _at(view: ProcessView, machine: str) -> ProcessView:
    return replace(view, name=f"{view.name}{AT}{machine}")


def _as_of(machine: Any, view: ProcessView) -> ProcessView:
    if not machine.is_fresh:
        seen_at: datetime = machine.seen_at
        return ProcessView(view.name, "silent", seen_at, view.restarts, _SILENT)
    ahead = (machine.clock_ahead or 0) / 1000
    if abs(ahead) <= APART.total_seconds():
        return view
    clock = Text(
        f"its machine's clock differs from the database's by {ahead:+.1f} s",
        f"所在机器的时钟与数据库相差 {ahead:+.1f} 秒",
    )
    said = Text(f"{view.story.en} {clock.en}".strip(), f"{view.story.zh} {clock.zh}".strip())
    return replace(view, story=said)
