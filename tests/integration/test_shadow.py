"""A shadow's day on a virtual clock: the real market's quotes, a copy of the real holdings, orders recorded, none sent."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command

from monitoring.console.daily import daily_view
from monitoring.console.record_filters import AccountNow
from monitoring.models import PricePoint, ShadowDay, ShadowOrder
from monitoring.services.shadow_days import compare_shadow_days
from tests.integration.scenes import OTHER, STOCK, wish
from tests.world import World
from trading.broker.reading import AccountReading
from trading.domain.symbols import parse_symbol
from trading.domain.types import CHINA, AccountMode, Side, Symbol
from trading.errors import GatewayUnavailable, StandDown
from trading.management.commands.shadow import OpenMarket, open_market
from trading.management.gateway_run import desk_of
from trading.models import (
    Account,
    AccountCopy,
    DayBooks,
    Event,
    Fill,
    Order,
    Position,
    TradingConfig,
)
from trading.paper import transport, xttrader, xttype
from trading.replay.engine import BROKER_ACCOUNT
from trading.services.corrections import CorrectionError
from trading.services.desk import AccountDesk
from trading.services.orders_tick import orders_tick
from trading.services.shadow import copy_to_begin_with, keep_copy
from trading.services.sync import sync_tick
from trading.services.tick import strategy_tick

pytestmark = [pytest.mark.system, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

HELD = (Symbol("600036.SH"), 1000, Decimal("10.00"))


class Rehearsal(World):
    """A real account's day, beside which its shadow works on the same quotes."""

    def __init__(self, folder, copied=(HELD,), **more):
        super().__init__(holdings=[(STOCK, 1000, "10.00")], symbols=[OTHER], **more)
        # The real account is looked after by nobody here: it must not see a single request to order.
        self.asked_of_the_real_one = []
        perform = self.terminal._answer

        def noting(client, message):
            self.asked_of_the_real_one.append(message["op"])
            return perform(client, message)

        self.terminal._answer = noting
        Account.objects.filter(pk=self.account.pk).update(mode=AccountMode.LIVE, stage="")
        self.shadow = Account.objects.create(
            name="mine-shadow", broker_account_id=BROKER_ACCOUNT, mode=AccountMode.SHADOW
        )
        TradingConfig.objects.create(account=self.shadow, auto_trading_enabled=True)
        self.folder, self.copied, self.market = folder, copied, None
        self.begins = self.moment("08:50:00")

    def copy(self, holdings=None, cash="50000"):
        held = self.copied if holdings is None else holdings
        at = self.begins - timedelta(minutes=5)
        return keep_copy(self.shadow, "file", Decimal(cash), held, at, at, "wang")

    def open(self, at=None) -> OpenMarket:
        real = at or self.begins
        opened = open_market(
            self.shadow, self.folder / "shadow.sqlite3", self.calendar, self.store, real
        )
        self.market = opened
        desk = AccountDesk(self.shadow.pk, self.store, self.calendar)
        self.shadow_gateway = opened.gateway(self.shadow, desk)
        return opened

    def _second(self, now, batch):
        super()._second(now, batch)
        if self.market is None or now < self.moment("09:29:50"):
            return  # nothing happens before, and every second takes its time
        pk, second = self.shadow.pk, now.second
        self.shadow_gateway.step(now)
        if second % 10 == 0:
            sync_tick(pk, now, self.store, self.calendar)
        if second % 5 == 0:
            strategy_tick(pk, now, self.store, self.calendar, lambda _: None)
        if second % 2 == 0:
            orders_tick(pk, now, self.store, self.calendar, lambda _: None)
        self.shadow_gateway.step(now)

    def of_shadow(self, model):
        return list(model.objects.filter(account=self.shadow).order_by("pk"))


@pytest.fixture
def rehearsal(tmp_path):
    made = Rehearsal(tmp_path)
    yield made
    if made.market is not None:
        made.market.close()
        transport.forget(f"memory://shadow-{made.shadow.pk}")


