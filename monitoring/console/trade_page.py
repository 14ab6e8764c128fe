"""What the page of acting shows: each account's switch, watch list and grids, what was found; and an answer's story."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from grid.domain.state import SessionStatus
from grid.models import GridSession
from grid.services.overview import state_words
from monitoring.console.acting_watch import Found, find_symbols
from monitoring.console.actions import LABELS
from monitoring.models import Act
from trading.domain.orders import OrderState
from trading.domain.types import Quote, SignalState, Symbol, Text
from trading.errors import GatewayUnavailable
from trading.models import Account, Denial, Order, Signal, WatchedSymbol
from trading.selectors import WORKING_STATES, instruments_of
from trading.services.reach import Reach
from trading.services.shared_quotes import quotes_of_thread

#: The newest acts that are shown.
ACTS = 20


@dataclass(frozen=True, slots=True)
class Watched:
    """A symbol of the watch list with its newest price, None when there is none."""

    pk: int
    symbol: Symbol
    name: str
    note: str
    last: Decimal | None
    change: Decimal | None


@dataclass(frozen=True, slots=True)
class Steered:
    """A grid session that is not stopped."""

    pk: int
    symbol: Symbol
    name: str
    state: Text
    status: str


@dataclass(frozen=True, slots=True)
class AccountPage:
    """One account on the page. `may_act`: whoever looks may act on it, as far as the roles go."""

    row: Account
    may_act: bool
    working: int
    watched: Sequence[Watched]
    grids: Sequence[Steered]


@dataclass(frozen=True, slots=True)
class Answer:
    """What has come of an act until now. `moves`: there is more to come, the page looks again."""

    signal: Signal | None
    order: Order | None
    holding: int | None
    outcome: Text
    denials: Sequence[Text]
    moves: bool


def trade_page(asked: Mapping[str, Any], real: datetime, reach: Reach) -> dict[str, Any]:
    """Return everything the page shows; `asked`: the search."""
    accounts = list(reach.rows(Account.objects.order_by("pk")))
    written = str(asked.get("q", ""))[:40]
    chosen = str(asked.get("account", ""))
    tradable = [row for row in accounts if reach.trades(row.pk)]
    account = next((row for row in tradable if str(row.pk) == chosen), None)
    if account is None and tradable:
        account = tradable[0]
    found: Sequence[Found] = ()
    more = False
    if account is not None:
        found, more = find_symbols(account.pk, written)
    return {
        "accounts": [_account(row, reach.trades(row.pk)) for row in accounts],
        "tradable": tradable,
        "account": account,
        "written": written,
        "found": found,
        "more": more,
        "acts": [
            (row, LABELS.get(row.action, Text(row.action, row.action)))
            for row in reach.rows(Act.objects.select_related("account")).order_by("-pk")[:ACTS]
        ],
        "reach": reach,
        "served_at": real,
    }


def _account(row: Account, may_act: bool) -> AccountPage:
    watched = list(WatchedSymbol.objects.filter(account=row).order_by("symbol"))
    sessions = list(
        GridSession.objects.filter(account=row)
        .exclude(status=SessionStatus.STOPPED)
        .order_by("symbol")
    )
    symbols = {Symbol(one.symbol) for one in watched} | {Symbol(one.symbol) for one in sessions}
    names, quotes = instruments_of(symbols), _quotes(symbols)
    return AccountPage(
        row=row,
        may_act=may_act,
        working=Order.objects.filter(account=row, state__in=WORKING_STATES).count(),
        watched=[
            Watched(
                one.pk,
                Symbol(one.symbol),
                names[Symbol(one.symbol)].name,
                one.note,
                *_price(quotes.get(Symbol(one.symbol))),
            )
            for one in watched
        ],
        grids=[
            Steered(
                one.pk,
                Symbol(one.symbol),
                names[Symbol(one.symbol)].name,
                state_words(one),
                one.status,
            )
            for one in sessions
        ],
    )


def _quotes(symbols: set[Symbol]) -> Mapping[Symbol, Quote]:
    try:
        return quotes_of_thread().latest(symbols)
    except GatewayUnavailable:
        return {}


def _price(quote: Quote | None) -> tuple[Decimal | None, Decimal | None]:
    if quote is None or quote.last <= 0:
        return None, None
    before = quote.previous_close
    return quote.last, quote.last / before - 1 if before > 0 else None


def answer_of(row: Act) -> Answer:
    """Return what has come of an act until now."""
    signal = order = None
    if "signal" in row.rows:
        signal = Signal.objects.filter(pk=row.rows["signal"]).first()
        order = Order.objects.filter(signal=signal).order_by("-pk").first() if signal else None
    elif "order" in row.rows:
        order = Order.objects.filter(pk=row.rows["order"]).first()
    pending = signal is not None and signal.state == SignalState.PENDING
    works = order is not None and OrderState(order.state).working
    outcome = Text("", "") if signal is None else Text(signal.outcome_en, signal.outcome_zh)
    # What holds a pending signal back; a denied one says so itself.
    denials = Denial.objects.filter(signal=signal, cleared_at=None) if pending else ()
    said = [Text(one.text_en, one.text_zh) for one in denials]
    moves = pending or works or row.answered_at is None
    return Answer(signal, order, row.rows.get("holding"), outcome, said, moves)
