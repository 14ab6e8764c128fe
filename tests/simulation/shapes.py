"""Situations in which several things have to come together; chance alone would bring them too seldom.

Each is a rare change of a plan: misbehaviours, prices, settings and deeds that belong together. Pure.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from tests.simulation.database import SYMBOLS
from tests.simulation.plan import SCRIPTS, Deed, Plan
from trading.domain.types import Side

Shape = Callable[[Plan, random.Random], Plan]
_IMPATIENT = {
    "take_profit_order_timeout": "5",
    "sell_order_timeout": "5",
    "reorder_max_attempts": "3",
}


def shaped(plan: Plan) -> Plan:
    """Return the plan, in one of six cases as one of the shapes below."""
    chance = random.Random(f"shape:{plan.seed}")
    return chance.choice(SHAPES)(plan, chance) if chance.random() < 1 / 6 else plan


def doubtful_start(plan: Plan, chance: random.Random) -> Plan:
    """The first lists may fail, while shares bought today are in the account."""
    stocks = tuple(replace(stock, bought_today=chance.choice([100, 500])) for stock in plan.stocks)
    return replace(plan, stocks=stocks, misbehaviours=_with(plan, "none_lists"))


def alike_remarks(plan: Plan, chance: random.Random) -> Plan:
    """Sales are in doubt when the next ones of their symbols go out; what comes back of their remarks may be alike."""
    stock = replace(plan.stocks[0], way=SCRIPTS["falls"], depth=0, held=2000)
    stocks = tuple(replace(stock, symbol=symbol) for symbol in SYMBOLS[:3])
    wishes = [
        Deed(8 + at, "wish", stock.symbol, Side.SELL, 100) for at, stock in enumerate(stocks)
    ]
    lost = chance.choice(["lost_request", "zombie"])
    return replace(
        plan,
        seconds=50,
        stocks=stocks,
        misbehaviours=("remark_truncated", "callback_before_response", lost),
        deeds=tuple(wishes),
        crashes=0.0,
        delays=0.0,
        late_start=False,
        second_gateway=False,
    )


def parted_fills(plan: Plan, chance: random.Random) -> Plan:
    """Take-profits of half a holding are filled bit by bit, cancelled, and some fills come late."""
    names = (
        "late_fill",
        *chance.sample(["duplicated", "reordered", "cancel_true_for_nothing"], 1),
    )
    stocks = tuple(
        replace(stock, way=SCRIPTS["rises"], depth=chance.choice([1, 3]), held=2000)
        for stock in plan.stocks
    )
    settings = plan.settings | _IMPATIENT
    return replace(plan, stocks=stocks, settings=settings, misbehaviours=names, crashes=0.0)


def told_by_the_old_connection(plan: Plan, chance: random.Random) -> Plan:
    """Orders rest at the exchange while the connection is replaced, and the old one goes on talking."""
    stocks = tuple(
        replace(stock, way=SCRIPTS[chance.choice(["falls", "dips"])], depth=chance.choice([1, 3]))
        for stock in plan.stocks
    )
    settings = plan.settings | {"sell_order_timeout": "30", "price_mode": "last"}
    return replace(
        plan,
        stocks=stocks,
        settings=settings,
        leaked_stop=True,
        misbehaviours=("delayed",),
        crashes=0.0,
    )


def refused_cancels(plan: Plan, chance: random.Random) -> Plan:
    """Orders for a part of a holding rest, and what is said of their cancels is not so."""
    stocks = tuple(
        replace(stock, depth=0, way=SCRIPTS["rises"], held=2000) for stock in plan.stocks
    )
    names = chance.sample(["cancel_true_for_nothing", "cancel_false_though_done", "delayed"], 2)
    settings = plan.settings | _IMPATIENT | {"price_mode": "last"}
    return replace(plan, stocks=stocks, settings=settings, misbehaviours=tuple(names), crashes=0.0)


def late_requests(plan: Plan, chance: random.Random) -> Plan:
    """Requests reach the counter up to 45 s after they were sent; the lists shrink meanwhile."""
    names = ("zombie", *chance.sample(["shrunken_lists", "stale_queries", "never_told"], 1))
    return replace(plan, seconds=60, misbehaviours=names)


def forbidden_by_a_file(plan: Plan, chance: random.Random) -> Plan:
    """Somebody puts the kill file there while prices fall."""
    stocks = tuple(
        replace(stock, way=SCRIPTS[chance.choice(["falls late", "dips"])]) for stock in plan.stocks
    )
    deed = Deed(chance.randint(8, plan.seconds // 2), "kill file")
    return replace(plan, stocks=stocks, deeds=tuple(sorted((*plan.deeds, deed), key=_second)))


def reopened_terminal(plan: Plan, chance: random.Random) -> Plan:
    """The terminal is closed as an order reaches the counter; opened again, its lists load for some seconds."""
    stocks = tuple(
        replace(stock, way=SCRIPTS["rests"], depth=50, bought_today=100) for stock in plan.stocks
    )
    wish = Deed(8, "wish", stocks[0].symbol, chance.choice([Side.BUY, Side.SELL]), 100)
    return replace(
        plan,
        seconds=130,
        stocks=stocks,
        settings=plan.settings | {"price_mode": "opponent"},
        misbehaviours=(),
        crashes=0.0,
        delays=0.0,
        deeds=(wish,),
        away=timedelta(seconds=chance.randint(65, 85)),
        loading=timedelta(seconds=chance.randint(4, 8)),
    )


SHAPES: tuple[Shape, ...] = (
    doubtful_start,
    alike_remarks,
    alike_remarks,  # of what it draws, one in four has remarks short enough
    parted_fills,
    told_by_the_old_connection,
    refused_cancels,
    late_requests,
    forbidden_by_a_file,
    reopened_terminal,
)


def _with(plan: Plan, *names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*plan.misbehaviours, *names)))


def _second(deed: Deed) -> int:
    return deed.second
