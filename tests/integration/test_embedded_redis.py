"""The embedded Redis speaks to redis-py and Celery as a real one does, and to strangers not at all."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import redis
from celery import Celery
from fakeredis._commands import SUPPORTED_COMMANDS
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.redis_servers import PASSWORD, ROOT, embedded_redis, wait_until

pytestmark = pytest.mark.system

TASKS = """
from celery import Celery

app = Celery("tiny", broker={url!r}, backend={url!r})
app.conf.update(broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)
app.conf.beat_schedule = {{"tick": {{"task": "tiny.tick", "schedule": 0.3}}}}
app.conf.beat_schedule_filename = {schedule!r}

@app.task(name="tiny.add")
def add(one, two):
    return one + two

@app.task(name="tiny.tick", ignore_result=True)
def tick():
    app.backend.client.incr("ticks")
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with embedded_redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def client(server, request):
    with redis.Redis(
        port=server.port, password=PASSWORD, protocol=request.param, socket_timeout=5
    ) as connected:
        connected.flushall()
        yield connected


def as_sent(*words: bytes) -> bytes:
    parts = [b"$%d\r\n%s\r\n" % (len(word), word) for word in words]
    return b"*%d\r\n" % len(words) + b"".join(parts)


class Stranger:
    """Somebody who can reach the port and does not know the password."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.stream = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.stream.close()
        self.socket.close()

    def ask(self, data: bytes) -> bytes:
        self.socket.sendall(data)
        return self.stream.readline()

    def rest(self) -> bytes:
        self.socket.shutdown(socket.SHUT_WR)
        return self.stream.read()


# --- nobody without the password --------------------------------------------------------------


def test_every_command_is_refused_before_the_password(server):
    names = [name for name in SUPPORTED_COMMANDS if name not in ("auth", "hello", "quit")]
    assert len(names) > 200
    with Stranger(server.port) as stranger:
        for name in names:
            command = as_sent(*name.encode().split(), b"key", b"value")
            assert stranger.ask(command).startswith(b"-NOAUTH"), name


def test_refused_commands_change_nothing(server, client):
    with Stranger(server.port) as stranger:
        pipelined = [as_sent(b"MULTI"), as_sent(b"SET", b"key", b"1"), as_sent(b"EXEC")]
        stranger.ask(b"".join(pipelined) + as_sent(b"FLUSHALL") + as_sent(b"SUBSCRIBE", b"news"))
        stranger.rest()
    assert client.keys() == []
    assert client.pubsub_numsub("news") == [(b"news", 0)]


@pytest.mark.parametrize(
    "attempt",
    [
        as_sent(b"AUTH", b"wrong"),
        as_sent(b"AUTH", b""),
        as_sent(b"AUTH", PASSWORD.encode() + b"x"),
        as_sent(b"AUTH", PASSWORD[:-1].encode()),
        as_sent(b"AUTH", b"admin", PASSWORD.encode()),
        as_sent(b"AUTH", b"default", b"wrong"),
        as_sent(b"HELLO", b"3", b"AUTH", b"default", b"wrong"),
    ],
)
def test_a_wrong_password_opens_nothing(server, attempt):
    with Stranger(server.port) as stranger:
        assert stranger.ask(attempt).startswith(b"-WRONGPASS")
        assert stranger.ask(as_sent(b"PING")).startswith(b"-NOAUTH")


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (as_sent(b"HELLO"), b"-NOAUTH"),
        (as_sent(b"HELLO", b"3"), b"-NOAUTH"),
        (as_sent(b"HELLO", b"4", b"AUTH", b"default", PASSWORD.encode()), b"-NOPROTO"),
        (as_sent(b"HELLO", b"3", b"AUTH", b"default"), b"-ERR"),
        (as_sent(b"HELLO", b"3", b"SETNAME", b"me"), b"-NOAUTH"),
        (as_sent(b"AUTH"), b"-ERR"),
        (as_sent(b"AUTH", b"a", b"b", b"c"), b"-ERR"),
        (as_sent(b"QUIT"), b"+OK"),
        (as_sent(b"\xff\xfe"), b"-NOAUTH"),
        (as_sent(b""), b"-NOAUTH"),
        (b"*0\r\n" + as_sent(b"GET", b"key"), b"-NOAUTH"),
    ],
)
def test_a_stranger_is_told_no_more_than_the_protocol_needs(server, command, answer):
    with Stranger(server.port) as stranger:
        assert stranger.ask(command).startswith(answer)


@pytest.mark.parametrize(
    "garbage",
    [
        b"PING\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"POST / HTTP/1.1\r\n\r\n*1\r\n$7\r\nFLUSHALL\r\n",
        b"*-1\r\n",
        b"*x\r\n",
        b"*1\n$4\nPING\n",
        b"*11\r\n",  # more than a stranger may say
        b"*999999999999999999999999999999\r\n",
        b"*1\r\n$-1\r\n",
        b"*1\r\n$16385\r\n",
        b"*1\r\n$99999999999999999999\r\n",
        b"*1\r\n:4\r\nPING\r\n",
        b"*1\r\n$4\r\nPINGxx",
        b"*2\r\n$4\r\nAUTH\r\n*1\r\n$1\r\nx\r\n",
        b"\x00\x01\x02\r\n",
        b"\r\n",
        b"*" + b"1" * 100_000,
    ],
)
def test_malformed_input_is_answered_once_and_the_line_closed(server, garbage):
    with Stranger(server.port) as stranger:
        try:
            assert stranger.ask(garbage).startswith(b"-ERR Protocol error")
            assert stranger.rest() == b""
        except OSError:
            pass  # closed with unread input: the system resets the line


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=200))
def test_no_bytes_whatever_open_the_door(server, data):
    with Stranger(server.port) as stranger:
        try:
            stranger.socket.sendall(data)
            answers = stranger.rest()
        except OSError:
            return
        allowed = (b"", b"-NOAUTH", b"-ERR", b"-WRONGPASS", b"-NOPROTO")
        assert all(line.startswith(allowed) for line in answers.split(b"\r\n") if line)


def test_an_empty_password_is_no_password(tmp_path):
    (tmp_path / "password").write_text("\n", encoding="utf-8")
    command = [sys.executable, "-m", "monitoring.embedded_redis", "--password-file"]
    result = subprocess.run(
        [*command, str(tmp_path / "password")], cwd=ROOT, capture_output=True, encoding="utf-8"
    )
    assert result.returncode == 1
    assert "needs a password" in result.stderr


# --- what redis-py needs ----------------------------------------------------------------------


def test_values_come_back_as_they_went(client):
    value = bytes(range(256)) * 4096
    client.set("key", value)
    assert client.get("key") == value
    assert client.get("absent") is None
    client.hset("hash", mapping={"a": 1, "b": "行情"})
    assert client.hmget("hash", ["a", "x", "b"]) == [b"1", None, "行情".encode()]


def test_a_transaction_is_all_or_nothing(client):
    with client.pipeline() as pipe:
        pipe.incr("n").incr("n").lpush("list", "x")
        assert pipe.execute() == [1, 2, 1]
    with client.pipeline() as pipe:
        pipe.watch("n")
        client.set("n", 9)
        pipe.multi()
        pipe.set("n", 0)
        with pytest.raises(redis.WatchError):
            pipe.execute()
    assert client.get("n") == b"9"


def test_a_hundred_commands_in_one_go(client):
    with client.pipeline(transaction=False) as pipe:
        for number in range(100):
            pipe.set(f"key{number}", number)
        assert all(pipe.execute())
    assert len(client.keys("key*")) == 100


def test_a_wrong_command_is_an_error_with_its_name(client):
    client.set("text", "x")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        client.hget("text", "field")
    with pytest.raises(redis.ResponseError, match="unknown command"):
        client.execute_command("NOSUCH")
    assert client.ping()


def test_scripts_and_locks_work(client):
    assert client.eval("return redis.call('incrby', KEYS[1], ARGV[1])", 1, "n", 5) == 5
    with client.lock("lock", timeout=5, blocking_timeout=1) as lock:
        assert lock.owned()
    assert not client.exists("lock")


def test_messages_reach_every_subscriber_at_once(client):
    with client.pubsub() as listener, client.pubsub() as other:
        listener.subscribe("news")
        other.psubscribe("n*")
        for subscription in (listener, other):
            assert subscription.get_message(timeout=2)["type"].endswith("subscribe")
        before = time.monotonic()
        assert client.publish("news", "hello") == 2
        assert listener.get_message(timeout=2)["data"] == b"hello"
        assert other.get_message(timeout=2)["type"] == "pmessage"
        assert time.monotonic() - before < 0.5
        listener.unsubscribe("news")
        assert listener.get_message(timeout=2)["type"] == "unsubscribe"


def test_a_blocking_pop_wakes_up_or_gives_up(server, client):
    with redis.Redis(port=server.port, password=PASSWORD) as other:
        threading.Timer(0.1, other.lpush, ("queue", "work")).start()
        before = time.monotonic()
        assert list(client.brpop("queue", timeout=3)) == [b"queue", b"work"]
        assert time.monotonic() - before < 1
        assert client.brpop("queue", timeout=0.2) is None


def test_a_client_that_died_while_waiting_takes_no_message_with_it(server, client):
    with Stranger(server.port) as waiting:
        waiting.ask(as_sent(b"AUTH", PASSWORD.encode()))
        waiting.socket.sendall(as_sent(b"BRPOP", b"queue", b"0"))
        wait_until(lambda: len(client.client_list()) > 1)
    time.sleep(0.05)  # the server's own socket learns of it
    client.lpush("queue", "work")
    assert client.lrange("queue", 0, -1) == [b"work"]


def test_reset_forgets_the_password(server):
    with Stranger(server.port) as known:
        assert known.ask(as_sent(b"AUTH", PASSWORD.encode())) == b"+OK\r\n"
        assert known.ask(as_sent(b"PING")) == b"+PONG\r\n"
        known.ask(as_sent(b"RESET"))
        assert known.ask(as_sent(b"PING")).startswith(b"-NOAUTH")


def test_it_stays_small_and_stops_at_once(tmp_path):
    with embedded_redis(tmp_path) as running:
        with redis.Redis(port=running.port, password=PASSWORD) as client:
            client.eval("return 1", 0)
        status = Path(f"/proc/{running.process.pid}/status")
        if status.exists():
            resident = next(
                int(line.split()[1]) // 1024
                for line in status.read_text(encoding="utf-8").splitlines()
                if line.startswith("VmRSS")
            )
            assert resident <= 60
        before = time.monotonic()
        running.process.terminate()
        assert running.process.wait(3) == (
            1 if os.name == "nt" else 0
        )  # there it is not asked, but ended
        assert time.monotonic() - before < 2


# --- what Celery needs ------------------------------------------------------------------------


@pytest.mark.unattended
def test_a_celery_worker_lives_on_it_through_a_crash_and_stops_by_remote_control(tmp_path):
    with embedded_redis(tmp_path) as first:
        port = first.port
        (tmp_path / "tiny.py").write_text(
            TASKS.format(url=first.url, schedule=str(tmp_path / "beat")), encoding="utf-8"
        )
        app = Celery("tiny", broker=first.url, backend=first.url)
        worker = start_celery(tmp_path, "worker", "--pool=threads", "-c2", "-n", "one@test")
        beat = start_celery(tmp_path, "beat", "--max-interval", "1")
        try:
            wait_until(lambda: app.control.ping(timeout=0.3), 20)
            assert app.send_task("tiny.add", (2, 3)).get(timeout=10) == 5
            registered = app.control.inspect(timeout=2).registered()
            assert registered
            assert "tiny.add" in registered["one@test"]
            with redis.Redis(port=port, password=PASSWORD) as client:
                wait_until(lambda: client.get("ticks"), 10)
            first.process.kill()
            first.process.wait()
            with embedded_redis(tmp_path, port) as second:
                with redis.Redis(port=second.port, password=PASSWORD) as client:
                    wait_until(lambda: client.get("ticks"), 15)
                app.control.shutdown(destination=["one@test"])
                assert worker.wait(10) == 0
        finally:
            for process in (beat, worker):
                process.kill()
                process.wait()
            app.close()


def start_celery(folder, *arguments):
    environment = {name: text for name, text in os.environ.items() if "DJANGO" not in name}
    with (folder / f"{arguments[0]}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "tiny", *arguments],
            cwd=folder,
            env={**environment, "PYTHONPATH": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
