"""The books of the days: what agreed signed itself off, what differs a person explains."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from trading.admin.base import Readable, actor_of, ask_and_act, market_now, say
from trading.domain.types import Text
from trading.models import DayBooks
from trading.models.fields import both
from trading.services import day_books


@admin.register(DayBooks)
class DayBooksAdmin(Readable):
    """One row an account and session."""

    list_display = (
        *("on", "account", "state", "expected_cash", "closing_cash", "fills", "fees"),
        *("what_differs", "signed_by", "signed_at"),
    )
    list_filter = ("state", "account")
    search_fields = ("reason", "signed_by")
    date_hierarchy = "on"
    ordering = ("-on", "account")
    exclude = ("differences", "alarmed")
    readonly_fields = ("what_differs",)
    actions = ("explain",)

    @admin.display(description=both("differences", "差异"))
    def what_differs(self, row: DayBooks) -> str:
        return " ".join(say(Text(one["en"], one["zh"])) for one in row.differences) or "-"

    @admin.action(description=both("Explain the difference", "说明差异"), permissions=["trade"])
    def explain(self, request: HttpRequest, rows: QuerySet[DayBooks]) -> HttpResponse | None:
        def act(row: DayBooks, answers: dict[str, Any]) -> bool:
            now, actor = market_now(row.account), actor_of(request)
            return day_books.explain(row.pk, answers["why"], now, actor)

        title = Text(
            "Explain the difference: buying and the grid go on",
            "说明差异：恢复买入和网格交易",
        )
        return ask_and_act(self, request, rows, title, act)
