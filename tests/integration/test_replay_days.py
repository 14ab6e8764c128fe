"""Made-up days through the whole replay: what a rule of the market does to an order, end to end."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.replays import BANK, MONDAY, TUESDAY, after, plain, snapshot, steady
from trading.domain.types import CorporateAction, Symbol
from trading.market_data.sources import open_source
from trading.models import Event

pytestmark = [pytest.mark.exits, pytest.mark.orders]

HELD = f"{BANK}:1000@10"


def test_shares_bought_today_are_not_sold_today(play, tmp_path):
    source = plain(
        tmp_path,
        steady("09:30:02", "09:30:20", "9.50", previous_close="9.50"),
        steady("09:30:20", "09:31:00", "9.28", previous_close="9.50"),  # 7.2 % below cost: buys
        steady("09:31:00", "09:33:00", "8.70", previous_close="9.50"),  # below the new stop
    )

    played = play(
        open_source(source),
        holdings=[HELD],
        settings={"add_on_enabled": "on"},
        until=after("09:32:00"),
    )

    (bought,) = [quantity for side, _, quantity, _ in played.fills() if side == "buy"]
    assert bought == 3700
    assert played.sold() == 1000
    assert played.result["positions"][0]["quantity"] == bought


@pytest.mark.slow
def test_what_was_bought_yesterday_is_sold_today(play, tmp_path):
    source = plain(
        tmp_path,
        steady("14:50:02", "14:50:30", "9.28", previous_close="9.50"),
        steady("14:50:30", "14:51:00", "8.70", previous_close="9.50"),
        steady("09:30:02", "09:30:20", "8.65", previous_close="8.70", on=TUESDAY),
    )

    played = play(
        open_source(source),
        holdings=[HELD],
        settings={"add_on_enabled": "on"},
    )

    assert [fill["time"][:10] for fill in played.result["fills"]] == [
        str(MONDAY),  # buy
        str(MONDAY),  # what may be sold
        str(TUESDAY),  # the rest
    ]
    assert played.result["positions"][0]["quantity"] == 0


@pytest.mark.slow
def test_the_high_of_yesterday_trails_today(play, tmp_path):
    source = plain(
        tmp_path,
        steady("14:50:02", "14:50:20", "10.70"),
        steady("14:50:20", "14:50:50", "10.64"),  # sells the first part
        steady("14:50:50", "14:51:20", "10.90"),  # trails at 10.464
        steady("09:30:02", "09:30:20", "10.50", previous_close="10.90", on=TUESDAY),
        steady("09:30:20", "09:30:40", "10.46", previous_close="10.90", on=TUESDAY),
    )

    played = play(open_source(source), holdings=[HELD])

    assert played.signals() == [
        ("first_take_profit", "14:50:20", 600),
        ("trailing_take_profit", "09:30:20", 400),
    ]
    assert played.result["positions"][0]["quantity"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("action", "reference", "stop", "held"),
    [
        (CorporateAction(Symbol(BANK), TUESDAY, Decimal("0.5"), Decimal(2)), "5.10", "4.62", 2000),
        (
            CorporateAction(
                Symbol(BANK), TUESDAY, Decimal("0.95"), cash_per_share=Decimal("0.51")
            ),
            "9.69",
            "8.78",
            1000,
        ),
    ],
    ids=["bonus-shares", "dividend"],
)
def test_an_ex_rights_morning_scales_and_sells_nothing(
    play, tmp_path, action, reference, stop, held
):
    """Rules §1: cost, high and levels are scaled once, before any decision of that day."""
    tuesday = {"on": TUESDAY, "previous_close": reference}
    source = plain(
        tmp_path,
        steady("14:50:02", "14:50:30", "10.20"),
        steady("09:30:02", "09:31:00", reference, **tuesday),
        steady("09:31:00", "09:31:30", stop, **tuesday),
    )

    played = play(open_source(source), holdings=[HELD], corporate_actions=[action])

    assert played.signals() == [("stop_loss", "09:31:00", held)]
    assert played.sold() == held
    assert Event.objects.filter(code="EX_RIGHTS_SCALE").count() == 1
    paid = action.cash_per_share * 1000
    assert Decimal(played.result["positions"][0]["dividends"]) == paid


@pytest.mark.slow
def test_a_sell_at_limit_down_keeps_its_place_until_the_books_close(play, tmp_path):
    sealed: dict[str, Any] = {"bid": None, "ask": ("9.00", 500_000)}
    source = plain(
        tmp_path,
        steady("14:54:02", "14:54:10", "9.60"),
        steady("14:54:10", "14:56:56", "9.00", **sealed),
    )

    played = play(open_source(source), holdings=[HELD])

    (order,) = played.result["orders"]
    assert (order["price"], order["state"], order["end_reason"]) == (
        "9.00",
        "cancelled",
        "DAY_END",
    )
    assert played.fills() == []


@pytest.mark.parametrize(
    ("prices", "part", "timeout"),
    [(("9.60", "9.20"), 1000, 30), (("10.70", "10.64"), 600, 300)],
    ids=["stop-loss", "take-profit"],
)
def test_a_timeout_cancels_and_orders_the_rest_only(play, tmp_path, prices, part, timeout):
    before, price = prices
    thin: dict[str, Any] = {"bid": (price, 300)}
    lower = str(Decimal(price) - Decimal("0.05"))
    minutes = timeout // 60 + 2
    source = plain(
        tmp_path,
        steady("09:30:02", "09:30:10", before),
        steady("09:30:10", "09:30:13", price, **thin),
        steady("09:30:13", f"09:{30 + minutes}:00", lower),
    )

    played = play(open_source(source), holdings=[HELD], until=after(f"09:{30 + minutes}:00"))

    first, rest = played.result["orders"]
    assert (first["time"][11:19], first["filled_quantity"]) == ("09:30:10", 300)
    assert (first["state"], first["cancel_reason"]) == ("partially_cancelled", "TIMEOUT")
    waited = _seconds(first["ended"]) - _seconds(first["time"])
    assert timeout <= waited <= timeout + 4
    assert (rest["quantity"], rest["filled_quantity"]) == (part - 300, part - 300)
    assert rest["follows"] == first["order"]
    assert played.sold() == part


def test_minute_bars_are_decided_on_end_to_end(play, tmp_path):
    source = tmp_path / "bars.csv"
    lines = ["time,symbol,open,high,low,close,volume,amount,previous_close"]
    lines += [f"{MONDAY} 09:{30 + n},{BANK},10,10.01,9.99,10,400000,4000000,10" for n in range(3)]
    lines += [f"{MONDAY} 09:33,{BANK},9.9,9.95,9.1,9.3,400000,4000000,10"]
    lines += [f"{MONDAY} 09:{34 + n},{BANK},9.3,9.31,9.29,9.3,400000,4000000,10" for n in range(3)]
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")

    played = play(open_source(source), holdings=[HELD], until=after("09:37:30"))

    # The bar opens at 9.90, rises to 9.95 after 20 s and touches 9.10 after 40 s.
    assert played.signals() == [("stop_loss", "09:33:40", 1000)]
    assert played.fills() == [("sell", "09:33:40", 1000, "9.09")]


def test_nothing_is_sold_while_the_symbol_is_suspended(play, tmp_path):
    halted: dict[str, Any] = {"status": "halted", "bid": None, "ask": None}
    source = plain(
        tmp_path,
        steady("09:30:02", "09:30:30", "9.60", status="continuous"),
        steady("09:30:30", "09:31:30", "9.20", **halted),
        steady("09:31:30", "09:31:50", "9.20", status="continuous"),
    )

    played = play(open_source(source), holdings=[HELD], until=after("09:32:00"))

    assert [(side, time, quantity) for side, time, quantity, _ in played.fills()] == [
        ("sell", "09:31:30", 1000)
    ]


def test_the_last_quotes_of_the_morning_are_decided_after_lunch(play, tmp_path):
    source = plain(
        tmp_path,
        steady("11:29:30", "11:29:57", "9.60"),
        snapshot("11:29:58", "9.20"),
        snapshot("12:59:57", "9.60"),
        steady("13:00:03", "13:00:30", "9.60"),
    )

    played = play(open_source(source), holdings=[HELD], until=after("13:01:00"))

    assert played.signals() == [("stop_loss", "13:00:00", 1000)]


def _seconds(time: str) -> int:
    hours, minutes, seconds = map(int, time[11:19].split(":"))
    return (hours * 60 + minutes) * 60 + seconds
