"""Ways in which a real terminal misbehaved, each named after the incident and drawn from a seed.

`Misbehaviours(("zombie", "pushes_dead"), seed=7)` is a delivery policy of the twin: each named one acts by chance on
the requests and messages it concerns, the others behave. `until` (market time) ends them all; what they promised
before (a late request, a delayed push) still comes. `speed`: market seconds in a real one, for what befalls the
client's machine, such as its restart. Nothing here changes what the exchange knows to be true.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from trading.domain.types import CHINA
from trading.paper.delivery import PERFORM, Delivery, Message
from trading.paper.mishaps import HAPPENINGS
from trading.paper.mishaps_rows import ROWS

if TYPE_CHECKING:
    from trading.paper.terminal import Terminal


def _later(now: datetime, low: float, high: float, chance: random.Random) -> datetime:
    return now + timedelta(seconds=chance.uniform(low, high))


# -- requests on their way -------------------------------------------------------------------------------------

Arrivals = Callable[[Message, datetime, random.Random], Sequence[datetime] | None]


def zombie(request: Message, now: datetime, chance: random.Random) -> Sequence[datetime] | None:
    """A request reaches the counter 5 to 45 s later, even when the program that sent it is dead."""
    return (_later(now, 5, 45, chance),) if request["op"] == "order_stock" else None


def lost_request(
    request: Message, now: datetime, chance: random.Random
) -> Sequence[datetime] | None:
    """A request never arrives, and nobody says so."""
    return () if request["op"] in _ORDERS else None


_ORDERS = ("order_stock", "cancel_order_stock")
ON_THE_WAY: dict[str, tuple[float, Arrivals]] = {
    "zombie": (0.4, zombie),
    "lost_request": (0.3, lost_request),
}

# -- answers in place of doing ---------------------------------------------------------------------------------

Instead = Callable[[Message, datetime, random.Random, dict[Any, Any]], Any]


def accepted_though_swallowed(
    request: Message, now: datetime, chance: random.Random, seen: dict[Any, Any]
) -> Any:
    """The answer carries an order number; there is no such order and never will be."""
    if request["op"] != "order_stock":
        return PERFORM
    return _order_answer(request, 1_190_000_000 + chance.randrange(10_000_000), "")


def silent_refusal(
    request: Message, now: datetime, chance: random.Random, seen: dict[Any, Any]
) -> Any:
    """The client refuses an order it does not like: number -1, no row, no error (2026-08-19: 126 of 126 sales)."""
    return PERFORM if request["op"] != "order_stock" else _order_answer(request, -1, "")


def cancel_true_for_nothing(
    request: Message, now: datetime, chance: random.Random, seen: dict[Any, Any]
) -> Any:
    """A cancel is said to have gone out; nothing is cancelled."""
    return PERFORM if request["op"] != "cancel_order_stock" else _cancel_answer(request, 0, "")


def cancel_throttled(
    request: Message, now: datetime, chance: random.Random, seen: dict[Any, Any]
) -> Any:
    """The counter refuses a cancel less than 2 s after the last one, and every one after three refusals."""
    if request["op"] != "cancel_order_stock":
        return PERFORM
    last, refused = seen.get(request["order_id"], (None, 0))
    too_soon = last is not None and now - last < timedelta(seconds=2)
    refuse = too_soon or refused >= 3 or chance.random() < 0.5
    seen[request["order_id"]] = now, refused + refuse
    return _cancel_answer(request, -1, "[COUNTER] 撤单过于频繁") if refuse else PERFORM


def connect_minus_one(
    request: Message, now: datetime, chance: random.Random, seen: dict[Any, Any]
) -> Any:
    """connect() returns -1: the client is not logged in, or believes that the session is taken."""
    return -1 if request["op"] == "connect" else PERFORM


INSTEAD: dict[str, tuple[float, Instead]] = {
    "accepted_though_swallowed": (0.3, accepted_though_swallowed),
    "silent_refusal": (0.3, silent_refusal),
    "cancel_true_for_nothing": (0.5, cancel_true_for_nothing),
    "cancel_throttled": (1.0, cancel_throttled),
    "connect_minus_one": (0.6, connect_minus_one),
}


def _order_answer(request: Message, number: int, problem: str) -> Message:
    names = {"strategy_name": request["strategy_name"], "order_remark": request["order_remark"]}
    account = request["account_id"]
    return {"account_id": account, "order_id": number, "error_msg": problem, **names}


def _cancel_answer(request: Message, result: int, problem: str) -> Message:
    return {
        "account_id": request["account_id"],
        "cancel_result": result,
        "order_id": request.get("order_id", -1),
        "order_sysid": request.get("order_sysid", ""),
        "error_msg": problem,
    }


# -- when a message comes --------------------------------------------------------------------------------------

Times = Callable[[Message, datetime, random.Random], Sequence[datetime] | None]


def _of_an_order(message: Message) -> bool:
    """A push about an order or a fill, or the late answer to an order or a cancel."""
    return message["push"] in _PUSHES or message.get("op") in _ORDERS


_PUSHES = ("stock_order", "stock_trade", "order_error", "cancel_error")


def callback_before_response(
    message: Message, now: datetime, chance: random.Random
) -> Sequence[datetime] | None:
    """The pushes about an order come before the answer to it."""
    return (_later(now, 1, 4, chance),) if message.get("op") in _ORDERS else None


def duplicated(
    message: Message, now: datetime, chance: random.Random
) -> Sequence[datetime] | None:
    """A push comes 24 times, over a while."""
    if message["push"] not in _PUSHES:
        return None
    return tuple(_later(now, 0, 10, chance) for _ in range(24))


def reordered(message: Message, now: datetime, chance: random.Random) -> Sequence[datetime] | None:
    """Messages overtake each other."""
    return (_later(now, 0, 3, chance),) if _of_an_order(message) else None


def delayed(message: Message, now: datetime, chance: random.Random) -> Sequence[datetime] | None:
    """Messages come up to 20 s late."""
    return (_later(now, 1, 20, chance),) if _of_an_order(message) else None


def never_told(
    message: Message, now: datetime, chance: random.Random
) -> Sequence[datetime] | None:
    """Messages about orders and fills are lost."""
    return () if _of_an_order(message) else None


def pushes_dead(
    message: Message, now: datetime, chance: random.Random
) -> Sequence[datetime] | None:
    """The push path is dead while queries answer."""
    return () if message["push"] in _PUSHES else None


def answers_late(
    message: Message, now: datetime, chance: random.Random
) -> Sequence[datetime] | None:
    """Queries answer seconds later, or after half a minute."""
    if not message.get("op", "").startswith("query_"):
        return None
    return (_later(now, 0.05, 25 if chance.random() < 0.1 else 6, chance),)


COMING: dict[str, tuple[float, Times]] = {
    "callback_before_response": (0.7, callback_before_response),
    "duplicated": (0.5, duplicated),
    "reordered": (0.8, reordered),
    "delayed": (0.4, delayed),
    "never_told": (0.4, never_told),
    "pushes_dead": (1.0, pushes_dead),
    "answers_late": (0.3, answers_late),
}

#: A call returns -1 although its order lives (only where program and terminal share a process).
MINUS_ONE = "minus_one_though_live"
#: The answer to a cancel says that it failed, although it was done.
CANCEL_FALSE = "cancel_false_though_done"

NAMES = tuple(
    sorted(
        {MINUS_ONE, CANCEL_FALSE}
        | ON_THE_WAY.keys()
        | INSTEAD.keys()
        | COMING.keys()
        | ROWS.keys()
        | HAPPENINGS.keys()
    )
)


class Misbehaviours(Delivery):
    """See the module. Raises KeyError on a name nobody knows; `names` are in the order in which they get their say."""

    def __init__(
        self, names: Sequence[str], seed: int, until: datetime | None = None, speed: float = 1
    ) -> None:
        unknown = [name for name in names if name not in NAMES]
        if unknown:
            raise KeyError(", ".join(unknown))
        self.names, self.until = tuple(names), until
        self._now = datetime(1990, 1, 1, tzinfo=CHINA)
        self._chance = {name: random.Random(f"{seed}:{name}") for name in names}
        self._seen: dict[str, dict[Any, Any]] = {name: {} for name in names}
        self._rows = [ROWS[name](self._chance[name]) for name in names if name in ROWS]
        self._happenings = [
            HAPPENINGS[name](self._chance[name], speed) for name in names if name in HAPPENINGS
        ]

    def _acts(self, name: str, probability: float, now: datetime) -> bool:
        over = self.until is not None and now >= self.until
        return name in self._chance and not over and self._chance[name].random() < probability

    def arrivals(self, request: Message, now: datetime) -> Sequence[datetime]:
        for name in self.names:
            if name in ON_THE_WAY and self._acts(name, ON_THE_WAY[name][0], now):
                times = ON_THE_WAY[name][1](request, now, self._chance[name])
                if times is not None:
                    return times
        return (now,)

    def receipt(self, request: Message) -> bool:
        return request["op"] != "order_stock" or not self._acts(MINUS_ONE, 0.4, self._now)

    def instead(self, request: Message, now: datetime) -> Any:
        self._now = now
        for name in self.names:
            if name in INSTEAD and self._acts(name, INSTEAD[name][0], now):
                result = INSTEAD[name][1](request, now, self._chance[name], self._seen[name])
                if result is not PERFORM:
                    return result
        return PERFORM

    def answer(self, request: Message, result: Any) -> Any:
        if result is None or (self.until is not None and self._now >= self.until):
            return result
        if request["op"] == "cancel_order_stock" and self._acts(CANCEL_FALSE, 0.5, self._now):
            return {**result, "cancel_result": -1, "error_msg": "[COUNTER] 撤单失败"}
        for rows in self._rows:
            result = None if result is None else rows.answer(request, result, self._now)
        return result

    def told(self, message: Message, now: datetime) -> Message:
        self._now = now
        if self.until is None or now < self.until:
            for rows in self._rows:
                message = rows.told(message, now)
        return message

    def times(self, message: Message, now: datetime) -> Sequence[datetime]:
        for rows in self._rows:
            times = rows.times(message, now)
            if times is not None:
                return times
        for name in self.names:
            if name in COMING and self._acts(name, COMING[name][0], now):
                times = COMING[name][1](message, now, self._chance[name])
                if times is not None:
                    return times
        return (now,)

    def happens(self, terminal: Terminal, now: datetime) -> None:
        self._now = now
        over = self.until is not None and now >= self.until
        for happening in self._happenings:
            if over:
                happening.ends(terminal, now)
            else:
                happening.happens(terminal, now)
