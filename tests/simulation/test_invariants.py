"""Each invariant can fail: a world that is in order is doctored, and the sentence that says so is spoken.

The doctoring changes rows as SQL would, or what the twin and the wire remember; nothing of the house's code runs.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from django.db import connection

from tests.simulation.invariants import CHECKS, broken
from tests.simulation.plan import SCRIPTS, Deed, Plan, Stock
from tests.simulation.world import World
from trading.domain.types import Side
from trading.models import Order
from trading.paper import xtconstant

pytestmark = [pytest.mark.orders, pytest.mark.unattended]

FALLS, RESTS = "600000.SH", "600036.SH"
#: One holding falls through its stop and is sold bit by bit; of another one a person buys more, and a setting changes.
PLAN = Plan(
    seed=5,
    seconds=30,
    stocks=(
        Stock(FALLS, Decimal("10.00"), SCRIPTS["falls"], depth=3, held=2000, bought_today=0),
        Stock(RESTS, Decimal("20.00"), SCRIPTS["rests"], depth=50, held=1000, bought_today=0),
    ),
    settings={
        "sell_order_timeout": "5",
        "price_mode": "last",
        "buy_amount": "5000",
        "max_position_value": "200000",
    },
    misbehaviours=(),
    crashes=0.0,
    raises=0.0,
    delays=0.0,
    deeds=(
        Deed(12, "config"),
        Deed(19, "wish", RESTS, Side.BUY, 200),
    ),
)


@pytest.fixture(scope="module")
def settled(database):
    world = World(PLAN, database).run()
    database.keep()
    return world


@pytest.fixture
def world(database, settled):
    """The world, its rows and what it remembers as they were; played once, it is put back before each doctoring."""
    account = settled.account
    remembered = [account.orders, account.trades, settled.wire.sent, settled.arrived]
    remembered += [settled.problems, settled.errors.records, settled.prices.shown]
    copies, cash, plan = [one.copy() for one in remembered], account.cash, settled.plan
    database.reset()
    yield settled
    for one, before in zip(remembered, copies, strict=True):
        one.clear()
        (one.update if isinstance(one, dict) else one.extend)(before)
    account.cash, settled.plan, settled.closed = cash, plan, False
    settled.programs[-1].broker._trader.swallowed.clear()


def sql(*statements):
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
            assert cursor.rowcount > 0, statement


def rows(*statements):
    """Rows are changed: of the orders, the first is a sale that was cancelled, the last one is filled."""
    return lambda world: sql(*statements)


def broker_order(number=0, **fields):
    """What the exchange knows of one of our orders is changed."""

    def doctor(world):
        ours = [order for order in world.account.orders.values() if order.remark]
        order = replace(ours[number], **fields)
        world.account.orders[order.order_id] = order

    return doctor


def sent(**fields):
    """What the wire remembers of the last order sent is changed."""

    def doctor(world):
        world.wire.sent[-1] = replace(world.wire.sent[-1], **fields)

    return doctor


def arrived(number=-1, **fields):
    """What stood at the counter when an order arrived is changed."""

    def doctor(world):
        world.arrived[number] = replace(world.arrived[number], **fields)

    return doctor


def both(*doctors):
    def doctor(world):
        for one in doctors:
            one(world)

    return doctor


def remark_twice(world):
    first, second, *_ = [order for order in world.account.orders.values() if order.remark]
    world.account.orders[second.order_id] = replace(second, remark=first.remark)


def sent_twice(world):
    world.wire.sent.append(world.wire.sent[-1])


def one_still_live(world):
    ours = [one for one in world.arrived if one.order.symbol == FALLS]
    world.arrived.remove(ours[1])
    world.arrived.append(replace(ours[1], working=(ours[0].order,)))


def numbers_exchanged(world):
    first, second, *_ = [order for order in world.account.orders.values() if order.remark]
    sql(
        f"UPDATE trading_order SET broker_order_id = {second.order_id}"
        f" WHERE client_order_id = '{first.remark}'"
    )


def trade(**fields):
    def doctor(world):
        world.account.trades[-1] = replace(world.account.trades[-1], **fields)

    return doctor


def held_yesterday(quantity):
    """Less was held in the morning than the sales took."""

    def doctor(world):
        stocks = tuple(replace(stock, held=quantity) for stock in world.plan.stocks)
        world.plan = replace(world.plan, stocks=stocks)

    return doctor


def refused_at_the_counter(message):
    return broker_order(status=xtconstant.ORDER_JUNK, message=message)


def fewer_than_none(world):
    """The database itself would refuse it."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA ignore_check_constraints = ON")
        cursor.execute(f"UPDATE trading_position SET quantity = -100 {OPEN}")
        cursor.execute("PRAGMA ignore_check_constraints = OFF")


