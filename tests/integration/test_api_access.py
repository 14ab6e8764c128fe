"""Who may use the JSON API, for what, how often; and what a request must look like. Over the table of operations."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice

from monitoring.api import views
from monitoring.api.rates import Rates
from monitoring.api.table import CHANGES, OPERATIONS, READS
from monitoring.models import ApiToken
from monitoring.services import api_tokens
from monitoring.services.api_tokens import Scope
from tests.integration.api_scenes import (
    BODIES,
    V1,
    WHY,
    Program,
    a_day,
    a_user,
    everything,
    fresh_server,
    of_all,
    path_of,
    problem_of,
)
from tests.integration.record_scenes import REAL
from tests.ledgers import turn_into
from tests.world import World
from trading.models import Account, Event, Signal

pytestmark = [pytest.mark.system, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]


@pytest.fixture
def world(calendar, tmp_path, monkeypatch, now) -> World:
    return a_day(tmp_path, monkeypatch)


def ask_all(program: Program, operations, rows) -> dict[str, object]:
    """What each operation answers this program."""
    return {
        one.name: program.ask(
            one.method, path_of(one, rows), BODIES.get(one.name, WHY) if one.changes else None
        )
        for one in operations
    }


def refused_with(answers: dict[str, object], status: int, code: str) -> None:
    for name, response in answers.items():
        problem = problem_of(response)
        assert (problem["status"], problem["code"]) == (status, code), name


def nothing_happened(world: World, signals: int) -> bool:
    return Signal.objects.count() == signals and not Event.objects.filter(
        code__in=("MANUAL_SALE", "CANCEL_ASKED", "EXITS_SWITCHED", "TRADING_HALTED")
    )


# -- who


def test_a_stranger_learns_nothing_and_does_nothing(world, now):
    rows, signals = everything(world), Signal.objects.count()
    good = Program()
    strangers = {
        "no token": "", "nonsense": "Bearer nonsense", "another scheme": f"Basic {good.secret}",
        "empty": "Bearer", "no letters": "Bearer \u00fc",
    }  # fmt: skip
    for name, header in strangers.items():
        given = {"authorization": header} if header else {}
        for one in OPERATIONS:
            response = Client().generic(
                one.method, V1 + path_of(one, rows), json.dumps(BODIES.get(one.name, WHY)) if one.changes else "",
                content_type="application/json", headers={"idempotency-key": "k", **given},
            )  # fmt: skip
            problem = problem_of(response)
            assert (problem["status"], problem["code"]) == (401, "UNAUTHENTICATED"), (
                name,
                one.name,
            )
            assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert nothing_happened(world, signals)


def test_a_token_that_is_over_is_none(world, now, monkeypatch):
    rows = everything(world)
    revoked, inactive, expired = Program(), Program(), Program(days=1)
    api_tokens.revoke(revoked.token.pk, REAL)
    type(inactive.user).objects.filter(pk=inactive.user.pk).update(is_active=False)
    assert expired.get("/overview").status_code == 200
    now.shift(timedelta(days=1))
    fresh_server(monkeypatch)
    for program in (revoked, inactive, expired):
        refused_with(ask_all(program, OPERATIONS, rows), 401, "UNAUTHENTICATED")


def test_a_revoked_token_changes_nothing_from_that_moment_and_reads_a_second_at_most(world, now):
    program = Program()
    assert program.get("/overview").status_code == 200
    api_tokens.revoke(program.token.pk, REAL)
    account = world.account.pk
    problem = problem_of(program.ask("POST", f"/accounts/{account}/halt", WHY))
    assert problem["code"] == "UNAUTHENTICATED"
    now.shift(1.5)
    assert program.get("/overview").status_code == 401


def test_a_token_does_what_its_scopes_allow_and_no_more(world):
    rows, signals = everything(world), Signal.objects.count()
    for scope in Scope:
        others = [one for one in OPERATIONS if one.scope is not scope]
        program = Program(scopes=[scope])
        refused_with(ask_all(program, others, rows), 403, "SCOPE")
    assert nothing_happened(world, signals)
    for name, response in ask_all(Program(), OPERATIONS, rows).items():
        assert response.status_code == 200, (name, response.content)


def test_a_token_never_does_what_its_user_may_not(world):
    rows, signals = everything(world), Signal.objects.count()
    for one in OPERATIONS:
        for missing in one.permissions:
            user = a_user(*(name for name in of_all() if name != missing))
            [response] = ask_all(Program(user), [one], rows).values()
            problem = problem_of(response)
            assert (problem["status"], problem["code"]) == (403, "PERMISSION"), (one.name, missing)
            assert missing in problem["text"]["en"]
    assert nothing_happened(world, signals)


def test_a_session_reads_what_its_user_may_and_changes_with_its_csrf_token(world):
    rows, signals = everything(world), Signal.objects.count()
    client = Client(enforce_csrf_checks=True, headers={"accept-language": "zh-hans"})
    client.force_login(a_user(*of_all()))
    for one in READS:
        assert client.get(V1 + path_of(one, rows)).status_code == 200, one.name
    for one in CHANGES:
        body = json.dumps(BODIES.get(one.name, WHY))
        response = client.generic(
            one.method, V1 + path_of(one, rows), body, content_type="application/json",
            headers={"idempotency-key": f"s{one.name}"},
        )  # fmt: skip
        assert problem_of(response)["code"] == "CSRF", one.name
    assert nothing_happened(world, signals)
    token = "a" * 32
    client.cookies["csrftoken"] = token
    for one in CHANGES:
        body = "" if one.body is None else json.dumps(BODIES.get(one.name, WHY))
        response = client.generic(
            one.method, V1 + path_of(one, rows), body, content_type="application/json",
            headers={"idempotency-key": f"s{one.name}", "x-csrftoken": token},
        )  # fmt: skip
        assert response.status_code == 200, (one.name, response.content)


# -- live accounts


def test_a_token_acts_on_a_live_account_only_with_its_own_scope_and_where_that_is_allowed(
    world, settings
):
    rows, signals = everything(world), Signal.objects.count()
    turn_into("live")
    guarded = [one for one in CHANGES if one.trades or one.risky]
    assert {one.name for one in CHANGES if one not in guarded} == {"halt", "watch", "unwatch"}
    refused_with(ask_all(Program(), guarded, rows), 403, "LIVE")
    settings.MINIQMT_API_TRADES_LIVE = True
    without = Program(scopes=[scope for scope in Scope if scope is not Scope.TRADE_LIVE])
    refused_with(ask_all(without, guarded, rows), 403, "SCOPE")
    assert nothing_happened(world, signals)
    with_it = Program()
    order = next(one for one in CHANGES if one.name == "exits")
    [response] = ask_all(with_it, [order], rows).values()
    assert response.status_code == 200


def test_a_session_acts_on_a_live_account_only_once_it_has_confirmed_who_it_is(world):
    rows = everything(world)
    turn_into("live")
    user, client = a_user(*of_all()), Client()
    client.force_login(user)

    def switch_exits():
        path = f"{V1}/holdings/{rows['/holdings/{pk}']}/exits"
        return client.post(path, {"on": False, "why": "x"}, content_type="application/json")

    assert problem_of(switch_exits())["code"] == "STEP_UP"
    TOTPDevice.objects.create(user=user, confirmed=True)
    session = client.session
    session["confirmed_at"], session["confirmed_by_factor"] = REAL.isoformat(), False
    session.save()
    assert problem_of(switch_exits())["code"] == "STEP_UP"  # the password alone
    session["confirmed_by_factor"] = True
    session.save()
    assert switch_exits().json()["changed"] is True


def test_what_makes_a_live_account_safer_takes_no_more_of_a_session_than_on_the_page(world):
    everything(world)
    turn_into("live")
    user, client = a_user(*of_all()), Client()
    client.force_login(user)
    path = f"{V1}/accounts/{world.account.pk}"

    def ask(name: str) -> str:
        headers = {"Idempotency-Key": f"key-{name}-{next(numbers)}"}
        answer = client.post(
            f"{path}/{name}", WHY, content_type="application/json", headers=headers
        )
        return "done" if answer.status_code == 200 else str(problem_of(answer)["code"])

    numbers = itertools.count()
    assert [ask(name) for name in ("cancel-all", "reduce")] == ["STEP_UP", "STEP_UP"]
    session = client.session  # the password alone, within five minutes
    session["confirmed_at"], session["confirmed_by_factor"] = REAL.isoformat(), False
    session.save()
    assert [ask(name) for name in ("cancel-all", "reduce")] == ["done", "done"]
    assert ask("resume") == "STEP_UP"
    Account.objects.update(trading_state="halted")
    assert ask("reduce") == "STEP_UP"  # of one that is halted it lets go
    session = client.session
    del session["confirmed_at"]
    session.save()
    Account.objects.update(trading_state="active")
    assert ask("halt") == "done"  # and nothing at all before the brake


def test_what_goes_wrong_here_is_a_problem_with_a_number_and_no_traceback(
    world, monkeypatch, caplog
):
    program = Program()

    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret words")

    monkeypatch.setattr("monitoring.api.views.write", broken)
    for method, path, body in (
        ("GET", "/overview", None),
        ("POST", f"/accounts/{world.account.pk}/halt", WHY),
    ):
        caplog.clear()
        response = program.ask(method, path, body)
        problem = problem_of(response)
        assert (problem["status"], problem["code"]) == (500, "UNEXPECTED")
        assert "secret words" not in response.content.decode()
        assert "Traceback" not in response.content.decode()
        assert len(problem["value"]) == 8
        assert problem["value"] in problem["detail"]
        [line] = [one for one in caplog.records if problem["value"] in one.getMessage()]
        assert line.exc_info is not None
    assert (
        "not known" in problem["remedy"]["en"]
    )  # whether the switch was set, nobody can tell from here


def test_to_loosen_the_main_switch_takes_a_permission_of_its_own(world):
    trader = Program(a_user("trading.view_account", "trading.trade_account"))
    path = f"/accounts/{world.account.pk}"
    assert trader.ask("POST", f"{path}/reduce", WHY).status_code == 200
    assert trader.ask("POST", f"{path}/halt", WHY).status_code == 200
    for name in ("reduce", "resume"):
        problem = problem_of(trader.ask("POST", f"{path}/{name}", WHY))
        assert (problem["status"], problem["code"]) == (403, "PERMISSION"), name
    assert Account.objects.get().trading_state == "halted"
    risk = Program(a_user("trading.view_account", "trading.release_account"))
    assert risk.ask("POST", f"{path}/resume", WHY).status_code == 200


def test_halting_a_live_account_needs_no_leave(world):
    turn_into("live")
    program = Program(scopes=["operate"])
    assert program.ask("POST", f"/accounts/{world.account.pk}/halt", WHY).status_code == 200
    assert Account.objects.get().trading_state == "halted"


# -- how often, and in what form


def test_who_asks_too_often_is_told_how_long_to_wait(world, now, monkeypatch):
    monkeypatch.setattr(views, "rates", Rates(2, 4))
    program, other = Program(), Program()
    for _ in range(4):
        assert program.get("/overview").status_code == 200
    response = program.get("/overview")
    assert problem_of(response)["code"] == "TOO_OFTEN"
    assert response.headers["Retry-After"] == "1"
    assert other.get("/overview").status_code == 200
    now.shift(1)
    assert program.get("/overview").status_code == 200


def test_a_stranger_who_asks_too_often_is_told_so_and_others_are_not(world, monkeypatch):
    monkeypatch.setattr(views, "strangers", Rates(1, 2))
    program = Program()
    codes = [problem_of(Client().get(f"{V1}/overview"))["status"] for _ in range(3)]
    assert codes == [401, 401, 429]
    assert program.get("/overview").status_code == 200


def test_what_is_no_good_request_is_refused_before_anything_is_done(world):
    rows, program = everything(world), Program()
    signals, path = Signal.objects.count(), f"/holdings/{rows['/holdings/{pk}']}/sell"
    good = {"shares": 100, "why": "a test"}
    table = [
        # status, code, body, key, headers
        (415, "NOT_JSON", "shares=100", "k1", {"content-type": "application/x-www-form-urlencoded"}),
        (415, "NOT_JSON", "{}", "k1", {"content-type": "text/plain"}),
        (413, "TOO_LARGE", json.dumps({**good, "why": "x" * views.LARGEST}), "k1", {}),
        (400, "KEY_MISSING", good, "", {}),
        (400, "BAD_KEY", good, "two words", {}),
        (400, "BAD_KEY", good, "x" * 65, {}),
        (400, "BAD_JSON", "{", "k1", {}),
        (415, "NOT_JSON", "", "k1", {}),
        (400, "BAD_JSON", b"\xff", "k1", {}),
        (400, "BAD_JSON", '{"shares": NaN, "why": "x"}', "k1", {}),
        (400, "BAD_JSON", '{"shares": 1, "shares": 2, "why": "x"}', "k1", {}),
        (400, "BAD_JSON", "[" * 60_000, "k1", {}),
        (422, "BAD_VALUE", [good], "k1", {}),
        (422, "UNKNOWN_FIELD", {**good, "price": "9.20"}, "k1", {}),
        (422, "MISSING", {"shares": 100}, "k1", {}),
        (422, "BAD_TYPE", {**good, "shares": "100"}, "k1", {}),
        (422, "BAD_TYPE", {**good, "shares": 100.5}, "k1", {}),
        (422, "BAD_TYPE", {**good, "shares": True}, "k1", {}),
        (422, "BAD_VALUE", {**good, "shares": 0}, "k1", {}),
        (422, "BAD_VALUE", {**good, "why": "  "}, "k1", {}),
        (422, "BAD_VALUE", {**good, "why": "x" * 201}, "k1", {}),
        (422, "BAD_VALUE", {**good, "why": "a\0"}, "k1", {}),
        (422, "BAD_VALUE", {"why": "x"}, "k1", {}),
        (422, "BAD_VALUE", {**good, "ratio": "1"}, "k1", {}),
        (422, "BAD_TYPE", {"ratio": 0.5, "why": "x"}, "k1", {}),
        (422, "BAD_VALUE", {"ratio": "1.5", "why": "x"}, "k1", {}),
        (422, "BAD_VALUE", {"ratio": "half", "why": "x"}, "k1", {}),
    ]  # fmt: skip
    for status, code, body, key, headers in table:
        problem = problem_of(program.ask("POST", path, body, key, **headers))
        assert (problem["status"], problem["code"]) == (status, code), body
        assert problem["remedy"]["en"], body
        assert problem["remedy"]["zh"], body
    assert nothing_happened(world, signals)
    assert (
        program.ask("POST", path, good, "k1").status_code == 200
    )  # none of them has used the key up


def test_half_a_character_is_named_like_any_other_value(world):
    rows, program = everything(world), Program()
    path = f"/accounts/{rows['/accounts/{pk}']}/watch-list"
    problem = problem_of(program.ask("POST", path, '{"items": [{"symbol": "\\ud800"}]}'))
    assert (problem["code"], problem["field"]) == ("BAD_SYMBOL", "items[0].symbol")


def test_a_method_or_an_address_that_is_none_is_said_in_the_same_form(world):
    program = Program()
    response = program.ask("DELETE", "/overview")
    assert problem_of(response)["code"] == "METHOD"
    assert response.headers["Allow"] == "GET"
    for path in ("/nothing", "/holdings/x", "/"):
        assert problem_of(program.get(path))["code"] == "NO_SUCH_ADDRESS", path
    assert program.ask("HEAD", "/overview", key="").status_code == 200


def test_problems_are_told_in_the_language_asked_for_and_in_both(world):
    zh = problem_of(Client(headers={"accept-language": "zh-hans"}).get(f"{V1}/overview"))
    en = problem_of(Client(headers={"accept-language": "en"}).get(f"{V1}/overview"))
    assert zh["detail"].startswith(zh["text"]["zh"])
    assert en["detail"].startswith(en["text"]["en"])


# -- tokens


def test_only_a_hash_of_a_secret_is_kept_and_its_use_is_noted_coarsely(world, now):
    program = Program()
    row = ApiToken.objects.get()
    assert program.secret.startswith(row.prefix)
    assert len(program.secret) >= 43
    kept = [str(getattr(row, field.attname)) for field in ApiToken._meta.concrete_fields]
    assert program.secret not in kept
    assert row.last_used_at is None
    program.get("/overview")
    for minutes in (5, 6):
        first = ApiToken.objects.get().last_used_at
        now.shift(60 * minutes)
        program.get("/overview")
    assert (first, ApiToken.objects.get().last_used_at) == (REAL, REAL + timedelta(minutes=11))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--days", "366"], "366 days"), (["--days", "0"], "0 days"), (["--scope", "all"], "scopes are all"),
        (["--user", "nobody"], "no user 'nobody'"),
    ],
)  # fmt: skip
def test_a_token_that_cannot_be_is_refused_with_the_remedy(db, arguments, said):
    user = a_user()
    with pytest.raises(CommandError, match=said):
        call_command("api_token", "create", "robot", "--user", user.username, *arguments)
    assert not ApiToken.objects.exists()


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("api_token", *arguments, "--lang", "en", stdout=out)
    return out.getvalue()


def test_the_command_makes_lists_and_revokes_tokens(world, monkeypatch):
    user = a_user("trading.view_account")
    said = command("create", "robot", "--user", user.username, "--scope", "read", "--days", "7")
    [secret] = [line for line in said.splitlines() if line.startswith(api_tokens.MARK)]
    program = Program(user)
    program.secret = secret
    assert program.get("/overview").status_code == 200
    assert secret not in command("list")
    assert "robot" in command("list")
    number = str(ApiToken.objects.order_by("pk")[0].pk)
    command("revoke", number)
    assert "revoked" in command("list")
    fresh_server(monkeypatch)
    assert program.get("/overview").status_code == 401
    with pytest.raises(CommandError, match="no token 99"):
        command("revoke", "99")


def test_in_the_admin_a_token_is_shown_once_and_seen_by_its_owner_alone(world):
    owner, other = (
        a_user("trading.view_account", "monitoring.add_apitoken", "monitoring.view_apitoken")
        for _ in range(2)
    )
    clients = []
    for user in (owner, other):
        type(user).objects.filter(pk=user.pk).update(is_staff=True)
        client = Client(headers={"accept-language": "en"})
        client.force_login(user)
        clients.append(client)
    mine, others = clients
    bad = mine.post(
        "/admin/monitoring/apitoken/add/", {"name": "r", "scopes": ["all"], "days": 400}
    )
    assert "less than or equal to 365" in bad.content.decode()
    page = mine.post(
        "/admin/monitoring/apitoken/add/", {"name": "robot", "scopes": ["read"], "days": 9}
    )
    row = ApiToken.objects.get()
    [secret] = [word for word in page.content.decode().replace("<", " ").replace(">", " ").split() if word.startswith(row.prefix)]  # fmt: skip
    assert (row.user, row.digest) == (owner, api_tokens.digest_of(secret))
    for path in ("", f"{row.pk}/change/"):
        text = mine.get(f"/admin/monitoring/apitoken/{path}").content.decode()
        assert row.prefix in text
        assert secret not in text
    assert row.prefix not in others.get("/admin/monitoring/apitoken/").content.decode()
    posted = {"action": "revoke", "_selected_action": [row.pk]}
    others.post("/admin/monitoring/apitoken/", posted)
    assert ApiToken.objects.get().revoked_at is None
    mine.post("/admin/monitoring/apitoken/", posted)
    assert ApiToken.objects.get().revoked_at is not None
