"""The strategy tick: the only place that gathers. Quotes → signals → risk → orders, in one transaction, then a nudge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from django.db import transaction

from trading.domain.calendar import TradingCalendar, phase_at
from trading.domain.instruments import lot_rule
from trading.domain.types import CHINA, BookStatus, Purpose, Quote, SignalKind, Symbol, Text
from trading.errors import ConfigError
from trading.faults import crash_point
from trading.models import Account, EventLevel, Order, Position
from trading.models.prepared import Prepared, PreparedUpdate
from trading.ports import QuoteReader
from trading.selectors import fold_mark
from trading.services import config
from trading.services.booking import state_fields
from trading.services.config import Settings
from trading.services.corporate_actions import check_ex_rights
from trading.services.decisions import Decisions
from trading.services.events import journal, journal_once
from trading.services.rows import update_rows
from trading.services.view import TickView
from trading.strategy import Holding, StrategyOutput, Tick, strategies

Nudge = Callable[[int], None]

_STATE_COLUMNS = [
    "high_since_entry",
    "first_take_profit_done",
    "armed",
    "armed_high",
    "trailing_level",
]


def strategy_tick(
    account_id: int, now: datetime, quotes: QuoteReader, calendar: TradingCalendar, nudge: Nudge
) -> int:
    """Run one strategy tick; returns the number of orders approved. Nothing is decided outside continuous trading."""
    phase = phase_at(calendar, now)
    if not phase.continuous:
        return 0
    with transaction.atomic():
        settings = settings_or_alarm(account_id, now)
        if settings is None:
            return 0
        view = TickView(account_id, settings, now, phase, quotes, calendar)
        if not view.rows and not view.busy.anything:
            return 0
        check_ex_rights(view)
        approved = _decide(view)
        crash_point("strategy.decided")
        if approved:
            transaction.on_commit(lambda: nudge(account_id))
    return approved


def settings_or_alarm(account_id: int, now: datetime) -> Settings | None:
    """Return the effective settings, with an alarm when they are not the row's; None when none was ever valid."""
    settings, problem = settings_and_problem(account_id)
    if problem is not None:
        journal_once(account_id, EventLevel.ALARM, "CONFIG_INVALID", problem, now)
    return settings


def settings_and_problem(account_id: int) -> tuple[Settings | None, Text | None]:
    """Return the effective settings (None when none was ever valid), and what is wrong with the row, in words."""
    try:
        settings = config.load(account_id)
    except ConfigError as problem:
        return None, config.explain(problem)
    if settings.problem is None:
        return settings, None
    en, zh = settings.problem
    text = Text(
        f"{en}. Only stop-losses act, under revision {settings.revision}, until it is corrected.",
        f"{zh}。修正之前只有止损按版本 {settings.revision} 执行。",
    )
    return settings, text


def _decide(view: TickView) -> int:
    holdings, mark = _holdings(view)
    tick = Tick(
        view.now, view.settings.buy_amount, view.settings.risk.max_position_value, _add_ons(view)
    )
    outputs = [strategy(holdings, tick) for strategy in strategies()]
    _save_positions(view, outputs, holdings, mark)
    crash_point("strategy.positions_saved")
    # A chain under way of the same or a higher kind has the symbol already; its re-orders are the orders tick's.
    wishes = [
        wish
        for output in outputs
        for wish in output.wishes
        if not _in_hand(view, wish.symbol, wish.kind)
    ]
    hindrances = [
        hindrance
        for output in outputs
        for hindrance in output.hindrances
        if not _in_hand(view, hindrance.symbol, hindrance.kind)
    ]
    _tell_misfits(view)
    if not (wishes or hindrances or view.busy.signals or view.busy.denials):
        return 0
    return Decisions(view).run(wishes, hindrances)