def falls(world: World) -> None:
    world.hold(STOCK, "10.00", since="09:30:00", until="09:31:00")
    world.hold(STOCK, "9.20", since="09:31:00", until="09:33:00")


def test_a_shadow_day_records_its_orders_and_sends_none(rehearsal):
    rehearsal.copy()
    rehearsal.open()
    falls(rehearsal)
    rehearsal.run(until="09:32:00")
    (order,) = rehearsal.of_shadow(Order)
    assert (order.kind, order.side, order.quantity, order.state) == (
        "stop_loss", "sell", 1000, "filled",
    )  # fmt: skip
    assert rehearsal.of_shadow(Fill)
    # Not one order, of whoever, reached the terminal of the real account.
    assert {op for op in rehearsal.asked_of_the_real_one if "order_stock" in op} == set()
    assert rehearsal.exchange.account(BROKER_ACCOUNT).orders == {}
    assert rehearsal.exchange.account(BROKER_ACCOUNT).positions[Symbol(STOCK)].quantity == 1000


def test_a_second_shadow_elsewhere_stands_down_and_says_which_machine_has_it(
    rehearsal, settings, tmp_path
):
    def desk(machine: str) -> AccountDesk:
        settings.MINIQMT_MACHINE, settings.HOME = machine, tmp_path / machine
        return desk_of(rehearsal.shadow, rehearsal.store, rehearsal.calendar)

    desk("windows").take_over(rehearsal.begins)
    with pytest.raises(StandDown, match="windows"):
        desk("linux").take_over(rehearsal.begins)


def test_nothing_of_the_shadow_is_seen_in_the_ledger_beside_it(rehearsal):
    rehearsal.copy()
    rehearsal.open()
    falls(rehearsal)
    rehearsal.run(until="09:32:00")
    assert rehearsal.orders() == []
    assert rehearsal.fills() == []
    real = Position.objects.get(account=rehearsal.account, symbol=STOCK)
    assert (real.quantity, real.closed_at) == (1000, None)
    (ours,) = rehearsal.of_shadow(Position)
    assert ours.quantity == 0
    assert ours.closed_at is not None


def test_it_begins_with_the_copy_and_not_with_what_the_twin_beside_it_holds(rehearsal):
    bought = (parse_symbol(OTHER), 300, Decimal("9.50"))
    rehearsal.copy(holdings=[bought], cash="1234.56")
    rehearsal.open()
    rehearsal.hold(STOCK, "10.00", since="09:30:00", until="09:31:00")
    rehearsal.run(until="09:30:40")
    shadow = Account.objects.get(pk=rehearsal.shadow.pk)
    assert shadow.cash == Decimal("1234.56")
    assert [(row.symbol, row.quantity) for row in rehearsal.of_shadow(Position)] == [(OTHER, 300)]
    assert Event.objects.filter(account=shadow, code="SHADOW_BEGAN").count() == 1
    assert AccountCopy.objects.get().used_at is not None


def test_a_new_copy_keeps_what_agrees_and_replaces_what_does_not(rehearsal):
    rehearsal.copy(holdings=[HELD, (parse_symbol(OTHER), 300, Decimal("9.50"))])
    rehearsal.open()
    falls(rehearsal)
    rehearsal.hold(OTHER, "9.50", since="09:30:00", until="09:33:00")
    rehearsal.run(until="09:32:00")
    rehearsal.market.close()
    kept = Position.objects.get(account=rehearsal.shadow, symbol=OTHER)
    # The real account did not sell: the next morning's copy has all of it, and bought something else.
    rehearsal.begins = datetime(2023, 2, 2, 8, 50, tzinfo=CHINA)
    rehearsal.copy(holdings=[HELD, (parse_symbol(OTHER), 300, Decimal("9.50"))], cash="7000")
    rehearsal.open()
    for second in range(200):
        now = rehearsal.begins + timedelta(seconds=second)
        rehearsal.shadow_gateway.step(now)
        if second % 10 == 0:
            sync_tick(rehearsal.shadow.pk, now, rehearsal.store, rehearsal.calendar)
    rows = {(row.symbol, row.life): row for row in rehearsal.of_shadow(Position)}
    assert rows[OTHER, 1].pk == kept.pk
    assert rows[OTHER, 1].closed_at is None
    assert rows[STOCK, 1].closed_at is not None
    assert rows[STOCK, 2].quantity == 1000
    books = DayBooks.objects.get(account=rehearsal.shadow, on=date(2023, 2, 2))
    assert books.opening_cash == Decimal(7000)


