"""What the tests of acting have in common: a morning with holdings, orders, a grid and quotes, and people who act."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from html import unescape
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from grid.models import GridSession
from grid.services import sessions
from monitoring.models import Act
from tests.world import World
from trading.domain.stock_pool import Entry
from trading.domain.types import Symbol
from trading.market_data.file_store import FileQuoteStore
from trading.models import Account, Event, Order, Position, Signal, WatchedSymbol
from trading.services import shared_quotes, watch_list
from trading.services.clock import DEMO, set_clock

HELD, OTHER, STAR, BSE, ETF = "600036.SH", "600000.SH", "688100.SH", "920100.BJ", "510300.SH"
UNKNOWN = "000651.SZ"
NUMBER = "8800123456"
REAL = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
PASSWORD = "a password of nobody 1"
#: A book without bids: a sale rests.
QUIET: dict[str, Any] = {"bids": [], "volume": 2_000_000}


@dataclass
class Morning:
    """09:31:06 of a day: 1,000 shares held, a sale resting of another holding, a grid, quotes of five symbols."""

    world: World
    grid: GridSession
    watched: WatchedSymbol
    people: dict[str, Client] = field(default_factory=dict)

    @property
    def account(self) -> Account:
        return Account.objects.get(pk=self.world.account.pk)

    @property
    def holding(self) -> Position:
        return self.world.position(HELD)

    @property
    def order(self) -> Order:
        return Order.objects.get(symbol=OTHER)

    def subject(self, name: str) -> int:
        """Return the primary key an action's address has."""
        if name in ("sell", "exits-on", "exits-off", "thresholds"):
            return self.holding.pk
        if name == "cancel":
            return self.order.pk
        if name == "unwatch":
            return self.watched.pk
        return self.grid.pk if name.startswith("grid") else self.account.pk

    def footprint(self) -> tuple[object, ...]:
        """Return everything an act could change."""
        account = self.account
        return (
            account.trading_state,
            list(Signal.objects.order_by("pk").values_list("pk", "state", "quantity")),
            list(Order.objects.order_by("pk").values_list("pk", "state", "cancel_reason")),
            list(
                Position.objects.order_by("pk").values_list(
                    "pk", "exit_enabled", "stop_loss_ratio"
                )
            ),
            list(GridSession.objects.order_by("pk").values_list("pk", "status")),
            list(WatchedSymbol.objects.order_by("pk").values_list("symbol", "note")),
            Event.objects.count(),
            Act.objects.count(),
        )


def a_morning(tmp_path, monkeypatch) -> Morning:
    world = World(
        holdings=[(HELD, 1000, "10.00"), (OTHER, 1000, "10.00")],
        symbols=[STAR, BSE, ETF],
        settings={"grid_enabled": "on"},
    )
    world.hold(HELD, "10.00", since="09:30:00", until="09:31:07")
    world.hold(OTHER, "10.00", since="09:30:00", until="09:31:00")
    world.hold(OTHER, "9.20", since="09:31:00", until="09:31:07", **QUIET)
    for symbol, price in ((STAR, "25.00"), (BSE, "8.00"), (ETF, "4.00")):
        world.hold(symbol, price, since="09:30:00", until="09:31:07", previous_close=price)
    world.run(until="09:31:06")
    now = world.moment("09:31:06")
    set_clock(DEMO, REAL, now)
    Account.objects.update(broker_account_id=NUMBER)
    store = FileQuoteStore(tmp_path / "quotes.sqlite3", writes=True)
    symbols = [Symbol(one) for one in (HELD, OTHER, STAR, BSE, ETF)]
    store.put("test", list(world.store.latest(symbols).values()), 10, now)
    store.close()
    reader = FileQuoteStore(tmp_path / "quotes.sqlite3")
    monkeypatch.setattr(shared_quotes._of_thread, "reader", reader, raising=False)
    request = sessions.Request(
        account_id=world.account.pk,
        symbol=Symbol(HELD),
        style="lot",
        values={"max_investment": Decimal(30000)},
    )
    quote = world.store.latest([Symbol(HELD)])[Symbol(HELD)]
    grid = sessions.start_session(request, quote, now, actor="a test", why="a test")
    watch_list.watch(world.account.pk, [Entry(Symbol(ETF), "an index")], now, "a test")
    return Morning(world, grid, WatchedSymbol.objects.get())


def prepared(morning: Morning, name: str) -> None:
    """Bring about what an action needs so that there is something to change."""
    if name == "resume":
        Account.objects.update(trading_state="halted")
    if name == "exits-on":
        Position.objects.update(exit_enabled=False)
    if name == "grid-resume":
        GridSession.objects.update(status="paused")


def person(*permissions: str, language: str = "en", **more: Any) -> Client:
    """Return the browser of somebody with these permissions; None of them: not logged in."""
    user = get_user_model().objects.create_user(
        f"p{get_user_model().objects.count()}", password=PASSWORD
    )
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client(headers={"accept-language": language}, **more)
    client.force_login(user)
    return client


def trader(**more) -> Client:
    return person("view_account", "trade_account", "release_account", **more)


#: What is written into the form of each action, beside the reason.
ANSWERS: dict[str, dict[str, str]] = {
    "sell": {"how": "percent", "amount": "50"},
    "buy": {"symbol": STAR, "how": "amount", "amount": "6000"},
    "grid-stop": {"policy": "keep"},
    "thresholds": {"stop_loss_ratio": "5", "first_take_profit_ratio": ""},
    "watch": {"symbol": "600036", "note": "a bank"},
}
NO_REASON = ("watch", "unwatch")


def address(morning: Morning, name: str) -> str:
    return reverse("act", args=(name, morning.subject(name)))


def asked(
    client: Client, morning: Morning, name: str, **answers: str
) -> tuple[Any, dict[str, str]]:
    """Look at the confirmation as somebody who writes these answers; returns it with what its button would post."""
    written = {**ANSWERS.get(name, {}), **answers}
    page = client.get(address(morning, name), written)
    shown = dict(re.findall(r'name="(token|shown)" value="([^"]*)"', page.content.decode()))
    data = {**written, "token": shown.get("token", ""), "shown": unescape(shown.get("shown", ""))}
    if name not in NO_REASON:
        data["why"] = "I want to"
    return page, data


def words(response) -> str:
    """Return the text of a page as one line."""
    text = re.sub(r"<[^>]+>", " ", response.content.decode())
    return " ".join(unescape(text).split())
