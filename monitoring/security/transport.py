"""How PostgreSQL and Redis are reached: beyond this computer with TLS, a checked certificate and a password, or not at all.

Pure functions of what the environment says; the settings ask them first, so no process starts over a plain line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from monitoring.security.exposure import LOOPBACK, Hole
from trading.domain.types import Text


def is_here(host: str) -> bool:
    """Whether a host is this computer: the loopback, or a socket in its file system."""
    return not host or host in LOOPBACK or host.startswith(("127.", "/"))


def redis_of(url: str, ca: str) -> str:
    """Return REDIS_URL as every user of Redis gets it: over TLS the certificate is checked, by `ca` unless it names one."""
    where = urlsplit(url)
    if where.scheme != "rediss":
        return url
    given = dict(parse_qsl(where.query))
    asked = {"ssl_cert_reqs": "required", "ssl_check_hostname": "true"}
    if ca:
        asked["ssl_ca_certs"] = ca
    return urlunsplit(where._replace(query=urlencode({**asked, **given})))


def postgres_of(options: Mapping[str, Any], ca: str) -> dict[str, Any]:
    """Return libpq's options; one that checks certificates has `ca` unless it names a root itself."""
    wants_root = ca and str(options.get("sslmode", "")).startswith("verify")
    return {**({"sslrootcert": ca} if wants_root else {}), **options}


def plain_lines(database: Mapping[str, Any], redis_url: str) -> list[Hole]:
    """Return what stands against reaching the two servers as it is set; nothing while both are on this computer."""
    return [*_postgres(database), *_redis(redis_url)]


def _postgres(database: Mapping[str, Any]) -> list[Hole]:
    host = str(database.get("HOST", "") or "")
    if "sqlite" in str(database.get("ENGINE", "")) or is_here(host):
        return []
    options: Mapping[str, Any] = database.get("OPTIONS", {})
    found = []
    if options.get("sslmode") != "verify-full" or not options.get("sslrootcert"):
        found.append(Hole("miniqmt.E006", _PLAIN_DATABASE))
    if not database.get("PASSWORD") and not options.get("sslcert"):
        found.append(Hole("miniqmt.E007", _OPEN_DATABASE))
    return found


def _redis(url: str) -> list[Hole]:
    where = urlsplit(url)
    if not url or is_here(where.hostname or ""):
        return []
    query = dict(parse_qsl(where.query))
    checked = query.get("ssl_cert_reqs", "required") in ("required", "CERT_REQUIRED")
    named = query.get("ssl_check_hostname", "true").lower() not in ("false", "0", "no")
    found = []
    if where.scheme != "rediss" or not checked or not named:
        found.append(Hole("miniqmt.E008", _PLAIN_REDIS))
    if not where.password:
        found.append(Hole("miniqmt.E009", _OPEN_REDIS))
    return found


_PLAIN_DATABASE = Text(
    "DATABASE_URL leads to another computer without a checked certificate: orders and passwords could be read and"
    " changed on the way. Append ?sslmode=verify-full and name the root certificate in MINIQMT_CA (or &sslrootcert=…).",
    "DATABASE_URL 指向另一台计算机，但没有校验证书：委托与密码可能在途中被窃听或篡改。"
    "请加上 ?sslmode=verify-full，并用 MINIQMT_CA（或 &sslrootcert=…）指定根证书。",
)
_OPEN_DATABASE = Text(
    "DATABASE_URL leads to another computer and has no password. Give the database's user one.",
    "DATABASE_URL 指向另一台计算机，但没有密码。请为数据库用户设置密码。",
)
_PLAIN_REDIS = Text(
    "REDIS_URL leads to another computer without TLS or with an unchecked certificate: whoever is on the way gives the"
    " workers orders. Write rediss://…, and name the root certificate in MINIQMT_CA.",
    "REDIS_URL 指向另一台计算机，但没有 TLS 或不校验证书：途中的人可向工作进程下达任务。"
    "请使用 rediss://…，并用 MINIQMT_CA 指定根证书。",
)
_OPEN_REDIS = Text(
    "REDIS_URL leads to another computer and has no password. Write rediss://USER:PASSWORD@… with the user of its ACL.",
    "REDIS_URL 指向另一台计算机，但没有密码。请按其 ACL 用户写成 rediss://用户:密码@…。",
)
