"""The facts behind a protection status, each made true by the rows and quotes that make it true in a real day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.world import World
from trading.domain.calendar import phase_at
from trading.domain.protection import Protection, ProtectionReport
from trading.domain.types import BookStatus, GatewayStatus, SignalKind, Symbol
from trading.models import Account, Fill, Order, Position, TradingConfig
from trading.services import config
from trading.services.clock import DEMO, read_clocks, set_clock
from trading.services.protection import gateway_alive, gateway_heard_at, protection_reports
from trading.services.view import TickView

pytestmark = [
    pytest.mark.exits,
    pytest.mark.unattended,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]

STOCK = "600036.SH"
REAL = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)


class Morning:
    """A holding at its cost at 09:31:00, with everything running."""

    def __init__(self, holdings: int = 1) -> None:
        symbols = [f"{600036 + number}.SH" for number in range(holdings)]
        self.world = World(holdings=[(symbol, 1000, "10.00") for symbol in symbols])
        for symbol in symbols:
            self.world.hold(symbol, "10.00", since="09:30:00", until="09:31:01")
        self.world.run(until="09:31:00")
        set_clock(DEMO, REAL, self.world.moment("09:29:50"))

    def report(self, clock: str = "09:31:00", later: int = 0) -> ProtectionReport:
        """Ask at a market time; real time is `later` seconds ahead of it."""
        now, account = self.world.moment(clock), self.account()
        view = TickView(
            account.pk,
            config.load(account.pk),
            now,
            phase_at(self.world.calendar, now),
            self.world.store,
            self.world.calendar,
        )
        market = read_clocks()[DEMO]
        real = market.real(now)
        assert real is not None
        alive = gateway_alive(
            GatewayStatus(account.gateway_status),
            gateway_heard_at(account, market),
            real + timedelta(seconds=later),
        )
        return protection_reports(view, alive)[Symbol(STOCK)]

    def account(self) -> Account:
        return Account.objects.get(pk=self.world.account.pk)

    def order(self, **columns) -> Order:
        row = {
            "account": self.world.account, "position": self.world.position(STOCK),
            "client_order_id": "q1", "decision_key": "k", "trade_date": self.world.on,
            "symbol": STOCK, "side": "sell", "kind": "stop_loss", "purpose": "exit",
            "quantity": 600, "chain_quantity": 600, "price": Decimal("9.20"),
            "limit_down": Decimal("9.00"), "trigger_price": Decimal("9.25"), "state": "submitted",
            "approved_at": self.world.moment("09:30:55"),
            "expires_at": self.world.moment("09:31:10"), "config_revision": 1,
        }  # fmt: skip
        return Order.objects.create(**{**row, **columns})

    def update(self, model, **columns) -> None:
        model.objects.all().update(**columns)

    def quote(self, last: str = "10.00", status: BookStatus = BookStatus.CONTINUOUS) -> None:
        old = self.world.store.latest([Symbol(STOCK)])[Symbol(STOCK)]
        now = self.world.moment("09:31:00")
        new = replace(old, time=now, last=Decimal(last), status=status)
        self.world.store.put("xtquant", [new], 10, now)


@pytest.fixture
def morning(calendar) -> Morning:
    return Morning()


def test_a_holding_on_an_ordinary_morning_is_protected_by_its_stop(morning):
    report = morning.report()
    assert (report.status, report.kind) == (Protection.PROTECTED, SignalKind.STOP_LOSS)
    assert report.price == Decimal("9.25")


ROWS = [
    (Protection.HALTED, Account, {"trading_state": "halted"}),
    (Protection.AUTO_OFF, TradingConfig, {"auto_trading_enabled": False}),
    (Protection.SELL_OFF, TradingConfig, {"sell_enabled": False}),
    (Protection.STOP_LOSS_OFF, TradingConfig, {"stop_loss_enabled": False}),
    (Protection.HOLDING_OFF, Position, {"exit_enabled": False}),
    (Protection.NO_COST, Position, {"bought_quantity": 0, "base_cost": None}),
    (Protection.GATEWAY_OBSERVING, Account, {"gateway_status": "observing"}),
    (Protection.GATEWAY_DOWN, Account, {"gateway_seen_at": None, "snapshot_at": None}),
    (Protection.EX_RIGHTS_UNVERIFIED, Position, {"ex_rights_unverified": True}),
    (Protection.EX_RIGHTS_UNVERIFIED, Position, {"paused_by_ex_rights": True}),
    (Protection.T1, Position, {"broker_sellable": 0}),
    (Protection.T1, Position, {"broker_sellable": None}),
]


@pytest.mark.parametrize(("expected", "model", "columns"), ROWS)
def test_what_is_switched_off_or_not_there_is_the_reason(morning, expected, model, columns):
    morning.update(model, **columns)
    assert morning.report().status is expected


def test_shares_bought_today_are_not_sellable_whatever_the_terminal_says(morning):
    Fill.objects.create(
        account=morning.world.account, trade_date=morning.world.on, symbol=STOCK, side="buy",
        quantity=1000, price=Decimal(10), amount=Decimal(10000), broker_order_id=1, traded_id="1",
        key="k", at=morning.world.moment("09:30:10"), booked_at=morning.world.moment("09:30:10"),
    )  # fmt: skip
    assert morning.report().status is Protection.T1


def test_a_persons_cancel_rests_the_exits_until_its_time(morning):
    morning.update(Position, exits_paused_until=morning.world.moment("09:36:00"))
    report = morning.report()
    assert report.status is Protection.PAUSED
    assert report.text.en.endswith("until 09:36:00")
    morning.update(Position, exits_paused_until=morning.world.moment("09:31:00"))
    assert morning.report().status is Protection.PROTECTED


@pytest.mark.parametrize(
    ("status", "seconds", "expected"),
    [
        ("armed", 9, Protection.PROTECTED),
        ("armed", 30, Protection.GATEWAY_DOWN),
        ("observing", 30, Protection.GATEWAY_OBSERVING),  # it tries again once a minute
        ("observing", 90, Protection.GATEWAY_DOWN),
    ],
)
def test_a_gateway_that_is_not_heard_in_real_time_is_down(morning, status, seconds, expected):
    morning.update(Account, gateway_status=status)
    assert morning.report(later=seconds).status is expected


def test_a_sign_of_life_from_before_the_clock_was_set_says_nothing(morning):
    set_clock(DEMO, REAL, morning.world.moment("13:00:00"))
    assert gateway_heard_at(morning.account(), read_clocks()[DEMO]) is None


def test_quotes_that_stop_make_it_stale_and_lunch_does_not(morning):
    morning.update(Account, gateway_seen_at=morning.world.moment("09:31:10"))
    stale = morning.report("09:31:15")
    assert stale.status is Protection.QUOTE_STALE
    assert stale.text.en.endswith("stale since 09:31:00")
    morning.update(Account, gateway_seen_at=morning.world.moment("11:44:55"))
    assert morning.report("11:45:00").status is Protection.MARKET_CLOSED


def test_a_suspended_symbol_is_named_suspended_and_not_stale(morning):
    morning.quote(status=BookStatus.HALTED)
    assert morning.report().status is Protection.SUSPENDED


@pytest.mark.parametrize(
    ("expected", "columns"),
    [
        (Protection.ORDER_WORKING, {}),
        (Protection.ORDER_WORKING, {"state": "approved", "price": Decimal("9.00")}),
        (Protection.AT_LIMIT_DOWN, {"price": Decimal("9.00")}),
        (Protection.UNKNOWN_ORDER, {"state": "unknown", "was_unknown": True}),
        (Protection.UNKNOWN_ORDER, {"state": "unknown", "side": "buy", "purpose": "add_on"}),
        (Protection.PROTECTED, {"side": "buy", "purpose": "add_on", "kind": "add_on"}),
        (Protection.PROTECTED, {"state": "filled", "chain_settled": True}),
    ],
)
def test_an_order_on_its_way_is_the_reason(morning, expected, columns):
    morning.order(**columns)
    assert morning.report().status is expected


GAVE_UP = {"state": "cancelled", "chain_settled": True, "cancel_tries": 1, "attempt": 3}


@pytest.mark.parametrize(
    ("expected", "last", "columns"),
    [
        (Protection.ATTEMPTS_EXHAUSTED, "9.20", {}),
        (Protection.PROTECTED, "9.60", {}),  # it recovered: when it falls again, the rule decides
        (Protection.PROTECTED, "9.20", {"cancelled_by_person": True}),
        (Protection.PROTECTED, "9.20", {"cancel_reason": "SUPERSEDED"}),
        (Protection.PROTECTED, "9.20", {"cancel_tries": 0}),
        (Protection.PROTECTED, "9.20", {"chain_settled": False}),  # a re-order follows
    ],
)
def test_a_chain_that_gave_up_below_its_level_leaves_the_holding_unprotected(
    morning, expected, last, columns
):
    morning.quote(last)
    morning.order(**{**GAVE_UP, **columns})
    assert morning.report().status is expected


def test_a_new_order_after_a_chain_that_gave_up_is_what_counts(morning):
    morning.quote("9.20")
    morning.order(**GAVE_UP)
    morning.order(client_order_id="q2", decision_key="k2")
    assert morning.report().status is Protection.ORDER_WORKING


def test_settings_that_cannot_be_used_leave_only_the_stop(morning):
    trailing = {"first_take_profit_done": True, "high_since_entry": Decimal(13)}
    morning.update(Position, **trailing)
    assert morning.report().kind is SignalKind.TRAILING_TAKE_PROFIT
    morning.update(TradingConfig, signal_max_age=1)
    assert morning.report().kind is SignalKind.STOP_LOSS


@pytest.mark.parametrize("holdings", [3, 60])
def test_the_queries_do_not_grow_with_the_holdings(calendar, holdings):
    morning = Morning(holdings)
    with CaptureQueriesContext(connection) as captured:
        morning.report()
    assert len(captured) <= 9
