from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.domain.exit_cases import BANK, ENTRY_DAY, RULES, at, d, holding
from trading.domain.positions import opened
from trading.domain.protection import (
    Protection,
    ProtectionFacts,
    ProtectionReport,
    protection_of,
)
from trading.domain.types import GatewayStatus, SignalKind, TradingState

pytestmark = [pytest.mark.fast, pytest.mark.exits, pytest.mark.unattended]

GOOD = ProtectionFacts(sellable=1000)
NO_STOP = replace(RULES, stop_loss_enabled=False)

#: Every reason with the fact that makes it, in the order of severity.
REASONS: list[tuple[Protection, dict[str, Any]]] = [
    (Protection.HALTED, {"trading_state": TradingState.HALTED}),
    (Protection.AUTO_OFF, {"auto_on": False}),
    (Protection.SELL_OFF, {"sell_on": False}),
    (Protection.HOLDING_OFF, {"holding_on": False}),
    (Protection.PAUSED, {"paused_until": at(60)}),
    (Protection.NOT_TRADED, {"traded": False}),
    (Protection.EX_RIGHTS_UNVERIFIED, {"ex_rights_paused": True, "ex_rights_unverified": True}),
    (Protection.GATEWAY_DOWN, {"gateway_alive": False}),
    (Protection.GATEWAY_OBSERVING, {"gateway_status": GatewayStatus.OBSERVING}),
    (Protection.SUSPENDED, {"suspended": True}),
    (Protection.QUOTE_REFUSED, {"quote_refused_since": at(60)}),
    (Protection.QUOTE_SOURCE, {"quote_may_trade": False, "quote_fresh": False}),
    (Protection.QUOTE_STALE, {"quote_fresh": False}),
    (Protection.LIMITS_UNCLEAR, {"limits_clear": False}),
    (Protection.UNKNOWN_ORDER, {"unknown_order": True}),
    (Protection.ATTEMPTS_EXHAUSTED, {"attempts_exhausted": True}),
    (Protection.AT_LIMIT_DOWN, {"resting_at_limit_down": True, "order_working": True}),
    (Protection.ORDER_WORKING, {"order_working": True}),
    (Protection.T1, {"sellable": 0}),
    (Protection.MARKET_CLOSED, {"market_open": False}),
    (Protection.EX_RIGHTS_UNVERIFIED, {"ex_rights_unverified": True}),
]


def status(position=holding(), rules=RULES, **facts) -> ProtectionReport:  # noqa: B008
    return protection_of(position, rules, replace(GOOD, **facts))


def test_a_protected_holding_says_which_price_would_sell():
    report = status()
    assert (report.status, report.kind, report.price) == (
        Protection.PROTECTED,
        SignalKind.STOP_LOSS,
        d("9.25"),
    )
    assert report.text.en == "protected: the stop-loss sells at 9.25"
    assert report.text.zh == "受保护：止损价 9.25"


def test_a_holding_bought_into_today_says_how_much_can_be_sold():
    assert status(sellable=400).text.en.endswith("sells at 9.25, 400 of 1000 shares today")


@pytest.mark.parametrize(("expected", "facts"), REASONS)
def test_each_reason_is_named_and_keeps_the_price_that_would_sell(expected, facts):
    report = status(**facts)
    assert (report.status, report.price) == (expected, d("9.25"))
    assert report.text.en.startswith("unprotected: ")
    assert report.text.zh.startswith("未受保护：")


def test_of_several_reasons_the_gravest_is_named():
    facts: dict[str, Any] = {}
    closed = {
        *(Protection.QUOTE_REFUSED, Protection.QUOTE_SOURCE, Protection.QUOTE_STALE),
        *(Protection.ATTEMPTS_EXHAUSTED, Protection.LIMITS_UNCLEAR),
    }
    for expected, made_by in reversed(REASONS):
        if expected in closed:
            continue  # asked only while the market is open
        facts |= made_by
        assert status(**facts).status is expected


@pytest.mark.parametrize(
    "facts", [{"quote_fresh": False}, {"quote_refused_since": at(0)}, {"attempts_exhausted": True}]
)
def test_lunch_is_not_staleness(facts):
    assert status(market_open=False, **facts).status is Protection.MARKET_CLOSED


def test_a_stale_quote_says_since_when():
    report = status(quote_fresh=False, quote_time=at(90))
    assert report.text.en == "unprotected: the quote is stale since 09:31:30"


def test_a_stop_loss_that_is_off_is_named_even_while_another_rule_would_sell():
    trailing = holding(first_take_profit_done=True, high_since_entry="13")
    report = status(trailing, NO_STOP)
    assert (report.status, report.kind) == (
        Protection.STOP_LOSS_OFF,
        SignalKind.TRAILING_TAKE_PROFIT,
    )
    assert status(holding(), NO_STOP).price is None


def test_f069_a_holding_without_a_cost_is_unprotected():
    report = status(opened(BANK, 100, d("0"), ENTRY_DAY))
    assert (report.status, report.kind, report.price) == (Protection.NO_COST, None, None)


def test_f062_auto_trading_off_is_shown_on_every_holding():
    assert status(auto_on=False, market_open=False).status is Protection.AUTO_OFF


def test_reducing_still_protects():
    assert status(trading_state=TradingState.REDUCING).status is Protection.PROTECTED


def test_every_status_can_occur():
    occurring = {expected for expected, _ in REASONS}
    assert occurring | {
        Protection.PROTECTED,
        Protection.STOP_LOSS_OFF,
        Protection.NO_COST,
    } == set(Protection)
