"""One session within one tick: its row beside the domain's values, and what was decided about it."""

from __future__ import annotations

from dataclasses import dataclass

from grid.domain.ledger import Ledger
from grid.domain.parameters import GridRules
from grid.domain.state import GridState, Refusal, SessionStatus
from grid.models import GridSession
from grid.selectors import STATE_COLUMNS, state_columns
from trading.domain.types import Symbol, Text
from trading.services.view import TickView

#: Columns the tick writes; everything else belongs to people and to the ledger.
TICK_COLUMNS = (
    *STATE_COLUMNS,
    "signal",
    "status",
    "status_en",
    "status_zh",
    "stop_policy",
    "stop_code",
    "stopped_at",
    "base_quantity",
    "seen",
    "behind",
    "checked_close_on",
    "ex_rights_unclear",
    "said_at",
    "said_code",
    "said_en",
    "said_zh",
)


@dataclass
class Work:
    """A session under way. `changed`: its row differs from the database."""

    row: GridSession
    rules: GridRules
    state: GridState
    ledger: Ledger
    changed: bool = False

    @property
    def symbol(self) -> Symbol:
        return Symbol(self.row.symbol)

    @property
    def status(self) -> SessionStatus:
        return SessionStatus(self.row.status)

    def put(self, state: GridState) -> None:
        """Remember a new state."""
        if state != self.state:
            self.state = state
            self.write_state()

    def write_state(self) -> None:
        """Copy the state into the row."""
        for name, value in state_columns(self.state).items():
            setattr(self.row, name, value)
        self.changed = True

    def say(self, view: TickView, code: str, text: Text) -> None:
        """Remember why the last trigger came to nothing."""
        row = self.row
        row.said_at, row.said_code = view.now, code
        row.said_en, row.said_zh = text
        self.changed = True

    def refused(self, view: TickView, refusal: Refusal) -> None:
        """Remember a refusal of the rules."""
        self.say(view, refusal.code.value, refusal.text)


def save(works: list[Work]) -> None:
    """Write the sessions that changed in one statement."""
    changed = [work.row for work in works if work.changed]
    if changed:
        GridSession.objects.bulk_create(
            changed,
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=TICK_COLUMNS,
            batch_size=500,
        )
