"""What lets a session begin, and what does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from monitoring.premarket import Facts, Verdict, examine, in_words, may_begin, plain
from trading.domain.types import GatewayStatus, Text, TradingState

READY = Facts(
    on=date(2026, 8, 10),
    is_session=True,
    known_until=date(2026, 12, 31),
    disputed=False,
    gateway=GatewayStatus.ARMED,
    gateway_alive=True,
    gateway_reason=Text("", ""),
    snapshot_age=timedelta(seconds=5),
    cash=Decimal("100000.00"),
    holdings=2,
    differing=(),
    unverified=(),
    without_cost=(),
    without_limits=(),
    without_quote=(),
    quotes_due=True,
    ahead=timedelta(0),
    config_problem=None,
    switched_off=(),
    trading_state=TradingState.ACTIVE,
    unknown_orders=0,
    books="matched",
    free_bytes=50_000_000_000,
)


def test_a_session_begins_when_everything_is_ready() -> None:
    items = examine(READY)
    assert {item.verdict for item in items} == {Verdict.OK}
    assert may_begin(items)
    assert in_words(items) == Text("everything is ready", "一切就绪")


SEVEN = tuple(f"60000{n}.SH" for n in range(7))


@pytest.mark.parametrize(
    ("wrong", "verdict", "said"),
    [
        ({"is_session": None}, Verdict.STOP, "add it under Trading days"),
        ({"is_session": False}, Verdict.STOP, "no session"),
        ({"is_session": False, "disputed": True}, Verdict.STOP, "decide under Trading days"),
        ({"known_until": date(2026, 9, 1)}, Verdict.WARNING, "update, or add"),
        ({"gateway_alive": False}, Verdict.STOP, "silent"),
        ({"gateway": GatewayStatus.OBSERVING, "gateway_reason": Text("no login", "未登录")}, Verdict.STOP, "no login"),
        ({"snapshot_age": None}, Verdict.STOP, "never read"),
        ({"cash": None}, Verdict.STOP, "never read"),
        ({"snapshot_age": timedelta(seconds=61)}, Verdict.STOP, "61 s ago"),
        ({"differing": SEVEN}, Verdict.WARNING, "600004.SH +2"),
        ({"without_cost": ("600036.SH",)}, Verdict.STOP, "without a stop-loss: 600036.SH"),
        ({"unverified": ("600036.SH",)}, Verdict.WARNING, "verified"),
        ({"without_limits": ("600036.SH",)}, Verdict.STOP, "previous close"),
        ({"without_limits": ("600036.SH",), "quotes_due": False}, Verdict.WARNING, "previous close"),
        ({"without_quote": ("600036.SH",)}, Verdict.STOP, "none of today"),
        ({"ahead": timedelta(seconds=3.5)}, Verdict.STOP, "3.5 s ahead"),
        ({"config_problem": Text("stop_loss_ratio is 2", "止损比例为 2")}, Verdict.STOP, "stop_loss_ratio"),
        ({"switched_off": (Text("stop-loss", "止损"),)}, Verdict.STOP, "off: stop-loss"),
        ({"trading_state": TradingState.HALTED}, Verdict.STOP, "halted"),
        ({"trading_state": TradingState.REDUCING}, Verdict.WARNING, "sells only"),
        ({"unknown_orders": 2}, Verdict.WARNING, "2: decide"),
        ({"books": "differs"}, Verdict.WARNING, "no buying"),
        ({"books": "open"}, Verdict.WARNING, "no buying"),
        ({"free_bytes": 900_000_000}, Verdict.WARNING, "0.9 GB"),
    ],
)  # fmt: skip
def test_each_thing_that_is_wrong_is_one_item(
    wrong: dict[str, Any], verdict: Verdict, said: str
) -> None:
    items = examine(replace(READY, **wrong))
    [item] = [item for item in items if item.verdict is not Verdict.OK]
    assert item.verdict is verdict
    assert said in item.text.en
    assert item.text.zh
    assert may_begin(items) is (verdict is Verdict.WARNING)
    assert said in in_words(items).en
    assert plain([item])[0]["zh"] == item.text.zh


def test_before_the_auction_no_quote_is_missed() -> None:
    assert may_begin(examine(replace(READY, without_quote=("600036.SH",), quotes_due=False)))


def test_a_new_account_has_no_books_yet() -> None:
    assert may_begin(examine(replace(READY, books=None)))
