"""Who comes in, for how long, with which role, and what asks twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticToken

from monitoring.console.access import allowed
from monitoring.security import second_factor
from monitoring.security.roles import MORE, Role, make_roles
from tests.integration.people import PASSWORD, browser, code_of, confirmed, phone, somebody
from tests.ledgers import turn_into
from trading.models import Account, TradingConfig
from trading.services import config

pytestmark = [pytest.mark.system, pytest.mark.django_db]

NOW = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)


@pytest.fixture
def clock():
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def live(db) -> Account:
    account = Account.objects.create(name="real", broker_account_id="8800123456", mode="live", stage="live",
                                     trading_state="halted")  # fmt: skip
    TradingConfig.objects.create(account=account)
    return account


def log_in(client, name="boss", password=PASSWORD, address="/login/", **more):
    return client.post(address, {"username": name, "password": password}, **more)


# -- the lock of the log-in


@pytest.mark.parametrize("address", ["/login/", "/admin/login/"])
def test_five_wrong_passwords_lock_a_user_out_for_a_quarter_of_an_hour(clock, address):
    somebody("boss", superuser=True)
    client = browser()
    for _ in range(4):
        assert log_in(client, password="wrong", address=address).status_code == 200
    locked = log_in(client, password="wrong", address=address)
    assert (locked.status_code, locked.headers["Retry-After"]) == (429, "900")
    assert log_in(client, address=address).status_code == 429  # the right one neither
    clock.shift(timedelta(minutes=14))
    assert log_in(client, address=address).status_code == 429  # and trying prolongs nothing
    clock.shift(timedelta(minutes=1, seconds=1))
    assert log_in(client, address=address).status_code == 302


@pytest.mark.parametrize(
    ("language", "words"), [("en", "wrong passwords"), ("zh-hans", "输错密码")]
)
def test_the_lock_is_explained_in_the_readers_language(clock, language, words):
    somebody("boss", superuser=True)
    client = browser(language=language)
    for _ in range(5):
        answer = log_in(client, password="wrong")
    assert words in answer.content.decode()
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_f167_a_lock_concerns_one_user_from_one_address_whatever_a_header_says(clock):
    somebody("boss", superuser=True)
    somebody("other", superuser=True)
    for number in range(5):
        log_in(browser(), password="wrong", headers={"x-forwarded-for": f"192.0.2.{number}"})
    assert log_in(browser()).status_code == 429
    assert log_in(browser(), "other").status_code == 302
    assert log_in(browser(), REMOTE_ADDR="192.0.2.77").status_code == 302


def test_a_lock_is_lifted_by_an_administrator_or_a_command(clock, capsys):
    somebody("boss", superuser=True)
    trader = somebody("trader", Role.TRADER)
    admin = browser(somebody("admin", Role.ADMIN))
    for lift in (
        lambda: act(admin, "unlock", trader),
        lambda: call_command("login", "unlock", "trader"),
    ):
        for _ in range(5):
            log_in(browser(), "trader", password="wrong")
        assert log_in(browser(), "trader").status_code == 429
        lift()
        assert log_in(browser(), "trader").status_code == 302
    assert "may log in again" in capsys.readouterr().out
    assert "why not" in LogEntry.objects.get(object_id=str(trader.pk)).change_message


def act(client, name, *rows):
    data = {"action": name, "_selected_action": [row.pk for row in rows], "confirmed": "yes"}
    return client.post(
        reverse("admin:auth_user_changelist"), {**data, "why": "why not"}, follow=True
    )


# -- sessions


def test_a_session_ends_twelve_hours_after_its_last_page(clock):
    client = browser(somebody("boss", superuser=True))
    for _ in range(3):
        clock.shift(timedelta(hours=11))
        assert client.get("/confirm/").status_code == 200
    clock.shift(timedelta(hours=12, seconds=1))
    assert client.get("/confirm/").status_code == 302


def test_what_an_open_page_asks_for_by_itself_prolongs_nothing(clock):
    client = browser(somebody("boss", superuser=True))
    client.get("/confirm/")
    key = client.session.session_key
    ends = Session.objects.get(pk=key).expire_date
    clock.shift(timedelta(hours=1))
    client.get("/board/")
    client.get("/confirm/", headers={"hx-request": "true"})
    client.get("/confirm/", headers={"sec-fetch-mode": "cors"})
    assert Session.objects.get(pk=key).expire_date == ends == NOW + timedelta(hours=12)


def test_a_session_ends_a_week_after_the_login_however_much_it_is_used(clock):
    client = browser(somebody("boss", superuser=True))
    for _ in range(16):
        assert client.get("/confirm/").status_code == 200
        clock.shift(timedelta(hours=10, minutes=30))
    assert client.get("/confirm/").status_code == 302


def test_a_changed_password_ends_the_other_sessions_and_their_streams(clock):
    user = somebody("boss", superuser=True)
    here, there = browser(user), browser(user)
    assert there.get("/confirm/").status_code == 200
    new = {"new_password1": "an even longer one", "new_password2": "an even longer one"}
    answer = here.post("/admin/password_change/", {"old_password": PASSWORD, **new})
    assert answer.status_code == 302
    keys = [here.session.session_key, there.cookies["sessionid"].value]
    assert set(allowed(keys, timezone.now())) == {keys[0]}
    assert here.get("/confirm/").status_code == 200
    assert there.get("/confirm/").status_code == 302


def test_all_sessions_of_a_user_are_ended_by_an_administrator_or_a_command(clock):
    trader, other = somebody("trader", Role.TRADER), somebody("other", Role.VIEWER)
    admin = browser(somebody("admin", Role.ADMIN))
    one, two, third = browser(trader), browser(trader), browser(other)
    act(admin, "end_all_sessions", trader)
    assert [client.get("/confirm/").status_code for client in (one, two, third)] == [302, 302, 200]
    assert admin.get("/confirm/").status_code == 200
    call_command("login", "end-sessions")
    assert [client.get("/confirm/").status_code for client in (third, admin)] == [302, 302]


# -- roles


def test_roles_have_exactly_their_rights_whatever_somebody_did_to_them(db):
    Group.objects.get(name=Role.VIEWER).permissions.set(
        Group.objects.get(name=Role.ADMIN).permissions.all()
    )
    Group.objects.filter(name=Role.RISK).delete()
    make_roles()
    make_roles()
    rights = {role: rights_of(role) for role in Role}
    assert all(right.partition(".")[2].startswith("view_") for right in rights[Role.VIEWER])
    for role, more in MORE.items():
        assert rights[role] - rights[Role.VIEWER] == set(more)


def rights_of(role: Role) -> set[str]:
    rows = Group.objects.get(name=role).permissions.values_list(
        "content_type__app_label", "codename"
    )
    return {f"{app}.{name}" for app, name in rows}


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (Role.VIEWER, set()),
        (Role.OPERATOR, set()),
        (Role.TRADER, {"halt", "reduce_only", "cancel_all"}),
        (Role.RISK, {"resume"}),
        (Role.ADMIN, {"halt", "reduce_only", "cancel_all", "resume"}),
    ],
)
def test_each_role_may_do_its_own_with_an_account(rf, role, may):
    from django.contrib import admin

    request = rf.get("/")
    request.user = somebody("p", role)
    assert set(admin.site._registry[Account].get_actions(request)) == may


def test_a_trader_does_not_loosen_the_kill_switch_a_step_at_a_time_either(live):
    turn_into("paper")
    data = {"action": "reduce_only", "_selected_action": [live.pk], "confirmed": "y", "why": "x"}
    url = reverse("admin:trading_account_changelist")
    answer = browser(somebody("trader", Role.TRADER)).post(url, data, follow=True)
    assert "nothing was changed" in answer.content.decode()
    live.refresh_from_db()
    assert live.trading_state == "halted"


def test_an_administrator_makes_nobody_a_superuser(db):
    boss, admin = somebody("boss", superuser=True), somebody("admin", Role.ADMIN)
    client = browser(admin)
    for user in (admin, boss):
        url = reverse("admin:auth_user_change", args=[user.pk])
        client.post(url, {"username": user.username, "is_active": "on", "is_staff": "on",
                          "is_superuser": "on", "user_permissions": ["1"],
                          "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"})  # fmt: skip
    admin.refresh_from_db()
    assert not admin.is_superuser
    assert not admin.user_permissions.exists()
    assert (
        client.get(reverse("admin:auth_user_password_change", args=[boss.pk])).status_code == 403
    )
    act(client, "end_all_sessions", boss)
    assert get_user_model().objects.filter(is_superuser=True).count() == 1


# -- the second factor, and asking again


def switch_on(client, device_of) -> list[str]:
    client.get("/second-factor/")
    device = device_of.totpdevice_set.get()
    answer = client.post(
        "/second-factor/", {"do": "begin", "password": PASSWORD, "code": code_of(device)}
    )
    assert answer.status_code == 200
    return list(answer.context["codes"])


def test_it_is_switched_on_with_the_password_and_the_first_code(clock):
    user = somebody("boss", superuser=True)
    client = browser(user)
    page = client.get("/second-factor/")
    secret = page.context["secret"]
    assert all(len(group) <= 4 for group in secret.groups)
    assert "".join(secret.groups) in secret.address
    assert client.get("/second-factor/").context["secret"] == secret
    code = code_of(user.totpdevice_set.get())
    for password, said in (("wrong", code), (PASSWORD, "000000")):
        answer = client.post(
            "/second-factor/", {"do": "begin", "password": password, "code": said}
        )
        assert answer.status_code == 403
        assert not second_factor.is_on(user)
    clock.shift(timedelta(minutes=1))  # a wrong one makes the next wait
    codes = switch_on(client, user)
    assert (len(codes), second_factor.codes_left(user)) == (8, 8)
    kept = set(StaticToken.objects.values_list("token", flat=True))
    assert not kept & {code.replace("-", "") for code in codes}
    assert codes[0] not in client.get("/second-factor/").content.decode()


def test_a_code_works_once_and_a_recovery_code_too(clock):
    user = somebody("boss", superuser=True)
    client = browser(user)
    codes = switch_on(client, user)
    used = code_of(user.totpdevice_set.get())
    assert confirm(client, used) == 403
    assert confirm(client, codes[0].upper()) == 302
    clock.shift(timedelta(minutes=1))
    assert confirm(client, codes[0]) == 403
    clock.shift(timedelta(minutes=1))
    assert confirm(client, code_of(user.totpdevice_set.get())) == 302
    assert second_factor.codes_left(user) == 7


def confirm(client, code="", password=PASSWORD) -> int:
    return int(client.post("/confirm/", {"password": password, "code": code}).status_code)


def test_wrong_codes_make_the_next_ones_wait(clock):
    user = somebody("boss", superuser=True)
    client, device = browser(user), phone(user)
    for _ in range(4):
        confirm(client, "000000")
    assert confirm(client, code_of(device)) == 403
    clock.shift(timedelta(seconds=30))
    assert confirm(client, code_of(device)) == 302


def test_wrong_passwords_at_the_confirmation_lock_like_wrong_logins(clock):
    client = browser(somebody("boss", superuser=True))
    assert [confirm(client, password="wrong") for _ in range(5)] == [403, 403, 403, 403, 429]
    assert confirm(client) == 429


@pytest.mark.parametrize("address", ["https://evil.example/", "//evil.example", "javascript:x"])
def test_the_way_back_never_leads_to_another_site(db, address):
    client = browser(somebody("boss", superuser=True))
    answer = client.post("/confirm/", {"password": PASSWORD, "next": address})
    assert answer.url == "/"


def resume(client, account) -> str:
    data = {"action": "resume", "_selected_action": [account.pk], "confirmed": "y", "why": "x"}
    client.post(reverse("admin:trading_account_changelist"), data)
    account.refresh_from_db()
    return str(account.trading_state)


def test_the_kill_switch_of_a_live_account_asks_for_a_code_of_the_last_five_minutes(clock, live):
    user = somebody("risk", Role.RISK)
    client = browser(user)
    assert resume(client, live) == "halted"
    assert confirm(client) == 302  # the password alone does not do
    assert resume(client, live) == "halted"
    device = phone(user)
    assert confirm(client, code_of(device)) == 302
    clock.shift(timedelta(minutes=5))
    assert resume(client, live) == "halted"
    assert confirm(client, code_of(device)) == 302
    clock.shift(timedelta(minutes=4, seconds=59))
    assert resume(client, live) == "active"


def test_another_browser_of_the_same_person_is_asked_as_well(clock, live):
    user = somebody("risk", Role.RISK)
    one, two = browser(user), browser(user)
    confirmed(one, user)
    assert resume(two, live) == "halted"
    assert resume(one, live) == "active"


def test_a_simulated_account_asks_for_none_of_it(live):
    turn_into("paper")
    assert resume(browser(somebody("risk", Role.RISK)), live) == "active"


def set_to(client, account, **values) -> str:
    url = reverse("admin:trading_tradingconfig_change", args=[account.pk])
    form = client.get(url).context["adminform"].form
    data = {
        name: form.initial.get(name) if form.initial.get(name) is not None else ""
        for name, field in form.fields.items()
    }
    data = {name: value for name, value in data.items() if value is not False}
    return str(client.post(url, {**data, "why": "x", **values}, follow=True).content.decode())


@pytest.mark.parametrize(
    ("name", "value", "asks"),
    [
        ("auto_trading_enabled", "on", True),
        ("max_position_value", "90000", True),
        ("max_position_value", "60000", False),
        ("daily_loss_ratio", "0.06", True),
        ("max_order_value", "1000", False),  # there was no limit before
        ("stop_loss_ratio", "-0.06", False),
    ],
)
def test_more_on_a_live_account_needs_a_confirmation_less_does_not(live, name, value, asks):
    user = somebody("risk", Role.RISK)
    client = browser(user)
    answer = set_to(client, live, **{name: value})
    assert config.load(live.pk).revision == (1 if asks else 2)
    if asks:
        assert "second factor" in answer
        assert (
            f'value="{value}"' in answer or name == "auto_trading_enabled"
        )  # nothing typed is lost
        confirmed(client, user)
        set_to(client, live, **{name: value})
        assert config.load(live.pk).revision == 2
