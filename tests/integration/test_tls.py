"""Redis and PostgreSQL over TLS, with real servers: every user of them checks the certificate, and plain text is refused."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
import redis
from celery import Celery

from monitoring.doctor import lines
from monitoring.doctor.values import Severity
from monitoring.security.certificates import NoTls, valid_until
from monitoring.security.transport import redis_of
from tests.certificates import certificates, speaking_tls
from tests.integration.redis_uses import quotes_and_nudges_work
from tests.postgres import postgres_or_skip
from tests.redis_servers import PASSWORD, embedded_redis
from tests.stack import ROOT, surroundings
from trading.domain.types import Text
from trading.errors import GatewayUnavailable
from trading.market_data.redis_store import RedisQuoteStore

pytestmark = [pytest.mark.system, pytest.mark.orders]

NAME = Text("Redis", "Redis")
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def redis_port(tmp_path_factory, made):
    folder = tmp_path_factory.mktemp("redis")
    with embedded_redis(folder) as server, speaking_tls(server.port, made) as port:
        yield port


@pytest.fixture
def url(redis_port, made):
    return redis_of(f"rediss://default:{PASSWORD}@localhost:{redis_port}/0", str(made.root))


def test_quotes_nudges_and_tasks_travel_over_tls_with_the_user_of_the_acl(url):
    quotes_and_nudges_work(url)

    app = Celery("tls", broker=url)
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=10)
        app.send_task("nobody.runs.it", queue="tls", connection=connection)
    client = redis.Redis.from_url(url)
    assert client.llen("tls") == 1
    client.delete("tls")
    client.close()


@pytest.mark.parametrize("how", ["another root", "another name", "plain text"])
def test_whoever_cannot_prove_the_server_does_not_talk_to_it(redis_port, made, tmp_path, how):
    root, host, scheme = made.root, "localhost", "rediss"
    if how == "another root":
        root = certificates(tmp_path).root
    if how == "another name":
        host = "127.0.0.1"
    if how == "plain text":
        scheme = "redis"
    address = redis_of(f"{scheme}://default:{PASSWORD}@{host}:{redis_port}/0", str(root))
    with pytest.raises(GatewayUnavailable):
        RedisQuoteStore(address, timeout=3.0).latest(["600036.SH"])


def test_the_doctor_tells_when_a_certificate_ends_and_that_another_does_not_fit(
    redis_port, made, tmp_path
):
    def judged(root, now):
        return lines.certificate_of(NAME, "localhost", redis_port, str(root), now, is_postgres=False)  # fmt: skip

    assert judged(made.root, NOW).severity is Severity.OK
    assert judged(made.root, NOW + timedelta(days=340)).severity is Severity.WARN
    assert judged(made.root, NOW + timedelta(days=363)).severity is Severity.FAIL
    strange = judged(certificates(tmp_path).root, NOW)
    assert strange.severity is Severity.FAIL
    assert strange.code == "REDIS_CERTIFICATE"


def test_the_database_is_reached_over_tls_and_its_certificate_is_checked(made, tmp_path):
    with postgres_or_skip() as server:
        with pytest.raises(NoTls):
            valid_until("127.0.0.1", server.port, "", is_postgres=True)
        server.use_tls(made.certificate, made.key)
        until = valid_until("localhost", server.port, str(made.root), is_postgres=True)
        assert until > NOW + timedelta(days=300)
        with pytest.raises(ssl.SSLError):
            valid_until("127.0.0.1", server.port, str(made.root), is_postgres=True)

        safe = server.url.replace("127.0.0.1", "localhost") + "?sslmode=verify-full"
        assert asked(tmp_path, safe, str(made.root)) == "True"
        wrong = server.url + "?sslmode=verify-full"  # the certificate is of another name
        assert "certificate" in asked(tmp_path, wrong, str(made.root))
        other = certificates(tmp_path / "other").root
        assert "certificate" in asked(tmp_path, safe, str(other))


def test_no_process_starts_over_a_plain_line(tmp_path):
    said = asked(tmp_path, "postgres://user:secret@db.example.com/miniqmt", "")
    assert "miniqmt.E006" in said
    assert quote("secret") not in said


_ASK = (
    "import django; django.setup()\n"
    "from django.db import connection\n"
    "with connection.cursor() as cursor:\n"
    "    cursor.execute('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')\n"
    "    print(cursor.fetchone()[0])"
)


def asked(home, url: str, root: str) -> str:
    """What a process with these settings says: whether its connection is encrypted, or why it has none."""
    known = {**surroundings(home), "DATABASE_URL": url, "MINIQMT_CA": root, "PATH": os.environ["PATH"]}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", _ASK], cwd=ROOT, env=known, capture_output=True, text=True,
        encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip
    return done.stdout.strip() or done.stderr
