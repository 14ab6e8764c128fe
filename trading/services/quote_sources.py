"""What the sources of quotes say, read for people, for the health tick and for the protection of holdings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from trading.domain.source_health import Condition, Said, why_taken
from trading.domain.types import AccountMode, Symbol, Text
from trading.errors import GatewayUnavailable
from trading.models import Account
from trading.selectors import instruments_of, wanted_quotes
from trading.services.clock import SIMULATED
from trading.services.pace import pace_of
from trading.services.shared_quotes import refused_of_thread, said_of_thread

#: The market data process notes what its sources say every 5 s (real time): longer, and it is silent.
SILENT = timedelta(seconds=20)
#: Symbols of one page.
PAGE = 100


def quotes_mode() -> AccountMode:
    """Return whose market the quotes are of: the real one as soon as one enabled account lives in it."""
    real = Account.objects.filter(enabled=True).exclude(mode__in=SIMULATED).exists()
    return AccountMode.LIVE if real else AccountMode.DEMO


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One source of one symbol, or of itself; `age` of its newest accepted quote, None before any."""

    said: Said
    age: timedelta | None
    why: Text


@dataclass(frozen=True, slots=True)
class SymbolLines:
    """A symbol, with a line for each source that was asked for it."""

    symbol: Symbol
    name: str
    lines: Sequence[SourceLine]


@dataclass(frozen=True, slots=True)
class Overview:
    """The sources and, of `count` symbols that are wanted, those of one page. `silent_since`: nothing is noted any more."""

    sources: Sequence[SourceLine]
    symbols: Sequence[SymbolLines]
    count: int
    silent_since: datetime | None
    noted: bool


def overview(
    now: datetime,
    mode: AccountMode,
    symbols: Iterable[Symbol] | None = None,
    *,
    trouble_only: bool = False,
    page: int = 1,
) -> Overview:
    """Return what the sources say of these symbols (None: of all that are wanted), at market time `now`.

    `trouble_only`: only symbols that a source does not serve well. Raises GatewayUnavailable.
    """
    chosen = sorted(wanted_quotes()[0] if symbols is None else set(symbols))
    if not trouble_only:
        count, chosen = len(chosen), chosen[(page - 1) * PAGE : page * PAGE]
    said = _by_symbol(said_of_thread(chosen))
    if trouble_only:
        chosen = [one for one in chosen if _in_trouble(said.get(one, ()))]
        count, chosen = len(chosen), chosen[(page - 1) * PAGE : page * PAGE]
    names = instruments_of(chosen)
    sources = said.get(Symbol(""), ())
    newest = max((one.taken_at for one in sources), default=None)
    silent = newest is not None and now - newest > pace_of(mode).market(SILENT)
    return Overview(
        sources=[_line(one, one, now) for one in sources],
        symbols=[
            SymbolLines(one, names[one].name, _lines(said.get(one, ()), now)) for one in chosen
        ],
        count=count,
        silent_since=newest if silent else None,
        noted=newest is not None,
    )


def refused_since(symbols: Iterable[Symbol]) -> Mapping[Symbol, datetime]:
    """Return since when the quotes of a symbol are refused, of those that no source serves well.

    Nothing when it cannot be read: whatever else is known of a holding is told all the same.
    """
    found: dict[Symbol, datetime] = {}
    try:
        wanted = refused_of_thread().intersection(symbols)
        noted = said_of_thread(wanted) if wanted else ()
    except GatewayUnavailable:
        return found
    for symbol, said in _by_symbol(noted).items():
        since = [
            one.refused_since
            for one in said
            if one.condition is Condition.REFUSED and one.refused_since is not None
        ]
        if since and not any(one.condition is Condition.GOOD for one in said):
            found[symbol] = min(since)
    return found


def _by_symbol(said: Iterable[Said]) -> dict[Symbol, list[Said]]:
    found: dict[Symbol, list[Said]] = defaultdict(list)
    for one in said:
        found[one.symbol].append(one)
    return dict(found)


def _in_trouble(said: Sequence[Said]) -> bool:
    return not said or any(one.condition not in (Condition.GOOD, Condition.IDLE) for one in said)


def _lines(said: Sequence[Said], now: datetime) -> list[SourceLine]:
    chosen = next((one for one in said if one.chosen), None)
    return [_line(one, chosen, now) for one in said]


def _line(said: Said, chosen: Said | None, now: datetime) -> SourceLine:
    at = said.time if said.symbol else said.arrived_at
    age = None if at is None else max(now - at, timedelta(0))
    return SourceLine(said, age, why_taken(said, chosen))
