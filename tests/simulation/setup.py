"""Django for a campaign outside pytest: settings of its own, no `.env`, a home that nobody else uses."""

from __future__ import annotations

import os
import tempfile

import django


def set_up() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "miniqmt.settings")
    os.environ["MINIQMT_READ_DOTENV"] = "false"
    os.environ.setdefault("MINIQMT_HOME", tempfile.mkdtemp(prefix="miniqmt-simulation-"))
    django.setup()
