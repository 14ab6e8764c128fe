"""What can be done: each calls the service that the pages call, says why, and answers with what will come of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from django.conf import settings

from grid.models.sessions import StopPolicy
from grid.services import sessions
from grid.services.sessions import SessionRefused
from monitoring.api.access import check_permission
from monitoring.api.books import WatchList, watch_list
from monitoring.api.configuration import Configuration, configuration_of
from monitoring.api.market import bad_symbol
from monitoring.api.operations import Call
from monitoring.api.problems import NOTHING, Fault, Problem, conflict, invalid, shown
from monitoring.api.reading import OneOf, Plain, Size, Within
from monitoring.api.records import account_now
from trading.admin.base import RELEASE
from trading.domain.stock_pool import Entry
from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import Symbol, Text, TradingState
from trading.errors import ConfigError
from trading.models import TradingConfig, WatchedSymbol
from trading.models.orders import Wish
from trading.services import (
    config,
    corrections,
    kill_switch,
    unknown_outcomes,
)
from trading.services import watch_list as watching
from trading.services.corrections import CorrectionError
from trading.services.nudges import Nudger

Why = Annotated[str, Size(1, 200)]


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it. `changed` false: it was so already."""

    changed: bool
    text: Text


_SAME = Text("It was so already, nothing changed.", "状态原本如此，未做更改。")


def _done(changed: bool, en: str, zh: str) -> Done:
    return Done(changed, Text(en, zh) if changed else _SAME)


def refusing(handler: Callable[[Call], Any]) -> Callable[[Call], Any]:
    """Answer what a service refuses as a problem in its own words."""

    def act(call: Call) -> Any:
        try:
            return handler(call)
        except SessionRefused as problem:
            raise _refused(problem.text, problem.field) from problem
        except CorrectionError as problem:
            raise _refused(problem.text, None) from problem

    return act


def _refused(text: Text, field: str | None) -> Problem:
    return Problem(HTTPStatus.CONFLICT, Fault("REFUSED", text, NOTHING, field))


# --- holdings and orders --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reason:
    """Why."""

    why: Why


@dataclass(frozen=True, slots=True)
class Switch:
    """On or off, and why."""

    on: bool
    why: Why


def exits(call: Call) -> Done:
    """Switch the exits of a holding."""
    on, now = call.body.on, account_now(call).now
    changed = corrections.switch_exits(call.row.pk, on, call.body.why, now, call.caller.name)
    symbol = call.row.symbol
    return _done(
        changed,
        f"Exits of {symbol} are {'on' if on else 'off'}.",
        f"{symbol} 的退出规则已{'开启' if on else '关闭'}。",
    )


def cancel(call: Call) -> Done:
    """Ask for the cancel of an order."""
    now, name = account_now(call).now, call.row.client_order_id
    changed = corrections.cancel_order(call.row.pk, call.body.why, now, call.caller.name)
    return _done(changed, f"Cancel of order {name} is asked for.", f"已请求撤销委托 {name}。")


def cancel_all(call: Call) -> Done:
    """Ask for the cancel of all orders of an account."""
    now = account_now(call).now
    asked = kill_switch.cancel_all(call.account, call.body.why, now, call.caller.name)
    return _done(asked > 0, f"Cancels asked for: {asked}.", f"已请求撤单 {asked} 笔。")


# --- the main switch ------------------------------------------------------------------------------

_SWITCHED = {
    TradingState.HALTED: Text("Halted: nothing is sent but cancels.", "已停止：只发撤单。"),
    TradingState.REDUCING: Text("Sales go on, nothing is bought.", "只减仓：继续卖出，不再买入。"),
    TradingState.ACTIVE: Text("Active again.", "已恢复交易。"),
}


def switch_to(state: TradingState) -> Callable[[Call], Done]:
    """Return the handler that sets the main switch so; to loosen it takes a permission of its own."""

    def act(call: Call) -> Done:
        account, now = call.account, account_now(call).now
        if kill_switch.loosens(account, state):
            check_permission(call.caller, RELEASE)
        changed = kill_switch.switch(account, state, call.body.why, now, call.caller.name)
        Nudger(settings.REDIS_URL)(account.pk)
        return _done(changed, *_SWITCHED[state])

    return act


# --- settings -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """New values of settings, all or none; the revision that was seen; and why."""

    revision: Annotated[int, Within(1, 2**31 - 1)]
    changes: Mapping[str, Annotated[str, Plain()]]
    why: Why


def configure(call: Call) -> Configuration:
    """Change settings, whole or nothing."""
    body, pk = call.body, call.account.pk
    _must_be_seen(pk, body.revision)
    faults = _faults(pk, dict(body.changes))
    if faults:
        raise invalid(*faults)
    tried = TradingConfig.objects.get(pk=pk)
    config.tried(tried, body.changes)
    changes = {
        name: value
        for name, value in body.changes.items()
        if getattr(tried, name) != getattr(call.row, name)
    }
    if not changes:
        return configuration_of(call.row)
    try:
        config.change(pk, changes, actor=call.caller.user, why=body.why, revision=body.revision)
    except ConfigError as problem:
        _must_be_seen(
            pk, body.revision
        )  # somebody else was faster between the check and the change
        raise invalid(_fault(problem, body.changes)) from problem
    return configuration_of(TradingConfig.objects.get(pk=pk))


