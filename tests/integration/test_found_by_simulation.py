"""What the simulation found, each as the shortest story that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.integration.scenes import (
    FELL,
    OTHER,
    QUIET,
    STOCK,
    account,
    at_broker,
    codes,
    falling,
    moves,
    seconds_after,
    wish,
)
from tests.misbehaving import Misbehaving, late, lost
from tests.world import TODAY, World
from trading import faults
from trading.domain.reports import (
    BrokerAsset,
    BrokerOrder,
    BrokerPosition,
    BrokerState,
    BrokerTrade,
    Event,
    Snapshot,
)
from trading.domain.types import CHINA, Side, Symbol
from trading.models import Account, Fill, Position
from trading.paper.delivery import PERFORM, Delivery, Message
from trading.services import config
from trading.services.desk import AccountDesk

#: Orders rest, at the last price.
SLOW = {"sell_order_timeout": "600", "price_mode": "last"}

pytestmark = [pytest.mark.orders, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]


def test_f013_a_client_that_restarts_without_a_word_is_connected_again():
    world = falling()

    def vanish() -> None:
        for client in world.terminal._clients:
            if client.session is not None:
                client.open = False
        world.terminal._clients = [one for one in world.terminal._clients if one.open]

    world.at("09:30:20", vanish)
    world.run(until="09:31:30")

    assert account(world).gateway_status == "armed"


class Swallowing(Delivery):
    """Answers every order with a number, and keeps none."""

    def instead(self, request: Message, now: datetime) -> Any:
        if request["op"] != "order_stock":
            return PERFORM
        names = {name: request[name] for name in ("strategy_name", "order_remark", "account_id")}
        return {"order_id": 1_190_000_001, "error_msg": "", **names}


def test_an_order_that_was_accepted_and_swallowed_does_not_blind_the_gateway():
    world = falling()
    world.terminal.delivery = Swallowing()
    world.run(until="09:32:00")

    [order] = world.orders()
    assert order.broker_order_id == 1_190_000_001
    assert account(world).gateway_status == "armed"


def test_an_order_that_was_accepted_and_swallowed_becomes_unknown_and_is_then_proven_absent():
    world = falling(
        until="09:37:00", book={}, holdings=((STOCK, 1000, "10.00"), (OTHER, 1000, "9.25"))
    )
    wish(world, "09:30:30", OTHER, Side.SELL, 100)  # the broker's list of today is not empty
    world.at("09:30:50", lambda: setattr(world.terminal, "delivery", Swallowing()))
    world.at("09:31:30", lambda: setattr(world.terminal, "delivery", Delivery()))
    world.run(until="09:36:00")

    swallowed, again = world.orders(symbol=STOCK)
    assert moves(swallowed) == [
        "approved",
        "submitting",
        "submitted",
        "cancel_requested",
        "unknown",
        "absent",
    ]
    unknown, absent = swallowed.events.filter(new_state__in=("unknown", "absent")).order_by("pk")
    assert 60 <= seconds_after(world, FELL, unknown.at) <= 66
    assert 70 <= (absent.at - unknown.at).total_seconds() <= 90
    assert (again.kind, again.state) == ("stop_loss", "filled")
    assert codes(world, "ORDER_UNKNOWN", "ORDER_ABSENT") == ["ORDER_UNKNOWN", "ORDER_ABSENT"]


def test_an_order_that_a_list_has_shown_does_not_become_unknown_when_lists_lose_it():
    hidden = Misbehaving(
        shown=lambda request, truth: (
            []
            if request["op"] == "query_stock_orders"
            and world.exchange.now > world.moment("09:31:10")
            else truth
        )
    )
    world = falling(hidden, until="09:34:00", settings=SLOW)
    world.run(until="09:33:00")

    [order] = world.orders()
    assert (order.state, order.was_unknown) == ("submitted", False)


def test_the_fees_of_somebodys_order_are_those_of_one_order():
    world = World(holdings=[(STOCK, 1000, "10.00")])
    asks = [("10.01", 100), ("10.02", 100), ("10.03", 100)]
    world.hold(STOCK, "10.00", since="09:30:00", until="09:31:00", asks=asks)
    world.somebody("09:30:20", Side.BUY, STOCK, 300, "10.03")
    world.run(until="09:30:40")

    assert sum(fill.commission for fill in world.fills()) == Decimal("5.00")


def test_a_buy_by_hand_beside_a_sale_by_hand_that_rests_does_not_stop_the_tick():
    world = World(holdings=[(STOCK, 1000, "10.00"), (OTHER, 1000, "10.00")], symbols=[STOCK])
    world.hold(STOCK, "10.00", since="09:30:00", until="09:30:30", **QUIET)
    world.hold(STOCK, "9.95", since="09:30:30", until="09:32:00", **QUIET)
    world.hold(OTHER, "10.00", since="09:30:00", until="09:30:40")
    world.hold(OTHER, "9.20", since="09:30:40", until="09:32:00")
    world.at("09:30:10", lambda: config.change(world.account.pk, SLOW, actor=None, why="test"))
    wish(world, "09:30:15", STOCK, Side.SELL, 500)
    wish(world, "09:30:35", STOCK, Side.BUY, 100, price="9.95")
    world.run(until="09:31:30")

    sold = {(order.symbol, order.side, order.kind): order.state for order in world.orders()}
    assert sold[STOCK, "sell", "manual"] == "submitted"
    assert (STOCK, "buy", "manual") in sold
    assert sold[OTHER, "sell", "stop_loss"] == "filled"


class Mute(Delivery):
    """Answers no query for some seconds; pushes come."""

    def times(self, message: Message, now: datetime) -> Sequence[datetime]:
        silent = time(9, 30, 22) <= now.time() < time(9, 30, 28)
        return () if silent and message.get("op", "").startswith("query_") else (now,)


def test_after_a_persons_cancel_an_exit_waits_for_the_query_that_frees_the_shares():
    world = World(holdings=[(STOCK, 1250, "10.00")])
    world.hold(STOCK, "10.00", since="09:30:00", until="09:30:24", **QUIET)
    world.hold(STOCK, "9.20", since="09:30:24", until="09:32:00", volume=3_000_000)
    world.at("09:30:05", lambda: config.change(world.account.pk, SLOW, actor=None, why="test"))
    world.terminal.delivery = Mute()
    wish(world, "09:30:10", STOCK, Side.SELL, 100)
    at = world.moment("09:30:23")
    world.at(
        at, lambda: world.exchange.cancel("8800000001", world.orders()[0].broker_order_id, at)
    )
    world.run(until="09:31:00")

    sold = [(order.kind, order.quantity) for order in world.orders()]
    assert sold == [("manual", 100), ("stop_loss", 1250)]


class Deaf(Delivery):
    """Answers no query between two times; pushes and answers to orders come."""

    def __init__(self, since: str, until: str) -> None:
        self._since, self._until = time.fromisoformat(since), time.fromisoformat(until)

    def times(self, message: Message, now: datetime) -> Sequence[datetime]:
        deaf = self._since <= now.time() < self._until
        return () if deaf and message.get("op", "").startswith("query_") else (now,)


def test_cash_that_a_filled_buy_paid_is_not_spent_again_before_a_snapshot_shows_it():
    world = World(cash="15000", symbols=[STOCK, OTHER])
    world.terminal.delivery = Deaf("09:30:04", "09:30:17")
    for stock in (STOCK, OTHER):
        world.hold(stock, "10.00", since="09:30:00", until="09:31:00")
    wish(world, "09:30:03", STOCK, Side.BUY, 1000)
    wish(world, "09:30:07", OTHER, Side.BUY, 1000)
    world.run(until="09:30:16")

    assert [(order.symbol, order.state) for order in world.orders()] == [(STOCK, "filled")]
    assert [denial.code for denial in world.denials()] == ["CASH"]


def test_beside_an_unknown_sale_an_exit_sells_whole_lots():
    terminal = Misbehaving(
        on_the_way=lambda m, now: (
            () if m["op"] == "order_stock" and m["order_volume"] == 100 else None
        )
    )
    world = falling(terminal, holdings=((STOCK, 1250, "10.00"),), book={})
    wish(world, "09:30:30", STOCK, Side.SELL, 100)
    world.run(until="09:31:10")

    sold = [(order.kind, order.quantity, order.state) for order in world.orders()]
    assert sold == [("manual", 100, "unknown"), ("stop_loss", 1100, "filled")]


def test_a_fill_that_names_its_order_brings_along_those_that_named_nobody():
    world = falling(Misbehaving(on_the_way=lost(lambda m: m.get("op") == "order_stock")))
    now = world.moment("09:31:10")

    def told() -> None:
        [order] = world.orders()
        for number, quantity, remark in (("1", 100, ""), ("2", 900, order.client_order_id)):
            price = Decimal("9.20")
            sold = BrokerTrade(
                number, 7, Symbol(STOCK), Side.SELL, quantity, price, now, remark=remark
            )
            world.gateway._desk.record([Event(sold, 1, now)], now)

    world.at(now, told)
    world.run(until="09:31:10")

    [order] = world.orders()
    assert (order.state, order.filled_quantity) == ("filled", 1000)
    assert sum(fill.commission for fill in world.fills()) == Decimal("5.00")


# -- the first snapshots of an account that has traded today

TEN = datetime.combine(TODAY, time(10), CHINA)
BOUGHT = BrokerTrade(
    "T1", 7, Symbol(STOCK), Side.BUY, 100, Decimal(10), TEN - timedelta(minutes=25), sysid="77"
)
HELD = BrokerPosition(
    Symbol(STOCK), 1100, 1000, Decimal(10), Decimal(10), 0, 1000, market_value=Decimal(11000)
)
BY_HAND = BrokerOrder(
    7, Symbol(STOCK), Side.BUY, 100, Decimal(10), BrokerState.FILLED, 100, BOUGHT.time, "77"
)
WHOLE = Snapshot(
    TEN,
    1,
    True,
    BrokerAsset(Decimal(1000), Decimal(0), Decimal(11000), Decimal(12000)),
    (HELD,),
    (BY_HAND,),
    (BOUGHT,),
)


@pytest.fixture
def desk() -> AccountDesk:
    world = World(symbols=[STOCK])
    desk = AccountDesk(world.account.pk, world.store, world.calendar)
    desk.take_over(TEN)
    return desk


def _read(desk: AccountDesk, *snapshots: Snapshot) -> None:
    for number, snapshot in enumerate(snapshots):
        at = TEN + timedelta(seconds=3 * number)
        desk.record([Event(replace(snapshot, taken_at=at), 1, at)], at)


@pytest.mark.parametrize(
    "hole",
    [
        {"positions": None},
        {"trades": None},
        {"asset": None},
        {"positions": ()},  # a client that is still loading
        {"positions": (replace(HELD, quantity=0, sellable=0, market_value=Decimal(0)),)},
        {"trades": ()},
        {"orders": ()},
        {"positions": (replace(HELD, yesterday=0),)},
    ],
)
def test_first_answers_with_a_hole_do_not_begin_a_life_that_lacks_shares(desk, hole):
    lacking = replace(WHOLE, **hole)
    _read(desk, lacking, lacking)
    assert not Position.objects.exists()
    assert desk.problem_with(lacking) is not None

    _read(desk, lacking, WHOLE, WHOLE)
    [life] = Position.objects.all()
    assert (life.quantity, Fill.objects.count()) == (1100, 1)


def test_the_books_are_opened_by_two_readings_that_say_the_same(desk):
    other = replace(WHOLE, positions=(replace(HELD, sellable=900),))
    _read(desk, WHOLE, other)
    assert not Position.objects.exists()


def test_a_person_may_open_the_books_on_a_terminal_that_contradicts_itself(desk, monkeypatch):
    name = Account.objects.get().name
    funds_elsewhere = replace(WHOLE, asset=replace(WHOLE.asset, market_value=Decimal(50000)))
    monkeypatch.setattr("trading.management.commands.open_books.market_time", lambda *_: TEN)
    call_command("open_books", name, "--why", "it counts funds that are no holdings")
    _read(desk, funds_elsewhere, funds_elsewhere)

    assert Position.objects.get().quantity == 1100
    with pytest.raises(CommandError):
        call_command("open_books", name, "--why", "once more")


def test_a_fill_pushed_before_the_books_are_open_is_booked_with_them(desk):
    desk.record([Event(BOUGHT, 1, TEN)], TEN)
    _read(desk, WHOLE, WHOLE)

    [life] = Position.objects.all()
    assert (life.quantity, Fill.objects.count()) == (1100, 1)


def test_a_fill_asks_for_the_snapshot_that_shows_what_it_paid(desk):
    _read(desk, WHOLE, WHOLE)
    Account.objects.update(snapshot_wanted_at=None)
    desk.record([Event(replace(BOUGHT, traded_id="T2"), 1, TEN)], TEN)

    assert desk.agenda().snapshot_wanted == TEN


def _paid(cash: str, *more: BrokerPosition) -> Snapshot:
    held = sum((one.market_value or Decimal(0) for one in (HELD, *more)), Decimal(0))
    asset = BrokerAsset(Decimal(cash), Decimal(0), held, Decimal(cash) + held)
    return replace(WHOLE, asset=asset, positions=(HELD, *more))


def test_seed_25222_a_gateway_that_was_frozen_puts_no_old_picture_back_and_keeps_its_fills(desk):
    _read(desk, WHOLE, WHOLE)
    account = Account.objects.get()
    second = AccountDesk(account.pk, desk._quotes, desk._calendar)
    second.take_over(TEN + timedelta(seconds=20))
    _read(second, _paid("900"), _paid("900"), _paid("900"))
    assert Account.objects.get().cash == 900

    told = replace(BOUGHT, traded_id="T3")
    late = replace(WHOLE, taken_at=TEN + timedelta(seconds=10), trades=(BOUGHT, told))
    desk.record([Event(late, 1, TEN + timedelta(seconds=40))], TEN + timedelta(seconds=40))
    assert Account.objects.get().cash == 900
    assert Fill.objects.filter(traded_id="T3").exists()


def test_seed_25222_what_was_shown_before_a_picture_that_waits_is_shown_again(desk):
    """A holding of a stranger is waited for; meanwhile the rows are of no picture that was settled."""
    strange = replace(HELD, symbol=Symbol(OTHER), yesterday=0, sellable=0)
    _read(desk, WHOLE, WHOLE, _paid("500", strange))
    assert Account.objects.get().cash == 500
    _read(desk, WHOLE)
    assert Account.objects.get().cash == 1000


def test_what_a_failed_transaction_read_is_read_again(desk):
    faults.arm(faults.parse("sync.positions_projected:1:raise"))
    try:
        with pytest.raises(faults.InjectedFault):
            _read(desk, WHOLE, WHOLE)
    finally:
        faults.arm(None)
    _read(desk, WHOLE, WHOLE)

    assert Fill.objects.count() == 1


def _also_sold_in_the_client(terminal: Misbehaving, at: str) -> World:
    """A holding falls through its stop, and a person sells the same shares at the same price at that time."""
    world = World(holdings=((STOCK, 1000, "10.00"),))
    world.terminal.delivery = terminal
    for price, since, until in (("10.00", "09:30:00", FELL), ("9.20", FELL, "09:33:00")):
        world.hold(STOCK, price, since=since, until=until, **QUIET)  # type: ignore[arg-type]
    world.somebody(at, Side.SELL, STOCK, 1000, "9.20")
    return world


def test_f003_what_a_person_sold_before_our_call_is_never_taken_for_ours_however_alike():
    # Seed 2354: our order was lost on its way, and by its timeout the person's would have been cancelled.
    terminal = Misbehaving(on_the_way=lost(lambda m: m.get("op") == "order_stock"))
    world = _also_sold_in_the_client(terminal, "09:30:59")
    world.run(until="09:32:30")

    [order] = world.orders()
    assert moves(order) == ["approved", "submitting", "unknown", "absent"]
    assert codes(world, "EXTERNAL_ORDER", "ORDER_BOUND_WEAKLY") == ["EXTERNAL_ORDER"]
    assert terminal.calls("cancel_order_stock") == []


def test_f003_what_a_person_sells_while_our_request_is_on_its_way_is_not_taken_for_ours_either():
    # Seed 3980: after ten seconds it was, and by its timeout the person's order was cancelled.
    terminal = Misbehaving(on_the_way=late(lambda m: m.get("op") == "order_stock", 30))
    world = _also_sold_in_the_client(terminal, "09:31:03")
    world.run(until="09:32:30")

    [order] = world.orders()
    assert order.broker_order_id == at_broker(world)[1].order_id
    assert moves(order) == ["approved", "submitting", "unknown", "submitted", "rejected"]
    assert codes(world, "EXTERNAL_ORDER", "ORDER_BOUND_WEAKLY") == ["EXTERNAL_ORDER"]
    assert terminal.calls("cancel_order_stock") == []
