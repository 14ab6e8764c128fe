"""What people do in a simulation: wish an order, cancel one, halt, change a setting."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from grid.models import GridSession
from grid.models.sessions import StopPolicy
from grid.services import sessions
from tests.simulation.database import ACCOUNT
from tests.simulation.grids import Grid
from tests.simulation.plan import Deed
from trading.domain.types import SignalKind, SignalState, Symbol, Text, TradingState
from trading.models import Order, Signal
from trading.selectors import WORKING_STATES
from trading.services import config
from trading.services.accounts import set_trading_state
from trading.services.corrections import CorrectionError, cancel_order

if TYPE_CHECKING:
    from tests.simulation.world import World


def steer(world: World, grid: Grid, deed: str) -> None:
    """Let a person start a grid session, pause, resume or stop it: `start`, `stop keep`, …"""
    world.log("person", f"grid {deed} {grid.symbol}")
    kind, _, policy = deed.partition(" ")
    with suppress(CorrectionError):  # refused: no price is known yet, or it was stopped before
        if kind == "start":
            _start(world, grid)
            return
        row = GridSession.objects.filter(symbol=grid.symbol).order_by("-pk").first()
        if row is None:
            return
        if kind == "stop":
            sessions.stop(row.pk, StopPolicy(policy), _WHY.en, world.now, "a person")
        else:
            change = {"pause": sessions.pause, "resume": sessions.resume}[kind]
            change(row.pk, _WHY.en, world.now, "a person")


def _start(world: World, grid: Grid) -> None:
    symbol = Symbol(grid.symbol)
    request = sessions.Request(
        account_id=ACCOUNT,
        symbol=symbol,
        style=grid.style,
        values=grid.values,
        base_quantity=grid.base_quantity,
        exits_may_sell_base=grid.exits_may_sell_base,
    )
    quote = world.store.latest([symbol]).get(symbol)
    sessions.start_session(request, quote, world.now, actor="a person", why=_WHY.en)


_WHY = Text("a person wants it", "人工")


def act(world: World, kind: str, deed: Deed | None = None) -> None:
    """Let a person do it now."""
    world.log("person", f"{kind} {deed.symbol if deed else ''}")
    if kind == "wish" and deed is not None:
        _wish(world, deed)
    elif kind == "cancel":
        _cancel(world)
    elif kind == "config":
        settings = config.change(ACCOUNT, {"signal_max_age": "110"}, actor=None, why="a person")
        world.revisions.append((world.now, settings.revision))
    elif kind == "kill file":
        world.kill_file = "KILL"
    else:
        state = {"halt": TradingState.HALTED, "reduce": TradingState.REDUCING}
        wanted = state.get(kind, TradingState.ACTIVE)
        set_trading_state(ACCOUNT, wanted, _WHY, world.now, actor="a person")


def _wish(world: World, deed: Deed) -> None:
    quote = world.store.latest([Symbol(deed.symbol)]).get(Symbol(deed.symbol))
    if quote is None:
        return
    with suppress(IntegrityError), transaction.atomic():  # one wish of a kind at a time
        Signal.objects.create(
            account_id=ACCOUNT,
            symbol=deed.symbol,
            kind=SignalKind.MANUAL,
            side=deed.side,
            quantity=deed.quantity,
            trigger_price=quote.last,
            last=quote.last,
            quote_time=quote.time,
            reason_en=_WHY.en,
            reason_zh=_WHY.zh,
            state=SignalState.PENDING,
            created_at=world.now,
            held_at=world.now,
            config_revision=config.load(ACCOUNT).revision,
        )


def _cancel(world: World) -> None:
    order = Order.objects.filter(state__in=WORKING_STATES).order_by("pk").first()
    if order is not None:
        with suppress(CorrectionError):
            cancel_order(order.pk, "a person", world.now, actor="a person")
