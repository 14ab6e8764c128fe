"""A holding with thresholds of its own: the next tick decides by them, and says so."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.integration.days import BANK
from tests.world import World
from trading.domain.types import Text
from trading.models import Position
from trading.services.corrections import CorrectionError
from trading.services.own_thresholds import set_own_thresholds

pytestmark = [pytest.mark.exits, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

OTHER = "600000.SH"


def test_a_tighter_stop_of_its_own_sells_this_holding_and_no_other():
    world = World(holdings=[(BANK, 1000, "10.00"), (OTHER, 1000, "10.00")])
    for symbol in (BANK, OTHER):
        world.hold(symbol, "9.60", since="09:30:00", until="09:32:00")
    said: list[object] = []

    def set_it() -> None:
        row, now = world.position(BANK), world.moment("09:31:01")
        said.append(set_own_thresholds(row.pk, Decimal("-0.04"), None, "a test", now, "boss"))
        said.append(set_own_thresholds(row.pk, Decimal("-0.04"), None, "a test", now, "boss"))
        world._moved()

    world.at("09:31:01", set_it)
    world.run(until="09:31:30")
    assert said == [True, False]
    [order] = world.orders()
    assert (order.symbol, order.kind, order.state) == (BANK, "stop_loss", "filled")
    [event] = world.events(code="OWN_THRESHOLDS")
    assert (event.actor, event.detail["before"]) == ("boss", [None, None])
    assert (
        event.text_en
        == "Own thresholds of 600036.SH: stop-loss -4%, first take-profit as the account's: a test"
    )


def test_a_threshold_out_of_its_range_a_missing_reason_and_an_ended_life_change_nothing():
    world = World(holdings=[(BANK, 1000, "10.00")])
    world.hold(BANK, "10.00", since="09:30:00", until="09:30:30")
    world.run(until="09:30:20")
    row, now = world.position(BANK), world.moment("09:30:20")

    def refusal(*ratios: str | None, why: str = "x") -> Text:
        stop, first = (None if one is None else Decimal(one) for one in ratios)
        with pytest.raises(CorrectionError) as refused:
            set_own_thresholds(row.pk, stop, first, why, now, "boss")
        return refused.value.text

    assert "stop_loss_ratio is -0.5" in refusal("-0.5", None).en
    assert "first_take_profit_ratio" in refusal(None, "0.5").en
    assert "needs a reason" in refusal("-0.05", None, why=" ").en
    Position.objects.filter(pk=row.pk).update(closed_at=now)
    assert "has ended" in refusal("-0.05", None).en
    row.refresh_from_db()
    assert (row.stop_loss_ratio, row.first_take_profit_ratio) == (None, None)
    assert world.events(code="OWN_THRESHOLDS") == []
