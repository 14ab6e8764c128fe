"""Prices that are wrong, late or new: ex-rights mornings, refused and stale quotes, far limits (rules §1, §7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from tests.integration.days import BANK, LIQUOR, codes
from tests.world import World
from trading.domain.symbols import parse_symbol
from trading.domain.types import BookStatus, CorporateAction, Side
from trading.models import Close, Instrument, Position
from trading.models import CorporateAction as CorporateActionRow
from trading.services.clock import DEMO

pytestmark = [pytest.mark.exits, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

YESTERDAY, BEFORE = date(2023, 1, 31), date(2023, 1, 30)
HALF = Decimal("0.5")


def closes(symbol: str = BANK, yesterday: str | None = None, before: str | None = None) -> None:
    for on, close in ((YESTERDAY, yesterday), (BEFORE, before)):
        if close is not None:
            Close.objects.create(environment=DEMO, symbol=symbol, on=on, close=Decimal(close))
    # The world records nothing by itself once there is any close of yesterday.
    Close.objects.get_or_create(
        environment=DEMO, symbol="000001.SZ", on=YESTERDAY, defaults={"close": Decimal(1)}
    )


def an_ex_rights_morning(previous_close: str, last: str, actions=(), quantity=1000) -> World:
    world = World(holdings=[(BANK, quantity, "20.00")], corporate_actions=actions)
    world.hold(BANK, last, since="09:30:00", until="09:33:00", previous_close=previous_close)
    # The account was seen before: what the books hold is of yesterday.
    state = {
        "quantity": quantity,
        "bought_quantity": quantity,
        "bought_amount": Decimal(20 * quantity),
        "base_cost": Decimal(20),
        "high_since_entry": Decimal(22),
        "opened_on": BEFORE,
        "checked_close_on": YESTERDAY,
    }
    rows = Position.objects.filter(account=world.account)
    world.at("09:20:00", lambda: rows.update(**state))
    return world


def bonus(share_ratio: str = "2") -> CorporateAction:
    return CorporateAction(parse_symbol(BANK), date(2023, 2, 1), HALF, Decimal(share_ratio))


def test_an_ex_rights_morning_scales_prices_and_shares_once_before_any_decision():
    world = an_ex_rights_morning("10.00", "9.90", [bonus()])
    closes(yesterday="20.00", before="19.80")
    world.run(until="09:32:00")
    position = world.position(BANK)
    assert (position.quantity, position.bought_quantity) == (2000, 2000)
    assert (position.base_cost, position.bought_amount) == (Decimal(10), Decimal(20000))
    assert position.high_since_entry == Decimal("11.00")
    assert world.orders() == []
    assert codes(world.events()).count("EX_RIGHTS_SCALE") == 1
    assert world.events(level="alarm") == []


def test_a_dividend_nobody_announced_is_taken_from_the_previous_close():
    world = an_ex_rights_morning("19.00", "18.60")
    closes(yesterday="20.00", before="19.80")
    world.run(until="09:32:00")
    position = world.position(BANK)
    assert (position.quantity, position.base_cost) == (1000, Decimal("19.00"))
    assert world.orders() == []


def test_a_stop_below_the_scaled_cost_still_sells():
    world = an_ex_rights_morning("10.00", "9.20", [bonus()])
    closes(yesterday="20.00")
    world.run(until="09:32:00")
    [order] = world.orders()
    assert (order.kind, order.filled_quantity) == ("stop_loss", 2000)


def test_a_previous_close_one_session_old_is_refused():
    world = an_ex_rights_morning("19.80", "19.90")
    closes(yesterday="20.00", before="19.80")
    world.run(until="09:32:00")
    position = world.position(BANK)
    assert (position.base_cost, position.ex_rights_unverified) == (Decimal(20), True)
    assert codes(world.events(level="alarm")) == ["EX_RIGHTS_REFUSED"]


def test_a_previous_close_that_comes_right_later_is_taken_then():
    world = an_ex_rights_morning("19.80", "19.90")
    closes(yesterday="20.00", before="19.80")
    world.hold(BANK, "19.90", since="09:33:00", until="09:34:00", previous_close="20.00")
    world.run(until="09:33:30")
    assert not world.position(BANK).ex_rights_unverified
    assert codes(world.events(level="alarm")) == ["EX_RIGHTS_REFUSED"]


def test_without_a_recorded_close_the_holding_stays_protected_and_is_marked():
    world = an_ex_rights_morning("20.00", "18.40")
    closes()
    world.run(until="09:32:00")
    [order] = world.orders()
    assert (order.kind, order.state) == ("stop_loss", "filled")
    assert codes(world.events(level="alarm")) == ["EX_RIGHTS_UNVERIFIED"]


def test_a_reference_that_moved_beyond_the_limit_unexplained_pauses_that_holding_only():
    world = World(holdings=[(BANK, 1000, "20.00"), (LIQUOR, 1000, "10.00")])
    closes(yesterday="20.00")
    closes(LIQUOR, yesterday="10.00")
    CorporateActionRow.objects.create(symbol=BANK, on=world.on, factor=Decimal(1))
    rows = Position.objects.filter(account=world.account)
    world.at("09:20:00", lambda: rows.update(checked_close_on=YESTERDAY))
    world.hold(BANK, "12.00", since="09:30:00", until="09:32:00", previous_close="12.00")
    world.hold(LIQUOR, "9.20", since="09:30:00", until="09:32:00")
    world.run(until="09:31:30")
    assert [order.symbol for order in world.orders()] == [LIQUOR]
    assert world.position(BANK).paused_by_ex_rights
    assert "EX_RIGHTS_PAUSED" in codes(world.events(level="alarm"))


def test_a_stock_bought_on_its_ex_rights_day_has_its_new_price_already():
    """Its cost is of today: scaling it would make a gain of nothing."""
    world = World(symbols=[BANK])
    closes(yesterday="20.00")
    world.somebody("09:30:30", Side.BUY, BANK, 1000, "10.05")
    world.hold(BANK, "10.00", since="09:30:00", until="09:33:00", previous_close="10.00")
    world.run(until="09:32:00")
    assert world.position(BANK).base_cost == Decimal("10.01")
    assert codes(world.events()).count("EX_RIGHTS_SCALE") == 0


def test_a_stock_bought_for_the_first_time_raises_no_alarm_about_ex_rights():
    world = World(symbols=[BANK])
    closes()
    world.somebody("09:30:30", Side.BUY, BANK, 1000, "10.05")
    world.hold(BANK, "10.00", since="09:30:00", until="09:33:00")
    world.run(until="09:32:00")
    assert world.events(level="alarm") == []


def test_closes_are_recorded_when_the_books_close():
    world = World(holdings=[(BANK, 1000, "10.00")])
    world.hold(BANK, "10.10", since="09:30:00", until="09:31:00")
    world.hold(BANK, "10.23", since="14:59:00", until="15:00:03")
    world.run()
    assert Close.objects.get(symbol=BANK, on=world.on).close == Decimal("10.23")
    world.account.refresh_from_db()
    assert world.account.previous_total_on == world.on


# -- quotes


@pytest.mark.parametrize("wrong", ["0", "0.01", "7.00", "99.99"])
def test_f058_an_absurd_price_causes_nothing(wrong):
    world = World(holdings=[(BANK, 1000, "10.00")])
    world.hold(BANK, "10.00", since="09:30:00", until="09:31:00")
    world.quote("09:30:31", BANK, wrong)
    world.run(until="09:30:50")
    assert world.signals() == []
    position = world.position(BANK)
    assert (position.high_since_entry, position.armed) == (Decimal("10.00"), False)


def test_f058_a_crossed_book_and_a_falling_volume_are_not_decided_on():
    world = World(holdings=[(BANK, 1000, "10.00")])
    world.hold(BANK, "10.00", since="09:30:00", until="09:31:00")
    world.quote("09:30:31", BANK, "9.10", bids=[("9.30", 100)], asks=[("9.20", 100)])
    world.quote("09:30:32", BANK, "9.10", volume=5)
    world.run(until="09:30:50")
    assert world.signals() == []


def test_f080_a_stale_quote_is_not_decided_on_and_not_lost():
    """Touched while no feed was alive to be believed: folded when the symbol is fresh again."""
    world = World(holdings=[(BANK, 1000, "10.00")])
    world.hold(BANK, "10.00", since="09:30:00", until="09:30:31")
    world.quote("09:31:31", BANK, "9.20")
    world.hold(BANK, "9.90", since="09:33:00", until="09:34:00")
    world.run(until="09:33:30")
    [signal] = world.signals()
    assert (signal.kind, signal.trigger_price) == ("stop_loss", Decimal("9.25"))


def test_f043_a_quote_from_the_future_is_not_decided_on():
    world = World(holdings=[(BANK, 1000, "10.00")])
    world.hold(BANK, "10.00", since="09:30:00", until="09:31:00")
    early = world.quote("09:30:45", BANK, "9.20")
    world._made.remove(early)
    world.at("09:30:31", lambda: world.store.put("xtquant", [early], 10, world.moment("09:30:31")))
    world.run(until="09:30:36")
    assert world.signals() == []


def test_f072_a_suspended_symbol_keeps_its_state_and_goes_on_with_the_next_quote():
    world = World(holdings=[(BANK, 1000, "10.00")])
    world.hold(BANK, "10.50", since="09:30:00", until="09:30:31")
    world.hold(BANK, "10.50", since="09:31:00", until="09:35:00", status=BookStatus.HALTED)
    world.hold(BANK, "9.20", since="09:35:00", until="09:36:00")
    world.run(until="09:35:30")
    [order] = world.orders()
    assert order.approved_at <= world.moment("09:35:05")


def test_f058_limits_that_disagree_send_nothing_and_say_so():
    world = World(holdings=[(BANK, 1000, "10.00")], skip=False)
    world.hold(BANK, "10.00", since="09:30:00", until="09:30:30")
    told = world.quote("09:30:31", BANK, "9.20")
    world._made.remove(told)
    told = replace(told, limit_up=Decimal("11.00"), limit_down=Decimal("9.10"))
    world.at("09:30:31", lambda: world.store.put("xtquant", [told], 10, told.time))
    world.run(until="09:30:36")
    assert world.orders() == []
    assert codes(world.denials()) == ["LIMITS_DISAGREE"]


def test_the_level_of_a_quote_between_two_ticks_counts():
    world = World(holdings=[(BANK, 1000, "10.00")])
    world.hold(BANK, "10.00", since="09:30:00", until="09:31:00")
    world.quote("09:30:31", BANK, "9.24", volume=1_010_500)
    world.run(until="09:30:50")
    [signal] = world.signals()
    assert (signal.last, signal.trigger_price) == (Decimal("10.00"), Decimal("9.25"))
    assert isinstance(signal.quote_time, datetime)
    assert signal.created_at - world.moment("09:30:31") <= timedelta(seconds=5)


def test_a_new_share_without_limits_is_sold_below_where_a_limit_would_be():
    new = "300750.SZ"
    world = World(holdings=[(new, 1000, "10.00")])
    symbol, listed = parse_symbol(new), {"listed_on": YESTERDAY}
    Instrument.objects.filter(pk=new).update(**listed)
    world.exchange.instruments[symbol] = replace(world.exchange.instruments[symbol], **listed)
    world.hold(new, "7.50", since="09:30:00", until="09:32:00")
    world.run(until="09:31:00")
    [order] = world.orders()
    assert (order.state, order.filled_quantity) == ("filled", 1000)
    assert order.price < Decimal("7.50")
