"""Backup and restore of a PostgreSQL of the test's own, with PostgreSQL's programs and the commands a person types."""

from __future__ import annotations

from contextlib import closing
from datetime import date

import environ
import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from miniqmt import postgres
from miniqmt.postgres.base import DatabaseWrapper
from tests.postgres import postgres_or_skip
from tests.replays import used
from trading.models import TradingDay

pytestmark = [pytest.mark.system, pytest.mark.unattended]


@pytest.fixture
def url(django_db_blocker, tmp_path, settings):
    """The address of a migrated PostgreSQL, which is the default database of this thread."""
    settings.HOME = tmp_path
    with postgres_or_skip() as server:
        url = server.create_database("one")
        found = environ.Env.db_url_config(url)
        more = {"ENGINE": "miniqmt.postgres", "OPTIONS": postgres.options({})}
        wrapper = DatabaseWrapper({**connections["default"].settings_dict, **found, **more})
        with django_db_blocker.unblock(), closing(wrapper), used(wrapper):
            call_command("migrate", verbosity=0, interactive=False)
            yield url


def test_a_dump_is_proven_restored_and_refused_when_it_is_not_ours(
    url, tmp_path, capsys, monkeypatch
):
    TradingDay.objects.create(on=date(2026, 8, 10), is_session=True, source="test")

    call_command("backup", "now", lang="en")

    assert "restored into a scratch place" in capsys.readouterr().out
    [made] = tmp_path.glob("backups/*.pgdump")
    TradingDay.objects.all().delete()
    with psycopg.connect(url) as other:
        other.execute("CREATE TABLE of_a_later_version (id bigint)")
        other.commit()
        with pytest.raises(CommandError, match="stop every process"):
            call_command("restore", made.name, lang="en")
    assert not TradingDay.objects.exists()

    call_command("restore", made.name, lang="en")

    assert "The replaced one is" in capsys.readouterr().out
    assert TradingDay.objects.count() == 1
    assert len(list(tmp_path.glob("backups/*-before_restore.pgdump"))) == 1
    with psycopg.connect(url) as other:
        later = other.execute("SELECT to_regclass('of_a_later_version')").fetchone()
        names = other.execute("SELECT datname FROM pg_database").fetchall()
    assert later == (None,)
    assert not [name for (name,) in names if name.startswith("miniqmt_check")]

    strange = tmp_path / "strange.pgdump"
    strange.write_bytes(b"PGDMP" + b"\x00" * 100)
    with pytest.raises(CommandError, match="pg_restore"):
        call_command("restore", str(strange), unsealed=True, lang="en")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandError, match="PATH 中没有 pg_dump"):
        call_command("backup", "now", lang="zh")
    assert TradingDay.objects.count() == 1
