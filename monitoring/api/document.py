"""The OpenAPI 3.1 document of the table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from monitoring.api.operations import Operation
from monitoring.api.problems import ProblemBody
from monitoring.api.reading import schema_of
from monitoring.api.shapes import Json, Schema, components, shape_of
from monitoring.api.table import OPERATIONS
from monitoring.services.api_tokens import SCOPE_WORDS

ROOT = "/api/v1"
#: What may be wrong with any request, and what only with one that changes something.
_ALWAYS = (401, 403, 422, 429, 500, 503)
_CHANGING = (400, 409, 413, 415)
_PATH = re.compile(r"\{(\w+)\}")
_PARAMETERS: dict[str, Schema] = {
    "pk": {"type": "integer", "minimum": 1},
    "symbol": {"type": "string"},
}


@cache
def document() -> Json:
    """Return the document."""
    kinds: list[Any] = [ProblemBody, *(one.answer for one in OPERATIONS)]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "miniqmt",
            "version": "1",
            "description": "Decimals are strings, shares whole numbers, times ISO-8601 at +08:00; null is not known.",
        },
        "servers": [{"url": ROOT}],
        "paths": _paths(OPERATIONS),
        "components": {
            "schemas": components(kinds),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Scopes: "
                    + "; ".join(f"{scope}: {said.en}" for scope, said in SCOPE_WORDS.items()),
                },
                "session": {"type": "apiKey", "in": "cookie", "name": "sessionid"},
            },
        },
    }


def _paths(operations: Sequence[Operation]) -> Json:
    paths: dict[str, Json] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one)
    return paths


def _operation(one: Operation) -> Json:
    ok = {
        "description": "OK",
        "content": {"application/json": {"schema": shape_of(one.answer).schema}},
    }
    found = {
        "operationId": one.name,
        "summary": one.summary.en,
        "description": _description(one),
        "security": [{"token": [one.scope.value]}, {"session": []}],
        "parameters": [*_path_parameters(one), *_query_parameters(one), *_headers(one)],
        "responses": {"200": ok, **{str(status): _PROBLEM for status in _statuses(one)}},
    }
    if one.body is not None:
        content = {"application/json": {"schema": schema_of(one.body)}}
        found["requestBody"] = {"required": True, "content": content}
    return found


_PROBLEM = {
    "description": "Refused: nothing was done. After a 500 nobody knows.",
    "content": {"application/problem+json": {"schema": shape_of(ProblemBody).schema}},
}


def _statuses(one: Operation) -> list[int]:
    found = [*_ALWAYS, *(_CHANGING if one.changes else (304,))]
    return sorted([*found, 404] if one.target is not None else found)


def _description(one: Operation) -> str:
    needs = f"{one.summary.zh}. Scope {one.scope.value}; permissions {', '.join(one.permissions)}."
    if one.trades or one.risky:
        needs += " On live accounts tokens need trade-live, and MINIQMT_API_TRADES_LIVE=true."
    return needs


def _path_parameters(one: Operation) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _PARAMETERS[name]}
        for name in _PATH.findall(one.path)
    ]


def _query_parameters(one: Operation) -> list[Json]:
    if one.query is None:
        return []
    schemas = schema_of(one.query)["properties"]
    return [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in schemas.items()
    ]


def _headers(one: Operation) -> list[Json]:
    if not one.changes:
        return [{"name": "If-None-Match", "in": "header", "schema": {"type": "string"}}]
    return [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": one.trades,
            "schema": {"type": "string", "pattern": "^[!-~]{1,64}$"},
        }
    ]
