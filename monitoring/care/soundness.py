"""Whether the database can be started on, and the way out when it cannot."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from monitoring.backup_files import Engine, list_backups, newest_of
from monitoring.care import backup, sqlite_file
from monitoring.care.errors import NothingDone
from trading.domain.types import CHINA, Text


def problem_of_database(home: Path) -> Text | None:
    """Look at the file of an SQLite database before anybody works on it: its pages, and whose migrations it has.

    Returns what is wrong with it and what to do, None when nothing is; PostgreSQL looks after its own.
    """
    if backup.engine_of() is not Engine.SQLITE:
        return None
    path = backup.database_file()
    found = sqlite_file.damage(path)
    if found:
        return _damaged(home, path, "; ".join(found))
    try:
        applied = sqlite_file.applied(path)
        if applied:
            sqlite_file.check_migrations(applied)
    except NothingDone as problem:
        return Text(f"{path}: {problem.text.en}", f"{path}：{problem.text.zh}")
    return None


def _damaged(home: Path, path: Path, said: str) -> Text:
    en = f"The database {path} is damaged ({said}). Nothing was started. "
    zh = f"数据库 {path} 已损坏（{said}），未启动任何进程。"
    newest = newest_of(list_backups(home, settings.SECRET_KEY))
    if newest is None:
        return Text(
            f"{en}There is no backup: keep the file, and see docs/operations.md, “Backups”.",
            f"{zh}没有备份：请保留该文件，并参阅 docs/operations.md 的 “Backups” 一节。",
        )
    name, at = newest.path.name, f"{newest.note.made_at.astimezone(CHINA):%Y-%m-%d %H:%M}"
    return Text(
        f"{en}The newest backup is of {at}: python manage.py restore {name}",
        f"{zh}最近的备份时间为 {at}：python manage.py restore {name}",
    )
