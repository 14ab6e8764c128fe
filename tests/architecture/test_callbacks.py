"""Code that the vendor's library calls on its own thread copies, appends and returns; it never calls the broker.

A call of the library inside one of its callbacks blocks every later push, order and query, and what a callback raises
vanishes. Both have happened in real systems.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.sources import name_of, nodes_of, python_files, tree_of

pytestmark = [pytest.mark.fast, pytest.mark.orders]

#: Nothing else may import the trading half of the vendor's library (test_boundaries).
CODE = python_files("trading/broker")

#: What code on the vendor's thread may call: copy fields, append to the inbox, wake the loop.
ALLOWED = {
    "_copy", "copy_answer", "append", "getattr", "isinstance", "put", "self._arrived", "self.put",
}  # fmt: skip


def on_their_thread(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the functions that run in callbacks: methods of callback classes, closures and helpers they are made of."""
    for node in nodes_of(tree):
        if isinstance(node, ast.ClassDef) and any(
            ast.unparse(base).endswith("XtQuantTraderCallback") for base in node.bases
        ):
            yield from (one for one in node.body if isinstance(one, ast.FunctionDef))
        elif isinstance(node, ast.FunctionDef) and node.name in ("put", "_copy", "copy_answer"):
            yield node
        elif isinstance(node, ast.FunctionDef) and node.name == "part":
            yield from (one for one in ast.walk(node) if isinstance(one, ast.Lambda))


def forbidden_calls(tree: ast.AST) -> list[str]:
    calls = (
        ast.unparse(call.func)
        for function in on_their_thread(tree)
        for call in ast.walk(function)
        if isinstance(call, ast.Call)
    )
    return sorted({call for call in calls if call not in ALLOWED and not call.endswith(".append")})


@pytest.mark.parametrize("path", CODE, ids=name_of)
def test_f114_callback_code_copies_appends_and_returns(path):
    assert forbidden_calls(tree_of(path)) == []


def test_the_adapter_is_looked_at():
    [adapter] = [path for path in CODE if path.name == "qmt.py"]
    names = {getattr(one, "name", "lambda") for one in on_their_thread(tree_of(adapter))}
    assert {
        "on_stock_order",
        "on_stock_trade",
        "on_disconnected",
        "put",
        "_copy",
        "lambda",
    } <= names


@pytest.mark.parametrize(
    "body",
    [
        "self.trader.query_stock_orders(self.account)",
        "self.trader.cancel_order_stock_async(self.account, order.order_id)",
        "Order.objects.filter(pk=1).update(state='filled')",
        "log.info(order)",
        "self.put('order', order.traded())",
    ],
)
def test_the_search_finds_what_a_callback_must_not_do(body):
    code = f"""
class Callback(xttrader.XtQuantTraderCallback):
    def on_stock_order(self, order):
        {body}
"""
    assert forbidden_calls(ast.parse(code)) != []
