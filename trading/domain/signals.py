"""Pending signals: which one goes first, and the check before it becomes an order (rules §2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from trading.domain.exits import (
    ExitRules,
    add_on_due,
    first_take_profit_floor,
    first_take_profit_quantity,
    stop_price,
    trailing_level,
)
from trading.domain.freshness import from_the_future
from trading.domain.instruments import LotRule
from trading.domain.positions import STORED_UNIT, Position
from trading.domain.types import (
    Denial,
    DenialCode,
    Purpose,
    Quote,
    Side,
    SignalKind,
    SignalState,
    Text,
)
from trading.domain.wording import percent, yuan


@dataclass(frozen=True, slots=True)
class SignalFacts:
    """A stored signal as the check before execution sees it.

    `trigger_price`: the level reached; `last`: the price at detection (yuan); `held_at`: time of the last tick its
    condition held. `life`: of the position it was made for, None when it needs none (a first buy).
    """

    kind: SignalKind
    quantity: int
    trigger_price: Decimal
    last: Decimal
    quote_time: datetime
    held_at: datetime
    state: SignalState = SignalState.PENDING
    side: Side = Side.SELL
    life: int | None = None


@dataclass(frozen=True, slots=True)
class SignalRules:
    """How long a signal waits and how far the price may move meanwhile: ages in seconds, drift a ratio of `last`."""

    exit_max_age: int = 120
    grid_max_age: int = 60
    max_drift: Decimal = Decimal("0.01")

    def max_age(self, kind: SignalKind) -> timedelta:
        """Return how long after `held_at` a signal of this kind is still good."""
        grid = kind.purpose is Purpose.GRID
        return timedelta(seconds=self.grid_max_age if grid else self.exit_max_age)


@dataclass(frozen=True, slots=True)
class Go:
    """Make the order now, for `quantity` shares (an exit: counted again from what is sellable now)."""

    quantity: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Stay pending: the denial's code is one that blocks."""

    denial: Denial


@dataclass(frozen=True, slots=True)
class Deny:
    """The signal ends denied."""

    denial: Denial


@dataclass(frozen=True, slots=True)
class Expire:
    """The signal ends expired."""

    text: Text


@dataclass(frozen=True, slots=True)
class Supersede:
    """The signal ends superseded. `disarm`: the position's first take-profit is to be disarmed too."""

    text: Text
    disarm: bool = False


Verdict = Go | Wait | Deny | Expire | Supersede


def winner(signals: Iterable[SignalFacts]) -> SignalFacts | None:
    """Return the pending signal of one symbol that goes first (rules §1, priority), None when nothing is pending."""
    pending = (signal for signal in signals if signal.state is SignalState.PENDING)
    return max(pending, key=lambda signal: signal.kind.priority, default=None)


def recheck(
    signal: SignalFacts,
    position: Position | None,
    exit_rules: ExitRules,
    signal_rules: SignalRules,
    quote: Quote | None,
    quote_fresh: bool,
    sellable: int,
    now: datetime,
    lot: LotRule,
    promised: int = 0,
    session_active: bool = True,
    may_trade: bool = True,
) -> Verdict:
    """Check a pending signal again with the live cost, settings and quote, before it becomes an order.

    `exit_rules`: of this holding (`for_holding`), so a holding switched off has both rules off. `quote_fresh`: the
    answer of `freshness`. `sellable`, `promised`: shares sellable now, and promised to other sells.
    `session_active`: whether a grid signal's own session is still active. `may_trade`: whether the account may decide
    on the source of the quote. Working orders and risk come after this.
    Raises ValueError when the signal is not pending.

    In this order: ended by its position, rule or session; time in the future; too old; quote not usable (waits);
    its level no longer holds; price drifted; nothing sellable (waits).
    """
    if signal.state is not SignalState.PENDING:
        raise ValueError(f"only a pending signal is checked again, this one is {signal.state}")
    return (
        _ended(signal, position, exit_rules, session_active)
        or _out_of_time(signal, signal_rules, quote, now)
        or _without_price(quote, quote_fresh, may_trade)
        or _moved(signal, position, exit_rules, quote)
        or _drifted(signal, signal_rules, quote)
        or _without_shares(signal, sellable, promised)
        or Go(_quantity(signal, exit_rules, sellable, lot))
    )


def _ended(
    signal: SignalFacts, position: Position | None, rules: ExitRules, session_active: bool
) -> Supersede | None:
    needs_position = signal.side is Side.SELL or signal.life is not None
    if needs_position and (position is None or position.quantity <= 0):
        return Supersede(Text("the holding is gone", "持仓已清空"))
    if position is not None and signal.life is not None and signal.life != position.life:
        return Supersede(Text("the holding was sold and bought again", "持仓已清空后重新买入"))
    if not _switched_on(signal.kind, rules):
        return Supersede(Text("the rule was switched off", "该规则已关闭"))
    if signal.kind.purpose is Purpose.GRID and not session_active:
        return Supersede(Text("the grid session is no longer active", "网格会话已不在运行"))
    return None


def _switched_on(kind: SignalKind, rules: ExitRules) -> bool:
    if kind is SignalKind.STOP_LOSS:
        return rules.stop_loss_enabled
    if kind.protective:
        return rules.take_profit_enabled
    return rules.add_on_enabled if kind is SignalKind.ADD_ON else True


