"""All reads. Rows become domain values here; callers that write do so in services."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from typing import NamedTuple

from django.conf import settings as django_settings
from django.db import connection
from django.db.models import Model, Q, Sum
from django.utils.module_loading import import_string

from trading.domain import instruments, positions
from trading.domain.caps import Used
from trading.domain.orders import OrderState
from trading.domain.types import CHINA, ZERO, AccountMode, Purpose, Side, Symbol
from trading.models import (
    Account,
    Denial,
    Fill,
    Instrument,
    Order,
    Position,
    Signal,
    UnknownOutcome,
    WatchedSymbol,
)
from trading.models.orders import WORKING
from trading.models.prepared import Prepared
from trading.ports import Agenda

WORKING_STATES = tuple(WORKING)
#: Before any quote.
EVER = datetime.min.replace(tzinfo=CHINA)


def position_value_of(row: Position) -> positions.Position:
    """Return the domain value of a row."""
    return positions.Position(
        symbol=Symbol(row.symbol),
        quantity=row.quantity,
        bought_quantity=row.bought_quantity,
        bought_amount=row.bought_amount,
        opened_on=row.opened_on,
        life=row.life,
        base_cost=row.base_cost,
        high_since_entry=row.high_since_entry,
        first_take_profit_done=row.first_take_profit_done,
        armed=row.armed,
        armed_high=row.armed_high,
        trailing_level=row.trailing_level,
        seen=row.seen,
    )


def instrument_value_of(row: Instrument) -> instruments.Instrument:
    """Return the domain value of a row."""
    return instruments.Instrument(
        symbol=Symbol(row.symbol),
        name=row.name,
        board=instruments.Board(row.board),
        category=instruments.Category(row.category),
        settlement=instruments.Settlement(row.settlement),
        special_treatment=row.special_treatment,
        listed_on=row.listed_on,
        delisting_from=row.delisting_from,
        index_board=instruments.Board(row.index_board) if row.index_board else None,
        stated=None
        if row.stated_on is None
        else instruments.StatedLimits(row.stated_on, row.stated_up, row.stated_down),
    )


def instruments_of(symbols: Iterable[Symbol]) -> Mapping[Symbol, instruments.Instrument]:
    """Return each symbol's instrument; one without a row is what its code alone says."""
    wanted = set(symbols)
    rows = Instrument.objects.filter(pk__in=wanted)
    known = {Symbol(row.symbol): instrument_value_of(row) for row in rows}
    return {symbol: known.get(symbol) or _by_code(symbol) for symbol in wanted}


def instruments_today(
    symbols: Iterable[Symbol], now: datetime
) -> Mapping[Symbol, instruments.Instrument]:
    """Return instruments from a copy that this process reads again every minute, all in one query."""
    minute = now.replace(second=0, microsecond=0)
    at, known = _minute[0]
    if at != minute:
        symbols, known = {*symbols, *known}, {}
    missing = [symbol for symbol in symbols if symbol not in known]
    if missing:
        known = {**known, **instruments_of(missing)}
        _minute[0] = minute, known
    return known


#: Instruments read in one minute of market time. The pair is replaced as a whole: the threads of a worker share it.
_minute: list[tuple[datetime | None, dict[Symbol, instruments.Instrument]]] = [(None, {})]


def instrument_of(symbol: Symbol) -> instruments.Instrument:
    """Return one symbol's instrument."""
    rows = _INSTRUMENT(symbol)
    return instrument_value_of(rows[0]) if rows else _by_code(symbol)


_INSTRUMENT = Prepared(lambda symbol: Instrument.objects.filter(pk=symbol))


@lru_cache(maxsize=10_000)
def _by_code(symbol: Symbol) -> instruments.Instrument:
    return instruments.instrument_for(symbol)


def account_of(account_id: int) -> Account:
    """Return an account's row."""
    return _ACCOUNT(account_id)[0]


_ACCOUNT = Prepared(lambda account: Account.objects.filter(pk=account))


class Busy(NamedTuple):
    """What is open in an account: unsettled orders, pending signals, current denials; how far quotes are folded; its mode."""

    orders: bool
    signals: bool
    denials: bool
    folded_until: datetime | None
    mode: AccountMode

    @property
    def anything(self) -> bool:
        return self.orders or self.signals or self.denials


