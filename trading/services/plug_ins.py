"""The tick of the strategy plug-ins: portfolio → advice → signals → risk → orders.

A tick of its own, under a lease of its own: a plug-in that fails, or never returns, stops no stop-loss. It decides in
continuous trading only, and only signals of kind `strategy`, which trade when `strategy_execution_enabled` is on.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings as django_settings
from django.db import transaction
from django.utils.module_loading import import_string

from trading.domain.calendar import TradingCalendar, phase_at
from trading.domain.daily import Indicators
from trading.domain.instruments import lot_rule
from trading.domain.plug_in import Advice
from trading.domain.portfolio import AccountFacts, Portfolio
from trading.domain.types import DenialCode, Purpose, Side, SignalKind, Symbol, Text
from trading.models import EventLevel
from trading.ports import QuoteReader
from trading.selectors import orders_of_day, watched_by, watched_symbols
from trading.services.clock import environment_of
from trading.services.decisions import Decisions
from trading.services.events import journal_once
from trading.services.indicators import indicators_on
from trading.services.orders import working_ref
from trading.services.runner import TickSpec
from trading.services.tick import Nudge, settings_or_alarm
from trading.services.view import TickView
from trading.strategy import Hindrance, Wish

log = logging.getLogger(__name__)

_KIND = SignalKind.STRATEGY


def plug_in_tick(
    account_id: int, now: datetime, quotes: QuoteReader, calendar: TradingCalendar, nudge: Nudge
) -> int:
    """Ask every plug-in of `settings.MINIQMT_PLUG_INS` once; returns the number of orders approved."""
    phase = phase_at(calendar, now)
    if not django_settings.MINIQMT_PLUG_INS or not phase.continuous:
        return 0
    with transaction.atomic():
        settings = settings_or_alarm(account_id, now)
        if settings is None:
            return 0
        view = TickView(account_id, settings, now, phase, quotes, calendar)
        approved = _PlugInTick(view).run()
        if approved:
            transaction.on_commit(lambda: nudge(account_id))
    return approved


PLUG_INS = TickSpec(
    "plug_ins",
    timedelta(seconds=5),
    plug_in_tick,
    lambda phase, now: phase.continuous and bool(django_settings.MINIQMT_PLUG_INS),
    watched_symbols,
)


class _PlugInTick:
    """One tick of one account."""

    def __init__(self, view: TickView) -> None:
        self._view = view
        orders = orders_of_day(view.account_id, view.on)
        self._sold = {Symbol(order.symbol) for order in orders if order.side == Side.SELL}
        self._done = {
            Symbol(order.symbol) for order in orders if order.purpose == Purpose.STRATEGY
        }
        self._wishes: dict[Symbol, Wish] = {}
        self._hindrances: list[Hindrance] = []

    def run(self) -> int:
        view, portfolio = self._view, self._portfolio()
        for path in django_settings.MINIQMT_PLUG_INS:
            for advice in self._ask(path, portfolio):
                self._take(advice, path)
        if not (self._wishes or self._hindrances or view.busy.signals or view.busy.denials):
            return 0
        decisions = Decisions(view, frozenset({_KIND}))
        return decisions.run(list(self._wishes.values()), self._hindrances)

    def _portfolio(self) -> Portfolio:
        view, account = self._view, self._view.account
        watched = watched_by(view.account_id)
        known = sorted({*view.rows, *watched})
        latest = {symbol: quote for symbol in known if (quote := view.latest(symbol)) is not None}
        before = account.previous_total if account.previous_total_on != view.on else None
        return Portfolio(
            account=AccountFacts(account.cash, account.total_asset, before, view.spent_unseen),
            positions=view.positions,
            instruments=view.know(known),
            working=tuple(working_ref(order) for order in view.orders),
            quotes=latest,
            watched=watched,
            indicators=self._indicators(known),
            traded_today=frozenset(self._sold | self._done | view.bought.keys()),
        )

    def _indicators(
        self, symbols: Sequence[Symbol]
    ) -> dict[Symbol, tuple[Indicators, Indicators]]:
        """Those of the last two sessions; a symbol that lacks one is left out: older ones say nothing of today."""
        calendar = self._view.calendar
        last = calendar.previous_session(self._view.on)
        before = None if last is None else calendar.previous_session(last)
        if last is None or before is None:
            return {}
        market = environment_of(self._view.busy.mode)
        found = indicators_on(market, symbols, [before, last])
        return {
            symbol: (found[symbol, before], found[symbol, last])
            for symbol in symbols
            if (symbol, before) in found and (symbol, last) in found
        }

    def _ask(self, path: str, portfolio: Portfolio) -> list[Advice]:
        """Call somebody else's code: whatever it raises is told, and is nobody else's trouble."""
        try:
            with transaction.atomic():  # should it have asked the database something that failed
                found = list(import_string(path)(portfolio, self._view.now))
            if strange := [one for one in found if not isinstance(one, Advice)]:
                raise TypeError(f"it returned {strange[0]!r}, which is no Advice")
        except Exception as problem:
            log.exception("strategy plug-in %s failed", path)
            text = Text(
                f"Strategy plug-in {path} failed: {type(problem).__name__}: {problem}. Exits and the others go on.",
                f"策略插件 {path} 出错：{type(problem).__name__}: {problem}。退出规则和其他策略不受影响。",
            )
            view = self._view
            journal_once(view.account_id, EventLevel.ALARM, "PLUG_IN_FAILED", text, view.now)
            return []
        return found

    def _take(self, advice: Advice, path: str) -> None:
        """Make a wish of it: one a symbol, of the first plug-in that speaks; one order of it a session."""
        view, symbol = self._view, advice.symbol
        quote = view.latest(symbol)
        if symbol in self._wishes or symbol in self._done or quote is None or quote.last <= 0:
            return
        if advice.side is Side.BUY:
            # What was sold today, by a stop-loss perhaps, is not bought back today.
            quantity = 0 if symbol in self._sold else self._to_buy(advice, quote.last)
        else:
            quantity = self._to_sell(advice)
        if quantity <= 0:
            return
        row = view.rows.get(symbol) if advice.side is Side.SELL else None
        self._wishes[symbol] = Wish(
            kind=_KIND,
            symbol=symbol,
            side=advice.side,
            quantity=quantity,
            trigger_price=quote.last,
            last=quote.last,
            quote_time=quote.time,
            reason=advice.reason,
            position_id=None if row is None else row.pk,
            life=None if row is None else row.life,
            source=path[-32:],
        )

    def _to_buy(self, advice: Advice, price: Decimal) -> int:
        rule = lot_rule(self._view.instrument(advice.symbol), self._view.on)
        wanted = advice.quantity or int(self._view.settings.buy_amount / price)
        return rule.floor_buy(wanted)

    def _to_sell(self, advice: Advice) -> int:
        view, symbol = self._view, advice.symbol
        if symbol not in view.rows:
            return 0
        free = view.free_after_cancels(symbol)
        if free <= 0:
            text = Text(
                "nothing is sellable now (T+1, or promised)", "当前无可卖数量（T+1 或已被占用）"
            )
            self._hindrances.append(Hindrance(_KIND, symbol, DenialCode.T1_NOT_SELLABLE, text))
            return 0
        rule = lot_rule(view.instrument(symbol), view.on)
        return rule.floor_sell(min(advice.quantity or free, free), free)
