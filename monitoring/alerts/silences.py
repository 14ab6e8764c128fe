"""Nothing happened where something should have: facts in, silences out, without a clock.

What the health tick finds already is not found again here: late ticks, a silent gateway, a feed without quotes, held
symbols without a quote, a terminal that was not compared with the books (SNAPSHOT_OLD).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from trading.domain.types import Text

#: Rejections in a row, without an order in between that the broker took: whatever sends them is wrong.
REJECTIONS = 11
#: Alerts that wait for longer than this are not being sent at all.
SENT_WITHIN = timedelta(minutes=5)
#: A day report is made within a minute of the closing of the books.
REPORTED_WITHIN = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class SilenceFacts:
    """What is known of one account; times are real.

    `newest_orders`: of today's orders that had an answer, whether it was a rejection, the newest first.
    `oldest_due_at`: since when the alert that waits longest could have been sent, None when none waits.
    `unreported_since`: when the books of a session without a report were closed, None when each has its report.
    """

    newest_orders: Sequence[bool] = ()
    oldest_due_at: datetime | None = None
    unreported_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """Something that should have happened and did not."""

    code: str
    text: Text


def silences(facts: SilenceFacts, now: datetime) -> list[Silence]:
    """Return what is silent at `now`."""
    return [*_rejections(facts), *_alerts(facts, now), *_reports(facts, now)]


def _rejections(facts: SilenceFacts) -> Iterator[Silence]:
    in_a_row = 0
    for rejected in facts.newest_orders:
        if not rejected:
            break
        in_a_row += 1
    if in_a_row >= REJECTIONS:
        text = Text(
            f"The broker has rejected {REJECTIONS} or more orders in a row. Look at the reasons under Orders.",
            f"券商已连续拒绝 {REJECTIONS} 笔或更多委托，请在“委托”页面查看原因。",
        )
        yield Silence("REJECTIONS_IN_A_ROW", text)


def _alerts(facts: SilenceFacts, now: datetime) -> Iterator[Silence]:
    oldest = facts.oldest_due_at
    if oldest is not None and now - oldest > SENT_WITHIN:
        minutes = SENT_WITHIN.seconds // 60
        text = Text(
            f"Alerts have waited for more than {minutes} minutes to be sent; the page Alerts says why.",
            f"告警等待发送已超过 {minutes} 分钟，原因见“告警”页面。",
        )
        yield Silence("ALERTS_NOT_SENT", text)


def _reports(facts: SilenceFacts, now: datetime) -> Iterator[Silence]:
    since = facts.unreported_since
    if since is not None and now - since > REPORTED_WITHIN:
        minutes = REPORTED_WITHIN.seconds // 60
        text = Text(
            f"The books were closed more than {minutes} minutes ago and there is no day report.",
            f"账簿关闭已超过 {minutes} 分钟，仍没有日报。",
        )
        yield Silence("REPORT_MISSING", text)