def _must_be_seen(pk: int, revision: int) -> None:
    now = TradingConfig.objects.values_list("revision", flat=True).get(pk=pk)
    if now != revision:
        text = Text(
            f"The settings are at revision {now} by now, you saw {revision}; nothing was changed.",
            f"配置已是第 {now} 版，您看到的是第 {revision} 版；未做任何更改。",
        )
        remedy = Text("Read them again, then change.", "请重新读取后再修改。")
        raise conflict("STALE_REVISION", text, remedy, field="revision", value=str(revision))


def _faults(pk: int, left: dict[str, Any]) -> list[Fault]:
    """Try the changes without saving; what is refused is taken out and the rest tried again, so that all is named."""
    faults: list[Fault] = []
    while left:
        try:
            config.tried(TradingConfig.objects.get(pk=pk), left)
        except ConfigError as problem:
            fault = _fault(problem, left)
            faults.append(fault)
            name = (fault.field or "").removeprefix("changes.")
            if name not in left:
                break
            del left[name]
        else:
            break
    return faults


def _fault(problem: ConfigError, given: Mapping[str, Any]) -> Fault:
    name = config.field_of(problem) or str(problem).partition(" ")[0]
    text = config.explain(problem)
    remedy = Text("See the range of each setting.", "请查看各项配置的范围。")
    if name not in given:
        return Fault("BAD_VALUE", text, remedy, "changes")
    return Fault("BAD_VALUE", text, remedy, f"changes.{name}", shown(given[name]))


# --- grids ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stop:
    """What happens to the lots, and why."""

    why: Why
    policy: Annotated[str, OneOf(tuple(StopPolicy.values))]


def pause_grid(call: Call) -> Done:
    """Pause a session."""
    row, now = call.row, account_now(call).now
    changed = sessions.pause(row.pk, call.body.why, now, call.caller.name)
    return _done(changed, f"The grid on {row.symbol} pauses.", f"{row.symbol} 网格已暂停。")


def resume_grid(call: Call) -> Done:
    """Let a paused session go on."""
    row, now = call.row, account_now(call).now
    changed = sessions.resume(row.pk, call.body.why, now, call.caller.name)
    return _done(changed, f"The grid on {row.symbol} runs.", f"{row.symbol} 网格已恢复。")


def stop_grid(call: Call) -> Done:
    """Stop a session."""
    row, now, policy = call.row, account_now(call).now, StopPolicy(call.body.policy)
    changed = sessions.stop(row.pk, policy, call.body.why, now, call.caller.name)
    return _done(
        changed,
        f"The grid on {row.symbol} is stopping ({policy.value}).",
        f"{row.symbol} 网格正在停止。",
    )


# --- unknown outcomes, watch lists ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """`bind`: it is the broker's order `number`; `absent`: it was never sent; `wait`: keep waiting; and why."""

    decision: Annotated[str, OneOf(tuple(Wish.values))]
    why: Why
    number: Annotated[int, Within(1, 2**63 - 1)] | None = None


def decide(call: Call) -> Done:
    """Decide about an order whose outcome is unknown."""
    body, now = call.body, account_now(call).now
    wish = Wish(body.decision)
    if (wish is Wish.BIND) != (body.number is not None):
        text = Text(
            "A number belongs to bind, and to it alone.", "number 只用于 bind，且必须填写。"
        )
        remedy = Text("Give the broker's number with bind only.", "仅在 bind 时填写柜台委托号。")
        raise invalid(Fault("BAD_VALUE", text, remedy, "number", shown(body.number)))
    changed = unknown_outcomes.decide(
        call.row.pk, wish, body.why, now, call.caller.name, body.number
    )
    return _done(
        changed, "The gateway carries it out at its next look.", "网关将在下一次检查时执行。"
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """A symbol as a person writes it, and a note."""

    symbol: Annotated[str, Size(1, 20)]
    note: Annotated[str, Size(0, 100)] = ""


@dataclass(frozen=True, slots=True)
class Addition:
    """Symbols for the watch list."""

    items: Annotated[tuple[Wanted, ...], Size(1, 200)]


def watch(call: Call) -> WatchList:
    """Put symbols on the watch list, all or none."""
    entries, faults = [], []
    for place, one in enumerate(call.body.items):
        try:
            entries.append(Entry(parse_symbol(one.symbol), one.note))
        except SymbolError as problem:
            faults.append(bad_symbol(problem, f"items[{place}].symbol", one.symbol))
    if faults:
        raise invalid(*faults)
    watching.watch(call.account.pk, entries, account_now(call).now, call.caller.name)
    return watch_list(call)


def unwatch(call: Call) -> WatchList:
    """Take a symbol off the watch list."""
    written = call.path["symbol"]
    try:
        symbol: Symbol = parse_symbol(written)
    except SymbolError as problem:
        raise invalid(bad_symbol(problem, "symbol", written)) from problem
    if not WatchedSymbol.objects.filter(account=call.account, symbol=symbol).exists():
        text = Text(f"{symbol} is not on the watch list.", f"{symbol} 不在自选列表中。")
        fault = Fault("NOT_FOUND", text, NOTHING, "symbol", written)
        raise Problem(HTTPStatus.NOT_FOUND, fault)
    watching.unwatch(call.account.pk, [symbol], account_now(call).now, call.caller.name)
    return watch_list(call)
