"""One holding: what surrounds it now, and everything that was decided and done about it, in one order of time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Any

from django.db.models import Q

from monitoring.console.denial_words import meaning
from monitoring.console.holding_levels import LevelView, levels_of
from monitoring.console.order_chains import decided_by, ended
from monitoring.console.paging import Place, Slice, Source, page_of
from monitoring.console.record_filters import AccountNow
from monitoring.console.values import HoldingView
from trading.domain.calendar import TradingCalendar, phase_at
from trading.domain.instruments import Settlement
from trading.domain.orders import OrderState
from trading.domain.types import CHINA, SignalKind, SignalState, Symbol, Text
from trading.domain.wording import percent, yuan
from trading.errors import ConfigError
from trading.models import Denial, Event, Fill, Order, Position, Signal
from trading.models.fields import CHINESE
from trading.selectors import bought_on, instrument_of, position_value_of
from trading.services import config
from trading.services.quotes import CapturedQuotes
from trading.services.view import TickView

NOTHING = Text("", "")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. `tone`: bad, calm or nothing. `target`: which page tells more, None = no other."""

    at: datetime
    what: Text
    words: Text
    more: Text = NOTHING
    tone: str = ""
    actor: str = ""
    target: str | None = None


@dataclass(frozen=True, slots=True)
class HoldingPage:
    """One life of a holding. `now`: what the overview says of it, None when it is sold. `revision`: None = no usable settings."""

    row: Position
    account: str
    market_now: datetime
    name: str
    now: HoldingView | None
    levels: tuple[LevelView, ...]
    notes: tuple[Text, ...]
    locked: int | None
    revision: int | None
    entries: tuple[Entry, ...]
    older: Place | None

    @property
    def next_level(self) -> LevelView | None:
        """The level that sells now."""
        return next((level for level in self.levels if level.sells_now), None)


def holding_page(
    row: Position,
    account: AccountNow,
    now: HoldingView | None,
    calendar: TradingCalendar,
    after: Place | None,
) -> HoldingPage:
    """Read one holding's page; a constant number of queries."""
    symbol = Symbol(row.symbol)
    instrument = instrument_of(symbol)
    held = row.closed_at is None
    settings = _settings(row.account_id) if held else None
    levels: tuple[LevelView, ...] = ()
    if settings is not None:
        view = TickView(
            row.account_id, settings, account.now, phase_at(calendar, account.now),
            CapturedQuotes({}, {}, {}), calendar,
        )  # fmt: skip
        rules = view.rules_of(row)
        if not settings.valid:
            rules = replace(rules, take_profit_enabled=False)
        last, sale = (now.last, (now.sale_kind, now.sale_price)) if now else (None, (None, None))
        levels = levels_of(position_value_of(row), rules, last, sale)
    locked = None
    if held and instrument.settlement is Settlement.T1:
        locked = bought_on(row.account_id, account.on).get(symbol, 0)
    page = _story(row, after)
    return HoldingPage(
        row=row,
        account=account.row.name,
        market_now=account.now,
        name=instrument.name,
        now=now,
        levels=levels,
        notes=_notes(row, account.now) if held else (),
        locked=locked,
        revision=None if settings is None else settings.revision,
        entries=tuple(_ENTRY[type(one)](one, account.row.mask) for _, one in page.rows),
        older=page.older,
    )


def _settings(account_id: int) -> config.Settings | None:
    try:
        return config.load(account_id)
    except ConfigError:
        return None


def _notes(row: Position, now: datetime) -> tuple[Text, ...]:
    """Say what is out of the ordinary about a holding."""
    found = []
    if not row.exit_enabled:
        found.append(Text("Exits are switched off for this holding.", "该持仓的退出规则已关闭。"))
    if row.exits_paused_until is not None and now < row.exits_paused_until:
        until = f"{row.exits_paused_until.astimezone(CHINA):%H:%M:%S}"
        found.append(Text(f"Exits rest until {until}.", f"退出规则暂停至 {until}。"))
    own = row.stop_loss_ratio, row.first_take_profit_ratio
    if own[0] is not None:
        ratio = percent(own[0])
        found.append(Text(f"Own stop-loss ratio: {ratio}.", f"单独止损比例：{ratio}。"))
    if own[1] is not None:
        ratio = percent(own[1])
        found.append(
            Text(f"Own first take-profit ratio: {ratio}.", f"单独首次止盈比例：{ratio}。")
        )
    if row.first_take_profit_done:
        found.append(Text("The first take-profit has sold.", "首次止盈已完成。"))
    if row.ex_rights_unverified:
        found.append(
            Text(
                "An ex-rights day could not be verified: check the cost.",
                "除权除息未核实：请核对成本。",
            )
        )
    if row.stale_since is not None:
        shown = "—" if row.broker_quantity is None else str(row.broker_quantity)
        found.append(
            Text(
                f"The terminal shows {shown} shares, our books {row.quantity}.",
                f"客户端显示 {shown} 股，账本为 {row.quantity} 股。",
            )
        )
    return tuple(found)