def _out_of_time(
    signal: SignalFacts, rules: SignalRules, quote: Quote | None, now: datetime
) -> Deny | Expire | None:
    times = [signal.quote_time, signal.held_at] + ([] if quote is None else [quote.time])
    newest = max(times)
    if from_the_future(newest, now):
        ahead = (newest - now).total_seconds()
        text = Text(
            f"a time lies {ahead:.0f} s ahead of now: the clocks disagree",
            f"时间超前当前 {ahead:.0f} 秒：时钟不一致",
        )
        return Deny(Denial(DenialCode.FUTURE_TIME, text))
    allowed = rules.max_age(signal.kind)
    if now - signal.held_at > allowed:
        seconds = int(allowed.total_seconds())
        return Expire(
            Text(
                f"its condition last held more than {seconds} s ago",
                f"触发条件最后成立已超过 {seconds} 秒",
            )
        )
    return None


def _without_price(quote: Quote | None, fresh: bool, may_trade: bool) -> Wait | None:
    if quote is not None and quote.suspended:
        return Wait(Denial(DenialCode.SUSPENDED, Text("trading is suspended", "停牌")))
    if not may_trade:
        text = Text(
            "only the fallback source has quotes, and they may not trade",
            "只有备用行情，且未允许用于交易",
        )
        return Wait(Denial(DenialCode.QUOTE_SOURCE, text))
    if quote is None or not fresh:
        return Wait(Denial(DenialCode.QUOTE_STALE, Text("the quote is not fresh", "行情不新鲜")))
    if not quote.last.is_finite() or quote.last <= 0:
        return Wait(
            Denial(DenialCode.NO_PRICE, Text("the quote states no last price", "行情没有最新价"))
        )
    return None


def _moved(
    signal: SignalFacts, position: Position | None, rules: ExitRules, quote: Quote | None
) -> Supersede | None:
    """Whether the live cost and settings still support an exit or add-on signal."""
    if position is None or quote is None:
        return None
    if signal.kind is SignalKind.STOP_LOSS:
        return _level_fell(signal, stop_price(position, rules))
    if signal.kind is SignalKind.TRAILING_TAKE_PROFIT:
        level = trailing_level(position, rules)
        # Sent at any price at or below its level, wherever that level was when the signal was made.
        return None if level is not None and quote.last <= level else _level_fell(signal, level)
    if signal.kind is SignalKind.FIRST_TAKE_PROFIT:
        return _breakout_over(position, rules, quote.last)
    if signal.kind is SignalKind.ADD_ON and not add_on_due(position, quote.last, rules):
        return Supersede(Text("the price left the add-on window", "价格已离开补仓区间"))
    return None


def _level_fell(signal: SignalFacts, live: Decimal | None) -> Supersede | None:
    if live is None:
        return Supersede(Text("no level applies to the holding now", "当前没有适用的触发价"))
    # A level once touched counts even when the price recovered; a cost or setting that moved it does not.
    # Less than one stored unit apart is the same level, stored and read again.
    if signal.trigger_price - live >= STORED_UNIT:
        was, now = yuan(signal.trigger_price), yuan(live)
        return Supersede(
            Text(
                f"its level {was} is above the live level {now}: cost or settings changed",
                f"触发价 {was} 高于当前触发价 {now}：成本或参数已变",
            )
        )
    return None


def _breakout_over(position: Position, rules: ExitRules, last: Decimal) -> Supersede | None:
    if position.first_take_profit_done:
        return Supersede(Text("the first take-profit is done already", "首次止盈已完成"))
    if not position.armed:
        return Supersede(Text("the breakout ended meanwhile", "突破已失效"))
    floor = first_take_profit_floor(position, rules)
    if floor is None or last < floor:
        shown = "-" if floor is None else yuan(floor)
        return Supersede(
            Text(
                f"price {yuan(last)} is below {shown}: a stale breakout",
                f"价格 {yuan(last)} 低于 {shown}：突破已过时",
            ),
            disarm=True,
        )
    return None


def _drifted(signal: SignalFacts, rules: SignalRules, quote: Quote | None) -> Deny | None:
    """Whether the price moved more than the maximum since detection; exactly the maximum is still allowed."""
    if quote is None or signal.last <= 0:
        return None
    if signal.kind is SignalKind.TRAILING_TAKE_PROFIT:
        # At or below the level there is no bound downwards: it protects what is left.
        bounded = quote.last > max(signal.last, signal.trigger_price)
    else:
        bounded = signal.kind in (SignalKind.FIRST_TAKE_PROFIT, SignalKind.GRID)
    moved = abs(quote.last - signal.last)
    if not bounded or moved <= signal.last * rules.max_drift:
        return None
    drift, most = percent(moved / signal.last), percent(rules.max_drift)
    text = Text(
        f"the price moved {drift} since the signal, at most {most} is allowed",
        f"价格自信号产生后变动 {drift}，最多允许 {most}",
    )
    return Deny(Denial(DenialCode.PRICE_DRIFT, text))


def _without_shares(signal: SignalFacts, sellable: int, promised: int) -> Wait | None:
    if signal.side is Side.BUY or sellable > 0:
        return None
    if promised > 0:
        text = Text(
            f"{promised} shares are promised to other orders", f"{promised} 股已被其他委托占用"
        )
        return Wait(Denial(DenialCode.SHARES_PROMISED, text))
    text = Text("nothing is sellable today (T+1)", "今日无可卖数量（T+1）")
    return Wait(Denial(DenialCode.T1_NOT_SELLABLE, text))


def _quantity(signal: SignalFacts, rules: ExitRules, sellable: int, lot: LotRule) -> int:
    if signal.kind is SignalKind.FIRST_TAKE_PROFIT:
        return first_take_profit_quantity(sellable, rules, lot)
    return sellable if signal.kind.protective else signal.quantity