def test_an_order_that_waits_is_not_met_by_quotes_of_before_the_start(rehearsal):
    rehearsal.copy()
    rehearsal.hold(STOCK, "9.00", since="09:30:00", until="09:30:30")
    rehearsal.hold(STOCK, "10.00", since="09:30:30", until="09:32:00")
    rehearsal.at("09:30:50", lambda: rehearsal.open(rehearsal.moment("09:30:50")))
    rehearsal.run(until="09:31:30")
    assert rehearsal.market.market.exchange.quote_of(Symbol(STOCK)).last == Decimal("10.00")
    assert rehearsal.of_shadow(Fill) == []


def test_without_a_copy_there_is_nothing_to_begin_with_and_with_an_old_one_it_goes_on(rehearsal):
    with pytest.raises(CommandError, match="account_copy"):
        rehearsal.open()
    rehearsal.copy()
    rehearsal.open().close()
    rehearsal.begins = datetime(2023, 2, 2, 8, 50, tzinfo=CHINA)
    again = rehearsal.open()
    assert again.market.exchange.account(BROKER_ACCOUNT).cash == Decimal(50000)
    assert Event.objects.filter(code="SHADOW_NOT_BEGUN", account=rehearsal.shadow).count() == 1


def test_a_day_on_which_it_ordered_does_not_begin_again(rehearsal):
    rehearsal.copy()
    rehearsal.open()
    falls(rehearsal)
    rehearsal.run(until="09:32:00")
    newer = rehearsal.copy()
    assert copy_to_begin_with(rehearsal.shadow, rehearsal.moment("09:33:00")) is None
    tomorrow = rehearsal.moment("09:33:00") + timedelta(days=1)
    assert copy_to_begin_with(rehearsal.shadow, tomorrow) == newer


# -- copies


