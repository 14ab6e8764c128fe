"""`manage.py audit`: whether the audit rows are as they were written, and the anchor to keep elsewhere."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from monitoring.audit import chain
from trading.domain.types import Text


class Command(BaseCommand):
    help = "Verifies the chain of the audit rows. 核对审计记录链。"

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        verify = acts.add_parser("verify", help="go through every link 逐环核对")
        verify.add_argument(
            "--anchor",
            action="append",
            default=[],
            metavar="NUMBER:DIGEST",
            help="one you kept elsewhere, repeatable 另行保存的锚点",
        )
        acts.add_parser("anchor", help="link what is new, and show the end of the chain 显示锚点")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["act"] == "anchor":
            chain.extend(timezone.now())
            self.stdout.write(str(chain.newest_anchor() or "-"))
            return
        given = [self._anchor(text) for text in options["anchor"]]
        verdict = chain.verify([*chain.anchors(Path(settings.HOME)), *given])
        if verdict.problem is not None:
            raise CommandError(f"{verdict.problem.en} {verdict.problem.zh}")
        said = Text(
            f"{verdict.links} links hold; {verdict.unlinked} new rows wait for theirs.",
            f"{verdict.links} 环全部相符；{verdict.unlinked} 条新记录等待入链。",
        )
        self.stdout.write(f"{said.en} {said.zh}")

    def _anchor(self, text: str) -> chain.Anchor:
        anchor = chain.parse_anchor(text)
        if anchor is None:
            said = Text(
                f"--anchor {text}: not NUMBER:DIGEST, as `audit anchor` prints it.",
                f"--anchor {text}：应为 NUMBER:DIGEST，即 audit anchor 的输出。",
            )
            raise CommandError(f"{said.en} {said.zh}")
        return anchor
