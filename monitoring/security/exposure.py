"""What must be so before anybody beyond this computer may reach the web. Decides only; nothing is read here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from trading.domain.types import Text

LOOPBACK = {"127.0.0.1", "localhost", "::1", "[::1]", "0:0:0:0:0:0:0:1"}
#: Shorter keys can be guessed; Django says the same (security.W009).
_KEY_LENGTH, _KEY_LETTERS = 50, 5
_INSECURE_KEY = "django-insecure-"
#: Commands that serve the web, and the option that says where; runserver takes it without one.
_SERVERS: Mapping[str, str] = {
    "uvicorn": "--host",
    "hypercorn": "--bind",
    "daphne": "-b",
    "gunicorn": "--bind",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """How this installation is set: settings, and the command line that runs."""

    arguments: Sequence[str]
    debug: bool
    key: str
    hosts: Sequence[str]
    https: bool
    redis_url: str


@dataclass(frozen=True, slots=True)
class Hole:
    """Why the web is not served. `id` is the system check's."""

    id: str
    text: Text


def bound_to(arguments: Sequence[str]) -> str:
    """Return the address a command line binds a web server to; empty when it starts none, or on this computer."""
    words = [str(one) for one in arguments]
    if "runserver" in words:
        places = [one for one in words[words.index("runserver") + 1 :] if not one.startswith("-")]
        return _host(places[0]) if places and not places[0].isdecimal() else ""
    for name, option in _SERVERS.items():
        if words and name in words[0]:
            for at, word in enumerate(words):
                if word == option and at + 1 < len(words):
                    return _host(words[at + 1])
                if word.startswith(option + "="):
                    return _host(word.partition("=")[2])
    return ""


def _host(place: str) -> str:
    host, colon, port = place.rpartition(":")
    is_bare = not colon or not port.isdecimal() or (":" in host and not host.startswith("["))
    found = place if is_bare else host
    return "0.0.0.0" if found == "0" else found  # as runserver reads it


def is_exposed(facts: Facts) -> bool:
    """Whether the web faces more than this computer: by its address, or by a name it answers to."""
    host = bound_to(facts.arguments)
    beyond = bool(host) and host not in LOOPBACK and not host.startswith("127.")
    return beyond or any(name not in {*LOOPBACK, "testserver"} for name in facts.hosts)


def holes(facts: Facts) -> list[Hole]:
    """Return what has to be put right first; nothing when the web faces this computer alone."""
    if not is_exposed(facts):
        return []
    found = [
        (facts.debug, "E001", _DEBUG),
        (_is_weak(facts.key), "E002", _KEY),
        ("*" in facts.hosts, "E003", _HOSTS),
        (_has_no_password(facts.redis_url), "E004", _REDIS),
        (not facts.https, "E005", _HTTPS),
    ]
    return [Hole(f"miniqmt.{number}", text) for is_so, number, text in found if is_so]


def _is_weak(key: str) -> bool:
    too_short = len(key) < _KEY_LENGTH or len(set(key)) < _KEY_LETTERS
    return too_short or key.startswith(_INSECURE_KEY)


def _has_no_password(url: str) -> bool:
    return bool(url) and not urlsplit(url).password


_DEBUG = Text(
    "DEBUG is on: error pages show the program and its settings. Set DEBUG=false.",
    "DEBUG 已打开：错误页面会显示程序与配置。请设为 DEBUG=false。",
)
_KEY = Text(
    "DJANGO_SECRET_KEY is short or a well-known one: sessions can be forged. Leave it out, and one is made; or take"
    " 50 random characters or more.",
    "DJANGO_SECRET_KEY 过短或为公开的默认值：会话可被伪造。请不设置（自动生成），或使用 50 个以上随机字符。",
)
_HOSTS = Text(
    "ALLOWED_HOSTS contains *: name each host.",
    "ALLOWED_HOSTS 含有 *：请逐个列出主机名。",
)
_REDIS = Text(
    "REDIS_URL has no password: whoever reaches that Redis gives the workers orders. Set one (redis://:PASSWORD@…).",
    "REDIS_URL 没有密码：能访问该 Redis 的人可向工作进程下达任务。请设置密码（redis://:密码@…）。",
)
_HTTPS = Text(
    "The web would be served over plain HTTP: passwords could be read on the way. Put a server with a certificate in"
    " front (or give uvicorn one), then set MINIQMT_HTTPS=true.",
    "网页将以明文 HTTP 提供，密码可能被窃听。请在前面放置带证书的服务器（或为 uvicorn 配置证书），"
    "再设 MINIQMT_HTTPS=true。",
)
