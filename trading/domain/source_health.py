"""How well a source serves a symbol, and which source a symbol is taken from (rules §7).

A source is judged per symbol over the last five minutes of trading. Its name says its place: `FALLBACK` is shown, and
trades only where `allow_mootdx_trading` says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from trading.domain.types import CHINA, Symbol, Text

#: The source whose quotes need a switch of the account before they trade.
FALLBACK = "mootdx"
#: How long a source must serve a symbol well before the symbol goes back to it.
STEADY = timedelta(seconds=30)
#: So many refused quotes of a symbol in a row open its breaker, and so does half of so many in five minutes.
REFUSED_IN_A_ROW, ENOUGH = 5, 10
#: So many failed calls in a row, and the source is down.
FAILED_IN_A_ROW = 3
#: Quotes that come so much later than their own time are none to decide on: exchanges send every 3 s.
SLOW = timedelta(seconds=20)


def may_trade(source: str, allow_fallback: bool) -> bool:
    """Whether an account may decide on the quotes of a source; `allow_fallback`: its `allow_mootdx_trading`."""
    return allow_fallback or source != FALLBACK


def serves(source: str, symbol: Symbol) -> bool:
    """Whether a source has quotes of a symbol at all: the fallback knows no symbol of the Beijing exchange."""
    return source != FALLBACK or not symbol.endswith(".BJ")


class Condition(StrEnum):
    """How a source serves a symbol now. IDLE is no verdict: nothing is expected of it, or nobody asked (F145)."""

    GOOD = "good"
    IDLE = "idle"
    STALE = "stale"
    SLOW = "slow"
    REFUSED = "refused"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Observation:
    """One source and one symbol over the last five minutes of trading, at one moment.

    `calls`, `failed`, `failed_in_a_row`: answers of the source as a whole. `accepted`, `refused`, `refused_in_a_row`:
    quotes of this symbol. `latency`: from a quote's own time to its arrival, on average, None without a new one.
    `age`: of the newest accepted quote by its own time, `silent`: since any accepted quote of the source came; neither
    is counted from before trading began. `fresh_for`, `heartbeat`: how long each may be. `expected`: whether quotes are
    expected of it now.
    """

    expected: bool
    calls: int = 0
    failed: int = 0
    failed_in_a_row: int = 0
    accepted: int = 0
    refused: int = 0
    refused_in_a_row: int = 0
    latency: timedelta | None = None
    age: timedelta = timedelta(0)
    silent: timedelta = timedelta(0)
    fresh_for: timedelta = timedelta(seconds=90)
    heartbeat: timedelta = timedelta(seconds=10)

    @property
    def condition(self) -> Condition:
        """The verdict; of several the one that explains the others."""
        if not self.expected or not self.calls:
            return Condition.IDLE
        if self.failed_in_a_row >= FAILED_IN_A_ROW or 2 * self.failed > max(self.calls, ENOUGH):
            return Condition.DOWN
        quotes = self.accepted + self.refused
        if self.refused_in_a_row >= REFUSED_IN_A_ROW or 2 * self.refused > max(quotes, ENOUGH):
            return Condition.REFUSED
        if self.age > self.fresh_for or self.silent > self.heartbeat:
            return Condition.STALE
        if self.latency is not None and self.latency > SLOW:
            return Condition.SLOW
        return Condition.GOOD


def takes_over(
    candidate: Condition,
    owner: Condition | None,
    *,
    preferred: bool,
    steady: timedelta,
    patient: bool,
) -> bool:
    """Whether a source that has an accepted quote of a symbol gets the symbol from the one that serves it.

    `owner` None: nobody serves it yet. `preferred`: the candidate comes first in order. It gets the symbol back after
    it was good for `STEADY` (`steady`: for how long it is), and at once when the other is not good, or not everybody
    may trade on the other (`patient` false): a fresh accepted quote is always decided on. One that comes later in
    order must be good, and the other must not be.
    """
    if owner is None:
        return True
    if not preferred:
        return candidate is Condition.GOOD and owner not in (Condition.GOOD, Condition.IDLE)
    if owner is not Condition.GOOD or not patient:
        return True
    return candidate is Condition.GOOD and steady >= STEADY


@dataclass(frozen=True, slots=True)
class Said:
    """What one source says of one symbol. `rank`: its place in the order, 0 first; `chosen`: it serves the symbol.

    Prices in yuan, quantity in shares, of its newest accepted quote, which has arrived at `arrived_at`; all None
    before any. `totals`: accepted quotes since the process began, `refusals` the refused by reason. `refused_since`:
    since when its newest quotes are refused, `refused_why` the last reason. `failure`: why its last call failed.
    """

    source: str
    rank: int
    symbol: Symbol
    chosen: bool
    taken_at: datetime
    seen: Observation
    time: datetime | None = None
    last: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    volume: int | None = None
    arrived_at: datetime | None = None
    total: int = 0
    refusals: Mapping[str, int] = field(default_factory=dict)
    refused_since: datetime | None = None
    refused_why: Text | None = None
    failure: str = ""

    @property
    def condition(self) -> Condition:
        return self.seen.condition


#: The conditions in words.
WORDS = {
    Condition.GOOD: Text("good", "正常"),
    Condition.IDLE: Text("idle", "空闲"),
    Condition.STALE: Text("stale", "过时"),
    Condition.SLOW: Text("late", "延迟"),
    Condition.REFUSED: Text("refused", "拒收"),
    Condition.DOWN: Text("down", "中断"),
}


def cause(said: Said) -> Text:
    """Say in words why a source is in its condition."""
    seen = said.seen
    match said.condition:
        case Condition.DOWN:
            why = f": {said.failure}" if said.failure else ""
            return Text(
                f"{seen.failed} of {seen.calls} calls failed{why}",
                f"{seen.calls} 次请求中 {seen.failed} 次失败{why.replace(': ', '：')}",
            )
        case Condition.REFUSED:
            since = said.refused_since
            at = "" if since is None else since.astimezone(CHINA).strftime("%H:%M:%S")
            why_en = f": {said.refused_why.en}" if said.refused_why else ""
            why_zh = f"：{said.refused_why.zh}" if said.refused_why else ""
            count = f"{seen.refused} of {seen.accepted + seen.refused} quotes are refused"
            count_zh = f"{seen.accepted + seen.refused} 笔中拒收 {seen.refused} 笔"
            return Text(
                f"{count}{f' since {at}' if at else ''}{why_en}",
                f"{count_zh}{f'（自 {at}）' if at else ''}{why_zh}",
            )
        case Condition.STALE:
            seconds = int(max(seen.age, seen.silent).total_seconds())
            return Text(f"nothing new for {seconds} s", f"{seconds} 秒没有新行情")
        case Condition.SLOW:
            latency = seen.latency or timedelta(0)
            seconds = int(latency.total_seconds())
            return Text(f"its quotes come {seconds} s late", f"行情平均延迟 {seconds} 秒")
        case Condition.IDLE:
            return Text("nothing is expected of it now", "当前无需该行情源提供行情")
    return Text("its quotes are new, in time and plausible", "行情及时、新鲜、合理")


def why_taken(said: Said, chosen: Said | None) -> Text:
    """Say in words why a symbol is taken from this source, or why not. `chosen`: what the source that serves it says."""
    because = cause(said)
    if said.chosen:
        return Text(f"taken: {because.en}", f"采用：{because.zh}")
    if said.time is None and said.condition in (Condition.GOOD, Condition.IDLE):
        return Text("not taken: it has said nothing yet", "未采用：尚无行情")
    if chosen is None:
        return Text(f"not taken: {because.en}", f"未采用：{because.zh}")
    if said.condition not in (Condition.GOOD, Condition.IDLE):
        return Text(f"not taken: {because.en}", f"未采用：{because.zh}")
    if said.rank < chosen.rank and said.condition is Condition.GOOD:
        seconds = STEADY.seconds
        return Text(
            f"not taken yet: it must be good for {seconds} s before the symbol goes back to it",
            f"暂未采用：须连续正常 {seconds} 秒后才切回",
        )
    return Text(
        f"not taken: {chosen.source} serves the symbol, and comes first while it is good",
        f"未采用：由 {chosen.source} 提供，其正常时优先",
    )
