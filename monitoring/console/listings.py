"""Today's signals, denials, orders, fills and events of an account; each is one query, and has an end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta
from typing import Any, TypeVar

from django.db.models import Q, QuerySet

from monitoring.console.values import (
    DenialView,
    EventView,
    FillView,
    Listing,
    OrderView,
    SignalView,
)
from trading.domain.instruments import Instrument
from trading.domain.orders import OrderState
from trading.domain.types import CHINA, Side, SignalKind, SignalState, Symbol, Text
from trading.models import Account, Denial, Event, Fill, Order, Signal
from trading.models.orders import WORKING

#: Rows of a list; older ones are in the admin.
SHOWN = 30

_NOTHING = Text("", "")
#: Why an order ended or was cancelled, by the code in its row; an unlisted code is shown as it is.
_WHY = {
    "TIMEOUT": Text("its time ran out", "超时撤单"),
    "SUPERSEDED": Text("a more urgent sale took its place", "被更紧急的卖出取代"),
    "PERSON": Text("cancelled by a person", "人工撤单"),
    "LATE_FILL": Text("a late fill made it superfluous", "迟到成交，不再需要"),
    "DAY_END": Text("the day ended", "当日收盘"),
    "OUTBOX_EXPIRED": Text("not sent in time", "未能及时报出"),
    "TRADING_STATE": Text("not sent: the main switch", "未报出：总开关"),
    "STAGE": Text("not sent: led back from live", "未报出：已退出实盘"),
    "CAPS": Text("not sent: over the caps of going live", "未报出：超出限额实盘上限"),
    "MARKET_CLOSED": Text("not sent: the market is closed", "未报出：休市"),
    "QUOTE_STALE": Text("not sent: the quote is stale", "未报出：行情过时"),
    "QUOTE_SOURCE": Text(
        "not sent: fallback quotes may not trade", "未报出：备用行情不可用于交易"
    ),
    "REJECTED": Text("rejected by the broker", "柜台废单"),
    "CANCEL_ALL": Text("a person cancelled all orders", "人工全部撤单"),
    "WITHDRAWN": Text("its grid session withdrew it", "网格会话已撤回"),
    "ABSENT": Text("the broker never had it", "柜台从未收到"),
}

_View = TypeVar("_View")
Names = Mapping[Symbol, Instrument]


class TodaysRows:
    """The newest rows of an account on one trade date, read at once; `views` come with the names of the symbols."""

    def __init__(self, account: Account, now: datetime) -> None:
        self._account = account
        on = now.astimezone(CHINA).date()
        begin = datetime.combine(on, time.min, CHINA)
        end = begin + timedelta(days=1)
        of_today = {"account": account}
        self._signals = _newest(
            Signal.objects.filter(**of_today, created_at__gte=begin, created_at__lt=end),
            "-created_at",
        )
        current = Q(at__gte=begin, at__lt=end) | Q(cleared_at__isnull=True)
        self._denials = _newest(Denial.objects.filter(current, **of_today), "-at")
        working = Q(trade_date=on) | Q(state__in=WORKING)
        self._orders = _newest(Order.objects.filter(working, **of_today), "-approved_at")
        self._fills = _newest(Fill.objects.filter(**of_today, trade_date=on), "-at")
        self._events = _newest(
            Event.objects.filter(**of_today, at__gte=begin, at__lt=end).defer("detail"), "-at"
        )

    def symbols(self) -> set[Symbol]:
        """Return the symbols of all rows."""
        rows = (*self._signals[:SHOWN], *self._denials[:SHOWN])
        rows += (*self._orders[:SHOWN], *self._fills[:SHOWN])
        return {Symbol(row.symbol) for row in rows}

    def signals(self, names: Names) -> Listing[SignalView]:
        return _listing(self._signals, lambda row: _signal(row, names))

    def denials(self, names: Names) -> Listing[DenialView]:
        return _listing(self._denials, lambda row: _denial(row, names))

    def orders(self, names: Names) -> Listing[OrderView]:
        return _listing(self._orders, lambda row: self._order(row, names))

    def fills(self, names: Names) -> Listing[FillView]:
        return _listing(self._fills, lambda row: fill_view(row, names))

    def events(self) -> Listing[EventView]:
        return _listing(self._events, lambda row: event_view(row, self._account.mask))

    def _order(self, row: Order, names: Names) -> OrderView:
        state = OrderState(row.state)
        return OrderView(
            pk=row.pk,
            at=row.approved_at,
            symbol=Symbol(row.symbol),
            name=_name(row.symbol, names),
            side=Side(row.side),
            kind=SignalKind(row.kind),
            quantity=row.quantity,
            filled=row.filled_quantity,
            price=row.price,
            attempt=row.attempt,
            state=state.value,
            is_working=state.working,
            client_order_id=row.client_order_id,
            broker_order_id=row.broker_order_id,
            end=why_ended(row),
            message=self._account.mask(row.message),
        )


def _newest(rows: QuerySet[Any], order: str) -> list[Any]:
    return list(rows.order_by(order, "-pk")[: SHOWN + 1])


def _listing(rows: list[Any], view: Callable[[Any], _View]) -> Listing[_View]:
    return Listing(tuple(view(row) for row in rows[:SHOWN]), len(rows) > SHOWN)


def _name(symbol: str, names: Names) -> str:
    known = names.get(Symbol(symbol))
    return known.name if known is not None else ""


def why_ended(row: Order) -> Text:
    """A working order says why it is being cancelled, an ended one why it ended; a filled one needs no reason."""
    state = OrderState(row.state)
    code = row.end_reason or row.cancel_reason
    if not code or state is OrderState.FILLED:
        return _NOTHING
    return _WHY.get(code, Text(code, code))


def _signal(row: Signal, names: Names) -> SignalView:
    return SignalView(
        pk=row.pk,
        at=row.created_at,
        symbol=Symbol(row.symbol),
        name=_name(row.symbol, names),
        kind=SignalKind(row.kind),
        side=Side(row.side),
        quantity=row.quantity,
        state=SignalState(row.state),
        reason=Text(row.reason_en, row.reason_zh),
        outcome=Text(row.outcome_en, row.outcome_zh),
        revision=row.config_revision,
    )


def _denial(row: Denial, names: Names) -> DenialView:
    return DenialView(
        pk=row.pk,
        at=row.at,
        symbol=Symbol(row.symbol),
        name=_name(row.symbol, names),
        kind=SignalKind(row.kind),
        code=row.code,
        words=Text(row.text_en, row.text_zh),
        over_at=row.cleared_at,
    )


def event_view(row: Event, mask: Callable[[str], str]) -> EventView:
    """Return an event as it is shown; `mask` takes the account's number out of its words."""
    words = Text(mask(row.text_en), mask(row.text_zh))
    return EventView(row.pk, row.at, row.level, row.code, row.symbol, words, row.actor)


def fill_view(row: Fill, names: Names) -> FillView:
    """Return a fill as it is shown."""
    return FillView(
        pk=row.pk,
        at=row.at,
        symbol=Symbol(row.symbol),
        name=_name(row.symbol, names),
        side=Side(row.side),
        quantity=row.quantity,
        price=row.price,
        amount=row.amount,
        fees=row.commission + row.stamp_duty + row.transfer_fee,
        traded_id=row.traded_id,
        broker_order_id=row.broker_order_id,
    )
