"""The web server of `up`: uvicorn on this computer's own address, which sleeps while nobody asks.

python -m miniqmt.web --port 8000
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Sequence
from types import FrameType

import uvicorn

from monitoring.loopback import HOST

#: Seconds between two looks at the clock, for the date in the answers' headers.
TURN = 1.0
#: Seconds that answers under way have once it is told to stop.
GRACE = 1


class Server(uvicorn.Server):
    """uvicorn looks ten times a second whether it was told to stop; this one is woken up by being told."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        """Wait until it is told to stop."""
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), TURN)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note a signal that ends it."""
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._told.set)


def configuration(port: int, *, is_proxied: bool = False) -> uvicorn.Config:
    """Return how the pages are served. `is_proxied`: headers may say where a request came from."""
    return uvicorn.Config(
        "miniqmt.asgi:application",
        host=HOST,
        port=port,
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=GRACE,
        proxy_headers=is_proxied,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; 3 when the port is taken, as uvicorn says it."""
    parser = argparse.ArgumentParser(prog="python -m miniqmt.web", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(
        "--proxied",
        action="store_true",
        help="a server on this computer is before it, whose headers say where a request came from",
    )
    options = parser.parse_args(arguments)
    server = Server(configuration(options.port, is_proxied=options.proxied))
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
