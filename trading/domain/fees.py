"""Fees in yuan, each amount rounded half up to the cent; rates by effective date (rules §5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from trading.domain.effective import ALWAYS, in_force
from trading.domain.instruments import Instrument
from trading.domain.symbols import exchange_of
from trading.domain.types import ZERO, Fees, Side

_CENT = Decimal("0.01")
_Rates = tuple[tuple[date, Decimal], ...]

#: Stamp duty on sells of shares; halved by the Ministry of Finance and the tax administration on 2023-08-28
#: (announcement 2023 No. 39).
_STAMP_DUTY: _Rates = ((ALWAYS, Decimal("0.001")), (date(2023, 8, 28), Decimal("0.0005")))
#: Transfer fee on shares, both sides; halved by ChinaClear on 2022-04-29.
_TRANSFER_FEE: _Rates = ((ALWAYS, Decimal("0.00002")), (date(2022, 4, 29), Decimal("0.00001")))


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """An account's rates (ratios of the amount) and minimum commissions (yuan per order).

    None = the public rate of the day. `fund_commission_minimum` holds for everything but shares.
    `transfer_fee_exchanges`: where the transfer fee is charged apart; elsewhere it is part of the commission.
    `freeze_margin`: what the counter freezes above amount and fees, as a ratio of the amount.
    """

    commission_rate: Decimal = Decimal("0.00025")
    commission_minimum: Decimal = Decimal("5.00")
    fund_commission_minimum: Decimal = Decimal("0")
    stamp_duty_rate: Decimal | None = None
    transfer_fee_rate: Decimal | None = None
    transfer_fee_exchanges: frozenset[str] = frozenset({"SH", "SZ", "BJ"})
    freeze_margin: Decimal = Decimal("0.0001")


def order_fees(
    schedule: FeeSchedule, instrument: Instrument, side: Side, amount: Decimal, on: date
) -> Fees:
    """Return the fees of an order that traded `amount` yuan in total; zero for amount 0.

    Raises ValueError when the amount is negative.
    """
    if amount < 0:
        raise ValueError(f"an order cannot have traded {amount} yuan")
    if amount == 0:
        return Fees()
    is_share = instrument.category.is_share
    minimum = schedule.commission_minimum if is_share else schedule.fund_commission_minimum
    return Fees(
        commission=_to_cent(max(amount * schedule.commission_rate, minimum)),
        stamp_duty=_to_cent(amount * _stamp_duty_rate(schedule, on))
        if is_share and side is Side.SELL
        else ZERO,
        transfer_fee=_to_cent(amount * _transfer_fee_rate(schedule, instrument, on))
        if is_share
        else ZERO,
    )


def fill_fees(
    schedule: FeeSchedule,
    instrument: Instrument,
    side: Side,
    on: date,
    amount_before: Decimal,
    amount: Decimal,
) -> Fees:
    """Return what one fill adds: fees of (before + amount) minus fees of before, so the minimum is paid once per order."""
    after = order_fees(schedule, instrument, side, amount_before + amount, on)
    return after - order_fees(schedule, instrument, side, amount_before, on)


def cash_needed(
    schedule: FeeSchedule, instrument: Instrument, quantity: int, limit_price: Decimal, on: date
) -> Decimal:
    """Return the cash a buy freezes: amount at the limit price + fees on it + freeze margin, rounded half up to the cent."""
    amount = quantity * limit_price
    fees = order_fees(schedule, instrument, Side.BUY, amount, on)
    return _to_cent(amount + fees.total + amount * schedule.freeze_margin)


def _stamp_duty_rate(schedule: FeeSchedule, on: date) -> Decimal:
    return (
        in_force(_STAMP_DUTY, on) if schedule.stamp_duty_rate is None else schedule.stamp_duty_rate
    )


def _transfer_fee_rate(schedule: FeeSchedule, instrument: Instrument, on: date) -> Decimal:
    if exchange_of(instrument.symbol) not in schedule.transfer_fee_exchanges:
        return ZERO
    return (
        in_force(_TRANSFER_FEE, on)
        if schedule.transfer_fee_rate is None
        else schedule.transfer_fee_rate
    )


def _to_cent(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)
