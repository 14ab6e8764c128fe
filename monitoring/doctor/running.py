"""Checks of what runs: Redis, the processes of `up`, and what dead ones left behind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis
from django.conf import settings

from monitoring.console.health import why_held_back
from monitoring.doctor.machine import age_in_words
from monitoring.doctor.signs import Up, alive, touched, up_state
from monitoring.doctor.values import Case, Diagnosis, fail, named, not_checked, ok, warn
from monitoring.run_file import LOCK, NAME, read_run_file, write_run_file
from monitoring.stack import OLDEST_REDIS, installed_redis
from monitoring.supervisor import State
from trading.domain.types import Text

#: So many restarts of one process are no accident.
RESTARTS = 3
#: Drafts of files that are written whole; older than this, whoever wrote them has died.
DRAFT_AGE = timedelta(minutes=10)


# --- the broker of messages ---


def redis_server(case: Case) -> Iterator[Diagnosis]:
    """Look whether Redis answers and is new enough."""
    url = str(settings.REDIS_URL)
    if not url:
        program = installed_redis()
        said = (
            Text("the embedded one", "内置 Redis") if program is None else Text(program, program)
        )
        yield not_checked(
            "REDIS_NEW",
            f"No Redis runs yet: `up` will start {said.en}.",
            f"尚无 Redis 运行：`up` 将启动 {said.zh}。",
        )
        return
    where = urlsplit(url)
    place = f"{where.hostname}:{where.port or 6379}"
    remedy = Text(
        f"Start the Redis at {place}, or unset REDIS_URL: `up` then runs one of its own. Stop-losses go on meanwhile.",
        f"请启动位于 {place} 的 Redis，或不设置 REDIS_URL，由 `up` 自行启动。期间止损照常执行。",
    )
    client = redis.Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3)
    try:
        client.ping()
        version = str(_version_of(client))
    except redis.AuthenticationError:
        text = Text(
            f"The Redis at {place} refuses our password.", f"{place} 的 Redis 拒绝了密码。"
        )
        right = Text("Correct the password in REDIS_URL.", "请更正 REDIS_URL 中的密码。")
        yield fail("REDIS_PASSWORD", text, right)
        return
    except redis.RedisError as problem:
        text = Text(
            f"The Redis at {place} does not answer: {problem}.",
            f"{place} 的 Redis 没有应答：{problem}。",
        )
        yield fail("REDIS_AWAY", text, remedy)
        return
    finally:
        client.close()
    yield redis_of(version)


def _version_of(client: redis.Redis) -> str:
    """The embedded one does not know INFO: it is as new as it has to be."""
    with suppress(redis.ResponseError):
        found: Mapping[str, Any] = client.info("server")
        return str(found.get("redis_version", ""))
    return ""


def redis_of(version: str) -> Diagnosis:
    """Judge a version; an empty one is that of the embedded Redis."""
    if not version:
        return ok("REDIS", "Redis (the embedded one) answers.", "Redis（内置）正常应答。")
    numbers = tuple(map(int, re.findall(r"\d+", version)[:2]))
    if numbers < OLDEST_REDIS:
        text = Text(
            f"Redis {version} is too old: 6.2 or later is needed.",
            f"Redis {version} 版本过低：需要 6.2 或更高版本。",
        )
        remedy = Text(
            "Unset REDIS_URL (`up` runs one of its own), or update the server.",
            "请不设置 REDIS_URL（由 `up` 自行启动），或升级 Redis。",
        )
        return fail("REDIS_OLD", text, remedy)
    return ok("REDIS", f"Redis {version} answers.", f"Redis {version} 正常应答。")


# --- processes ---


def processes(case: Case) -> Iterator[Diagnosis]:
    """Look what `up` says of its processes, and at what somebody left behind."""
    state, run = up_state(case.home, case.now), read_run_file(case.home)
    yield from _left_drafts(case)
    if state is Up.NONE:
        yield from _without_up(case, run)
        return
    if state is Up.HANGS:
        age = age_in_words(touched(case.home / LOCK, case.now) or timedelta(0))
        text = Text(
            f"`up` has looked after nothing for {age.en}: what ends now is not started again.",
            f"`up` 已 {age.zh} 无响应：此后结束的进程不会被重新启动。",
        )
        remedy = Text(
            f"End process {run.get('pid', '?')} and start `python manage.py up` again.",
            f"请结束进程 {run.get('pid', '?')}，再重新运行 `python manage.py up`。",
        )
        yield fail("UP_HANGS", text, remedy)
    rows = [row for row in run.get("processes", ()) if isinstance(row, dict)]
    found = [one for row in rows if (one := _process(row)) is not None]
    yield from found
    if not found and state is Up.RUNS:
        yield ok(
            "PROCESSES", f"`up` runs {len(rows)} processes.", f"`up` 正在运行 {len(rows)} 个进程。"
        )


def _process(row: Mapping[str, Any]) -> Diagnosis | None:
    name, state, restarts = str(row.get("name")), str(row.get("state")), row.get("restarts", 0)
    remedy = Text(
        f"The end of logs/{name}.log says why it ended.", f"原因见 logs/{name}.log 末尾。"
    )
    if state == State.HELD_BACK:
        why = why_held_back(row)
        return fail("PROCESS_DOWN", Text(f"{name} {why.en}.", f"{name} {why.zh}。"), remedy)
    if state not in (State.RUNNING, State.STARTING):
        text = Text(
            f"{name} does not run now ({state}, last exit code {row.get('last_exit')}).",
            f"{name} 当前未运行（{state}，上次退出码 {row.get('last_exit')}）。",
        )
        return fail("PROCESS_DOWN", text, remedy)
    if isinstance(restarts, int) and restarts >= RESTARTS:
        text = Text(
            f"{name} was started again {restarts} times.", f"{name} 已被重新启动 {restarts} 次。"
        )
        return warn("PROCESS_RESTARTS", text, remedy)
    return None


def _without_up(case: Case, run: Mapping[str, Any]) -> Iterator[Diagnosis]:
    living = list(alive(case.home, case.now))
    if run.get("processes"):
        yield _stale_run_file(case, run)
        if living:
            text = Text(
                f"`up` is gone, and {', '.join(living)} still run: nobody starts them again.",
                f"`up` 已不在，但 {'、'.join(living)} 仍在运行：结束后无人重新启动。",
            )
            remedy = Text(
                "They end by themselves within seconds; if not, end them and start `python manage.py up`.",
                "它们会在数秒内自行结束；否则请结束它们，再运行 `python manage.py up`。",
            )
            yield fail("PROCESSES_LEFT", text, remedy)
    elif living:
        said = ", ".join(living)
        yield ok("BY_HAND", f"Started by hand: {said}.", f"手动启动的进程：{said}。")
    else:
        yield not_checked("NOTHING_RUNS", "Nothing runs here now.", "当前没有进程在运行。")


def _stale_run_file(case: Case, run: Mapping[str, Any]) -> Diagnosis:
    text = Text(
        f"{case.home / NAME} names processes of an `up` that is gone: it was killed, or the computer lost power.",
        f"{case.home / NAME} 中的进程属于已不存在的 `up`：它被强制结束，或计算机断电。",
    )
    remedy = Text(
        "`python manage.py up` starts anew and sends nothing twice; `doctor --fix` tidies the file only.",
        "运行 `python manage.py up` 即可重新启动，委托不会重复发送；`doctor --fix` 仅清理该文件。",
    )
    # As `up` leaves it when it ends in order.
    content = {"source": run.get("source", ""), "redis_url": ""}
    return warn("RUN_FILE_STALE", text, remedy, partial(write_run_file, case.home, content))


def _left_drafts(case: Case) -> Iterator[Diagnosis]:
    left = [
        path
        for pattern in (".*.json.*", ".*.txt.*", ".redis.*", "paper.*.tmp", ".doctor.*")
        for path in case.home.glob(pattern)
        if (touched(path, case.now) or timedelta(0)) > DRAFT_AGE
    ]
    if left:
        said = named([path.name for path in left])
        text = Text(
            f"Half-written files of processes that died: {said.en}.",
            f"已结束进程留下的未写完文件：{said.zh}。",
        )
        remedy = Text("`doctor --fix` removes them.", "`doctor --fix` 会删除它们。")
        yield warn("DRAFTS_LEFT", text, remedy, partial(_remove, left))


def _remove(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
