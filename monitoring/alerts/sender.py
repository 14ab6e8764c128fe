"""Sends messages to one address and ends: a process of its own, so that whatever hangs or leaks dies with it.

`python -m monitoring.alerts.sender` reads JSON from its standard input ({"url", "messages": [{"title", "body",
"kind"}]}) and writes one JSON line a message ({"ok", "answer"}). The address is a secret: it is neither among the
arguments, which others can read, nor in an answer. Without Django.
"""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

#: Characters of a message; services refuse or cut longer ones at lengths of their own.
TITLE, BODY = 120, 3000
_CUT = "…"
#: Parts of an address that are shorter say nothing that could be misused.
_SHORTEST_SECRET = 4
_ANSWER = 300
KINDS = ("info", "warning", "failure", "success")


def clean(text: str, longest: int, *, one_line: bool = False) -> str:
    """Return a text that no service takes for anything but words: no control characters, nobody is called by @."""
    kept = "".join(
        one
        for one in text.replace("\r\n", "\n")
        if one == "\n" or unicodedata.category(one) not in ("Cc", "Cs", "Cf", "Co", "Cn")
    )
    if one_line:
        kept = " ".join(kept.split())
    kept = kept.replace("@", "＠")  # @all, @everyone: whoever wrote it calls nobody
    return kept if len(kept) <= longest else kept[: longest - 1] + _CUT


def without_secrets(text: str, url: str) -> str:
    """Return what the other side answered, without any part of the address that could open it."""
    said = " ".join(text.split())
    parts = {one for one in re.split(r"[/?&=:@,#;]+", url) if len(one) >= _SHORTEST_SECRET}
    for part in sorted(parts | {unquote(one) for one in parts} | {url}, key=len, reverse=True):
        said = said.replace(part, "••••")
    return said[:_ANSWER]


def problem_of(url: str) -> str:
    """Return why apprise can make nothing of an address, empty when it can."""
    service, said = _service(url)
    return "" if service is not None else said or "no service has an address like this"


def send(url: str, messages: Iterable[Mapping[str, str]]) -> Iterator[dict[str, Any]]:
    """Send one message after the other, {"ok", "answer"} for each; it never raises for what the other side does."""
    service, said = _service(url)
    for one in messages:
        if service is None:
            yield {"ok": False, "answer": without_secrets(said, url)}
        else:
            yield _send(service, url, one)


def _service(url: str) -> tuple[Any, str]:
    import apprise  # large: only this process has it

    asset = apprise.AppriseAsset(
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        async_mode=False,
        app_id="miniqmt",
        app_desc="miniqmt",
        app_url="",
    )
    service = apprise.Apprise(asset=asset)
    with _listening() as log:
        added = service.add(url)
    return (service if added else None), log.getvalue()


def _send(service: Any, url: str, message: Mapping[str, str]) -> dict[str, Any]:
    import apprise

    kind = message.get("kind", "info")
    with _listening() as log:
        try:
            ok = service.notify(
                title=clean(message["title"], TITLE, one_line=True),
                body=clean(message["body"], BODY) or "-",
                notify_type=kind if kind in KINDS else "info",
                body_format=apprise.NotifyFormat.TEXT,
            )
        except Exception as problem:  # noqa: BLE001  a plug-in's own: the message is not sent, and that is said
            ok = False
            log.write(f"{type(problem).__name__}: {problem}")
    said = without_secrets(log.getvalue(), url)
    return {"ok": bool(ok), "answer": said or ("ok" if ok else "it did not say why")}


class _listening:
    """Hears what apprise logs meanwhile: the only place where it says what the other side answered."""

    def __init__(self) -> None:
        self._text = io.StringIO()
        self._handler = logging.StreamHandler(self._text)
        self._handler.setFormatter(logging.Formatter("%(message)s"))
        self._logger = logging.getLogger("apprise")

    def __enter__(self) -> io.StringIO:
        self._was = self._logger.level, self._logger.propagate
        self._logger.addHandler(self._handler)
        self._logger.setLevel(logging.INFO)
        self._logger.propagate = False  # an address must not reach any log
        return self._text

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self._handler)
        self._logger.level, self._logger.propagate = self._was


def main(arguments: Sequence[str]) -> None:
    """Read, send, answer; `check` among the arguments only says whether the address can be used."""
    asked = json.loads(sys.stdin.buffer.read())
    if "check" in arguments:
        problem = without_secrets(problem_of(asked["url"]), asked["url"])
        answers = iter([{"ok": not problem, "answer": problem}])
    else:
        answers = send(asked["url"], asked["messages"])
    for answer in answers:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()  # what was sent is known, even if the next one hangs


if __name__ == "__main__":
    main(sys.argv[1:])
