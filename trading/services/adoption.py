"""Holdings the books do not know: at the first start all of them, later those nothing explains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from trading.domain import positions
from trading.domain.arming import confirms
from trading.domain.opening import held_before_today, opening_problem
from trading.domain.reconcile import clean
from trading.domain.reports import BrokerPosition, Snapshot
from trading.domain.types import CHINA, Symbol, Text
from trading.faults import crash_point
from trading.models import Account, BrokerSnapshot, Event, EventLevel, Fill, Position
from trading.models.prepared import Prepared
from trading.services.booking import next_life, open_life
from trading.services.corrections import CorrectionError, needs_reason
from trading.services.events import journal
from trading.services.former import take_over

#: Shares bought today have a fill, which may be told after them, and sold ones may be shown for a while.
FILL_MAY_COME = timedelta(minutes=2)
#: The two readings that open the books are at least this far apart.
CONFIRM_AFTER = timedelta(seconds=3)
#: A person's word about a terminal that contradicts itself holds for so long.
ACCEPTED, ACCEPTED_FOR = "OPENING_ACCEPTED", timedelta(minutes=10)


def books_are_open(account_id: int) -> bool:
    """Whether what the account held at the start is in the books already."""
    return bool(_SNAPSHOT(account_id) or _FILL(account_id))


_SNAPSHOT = Prepared(lambda account: BrokerSnapshot.objects.filter(pk=account).values_list("pk"))
_FILL = Prepared(lambda account: Fill.objects.filter(account_id=account).values_list("pk")[:1])


class Opening:
    """The very first opening of an account's books, for its gateway: on two equal readings that agree with themselves.

    No fill may be booked before: it would begin a life that lacks what was held.
    """

    def __init__(self, account_id: int) -> None:
        self._account_id = account_id
        self._first: Snapshot | None = None
        #: Why the books are not open.
        self.reason = Text("the books are not open yet", "账簿尚未建立")

    def look(self, snapshot: Snapshot, now: datetime) -> bool:
        """Open the books if this reading allows it; whether they are open."""
        if books_are_open(self._account_id):
            return True
        problem = opening_problem(snapshot)
        if problem is not None and clean((), snapshot) is None and self._accepted(now):
            problem = None
        first = self._first
        if problem is not None:
            self._first = None
            self.reason = Text(
                f"the books are not opened, the terminal contradicts itself: {problem.en}",
                f"尚未建立账簿，客户端数据自相矛盾：{problem.zh}",
            )
        elif first is None or not confirms(first, snapshot):
            self._first = snapshot
            self.reason = Text(
                "the books are opened when a second reading says the same",
                "再次读取结果一致后建立账簿",
            )
        elif snapshot.as_of - first.taken_at >= CONFIRM_AFTER:
            self._open(snapshot, now)
            return True
        return False

    def _open(self, snapshot: Snapshot, now: datetime) -> None:
        account, held = Account.objects.get(pk=self._account_id), held_before_today(snapshot)
        for broker in snapshot.positions or ():
            if broker.symbol in held:
                _adopt(account, broker, held[broker.symbol], now)

    def _accepted(self, now: datetime) -> bool:
        """Whether a person has just looked at the terminal and said that what it shows is right."""
        return Event.objects.filter(
            account_id=self._account_id, code=ACCEPTED, at__gt=now - ACCEPTED_FOR
        ).exists()


def accept_opening(account: Account, why: str, now: datetime, actor: str) -> None:
    """Let the books open on what the terminal shows, in a person's name. Raises CorrectionError."""
    needs_reason(why)
    if books_are_open(account.pk):
        raise CorrectionError(Text("The books are open already.", "账簿已经建立。"))
    text = Text(
        f"The books of {account.name} may be opened on what the terminal shows: {why}",
        f"账户 {account.name} 可按客户端所示建立账簿：{why}",
    )
    journal(account.pk, EventLevel.WARNING, ACCEPTED, text, now, actor=actor)


def adopt_missing(
    account: Account,
    ours: Mapping[Symbol, Position],
    reported: Iterable[BrokerPosition],
    shown_for: timedelta,
    now: datetime,
) -> bool:
    """Adopt the reported holdings we do not have; False while one, `shown_for` so long, waits for its fill.

    A holding that ended lately may only be shown late (F65); while nobody asks the terminal, it is not shown longer.
    """
    missing = [one for one in reported if one.symbol not in ours and one.quantity > 0]
    if not missing:
        return True
    lately = Position.objects.filter(account=account, closed_at__gt=now - timedelta(days=1))
    ended = set(lately.values_list("symbol", flat=True))
    settled = True
    for broker in missing:
        explained = broker.yesterday < broker.quantity or broker.symbol in ended
        if explained and shown_for < FILL_MAY_COME:
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
            f"{quantity} shares of {broker.symbol} found in the account; protected at cost {price}.",
            f"账户中发现 {broker.symbol} {quantity} 股，按成本 {price} 纳入保护。",
        )
    else:
        level = EventLevel.ALARM
        text = Text(
            f"{quantity} shares of {broker.symbol} found in the account without a cost: not protected. Enter its cost.",
            f"账户中发现 {broker.symbol} {quantity} 股，但没有成本，未受保护。请填写成本。",
        )
    journal(account.pk, level, "HOLDING_ADOPTED", text, now, symbol=broker.symbol)
