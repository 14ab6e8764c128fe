"""Audit rows: the database refuses to change them, and the chain finds who did it all the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from monitoring.audit import chain
from monitoring.audit.tables import CHAINED, PROTECTED, canonical, columns_of
from monitoring.audit.triggers import put_up
from monitoring.models import AuditForm, AuditLink
from tests.audit import unprotected
from tests.integration.people import somebody
from tests.integration.scenes import falling
from trading.domain.types import TradingState
from trading.models import Event, Fill, OrderEvent, TradingConfig
from trading.services import config
from trading.services.kill_switch import switch

pytestmark = [pytest.mark.system, pytest.mark.django_db]

NOW = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)


@pytest.fixture
def world(calendar, settings, tmp_path):
    """A sale, a change of the settings, a switch thrown by a person, an entry of the admin's log; all linked."""
    settings.HOME = tmp_path
    world = falling(book={})
    world.run(until="09:31:05")
    boss = somebody("boss", superuser=True)
    config.change(world.account.pk, {"stop_loss_ratio": "-0.05"}, actor=boss, why="tighter")
    switch(world.account, TradingState.REDUCING, "storm", NOW, "boss")
    LogEntry.objects.create(user=boss, action_flag=CHANGE, object_repr="x", change_message="y")
    chain.extend(NOW)
    return world


def problem(*anchors: chain.Anchor) -> str | None:
    found = chain.verify(list(anchors)).problem
    assert found is None or found.en != found.zh
    return None if found is None else found.en


def run(statement: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.rowcount)


# -- triggers


@pytest.mark.parametrize("model", PROTECTED, ids=lambda model: model.__name__)
def test_the_database_refuses_to_change_or_delete_an_audit_row(world, model):
    table, before = model._meta.db_table, model._default_manager.count()
    assert before > 0
    key = model._meta.pk.column
    for statement in (f"UPDATE {table} SET {key} = {key}", f"DELETE FROM {table}"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            run(statement)
    assert model._default_manager.count() == before


def test_they_are_put_up_again_when_a_table_was_rebuilt(world):
    with unprotected():
        assert run("UPDATE trading_event SET actor = 'x'") > 0
    put_up()
    put_up()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        run("UPDATE trading_event SET actor = 'x'")


def test_a_change_of_the_settings_keeps_its_reason_in_one_version(world):
    row = TradingConfig.history.latest("history_id")
    assert (row.history_change_reason, row.history_user.username) == ("tighter", "boss")


# -- the chain


def test_every_audit_row_has_one_link_and_a_second_run_adds_none(world):
    rows = sum(model._default_manager.count() for model in CHAINED)
    assert AuditLink.objects.count() == rows >= 10
    assert chain.extend(NOW) == 0
    assert problem() is None
    assert {Event, Fill, OrderEvent} <= set(CHAINED)


def test_new_rows_wait_for_the_next_run(world):
    switch(world.account, TradingState.HALTED, "worse", NOW, "boss")
    assert chain.verify([]).unlinked == 1
    assert chain.extend(NOW) == 1
    assert chain.verify([]) == chain.Verdict(AuditLink.objects.count())


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("trading_event", "actor = 'nobody'"),
        ("trading_event", "text_zh = text_zh || ' '"),
        ("trading_historicaltradingconfig", "stop_loss_ratio = stop_loss_ratio + 1"),
        ("trading_fill", "price = price + 1"),
        ("trading_orderevent", "epoch = epoch + 1"),
        ("django_admin_log", "change_message = ''"),
    ],
)
def test_a_changed_row_is_named(world, table, change):
    key = "history_id" if "historical" in table else "id"
    with unprotected():
        assert (
            run(f"UPDATE {table} SET {change} WHERE {key} = (SELECT MIN({key}) FROM {table})") == 1
        )
    link = AuditLink.objects.filter(form__table=table).earliest("pk")
    said = problem()
    assert said is not None
    assert said.startswith(f"Link {link.pk}: the row {table} {link.row} ")
    assert "changed after 2026-01-05 20:00" in said


