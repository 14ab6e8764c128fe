"""What other apps add to a replay: an option of the command, something that begins with the quotes, a part of the result.

`settings.MINIQMT_REPLAY_GUESTS` names them by dotted path, so that trading imports none of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from trading.domain.types import Text
from trading.models import Account
from trading.ports import QuoteReader


class Stage(Protocol):
    """What a guest sees of the replay it is a part of."""

    @property
    def account(self) -> Account: ...

    @property
    def store(self) -> QuoteReader: ...


class Guest(Protocol):
    """One app's part of a replay. `key`: its place in the result; `option`: of the command, repeatable."""

    key: str
    option: str
    metavar: str
    help: str
    #: Settings it needs, unless a person names them.
    settings: Mapping[str, str]

    def problem(self, text: str) -> Text | None:
        """Return what is wrong with an option, before anything runs and without a database; None = nothing."""
        ...

    def shown(self, text: str) -> str:
        """Return an option as the result repeats it: no folder of this machine."""
        ...

    def begin(self, stage: Stage, texts: Sequence[str], now: datetime) -> Sequence[str]:
        """Begin what can begin now and return the rest. Asked before each strategy tick. Raises OptionError."""
        ...

    def result(self, stage: Stage) -> list[dict[str, Any]]:
        """Return what came of it as JSON-able values, the same on every run. Raises ImbalanceError."""
        ...

    def tables(
        self, rows: Sequence[Mapping[str, Any]]
    ) -> Sequence[tuple[Text, Sequence[Text], list[list[Any]]]]:
        """Return its result as tables for people: title, heads, rows; a cell may be `{en, zh}`."""
        ...


def guests() -> list[Guest]:
    """Return the configured guests. Raises ImportError when a path is wrong."""
    return [import_string(path) for path in settings.MINIQMT_REPLAY_GUESTS]
