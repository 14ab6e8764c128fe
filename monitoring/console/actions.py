"""Every act the console offers, by its name in the address."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from monitoring.console.acting import Action
from monitoring.console.acting_grids import GridPause, GridResume, GridStop
from monitoring.console.acting_orders import Buy, Cancel, CancelAll, Sell
from monitoring.console.acting_switches import ExitsOff, ExitsOn, Halt, Reduce, Resume
from monitoring.console.acting_watch import Unwatch, Watch

_ALL: tuple[Action, ...] = (
    *(Sell(), Buy(), Cancel(), CancelAll(), Halt(), Reduce(), Resume()),
    *(ExitsOn(), ExitsOff(), GridPause(), GridResume(), GridStop(), Watch(), Unwatch()),
)
ACTIONS: Mapping[str, Action] = MappingProxyType({action.name: action for action in _ALL})
