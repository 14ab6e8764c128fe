"""Queries that are asked again and again: Django builds each once, afterwards only its parameters change.

Building a query takes Django ten times as long as the database takes to answer it, and a gateway asks the same few
every second.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from functools import cached_property
from operator import itemgetter
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3.base import DatabaseWrapper as SQLite
from django.db.models import Expression, Model, QuerySet
from django.db.models.base import ModelState
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
    parameters: tuple[Any, ...]  # a `Slot` is the place of one that changes
    converters: tuple[tuple[int, Any, Any], ...] = ()
    names: tuple[str, ...] | None = None

    def filled(self, values: Mapping[str, Any]) -> list[Any]:
        """Return its parameters with a value in each place."""
        return [values[one.name] if isinstance(one, Slot) else one for one in self.parameters]


class _Prepared:
    """`build` gets a place for each of its parameters and returns the query set."""

    def __init__(self, build: Callable[..., QuerySet[Any, Any]]) -> None:
        self._build = build
        self._slots = [Slot(name) for name in inspect.signature(build).parameters]

    def _named(self, database: BaseDatabaseWrapper, values: Sequence[Any]) -> dict[str, Any]:
        pairs = zip(self._slots, values, strict=True)
        return {slot.name: _stored(value, database) for slot, value in pairs}


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
        database = connections[
            DEFAULT_DB_ALIAS
        ]  # once: what `connection` looks up for each of its attributes
        statement = self._statements.get(database.vendor) or self._compile()
        with database.cursor() as cursor:
            cursor.execute(statement.sql, statement.filled(self._named(database, values)))
            rows: Iterable[Any] = cursor.fetchall()
        if statement.converters:
            rows = _converted(rows, statement.converters, database)
        if statement.names is not None:
            alias, names = database.alias, statement.names
            return [self._make(alias, names, row) for row in rows]
        return list(map(self._make, rows))

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
            self._make = _from_whole_row(queryset.model, names)
        elif issubclass(queryset._iterable_class, FlatValuesListIterable):
            self._make = itemgetter(0)
        converters = tuple(
            (place, [_quicker(one) for one in functions], column)
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
        database = connections[DEFAULT_DB_ALIAS]
        known = self._statements.get((database.vendor, *columns)) or self._compile(columns)
        statement, fields = known
        named = self._named(database, values)
        for name, value in columns.items():
            named[f"set {name}"] = fields[name].get_db_prep_save(value, database)
        with database.cursor() as cursor:
            cursor.execute(statement.sql, statement.filled(named))
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
        database = connections[DEFAULT_DB_ALIAS]
        quoted = database.ops.quote_name
        names = ", ".join(quoted(field.column) for field in self._fields)
        marks = ", ".join(["%s"] * len(self._fields))
        table = quoted(self._model._meta.db_table)
        values = [[_value(field, row, database) for field in self._fields] for row in rows]
        with database.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)


def _value(field: Any, row: Mapping[str, Any], database: BaseDatabaseWrapper) -> Any:
    value = row[field.attname] if field.attname in row else field.get_default()
    return field.get_db_prep_save(value, database)


def _from_whole_row(model: type[Model], names: tuple[str, ...]) -> Callable[..., Model]:
    """Return what makes an instance of a row with these columns: where all are there without `__init__`, which is most of it."""
    if len(names) != len(model._meta.concrete_fields):
        return model.from_db

    def make(alias: str, names: tuple[str, ...], values: Iterable[Any]) -> Model:
        made = model.__new__(model)
        made.__dict__.update(zip(names, values, strict=True))
        made._state = state = ModelState()
        state.adding, state.db = False, alias
        return made

    return make


def _converted(
    rows: Iterable[Any], converters: tuple[Any, ...], database: BaseDatabaseWrapper
) -> Iterator[list[Any]]:
    for row in map(list, rows):
        for place, functions, column in converters:
            value = row[place]
            for convert in functions:
                value = convert(value, column, database)
            row[place] = value
        yield row


def _quicker(convert: Any) -> Any:
    """Return what does the same for SQLite's times, of which a tick reads thousands."""
    its_times: Any = SQLite.ops_class.convert_datetimefield_value
    return _in_utc if getattr(convert, "__func__", None) is its_times else convert


def _in_utc(value: Any, column: Any, database: BaseDatabaseWrapper) -> Any:
    if type(value) is datetime and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return database.ops.convert_datetimefield_value(value, column, database)  # type: ignore[attr-defined]


def _stored(value: Any, database: BaseDatabaseWrapper) -> Any:
    """Return a parameter as its column stores it."""
    if isinstance(value, int):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return database.ops.adapt_datetimefield_value(value)
    if isinstance(value, date):
        return database.ops.adapt_datefield_value(value)
    return value
