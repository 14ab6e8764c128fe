"""All grid sessions at a glance: state, lots, budget, results and the next levels; a constant number of queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Case, IntegerField, Value, When

from grid.domain.explain import ladder
from grid.domain.ledger import Ledger
from grid.domain.state import Facts, SessionStatus, Tracker
from grid.models import GridSession
from grid.selectors import SessionFigures, figures, ledgers_of, rules_of, state_of
from grid.services.overview import state_words
from monitoring.console.record_filters import AccountNow
from trading.domain.instruments import Instrument, Settlement, lot_rule
from trading.domain.settings import SettingError
from trading.domain.symbols import parse_symbol
from trading.domain.types import CHINA, Quote, Side, Symbol, Text
from trading.errors import GatewayUnavailable
from trading.models import Position
from trading.ports import QuoteReader
from trading.selectors import bought_on, instruments_of

#: Sessions a page lists; the open ones come first, the newest of them first.
MOST = 200


@dataclass(frozen=True, slots=True)
class NextLevel:
    """The nearest price (yuan) at which it trades, and how far away that is, a ratio; None without a price now."""

    price: Decimal
    away: Decimal | None


@dataclass(frozen=True, slots=True)
class GridRow:
    """One session. `trouble`: why its levels are not known."""

    row: GridSession
    name: str
    state: Text
    lots: int
    last: Decimal | None
    money: SessionFigures
    buys_at: NextLevel | None
    sells_at: NextLevel | None
    trouble: Text | None = None

    @property
    def used(self) -> Decimal:
        """How much of its budget lies in open lots, a ratio."""
        return self.money.open_cost / self.row.max_investment

    @property
    def armed(self) -> Text | None:
        """Which side follows the price and trades when it turns."""
        return ARMED.get(self.row.tracker) if self.is_open else None

    @property
    def is_open(self) -> bool:
        return self.row.status != SessionStatus.STOPPED


#: By the words of `Tracker`.
ARMED: Mapping[str, Text] = {
    Tracker.RISING: Text("armed to sell", "已触发待卖"),
    Tracker.FALLING: Text("armed to buy", "已触发待买"),
}
_UNREADABLE = (SettingError, ValueError, TypeError, KeyError)


@dataclass(frozen=True, slots=True)
class GridList:
    """The sessions, and whether there are more; `quotes_problem`: prices could not be read."""

    rows: tuple[GridRow, ...]
    more: bool
    quotes_problem: bool


def grid_list(
    accounts: Mapping[int, AccountNow], quotes: QuoteReader, every: bool = False
) -> GridList:
    """Return the open sessions of the accounts, `every`: the stopped ones behind them."""
    stopped = Case(
        When(status=SessionStatus.STOPPED, then=Value(1)),
        default=Value(0),
        output_field=IntegerField(),
    )
    wanted = GridSession.objects.filter(account__in=list(accounts)).select_related("account")
    if not every:
        wanted = wanted.exclude(status=SessionStatus.STOPPED)
    found = list(wanted.order_by(stopped, "-pk")[: MOST + 1])
    rows = found[:MOST]
    symbols = {parse_symbol(row.symbol) for row in rows}
    latest, problem = _latest(symbols, quotes)
    known = _Known(rows, accounts, symbols)
    ledgers = ledgers_of(rows) if rows else {}
    made = tuple(_row(row, ledgers[row.pk], latest, known) for row in rows)
    return GridList(made, len(found) > MOST, problem)


def _latest(symbols: Iterable[Symbol], quotes: QuoteReader) -> tuple[Mapping[Symbol, Quote], bool]:
    try:
        return quotes.latest(list(symbols)), False
    except GatewayUnavailable:
        return {}, True


class _Known:
    """What the sessions' levels depend on, read for all of them together."""

    def __init__(
        self,
        rows: Sequence[GridSession],
        accounts: Mapping[int, AccountNow],
        symbols: Iterable[Symbol],
    ) -> None:
        self._accounts = accounts
        self.instruments: Mapping[Symbol, Instrument] = instruments_of(symbols)
        mine = {row.account_id for row in rows}
        self._held = {
            (account, symbol): quantity
            for account, symbol, quantity in Position.objects.filter(
                account__in=mine, closed_at__isnull=True
            ).values_list("account_id", "symbol", "quantity")
        }
        self._bought = {pk: bought_on(pk, accounts[pk].on) for pk in mine}

    def facts(self, row: GridSession, ledger: Ledger) -> Facts:
        symbol, now = Symbol(row.symbol), self._accounts[row.account_id].now
        instrument, on = self.instruments[symbol], now.astimezone(CHINA).date()
        t1 = instrument.settlement is Settlement.T1
        held = self._held.get((row.account_id, row.symbol), 0)
        locked = self._bought[row.account_id].get(symbol, 0) if t1 else 0
        return Facts(
            ledger=ledger,
            lot=lot_rule(instrument, on),
            on=on,
            held=held,
            sellable=max(0, held - locked),
            base_quantity=row.base_quantity,
            t1=t1,
            ends_at=row.ends_at,
        )


def _row(
    row: GridSession, ledger: Ledger, latest: Mapping[Symbol, Quote], known: _Known
) -> GridRow:
    symbol = Symbol(row.symbol)
    quote = latest.get(symbol)
    last = quote.last if quote is not None and quote.last > 0 else None
    buys: NextLevel | None = None
    sells: NextLevel | None = None
    trouble: Text | None = None
    if row.status != SessionStatus.STOPPED:
        try:
            buys, sells = _next(row, ledger, known, last)
        except _UNREADABLE as problem:
            trouble = Text(
                f"Its row cannot be read, so it does nothing: {problem}",
                f"会话数据无法读取，不作任何动作：{problem}",
            )
    return GridRow(
        row=row,
        name=known.instruments[symbol].name,
        state=state_words(row),
        lots=len(ledger.lots),
        last=last,
        money=figures(row, ledger, last),
        buys_at=buys,
        sells_at=sells,
        trouble=trouble,
    )


def _next(
    row: GridSession, ledger: Ledger, known: _Known, last: Decimal | None
) -> tuple[NextLevel | None, NextLevel | None]:
    rules = rules_of(row)
    lines = ladder(state_of(row), rules, known.facts(row, ledger))
    buys = [line.price for line in lines if line.side is Side.BUY]
    sells = [line.price for line in lines if line.side is Side.SELL]
    gain = getattr(rules, "grid_take_profit_ratio", None)
    if gain is not None:
        sells += [lot.price * (1 + gain) for lot in ledger.lots]
    return _level(max(buys, default=None), last), _level(min(sells, default=None), last)


def _level(price: Decimal | None, last: Decimal | None) -> NextLevel | None:
    if price is None:
        return None
    return NextLevel(price, price / last - 1 if last else None)
