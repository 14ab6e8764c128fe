"""What a change of the settings would do to the present holdings: their levels before and after, and who would be sold at once.

The very functions that decide are asked, with the newest quotes and nothing written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from trading.domain.calendar import phase_at
from trading.domain.exits import ExitRules, add_on_due, fold, next_sale, stop_price
from trading.domain.instruments import lot_rule
from trading.domain.risk import trips
from trading.domain.types import SignalKind, Symbol, Text, TradingState
from trading.errors import GatewayUnavailable
from trading.models import Account
from trading.ports import QuoteReader
from trading.selectors import symbols_of_interest
from trading.services.calendar import load_calendar
from trading.services.config import Settings
from trading.services.quotes import CapturedQuotes
from trading.services.view import TickView

#: Holdings the page lists; those that are sold or bought at once come first.
MOST = 200


@dataclass(frozen=True, slots=True)
class Act:
    """What the settings would do with a holding at its last price. `quantity` 0: reached, but nothing is sellable."""

    kind: SignalKind
    quantity: int


@dataclass(frozen=True, slots=True)
class HoldingEffect:
    """One holding under the settings before and after; prices in yuan. `sale`: the level that would sell first."""

    pk: int
    symbol: Symbol
    name: str
    quantity: int
    last: Decimal | None
    fresh: bool
    stop_before: Decimal | None
    stop_after: Decimal | None
    sale_before: tuple[SignalKind, Decimal] | None
    sale_after: tuple[SignalKind, Decimal] | None
    act_before: Act | None
    act_after: Act | None

    @property
    def acts_now(self) -> bool:
        """Whether the change itself would trade it."""
        return self.act_after is not None and self.act_after != self.act_before

    @property
    def loses_its_stop(self) -> bool:
        return self.stop_before is not None and self.stop_after is None

    @property
    def differs(self) -> bool:
        return (
            self.stop_before != self.stop_after
            or self.sale_before != self.sale_after
            or self.act_before != self.act_after
        )


@dataclass(frozen=True, slots=True)
class Effects:
    """The holdings the change concerns, the most urgent first, at most `MOST` of them.

    `total`: all holdings; `concerned`: of them; `acting`: would be traded at once; `unprotected`: lose their stop-loss;
    `unknown`: have no price. `notes`: what else it does, and what stands in the way of acting at once.
    """

    holdings: tuple[HoldingEffect, ...]
    total: int
    concerned: int
    acting: int
    unprotected: int
    unknown: int
    notes: tuple[Text, ...]


def effects_of(
    account: Account, before: Settings, after: Settings, quotes: QuoteReader, now: datetime
) -> Effects:
    """Compare two settings on the holdings of an account at `now` (market time). A constant number of queries."""
    calendar = load_calendar()
    phase = phase_at(calendar, now)
    captured = _captured(account.pk, quotes)
    view = TickView(account.pk, before, now, phase, captured, calendar)
    view.account = account
    every = [_effect(view, symbol, before, after) for symbol in view.rows]
    concerned = [one for one in every if one.differs]
    concerned.sort(key=lambda one: (not one.acts_now, not one.loses_its_stop, one.symbol))
    acting = sum(one.acts_now for one in concerned)
    return Effects(
        holdings=tuple(concerned[:MOST]),
        total=len(every),
        concerned=len(concerned),
        acting=acting,
        unprotected=sum(one.loses_its_stop for one in concerned),
        unknown=sum(one.last is None for one in concerned),
        notes=(*_in_the_way(view, acting), *_day_loss(account, after, view)),
    )


def _in_the_way(view: TickView, acting: int) -> Iterable[Text]:
    """Why what would be traded at once is traded later."""
    if not acting:
        return
    if not view.phase.continuous:
        yield Text(
            "The market is closed: it would happen at the next continuous trading, if the price is still there.",
            "当前休市：若价格不变，将在下次连续竞价时触发。",
        )
    if view.account.trading_state == TradingState.HALTED or not view.account.enabled:
        yield Text(
            "The account is halted or disabled: it would happen once it trades again.",
            "账户已停止或停用：恢复交易后才会触发。",
        )


def _day_loss(account: Account, after: Settings, view: TickView) -> Iterable[Text]:
    """Whether today's loss is beyond the new limit already."""
    total, before = account.total_asset, account.previous_total
    if total is None or not before or account.previous_total_on == view.on:
        return
    why = trips(0, (before - total) / before, 0, after.risk)
    if why is not None and account.trading_state == TradingState.ACTIVE:
        yield Text(
            f"The account would only reduce from now on: {why.en}",
            f"账户将立即变为只减仓：{why.zh}",
        )


def _captured(account_id: int, quotes: QuoteReader) -> CapturedQuotes:
    """The newest quotes, all at one moment; a store that is away knows none."""
    try:
        latest = dict(quotes.latest(list(symbols_of_interest(account_id))))
        return CapturedQuotes({}, latest, quotes.feeds(latest))
    except GatewayUnavailable:
        return CapturedQuotes({}, {}, {})


def _effect(view: TickView, symbol: Symbol, before: Settings, after: Settings) -> HoldingEffect:
    row, position, quote = view.rows[symbol], view.positions[symbol], view.latest(symbol)
    old, new = _rules(view, symbol, before), _rules(view, symbol, after)
    last = quote.last if quote is not None and quote.last > 0 else None
    return HoldingEffect(
        pk=row.pk,
        symbol=symbol,
        name=view.instrument(symbol).name,
        quantity=row.quantity,
        last=last,
        fresh=view.fresh(symbol),
        stop_before=_stop(view, symbol, old, before),
        stop_after=_stop(view, symbol, new, after),
        sale_before=next_sale(position, old),
        sale_after=next_sale(position, new),
        act_before=_act(view, symbol, old, before),
        act_after=_act(view, symbol, new, after),
    )


def _rules(view: TickView, symbol: Symbol, settings: Settings) -> ExitRules:
    view.settings = settings
    rules = view.rules_of(view.rows[symbol])
    # Settings that cannot be used: the last valid revision goes on, and only its stop-loss acts.
    return rules if settings.valid else replace(rules, take_profit_enabled=False)


def _sends(settings: Settings) -> bool:
    return settings.risk.auto_trading_enabled


def _stop(view: TickView, symbol: Symbol, rules: ExitRules, settings: Settings) -> Decimal | None:
    """The stop price, None when nothing would be sold at it: a rule that may not send protects nobody."""
    sells = _sends(settings) and settings.risk.sell_enabled
    return stop_price(view.positions[symbol], rules) if sells else None


def _act(view: TickView, symbol: Symbol, rules: ExitRules, settings: Settings) -> Act | None:
    """What the next tick would decide at the last price, were the quote fresh and the market open."""
    quote, position = view.latest(symbol), view.positions[symbol]
    if quote is None or quote.last <= 0 or not _sends(settings) or view.paused(view.rows[symbol]):
        return None
    if settings.risk.sell_enabled:
        lot = lot_rule(view.instrument(symbol), view.on)
        found = fold(position, [quote], rules, view.free_after_cancels(symbol), lot)
        if found.decision is not None:
            return Act(found.decision.kind, found.decision.quantity)
        if found.blocked is not None:
            return Act(found.blocked, 0)
    buys = settings.risk.buy_enabled and add_on_due(position, quote.last, rules)
    return Act(SignalKind.ADD_ON, 0) if buys else None
