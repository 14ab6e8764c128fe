"""Holdings the books do not know: at the first start all of them, later those nothing explains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from trading.domain import positions
from trading.domain.reconcile import clean
from trading.domain.reports import BrokerPosition, Snapshot
from trading.domain.types import CHINA, Side, Symbol, Text
from trading.faults import crash_point
from trading.models import Account, BrokerSnapshot, EventLevel, Fill, Position
from trading.services.booking import next_life, open_life
from trading.services.events import journal
from trading.services.former import take_over

#: Shares bought today have a fill, which may be told after them, and sold ones may be shown for a while.
FILL_MAY_COME = timedelta(minutes=2)


def books_are_open(account_id: int) -> bool:
    """Whether what the account held at the start is in the books already."""
    known = BrokerSnapshot.objects.filter(pk=account_id).exists()
    return known or Fill.objects.filter(account_id=account_id).exists()


def open_books(account_id: int, snapshot: Snapshot, now: datetime) -> bool:
    """Adopt what an account held before today; False while the answer cannot be believed.

    No fill may be booked before: it would begin a life that lacks what was held.
    """
    if books_are_open(account_id):
        return True
    if clean((), snapshot) is not None:
        return False
    account = Account.objects.get(pk=account_id)
    moved: dict[Symbol, int] = {}
    for trade in snapshot.trades or ():
        sign = {Side.BUY: 1, Side.SELL: -1, None: 0}[trade.side]
        moved[trade.symbol] = moved.get(trade.symbol, 0) + sign * trade.quantity
    for broker in snapshot.positions or ():
        # The list of fills may lack some that come later; the number of the night before does not change.
        held = broker.yesterday or broker.quantity - moved.get(broker.symbol, 0)
        if held > 0:
            _adopt(account, broker, held, now)
    return True


def adopt_missing(
    account: Account,
    ours: Mapping[Symbol, Position],
    reported: Iterable[BrokerPosition],
    seen_at: datetime,
    now: datetime,
) -> bool:
    """Adopt the reported holdings we do not have; False while one, seen since `seen_at`, waits for its fill.

    A holding that ended lately may only be shown late (F65).
    """
    missing = [one for one in reported if one.symbol not in ours and one.quantity > 0]
    if not missing:
        return True
    lately = Position.objects.filter(account=account, closed_at__gt=now - timedelta(days=1))
    ended = set(lately.values_list("symbol", flat=True))
    settled = True
    for broker in missing:
        explained = broker.yesterday < broker.quantity or broker.symbol in ended
        if explained and now - seen_at < FILL_MAY_COME:
            settled = False
        else:
            _adopt(account, broker, broker.quantity, now)
    return settled


def _adopt(account: Account, broker: BrokerPosition, quantity: int, now: datetime) -> None:
    """It is protected from now on; its cost is seeded with the terminal's open price."""
    on = now.astimezone(CHINA).date()
    price = broker.open_price if broker.open_price > 0 else broker.diluted_cost
    value = positions.opened(broker.symbol, quantity, price, on, next_life(account, broker.symbol))
    row = open_life(account, value, now)
    if broker.yesterday > 0:  # held before today: the day's high counts
        row.opened_on = on - timedelta(days=1)
    row.broker_quantity, row.broker_sellable = broker.quantity, broker.sellable
    row.broker_cost = broker.diluted_cost
    row.checked_close_on = on  # what the terminal shows today is after today's ex-rights
    names = ["opened_on", "broker_quantity", "broker_sellable", "broker_cost", "checked_close_on"]
    row.save(update_fields=names)
    take_over(row, now)
    crash_point("adoption.adopted")
    if price > 0:
        level = EventLevel.INFO
        text = Text(
            f"{quantity} {broker.symbol} found in the account; protected at cost {price}.",
            f"账户中发现 {broker.symbol} {quantity} 股，按成本 {price} 纳入保护。",
        )
    else:
        level = EventLevel.ALARM
        text = Text(
            f"{quantity} {broker.symbol} found in the account without a cost: not protected. Enter its cost.",
            f"账户中发现 {broker.symbol} {quantity} 股，但没有成本，未受保护。请填写成本。",
        )
    journal(account.pk, level, "HOLDING_ADOPTED", text, now, symbol=broker.symbol)
