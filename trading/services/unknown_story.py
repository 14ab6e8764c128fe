"""What a person needs to decide about an unknown order: what was sent, what each source said since, what it may be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trading.domain.binding import EARLIEST
from trading.domain.types import CHINA, Text
from trading.models import BrokerEvent, Event, Fill, Order, UnknownOutcome

#: Reports looked through; a busy account says this much in a few minutes, and later ones say less of a submit.
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Said:
    """What one source said at one time."""

    at: datetime
    source: Text
    text: Text


@dataclass(frozen=True, slots=True)
class Candidate:
    """A broker order of the symbol and side that belongs to none of ours."""

    number: int
    quantity: int
    price: str
    traded: int
    state: str
    time: str
    remark: str


def story(outcome: UnknownOutcome) -> list[Said]:
    """Return what was said of an unknown order, oldest first."""
    order = outcome.order
    told = [*_moves(order), *_reports(order), *_fills(order), *_queries(outcome)]
    return sorted(told, key=lambda said: said.at)


def silent(outcome: UnknownOutcome) -> list[Text]:
    """Return the sources that said nothing of it."""
    heard = {said.source for said in story(outcome)}
    return [source for source in (_ANSWER, _PUSH, _QUERY) if source not in heard]


def candidates(order: Order) -> list[Candidate]:
    """Return the broker's orders it may be, by number; of repeated reports the newest counts."""
    others = Order.objects.filter(account_id=order.account_id, trade_date=order.trade_date)
    taken = set(others.exclude(pk=order.pk).values_list("broker_order_id", flat=True))
    found: dict[int, Candidate] = {}
    for _, row in sorted(_shown_orders(order), key=lambda pair: pair[0]):
        number = int(row["broker_order_id"])
        if row["symbol"] == order.symbol and row["side"] in (None, order.side):
            found[number] = Candidate(
                number,
                int(row["quantity"]),
                str(row["price"]),
                int(row["traded_quantity"]),
                str(row["state"]),
                str(row["time"]),
                str(row["remark"]),
            )
    return [found[number] for number in sorted(found) if number not in taken]


_ORDER = Text("our books", "本系统")
_ANSWER = Text("answer to the call", "报单应答")
_PUSH = Text("push", "主动推送")
_FILL = Text("fills", "成交")
_QUERY = Text("queries of orders, fills, holdings and cash", "委托、成交、持仓、资金查询")
_LINE = Text("connection", "连接")


def _moves(order: Order) -> Iterator[Said]:
    for event in order.events.all():
        why = str(event.detail.get("why", ""))
        yield Said(
            event.at,
            _ORDER,
            Text(
                f"{event.old_state} → {event.new_state} {why}",
                f"{event.old_state} → {event.new_state} {why}",
            ),
        )


def _reports(order: Order) -> Iterator[Said]:
    for event in _broker_events(order):
        row = event.payload
        if event.kind in ("SubmitResponse", "SubmitError"):
            mine = row["remark"] == order.client_order_id or (
                row["seq"] == order.seq and event.epoch == order.connection
            )
            if mine:
                text = f"{event.kind}: {row['broker_order_id']} {row['message']}"
                yield Said(event.received_at, _ANSWER, Text(text, text))
        elif event.kind in ("BrokerOrder", "BrokerTrade") and row["symbol"] == order.symbol:
            text = (
                f"{event.kind} {row['broker_order_id']}: {row['side']} {row['quantity']} at "
                f"{row['price']}, {row.get('state', row.get('traded_id'))}, {row['remark']!r}"
            )
            yield Said(event.received_at, _PUSH, Text(text, text))
        elif event.kind == "ConnectionReport" and not row["ok"]:
            yield Said(event.received_at, _LINE, Text(row["message"], row["message"]))


def _fills(order: Order) -> Iterator[Said]:
    rows = Fill.objects.filter(
        account_id=order.account_id,
        trade_date=order.trade_date,
        symbol=order.symbol,
        side=order.side,
        order__isnull=True,
    )
    for fill in rows:
        yield Said(
            fill.booked_at,
            _FILL,
            Text(
                f"{fill.quantity} at {fill.price} of broker order {fill.broker_order_id}, not assigned",
                f"柜台委托 {fill.broker_order_id} 成交 {fill.quantity} 股（{fill.price}），未归属",
            ),
        )


def _queries(outcome: UnknownOutcome) -> Iterator[Said]:
    if outcome.missed_at is not None:
        yield Said(
            outcome.missed_at,
            _QUERY,
            Text(
                "a clean query does not show it, for the first time that counts",
                "有效查询首次查无",
            ),
        )
    if outcome.checked_at is not None:
        verdict = Text(outcome.verdict_en, outcome.verdict_zh)
        yield Said(outcome.checked_at, _QUERY, verdict)


def _shown_orders(order: Order) -> Iterator[tuple[datetime, Mapping[str, Any]]]:
    """Orders that were pushed, and those of queries that the journal keeps because they are not ours."""
    for event in _broker_events(order):
        if event.kind == "BrokerOrder":
            yield event.received_at, event.payload
    day = order.trade_date
    for told in Event.objects.filter(
        account_id=order.account_id, code__in=("EXTERNAL_ORDER", "ORDER_UNPLACED")
    ).order_by("-pk")[:_MOST]:
        if told.at.astimezone(CHINA).date() == day and "order" in told.detail:
            yield told.at, told.detail["order"]


def _broker_events(order: Order) -> list[BrokerEvent]:
    since = (order.claimed_at or order.approved_at) + EARLIEST
    rows = BrokerEvent.objects.filter(account_id=order.account_id, received_at__gte=since)
    return list(rows.order_by("pk")[:_MOST])
