"""How answers are written as JSON, and the schema that says so: both from the types of the values themselves.

Decimals are strings, shares whole numbers, times ISO-8601 in China's zone. What is not known is null, and so are words
that say nothing. A value of an enumeration is its code with the words people read. The writer of a type is made once.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from functools import cache
from typing import Any, NewType, Union, get_args, get_origin, get_type_hints

from monitoring.templatetags.console import words
from trading.domain.types import CHINA, Text

Json = Any
Schema = dict[str, Any]
Write = Callable[[Any], Json]

#: Decimals that are kept; what is stored has at most eight, quotients have more.
_UNIT = Decimal(1).scaleb(-8)
_ZERO = Decimal(0)
#: What JSON allows inside a string and an HTML page would take for its own.
_UNSAFE = tuple((mark, f"\\u{ord(mark):04x}") for mark in "<>&\u2028\u2029")


@dataclass(frozen=True, slots=True)
class Word:
    """A code with the words people read for it."""

    code: str
    en: str
    zh: str


class Value:
    """Marks a value whose type is another field's business: a setting, a parameter."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A type in JSON. `schema` refers to `parts`: the component it is, if any, and the types inside it."""

    schema: Schema
    write: Write
    name: str = ""
    body: Schema | None = None
    parts: tuple[Any, ...] = ()


def text_of(value: Json) -> bytes:
    """Return JSON as bytes that are safe wherever they are put, in a page too."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for mark, escape in _UNSAFE:
        text = text.replace(mark, escape)
    return text.encode("utf-8", "backslashreplace")  # half a character is an escape in JSON too


def number(value: Decimal) -> str:
    """Return a decimal with two to eight decimals, without the zeros its storage adds."""
    whole, _, decimals = f"{value if value else _ZERO:f}".partition(".")
    if len(decimals) > 8:
        return number(value.quantize(_UNIT, ROUND_HALF_UP))
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def moment(value: datetime) -> str:
    """Return a time in China's zone, to the millisecond."""
    return value.astimezone(CHINA).isoformat(timespec="milliseconds")


def word(value: Any) -> Word:
    """Return a value of an enumeration, or a state by its name, with its words."""
    return Word(str(value), *words(value))


def _word(value: Any) -> Json:
    en, zh = words(value)
    return {"code": str(value), "en": en, "zh": zh}


def _words(value: Text) -> Json:
    return {"en": value.en, "zh": value.zh} if value.en or value.zh else None


def _value(value: Any) -> Json:
    if isinstance(value, Decimal):
        return number(value)
    if isinstance(value, list | tuple):
        return [_value(part) for part in value]
    return value if value is None or isinstance(value, bool | int) else str(value)


_TEXT: Schema = {
    "type": ["object", "null"],
    "description": "Words in both languages; null: nothing to say.",
    "properties": {"en": {"type": "string"}, "zh": {"type": "string"}},
    "required": ["en", "zh"],
    "additionalProperties": False,
}
_PLAIN: Mapping[Any, Shape] = {
    str: Shape({"type": "string"}, lambda value: str(value)),
    bool: Shape({"type": "boolean"}, lambda value: value),
    int: Shape({"type": "integer"}, lambda value: value),
    float: Shape({"type": "number", "description": "Seconds."}, lambda value: value),
    Decimal: Shape(
        {"type": "string", "pattern": r"^-?[0-9]+\.[0-9]{2,8}$", "description": "A decimal."},
        number,
    ),
    datetime: Shape({"type": "string", "format": "date-time"}, moment),
    date: Shape({"type": "string", "format": "date"}, lambda value: value.isoformat()),
    timedelta: Shape(
        {"type": "number", "description": "Seconds."},
        lambda value: round(value.total_seconds(), 3),
    ),
    Text: Shape(_TEXT, _words),
    Value: Shape({"type": ["string", "integer", "boolean", "array", "null"]}, _value),
}


@cache
def shape_of(kind: Any) -> Shape:
    """Return how values of a type are written. Raises TypeError for one that no answer may hold."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if isinstance(kind, NewType):
        return shape_of(kind.__supertype__)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _optional(inner)
    if (origin is tuple and inner[1:] == (...,)) or origin in (list, Sequence):
        one = shape_of(inner[0])
        write = one.write
        return Shape(
            {"type": "array", "items": one.schema},
            lambda value: [write(part) for part in value],
            parts=(inner[0],),
        )
    if origin in (dict, Mapping) or origin is types.MappingProxyType:
        return _mapping(inner[1])
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _enumeration(kind)
    if is_dataclass(kind) or (isinstance(kind, type) and hasattr(kind, "_fields")):
        return _record(kind)
    raise TypeError(f"no answer may hold {kind!r}")


def _optional(inner: tuple[Any, ...]) -> Shape:
    [kind] = [one for one in inner if one is not types.NoneType]
    one = shape_of(kind)
    write = one.write
    if "$ref" in one.schema:
        schema: Schema = {"anyOf": [one.schema, {"type": "null"}]}
    elif isinstance(one.schema["type"], list):
        schema = one.schema
    else:
        schema = {**one.schema, "type": [one.schema["type"], "null"]}
    return Shape(schema, lambda value: None if value is None else write(value), parts=(kind,))


def _mapping(kind: Any) -> Shape:
    one = shape_of(kind)
    write = one.write
    return Shape(
        {"type": "object", "additionalProperties": one.schema},
        lambda value: {str(key): write(part) for key, part in value.items()},
        parts=(kind,),
    )


def _enumeration(kind: type[StrEnum]) -> Shape:
    body = {
        "type": "object",
        "description": "A code with the words people read for it.",
        "properties": {
            "code": {"type": "string", "enum": [member.value for member in kind]},
            "en": {"type": "string"},
            "zh": {"type": "string"},
        },
        "required": ["code", "en", "zh"],
        "additionalProperties": False,
    }
    known = {member: _word(member) for member in kind}
    return Shape(_reference(kind.__name__), known.__getitem__, kind.__name__, body)


def _record(kind: Any) -> Shape:
    hints = get_type_hints(kind)
    shapes = {name: shape_of(hint) for name, hint in hints.items() if not name.startswith("_")}
    writers = [(name, one.write) for name, one in shapes.items()]
    body = {
        "type": "object",
        "description": " ".join((kind.__doc__ or "").split()),
        "properties": {name: one.schema for name, one in shapes.items()},
        "required": list(shapes),
        "additionalProperties": False,
    }
    return Shape(
        _reference(kind.__name__),
        lambda value: {name: write(getattr(value, name)) for name, write in writers},
        kind.__name__,
        body,
        tuple(hint for name, hint in hints.items() if name in shapes),
    )


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def components(kinds: list[Any]) -> dict[str, Schema]:
    """Return the schemas of all components these types refer to, by name. Raises TypeError when two share a name."""
    found: dict[str, tuple[Any, Schema]] = {}
    waiting = list(kinds)
    while waiting:
        kind = waiting.pop()
        one = shape_of(kind)
        if one.name and one.body is not None:
            if one.name in found:
                if found[one.name][0] is not kind:
                    raise TypeError(f"two types of the API are called {one.name}")
                continue
            found[one.name] = kind, one.body
        waiting += one.parts
    return {name: body for name, (_, body) in sorted(found.items())}
