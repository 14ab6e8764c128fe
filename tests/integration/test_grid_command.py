"""`manage.py grid`: what a person types, sees and gets back as exit code, in both languages."""

from __future__ import annotations

import io
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from grid.domain.state import SessionStatus
from grid.models import GridLot, GridSession, GridTemplate
from tests.integration.grid_days import BANK, grid_world, path, session, start
from trading.models import Account, Event

pytestmark = [pytest.mark.grid, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]


@pytest.fixture
def world(monkeypatch):
    """An account with 1,000 shares, and a lot grid that bought 500 at 9.81."""
    world = grid_world()
    path(world, "09:30:00", ["10.00"] * 12)
    start(world, "09:30:30", "lot", grid_take_profit_ratio="0.03")
    path(world, "09:31:00", ["9.80"])
    world.run(until="09:31:40")
    now = world.moment("09:31:40")
    monkeypatch.setattr("grid.management.commands.grid.market_time", lambda mode, real: now)
    monkeypatch.setattr("grid.management.commands.grid.quotes_of_thread", lambda: world.store)
    return world


def typed(*words: str, lang: str = "en") -> str:
    out = io.StringIO()
    call_command("grid", words[0], "--lang", lang, *words[1:], stdout=out)
    return out.getvalue()


def refused(*words: str) -> CommandError:
    with pytest.raises(CommandError) as caught:
        typed(*words)
    assert caught.value.returncode == 1
    return caught.value


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", ("lot grid", "active, reference 10.00")),
        ("zh", ("逐笔网格", "运行中，基准价 10.00")),
    ],
)
def test_a_list_names_the_sessions_that_are_not_stopped(world, lang, words):
    text = typed("list", lang=lang)
    assert all(word in text for word in (BANK, *words))
    GridSession.objects.update(status="stopped", stopped_at=world.moment("09:31:40"))
    assert BANK not in typed("list")
    assert BANK in typed("list", "--all")


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", ("The next buy needs", "takes its profit", "were bought today", "T+1", "GRID_STARTED")),
        ("zh", ("才会再买入", "止盈", "今日买入", "T+1", "GRID_STARTED")),
    ],
)  # fmt: skip
def test_a_session_is_shown_with_its_lots_fills_and_what_it_waits_for(world, lang, words):
    text = typed("show", str(session(world).pk), lang=lang)
    text = " ".join(text.split())
    assert [word for word in words if word not in text] == []
    assert "9.81" in text
    assert "500" in text


def test_a_start_without_yes_is_a_preview_and_starts_nothing(world):
    session(world).delete()
    text = typed("start", BANK, "moderate", "max_investment=20000", "--why", "try")
    assert "worst case" in text
    assert "Nothing was started: add --yes." in text
    assert not GridSession.objects.exists()

    text = typed("start", BANK, "moderate", "max_investment=20000", "interval=0.06", "--why", "try", "--yes")  # fmt: skip
    row = GridSession.objects.get()
    assert f"Session {row.pk} runs." in text
    assert (row.interval, row.changed_why) == (Decimal("0.06"), "try")


