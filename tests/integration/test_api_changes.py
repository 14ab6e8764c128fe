"""What can be done through the JSON API: the same services as the pages, once, and refused whole or done whole."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from grid.models import GridSession
from monitoring.api.table import CHANGES
from monitoring.models import ApiCall
from monitoring.services.api_calls import KEPT_FOR
from tests.integration.api_scenes import (
    BODIES,
    WHY,
    Program,
    a_day,
    everything,
    is_as_documented,
    path_of,
    problem_of,
)
from tests.integration.record_scenes import HELD, SOLD
from tests.ledgers import turn_into
from tests.world import World
from trading.models import (
    Account,
    Event,
    Order,
    Position,
    Signal,
    TradingConfig,
    UnknownOutcome,
    WatchedSymbol,
)

pytestmark = [pytest.mark.orders, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]


@pytest.fixture
def world(calendar, tmp_path, monkeypatch, now) -> World:
    return a_day(tmp_path, monkeypatch)


@pytest.fixture
def program(world) -> Program:
    return Program()


def sale_of(symbol: str) -> str:
    return f"/holdings/{Position.objects.get(symbol=symbol).pk}/sell"


GOOD = {"shares": 100, "why": "a test"}


def test_every_change_answers_what_the_document_says_and_the_journal_names_its_program(
    world, program
):
    rows = everything(world)
    before = Event.objects.count()
    for one in CHANGES:
        body = BODIES.get(one.name, WHY)
        response = program.ask(one.method, path_of(one, rows), body)
        assert response.status_code == 200, (one.name, response.content)
        is_as_documented(one, response.json())
    told = Event.objects.order_by("pk")[before:]
    assert {
        "MANUAL_SALE", "MANUAL_BUY", "CANCEL_ASKED", "CANCEL_ALL", "GRID_PAUSED", "GRID_RESUMED", "GRID_STOPPING",
        "EXITS_SWITCHED", "TRADING_HALTED", "TRADING_REDUCING", "TRADING_ACTIVE", "UNKNOWN_DECIDED",
        "WATCH_LIST_CHANGED",
    } == {event.code for event in told}  # fmt: skip
    assert {event.actor for event in told} == {f"{program.user.username} (API robot)"}
    assert GridSession.objects.get().status == "stopping"
    assert UnknownOutcome.objects.get().wish == "absent"
    assert set(WatchedSymbol.objects.values_list("symbol", flat=True)) == {"600519.SH"}
    version = TradingConfig.history.latest("history_id")
    assert (version.history_user, version.changed_why) == (program.user, "a test")
    assert Position.objects.get(symbol=HELD).exit_enabled is False


def test_a_buy_is_asked_for_by_amount_or_shares_and_never_above_its_price(world, program):
    path = f"/accounts/{world.account.pk}/buy"
    for body, said in (
        ({"symbol": HELD}, "Say how much"),
        ({"symbol": HELD, "shares": 100, "amount": "5000"}, "Say how much"),
        ({"symbol": "60003", "shares": 100}, "60003"),
        ({"symbol": HELD, "shares": 0}, "0"),
        ({"symbol": HELD, "amount": "NaN"}, "NaN"),
        ({"symbol": HELD, "shares": 150}, "150 shares cannot be bought"),
    ):
        problem = problem_of(program.ask("POST", path, {**body, "why": "x"}))
        assert problem["status"] in (409, 422), body
        assert said in str(problem), body
    assert Signal.objects.filter(kind="manual").count() == 0
    body = {"symbol": HELD, "amount": "5000", "highest": "10.50", "why": "x"}
    answer = program.ask("POST", path, body)
    assert "a buy of 400 shares is asked for" in answer.json()["text"]["en"]
    signal = Signal.objects.get(kind="manual")
    assert (signal.side, signal.quantity, signal.highest) == ("buy", 400, Decimal("10.50"))


# -- once


def test_a_sale_that_is_asked_for_again_with_its_key_is_one_sale_and_gets_the_same_answer(
    world, program
):
    first = program.ask("POST", sale_of(HELD), GOOD, "mine")
    assert "a sale of 100 shares is asked for" in first.json()["text"]["en"]
    for _ in range(2):
        again = program.ask("POST", sale_of(HELD), GOOD, "mine")
        assert (again.status_code, again.content) == (200, first.content)
        assert again.headers["Idempotent-Replayed"] == "true"
    assert Signal.objects.filter(kind="manual").count() == 1
    new = problem_of(program.ask("POST", sale_of(HELD), GOOD))
    assert (new["status"], new["code"]) == (409, "REFUSED")
    assert "a manual order is at work already" in new["text"]["en"]


def test_a_refusal_is_kept_like_any_answer(world, program):
    turn_into("paper")
    Position.objects.filter(symbol=HELD).update(broker_sellable=0)
    first = program.ask("POST", sale_of(HELD), GOOD, "mine")
    assert "nothing is sellable now" in problem_of(first)["text"]["en"]
    Position.objects.filter(symbol=HELD).update(broker_sellable=1000)
    again = program.ask("POST", sale_of(HELD), GOOD, "mine")
    assert (again.status_code, again.content) == (409, first.content)
    assert problem_of(again)
    assert not Signal.objects.filter(kind="manual").exists()


def test_a_key_belongs_to_one_request_of_one_user(world, program):
    program.ask("POST", sale_of(HELD), GOOD, "mine")
    order = world.orders()[-1]
    for path, body in (
        (sale_of(HELD), {**GOOD, "shares": 200}),
        (f"/orders/{order.pk}/cancel", WHY),
    ):
        problem = problem_of(program.ask("POST", path, body, "mine"))
        assert (problem["status"], problem["code"], problem["value"]) == (
            409,
            "KEY_REUSED",
            "mine",
        )
    assert Order.objects.get(pk=order.pk).cancel_wanted_at is None
    assert Program().ask("POST", f"/orders/{order.pk}/cancel", WHY, "mine").status_code == 200


def test_a_request_whose_doer_died_in_it_is_not_done_again(world, program, now, monkeypatch):
    def dies(*arguments, **more):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr("trading.services.manual.capture", dies)
        with pytest.raises(SystemExit):
            program.ask("POST", sale_of(HELD), GOOD, "mine")
    response = program.ask("POST", sale_of(HELD), GOOD, "mine")
    assert problem_of(response)["code"] == "BEING_DONE"
    assert response.headers["Retry-After"] == "1"
    now.shift(61)
    assert (
        problem_of(program.ask("POST", sale_of(HELD), GOOD, "mine"))["code"] == "OUTCOME_UNKNOWN"
    )
    assert not Signal.objects.filter(kind="manual").exists()


def test_keys_are_forgotten_after_a_week(world, program, now):
    program.ask("POST", f"/accounts/{world.account.pk}/halt", WHY, "mine")
    now.shift(KEPT_FOR + timedelta(minutes=1))
    program.ask("POST", f"/accounts/{world.account.pk}/halt", WHY, "other")
    assert [call.key for call in ApiCall.objects.all()] == ["other"]


def test_what_does_not_trade_needs_no_key(world, program):
    response = program.ask("POST", f"/accounts/{world.account.pk}/halt", WHY, "")
    assert response.json()["changed"] is True
    again = program.ask("POST", f"/accounts/{world.account.pk}/halt", WHY, "")
    assert again.json()["changed"] is False
    assert Account.objects.get().trading_state == "halted"


# -- settings: whole or nothing


def test_settings_change_whole_or_not_at_all_and_all_that_is_wrong_is_named(world, program):
    path = f"/accounts/{world.account.pk}/configuration"
    changes = {
        "buy_amount": "30000", "stop_loss_ratio": "0.5", "sell_order_timeout": 1, "no_such": 1,
        "grid_enabled": "perhaps", "trailing_tiers": [["x", "0.9"]],
    }  # fmt: skip
    body = {"revision": 1, "changes": changes, "why": "a test"}
    problem = problem_of(program.ask("PATCH", path, body))
    named = {one["field"] for one in problem["errors"]}
    assert named == {f"changes.{name}" for name in changes} - {"changes.buy_amount"}
    row = TradingConfig.objects.get()
    assert (row.revision, row.buy_amount) == (1, 35000)
    number = {**body, "changes": {"stop_loss_ratio": -0.05}}
    assert problem_of(program.ask("PATCH", path, number))["code"] == "BAD_TYPE"
    done = program.ask(
        "PATCH", path, {**body, "changes": {"buy_amount": "30000", "grid_enabled": True}}
    )
    answer = done.json()
    values = {one["name"]: one["value"] for one in answer["settings"]}
    assert (answer["revision"], values["buy_amount"], values["grid_enabled"]) == (
        2,
        "30000.00",
        True,
    )
    assert values["max_order_value"] is None
    tiers = [["0.05", "0.97"], ["0.10", "0.95"]]
    done = program.ask(
        "PATCH", path, {"revision": 2, "changes": {"trailing_tiers": tiers}, "why": "x"}
    )
    assert {one["name"]: one["value"] for one in done.json()["settings"]}[
        "trailing_tiers"
    ] == tiers
    [last, first, *_] = program.get(f"{path}/history").json()["items"]
    assert [one["name"] for one in last["changes"]] == ["trailing_tiers"]
    assert {one["name"]: (one["before"], one["after"]) for one in first["changes"]} == {
        "buy_amount": ("35000.00", "30000.00"), "grid_enabled": (False, True),
    }  # fmt: skip
    assert (first["who"], first["why"]) == (program.user.username, "a test")


def test_settings_that_somebody_else_changed_meanwhile_are_not_overwritten(world, program):
    path = f"/accounts/{world.account.pk}/configuration"
    body = {"revision": 1, "changes": {"buy_amount": "30000"}, "why": "a test"}
    assert program.ask("PATCH", path, body).status_code == 200
    problem = problem_of(program.ask("PATCH", path, {**body, "changes": {"grid_enabled": True}}))
    assert (problem["status"], problem["code"], problem["field"]) == (
        409,
        "STALE_REVISION",
        "revision",
    )
    assert TradingConfig.objects.get().grid_enabled is False


def test_settings_that_are_so_already_make_no_revision(world, program):
    path = f"/accounts/{world.account.pk}/configuration"
    body = {"revision": 1, "changes": {"buy_amount": "35000.00"}, "why": "a test"}
    assert program.ask("PATCH", path, body).json()["revision"] == 1
    assert TradingConfig.history.count() == 1


# -- what the services refuse


def test_a_refusal_is_told_in_the_words_of_the_service(world, program, tmp_path):
    rows = everything(world)
    account, outcome = rows["/accounts/{pk}"], rows["/unknown-outcomes/{pk}"]
    (tmp_path / "KILL").write_text("x", encoding="utf-8")
    Order.objects.filter(pk=rows["/orders/{pk}"]).update(state="filled")
    table = [
        (f"/accounts/{account}/resume", WHY, 409, "The file KILL is in the data directory"),
        (f"/orders/{rows['/orders/{pk}']}/cancel", WHY, 409, "has ended (filled)"),
        (f"/unknown-outcomes/{outcome}/decide", {"decision": "bind", "why": "x"}, 422, "number"),
        (f"/unknown-outcomes/{outcome}/decide", {"decision": "wait", "number": 7, "why": "x"}, 422, "number"),
        (f"/accounts/{account}/watch-list", {"items": [{"symbol": "600519"}, {"symbol": "x"}]}, 422, "not a symbol"),
        (f"/grids/{rows['/grids/{pk}']}/stop", {"policy": "burn", "why": "x"}, 422, "none of the choices"),
        ("/holdings/999/sell", GOOD, 404, "no holding 999"),
    ]  # fmt: skip
    for path, body, status, said in table:
        problem = problem_of(program.ask("POST", path, body))
        assert problem["status"] == status, path
        assert said in problem["text"]["en"], path
        assert problem["text"]["zh"], path
    assert not WatchedSymbol.objects.filter(symbol="600519.SH").exists()
    problem = problem_of(program.ask("DELETE", f"/accounts/{account}/watch-list/600519"))
    assert (problem["status"], problem["field"]) == (404, "symbol")
    assert program.ask("DELETE", f"/accounts/{account}/watch-list/{SOLD}").json()["items"] == []


def test_a_part_of_what_is_sellable_is_sold(world, program):
    response = program.ask("POST", sale_of(HELD), {"ratio": "0.5", "why": "half"})
    assert response.status_code == 200
    assert Signal.objects.get(kind="manual").quantity == 500