def _holdings(view: TickView) -> tuple[list[Holding], datetime | None]:
    """Return what the strategies see, and the mark up to which quotes were read."""
    mark = view.busy.folded_until
    since = view.since({symbol: _folded_until(row, mark) for symbol, row in view.rows.items()})
    holdings = []
    for symbol, row in view.rows.items():
        instrument = view.instrument(symbol)
        latest = view.latest(symbol)
        # Quotes of an earlier session are over: today may have begun ex-rights.
        new = [
            one.quote
            for one in since.get(symbol, ())
            if one.quote.time.astimezone(CHINA).date() == view.on and not _virtual(one.quote)
        ]
        holdings.append(
            Holding(
                position_id=row.pk,
                position=view.positions[symbol],
                instrument=instrument,
                lot=lot_rule(instrument, view.on),
                rules=view.rules_of(row),
                sellable=partial(view.free_after_cancels, symbol),
                locked=partial(view.locked, symbol),
                # A rule that still holds decides again although no new quote came: the newest one is folded again.
                quotes=new or ((latest,) if latest is not None and not _virtual(latest) else ()),
                latest=latest,
                fresh=view.fresh(symbol),
                decides=not view.paused(row),
            )
        )
    arrived = [arrivals[-1].at for arrivals in since.values()]
    return holdings, max(arrived, default=mark)


def _virtual(quote: Quote) -> bool:
    """Whether its price is an auction's virtual match: orders that may still be withdrawn touch no level."""
    return quote.status is BookStatus.AUCTION


def _folded_until(row: Position, mark: datetime | None) -> datetime:
    return fold_mark(row.seen, row.behind, mark)


def _add_ons(view: TickView) -> dict[Symbol, datetime]:
    """Return when each symbol's last add-on of today was approved; asked only while the rule is on."""
    if not view.settings.exits.add_on_enabled:
        return {}
    return {Symbol(symbol): at for symbol, at in _ADD_ONS(view.account_id, view.on)}


_ADD_ONS = Prepared(
    lambda account, on: (
        Order.objects.filter(account_id=account, trade_date=on, kind=SignalKind.ADD_ON)
        .order_by("approved_at")
        .values_list("symbol", "approved_at")
    )
)


def _tell_misfits(view: TickView) -> None:
    for symbol, problem in view.misfits.items():
        text = Text(
            f"{symbol}: its own threshold cannot be used, the account's counts: {problem.text.en}",
            f"{symbol} 的单独参数无效，按账户参数执行：{problem.text.zh}",
        )
        journal_once(
            view.account_id, EventLevel.ALARM, "CONFIG_INVALID", text, view.now, symbol=symbol
        )


def _in_hand(view: TickView, symbol: Symbol, kind: SignalKind) -> bool:
    """Beside an order whose outcome was unknown the rest may be sold, but no second first take-profit of a life."""
    return any(
        order.symbol == symbol
        and order.purpose == kind.purpose == Purpose.EXIT
        and (not order.was_unknown or kind is SignalKind.FIRST_TAKE_PROFIT)
        and SignalKind(order.kind).priority >= kind.priority
        for order in view.orders
    )


def _save_positions(
    view: TickView,
    outputs: Sequence[StrategyOutput],
    holdings: Sequence[Holding],
    mark: datetime | None,
) -> None:
    """Write the rows that changed in one upsert, and move the account's mark.

    Holdings that were not folded keep a mark of their own until their symbol is fresh again.
    """
    before = view.busy.folded_until
    rows = {row.pk: row for row in view.rows.values()}
    changed: dict[int, Position] = {}
    for holding in holdings:
        row = rows[holding.position_id]
        if holding.fresh == row.behind:
            row.seen = mark if holding.fresh else _folded_until(row, before)
            row.behind = not holding.fresh
            changed[row.pk] = row
    for output in outputs:
        for pk, value in output.positions.items():
            row, state = rows[pk], state_fields(value)
            if any(getattr(row, name) != state[name] for name in _STATE_COLUMNS):
                for name in _STATE_COLUMNS:
                    setattr(row, name, state[name])
                changed[pk] = row
        for symbol, code, text in output.notes:
            journal(view.account_id, EventLevel.WARNING, code, text, view.now, symbol=symbol)
    if changed:
        update_rows(changed.values(), [*_STATE_COLUMNS, "seen", "behind"])
    if mark is not None and mark != before:
        _MARK(view.account_id, folded_until=mark)


_MARK = PreparedUpdate(lambda account: Account.objects.filter(pk=account))
