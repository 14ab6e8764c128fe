"""The watch list: people write it, quotes follow it, nothing else touches it."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from trading.models import Account, Event, WatchedSymbol
from trading.selectors import watched_symbols
from trading.services.accounts import save_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    made = Account(name="mine", broker_account_id="8800001234")
    save_account(made, [], timezone.now(), "test")
    return made


def run(*words: str) -> str:
    out = StringIO()
    call_command("watch", *words, stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("account")
def test_symbols_are_added_as_people_write_them_once(tmp_path: Path) -> None:
    run("add", "600036", "sz000001", "--note", "bank")
    assert "1 added, 1 known already" in run("add", "600036.SH", "510300")
    assert sorted(watched_symbols()) == ["000001.SZ", "510300.SH", "600036.SH"]
    assert WatchedSymbol.objects.get(symbol="600036.SH").note == "bank"  # a note is not lost
    assert "600036.SH" in run("list")
    assert "1 removed" in run("remove", "600036", "601318")
    assert Event.objects.filter(code="WATCH_LIST_CHANGED").count() == 3


def test_f158_two_accounts_have_watch_lists_of_their_own(account: Account, tmp_path: Path) -> None:
    other = Account(name="other", broker_account_id="8800005678")
    save_account(other, [], timezone.now(), "test")
    run("add", "600036", "--account", "mine")
    run("add", "000001", "--account", "other")
    run("export", str(tmp_path / "list.json"), "--account", "mine")
    run("import", str(tmp_path / "list.json"), "--account", "mine", "--replace")
    assert set(WatchedSymbol.objects.values_list("account__name", "symbol")) == {
        ("mine", "600036.SH"),
        ("other", "000001.SZ"),
    }


@pytest.mark.usefixtures("account")
def test_an_exported_list_is_imported_again(tmp_path: Path) -> None:
    file = tmp_path / "stock_pool.json"
    run("add", "600036", "--note", "招商银行")
    run("add", "000001")
    run("export", str(file))
    run("remove", "600036", "000001")
    run("add", "601318")
    run("import", str(file))
    assert dict(WatchedSymbol.objects.values_list("symbol", "note")) == {
        "600036.SH": "招商银行",
        "000001.SZ": "",
        "601318.SH": "",
    }
    assert "1 removed" in run("import", str(file), "--replace")
    assert watched_symbols() == {"600036.SH", "000001.SZ"}


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("text", ['["600036", "nonsense"]', "[1,", '["600036"'])
def test_a_bad_file_changes_nothing(tmp_path: Path, text: str) -> None:
    file = tmp_path / "pool.json"
    file.write_text(text, "utf-8")
    run("add", "601318")
    with pytest.raises(CommandError):
        run("import", str(file), "--replace")
    assert watched_symbols() == {"601318.SH"}


@pytest.mark.usefixtures("account")
def test_a_list_longer_than_anybody_watches_is_refused_whole(tmp_path: Path) -> None:
    file = tmp_path / "pool.json"
    codes = ", ".join(f'"{600000 + n}"' for n in range(2001))
    file.write_text(f"[{codes}]", "utf-8")
    with pytest.raises(CommandError, match="2000"):
        run("import", str(file))
    assert not watched_symbols()


def test_a_disabled_accounts_list_asks_no_quotes(account: Account) -> None:
    run("add", "600036")
    Account.objects.update(enabled=False)
    assert not watched_symbols()


def test_the_admin_adds_and_removes_with_an_event(account: Account, client: Client) -> None:
    client.force_login(User.objects.create_superuser("boss"))
    added = client.post(
        "/admin/trading/watchedsymbol/add/",
        {"account": account.pk, "symbol": "sh600036", "note": "n"},
    )
    assert added.status_code == 302
    assert watched_symbols() == {"600036.SH"}
    bad = client.post("/admin/trading/watchedsymbol/add/", {"account": account.pk, "symbol": "x"})
    assert "is not a symbol" in bad.content.decode() or "不是证券代码" in bad.content.decode()
    assert "600036.SH" in client.get("/admin/trading/watchedsymbol/").content.decode()
    row = WatchedSymbol.objects.get()
    client.post(f"/admin/trading/watchedsymbol/{row.pk}/delete/", {"post": "yes"})
    assert not watched_symbols()
    assert {event.actor for event in Event.objects.filter(code="WATCH_LIST_CHANGED")} == {"boss"}
