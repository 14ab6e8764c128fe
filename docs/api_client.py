"""A client of miniqmt's JSON API with the standard library alone (docs/api.md). Copy it and change it as you like."""

from __future__ import annotations

import json
import sys
import time
import uuid
from http.client import HTTPResponse
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

#: Seconds an answer may take; how often a request without an answer is repeated.
PATIENCE, TRIES = 10.0, 3


class Refused(Exception):
    """The request was refused and nothing was done; `problem` says why, and what to do."""

    def __init__(self, problem: dict[str, Any]) -> None:
        self.problem = problem
        super().__init__(f"{problem['status']} {problem['code']}: {problem['detail']}")


class Client:
    """One server, one token."""

    def __init__(self, server: str, token: str) -> None:
        self._root, self._token = f"{server}/api/v1", token
        self._known: dict[str, tuple[str, Any]] = {}  # address → (ETag, answer)

    def get(self, path: str, **query: object) -> Any:
        """Return an answer; one that has not changed is not sent again. Raises Refused."""
        address = f"{path}?{urlencode(query)}" if query else path
        etag, known = self._known.get(address, ("", None))
        with self._ask("GET", address, None, {"If-None-Match": etag} if etag else {}) as response:
            if response.status == 304:
                return known
            answer = json.load(response)
            self._known[address] = response.headers["ETag"], answer
            return answer

    def change(self, method: str, path: str, body: object = None) -> Any:
        """Change something, once: a repetition after a lost answer carries the same key. Raises Refused."""
        key = str(uuid.uuid4())
        with self._ask(method, path, body, {"Idempotency-Key": key}) as response:
            return json.load(response)

    def _ask(self, method: str, path: str, body: object, headers: dict[str, str]) -> HTTPResponse:
        given = {"Authorization": f"Bearer {self._token}", **headers}
        data = None
        if body is not None:
            given["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        request = Request(self._root + path, data, given, method=method)
        for left in reversed(range(TRIES)):
            try:
                response: HTTPResponse = urlopen(request, timeout=PATIENCE)
                return response
            except HTTPError as refusal:
                if refusal.code == 304:
                    return refusal  # type: ignore[return-value] # it reads like an answer
                with refusal:
                    if "json" not in refusal.headers.get("Content-Type", ""):
                        raise  # a fault of the server, or not this server
                    problem = json.load(refusal)
                wait = refusal.headers.get("Retry-After")
                if wait is None or not left:
                    raise Refused(problem) from None
                time.sleep(float(wait))  # noqa: TID251
            except OSError:  # no answer
                if not left:
                    raise
        raise AssertionError("not reached")


def main(server: str, token: str) -> None:
    """Print what each holding is worth and what would sell it."""
    console = Client(server, token)
    for one in console.get("/holdings")["items"]:
        held = one["holding"]
        print(  # noqa: T201
            held["symbol"], held["name"], held["quantity"], held["last"] or "?",
            held["status"]["zh"], held["sale_price"] or "-",
        )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
