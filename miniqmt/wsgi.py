"""WSGI entry point."""

from __future__ import annotations

import os
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "miniqmt.settings")


def _application() -> Any:
    pages = get_wsgi_application()
    from monitoring.security.checks import refuse_to_serve

    refuse_to_serve()
    return pages


application = _application()
