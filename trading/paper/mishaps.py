"""What befalls a terminal in the middle of a session: it restarts, its account is not in order, somebody trades by hand.

Each class is one incident. `happens` is asked at every step of the terminal, `ends` once the time of incidents is over.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from trading.domain.types import Side
from trading.paper import rows, xtconstant

if TYPE_CHECKING:
    from trading.paper.records import Account
    from trading.paper.terminal import Terminal


class Happening:
    """Nothing. A subclass overrides `act`, which is called now and then, on average every `every` seconds.

    It befalls a machine, so its seconds are real ones; `speed` says how much market time passes in one.
    """

    every = 20.0

    def __init__(self, chance: random.Random, speed: float = 1) -> None:
        self.chance, self._speed = chance, speed
        self._next: datetime | None = None

    def after(self, now: datetime, seconds: float) -> datetime:
        """Return the market time so many real seconds from now."""
        return now + timedelta(seconds=seconds * self._speed)

    def happens(self, terminal: Terminal, now: datetime) -> None:
        if self._next is not None and now >= self._next:
            for account in list(terminal.exchange.accounts.values()):
                self.act(terminal, account, now)
        if self._next is None or now >= self._next:
            self._next = self.after(now, self.chance.uniform(0.2, 1.8) * self.every)

    def act(self, terminal: Terminal, account: Account, now: datetime) -> None:
        """Let it happen."""

    def ends(self, terminal: Terminal, now: datetime) -> None:
        """Put back what is still out of order."""


class WholeDayPushedAgain(Happening):
    """Every order and every fill of today is pushed again ("会完全再给你推送一次")."""

    def act(self, terminal: Terminal, account: Account, now: datetime) -> None:
        exchange = terminal.exchange
        for order in account.orders.values():
            row = rows.order_row(exchange, order)
            terminal.tell(account.account_id, {"push": "stock_order", "row": row})
        for trade in account.trades:
            row = rows.trade_row(exchange, trade)
            terminal.tell(account.account_id, {"push": "stock_trade", "row": row})


class YesterdaysFills(Happening):
    """Fills of the session before come out of an old queue, 24 times (phantom 2,400 shares)."""

    def act(self, terminal: Terminal, account: Account, now: datetime) -> None:
        for number, symbol in enumerate(sorted(account.positions), 1):
            row = {
                "account_id": account.account_id,
                "stock_code": str(symbol),
                "order_type": self.chance.choice([xtconstant.STOCK_BUY, xtconstant.STOCK_SELL]),
                "traded_id": f"OLD{number:08d}",
                "traded_time": int((now - timedelta(days=1)).timestamp()),
                "traded_price": 10.0,
                "traded_volume": 100,
                "traded_amount": 1000.0,
                "order_id": 1_070_000_000 + number,
                "order_sysid": f"9{number:09d}",
                "strategy_name": "",
                "order_remark": "",
                "direction": 0,
                "offset_flag": xtconstant.OFFSET_FLAG_OPEN,
                "commission": 5.0,
                "secu_account": "",
                "instrument_name": "",
            }
            for _ in range(24):
                terminal.tell(account.account_id, {"push": "stock_trade", "row": row})


class StatusOff(Happening):
    """The account's login leaves OK for some seconds; queries and orders fail meanwhile."""

    every = 25.0
    status = xtconstant.ACCOUNT_STATUS_FAIL

    def __init__(self, chance: random.Random, speed: float = 1) -> None:
        super().__init__(chance, speed)
        self._over: datetime | None = None

    def happens(self, terminal: Terminal, now: datetime) -> None:
        if self._over is None:
            super().happens(terminal, now)
        elif now >= self._over:
            self.ends(terminal, now)

    def act(self, terminal: Terminal, account: Account, now: datetime) -> None:
        terminal.set_account_status(account.account_id, self.status)
        self._over = self.after(now, self.chance.uniform(1, 20))

    def ends(self, terminal: Terminal, now: datetime) -> None:
        if self._over is not None:
            self._over = None
            for account_id in terminal.exchange.accounts:
                terminal.set_account_status(account_id, xtconstant.ACCOUNT_STATUS_OK)


class StatusCorrecting(StatusOff):
    """Status 5: the data are being refreshed."""

    status = xtconstant.ACCOUNT_STATUS_CORRECTING


class StatusClosed(StatusOff):
    """Status 6: the account is closed for now."""

    status = xtconstant.ACCOUNT_STATUS_CLOSED


class Restart(Happening):
    """The client's window is closed and opened again in the middle of the session."""

    every = 30.0

    def __init__(self, chance: random.Random, speed: float = 1) -> None:
        super().__init__(chance, speed)
        self._back: datetime | None = None

    def happens(self, terminal: Terminal, now: datetime) -> None:
        if self._back is not None and now >= self._back:
            self.ends(terminal, now)
        super().happens(terminal, now)

    def act(self, terminal: Terminal, account: Account, now: datetime) -> None:
        terminal.close()
        terminal.logged_in = False
        self._back = self.after(now, self.chance.uniform(1, 15))

    def ends(self, terminal: Terminal, now: datetime) -> None:
        if self._back is not None:
            terminal.logged_in, self._back = True, None


class ByHand(Happening):
    """Somebody trades in the client: past this program, without a remark of ours."""

    every = 30.0
    side = Side.BUY

    def act(self, terminal: Terminal, account: Account, now: datetime) -> None:
        symbols = sorted(account.positions)
        if not symbols:
            return
        symbol = self.chance.choice(symbols)
        quote, sellable = terminal.exchange.quote_of(symbol), account.sellable(symbol)
        quantity = 100 if self.side is Side.BUY else min(sellable, self.chance.choice([100, 300]))
        if quote is None or quantity <= 0:
            return
        terminal.exchange.submit(
            account.account_id,
            symbol,
            self.side,
            quantity,
            quote.last + (Decimal("0.01") if self.side is Side.BUY else Decimal("-0.01")),
            "",
            "by hand",
            now,
        )


class ManualOrder(ByHand):
    """Somebody buys in the client."""


class ManualSale(ByHand):
    """Somebody sells shares of ours in the client."""

    side = Side.SELL


HAPPENINGS: dict[str, Callable[[random.Random, float], Happening]] = {
    "whole_day_pushed_again": WholeDayPushedAgain,
    "yesterdays_fills": YesterdaysFills,
    "status_correcting": StatusCorrecting,
    "status_closed": StatusClosed,
    "restart": Restart,
    "manual_order": ManualOrder,
    "manual_sale": ManualSale,
}
