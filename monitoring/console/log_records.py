"""What processes warned of, for its page: newest first, with how many of each level and process there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.db.models import Count, Q

from monitoring.console.paging import Place, Source, page_of
from monitoring.console.search_fields import choice, containing
from monitoring.models import LogLine
from trading.domain.types import Text
from trading.models.fields import both

#: From the mildest on.
LEVELS = {
    "warning": Text("warning", "警告"),
    "error": Text("error", "错误"),
    "critical": Text("critical", "严重"),
}
_TONES = {"warning": "calm", "error": "bad", "critical": "bad"}
#: How far back one may look: seconds by the word in the address.
_SINCE = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}
_SINCE_WORDS = [
    ("hour", both("the last hour", "最近 1 小时")),
    ("day", both("the last 24 hours", "最近 24 小时")),
    ("week", both("the last 7 days", "最近 7 天")),
]


class LogForm(forms.Form):
    """What to look for; a bad value is named and not applied, every other one is. `now`: the real time."""

    level = choice(
        both("Level from", "最低级别"),
        [(name, both(words.en, words.zh)) for name, words in LEVELS.items()],
    )
    process = choice(both("Process", "进程"), [])
    since = choice(both("Since", "时间范围"), _SINCE_WORDS)
    words = forms.CharField(
        label=both("Words, logger or number of the tick", "关键词、记录器或任务编号"),
        required=False,
        max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, data: Mapping[str, Any], now: datetime) -> None:
        super().__init__(data)
        self._now = now
        field = self.fields["process"]
        assert isinstance(field, forms.ChoiceField)
        names = LogLine.objects.order_by("process").values_list("process", flat=True).distinct()
        field.choices = [("", both("all", "全部")), *((name, name) for name in names)]

    def rows(self) -> Q:
        """Select what was asked for."""
        self.is_valid()
        asked, wanted = self.cleaned_data, Q()
        if asked.get("level"):
            names = list(LEVELS)
            wanted &= Q(level__in=names[names.index(asked["level"]) :])
        if asked.get("process"):
            wanted &= Q(process=asked["process"])
        if asked.get("since"):
            wanted &= Q(at__gte=self._now - _SINCE[asked["since"]])
        if asked.get("words"):
            wanted &= containing(asked["words"], "text", "trace", "logger", "tick")
        return wanted


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One line as it is shown; `at` is real time."""

    pk: int
    at: datetime
    level: Text
    tone: str
    process: str
    logger: str
    text: str
    trace: str
    tick: str
    repeated: int


@dataclass(frozen=True, slots=True)
class Tally:
    """How many lines of one kind there are among those that were asked for; `value`: its word in the address."""

    value: str
    words: Text
    tone: str
    count: int


@dataclass(frozen=True, slots=True)
class LogPage:
    """One page of lines, newest first."""

    records: tuple[LogRecord, ...]
    older: Place | None
    levels: tuple[Tally, ...]
    processes: tuple[Tally, ...]

    @property
    def total(self) -> int:
        return sum(one.count for one in self.levels)


def log_page(form: LogForm, after: Place | None) -> LogPage:
    """Read one page; three queries however much is on it."""
    rows = LogLine.objects.filter(form.rows())
    page = page_of([Source(rows, "at")], after)
    levels = _counted(rows, "level")
    processes = sorted(_counted(rows, "process").items(), key=lambda one: -one[1])
    return LogPage(
        tuple(_record(row) for _, row in page.rows),
        page.older,
        tuple(
            Tally(name, words, _TONES[name], levels[name])
            for name, words in reversed(LEVELS.items())
            if name in levels
        ),
        tuple(Tally(name, Text(name, name), "", count) for name, count in processes),
    )


def _counted(rows: Any, field: str) -> dict[str, int]:
    return dict(rows.order_by(field).values_list(field).annotate(Count("pk")))


def _record(row: LogLine) -> LogRecord:
    return LogRecord(
        row.pk, row.at, LEVELS.get(row.level, Text(row.level, row.level)), _TONES.get(row.level, ""),
        row.process, row.logger, row.text, row.trace, row.tick, row.repeated,
    )  # fmt: skip
