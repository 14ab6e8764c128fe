"""What the database itself refuses of grid rows."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from grid.models import GridLot, GridSession
from grid.selectors import kept_from_exits, open_sessions, symbols_of_interest, templates
from grid.services.sessions import Request, SessionRefused, draft, start_session
from grid.services.templates import save_template
from trading.domain.types import CHINA
from trading.models import Account

pytestmark = [pytest.mark.django_db, pytest.mark.grid]

NOW = datetime(2026, 7, 21, 9, 31, tzinfo=CHINA)
BANK = "600036.SH"


@pytest.fixture
def account():
    return Account.objects.create(name="one", broker_account_id="8800000001")


def make(account, **named):
    """A session on an account that holds nothing."""
    request = Request(
        account.pk,
        named.pop("symbol", BANK),
        values={"max_investment": Decimal(20000)},
        centre=Decimal(10),
    )
    row = start_session(request, None, NOW, actor="me", why="a test")
    GridSession.objects.filter(pk=row.pk).update(**named)
    return row


@pytest.mark.parametrize(
    "columns",
    [
        {"status": "running"},
        {"status": "stopped"},  # without a time
        {"stopped_at": NOW},  # without being stopped
        {"centre": 0},
        {"max_investment": 0},
        {"unmatched_quantity": 100},  # nothing was sold
    ],
)
def test_a_session_that_cannot_be_is_refused(account, columns):
    row = make(account)
    with pytest.raises(IntegrityError), transaction.atomic():
        GridSession.objects.filter(pk=row.pk).update(**columns)


@pytest.mark.parametrize("status", ["active", "paused", "stopping"])
def test_a_symbol_has_one_session_that_is_not_stopped(account, status):
    make(account, status=status)
    with pytest.raises(SessionRefused):
        make(account)
    make(account, symbol="600519.SH")
    GridSession.objects.filter(symbol=BANK).update(status="stopped", stopped_at=NOW)
    make(account)


@pytest.mark.parametrize("columns", [{"quantity": 0}, {}])
def test_a_lot_has_shares_and_is_there_once(account, columns):
    row = make(account)
    values = {"number": 1, "quantity": 100, "amount": Decimal(1000), "on": NOW.date(), "place": 0}
    GridLot.objects.create(session=row, **values)
    with pytest.raises(IntegrityError), transaction.atomic():
        GridLot.objects.create(session=row, **{**values, **columns, "number": 2 if columns else 1})


def test_stopped_sessions_need_no_quotes_and_keep_no_shares(account):
    row = make(account, base_quantity=1000, exits_may_sell_base=False)
    assert symbols_of_interest(account.pk) == {BANK: NOW}
    assert kept_from_exits(account.pk) == {BANK: 1000}
    GridSession.objects.filter(pk=row.pk).update(status="stopped", stopped_at=NOW)
    assert symbols_of_interest(account.pk) == {}
    assert kept_from_exits(account.pk) == {}
    assert open_sessions(account.pk) == []


@pytest.mark.parametrize(
    ("named", "field"),
    [
        ({"symbol": "900001.SH"}, "symbol"),
        ({"symbol": "what"}, "symbol"),
        ({"centre": None}, "centre"),
        ({"centre": Decimal(-1)}, "centre"),
        ({"base_quantity": 100}, "base_quantity"),
        ({"values": {"max_investment": Decimal(20000), "interval": Decimal(1)}}, "interval"),
        ({"values": {"max_investment": Decimal(20000), "fixed_quantity": 150}}, "fixed_quantity"),
        ({"values": {}}, "max_investment"),  # nothing is held, half of nothing is nothing
        ({"template": "bold"}, "template"),
        ({"style": "martingale"}, "style"),
    ],
)
def test_a_start_is_refused_by_the_name_of_what_is_wrong(account, named, field):
    values = {
        "account_id": account.pk,
        "symbol": BANK,
        "values": {"max_investment": Decimal(20000)},
        "centre": Decimal(10),
        **named,
    }
    with pytest.raises(SessionRefused) as problem:
        draft(Request(**values), None, NOW)
    assert problem.value.field == field
    assert problem.value.text.zh
    assert GridSession.objects.count() == 0


def test_a_template_of_ones_own_is_kept_exactly(account):
    save_template("mine", "centred", {"interval": Decimal("0.07"), "duration_days": 30}, NOW)
    with pytest.raises(SessionRefused):
        save_template("moderate", "centred", {}, NOW)
    with pytest.raises(SessionRefused):
        save_template("broken", "centred", {"interval": Decimal(7)}, NOW)
    request = Request(
        account.pk,
        BANK,
        template="mine",
        values={"max_investment": Decimal(20000)},
        centre=Decimal(10),
    )
    rules = draft(request, None, NOW).rules
    assert (rules.interval, rules.duration_days) == (Decimal("0.07"), 30)
    assert set(templates()) == {"conservative", "moderate", "aggressive", "lots", "mine"}
