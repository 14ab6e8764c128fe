"""`qmt_probe` and `reference` say in one sentence what they need, and never disturb a gateway."""

from __future__ import annotations

import re
import sys
import threading
import time
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.unit.paper.terminal_over_tcp import TOKEN, Running
from trading.domain.types import AccountMode
from trading.errors import GatewayUnavailable
from trading.management.commands import qmt_probe
from trading.management.commands.qmt_probe import _objection
from trading.management.one_instance import gateway_lock, one_instance
from trading.management.paper_files import write_notice
from trading.models import Account, GatewayLease

pytestmark = [pytest.mark.system, pytest.mark.django_db]

not_on_windows = pytest.mark.skipif(sys.platform == "win32", reason="there it runs")


@pytest.fixture
def home(settings, tmp_path):
    settings.HOME = tmp_path
    Account.objects.create(name="demo", broker_account_id="8880001", mode=AccountMode.DEMO)
    Account.objects.create(name="real", broker_account_id="8800000002", mode=AccountMode.LIVE)
    return tmp_path


@pytest.fixture
def terminal(home, calendar):
    running = Running()
    (home / "paper.token").write_text(TOKEN, encoding="utf-8")
    write_notice(home, "127.0.0.1", running.server.port)
    yield running
    running.stop()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nobody"], "no account named 'nobody'"),
        (["demo"], "add --paper"),
        (["real", "--paper"], "leave --paper out"),
        (["demo", "--paper"], "No paper terminal has been started"),
        (["demo", "--paper", "--symbol", "xyz"], "xyz"),
        pytest.param(
            ["real"],
            "needs Windows with a running, logged-in QMT in mini mode.*--paper",
            marks=not_on_windows,
        ),
    ],
)
def test_a_probe_that_cannot_be_says_what_is_needed(home, arguments, says):
    with pytest.raises(CommandError, match=says) as refused:
        call_command("qmt_probe", *arguments)
    assert len(str(refused.value).splitlines()) == 1


def test_a_question_that_is_none_is_refused(terminal):
    with pytest.raises(CommandError, match="No question P16"):
        call_command("qmt_probe", "demo", "--paper", "--only", "P16,p2")


def test_a_probe_with_orders_is_refused_while_the_gateway_of_the_account_runs(home, terminal):
    lock = home / gateway_lock(Account.objects.get(name="demo").pk)
    with one_instance(lock), pytest.raises(CommandError, match="stop it before a probe"):
        call_command("qmt_probe", "demo", "--paper", "--with-orders", "--symbol", "600036")


@pytest.mark.parametrize(
    ("place", "state", "says"),
    [
        ({"expires_at": timezone.now() + timedelta(days=1)}, "active", "runs elsewhere"),
        ({"expires_at": timezone.now() - timedelta(days=1)}, "active", None),
        ({"expires_at": None}, "reducing", "REDUCING|reducing"),
    ],
)
def test_a_lease_held_elsewhere_and_a_stopped_account_keep_orders_from_being_probed(
    home, place, state, says
):
    account = Account.objects.get(name="demo")
    Account.objects.update(trading_state=state)
    GatewayLease.objects.create(account=account, epoch=3, owner="elsewhere", **place)
    why = _objection(account)
    assert (why is None) is (says is None)
    assert why is None or re.search(says, why.en)


def test_a_probe_that_reads_runs_beside_the_gateway_and_leaves_a_report(home, terminal):
    lock = home / gateway_lock(Account.objects.get(name="demo").pk)
    with one_instance(lock):
        call_command("qmt_probe", "demo", "--paper", "--only", "P2,P13,P15")
    names = sorted(path.suffix for path in (home / "probe").iterdir())
    assert names == [".json", ".md"]
    [report] = (home / "probe").glob("*.md")
    text = report.read_text(encoding="utf-8")
    assert "8880001" not in text
    assert "P15 Does the broker let programs in? 券商是否开通 miniQMT？ | answered" in text


def test_reference_data_of_the_paper_terminal_are_lines_of_json(terminal, tmp_path):
    out = tmp_path / "rows.jsonl"
    call_command("reference", "details", "600036", "600999.SH", "--paper", "--out", str(out))
    head, row = out.read_text(encoding="utf-8").splitlines()
    assert head == '{"refused": [["600999.SH", "detail", 1]]}'
    assert '"symbol": "600036.SH"' in row


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["details"], "at least one symbol"),
        (["bars", "600036"], "--first and --last"),
        (["details", "xyz"], "xyz"),
    ],
)
def test_a_reading_of_nothing_is_refused_not_empty(terminal, arguments, says):
    with pytest.raises(CommandError, match=says):
        call_command("reference", *arguments, "--paper")


@not_on_windows
def test_reference_data_of_a_real_terminal_need_windows(home):
    with pytest.raises(CommandError, match="runs on Windows only"):
        call_command("reference", "details", "600036")


def test_a_probe_that_breaks_leaves_no_watchdog_behind(home, terminal, monkeypatch):
    def breaks(*arguments):
        raise GatewayUnavailable("the client is gone")

    monkeypatch.setattr(qmt_probe, "ask_all", breaks)
    with pytest.raises(GatewayUnavailable):
        call_command("qmt_probe", "demo", "--paper", "--only", "P2")
    until = time.monotonic() + 5
    while any(thread.name == "watchdog" for thread in threading.enumerate()):
        assert time.monotonic() < until
        time.sleep(0.05)