def _story(row: Position, after: Place | None) -> Slice:
    """Read one page of what concerns this life: by its number where a row has one, by its time where not."""
    of_symbol = {"account_id": row.account_id, "symbol": row.symbol}

    def within(field: str) -> Q:
        begins = datetime.combine(row.opened_on, time.min, CHINA)
        lives = Position.objects.filter(**of_symbol, life__lt=row.life)
        before = lives.order_by("-life").values_list("closed_at", flat=True).first()
        window = Q(**{f"{field}__gte": begins})
        if before is not None:
            window &= Q(**{f"{field}__gt": before})
        if row.closed_at is not None:
            window &= Q(**{f"{field}__lte": row.closed_at})
        return window

    def mine(field: str) -> Q:
        return Q(position=row.pk) | (Q(position=None) & within(field))

    return page_of(
        [
            Source(Fill.objects.filter(mine("booked_at"), **of_symbol), "booked_at"),
            Source(Order.objects.filter(mine("approved_at"), **of_symbol), "approved_at"),
            Source(Denial.objects.filter(within("at"), **of_symbol), "at"),
            Source(Signal.objects.filter(mine("created_at"), **of_symbol), "created_at"),
            Source(Event.objects.filter(within("at"), **of_symbol).defer("detail"), "at"),
        ],
        after,
    )


Mask = Callable[[str], str]


def _word(value: str) -> Text:
    return Text(value.replace("_", " "), CHINESE.get(value, value))


def _fill(row: Fill, mask: Mask) -> Entry:
    side, fees = _word(row.side), row.commission + row.stamp_duty + row.transfer_fee
    at, paid, cost = yuan(row.price), f"{row.amount:,.2f}", f"{fees:,.2f}"
    words = Text(
        f"{side.en} {row.quantity:,} at {at}: {paid} yuan, fees {cost}",
        f"{side.zh} {row.quantity:,} 股，价格 {at}，金额 {paid} 元，费用 {cost} 元",
    )
    outside = row.order_id is None
    more = Text("not ordered by this program", "非本程序委托") if outside else NOTHING
    return Entry(row.at, Text("fill", "成交"), words, more, target="orders")


def _order(row: Order, mask: Mask) -> Entry:
    side, state, at = _word(row.side), OrderState(row.state), yuan(row.price)
    said, again = _word(state.value), row.attempt
    words = Text(
        f"{side.en} {row.quantity:,} at {at} ({_word(row.kind).en}"
        + (f", re-order {again}" if again else "")
        + f"): {said.en}, {row.filled_quantity:,} filled",
        f"{side.zh} {row.quantity:,} 股，委托价 {at}（{_word(row.kind).zh}"
        + (f"，第 {again} 次重挂" if again else "")
        + f"）：{said.zh}，成交 {row.filled_quantity:,} 股",
    )
    end, message = ended(row), mask(row.message)
    more = Text(_joined(end.en, message), _joined(end.zh, message))
    bad = state in (OrderState.UNKNOWN, OrderState.REJECTED)
    tone = "bad" if bad else "calm" if state.working else ""
    return Entry(row.approved_at, Text("order", "委托"), words, more, tone, target="orders")


def _denial(row: Denial, mask: Mask) -> Entry:
    words = Text(
        f"{_word(row.kind).en} held back: {row.text_en}",
        f"{_word(row.kind).zh}未执行：{row.text_zh}",
    )
    tone = "bad" if row.cleared_at is None else ""
    means = meaning(row.code)
    more = Text(f"{row.code} · {means.en}", f"{row.code} · {means.zh}")
    return Entry(row.at, Text("denial", "风控拒绝"), words, more, tone, target="signals")


def _signal(row: Signal, mask: Mask) -> Entry:
    side, kind, state = _word(row.side), _word(row.kind), _word(row.state)
    words = Text(
        f"{side.en} {row.quantity:,} — {row.reason_en}",
        f"{side.zh} {row.quantity:,} 股 — {row.reason_zh}",
    )
    by = decided_by(row.source, SignalKind(row.kind))
    more = Text(
        _joined(
            state.en, kind.en, row.outcome_en, by.en, f"settings revision {row.config_revision}"
        ),
        _joined(state.zh, kind.zh, row.outcome_zh, by.zh, f"配置版本 {row.config_revision}"),
    )
    tones = {SignalState.DENIED.value: "bad", SignalState.PENDING.value: "calm"}
    tone = tones.get(row.state, "")
    return Entry(row.created_at, Text("signal", "信号"), words, more, tone, target="signals")


def _event(row: Event, mask: Mask) -> Entry:
    tone = {"alarm": "bad", "warning": "calm"}.get(row.level, "")
    actor = "" if row.actor == "system" else row.actor
    words = Text(mask(row.text_en), mask(row.text_zh))
    return Entry(row.at, Text("event", "事件"), words, Text(row.code, row.code), tone, actor)


_ENTRY: Mapping[type, Callable[[Any, Mask], Entry]] = {
    Fill: _fill,
    Order: _order,
    Denial: _denial,
    Signal: _signal,
    Event: _event,
}


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)
