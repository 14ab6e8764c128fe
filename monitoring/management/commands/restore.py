"""`manage.py restore FILE`: put a backup in the place of the database, while nothing runs."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from grid.management.tables import Output
from monitoring.care.errors import NothingDone
from monitoring.care.restore import Restored, restore
from trading.domain.types import CHINA, Text
from trading.management.language import add_language

#: What a person does next; docs/operations.md says it at length.
_NEXT = (
    Text(
        "1. Start it again: python manage.py up. It brings an older database up to date by itself.",
        "1. 重新启动：python manage.py up。较旧的数据库会自动升级。",
    ),
    Text(
        "2. The gateway asks the terminal for today's orders and trades before it sends anything: what the backup does "
        "not know is adopted, with the alarm ORDER_ADOPTED for each, and nothing is sent twice.",
        "2. 网关会先向客户端查询当日委托和成交，之后才发送委托：备份中没有的会被接管，每笔报警 ORDER_ADOPTED，不会重复下单。",
    ),
    Text(
        "3. Nobody knows which rule an adopted order came from: after an adopted sale the first take-profit of that holding "
        "counts as done. To look first, halt before you start: python manage.py halt --why restored (stop-losses wait too).",
        "3. 接管的委托已无法得知来自哪条规则：接管卖出后，该持仓的首次止盈视为已完成。如需先核对，请在启动前执行 python manage.py halt --why 恢复备份（止损也会停止）。",
    ),
    Text(
        "4. Orders and fills of earlier days that the backup lacks cannot be asked for again; switches, settings and "
        "grid sessions are those of the backup's moment. Compare once: docs/operations.md, “Restoring”.",
        "4. 此前各日、备份中缺失的委托和成交无法再查到；开关、配置和网格会话为备份时的状态。请核对一次，"
        "详见 docs/operations.md 的 “Restoring” 一节。",
    ),
)


class Command(BaseCommand):
    help = "Restores a backup while nothing runs; the replaced database is kept. 恢复备份。"
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="its name in `backup list`, or a path 备份名称或文件路径")
        parser.add_argument(
            "--unsealed",
            action="store_true",
            help="also a file of another secret key or without a note 接受密钥不同或无说明的文件",
        )
        add_language(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        output = Output(self.stdout._out, options["lang"])  # type: ignore[arg-type]
        home = Path(settings.HOME)
        try:
            done = restore(home, options["file"], timezone.now(), options["unsealed"])
        except NothingDone as problem:
            nothing = Text("Nothing was changed.", "未做任何改动。")
            raise CommandError(f"{output.word(problem.text)} {output.word(nothing)}") from None
        _say(done, output)


def _say(done: Restored, output: Output) -> None:
    of = f"{done.made_at.astimezone(CHINA):%Y-%m-%d %H:%M:%S}" if done.made_at else "?"
    output.say(Text(f"Restored the database of {of}.", f"已恢复 {of} 的数据库。"))
    if done.kept is not None:
        output.say(Text(f"The replaced one is {done.kept}", f"原数据库保留在 {done.kept}"))
    for text in _NEXT:
        output.say(text)
