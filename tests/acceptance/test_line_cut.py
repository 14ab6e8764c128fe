"""Two accounts trade on one machine, database, Redis and worker are on another, and the line between them fails.

Real processes and a real PostgreSQL; the line is a proxy of the tests (tests/proxy.py). On the trading machine run the
terminal, market data and a gateway for each account, on the other one the worker and what sends the ticks.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.invariants import Opening
from tests.postgres import NoPostgres, find_programs, own_postgres
from tests.proxy import Line, proxied
from tests.simulation.processes.house import PAPER, PASSWORD, QUOTES, REDIS, WORKER, House
from tests.simulation.processes.market import BEFORE, FALLEN, Market, Stock, write_day
from tests.simulation.processes.metronome import Metronome
from tests.simulation.processes.on_postgres import PostgresHouse
from tests.stack import OPENING, PRODUCT, ROOT, TERMINAL, surroundings, wait_for
from tests.two_accounts import ACCOUNTS, arrivals, broken

pytestmark = [
    pytest.mark.slow,
    pytest.mark.system,
    pytest.mark.unattended,
    pytest.mark.usefixtures("whole_machine"),
    pytest.mark.skipif(connection.vendor == "postgresql", reason="it has a server of its own"),
]

SPEED = 20
#: Real seconds the line is down: longer than a lease lasts.
DOWN = 13.0
#: Real seconds a busy machine may need for a start; on a quiet one everything is back within a minute, as documented.
PATIENCE = 150.0
#: Real seconds before the opening: where a terminal begins with a recording of its own accord.
LEAD = 10
#: Offsets (market seconds after the opening) at which the holdings fall: before the line does, and while it is down.
FIRST, DURING = 40, (660, 700)
CUT_AT = 600


class Machines(PostgresHouse):
    """Both machines; the gateways' processes know the database and Redis at the near ends of the two lines."""

    def _command(self, name: str) -> list[str]:
        if name.startswith("gateway-"):
            return ["-m", "django", "gateway", name.removeprefix("gateway-")]
        return super()._command(name)

    def armed(self) -> bool:
        """Whether the gateways that run now are armed, each holding its lease."""
        rows = self.rows(
            "SELECT a.name, a.gateway_status, l.owner FROM trading_account a"
            " JOIN trading_gatewaylease l ON l.account_id = a.id"
        )
        living = {name: self.processes[f"gateway-{name}"].popen for name in ACCOUNTS}
        pids = {name: 0 if popen is None else popen.pid for name, popen in living.items()}
        return len(rows) == len(ACCOUNTS) and all(
            status == "armed" and f":{pids[name]}:" in owner for name, status, owner in rows
        )

    def are_running(self) -> bool:
        return all("is running" in log for log in self.gateway_logs().values())

    def story(self) -> str:
        """What the gateways say of themselves, for a test that failed."""
        return "\n".join(f"{name}: {log[-2000:]}" for name, log in self.gateway_logs().items())

    def gateway_logs(self) -> dict[str, str]:
        names = [f"gateway-{name}" for name in ACCOUNTS]
        return {name: (self.logs / f"{name}.txt").read_text("utf-8") for name in names}

    def sent(self, symbol: str = "") -> list[tuple[str, str, str]]:  # type: ignore[override]
        found = arrivals(self.home / TERMINAL)
        return [one for one in found if one[1] == symbol] if symbol else found


def a_day(path: Path) -> Market:
    stocks = [
        Stock(f"{600100 + number}.SH", 500, 5000, [(0, BEFORE), (at, FALLEN)])
        for number, at in enumerate((FIRST, *DURING))
    ]
    return write_day(path, stocks, OPENING, 8000)


@contextmanager
def two_machines(tmp_path: Path) -> Iterator[tuple[Machines, list[Line]]]:
    try:
        find_programs()
    except NoPostgres as why:
        pytest.skip(str(why))
    home, other = tmp_path / "windows", tmp_path / "linux"
    with own_postgres() as server:
        url = server.create_database("one")
        command = [sys.executable, "-m", "tests.two_accounts", str(home / PRODUCT)]
        known = {**surroundings(other), "DATABASE_URL": url}
        home.mkdir(mode=0o700)
        subprocess.run(command, cwd=ROOT, env=known, check=True, timeout=180)
        house = Machines(home, a_day(tmp_path / "day.csv"), SPEED)
        house.on(server, url)
        with house.in_use(), proxied(server.port) as rows, proxied(house.redis_port) as messages:
            far = {
                "DATABASE_URL": url.replace(f":{server.port}/", f":{rows.port}/"),
                "REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:{messages.port}/0",
            }
            # Slowly, until everybody is there; it is never set back, for the terminal's time would stand still.
            house.set_clock(OPENING - timedelta(seconds=LEAD * SPEED), speed=1)
            house.start(REDIS)
            accounts = [word for number in ACCOUNTS.values() for word in ("--account", number)]
            house.start(PAPER, options=accounts)
            house.start(WORKER, environment={"MINIQMT_HOME": str(other)})
            assert wait_for((home / "paper.json").exists, 60)
            house.start(QUOTES, environment=far)
            for name in ACCOUNTS:
                house.start(f"gateway-{name}", environment=far)
            assert wait_for(house.are_running, PATIENCE), house.story()
            house.set_clock(house.market_now())
            metronome = Metronome(house.redis_url)
            metronome.start()
            try:
                yield house, [rows, messages]
            finally:
                metronome.stop()


@pytest.mark.parametrize("how", ["cut", "swallow"])
def test_the_line_fails_while_holdings_fall_and_heals_by_itself(tmp_path, how, record_property):
    with two_machines(tmp_path) as (house, lines):
        assert wait_for(house.armed, PATIENCE), house.story()
        first = house.market.stocks[0].symbol
        assert wait_for(lambda: {one for one, *_ in house.sent(first)} == set(ACCOUNTS), PATIENCE)
        house.wait_for_market(OPENING + timedelta(seconds=CUT_AT))

        for line in lines:
            getattr(line, how)()
        house.wait_for_market(OPENING + timedelta(seconds=CUT_AT + SPEED))  # what was under way
        before = house.sent()
        house.wait_for_market(OPENING + timedelta(seconds=CUT_AT + DOWN * SPEED))
        assert house.sent() == before  # everything has fallen, and nothing was sent
        for line in lines:
            line.heal()

        took = wait_for(house.armed, PATIENCE)
        assert took is not None, house.story()
        sold = wait_for(lambda: all(fully_sold(house, name) for name in ACCOUNTS), PATIENCE)
        assert sold is not None, house.sent()
        for name in ACCOUNTS:
            opening = Opening(Decimal(1_000_000), house.market.opening)
            wait_for(partial(holds, house, name, opening), 20)
            assert books(house, name, opening) == []
        text = "".join(house.gateway_logs().values())
        # and ended itself, with its lease
        assert text.count("the gateway stood still") >= len(ACCOUNTS)
        record_property("armed", round(took, 1))
        record_property("sold", round(sold, 1))


def books(house: House, name: str, opening: Opening) -> list[str]:
    house.refresh()
    house.ask()
    return broken(house.home / PRODUCT, house.home / TERMINAL, name, opening, at_rest=True)


def holds(house: House, name: str, opening: Opening) -> bool:
    return not books(house, name, opening)


def fully_sold(house: House, name: str) -> bool:
    rows: list[Any] = house.rows(
        "SELECT COUNT(*) FROM trading_position p JOIN trading_account a ON a.id = p.account_id"
        " WHERE a.name = ? AND p.closed_at IS NULL AND p.quantity > 0",
        name,
    )
    return rows == [(0,)]
