"""What each person wants to see of the console: one row a user, read with every page, never believed unchecked."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from monitoring.models import OperatorSettings
from trading.domain.types import Text

log = logging.getLogger(__name__)

AUTO = "auto"
_AS_BROWSER = Text("as the browser", "跟随浏览器")
LANGUAGES = {AUTO: _AS_BROWSER, "zh-hans": Text("中文", "中文"), "en": Text("English", "English")}
COLOURS = {
    "red_up": Text("red is up, green is down", "红涨绿跌"),
    "green_up": Text("green is up, red is down", "绿涨红跌"),
}
THEMES = {AUTO: _AS_BROWSER, "light": Text("light", "浅色"), "dark": Text("dark", "深色")}
#: Columns of the holdings that may be hidden: name and protection always stand there.
COLUMNS = {
    "quantity": Text("quantity / sellable", "数量 / 可卖"),
    "cost": Text("cost", "成本"),
    "price": Text("price", "现价"),
    "profit": Text("profit", "盈亏"),
    "high": Text("high", "最高"),
    "sale": Text("would sell at", "当前卖出价"),
    "distance": Text("distance", "距离"),
}
#: How many holdings are listed before “show all”; 0: all of them.
ROWS = {
    "0": Text("all", "全部"),
    **{str(number): Text(str(number), str(number)) for number in (10, 20, 50, 100)},
}
SOUNDS = {"off": Text("off", "关"), "on": Text("on", "开")}
#: Levels of events, as the journal has them.
LEVELS = {
    "info": Text("information", "信息"),
    "warning": Text("warning", "警告"),
    "alarm": Text("alarm", "报警"),
}


@dataclass(frozen=True, slots=True)
class Operator:
    """One person's choices. `flashes`: levels of new events that are shown at the top of the page.

    `problems`: what was stored and makes no sense; the default stands in its place.
    """

    language: str = AUTO
    colours: str = "red_up"
    theme: str = AUTO
    columns: tuple[str, ...] = tuple(COLUMNS)
    rows: str = "0"
    sound: str = "off"
    flashes: tuple[str, ...] = ("alarm",)
    problems: tuple[Text, ...] = ()

    @property
    def hidden(self) -> tuple[str, ...]:
        """The columns that are not shown."""
        return tuple(name for name in COLUMNS if name not in self.columns)


#: Of each choice: what may be chosen. Of `columns` and `flashes` any number of them.
CHOICES: Mapping[str, Mapping[str, Text]] = MappingProxyType(
    {
        "language": LANGUAGES,
        "colours": COLOURS,
        "theme": THEMES,
        "columns": COLUMNS,
        "rows": ROWS,
        "sound": SOUNDS,
        "flashes": LEVELS,
    }
)
MANY = ("columns", "flashes")
DEFAULTS = Operator()


def operator_of(user: AbstractBaseUser | AnonymousUser) -> Operator:
    """Return a user's choices; one that is unusable is replaced by its default, and told."""
    if not user.is_authenticated:
        return DEFAULTS
    try:
        row = OperatorSettings.objects.filter(pk=user.pk).first()
    except ValueError as problem:  # no JSON: a hand wrote past the model
        return _told(user, DEFAULTS, [_unreadable("*", str(problem))])
    return DEFAULTS if row is None else _checked(user, row.chosen)


def save_operator(user: AbstractBaseUser, chosen: Operator) -> None:
    """Store the choices of a user. They are checked already (`CHOICES`)."""
    values = {
        name: list(value) if name in MANY else value
        for name, value in ((one, getattr(chosen, one)) for one in CHOICES)
    }
    OperatorSettings.objects.update_or_create(user_id=user.pk, defaults={"chosen": values})


def _checked(user: AbstractBaseUser | AnonymousUser, stored: Any) -> Operator:
    if not isinstance(stored, dict):
        return _told(user, DEFAULTS, [_unreadable("*", str(stored))])
    good: dict[str, Any] = {}
    problems = []
    for name, value in stored.items():
        if name in CHOICES and _is_choice(name, value):
            good[name] = tuple(value) if name in MANY else value
        else:
            problems.append(_unreadable(str(name), str(value)))
    found = replace(DEFAULTS, **good)
    return _told(user, found, problems) if problems else found


def _is_choice(name: str, value: Any) -> bool:
    allowed = CHOICES[name]
    if name in MANY:
        return isinstance(value, list) and all(isinstance(one, str) and one in allowed for one in value)  # fmt: skip
    return isinstance(value, str) and value in allowed


def _unreadable(name: str, value: str) -> Text:
    shown = value if len(value) <= 40 else f"{value[:40]}…"
    return Text(
        f"Your setting {name} is “{shown}”, which is no choice: the default is used. Choose again and save.",
        f"您的设置 {name} 为“{shown}”，不是有效选项：已使用默认值。请重新选择并保存。",
    )


def _told(
    user: AbstractBaseUser | AnonymousUser, found: Operator, problems: Iterable[Text]
) -> Operator:
    told = tuple(problems)
    for one in told:
        log.warning("settings of user %s: %s", user.pk, one.en)
    return replace(found, problems=told)
