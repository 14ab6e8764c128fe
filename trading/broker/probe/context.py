"""What a question of the probe has at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from trading.broker.probe.session import ProbeSession
from trading.domain.calendar import MarketPhase
from trading.domain.types import Symbol, Text


class Person(Protocol):
    """Whoever sits at the terminal."""

    def asked(self, text: Text) -> str:
        """Say it, wait for an answer, and return what was typed."""


class Holder(Protocol):
    """A process that holds a session, and can be ended as a crash would."""

    def kill(self) -> None: ...


@dataclass
class Probe:
    """See the module. None where something is not there: nobody to ask, no process to kill, no data service.

    `main` and `other` are the two session numbers of the probe. `objection` says why no order may be sent now; a probe
    without `with_orders` sends none.
    """

    session: ProbeSession
    open_session: Callable[[int], ProbeSession]
    main: int
    other: int
    now: Callable[[], datetime]
    clock: Callable[[], float]
    wait: Callable[[float], None]
    phase: Callable[[], MarketPhase]
    data: Any = None
    person: Person | None = None
    hold: Callable[[int], Holder] | None = None
    symbol: Symbol | None = None
    with_orders: bool = False
    objection: Callable[[], Text | None] = lambda: None
    watch: float = 0.0
    terminal: dict[str, Any] = field(default_factory=dict)
    traces: dict[str, Any] = field(default_factory=dict)
