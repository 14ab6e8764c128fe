"""Nothing waits for ever: not for the network, not for a thread, not for a lock, not for a child.

Each search is shown to find what it looks for, on lines like those that once froze a real system.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.sources import code, nodes_of

pytestmark = [pytest.mark.fast, pytest.mark.unattended]


#: What goes out, and the argument that bounds it: by name, or the place it may stand at instead.
OUTSIDE = {
    "urlopen": ("timeout", 2),
    "create_connection": ("timeout", 1),
    "HTTPConnection": ("timeout", None),
    "HTTPSConnection": ("timeout", None),
    "SMTP": ("timeout", None),
    "SMTP_SSL": ("timeout", None),
    "from_url": ("socket_timeout", None),
    "StrictRedis": ("socket_timeout", None),
    "Redis": ("socket_timeout", None),
    "check_call": ("timeout", None),
    "check_output": ("timeout", None),
}
#: `requests.get`, `httpx.post`, `subprocess.run`: names too common to be looked for alone.
OF_A_MODULE = {
    "requests": {"get", "post", "put", "delete", "head", "request", "Session"},
    "httpx": {"get", "post", "put", "delete", "head", "request", "Client"},
    "subprocess": {"run", "call"},
}
#: `run` of these may take as long as it takes: it is what the person asked for, who watches it and may stop it.
SET_UP = {"miniqmt/environment.py"}
#: A Redis of ours in a value, not a client.
VALUES = {"monitoring/stack.py", "monitoring/management/commands/up.py"}

#: Without an argument each of these waits as long as it takes.
ENDLESS = {"join", "wait", "acquire", "result", "communicate", "get"}
#: And these may: a thread of their own that has nothing else to do, or a process whose one task is its child.
MAY_WAIT = {
    "miniqmt/handover.py: child.wait": "it is the child, as far as whoever started it is concerned",
    "monitoring/embedded_redis.py: outbox.get": "a subscriber's own thread sends what there is to send",
    "monitoring/embedded_redis.py: told.get": "a thread that waits for the word to stop",
    "trading/faults.py: threading.Event().wait": "a crash point that hangs, armed by tests alone",
    "monitoring/console/live.py: bell.wait": "a coroutine, rung every two seconds and when nobody rings any more",
    "grid/domain/rehearsal.py: play.result": "a value, no future",
    "miniqmt/web.py: self._told.wait": "within a turn of the server",
}


def calls(tree: ast.AST) -> Iterator[tuple[str, str, ast.Call]]:
    """Every call as (what it is called on, name, call)."""
    for node in nodes_of(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield ast.unparse(node.func.value), node.func.attr, node
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield "", node.func.id, node


def unbounded(tree: ast.AST) -> list[str]:
    """The calls to the outside that name no deadline."""
    found = []
    for owner, name, call in calls(tree):
        known = OUTSIDE.get(name)
        if name in OF_A_MODULE.get(owner, ()):
            known = ("timeout", None)
        if known is None:
            continue
        keyword, place = known
        given = any(one.arg == keyword for one in call.keywords)
        if not given and (place is None or len(call.args) <= place):
            found.append(ast.unparse(call.func))
    return found


def endless(tree: ast.AST) -> list[str]:
    """The waits without an argument."""
    return [
        f"{owner}.{name}"
        for owner, name, call in calls(tree)
        if name in ENDLESS and owner and not call.args and not call.keywords
    ]


def test_f132_every_call_to_the_outside_has_a_deadline():
    found = {name: unbounded(tree) for name, tree in code().items() if name not in SET_UP | VALUES}
    assert {name: found for name, found in found.items() if found} == {}


@pytest.mark.parametrize(
    "line",
    [
        "urllib.request.urlopen(webhook, data)",
        "requests.post(webhook, json=message)",
        "redis.Redis.from_url(url)",
        "socket.create_connection((host, port))",
        "subprocess.run(command, check=True)",
    ],
)
def test_the_search_finds_a_call_without_a_deadline(line):
    assert unbounded(ast.parse(line)) != []
    bounded = line.removesuffix(")") + ", timeout=5, socket_timeout=5)"
    assert unbounded(ast.parse(bounded)) == []


def test_f132_messages_to_the_worker_have_a_deadline_too(settings):
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    assert 0 < options["socket_timeout"] <= 5
    assert 0 < options["socket_connect_timeout"] <= 5
    assert settings.CELERY_TASK_PUBLISH_RETRY is False


def test_f111_nothing_waits_for_a_thread_a_lock_or_a_child_without_a_deadline():
    found = {f"{name}: {wait}" for name, tree in code().items() for wait in endless(tree)}
    assert found == MAY_WAIT.keys()


@pytest.mark.parametrize(
    "line", ["thread.join()", "future.result()", "lock.acquire()", "queue.get()", "process.wait()"]
)
def test_the_search_finds_a_wait_without_a_deadline(line):
    assert endless(ast.parse(line)) != []
    assert endless(ast.parse(line.replace("()", "(timeout=1)"))) == []


def test_f111_there_is_no_pool_whose_end_waits_for_the_calls_it_gave_up():
    # As `with ThreadPoolExecutor()` does, whatever deadline its results had.
    made = {(path, name) for path, tree in code().items() for _, name, _ in calls(tree)}
    assert {one for one in made if one[1].endswith("PoolExecutor")} == set()


#: Where threads are made, and how many there can be.
THREADS = {
    "monitoring/child_log.py": "one a child of `up`; ends with the child's output",
    "monitoring/doctor/examine.py": "one a check of the doctor; one that hangs ends with the command",
    "monitoring/embedded_redis.py": "at most two a client, and clients are counted",
    "monitoring/management/machine_report.py": "one `up`: the supervisor never waits for a database",
    "monitoring/processes.py": "one a process: it reads the end of its parent",
    "trading/management/background_feed.py": "one a second source of quotes, made once",
    "trading/management/watchdog.py": "one a gateway",
    "trading/paper/tcp_client.py": "one a line; ends with it",
    "trading/services/nudges.py": "one a gateway",
}


def test_f112_threads_are_made_in_few_places_and_none_a_call():
    makers = {
        path
        for path, tree in code().items()
        if any(name in ("Thread", "Timer") for _, name, _ in calls(tree))
    }
    assert makers == THREADS.keys()


# --- locks --------------------------------------------------------------------------------------

#: The only ones. Nothing that decides about an order is among them: there the database's rows are the lock.
LOCKS = {
    "monitoring/api/rates.py": "counts requests; never held for longer than that",
    "monitoring/api/written.py": "one request writes an answer; the others wait 5 s at most",
    "monitoring/console/boards.py": "one thread renders; the others wait 5 s at most",
    "monitoring/console/shared.py": "one viewer builds; the others wait 5 s at most",
    "monitoring/decisions.py": "one tick tells what was decided; the others never wait for it",
    "monitoring/embedded_redis.py": "counts clients; never waited for",
    "trading/paper/tcp_client.py": "one line is written at a time; the socket has a deadline",
}


def locks_of(tree: ast.AST) -> set[str]:
    kinds = {"Lock", "RLock", "Condition", "Semaphore", "BoundedSemaphore"}
    return {name for _, name, _ in calls(tree) if name in kinds}


def nested(tree: ast.AST) -> list[str]:
    """The methods that take a lock of their object while they hold it: at once, or by calling another one."""
    found = []
    for owner in (node for node in nodes_of(tree) if isinstance(node, ast.ClassDef)):
        methods = {one.name: one for one in owner.body if isinstance(one, ast.FunctionDef)}
        takes = {name: {lock for lock, _ in _held(method)} for name, method in methods.items()}
        for name, method in methods.items():
            for lock, body in _held(method):
                inside = {inner for part in body for inner, _ in _held(part)}
                called = {
                    call
                    for part in body
                    for own, call, _ in calls(part)
                    if own == "self" and lock in takes.get(call, ())
                }
                if lock in inside or called:
                    found.append(f"{owner.name}.{name}")
    return found


def _held(node: ast.AST) -> list[tuple[str, list[ast.stmt]]]:
    return [
        (ast.unparse(item.context_expr), one.body)
        for one in ast.walk(node)
        if isinstance(one, ast.With)
        for item in one.items
        if ast.unparse(item.context_expr).startswith("self._")
        and "(" not in ast.unparse(item.context_expr)
    ]


def test_f125_there_are_locks_in_few_places_and_none_near_an_order():
    assert {path for path, tree in code().items() if locks_of(tree)} == LOCKS.keys()


@pytest.mark.parametrize("name", LOCKS)
def test_f125_no_lock_is_taken_by_who_holds_it(name):
    assert nested(code()[name]) == []


def test_the_search_finds_a_lock_that_waits_for_itself():
    lines = """
class Manager:
    def stop(self):
        with self._lock:
            self.save()
    def save(self):
        with self._lock:
            pass
    def fine(self):
        with self._lock:
            self.other()
"""
    assert nested(ast.parse(lines)) == ["Manager.stop"]
