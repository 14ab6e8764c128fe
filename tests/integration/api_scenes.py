"""Programs that ask the JSON API, and a small check that an answer is what the document says."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from grid.services.sessions import Request, start_session
from monitoring.api import access, rates, views
from monitoring.api.document import document
from monitoring.api.operations import Operation
from monitoring.api.table import OPERATIONS
from monitoring.api.written import OfConsole
from monitoring.models import DayReport, Finding
from monitoring.services.api_tokens import Scope, create
from tests.integration.record_scenes import HELD, NUMBER, REAL, SOLD, a_sold_morning, denial
from tests.world import World
from trading.domain.symbols import parse_symbol
from trading.models import Order, Position, UnknownOutcome, WatchedSymbol
from trading.services import config, shared_quotes

V1 = "/api/v1"
_keys = itertools.count()


def fresh_server(patch) -> None:
    """Forget what the server remembers of other tests: callers, rates, answers."""
    patch.setattr(views, "monotonic", lambda: timezone.now().timestamp())  # as the test's clock
    patch.setattr(views, "doorkeeper", access.Doorkeeper())
    patch.setattr(views, "rates", rates.Rates(1000, 1000))
    patch.setattr(views, "strangers", rates.Rates(1000, 1000))
    patch.setattr(views, "of_console", OfConsole())


def a_day(home: Path, patch) -> World:
    """The day of the pages' tests, asked through the API; `home`: its data directory."""
    patch.setattr(settings, "HOME", home)
    fresh_server(patch)
    world = a_sold_morning(home, patch)
    patch.setattr(shared_quotes._of_thread, "reader", world.store, raising=False)
    return world


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
    body: dict[str, Any] = response.json()
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


def a_grid(world: World):
    held = parse_symbol(HELD)
    quote = world.store.latest([held])[held]
    at = world.moment("09:32:00")
    return start_session(
        Request(world.account.pk, HELD, values={"max_investment": Decimal(20000)}),
        quote, at, actor="p", why="a test",
    )  # fmt: skip


def everything(world: World) -> dict[str, int]:
    """Rows of every kind; returns the row each `{pk}` stands for. One order is unknown, another one works."""
    grid = a_grid(world)
    denial(world)
    order = world.orders()[0]
    Order.objects.filter(pk=order.pk).update(state="unknown", was_unknown=True)
    UnknownOutcome.objects.create(
        order=order, since=world.moment("09:31:10"), why_en="silence", why_zh="无回应",
        wish="wait", wish_actor="p", wish_reason="patience", wished_at=world.moment("09:31:20"),
    )  # fmt: skip
    Finding.objects.create(
        account=world.account, code="X", level="alarm", text_en=f"of {NUMBER}", text_zh="x",
        since=world.moment("09:31:00"), seen_at=REAL,
    )  # fmt: skip
    DayReport.objects.create(
        account=world.account, on=world.on, orders=1, fills=0, bought=Decimal(0), sold=Decimal("12.5"), commission=Decimal(0),
        stamp_duty=Decimal(0), transfer_fee=Decimal(0), made_at=REAL, denials={"CASH": 2},
        positions=[{"symbol": HELD, "quantity": 1000, "cost": "10.0000", "close": None, "value": None}],
    )  # fmt: skip
    WatchedSymbol.objects.create(account=world.account, symbol=SOLD, added_at=REAL)
    config.change(world.account.pk, {"buy_amount": "20000"}, actor=None, why="less")
    held = Position.objects.get(symbol=HELD).pk
    return {
        "/holdings/{pk}": held,
        "/grids/{pk}": grid.pk,
        "/orders/{pk}": world.orders()[-1].pk,
        "/unknown-outcomes/{pk}": order.pk,
        "/accounts/{pk}": world.account.pk,
    }


def path_of(operation: Operation, rows: dict[str, int]) -> str:
    """The address of an operation on the rows of `everything`."""
    for beginning, pk in rows.items():
        if operation.path.startswith(beginning):
            rest = operation.path.removeprefix(beginning).replace("{symbol}", SOLD)
            return beginning.replace("{pk}", str(pk)) + rest
    return operation.path


#: A good body of every change.
BODIES: dict[str, Any] = {
    "sell": {"shares": 100, "why": "a test"},
    "buy": {"symbol": "600000", "shares": 100, "why": "a test"},
    "stop_grid": {"policy": "keep", "why": "a test"},
    "exits": {"on": False, "why": "a test"},
    "configure": {"revision": 2, "changes": {"buy_amount": "30000"}, "why": "a test"},
    "decide": {"decision": "absent", "why": "a test"},
    "watch": {"items": [{"symbol": "600519", "note": "a test"}]},
    "unwatch": None,
}
WHY = {"why": "a test"}


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
