"""What the faults may cost, in seconds: the promises of the project."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """`back`: a killed process does its work again. `armed`: the gateway can trade again. `sold`: from the fall through
    the stop to the order at the terminal. `stopped`: from SIGTERM to the last process gone. `orphaned`: from the end of
    `up` to that of its children. `settled`: until the books agree once all is back. `hung`: until a process without a
    sign of life (30 s) was killed, started again, and the gateway is armed.
    """

    back: float = 10.0
    armed: float = 20.0
    sold: float = 15.0
    stopped: float = 3.0
    orphaned: float = 8.0
    settled: float = 15.0
    hung: float = 50.0


#: What is promised, on a machine that does nothing else.
PROMISED = Limits()
