"""What sales earned, by the rule that wanted them: a sale less its own fees and the average cost of what it sold.

Pure: values in, values out. Money in yuan, quantities in shares. The cost of a life is known now; what happened since a
sale is taken back step by step, as the day reports do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from trading.domain.types import ZERO, Side, SignalKind, Symbol

CENT = Decimal("0.01")
#: A sale that no order of ours brought.
OUTSIDE = "outside"
#: Rules in the order they are told; one that is not here comes after them.
RULES: tuple[str, ...] = (
    SignalKind.STOP_LOSS,
    SignalKind.FIRST_TAKE_PROFIT,
    SignalKind.TRAILING_TAKE_PROFIT,
    SignalKind.GRID,
    SignalKind.MANUAL,
    SignalKind.STRATEGY,
    OUTSIDE,
)


class Basis(NamedTuple):
    """What the buys of a life add up to."""

    quantity: int
    amount: Decimal

    @property
    def cost(self) -> Decimal | None:
        """Average buy cost in yuan per share, None when unknown."""
        return self.amount / self.quantity if self.quantity > 0 else None


class Deal(NamedTuple):
    """One fill. `life`: the row of the holding, None = nobody knows; `chain`: the first order of its chain."""

    number: int
    life: int | None
    on: date
    symbol: Symbol
    side: Side
    quantity: int
    amount: Decimal
    fees: Decimal
    rule: str
    chain: int


class Rescaled(NamedTuple):
    """An ex-rights morning of a life: what its buys had added up to before it; None = as after it."""

    life: int
    quantity: int | None
    amount: Decimal | None


class Sale(NamedTuple):
    """A sale and what it earned, in whole cents; None when the cost is unknown."""

    deal: Deal
    realised: Decimal | None


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What one rule's sales came to. `sales`: order chains, not fills. `unknown`: those without a known cost.

    `saved`: of stop-losses, how much more they brought than the close of their day would have; None = not known.
    """

    rule: str
    sales: int
    won: int
    unknown: int
    realised: Decimal
    saved: Decimal | None

    @property
    def win_rate(self) -> Decimal | None:
        """The share of sales with a gain among those of known cost, None without any."""
        known = self.sales - self.unknown
        return Decimal(self.won) / known if known else None


def sales_of(steps: Sequence[Deal | Rescaled], now: Mapping[int, Basis]) -> tuple[Sale, ...]:
    """Return the sales among `steps` (oldest first, complete from their first day until now) with what they earned.

    `now`: the basis of each life after all steps. The cents of a day add up to its exact result, rounded once.
    """
    bases, exact = dict(now), list[tuple[Deal, Decimal | None]]()
    for step in reversed(steps):
        if isinstance(step, Rescaled):
            if step.life in bases:
                bases[step.life] = _before(step, bases[step.life])
            continue
        basis = None if step.life is None else bases.get(step.life)
        if step.side is Side.SELL:
            cost = None if basis is None else basis.cost
            result = None if cost is None else step.amount - step.fees - cost * step.quantity
            exact.append((step, result))
        elif basis is not None and step.life is not None:
            bases[step.life] = Basis(basis.quantity - step.quantity, basis.amount - step.amount)
    return tuple(_in_cents(reversed(exact)))


def _before(step: Rescaled, after: Basis) -> Basis:
    return Basis(
        after.quantity if step.quantity is None else step.quantity,
        after.amount if step.amount is None else step.amount,
    )


def _in_cents(exact: Iterable[tuple[Deal, Decimal | None]]) -> Iterable[Sale]:
    """Round, and give what was rounded away to the next sale of the same day."""
    day, rest = None, ZERO
    for deal, result in exact:
        if deal.on != day:
            day, rest = deal.on, ZERO
        if result is None:
            yield Sale(deal, None)
            continue
        shown = (result + rest).quantize(CENT, ROUND_HALF_UP)
        rest += result - shown
        yield Sale(deal, shown)


def total_of(sales: Iterable[Sale]) -> Decimal:
    """Return what sales of known cost earned together."""
    return sum((sale.realised for sale in sales if sale.realised is not None), ZERO)


def by_day(sales: Iterable[Sale]) -> dict[date, Decimal]:
    """Return what the sales of each day earned together."""
    found: dict[date, Decimal] = {}
    for sale in sales:
        if sale.realised is not None:
            found[sale.deal.on] = found.get(sale.deal.on, ZERO) + sale.realised
    return found


def by_rule(
    sales: Iterable[Sale], closes: Mapping[tuple[Symbol, date], Decimal]
) -> tuple[RuleResult, ...]:
    """Return what each rule earned, in the order of `RULES`; `closes`: by symbol and day, for what stop-losses saved."""
    chains: dict[str, dict[int, list[Sale]]] = {}
    for sale in sales:
        chains.setdefault(sale.deal.rule, {}).setdefault(sale.deal.chain, []).append(sale)
    places = {rule: place for place, rule in enumerate(RULES)}
    rules = sorted(chains, key=lambda rule: (places.get(rule, len(places)), rule))
    return tuple(_result(rule, list(chains[rule].values()), closes) for rule in rules)


def _result(
    rule: str, chains: Sequence[Sequence[Sale]], closes: Mapping[tuple[Symbol, date], Decimal]
) -> RuleResult:
    unknown = [one for one in chains if any(sale.realised is None for sale in one)]
    every = [sale for one in chains for sale in one]
    return RuleResult(
        rule=str(rule),
        sales=len(chains),
        won=sum(one not in unknown and total_of(one) > 0 for one in chains),
        unknown=len(unknown),
        realised=total_of(every),
        saved=_saved(every, closes) if rule == SignalKind.STOP_LOSS else None,
    )


def _saved(sales: Sequence[Sale], closes: Mapping[tuple[Symbol, date], Decimal]) -> Decimal | None:
    deals = [sale.deal for sale in sales]
    kept = [closes.get((deal.symbol, deal.on)) for deal in deals]
    if None in kept:
        return None
    later = sum((close * deal.quantity for deal, close in zip(deals, kept, strict=True) if close is not None), ZERO)  # fmt: skip
    return (sum((deal.amount for deal in deals), ZERO) - later).quantize(CENT, ROUND_HALF_UP)
