"""Accounts that are added, stepped or disabled while everything runs: `up` and the twin notice."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import OperationalError, connection

from monitoring.management.enabled_accounts import AccountsWatch, enabled_accounts
from trading.domain.fees import FeeSchedule
from trading.domain.types import AccountMode
from trading.management.paper_accounts import LOOK_EVERY, LaterAccounts, simulated_accounts
from trading.models import Account

pytestmark = [pytest.mark.system, pytest.mark.unattended, pytest.mark.django_db]


def account(name: str, mode: AccountMode = AccountMode.PAPER, **more: object) -> Account:
    return Account.objects.create(name=name, broker_account_id=f"55{name}", mode=mode, **more)


def test_what_gateways_are_needed_is_told_once_each_time_it_changes():
    account("one")
    watch = AccountsWatch(enabled_accounts())
    watch.look()
    assert watch.changed() is None
    two = account("two", AccountMode.SHADOW)
    watch.look()
    found = watch.changed()
    assert found is not None
    assert [(one.name, one.mode) for one in found] == [("one", "paper"), ("two", "shadow")]
    assert watch.changed() is None
    Account.objects.filter(pk=two.pk).update(enabled=False)
    watch.look()
    assert [one.name for one in watch.changed() or ()] == ["one"]


def test_the_twin_opens_what_is_simulated_and_enabled_each_at_its_own_fees():
    account("one", commission_rate=Decimal("0.0001"))
    account("two", enabled=False)
    account("live", AccountMode.LIVE)
    known = simulated_accounts()
    assert list(known) == ["55one"]
    assert known["55one"].commission_rate == Decimal("0.0001")


def test_an_account_that_is_added_later_is_opened_at_the_next_look_and_once():
    now, there = 0.0, dict[str, FeeSchedule]()
    later = LaterAccounts(there, there.__setitem__, lambda: now)
    account("one")
    later.look()
    assert list(there) == ["55one"]
    account("two")
    later.look()  # too soon
    assert list(there) == ["55one"]
    now = LOOK_EVERY
    later.look()
    assert list(there) == ["55one", "55two"]


def test_a_database_that_is_away_opens_nothing_and_is_asked_again():
    def away(*_: object, **__: object) -> None:
        raise OperationalError("away")

    now, there = 0.0, dict[str, FeeSchedule]()
    later = LaterAccounts(there, there.__setitem__, lambda: now)
    account("one")
    with connection.execute_wrapper(away):
        later.look()
    now = LOOK_EVERY
    later.look()
    assert list(there) == ["55one"]
