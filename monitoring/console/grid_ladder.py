"""The page of one grid session: its ladder from the highest rung to the lowest, its lots and its rounds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from grid.domain import levels
from grid.domain.state import SessionStatus, Tracker
from grid.models import GridTrade
from grid.services.overview import Line, Overview
from trading.domain.types import ZERO, Side, Text

#: What the lines of an overview are, by their words; lines of lots carry the lot's number.
_KINDS = {
    "buys at": "buy",
    "sells at": "sell",
    "centre or reference": "centre",
    "price now": "last",
}


@dataclass(frozen=True, slots=True)
class Rung:
    """One price of the ladder (yuan). `kind`: buy, sell, centre, last, lot (bought there), out (sold there), armed.

    `away`: from the price now, a ratio; `width`: the same for a bar, 0 to 100. `profit`: of a lot at the price now.
    """

    kind: str
    text: Text
    price: Decimal
    quantity: int | None = None
    away: Decimal | None = None
    profit: Decimal | None = None
    width: int = 0


@dataclass(frozen=True, slots=True)
class Round:
    """A sale that closed lots: what it realised after the fees of both sides (yuan); `price`: its average."""

    at: datetime
    quantity: int
    price: Decimal
    fees: Decimal
    realised: Decimal


def rungs_of(found: Overview) -> tuple[Rung, ...]:
    """Return the ladder, the highest price first: lines, lots at their buy prices, the armed turn, the price now."""
    made = [*map(_of_line, found.lines), *_of_lots(found), *_armed(found)]
    if found.last is not None:
        last = found.last
        made = [_away(rung, last) for rung in made]
    widest = max((abs(rung.away) for rung in made if rung.away is not None), default=ZERO)
    if widest:
        made = [
            _wide(rung, int(abs(rung.away) / widest * 100)) if rung.away is not None else rung
            for rung in made
        ]
    return tuple(sorted(made, key=lambda rung: (-rung.price, rung.kind)))


def _of_line(line: Line) -> Rung:
    return Rung(_KINDS.get(line.text.en, "sell"), line.text, line.price, line.quantity)


def _of_lots(found: Overview) -> Iterable[Rung]:
    for lot in found.lots:
        number = Text(f"lot {lot.number}", f"批次 {lot.number}")
        if lot.unmatched:
            text = Text(f"sold out of the base, {lot.on}", f"底仓卖出，{lot.on}")
            yield Rung("out", text, lot.price, lot.quantity, profit=lot.profit)
        else:
            text = Text(f"{number.en} bought {lot.on}", f"{number.zh}，{lot.on} 买入")
            yield Rung("lot", text, lot.price, lot.quantity, profit=lot.profit)


def _armed(found: Overview) -> Iterable[Rung]:
    """The turn an armed side waits for, and the peak or valley it follows."""
    row = found.row
    if row.status == SessionStatus.STOPPED or row.callback is None or row.extreme <= 0:
        return
    turn = row.callback - levels.CALLBACK_TOLERANCE
    if row.tracker == Tracker.RISING:
        yield Rung("peak", Text("peak it follows", "跟踪高点"), row.extreme)
        text = Text("armed: sells when it falls to", "已触发：回落至此卖出")
        yield Rung("armed", text, row.extreme * (1 - turn))
    elif row.tracker == Tracker.FALLING:
        yield Rung("peak", Text("valley it follows", "跟踪低点"), row.extreme)
        text = Text("armed: buys when it rises to", "已触发：反弹至此买入")
        yield Rung("armed", text, row.extreme * (1 + turn))


def _away(rung: Rung, last: Decimal) -> Rung:
    away = rung.price / last - 1
    return Rung(rung.kind, rung.text, rung.price, rung.quantity, away, rung.profit)


def _wide(rung: Rung, width: int) -> Rung:
    one = rung
    return Rung(one.kind, one.text, one.price, one.quantity, one.away, one.profit, width)


def rounds_of(trades: Iterable[GridTrade]) -> tuple[Round, ...]:
    """Return the sales among these fills, the newest first; the fills of one order are one round."""
    sales: dict[int, list[GridTrade]] = {}
    for trade in trades:
        if trade.side == Side.SELL:
            sales.setdefault(trade.number, []).append(trade)
    return tuple(_round(fills) for fills in sales.values())


def _round(fills: list[GridTrade]) -> Round:
    quantity = sum(one.quantity for one in fills)
    return Round(
        at=max(one.at for one in fills),
        quantity=quantity,
        price=sum((one.price * one.quantity for one in fills), ZERO) / quantity,
        fees=sum((one.fees for one in fills), ZERO),
        realised=sum((one.realised for one in fills), ZERO),
    )
