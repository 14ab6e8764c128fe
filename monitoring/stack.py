"""The processes that `manage.py up` runs: what each is called, how it starts, and when it is ready."""

from __future__ import annotations

import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from monitoring.loopback import HOST, answers, ask_redis, free_port, reaches, serves
from monitoring.processes import write_whole
from monitoring.run_file import GATEWAY
from monitoring.supervisor import ProcessSpec
from trading.management.one_instance import (
    MARKET_DATA_LOCK,
    TERMINAL_LOCK,
    SignsOfLife,
    gateway_lock,
)
from trading.management.paper_files import terminal_address
from trading.management.progress import BEAT_SENT, BEAT_TURNED, WORKER_FINISHED, Answers

#: The children of one stage stop together; a higher one first. Who asks stops before who answers: nobody looks on, then
#: nothing is decided any more, then the gateways end what they have under way while quotes still come.
TERMINAL, QUOTING, TRADING, DECIDING, SERVING = range(5)
REDIS = TERMINAL  # once those above are gone nobody needs either, and they do not know each other
#: The oldest Redis that will do; Windows still has very old ones.
OLDEST_REDIS = (6, 2)
REDIS_PORT = 6379
#: Where a Redis of our own is: ports that no system gives to outgoing calls.
OUR_REDIS_PORTS = range(20_000, 30_000)
#: The first ports tried for the web and for Flower.
WEB_PORT, FLOWER_PORT = 8000, 5555
#: Seconds without progress after which worker and beat count as hung. Beat sends something every 30 s at the least, and
#: a statement may wait 20 s for the database. The gateway has stood in for them since 4 s.
PROGRESS_WITHIN = 45.0
#: MB that a process may hold for long, and the worker, whose four threads run all ticks.
USUAL_CEILING, WORKER_CEILING = 400, 600
#: Tasks that Flower remembers; by itself it would keep 100,000, a quarter of a gigabyte.
FLOWER_TASKS = 2_000
#: What the web server is asked for now and then: small, and answered by the thread that answers everything.
SMALL_PAGE = "/static/monitoring/console.css"


@dataclass(frozen=True)
class Redis:
    """Where the broker of messages is; `port` 0: somebody else's, and not ours to run."""

    url: str
    port: int = 0
    password: str = ""


@dataclass(frozen=True)
class Surroundings:
    """What the processes share: the project's folder, the data directory, the Redis, and the market's speed.

    `ceiling_mb`: how much memory each may hold for long; 0: as much as it likes, None: what is usual for its kind.
    """

    project: Path
    home: Path
    redis: Redis
    speed: float = 1.0
    ceiling_mb: int | None = None

    def ceiling(self, usual: int) -> int:
        """Return how many bytes a process may hold whose kind usually may hold so many MB; 0: any number."""
        return (usual if self.ceiling_mb is None else self.ceiling_mb) << 20

    def spec(
        self,
        name: str,
        *command: str,
        environment: Mapping[str, str] | None = None,
        **more: object,
    ) -> ProcessSpec:
        """Return a Python process that knows where everything is. `command`: a module and its arguments."""
        known = {
            "DJANGO_SETTINGS_MODULE": settings.SETTINGS_MODULE,  # that of `up`
            "MINIQMT_HOME": str(self.home),
            "REDIS_URL": self.redis.url,
            "MINIQMT_SPEED": f"{self.speed:g}",
            **(environment or {}),
        }
        argv = (sys.executable, "-m", *command)
        more.setdefault("ceiling", self.ceiling(USUAL_CEILING))
        return ProcessSpec(name, argv, known, self.project, **more)  # type: ignore[arg-type]


def our_redis() -> Redis:
    """Choose port and password of a Redis of our own; both stay the same however often it starts.

    The port is none that a system gives to whoever calls: one of the many calls while Redis is away could get it.
    """
    port = free_port(secrets.choice(OUR_REDIS_PORTS))
    password = secrets.token_urlsafe(24)
    return Redis(f"redis://:{password}@{HOST}:{port}/0", port, password)


def redis_process(around: Surroundings) -> ProcessSpec:
    """Run the `redis-server` of this computer where it is new enough, else the embedded one. Raises OSError."""
    redis = around.redis
    answers_us = partial(_answers_us, redis)
    program = installed_redis()
    if program is None:
        password_file = around.home / "redis.password"
        write_whole(password_file, redis.password)
        module = ("monitoring.embedded_redis", "--port", str(redis.port))
        spec = around.spec("redis", *module, "--password-file", str(password_file))
        argv: Sequence[str] = spec.argv
    else:
        config = around.home / "redis.conf"
        write_whole(config, redis_config(redis))
        argv = (program, str(config))
    return ProcessSpec(
        "redis",
        argv,
        folder=around.project,
        ready=answers_us,
        alive=answers_us,
        stage=REDIS,
        essential=True,
        ceiling=around.ceiling(USUAL_CEILING),
    )


def redis_config(redis: Redis) -> str:
    """Return the configuration of `redis-server`: this computer only, with the password, nothing kept on disk."""
    lines = (
        f"bind {HOST}",
        f"port {redis.port}",
        f"requirepass {redis.password}",
        'save ""',
        "appendonly no",
        "hz 1",
    )
    return "\n".join(lines) + "\n"


def installed_redis() -> str | None:
    """Return the path of `redis-server`, None where there is none or only an old one."""
    program = shutil.which("redis-server")
    if program is None:
        return None
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.search(r"v=(\d+)\.(\d+)", said.stdout)
    is_good = version is not None and (int(version[1]), int(version[2])) >= OLDEST_REDIS
    return program if is_good else None


