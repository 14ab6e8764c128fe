"""The path to live: what each step asks, and that a step back asks nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from trading.domain.stages import (
    LEDGER,
    PATH,
    WORDS,
    Facts,
    Needs,
    Stage,
    entry_checks,
    following,
    may_enter,
    standing,
    steps_back,
)
from trading.domain.types import AccountMode, Text

pytestmark = [pytest.mark.fast, pytest.mark.system]

DAY = timedelta(days=1)
NEEDS = Needs()
READY = Facts(
    clean_sessions=5,
    differing=0,
    unknown_orders=0,
    working=0,
    alarms=(),
    quotes="QMT",
    copy_age=DAY,
    simulated=(),
    compared=5,
    premarket_ready=True,
    probed=dict.fromkeys(("P1", "P2", "P5", "P11", "P15"), "answered"),
    channel_age=DAY,
    backup_age=DAY,
    has_factor=True,
    caps_problem=None,
)
FORWARD = PATH[1:]


def failed(to, **facts):
    return {c.code for c in entry_checks(to, replace(READY, **facts), NEEDS) if c.passed is False}


def everything_vouched_for(to):
    return {check.code: "seen" for check in entry_checks(to, READY, NEEDS) if check.passed is None}


@pytest.mark.parametrize("to", FORWARD)
def test_with_everything_in_order_and_vouched_for_the_step_is_open(to):
    checks = entry_checks(to, READY, NEEDS)
    assert failed(to) == set()
    assert may_enter(checks, everything_vouched_for(to))


@pytest.mark.parametrize("to", FORWARD)
def test_what_only_a_person_knows_needs_a_reason(to):
    checks, vouched = entry_checks(to, READY, NEEDS), everything_vouched_for(to)
    assert vouched
    assert not may_enter(checks, {})
    for code in vouched:
        assert not may_enter(checks, {**vouched, code: "  "})


@pytest.mark.parametrize(
    ("code", "facts", "where"),
    [
        ("SESSIONS", {"clean_sessions": 4}, FORWARD),
        ("SESSIONS", {"differing": 1}, FORWARD),
        ("UNKNOWN_ORDERS", {"unknown_orders": 1}, FORWARD),
        ("HEALTH", {"alarms": ("UNPROTECTED",)}, FORWARD),
        ("SECOND_FACTOR", {"has_factor": False}, FORWARD),
        ("WORKING_ORDERS", {"working": 1}, (Stage.SHADOW, Stage.CAPPED)),
        ("ONE_MARKET", {"simulated": ("demo",)}, (Stage.SHADOW, Stage.CAPPED)),
        ("QUOTES", {"quotes": ""}, (Stage.SHADOW,)),
        ("COPY", {"copy_age": None}, (Stage.SHADOW,)),
        ("COPY", {"copy_age": 8 * DAY}, (Stage.SHADOW,)),
        ("COMPARED", {"compared": 4}, (Stage.CAPPED,)),
        ("PROBE", {"probed": {}}, (Stage.CAPPED, Stage.LIVE)),
        ("PROBE", {"probed": {**READY.probed, "P15": "failed"}}, (Stage.CAPPED,)),
        ("PROBE", {"probed": {**READY.probed, "P11": "partly"}}, (Stage.LIVE,)),
        ("CAPS", {"caps_problem": Text("none", "无")}, (Stage.CAPPED,)),
        ("PREMARKET", {"premarket_ready": None}, (Stage.CAPPED, Stage.LIVE)),
        ("PREMARKET", {"premarket_ready": False}, (Stage.CAPPED, Stage.LIVE)),
        ("ALERT_CHANNEL", {"channel_age": None}, (Stage.CAPPED, Stage.LIVE)),
        ("ALERT_CHANNEL", {"channel_age": 8 * DAY}, (Stage.CAPPED, Stage.LIVE)),
        ("BACKUP", {"backup_age": None}, (Stage.CAPPED, Stage.LIVE)),
        ("BACKUP", {"backup_age": 3 * DAY}, (Stage.CAPPED, Stage.LIVE)),
    ],
)
def test_each_fact_closes_the_steps_that_ask_for_it(code, facts, where):
    for to in FORWARD:
        assert failed(to, **facts) == ({code} if to in where else set()), to
        checks = entry_checks(to, replace(READY, **facts), NEEDS)
        assert may_enter(checks, everything_vouched_for(to)) is (to not in where)


def test_a_check_that_fails_is_not_vouched_for():
    checks = entry_checks(Stage.SHADOW, replace(READY, clean_sessions=0), NEEDS)
    vouched = {check.code: "I want it" for check in checks}
    assert not may_enter(checks, vouched)


@pytest.mark.parametrize("to", FORWARD)
@pytest.mark.parametrize("worst", [False, True])
def test_every_check_speaks_both_languages(to, worst):
    nothing = Facts(
        0, 0, 1, 1, ("X",), "", None, ("demo",), 0, None, {}, None, None, False, Text("?", "？")
    )
    for check in entry_checks(to, nothing if worst else READY, NEEDS):
        assert all((check.name.en, check.name.zh, check.text.en, check.text.zh)), check
        assert check.name.zh != check.name.en
        assert check.text.zh != check.text.en


def test_one_goes_forward_step_by_step_and_back_as_far_as_one_likes():
    assert [following(stage) for stage in PATH] == [*PATH[1:], None]
    assert steps_back(Stage.LIVE) == (Stage.CAPPED, Stage.SHADOW, Stage.PAPER)
    assert steps_back(Stage.PAPER) == ()
    assert set(LEDGER) == set(WORDS) == set(Stage)


@pytest.mark.parametrize(
    ("mode", "stage", "stands"),
    [
        (AccountMode.PAPER, "live", Stage.PAPER),
        (AccountMode.DEMO, "", Stage.PAPER),
        (AccountMode.SHADOW, "live", Stage.SHADOW),
        (AccountMode.LIVE, "live", Stage.LIVE),
        (AccountMode.LIVE, "capped", Stage.CAPPED),
        (AccountMode.LIVE, "withdrawn", Stage.WITHDRAWN),
        (AccountMode.LIVE, "", Stage.WITHDRAWN),
        (AccountMode.LIVE, "shadow", Stage.WITHDRAWN),
    ],
)
def test_a_live_row_that_nobody_led_along_the_path_sends_nothing(mode, stage, stands):
    assert standing(mode, stage) is stands
