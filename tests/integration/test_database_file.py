"""The database as it is in production: a file, several threads and processes, each with a connection of its own.

(PostgreSQL: tests of its own. Other tests use a database in memory, where nobody waits for anybody.)
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connections, transaction
from django.db.backends.sqlite3.base import DatabaseWrapper

from miniqmt import settings as production
from tests.redis_servers import ROOT
from tests.replays import used
from trading.domain.types import CHINA
from trading.market_data.file_store import FileQuoteStore
from trading.models import TickLease
from trading.paper.store import Store
from trading.services import leases
from trading.services.shared_quotes import quotes_of_thread

pytestmark = [pytest.mark.system, pytest.mark.unattended]

NOW = datetime(2026, 8, 10, 10, 0, tzinfo=CHINA)
#: All turns lie within the ten seconds by which one clock may differ from another's (trading/services/leases.py).
PERIOD = timedelta(seconds=0.3)
THREADS, TURNS = 6, 25


@pytest.fixture
def open_database(tmp_path, django_db_blocker) -> Iterator[Callable[..., DatabaseWrapper]]:
    """Give a function that opens the file as a process of ours does; the default one of this thread is it already."""
    options: dict[str, Any] = production.DATABASES["default"]["OPTIONS"]
    if "transaction_mode" not in options:
        pytest.skip("the database of this run is no file")
    known = {**connections["default"].settings_dict, "NAME": str(tmp_path / "miniqmt.sqlite3")}
    known["ENGINE"] = "django.db.backends.sqlite3"

    def make(**more: Any) -> DatabaseWrapper:
        return DatabaseWrapper({**known, "OPTIONS": {**options, **more}})

    with django_db_blocker.unblock(), closing(make()) as database, used(database):
        with database.schema_editor() as editor:
            editor.create_model(TickLease)
        yield make


@contextmanager
def held(path: str) -> Iterator[None]:
    """Hold the write lock as another process would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def in_threads(work: Callable[[], object], number: int = THREADS) -> list[object]:
    """Run work in threads at once; what each returned or raised."""
    results: list[object] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as problem:  # noqa: BLE001 - shown by the test
            results.append(problem)

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_f150_f155_threads_that_write_at_once_lose_nothing_each_on_its_own_connection(
    open_database,
):
    TickLease.objects.create(name="count", started_at=NOW)
    seen = []

    def work() -> int:
        with closing(open_database()) as own, used(own):
            seen.append(own.cursor().connection)
            claimed = 0
            for turn in range(TURNS):
                moment = NOW + turn * PERIOD
                with transaction.atomic():
                    claimed += leases.claim("tick", PERIOD, moment)
                    row = TickLease.objects.get(
                        name="count"
                    )  # read, think, write: nobody in between
                    assert row.started_at is not None
                    row.started_at += timedelta(seconds=1)
                    row.save()
            return claimed

    results = in_threads(work)
    assert all(isinstance(result, int) for result in results), results
    assert len(set(map(id, seen))) == THREADS
    assert 0 < sum(results) <= TURNS
    counted = TickLease.objects.get(name="count").started_at - NOW
    assert counted == timedelta(seconds=THREADS * TURNS)
    [(state,)] = connections["default"].cursor().execute("PRAGMA integrity_check").fetchall()
    assert state == "ok"


def test_f155_a_worker_thread_has_quotes_of_its_own_and_a_borrowed_store_is_refused(tmp_path):
    readers = [
        quotes_of_thread(),
        *in_threads(quotes_of_thread, 3),
    ]  # kept: numbers of what is gone are used again
    assert len(set(map(id, readers))) == 4
    store = FileQuoteStore(tmp_path / "quotes.sqlite3", writes=True)
    assert store.kept().newest == {}
    [refused] = in_threads(store.kept, 1)
    assert "thread" in str(refused)
    store.close()


# --- waiting ------------------------------------------------------------------------------------


def test_f151_a_writer_waits_for_another_one_and_a_reader_for_nobody(open_database):
    TickLease.objects.create(name="one", started_at=NOW)
    path = connections["default"].settings_dict["NAME"]
    began = time.monotonic()
    with held(path):
        assert TickLease.objects.get(name="one").started_at == NOW
        assert time.monotonic() - began < 0.3
        waiting = threading.Thread(target=_claim, args=(open_database,))
        waiting.start()
        time.sleep(0.5)
        assert waiting.is_alive()
    waiting.join(10)
    assert TickLease.objects.filter(name="another").exists()


