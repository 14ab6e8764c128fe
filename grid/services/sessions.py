"""What people do with grid sessions: each is one transaction, refused or done whole, with an event that names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from simple_history.utils import update_change_reason

from grid.domain import preview as domain_preview
from grid.domain.parameters import GridRules, default_investment, starting_centre
from grid.domain.rules import build, parameter_names
from grid.domain.state import SessionStatus, start
from grid.models import GridSession
from grid.models.sessions import StopPolicy
from grid.selectors import rules_of, state_columns, templates
from grid.services.ending import begin_stop, pause_session
from trading.domain.instruments import Instrument, lot_rule
from trading.domain.settings import SettingError
from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import CHINA, Quote, Text
from trading.models import Account, EventLevel, Position
from trading.selectors import instrument_of
from trading.services.accounts import fee_schedule
from trading.services.corrections import CorrectionError
from trading.services.events import journal

#: What an edit may change beside the parameters of the style.
_EDITABLE = ("base_quantity", "exits_may_sell_base", "stop_policy")


class SessionRefused(CorrectionError):
    """A request about a session was refused: nothing changed. `text` says why, `field` what is to be corrected."""

    def __init__(self, text: Text, field: str | None = None) -> None:
        self.field = field
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Request:
    """A session somebody wants. `template` None: the style's own defaults. `values`: parameters that differ from it.

    Empty (None) stands for the default: `max_investment` half the holding's value, `centre` the holding's high, else
    the last price, `base_quantity` the holding.
    """

    account_id: int
    symbol: str
    template: str | None = None
    style: str | None = None
    values: Mapping[str, Any] | None = None
    centre: Decimal | None = None
    base_quantity: int | None = None
    exits_may_sell_base: bool = True
    stop_policy: StopPolicy = StopPolicy.KEEP


@dataclass(frozen=True, slots=True)
class Draft:
    """A request made whole and found in order; `held`: shares in the account."""

    request: Request
    instrument: Instrument
    rules: GridRules
    centre: Decimal
    base_quantity: int
    held: int


def draft(request: Request, quote: Quote | None, now: datetime) -> Draft:
    """Return the session this request would start; writes nothing. Raises SessionRefused.

    `quote`: the symbol's newest one, None when there is none.
    """
    try:
        instrument = instrument_of(parse_symbol(request.symbol))
    except SymbolError as problem:
        raise SessionRefused(problem.text, "symbol") from problem
    lot = lot_rule(instrument, now.astimezone(CHINA).date())
    if not lot.largest:
        raise _refused(
            "symbol",
            f"{instrument.symbol} is not traded here",
            f"本系统不交易 {instrument.symbol}",
        )
    row = Position.objects.filter(
        account_id=request.account_id, symbol=instrument.symbol, closed_at__isnull=True
    ).first()
    held = 0 if row is None else row.quantity
    last = quote.last if quote is not None and quote.last > 0 else None
    centre = starting_centre(request.centre, None if row is None else row.high_since_entry, last)
    if centre is None or not centre.is_finite() or (request.centre or 1) <= 0:
        raise _refused(
            "centre",
            "no price is known: give a centre above 0",
            "没有可用价格：请填写大于 0 的中心价",
        )
    rules = _rules(request, held * (last or centre))
    if misfit := rules.misfit(lot):
        raise SessionRefused(misfit.text, misfit.field)
    base = held if request.base_quantity is None else request.base_quantity
    if not 0 <= base <= held:
        raise _refused(
            "base_quantity",
            f"the base holding is {base}, {held} are held",
            f"底仓 {base}，实际持有 {held}",
        )
    return Draft(request, instrument, rules, centre, base, held)


def preview_of(made: Draft, now: datetime) -> domain_preview.Preview:
    """Return what the session of a draft would do: lines, cost, worst case, break-even."""
    account = Account.objects.get(pk=made.request.account_id)
    on = now.astimezone(CHINA).date()
    market = domain_preview.Market(made.instrument, fee_schedule(account), on)
    facts = domain_preview.holding_facts(market, made.held, made.held, made.base_quantity)
    return domain_preview.preview(made.centre, made.rules, facts, market)


def start_session(
    request: Request, quote: Quote | None, now: datetime, *, actor: str, why: str
) -> GridSession:
    """Start a session. Raises SessionRefused, also when the symbol has one that is not stopped."""
    _needs_reason(why)
    made = draft(request, quote, now)
    state = start(made.centre)
    columns = {name: getattr(made.rules, name) for name in parameter_names(made.rules.style)}
    row = GridSession(
        account_id=request.account_id,
        symbol=made.instrument.symbol,
        style=made.rules.style,
        status=SessionStatus.ACTIVE,
        started_at=now,
        ends_at=_end(made.rules, now),
        stop_policy=request.stop_policy,
        changed_why=why[:200],
        base_quantity=made.base_quantity,
        exits_may_sell_base=request.exits_may_sell_base,
        seen=now,
        exits_seen_at=now,
        checked_close_on=now.astimezone(CHINA).date(),  # its centre is of today
        **columns,
        **state_columns(state),
    )
    try:
        with transaction.atomic():
            _save(row, actor, why)
            text = Text(
                f"Grid on {row.symbol} started at {row.centre.normalize():f}: {why}",
                f"{row.symbol} 网格已启动，中心 {row.centre.normalize():f}：{why}",
            )
            _tell(row, "GRID_STARTED", text, now, actor)
    except IntegrityError as problem:
        raise _refused(
            "symbol",
            f"{row.symbol} has a grid session that is not stopped",
            f"{row.symbol} 已有未停止的网格会话",
        ) from problem
    return row


def pause(session_id: int, why: str, now: datetime, actor: str) -> bool:
    """Pause a session: no new orders, working ones are cancelled, exits only alert. True when it was active."""
    _needs_reason(why)
    with transaction.atomic():
        row = _open(session_id)
        if row.status != SessionStatus.ACTIVE:
            return False
        pause_session(row, Text(why, why), now)
        _save(row, actor, why)
        _tell(row, "GRID_PAUSED", Text(f"Grid on {row.symbol} paused: {why}", f"{row.symbol} 网格已暂停：{why}"), now, actor)  # fmt: skip
        return True


def resume(session_id: int, why: str, now: datetime, actor: str) -> bool:
    """Let a paused session trade again, with a fresh tracker. True when it was paused."""
    _needs_reason(why)
    with transaction.atomic():
        row = _open(session_id)
        if row.status != SessionStatus.PAUSED:
            return False
        row.status, row.status_en, row.status_zh = SessionStatus.ACTIVE, why, why
        row.exits_seen_at, row.ex_rights_unclear = now, False
        _save(row, actor, why)
        _tell(row, "GRID_RESUMED", Text(f"Grid on {row.symbol} resumed: {why}", f"{row.symbol} 网格已恢复：{why}"), now, actor)  # fmt: skip
        return True


def stop(session_id: int, policy: StopPolicy, why: str, now: datetime, actor: str) -> bool:
    """Stop a session: it cancels its orders, and ends when they have ended (`sell_lots`: when its lots are sold).

    Also changes the policy of one that is stopping. False when it is stopped already. Raises SessionRefused.
    """
    _needs_reason(why)
    policy = StopPolicy(policy)
    with transaction.atomic():
        row = GridSession.objects.select_for_update().get(pk=session_id)
        if row.status == SessionStatus.STOPPED:
            return False
        begin_stop(row, policy, "", Text(why, why), now)
        _save(row, actor, why)
        text = Text(
            f"Grid on {row.symbol} is stopping ({policy.value}): {why}",
            f"{row.symbol} 网格正在停止（{StopPolicy(policy).label}）：{why}",
        )
        _tell(row, "GRID_STOPPING", text, now, actor)
        return True


def edit(
    session_id: int,
    changes: Mapping[str, Any],
    *,
    revision: int | None,
    why: str,
    now: datetime,
    actor: str,
) -> GridSession:
    """Change parameters, base holding, exit switch or stop policy of an open session, all or none; history is kept.

    `revision`: the one the person saw (optimistic lock). Raises SessionRefused. Centre and tracker stay.
    """
    _needs_reason(why)
    with transaction.atomic():
        row = _open(session_id)
        if revision is not None and row.revision != revision:
            raise _refused(
                "revision",
                f"the session is at revision {row.revision} by now, you saw {revision}: look again",
                f"会话已是版本 {row.revision}，您看到的是 {revision}：请刷新",
            )
        own = {name: value for name, value in changes.items() if name in _EDITABLE}
        named = {name: value for name, value in changes.items() if name not in _EDITABLE}
        rules = _changed(row, named)
        lot = lot_rule(instrument_of(parse_symbol(row.symbol)), now.astimezone(CHINA).date())
        if problem := rules.misfit(lot):
            raise SessionRefused(problem.text, problem.field)
        for name in parameter_names(row.style):
            setattr(row, name, getattr(rules, name))
        for name, value in own.items():
            setattr(row, name, _own_value(row, name, value))
        row.ends_at = _end(rules, row.started_at)
        row.revision += 1
        row.changed_why = why[:200]
        _save(row, actor, why)
        names = ", ".join(changes)
        _tell(row, "GRID_EDITED", Text(f"Grid on {row.symbol}: {names} changed: {why}", f"{row.symbol} 网格参数已修改（{names}）：{why}"), now, actor)  # fmt: skip
    return row


def clone(
    session_id: int,
    *,
    symbol: str,
    quote: Quote | None,
    now: datetime,
    actor: str,
    why: str,
    account_id: int | None = None,
    centre: Decimal | None = None,
) -> GridSession:
    """Start a session with the parameters of another one, on another symbol or account. Raises SessionRefused."""
    row = GridSession.objects.get(pk=session_id)
    values = {name: getattr(row, name) for name in parameter_names(row.style)}
    request = Request(
        account_id=row.account_id if account_id is None else account_id,
        symbol=symbol,
        style=row.style,
        values=values,
        centre=centre,
        exits_may_sell_base=row.exits_may_sell_base,
        stop_policy=StopPolicy(row.stop_policy),
    )
    return start_session(request, quote, now, actor=actor, why=why)


def _rules(request: Request, holding_value: Decimal) -> GridRules:
    own = dict(request.values or {})
    budget = own.pop("max_investment", None)
    if budget is None:
        budget = default_investment(holding_value)
    try:
        if request.template is None:
            return build(request.style or "centred", {**own, "max_investment": budget})
        template = templates().get(request.template)
        if template is None:
            known = ", ".join(templates())
            raise SettingError(
                "template", request.template, Text(f"one of {known}", f" {known} 之一")
            )
        return template.rules(budget, **own)
    except SettingError as problem:
        raise SessionRefused(problem.text, problem.field) from problem


def _changed(row: GridSession, named: Mapping[str, Any]) -> GridRules:
    try:
        now = rules_of(row)
        values = {name: getattr(now, name) for name in parameter_names(row.style)}
        return build(row.style, {**values, **named})
    except SettingError as problem:
        raise SessionRefused(problem.text, problem.field) from problem


def _own_value(row: GridSession, name: str, value: Any) -> Any:
    """Return what may stand in a column that is no parameter. Raises SessionRefused."""
    if name == "stop_policy" and value in StopPolicy.values:
        return StopPolicy(value)
    if name == "exits_may_sell_base" and isinstance(value, bool):
        return value
    sold = row.unmatched_quantity
    if name == "base_quantity" and type(value) is int and value >= sold:
        return value
    raise _refused(
        name,
        f"{name} cannot be {value!r} (of the base holding {sold} are sold already)",
        f"{name} 不能为 {value!r}（底仓已卖出 {sold} 股）",
    )


def _end(rules: GridRules, started_at: datetime) -> datetime | None:
    days = getattr(rules, "duration_days", None)
    return None if days is None else started_at + timedelta(days=days)


def _open(session_id: int) -> GridSession:
    row = GridSession.objects.select_for_update().get(pk=session_id)
    if row.status in (SessionStatus.STOPPING, SessionStatus.STOPPED):
        raise _refused(
            None,
            f"the session on {row.symbol} is {row.status}",
            f"{row.symbol} 的会话{row.get_status_display()}",
        )
    return row


def _save(row: GridSession, actor: str, why: str) -> None:
    """Save a session with a history row; the tick writes its state past the history."""
    row.save()
    update_change_reason(row, f"{actor}: {why}"[:100])


def _tell(row: GridSession, code: str, text: Text, now: datetime, actor: str) -> None:
    journal(
        row.account_id,
        EventLevel.INFO,
        code,
        text,
        now,
        symbol=row.symbol,
        actor=actor,
        session=row.pk,
    )


def _needs_reason(why: str) -> None:
    if not why.strip():
        raise _refused("why", "a reason is needed", "必须写明原因")


def _refused(field: str | None, en: str, zh: str) -> SessionRefused:
    return SessionRefused(Text(en, zh), field)