def paper_terminal(
    around: Surroundings, options: Sequence[str], holds_recording: bool = False
) -> ProcessSpec:
    """Run the simulated market. It fills the calendar first where that is empty, which takes some seconds.

    One that plays a recording may hold all of it.
    """
    return around.spec(
        "paper_terminal",
        *("django", "paper_terminal", *options),
        ready=lambda: terminal_address(around.home) is not None,
        ready_within=90.0,
        alive=SignsOfLife(around.home / TERMINAL_LOCK),
        alive_within=120.0,  # a long recording takes its time before the first round
        stage=TERMINAL,
        essential=True,
        ceiling=0 if holds_recording else around.ceiling(USUAL_CEILING),
    )


def trading_processes(around: Surroundings, gateways: Iterable[ProcessSpec]) -> list[ProcessSpec]:
    """Run quotes, these gateways, and what decides: worker and beat."""
    celery = ("celery", "-A", "miniqmt")
    # Nobody else works here: no need to ask for others at the start, or to listen to them.
    worker = (
        *("worker", "--pool=threads", "-c", "4", "--without-gossip", "--without-mingle"),
        *("--heartbeat-interval", "15"),  # for Flower alone: `up` looks at what is finished
    )
    stop = partial(_stop_workers, around.redis.url) if sys.platform == "win32" else None
    return [
        around.spec(
            "market_data",
            *("django", "market_data"),
            alive=SignsOfLife(around.home / MARKET_DATA_LOCK),
            stage=QUOTING,
        ),
        *gateways,
        around.spec(
            "worker",
            *celery,
            *worker,
            alive=_unless_redis_is_away(
                Answers(around.home / BEAT_SENT, around.home / WORKER_FINISHED), around.redis
            ),
            alive_within=PROGRESS_WITHIN,
            stage=DECIDING,
            stop=stop,
            ceiling=around.ceiling(WORKER_CEILING),
        ),
        around.spec(
            "beat",
            *celery,
            "beat",
            alive=_unless_redis_is_away(SignsOfLife(around.home / BEAT_TURNED), around.redis),
            alive_within=PROGRESS_WITHIN,
            stage=DECIDING,
        ),
    ]


def gateway(
    around: Surroundings,
    account_id: int,
    name: str,
    nothing_under_way: Callable[[int], bool] = lambda _account_id: True,
    *,
    is_shadow: bool = False,
) -> ProcessSpec:
    """Run the gateway of an account; `is_shadow`: the one that cannot send.

    It is not asked to end, within limits, while an order of its account is under way.
    """
    return around.spec(
        f"{GATEWAY}{name}",
        *("django", "shadow" if is_shadow else "gateway", name),
        alive=SignsOfLife(around.home / gateway_lock(account_id)),
        calm=partial(nothing_under_way, account_id),
        stage=TRADING,
    )


def flower(around: Surroundings, port: int, user: str, password: str) -> ProcessSpec:
    """Run Flower for this computer. Its password goes by the environment, which others cannot read."""
    return around.spec(
        "flower",
        *("celery", "-A", "miniqmt", "flower", f"--address={HOST}", f"--port={port}"),
        f"--max_tasks={FLOWER_TASKS}",
        environment={"FLOWER_BASIC_AUTH": f"{user}:{password}"},
        alive=partial(serves, port),
        alive_every=10.0,
        alive_within=120.0,  # it starts last and slowly, and nothing depends on it
        yields=True,
        stage=SERVING,
    )


def web(around: Surroundings, port: int, proxied: bool = False) -> ProcessSpec:
    """Run the web server for this computer. `proxied`: a server on this computer with a certificate is before it.

    Without one, no header says where a request came from: the lock of the log-in goes by the address.
    """
    return around.spec(
        "web",
        *("miniqmt.web", "--port", str(port)),
        *(("--proxied",) if proxied else ()),
        ready=lambda: answers(port),
        ready_within=30.0,
        alive=partial(serves, port, SMALL_PAGE),
        alive_every=10.0,
        stage=SERVING,
        yields=True,
    )


def end_left_redis(url: str) -> None:
    """End the Redis that a killed `up` left behind: who knows its password has started it."""
    left = re.fullmatch(r"redis://:([\w-]+)@127\.0\.0\.1:(\d+)/0", url)
    if left is not None and answers(int(left[2])):
        ask_redis(int(left[2]), left[1], "SHUTDOWN", "NOSAVE")


def _answers_us(redis: Redis) -> bool:
    return ask_redis(redis.port, redis.password, "PING") == "+PONG"


def _unless_redis_is_away(alive: Callable[[], bool], redis: Redis) -> Callable[[], bool]:
    """Without Redis there is nothing to do, and who waits for it is not started again."""

    def holds() -> bool:
        with suppress(OSError):  # it has left no mark yet
            if alive():
                return True
        return not _is_there(redis)

    return holds


def _is_there(redis: Redis) -> bool:
    try:
        if redis.port:
            return _answers_us(redis)
        where = urlsplit(redis.url)  # somebody else's
        return reaches(where.hostname or HOST, where.port or REDIS_PORT)
    except OSError:
        return False


def _stop_workers(url: str) -> None:
    """Ask the workers to finish what they do and end: on Windows no signal says so."""
    from celery import Celery  # large, and not needed before

    Celery(broker=url).control.shutdown()
