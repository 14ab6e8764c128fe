"""A session in one line or one JSON file, as people write it for commands and replays (docs/grid.md).

600519.SH:lot,grid_buy_amount=20000          a style with parameters that differ from its defaults
600036:moderate,max_investment=30000         a template
{"symbol": "600036.SH", "style": "centred", "interval": "0.03", "centre": "36.5"}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models

from grid.domain.rules import STYLES
from grid.models import GridSession
from grid.models.sessions import StopPolicy
from grid.selectors import templates
from grid.services.sessions import Request, SessionRefused
from trading.domain.settings import SettingError
from trading.domain.types import Text

_ON, _OFF = ("on", "true", "yes", "1"), ("off", "false", "no", "0")
#: Words of a specification that are no parameters of a style.
OWN_WORDS = ("centre", "base_quantity", "exits_may_sell_base", "stop_policy")
#: A file of one session is small.
_LARGEST = 100_000


def pairs(texts: Iterable[str]) -> dict[str, str]:
    """Return `name=value` words by name. Raises SessionRefused for one without `=`, and for a name that comes twice."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name:
            raise _wrong(
                "parameter",
                text,
                "NAME=VALUE such as interval=0.03",
                "名称=值，例如 interval=0.03",
            )
        if name in found:
            raise _wrong(name, value, "every name once", "每个名称只出现一次")
        found[name] = value
    return found


def typed(named: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters, base holding, switch, policy and centre as values. Raises SessionRefused; ranges are the domain's."""
    return {name: _typed(name, value) for name, value in named.items()}


def request_of(
    account_id: int, symbol: str, plan: str | None, named: Mapping[str, Any]
) -> Request:
    """Return the session these words ask for. `plan`: a template or a style, None = the default style.

    Raises SessionRefused.
    """
    values = typed(named)
    own = {name: values.pop(name) for name in OWN_WORDS if name in values}
    known = templates()
    if plan is not None and plan not in known and plan not in STYLES:
        words = ", ".join((*STYLES, *known))
        raise _wrong("plan", plan, f"one of {words}", f" {words} 之一")
    template = plan if plan in known else None
    return Request(
        account_id=account_id,
        symbol=symbol,
        template=template,
        style=None if template else plan,
        values=values,
        **own,
    )


def words_of(text: str) -> tuple[str, str | None, dict[str, Any]]:
    """Return (symbol, plan, named values) of a specification or of the JSON file it names. Raises SessionRefused."""
    if text.lower().endswith(".json"):
        return _from_file(Path(text))
    head, *rest = text.split(",")
    symbol, colon, plan = head.partition(":")
    if not symbol or (colon and not plan):
        raise _wrong(
            "grid",
            text,
            "SYMBOL:STYLE,NAME=VALUE… or FILE.json",
            "代码:风格,名称=值… 或 FILE.json",
        )
    return symbol, plan or None, dict(pairs(rest))


def _from_file(path: Path) -> tuple[str, str | None, dict[str, Any]]:
    try:
        with path.open(encoding="utf-8") as stream:
            found = json.loads(stream.read(_LARGEST), parse_float=str, parse_int=str)
    except (OSError, ValueError) as problem:
        raise _wrong(
            "grid",
            path.name,
            f"a readable JSON file ({problem})",
            f"可读的 JSON 文件（{problem}）",
        ) from problem
    if not isinstance(found, dict) or not isinstance(found.get("symbol"), str):
        raise _wrong("grid", path.name, 'an object with "symbol"', "含 symbol 的对象")
    if "style" in found and "template" in found:
        raise _wrong("style", found["style"], "a style or a template", "风格或模板二者之一")
    symbol = found.pop("symbol")
    plan = found.pop("template", None) or found.pop("style", None)
    return symbol, plan, found


def _typed(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if name == "centre":
        return _number(name, value)
    if name == "stop_policy":
        if value not in StopPolicy.values:
            raise _wrong(name, value, "keep or sell_lots", " keep 或 sell_lots")
        return StopPolicy(value)
    try:
        column = GridSession._meta.get_field(name)
    except FieldDoesNotExist:
        return value  # no such parameter: the style says so, with the names it has
    if isinstance(column, models.BooleanField):
        return _switch(name, value)
    if isinstance(column, models.CharField):
        return value
    number = _number(name, value)
    whole = type(column).__name__.startswith("Positive")
    return int(number) if whole and number == number.to_integral_value() else number


def _number(name: str, value: str) -> Decimal:
    try:
        number = Decimal(value if value.isascii() and "_" not in value else "")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise _wrong(name, repr(value), "a number", "数字")
    return number


def _switch(name: str, value: str) -> bool:
    word = value.strip().lower()
    if word not in (*_ON, *_OFF):
        raise _wrong(name, value, "on or off", " on 或 off")
    return word in _ON


def _wrong(field: str, value: object, en: str, zh: str) -> SessionRefused:
    return SessionRefused(SettingError(field, value, Text(en, zh)).text, field)