def test_a_fill_is_bound_to_its_order_later_without_breaking_it(world):
    run("UPDATE trading_fill SET order_id = NULL")
    assert problem() is None


def test_a_deleted_row_and_a_deleted_link_are_named(world):
    with unprotected():
        with transaction.atomic():
            run("DELETE FROM trading_event WHERE id = (SELECT MAX(id) FROM trading_event)")
            assert "is gone" in str(problem())
            transaction.set_rollback(True)
        run("DELETE FROM monitoring_auditlink WHERE id = 3")
        assert "Link 3 is missing" in str(problem())


def test_a_row_slipped_in_behind_linked_ones_is_named(world):
    last = Event.objects.latest("pk")
    Event.objects.create(pk=last.pk + 5, account=world.account, at=NOW, level="info", code="A",
                         text_en="a", text_zh="甲")  # fmt: skip
    chain.extend(NOW)
    Event.objects.create(pk=last.pk + 2, account=world.account, at=NOW, level="info", code="B",
                         text_en="b", text_zh="乙")  # fmt: skip
    assert f"trading_event {last.pk + 2} has no link" in str(problem())


def test_a_chain_written_anew_is_found_by_an_anchor_and_by_nothing_else(world):
    anchor = chain.newest_anchor()
    with unprotected():
        run("UPDATE trading_event SET actor = 'nobody' WHERE actor = 'boss'")
        run("DELETE FROM monitoring_auditlink")
    chain.extend(NOW)
    assert problem() is None
    assert "is not the one of the anchor" in str(problem(anchor))


def test_an_older_backup_ends_earlier_than_the_anchor(world, tmp_path):
    switch(world.account, TradingState.HALTED, "worse", NOW, "boss")
    with transaction.atomic():
        chain.extend(NOW)
        anchor = chain.write_anchor(tmp_path, NOW)
        transaction.set_rollback(True)
    assert chain.anchors(tmp_path) == [chain.Anchor(anchor.number, anchor.digest, "2026-01-06")]
    with pytest.raises(CommandError, match=r"earlier than the anchor 2026-01-06"):
        call_command("audit", "verify")


def test_an_anchor_is_written_once_a_day_where_only_its_owner_reads_it(world, tmp_path, caplog):
    assert chain.write_anchor(tmp_path, NOW) == chain.newest_anchor()
    assert chain.write_anchor(tmp_path, NOW + timedelta(hours=1)) is None
    assert chain.write_anchor(tmp_path, NOW + timedelta(days=1)) is not None
    assert str(chain.newest_anchor()) in caplog.text
    assert len(chain.anchors(tmp_path)) == 2


def test_the_command_says_that_all_is_well_and_takes_anchors_kept_elsewhere(world, capsys):
    call_command("audit", "anchor")
    anchor = capsys.readouterr().out.strip()
    call_command("audit", "verify", "--anchor", anchor)
    assert "links hold; 0 new rows" in capsys.readouterr().out
    with pytest.raises(CommandError, match="not the one of the anchor"):
        call_command("audit", "verify", "--anchor", anchor[:-1] + "x")
    with pytest.raises(CommandError, match="not NUMBER:DIGEST"):
        call_command("audit", "verify", "--anchor", "yesterday")


def test_a_link_covers_the_columns_its_row_had_so_that_a_new_one_breaks_nothing(world):
    for model in CHAINED:
        assert AuditForm.objects.filter(table=model._meta.db_table).count() <= 1
    form = AuditForm.objects.get(table="trading_event")
    row = Event.objects.earliest("pk")
    older = [name for name in form.columns if name != "detail"]
    assert canonical(row, older) != canonical(row, columns_of(Event))
    with unprotected():
        run("DELETE FROM monitoring_auditlink")
        AuditForm._base_manager.filter(pk=form.pk).update(columns=older)
    chain.extend(NOW)  # rows of today get the form of today; the older one stays known
    assert AuditForm.objects.filter(table="trading_event").count() == 2
    assert problem() is None