def read_busy(account_id: int) -> Busy:
    """Read it in one query.

    Written in SQL because every tick asks: Django spends ten times as long on building this query as the database on
    answering it.
    """
    order, signal, denial, account = (_table(model) for model in (Order, Signal, Denial, Account))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT EXISTS(SELECT 1 FROM {order} WHERE account_id = a.id AND NOT chain_settled),"
            f" EXISTS(SELECT 1 FROM {signal} WHERE account_id = a.id AND state = 'pending'),"
            f" EXISTS(SELECT 1 FROM {denial} WHERE account_id = a.id AND cleared_at IS NULL),"
            f" a.folded_until, a.mode FROM {account} a WHERE a.id = %s",
            [account_id],
        )
        orders, signals, denials, folded_until, mode = cursor.fetchone()
    moment = _moment(folded_until)
    return Busy(bool(orders), bool(signals), bool(denials), moment, AccountMode(mode))


def read_agenda(account_id: int) -> Agenda:
    """Read what a gateway has to do in one query, in SQL for the same reason."""
    order, marks = _table(Order), ", ".join(["%s"] * len(WORKING_STATES))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT a.snapshot_wanted_at, EXISTS(SELECT 1 FROM {order} WHERE account_id = a.id"
            " AND NOT chain_settled), COUNT(o.id),"
            " COUNT(CASE WHEN o.state = %s THEN 1 END), COUNT(CASE WHEN o.state = %s THEN 1 END),"
            " COUNT(o.cancel_wanted_at), COUNT(NULLIF(u.wish, '')), MIN(o.trade_date)"
            f" FROM {_table(Account)} a"
            f" LEFT JOIN {order} o ON o.account_id = a.id AND o.state IN ({marks})"
            f" LEFT JOIN {_table(UnknownOutcome)} u ON u.order_id = o.id AND o.state = %s"
            " WHERE a.id = %s GROUP BY a.id, a.snapshot_wanted_at",
            [
                OrderState.APPROVED.value,
                OrderState.SUBMITTING.value,
                *WORKING_STATES,
                OrderState.UNKNOWN.value,
                account_id,
            ],
        )
        wanted, unsettled, working, approved, submitting, cancels, wishes, oldest = (
            cursor.fetchone()
        )
    return Agenda(
        open_work=bool(unsettled or working),
        approved=approved,
        submitting=submitting > 0,
        to_cancel=cancels > 0,
        decided=wishes > 0,
        oldest=date.fromisoformat(oldest) if isinstance(oldest, str) else oldest,
        snapshot_wanted=_moment(wanted),
    )


def fold_mark(seen: datetime | None, behind: bool, folded_until: datetime | None) -> datetime:
    """Return up to which arrival a holding's quotes are folded: its own mark, or the account's when that is later.

    A holding that is `behind` keeps its own; without any mark nothing is folded yet (EVER).
    """
    own = seen or EVER
    return own if behind or folded_until is None else max(own, folded_until)


def symbols_of_interest(account_id: int) -> dict[Symbol, datetime]:
    """Return the symbols a tick may ask quotes of, with the mark up to which everybody folded their quotes.

    EVER: no holding, only an order or a signal. Other apps add theirs (`settings.MINIQMT_INTERESTS`).
    """
    marks = _own_interest(account_id)
    for path in django_settings.MINIQMT_INTERESTS:
        for symbol, mark in import_string(path)(account_id).items():
            own = marks.get(symbol, EVER)
            marks[symbol] = mark if own == EVER else min(own, mark)
    return marks


def used_today(account_id: int, on: date, *, but: int = 0) -> Used:
    """Return what the orders of a day used of an account's caps; those that were never sent used nothing."""
    orders = Order.objects.filter(account_id=account_id, trade_date=on).exclude(pk=but)
    bought, count = ZERO, 0
    for order in orders.exclude(state=OrderState.EXPIRED):
        count += 1
        if order.side == Side.BUY:
            working = order.state in WORKING_STATES
            bought += order.quantity * order.price if working else order.filled_amount
    return Used(bought, count)


def watched_symbols() -> frozenset[Symbol]:
    """Return what enabled accounts have on their watch lists: quotes are wanted of them, nothing decides on them."""
    rows = WatchedSymbol.objects.filter(account__enabled=True)
    return frozenset(map(Symbol, rows.values_list("symbol", flat=True)))


