"""What must not leave this computer, taken out of any text: keys, passwords, tokens, addresses that let somebody in.

One function for the logs and for the bundle of a bug report. Standard library only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

HIDDEN = "[redacted]"
#: Files of MINIQMT_HOME whose whole content is a secret.
SECRET_FILES = ("secret_key", "admin-password.txt", "paper.token", "redis.password")
#: A word shorter than this is no secret worth its name, and would be found in every other word.
SHORTEST = 6

_SECRET_WORDS = (
    "passw(?:or)?ds?|passwd|pwd|secret|tokens?|api_?key|access_?key|secret_?key|send_?key|private_?key"
    "|authorization|basic_auth|credentials?|session_?id|(?:set-)?cookie"
)
_SECRET_NAME = re.compile(rf"(?:{_SECRET_WORDS}|(?:^|_)(?:key|urls?|dsn))$", re.IGNORECASE)
#: Variables of every shell that only sound like it.
_NO_SECRETS = frozenset(
    {
        "PWD",
        "OLDPWD",
        "STATIC_URL",
        "MEDIA_URL",
        "LOGIN_URL",
        "LOGIN_REDIRECT_URL",
        "LOGOUT_REDIRECT_URL",
    }
)
#: `password=x`, `"token": "x"`, `Authorization: Bearer x`; not the beginning of a list, nor what is no text.
_NAMED = re.compile(
    rf"""((?<![A-Za-z])[\w.-]*(?:{_SECRET_WORDS})["']?\s*[:=]\s*(?:b(?=["']))?["']?)"""
    r"""((?:bearer|basic|token)\s+)?+(?!(?:true|false|null|none)\b)([^\s"',;&}\])\[{(][^\s"',;&}\])]*)""",
    re.IGNORECASE,
)
#: A token of our JSON API, whatever stands before it.
_OURS_BY_LOOKS = re.compile(r"\bmqt_[\w-]{16,}")
_ADDRESS = re.compile(r"\b([a-z][a-z0-9+.-]{1,19})://([^\s\"'<>]+)", re.IGNORECASE)
#: Whose host and path say nothing once the password is gone; whatever has another scheme is a way to tell somebody.
_PLAIN = frozenset({"redis", "rediss", "postgres", "postgresql", "tcp", "file", "sqlite", "udp"})
_WEB = frozenset({"http", "https", "ws", "wss"})
_OURS = frozenset({"127.0.0.1", "localhost", "::1"})


def redacted(text: str, secrets: Iterable[str] = (), numbers: Iterable[str] = ()) -> str:
    """Return a text without these secrets, without anything named like one, and without addresses that let in.

    Of account `numbers` the last four characters stay. Redacting twice changes nothing more.
    """
    for secret in sorted(_spellings(secrets), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    for number in sorted(set(numbers), key=len, reverse=True):
        if len(number) > 4:
            text = text.replace(number, f"…{number[-4:]}")
    text = _OURS_BY_LOOKS.sub(HIDDEN, text)
    text = _ADDRESS.sub(_address, text)
    return _NAMED.sub(rf"\1\2{_escaped(HIDDEN)}", text)


def known_secrets(home: Path, environment: Mapping[str, str]) -> frozenset[str]:
    """Return the secrets that lie in a data directory and in the environment; what cannot be read has none."""
    found = {_read(home / name).strip() for name in SECRET_FILES}
    found |= {value for name, value in environment.items() if is_secret_name(name)}
    found |= {part for value in (*found, _redis_of(home)) for part in _password_of(value)}
    return frozenset(one for one in found if len(one) >= SHORTEST)


def is_secret_name(name: str) -> bool:
    """Whether a setting or a variable of this name holds a secret, or an address that may."""
    return name not in _NO_SECRETS and _SECRET_NAME.search(name) is not None


def _spellings(secrets: Iterable[str]) -> set[str]:
    """As they are, as a web address writes them, and as JSON does."""
    wanted = [one for one in secrets if len(one) >= SHORTEST]
    return {
        way
        for one in wanted
        for way in (one, quote(one, safe=""), json.dumps(one)[1:-1])
        if len(way) >= SHORTEST
    }


def _address(found: re.Match[str]) -> str:
    scheme, rest = found[1], found[2]
    if scheme.lower() in _PLAIN:
        login, at, place = rest.rpartition("@")
        user = login.partition(":")[0]
        return f"{scheme}://{user}:{HIDDEN}@{place}" if at and ":" in login else found[0]
    if scheme.lower() not in _WEB:
        return f"{scheme}://{HIDDEN}"
    host, slash, _ = rest.rpartition("@")[2].partition("/")
    if _host(host) in _OURS:
        path, mark, _ = rest.rpartition("@")[2].partition("?")
        return f"{scheme}://{path}" + (f"?{HIDDEN}" if mark else "")
    host, mark, _ = host.partition("?")
    return f"{scheme}://{host}" + (f"/{HIDDEN}" if slash or mark else "")


def _host(place: str) -> str:
    try:
        return urlsplit(f"//{place}").hostname or ""
    except ValueError:
        return ""


def _password_of(value: str) -> tuple[str, ...]:
    found = re.match(r"[\w+.-]+://[^\s/@]*:([^\s/@]+)@", value)
    return () if found is None else (found[1],)


def _redis_of(home: Path) -> str:
    found = re.search(r"redis://[^\s\"]+", _read(home / "run.json"))
    return "" if found is None else found[0]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\")
