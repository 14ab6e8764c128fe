"""How requests are read: JSON and query strings become frozen values of a type, or all that is wrong is named.

Nothing is guessed and nothing is ignored: a name nobody knows, a name twice, text where a number belongs, a decimal that
is a JSON number (a float in most languages) are refused.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache
from http import HTTPStatus
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from django.http import QueryDict

from monitoring.api.problems import Fault, Problem, invalid, listed, shown
from monitoring.api.shapes import Json, Schema
from trading.domain.types import Text

#: Names of a list that are repeated to whoever wrote one that is none.
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)
_DECIMAL = re.compile(r"-?\d{1,12}(\.\d{1,8})?", re.ASCII)
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Size:
    """How long a text, or how many entries a list, may be."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Within:
    """From where to where a number may be, both included."""

    least: int | Decimal
    most: int | Decimal


@dataclass(frozen=True, slots=True)
class OneOf:
    """The codes a text may be."""

    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plain:
    """Any plain JSON value, for names whose types somebody else knows: text, whole number, switch or null."""


class _Refused(Exception):
    def __init__(self, code: str, text: Text, remedy: Text) -> None:
        self.fault = code, text, remedy


def parse(body: bytes) -> Json:
    """Return what a body says. Raises Problem."""
    try:
        return json.loads(
            body.decode("utf-8"),
            parse_float=Decimal,
            parse_constant=_no_constant,
            object_pairs_hook=_once,
        )
    except (ValueError, RecursionError) as problem:
        en = f"The body is no JSON: {problem}."
        zh = f"请求体不是有效的 JSON：{problem}。"
        remedy = Text("Send one JSON object in UTF-8.", "请发送一个 UTF-8 编码的 JSON 对象。")
        raise Problem(HTTPStatus.BAD_REQUEST, Fault("BAD_JSON", Text(en, zh), remedy)) from problem


def _no_constant(name: str) -> Json:
    raise ValueError(f"{name} is no JSON")


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(n for n in names if names.count(n) > 1)!r} is there twice")
    return found


def read(kind: type, data: Json) -> Any:
    """Return a value of a request's type. Raises Problem naming everything that is wrong."""
    if not isinstance(data, dict):
        text = Text("The body is no JSON object.", "请求体不是 JSON 对象。")
        raise invalid(Fault("BAD_VALUE", text, Text('Send {"…": …}.', '请发送 {"…": …}。')))
    faults: list[Fault] = []
    value = _record(kind, data, "", faults)
    if faults:
        raise invalid(*faults)
    return value


def read_query(kind: type | None, query: QueryDict) -> Any:
    """Return the parameters of an address. Raises Problem naming everything that is wrong."""
    faults = [
        Fault(
            "REPEATED",
            Text(f"{name} is there twice.", f"参数 {name} 重复。"),
            Text("Give it once.", "请只写一次。"),
            name,
        )
        for name, values in query.lists()
        if len(values) > 1
    ]
    data = {name: values[-1] for name, values in query.lists() if values[-1] != ""}
    value = _record(kind or _Nothing, data, "", faults, from_text=True)
    if faults:
        raise invalid(*faults)
    return value


@dataclass(frozen=True, slots=True)
class _Nothing:
    """No parameter at all."""


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _record(
    kind: type, data: Mapping[str, Json], path: str, faults: list[Fault], from_text: bool = False
) -> Any:
    hints = _hints(kind)
    for name in data.keys() - hints.keys():
        known = listed(list(hints)) if hints else Text("none", "无")
        text = Text(f"There is no field {name!r}.", f"没有字段 {name!r}。")
        remedy = Text(f"The fields are: {known.en}.", f"可用字段：{known.zh}。")
        faults.append(Fault("UNKNOWN_FIELD", text, remedy, f"{path}{name}", shown(data[name])))
    values: dict[str, Any] = {}
    for field in fields(kind):
        given = data.get(field.name, _MISSING)
        if given is not _MISSING:
            values[field.name] = _value(
                hints[field.name], given, f"{path}{field.name}", faults, from_text
            )
        elif field.default is MISSING:
            text = Text(f"{field.name} is missing.", f"缺少 {field.name}。")
            faults.append(
                Fault("MISSING", text, _remedy(hints[field.name]), f"{path}{field.name}")
            )
    return None if faults else kind(**values)


