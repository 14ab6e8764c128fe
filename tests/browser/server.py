"""The web server as `manage.py up` runs it, in a thread of a test: pages and stream, on a port that stays its own."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections

from miniqmt.web import Server, configuration

PATIENCE = 10.0


class Web:
    """A server that can be cut off and come back at the same address."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._server = Server(configuration(self.port))
        self._thread = threading.Thread(target=self._run, name="uvicorn", daemon=True)
        self._thread.start()
        for _ in range(int(PATIENCE * 50)):
            if self._server.started:
                return
            threading.Event().wait(0.02)
        raise TimeoutError("the web server did not start")

    def stop(self) -> None:
        """End it, and every line with it."""
        if self._server is not None and self._thread is not None:
            self._server.handle_exit(signal.SIGTERM, None)
            self._thread.join(PATIENCE)
            assert not self._thread.is_alive()
            self._server = None

    def _run(self) -> None:
        assert self._server is not None
        try:
            asyncio.run(self._server.serve())
        finally:
            connections.close_all()


@contextmanager
def web_server() -> Iterator[Web]:
    """Run one; it is gone afterwards."""
    web = Web()
    with warnings.catch_warnings():
        # Under ASGI static files are read whole and left to the collector, by packages of others.
        warnings.simplefilter("ignore", ResourceWarning)
        warnings.filterwarnings("ignore", "StreamingHttpResponse must consume synchronous")
        web.start()
        try:
            yield web
        finally:
            web.stop()
            gc.collect()
