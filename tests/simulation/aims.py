"""Crash points that plans seldom come to: some seeds aim at one of them, with what leads there. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from tests.simulation.plan import SCRIPTS, Plan

#: How often a seed aims, and how likely each passage of its point then is the end of the process.
OFTEN, DIES = 0.06, 0.6


def aimed(plan: Plan) -> Plan:
    """Return the plan, in a few cases aimed at one point."""
    chance = random.Random(f"aim:{plan.seed}")
    if chance.random() >= OFTEN:
        return plan
    point = chance.choice(AIMS)
    lead = _LEADS.get(point)
    made = lead(plan, chance) if lead is not None else plan
    return replace(made, crashes=DIES, points=(point,), kill_at_point=False)


def _a_rest_at_the_close(plan: Plan, chance: random.Random) -> Plan:
    """Orders rest when the exchange closes; its lists are old, and nothing is pushed, when the books close."""
    stocks = tuple(replace(stock, depth=0, way=SCRIPTS["falls"]) for stock in plan.stocks)
    settings = plan.settings | {"sell_order_timeout": "30", "price_mode": "limit"}
    return replace(
        plan,
        stocks=stocks,
        settings=settings,
        misbehaviours=("stale_queries", "pushes_dead"),
        closes_at_once=True,
        late_start=False,
        second_gateway=False,
        deeds=(),
    )


def _a_refusal(plan: Plan, chance: random.Random) -> Plan:
    """Somebody sells our shares at the terminal, or the client refuses."""
    stocks = tuple(replace(stock, way=SCRIPTS["falls"], depth=3) for stock in plan.stocks)
    names = (chance.choice(["manual_sale", "silent_refusal"]),)
    return replace(plan, stocks=stocks, misbehaviours=names)


#: The points; those that a plan comes to least of all several times.
AIMS = (
    *["desk.day_ended"] * 4,
    *["execution.rejected"] * 4,
    "desk.dropped",
    "desk.unknown",
    "execution.bound",
    "orders_tick.reordered",
    "gateway.claimed",
    "gateway.checked",
    "gateway.submitted",
    "gateway.sent",
    "gateway.cancel_claimed",
    "gateway.cancel_sent",
    "orders.cancel_wanted",
)
_LEADS: dict[str, Callable[[Plan, random.Random], Plan]] = {
    "desk.day_ended": _a_rest_at_the_close,
    "execution.rejected": _a_refusal,
}
