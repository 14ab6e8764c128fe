"""What processes warned of becomes rows, once each, whatever happens to the files; and each decision has its line."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from monitoring import log_rows
from monitoring.care import retention
from monitoring.decisions import Decisions
from monitoring.log_files import JsonLines
from monitoring.log_rows import collect
from monitoring.models import LogLine, LogMark
from tests.integration.scenes import falling
from trading.models import Account, Fill, Order, Signal

pytestmark = [pytest.mark.system, pytest.mark.unattended, pytest.mark.django_db]

NUMBER = "8800123456"


class Process:
    """A process whose logger writes into the data directory."""

    def __init__(self, home: Path, name: str = "worker") -> None:
        self.path = home / "logs" / f"{name}.jsonl"
        self.path.parent.mkdir(exist_ok=True)
        self.handler = JsonLines(self.path, name)
        self.log = logging.Logger(f"trading.{name}")  # noqa: LOG001 - nobody else hears it
        self.log.addHandler(self.handler)

    def begin_anew(self) -> None:
        self.handler.doRollover()


@pytest.fixture
def process(tmp_path):
    made = Process(tmp_path)
    yield made
    made.handler.close()


def texts() -> list[str]:
    return list(LogLine.objects.order_by("pk").values_list("text", flat=True))


def test_warnings_and_errors_become_rows_once_and_information_does_not(tmp_path, process):
    process.log.info("an order was made")
    process.log.warning("a source is late", extra={"symbol": "600036.SH", "tick": "1f0c"})
    assert collect(tmp_path) == 1
    assert collect(tmp_path) == 0
    process.log.error("the terminal is away")
    assert collect(tmp_path) == 1
    first, second = LogLine.objects.order_by("pk")
    assert (first.level, first.process, first.tick) == ("warning", "worker", "1f0c")
    assert first.detail == {"symbol": "600036.SH"}
    assert (second.level, second.text) == ("error", "the terminal is away")
    assert abs(first.at - timezone.now()) < timedelta(minutes=5)


def test_the_rest_of_a_file_that_was_begun_anew_is_read_too(tmp_path, process):
    process.log.warning("before")
    collect(tmp_path)
    process.log.warning("unread when it was begun anew")
    process.begin_anew()
    process.log.warning("after")
    collect(tmp_path)
    collect(tmp_path)
    assert texts() == ["before", "unread when it was begun anew", "after"]


def test_half_a_line_waits_for_its_other_half(tmp_path, process):
    process.log.warning("whole")
    line = process.path.read_bytes()
    with process.path.open("ab") as file:
        file.write(line[:30])
    assert collect(tmp_path) == 1
    with process.path.open("ab") as file:
        file.write(line[30:])
    assert collect(tmp_path) == 1
    assert texts() == ["whole", "whole"]


@pytest.mark.parametrize(
    "rubbish",
    [b"\xff\xfe\n", b"{}\n", b"[1]\n", b'{"level": "warning"}\n', b'{"level": 1, "at": 2}\n'],
)
def test_what_is_no_line_of_ours_is_passed_over(tmp_path, process, rubbish):
    with process.path.open("ab") as file:
        file.write(rubbish)
    process.log.warning("after it")
    assert collect(tmp_path) == 1
    assert texts() == ["after it"]


def test_a_flood_becomes_few_rows_and_a_row_that_says_how_many_were_left_out(
    tmp_path, process, monkeypatch
):
    monkeypatch.setattr(log_rows, "MOST_ROWS", 10)
    for number in range(50):
        process.log.warning("line %d", number)
    assert collect(tmp_path) == 11
    assert texts()[-1].startswith("40 more lines")


def test_of_too_much_the_newest_is_read(tmp_path, process, monkeypatch):
    monkeypatch.setattr(log_rows, "MOST_BYTES", 1000)
    for number in range(50):
        process.log.warning("line %d", number)
    collect(tmp_path)
    assert texts()[-1] == "line 49"
    assert len(texts()) < 10


def test_rows_and_mark_are_written_together_or_not_at_all(tmp_path, process, monkeypatch):
    process.log.warning("one")

    def fails(*_args: object, **_more: object) -> None:
        raise RuntimeError("planted")

    with monkeypatch.context() as broken:
        broken.setattr(LogMark.objects, "update_or_create", fails)
        with pytest.raises(RuntimeError, match="planted"):
            collect(tmp_path)
    assert texts() == []
    collect(tmp_path)
    assert texts() == ["one"]


def test_the_number_of_an_account_is_masked_and_each_process_keeps_its_own_lines(tmp_path):
    Account.objects.create(name="one", broker_account_id=NUMBER, mode="demo")
    for name in ("gateway-one", "gateway-two"):
        process = Process(tmp_path, name)
        process.log.warning("account %s is away", NUMBER, extra={"number": NUMBER})
        process.handler.close()
    collect(tmp_path)
    assert list(LogLine.objects.order_by("process").values_list("process", "text")) == [
        ("gateway-one", "account …3456 is away"),
        ("gateway-two", "account …3456 is away"),
    ]
    assert NUMBER not in json.dumps(list(LogLine.objects.values_list("detail", flat=True)))


def test_a_character_no_database_keeps_is_replaced(tmp_path, process):
    process.log.warning("before\0after")
    assert collect(tmp_path) == 1
    assert texts() == ["before?after"]


def test_a_folder_without_logs_has_none(tmp_path):
    assert collect(tmp_path) == 0


def test_old_rows_and_those_beyond_the_bound_are_forgotten(tmp_path, monkeypatch):
    now = timezone.now()
    monkeypatch.setattr(retention, "MOST_LOG_LINES", 5)
    old = now - retention.LOG_LINES_FOR - timedelta(days=1)
    LogLine.objects.create(at=old, process="web", level="error", logger="x", text="old")
    for number in range(8):
        LogLine.objects.create(
            at=now, process="web", level="error", logger="x", text=f"line {number}"
        )
    assert retention.forget(now).log_lines == 4
    assert texts() == [f"line {number}" for number in range(3, 8)]
    assert retention.forget(now).log_lines == 0


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_administration_searches_in_the_lines_and_nobody_changes_them(language):
    for text in ("the terminal <b>is</b> away", "a source is late"):
        LogLine.objects.create(
            at=timezone.now(), process="gateway-one", level="error", logger="x", text=text
        )
    boss = get_user_model().objects.create_superuser("boss", password="x")
    client = Client(headers={"accept-language": language})
    client.force_login(boss)
    page = client.get(reverse("admin:monitoring_logline_changelist"), {"q": "terminal"})
    shown = page.content.decode()
    assert "the terminal &lt;b&gt;is&lt;/b&gt; away" in shown
    assert "a source is late" not in shown
    row = LogLine.objects.first()
    assert row is not None
    change = reverse("admin:monitoring_logline_change", args=[row.pk])
    assert client.get(change).status_code == 200
    assert client.post(change, {"text": "another"}).status_code == 403
    assert client.get(reverse("admin:monitoring_logline_add")).status_code == 403


# --- decisions ---


@pytest.mark.usefixtures("calendar")
def test_each_signal_order_and_fill_has_one_line_and_their_numbers_lead_from_one_to_the_next(
    caplog,
):
    world = falling(book={})
    decisions = Decisions()
    assert decisions.tell() == 0  # what was there before is history
    with caplog.at_level(logging.INFO, "monitoring.decisions"):
        world.run(until="09:33:00")
        decisions.tell()
        decisions.tell()
    lines = [record.__dict__ for record in caplog.records if record.name == "monitoring.decisions"]
    signal, order, fill = Signal.objects.get(), Order.objects.get(), Fill.objects.get()
    assert len(lines) == 3
    first, second, third = lines
    assert (first["signal"], first["kind"], first["price"]) == (
        signal.pk,
        "stop_loss",
        Decimal("9.2"),
    )
    assert (second["order"], second["signal"]) == (order.client_order_id, signal.pk)
    assert (third["fill"], third["order"], third["signal"]) == (
        fill.pk,
        order.client_order_id,
        signal.pk,
    )


@pytest.mark.usefixtures("calendar")
def test_a_stop_loss_is_sold_while_no_log_can_be_written(tmp_path, capsys):
    (tmp_path / "logs").write_text("no folder", encoding="utf-8")
    handler, trading = (
        JsonLines(tmp_path / "logs" / "worker.jsonl", "worker"),
        logging.getLogger("trading"),
    )
    trading.addHandler(handler)
    try:
        world = falling(book={})
        trading.warning("it is lost")
        world.run(until="09:33:00")
        trading.warning("and so is this")
    finally:
        trading.removeHandler(handler)
        handler.close()
    assert Order.objects.get().state == "filled"
    assert capsys.readouterr().err.count("trading goes on") == 1


@pytest.mark.usefixtures("calendar")
def test_a_tick_that_decides_nothing_costs_three_small_questions(django_assert_num_queries):
    decisions = Decisions()
    decisions.tell()
    with django_assert_num_queries(3):
        decisions.tell()
