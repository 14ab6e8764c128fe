"""Checks of the database and of what is kept in it: migrations, calendar, schedule, settings, backups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.utils.module_loading import import_string
from django_celery_beat.models import PeriodicTask, PeriodicTasks

from monitoring.backup_files import (
    Backup,
    Engine,
    Proof,
    digest_of,
    list_backups,
    newest_of,
    read_failure,
)
from monitoring.care.backup import database_file, engine_of
from monitoring.care.soundness import problem_of_database
from monitoring.doctor.machine import age_in_words
from monitoring.doctor.values import Case, Diagnosis, fail, named, not_checked, ok, warn
from monitoring.health import BACKUP_PATIENCE, ENDS_SOON
from trading.domain.types import CHINA, Text
from trading.models import Account, TradingDay
from trading.services.calendar import disputed_days, load_calendar
from trading.services.runner import TICKS
from trading.services.tick import settings_and_problem

#: Backups up to this size are read again and compared with their hash. Bytes.
HASHED = 500_000_000


def database(case: Case) -> Iterator[Diagnosis]:
    """Look whether the database can be reached and whether its pages are whole."""
    engine = engine_of()
    if engine is Engine.SQLITE:
        path = database_file()
        if not path.exists():
            yield not_checked(
                "DATABASE_NEW",
                f"There is no database {path} yet: `python manage.py up` makes it.",
                f"尚无数据库 {path}：`python manage.py up` 会建立它。",
            )
            return
        problem = problem_of_database(case.home)
        if problem is not None:
            remedy = Text(
                "Keep the file; `python manage.py backup` lists the backups, `python manage.py restore` puts one back.",
                "请保留该文件；`python manage.py backup` 列出备份，`python manage.py restore` 恢复备份。",
            )
            yield fail("DATABASE_DAMAGED", problem, remedy)
            return
    try:
        connection.ensure_connection()
        tables = connection.introspection.table_names()
    except DatabaseError as failure:
        text = Text(
            f"The database cannot be reached: {str(failure).strip()}.",
            f"无法连接数据库：{str(failure).strip()}。",
        )
        remedy = Text(
            "Start the database server, and compare DATABASE_URL with it.",
            "请启动数据库服务，并核对 DATABASE_URL。",
        )
        yield fail("DATABASE_AWAY", text, remedy)
        return
    if MigrationRecorder.Migration._meta.db_table not in tables:
        yield not_checked(
            "DATABASE_NEW",
            "The database is empty: `python manage.py up` makes its tables.",
            "数据库为空：`python manage.py up` 会建立数据表。",
        )
        return
    said = engine.name.lower()
    yield ok(
        "DATABASE", f"The database ({said}) answers and is whole.", f"数据库（{said}）可用且完整。"
    )


def migrations(case: Case) -> Iterator[Diagnosis]:
    """Look whether the tables are those of this program."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not plan:
        yield ok("MIGRATIONS", "All migrations are applied.", "数据库结构为最新。")
        return
    said = named([f"{one.app_label}.{one.name}" for one, _ in plan])
    text = Text(f"Migrations are not applied: {said.en}.", f"数据库结构未更新：{said.zh}。")
    remedy = Text(
        "Stop everything, `python manage.py backup now`, then `python manage.py migrate` (`up` does it by itself).",
        "请停止所有进程，运行 `python manage.py backup now`，再运行 `python manage.py migrate`（`up` 会自动执行）。",
    )
    yield fail("MIGRATIONS_MISSING", text, remedy)


