"""The page of one path to live, as values: where it stands, its ledgers, and what the next step asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from monitoring.console.shadow_rows import ShadowRow, shadow_rows
from monitoring.models import ShadowDay
from monitoring.services.stage_facts import facts_of, needs
from trading.domain.caps import Caps
from trading.domain.stages import (
    PATH,
    WORDS,
    Check,
    Stage,
    entry_checks,
    following,
    steps_back,
)
from trading.domain.types import AccountMode, Text
from trading.models import Account, Event
from trading.services.caps import caps_of
from trading.services.stages import Path as StagePath
from trading.services.stages import losing_protection

#: What a stage means, in a sentence.
MEANING = {
    Stage.PAPER: Text(
        "Invented money on a simulated exchange. Nothing leaves this computer.",
        "虚拟资金、模拟交易所，委托不会离开本机。",
    ),
    Stage.SHADOW: Text(
        "Quotes of the real market and a copy of your real holdings. Orders are recorded and compared; none is sent.",
        "真实行情与真实持仓的副本；记录并对照委托，一笔都不发出。",
    ),
    Stage.CAPPED: Text(
        "Real orders, within caps that no setting can raise.",
        "真实委托，受任何配置都无法突破的上限约束。",
    ),
    Stage.LIVE: Text(
        "Real orders within the limits of the configuration.", "真实委托，受风控配置约束。"
    ),
}
_JOURNAL = ("STAGE_FORWARD", "STAGE_BACK", "CAPS_CHANGED")


@dataclass(frozen=True, slots=True)
class Step:
    """One stage on the line of the path. `place`: done, here or ahead."""

    stage: Stage
    name: Text
    meaning: Text
    place: str


@dataclass(frozen=True, slots=True)
class Back:
    """One place to go back to, and the holdings that lose their stop-loss by it."""

    stage: Stage
    name: Text
    losing: int


@dataclass(frozen=True, slots=True)
class StagePage:
    """Everything the page shows of one broker account."""

    path: StagePath
    pk: int
    number: str
    steps: Sequence[Step]
    ledgers: Sequence[Account]
    to: Stage | None
    to_name: Text | None
    checks: Sequence[Check]
    failing: int
    back: Sequence[Back]
    caps: Caps | None
    is_real: bool
    unguarded: int
    history: Sequence[Event]
    shadow_days: Sequence[ShadowDay]
    shadow_rows: Sequence[ShadowRow]


def stage_page(
    path: StagePath,
    real: datetime,
    home: Path,
    *,
    has_factor: bool,
    caps_problem: Text | None = None,
) -> StagePage:
    """Look at a path as it is now."""
    to, rows = following(path.stage), list(path.ledgers.values())
    checks: tuple[Check, ...] = ()
    if to is not None:
        found = facts_of(path, real, home, has_factor=has_factor, caps_problem=caps_problem)
        checks = entry_checks(to, found, needs())
    live, at = path.live, PATH.index(path.stage)
    holds = 0 if live is None else losing_protection(live)
    is_real = path.stage in (Stage.CAPPED, Stage.LIVE)
    places = ("done", "here", "ahead")
    events = Event.objects.filter(account__in=rows, code__in=_JOURNAL)
    days = list(ShadowDay.objects.filter(account__in=rows).order_by("-on")[:10])
    return StagePage(
        path=path,
        pk=rows[0].pk,
        number=rows[0].masked_number,
        steps=[
            Step(one, WORDS[one], MEANING[one], places[(index >= at) + (index > at)])
            for index, one in enumerate(PATH)
        ],
        ledgers=sorted(rows, key=lambda row: list(AccountMode).index(AccountMode(row.mode))),
        to=to,
        to_name=None if to is None else WORDS[to],
        checks=checks,
        failing=sum(check.passed is False for check in checks),
        back=[
            Back(one, WORDS[one], holds if is_real and one is not Stage.CAPPED else 0)
            for one in steps_back(path.stage)
        ],
        caps=None if live is None else caps_of(live.pk),
        is_real=is_real,
        unguarded=holds if live is not None and live.standing is Stage.WITHDRAWN else 0,
        history=list(events.select_related("account").order_by("-pk")[:20]),
        shadow_days=days,
        shadow_rows=shadow_rows(days[0] if days else None),
    )
