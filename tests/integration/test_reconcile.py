"""The terminal's word against our books: what is believed, what is kept, and who is told."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from tests.integration.scenes import OTHER, QUIET, STOCK, account, codes, falling, wish
from tests.misbehaving import Misbehaving, lost, news, pushes
from tests.world import World
from trading.domain.types import Side, SignalKind, Symbol, TradingState
from trading.models import Account, Fill, Position

pytestmark = [
    pytest.mark.orders,
    pytest.mark.unattended,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]

ACCOUNT = "8800000001"


def _calm(terminal: Misbehaving | None = None, until: str = "09:32:00") -> World:
    world = World(holdings=[(STOCK, 1000, "10.00")], symbols=[OTHER])
    world.hold(STOCK, "10.00", since="09:30:00", until=until)
    world.hold(OTHER, "10.00", since="09:30:00", until=until)
    before = {"previous_total": 1_010_000, "previous_total_on": date(2023, 1, 31)}
    Account.objects.filter(pk=world.account.pk).update(**before)
    if terminal is not None:
        world.terminal.delivery = terminal
    return world


def _elsewhere(
    world: World, clock: str, symbol: str, side: Side, quantity: int, price: str
) -> None:
    """Somebody trades at the terminal itself."""

    def trade() -> None:
        world.exchange.submit(
            ACCOUNT, Symbol(symbol), side, quantity, Decimal(price), "", "", world.exchange.now
        )

    world.at(clock, trade)


def test_f028_f081_a_sale_made_elsewhere_moves_the_holding_and_is_told_once():
    world = _calm()
    _elsewhere(world, "09:30:30", STOCK, Side.SELL, 400, "9.95")
    world.run(until="09:31:30")
    assert world.position(STOCK).quantity == 600
    assert codes(world, "EXTERNAL_FILL", "EXTERNAL_ORDER") == ["EXTERNAL_ORDER", "EXTERNAL_FILL"]
    assert world.orders() == []


def test_f081_a_purchase_made_elsewhere_is_a_holding_that_is_protected():
    world = _calm()
    _elsewhere(world, "09:30:30", OTHER, Side.BUY, 500, "10.05")
    world.run(until="09:31:30")
    row = world.position(OTHER)
    assert (row.quantity, row.bought_quantity) == (500, 500)
    assert "HOLDING_ADOPTED" not in codes(world)[1:]


@pytest.mark.parametrize("op", ["query_stock_positions"])
def test_f066_a_holding_the_terminal_does_not_show_stays_and_is_not_sold(op):
    def shown(request, truth):
        return (
            [] if request["op"] == op and world.exchange.now >= world.moment("09:30:40") else truth
        )

    world = falling(Misbehaving(shown=shown), book={})
    world.run(until="09:31:30")
    row = world.position(STOCK)
    assert (row.quantity, row.broker_sellable) == (1000, None)
    assert row.stale_since is not None
    assert world.orders() == []
    assert codes(world).count("POSITION_DIFFERS") == 1


@pytest.mark.parametrize("quantity", [0, 900, 1100])
def test_f067_a_lasting_difference_is_told_once_and_nothing_is_written_off(quantity):
    def shown(request, truth):
        if request["op"] == "query_stock_positions" and world.exchange.now >= world.moment(
            "09:30:40"
        ):
            return [{**truth[0], "volume": quantity, "can_use_volume": quantity}]
        return truth

    world = _calm(Misbehaving(shown=shown))
    world.run(until="09:31:40")
    assert world.position(STOCK).quantity == 1000
    assert codes(world).count("POSITION_DIFFERS") == 1


@pytest.mark.parametrize("silent", [pushes("stock_order", "stock_trade"), news])
def test_f032_a_holding_shown_before_its_fills_is_not_counted_twice(silent):
    # The positions are fresh, the lists of orders and fills are 10 s behind.
    def shown(request, truth):
        behind = world.exchange.now < world.moment("09:30:50")
        lists = ("query_stock_orders", "query_stock_trades")
        return [] if request["op"] in lists and behind else truth

    terminal = Misbehaving(back=lost(silent), shown=shown)
    world = _calm(terminal)
    wish(world, "09:30:34", OTHER, Side.BUY, 500)
    world.run(until="09:31:30")
    [order] = world.orders()
    assert (order.state, order.filled_quantity) == ("filled", 500)
    assert world.position(OTHER).quantity == 500
    assert Fill.objects.count() == len(world.exchange.account(ACCOUNT).trades)


def test_i1_an_order_that_exists_twice_at_the_broker_halts_trading():
    def shown(request, truth):
        twice = request["op"] == "query_stock_orders" and truth
        return [*truth, {**truth[0], "order_id": 99, "order_sysid": "99"}] if twice else truth

    world = falling(Misbehaving(shown=shown))
    world.run(until="09:31:15")
    assert account(world).trading_state == TradingState.HALTED
    assert codes(world).count("INVARIANT_BROKEN") == 1


def test_f070_the_first_cost_of_a_life_survives_the_terminals_diluted_one():
    world = _calm()
    _elsewhere(world, "09:30:30", STOCK, Side.SELL, 400, "9.95")
    world.run(until="09:31:30")
    row = Position.objects.get(symbol=STOCK)
    assert row.base_cost == 10
    assert row.broker_cost != 10


def test_shares_and_cash_are_never_promised_twice():
    # A person wants to sell and to buy more than there is, in pieces, at the same time.
    world = _calm(until="09:33:00")
    for symbol in (STOCK, OTHER):
        world._made = [q for q in world._made if q.symbol != symbol]
        world.hold(symbol, "10.00", since="09:30:00", until="09:33:00", asks=[], **QUIET)
    wish(world, "09:30:20", STOCK, Side.SELL, 600)
    wish(world, "09:30:30", STOCK, Side.SELL, 600, kind=SignalKind.GRID)
    wish(world, "09:30:21", OTHER, Side.BUY, 6000)
    wish(world, "09:30:31", OTHER, Side.BUY, 6000)
    worst = []

    def look():
        broker = world.exchange.account(ACCOUNT)
        open_sells = sum(
            o.quantity - o.filled_quantity
            for o in world.orders(side="sell")
            if o.state not in ("cancelled", "filled", "rejected", "expired", "partially_cancelled")
        )
        reserved = sum(
            o.reserved_cash
            for o in world.orders(side="buy")
            if o.state not in ("cancelled", "filled", "rejected", "expired", "partially_cancelled")
        )
        worst.append((open_sells <= 1000, reserved <= 1_000_000, broker.cash >= 0))

    for second in range(20, 59):
        world.at(f"09:30:{second}", look)
    world.run(until="09:31:00")
    assert set(worst) == {(True, True, True)}
    [buy] = world.orders(side="buy")
    assert buy.reserved_cash > buy.price * buy.quantity  # fees and the margin are in it
    assert buy.reserved_cash == world.exchange.account(ACCOUNT).frozen_cash
