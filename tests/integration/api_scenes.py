"""Programs that ask the JSON API, and a small check that an answer is what the document says."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from monitoring.api import access, rates, views
from monitoring.api.document import document
from monitoring.api.operations import Operation
from monitoring.api.table import OPERATIONS
from monitoring.api.written import OfConsole
from monitoring.services.api_tokens import Scope, create

V1 = "/api/v1"
_keys = itertools.count()


def fresh_server(patch) -> None:
    """Forget what the server remembers of other tests: callers, rates, answers."""
    patch.setattr(views, "doorkeeper", access.Doorkeeper())
    patch.setattr(views, "rates", rates.Rates(1000, 1000))
    patch.setattr(views, "strangers", rates.Rates(1000, 1000))
    patch.setattr(views, "of_console", OfConsole())


def a_user(*permissions: str) -> User:
    """Somebody with permissions such as `trading.view_account`."""
    user = get_user_model().objects.create_user(f"u{os.urandom(4).hex()}")
    for name in permissions:
        app, _, codename = name.partition(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    return get_user_model().objects.get(pk=user.pk)


def of_all() -> list[str]:
    """All permissions that any operation asks for."""
    return sorted({name for one in OPERATIONS for name in one.permissions})


class Program:
    """A program with a token."""

    def __init__(
        self, user: User | None = None, scopes: Iterable[str] = tuple(Scope), days: int = 30
    ) -> None:
        self.user = user or a_user(*of_all())
        lasts = timedelta(days=days)
        self.token, self.secret = create(self.user, "robot", scopes, lasts, timezone.now())
        self.client = Client(headers={"accept-language": "en"})

    def ask(self, method: str, path: str, body: Any = None, key: str | None = None, **headers):
        """Ask; changes carry a new key unless one (or "" for none) is given."""
        given = {"authorization": f"Bearer {self.secret}", **headers}
        if method != "GET" and key != "":
            given["idempotency-key"] = key or f"k{next(_keys)}"
        text = body if isinstance(body, str | bytes) else json.dumps(body)
        if body is None:
            return self.client.generic(method, V1 + path, headers=given)
        kind = given.pop("content-type", "application/json")
        return self.client.generic(method, V1 + path, text, content_type=kind, headers=given)

    def get(self, path: str, **headers):
        return self.ask("GET", path, **headers)


def problem_of(response) -> dict[str, Any]:
    """Return the problem a request was refused with, which must be whole."""
    assert response.headers["Content-Type"] == "application/problem+json", response.content
    body = response.json()
    misfits(body, {"$ref": "#/components/schemas/ProblemBody"}, "problem")
    assert body["status"] == response.status_code
    for one in body["errors"]:
        assert one["text"]["en"]
        assert one["text"]["zh"]
    return body


def is_as_documented(operation: Operation, body: Any) -> None:
    """Fail when an answer is not what the document says of it."""
    described = document()["paths"][operation.path][operation.method.lower()]
    schema = described["responses"]["200"]["content"]["application/json"]["schema"]
    misfits(body, schema, operation.name)


_TYPES = {
    "object": dict, "array": list, "string": str, "boolean": bool, "null": type(None),
}  # fmt: skip


def _is(value: Any, kind: str) -> bool:
    if kind in ("integer", "number"):
        wanted = int if kind == "integer" else (int, float)
        return isinstance(value, wanted) and not isinstance(value, bool)
    return isinstance(value, _TYPES[kind])


def misfits(value: Any, schema: dict[str, Any], at: str) -> None:
    """Fail where a value is not of a schema: as much of JSON Schema as our documents use."""
    if "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        [other] = [one for one in schema["anyOf"] if one != {"type": "null"}]
        if value is not None:
            misfits(value, other, at)
        return
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    assert any(_is(value, kind) for kind in kinds), (at, value, kinds)
    if isinstance(value, dict):
        known = schema.get("properties", {})
        assert set(schema.get("required", ())) <= value.keys(), (at, value.keys())
        for name, inner in value.items():
            rest = schema["additionalProperties"]
            assert name in known or rest, (at, name)
            misfits(inner, known.get(name, rest), f"{at}.{name}")
    elif isinstance(value, list) and "items" in schema:
        for place, inner in enumerate(value):
            misfits(inner, schema["items"], f"{at}[{place}]")
    elif isinstance(value, str):
        assert value in schema.get("enum", [value]), (at, value)
        assert re.search(schema.get("pattern", ""), value), (at, value)
        if schema.get("format") == "date-time":
            assert value.endswith("+08:00"), (at, value)
