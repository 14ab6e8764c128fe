"""A person's own orders: what is asked for is a signal of kind manual, which the next tick decides like any other."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from monitoring.api.changes import Done, Why
from monitoring.api.market import bad_symbol
from monitoring.api.operations import Call
from monitoring.api.problems import Fault, invalid, shown
from monitoring.api.reading import Size, Within
from monitoring.api.records import account_now
from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import Text
from trading.services import manual
from trading.services.calendar import load_calendar
from trading.services.shared_quotes import quotes_of_thread

#: The largest order that can be written down; what there is to sell, and the limits, decide.
_Shares = Annotated[int, Within(1, 1_000_000_000)]
_Yuan = Annotated[Decimal, Within(Decimal(1), Decimal(1_000_000_000))]


@dataclass(frozen=True, slots=True)
class Sale:
    """How much: `shares`, or `ratio` of what is sellable ("1" = everything), one of both; and why."""

    why: Why
    shares: _Shares | None = None
    ratio: Annotated[Decimal, Within(Decimal("0.0001"), Decimal(1))] | None = None


@dataclass(frozen=True, slots=True)
class Purchase:
    """What and how much: `shares`, or whole lots for at most `amount` yuan, one of both; and why.

    `highest`: the most a share may cost, yuan.
    """

    symbol: Annotated[str, Size(1, 20)]
    why: Why
    shares: _Shares | None = None
    amount: _Yuan | None = None
    highest: Annotated[Decimal, Within(Decimal("0.001"), Decimal(1_000_000))] | None = None


def sell(call: Call) -> Done:
    """Ask for a sale: checked like every order."""
    body = call.body
    _one_of("shares", body.shares, "ratio", body.ratio)
    text = manual.sell(
        call.row.pk,
        manual.part(body.ratio) if body.shares is None else manual.shares(body.shares),
        body.why,
        account_now(call).now,
        call.caller.name,
        quotes=quotes_of_thread(),
        calendar=load_calendar(),
    )
    return Done(True, text)


def buy(call: Call) -> Done:
    """Ask for a buy: checked like every order."""
    body = call.body
    _one_of("shares", body.shares, "amount", body.amount)
    try:
        symbol = parse_symbol(body.symbol)
    except SymbolError as problem:
        raise invalid(bad_symbol(problem, "symbol", body.symbol)) from problem
    text = manual.buy(
        call.account.pk,
        symbol,
        manual.for_amount(body.amount) if body.shares is None else manual.so_many(body.shares),
        body.why,
        account_now(call).now,
        call.caller.name,
        quotes=quotes_of_thread(),
        calendar=load_calendar(),
        highest=body.highest,
    )
    return Done(True, text)


def _one_of(first: str, one: object, second: str, other: object) -> None:
    """Raises Problem unless the quantity is given in one way."""
    if (one is None) != (other is None):
        return
    text = Text("Say how much, in one way.", "请用一种方式说明数量。")
    remedy = Text(f"Give either {first} or {second}.", f"请只填写 {first} 或 {second} 之一。")
    raise invalid(Fault("BAD_VALUE", text, remedy, first, shown(one)))