def logged(world):
    world.errors.records.append("strategy failed: KeyError('x')")


def swallowed(world):
    world.programs[-1].broker._trader.swallowed.append(KeyError("x"))


def told_and_not_booked(world):
    world.problems.append("I3 fill 7 was told at 09:40:21 and is not booked")


def cash_at_the_broker(world):
    world.account.cash += Decimal("0.01")


def never_quoted(world):
    world.prices.shown.clear()


def the_day_is_over(world):
    world.closed = True


def with_opposite_event(order, *states):
    """A history that goes on after its end, unbroken."""
    pairs = pairwise(states)
    return [
        "INSERT INTO trading_orderevent (order_id, at, old_state, new_state, epoch, detail)"
        f" SELECT id, approved_at, '{old}', '{new}', 1, '{{}}' FROM trading_order WHERE id = {order}"
        for old, new in pairs
    ]


FIRST = "(SELECT MIN(id) FROM trading_order)"
LAST = "(SELECT MAX(id) FROM trading_order)"
FILL = "(SELECT MAX(id) FROM trading_fill)"
COLUMNS = (
    "trade_date, symbol, side, quantity, price, amount, commission, stamp_duty, transfer_fee,"
    " broker_order_id, traded_id, at, booked_at, account_id, order_id, position_id"
)
OPEN = f"WHERE symbol = '{RESTS}' AND closed_at IS NULL"