def _claim(open_database: Callable[..., DatabaseWrapper]) -> None:
    with closing(open_database()) as own, used(own):
        leases.claim("another", PERIOD, NOW)


def test_f151_every_file_of_ours_keeps_a_journal_beside_it_and_waits_in_bounds(
    open_database, tmp_path
):
    quotes = FileQuoteStore(tmp_path / "quotes.sqlite3", writes=True)
    quotes.kept()
    books = Store(tmp_path / "paper.sqlite3")
    reader = FileQuoteStore(tmp_path / "quotes.sqlite3")
    reader.kept()
    for name, raw, most in (
        ("database", connections["default"].connection, 20_000),
        ("quotes", quotes._db, 5_000),
        ("quotes, read", reader._db, 5_000),
        ("the twin's books", books._db, 5_000),
    ):
        assert raw is not None
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",), name
        assert 0 < raw.execute("PRAGMA busy_timeout").fetchone()[0] <= most, name
    for one in (quotes, books, reader):
        one.close()


def test_f153_a_database_that_never_answers_is_given_up_and_works_again(open_database):
    with closing(open_database(timeout=0.3)) as impatient, used(impatient):
        TickLease.objects.create(name="one", started_at=NOW)
        with held(impatient.settings_dict["NAME"]):
            began = time.monotonic()
            with pytest.raises(OperationalError, match="locked"):
                leases.claim("one", PERIOD, NOW + PERIOD)
            assert 0.2 < time.monotonic() - began < 3
        assert leases.claim("one", PERIOD, NOW + PERIOD)


STUCK = """
import sqlite3, sys, time
from trading.management.watchdog import Keeper, Watchdog
watchdog = Watchdog(lambda: 0.5, time.monotonic)
own = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)
keeper = Keeper(lambda: own.execute("BEGIN IMMEDIATE"), watchdog, 2.0, time.monotonic)
watchdog.start()
print("asks", flush=True)
keeper.keep()
"""


def test_f153_a_gateway_whose_lease_waits_for_the_database_ends_before_it_runs_out(open_database):
    path = connections["default"].settings_dict["NAME"]
    with held(path):
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", STUCK, path], cwd=ROOT, timeout=15, capture_output=True
        )
    assert (done.returncode, done.stdout.strip()) == (70, b"asks"), done.stderr
    assert time.monotonic() - began < 15


# --- transactions and connections ----------------------------------------------------------------


def test_f148_a_transaction_that_fails_leaves_the_connection_as_it_was(open_database):
    TickLease.objects.create(name="one", started_at=NOW)
    with pytest.raises(IntegrityError):
        _write_and_fail()
    assert TickLease.objects.get(name="one").started_at == NOW
    with transaction.atomic():  # one inside another, which fails: the outer one goes on
        TickLease.objects.filter(name="one").update(started_at=NOW + PERIOD)
        with pytest.raises(IntegrityError), transaction.atomic():
            TickLease.objects.create(name="one", started_at=NOW)
        TickLease.objects.create(name="two", started_at=NOW)
    assert TickLease.objects.get(name="one").started_at == NOW + PERIOD
    assert leases.claim("one", PERIOD, NOW + 2 * PERIOD)
    assert not connections["default"].in_atomic_block


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files as Linux does")
def test_f152_files_that_are_opened_are_closed(open_database, tmp_path):
    def once() -> None:
        for store in (
            FileQuoteStore(tmp_path / "quotes.sqlite3", writes=True),
            FileQuoteStore(tmp_path / "quotes.sqlite3"),
        ):
            store.kept()
            store.close()
        Store(tmp_path / "paper.sqlite3").close()
        with closing(open_database()) as own, used(own):
            assert leases.is_due("tick", PERIOD, NOW)

    once()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        once()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def _write_and_fail() -> None:
    with transaction.atomic():
        TickLease.objects.filter(name="one").update(started_at=NOW + PERIOD)
        TickLease.objects.create(name="one", started_at=NOW)
