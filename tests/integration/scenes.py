"""What the tests of the order path have in common: a holding that falls through its stop, and hands on the world."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from tests.misbehaving import Misbehaving
from tests.world import World
from trading.broker.gateway import Gateway
from trading.broker.qmt import QmtBroker
from trading.domain.symbols import parse_symbol
from trading.domain.types import Side, SignalKind, SignalState
from trading.models import Account, Order, Signal
from trading.paper import xttrader, xttype
from trading.replay.engine import BROKER_ACCOUNT
from trading.services import config
from trading.services.desk import AccountDesk

STOCK, OTHER = "600036.SH", "600000.SH"
#: A book without bids and without trades: a sell that arrives rests, whatever its price.
QUIET = {"bids": [], "volume": 2_000_000}
FELL = "09:31:00"  # the second in which the price falls through the stop, and the order is sent


def falling(
    terminal: Misbehaving | None = None,
    *,
    until: str = "09:33:00",
    holdings: tuple[tuple[str, int, str], ...] = ((STOCK, 1000, "10.00"),),
    settings: dict[str, str] | None = None,
    book: dict[str, object] | None = None,
    skip: bool = True,
) -> World:
    """Return a world whose holdings (cost 10.00) fall to 9.20 at 09:31:00; `book` {} = a deep one, it sells at once.

    By default nobody buys: the sell rests at 9.20.
    """
    world = World(holdings=holdings, settings=settings, skip=skip)
    for symbol, _, _ in holdings:
        world.hold(symbol, "10.00", since="09:30:00", until=FELL)
        world.hold(symbol, "9.20", since=FELL, until=until, **(QUIET if book is None else book))  # type: ignore[arg-type]
    if terminal is not None:
        world.terminal.delivery = terminal
    return world


def restart(world: World, *, died: bool = True, session: int = 101) -> None:
    """Start a new gateway on the same database and terminal; the old one was killed, or (not `died`) still runs."""
    if died:
        world.terminal.release_session(100)
    world._broker = QmtBroker(xttrader, xttype, world._address, session, BROKER_ACCOUNT)
    world.gateway = Gateway(
        world._broker, AccountDesk(world.account.pk, world.store, world.calendar)
    )


def stop_gateway(world: World) -> None:
    """Let the process die: nothing steps any more, the terminal keeps what reached it."""
    world.terminal.release_session(100)
    world._converse = lambda now: world.terminal.step(now)  # type: ignore[method-assign]


def start_gateway(world: World) -> None:
    """Start it again after `stop_gateway`."""
    del world._converse
    restart(world)


def wish(
    world: World,
    clock: str,
    symbol: str,
    side: Side,
    quantity: int,
    *,
    kind: SignalKind = SignalKind.MANUAL,
    price: str = "10.00",
) -> None:
    """Let a person want a trade at this second: a pending signal, which the next tick decides."""

    def make() -> None:
        now = world.moment(clock)
        Signal.objects.create(
            account=world.account,
            symbol=parse_symbol(symbol),
            kind=kind,
            side=side,
            quantity=quantity,
            trigger_price=Decimal(price),
            last=Decimal(price),
            quote_time=now,
            reason_en="a person wants it",
            reason_zh="人工",
            state=SignalState.PENDING,
            created_at=now,
            held_at=now,
            config_revision=config.load(world.account.pk).revision,
        )
        world._moved()

    world.at(clock, make)


def account(world: World) -> Account:
    return Account.objects.get(pk=world.account.pk)


def moves(order: Order) -> list[str]:
    """Return the states an order went through, in order."""
    return [event.new_state for event in order.events.order_by("pk")]


def at_broker(world: World) -> list[object]:
    """Return the orders the terminal knows."""
    return list(world.exchange.account(BROKER_ACCOUNT).orders.values())


def codes(world: World, *wanted: str) -> list[str]:
    """Return the codes of the journal, only the `wanted` ones if any are named."""
    found = [event.code for event in world.events()]
    return [code for code in found if code in wanted] if wanted else found


def seconds_after(world: World, clock: str, moment: datetime | None) -> float:
    assert moment is not None
    return (moment - world.moment(clock)) / timedelta(seconds=1)
