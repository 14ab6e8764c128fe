"""What the sources of quotes say of an account's symbols, as facts of the health tick."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from monitoring.health import SourceFacts
from trading.domain.source_health import Condition, Said, cause
from trading.domain.types import Symbol, Text
from trading.services.shared_quotes import said_of_thread


def source_facts(symbols: Iterable[Symbol]) -> list[SourceFacts]:
    """Return a source's facts about these symbols, in order of the sources. Raises GatewayUnavailable.

    A quiet symbol is no fault of its source: findings about old quotes of holdings say what lasts.
    """
    said = said_of_thread(list(symbols))
    return [_facts(own, said) for own in said if not own.symbol]


def _facts(own: Said, said: Sequence[Said]) -> SourceFacts:
    is_down = own.condition is Condition.DOWN
    mine = [one for one in said if one.source == own.source and one.symbol]
    unknown = Text("not plausible", "行情异常")
    return SourceFacts(
        name=own.source,
        down=cause(own) if is_down else None,
        refused={
            one.symbol: one.refused_why or unknown
            for one in mine
            if one.condition is Condition.REFUSED
        },
        late=[one.symbol for one in mine if one.condition is Condition.SLOW],
        fills_in=[one.symbol for one in mine if one.chosen and one.rank > 0],
    )
