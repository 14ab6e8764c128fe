"""A Redis of the user's own: the user that docs/security.md makes may do all that the product needs, and no more."""

from __future__ import annotations

import threading

import pytest
import redis
from celery import Celery
from celery.contrib.testing.worker import start_worker

from miniqmt.celery import app as ours
from tests.integration.redis_uses import quotes_and_nudges_work
from tests.redis_servers import PASSWORD, ROOT, installed_redis, wait_until

pytestmark = [pytest.mark.system, pytest.mark.unattended]

THEIRS = "of-their-own"


def line_of(document: str) -> list[str]:
    """Return the command that the document gives, with a password in it."""
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    (line,) = [one for one in text.splitlines() if one.strip().startswith("ACL SETUSER")]
    return [f">{THEIRS}" if word.startswith(">") else word for word in line.split()]


@pytest.fixture
def url(tmp_path):
    with installed_redis(tmp_path) as server:
        admin = redis.Redis.from_url(server.url)
        assert admin.execute_command(*line_of("security.md"))
        yield server.url.replace(f":{PASSWORD}@", f"miniqmt:{THEIRS}@")
        refused = [row for row in admin.acl_log() if row["username"] == "miniqmt"]
        assert {row["object"] for row in refused} <= REFUSED
        admin.close()


#: What only whoever runs the server may do. redis-py tells each connection's library, and does without.
REFUSED = {
    "config|set",
    "flushall",
    "shutdown",
    "save",
    "acl|list",
    "module|load",
    "client|setinfo",
}


def test_both_languages_give_the_same_line():
    assert line_of("security.md") == line_of("security.zh-CN.md")


def test_quotes_nudges_and_every_part_of_celery_work_as_that_user(url):
    quotes_and_nudges_work(url)

    celery, ran = Celery("as-that-user", broker=url), threading.Event()
    celery.conf.update(
        broker_transport_options=ours.conf.broker_transport_options, task_ignore_result=True
    )
    celery.task(ran.set, name="runs.here")
    with start_worker(celery, perform_ping_check=False, shutdown_timeout=30):
        celery.send_task("runs.here")
        assert ran.wait(20)
        wait_until(lambda: celery.control.ping(timeout=2), 20)  # as Flower and doctor ask
        assert celery.control.inspect(timeout=2).stats()
    with redis.Redis.from_url(url) as client:
        assert client.info("server")["redis_version"]


@pytest.mark.parametrize(
    "command",
    ["CONFIG SET save 60", "FLUSHALL", "SHUTDOWN NOSAVE", "SAVE", "ACL LIST"],
)
def test_that_user_cannot_change_the_server_or_write_files(url, command):
    with redis.Redis.from_url(url) as client, pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*command.split())
