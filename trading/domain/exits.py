"""Exit rules: stop-loss, first take-profit, trailing take-profit; a fold over quotes, one decision (rules §1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_DOWN, Decimal

from trading.domain.exit_reasons import Touch, reason
from trading.domain.instruments import LotRule
from trading.domain.positions import STORED_UNIT, Position
from trading.domain.settings import SettingError, in_range
from trading.domain.types import CHINA, Quote, SignalKind, Text

DEFAULT_TIERS: tuple[tuple[Decimal, Decimal], ...] = tuple(
    (Decimal(gain), Decimal(coefficient))
    for gain, coefficient in (
        ("0.05", "0.96"),
        ("0.10", "0.93"),
        ("0.15", "0.90"),
        ("0.20", "0.87"),
        ("0.30", "0.85"),
        ("0.40", "0.83"),
        ("0.50", "0.80"),
    )
)

#: The highest price since entry is believed between these multiples of the life's first cost (rules §1.2).
LOWEST_HIGH, HIGHEST_HIGH = Decimal("0.1"), Decimal(20)
#: The smallest add-on in yuan.
SMALLEST_ADD_ON = Decimal(1000)

_ONE = Decimal(1)
_RANGES = (
    ("stop_loss_ratio", "-0.20", "-0.01"),
    ("first_take_profit_ratio", "0.01", "0.20"),
    ("first_take_profit_sell_ratio", "0.01", "1"),
    ("first_take_profit_pullback", "0", "0.05"),
    ("add_on_drop", "0.01", "0.20"),
)


@dataclass(frozen=True, slots=True)
class ExitRules:
    """The exit settings of one revision; ratios, e.g. -0.075. Raises SettingError on a value out of its range.

    `trailing_tiers`: (gain, coefficient), gains strictly rising, coefficients between 0 and 1 (rules §1).
    """

    stop_loss_enabled: bool = True
    take_profit_enabled: bool = True
    stop_loss_ratio: Decimal = Decimal("-0.075")
    first_take_profit_ratio: Decimal = Decimal("0.06")
    first_take_profit_sell_ratio: Decimal = Decimal("0.6")
    first_take_profit_pullback: Decimal = Decimal("0.005")
    trailing_tiers: tuple[tuple[Decimal, Decimal], ...] = DEFAULT_TIERS
    trailing_never_lowers: bool = True
    add_on_enabled: bool = False
    add_on_drop: Decimal = Decimal("0.07")

    def __post_init__(self) -> None:
        for name, low, high in _RANGES:
            in_range(name, getattr(self, name), Decimal(low), Decimal(high))
        _check_tiers(self.trailing_tiers)
        if self.add_on_enabled and self.add_on_drop >= -self.stop_loss_ratio:
            # Thresholds crossed the wrong way: the stop would always sell before the add-on buys (F55).
            drop = Text(f"less than {-self.stop_loss_ratio}", f"小于 {-self.stop_loss_ratio}")
            raise SettingError("add_on_drop", self.add_on_drop, drop)

    def for_holding(
        self,
        *,
        enabled: bool = True,
        stop_loss_ratio: Decimal | None = None,
        first_take_profit_ratio: Decimal | None = None,
        first_take_profit_sell_ratio: Decimal | None = None,
        first_take_profit_pullback: Decimal | None = None,
    ) -> ExitRules:
        """Return the rules of one holding: its own thresholds (None = the account's), nothing at all when not enabled.

        Raises SettingError as the constructor does.
        """
        stop = _own(stop_loss_ratio, self.stop_loss_ratio)
        first = _own(first_take_profit_ratio, self.first_take_profit_ratio)
        share = _own(first_take_profit_sell_ratio, self.first_take_profit_sell_ratio)
        return replace(
            self,
            stop_loss_enabled=self.stop_loss_enabled and enabled,
            take_profit_enabled=self.take_profit_enabled and enabled,
            # A holding with a tighter stop than the add-on drop has no room for add-ons; its stop goes on.
            add_on_enabled=self.add_on_enabled and enabled and self.add_on_drop < -stop,
            stop_loss_ratio=stop,
            first_take_profit_ratio=first,
            first_take_profit_sell_ratio=share,
            first_take_profit_pullback=_own(
                first_take_profit_pullback, self.first_take_profit_pullback
            ),
        )


def _own(of_holding: Decimal | None, of_account: Decimal) -> Decimal:
    return of_account if of_holding is None else of_holding


def _check_tiers(tiers: tuple[tuple[Decimal, Decimal], ...]) -> None:
    before = Decimal(0)
    for gain, coefficient in tiers:
        in_range("trailing_tiers", gain, STORED_UNIT, Decimal(100))
        # A coefficient of 1 would put the level at the peak and sell everything at once (F39).
        in_range("trailing_tiers", coefficient, Decimal("0.01"), Decimal("0.999"))
        if gain <= before:
            rising = Text("gains that strictly rise", "严格递增的涨幅档位")
            raise SettingError("trailing_tiers", gain, rising)
        before = gain


@dataclass(frozen=True, slots=True)
class ExitDecision:
    """Sell `quantity` shares now. `trigger_price`: the level reached, not rounded to the tick (yuan).

    The level is the live stop price, the trailing level, or armed high × (1 − pullback). `last` and `quote_time` are
    of the last folded quote.
    """

    kind: SignalKind
    quantity: int
    trigger_price: Decimal
    last: Decimal
    quote_time: datetime
    reason: Text


@dataclass(frozen=True, slots=True)
class ExitOutcome:
    """What one fold says: the new position state, at most one decision, and whether a reached rule found nothing sellable.

    `blocked`: kind of the rule whose condition holds although nothing is sellable (status T+1, one alert).
    `reset_high`: the stored high, or a level or armed high that contradicts it, was corrupt and replaced.
    """

    position: Position
    decision: ExitDecision | None = None
    blocked: SignalKind | None = None
    reset_high: bool = False


def stop_price(position: Position, rules: ExitRules) -> Decimal | None:
    """Return cost × (1 + stop_loss_ratio) in yuan, None when the stop-loss is off or the cost unknown."""
    return position.cost_times(_ONE + rules.stop_loss_ratio) if rules.stop_loss_enabled else None


def first_take_profit_floor(position: Position, rules: ExitRules) -> Decimal | None:
    """Return cost × (1 + first ratio) × (1 − pullback)²: below it a breakout is stale (rules §1.4)."""
    keep = _ONE - rules.first_take_profit_pullback
    return position.cost_times((_ONE + rules.first_take_profit_ratio) * keep * keep)


def trailing_level(position: Position, rules: ExitRules) -> Decimal | None:
    """Return the level the trailing take-profit sells at now, None before the first take-profit or below every tier."""
    if not (rules.take_profit_enabled and position.first_take_profit_done):
        return None
    return _level(position, rules, position.high_since_entry, position.trailing_level)


def first_take_profit_quantity(available: int, rules: ExitRules, lot: LotRule) -> int:
    """Return what the first take-profit sells of `available` shares: the ratio, floored to a lot, at least the minimum."""
    if available < lot.minimum:
        return available
    wanted = int(available * rules.first_take_profit_sell_ratio)
    return lot.floor_sell(wanted, available) or lot.minimum


def fold(
    position: Position, quotes: Iterable[Quote], rules: ExitRules, sellable: int, lot: LotRule
) -> ExitOutcome:
    """Fold every quote since the last tick (oldest first), then decide once, at the last price.

    Quotes with last ≤ 0 are passed over. No quote → no decision, position unchanged. The entry day's day-high does
    not count; on later sessions `quote.high` does. The caller decides freshness and phase beforehand. Folding the
    newest quote again changes no state and repeats the decision, so a rule that still holds decides without a new one.
    """
    if position.quantity <= 0:
        return ExitOutcome(position)
    walk = _Walk(position, rules)
    for quote in quotes:
        if _stated(quote.last):
            walk.take(quote)
    return walk.outcome(sellable, lot)


def next_sale(position: Position, rules: ExitRules) -> tuple[SignalKind, Decimal] | None:
    """Return the rule that would sell first if the price fell now and its price level in yuan; None = nothing protects."""
    levels: list[tuple[SignalKind, Decimal | None]] = [
        (SignalKind.STOP_LOSS, stop_price(position, rules)),
        (SignalKind.TRAILING_TAKE_PROFIT, trailing_level(position, rules)),
    ]
    if _may_take_first(position, rules) and position.armed:
        keep = _ONE - rules.first_take_profit_pullback
        floor = first_take_profit_floor(position, rules)
        level = position.armed_high * keep
        if floor is not None and level >= floor:
            levels.append((SignalKind.FIRST_TAKE_PROFIT, level))
    known = [(kind, level) for kind, level in levels if level is not None]
    return max(known, key=lambda sale: (sale[1], sale[0].priority), default=None)


def add_on_due(position: Position, last: Decimal, rules: ExitRules) -> bool:
    """Whether the price is in the add-on window: add_on_drop ≤ drop < |stop_loss_ratio|, first take-profit not done."""
    start = position.cost_times(_ONE - rules.add_on_drop)
    stop = position.cost_times(_ONE + rules.stop_loss_ratio)
    if not rules.add_on_enabled or position.first_take_profit_done or position.quantity <= 0:
        return False
    return start is not None and stop is not None and stop < last <= start


def add_on_quantity(
    position: Position,
    last: Decimal,
    rules: ExitRules,
    buy_amount: Decimal,
    max_position_value: Decimal,
    lot: LotRule,
) -> int:
    """Return how many shares an add-on buys now, 0 = none (rules §1, add-on buying).

    The caller keeps add-ons of one holding 120 s apart.
    """
    if not _stated(last) or not add_on_due(position, last, rules):
        return 0
    budget = min(buy_amount, max_position_value - position.quantity * last)
    return lot.floor_buy(int(budget / last)) if budget >= SMALLEST_ADD_ON else 0


def _stated(price: Decimal) -> bool:
    return price.is_finite() and price > 0


def _may_take_first(position: Position, rules: ExitRules) -> bool:
    return rules.take_profit_enabled and not position.first_take_profit_done


def _level(
    position: Position, rules: ExitRules, high: Decimal, stored: Decimal | None
) -> Decimal | None:
    kept = stored if rules.trailing_never_lowers else None
    share = None
    for gain, coefficient in rules.trailing_tiers:
        price = position.cost_times(_ONE + gain)
        if price is None or high < price:
            break
        share = coefficient
    if share is None:
        return kept
    level = (high * share).quantize(STORED_UNIT, ROUND_DOWN)
    return level if kept is None else max(kept, level)


class _Walk:
    """One fold under way: the state that moves, beside the levels that stay."""

    __slots__ = (
        "armed", "armed_high", "cost", "floor", "high", "last", "level", "level_of", "low", "may_first",
        "may_trail", "opened_on", "position", "reset", "rules", "start", "stop", "time", "top", "touches",
    )  # fmt: skip

    def __init__(self, position: Position, rules: ExitRules) -> None:
        self.position, self.rules = position, rules
        self.opened_on = position.opened_on
        self.cost = position.cost_for_decision
        base = position.base_cost
        base = base if base is not None and base > 0 else self.cost
        self.low = None if base is None else base * LOWEST_HIGH
        self.top = None if base is None else base * HIGHEST_HIGH
        self.stop = stop_price(position, rules)
        self.floor = first_take_profit_floor(position, rules)
        self.start = position.cost_times(_ONE + rules.first_take_profit_ratio)
        self.may_first = _may_take_first(position, rules) and self.start is not None
        self.may_trail = rules.take_profit_enabled and position.first_take_profit_done
        self.high, self.level = position.high_since_entry, position.trailing_level
        self.level_of: Decimal | None = None  # the high the level was found from in this fold
        self.armed, self.armed_high = position.armed, position.armed_high
        self.touches: dict[SignalKind, Touch] = {}
        self.reset = False
        self.last: Decimal | None = None
        self.time: datetime | None = position.seen

    def take(self, quote: Quote) -> None:
        """Fold one quote whose last price is stated."""
        price = quote.last
        self._repair(price)
        self.last, self.time = price, quote.time
        self.high = max(self.high, price)
        if self.high < quote.high and self._counts(quote):
            self.high = quote.high
        if self.stop is not None and price <= self.stop:
            self._touched(SignalKind.STOP_LOSS, self.stop, price)
        if self.may_trail:
            self._trail(price)
        elif self.may_first:
            self._watch_breakout(price)

    def _counts(self, quote: Quote) -> bool:
        """Whether the day high counts: not on the entry day, and never an unbelievable one."""
        later = quote.time.astimezone(CHINA).date() > self.opened_on
        return later and (self.top is None or quote.high <= self.top)

    def _repair(self, price: Decimal) -> None:
        if self.low is None or self.top is None or self.cost is None:
            return
        if self.time is None and not (self.high or self.level or self.armed):
            return  # never folded and nothing stored: new, not corrupt
        if not self.low <= self.high <= self.top:
            # What was derived from a corrupt high goes with it: a level that never lowers would sell at any price.
            self.high = max(self.cost.quantize(STORED_UNIT), price)
            self.level, self.level_of, self.reset = None, None, True
        elif self.level is not None and self.level >= self.high:
            self.level, self.level_of, self.reset = None, None, True
        if self.armed and not self.low <= self.armed_high <= self.top:
            self.armed_high, self.reset = price, True

    def _trail(self, price: Decimal) -> None:
        if self.level_of != self.high:
            self.level = _level(self.position, self.rules, self.high, self.level)
            self.level_of = self.high
        if self.level is not None and price <= self.level:
            self._touched(SignalKind.TRAILING_TAKE_PROFIT, self.level, price)

    def _watch_breakout(self, price: Decimal) -> None:
        if self.start is None or self.floor is None:
            return
        pullback = self.rules.first_take_profit_pullback
        if not self.armed:
            if price < self.start:
                return
            self.armed, self.armed_high = True, price
            if pullback:
                return
        self.armed_high = max(self.armed_high, price)
        if self.armed_high - price < self.armed_high * pullback:
            return
        if price < self.floor:
            self.armed, self.armed_high = False, Decimal(0)
            self.touches.pop(SignalKind.FIRST_TAKE_PROFIT, None)
        else:
            level = self.armed_high * (_ONE - pullback)
            self._touched(SignalKind.FIRST_TAKE_PROFIT, level, price)

    def _touched(self, kind: SignalKind, level: Decimal, price: Decimal) -> None:
        self.touches.setdefault(kind, Touch(level, price, self.high, self.armed_high))

    def outcome(self, sellable: int, lot: LotRule) -> ExitOutcome:
        """Decide once, at the last price."""
        if self.last is None or self.time is None:
            return ExitOutcome(self.position)
        position = replace(
            self.position,
            high_since_entry=self.high,
            trailing_level=self.level,
            armed=self.armed,
            armed_high=self.armed_high,
            seen=self.time,
        )
        kind = max(self.touches, key=lambda touched: touched.priority, default=None)
        if kind is None:
            return ExitOutcome(position, reset_high=self.reset)
        if sellable <= 0:
            return ExitOutcome(position, blocked=kind, reset_high=self.reset)
        quantity = sellable
        if kind is SignalKind.FIRST_TAKE_PROFIT:
            quantity = first_take_profit_quantity(sellable, self.rules, lot)
        touch = self.touches[kind]
        words = reason(kind, touch, self.last, self.cost or touch.price)
        decision = ExitDecision(kind, quantity, touch.level, self.last, self.time, words)
        return ExitOutcome(position, decision, reset_high=self.reset)
