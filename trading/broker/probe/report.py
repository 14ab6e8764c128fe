"""What the probe found, as Markdown for people and JSON for programs; account numbers by their last four digits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from trading.domain.types import Text


class Outcome(StrEnum):
    """How far a question was answered."""

    ANSWERED = "answered"
    PARTLY = "partly"
    SKIPPED = "skipped"
    FAILED = "failed"


_OUTCOMES = {
    Outcome.ANSWERED: "已回答",
    Outcome.PARTLY: "部分回答",
    Outcome.SKIPPED: "未执行",
    Outcome.FAILED: "失败",
}


@dataclass(frozen=True)
class Finding:
    """The answer to one question. `facts`: what was seen, as JSON can carry it; `note`: what it means, or what is missing."""

    outcome: Outcome
    note: Text
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answered:
    """A finding with its question."""

    number: str
    title: Text
    finding: Finding


@dataclass(frozen=True)
class Report:
    """One run. `about`: machine, versions, moment."""

    account: str
    at: datetime
    about: dict[str, Any]
    answers: Sequence[Answered]

    def masked(self, text: str) -> str:
        return text.replace(self.account, f"…{self.account[-4:]}") if self.account else text

    def as_json(self) -> str:
        content = {
            "account": self.account,
            "at": self.at.isoformat(),
            "about": self.about,
            "answers": [
                {
                    "question": one.number,
                    "title": one.title._asdict(),
                    "outcome": one.finding.outcome,
                    "note": one.finding.note._asdict(),
                    "facts": one.finding.facts,
                }
                for one in self.answers
            ],
        }
        return self.masked(json.dumps(content, ensure_ascii=False, indent=1, default=str)) + "\n"

    def as_markdown(self) -> str:
        lines = [
            "# QMT probe / QMT 探测报告",
            "",
            f"Account 账户 {self.account}, {self.at:%Y-%m-%d %H:%M:%S}",
            "",
            *(f"- {name}: {value}" for name, value in self.about.items()),
            "",
            "| question 问题 | outcome 结果 |",
            "|---|---|",
            *(
                f"| {one.number} {one.title.en} {one.title.zh} | {one.finding.outcome} {_OUTCOMES[one.finding.outcome]} |"
                for one in self.answers
            ),
        ]
        for one in self.answers:
            lines += ["", f"## {one.number} {one.title.en} {one.title.zh}", ""]
            lines += [f"{one.finding.outcome} {_OUTCOMES[one.finding.outcome]}", ""]
            lines += [one.finding.note.en, "", one.finding.note.zh]
            if one.finding.facts:
                facts = json.dumps(one.finding.facts, ensure_ascii=False, indent=1, default=str)
                lines += ["", "```json", facts, "```"]
        return self.masked("\n".join(lines)) + "\n"
