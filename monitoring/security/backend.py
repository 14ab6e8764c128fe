"""The one way in: Django's users and passwords, unless this user is locked out at this address."""

from __future__ import annotations

from typing import Any

from axes.backends import AxesStandaloneBackend
from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest


class LockingBackend(AxesStandaloneBackend, ModelBackend):  # type: ignore[misc] # it carries no types
    """One class instead of two in a row: it has the permissions as well, and need not be named where they are asked."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **more: Any,
    ) -> Any:
        """Return the user; None when the password is wrong. Raises PermissionDenied while it is locked."""
        AxesStandaloneBackend.authenticate(self, request, username, password, **more)
        return ModelBackend.authenticate(self, request, username, password, **more)
