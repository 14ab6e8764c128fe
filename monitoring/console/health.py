"""Process health: what `run.json` and the leases of the ticks say, in words."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from monitoring.console.values import ProcessView, TickView
from monitoring.run_file import LOCK
from monitoring.supervisor import State
from trading.domain.calendar import TradingCalendar, phase_at
from trading.domain.types import CHINA, Text
from trading.models import TickLease
from trading.services.runner import TICKS, lease_name

#: How a process ended whose exit code is negative: POSIX signal numbers.
_SIGNALS = {
    2: Text("interrupted", "被中断"),
    6: Text("aborted", "异常中止"),
    9: Text("killed", "被强制结束"),
    11: Text("crashed", "崩溃"),
    15: Text("terminated", "被终止"),
}


_HUNG = Text("it made no progress and was killed", "长时间无进展，已被强制结束")

#: `up` touches its lock every second.
UP_PATIENCE = timedelta(seconds=30)
_UP_HANGS = Text(
    "looks after nothing: what ends or hangs now is not started again. End it and start it anew.",
    "已无响应：此后结束或卡住的进程不会被重新启动。请结束它并重新启动。",
)

#: A tick that is late for longer than this, and for ten periods, does not run any more.
_DOWN = timedelta(seconds=60)

_TICKS = {
    "sync": Text("sync", "同步"),
    "strategy": Text("strategy", "策略"),
    "orders": Text("orders", "委托检查"),
    "grid": Text("grid", "网格"),
    "plug_ins": Text("plug-ins", "策略插件"),
}


def last_sign(home: Path) -> datetime | None:
    """Return when `up` last looked after its processes, None when it never ran here."""
    try:
        return datetime.fromtimestamp((home / LOCK).stat().st_mtime, CHINA)
    except OSError:
        return None


def processes(
    run: Mapping[str, Any], up_seen_at: datetime | None, real: datetime
) -> tuple[ProcessView, ...] | None:
    """Return the processes of the `up` that runs us, itself first when it hangs (seen last at `up_seen_at`).

    None when none does, for then nobody keeps its file true.
    """
    rows = [row for row in run.get("processes", ()) if isinstance(row, dict)]
    # On Windows the interpreter of a virtual environment is a child of the process that was started.
    ours = {os.getpid(), os.getppid()}
    if not any(row.get("name") == "web" and row.get("pid") in ours for row in rows):
        return None
    views = process_views(run)
    if up_seen_at is not None and real - up_seen_at > UP_PATIENCE:
        views.insert(0, ProcessView("up", "silent", up_seen_at, 0, _UP_HANGS))
    return tuple(views)


def process_views(run: Mapping[str, Any]) -> list[ProcessView]:
    """Return what `up` last said of its processes, whoever asks."""
    return [_process(row) for row in run.get("processes", ()) if isinstance(row, dict)]


def _process(row: Mapping[str, Any]) -> ProcessView:
    since = _moment(row.get("since"))
    restarts = row.get("restarts")
    view = ProcessView(
        name=str(row.get("name", "")),
        state=str(row.get("state", "")),
        since=since,
        restarts=restarts if isinstance(restarts, int) else 0,
        story=Text("", ""),
    )
    is_down = view.state in (State.BACKING_OFF, State.HELD_BACK)
    return _told(view, row) if view.restarts or is_down else view


def _told(view: ProcessView, row: Mapping[str, Any]) -> ProcessView:
    how = why_it_ended(row)
    at = _clock(view.since)
    if view.state == State.HELD_BACK:
        story = why_held_back(row)
    elif view.state == State.BACKING_OFF:
        story = Text(f"ended ({how.en}); starts again soon", f"已结束（{how.zh}），即将重新启动")
    else:
        story = Text(
            f"ended ({how.en}) and was started again at {at}, restarts: {view.restarts}",
            f"曾结束（{how.zh}），{at} 重新启动，共重启 {view.restarts} 次",
        )
    return ProcessView(view.name, view.state, view.since, view.restarts, story)


def why_it_ended(row: Mapping[str, Any]) -> Text:
    """Return how the process of this row of `run.json` ended last."""
    heavy = row.get("heavy")
    if isinstance(heavy, int) and heavy > 0:
        return Text(f"it held {heavy} MB of memory", f"占用内存 {heavy} MB，超过上限")
    return _HUNG if row.get("hung") is True else _how(row.get("last_exit"))


def why_held_back(row: Mapping[str, Any]) -> Text:
    """Return why the process of this row of `run.json` stays down for now, and what to do."""
    name, how, at = row.get("name", ""), why_it_ended(row), _clock(_moment(row.get("due")))
    return Text(
        f"ended too often (at last: {how.en}) and stays down until {at}, when it is tried once more. Put right what"
        f" the end of logs/{name}.log says",
        f"频繁退出（最近一次：{how.zh}），暂停重启，将于 {at} 再试一次。请按 logs/{name}.log 末尾的原因处理",
    )


def _how(code: object) -> Text:
    if not isinstance(code, int):
        return Text("it could not be started", "未能启动")
    if code < 0:
        return _SIGNALS.get(-code, Text(f"signal {-code}", f"信号 {-code}"))
    return Text(f"exit code {code}", f"退出码 {code}")


def _moment(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value)).astimezone(CHINA) if value else None
    except ValueError:
        return None


def _clock(at: datetime | None) -> str:
    return "—" if at is None else at.astimezone(CHINA).strftime("%H:%M:%S")


def tick_starts() -> Mapping[str, datetime | None]:
    """Return when each tick of each account last started (real time); one query."""
    return dict(TickLease.objects.values_list("name", "started_at"))


def ticks_of(
    account_id: int,
    starts: Mapping[str, datetime | None],
    calendar: TradingCalendar,
    now: datetime,
    real: datetime,
) -> Sequence[TickView]:
    """Return the ticks of an account at market time `now`; late: needed for two periods, and not begun in them."""
    views = []
    for spec in TICKS.values():
        started, ago = starts.get(lease_name(spec, account_id)), now - 2 * spec.period
        needed = spec.useful(phase_at(calendar, now), now)
        long_needed = needed and spec.useful(phase_at(calendar, ago), ago)
        # None: it has never run, so nobody can say how long it has been due.
        late = long_needed and started is not None and real - started > 2 * spec.period
        label = _TICKS.get(spec.name, Text(spec.name, spec.name))
        down = late and started is not None and real - started > max(10 * spec.period, _DOWN)
        seconds = spec.period.total_seconds()
        views.append(TickView(spec.name, label, seconds, started, needed, late, down))
    return views
