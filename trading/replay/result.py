"""What a replay came to, as one plain object, and its bytes: the same input gives the same bytes, always.

Nothing in it comes from a real clock, a primary key or a random number: rows are numbered in order of creation, times
are market time in China, amounts are text, so that no reader turns them into floats.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from trading.domain.types import CHINA, ZERO, Symbol
from trading.models import Account, Denial, Fill, Order, Position, Signal, TradingConfig
from trading.replay.balance import Ledger
from trading.replay.engine import Replay
from trading.replay.guests import Guest, guests
from trading.selectors import position_value_of
from trading.services.config import setting_names

#: Where computed prices (costs, levels) are cut for people and files; they are stored finer.
_SHOWN = Decimal("0.0001")

Result = dict[str, Any]


def result_of(replay: Replay, ledger: Ledger) -> Result:
    """Return `{source, config, signals, orders, fills, positions, cash, denials}` of JSON-able values.

    What other apps were asked for is there under their key.
    """
    account = Account.objects.get(pk=replay.account.pk)
    signals = list(Signal.objects.filter(account=account).order_by("pk"))
    numbers: dict[int | None, int] = {
        signal.pk: number for number, signal in enumerate(signals, 1)
    }
    orders = list(Order.objects.filter(account=account).order_by("pk"))
    ids: dict[int | None, str] = {order.pk: order.client_order_id for order in orders}
    signal_of = {order.pk: numbers.get(order.signal_id) for order in orders}
    fills = Fill.objects.filter(account=account).order_by("pk")
    denials = Denial.objects.filter(account=account).order_by("pk")
    sources = [
        {"name": recording.name, "sha256": recording.sha256} for recording in replay.recordings
    ]
    found = {
        "source": sources[0] if len(sources) == 1 else sources,
        "config": _config(replay),
        "signals": [_signal(signal, numbers[signal.pk]) for signal in signals],
        "orders": [_order(order, ids, signal_of[order.pk]) for order in orders],
        "fills": [
            _fill(
                fill, ids.get(fill.order_id), signal_of[fill.order_id] if fill.order_id else None
            )
            for fill in fills
        ],
        "positions": _positions(replay, account, ledger),
        "cash": money(account.cash if account.cash is not None else replay.options.cash),
        "denials": [_denial(denial, numbers.get(denial.signal_id)) for denial in denials],
    }
    for guest in _guests(replay):
        found[guest.key] = guest.result(replay)
    return found


def _guests(replay: Replay) -> list[Guest]:
    """Return the guests that were asked for something."""
    return [guest for guest in guests() if replay.options.guests.get(guest.key)]


def json_bytes(result: Result) -> bytes:
    """Return the result as UTF-8 JSON, keys sorted, lines ended by LF."""
    return (json.dumps(result, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()


def money(amount: Decimal) -> str:
    """Return an amount of yuan as text: at least two decimals, more only when they say something."""
    text = f"{amount:.4f}"
    return text[:-2] if text.endswith("00") else text.rstrip("0")


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(CHINA).isoformat()


def _level(price: Decimal | None) -> str | None:
    return None if price is None else money(price.quantize(_SHOWN))


def _config(replay: Replay) -> dict[str, Any]:
    row = TradingConfig.objects.get(pk=replay.account.pk)
    values = {name: getattr(row, name) for name in setting_names()}
    options = replay.options
    return {
        "settings": {name: _plain(value) for name, value in values.items()},
        "cash": money(options.cash),
        "positions": [
            {"symbol": seed.symbol, "quantity": seed.quantity, "cost": money(seed.cost)}
            for seed in options.seeds
        ],
        **{
            guest.key: [guest.shown(text) for text in options.guests[guest.key]]
            for guest in _guests(replay)
        },
        "corporate_actions": [
            {
                "symbol": action.symbol,
                "date": action.on.isoformat(),
                "factor": str(action.factor),
                "share_ratio": str(action.share_ratio),
                "cash_per_share": str(action.cash_per_share),
            }
            for action in options.corporate_actions
        ],
    }


def _plain(value: Any) -> Any:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value


def _signal(signal: Signal, number: int) -> dict[str, Any]:
    return {
        "number": number,
        "time": _time(signal.created_at),
        "symbol": signal.symbol,
        "kind": signal.kind,
        "side": signal.side,
        "quantity": signal.quantity,
        "trigger_price": _level(signal.trigger_price),
        "last": money(signal.last),
        "quote_time": _time(signal.quote_time),
        "reason": {"en": signal.reason_en, "zh": signal.reason_zh},
        "state": signal.state,
        "denial_code": signal.denial_code,
        "decided": _time(signal.decided_at),
        "outcome": {"en": signal.outcome_en, "zh": signal.outcome_zh},
    }


def _order(order: Order, ids: dict[int | None, str], signal: int | None) -> dict[str, Any]:
    return {
        "order": order.client_order_id,
        "signal": signal,
        "time": _time(order.approved_at),
        "symbol": order.symbol,
        "kind": order.kind,
        "side": order.side,
        "quantity": order.quantity,
        "price": money(order.price),
        "attempt": order.attempt,
        "follows": ids.get(order.root_id),
        "state": order.state,
        "filled_quantity": order.filled_quantity,
        "submitted": _time(order.submitted_at),
        "ended": _time(order.ended_at),
        "end_reason": order.end_reason,
        "cancel_reason": order.cancel_reason,
        "message": order.message,
    }


def _fill(fill: Fill, order: str | None, signal: int | None) -> dict[str, Any]:
    return {
        "time": _time(fill.at),
        "symbol": fill.symbol,
        "side": fill.side,
        "quantity": fill.quantity,
        "price": money(fill.price),
        "commission": money(fill.commission),
        "stamp_duty": money(fill.stamp_duty),
        "transfer_fee": money(fill.transfer_fee),
        "order": order,
        "signal": signal,
    }


def _denial(denial: Denial, signal: int | None) -> dict[str, Any]:
    return {
        "time": _time(denial.at),
        "symbol": denial.symbol,
        "kind": denial.kind,
        "code": denial.code,
        "text": {"en": denial.text_en, "zh": denial.text_zh},
        "signal": signal,
        "over": _time(denial.cleared_at),
    }


def _positions(replay: Replay, account: Account, ledger: Ledger) -> list[dict[str, Any]]:
    """Return every life, open or ended, with its profit after fees; what is left is valued at the last price."""
    rows = Position.objects.filter(account=account).order_by("symbol", "life")
    latest = _last_prices(replay, [Symbol(row.symbol) for row in rows])
    return [_position(row, ledger, latest.get(Symbol(row.symbol), ZERO)) for row in rows]


def _position(row: Position, ledger: Ledger, last: Decimal) -> dict[str, Any]:
    value = position_value_of(row)
    life = next(life for life in ledger.lives[Symbol(row.symbol)] if life.number == row.life)
    price = last or value.cost  # never quoted: worth what it cost
    return {
        "symbol": row.symbol,
        "life": row.life,
        "quantity": row.quantity,
        "cost": _level(value.cost),
        "last": money(price),
        "high_since_entry": money(row.high_since_entry),
        "first_take_profit_done": row.first_take_profit_done,
        "trailing_level": _level(row.trailing_level),
        "opened_on": row.opened_on.isoformat(),
        "ended": _time(row.closed_at),
        "fees": money(life.fees),
        "dividends": money(life.dividends),
        "profit": money(life.profit(price).quantize(_SHOWN)),
    }


def _last_prices(replay: Replay, symbols: Sequence[Symbol]) -> dict[Symbol, Decimal]:
    """Return each symbol's last price, its previous close while nothing traded."""
    quotes = replay.store.latest(symbols)
    return {symbol: quote.last or quote.previous_close for symbol, quote in quotes.items()}