@pytest.mark.parametrize(
    ("words", "en", "zh"),
    [
        (("start", "hello", "lot"), "is not a symbol", "不是证券代码"),
        (("start", "600000.SH", "nonsense"), "plan is nonsense, expected one of", "plan 为 nonsense"),
        (("start", "600000.SH", "lot", "grid_price_drop=much", "centre=10"), "grid_price_drop is 'much', expected a number", "应为数字"),
        (("start", "600000.SH", "lot", "interval=0.03", "centre=10", "max_investment=20000"), "parameter is interval, expected one of", "parameter 为 interval"),
        (("start", "600000.SH", "lot", "grid_price_drop"), "expected NAME=VALUE", "名称=值"),
        (("start", "600000.SH", "centred", "interval=0.9", "centre=10", "max_investment=20000"), "interval is 0.9, expected a number from 0.01 to 0.20", "0.01 至 0.20"),
        (("start", BANK, "lot", "max_investment=20000"), "has a grid session that is not stopped", "已有未停止的网格会话"),
        (("pause", "99"), "id is 99, expected a session", "没有这个会话"),
        (("edit", "99", "max_lots=3"), "id is 99", "没有这个会话"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_with_field_value_and_remedy_in_both_languages(
    world, words, en, zh
):
    if words[0] == "start":
        words = (*words, "--yes")
    text = str(refused(*words, "--why", "try"))
    assert en in text
    assert zh in text
    assert GridSession.objects.count() == 1


def test_pause_resume_edit_and_stop_say_what_came_of_them(world):
    number = str(session(world).pk)
    assert "Done." in typed("pause", number, "--why", "news")
    assert "nothing changed" in typed("pause", number, "--why", "news")
    assert "Done." in typed("resume", number, "--why", "calm")
    assert "revision 2" in typed("edit", number, "max_lots=3", "--why", "fewer")
    assert session(world).max_lots == 3
    text = str(refused("edit", number, "max_lots=4", "--revision", "1", "--why", "late"))
    assert "revision 2 by now" in text
    assert "Done." in typed("stop", number, "--policy", "keep", "--why", "enough")
    assert session(world).status == SessionStatus.STOPPING
    told = Event.objects.filter(code="GRID_STOPPING").latest("pk")
    assert told.actor.startswith("cli")


def test_a_clone_has_the_parameters_of_its_model_and_its_own_symbol(world):
    number = str(session(world).pk)
    text = typed("clone", number, "600000.SH", "centre=8", "--why", "the same there", "--yes")
    row = GridSession.objects.latest("pk")
    assert f"Session {row.pk} runs." in text
    assert (row.symbol, row.style, row.centre) == ("600000.SH", "lot", 8)
    assert row.grid_take_profit_ratio == Decimal("0.03")
    assert row.base_quantity == 0


def test_a_ledger_that_differs_from_its_fills_is_found_and_made_again(world):
    assert "equal their fills" in typed("check")
    GridLot.objects.update(quantity=400)

    text = str(refused("check"))
    assert "run check --repair" in text

    assert "made again" in typed("check", "--repair")
    assert GridLot.objects.get().quantity == 500
    assert "equal their fills" in typed("check")


def test_templates_are_listed_saved_and_deleted(world):
    assert "conservative" in typed("templates")
    assert "narrow" in typed("templates", "--save", "narrow", "interval=0.02")
    assert GridTemplate.objects.get().values == {"interval": "0.02"}
    assert "0.01 to 0.20" in str(refused("templates", "--save", "worse", "interval=0.5"))
    assert "built-in" in str(refused("templates", "--delete", "moderate"))
    assert "narrow" not in typed("templates", "--delete", "narrow")


def test_with_several_accounts_the_one_is_named(world):
    Account.objects.create(name="other", broker_account_id="8800000002")
    with pytest.raises(CommandError, match="expected one of other, replay") as caught:
        typed("start", "600000.SH", "lot", "--why", "try")
    assert caught.value.returncode == 2
    assert "worst case" in typed(
        "start", "600000.SH", "lot", "centre=10", "max_investment=20000", "--account", "replay", "--why", "try",
    )  # fmt: skip


def test_a_preview_rehearses_on_recorded_days_that_are_named(world, tmp_path):
    from tests.replays import plain, steady

    day = plain(
        tmp_path,
        steady("09:30:00", "09:31:00", "10.00", symbol="600000.SH"),
        steady("09:31:00", "09:32:00", "9.79", symbol="600000.SH"),
        steady("09:32:00", "09:33:00", "9.59", symbol="600000.SH"),
    )
    text = typed(
        "start", "600000.SH", "lot", "centre=10", "max_investment=20000", "--history", str(day), "--why", "try",
    )  # fmt: skip
    assert "1 session(s), 2026-08-10 to 2026-08-10: 2 buys, 0 sales" in " ".join(text.split())
