"""Names of orders and decisions: the id that travels in the remark, and the key a decision is unique by.

An id is `M`, six digits of the counter, two of the account's salt and a check digit: ten characters of base 32.
The counter comes first, lowest digit first, because a terminal may cut the remark short: eight characters still
name exactly one order of the account (order-protocol §4.3, R2).
"""

from __future__ import annotations

from datetime import date, datetime

from trading.domain.types import CHINA, Side, SignalKind, Symbol

#: Crockford's base 32: no I, L, O or U, so a word somebody typed rarely looks like one of our ids.
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MARK = "M"
_COUNTER_DIGITS = 6
_SALT_DIGITS = 2
#: Characters of a whole id.
LENGTH = len(_MARK) + _COUNTER_DIGITS + _SALT_DIGITS + 1

#: Fewer characters than this do not identify an order of ours.
SHORTEST_PREFIX = 8

_FIRST_SECOND = datetime(2025, 1, 1, tzinfo=CHINA)


def client_order_id(account_salt: int, counter: int) -> str:
    """Return the id of the account's order number `counter`: ten ASCII characters.

    Raises ValueError unless 0 ≤ salt < 1024 and 0 ≤ counter < 2³⁰; within these every id is different.
    """
    payload = _digits(counter, _COUNTER_DIGITS, "counter") + _digits(
        account_salt, _SALT_DIGITS, "account salt"
    )
    return f"{_MARK}{payload}{_check_digit(payload)}"


def next_counter(previous: int | None, now: datetime) -> int:
    """Return the counter after `previous`, never below the seconds since 2025.

    A database restored from a backup has forgotten orders the broker still knows: following the clock keeps it from
    using their ids again.
    """
    seconds = int((now - _FIRST_SECOND).total_seconds())
    return max(seconds, 0 if previous is None else previous + 1)


def is_client_order_id(text: str) -> bool:
    """Whether `text` is a whole id of ours; any single wrong character is noticed."""
    return (
        len(text) == LENGTH
        and text.startswith(_MARK)
        and all(character in _DIGITS for character in text)
        and _check_digit(text[1:-1]) == text[-1]
    )


def own_prefix(text: str) -> str | None:
    """Return what a remark still shows of an id of ours, at least eight characters, else None.

    A terminal may cut the id short or append to it; both are recognised.
    """
    shown = text[:LENGTH]
    if len(shown) == LENGTH:
        return shown if is_client_order_id(shown) else None
    cut = (
        len(shown) >= SHORTEST_PREFIX
        and shown.startswith(_MARK)
        and all(character in _DIGITS for character in shown)
    )
    return shown if cut else None


def decision_key(
    on: date, kind: SignalKind, side: Side, symbol: Symbol, life: int, seq: int
) -> str:
    """Return the key of one decision; `seq` counts the *terminal* orders of that date, kind, side, symbol and life.

    A doubled tick makes the same key; a stop-loss that still holds after its order ended makes a new one (design).
    """
    return f"{on:%Y%m%d}|{kind.value}|{side.value}|{symbol}|{life}|{seq}"


def _digits(number: int, length: int, name: str) -> str:
    """Write a number in base 32, lowest digit first."""
    if not 0 <= number < 32**length:
        raise ValueError(f"{name} is {number}, expected 0 to {32**length - 1}")
    return "".join(_DIGITS[number >> (5 * place) & 31] for place in range(length))


def _check_digit(payload: str) -> str:
    """Exclusive or of the digits, each turned by its place: one wrong digit always changes it."""
    check = 0
    for place, character in enumerate(payload):
        digit, turn = _DIGITS.index(character), place % 5
        check ^= (digit << turn | digit >> (5 - turn)) & 31
    return _DIGITS[check]