def calendar(case: Case) -> Iterator[Diagnosis]:
    """Look how far the trading days are known."""
    days, today = load_calendar(), case.now.astimezone(CHINA).date()
    until = days.known_until
    if not TradingDay.objects.exists():
        yield not_checked(
            "CALENDAR_NEW",
            "There are no trading days yet: the first start fills them in.",
            "尚无交易日历：首次启动时自动填充。",
        )
        return
    remedy = Text(
        "Update the program, or add next year's days: `python manage.py trading_days`.",
        "请更新程序，或补充下一年的交易日：`python manage.py trading_days`。",
    )
    if until - today <= ENDS_SOON:
        text = Text(
            f"The trading calendar ends on {until}: every later day counts as closed, no stop-loss is sent.",
            f"交易日历止于 {until}：之后一律视为休市，止损也不会发出。",
        )
        yield fail("CALENDAR_ENDS", text, remedy)
    else:
        yield ok("CALENDAR", f"Trading days are known until {until}.", f"交易日历已知至 {until}。")
    disputed = disputed_days(today)
    if disputed:
        said = named([str(day) for day in disputed])
        text = Text(
            f"Calendar and terminal disagree about {said.en}.",
            f"交易日历与终端对 {said.zh} 的说法不一致。",
        )
        decide = Text(
            "Decide under Trading days in the administration.", "请在管理后台的“交易日历”中确定。"
        )
        yield fail("CALENDAR_DISPUTED", text, decide)


# --- the schedule ---


def schedule(case: Case) -> Iterator[Diagnosis]:
    """Compare the rows of beat with the schedule of the code, and name what is paused."""
    wanted: Mapping[str, Mapping[str, Any]] = settings.CELERY_BEAT_SCHEDULE
    rows = {row.name: row for row in PeriodicTask.objects.filter(name__in=wanted)}
    missing = sorted(wanted.keys() - rows.keys())
    differing = sorted(name for name, row in rows.items() if _differs(row, wanted[name]))
    paused = sorted(name for name, row in rows.items() if not row.enabled)
    again = Text(
        "Beat writes them when it starts; `python manage.py doctor --fix` writes them now.",
        "beat 启动时会写入；`python manage.py doctor --fix` 可立即写入。",
    )
    if missing:
        text = Text(
            f"Periodic tasks are missing: {', '.join(missing)}.",
            f"缺少周期任务：{'、'.join(missing)}。",
        )
        yield warn("TASK_MISSING", text, again, partial(_write_tasks, missing))
    if differing:
        text = Text(
            f"Periodic tasks are not as the code has them: {', '.join(differing)}.",
            f"周期任务与代码不一致：{'、'.join(differing)}。",
        )
        yield fail("TASK_DIFFERS", text, again, partial(_write_tasks, differing))
    if paused:
        yield _paused(paused)
    strange = PeriodicTask.objects.filter(enabled=True).exclude(name__in=wanted)
    names = sorted(strange.exclude(name__startswith="celery.").values_list("name", flat=True))
    if names:
        text = Text(
            f"Periodic tasks the code does not know: {', '.join(names)}.",
            f"存在代码未定义的周期任务：{'、'.join(names)}。",
        )
        remedy = Text(
            "Delete them under Periodic tasks in the administration.",
            "请在管理后台的“周期任务”中删除。",
        )
        yield warn("TASK_STRANGE", text, remedy)
    if not (missing or differing or paused or names):
        count = len(wanted)
        yield ok(
            "SCHEDULE",
            f"{count} periodic tasks as in the code.",
            f"{count} 个周期任务与代码一致。",
        )


def _paused(names: list[str]) -> Diagnosis:
    ticks = [name for name in names if name in TICKS]
    text = Text(
        f"Periodic tasks are paused: {', '.join(names)}.",
        f"已暂停的周期任务：{'、'.join(names)}。",
    )
    remedy = Text(
        "Resume them under Periodic tasks in the administration, unless it is meant.",
        "若非有意，请在管理后台的“周期任务”中恢复。",
    )
    return (fail if ticks else warn)("TASK_PAUSED", text, remedy)


def _differs(row: Any, wanted: Mapping[str, Any]) -> bool:
    """A shorter period is that of a fast simulated market; without an expiry messages would pile up."""
    every = getattr(row.schedule, "run_every", None)
    return (
        row.task != wanted["task"]
        or row.queue != wanted["options"]["queue"]
        or not row.expire_seconds
        or not isinstance(every, timedelta)
        or not timedelta(0) < every <= wanted["schedule"]
    )


