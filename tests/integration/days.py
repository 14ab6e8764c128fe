"""What several made-up days share: symbols, a terminal that answers falsely, a person at the console."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.world import World
from trading.domain.types import Side, SignalKind, SignalState
from trading.models import Account, Signal, TradingConfig
from trading.paper.delivery import Delivery, Message
from trading.services import config

BANK, LIQUOR = "600036.SH", "600519.SH"
POSITIONS = "query_stock_positions"
#: A book nobody buys from, and no trades: a sale at the last price rests.
THIN: dict[str, Any] = {"bids": [], "volume": 1_000_000}

Rows = list[dict[str, Any]]


class Liar(Delivery):
    """Answers one kind of query with what `tell` makes of the truth, while `on`; None is a failed query."""

    def __init__(self, op: str, tell: Callable[[Rows], Rows | None], *, on: bool = False) -> None:
        self.op, self.tell, self.on = op, tell, on

    def answer(self, request: Message, result: Any) -> Any:
        return self.tell(result) if self.on and request["op"].startswith(self.op) else result


def lie(
    world: World, op: str, tell: Callable[[Rows], Rows | None], since: str, until: str
) -> None:
    """Let the terminal answer falsely in [since, until)."""
    liar = Liar(op, tell)
    world.terminal.delivery = liar
    world.at(since, lambda: setattr(liar, "on", True))
    world.at(until, lambda: setattr(liar, "on", False))


def outage(world: World, since: str, until: str) -> None:
    """Let every query of holdings fail, so that the gateway only observes after 15 s."""
    lie(world, POSITIONS, lambda rows: None, since, until)


def change(world: World, clock: str, **settings: Any) -> None:
    """Change settings as an operator does."""
    world.at(clock, lambda: config.change(world.account.pk, settings, actor=None, why="a test"))


def spoil(world: World, clock: str, **columns: Any) -> None:
    """Write past the validation, as a hand in the database would."""
    world.at(clock, lambda: _configuration(world).update(**columns))


def _configuration(world: World) -> Any:
    return TradingConfig.objects.filter(pk=world.account.pk)


def switch(world: World, clock: str, state: str) -> None:
    """Set the main switch."""
    world.at(
        clock, lambda: Account.objects.filter(pk=world.account.pk).update(trading_state=state)
    )


def by_hand(world: World, clock: str, side: Side, symbol: str, quantity: int, last: str) -> None:
    """A person wishes an order at the console: a signal of kind manual."""

    def wish() -> None:
        now = world.moment(clock)
        Signal.objects.create(
            account=world.account,
            symbol=symbol,
            kind=SignalKind.MANUAL,
            side=side,
            quantity=quantity,
            trigger_price=Decimal(last),
            last=Decimal(last),
            quote_time=now,
            reason_en="by hand",
            reason_zh="手动",
            state=SignalState.PENDING,
            created_at=now,
            held_at=now,
            config_revision=1,
        )

    world.at(clock, wish)


def codes(rows: Any) -> list[str]:
    """The codes of events or denials, in order."""
    return [row.code for row in rows]


class Down(Delivery):
    """A terminal that answers no query of the account while `on`."""

    def __init__(self) -> None:
        self.on = True

    def answer(self, request: Message, result: Any) -> Any:
        return None if self.on and request["op"].startswith("query_stock") else result

    def times(self, message: Message, now: datetime) -> Sequence[datetime]:
        return () if self.on and message["push"] in ("stock_order", "stock_trade") else (now,)
