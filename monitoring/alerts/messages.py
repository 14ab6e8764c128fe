"""Alerts in words: one message for one alert, or one that lists many."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from monitoring.alerts.names import name_of
from monitoring.alerts.rules import LISTED
from monitoring.models import Alert, AlertChannel, Severity
from trading.domain.types import CHINA, AccountMode, Text
from trading.models.fields import CHINESE

_SEVERITIES = {
    Severity.INFO: Text("information", "信息"),
    Severity.WARNING: Text("WARNING", "警告"),
    Severity.ALARM: Text("ALARM", "报警"),
    Severity.CRITICAL: Text("CRITICAL", "紧急"),
}
_KINDS = {
    Severity.INFO: "info",
    Severity.WARNING: "warning",
    Severity.ALARM: "failure",
    Severity.CRITICAL: "failure",
}
_ACKNOWLEDGE = Text(
    "Please acknowledge it on the page Alerts of the console.", "请在控制台“告警”页面确认。"
)


def message_of(alerts: Sequence[Alert], language: str) -> dict[str, str]:
    """Return title, body and kind of the message that tells of these alerts, the most severe first."""
    worst = Severity(max(alert.severity for alert in alerts))
    said = _one(alerts[0]) if len(alerts) == 1 else _many(alerts, worst)
    title, body = said
    return {
        "title": _in(title, language, " · "),
        "body": _in(body, language, "\n\n"),
        "kind": "success" if alerts[0].about_id and len(alerts) == 1 else _KINDS[worst],
    }


def line_of(alert: Alert) -> str:
    """Return an alert as one line of a file, in both languages."""
    word = _SEVERITIES[Severity(alert.severity)]
    words = f"{alert.text_zh} {alert.text_en}".replace("\n", " ").replace("\r", " ")
    return (
        f"{_time(alert.made_at)} {word.en} {_where(alert).en} {alert.code} ×{alert.count} {words}"
    )


def trial(name: str, now: datetime) -> dict[str, str]:
    """Return the message of the test button."""
    return {
        "title": "miniqmt 测试 test",
        "body": f"渠道 {name} 工作正常，{_time(now)}。\n\nThe channel {name} works, {_time(now)}.",
        "kind": "info",
    }


def _in(text: Text, language: str, between: str) -> str:
    if language == AlertChannel.Language.BOTH:
        return f"{text.zh}{between}{text.en}"
    return text.in_language(language)


def _one(alert: Alert) -> tuple[Text, Text]:
    severity, where = _SEVERITIES[Severity(alert.severity)], _where(alert)
    name, times = name_of(alert.code), _times(alert)
    title = Text(
        f"[{severity.en}] {where.en} {name.en}{times}",
        f"【{severity.zh}】{where.zh} {name.zh}{times}",
    )
    span = _time(alert.last_at)
    if alert.count > 1:
        span = f"{_time(alert.first_at)} – {span}"
    asks = _ACKNOWLEDGE if alert.pages else Text("", "")
    return title, Text(
        f"{alert.text_en}\n{span}{_clock(alert).en}\n{asks.en}".strip(),
        f"{alert.text_zh}\n{span}{_clock(alert).zh}\n{asks.zh}".strip(),
    )


def _many(alerts: Sequence[Alert], worst: Severity) -> tuple[Text, Text]:
    word = _SEVERITIES[worst]
    title = Text(
        f"[{word.en}] miniqmt: {len(alerts)} alerts", f"【{word.zh}】miniqmt：{len(alerts)} 条告警"
    )
    shown, more = alerts[:LISTED], len(alerts) - LISTED
    en = [f"{_SEVERITIES[Severity(one.severity)].en} {_where(one).en} {name_of(one.code).en}{_times(one)}: {one.text_en[:120]}" for one in shown]  # fmt: skip
    zh = [f"{_SEVERITIES[Severity(one.severity)].zh} {_where(one).zh} {name_of(one.code).zh}{_times(one)}：{one.text_zh[:60]}" for one in shown]  # fmt: skip
    if more > 0:
        en.append(f"and {more} more on the page Alerts of the console")
        zh.append(f"另有 {more} 条，见控制台“告警”页面")
    return title, Text("\n".join(en), "\n".join(zh))


def _times(alert: Alert) -> str:
    return f" ×{alert.count}" if alert.count > 1 else ""


def _where(alert: Alert) -> Text:
    if alert.account is None:
        return Text("miniqmt", "miniqmt")
    mode, name = alert.account.mode, alert.account.name
    symbol = f" {alert.symbol}" if alert.symbol else ""
    en = name if name == mode else f"{name} ({mode})"
    return Text(f"{en}{symbol}", f"{name}（{CHINESE.get(mode, mode)}）{symbol}")


def _clock(alert: Alert) -> Text:
    """Say that a time is of a simulated market."""
    if alert.account is None or alert.account.mode not in (AccountMode.DEMO, AccountMode.PAPER):
        return Text("", "")
    return Text(" (market time of the simulation)", "（模拟行情时间）")


def _time(at: datetime) -> str:
    return at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")
