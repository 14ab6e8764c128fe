"""Symbols: one canonical key per instrument, whatever a person types (rules §5)."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from trading.domain.types import Symbol, Text

#: Which exchange lists a code; the longest prefix wins. Source: code allocation of the three exchanges (rules §5).
_EXCHANGE_BY_PREFIX = {
    **dict.fromkeys(("920", "43", "83", "87", "88"), "BJ"),
    **dict.fromkeys(("5", "6", "9", "11", "204"), "SH"),
    **dict.fromkeys(("0", "2", "3", "12", "131", "15", "16", "18"), "SZ"),
}
_LONGEST_PREFIX = max(map(len, _EXCHANGE_BY_PREFIX))
_FORM = re.compile(r"(?:(?P<before>SH|SZ|BJ)\.?)?(?P<code>[0-9]{6})(?:\.(?P<after>SH|SZ|BJ))?")


class SymbolError(ValueError):
    """The text names no instrument, or more than one. `str(error)` is English, `error.text` both languages."""

    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(text.en)


@lru_cache(maxsize=16384)
def parse_symbol(text: str) -> Symbol:
    """Return the canonical `600036.SH` for `600036.SH`, `SH600036`, `sh.600036` or an unambiguous bare code.

    Blanks around it and full-width characters do no harm. Raises SymbolError when the text is no symbol, a code
    that no exchange owns, or one whose stated exchange does not list it (`000001.SH` is an index, not a share).
    """
    found = _FORM.fullmatch(unicodedata.normalize("NFKC", text).strip().upper())
    if found is None or (found["before"] and found["after"]):
        raise SymbolError(
            Text(
                f"{text!r} is not a symbol; write it like 600036.SH",
                f"“{text}”不是证券代码，请按 600036.SH 的格式填写",
            )
        )
    code, stated = found["code"], found["before"] or found["after"]
    exchange = _listing_exchange(code)
    if exchange is None:
        raise SymbolError(
            Text(
                f"{code} belongs to no known code range",
                f"{code} 不属于任何已知的代码段，无法判断交易所",
            )
        )
    if stated and stated != exchange:
        raise SymbolError(
            Text(
                f"{text!r} is no tradable instrument: {code} is listed in {exchange}, not in {stated}",
                f"“{text}”不是可交易的标的：{code} 属于 {exchange}，而不是 {stated}",
            )
        )
    return Symbol(f"{code}.{exchange}")


def is_symbol(text: str) -> bool:
    """Whether the text is a symbol of our exchanges; an account may hold bonds, and shares of other markets."""
    try:
        parse_symbol(text)
    except SymbolError:
        return False
    return True


def parse_series(text: str) -> Symbol:
    """Return the key of a series of prices: a symbol, or an index, which has to name its exchange (`000001.SH`).

    A bare code is never an index: `000001` is the share in Shenzhen. Raises SymbolError.
    """
    found = _FORM.fullmatch(unicodedata.normalize("NFKC", text).strip().upper())
    if found is not None and bool(found["before"]) != bool(found["after"]):
        stated = found["before"] or found["after"]
        if any(found["code"].startswith(prefix) for prefix in _INDEXES.get(stated, ())):
            return Symbol(f"{found['code']}.{stated}")
    return parse_symbol(text)


#: Code ranges of indexes; the same codes are shares elsewhere. Source: code allocation of the exchanges.
_INDEXES = {"SH": ("000", "880"), "SZ": ("399",), "BJ": ("899",)}


def is_index(symbol: Symbol) -> bool:
    """Whether the key is an index's: counted, never traded."""
    return symbol[:3] in _INDEXES.get(exchange_of(symbol), ())


def _listing_exchange(code: str) -> str | None:
    for length in range(_LONGEST_PREFIX, 0, -1):
        exchange = _EXCHANGE_BY_PREFIX.get(code[:length])
        if exchange is not None:
            return exchange
    return None


def exchange_of(symbol: Symbol) -> str:
    """Return `SH`, `SZ` or `BJ`; anything else for what an account holds of another market (`00700.HGT`)."""
    return symbol[-2:]
