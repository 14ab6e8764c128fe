"""What the sources say, as text of one row per source and symbol in the quote file."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from trading.domain.source_health import Observation, Said
from trading.domain.types import Symbol, Text
from trading.market_data.records import micros, moment

_MICROSECOND = timedelta(microseconds=1)


def pack(said: Said) -> str:
    seen = said.seen
    observed = [
        *(seen.expected, seen.calls, seen.failed, seen.failed_in_a_row),
        *(seen.accepted, seen.refused, seen.refused_in_a_row),
        *map(_micros, (seen.latency, seen.age, seen.silent, seen.fresh_for, seen.heartbeat)),
    ]
    fields = [
        *(said.rank, said.chosen, micros(said.taken_at), observed, _at(said.time)),
        *map(_price, (said.last, said.bid, said.ask)),
        *(said.volume, _at(said.arrived_at), said.total, said.refusals),
        *(_at(said.refused_since), said.refused_why, said.failure),
    ]
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def unpack(source: str, symbol: str, packed: str) -> Said:
    """Return what `pack` packed. Raises ValueError for any other text."""
    rank, chosen, taken_at, observed, *rest = json.loads(packed)
    time, last, bid, ask, volume, arrived_at, total, refusals, since, why, failure = rest
    times = (None if one is None else one * _MICROSECOND for one in observed[7:])
    seen = Observation(*observed[:7], *times)
    return Said(
        source=source,
        rank=rank,
        symbol=Symbol(symbol),
        chosen=chosen,
        taken_at=moment(taken_at),
        seen=seen,
        time=_moment(time),
        last=_decimal(last),
        bid=_decimal(bid),
        ask=_decimal(ask),
        volume=volume,
        arrived_at=_moment(arrived_at),
        total=total,
        refusals=refusals,
        refused_since=_moment(since),
        refused_why=None if why is None else Text(*why),
        failure=failure,
    )


def _micros(time: timedelta | None) -> int | None:
    return None if time is None else time // _MICROSECOND


def _at(time: datetime | None) -> int | None:
    return None if time is None else micros(time)


def _moment(number: int | None) -> datetime | None:
    return None if number is None else moment(number)


def _price(price: Decimal | None) -> str | None:
    return None if price is None else str(price)


def _decimal(text: Any) -> Decimal | None:
    return None if text is None else Decimal(text)
