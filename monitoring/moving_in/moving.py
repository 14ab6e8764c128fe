"""The whole of moving in, as one transaction; a dry run does the same and takes it back."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from monitoring.moving_in import books, grids
from monitoring.moving_in.installation import Installation
from monitoring.moving_in.report import Outcome, Report
from monitoring.moving_in.settings_map import EXPLAINED
from trading.domain.types import Text
from trading.models import EventLevel
from trading.services.events import journal

_FILE = Text("file", "文件")
TABLE = Text("table", "数据表")


def move_in(
    found: Installation, name: str | None, now: datetime, actor: str, *, write: bool
) -> Report:
    """Write what was found, or (not `write`) find out what would be written. Repeating it changes nothing.

    `name`: of a new account. `now`: market time of a paper account. Raises NotAnInstallation.
    """
    report = Report("")
    with transaction.atomic():
        account = books.the_account(found, name, now, actor, report)
        report.account = account.name
        books.settings(found, account, actor, report)
        books.watched(found, account, now, actor, report)
        held = books.holdings(found, account, report)
        books.past_fills(found, account, report)
        grids.grid_templates(found, now, report)
        grids.grid_sessions(found, account, held, now, actor, report)
        for source, why in found.problems:
            known = EXPLAINED.get(source.rpartition(" ")[2])
            outcome = Outcome.UNUSABLE if known is None else Outcome.LEFT
            report.add(
                _FILE if known is None else books.SETTING, source, outcome, "", known or why
            )
        _counted(found, report)
        if report.changes:
            text = Text(
                f"Moved in from the former system: {report.changes} things.",
                f"已从原系统迁入 {report.changes} 项。",
            )
            journal(account.pk, EventLevel.INFO, "MOVED_IN", text, now, actor=actor)
        if not write:
            transaction.set_rollback(True)
    return report


def _counted(found: Installation, report: Report) -> None:
    why = Text(
        "not needed: prices are fetched anew, its history stays readable in its own file",
        "无需导入：行情会重新获取，其历史仍可在原文件中查看",
    )
    for name, count in found.counts.items():
        if count:
            report.add(TABLE, f"{name} ({count})", Outcome.LEFT, "", why)
