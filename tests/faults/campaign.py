"""The faults, each against a whole running stack; what came of them is returned as plain rows for a report.

A row whose `missed` is empty kept every promise. Nothing here decides by the product's word alone: what was sent is read
from the terminal's own store.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.faults.limits import PROMISED, Limits
from tests.faults.market import Fall, Market, write_market
from tests.invariants import Opening, violations
from tests.stack import (
    CHILDREN,
    OPENING,
    PRODUCT,
    TERMINAL,
    Stack,
    copy_of,
    is_there,
    prepare,
    running,
    utc_now,
    wait_for,
)

Row = dict[str, Any]
Say = Callable[[str], None]

CASH = Decimal(1_000_000)
#: Real seconds from the start of `up` to the opening of its market: everything runs by then.
BEFORE_OPENING = 20.0
#: How long a wait lasts before what it waits for counts as never.
NEVER = 90.0
DEEP = 10_000


@dataclass
class Campaign:
    """Runs faults one after the other. `folder` holds the data directories; `say` hears what is going on."""

    folder: Path
    limits: Limits = PROMISED
    say: Say = lambda line: None
    prepared: Path = field(init=False)

    def __post_init__(self) -> None:
        self.prepared = prepare(self.folder / "prepared")

    # --- 1. every child is killed

    def kills(self, times: int, children: Sequence[str] = CHILDREN) -> list[Row]:
        """Kill each child `times` times while sales fill."""
        lasts = 60 + 20 * times * len(children)
        market = self._market("kills", range(5, lasts - 30, 4), lasts)
        rows = []
        with self._open(market) as stack:
            for name in children:
                for number in range(1, times + 1):
                    rows.append(self.kill(stack, market, name, number))
        return rows

    def kill(self, stack: Stack, market: Market, name: str, number: int) -> Row:
        """Kill one child: by turns while sales are half filled, and in the instant an order is decided."""
        _wait_for_half_filled(stack)
        if number % 2 == 0:
            _wait_for_decision(stack)
        before = stack.processes()[name]["restarts"]
        in_flight = dict(stack.rows(_IN_FLIGHT))
        since, moment, epoch = utc_now(), stack.market_now(), stack.epoch()
        began, killed = time.monotonic(), stack.kill(name)
        back = wait_for(lambda: stack.is_back(name, killed), NEVER)
        wait_for(lambda: stack.works(name, since, moment, epoch), NEVER)
        works = time.monotonic() - began
        wait_for(lambda: stack.armed_since(moment), NEVER)
        armed = time.monotonic() - began
        said = stack.processes()[name]
        settled, broken = self._settled(stack, market)
        missed = [
            *_over("back", works, self.limits.back),
            *_over("armed", armed, self.limits.armed),
            *broken,
        ]
        if (said["restarts"], said["last_exit"]) != (before + 1, -9):
            missed.append(f"run.json says {said}")
        row = {
            "fault": f"kill -9 {name}",
            "number": number,
            "in_flight": in_flight,
            "process_back_s": _rounded(back),
            "works_s": _rounded(works),
            "armed_s": _rounded(armed),
            "books_agree_s": _rounded(settled),
            "missed": missed,
        }
        return self._told(row)

    # --- 2. a stop with many holdings

    def stop(self, holdings: int = 1_000) -> list[Row]:
        """SIGTERM while the market is open: nothing is left."""
        market = self._market("stop", [10_000.0] * holdings, 60, depth=DEEP, shares=100)
        with self._open(market) as stack:
            wait_for(lambda: len(stack.rows(_POSITIONS)) == holdings, NEVER)
            stack.wait_for_market(OPENING + timedelta(seconds=15))
            pids = [stack.pid(name) for name in CHILDREN]
            began = time.monotonic()
            stack.process.terminate()
            code = stack.process.wait(NEVER)
            wait_for(lambda: not any(map(is_there, pids)), NEVER)
            seconds = time.monotonic() - began
        missed = _over("stopped", seconds, self.limits.stopped)
        if code:
            missed.append(f"up ended with {code}")
        row = {"fault": "SIGTERM", "holdings": holdings, "seconds": _rounded(seconds)}
        return [self._told({**row, "missed": missed})]

    # --- 3. what decides is away

    def outages(
        self, seconds: float = 60.0, names: Sequence[str] = ("redis", "beat", "worker")
    ) -> list[Row]:
        """Keep a process away (killed whenever it starts, then frozen) while holdings fall through their stops."""
        each = seconds + 60
        lasts = 30 + 2 * len(names) * each
        market = self._market("outages", range(5, int(lasts), 12), lasts, depth=DEEP)
        with self._open(market) as stack:
            return [
                self.outage(stack, market, name, how, seconds)
                for how in ("killed", "frozen")
                for name in names
            ]

    def outage(self, stack: Stack, market: Market, name: str, how: str, seconds: float) -> Row:
        """One outage: every holding that falls in it is sold in time, then the stack is whole again."""
        began = stack.market_now()
        with _away(stack, name, how):
            stack.wait_for_market(began + timedelta(seconds=seconds))
            ended, since = stack.market_now(), utc_now()
        back = wait_for(lambda: stack.works(name, since, ended), NEVER)
        wait_for(lambda: stack.armed_since(ended), NEVER)
        sales = self._sales(stack, market.falls, began, ended)
        settled, broken = self._settled(stack, market)
        missed = [*broken, *_late(sales, self.limits.sold)]
        if len(sales) < 2:
            missed.append(f"only {len(sales)} holdings fell")
        if back is None:
            missed.append(f"{name} did not come back")
        row = {
            "fault": f"{name} {how} for {seconds:.0f} s",
            "sold_after_s": sales,
            "works_again_s": _rounded(back),
            "books_agree_s": _rounded(settled),
            "missed": missed,
        }
        return self._told(row)

    def hangs(self, names: Sequence[str] = ("redis", "market_data", "gateway-demo")) -> list[Row]:
        """Freeze a process for good: `up` notices that it gives no sign of life, kills it and starts it again."""
        lasts = 60 + len(names) * 90
        market = self._market("hangs", range(5, lasts - 30, 4), lasts)
        with self._open(market) as stack:
            return [self._hang(stack, market, name) for name in names]

    def _hang(self, stack: Stack, market: Market, name: str) -> Row:
        _wait_for_half_filled(stack)
        since, moment, epoch = utc_now(), stack.market_now(), stack.epoch()
        began, hung = time.monotonic(), stack.freeze(name)
        wait_for(lambda: stack.is_back(name, hung), NEVER)
        wait_for(lambda: stack.works(name, since, moment, epoch), NEVER)
        wait_for(lambda: stack.armed_since(moment), NEVER)
        seconds = time.monotonic() - began
        settled, broken = self._settled(stack, market)
        row = {
            "fault": f"{name} hangs",
            "works_again_s": _rounded(seconds),
            "books_agree_s": _rounded(settled),
            "missed": [*_over("back", seconds, self.limits.hung), *broken],
        }
        return self._told(row)

    # --- 4. the gateway is away when a holding falls

    def gateway_away(self, seconds: float = 25.0) -> list[Row]:
        """Nothing is sent without the gateway; when it is back the stop-loss goes out."""
        falls = [20.0, 20.0 + seconds + 60]
        market = self._market("gateway", falls, falls[-1] + seconds + 90, depth=DEEP)
        with self._open(market) as stack:
            return [
                self._gateway_away(stack, market, fall, how, seconds)
                for fall, how in zip(market.falls, ("killed", "frozen"), strict=True)
            ]

    def _gateway_away(
        self, stack: Stack, market: Market, fall: Fall, how: str, seconds: float
    ) -> Row:
        stack.wait_for_market(fall.at - timedelta(seconds=3))
        missed = []
        with _away(stack, "gateway-demo", how):
            stack.wait_for_market(fall.at + timedelta(seconds=seconds))
            if stack.sent(fall.symbol):
                missed.append("an order reached the terminal")
            if stack.rows(_TRACES, fall.symbol, fall.symbol) != [(0, 0)]:
                missed.append("a broker order id or a fill without a gateway")
            if not stack.rows("SELECT 1 FROM trading_signal WHERE symbol = ?", fall.symbol):
                missed.append("nobody noticed the fall")
            ended, began = stack.market_now(), time.monotonic()
        wait_for(lambda: stack.armed_since(ended), NEVER)
        armed = time.monotonic() - began
        wait_for(lambda: stack.sent(fall.symbol), NEVER)
        sold = time.monotonic() - began
        settled, broken = self._settled(stack, market)
        missed += [*_over("sold after arming", sold - armed, self.limits.sold), *broken]
        row = {
            "fault": f"gateway {how} for {seconds:.0f} s before the fall",
            "armed_s": _rounded(armed),
            "sold_s": _rounded(sold),
            "books_agree_s": _rounded(settled),
            "missed": missed,
        }
        return self._told(row)

    # --- 5. `up` itself is killed

    def up_killed(self, times: int = 1) -> list[Row]:
        """Its children end, a new `up` starts, reconciles, and sends nothing twice."""
        lasts = 120 + 60 * times
        market = self._market("up", range(5, lasts - 60, 4), lasts)
        rows = []
        home = self._home(market)
        for number in range(1, times + 1):
            with running(home, *market.options) as stack:
                self._ready(stack)
                _wait_for_half_filled(stack)
                if number % 2 == 0:
                    _wait_for_decision(stack)
                rows.append(self._kill_up(stack, market, home, number))
        return rows

    def _kill_up(self, stack: Stack, market: Market, home: Path, number: int) -> Row:
        pids = [stack.pid(name) for name in CHILDREN]
        moment, began = stack.market_now(), time.monotonic()
        stack.process.kill()
        stack.process.wait()
        gone = wait_for(lambda: not any(map(is_there, pids)), NEVER)
        again = time.monotonic()
        with running(home, *market.options) as after:
            wait_for(lambda: after.armed_since(moment), NEVER)
            armed, since_kill = time.monotonic() - again, time.monotonic() - began
            _wait_for_half_filled(after)
            settled, broken = self._settled(after, market)
        missed = [
            *_over("children gone", NEVER if gone is None else gone, self.limits.orphaned),
            *_over("armed", armed, self.limits.armed),
            *broken,
        ]
        row = {
            "fault": "kill -9 up",
            "number": number,
            "children_gone_s": _rounded(gone),
            "armed_after_new_start_s": _rounded(armed),
            "armed_since_kill_s": _rounded(since_kill),
            "books_agree_s": _rounded(settled),
            "missed": missed,
        }
        return self._told(row)

    # --- what they share

    def _market(self, name: str, falls: Iterable[float], lasts: float, **more: Any) -> Market:
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))
        return write_market(folder / "market.csv", list(falls), lasts, **more)

    def _home(self, market: Market) -> Path:
        return copy_of(self.prepared, market.path.parent / "home", BEFORE_OPENING)

    @contextmanager
    def _open(self, market: Market) -> Iterator[Stack]:
        with running(self._home(market), *market.options) as stack:
            self._ready(stack)
            yield stack

    def _ready(self, stack: Stack) -> None:
        started = wait_for(stack.all_run, NEVER)
        armed = wait_for(lambda: stack.gateway()[0] == "armed", NEVER)
        assert started is not None, stack.output()
        assert armed is not None, stack.gateway()
        stack.wait_for_market(OPENING + timedelta(seconds=5))

    def _settled(self, stack: Stack, market: Market) -> tuple[float, list[str]]:
        """Wait until the books agree; returns how long it took, and what still does not hold."""
        began = time.monotonic()
        while True:
            found = self.broken(stack.home, market)
            seconds = time.monotonic() - began
            if not found or seconds > self.limits.settled:
                return seconds, found
            time.sleep(0.2)

    def broken(self, home: Path, market: Market, *, at_rest: bool = False) -> list[str]:
        opening = Opening(CASH, market.opening)
        return violations(home / PRODUCT, home / TERMINAL, opening, at_rest=at_rest)

    def _sales(
        self, stack: Stack, falls: Iterable[Fall], began: datetime, ended: datetime
    ) -> Mapping[str, float | None]:
        """Seconds from each fall inside the outage to its order at the terminal; None when there is none."""
        deadline = ended + timedelta(seconds=self.limits.sold)
        inside = [fall for fall in falls if began <= fall.at < ended]
        stack.wait_for_market(deadline) if not _all_sent(stack, inside) else None
        return {
            fall.symbol: next(
                (_rounded((at - fall.at).total_seconds()) for _, at in stack.sent(fall.symbol)),
                None,
            )
            for fall in inside
        }

    def _told(self, row: Row) -> Row:
        self.say(", ".join(f"{name} {value}" for name, value in row.items()))
        return row


_IN_FLIGHT = (
    "SELECT state, COUNT(*) FROM trading_order WHERE state NOT IN"
    " ('filled', 'cancelled', 'partially_cancelled', 'expired', 'rejected') GROUP BY state"
)
_POSITIONS = "SELECT symbol FROM trading_position WHERE closed_at IS NULL"
_TRACES = (
    "SELECT (SELECT COUNT(*) FROM trading_order WHERE symbol = ? AND broker_order_id IS NOT NULL),"
    " (SELECT COUNT(*) FROM trading_fill WHERE symbol = ?)"
)


def _wait_for_half_filled(stack: Stack) -> None:
    query = "SELECT 1 FROM trading_order WHERE state = 'partially_filled'"
    assert wait_for(lambda: stack.rows(query), NEVER, every=0.01) is not None


def _wait_for_decision(stack: Stack) -> None:
    """Wait for the next order to be written: the gateway, nudged, is sending it while we go on."""
    query = "SELECT COUNT(*) FROM trading_order"
    before = stack.rows(query)
    wait_for(lambda: stack.rows(query) != before, 10, every=0.002)


def _all_sent(stack: Stack, falls: Iterable[Fall]) -> bool:
    return all(stack.sent(fall.symbol) for fall in falls)


def _away(stack: Stack, name: str, how: str) -> AbstractContextManager[Any]:
    return stack.kept_away(name) if how == "killed" else stack.frozen(name)


def _late(sales: Mapping[str, float | None], limit: float) -> list[str]:
    return [
        f"{symbol} sold after {seconds} s"
        for symbol, seconds in sales.items()
        if seconds is None or seconds > limit
    ]


def _over(what: str, seconds: float, limit: float) -> list[str]:
    return [f"{what}: {seconds:.1f} s, promised {limit:.0f} s"] if seconds > limit else []


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
