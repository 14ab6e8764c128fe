"""A line in the log for each signal, order and fill, with the numbers that lead from one to the next.

A tick's lines carry its `tick`; a signal is first told after the tick that made it, so its line names that tick. Orders
name their `signal`, fills their `order`: `grep` for one of them finds the whole story.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.db.models import Max

from trading.models import Fill, Order, Signal

log = logging.getLogger(__name__)

#: Rows of each kind that one tick tells; more are told after the next.
MOST = 200


class Decisions:
    """Tells what is new since the last time, in whichever tick's thread; what came before the first time is history."""

    def __init__(self) -> None:
        self._told: dict[type[Any], int] = {}
        self._turn = threading.Lock()

    def tell(self) -> int:
        """Write a line for each new row; returns how many. Raises DatabaseError."""
        if not self._turn.acquire(blocking=False):
            return 0  # another tick is telling: it tells ours too, or the next one does
        try:
            return sum(self._tell(model, words) for model, words in _WORDS.items())
        finally:
            self._turn.release()

    def _tell(self, model: type[Any], words: Callable[[Any], Mapping[str, object]]) -> int:
        if model not in self._told:
            self._told[model] = model.objects.aggregate(last=Max("pk"))["last"] or 0
            return 0
        rows: Iterable[Any] = model.objects.filter(pk__gt=self._told[model]).order_by("pk")
        rows = list(_joined(model, rows)[:MOST])
        for row in rows:
            log.info("%s %s: %s", model._meta.model_name, row.pk, row, extra=dict(words(row)))
            self._told[model] = row.pk
        return len(rows)


def _joined(model: type[Any], rows: Any) -> Any:
    return rows.select_related("order") if model is Fill else rows


def _signal(row: Signal) -> Mapping[str, object]:
    return {
        "signal": row.pk,
        "account": row.account_id,
        "symbol": row.symbol,
        "kind": row.kind,
        "side": row.side,
        "quantity": row.quantity,
        "price": row.last,
        "state": row.state,
        "denial": row.denial_code,
        "why": row.reason_en,
        "revision": row.config_revision,
    }


def _order(row: Order) -> Mapping[str, object]:
    return {
        "order": row.client_order_id,
        "signal": row.signal_id,
        "chain": row.root_id or row.pk,
        "account": row.account_id,
        "symbol": row.symbol,
        "kind": row.kind,
        "side": row.side,
        "quantity": row.quantity,
        "price": row.price,
        "state": row.state,
    }


def _fill(row: Fill) -> Mapping[str, object]:
    order = row.order
    return {
        # The gateway booked it: the tick after which it is told had no part in it.
        "tick": None,
        "task": None,
        "fill": row.pk,
        "order": None if order is None else order.client_order_id,
        "signal": None if order is None else order.signal_id,
        "account": row.account_id,
        "symbol": row.symbol,
        "side": row.side,
        "quantity": row.quantity,
        "price": row.price,
    }


_WORDS: Mapping[type[Any], Callable[[Any], Mapping[str, object]]] = {
    Signal: _signal,
    Order: _order,
    Fill: _fill,
}
