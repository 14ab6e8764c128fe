"""The grid tick: fills → outcomes → quotes → rules → signals → risk → orders, in one transaction.

A tick of its own, under a lease of its own: a fault of a grid never stops a stop-loss. The number of queries does not
grow with the number of sessions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from django.db import transaction

from grid.domain.ledger import Ledger
from grid.domain.rules import fold
from grid.domain.state import Refusal, SessionStatus, Stop, Trade, reset
from grid.models import GridMark, GridSession
from grid.models.sessions import StopPolicy
from grid.selectors import followed_until, ledgers_of, open_sessions, rules_of, state_of
from grid.services import linkage
from grid.services.closing import close_sessions
from grid.services.ending import CLOSING, begin_stop
from grid.services.ex_rights import scale_sessions
from grid.services.facts import facts_of
from grid.services.ledger import pull_fills, session_id_of
from grid.services.outcomes import finish, settle
from grid.services.wishes import wish_of
from grid.services.work import Work, save
from trading.domain.calendar import TradingCalendar, phase_at
from trading.domain.settings import SettingError
from trading.domain.types import CHINA, Quote, SignalKind, SignalState, Text
from trading.models import EventLevel, Signal
from trading.ports import Arrival, QuoteReader
from trading.selectors import fold_mark
from trading.services.decisions import Decisions
from trading.services.events import journal, journal_once
from trading.services.tick import Nudge, settings_or_alarm
from trading.services.view import TickView
from trading.strategy import Wish


def grid_tick(
    account_id: int, now: datetime, quotes: QuoteReader, calendar: TradingCalendar, nudge: Nudge
) -> int:
    """Run one grid tick; returns the number of orders approved.

    Fills, ends and withdrawals are looked after whenever it runs; quotes are followed in continuous trading only.
    """
    with transaction.atomic():
        rows = open_sessions(account_id)
        settings = settings_or_alarm(account_id, now) if rows else None
        if settings is None:
            return 0
        view = TickView(account_id, settings, now, phase_at(calendar, now), quotes, calendar)
        approved = GridTick(view, rows).run()
        if approved:
            transaction.on_commit(lambda: nudge(account_id))
    return approved


_WATCHED = (SessionStatus.ACTIVE, SessionStatus.PAUSED)


class GridTick:
    """One tick of one account."""

    def __init__(self, view: TickView, rows: Sequence[GridSession]) -> None:
        self._view = view
        ledgers = ledgers_of(rows)
        ledgers |= pull_fills(view.account_id, ledgers, view.on, rows)
        self._works = [work for row in rows if (work := self._work(row, ledgers)) is not None]
        self._wishes: list[tuple[Work, Wish]] = []

    def run(self) -> int:
        """Do everything that is due; returns the number of orders approved."""
        view, works = self._view, self._works
        settle(view, works)
        linkage.pause_after_full_exits(view, works)
        self._wishes += close_sessions(view, works)
        approved = 0
        if view.phase.continuous:
            scale_sessions(view, works)
            self._follow()
            approved = self._decide()
        save(works)
        return approved

    def _work(self, row: GridSession, ledgers: Mapping[int, Ledger]) -> Work | None:
        """Return the session as the domain sees it; one whose row a hand spoiled is told of, and left alone (F97)."""
        try:
            return Work(row, rules_of(row), state_of(row), ledgers[row.pk])
        except (SettingError, ValueError, TypeError, KeyError) as problem:
            text = Text(
                f"Grid session {row.pk} of {row.symbol} cannot be read and does nothing: {problem}",
                f"{row.symbol} 的网格会话 {row.pk} 无法读取，不作任何动作：{problem}",
            )
            journal_once(
                row.account_id,
                EventLevel.ALARM,
                "GRID_UNREADABLE",
                text,
                self._view.now,
                symbol=row.symbol,
            )
            return None

    # -- quotes

    def _follow(self) -> None:
        view = self._view
        watching = [work for work in self._works if work.status in _WATCHED]
        view.know([work.symbol for work in watching])
        before = followed_until(view.account_id)
        marks = {
            work.symbol: fold_mark(work.row.seen, work.row.behind, before) for work in watching
        }
        since = view.since(marks)
        mark = max((arrivals[-1].at for arrivals in since.values()), default=before)
        for work in watching:
            # Quotes of a symbol that is not fresh wait, they are not lost.
            fresh = view.fresh(work.symbol)
            if fresh == work.row.behind:
                work.row.seen = mark if fresh and mark is not None else marks[work.symbol]
                work.row.behind, work.changed = not fresh, True
            if fresh and (arrivals := since.get(work.symbol, ())):
                self._follow_one(work, arrivals)
        if mark is not None and mark != before:
            GridMark.objects.bulk_create(
                [GridMark(account_id=view.account_id, followed_until=mark)],
                update_conflicts=True,
                unique_fields=["account"],
                update_fields=["followed_until"],
            )

    def _follow_one(self, work: Work, arrivals: Sequence[Arrival]) -> None:
        view = self._view
        quotes = [one.quote for one in arrivals if _on(one.quote) == view.on]
        oldest = view.now - view.settings.signals.max_age(SignalKind.GRID)
        state, decisions = fold(work.state, quotes, work.rules, facts_of(view, work), oldest)
        work.put(state)
        for decision in decisions:
            match decision:
                case Trade():
                    self._wishes.append((work, wish_of(view, work, decision)))
                case Refusal():
                    work.refused(view, decision)
                case Stop():
                    self._stop(work, decision)

    def _stop(self, work: Work, stop: Stop) -> None:
        """An exit was reached: the session stops; a paused one, or one without a switch, only says so."""
        view, row = self._view, work.row
        if work.status is SessionStatus.PAUSED or not view.settings.grid_enabled:
            text = Text(
                f"Grid on {row.symbol} is paused and reached an exit: {stop.text.en}",
                f"{row.symbol} 网格已暂停，达到退出条件：{stop.text.zh}",
            )
            journal_once(row.account_id, EventLevel.ALARM, f"GRID_{stop.code.value}", text, view.now, symbol=row.symbol)  # fmt: skip
            return
        begin_stop(row, StopPolicy(row.stop_policy), stop.code.value, stop.text, view.now)
        work.state, work.changed = state_of(row), True
        text = Text(
            f"Grid on {row.symbol} is stopping: {stop.text.en}",
            f"{row.symbol} 网格正在停止：{stop.text.zh}",
        )
        journal(row.account_id, EventLevel.WARNING, "GRID_STOPPING", text, view.now, symbol=row.symbol, session=row.pk, stop=stop.code.value)  # fmt: skip

    # -- decisions

    def _decide(self) -> int:
        view = self._view
        waits = any(work.row.signal_id is not None for work in self._works)
        if not (self._wishes or (waits and view.busy.signals) or view.busy.denials):
            return 0
        decisions = Decisions(view, frozenset({SignalKind.GRID}), self._stands)
        approved = decisions.run([wish for _, wish in self._wishes], [])
        for work, wish in self._wishes:
            self._outcome(work, decisions.decided.get((wish.symbol, SignalKind.GRID)))
        return approved

    def _outcome(self, work: Work, signal: Signal | None) -> None:
        """A wish that is a signal now is waited for; one that came to nothing resets the tracker (F92)."""
        stands = (SignalState.PENDING, SignalState.ACCEPTED)
        if signal is not None and not signal._state.adding and signal.state in stands:
            work.row.signal, work.changed = signal, True
            return
        if signal is not None and signal.state == SignalState.DENIED:
            text = Text(signal.outcome_en, signal.outcome_zh)
            work.say(self._view, signal.denial_code or "DENIED", text)
        work.put(reset(work.state))
        finish(work, None)

    def _stands(self, signal: Signal) -> bool:
        """Whether the session that wished a signal still wants it."""
        number = session_id_of(signal.source)
        work = next((work for work in self._works if work.row.pk == number), None)
        if work is None:
            return False
        if work.status is SessionStatus.STOPPING:  # a person, or an exit, wants its lots sold
            return bool(signal.detail.get(CLOSING))
        return work.status is SessionStatus.ACTIVE and self._view.settings.grid_enabled


def _on(quote: Quote) -> date:
    return quote.time.astimezone(CHINA).date()
