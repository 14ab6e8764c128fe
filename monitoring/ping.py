"""Asks one address over HTTP and says what came of it. Standard library only: it starts in a moment, and is run apart.

`python -m monitoring.ping` reads JSON from its standard input ({"url", "body", "timeout"}) and writes
{"ok", "answer"}. Whoever starts it ends it after its time: neither a name server nor a slow answer can hold him up.
"""

from __future__ import annotations

import json
import sys
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener


class _NoRedirect(HTTPRedirectHandler):
    """The address is a secret of its own: it is not carried elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        return None


def ping(url: str, body: str, timeout: float) -> dict[str, Any]:
    """POST a text to an address; any answer below 400 is a good one."""
    if not url.startswith(("http://", "https://")):
        return {"ok": False, "answer": "the address does not begin with http:// or https://"}
    request = Request(url, body.encode(), {"Content-Type": "text/plain; charset=utf-8"})
    try:
        with build_opener(_NoRedirect).open(request, timeout=timeout) as answer:
            return {"ok": True, "answer": str(answer.status)}
    except HTTPError as problem:
        return {"ok": False, "answer": f"HTTP {problem.code}"}
    except (OSError, ValueError) as problem:
        why = problem.reason if isinstance(problem, URLError) else problem
        return {"ok": False, "answer": type(why).__name__}


if __name__ == "__main__":
    asked = json.loads(sys.stdin.buffer.read())
    sys.stdout.write(json.dumps(ping(asked["url"], asked["body"], asked["timeout"])))
