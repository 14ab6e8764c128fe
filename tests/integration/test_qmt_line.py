"""The quotes of a real terminal: its library connects again in silence, and its subscriptions are gone then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.market_data.test_terminal_feed import NOW, SYMBOL, tick
from trading.domain.types import Symbol
from trading.management.commands.market_data import _Interest, _QmtLine
from trading.management.quote_line import SILENT, QuoteLine
from trading.management.quote_sources import QuoteSources
from trading.market_data.store import MemoryQuoteStore
from trading.market_data.xtquant_feed import CANARIES

pytestmark = [pytest.mark.unattended]


class Connection:
    def __init__(self) -> None:
        self.alive = True

    def is_connected(self) -> bool:
        return self.alive


class Module:
    """The vendor's module: every call opens a new connection when the old one is dead, without a word."""

    enable_hello = True

    def __init__(self) -> None:
        self.connection = Connection()
        self.subscribed: list[list[str]] = []
        self.push: Callable[[Any], None] = lambda _: None
        self.connects = 0
        self.present: dict[str, Any] = {}

    def reconnect(self) -> Connection:
        self.connects += 1
        self.connection = Connection()
        self.push = lambda _: None
        return self.connection

    def disconnect(self) -> None:
        self.connection.alive = False

    def subscribe_whole_quote(self, code_list: list[str], callback: Callable[[Any], None]) -> int:
        self._alive()
        self.subscribed.append(code_list)
        self.push = callback
        return len(self.subscribed)

    def get_full_tick(self, code_list: list[str]) -> dict[str, Any]:
        self._alive()
        return self.present

    def _alive(self) -> None:
        if not self.connection.alive:
            self.connection = Connection()  # and what was subscribed is forgotten
            self.push = lambda _: None


def step(line: QuoteSources, seconds: float, *symbols: Symbol) -> int:
    wanted = frozenset(symbols or (SYMBOL,))
    return line.step(wanted, NOW + timedelta(seconds=seconds), seconds, trading=True)


def test_a_connection_that_was_replaced_in_silence_is_a_new_line_that_subscribes_again():
    module = Module()
    line = QuoteSources(QuoteLine(lambda: _QmtLine(module)), MemoryQuoteStore())
    step(line, 0.0)
    module.push({SYMBOL: tick()})
    assert step(line, 0.5) == 1
    assert (module.connects, module.subscribed) == (1, [[SYMBOL]])
    module.connection.alive = False  # the client was restarted
    step(line, 1.0)
    step(line, 5.0)
    assert (module.connects, module.subscribed) == (2, [[SYMBOL], [SYMBOL]])
    module.push({SYMBOL: tick(time=1743403936000, volume=469674)})
    assert step(line, 5.5) == 1
    assert module.enable_hello is False


def test_a_suspended_holding_is_no_dead_line_while_the_canaries_sing():
    module, quiet, second = Module(), Symbol("603776.SH"), 0.0
    line = QuoteSources(QuoteLine(lambda: _QmtLine(module)), MemoryQuoteStore())
    step(line, second, quiet, *CANARIES)
    for count in range(20):
        second += 3.0
        stamp = 1743403935000 + count * 3000
        module.push({CANARIES[0]: tick(time=stamp, volume=469673 + count)})
        step(line, second, quiet, *CANARIES)
    assert module.connects == 1
    step(line, second + SILENT + 1, quiet, *CANARIES)  # not one of them: it is the line
    assert module.connects == 2


def test_a_silent_line_that_is_opened_again_and_again_stays_silent_whatever_it_is_told_then():
    module, store = Module(), MemoryQuoteStore()
    module.present = {SYMBOL: tick()}
    line = QuoteSources(QuoteLine(lambda: _QmtLine(module)), store)
    for half_second in range(240):
        step(line, half_second / 2)
    assert module.connects > 4
    assert store.fed(SYMBOL).at <= NOW + timedelta(seconds=1)


@pytest.mark.django_db
def test_the_canaries_are_always_subscribed_beside_what_the_accounts_hold():
    interest = _Interest(CANARIES)
    assert interest.read(0.0) == set(CANARIES)
    assert _Interest().read(0.0) == set()
