"""The PostgreSQL the tests start for themselves (tests/postgres.py): what other tests do to it, it takes."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest

from tests.postgres import NoPostgres, find_programs, postgres_or_skip
from tests.redis_servers import ROOT, wait_until

pytestmark = [pytest.mark.system]


def test_it_keeps_what_was_committed_through_a_restart_and_a_crash():
    with postgres_or_skip() as server:
        url = server.create_database("one")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE fill (shares bigint); INSERT INTO fill VALUES (100)")

        server.restart()
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO fill VALUES (200)")
            connection.commit()
            connection.execute("INSERT INTO fill VALUES (900)")
            server.crash()
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
        assert not server.is_running()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url, connect_timeout=5)

        server.start()
        copy = server.create_database("two", template="one")
        with psycopg.connect(copy) as connection:
            assert connection.execute("SELECT shares FROM fill ORDER BY 1").fetchall() == [
                (100,),
                (200,),
            ]
        folder = server.folder

    assert not folder.exists()


def test_it_ends_with_whoever_started_it_however_that_one_dies():
    try:
        find_programs()
    except NoPostgres as why:
        pytest.skip(str(why))
    waits = "import sys, os; print(os.environ['DATABASE_URL'], flush=True); sys.stdin.read()"
    starter = subprocess.Popen(
        [sys.executable, "-m", "tests.postgres", sys.executable, "-c", waits],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    url = starter.stdout.readline().strip()
    psycopg.connect(url).close()

    starter.kill()
    starter.communicate()

    wait_until(lambda: not _answers(url), 20)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
