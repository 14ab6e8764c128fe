"""From the decision to the last fill, over a terminal whose news come late, doubled, reordered or not at all."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from tests.integration.scenes import (
    FELL,
    OTHER,
    STOCK,
    account,
    at_broker,
    codes,
    falling,
    moves,
    restart,
    start_gateway,
    stop_gateway,
    wish,
)
from tests.misbehaving import Misbehaving, answers, doubled, late, lost, pushes
from trading.domain.types import Side, SignalKind, Text, TradingState
from trading.models import Fill, Order, Position
from trading.paper import xtconstant
from trading.services.accounts import set_trading_state

pytestmark = [
    pytest.mark.orders,
    pytest.mark.unattended,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]

TRADES = pushes("stock_trade")


def _books_agree(world):
    """Every fill of the terminal is in our books once, and no other (I3); holdings and cash follow."""
    broker = world.exchange.account("8800000001")
    assert sorted(f.traded_id for f in world.fills()) == sorted(t.traded_id for t in broker.trades)
    for row in Position.objects.filter(account=world.account):
        held = broker.positions.get(row.symbol)
        assert row.quantity == (held.quantity if held else 0)
    for order in world.orders():
        assert order.filled_quantity == sum(f.quantity for f in world.fills(order=order))
        assert order.filled_amount == sum(f.amount for f in world.fills(order=order))


@pytest.mark.parametrize(
    "misbehaviour",
    [
        pytest.param({}, id="well"),
        pytest.param({"back": doubled(pushes("stock_order", "stock_trade"), 24)}, id="x24"),
        pytest.param({"back": doubled(answers("order_stock"), 3)}, id="answer-x3"),
        pytest.param({"back": late(answers("order_stock"), 5)}, id="push-before-response"),
        pytest.param({"back": lost(answers("order_stock"))}, id="no-response"),
        pytest.param({"back": lost(pushes("stock_order", "stock_trade"))}, id="no-push"),
        pytest.param({"back": lost(TRADES)}, id="no-trade-push"),
        pytest.param({"back": lost(pushes("stock_order"))}, id="no-order-push"),
        pytest.param({"back": late(TRADES, 20)}, id="trades-late"),
        pytest.param({"back": late(pushes("stock_order"), 20)}, id="orders-late"),
    ],
)
def test_f018_f020_every_fill_is_booked_once_however_its_news_arrive(misbehaviour):
    terminal = Misbehaving(**misbehaviour)
    world = falling(terminal, book={})
    world.run(until="09:32:00")
    [order] = world.orders()
    assert (order.state, order.filled_quantity) == ("filled", 1000)
    assert len(terminal.calls("order_stock")) == 1
    assert set(codes(world)) <= {"HOLDING_ADOPTED", "PUSHES_DEAD", "PUSHES_DEAD_OVER"}
    _books_agree(world)


def test_f018_pushes_in_reverse_order_book_the_same():
    first = {}

    def reversed_pushes(message, now):
        if not pushes("stock_order", "stock_trade")(message):
            return None
        number = first.setdefault("n", 0)
        first["n"] += 1
        return (now + timedelta(seconds=max(0, 12 - number)),)

    world = falling(
        Misbehaving(back=reversed_pushes),
        book={"bids": [("9.19", 300), ("9.18", 300), ("9.17", 300), ("9.16", 300)]},
    )
    world.run(until="09:32:00")
    assert sum(order.filled_quantity for order in world.orders()) == 1000
    _books_agree(world)


@pytest.mark.parametrize(
    ("remark", "silent"),
    [
        (lambda text: text[:8], False),
        (lambda text: text[:8], True),
        (
            lambda text: "",
            False,
        ),  # with the answer lost too, nothing would name the order any more
        (lambda text: text + "#1", False),
        (lambda text: text + "#1", True),
    ],
)
def test_f003_a_remark_cut_emptied_or_added_to_still_finds_its_order(remark, silent):
    # The answer carries the seq; with it lost, what is left of the remark has to do.
    def spoil(row):
        return {**row, "order_remark": remark(row["order_remark"])}

    class Spoiling(Misbehaving):
        def times(self, message, now):
            if message["push"] in ("stock_order", "stock_trade"):
                message["row"] = spoil(message["row"])
            if answers("order_stock")(message):
                message["result"] = spoil(message["result"])
                return () if silent else (now + timedelta(seconds=2),)
            return (now,)

        def answer(self, request, result):
            if request["op"] in ("query_stock_orders", "query_stock_trades") and result:
                return [spoil(row) for row in result]
            return result

    terminal = Spoiling()
    world = falling(terminal, book={})
    world.run(until="09:31:50")
    [order] = world.orders()
    assert (order.state, order.filled_quantity) == ("filled", 1000)
    assert len(terminal.calls("order_stock")) == 1
    _books_agree(world)


def test_f014_yesterdays_fills_pushed_again_are_ignored():
    world = falling(book={})

    def replay():
        row = {
            "account_id": "8800000001",
            "stock_code": STOCK,
            "order_type": 24,
            "traded_id": "OLD1",
            "traded_price": 9.5,
            "traded_volume": 500,
            "traded_time": int((world.moment("10:00:00") - timedelta(days=1)).timestamp()),
            "traded_amount": 4750.0,
            "order_id": 7,
            "order_sysid": "77",
            "strategy_name": "",
            "order_remark": "",
            "direction": 0,
            "offset_flag": 49,
            "commission": 5.0,
            "secu_account": "",
            "instrument_name": "",
        }
        for _ in range(24):
            world.terminal.tell("8800000001", {"push": "stock_trade", "row": row})

    world.at("09:30:20", replay)
    world.run(until="09:30:40")
    assert world.fills() == []
    assert world.position(STOCK).quantity == 1000


def test_f037_no_transaction_is_open_while_the_terminal_is_called():
    # Whoever waits for the terminal holds no lock of the database: savepoints are what tests see of transactions.
    world = falling(settings={"sell_order_timeout": "10"})
    held = []

    def watched(name):
        really = getattr(world._broker, name)

        def call(*arguments):
            held.append((name, len(connection.savepoint_ids)))
            return really(*arguments)

        return call

    for name in ("connect", "submit", "cancel", "request_snapshot"):
        setattr(world._broker, name, watched(name))
    world.run(until="09:31:30")
    assert {name for name, _ in held} == {"connect", "submit", "cancel", "request_snapshot"}
    assert {depth for _, depth in held} == {0}


def test_two_partial_fills_of_one_second_are_two_fills():
    world = falling(book={"bids": [("9.19", 400), ("9.18", 600), ("9.17", 900)]})
    world.run(until="09:31:10")
    fills = world.fills()
    assert [(f.quantity, f.price) for f in fills] == [
        (400, Decimal("9.19")),
        (600, Decimal("9.18")),
    ]
    assert fills[0].at == fills[1].at
    _books_agree(world)


def test_a_fill_without_an_id_waits_for_the_query_that_names_it():
    class Nameless(Misbehaving):
        def times(self, message, now):
            if TRADES(message):
                message["row"] = {**message["row"], "traded_id": ""}
            return (now,)

    world = falling(Nameless(), book={})
    world.run(until="09:31:20")
    assert [order.state for order in world.orders()] == ["filled"]
    assert len(world.fills()) == 1
    _books_agree(world)


def test_f030_an_order_shown_filled_waits_for_the_fills_that_are_missing():
    hidden = {"query_stock_trades": [], "until": "09:31:20"}
    held = []

    def shown(request, truth):
        early = world.exchange.now < world.moment(hidden["until"])
        return [] if request["op"] == "query_stock_trades" and early else truth

    world = falling(Misbehaving(back=lost(TRADES), shown=shown), book={})
    world.at("09:31:15", lambda: held.extend((o.state, o.filled_quantity) for o in world.orders()))
    world.run(until="09:31:40")
    assert held == [("submitted", 0)]
    assert [(o.state, o.filled_quantity) for o in world.orders()] == [("filled", 1000)]
    _books_agree(world)


@pytest.mark.parametrize(("quantity", "state"), [(300, "partially_cancelled"), (1000, "filled")])
def test_f010_a_fill_that_is_told_after_the_cancel_corrects_it(quantity, state):
    # The order fills while our cancel is on its way; the trades are hidden from us until 20 s later.
    def shown(request, truth):
        early = world.exchange.now < world.moment("09:31:55")
        if request["op"] == "query_stock_trades" and early:
            return []
        if request["op"] == "query_stock_orders" and early and truth:
            cancelled = xtconstant.ORDER_CANCELED
            done = world.exchange.now >= world.moment("09:31:36")
            return [
                {**row, "traded_volume": 0, "order_status": cancelled if done else 50}
                for row in truth[:1]
            ]
        return truth

    world = falling(
        Misbehaving(back=lost(pushes("stock_trade", "stock_order")), shown=shown),
        settings={"reorder_max_attempts": "0"},
    )
    world._made = [q for q in world._made if q.time < world.moment("09:31:27")]
    bids = [("9.20", quantity)]
    world.quote("09:31:27", STOCK, "9.20", bids=bids, volume=2_000_100)
    world.hold(STOCK, "9.20", since="09:31:30", until="09:33:00", bids=[], volume=2_000_100)
    world.run(until="09:32:10")
    order = world.orders()[0]
    assert "cancelled" in moves(order)
    assert (order.state, order.filled_quantity) == (state, quantity)
    assert order.ended_at is not None


# -- refusals: three channels, one end


def _answers_minus_1(request, truth):
    if request["op"] != "order_stock":
        return truth
    return {**truth, "order_id": -1, "error_msg": "price type"}


class _NeverArrives(Misbehaving):
    """The client itself refuses: −1, no order row, no push, no error."""

    def arrivals(self, request, now):
        if request["op"] == "order_stock":
            request["order_volume"] = 0
        return super().arrivals(request, now)


def test_f005_f006_a_response_of_minus_1_is_one_rejection_and_frees_the_shares():
    terminal = _NeverArrives()
    world = falling(terminal)
    world.run(until="09:31:04")
    [order] = world.orders()
    assert (order.state, order.end_reason) == ("rejected", "REJECTED")
    assert order.message
    assert codes(world).count("ORDER_REJECTED") == 1
    assert order.chain_settled
    assert at_broker(world) == []


def test_an_order_error_before_its_response_is_one_rejection():
    world = falling()
    real = world.terminal._op_order_stock

    def without_login(client, message):
        world.terminal._statuses["8800000001"] = 5
        try:
            return real(client, message)
        finally:
            world.terminal._statuses["8800000001"] = 0

    world.terminal._op_order_stock = without_login
    world.run(until="09:31:04")
    [order] = world.orders()
    assert order.state == "rejected"
    assert codes(world).count("ORDER_REJECTED") == 1


def test_a_row_with_status_57_is_one_rejection_with_its_words():
    # 9.20 is no valid price for this counter: it knows the share as limited to 9.50.
    world = falling(book={"bids": [], "volume": 2_000_000})
    real = world.exchange.submit
    world.exchange.submit = lambda *given: real(*given[:8], "[COUNTER] 委托价格超过涨跌停价格限制")
    world.run(until="09:31:04")
    [order] = world.orders()
    assert (order.state, order.message) == ("rejected", "[COUNTER] 委托价格超过涨跌停价格限制")
    assert codes(world).count("ORDER_REJECTED") == 1


def test_three_rejections_in_60_s_stop_buying_and_protective_sells_cool_down():
    terminal = _NeverArrives()
    world = falling(terminal, until="09:36:00")
    world.run(until="09:34:00")
    assert account(world).trading_state == TradingState.REDUCING
    assert all(order.state == "rejected" for order in world.orders())
    sent = [order.claimed_at for order in world.orders()]
    assert 4 <= len(sent) <= 5
    assert sent[3] - sent[2] >= timedelta(seconds=60)


def test_a_minus_1_for_an_order_that_lives_all_the_same_halts_and_is_never_sent_twice():
    terminal = Misbehaving(shown=_answers_minus_1)
    world = falling(terminal, until="09:34:00")
    world.run(until="09:33:00")
    assert len(at_broker(world)) == 1
    assert account(world).trading_state == TradingState.HALTED


# -- a power cut


def test_f021_an_order_our_books_forgot_to_have_sent_is_bound_and_never_sent_again():
    # The database loses the commit of the claim: APPROVED in our books, live at the broker.
    terminal = Misbehaving()
    world = falling(terminal, until="09:32:00")
    really = world._broker.submit

    def submit_and_lose_the_commit(request):
        seq = really(request)
        stop_gateway(world)
        return seq

    def roll_back():
        order = Order.objects.get()
        order.events.model._base_manager.filter(order=order, new_state="submitting").delete()
        Order.objects.filter(pk=order.pk).update(
            state="approved", epoch=0, seq=None, claimed_at=None, broker_order_id=None
        )

    world._broker.submit = submit_and_lose_the_commit
    world.at("09:31:01", roll_back)
    world.at("09:31:02", lambda: start_gateway(world))
    world.run(until="09:31:20")
    [order] = world.orders()
    assert moves(order) == ["approved", "submitted"]
    assert len(terminal.calls("order_stock")) == 1


def test_f021_forgotten_and_its_time_in_the_outbox_over_it_is_bound_all_the_same():
    terminal = Misbehaving()
    world = falling(terminal, until="09:33:00")
    really = world._broker.submit

    def submit_and_lose_the_commit(request):
        seq = really(request)
        stop_gateway(world)
        return seq

    def roll_back():
        Order.objects.update(
            state="approved", epoch=0, seq=None, claimed_at=None, broker_order_id=None
        )

    world._broker.submit = submit_and_lose_the_commit
    world.at("09:31:01", roll_back)
    world.at("09:31:40", lambda: start_gateway(world))
    world.run(until="09:31:50")
    [order] = world.orders()
    assert order.state == "submitted"
    assert account(world).trading_state == TradingState.ACTIVE
    assert len(terminal.calls("order_stock")) == 1


# -- the last check before the call, the outbox, the pace


@pytest.mark.parametrize(
    ("switch", "sent"), [(TradingState.HALTED, False), (TradingState.REDUCING, True)]
)
def test_a_kill_switch_thrown_between_approval_and_claim_holds_the_order_back(switch, sent):
    terminal = Misbehaving()
    world = falling(terminal)
    world._nudge = lambda account_id: (
        set_trading_state(account_id, switch, Text("test", "测试"), world.moment(FELL)),
        type(world)._nudge(world, account_id),
    )
    world.run(until="09:31:04")
    orders = world.orders()
    assert len(terminal.calls("order_stock")) == int(sent)
    assert orders[0].state == ("submitted" if sent else "expired")
    assert orders[0].end_reason == ("" if sent else "TRADING_STATE")


@pytest.mark.parametrize(("kind", "seconds"), [(SignalKind.STOP_LOSS, 15), (SignalKind.MANUAL, 5)])
def test_an_order_that_waited_too_long_in_the_outbox_is_not_sent(kind, seconds):
    terminal = Misbehaving()
    world = falling(terminal, until="09:32:00")
    if kind is SignalKind.MANUAL:
        world._made = [q for q in world._made if q.last == Decimal("10.00")]
        world.hold(STOCK, "10.00", since=FELL, until="09:32:00")
        wish(world, "09:30:59", STOCK, Side.SELL, 100)
    at = {True: [], False: []}

    def take(epoch, now):
        [order] = world.orders()[:1]
        late = (now - order.approved_at).total_seconds() > seconds if order else False
        at[late].append(now)
        return None

    really = world.gateway._desk.claim_next
    world.gateway._desk.claim_next = lambda epoch, now: (
        None
        if now < world.moment("09:31:00") + timedelta(seconds=seconds + 1)
        else really(epoch, now)
    )
    world.run(until=f"09:31:{seconds + 1:02}")
    first = world.orders()[0]
    assert (first.state, first.end_reason) == ("expired", "OUTBOX_EXPIRED")
    assert first.ended_at == world.moment("09:31:00") + timedelta(seconds=seconds + 1)


def test_f028_orders_leave_two_a_second_exits_before_a_persons_and_none_is_lost():
    stocks = [f"6000{n}.SH" for n in range(10, 16)]
    terminal = Misbehaving()
    world = falling(terminal, holdings=tuple((s, 1000, "10.00") for s in stocks), book={})
    wish(world, "09:30:59", stocks[0], Side.BUY, 100, price="9.20")
    world.hold(OTHER, "10.00", since="09:30:00", until="09:33:00")
    wish(world, "09:30:58", stocks[1], Side.SELL, 100, price="9.20")
    world.run(until="09:31:30")
    sent = [order.claimed_at for order in world.orders() if order.claimed_at]
    assert all(sent.count(at) <= 2 for at in sent)
    exits = [o for o in world.orders() if o.kind == "stop_loss"]
    assert sorted(o.symbol for o in exits if o.state == "filled") == stocks


# -- two writers


def test_i15_a_second_gateway_takes_over_and_the_first_moves_no_row_any_more():
    world = falling(until="09:32:00")
    old = world.gateway

    def second():
        restart(world, died=False, session=101)

    world.at("09:30:50", second)
    moved = []

    def old_one_tries():
        now = world.exchange.now
        moved.append(old._desk.claim_next(old._epoch, now))
        moved.append(old._desk.expire(now))
        moved.append(old._desk.claim_cancels(old._epoch, now, now))

    world.at("09:31:02", old_one_tries)
    world.run(until="09:31:10")
    [order] = world.orders()
    assert moved == [None, 0, []]
    assert order.state == "submitted"
    assert order.epoch == world.gateway._epoch > old._epoch


def test_f156_two_desks_claim_the_same_order_and_one_of_them_wins():
    world = falling()
    claims = []

    def race():
        now = world.exchange.now
        desk, epoch = world.gateway._desk, world.gateway._epoch
        order = Order.objects.get()
        from trading.domain.orders import OrderState
        from trading.services.moves import move

        stale = Order.objects.get()
        claims.append(move(order, OrderState.SUBMITTING, epoch, now, claimed_at=now, epoch=epoch))
        claims.append(move(stale, OrderState.SUBMITTING, epoch, now, claimed_at=now, epoch=epoch))
        claims.append(desk.claim_next(epoch, now))

    world.gateway._desk.claim_next, really = (
        lambda epoch, now: None,
        world.gateway._desk.claim_next,
    )
    world.at(FELL, lambda: (setattr(world.gateway._desk, "claim_next", really), race()))
    world.run(until="09:31:02")
    assert claims == [True, False, None]


def test_f048_a_doubled_tick_decides_once():
    from trading.services.orders_tick import orders_tick
    from trading.services.tick import strategy_tick

    world = falling(skip=False)
    doubled_calls = []

    def again():
        for tick in (strategy_tick, strategy_tick, orders_tick, orders_tick):
            doubled_calls.append(
                tick(
                    world.account.pk, world.exchange.now, world.store, world.calendar, world._nudge
                )
            )

    world.at(FELL, again)
    world.run(until="09:31:20")
    assert doubled_calls[:2] == [0, 0]
    assert len(world.orders()) == 1
    assert Fill.objects.count() == 0
