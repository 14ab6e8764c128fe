"""How the page and the command show what a source says: the same words and figures for both."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from trading.domain.source_health import WORDS
from trading.domain.types import CHINA, Text
from trading.services.quote_sources import SourceLine

#: Why a quote was refused, in words (`market_data.validation.Refusal`).
_REASONS = {
    "not_a_number": Text("not a number", "非数字"),
    "unreadable": Text("unreadable field", "字段无法读取"),
    "no_price": Text("no price", "无最新价"),
    "future_time": Text("time ahead of now", "时间超前"),
    "time_backwards": Text("older than the one before", "时间倒退"),
    "zeroed": Text("emptied after the close", "收盘后清零"),
    "volume_fell": Text("volume fell", "成交量减少"),
    "crossed_book": Text("crossed book", "买卖盘交叉"),
    "outside_limits": Text("outside the limits", "超出涨跌停"),
}


def shown(line: SourceLine, language: str) -> Mapping[str, str]:
    """Return the figures of a line as text in a language."""
    said = line.said
    seen = said.seen
    at = said.time if said.symbol else said.arrived_at
    calls = seen.calls
    return {
        "source": said.source,
        "condition": said.condition.value,
        "word": WORDS[said.condition].in_language(language),
        "chosen": "yes" if said.chosen else "",
        "last": _price(said.last),
        "book": f"{_price(said.bid)} / {_price(said.ask)}",
        "volume": "-" if said.volume is None else f"{said.volume:,}",
        "time": "-" if at is None else at.astimezone(CHINA).strftime("%m-%d %H:%M:%S"),
        "age": duration(line.age, language),
        "latency": duration(seen.latency, language, tenths=True),
        "answered": f"{calls - seen.failed} / {calls}",
        "accepted": f"{seen.accepted} / {seen.accepted + seen.refused}",
        "total": f"{said.total:,}",
        "refusals": refusals(said.refusals, language) or "-",
        "why": line.why.in_language(language),
    }


def _price(price: Decimal | None) -> str:
    """Write a price with at least two decimals."""
    return "-" if price is None else f"{price:.2f}" if price == round(price, 2) else f"{price:f}"


def refusals(counted: Mapping[str, int], language: str) -> str:
    """Return counts of refusals by reason in words, the most frequent first; empty without any."""
    ordered = sorted(counted.items(), key=lambda one: (-one[1], one[0]))
    named = ((_REASONS.get(reason, Text(reason, reason)), count) for reason, count in ordered)
    return ", ".join(f"{words.in_language(language)} × {count:,}" for words, count in named)


def duration(time: timedelta | None, language: str, *, tenths: bool = False) -> str:
    """Return a time in seconds, minutes, hours or days, whichever says it shortly."""
    if time is None:
        return "-"
    seconds = time.total_seconds()
    if seconds < 90 and tenths:
        return Text(f"{seconds:.1f} s", f"{seconds:.1f} 秒").in_language(language)
    for limit, unit, words in (
        (90, 1, Text("s", "秒")),
        (5400, 60, Text("min", "分钟")),
        (2 * 86_400, 3600, Text("h", "小时")),
    ):
        if seconds < limit:
            return f"{seconds // unit:.0f} {words.in_language(language)}"
    return f"{seconds // 86_400:.0f} {Text('days', '天').in_language(language)}"
