"""A terminal that misbehaves: the twin's Delivery policy as a few functions a test hands in, and a look at its calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from trading.paper.delivery import Delivery, Message

Times = Callable[[Message, datetime], Sequence[datetime] | None]


class Misbehaving(Delivery):
    """Each function may answer None: behave. `requests` keeps what programs posted, in order.

    `on_the_way`: when a request reaches the counter. `back`: when a push or an answer arrives. `shown`: what a query
    is answered with (its second argument is the truth).
    """

    def __init__(
        self,
        *,
        on_the_way: Times = lambda message, now: None,
        back: Times = lambda message, now: None,
        shown: Callable[[Message, Any], Any] = lambda request, truth: truth,
    ) -> None:
        self._on_the_way, self._back, self._shown = on_the_way, back, shown
        self.requests: list[Message] = []

    def arrivals(self, request: Message, now: datetime) -> Sequence[datetime]:
        self.requests.append(request)
        times = self._on_the_way(request, now)
        return (now,) if times is None else times

    def times(self, message: Message, now: datetime) -> Sequence[datetime]:
        times = self._back(message, now)
        return (now,) if times is None else times

    def answer(self, request: Message, result: Any) -> Any:
        return self._shown(request, result)

    def calls(self, op: str) -> list[Message]:
        """Return the requests of one kind, such as `order_stock`."""
        return [request for request in self.requests if request["op"] == op]


def answers(op: str) -> Callable[[Message], bool]:
    """Recognise the late answer to a request of this kind."""
    return lambda message: message["push"] == "answer" and message["op"] == op


def pushes(*kinds: str) -> Callable[[Message], bool]:
    """Recognise pushes: `stock_order`, `stock_trade`, `order_error`, `cancel_error`."""
    return lambda message: message["push"] in kinds


def news(message: Message) -> bool:
    """Recognise everything that tells of an order without being asked: its answer and its pushes."""
    return answers("order_stock")(message) or pushes("stock_order", "stock_trade")(message)


def lost(which: Callable[[Message], bool]) -> Times:
    """Lose the messages that `which` recognises."""
    return lambda message, now: () if which(message) else None


def late(which: Callable[[Message], bool], seconds: int) -> Times:
    """Delay the messages that `which` recognises."""
    return lambda message, now: (now + timedelta(seconds=seconds),) if which(message) else None


def doubled(which: Callable[[Message], bool], times: int) -> Times:
    """Repeat the messages that `which` recognises."""
    return lambda message, now: (now,) * times if which(message) else None
