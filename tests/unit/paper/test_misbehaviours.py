"""Each misbehaviour of the twin, as a program sees it through the look-alike; the honest terminal shows none of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.paper.market_day import MONDAY, at, exchange
from tests.unit.paper.misbehaving_session import Heard, Session
from trading.paper.misbehaviours import NAMES, Misbehaviours
from trading.paper.terminal import Terminal

pytestmark = [pytest.mark.fast, pytest.mark.orders]

#: Seeds among which a misbehaviour shows itself.
SEEDS = range(1, 9)


def minus_one_though_live(s: Session) -> bool:
    return any(seq == -1 and s.order(remark) for remark, (_, seq) in s.calls.items())


def accepted_though_swallowed(s: Session) -> bool:
    known = {order.order_id for order in s.orders}
    answers = s.of("order_stock_async_response")
    return any(heard.what.order_id > 0 and heard.what.order_id not in known for heard in answers)


def silent_refusal(s: Session) -> bool:
    refused = [h.what for h in s.of("order_stock_async_response") if h.what.order_id == -1]
    return any(s.order(one.order_remark) is None for one in refused) and not s.of("order_error")


def cancel_false_though_done(s: Session) -> bool:
    failed = {h.what.order_id for h in _cancels(s) if h.what.cancel_result == -1}
    return any(order.order_id in failed and order.status in (53, 54) for order in s.orders)


def cancel_true_for_nothing(s: Session) -> bool:
    done = {h.what.order_id for h in _cancels(s) if h.what.cancel_result == 0}
    return any(order.order_id in done and order.working for order in s.orders)


def cancel_throttled(s: Session) -> bool:
    return any("频繁" in heard.what.error_msg for heard in _cancels(s))


def connect_minus_one(s: Session) -> bool:
    return -1 in s.connects


def zombie(s: Session) -> bool:
    arrived = [(s.order(remark), posted) for remark, (posted, _) in s.calls.items()]
    return any(order and order.at - posted >= timedelta(seconds=5) for order, posted in arrived)


def lost_request(s: Session) -> bool:
    answered = {heard.what.order_remark for heard in s.of("order_stock_async_response")}
    return any(s.order(remark) is None and remark not in answered for remark in s.calls)


def callback_before_response(s: Session) -> bool:
    first: dict[str, int] = {}
    for number, heard in enumerate(s.heard):
        if heard.kind == "stock_order":
            first.setdefault(heard.what.order_remark, number)
        if heard.kind == "order_stock_async_response" and heard.what.order_remark in first:
            return True
    return False


def duplicated(s: Session) -> bool:
    return max(_times_told(s).values(), default=0) >= 24


def reordered(s: Session) -> bool:
    statuses: dict[int, list[int]] = {}
    for heard in s.of("stock_order"):
        statuses.setdefault(heard.what.order_id, []).append(heard.what.order_status)
    return any(
        50 in told and told.index(50) < max(_places(told, 49)) for told in statuses.values()
    )


def delayed(s: Session) -> bool:
    return any(_late(heard) >= 1 for heard in s.of("stock_trade"))


def never_told(s: Session) -> bool:
    told, trades = _times_told(s), s.exchange.account("8880001").trades
    return any(not told[one.traded_id] for one in trades if one.at < at("10:00:50"))


def pushes_dead(s: Session) -> bool:
    return bool(s.rows("trades")) and not s.of("stock_trade")


def answers_late(s: Session) -> bool:
    return any(h.at - h.asked_at >= timedelta(seconds=1) for h in s.of("orders") if h.asked_at)


def none_lists(s: Session) -> bool:
    return any(heard.what is None for heard in s.of("orders"))


def empty_lists(s: Session) -> bool:
    return any(heard.what == [] and heard.truth for heard in s.of("orders"))


def shrunken_lists(s: Session) -> bool:
    return any(heard.what and len(heard.what) < heard.truth for heard in s.of("orders"))


def zero_volume_rows(s: Session) -> bool:
    return any(heard.what.volume == 0 for heard in s.rows("positions"))


def nan_rows(s: Session) -> bool:
    rows = s.rows("trades") + s.rows("positions") + s.rows("orders")
    return any(
        value is None or (isinstance(value, float) and math.isnan(value))
        for heard in rows
        for name, value in vars(heard.what).items()
        if name in ("traded_price", "volume", "price", "order_volume")
    )


def stale_queries(s: Session) -> bool:
    """A list is older than what the same session had seen before it, or than what it asks for."""
    return any(
        heard.what is not None and len(heard.what) < heard.truth for heard in s.of("trades")
    )


def remark_truncated(s: Session) -> bool:
    return any(0 < len(remark) < 8 for remark in _remarks(s))


def remark_rewritten(s: Session) -> bool:
    return any(remark and remark not in s.calls and len(remark) > 4 for remark in _remarks(s))


def remark_empty(s: Session) -> bool:
    return bool(s.rows("orders")) and not any(_remarks(s))


def late_fill(s: Session) -> bool:
    return any(_late(heard) >= 3 for heard in s.of("stock_trade"))


def garbage_quotes(s: Session) -> bool:
    ticks = [tick for heard in s.of("ticks") for tick in heard.what.values()]
    return any(not 5 < (tick.get("lastPrice") or 0) < 20 for tick in ticks)


def whole_day_pushed_again(s: Session) -> bool:
    return max(_times_told(s).values(), default=0) > 1


def yesterdays_fills(s: Session) -> bool:
    today = at("00:00", MONDAY).timestamp()
    return any(heard.what.traded_time < today for heard in s.of("stock_trade"))


def status_correcting(s: Session) -> bool:
    return _status(s, 5)


def status_closed(s: Session) -> bool:
    return _status(s, 6)


def restart(s: Session) -> bool:
    return bool(s.of("disconnected")) and s.connects[-1] == 0


def manual_order(s: Session) -> bool:
    return any(order.strategy == "by hand" and order.side == "buy" for order in s.orders)


def manual_sale(s: Session) -> bool:
    return any(order.strategy == "by hand" and order.side == "sell" for order in s.orders)


#: What the incident looks like to a program.
SHOWS: dict[str, Callable[[Session], bool]] = {
    shows.__name__: shows
    for shows in (
        minus_one_though_live, accepted_though_swallowed, silent_refusal, cancel_false_though_done,
        cancel_true_for_nothing, cancel_throttled, connect_minus_one, zombie, lost_request,
        callback_before_response, duplicated, reordered, delayed, never_told, pushes_dead,
        answers_late, none_lists, empty_lists, shrunken_lists, zero_volume_rows, nan_rows,
        stale_queries, remark_truncated, remark_rewritten, remark_empty, late_fill, garbage_quotes,
        whole_day_pushed_again, yesterdays_fills, status_correcting, status_closed, restart,
        manual_order, manual_sale,
    )
}  # fmt: skip


@pytest.fixture(scope="module")
def honest() -> Session:
    return Session()


def test_every_misbehaviour_has_its_test():
    assert set(SHOWS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_shows_at_the_look_alike(name, honest):
    assert not SHOWS[name](honest)
    assert any(SHOWS[name](Session((name,), seed)) for seed in SEEDS)


def test_the_same_seed_misbehaves_the_same_way():
    names = ("duplicated", "zombie", "shrunken_lists", "manual_sale")
    first, again = ([(h.at, h.kind) for h in Session(names, 5).heard] for _ in range(2))

    assert first == again


def test_a_client_restarts_after_as_much_real_time_in_a_market_twenty_times_as_fast():
    def up(speed: int) -> list[bool]:
        delivery = Misbehaviours(("restart",), 1, speed=speed)
        terminal, seen = Terminal(exchange(), None, delivery), []
        for second in range(300):
            delivery.happens(terminal, at("10:00") + timedelta(seconds=second * speed))
            seen.append(terminal.logged_in)
        return seen

    assert 10 < up(1).count(False) < 200
    assert up(20) == up(1)


def test_a_name_nobody_knows_is_refused():
    with pytest.raises(KeyError, match="zombies"):
        Misbehaviours(("zombies",), 1)


def _cancels(s: Session) -> list[Heard]:
    return s.of("cancel_order_stock_async_response")


def _times_told(s: Session) -> Counter[str]:
    today = at("00:00", MONDAY).timestamp()
    trades = [heard.what for heard in s.of("stock_trade") if heard.what.traded_time >= today]
    return Counter(trade.traded_id for trade in trades)


def _late(heard: Heard) -> float:
    return float(heard.at.timestamp() - heard.what.traded_time)


def _places(told: list[int], status: int) -> list[int]:
    return [place for place, one in enumerate(told) if one == status] or [-1]


def _remarks(s: Session) -> list[str]:
    return [heard.what.order_remark for heard in s.rows("orders")]


def _status(s: Session, status: int) -> bool:
    told: list[Any] = [heard.what.status for heard in s.of("account_status")]
    return status in told and any(heard.what is None for heard in s.of("orders"))
