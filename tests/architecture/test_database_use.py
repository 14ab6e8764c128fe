"""How databases are used: whole transactions, connections that are closed and not shared, no SQL out of anybody's keys."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.sources import code, name_of, nodes_of, python_files, tree_of

pytestmark = [pytest.mark.fast, pytest.mark.unattended]

#: Files of their own beside the database, whose transactions are written out: quotes, and the twin's books.
OWN_FILES = {"trading/market_data/file_store.py", "trading/paper/store.py"}
#: SQL that is put together, and out of what; everything else is a constant or Django's.
PUT_TOGETHER = {
    "monitoring/audit/triggers.py": "the names of the audit tables",
    "monitoring/care/postgres_dump.py": "the quoted name of a scratch database",
    "monitoring/care/sqlite_file.py": "quoted names of a file's own tables, and numbers of ours",
    "monitoring/moving_in/installation.py": "names of the former system's tables that we know",
    "trading/market_data/file_store.py": "the number of marks",
    "trading/models/prepared.py": "what Django made of a query, kept",
    "trading/paper/store.py": "names of its own tables, and the number of marks",
    "trading/selectors.py": "quoted names of our tables, and the number of marks",
    "trading/services/config.py": "the quoted name of our table",
    "trading/services/rows.py": "quoted names of a model's own columns",
}
RUNS_SQL = {"execute", "executemany", "executescript"}


def methods(tree: ast.AST, names: set[str]) -> Iterator[ast.Call]:
    for node in nodes_of(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in names
        ):
            yield node


def files_with(names: set[str]) -> set[str]:
    return {path for path, tree in code().items() if any(methods(tree, names))}


# --- transactions -------------------------------------------------------------------------------


def test_f148_transactions_are_scopes_that_nobody_ends_by_hand():
    by_hand = {"commit", "rollback", "set_autocommit", "savepoint_commit", "savepoint_rollback"}
    assert files_with(by_hand) == set()


def test_f148_a_transaction_is_written_out_only_in_files_of_their_own():
    words = ("BEGIN", "COMMIT", "ROLLBACK")
    begun = {
        path
        for path, tree in code().items()
        for node in nodes_of(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.strip().startswith(words)
    }
    assert begun == OWN_FILES


# --- connections --------------------------------------------------------------------------------


def leaks(tree: ast.AST) -> list[str]:
    """`with sqlite3.connect(...)` ends a transaction, not the connection."""
    return [
        ast.unparse(item.context_expr)
        for node in nodes_of(tree)
        if isinstance(node, ast.With)
        for item in node.items
        if ast.unparse(item.context_expr).startswith("sqlite3.connect(")
    ]


def test_f152_no_connection_is_left_open_by_a_with():
    assert {path: leaks(tree) for path, tree in code().items() if leaks(tree)} == {}


def test_the_search_finds_a_connection_that_stays_open():
    assert leaks(ast.parse("with sqlite3.connect(path) as db:\n    pass")) != []
    assert leaks(ast.parse("with closing(sqlite3.connect(path)) as db:\n    pass")) == []


def test_f155_no_connection_is_made_for_several_threads():
    shared = {
        path
        for path, tree in code().items()
        for node in nodes_of(tree)
        if isinstance(node, ast.keyword) and node.arg == "check_same_thread"
    }
    assert shared == set()
    assert files_with({"inc_thread_sharing"}) == set()


# --- SQL ----------------------------------------------------------------------------------------


def put_together(tree: ast.AST) -> list[str]:
    """The statements that are not constants: f-strings, sums, formatted ones, and names of any of them."""
    return [
        ast.unparse(call)
        for call in methods(tree, RUNS_SQL)
        if call.args and not isinstance(call.args[0], ast.Constant) and _is_sql(call)
    ]


def _is_sql(call: ast.Call) -> bool:
    owner = ast.unparse(call.func.value)  # type: ignore[attr-defined]
    return owner.endswith(("cursor", "db", "_db", "database", "connection"))


def test_f154_sql_is_put_together_out_of_our_own_names_only():
    found = {path for path, tree in code().items() if put_together(tree)}
    assert found == PUT_TOGETHER.keys()


def test_f154_nothing_else_takes_sql():
    assert files_with({"raw", "extra"}) == set()
    named = {
        path
        for path, tree in code().items()
        for node in nodes_of(tree)
        if isinstance(node, ast.Name) and node.id in ("RawSQL", "RunSQL")
    }
    assert named == set()


@pytest.mark.parametrize(
    "line",
    [
        "cursor.execute(f'UPDATE positions SET {key} = ?', [value])",
        "db.execute('UPDATE positions SET ' + ', '.join(changes) + ' WHERE id = 1')",
        "cursor.execute('SELECT %s FROM positions' % key)",
        "cursor.execute(statement)",
    ],
)
def test_the_search_finds_sql_that_is_put_together(line):
    assert put_together(ast.parse(line)) != []


def test_the_search_passes_a_constant_with_its_values():
    assert put_together(ast.parse("cursor.execute('SELECT 1 WHERE a = %s', [value])")) == []


# --- snapshots ----------------------------------------------------------------------------------

#: Values that are handed from one place to another: between threads, ticks and processes' parts.
HANDED_ON = [
    *("trading/domain", "grid/domain", "trading/ports.py", "trading/services/quotes.py"),
    *("trading/services/view.py", "trading/services/config.py", "monitoring/health.py"),
    "monitoring/console/values.py",
]
MUTABLE = ("list[", "dict[", "set[", "deque[", "bytearray")


def changeable(tree: ast.AST) -> list[str]:
    """Dataclasses that can be changed, and fields whose content can."""
    found = []
    for node in nodes_of(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        made = [ast.unparse(one) for one in node.decorator_list if "dataclass" in ast.unparse(one)]
        if not made:
            continue
        if "frozen=True" not in made[0]:
            found.append(node.name)
        found += [
            f"{node.name}.{ast.unparse(one.target)}"
            for one in node.body
            if isinstance(one, ast.AnnAssign) and ast.unparse(one.annotation).startswith(MUTABLE)
        ]
    return found


def test_f149_what_is_handed_on_is_a_snapshot_that_nobody_can_change():
    found = {name_of(path): changeable(tree_of(path)) for path in python_files(*HANDED_ON)}
    assert {path: names for path, names in found.items() if names} == {}


def test_the_search_finds_a_shared_frame():
    lines = "@dataclass(slots=True)\nclass Frame:\n    rows: list[int]"
    assert changeable(ast.parse(lines)) == ["Frame", "Frame.rows"]
