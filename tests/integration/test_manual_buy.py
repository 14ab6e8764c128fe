"""A person buys: one signal that the tick decides like any other, sized as each board takes it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.integration.days import BANK
from tests.world import World
from trading.domain import risk
from trading.domain.symbols import parse_symbol
from trading.domain.types import Side, Text, TradingState
from trading.models import Account, Position, Signal
from trading.services.accounts import set_trading_state
from trading.services.corrections import CorrectionError
from trading.services.manual import buy, for_amount, part, sell, so_many
from trading.services.manual_preview import Preview, preview, view_of

pytestmark = [pytest.mark.orders, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

STAR, BSE, ETF = "688100.SH", "920100.BJ", "510300.SH"


def a_day(*held: tuple[str, int, str], until: str = "09:40:00", **more) -> World:
    world = World(holdings=held, symbols=[BANK, STAR, BSE, ETF], **more)
    for symbol, price in ((BANK, "10.00"), (STAR, "25.00"), (BSE, "8.00"), (ETF, "4.00")):
        world.hold(symbol, price, since="09:30:00", until=until, previous_close=price)
    return world


def ask(
    world: World, clock: str, symbol: str, size, said: list[Text], why="a test", **more
) -> None:
    """Let a person ask for a buy in this second."""

    def act() -> None:
        try:
            text = buy(
                world.account.pk, parse_symbol(symbol), size, why, world.moment(clock), "boss",
                quotes=world.store, calendar=world.calendar, **more,
            )  # fmt: skip
        except CorrectionError as refusal:
            text = refusal.text
        said.append(text)
        world._moved()

    world.at(clock, act)


@pytest.mark.parametrize(
    ("symbol", "size", "quantity"),
    [
        (
            BANK,
            for_amount(Decimal(6000)),
            500,
        ),  # it would be sent above 10.00: 600 would cost more
        (BANK, so_many(300), 300),
        (STAR, for_amount(Decimal(6000)), 239),
        (STAR, so_many(201), 201),
        (BSE, so_many(101), 101),
        (ETF, for_amount(Decimal(1000)), 200),
    ],
)
def test_a_buy_is_decided_by_the_next_tick_and_filled(symbol, size, quantity):
    world, said = a_day(), []
    ask(world, "09:31:01", symbol, size, said)
    world.run(until="09:31:20")
    [signal] = world.signals()
    assert f"a buy of {quantity} shares is asked for (signal {signal.pk})" in said[0].en
    assert (signal.kind, signal.side, signal.state, signal.reason_en) == (
        *("manual", "buy", "accepted", "boss: a test"),
    )
    [order] = world.orders()
    assert (order.side, order.purpose, order.quantity, order.state) == (
        *("buy", "manual", quantity, "filled"),
    )
    assert world.position(symbol).quantity == quantity
    [event] = world.events(code="MANUAL_BUY")
    assert (event.actor, event.detail["quantity"]) == ("boss", quantity)


def test_a_buy_adds_to_a_holding_and_what_was_bought_today_stays():
    world, said = a_day((BANK, 1000, "10.00")), []
    ask(world, "09:31:01", BANK, so_many(200), said)
    world.run(until="09:31:30")
    row = world.position(BANK)
    assert (row.quantity, row.life) == (1200, 1)
    view = view_of(
        world.account.pk, parse_symbol(BANK), world.moment("09:31:30"), world.store, world.calendar
    )
    assert preview(view, parse_symbol(BANK), Side.SELL, 100).locked == 200


def test_a_buy_never_costs_more_than_was_written():
    world, said = a_day(), []
    ask(world, "09:31:01", BANK, so_many(100), said, highest=Decimal("10.00"))
    world.run(until="09:31:20")
    [order] = world.orders()
    assert order.price == Decimal(
        "10.00"
    )  # the book asks for 10.01: without a bound it would reach for it
    assert all(fill.price <= Decimal("10.00") for fill in world.fills())


@pytest.mark.parametrize(
    ("symbol", "size", "why", "word"),
    [
        (STAR, so_many(199), "x", "write 200"),
        (BANK, so_many(150), "x", "write 100 or 200"),
        (BANK, for_amount(Decimal(900)), "x", "write at least that"),
        (BANK, so_many(100), " ", "A buy needs a reason"),
        ("000651.SZ", so_many(100), "x", "no price is known"),
        ("900901.SH", so_many(100), "x", "no price is known"),
    ],
)
def test_what_cannot_be_bought_is_refused_at_once(symbol, size, why, word):
    world, said = a_day(until="09:31:10"), []
    ask(world, "09:31:01", symbol, size, said, why)
    world.run(until="09:31:02")
    assert word in said[0].en
    assert Signal.objects.count() == 0


def test_a_second_wish_for_the_symbol_waits_for_the_first_whatever_its_side():
    world, said = a_day((BANK, 1000, "10.00")), []
    ask(world, "09:31:01", BANK, so_many(100), said)
    ask(world, "09:31:02", BANK, so_many(200), said)

    def sells() -> None:
        row = Position.objects.get(symbol=BANK)
        with pytest.raises(CorrectionError, match="at work already"):
            sell(
                row.pk, part(Decimal(1)), "x", world.moment("09:31:02"), "boss",
                quotes=world.store, calendar=world.calendar,
            )  # fmt: skip

    world.at("09:31:02", sells)
    world.run(until="09:31:20")
    assert "at work already" in said[1].en
    assert [order.quantity for order in world.orders()] == [100]


def test_a_disabled_account_is_asked_for_nothing():
    world, said = a_day(until="09:31:10"), []
    world.at("09:31:00", lambda: Account.objects.update(enabled=False))
    ask(world, "09:31:01", BANK, so_many(100), said)
    world.run(until="09:31:02")
    assert "is disabled" in said[0].en
    assert Signal.objects.count() == 0


CASES = {
    "fits": ({}, "active", 100, None),
    "halted": ({}, "halted", 100, "TRADING_STATE"),
    "reducing": ({}, "reducing", 100, "TRADING_STATE"),
    "buying off": ({"buy_enabled": "off"}, "active", 100, "BUY_DISABLED"),
    "too much for one order": ({"max_order_value": "1000"}, "active", 200, "MAX_ORDER_VALUE"),
    "too much in one symbol": ({"max_position_value": "15000"}, "active", 1000, "MAX_POSITION_VALUE"),
    "too much altogether": ({"max_total_position_ratio": "0.01"}, "active", 500, "MAX_TOTAL_POSITION_RATIO"),
    "auto trading off": ({"auto_trading_enabled": "off"}, "active", 100, None),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_preview_says_what_the_tick_then_does(case):
    """The same checks with the same facts: what would be denied is denied, for the reason that was shown."""
    changed, state, quantity, code = CASES[case]
    world, said = a_day((BANK, 1000, "10.00"), settings=changed), []
    shown: list[Preview] = []

    def look() -> None:
        if state != "active":
            set_trading_state(
                world.account.pk,
                TradingState(state),
                Text("a", "b"),
                world.moment("09:31:01"),
                "boss",
            )
        view = view_of(
            world.account.pk,
            parse_symbol(BANK),
            world.moment("09:31:01"),
            world.store,
            world.calendar,
        )
        shown.append(preview(view, parse_symbol(BANK), Side.BUY, quantity))

    world.at("09:31:01", look)
    ask(world, "09:31:01", BANK, so_many(quantity), said)
    world.run(until="09:31:20")
    [signal] = world.signals()
    assert [check.name for check in shown[0].checks][4:] == [
        check.__name__ for check in risk.CHECKS
    ]
    if code is None:
        assert shown[0].failing == ()
        assert signal.state == "accepted"
        assert shown[0].price == world.orders()[0].price
    else:
        assert shown[0].denial is not None
        assert (signal.state, signal.denial_code) == ("denied", code)
        assert shown[0].denial.objection == Text(signal.outcome_en, signal.outcome_zh)
