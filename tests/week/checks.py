"""What must hold when a session is over: I1 to I20 as in `tests/simulation/processes/checks.py`, for several days."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.invariants import Opening, violations
from tests.simulation.processes import checks
from tests.simulation.processes.checks import CASH, Expected, Found
from tests.stack import PRODUCT, TERMINAL
from tests.week.house import WeekHouse

#: What is asked otherwise here: T+1 day by day, the logs by their JSON lines.
_OTHERWISE = {checks.i7_t_plus_one, checks.i19_no_error_swallowed}
#: What processes say at the level ERROR while something is done to them: it is no secret, and nothing is wrong with it.
EXPLAINED = [
    re.compile(pattern)
    for pattern in (
        r"consumer: Cannot connect to redis",
        r"(Connection|Timeout)Error|OperationalError|Connection (refused|reset|closed)",
        r"beat: Connection error|Message Error",
        r"database is locked|readonly database|disk is full",
        r"the gateway stood still",
        r"repeated # times",  # of a line that is here itself
    )
]


def broken(house: WeekHouse, *, reported: bool = True) -> list[str]:
    """Return what does not hold while nothing works any more. `reported`: the day's report must be there, too."""
    opening = Opening(CASH, house.market.opening)
    found = violations(house.home / PRODUCT, house.home / TERMINAL, opening, at_rest=True)
    rows = checks.read(house, Expected())
    for check in checks.CHECKS:
        if check not in _OTHERWISE:
            found += check(rows)
    return [*found, *i7_t_plus_one(rows), *_books(house, reported)]


def i7_t_plus_one(found: Found) -> Iterator[str]:
    """On no day more is sold of a T+1 symbol than was held when it began."""
    held: Counter[str] = Counter(found.house.market.opening)
    moves: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    for trade in found.there_trades:
        moves[trade["at"][:10]].append((trade["symbol"], trade["side"], trade["quantity"]))
    t0 = {one["symbol"] for one in found.there["positions"] if one["settlement"] == "T+0"}
    t0 |= {symbol for symbol in held if symbol.startswith(("51", "15"))}
    for day in sorted(moves):
        sold: Counter[str] = Counter()
        for symbol, side, quantity in moves[day]:
            sold[symbol] += quantity if side == "sell" else 0
        for symbol, quantity in sold.items():
            if symbol not in t0 and quantity > held[symbol]:
                yield f"I7 {quantity} {symbol} were sold on {day}, yesterday's were {held[symbol]}"
        for symbol, side, quantity in moves[day]:
            held[symbol] += quantity if side == "buy" else -quantity


def _books(house: WeekHouse, reported: bool) -> Iterator[str]:
    """The books of each session are signed off, and it has a report."""
    today = house.market_now().date()
    query = 'SELECT 1 FROM trading_daybooks WHERE signed_at IS NOT NULL AND "on" = ?'
    if not house.rows(query, str(today)):
        yield f"I5 the books of {today} are not signed off"
    if reported and not house.rows(
        'SELECT 1 FROM monitoring_dayreport WHERE "on" = ?', str(today)
    ):
        yield f"I14 {today} has no report"


def errors_logged(house: WeekHouse, since: str) -> Counter[str]:
    """Count what processes logged as errors since a moment (UTC, ISO), by process and words, numbers aside."""
    found: Counter[str] = Counter()
    for path in sorted(house.logs.glob("*.jsonl*")):
        for line in path.read_text("utf-8", errors="replace").splitlines():
            try:
                row = json.loads(line)
            except ValueError:  # cut off by a kill
                continue
            if not isinstance(row, dict):  # the rest of such a line
                continue
            if row.get("level") in ("error", "critical") and str(row.get("at", "")) >= since:
                words = f"{row.get('event')} {str(row.get('exception', ''))[-200:]}"
                found[f"{row.get('process')}: {re.sub(r'[0-9]+', '#', words)[:300].strip()}"] += 1
    return found


def unexplained(errors: Counter[str]) -> dict[str, int]:
    """Return the errors no fault explains."""
    return {
        words: count
        for words, count in errors.items()
        if not any(pattern.search(words) for pattern in EXPLAINED)
    }
