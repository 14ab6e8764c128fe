"""Queries that are asked again and again: Django builds each once, afterwards only its parameters change.

Building a query takes Django ten times as long as the database takes to answer it, and a gateway asks the same few
every second.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from functools import cached_property
from operator import itemgetter
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Expression, Model, QuerySet
from django.db.models.query import FlatValuesListIterable
from django.db.models.sql import UpdateQuery

Row = TypeVar("Row")


class Slot(Expression):
    """The place of a parameter."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        return "%s", [self]


@dataclass(frozen=True, slots=True)
class _Statement:
    """What Django made of it. `converters` of a SELECT's columns; `names`: the attributes of a model's rows."""

    sql: str
    parameters: tuple[Any, ...]
    converters: tuple[tuple[int, Any, Any], ...] = ()
    names: tuple[str, ...] | None = None


class _Prepared:
    """`build` gets a place for each of its parameters and returns the query set."""

    def __init__(self, build: Callable[..., QuerySet[Any, Any]]) -> None:
        self._build = build
        self._slots = [Slot(name) for name in inspect.signature(build).parameters]

    def _parameters(self, statement: _Statement, named: Mapping[str, Any]) -> list[Any]:
        return [named[one.name] if isinstance(one, Slot) else one for one in statement.parameters]

    def _named(self, values: Sequence[Any]) -> dict[str, Any]:
        pairs = zip(self._slots, values, strict=True)
        return {slot.name: _stored(value) for slot, value in pairs}


class Prepared(_Prepared, Generic[Row]):
    """A SELECT as a function of its parameters: `ask(1, today)` returns the rows.

    `build` returns models of one table, `values_list` of columns, or that with `flat=True`. Parameters are numbers,
    texts, dates and times, as their columns store them.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Row]]) -> None:
        super().__init__(build)
        self._statements: dict[str, _Statement] = {}  # by the kind of database
        self._make: Any = tuple

    def __call__(self, *values: Any) -> list[Row]:
        statement = self._statements.get(connection.vendor) or self._compile()
        with connection.cursor() as cursor:
            cursor.execute(statement.sql, self._parameters(statement, self._named(values)))
            rows: Iterable[Any] = cursor.fetchall()
        if statement.converters:
            rows = _converted(rows, statement.converters)
        if statement.names is not None:
            alias, names = connection.alias, statement.names
            return [self._make(alias, names, row) for row in rows]
        return [self._make(row) for row in rows]

    def _compile(self) -> _Statement:
        queryset: Any = self._build(*self._slots)
        assert not queryset.query.select_related
        compiler = queryset.query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        columns = [column for column, _, _ in compiler.select]
        names = None
        if queryset._fields is None:
            assert not queryset.query.annotations
            names = tuple(column.target.attname for column in columns)
            self._make = queryset.model.from_db
        elif issubclass(queryset._iterable_class, FlatValuesListIterable):
            self._make = itemgetter(0)
        converters = tuple(
            (place, functions, column)
            for place, (functions, column) in compiler.get_converters(columns).items()
        )
        statement = _Statement(sql, tuple(parameters), converters, names)
        self._statements[connection.vendor] = statement
        return statement


class PreparedUpdate(_Prepared):
    """An UPDATE as a function of its parameters and of the columns it writes: `move(7, epoch, state="filled")`.

    Returns how many rows it changed. A column gets a value, never an expression.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Any]]) -> None:
        super().__init__(build)
        self._statements: dict[tuple[str, ...], tuple[_Statement, dict[str, Any]]] = {}

    def __call__(self, *values: Any, **columns: Any) -> int:
        known = self._statements.get((connection.vendor, *columns)) or self._compile(columns)
        statement, fields = known
        named = self._named(values)
        for name, value in columns.items():
            named[f"set {name}"] = fields[name].get_db_prep_save(value, connection)
        with connection.cursor() as cursor:
            cursor.execute(statement.sql, self._parameters(statement, named))
            return int(cursor.rowcount)

    def _compile(self, columns: Iterable[str]) -> tuple[_Statement, dict[str, Any]]:
        query: Any = self._build(*self._slots).query.chain(UpdateQuery)
        query.add_update_values({name: Slot(f"set {name}") for name in columns})
        sql, parameters = query.get_compiler(connection=connection).as_sql()
        fields = {name: query.get_meta().get_field(name) for name in columns}
        known = _Statement(sql, tuple(parameters)), fields
        self._statements[(connection.vendor, *columns)] = known
        return known


class PreparedInsert:
    """An INSERT of rows of one model, each given as its columns; a column that is left out has its default.

    For rows that are written and not looked at again: nothing is returned, and no signal is sent.
    """

    def __init__(self, model: type[Model]) -> None:
        self._model = model

    @cached_property
    def _fields(self) -> list[Any]:
        return [one for one in self._model._meta.concrete_fields if not one.primary_key]

    def __call__(self, *rows: Mapping[str, Any]) -> None:
        if not rows:
            return
        quoted = connection.ops.quote_name
        names = ", ".join(quoted(field.column) for field in self._fields)
        marks = ", ".join(["%s"] * len(self._fields))
        table = quoted(self._model._meta.db_table)
        values = [[self._value(field, row) for field in self._fields] for row in rows]
        with connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)

    def _value(self, field: Any, row: Mapping[str, Any]) -> Any:
        value = row[field.attname] if field.attname in row else field.get_default()
        return field.get_db_prep_save(value, connection)


def _converted(rows: Iterable[Any], converters: tuple[Any, ...]) -> Iterator[list[Any]]:
    for row in map(list, rows):
        for place, functions, column in converters:
            value = row[place]
            for convert in functions:
                value = convert(value, column, connection)
            row[place] = value
        yield row


def _stored(value: Any) -> Any:
    """Return a parameter as its column stores it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    if isinstance(value, date):
        return connection.ops.adapt_datefield_value(value)
    return value
