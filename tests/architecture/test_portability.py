"""The same files work on Windows and Linux, on any machine."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.sources import (
    APPS,
    name_of,
    nodes_of,
    python_files,
    tracked_files,
    tree_of,
)

pytestmark = pytest.mark.fast

CODE = python_files("manage.py", *APPS)

# In pieces, so that this file does not name what it forbids.
MACHINE_PATHS = re.compile(r"(?<![\w.-])/(?:wo" r"rk|fa" r"rm|opt/py" r"pi|opt/wh" r"eels)\b[/-]?")

POSIX_MODULES = {"fcntl", "grp", "pty", "pwd", "resource", "termios"}
POSIX_NAMES = {
    *("os.fork", "os.getuid", "os.geteuid", "os.killpg", "os.setpgid", "os.setsid", "os.uname"),
    *("os.execv", "os.execve", "os.execvp", "os.mkfifo", "os.getpgid", "os.WNOHANG"),
    *("signal.SIGALRM", "signal.SIGHUP", "signal.SIGKILL", "signal.SIGQUIT", "signal.SIGUSR1"),
    *("signal.SIGUSR2", "signal.alarm", "signal.pause", "signal.setitimer", "signal.sigwait"),
    "socket.AF_UNIX",
}
GUARDS = ("platform", "os.name", "hasattr", "AF_UNIX")


def unguarded(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run on every system: not below a question about the system, nor a try."""
    if isinstance(node, (ast.If, ast.IfExp)):
        if any(guard in ast.unparse(node.test) for guard in GUARDS):
            return
    elif isinstance(node, ast.Try):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from unguarded(child)


def posix_only(node: ast.AST) -> bool:
    match node:
        case ast.Import(names=names):
            return any(alias.name in POSIX_MODULES for alias in names)
        case ast.ImportFrom(module=str(module), names=names):
            qualified = {f"{module}.{alias.name}" for alias in names}
            return module in POSIX_MODULES or not qualified.isdisjoint(POSIX_NAMES)
        case ast.Attribute(value=ast.Name(id=module), attr=name):
            return f"{module}.{name}" in POSIX_NAMES
        case ast.Attribute(attr="add_signal_handler") | ast.keyword(arg="preexec_fn"):
            return True
    return False


@pytest.mark.parametrize("path", CODE, ids=name_of)
def test_nothing_calls_what_windows_lacks(path):
    found = [ast.unparse(node) for node in unguarded(tree_of(path)) if posix_only(node)]

    assert found == []


def test_the_search_for_posix_calls_finds_them():
    code = """
import fcntl
from signal import SIGKILL
os.fork()
if sys.platform != "win32":
    os.setsid()
try:
    import resource
except ImportError:
    resource = None
process.kill()
"""
    found = [ast.unparse(node) for node in unguarded(ast.parse(code)) if posix_only(node)]

    assert found == ["import fcntl", "from signal import SIGKILL", "os.fork"]


def lacks_encoding(call: ast.Call) -> bool:
    """Reads or writes text in whatever encoding the system has: GBK on a Chinese Windows."""
    if any(keyword.arg in ("encoding", None) for keyword in call.keywords):
        return False
    match call.func:
        case ast.Attribute(attr="read_text"):
            return not call.args
        case ast.Attribute(attr="write_text"):
            return len(call.args) < 2
        case ast.Name(id="open"):
            return not _is_binary(call, position=1)
    return False


def _is_binary(call: ast.Call, position: int) -> bool:
    modes = [*call.args[position:], *(k.value for k in call.keywords if k.arg == "mode")]
    return any(isinstance(mode, ast.Constant) and "b" in str(mode.value) for mode in modes)


@pytest.mark.parametrize("path", CODE, ids=name_of)
def test_text_files_name_their_encoding(path):
    calls = (node for node in nodes_of(tree_of(path)) if isinstance(node, ast.Call))

    assert [ast.unparse(call) for call in calls if lacks_encoding(call)] == []


def test_no_file_names_a_path_of_one_machine():
    if not tracked_files():
        pytest.skip("not a git checkout")
    texts = ((path, path.read_bytes().decode("utf-8", "replace")) for path in tracked_files())

    assert [name_of(path) for path, text in texts if MACHINE_PATHS.search(text)] == []
