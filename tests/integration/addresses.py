"""Every address of the web, read from the URL configuration: one that is added is tried like the others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

_PART = re.compile(r"<(?:(\w+):)?(\w+)>")


@dataclass(frozen=True)
class Address:
    """One pattern. `name` is what `reverse` calls it; `page` the admin's page that answers, if one does."""

    route: str
    name: str
    page: admin.ModelAdmin[Any] | None

    def __str__(self) -> str:
        return self.route

    def urls(self) -> list[str]:
        """Return it with its parts filled in by rows that are there: the first of this page's, or of every table."""
        if not _PART.search(self.route):
            return ["/" + self.route]
        models = (
            [self.page.model] if self.page else [m for m in apps.get_models() if m._meta.managed]
        )
        found = {str(row.pk) for row in map(first, models) if row is not None} or {"1"}
        return [self.with_key(key) for key in sorted(found)]

    def with_key(self, key: str) -> str:
        """Return it with this in place of each of its parts that may be any text."""
        return "/" + _PART.sub(lambda part: _sample(part[1], key), self.route)

    def post(self, client: Client, url: str, answers: dict[str, str]) -> Any:
        """Send answers there as this address takes them."""
        if self.route.startswith("api/"):
            return client.post(url, answers, content_type="application/json")
        return client.post(url, answers)

    def url(self, somebody: Client) -> str:
        """Return it as it answers somebody who may do everything; the first of all where none does."""
        urls = self.urls()
        for url in urls if len(urls) > 1 else ():
            if somebody.get(url).status_code < 404:  # neither missing, nor no key of this page
                return url
        return urls[0]


def first(model: type[Model]) -> Any:
    return model._base_manager.order_by("pk").first()


def _sample(kind: str | None, key: str) -> str:
    if kind == "int":
        return key if key.isdecimal() else "0"
    if kind == "uuid":
        return "00000000-0000-0000-0000-000000000000"
    return key


def addresses() -> list[Address]:
    """Return every address but those that answer nothing but "not here"."""
    return sorted(_of(get_resolver().url_patterns, "", ""), key=str)


def _of(patterns: list[Any], before: str, space: str) -> Iterator[Address]:
    for one in patterns:
        route = before + _plain(str(one.pattern))
        if isinstance(one, URLResolver):
            inside = f"{space}{one.namespace}:" if one.namespace else space
            yield from _of(one.url_patterns, route, inside)
        elif isinstance(one, URLPattern):
            page = getattr(one.callback, "model_admin", None)
            if route.endswith(".*"):
                continue  # whatever else there might be: not here
            yield Address(route, f"{space}{one.name or one.lookup_str}", page)


def _plain(route: str) -> str:
    """A regular expression as a route: only the admin's last pattern, which takes everything, is one."""
    return re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", route).strip("^$")
