"""How the servers on other computers may be reached, and how not."""

from __future__ import annotations

from typing import Any

import pytest

from miniqmt import postgres
from monitoring.security.transport import is_here, plain_lines, postgres_of, redis_of

pytestmark = [pytest.mark.fast, pytest.mark.system]

SAFE: dict[str, Any] = {
    "ENGINE": "miniqmt.postgres",
    "HOST": "db.example.com",
    "PASSWORD": "secret",
    "OPTIONS": {"sslmode": "verify-full", "sslrootcert": "/ca.pem"},
}
REDIS = "rediss://miniqmt:secret@redis.example.com:6380/0"


def test_two_lines_with_checked_certificates_and_passwords_are_let_through():
    assert plain_lines(SAFE, REDIS) == []


@pytest.mark.parametrize(
    ("change", "id"),
    [
        ({"OPTIONS": {}}, "miniqmt.E006"),
        ({"OPTIONS": {"sslmode": "require"}}, "miniqmt.E006"),
        ({"OPTIONS": {"sslmode": "verify-ca", "sslrootcert": "/ca.pem"}}, "miniqmt.E006"),
        ({"OPTIONS": {"sslmode": "verify-full"}}, "miniqmt.E006"),
        ({"PASSWORD": ""}, "miniqmt.E007"),
    ],
)
def test_a_database_beyond_this_computer_needs_a_checked_certificate_and_a_password(change, id):
    [hole] = plain_lines({**SAFE, **change}, REDIS)
    assert hole.id == id
    assert "DATABASE_URL" in hole.text.zh
    for here in ("127.0.0.1", "localhost", "", "/run/postgresql"):
        assert plain_lines({**SAFE, **change, "HOST": here}, REDIS) == []


@pytest.mark.parametrize(
    ("url", "ids"),
    [
        ("redis://:secret@redis.example.com:6379/0", ["miniqmt.E008"]),
        (REDIS + "?ssl_cert_reqs=none", ["miniqmt.E008"]),
        (REDIS + "?ssl_check_hostname=false", ["miniqmt.E008"]),
        ("rediss://redis.example.com:6380/0", ["miniqmt.E009"]),
        ("redis://10.0.0.7/0", ["miniqmt.E008", "miniqmt.E009"]),
        ("redis://127.0.0.1:6379/0", []),
        ("", []),
    ],
)
def test_a_redis_beyond_this_computer_needs_tls_and_a_password(url, ids):
    assert [hole.id for hole in plain_lines(SAFE, url)] == ids


def test_one_root_certificate_serves_both_unless_another_is_named():
    assert postgres_of({"sslmode": "verify-full"}, "/ca.pem")["sslrootcert"] == "/ca.pem"
    named = {"sslmode": "verify-full", "sslrootcert": "/own.pem"}
    assert postgres_of(named, "/ca.pem") == named
    assert postgres_of({}, "/ca.pem") == {}
    assert "ssl_ca_certs=%2Fca.pem" in redis_of(REDIS, "/ca.pem")
    assert "ssl_cert_reqs=required" in redis_of(REDIS, "")
    own = redis_of(REDIS + "?ssl_ca_certs=/own.pem", "/ca.pem")
    assert "own.pem" in own
    assert "%2Fca.pem" not in own
    assert redis_of("redis://127.0.0.1/0", "/ca.pem") == "redis://127.0.0.1/0"


def test_no_wait_for_the_database_is_without_an_end():
    told = postgres.options({"sslmode": "verify-full"})
    assert 0 < told["connect_timeout"] <= 10
    assert told["keepalives_idle"] + told["keepalives_count"] * told["keepalives_interval"] <= 30
    assert 0 < told["tcp_user_timeout"] <= 30_000
    for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
        assert f"-c {name}=" in told["options"]
    assert told["sslmode"] == "verify-full"


def test_only_the_loopback_and_sockets_of_the_file_system_are_here():
    assert all(map(is_here, ("", "localhost", "127.0.0.1", "127.1.2.3", "::1", "/tmp")))
    assert not any(map(is_here, ("10.0.0.3", "db", "192.168.1.20", "localhost.example.com")))
