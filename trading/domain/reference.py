"""What a terminal knows of instruments, days, ex-rights and history, as values; and where it disagrees with the rules.

Prices and amounts are `Decimal` yuan, volumes whole shares, days are dates of China. `to_row`/`from_row` carry these
values as JSON from the process that reads the terminal to the one that uses them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Any, Generic, TypeVar

from trading.domain.instruments import Category, Instrument, instrument_for, tick_size
from trading.domain.limits import daily_limits, limits_for
from trading.domain.types import CHINA, ZERO, CorporateAction, Denial, Quote, Symbol, Text

T = TypeVar("T")


class Period(StrEnum):
    """The K-line periods that are read, by the vendor's names; 'day' is not one, and would answer with nothing."""

    DAY = "1d"
    MINUTE = "1m"
    FIVE_MINUTES = "5m"


@dataclass(frozen=True, slots=True)
class Read(Generic[T]):
    """What could be read, and what was refused, counted by (symbol, field); a symbol nothing is known of counts too."""

    rows: tuple[T, ...]
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class InstrumentDetail:
    """What the terminal states of an instrument for `trading_day`; before 09:00 that is still the session before.

    None: not stated. `category`: what kind it says it is, where that is one of ours. No field of the terminal says
    whether a fund settles T+0: that stays with the code ranges and the operator.
    """

    symbol: Symbol
    name: str
    trading_day: date | None
    previous_close: Decimal
    limit_up: Decimal | None
    limit_down: Decimal | None
    price_step: Decimal | None
    suspended: bool
    category: Category | None
    listed_on: date | None
    ends_on: date | None


@dataclass(frozen=True, slots=True)
class Dividend:
    """One ex-rights day as the terminal records it, per old share. `divisor`: close before / reference price after."""

    symbol: Symbol
    on: date
    cash: Decimal
    bonus_shares: Decimal
    transferred_shares: Decimal
    rights_shares: Decimal
    rights_price: Decimal
    divisor: Decimal

    def action(self) -> CorporateAction:
        """Return it as the event that scales costs, highs and levels; rights that were not subscribed add no share."""
        return CorporateAction(
            symbol=self.symbol,
            on=self.on,
            factor=(1 / self.divisor).quantize(Decimal("0.000000000001")),
            share_ratio=1 + self.bonus_shares + self.transferred_shares,
            cash_per_share=self.cash,
            note="terminal",
        )


@dataclass(frozen=True, slots=True)
class HistoryBar:
    """One K-line. `at`: midnight of the session for a day's, the end of the bar for a minute's, in China time."""

    symbol: Symbol
    at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    amount: Decimal
    previous_close: Decimal
    suspended: bool


def differences(
    detail: InstrumentDetail,
    instrument: Instrument,
    on: date,
    sessions_since_listing: int | None = None,
) -> tuple[Text, ...]:
    """Say in words where the terminal and our own knowledge of an instrument disagree on `on`; nothing = agreed.

    With a difference nothing is sent in the symbol until a person has looked (rules §5).
    """
    if detail.trading_day is not None and detail.trading_day != on:
        return (
            Text(
                f"{detail.symbol}: the terminal still states {detail.trading_day}, not {on}; read it again after 09:00",
                f"{detail.symbol}：终端数据仍属于 {detail.trading_day}，而非 {on}；请在 09:00 之后重新读取",
            ),
        )
    found = [
        _limits_differ(detail, instrument, on, sessions_since_listing),
        _differ(
            detail.symbol,
            Text("price step", "最小变动价位"),
            detail.price_step,
            tick_size(instrument, on),
        ),
        _differ(detail.symbol, Text("category", "类别"), detail.category, instrument.category),
    ]
    if detail.name and instrument.category.is_share:
        found.append(
            _differ(
                detail.symbol,
                Text("special treatment (ST)", "风险警示"),
                instrument_for(detail.symbol, detail.name).special_treatment,
                instrument.special_treatment,
            )
        )
    return tuple(one for one in found if one is not None)


def _limits_differ(
    detail: InstrumentDetail, instrument: Instrument, on: date, session: int | None
) -> Text | None:
    if detail.previous_close <= 0:
        return Text(
            f"{detail.symbol}: the terminal states no previous close",
            f"{detail.symbol}：终端没有前收盘价",
        )
    computed = daily_limits(instrument, detail.previous_close, on, session)
    at = datetime.combine(on, time(9), CHINA)
    stated = Quote(
        detail.symbol,
        at,
        ZERO,
        detail.previous_close,
        limit_up=detail.limit_up,
        limit_down=detail.limit_down,
    )
    limits = limits_for(stated, computed)
    if isinstance(limits, Denial):
        return Text(f"{detail.symbol}: {limits.text.en}", f"{detail.symbol}：{limits.text.zh}")
    if computed.up is not None and (detail.limit_up is None or detail.limit_down is None):
        return Text(
            f"{detail.symbol}: the terminal states no limits, the rules say {computed.down}–{computed.up}",
            f"{detail.symbol}：终端没有涨跌停价，按规则计算为 {computed.down}–{computed.up}",
        )
    return None


def _differ(symbol: Symbol, what: Text, stated: object, ours: object) -> Text | None:
    if stated is None or stated == ours:
        return None
    return Text(
        f"{symbol}: the terminal says {what.en} {stated}, we have {ours}",
        f"{symbol}：终端的{what.zh}为 {stated}，本系统为 {ours}",
    )


#: How a field is read back, by the words of its type.
_READERS: dict[str, Any] = {
    "Symbol": Symbol,
    "str": str,
    "int": int,
    "bool": bool,
    "Decimal": Decimal,
    "Category": Category,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
}


def to_row(value: Any) -> dict[str, Any]:
    """Return one of the values of this module as JSON can carry it."""
    return {
        name: one if one is None or isinstance(one, bool | int) else str(one)
        for name, one in asdict(value).items()
    }


def from_row(kind: type[T], row: Mapping[str, Any]) -> T:
    """Return the value that `to_row` made the row of. Raises KeyError or ValueError when it is not one."""
    values = {}
    for one in fields(kind):  # type: ignore[arg-type]
        read = _READERS[str(one.type).removesuffix(" | None")]
        values[one.name] = None if row[one.name] is None else read(row[one.name])
    return kind(**values)
