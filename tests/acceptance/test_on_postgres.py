"""The tests about money and claims on a PostgreSQL of their own; all others: `python manage.py test --database postgres`."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.postgres import NoPostgres, find_programs
from tests.stack import ROOT

pytestmark = [pytest.mark.orders, pytest.mark.grid, pytest.mark.unattended]

PIECES = (
    "on_postgres",
    "constraints",
    "grid_constraints",
    "kill_switch",
    "one_submitter",
    "order_path",
    "reconcile",
    "unknown",
)


def test_orders_leases_and_books_keep_their_promises_on_postgresql():
    try:
        find_programs()
    except NoPostgres as why:
        pytest.skip(str(why))
    files = [f"tests/integration/test_{piece}.py" for piece in PIECES]
    options = ("--database", "postgres", "-q", "-n", "0", "-p", "no:cacheprovider", "--tb=short")
    # What tells a test that it runs in one of two processes is not for the inner run.
    known = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *files],
        cwd=ROOT,
        env=known,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    # None is skipped: those that need many connections are the reason for this run.
    assert re.search(r"^\d+ passed in ", done.stdout, re.MULTILINE), done.stdout[-500:]
