"""What moving in did, or would do: one line each, in both languages."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from trading.domain.types import Text


class Outcome(StrEnum):
    """What became of one thing that was found."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    LEFT = "left"
    UNUSABLE = "unusable"


WORDS = {
    Outcome.NEW: Text("new", "新增"),
    Outcome.CHANGED: Text("changed", "变更"),
    Outcome.SAME: Text("there already", "已存在"),
    Outcome.LEFT: Text("not imported", "不导入"),
    Outcome.UNUSABLE: Text("cannot be used", "无法使用"),
}


_NOTHING = Text("", "")


@dataclass(frozen=True, slots=True)
class Line:
    """`part`: which kind of thing; `source`: as the former system names it; `target`: what it is here."""

    part: Text
    source: str
    outcome: Outcome
    target: str = ""
    why: Text = _NOTHING


@dataclass(slots=True)
class Report:
    """All lines in the order in which they were made."""

    account: str
    lines: list[Line] = field(default_factory=list)

    def add(
        self,
        part: Text,
        source: str,
        outcome: Outcome,
        target: str = "",
        why: Text = _NOTHING,
    ) -> None:
        self.lines.append(Line(part, source, outcome, target, why))

    def count(self) -> Counter[Outcome]:
        return Counter(line.outcome for line in self.lines)

    @property
    def changes(self) -> int:
        """How many lines stand for something written."""
        return sum(line.outcome in (Outcome.NEW, Outcome.CHANGED) for line in self.lines)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        rows = [asdict(line) for line in self.lines]
        for row in rows:
            for name in ("part", "why"):
                en, zh = row[name]
                row[name] = {"en": en, "zh": zh}
        return {
            "account": self.account,
            "counts": {outcome.value: count for outcome, count in self.count().items()},
            "lines": rows,
        }
