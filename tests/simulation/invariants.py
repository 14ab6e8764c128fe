"""I1-I20 of the order protocol, asked of a world that has settled: our rows against what the twin itself remembers.

Nothing here calls the code it checks: quantities, cash, fees and histories are added up again from rows and from the
exchange's own orders and trades. Each check returns sentences that begin with the number of what is broken.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal

from tests.simulation.database import TODAY
from tests.simulation.facts import Facts
from tests.simulation.grid_invariants import CHECKS as GRID_CHECKS
from tests.simulation.world import World
from trading.domain.types import Side
from trading.paper import xtconstant

Check = Callable[[Facts], Iterator[str]]

_ENDED = {"filled", "cancelled", "partially_cancelled", "rejected", "absent", "expired"}
#: What may follow each state (design, life of an order); a late fill corrects a cancel.
_MAY_FOLLOW = {
    "cancelled": {"partially_cancelled", "filled"},
    "partially_cancelled": {"filled"},
}
#: Events of the main switch, and what it then is.
_TURNS = {"TRADING_ACTIVE": "active", "TRADING_REDUCING": "reducing", "TRADING_HALTED": "halted"}


def i1_one_broker_order(facts: Facts) -> Iterator[str]:
    """One broker order per order of ours, and one live order per symbol, side and purpose."""
    remarks = Counter(order.remark for order in facts.broker_orders if order.remark)
    for remark, count in remarks.items():
        if count > 1:
            yield f"I1 {remark} exists {count} times at the broker"
    posted = Counter(sent.remark for sent in facts.world.wire.sent)
    for remark, count in posted.items():
        if count > 1:
            yield f"I1 {remark} was posted {count} times"
    for arrived in facts.world.arrived:
        ours = facts.orders.get(arrived.order.remark)
        for other in arrived.working:
            theirs = facts.orders.get(other.remark)
            if ours is None or theirs is None or ours.purpose != theirs.purpose:
                continue
            if not (ours.was_unknown or theirs.was_unknown):
                yield f"I1 {other.remark} was still live when {arrived.order.remark} arrived"


def i2_every_broker_order_is_ours(facts: Facts) -> Iterator[str]:
    """Every broker order with our mark has its order, whose books do not deny it; numbers name the right one."""
    at_broker = {order.order_id: order for order in facts.broker_orders}
    for order in facts.broker_orders:
        row = facts.orders.get(order.remark)
        if order.remark and row is None:
            yield f"I2 broker order {order.order_id} carries {order.remark}, which no order has"
        elif order.refused and facts.world.never_shown(order.order_id):
            continue
        elif row is not None and row.state in ("absent", "expired"):
            yield f"I2 {order.remark} is {row.state} in our books and exists at the broker"
    for row in facts.orders.values():
        shown = at_broker.get(row.broker_order_id or 0)
        if shown is not None and shown.remark != row.client_order_id:
            yield f"I2 {row.client_order_id} is taken for broker order {shown.order_id} of {shown.remark or 'a person'}"


def i3_every_fill_once(facts: Facts) -> Iterator[str]:
    """Every broker fill is booked once, whole; an order's filled quantity is the sum of its fills and the broker's."""
    yield from facts.world.problems
    theirs = Counter((t.traded_id, t.side.value, t.quantity, t.price) for t in facts.trades)
    ours = Counter((f.traded_id, f.side, f.quantity, f.price) for f in facts.fills)
    for missing in theirs - ours:
        yield f"I3 broker fill {missing} is not booked so"
    for invented in ours - theirs:
        yield f"I3 booked fill {invented} is not the broker's"
    booked: dict[int | None, int] = defaultdict(int)
    for fill in facts.fills:
        booked[fill.order_id] += fill.quantity
    by_remark = {order.remark: order for order in facts.broker_orders if order.remark}
    for row in facts.orders.values():
        if booked[row.pk] != row.filled_quantity:
            yield f"I3 {row.client_order_id} says {row.filled_quantity} filled, its fills {booked[row.pk]}"
        shown = by_remark.get(row.client_order_id)
        known = shown is not None and row.state != "unknown" and facts.bindable
        if known and shown is not None and shown.traded_quantity != row.filled_quantity:
            yield f"I3 {row.client_order_id} filled {row.filled_quantity}, at the broker {shown.traded_quantity}"


def i4_positions_add_up(facts: Facts) -> Iterator[str]:
    """A holding is its opening and its fills; a life is open exactly while it has shares."""
    held = {str(s): h.quantity for s, h in facts.world.account.positions.items() if h.quantity}
    ours = {row.symbol: row.quantity for row in facts.positions if row.closed_at is None}
    for symbol in sorted({*held, *ours}):
        if held.get(symbol, 0) != ours.get(symbol, 0):
            yield f"I4 {symbol}: {ours.get(symbol, 0)} in our books, {held.get(symbol, 0)} at the broker"
    for row in facts.positions:
        if row.closed_at is None and row.quantity == 0:
            yield f"I4 {row.symbol} #{row.life} is open with no shares"


def i5_cash_adds_up(facts: Facts) -> Iterator[str]:
    """Cash is the opening, less what buys cost, plus what sales brought, less fees: to the cent."""
    cash = facts.opening_cash
    for fill in facts.fills:
        amount = fill.price * fill.quantity
        cash += (amount if fill.side == "sell" else -amount) - fill.fees
    account = facts.world.account
    if cash != account.cash + account.frozen_cash:
        yield f"I5 by our fills {cash} yuan, at the broker {account.cash + account.frozen_cash}"
    if facts.armed and facts.account.cash != account.cash:
        yield f"I5 our books say {facts.account.cash} yuan usable, the broker {account.cash}"


def i6_never_oversold(facts: Facts) -> Iterator[str]:
    """No sale of ours asks for more than the broker can sell when it arrives."""
    for arrived in facts.world.arrived:
        order = arrived.order
        too_much = order.side is Side.SELL and order.quantity > arrived.sellable
        if order.remark and too_much and not facts.somebody_sold(order.symbol):
            yield f"I6 {order.remark} sells {order.quantity} of {order.symbol}, {arrived.sellable} could be"
    for row in facts.positions:
        if row.quantity < 0:
            yield f"I6 {row.symbol} holds {row.quantity}"


def i7_t_plus_one(facts: Facts) -> Iterator[str]:
    """Shares bought today are not sold today (T+1 instruments)."""
    sold: dict[str, int] = defaultdict(int)
    for arrived in facts.world.arrived:
        if arrived.order.remark and arrived.order.side is Side.SELL:
            free = facts.opening_yesterday.get(arrived.order.symbol, 0)
            if arrived.order.quantity > free and facts.is_t1(arrived.order.symbol):
                yield f"I7 {arrived.order.remark} sells {arrived.order.quantity} {arrived.order.symbol}, {free} are of yesterday"
    for trade in facts.trades:
        if trade.side is Side.SELL:
            sold[trade.symbol] += trade.quantity
    for symbol, quantity in sold.items():
        if facts.is_t1(symbol) and quantity > facts.opening_yesterday.get(symbol, 0):
            yield f"I7 {quantity} {symbol} were sold today, yesterday's were {facts.opening_yesterday.get(symbol, 0)}"


def i8_as_the_exchange_allows(facts: Facts) -> Iterator[str]:
    """No order of ours is refused for its session, limits, lot or price step."""
    for order in facts.broker_orders:
        if not order.remark or order.status != xtconstant.ORDER_JUNK:
            continue
        if any(
            word in order.message
            for word in ("时段", "最小价格", "涨跌停", "数量不合法", "未开市")
        ):
            yield f"I8 {order.remark} was refused: {order.message}"


def i9_caps(facts: Facts) -> Iterator[str]:
    """No chain trades more than was decided; buys of ours never fail for want of cash."""
    chains: dict[int, int] = defaultdict(int)
    for row in facts.orders.values():
        chains[row.root_id or row.pk] += row.filled_quantity
    for row in facts.orders.values():
        if row.root_id is None and chains[row.pk] > row.chain_quantity:
            yield f"I9 the chain of {row.client_order_id} was to trade {row.chain_quantity} and traded {chains[row.pk]}"
    for order in facts.broker_orders:
        if order.remark and "资金不足" in order.message and not facts.somebody_bought():
            yield f"I9 {order.remark} had no cash"


def i10_halted(facts: Facts) -> Iterator[str]:
    """Nothing is sent after HALTED is committed; in REDUCING no buy is."""
    for sent in facts.world.wire.sent:
        if sent.halted or (sent.reducing and sent.buys):
            yield f"I10 {sent.remark} was sent at {sent.at:%H:%M:%S} in spite of the main switch"


def i11_settings(facts: Facts) -> Iterator[str]:
    """A decision uses settings that were the newest at most one tick before."""
    for row in facts.orders.values():
        newest = max(
            number
            for at, number in facts.world.revisions
            if at <= row.approved_at - timedelta(seconds=5) or number == 2
        )
        if row.config_revision < newest:
            yield f"I11 {row.client_order_id} was decided by revision {row.config_revision}, {newest} was committed"


def i12_audit(facts: Facts) -> Iterator[str]:
    """Every state an order is in was written down, in an unbroken row; so were the main switch and every setting."""
    for row in facts.orders.values():
        state = ""
        for event in facts.moves[row.pk]:
            if event.old_state != state:
                yield f"I12 {row.client_order_id}: from {state or 'nothing'}, the next event says from {event.old_state}"
            state = event.new_state
        if state != row.state:
            yield f"I12 {row.client_order_id} is {row.state}, its last event says {state}"
    turns = [_TURNS[event.code] for event in facts.events if event.code in _TURNS]
    told = turns[-1] if turns else "active"
    if facts.account.trading_state != told:
        yield f"I12 the main switch is {facts.account.trading_state}, the journal says {told}"
    for _, number in facts.world.revisions:
        if not facts.reasons.get(number):
            yield f"I12 nobody wrote down why the settings became revision {number}"


def i13_ends_stay(facts: Facts) -> Iterator[str]:
    """An order that ended changes only when a late fill corrects its cancel."""
    for row in facts.orders.values():
        for event in facts.moves[row.pk]:
            allowed = _MAY_FOLLOW.get(event.old_state, set())
            if event.old_state in _ENDED and event.new_state not in allowed:
                yield f"I13 {row.client_order_id} went from {event.old_state} to {event.new_state}"


def i14_doubt_is_told(facts: Facts) -> Iterator[str]:
    """No order stays SUBMITTING, and none is UNKNOWN without an alarm."""
    for row in facts.orders.values():
        if row.state == "submitting":
            yield f"I14 {row.client_order_id} is still submitting"
        if row.was_unknown and not facts.alarms("ORDER_UNKNOWN", row.symbol):
            yield f"I14 {row.client_order_id} was unknown and nobody was told"


def i15_one_submitter(facts: Facts) -> Iterator[str]:
    """Only who holds the lease submits."""
    for sent in facts.world.wire.sent:
        if sent.epoch < sent.lease:
            yield f"I15 {sent.remark} was sent under epoch {sent.epoch}, {sent.lease} holds the lease"


def i16_quotes(facts: Facts) -> Iterator[str]:
    """A signal quotes a price that was really shown, of the last 90 seconds."""
    for signal in facts.signals:
        if signal.kind == "manual":
            continue
        shown = facts.shown.get((signal.symbol, signal.quote_time.replace(microsecond=0)), set())
        if signal.last not in shown:
            yield f"I16 {signal.symbol} {signal.kind} saw {signal.last}, which was never quoted at {signal.quote_time}"
        if signal.held_at - signal.quote_time > timedelta(seconds=90):
            yield f"I16 {signal.symbol} {signal.kind} was decided on a quote {signal.held_at - signal.quote_time} old"


def i17_nothing_written_off(facts: Facts) -> Iterator[str]:
    """A bad answer never reduces a holding: each life is what it began with and its own fills."""
    change: dict[int | None, int] = defaultdict(int)
    for fill in facts.fills:
        change[fill.position_id] += fill.quantity if fill.side == "buy" else -fill.quantity
    for row in facts.positions:
        began = facts.opening_yesterday.get(row.symbol, 0) if row.life == 1 else 0
        if row.quantity != began + change[row.pk]:
            yield f"I17 {row.symbol} #{row.life} has {row.quantity}, it began with {began} and its fills add {change[row.pk]}"


def i18_alive(facts: Facts) -> Iterator[str]:
    """When all is well again the gateway is armed, and what broke its stop is sold, or it is said why not."""
    if not facts.armed:
        yield f"I18 the gateway is not armed: {facts.account.gateway_reason}"
        return
    if facts.account.trading_state == "halted" or facts.world.closed:
        return
    for row in facts.positions:
        reached = row.closed_at is None and facts.under_stop(row)
        if reached and facts.free(row) >= 100 and not facts.explained(row):
            yield f"I18 {row.symbol}: {facts.free(row)} shares are under their stop and nothing is done about it"


def i19_no_error_swallowed(facts: Facts) -> Iterator[str]:
    """Every error that was logged was one we made happen."""
    unexpected = [text for text in facts.world.errors.records if "database is locked" not in text]
    for text in unexpected:
        yield f"I19 {text}"
    for program in facts.world.programs:
        trader = getattr(program.broker, "_trader", None)
        for problem in trader.swallowed if trader is not None else ():
            yield f"I19 a callback raised {problem!r}"


def i20_reservations(facts: Facts) -> Iterator[str]:
    """What our books hold open is open at the broker, and the other way round; else nothing is reserved."""
    live = {order.remark: order for order in facts.broker_orders if order.working and order.remark}
    for row in facts.orders.values():
        shown = live.get(row.client_order_id)
        if row.state in _ENDED and shown is not None:
            yield f"I20 {row.client_order_id} is {row.state} in our books and live at the broker"
        works = row.state not in (*_ENDED, "approved") and not facts.in_doubt(row)
        if works and facts.world.closed:
            yield f"I20 {row.client_order_id} is {row.state} after the books closed"
        elif works and shown is None and facts.bindable:
            yield f"I20 {row.client_order_id} is {row.state} in our books and not open at the broker"
    open_buys = [order for order in facts.broker_orders if order.working and order.frozen_cash]
    if not open_buys and Decimal(facts.account.frozen_cash or 0) != 0 and facts.armed:
        yield f"I20 {facts.account.frozen_cash} yuan are frozen in our books for nothing"


CHECKS: tuple[Check, ...] = (
    i1_one_broker_order,
    i2_every_broker_order_is_ours,
    i3_every_fill_once,
    i4_positions_add_up,
    i5_cash_adds_up,
    i6_never_oversold,
    i7_t_plus_one,
    i8_as_the_exchange_allows,
    i9_caps,
    i10_halted,
    i11_settings,
    i12_audit,
    i13_ends_stay,
    i14_doubt_is_told,
    i15_one_submitter,
    i16_quotes,
    i17_nothing_written_off,
    i18_alive,
    i19_no_error_swallowed,
    i20_reservations,
)


def broken(world: World) -> list[str]:
    """Return everything that does not hold, in the order of the invariants."""
    facts = Facts(world)
    return [sentence for check in (*CHECKS, *GRID_CHECKS) for sentence in check(facts)]


__all__ = ["CHECKS", "TODAY", "broken"]
