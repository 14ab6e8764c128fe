"""The web server of `up` sleeps while nobody asks, and ends as soon as it is told to."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress

import pytest
import uvicorn
from django.conf import settings

from miniqmt import web
from monitoring.loopback import HOST, free_port, serves
from tests.redis_servers import wait_until

PATIENCE = 30.0


async def _greeting(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(web, "TURN", 3600.0)  # whoever waits for the next turn waits for ever
    options = {"lifespan": "off", "log_level": "critical"}
    return web.Server(uvicorn.Config(_greeting, port=free_port(), **options))


def _run(server):
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    return thread


def _is_served(port):
    with suppress(OSError):
        return serves(port, "/healthz")
    return False


def test_it_is_woken_by_being_told_to_stop(server):
    thread = _run(server)
    wait_until(lambda: _is_served(server.config.port))
    server.handle_exit(signal.SIGTERM, None)
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_told_before_it_serves_it_ends_as_well(server):
    server.handle_exit(signal.SIGTERM, None)
    thread = _run(server)
    thread.join(PATIENCE)
    assert not thread.is_alive()


@pytest.fixture
def start(tmp_path):
    started = []

    def start(port):
        command = (sys.executable, "-m", "miniqmt.web", "--port", str(port))
        environment = {"MINIQMT_HOME": str(tmp_path), "MINIQMT_READ_DOTENV": "false"}
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            cwd=settings.BASE_DIR,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM reaches nobody on Windows")
def test_the_process_serves_this_computer_alone_and_ends_when_told(start):
    port = free_port()
    process = start(port)
    wait_until(lambda: _is_served(port), PATIENCE)
    with socket.create_server(("127.0.0.2", port)):  # taken, if it were bound to every address
        process.terminate()
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGTERM
    assert said == ""


def test_a_port_that_is_taken_is_said(start):
    with socket.create_server((HOST, 0)) as taken:
        process = start(taken.getsockname()[1])
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3
    assert "address already in use" in said.lower() or "10048" in said