def _value(hint: Any, given: Json, path: str, faults: list[Fault], from_text: bool) -> Any:
    kind, marks, optional = _taken_apart(hint)
    if given is None and optional:
        return None
    if get_origin(kind) is tuple:
        return _list(kind, marks, given, path, faults)
    if get_origin(kind) is Mapping:
        return _mapping(kind, given, path, faults)
    if hasattr(kind, "__dataclass_fields__") and isinstance(given, dict):
        return _record(kind, given, f"{path}.", faults)
    try:
        return _checked(_plain(kind, marks, given, from_text), marks)
    except _Refused as refused:
        code, text, remedy = refused.fault
        faults.append(Fault(code, text, remedy, path, shown(given)))
        return None


def _list(
    kind: Any, marks: tuple[Any, ...], given: Json, path: str, faults: list[Fault]
) -> tuple[Any, ...]:
    [size] = [mark for mark in marks if isinstance(mark, Size)]
    if not isinstance(given, list) or not size.least <= len(given) <= size.most:
        text = Text(f"{path} is no such list.", f"{path} 不是符合要求的列表。")
        remedy = Text(
            f"Give a list of {size.least} to {size.most} entries.",
            f"请给出 {size.least} 至 {size.most} 项的列表。",
        )
        faults.append(Fault("BAD_VALUE", text, remedy, path, shown(given)))
        return ()
    inner = get_args(kind)[0]
    return tuple(
        _value(inner, one, f"{path}[{place}]", faults, False) for place, one in enumerate(given)
    )


def _mapping(kind: Any, given: Json, path: str, faults: list[Fault]) -> Mapping[str, Any]:
    if not isinstance(given, dict) or not given:
        text = Text(f"{path} is no object with names.", f"{path} 不是含字段的对象。")
        remedy = Text('Give {"name": value}.', '请给出 {"名称": 值}。')
        faults.append(Fault("BAD_VALUE", text, remedy, path, shown(given)))
        return {}
    inner = get_args(kind)[1]
    return {
        name: _value(inner, one, f"{path}.{name}", faults, False) for name, one in given.items()
    }


def _taken_apart(hint: Any) -> tuple[Any, tuple[Any, ...], bool]:
    """Return the type, the marks that bound it, and whether it may be null."""
    if get_origin(hint) is Annotated:
        kind, *marks = get_args(hint)
        inner, _, optional = _taken_apart(kind)
        return inner, tuple(marks), optional
    if get_origin(hint) in (Union, types.UnionType):
        [kind] = [one for one in get_args(hint) if one is not types.NoneType]
        inner, marks_of_inner, _ = _taken_apart(kind)
        return inner, marks_of_inner, True
    return hint, (), False


def _plain(kind: Any, marks: tuple[Any, ...], given: Json, from_text: bool) -> Any:
    if any(isinstance(mark, Plain) for mark in marks):
        return _anything(given)
    if kind is bool:
        return _switch(given, from_text)
    if kind is int:
        return _whole(given, from_text)
    if not isinstance(given, str):
        remedy = (
            _DECIMAL_REMEDY
            if kind is Decimal
            else Text("Write it in quotes.", "请用引号写成文本。")
        )
        raise _Refused("BAD_TYPE", Text("This is no text.", "不是文本。"), remedy)
    if "\0" in given:
        remedy = Text("Take the null character out.", "请去掉空字符。")
        raise _Refused("BAD_VALUE", Text("It has a null character.", "含有空字符。"), remedy)
    if kind is Decimal:
        return _decimal(given)
    return _day(given) if kind is date else given


_DECIMAL_REMEDY = Text(
    'Write a decimal in quotes, such as "0.05": a JSON number is inexact in many programs.',
    '小数请用引号写成文本，例如 "0.05"：JSON 数字在许多程序中不精确。',
)


def _anything(given: Json) -> Any:
    if isinstance(given, Decimal):
        raise _Refused(
            "BAD_TYPE", Text("This is a JSON number.", "这是 JSON 数字。"), _DECIMAL_REMEDY
        )
    if isinstance(given, dict):
        remedy = Text(
            "Give text, a whole number, true, false or null.",
            "请给出文本、整数、true、false 或 null。",
        )
        raise _Refused("BAD_TYPE", Text("This is an object.", "这是对象。"), remedy)
    return given


def _switch(given: Json, from_text: bool) -> bool:
    if from_text and given in ("true", "false"):
        return bool(given == "true")
    if isinstance(given, bool):
        return given
    remedy = Text("Write true or false.", "请写 true 或 false。")
    raise _Refused("BAD_TYPE", Text("This is no switch.", "不是开关值。"), remedy)