def wanted_quotes() -> tuple[frozenset[Symbol], bool]:
    """Return the symbols that enabled accounts hold, trade, wait for or watch: their quotes are always wanted.

    And whether every one of these accounts may trade on quotes of any source (`allow_mootdx_trading`).
    """
    rows = Account.objects.filter(enabled=True).values_list("pk", "config__allow_mootdx_trading")
    accounts = dict(rows)
    wanted = (symbols_of_interest(account) for account in accounts)
    return watched_symbols().union(*wanted), bool(accounts) and all(accounts.values())


def watched_by(account_id: int) -> frozenset[Symbol]:
    """Return one account's watch list."""
    rows = WatchedSymbol.objects.filter(account_id=account_id)
    return frozenset(map(Symbol, rows.values_list("symbol", flat=True)))


def kept_from_exits(account_id: int) -> dict[Symbol, int]:
    """Return the shares of each symbol that other apps keep from the exits (`settings.MINIQMT_KEPT_SHARES`)."""
    kept: dict[Symbol, int] = {}
    for path in django_settings.MINIQMT_KEPT_SHARES:
        for symbol, quantity in import_string(path)(account_id).items():
            kept[symbol] = kept.get(symbol, 0) + quantity
    return kept


def _own_interest(account_id: int) -> dict[Symbol, datetime]:
    """Read it in one query, in SQL for the same reason."""
    position, order, signal = (_table(model) for model in (Position, Order, Signal))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT p.symbol, p.seen, p.behind, a.folded_until FROM {position} p"
            f" JOIN {_table(Account)} a ON a.id = p.account_id"
            " WHERE p.account_id = %s AND p.closed_at IS NULL"
            f" UNION ALL SELECT symbol, NULL, NULL, NULL FROM {order}"
            " WHERE account_id = %s AND NOT chain_settled"
            f" UNION ALL SELECT symbol, NULL, NULL, NULL FROM {signal}"
            " WHERE account_id = %s AND state = 'pending'",
            [account_id] * 3,
        )
        rows = cursor.fetchall()
    marks: dict[Symbol, datetime] = {}
    for name, seen, behind, folded_until in rows:
        mark = fold_mark(_moment(seen), bool(behind), _moment(folded_until))
        marks[Symbol(name)] = max(marks.get(Symbol(name), EVER), mark)
    return marks


@cache
def _table(model: type[Model]) -> str:
    """Quoted, which SQLite and PostgreSQL do alike."""
    return connection.ops.quote_name(model._meta.db_table)


@lru_cache(maxsize=1024)
def _moment(value: datetime | str | None) -> datetime | None:
    """SQLite answers raw SQL with text or a naive UTC time, PostgreSQL with an aware one.

    Kept, because the rows of an account have few different times.
    """
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value if value is None or value.tzinfo is not None else value.replace(tzinfo=UTC)


def open_positions(account_id: int) -> list[Position]:
    """Return the open lives, by symbol."""
    return _OPEN_POSITIONS(account_id)


_OPEN_POSITIONS = Prepared(
    lambda account: Position.objects.filter(account_id=account, closed_at__isnull=True).order_by(
        "symbol"
    )
)


def unsettled_orders(account_id: int) -> list[Order]:
    """Return working orders, and ended ones whose chain may still go on."""
    return _UNSETTLED(account_id)


_UNSETTLED = Prepared(
    lambda account: Order.objects.filter(account_id=account, chain_settled=False).order_by("pk")
)


def orders_of_day(account_id: int, on: date) -> list[Order]:
    """Return all orders of a trade date, oldest first."""
    return _ORDERS_OF_DAY(account_id, on)


_ORDERS_OF_DAY = Prepared(
    lambda account, on: Order.objects.filter(account_id=account, trade_date=on).order_by("pk")
)


def orders_in_hand(account_id: int, on: date) -> list[Order]:
    """Return the working orders of any day and all exit orders of a trade date, oldest first."""
    in_hand = Q(state__in=WORKING) | Q(trade_date=on, purpose=Purpose.EXIT)
    return list(Order.objects.filter(in_hand, account_id=account_id).order_by("pk"))


def bought_on(account_id: int, on: date) -> Mapping[Symbol, int]:
    """Return the shares bought per symbol on a trade date."""
    return {Symbol(symbol): count for symbol, count in _BOUGHT_ON(account_id, on)}


_BOUGHT_ON: Prepared[tuple[str, int]] = Prepared(
    lambda account, on: (
        Fill.objects.filter(account_id=account, trade_date=on, side=Side.BUY)
        .values_list("symbol")
        .annotate(Sum("quantity"))
    )
)