DOCTORED = [
    ("I1", "exists 2 times at the broker", remark_twice),
    ("I1", "was posted 2 times", sent_twice),
    ("I1", "was still live when", one_still_live),
    ("I2", "which no order has", broker_order(remark="M00000000X")),
    ("I2", "exists at the broker", rows(f"UPDATE trading_order SET state = 'absent' WHERE id = {FIRST}")),
    ("I2", "is taken for broker order", numbers_exchanged),
    ("I3", "is not booked so", rows(f"DELETE FROM trading_fill WHERE id = {FILL}")),
    ("I3", "is not booked so", rows(f"UPDATE trading_fill SET price = price + 100 WHERE id = {FILL}")),
    ("I3", "is not the broker's", rows(
        f"INSERT INTO trading_fill ({COLUMNS}, key) SELECT {COLUMNS}, key || 'x'"
        f" FROM trading_fill WHERE id = {FILL}"
    )),
    ("I3", "its fills", rows(
        f"UPDATE trading_order SET filled_quantity = filled_quantity + 100 WHERE id = {FIRST}"
    )),
    ("I3", "at the broker", broker_order(traded_quantity=1)),
    ("I3", "was told at", told_and_not_booked),
    ("I4", "in our books", rows(f"UPDATE trading_position SET quantity = quantity + 100 {OPEN}")),
    ("I4", "is open with no shares", rows(f"UPDATE trading_position SET quantity = 0 {OPEN}")),
    ("I5", "by our fills", rows(f"UPDATE trading_fill SET commission = commission + 100 WHERE id = {FILL}")),
    ("I5", "yuan usable", rows("UPDATE trading_account SET cash = cash + 100")),
    ("I5", "by our fills", cash_at_the_broker),
    ("I6", "could be", arrived(0, sellable=100)),
    ("I6", "holds -100", fewer_than_none),
    ("I7", "are of yesterday", held_yesterday(100)),
    ("I7", "were sold today", held_yesterday(100)),
    ("I8", "was refused", refused_at_the_counter("[COUNTER] 当前时段不允许委托")),
    ("I8", "was refused", refused_at_the_counter("[COUNTER] 委托价格超过涨跌停价格限制")),
    ("I8", "was refused", refused_at_the_counter("[COUNTER] 委托价格不符合最小价格变动单位")),
    ("I9", "was to trade", rows(f"UPDATE trading_order SET chain_quantity = 100 WHERE id = {FIRST}")),
    ("I9", "had no cash", refused_at_the_counter("[COUNTER] 可用资金不足")),
    ("I10", "in spite of the main switch", sent(halted=True)),
    ("I10", "in spite of the main switch", sent(reducing=True, buys=True)),
    ("I11", "was committed", rows("UPDATE trading_order SET config_revision = 1")),
    ("I12", "the next event says", rows(
        f"DELETE FROM trading_orderevent WHERE order_id = {FIRST} AND new_state = 'submitting'"
    )),
    ("I12", "its last event says", rows(
        f"UPDATE trading_order SET state = 'rejected' WHERE id = {FIRST}"
    )),
    ("I12", "the main switch is", rows("UPDATE trading_account SET trading_state = 'reducing'")),
    ("I12", "nobody wrote down why", rows("UPDATE trading_historicaltradingconfig SET changed_why = ''")),
    ("I12", "nobody wrote down why", rows("DELETE FROM trading_historicaltradingconfig WHERE revision = 3")),
    ("I13", "from filled to submitted", rows(
        *with_opposite_event(LAST, "filled", "submitted", "filled")
    )),
    ("I14", "is still submitting", rows(
        f"UPDATE trading_order SET state = 'submitting' WHERE id = {FIRST}"
    )),
    ("I14", "nobody was told", rows(
        f"UPDATE trading_order SET was_unknown = 1 WHERE id = {FIRST}"
    )),
    ("I15", "holds the lease", sent(lease=9)),
    ("I16", "was never quoted", rows("UPDATE trading_signal SET last = last + 1 WHERE kind = 'stop_loss'")),
    ("I16", "was never quoted", never_quoted),
    ("I16", "was decided on a quote", rows(
        "UPDATE trading_signal SET held_at = '2026-08-10 02:30:00' WHERE kind = 'stop_loss'"
    )),
    ("I17", "it began with", rows(f"UPDATE trading_position SET quantity = quantity - 100 {OPEN}")),
    ("I17", "it began with", rows(
        f"UPDATE trading_position SET quantity = 100 WHERE symbol = '{FALLS}'"
    )),
    ("I18", "is not armed", rows("UPDATE trading_account SET gateway_status = 'observing'")),
    ("I18", "nothing is done about it", rows(
        f"UPDATE trading_position SET bought_amount = 2 * bought_amount {OPEN}"
    )),
    ("I19", "strategy failed", logged),
    ("I19", "a callback raised", swallowed),
    ("I20", "live at the broker", broker_order(0, status=xtconstant.ORDER_REPORTED)),
    ("I20", "not open at the broker", rows(
        f"UPDATE trading_order SET state = 'submitted' WHERE id = {FIRST}"
    )),
    ("I20", "after the books closed", both(
        rows(f"UPDATE trading_order SET state = 'submitted' WHERE id = {FIRST}"), the_day_is_over
    )),
    ("I20", "for nothing", rows("UPDATE trading_account SET frozen_cash = 10000")),
]  # fmt: skip


def test_the_world_is_in_order_before_it_is_doctored(world):
    assert broken(world) == []
    states = Order.objects.order_by("pk").values_list("side", "state")
    assert list(states) == [("sell", "cancelled"), ("buy", "filled"), ("sell", "filled")]


@pytest.mark.parametrize(
    ("number", "words", "doctor"),
    DOCTORED,
    ids=[
        f"{number}-{words.replace(' ', '-')}-{place}"
        for place, (number, words, _) in enumerate(DOCTORED)
    ],
)
def test_a_doctored_world_is_caught(world, number, words, doctor):
    doctor(world)

    sentences = broken(world)

    assert any(line.startswith(f"{number} ") and words in line for line in sentences), sentences


def test_every_invariant_is_doctored():
    numbers = {check.__name__.split("_")[0].upper() for check in CHECKS}

    assert {number for number, _, _ in DOCTORED} == numbers
