"""Checks of the lines to PostgreSQL and Redis on other computers: TLS is on, the certificate fits, and lasts."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

from django.conf import settings
from django.db import DatabaseError, connection

from monitoring.doctor.values import Case, Diagnosis, fail, not_checked, ok, warn
from monitoring.security.certificates import NoTls, valid_until
from monitoring.security.transport import is_here
from trading.domain.types import Text

#: A certificate that ends sooner is told in time to make a new one; and at last as a failure.
SOON, NOW = timedelta(days=30), timedelta(days=3)
POSTGRES_PORT, REDIS_PORT = 5432, 6379
_RENEW = Text(
    "Make a new certificate and restart the server (docs/several-machines.md).",
    "请签发新证书并重启服务（见 docs/several-machines.zh-CN.md）。",
)


def lines(case: Case) -> Iterator[Diagnosis]:
    """Look at both lines; one that does not leave this computer needs nothing."""
    yield from _postgres(case.now)
    yield from _redis(case.now)


def _postgres(now: datetime) -> Iterator[Diagnosis]:
    known = settings.DATABASES["default"]
    host = str(known.get("HOST") or "")
    if connection.vendor != "postgresql" or is_here(host):
        yield ok("DATABASE_LINE", "The database is on this computer.", "数据库在本机。")
        return
    port = int(known.get("PORT") or POSTGRES_PORT)
    root = str(known["OPTIONS"].get("sslrootcert", ""))
    name = Text("PostgreSQL", "PostgreSQL")
    yield certificate_of(name, host, port, root, now, is_postgres=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            is_safe, version = cursor.fetchone() or (False, "")
    except DatabaseError as problem:
        yield not_checked(
            "DATABASE_TLS",
            f"The database does not answer: {problem}",
            f"数据库没有应答：{problem}",
        )
        return
    if is_safe:
        yield ok(
            "DATABASE_TLS", f"Our connection uses {version}.", f"数据库连接已使用 {version}。"
        )
    else:
        text = Text("Our connection to the database is not encrypted.", "数据库连接没有加密。")
        remedy = Text("Set sslmode=verify-full in DATABASE_URL.", "请在 DATABASE_URL 中设置 sslmode=verify-full。")  # fmt: skip
        yield fail("DATABASE_TLS", text, remedy)


def _redis(now: datetime) -> Iterator[Diagnosis]:
    where = urlsplit(str(settings.REDIS_URL))
    host = where.hostname or ""
    if is_here(host):
        yield ok("REDIS_LINE", "Redis is on this computer.", "Redis 在本机。")
        return
    root = dict(parse_qsl(where.query)).get("ssl_ca_certs", "")
    name = Text("Redis", "Redis")
    yield certificate_of(name, host, where.port or REDIS_PORT, root, now, is_postgres=False)


def certificate_of(
    name: Text, host: str, port: int, root: str, now: datetime, *, is_postgres: bool
) -> Diagnosis:
    """Judge the certificate that a server shows now."""
    code = f"{name.en.upper()}_CERTIFICATE"
    try:
        until = valid_until(host, port, root, is_postgres=is_postgres)
    except (NoTls, ssl.SSLError) as problem:
        is_plain = isinstance(problem, NoTls)
        why = (
            Text("it speaks no TLS", "没有启用 TLS")
            if is_plain
            else Text(str(problem), str(problem))
        )
        text = Text(
            f"The certificate of {name.en} at {host}:{port} cannot be relied on: {why.en}.",
            f"{host}:{port} 的 {name.zh} 证书不可信：{why.zh}。",
        )
        return fail(code, text, _RENEW)
    except OSError as problem:
        return not_checked(
            code,
            f"{name.en} at {host}:{port} cannot be reached: {problem}",
            f"无法连接 {host}:{port} 的 {name.zh}：{problem}",
        )
    left = until - now
    days = max(left.days, 0)
    text = Text(
        f"The certificate of {name.en} at {host} lasts until {until:%Y-%m-%d} ({days} days).",
        f"{host} 的 {name.zh} 证书有效期至 {until:%Y-%m-%d}（还有 {days} 天）。",
    )
    if left < NOW:
        return fail(code, text, _RENEW)
    return warn(code, text, _RENEW) if left < SOON else ok(code, text.en, text.zh)
