"""A cycle of the gateway fails: the next one runs, and a person reads of it at most once a minute."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from django.db import IntegrityError, OperationalError, connection

from tests.integration.scenes import account, codes, falling
from trading.errors import StandDown
from trading.management.gateway_cycles import AFTER_TROUBLE, TELL_EVERY, Cycles
from trading.models import Event

pytestmark = [
    pytest.mark.unattended,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]

FULL = OperationalError("database or disk is full")
BUG = ZeroDivisionError("4711 of a secret")


class Gateway:
    """Cycles that fail as they are told to; each takes two seconds."""

    def __init__(self) -> None:
        self.world = falling()
        self.seconds, self.problem = 0.0, None
        self.cycles = Cycles(account(self.world).pk, self, self, self.now, lambda: self.seconds)

    def now(self):
        return self.world.moment("09:31:00")

    def keep(self):
        self.seconds += 2

    def cycle(self):
        if self.problem is not None:
            raise self.problem
        return 0.5

    def turns(self, number, problem=None):
        self.problem = problem
        return [self.cycles.turn() for _ in range(number)]

    def told(self):
        return list(Event.objects.filter(code="CYCLES_FAILED").values_list("text_en", flat=True))


@pytest.fixture
def gateway():
    return Gateway()


@contextmanager
def read_only():
    """Nothing can be written: SQLite's own switch for this connection."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = ON")
        try:
            yield
        finally:
            cursor.execute("PRAGMA query_only = OFF")


def test_a_gateway_without_trouble_says_nothing(gateway):
    assert gateway.turns(3) == [0.5, 0.5, 0.5]
    assert gateway.told() == []


def test_cycles_that_the_database_refused_are_told_of_when_it_takes_rows_again(gateway):
    assert gateway.turns(3, FULL) == [AFTER_TROUBLE] * 3
    assert gateway.told() == []

    gateway.turns(1)
    [text] = gateway.told()
    assert text.startswith("3 cycle(s)")
    assert "OperationalError: database or disk is full" in text
    gateway.turns(100)
    assert len(gateway.told()) == 1


@pytest.mark.parametrize(
    "problem", [BUG, IntegrityError("a constraint")], ids=["bug", "constraint"]
)
def test_a_mistake_of_ours_is_told_of_though_every_cycle_fails(gateway, problem):
    gateway.turns(1, problem)
    assert type(problem).__name__ in gateway.told()[0]


def test_a_mistake_of_ours_is_named_and_its_words_stay_in_the_log(gateway):
    gateway.turns(1, BUG)
    assert not any("4711" in text for text in gateway.told())


def test_cycles_that_fail_for_ever_are_told_of_once_a_minute_with_their_number(gateway):
    gateway.turns(90, BUG)
    assert gateway.seconds == 3 * TELL_EVERY
    assert [text.split()[0] for text in gateway.told()] == ["1", "30", "30"]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PRAGMA query_only is SQLite's")
def test_a_journal_that_cannot_be_written_keeps_the_number_until_it_can(gateway):
    with read_only():
        gateway.turns(2, BUG)
    assert gateway.told() == []

    gateway.turns(1)
    assert gateway.told()[0].startswith("2 cycle(s)")


def test_who_stands_down_ends(gateway):
    with pytest.raises(StandDown):
        gateway.turns(1, StandDown("another acts"))
    assert codes(gateway.world, "CYCLES_FAILED") == []
