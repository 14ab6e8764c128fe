"""How the console writes things: both languages, "—" for what is not known, China time with seconds."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from monitoring.console.parts import hole
from monitoring.console.values import ORDINARY, DenialView, FillView, OrderView, SignalView
from trading.domain import wording
from trading.domain.calendar import MarketPhase
from trading.domain.protection import WORDS, Protection
from trading.domain.types import CHINA, Text
from trading.models.fields import CHINESE

register = template.Library()

UNKNOWN = "—"
_CENT = Decimal("0.01")
_PROTECTED = Text("protected", "受保护")
_PHASES = {
    MarketPhase.CLOSED: Text("closed", "休市"),
    MarketPhase.OPENING_AUCTION: Text("opening auction", "集合竞价"),
    MarketPhase.OPENING_AUCTION_NO_CANCEL: Text(
        "opening auction, no cancels", "集合竞价（不可撤单）"
    ),
    MarketPhase.PRE_OPEN: Text("before the open", "待开盘"),
    MarketPhase.MORNING: Text("morning session", "上午连续竞价"),
    MarketPhase.LUNCH: Text("lunch break", "午间休市"),
    MarketPhase.AFTERNOON: Text("afternoon session", "下午连续竞价"),
    MarketPhase.CLOSING_AUCTION: Text("closing auction", "收盘集合竞价"),
    MarketPhase.POST_CLOSE: Text("after the close", "已收盘"),
    MarketPhase.AFTER_HOURS: Text("after-hours trading", "盘后交易"),
}
_OTHERS = {
    "waiting": Text("waiting", "等待启动"),
    "starting": Text("starting", "启动中"),
    "running": Text("running", "运行中"),
    "silent": Text("hangs", "无响应"),
    "nowhere": Text("runs nowhere", "未运行"),
    "backing off": Text("ended, starts again soon", "已结束，即将重启"),
    "held back": Text("ended too often, held back", "频繁退出，暂停重启"),
    "stopped": Text("stopped", "已停止"),
    "up": Text("on time", "正常"),
    "late": Text("late", "超时"),
    "down": Text("down", "已停摆"),
    "idle": Text("not needed now", "当前无需运行"),
    "new": Text("has not run yet", "尚未运行"),
    "shadow": Text("shadow", "影子"),
}


def _in_language(text: Text) -> str:
    return text.in_language(get_language() or "en")


@register.simple_tag
def say(en: str, zh: str) -> str:
    """Return the words in the reader's language."""
    return _in_language(Text(en, zh))


@register.simple_block_tag(takes_context=True)
def part(context: template.Context, content: SafeString, *words: object) -> SafeString:
    """Set a part of the board apart, so that it can change alone: one element whose id is the words, joined by "-".

    The context's `frames` get it (monitoring/console/parts.py), and its place a hole.
    """
    key = "-".join(map(str, words))
    context["frames"][key] = content.strip()
    return mark_safe(hole(key))


@register.filter
def speak(text: Text | None) -> str:
    """Return a Text in the reader's language."""
    return "" if text is None else _in_language(text)


def words(value: StrEnum | str) -> Text:
    """Return what a value of an enumeration, or a state of a process, is called in both languages."""
    if isinstance(value, MarketPhase):
        return _PHASES[value]
    if isinstance(value, Protection):
        return WORDS.get(value, _PROTECTED)
    name = str(value)
    known = Text(name.replace("_", " "), CHINESE.get(name, name))
    return _OTHERS.get(name, known)


@register.filter
def word(value: StrEnum | str) -> str:
    """Name a value of an enumeration, or a state of a process."""
    return _in_language(words(value))


@register.filter
def price(value: Decimal | None) -> str:
    """Write a price in yuan with 2 to 4 decimals."""
    return UNKNOWN if value is None else wording.yuan(value)


@register.filter
def money(value: Decimal | None) -> str:
    """Write an amount in yuan with its thousands: `12,345.60`."""
    return UNKNOWN if value is None else f"{value.quantize(_CENT, ROUND_HALF_UP):,}"


@register.filter
def gain(value: Decimal | None) -> str:
    """Write a profit in yuan with its sign."""
    return UNKNOWN if value is None else _signed(value.quantize(_CENT, ROUND_HALF_UP) + 0)


@register.filter
def percent(ratio: Decimal | None) -> str:
    """Write a ratio as a percentage with two decimals: `3.20%`."""
    return UNKNOWN if ratio is None else f"{_hundred(ratio)}%"


@register.filter
def gain_percent(ratio: Decimal | None) -> str:
    """Write a ratio as a percentage with its sign: `+3.20%`."""
    return UNKNOWN if ratio is None else f"{_signed(_hundred(ratio))}%"


@register.filter
def shares(value: int | None) -> str:
    """Write a number of shares with its thousands."""
    return UNKNOWN if value is None else f"{value:,}"


@register.filter
def trend(value: Decimal | None) -> str:
    """Return the class of a profit: up is red, down is green, as A-shares are shown."""
    if value is None or not value:
        return "flat"
    return "up" if value > 0 else "down"


@register.filter
def tone(status: Protection) -> str:
    """Return the class of a protection status."""
    if status is Protection.PROTECTED:
        return "good"
    return "calm" if status in ORDINARY else "bad"


@register.filter
def tick_tone(state: str) -> str:
    """Return the class of a tick's state."""
    return {"up": "good", "late": "bad", "down": "bad"}.get(state, "calm")


@register.filter
def process_tone(state: str) -> str:
    """Return the class of a process's state."""
    return {"running": "good", "waiting": "calm", "starting": "calm"}.get(state, "bad")


@register.filter
def worst(reasons: dict[Protection, int]) -> str:
    """Return the class of all reasons together."""
    tones = {tone(reason) for reason in reasons}
    return "bad" if "bad" in tones else "calm" if tones else "good"


@register.filter
def epoch(at: datetime) -> int:
    """Return milliseconds since 1970, as scripts count."""
    return int(at.timestamp() * 1000)


@register.simple_tag
def clock(at: datetime | None, age: str = "") -> SafeString | str:
    """Write a time of day in China with seconds; the full date is its title.

    `age`: `market` or `real`, and the script writes how long ago it was by that clock.
    """
    if at is None:
        return UNKNOWN
    local = at.astimezone(CHINA)
    return format_html(
        '<time datetime="{}" title="{}"{}>{}</time>',
        local.isoformat(timespec="seconds"),
        f"{local:%Y-%m-%d %H:%M:%S}",
        format_html(' data-age="{}" data-at="{}"', age, epoch(local)) if age else "",
        f"{local:%H:%M:%S}",
    )


@register.simple_tag
def instrument(row: SignalView | DenialView | OrderView | FillView) -> SafeString:
    """Write the name with the symbol beside it; the symbol alone where no name is known."""
    if not row.name:
        return format_html("<b>{}</b>", row.symbol)
    return format_html('<b>{}</b> <small class="quiet">{}</small>', row.name, row.symbol)


def _signed(value: Decimal) -> str:
    return f"{value:+,}" if value else f"{value}"


def _hundred(ratio: Decimal) -> Decimal:
    return (ratio * 100).quantize(_CENT, ROUND_HALF_UP) + 0