def copied(*arguments: str) -> str:
    out = StringIO()
    call_command("account_copy", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def paper(db):
    return Account.objects.create(name="mine", broker_account_id="8800123456", mode="paper")


def test_a_copy_comes_from_a_file(paper, tmp_path):
    file = tmp_path / "held.csv"
    file.write_text("symbol,quantity,cost\n600036,1000,35.20\n510300.SH,500,3.9\n", "utf-8")
    assert "2 holdings" in copied("mine", "--file", str(file), "--cash", "50,000.00")
    copy = AccountCopy.objects.get()
    assert (copy.cash, copy.source) == (Decimal(50000), "file")
    assert copy.holdings == [["510300.SH", 500, "3.9"], ["600036.SH", 1000, "35.20"]]
    assert Event.objects.get(code="ACCOUNT_COPIED").actor


@pytest.mark.parametrize(
    ("content", "cash", "says"),
    [
        ("symbol,quantity,cost\n600036,1000,35.20\nnonsense,1,1\n", "1", "line 3"),
        ("symbol,quantity,cost\n600036,-5,35.20\n", "1", "line 2"),
        ("symbol,quantity,cost\n600036,5,\n", "1", "line 2"),
        ("symbol,quantity,cost\n600036,0,1\n", "1", "without shares"),
        ("symbol,quantity,cost\n600036,1,1\n600036,1,1\n", "1", "twice"),
        ("symbol,quantity,cost\n", "much", "--cash"),
    ],
)
def test_a_file_that_cannot_be_used_copies_nothing_and_names_the_line(
    paper, tmp_path, content, cash, says
):
    file = tmp_path / "held.csv"
    file.write_text(content, "utf-8")
    with pytest.raises(CommandError, match=says):
        copied("mine", "--file", str(file), "--cash", cash)
    assert not AccountCopy.objects.exists()


def test_where_no_client_is_the_command_says_how_to_do_without(paper, monkeypatch):
    monkeypatch.delenv("MINIQMT_QMT_PATH", raising=False)
    with pytest.raises(CommandError, match="--file and --cash"):
        copied("mine")


def test_the_line_to_the_real_account_reads_cash_and_holdings(tmp_path):
    world = World(holdings=[(STOCK, 1000, "10.00")], cash="777.77")
    now = world.moment("09:00:00")
    clock = SimpleNamespace(seconds=0.0)

    def wait(seconds):
        clock.seconds += seconds
        world.terminal.step(now + timedelta(seconds=clock.seconds))

    def line():
        return AccountReading(
            xttrader, xttype, world._address, 7, BROKER_ACCOUNT, wait, lambda: clock.seconds
        )

    read = line().read()
    assert read.cash == Decimal("777.77")
    assert [(one.symbol, one.quantity, one.cost) for one in read.holdings] == [HELD]
    assert not any("order" in name or "cancel" in name for name in dir(line()))
    world.terminal.logged_in = False
    with pytest.raises(GatewayUnavailable):
        line().read()


def test_what_is_no_holding_is_not_kept(paper):
    now = datetime(2026, 8, 10, tzinfo=CHINA)
    for held in ([(Symbol("600036.SH"), 0, Decimal(1))], [(Symbol("600036.SH"), 1, Decimal(0))]):
        with pytest.raises(CorrectionError):
            keep_copy(paper, "file", Decimal(1), held, now, now, "wang")


def test_wishes_of_a_person_stay_in_the_shadow_too(rehearsal):
    rehearsal.copy()
    rehearsal.open()
    rehearsal.hold(STOCK, "10.00", since="09:30:00", until="09:33:00")
    account, rehearsal.account = rehearsal.account, rehearsal.shadow
    wish(rehearsal, "09:31:00", STOCK, Side.SELL, 100)
    rehearsal.account = account
    rehearsal.run(until="09:31:30")
    assert rehearsal.exchange.account(BROKER_ACCOUNT).orders == {}


# -- compared with the market


def test_after_the_close_each_recorded_order_is_kept_beside_the_markets_prices(rehearsal):
    rehearsal.copy()
    rehearsal.open()
    falls(rehearsal)
    rehearsal.run(until="09:32:00")
    for clock, price in (("09:30:00", "10.00"), ("09:31:00", "9.20")):
        PricePoint.objects.create(
            symbol=STOCK, at=rehearsal.moment(clock), price=Decimal(price),
            recorded_at=rehearsal.moment(clock),
        )  # fmt: skip
    evening = rehearsal.moment("15:40:00")
    assert compare_shadow_days(evening) == 0  # the books are not closed
    DayBooks.objects.filter(account=rehearsal.shadow).update(closing_cash=Decimal(1))
    assert compare_shadow_days(evening) == 1
    assert compare_shadow_days(evening) == 0
    day = ShadowDay.objects.get()
    (row,) = day.rows.all()
    sold = row.order.filled_amount
    assert (day.orders, day.agreeing) == (1, 1)
    assert (row.tape, row.reached) == ("filled", Decimal("9.20"))
    assert day.difference == row.difference == sold - 9200
    event = Event.objects.get(code="SHADOW_COMPARED")
    assert "1 orders recorded, none sent" in event.text_en
    view = daily_view(AccountNow(rehearsal.shadow, evening), rehearsal.on, rehearsal.calendar)
    assert [one.order.pk for one in view.shadow] == [row.order_id]


def test_a_day_without_orders_is_compared_as_well(rehearsal):
    rehearsal.copy()
    DayBooks.objects.create(
        account=rehearsal.shadow, on=rehearsal.on, state="matched", closing_cash=Decimal(1)
    )
    assert compare_shadow_days(rehearsal.moment("15:40:00")) == 1
    assert (ShadowDay.objects.get().orders, ShadowOrder.objects.count()) == (0, 0)
