"""More mistakes, beside the twenty: of fills and fees, of histories and alarms, of switches, quotes and settings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest import mock

from tests.simulation.planting import Bug, Patch, deed, misbehaving, needs, put
from trading.broker.gateway import Gateway
from trading.domain import absence, risk, risk_market
from trading.domain.instruments import LotRule
from trading.domain.orders import OrderState
from trading.domain.reports import BrokerOrder, BrokerState, BrokerTrade, Snapshot
from trading.domain.types import CHINA, Side
from trading.market_data import validation
from trading.models import Account, Order
from trading.services import booking, config, desk, execution, moves, unknown_outcomes
from trading.services.desk import AccountDesk
from trading.services.execution import Execution

# -- fills and fees


def fills_of_pushes_only() -> list[Patch]:
    """The list of fills is never read: what was not pushed is not booked."""

    def made(was: Any) -> Any:
        def snapshot(self: Execution, snapshot: Snapshot, now: datetime) -> None:
            was(self, replace(snapshot, trades=()), now)

        return snapshot

    return [put(Execution, "_snapshot", made)]


@needs(misbehaving("late_fill"))
def late_fill_forgotten() -> list[Patch]:
    """A fill that comes after the end of its order is not booked."""

    def made(was: Any) -> Any:
        def book(account: Account, order: Order | None, trade: BrokerTrade, *more: Any) -> Any:
            if order is not None and OrderState(order.state).terminal:
                return None
            return was(account, order, trade, *more)

        return book

    return [put(execution, "book_fill", made)]


@needs(misbehaving("yesterdays_fills"))
def fills_of_yesterday_booked() -> list[Patch]:
    """A fill counts for today whatever its date says."""

    def made(was: Any) -> Any:
        def new(
            known: Any, account: str, on: date, trades: Iterable[BrokerTrade], *more: Any
        ) -> Any:
            todays = [
                replace(one, time=datetime.combine(on, one.time.time(), CHINA)) for one in trades
            ]
            return was(known, account, on, todays, *more)

        return new

    return [put(execution, "new_fills", made)]


def fees_of_each_fill() -> list[Patch]:
    """The smallest commission is charged for every fill, not once for an order."""

    def made(was: Any) -> Any:
        def fees(schedule: Any, instrument: Any, side: Side, on: Any, _: Any, amount: Any) -> Any:
            return was(schedule, instrument, side, on, Decimal(0), amount)

        return fees

    return [put(booking, "fill_fees", made)]


# -- histories and alarms


def newest_report_wins() -> list[Patch]:
    """Whatever a report says is the state of its order, also when it is an old one."""
    states = {
        BrokerState.REPORTED: OrderState.SUBMITTED,
        BrokerState.PARTIALLY_FILLED: OrderState.PARTIALLY_FILLED,
        BrokerState.CANCELLED: OrderState.CANCELLED,
        BrokerState.PARTIALLY_CANCELLED: OrderState.PARTIALLY_CANCELLED,
        BrokerState.FILLED: OrderState.FILLED,
    }

    def told(state: OrderState, quantity: int, filled: int, report: BrokerOrder) -> OrderState:
        return states.get(report.state, state)

    return [
        mock.patch.object(execution, "state_after_report", told),
        mock.patch.object(moves, "can_move", return_value=True),
    ]


def cancel_leaves_no_trace() -> list[Patch]:
    """The move to a cancel request is not written down."""

    def made(was: Any) -> Any:
        def moved(order: Order, new: OrderState, epoch: int, now: datetime, /, **more: Any) -> Any:
            if new is not OrderState.CANCEL_REQUESTED:
                return was(order, new, epoch, now, **more)
            more.pop("detail")
            return bool(
                Order.objects.filter(pk=order.pk, state=order.state).update(state=new, **more)
            )

        return moved

    return [put(desk, "move", made)]


@needs(misbehaving("zombie", "stale_queries", "shrunken_lists"))
def absence_at_first_sight() -> list[Patch]:
    """The first query that does not show an order proves that it never existed."""
    windows = ("YOUNG", "YOUNG_WITHOUT_LIST")
    return [
        *(mock.patch.object(absence, name, timedelta(0)) for name in windows),
        mock.patch.object(unknown_outcomes, "proven", absence.counts),
    ]


def doubt_is_not_told() -> list[Patch]:
    """An order becomes unknown without an alarm."""

    def made(was: Any) -> Any:
        def journal(account: int, level: Any, code: str, *words: Any, **more: Any) -> Any:
            return None if code == "ORDER_UNKNOWN" else was(account, level, code, *words, **more)

        return journal

    return [put(unknown_outcomes, "journal", made)]


def silence_is_waited_for() -> list[Patch]:
    """What got no answer stays as it is, until one comes."""
    return [mock.patch.object(AccountDesk, "overdue", return_value=0)]


# -- switches, settings and quotes


@needs(deed("kill file"))
def kill_file_ignored() -> list[Patch]:
    """The gateway does not look for the file that forbids sending."""

    def made(was: Any) -> Any:
        def begun(self: Gateway, *given: Any, **more: Any) -> None:
            was(self, *given, **more)
            self._killed = lambda: None

        return begun

    return [put(Gateway, "__init__", made)]


@needs(deed("reduce"))
def reducing_lets_buys_through() -> list[Patch]:
    """The main switch knows on and off only."""

    def made(was: Any) -> Any:
        def objection(self: AccountDesk, claimed: Any, now: datetime) -> str | None:
            why: str | None = was(self, claimed, now)
            state = Account.objects.values_list("trading_state", flat=True).get()
            return None if why == "TRADING_STATE" and state == "reducing" else why

        return objection

    return [put(AccountDesk, "objection", made), _unchecked(risk_market.trading_state)]


@needs(deed("config"))
def settings_read_once() -> list[Patch]:
    """The settings of the start are used all day."""
    read: dict[int, Any] = {}

    def made(was: Any) -> Any:
        def load(account: int) -> Any:
            if account not in read:
                read[account] = was(account)
            return read[account]

        return load

    return [put(config, "load", made)]


def odd_lots_ordered() -> list[Patch]:
    """Quantities are not rounded to whole lots."""

    def floor_sell(self: LotRule, quantity: int, sellable: int) -> int:
        return min(quantity, sellable)

    return [
        mock.patch.object(LotRule, "floor_buy", lambda self, quantity: quantity),
        mock.patch.object(LotRule, "floor_sell", floor_sell),
        _unchecked(risk_market.lot),
    ]


@needs(misbehaving("garbage_quotes"))
def every_price_believed() -> list[Patch]:
    """A quote is taken whatever its price and its time."""
    return [
        mock.patch.object(validation, "_outside", return_value=None),
        mock.patch.object(validation, "_bad_time", return_value=None),
    ]


def _unchecked(check: Any) -> Patch:
    return mock.patch.object(risk, "CHECKS", tuple(one for one in risk.CHECKS if one is not check))


FURTHER: dict[str, Bug] = {
    bug.__name__: bug
    for bug in (
        fills_of_pushes_only,
        late_fill_forgotten,
        fills_of_yesterday_booked,
        fees_of_each_fill,
        absence_at_first_sight,
        newest_report_wins,
        cancel_leaves_no_trace,
        doubt_is_not_told,
        silence_is_waited_for,
        kill_file_ignored,
        reducing_lets_buys_through,
        settings_read_once,
        odd_lots_ordered,
        every_price_believed,
    )
}
