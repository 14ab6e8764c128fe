"""Grid trading in the admin: sessions are started with a preview, steered with a reason, and explained."""

from __future__ import annotations

from grid.admin import rows, sessions, templates

__all__ = ["rows", "sessions", "templates"]
