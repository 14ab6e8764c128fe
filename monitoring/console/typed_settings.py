"""The settings of an account as a person types them: one bad value saves nothing, and is told by field, value and remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

from django.db import models

from trading.admin.base import say
from trading.admin.config import shown
from trading.domain.settings import SettingError
from trading.domain.types import Text
from trading.errors import ConfigError
from trading.models import TradingConfig
from trading.models.fields import MoneyField, RatioField
from trading.services import config
from trading.services.setting_help import GROUPS, HELP

#: Off, each takes protection away from the holdings.
GUARDS = frozenset(
    {"auto_trading_enabled", "stop_loss_enabled", "sell_enabled", "sell_monitor_enabled"}
)
#: What a value shown as `…` is cut to in a message.
_LONGEST = 60
_SECONDS = Text("seconds", "秒")
_UNITS = {
    "signal_max_age": _SECONDS,
    "grid_signal_max_age": _SECONDS,
    "sell_order_timeout": _SECONDS,
    "take_profit_order_timeout": _SECONDS,
    "grid_order_timeout": _SECONDS,
    "buy_order_timeout": _SECONDS,
    "reorder_max_attempts": Text("times", "次"),
    "max_buy_orders_per_day": Text("orders a day", "笔/日"),
    "orders_per_second": Text("orders a second", "笔/秒"),
    "trailing_tiers": Text("gain:coefficient, …", "涨幅:系数，…"),
}
_YUAN = Text("yuan", "元")
_RATIO = Text("fraction: 0.01 is 1 %", "小数：0.01 即 1%")
_SWITCH = Text("switch", "开关")


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a setting that has few."""

    value: str
    label: Text


_ON_OFF = (Option("on", Text("on", "开")), Option("off", Text("off", "关")))
_MODES = (
    Option("opponent", Text("opponent", "对手价")),
    Option("last", Text("last", "最新价")),
    Option("limit", Text("trigger", "触发价")),
)


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting on the page. `typed`: what stands in its box; `present`: what is stored; `problem`: why it is refused.

    `others`: what it is by now, when somebody else changed it after the person began.
    """

    name: str
    label: str
    options: tuple[Option, ...]
    typed: str
    present: str
    default: str
    range: Text
    effect: Text
    unit: Text
    guards: bool
    problem: Text | None = None
    others: str | None = None

    @property
    def is_default(self) -> bool:
        return self.present == self.default

    @property
    def is_touched(self) -> bool:
        return self.typed != self.present


@dataclass(frozen=True, slots=True)
class Change:
    """A setting before and after."""

    name: str
    label: str
    before: str
    after: str
    weakens: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """What was typed, made of it: the changed values by name, or the problem of each bad one. `problem`: of the whole."""

    values: Mapping[str, Any]
    problems: Mapping[str, Text]
    problem: Text | None = None

    @property
    def is_good(self) -> bool:
        return not self.problems and self.problem is None


def label_of(name: str) -> str:
    """Return how people call a setting, in the reader's language."""
    return str(TradingConfig._meta.get_field(name).verbose_name)  # type: ignore[union-attr]


def written(name: str, value: Any) -> str:
    """Return a value as it is typed into its box."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return "" if value is None else shown(name, value)


def groups_of(
    row: Any,
    typed: Mapping[str, str] | None = None,
    problems: Mapping[str, Text] | None = None,
    others: Mapping[str, str] | None = None,
) -> list[tuple[Text, list[SettingRow]]]:
    """Return all settings under their headings; what is not `typed` is as it is stored."""
    return [
        (title, [_row(row, name, typed or {}, problems or {}, others or {}) for name in names])
        for title, names in GROUPS.items()
    ]


def _row(
    row: Any,
    name: str,
    typed: Mapping[str, str],
    problems: Mapping[str, Text],
    others: Mapping[str, str],
) -> SettingRow:
    field = _field(name)
    present = written(name, getattr(row, name))
    return SettingRow(
        name=name,
        label=label_of(name),
        options=_options(field),
        typed=typed.get(name, present),
        present=present,
        default=written(name, field.get_default()),
        range=HELP[name].range,
        effect=HELP[name].effect,
        unit=_unit(field),
        guards=name in GUARDS,
        problem=problems.get(name),
        others=others.get(name),
    )


def _field(name: str) -> models.Field[Any, Any]:
    field = TradingConfig._meta.get_field(name)
    assert isinstance(field, models.Field)
    return field


def _options(field: models.Field[Any, Any]) -> tuple[Option, ...]:
    if isinstance(field, models.BooleanField):
        return _ON_OFF
    return _MODES if field.name == "price_mode" else ()


def _unit(field: models.Field[Any, Any]) -> Text:
    if isinstance(field, models.BooleanField):
        return _SWITCH
    if isinstance(field, MoneyField):
        return _YUAN
    return _RATIO if isinstance(field, RatioField) else _UNITS.get(field.name, Text("", ""))


def typed_in(posted: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings a form brings, as text. One that it does not bring stays as it is."""
    return {name: str(posted[name]).strip() for name in config.setting_names() if name in posted}


