"""What the tests of grid sessions share: a world with a session, and its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from grid.domain.ledger import Ledger
from grid.models import GridSession, GridTrade
from grid.selectors import ledger_of
from grid.services.ledger import from_fills
from grid.services.sessions import Request, start_session
from tests.world import World
from trading.domain.symbols import parse_symbol

BANK, LIQUOR, GOLD = "600036.SH", "600519.SH", "518880.SH"
#: The fill of every order at its limit; by default books are deep and everything fills at once.
DEEP: dict[str, Any] = {}
#: Nobody trades: an order that arrives rests.
QUIET: dict[str, Any] = {"bids": [], "asks": [], "volume": 2_000_000}

CENTRED = {"max_investment": "20000"}
LOTS = {"max_investment": "50000"}


def grid_world(
    holdings: Sequence[tuple[str, int, str]] = ((BANK, 1000, "10.00"),),
    *,
    settings: Mapping[str, str] | None = None,
    **more: Any,
) -> World:
    """Return a world whose account trades grids; its stop-loss and take-profit are off unless set."""
    own = {
        "grid_enabled": "on",
        "stop_loss_enabled": "off",
        "take_profit_enabled": "off",
        **(settings or {}),
    }
    return World(holdings=holdings, settings=own, **more)


def start(
    world: World,
    clock: str,
    style: str = "centred",
    symbol: str = BANK,
    *,
    centre: str | None = "10.00",
    base_quantity: int | None = None,
    exits_may_sell_base: bool = True,
    stop_policy: str = "keep",
    **values: Any,
) -> None:
    """Start a session as a person does; numbers are given as text."""
    defaults = CENTRED if style == "centred" else LOTS
    given = {
        name: Decimal(value) if isinstance(value, str) and name != "trade_mode" else value
        for name, value in {**defaults, **values}.items()
    }

    def begin() -> None:
        request = Request(
            account_id=world.account.pk,
            symbol=symbol,
            style=style,
            values=given,
            centre=None if centre is None else Decimal(centre),
            base_quantity=base_quantity,
            exits_may_sell_base=exits_may_sell_base,
            stop_policy=stop_policy,  # type: ignore[arg-type]
        )
        quote = world.store.latest([parse_symbol(symbol)]).get(parse_symbol(symbol))
        start_session(request, quote, world.moment(clock), actor="tester", why="a test")

    world.at(clock, begin)


def path(
    world: World,
    since: str | datetime,
    prices: Sequence[str],
    symbol: str = BANK,
    every: int = 5,
    tail: int = 60,
    **book: Any,
) -> None:
    """Show prices `every` seconds apart, each until the next; the last one for `tail` seconds."""
    at = world.moment(since)
    for number, price in enumerate(prices):
        begins = at + number * _seconds(every)
        ends = begins + _seconds(every if number < len(prices) - 1 else tail)
        world.hold(symbol, price, since=begins, until=ends, every=5, **book)


def _seconds(number: int) -> timedelta:
    return timedelta(seconds=number)


def session(world: World, symbol: str = BANK) -> GridSession:
    """Return the newest session of a symbol."""
    return GridSession.objects.filter(account=world.account, symbol=symbol).latest("pk")


def books(world: World, symbol: str = BANK) -> Ledger:
    """Return the ledger of the newest session, which must be what its fills give."""
    row = session(world, symbol)
    ledger = ledger_of(row)
    assert ledger == from_fills(row)
    assert GridTrade.objects.filter(session=row).count() == len(
        world.fills(order__source=row.source)
    )
    return ledger


def traded(world: World) -> list[str]:
    """Write the grid orders as `buy 200 filled`, oldest first."""
    return [
        f"{order.side} {order.quantity} {order.state}" for order in world.orders(purpose="grid")
    ]
