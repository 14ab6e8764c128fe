"""Runs the checks: one that raises or hangs becomes a diagnosis, and the others go on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from django.db import DatabaseError, InterfaceError, connections

from monitoring.doctor.values import Case, Check, Diagnosis, fail, not_checked
from trading.domain.types import Text

#: Without tables there is nothing to read.
NO_TABLES = frozenset({"DATABASE_NEW", "DATABASE_DAMAGED", "DATABASE_AWAY", "DATABASE_SLOW"})

Found = Sequence[Diagnosis]
Ask = Callable[[Callable[[], Found], float], Found]


class TooSlow(Exception):
    """A check has not answered within its deadline."""


def at_once(look: Callable[[], Found], deadline: float) -> Found:
    """Ask in this thread, where nothing can hang."""
    return look()


def in_time(look: Callable[[], Found], deadline: float) -> Found:
    """Ask in a thread that is left behind when it does not answer in time: it ends with the command. Raises TooSlow."""
    answers: queue.SimpleQueue[tuple[Found, Exception | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put((look(), None))
        except Exception as problem:  # noqa: BLE001 - handed to whoever asked
            answers.put(((), problem))
        finally:
            connections.close_all()

    threading.Thread(target=run, name="check", daemon=True).start()
    try:
        found, problem = answers.get(timeout=deadline)
    except queue.Empty:
        raise TooSlow from None
    if problem is not None:
        raise problem
    return found


def examine(
    case: Case,
    checks: Sequence[Check],
    ask: Ask = in_time,
    clock: Callable[[], datetime] | None = None,
) -> Iterator[Diagnosis]:
    """Yield what every check says, in order. `clock`: every check gets its time, for those before it may take long."""
    has_tables = True
    for check in checks:
        case = case if clock is None else replace(case, now=clock())
        found = (
            _asked(case, check, ask) if has_tables or not check.needs_tables else _no_tables(check)
        )
        has_tables = has_tables and not any(one.code in NO_TABLES for one in found)
        yield from (replace(one, check=check.name) for one in found)


def _asked(case: Case, check: Check, ask: Ask) -> Found:
    code = check.name.upper()
    try:
        return ask(lambda: list(check.look(case)), check.deadline)
    except TooSlow:
        text = Text(
            f"{check.title.en}: no answer within {check.deadline:g} s.",
            f"{check.title.zh}：{check.deadline:g} 秒内没有结果。",
        )
        remedy = Text(
            "Look again; if it lasts, disk, database or network hang: the system's own tools say which.",
            "请稍后重试；若持续如此，说明磁盘、数据库或网络卡住，请用系统工具排查。",
        )
        return [fail(f"{code}_SLOW", text, remedy)]
    except (DatabaseError, InterfaceError) as problem:
        said = str(problem).strip() or type(problem).__name__
        en = f"{check.title.en}: the database did not answer this: {said}."
        zh = f"{check.title.zh}：数据库无法回答：{said}。"
        return [not_checked(f"{code}_NOT_CHECKED", en, zh)]
    except Exception as problem:  # noqa: BLE001 - whatever it is, the other checks are needed all the more
        text = Text(
            f"{check.title.en}: the check itself failed: {problem!r}.",
            f"{check.title.zh}：检查本身出错：{problem!r}。",
        )
        remedy = Text(
            "Please report it: `python manage.py doctor --bundle FILE.zip` collects what is needed, without secrets.",
            "请反馈：`python manage.py doctor --bundle FILE.zip` 会收集所需信息（不含任何密钥）。",
        )
        return [fail(f"{code}_BROKE", text, remedy)]


def _no_tables(check: Check) -> Found:
    return [
        not_checked(
            f"{check.name.upper()}_NOT_CHECKED",
            f"{check.title.en}: there is no database to read it from.",
            f"{check.title.zh}：没有可读取的数据库。",
        )
    ]