def touched(seen: Any, typed: Mapping[str, str]) -> dict[str, str]:
    """Return what differs from the revision the person saw: only that was meant."""
    return {
        name: text for name, text in typed.items() if text != written(name, getattr(seen, name))
    }


def judged(row: TradingConfig, typed: Mapping[str, str]) -> Judged:
    """Say what these texts would change in the row, all of them or none. Writes nothing."""
    problems: dict[str, Text] = {}
    left = {name: _tidy(text) for name, text in typed.items()}
    while True:
        tried = copy(row)
        try:
            config.tried(tried, left)
            for setting in left:
                _storable(setting, getattr(tried, setting))
        except ConfigError as problem:
            name = config.field_of(problem) or _named_in(str(problem), left) or ""
            if name not in HELP:
                return Judged({}, problems, config.explain(problem))
            value = typed.get(name, written(name, getattr(row, name)))
            problems[name] = _refusal(name, value, problem)
            if name not in left:  # what was typed does not go together with what stands there
                return Judged({}, problems)
            del left[name]
        else:
            break
    values = {
        name: getattr(tried, name) for name in left if getattr(tried, name) != getattr(row, name)
    }
    return Judged(values, problems)


def _tidy(text: str) -> str:
    """A minus as typesetters write it is a minus; so is a comma of a Chinese keyboard between tiers."""
    return text.replace("−", "-").replace("，", ",").replace("：", ":")


def _storable(name: str, value: Any) -> None:
    """Raise ConfigError for more decimals than are kept: no amount is rounded silently."""
    try:
        _field(name).get_prep_value(value)
    except (ValueError, ArithmeticError) as problem:
        raise ConfigError(f"{name} is {value}: {problem}") from problem


def _named_in(problem: str, names: Iterable[str]) -> str | None:
    return next((name for name in names if problem.startswith((f"{name} ", f"{name}:"))), None)


def _refusal(name: str, typed: str, problem: ConfigError) -> Text:
    """Name the field, what was typed and what to type instead."""
    label, wanted = config.label_of(name), _wanted(name, problem)
    value = typed if len(typed) <= _LONGEST else f"{typed[:_LONGEST]}…"
    said = Text(f"“{value}”", f"“{value}”") if value else Text("empty", "空")
    return Text(
        f"{label.en} ({name}) is {said.en}: nothing was saved. Enter {wanted.en}.",
        f"{label.zh}（{name}）为 {said.zh}：未保存任何内容。请填写{wanted.zh}。",
    )


def _wanted(name: str, problem: ConfigError) -> Text:
    cause, allowed = problem.__cause__, HELP[name].range
    if isinstance(cause, SettingError):
        (_, _, en), (_, _, zh) = (
            cause.text.en.partition("expected "),
            cause.text.zh.partition("应为"),
        )
        return Text(en, zh)
    if "decimals" in str(problem):
        return Text(f"fewer decimals (range {allowed.en})", f"更少的小数位（范围 {allowed.zh}）")
    return Text(f"a value in the range {allowed.en}", f"范围 {allowed.zh} 内的值")


def changes_of(before: Any, after: Mapping[str, Any]) -> list[Change]:
    """Return changes in the order of the form, in words."""
    return [
        Change(
            name,
            label_of(name),
            _in_words(name, getattr(before, name)),
            _in_words(name, after[name]),
            name in GUARDS and not after[name],
        )
        for name in config.setting_names()
        if name in after and getattr(before, name) != after[name]
    ]


def _in_words(name: str, value: Any) -> str:
    mode = next((one.label for one in _MODES if name == "price_mode" and one.value == value), None)
    return shown(name, value) if mode is None else say(mode)


def values_of(row: Any) -> dict[str, Any]:
    """Return all settings of a row, or of one of its versions."""
    return {name: getattr(row, name) for name in config.setting_names()}
