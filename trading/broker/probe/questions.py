"""The fifteen questions, in the order in which they are asked: what disturbs the session comes last."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from trading.broker.probe import guided, reading
from trading.broker.probe.context import Probe
from trading.broker.probe.report import Answered, Finding, Outcome
from trading.domain.types import Text
from trading.errors import MiniqmtError


@dataclass(frozen=True)
class Question:
    """One question; `ask` may disturb the probe's own session, never another one."""

    number: str
    title: Text
    ask: Callable[[Probe], Finding]


def _question(number: str, en: str, zh: str, ask: Callable[[Probe], Finding]) -> Question:
    return Question(number, Text(en, zh), ask)


QUESTIONS = (
    _question(
        "P15", "Does the broker let programs in?", "券商是否开通 miniQMT？", reading.granted
    ),
    _question("P13", "What do queries return now?", "当前时刻各查询返回什么？", reading.off_hours),
    _question(
        "P2",
        "Are fill numbers unique and never empty?",
        "成交编号是否唯一且非空？",
        reading.fill_numbers,
    ),
    _question(
        "P9", "After-hours orders and their fills", "盘后固定价格委托与成交", reading.after_hours
    ),
    _question(
        "P14", "Levels in the auction and when suspended", "集合竞价及停牌时的盘口", reading.ticks
    ),
    _question("P6", "Effect of set_timeout", "set_timeout 的作用", reading.unit_of_timeout),
    _question("P7", "Throttles", "限流", reading.throttles),
    _question(
        "P1",
        "Does the remark come back whole? (order)",
        "委托备注是否完整返回？（需委托）",
        reading.remark,
    ),
    _question("P3", "How soon is an order visible?", "委托多久可见？", reading.visibility),
    _question("P8", "Status after a refused cancel", "撤单被拒后的状态", reading.refused_cancel),
    _question(
        "P11",
        "Sellable shares right after a cancel (order)",
        "撤单后可用数量（需委托）",
        reading.sellable_after_cancel,
    ),
    _question(
        "P12", "Doubled pushes after a network drop", "断网后重复推送", guided.doubled_pushes
    ),
    _question("P10", "Nightly logout", "夜间登出时段", guided.logout_window),
    _question(
        "P4",
        "Queries while the client is away or logs in",
        "客户端关闭或登录中的查询",
        guided.broken_client,
    ),
    _question("P5", "The same session number twice", "重复使用同一会话号", guided.same_session),
)


def ask_all(
    probe: Probe, only: Collection[str], tell: Callable[[Question], None]
) -> list[Answered]:
    """Ask the chosen questions (all of them when none is named); one that fails does not keep the others from being asked."""
    answers = []
    for question in QUESTIONS:
        if only and question.number not in only:
            continue
        tell(question)
        answers.append(Answered(question.number, question.title, _ask(question, probe)))
    return sorted(answers, key=lambda one: int(one.number[1:]))


def _ask(question: Question, probe: Probe) -> Finding:
    try:
        return question.ask(probe)
    except MiniqmtError as problem:
        return Finding(Outcome.FAILED, Text(str(problem), str(problem)))
    except Exception as problem:  # noqa: BLE001 - whatever the vendor's library raises is an answer, too
        return Finding(Outcome.FAILED, Text(repr(problem), repr(problem)))
