"""`manage.py doctor`: what is wrong with this installation, and what to do; exit code 0, 1 (warnings) or 2 (failures)."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connections
from django.utils import timezone

from grid.management.tables import Output
from monitoring.doctor.bundle import write_bundle
from monitoring.doctor.examine import examine
from monitoring.doctor.table import CHECKS
from monitoring.doctor.values import SCHEMA, Case, Diagnosis, Severity, exit_code
from trading.domain.types import Text
from trading.management.language import add_language

#: Who is asked for the time with --online, unless another one is named.
NTP = "ntp.aliyun.com"

_WORDS = {
    Severity.OK: Text("ok", "正常"),
    Severity.WARN: Text("warning", "注意"),
    Severity.FAIL: Text("FAIL", "故障"),
    Severity.NOT_CHECKED: Text("not checked", "未检查"),
}


class Command(BaseCommand):
    help = "Says what is wrong with this installation, and what to do. 检查安装与运行状况并给出处理办法。"
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="for programs 输出 JSON")
        parser.add_argument(
            "--fix",
            action="store_true",
            help="put right what is safe: rights of files, folders, what dead processes left, missing tasks 修复安全项",
        )
        parser.add_argument(
            "--migrate",
            action="store_true",
            help="with --fix: apply migrations too 同时更新数据库结构",
        )
        parser.add_argument(
            "--online",
            nargs="?",
            const=NTP,
            default="",
            metavar="SERVER",
            help=f"ask a time server ({NTP}) 查询时间服务器",
        )
        parser.add_argument(
            "--bundle", metavar="FILE.zip", help="write a file for a bug report 生成反馈用文件"
        )
        add_language(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        output = Output(self.stdout._out, options["lang"])  # type: ignore[arg-type]
        fixed: list[str] = []
        found = _examined(options["online"])
        if options["fix"]:
            fixed = _fix(found, output if not options["json"] else None)
            if options["migrate"]:
                call_command("migrate", verbosity=0, interactive=False)
                fixed.append("MIGRATIONS_MISSING")
            found = _examined(options["online"]) if fixed else found
        if options["bundle"]:
            self._bundle(Path(options["bundle"]), found, output if not options["json"] else None)
        if options["json"]:
            self.stdout.write(json.dumps(_plain(found, fixed), ensure_ascii=False, indent=1))
        else:
            _show(output, found)
        connections.close_all()
        if code := exit_code(found):
            sys.exit(code)

    def _bundle(self, path: Path, found: Sequence[Diagnosis], output: Output | None) -> None:
        try:
            names = write_bundle(path, _case(), found)
        except FileExistsError:
            text = Text(
                f"{path} is there already: name another file.", f"{path} 已存在：请换一个文件名。"
            )
            raise CommandError(f"{text.en} {text.zh}") from None
        except OSError as problem:
            text = Text(f"{path} cannot be written: {problem}.", f"{path} 无法写入：{problem}。")
            raise CommandError(f"{text.en} {text.zh}") from None
        if output is not None:
            text = Text(
                f"Wrote {path} ({len(names)} files), without keys, passwords, tokens, addresses to notify, and with the"
                " last four characters of account numbers only. Look into it before you send it.",
                f"已写入 {path}（{len(names)} 个文件）：不含密钥、密码、令牌和通知地址，账号仅保留后四位。发送前请自行过目。",
            )
            output.say(text)


def _case(ntp: str = "") -> Case:
    return Case(Path(settings.HOME), Path(settings.BASE_DIR), timezone.now(), ntp)


def _examined(ntp: str) -> list[Diagnosis]:
    return list(examine(_case(ntp), CHECKS, clock=timezone.now))


def _fix(found: Sequence[Diagnosis], output: Output | None) -> list[str]:
    """Do what is safe to do; returns the codes that were put right."""
    done = []
    for one in found:
        if one.fix is None:
            continue
        try:
            one.fix()
        except (OSError, DatabaseError) as problem:
            text = Text(
                f"Not put right: {one.text.en} ({problem})",
                f"未能修复：{one.text.zh}（{problem}）",
            )
        else:
            done.append(one.code)
            text = Text(f"Put right: {one.text.en}", f"已修复：{one.text.zh}")
        if output is not None:
            output.say(text)
    return done


def _plain(found: Sequence[Diagnosis], fixed: Sequence[str]) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "examined_at": timezone.now().isoformat(),
        "exit_code": exit_code(found),
        "fixed": list(fixed),
        "diagnoses": [one.as_row() for one in found],
    }


def _show(output: Output, found: Sequence[Diagnosis]) -> None:
    """First what is wrong, with its remedy, then the rest in a line each."""
    order = (Severity.FAIL, Severity.WARN, Severity.NOT_CHECKED, Severity.OK)
    for one in sorted(found, key=lambda one: order.index(one.severity)):
        output.say(Text(*(f"{_WORDS[one.severity].in_language(way):>8}  {text}" for way, text in zip(("en", "zh"), one.text, strict=True))))  # fmt: skip
        if one.remedy is not None:
            output.say(Text(f"{'':>8}  → {one.remedy.en}", f"{'':>8}  → {one.remedy.zh}"))
    counts = {severity: sum(one.severity is severity for one in found) for severity in order}
    output.say(
        Text(
            ", ".join(f"{_WORDS[one].en}: {number}" for one, number in counts.items()),
            "，".join(f"{_WORDS[one].zh} {number}" for one, number in counts.items()),
        )
    )