def _write_tasks(names: Iterable[str]) -> None:
    """Write entries as beat does at its start; whether a task runs is left as it is."""
    entry = import_string(settings.CELERY_BEAT_SCHEDULER.replace(":", ".")).Entry
    for name in names:
        entry.from_entry(name, app=current_app, **settings.CELERY_BEAT_SCHEDULE[name])
    PeriodicTasks.update_changed()


# --- settings and backups ---


def configuration(case: Case) -> Iterator[Diagnosis]:
    """Look whether the settings of every account can be used."""
    remedy = Text(
        "Correct them under Settings in the administration; the page names the field.",
        "请在管理后台的“系统配置”中修正，页面会指出字段。",
    )
    names = []
    for account in Account.objects.filter(enabled=True).order_by("pk"):
        _, problem = settings_and_problem(account.pk)
        if problem is not None:
            text = Text(f"{account.name}: {problem.en}", f"{account.name}：{problem.zh}")
            yield fail("SETTINGS_INVALID", text, remedy)
        else:
            names.append(account.name)
    if names:
        said = named(names)
        yield ok("SETTINGS", f"Settings are valid: {said.en}.", f"配置有效：{said.zh}。")


def backups(case: Case) -> Iterator[Diagnosis]:
    """Look at the newest backup: how old, whether proven, and whether its file is still what it was."""
    now_remedy = Text("`python manage.py backup now`", "请运行 `python manage.py backup now`")
    failure = read_failure(case.home)
    if failure is not None:
        text = Text(f"The newest backup failed: {failure.en}", f"最近一次备份失败：{failure.zh}")
        remedy = Text(
            f"What the text says, then {now_remedy.en}.", f"按上述说明处理后，{now_remedy.zh}。"
        )
        yield fail("BACKUP_FAILED", text, remedy)
    newest = newest_of(list_backups(case.home, settings.SECRET_KEY))
    if newest is None:
        text = Text("There is no backup yet.", "尚无备份。")
        remedy = Text(
            f"One is made every day while `up` runs; at once: {now_remedy.en}.",
            f"`up` 运行时每天自动备份；如需立即备份，{now_remedy.zh}。",
        )
        yield warn("BACKUP_NONE", text, remedy)
        return
    yield _age_of_backup(case, newest, now_remedy)
    yield from _content_of_backup(newest, now_remedy)


def _age_of_backup(case: Case, newest: Backup, remedy: Text) -> Diagnosis:
    age = case.now - newest.note.made_at
    said = age_in_words(age)
    text = Text(f"The newest backup is {said.en} old.", f"最近的备份已有 {said.zh}。")
    return fail("BACKUP_OLD", text, remedy) if age > BACKUP_PATIENCE else ok("BACKUP_AGE", *text)


def _content_of_backup(newest: Backup, remedy: Text) -> Iterator[Diagnosis]:
    name, note = newest.path.name, newest.note
    if not newest.sealed:
        text = Text(
            f"{name} was not made with this installation's key, or its note was changed.",
            f"{name} 不是用本安装的密钥制作的，或其说明已被改动。",
        )
        yield fail("BACKUP_STRANGE", text, remedy)
    elif note.size <= HASHED and digest_of(newest.path) != note.sha256:
        text = Text(f"{name} is not what was written.", f"{name} 的内容已被改动或损坏。")
        yield fail("BACKUP_CHANGED", text, remedy)
    elif note.proof is not Proof.RESTORED:
        text = Text(
            f"{name} was read to its end, but never restored as a proof.",
            f"{name} 仅完整读取过，未经实际恢复验证。",
        )
        install = Text(
            "Allow the database user to make a scratch database, then back up again.",
            "请允许数据库用户建立临时数据库，然后重新备份。",
        )
        yield warn("BACKUP_UNPROVEN", text, install)
    else:
        yield ok("BACKUP", f"{name} was proven by restoring it.", f"{name} 已通过恢复验证。")
