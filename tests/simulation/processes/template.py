"""A data directory that every run begins with: migrated, with calendar, account, settings and two grid sessions.

Run as a process of its own, `python -m tests.simulation.processes.template`, once per campaign.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from tests.simulation.processes.market import CENTRED, LOTS
from tests.stack import ROOT, SESSION, surroundings

#: Settings that make a run of some seconds see everything: short patience with orders, buying allowed.
SETTINGS = {
    "sell_order_timeout": 9,
    "take_profit_order_timeout": 9,
    "buy_order_timeout": 15,
    "grid_order_timeout": 15,
    "add_on_enabled": True,
    "grid_enabled": True,
    "buy_amount": Decimal(5000),
    "daily_loss_ratio": Decimal("0.5"),
}


def make_template(home: Path, database_url: str = "") -> Path:
    """Make the directory, or fill the database of this URL. Raises CalledProcessError."""
    home.mkdir(mode=0o700, parents=True)
    subprocess.run(
        [sys.executable, "-m", "tests.simulation.processes.template"],
        cwd=ROOT,
        env={**surroundings(home), "DATABASE_URL": database_url},
        stdin=subprocess.DEVNULL,
        check=True,
        timeout=120,
    )
    return home


def _fill() -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from trading.models import Account, TradingConfig
    from trading.services.calendar import fill_calendar
    from trading.services.demo import ensure_demo_account

    call_command("migrate", verbosity=0)
    fill_calendar()
    ensure_demo_account()
    row = TradingConfig.objects.get()
    for name, value in SETTINGS.items():
        setattr(row, name, value)
    row.save()
    _start_grids(Account.objects.get().pk)
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _start_grids(account: int) -> None:
    from grid.services.sessions import Request, start_session
    from trading.domain.types import CHINA

    before = datetime.fromisoformat(f"{SESSION}T09:15:00").replace(tzinfo=CHINA)
    lots = {
        "max_investment": Decimal(20000),
        "grid_price_drop": Decimal("0.02"),
        "grid_take_profit_ratio": Decimal("0.02"),
    }
    centred = {"max_investment": Decimal(20000), "interval": Decimal("0.02")}
    for symbol, style, values in ((LOTS, "lot", lots), (CENTRED, "centred", centred)):
        request = Request(account, symbol, style=style, values=values, centre=Decimal(10))
        start_session(request, None, before, actor="tester", why="the campaign")


if __name__ == "__main__":
    _fill()
