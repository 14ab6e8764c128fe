"""Corporate actions seen in the exchange's previous close, before any decision of the day (rules §1)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from trading.domain.types import Limits, Text
from trading.domain.wording import percent, yuan


class ExRights(StrEnum):
    """What the day's reference price says about a holding."""

    NONE = "none"  # nothing happened
    SCALE = "scale"  # scale once by `factor`, with an audit row
    REFUSED = (
        "refused"  # the quoted previous close is one session old, or none: wait for a better one
    )
    UNVERIFIED = "unverified"  # keep protecting with the state as it is, show it, alert
    PAUSED = "paused"  # the reference moved beyond the daily limit and nothing explains it: decide nothing


@dataclass(frozen=True, slots=True)
class ExRightsVerdict:
    """What to do before the first decision of the day. `factor`: for prices, 1 unless the verdict is SCALE."""

    kind: ExRights
    text: Text
    factor: Decimal = Decimal(1)


_NOTHING = ExRightsVerdict(ExRights.NONE, Text("no ex-rights today", "今日无除权除息"))


def detect(
    quoted: Decimal,
    recorded: Decimal | None,
    before: Decimal | None = None,
    known_factor: Decimal | None = None,
    last_known: Decimal | None = None,
    limits: Limits | None = None,
    tick: Decimal = Decimal("0.01"),
    quoted_then: Decimal | None = None,
) -> ExRightsVerdict:
    """Compare the exchange's previous close of today with our own records. Prices in yuan.

    `quoted`: previous close in today's quotes. `recorded`, `before`: the closes we recorded in the previous session
    and in the one before it. `quoted_then`: the previous close that was quoted in the previous session.
    `known_factor`: what the factor source says of today, 1 = nothing, None = it does not know. `last_known`: our newest
    price when `recorded` is missing; `limits`: the daily limits around the newest price we have (`recorded`, else
    `last_known`), None = not known.

    A recorded close decides: the factor is the ratio, unless the quoted price is the close before it, or what was
    quoted the session before (a feed one session late: a real sample was), or the factor source contradicts. Without
    one the factor source decides.
    """
    if not quoted.is_finite() or quoted <= 0:
        return ExRightsVerdict(
            ExRights.REFUSED, Text("no previous close is quoted", "行情没有昨收价")
        )
    if recorded is None or recorded <= 0:
        return _from_source(quoted, known_factor, last_known, limits)
    agrees = known_factor is not None and abs(recorded * known_factor - quoted) <= tick
    if quoted == recorded and (known_factor is None or agrees):
        return _NOTHING
    if agrees and known_factor != 1:
        return _scale(quoted, recorded)
    if quoted != recorded and quoted in (before, quoted_then):
        text = Text(
            f"the quoted previous close {yuan(quoted)} is one session old, the last close was {yuan(recorded)}",
            f"行情昨收价 {yuan(quoted)} 是再前一交易日的，上一收盘为 {yuan(recorded)}",
        )
        return ExRightsVerdict(ExRights.REFUSED, text)
    if known_factor is None:
        return _scale(quoted, recorded)
    return _unexplained(quoted, recorded, limits)


def _from_source(
    quoted: Decimal, factor: Decimal | None, last_known: Decimal | None, limits: Limits | None
) -> ExRightsVerdict:
    if factor is None:
        return _unexplained(quoted, last_known, limits)
    if factor == 1:
        return _NOTHING
    text = Text(
        f"ex-rights: prices × {factor:.6f}, from the factor source",
        f"除权除息：价格 × {factor:.6f}（来自复权因子）",
    )
    return ExRightsVerdict(ExRights.SCALE, text, factor)


def _scale(quoted: Decimal, recorded: Decimal) -> ExRightsVerdict:
    factor = quoted / recorded
    text = Text(
        f"ex-rights: previous close {yuan(quoted)} after a close of {yuan(recorded)}, prices × {factor:.6f}",
        f"除权除息：昨收价 {yuan(quoted)}，上一收盘 {yuan(recorded)}，价格 × {factor:.6f}",
    )
    return ExRightsVerdict(ExRights.SCALE, text, factor)


def _unexplained(quoted: Decimal, ours: Decimal | None, limits: Limits | None) -> ExRightsVerdict:
    moved = Text("", "")
    if ours is not None and ours > 0:
        change = percent(quoted / ours - 1)
        moved = Text(
            f", {change} from our {yuan(ours)}", f"，较我方记录 {yuan(ours)} 变动 {change}"
        )
    beyond = limits is not None and (
        (limits.up is not None and quoted > limits.up)
        or (limits.down is not None and quoted < limits.down)
    )
    if beyond:
        text = Text(
            f"the previous close {yuan(quoted)}{moved.en}, is beyond the daily limit and nothing explains it: paused",
            f"昨收价 {yuan(quoted)}{moved.zh}，超出涨跌停且无法解释：暂停",
        )
        return ExRightsVerdict(ExRights.PAUSED, text)
    text = Text(
        f"ex-rights could not be verified: previous close {yuan(quoted)}{moved.en}",
        f"除权除息未能核实：昨收价 {yuan(quoted)}{moved.zh}",
    )
    return ExRightsVerdict(ExRights.UNVERIFIED, text)