def _whole(given: Json, from_text: bool) -> int:
    if from_text and isinstance(given, str) and _WHOLE.fullmatch(given):
        return int(given)
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    remedy = Text("Write a whole number, such as 100.", "请写整数，例如 100。")
    raise _Refused("BAD_TYPE", Text("This is no whole number.", "不是整数。"), remedy)


def _decimal(given: str) -> Decimal:
    try:
        if _DECIMAL.fullmatch(given):
            return Decimal(given)
    except InvalidOperation:
        pass  # said below
    raise _Refused("BAD_VALUE", Text("This is no decimal.", "不是小数。"), _DECIMAL_REMEDY)


def _day(given: str) -> date:
    try:
        if _DAY.fullmatch(given):
            return date.fromisoformat(given)
    except ValueError:
        pass  # the 31st of February: said below
    remedy = Text("Write 2026-01-31.", "请写成 2026-01-31。")
    raise _Refused("BAD_VALUE", Text("This is no day.", "不是日期。"), remedy)


def _checked(value: Any, marks: Iterable[Any]) -> Any:
    for mark in marks:
        if isinstance(mark, OneOf) and value not in mark.codes:
            text = Text("This is none of the choices.", "不在可选范围内。")
            raise _Refused("BAD_VALUE", text, _of(mark))
        if (
            isinstance(mark, Size)
            and not mark.least <= len(value.strip()) <= len(value) <= mark.most
        ):
            text = Text("This is too short or too long.", "长度不符合要求。")
            raise _Refused("BAD_VALUE", text, _of(mark))
        if isinstance(mark, Within) and not mark.least <= value <= mark.most:
            text = Text("This is outside the range.", "超出范围。")
            raise _Refused("BAD_VALUE", text, _of(mark))
    return value


def _of(mark: Size | Within | OneOf) -> Text:
    if isinstance(mark, OneOf):
        names = listed(mark.codes)
        return Text(f"One of: {names.en}.", f"可选：{names.zh}。")
    if isinstance(mark, Size):
        return Text(
            f"{mark.least} to {mark.most} characters.", f"{mark.least} 至 {mark.most} 个字符。"
        )
    return Text(f"From {mark.least} to {mark.most}.", f"范围：{mark.least} 至 {mark.most}。")


def _remedy(hint: Any) -> Text:
    _, marks, _ = _taken_apart(hint)
    known = next((mark for mark in marks if isinstance(mark, Size | Within | OneOf)), None)
    return Text("Give it.", "请填写。") if known is None else _of(known)


# --- the schema of a request ----------------------------------------------------------------------

_SCHEMAS: Mapping[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    Decimal: {"type": "string", "pattern": f"^{_DECIMAL.pattern}$"},
    date: {"type": "string", "format": "date"},
}


def schema_of(hint: Any) -> Schema:
    """Return the schema of a request's type, or of one of its fields."""
    kind, marks, optional = _taken_apart(hint)
    if hasattr(kind, "__dataclass_fields__"):
        return {
            "type": "object",
            "description": " ".join((kind.__doc__ or "").split()),
            "properties": {name: schema_of(inner) for name, inner in _hints(kind).items()},
            "required": [one.name for one in fields(kind) if one.default is MISSING],
            "additionalProperties": False,
        }
    if any(isinstance(mark, Plain) for mark in marks):
        return {"type": ["string", "integer", "boolean", "array", "null"]}
    if get_origin(kind) is Mapping:
        return {"type": "object", "additionalProperties": schema_of(get_args(kind)[1])}
    if get_origin(kind) is tuple:
        schema: Schema = {"type": "array", "items": schema_of(get_args(kind)[0])}
    else:
        schema = dict(_SCHEMAS[kind])
    for mark in marks:
        schema |= _bounds(mark, schema["type"])
    if optional:
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    return schema


def _bounds(mark: Any, kind: str) -> Schema:
    if isinstance(mark, OneOf):
        return {"enum": list(mark.codes)}
    if isinstance(mark, Size):
        ending = "Items" if kind == "array" else "Length"
        return {f"min{ending}": mark.least, f"max{ending}": mark.most}
    if kind == "integer":
        return {"minimum": int(mark.least), "maximum": int(mark.most)}
    return {"description": f"From {mark.least} to {mark.most}."}
