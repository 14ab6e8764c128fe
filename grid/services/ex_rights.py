"""An ex-rights morning: centre, lines, last sale, lots and base go through it once, before any decision (rules §1)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from grid.domain.state import scaled_state
from grid.models import GridAdjustment
from grid.services.ledger import scale_ledger
from grid.services.work import Work
from trading.domain.corporate_actions import ExRights, ExRightsVerdict
from trading.domain.types import Text
from trading.models import CorporateAction, EventLevel
from trading.services.corporate_actions import ex_rights_of, moved, of_today
from trading.services.events import journal, journal_once
from trading.services.view import TickView

#: The factor as it is stored: a rebuild must scale by the very same.
_FACTOR_UNIT = Decimal("0.0000000001")


def scale_sessions(view: TickView, works: Sequence[Work]) -> None:
    """Compare today's previous closes with those we recorded; two queries on the first tick of a day, else none.

    What cannot be verified keeps its session from trading until it is, or until a person resumes it.
    """
    due = [
        work
        for work in works
        if work.row.checked_close_on != view.on and of_today(view.latest(work.symbol), view.on)
    ]
    if not due:
        return
    found = ex_rights_of(view, [work.symbol for work in due])
    for work in due:
        verdict, action = found[work.symbol]
        if verdict.kind is not ExRights.REFUSED:  # a better previous close may still come today
            work.row.checked_close_on = view.on
        work.row.ex_rights_unclear = verdict.kind in (ExRights.REFUSED, ExRights.PAUSED)
        work.changed = True
        if verdict.kind is ExRights.SCALE:
            _scale(view, work, verdict, action)
        elif work.row.ex_rights_unclear:
            text = Text(
                f"Grid on {work.symbol} does not trade: {verdict.text.en}",
                f"{work.symbol} 网格暂不交易：{verdict.text.zh}",
            )
            journal_once(view.account_id, EventLevel.ALARM, "GRID_EX_RIGHTS", text, view.now, symbol=work.symbol)  # fmt: skip


def _scale(
    view: TickView, work: Work, verdict: ExRightsVerdict, action: CorporateAction | None
) -> None:
    factor = verdict.factor.quantize(_FACTOR_UNIT)
    ratio = Decimal(1) if action is None else action.share_ratio
    adjustment = GridAdjustment(
        session=work.row, on=view.on, factor=factor, share_ratio=ratio, at=view.now
    )
    before, lots = _levels(work), _lots(work)
    work.ledger = scale_ledger(work.row, work.ledger, adjustment)
    work.put(scaled_state(work.state, factor))
    work.row.base_quantity = int(work.row.base_quantity * ratio)
    work.changed = True
    after = _levels(work)
    levels = moved({name: (before[name], after[name]) for name in before})
    text = Text(
        f"Grid on {work.symbol}: {verdict.text.en}", f"{work.symbol} 网格：{verdict.text.zh}"
    )
    journal(view.account_id, EventLevel.INFO, "GRID_EX_RIGHTS", text, view.now, symbol=work.symbol, session=work.row.pk, factor=str(factor), levels=levels, lots=[lots, _lots(work)])  # fmt: skip


def _levels(work: Work) -> dict[str, object]:
    state, row = work.state, work.row
    return {
        "centre": state.centre,
        "first_centre": state.first_centre,
        "extreme": state.extreme,
        "last_sale": state.last_sale,
        "base_quantity": row.base_quantity,
    }


def _lots(work: Work) -> list[str]:
    return [f"{lot.quantity} @ {lot.price}" for lot in work.ledger.lots]
