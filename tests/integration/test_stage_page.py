"""The pages of the path to live and its command: who may step, with what proof, and what every reader is told."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.urls import reverse

from monitoring import backup_files
from monitoring.backup_files import Engine, Note, Proof, Why
from monitoring.models import AlertChannel, Finding, PremarketCheck
from monitoring.security.roles import Role
from monitoring.services import stage_facts
from tests.integration.people import PASSWORD, browser, code_of, phone, somebody
from trading.domain.caps import Caps
from trading.domain.stages import Stage
from trading.domain.types import CHINA, AccountMode
from trading.models import Account, AccountCopy, DayBooks, Event, Position, TradingConfig
from trading.services.accounts import save_account
from trading.services.caps import caps_of
from trading.services.stages import path_of, step_forward

pytestmark = [pytest.mark.system, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

NOW = datetime(2026, 8, 10, 16, 0, tzinfo=CHINA)
NUMBER = "8800123456"
LEADS = Role.RISK


@pytest.fixture
def clock():
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def paper(clock, settings, tmp_path):
    """A paper account about which everything is as the step to shadow asks."""
    settings.HOME = tmp_path
    settings.FALLBACK_QUOTES = "mootdx"
    row = Account(name="mine", broker_account_id=NUMBER, mode=AccountMode.PAPER)
    save_account(row, [], NOW, "wang")
    kept_well(row)
    AccountCopy.objects.create(
        broker_account_id=NUMBER, taken_at=NOW, source="file", cash=Decimal(1000), actor="wang"
    )
    return row


def kept_well(row: Account, first: int = 10) -> None:
    for number in range(5):
        DayBooks.objects.create(account=row, on=date(2026, 8, first + number), state="matched")


def probed(home: Path, at: str, outcomes: dict[str, str], terminal: str = "C:/QMT") -> None:
    answers = [{"question": one, "outcome": outcome} for one, outcome in outcomes.items()]
    report = {"account": "…3456", "about": {"terminal": terminal}, "answers": answers}
    folder = home / "probe"
    folder.mkdir(exist_ok=True)
    (folder / f"probe-{at}.json").write_text(json.dumps(report), "utf-8")


def ready_for_caps(monkeypatch, home) -> None:
    """Bring about what the step to live with caps asks."""
    shadow = Account.objects.get(mode=AccountMode.SHADOW)
    kept_well(shadow, first=11)  # the step was made after the close of the 10th
    monkeypatch.setattr(stage_facts, "_compared", lambda ledger: 5)
    PremarketCheck.objects.create(account=shadow, on=NOW.date(), ready=True, looked_at=NOW)
    probed(home, "20260810-100000", {"P5": "answered", "P15": "answered"})
    AlertChannel.objects.create(name="phone", url="json://x", last_sent_at=NOW)
    folder = backup_files.private_folder(home)
    file = folder / backup_files.name_for(NOW, Why.BY_HAND, Engine.SQLITE)
    file.write_bytes(b"x")
    note = Note(NOW, Why.BY_HAND, Engine.SQLITE, 1, "0" * 64, Proof.RESTORED, {})
    from django.conf import settings

    backup_files.write_note(file, note, settings.SECRET_KEY)


def address(row: Account | None = None) -> str:
    return reverse("going-live-path", args=((row or Account.objects.earliest("pk")).pk,))


def filled(seen: Stage, **more: str) -> dict[str, str]:
    asked = {
        Stage.PAPER: ("DOCTOR",),
        Stage.SHADOW: ("REPORTED", "KNOWS_HOW_TO_STOP"),
        Stage.CAPPED: ("COMPARED_WITH_CLIENT",),
    }[seen]
    ticks = {f"tick_{code}": "on" for code in asked} | {f"said_{code}": "seen" for code in asked}
    return {"seen": seen.value, "digits": "3456", "why": "five good days", **ticks, **more}


@pytest.fixture
def leader(paper):
    return somebody("risk", LEADS)


def test_a_step_forward_takes_password_and_code_digits_ticks_and_a_reason(paper, leader):
    client, device = browser(leader), phone(leader)
    proof = {"password": PASSWORD, "code": code_of(device)}
    for missing in ("digits", "why", "tick_DOCTOR", "said_DOCTOR", "password", "code"):
        data = {**filled(Stage.PAPER), **proof}
        del data[missing]
        response = client.post(address(), data)
        assert response.status_code == 422, missing
        assert path_of(NUMBER).stage is Stage.PAPER, missing
        for kept in {"five good days", "seen"} - {data.get("why", "")} & set(data.values()):
            assert kept in response.content.decode(), missing
        assert PASSWORD not in response.content.decode()
    assert not Event.objects.filter(code="STAGE_FORWARD").exists()


def test_the_step_is_done_and_its_evidence_is_in_the_journal(clock, paper, leader):
    client, device = browser(leader), phone(leader)
    data = {**filled(Stage.PAPER), "password": PASSWORD, "code": code_of(device)}
    response = client.post(address(), data, follow=True)
    assert "mine-shadow" in response.content.decode()
    assert path_of(NUMBER).stage is Stage.SHADOW
    event = Event.objects.get(code="STAGE_FORWARD")
    assert event.actor == "risk"
    assert event.detail["evidence"]["DOCTOR"] == "seen"
    assert event.detail["evidence"]["SESSIONS"].startswith("5 of")
    again = client.post(address(), data)
    assert again.status_code == 409  # the same form a second time: it stands elsewhere by now
    assert Event.objects.filter(code="STAGE_FORWARD").count() == 1


def test_without_a_second_factor_the_page_leads_to_it_and_no_form_is_open(paper, leader):
    page = browser(leader).get(address()).content.decode()
    assert "set it up on the page “Security”" in page
    assert 'name="digits"' not in page
    refused = browser(leader).post(address(), {**filled(Stage.PAPER), "password": PASSWORD})
    assert refused.status_code == 409
    assert path_of(NUMBER).stage is Stage.PAPER


def test_wrong_digits_are_named_and_nothing_is_lost(paper, leader):
    client, device = browser(leader), phone(leader)
    data = filled(Stage.PAPER, digits="0000", password=PASSWORD, code=code_of(device))
    response = client.post(address(), data)
    assert response.status_code == 422
    assert "0000" in response.content.decode()
    assert "five good days" in response.content.decode()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda row: DayBooks.objects.filter(account=row).latest("pk").delete(),
        lambda row: DayBooks.objects.filter(account=row).update(state="differs"),
        lambda row: AccountCopy.objects.update(taken_at=NOW - timedelta(days=8)),
        lambda row: Finding.objects.create(
            account=row, code="GATEWAY_SILENT", level="alarm", since=NOW, seen_at=NOW
        ),
        lambda row: Account.objects.create(name="demo", broker_account_id="1", mode="demo"),
    ],
)
def test_no_step_while_a_check_fails_whatever_is_vouched_for(paper, leader, wrong):
    wrong(paper)
    client, device = browser(leader), phone(leader)
    data = filled(Stage.PAPER, password=PASSWORD, code=code_of(device))
    response = client.post(address(paper), data)
    assert response.status_code == 409
    assert "nothing was done" in response.content.decode()
    assert path_of(NUMBER).stage is Stage.PAPER


def test_caps_are_part_of_the_step_to_live_with_caps(paper, leader, monkeypatch, tmp_path):
    step_forward(path_of(NUMBER), "x", NOW, "wang")
    ready_for_caps(monkeypatch, tmp_path)
    client, device = browser(leader), phone(leader)
    data = filled(Stage.SHADOW, password=PASSWORD, code=code_of(device))
    caps = {"max_order_value": "3000", "max_bought_a_day": "6000", "max_orders_a_day": "4",
            "symbols": "600036，510300.SH"}  # fmt: skip
    for name, value in (
        ("max_order_value", "5"),
        ("symbols", "nonsense"),
        ("max_orders_a_day", ""),
    ):
        response = client.post(address(), {**data, **caps, name: value})
        assert response.status_code == 422, name
        assert path_of(NUMBER).stage is Stage.SHADOW
    response = client.post(address(), {**data, **caps}, follow=True)
    path = path_of(NUMBER)
    assert path.stage is Stage.CAPPED
    symbols = frozenset({"600036.SH", "510300.SH"})
    assert caps_of(path.live.pk) == Caps(Decimal(3000), Decimal(6000), 4, symbols)
    assert "3,000.00" in response.content.decode()


def test_back_is_one_button_and_a_reason_and_loud_about_what_loses_protection(paper):
    for _ in range(3):
        step_forward(path_of(NUMBER), "x", NOW, "wang", caps=Caps())
    live = path_of(NUMBER).live
    Position.objects.create(
        account=live, symbol="600036.SH", quantity=100, bought_quantity=100,
        bought_amount=Decimal(1000), opened_on=NOW.date(),
    )  # fmt: skip
    client = browser(somebody("trader", Role.TRADER))
    assert (
        "lose their stop-loss when the account leaves live: 1"
        in client.get(address()).content.decode()
    )
    refused = client.post(address(), {"seen": "live", "to": "shadow", "why": ""})
    assert refused.status_code == 422
    data = {"seen": "live", "to": "shadow", "why": "storm"}
    page = client.post(address(), data, follow=True).content.decode()
    assert path_of(NUMBER).stage is Stage.SHADOW
    assert "NOT PROTECTED: holdings of the live account, 1" in page
    assert "storm" in page
    zh = browser(somebody("li", Role.TRADER), "zh-hans").get(address()).content.decode()
    assert "不受保护的实盘持仓： 1" in zh


def test_who_may_do_what(paper):
    viewer, trader = somebody("viewer", Role.VIEWER), somebody("trader", Role.TRADER)
    assert browser().get(address()).status_code == 302
    assert browser(viewer).get(address()).status_code == 403
    assert browser(trader).get(address()).status_code == 200
    device = phone(trader)
    data = filled(Stage.PAPER, password=PASSWORD, code=code_of(device))
    assert browser(trader).post(address(), data).status_code == 403
    assert browser(viewer).post(address(), {"seen": "paper", "to": "paper"}).status_code == 403
    assert path_of(NUMBER).stage is Stage.PAPER


def test_caps_are_changed_with_a_code_only(paper, leader):
    for _ in range(2):
        step_forward(path_of(NUMBER), "x", NOW, "wang", caps=Caps())
    live = path_of(NUMBER).live
    client, where = browser(leader), reverse("going-live-caps", args=(live.pk,))
    data = {
        "max_order_value": "9000",
        "max_bought_a_day": "9000",
        "max_orders_a_day": "4",
        "why": "w",
    }
    assert client.post(where, {**data, "password": PASSWORD}).status_code == 422
    assert caps_of(live.pk) == Caps()
    device = phone(leader)
    answer = client.post(where, {**data, "password": PASSWORD, "code": code_of(device)})
    assert answer.status_code == 302
    assert caps_of(live.pk) == Caps(Decimal(9000), Decimal(9000), 4)
    trader = browser(somebody("trader", Role.TRADER))
    assert trader.post(where, data).status_code == 403


def test_the_admin_sends_whoever_opens_a_live_account_to_the_path(paper):
    boss = somebody("boss", superuser=True)
    phone(boss)
    client = browser(boss)
    data = {"name": "x", "broker_account_id": "99", "mode": "live", "commission_rate": "0.0003",
            "commission_minimum": "5", "fund_commission_minimum": "0", "freeze_margin": "0.0001",
            "transfer_fee_exchanges": "SH"}  # fmt: skip
    for mode in ("live", "shadow"):
        answer = client.post(reverse("admin:trading_account_add"), {**data, "mode": mode})
        assert "Going live" in answer.content.decode()
    assert not Account.objects.filter(broker_account_id="99").exists()


@pytest.mark.parametrize(
    ("since", "sessions"),
    [
        ("2026-08-10T09:29:59", 5),
        ("2026-08-10T09:30:00", 4),
        ("2026-08-13T16:00:00", 1),
        (None, 5),
    ],
)
def test_only_whole_sessions_since_the_stage_began_count(paper, since, sessions):
    began = None if since is None else datetime.fromisoformat(since).replace(tzinfo=CHINA)
    Account.objects.filter(pk=paper.pk).update(stage_since=began)
    found = stage_facts.facts_of(
        path_of(NUMBER), NOW, Path("/nowhere"), has_factor=True, caps_problem=None
    )
    assert found.clean_sessions == sessions


# -- the list, and the command


def test_the_list_names_every_path_and_shows_the_only_one(paper, leader):
    client = browser(leader)
    assert client.get(reverse("going-live")).headers["Location"] == address()
    other = Account.objects.create(name="two", broker_account_id="77", mode="live", stage="live")
    TradingConfig.objects.create(account=other)
    page = client.get(reverse("going-live")).content.decode()
    assert "…3456" in page
    assert NUMBER not in page
    Account.objects.all().update(mode="demo")
    assert "No account is on its way" in client.get(reverse("going-live")).content.decode()
    assert client.get(address(paper)).status_code == 404


def stage(*arguments: str) -> str:
    out = StringIO()
    call_command("stage", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_shows_the_path_and_leads_back_never_on(paper):
    assert "paper 模拟" in stage("mine")
    for _ in range(2):
        step_forward(path_of(NUMBER), "x", NOW, "wang", caps=Caps())
    assert "单笔 5,000 元" in stage("mine")
    for arguments in (
        ("mine", "--to", "live", "--why", "x"),
        ("mine", "--to", "capped", "--why", "x"),
        ("mine", "--to", "shadow"),
        ("nobody",),
    ):
        with pytest.raises(CommandError):
            stage(*arguments)
    assert path_of(NUMBER).stage is Stage.CAPPED
    said = stage("mine-live", "--to", "shadow", "--why", "storm")
    assert "NOT PROTECTED" in said
    assert "不受保护" in said
    assert path_of(NUMBER).stage is Stage.SHADOW


def test_only_the_newest_answers_of_the_real_client_count_as_a_probe(tmp_path):
    def open_questions() -> dict[str, str]:
        return dict(stage_facts._probed(tmp_path / "probe", NUMBER))

    assert open_questions() == {}
    probed(tmp_path, "20260810-100000", {"P5": "answered", "P15": "failed"})
    probed(tmp_path, "20260811-100000", {"P15": "answered"})
    probed(tmp_path, "20260812-100000", {"P1": "answered"}, terminal="paper")
    (tmp_path / "probe" / "probe-20260813-100000.json").write_text("{", "utf-8")
    assert open_questions() == {"P5": "answered", "P15": "answered"}
