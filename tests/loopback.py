"""A web server on this computer that answers as a test wants: with a code, never, or not at all."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Listener:
    """What came, as (path, text); `code` is answered, after `release` is set when it hangs."""

    def __init__(self, code: int = 200, *, hangs: bool = False) -> None:
        self.code = code
        self.came: list[tuple[str, str]] = []
        self.release = threading.Event()
        if not hangs:
            self.release.set()
        self.port = 0

    def bodies(self) -> list[dict[str, str]]:
        return [json.loads(text) for _, text in self.came]


@contextmanager
def listening(code: int = 200, *, hangs: bool = False) -> Iterator[Listener]:
    """Run a server for the time of a `with`."""
    listener = Listener(code, hangs=hangs)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            listener.came.append((self.path, self.rfile.read(length).decode()))
            listener.release.wait(timeout=30)
            try:
                self.send_response(listener.code)
                self.send_header("Content-Length", "0")
                self.end_headers()
            except OSError:
                return  # who asked is gone

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    listener.port = server.server_address[1]
    try:
        yield listener
    finally:
        listener.release.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
