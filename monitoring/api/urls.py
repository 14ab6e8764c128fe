"""The addresses of the API, made from the table."""

from __future__ import annotations

from collections.abc import Iterable

from django.urls import URLPattern, path, re_path

from monitoring.api import views
from monitoring.api.operations import Operation
from monitoring.api.table import OPERATIONS


def patterns(operations: Iterable[Operation]) -> list[URLPattern]:
    """Return one address a path, with all that can be done there."""
    by_path: dict[str, dict[str, Operation]] = {}
    for one in operations:
        by_path.setdefault(one.path, {})[one.method] = one
    return [
        path(
            at[1:].replace("{pk}", "<int:pk>").replace("{symbol}", "<str:symbol>"),
            views.endpoint(by_method),
        )
        for at, by_method in by_path.items()
    ]


urlpatterns = [
    *patterns(OPERATIONS),
    path("openapi.json", views.openapi),
    re_path(r"^.*$", views.nowhere),
]
