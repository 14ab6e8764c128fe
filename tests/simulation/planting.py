"""How a bug is planted: the patches of the real code that make it, and the plans in which it can show at all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

from tests.simulation.plan import SCRIPTS, Plan

Patch = AbstractContextManager[Any]
#: Its docstring says what the bug is; each call makes its patches anew.
Bug = Callable[[], list[Patch]]
Needed = Callable[[Plan], bool]

#: What a plan must have for a bug to change anything; a search leaves the other seeds out. Not named: any plan will do.
NEEDS: dict[str, Needed] = {}


def needs(needed: Needed) -> Callable[[Bug], Bug]:
    def noted(bug: Bug) -> Bug:
        NEEDS[bug.__name__] = needed
        return bug

    return noted


def misbehaving(*names: str) -> Needed:
    """One of these misbehaviours is in the plan."""
    return lambda plan: not set(names).isdisjoint(plan.misbehaviours)


def deed(*kinds: str) -> Needed:
    """Somebody does one of these things."""
    return lambda plan: any(one.kind in kinds for one in plan.deeds)


def moving(*scripts: str) -> Needed:
    """A price goes one of these ways."""
    ways = [SCRIPTS[name] for name in scripts]
    return lambda plan: any(stock.way in ways for stock in plan.stocks)


def put(owner: Any, name: str, made: Callable[[Any], Any]) -> Patch:
    """Replace an attribute by what `made` makes of it."""
    return mock.patch.object(owner, name, made(getattr(owner, name)))
