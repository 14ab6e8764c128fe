"""`manage.py backup now|list|verify`: make a backup, show what there is, prove old ones again."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from grid.management.tables import Output
from monitoring import backup_files
from monitoring.backup_files import PROOF_WORDS, WHY_WORDS, Backup, Proof
from monitoring.care import backup
from monitoring.care.errors import NothingDone
from monitoring.care.round import by_hand
from trading.domain.types import CHINA, Text
from trading.management.language import add_language

_HEADS = (
    Text("name", "文件名"),
    Text("made", "时间"),
    Text("why", "原因"),
    Text("MB", "大小（MB）"),
    Text("proven", "验证"),
)


class Command(BaseCommand):
    help = "Backups of the database: now, list, verify. 数据库备份。"
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=("now", "list", "verify"), help="立即备份、列出、验证")
        parser.add_argument("name", nargs="?", help="verify: only this one 仅验证该备份")
        add_language(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        home = Path(settings.HOME)
        output = Output(self.stdout._out, options["lang"])  # type: ignore[arg-type]
        if options["what"] == "now":
            _now(home, output)
        elif options["what"] == "list":
            _list(home, output)
        else:
            _verify(home, options["name"], output)


def _now(home: Path, output: Output) -> None:
    try:
        made = by_hand(home, timezone.now())
    except NothingDone as problem:
        raise CommandError(output.word(problem.text)) from None
    rows = sum(made.note.rows.values())
    output.say(
        Text(
            f"{made.path}: {made.note.size / 1e6:.1f} MB, {rows} rows, restored into a scratch place and found whole."
            if made.note.proof is Proof.RESTORED
            else f"{made.path}: {made.note.size / 1e6:.1f} MB, read to its end; our user may not make a database to restore it into.",
            f"{made.path}：{made.note.size / 1e6:.1f} MB，{rows} 行，已试恢复并核对完整。"
            if made.note.proof is Proof.RESTORED
            else f"{made.path}：{made.note.size / 1e6:.1f} MB，已完整读取；当前数据库用户无权建库，未试恢复。",
        )
    )


def _list(home: Path, output: Output) -> None:
    backups = backup_files.list_backups(home, settings.SECRET_KEY)
    output.table(_HEADS, (_row(one, output) for one in reversed(backups)))
    for path in backup_files.halves(home, settings.SECRET_KEY):
        output.say(
            Text(
                f"{path.name} is no backup: unfinished, without its note, or changed since.",
                f"{path.name} 不是可用的备份：未完成、缺少说明文件或已被改动。",
            )
        )
    failure = backup_files.read_failure(home)
    if failure is not None:
        output.say(Text(f"The newest one failed: {failure.en}", f"最近一次失败：{failure.zh}"))


def _row(one: Backup, output: Output) -> tuple[str, ...]:
    note = one.note
    return (
        one.path.name,
        f"{note.made_at.astimezone(CHINA):%Y-%m-%d %H:%M:%S}",
        output.word(WHY_WORDS[note.why]),
        f"{note.size / 1e6:.1f}",
        output.word(PROOF_WORDS[note.proof] if one.sealed else Text("FOREIGN", "非本系统")),
    )


def _verify(home: Path, name: str | None, output: Output) -> None:
    backups = backup_files.list_backups(home, settings.SECRET_KEY)
    chosen = [one for one in backups if name in (None, one.path.name)]
    if not chosen:
        text = Text("There is no such backup.", "没有这样的备份。")
        raise CommandError(output.word(text))
    bad = 0
    for one in chosen:
        try:
            backup.verify(one, home)
            output.say(Text(f"{one.path.name}: whole.", f"{one.path.name}：完整。"))
        except NothingDone as problem:
            bad += 1
            output.say(Text(f"{one.path.name}: {problem.text.en}", f"{one.path.name}：{problem.text.zh}"))  # fmt: skip
    if bad:
        text = Text(f"{bad} of {len(chosen)} are not good.", f"{len(chosen)} 份中有 {bad} 份不可用。")  # fmt: skip
        raise CommandError(output.word(text))
