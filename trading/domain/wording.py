"""Numbers as people read them in reasons and statuses."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

_CENT = Decimal("0.01")
_FINEST = Decimal("0.0001")


def yuan(price: Decimal) -> str:
    """Write a price with 2 to 4 decimals: `10` → `10.00`, `3.08025` → `3.0803`."""
    exact = price.quantize(_FINEST, ROUND_HALF_UP)
    short = exact.quantize(_CENT, ROUND_HALF_UP)
    return str(short) if short == exact else f"{exact}".rstrip("0")


def percent(ratio: Decimal) -> str:
    """Write a ratio as a percentage with up to 2 decimals: `-0.075` → `-7.5%`."""
    shown = f"{(ratio * 100).quantize(_CENT, ROUND_HALF_UP) + 0:f}"
    return f"{shown.rstrip('0').rstrip('.')}%"
