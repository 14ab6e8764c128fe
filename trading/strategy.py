"""What a strategy sees and says. A strategy is a plain function: `(holdings, tick) -> StrategyOutput`.

`settings.MINIQMT_STRATEGIES` lists them by dotted path, in order of precedence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings as django_settings
from django.utils.module_loading import import_string

from trading.domain import exits
from trading.domain.exits import ExitRules
from trading.domain.instruments import Instrument, LotRule
from trading.domain.positions import Position
from trading.domain.types import DenialCode, Quote, Side, SignalKind, Symbol, Text


@dataclass(frozen=True, slots=True)
class Holding:
    """One open life as a strategy sees it.

    `quotes`: accepted since its last fold, oldest first. `sellable()`: shares an exit may count on (promises of
    lower priority can be cancelled for it); asked only when a rule is reached, for it costs queries. `locked()`:
    shares T+1 keeps until tomorrow. `decides` False: fold, but decide nothing (paused by a person or ex-rights).
    """

    position_id: int
    position: Position
    instrument: Instrument
    lot: LotRule
    rules: ExitRules
    sellable: Callable[[], int]
    locked: Callable[[], int]
    quotes: Sequence[Quote]
    latest: Quote | None
    fresh: bool
    decides: bool = True


@dataclass(frozen=True, slots=True)
class Tick:
    """What the tick itself tells a strategy. Amounts in yuan; `bought_at`: last add-on of a symbol, today."""

    now: datetime
    buy_amount: Decimal
    max_position_value: Decimal
    bought_at: Mapping[Symbol, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wish:
    """A strategy's wish to trade; it becomes a signal, or refreshes the pending one of its kind.

    `source`, `detail`: whose it is and what that one needs to know again, kept with the signal as they are. `highest`:
    a buy is never sent above it (yuan), whatever the book says.
    """

    kind: SignalKind
    symbol: Symbol
    side: Side
    quantity: int
    trigger_price: Decimal
    last: Decimal
    quote_time: datetime
    reason: Text
    position_id: int | None = None
    life: int | None = None
    source: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    highest: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Hindrance:
    """A rule whose condition holds although nothing can come of it now; told once, until it changes."""

    kind: SignalKind
    symbol: Symbol
    code: DenialCode
    text: Text


@dataclass(frozen=True, slots=True)
class StrategyOutput:
    """Wishes, hindrances, the new state of folded positions by row id, and things worth an event."""

    wishes: Sequence[Wish] = ()
    hindrances: Sequence[Hindrance] = ()
    positions: Mapping[int, Position] = field(default_factory=dict)
    notes: Sequence[tuple[Symbol, str, Text]] = ()


Strategy = Callable[[Sequence[Holding], Tick], StrategyOutput]

#: Add-ons of one holding are at least this far apart (rules §1).
ADD_ON_GAP = timedelta(seconds=120)


def strategies() -> list[Strategy]:
    """Return the configured strategies. Raises ImportError when a path is wrong."""
    return [import_string(path) for path in django_settings.MINIQMT_STRATEGIES]


def exit_signals(holdings: Sequence[Holding], tick: Tick) -> StrategyOutput:
    """Fold every fresh holding over its quotes: stop-loss, trailing take-profit, first take-profit."""
    wishes, hindrances, states, notes = [], [], {}, []
    for holding in holdings:
        # A quote that is not fresh is not decided on, and not lost: it is folded when the symbol is fresh again.
        if not holding.fresh or not holding.quotes:
            continue
        outcome = exits.fold(holding.position, holding.quotes, holding.rules, 0, holding.lot)
        if (
            outcome.blocked is not None
            and holding.decides
            and (sellable := holding.sellable()) > 0
        ):
            outcome = exits.fold(
                holding.position, holding.quotes, holding.rules, sellable, holding.lot
            )
        if outcome.position != holding.position:
            states[holding.position_id] = outcome.position
        if outcome.reset_high:
            text = Text("a corrupt high was replaced", "异常的最高价已被替换")
            notes.append((holding.position.symbol, "HIGH_RESET", text))
        if not holding.decides:
            continue
        if outcome.decision is not None:
            wishes.append(_wish(holding, outcome.decision))
        elif outcome.blocked is not None:
            hindrances.append(_hindrance(holding, outcome.blocked))
    return StrategyOutput(wishes, hindrances, states, notes)


def add_on_signals(holdings: Sequence[Holding], tick: Tick) -> StrategyOutput:
    """Add to a holding that fell into the add-on window, at most every 120 s (off by default)."""
    wishes = []
    for holding in holdings:
        symbol, latest = holding.position.symbol, holding.latest
        if (
            not holding.fresh
            or not holding.decides
            or latest is None
            or not holding.rules.add_on_enabled
        ):
            continue
        before = tick.bought_at.get(symbol)
        if before is not None and tick.now - before < ADD_ON_GAP:
            continue
        quantity = exits.add_on_quantity(
            holding.position,
            latest.last,
            holding.rules,
            tick.buy_amount,
            tick.max_position_value,
            holding.lot,
        )
        if quantity == 0:
            continue
        drop = holding.rules.add_on_drop
        text = Text(
            f"price {latest.last} fell {drop * 100:f} % or more below the cost: buy {quantity} more",
            f"现价 {latest.last} 较成本下跌达到 {drop * 100:f}%：补仓 {quantity} 股",
        )
        wishes.append(
            Wish(
                kind=SignalKind.ADD_ON,
                symbol=symbol,
                side=Side.BUY,
                quantity=quantity,
                trigger_price=latest.last,
                last=latest.last,
                quote_time=latest.time,
                reason=text,
                position_id=holding.position_id,
                life=holding.position.life,
            )
        )
    return StrategyOutput(wishes)


def _hindrance(holding: Holding, kind: SignalKind) -> Hindrance:
    """Say why a rule that was reached finds nothing to sell."""
    symbol = holding.position.symbol
    if holding.locked() >= holding.position.quantity:
        text = Text(
            f"{kind.value} reached, but all shares were bought today (T+1)",
            "已触发，但全部为今日买入（T+1），今日不可卖",
        )
        return Hindrance(kind, symbol, DenialCode.T1_NOT_SELLABLE, text)
    text = Text(
        f"{kind.value} reached, but the shares are held by another order, or the terminal does not free them yet",
        "已触发，但股份被其他委托占用，或终端尚未释放",
    )
    return Hindrance(kind, symbol, DenialCode.SHARES_PROMISED, text)


def _wish(holding: Holding, decision: exits.ExitDecision) -> Wish:
    return Wish(
        kind=decision.kind,
        symbol=holding.position.symbol,
        side=Side.SELL,
        quantity=decision.quantity,
        trigger_price=decision.trigger_price,
        last=decision.last,
        quote_time=decision.quote_time,
        reason=decision.reason,
        position_id=holding.position_id,
        life=holding.position.life,
    )
