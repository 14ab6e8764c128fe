"""A headless Chromium driven over its own protocol: no package, no driver, nothing that calls out."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tornado.websocket import WebSocketClientConnection, websocket_connect

#: Seconds the browser has to start, and to answer.
PATIENCE = 30.0
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
_OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-extensions", "--disable-dev-shm-usage", "--remote-debugging-port=0"),
    "--remote-allow-origins=*",
)


def installed() -> str | None:
    """Return the path of a Chromium, None where there is none."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextlib.contextmanager
def chromium() -> Iterator[Page]:
    """Start a browser with a new profile and give its one page; both are gone afterwards."""
    program = installed()
    assert program is not None
    with (
        tempfile.TemporaryDirectory(prefix="chromium", ignore_cleanup_errors=True) as profile,
        subprocess.Popen(
            [program, *_OPTIONS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        loop = asyncio.new_event_loop()
        try:
            page = Page(loop, Path(profile))
            yield page
            page.close()
        finally:
            process.kill()
            process.wait(PATIENCE)
            loop.close()


class Page:
    """One page. `requests`: the addresses it asked for; `complaints`: errors of its scripts and of its policy.

    `received`: bytes that came over the line with answers that have ended, heads included.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, profile: Path) -> None:
        self._loop, self._numbers = loop, itertools.count(1)
        self._socket: WebSocketClientConnection = self._wait(
            lambda: websocket_connect(_address(profile), max_message_size=64 * 1024 * 1024)
        )
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.received = 0
        targets = self._call("Target.getTargets")["targetInfos"]
        target = next(one["targetId"] for one in targets if one["type"] == "page")
        attached = {"targetId": target, "flatten": True}
        self._session: str | None = None
        self._session = self._call("Target.attachToTarget", attached)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self._call(f"{domain}.enable")

    def close(self) -> None:
        # In its loop: another test of this process may have left none to write with.
        async def closed() -> None:
            self._socket.close()

        self._wait(closed)

    def cookie(self, url: str, name: str, value: str) -> None:
        self._call("Network.setCookie", {"url": url, "name": name, "value": value})

    def size(self, width: int, height: int, *, dark: bool = False) -> None:
        """Look through a window of so many pixels; under 500 it is a phone's."""
        phone = width < 500
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
        self._call("Emulation.setDeviceMetricsOverride", metrics)
        self._call("Emulation.setScrollbarsHidden", {"hidden": True})
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", {"features": [scheme]})

    def open(self, url: str) -> None:
        self._call("Page.navigate", {"url": url})
        self.until("document.readyState === 'complete'")

    def ask(self, expression: str) -> Any:
        """Return what a JavaScript expression says; the page must have one."""
        answer = self._call("Runtime.evaluate", {"expression": expression, "returnByValue": True})
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression: str, seconds: float = PATIENCE) -> None:
        """Wait until a JavaScript expression holds."""
        ends = time.monotonic() + seconds
        while not self.ask(f"!!({expression})"):
            assert time.monotonic() < ends, f"{seconds:.0f} s passed without: {expression}"
            self._wait(lambda: asyncio.sleep(0.1))

    def key(self, name: str) -> None:
        """Press a key that writes nothing: `Enter`, `Escape`, `Tab`."""
        code = {"Enter": 13, "Escape": 27, "Tab": 9}[name]
        pressed = {"key": name, "code": name, "windowsVirtualKeyCode": code}
        text = {"text": "\r"} if name == "Enter" else {}
        self._call("Input.dispatchKeyEvent", {"type": "keyDown", **pressed, **text})
        self._call("Input.dispatchKeyEvent", {"type": "keyUp", **pressed})

    def write(self, text: str) -> None:
        """Write into what has the focus."""
        self._call("Input.insertText", {"text": text})

    def picture(self, path: Path) -> None:
        """Save the whole page as a PNG."""
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = {"captureBeyondViewport": True, "clip": clip}
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", shot)["data"]))

    def _call(self, method: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters or {}}
        if getattr(self, "_session", None):
            message["sessionId"] = self._session
        self._wait(lambda: self._socket.write_message(json.dumps(message)))
        while True:
            answer = json.loads(self._wait(self._socket.read_message))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def _note(self, event: dict[str, Any]) -> None:
        parameters = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif event.get("method") == "Network.loadingFinished":
            self.received += int(parameters["encodedDataLength"])
        elif event.get("method") == "Log.entryAdded":
            self.complaints.append(parameters["entry"]["text"])
        elif event.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(parameters["exceptionDetails"]))

    def _wait(self, start: Callable[[], Any]) -> Any:
        async def waited() -> Any:
            return await asyncio.wait_for(start(), PATIENCE)

        return self._loop.run_until_complete(waited())


def _address(profile: Path) -> str:
    """Return where the browser listens: it writes port and path into its profile."""
    ends, file = time.monotonic() + PATIENCE, profile / "DevToolsActivePort"
    while time.monotonic() < ends:
        with contextlib.suppress(OSError):
            said = re.fullmatch(r"(\d+)\n(\S+)\s*", file.read_text(encoding="utf-8"))
            if said is not None:
                return f"ws://127.0.0.1:{said[1]}{said[2]}"
        time.sleep(0.05)
    raise TimeoutError("the browser did not start")
