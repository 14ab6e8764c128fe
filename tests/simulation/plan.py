"""What a seed means: the holdings, how prices move, what misbehaves, what crashes and what people do. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from tests.simulation.database import SYMBOLS
from tests.simulation.grids import Grid
from trading import faults
from trading.domain.types import Side
from trading.paper.misbehaviours import NAMES

CENT = Decimal("0.01")
#: Seconds of market time in which things go wrong, and how long the world then has to settle at most: an order is
#: doubted after a minute, proven absent after two more, and then a chain of re-orders follows.
FAULTS, SETTLE = (24, 48), 300
#: How a price moves: what it heads for, as a multiple of its first value, over the time of faults.
SCRIPTS: dict[str, tuple[float, ...]] = {
    "falls": (1.0, 0.91, 0.905),
    "falls late": (1.0, 1.0, 0.95, 0.91),
    "dips": (1.0, 0.92, 0.96, 0.92),
    "add-on": (1.0, 0.928, 0.929),
    "breakout": (1.0, 1.075, 1.066, 1.06),
    "rises": (1.0, 1.09, 1.03, 0.99),
    "rests": (1.0, 1.002, 0.998),
}


@dataclass(frozen=True, slots=True)
class Stock:
    """One symbol: its first price, its way, how deep its book is, what we hold, what was bought today by hand."""

    symbol: str
    first: Decimal
    way: tuple[float, ...]
    depth: int
    held: int
    bought_today: int


@dataclass(frozen=True, slots=True)
class Deed:
    """Something a person does at a second: `kind` and its arguments."""

    second: int
    kind: str
    symbol: str = ""
    side: Side = Side.SELL
    quantity: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    seconds: int
    stocks: tuple[Stock, ...]
    settings: dict[str, str]
    misbehaviours: tuple[str, ...]
    #: How likely a passage of a crash point ends its process, raises, or lets the others run meanwhile.
    crashes: float
    raises: float
    delays: float
    deeds: tuple[Deed, ...]
    points: tuple[str, ...] = ()  # empty: any point
    doubled_ticks: bool = False
    late_start: bool = False
    #: The library loses its connection now and then, and its old callback goes on hearing.
    leaked_stop: bool = False
    worker_dead: bool = False
    second_gateway: bool = False
    day_end: bool = False
    closes_at_once: bool = False  # the afternoon is left out before anything could settle
    kill_at_point: bool = False
    #: The terminal's window is closed as the first order reaches the counter, for so long; opened again, its lists
    #: are complete only so long after a login.
    away: timedelta = timedelta(0)
    loading: timedelta = timedelta(0)
    grids: tuple[Grid, ...] = ()


def plan_of(seed: int) -> Plan:
    """Return the plan of a seed; the same seed is the same plan."""
    chance = random.Random(f"plan:{seed}")
    seconds = chance.randint(*FAULTS)
    count = chance.choice([1, 2, 2, 3])
    stocks = tuple(_stock(symbol, chance) for symbol in chance.sample(SYMBOLS, count))
    few = chance.choice([0, 1, 1, 2, 2, 3, 5])
    crashes = chance.choice([0.0, 0.0, 0.01, 0.03])
    points: tuple[str, ...] = ()
    if crashes and chance.random() < 0.5:
        points = tuple(chance.sample(sorted(faults.POINTS), 3))
        crashes = 0.3
    misbehaviours = tuple(chance.sample(NAMES, few))
    leaked_stop = chance.random() < 0.15
    if "remark_truncated" in misbehaviours and "never_told" not in misbehaviours:
        misbehaviours += (
            "never_told",
        )  # else the answer names the order before its remark is needed
    kill_at_point = chance.random() < 0.1
    return Plan(
        seed=seed,
        seconds=seconds,
        stocks=stocks,
        settings=_settings(chance),
        misbehaviours=misbehaviours,
        crashes=crashes,
        raises=chance.choice([0.0, 0.0, 0.0, 0.01]),
        delays=0.5 if kill_at_point else chance.choice([0.0, 0.0, 0.2]),
        deeds=_deeds(stocks, seconds, chance),
        points=points,
        doubled_ticks=chance.random() < 0.25,
        late_start=chance.random() < 0.2,
        leaked_stop=leaked_stop,
        worker_dead=chance.random() < 0.08,
        second_gateway=chance.random() < 0.12,
        day_end=chance.random() < 0.3,
        kill_at_point=kill_at_point,
    )


def _stock(symbol: str, chance: random.Random) -> Stock:
    return Stock(
        symbol=symbol,
        first=Decimal(chance.randint(800, 4000)) * CENT,
        way=SCRIPTS[chance.choice(sorted(SCRIPTS))],
        depth=chance.choice([0, 1, 3, 50]),
        held=chance.choice([100, 300, 1000, 1250, 2000]),
        bought_today=chance.choice([0, 0, 0, 100, 500]),
    )


def _settings(chance: random.Random) -> dict[str, str]:
    return {
        "sell_order_timeout": chance.choice(["5", "8", "30"]),
        "take_profit_order_timeout": chance.choice(["5", "8", ""]),
        "buy_order_timeout": chance.choice(["5", "60"]),
        "reorder_max_attempts": chance.choice(["0", "1", "3"]),
        "price_mode": chance.choice(["opponent", "last", "limit"]),
        "add_on_enabled": chance.choice(["false", "true"]),
        "buy_amount": "5000",
        "max_position_value": "200000",
    }


def _deeds(stocks: tuple[Stock, ...], seconds: int, chance: random.Random) -> tuple[Deed, ...]:
    kinds = ["wish", "wish", "cancel", "config", "halt", "resume", "reduce"]
    found = []
    for _ in range(chance.choice([0, 0, 1, 2, 4])):
        stock = chance.choice(stocks)
        found.append(
            Deed(
                second=chance.randint(8, seconds),
                kind=chance.choice(kinds),
                symbol=stock.symbol,
                side=chance.choice([Side.BUY, Side.SELL]),
                quantity=chance.choice([100, 200, 500]),
            )
        )
    return tuple(sorted(found, key=lambda deed: deed.second))


#: Where a pause of the gateway lets the others run: outside any transaction.
PAUSES = frozenset(
    {
        "gateway.claimed",
        "gateway.checked",
        "gateway.submitted",
        "gateway.cancel_claimed",
        "gateway.drained",
    }
)
