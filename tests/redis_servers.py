"""Redis servers for tests: the embedded one, and `redis-server` where it is installed. Each with its own password."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PASSWORD = "for-tests-only"


@dataclass(frozen=True)
class RedisServer:
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"


def wait_until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@contextlib.contextmanager
def embedded_redis(folder: Path, port: int = 0) -> Iterator[RedisServer]:
    """Run the product's own server in a process of its own."""
    password, ready = folder / "password", folder / "ready.json"
    password.write_text(PASSWORD, encoding="utf-8")
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "monitoring.embedded_redis", "--port", str(port)]
    files = ["--password-file", str(password), "--ready-file", str(ready)]
    process = subprocess.Popen([*command, *files], cwd=ROOT, stdin=subprocess.DEVNULL)
    try:
        wait_until(lambda: ready.exists() or process.poll() is not None)
        yield RedisServer(json.loads(ready.read_text(encoding="utf-8"))["port"], process)
    finally:
        _end(process)


@contextlib.contextmanager
def installed_redis(folder: Path) -> Iterator[RedisServer]:
    """Run `redis-server`, or skip the test when there is none."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--requirepass", PASSWORD, "--save", ""]
    process = subprocess.Popen(
        [program, *options, "--dir", str(folder)], stdout=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: _answers(port))
        yield RedisServer(port, process)
    finally:
        _end(process)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
