"""Both grid styles once more, written from the rules alone as plain loops: it imports nothing of the program.

Conventions of the comparison: every price is one quote; what is decided trades at once, whole, at that price; the
session holds `base` shares from the day before; stocks settle T+1; fees are those of the day of the trade.
Prices are in yuan. `apart`: how far a trade happens from the price that decided it, against the trader.
"""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from tests.hdf5_tables import tables

D = Decimal
NONE = D(0)
CHINA = timezone(timedelta(hours=8))


def moment(text: str) -> datetime:
    """Return YYYYMMDDhhmm, with seconds or without, as a time in China."""
    form = "%Y%m%d%H%M%S" if len(text) == 14 else "%Y%m%d%H%M"
    return datetime.strptime(text, form).replace(tzinfo=CHINA)


def minutes(path: Path) -> dict[str, list[tuple[Decimal, datetime]]]:
    """Return (price, time) of every minute of every stock of a file; prices there are × 1000."""
    return {
        name: [(D(price) / 1000, moment(str(when))) for when, price, _ in rows]
        for name, rows in tables(path, "<QQQ").items()
        if name not in ("SH000001", "SZ399001")
    }


def snapshots(archive: Path) -> list[tuple[Decimal, datetime]]:
    """Return (last price, time) of the recorded day of 600519, in continuous trading."""
    found = []
    with zipfile.ZipFile(archive) as opened, opened.open("20230201/snapshot.csv") as stream:
        for cells in csv.DictReader(io.TextIOWrapper(stream, "utf-8")):
            clock = cells["UpdateTime"].split("T")[-1][:8]
            price = D(cells["LastPrice"] or 0).quantize(D("0.01"), ROUND_HALF_UP)
            if price > 0 and ("09:30" <= clock < "11:30" or "13:00" <= clock < "14:57"):
                found.append((price, moment("20230201" + clock.replace(":", ""))))
    return found


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(D("0.01"), ROUND_HALF_UP)


def fee(side: str, amount: Decimal, on: date) -> Decimal:
    """Return commission (at least 5), transfer fee, and stamp duty of a sale, at the rates of that day."""
    total = cents(max(amount * D("0.00025"), D(5)))
    total += cents(amount * (D("0.00002") if on < date(2022, 4, 29) else D("0.00001")))
    if side == "sell":
        total += cents(amount * (D("0.001") if on < date(2023, 8, 28) else D("0.0005")))
    return total


def centred_log(  # noqa: C901  # one plain loop, to be read beside the rules
    path: list[tuple[Decimal, datetime]], base: int, p: dict[str, Any], apart: Decimal = NONE
) -> list[str]:
    """Return what a centred grid does along a path; `p` holds its parameters."""
    first = centre = p["centre"]
    one = D(1)
    direction, extreme = "", D(0)
    held = base
    bought_today, today = 0, date.min
    lots: list[list[Any]] = []  # [shares, price], newest last
    cash = D(0)
    shares_in, shares_out = 0, 0
    last_buy: datetime | None = None
    last_sell: datetime | None = None
    last_sale = None
    upper_tried: datetime | None = None
    lower_tried: datetime | None = None
    out = []
    for price, now in path:
        if now.date() != today:
            today, bought_today = now.date(), 0
        upper, lower = centre * (one + p["interval"]), centre * (one - p["interval"])
        # exits
        if max(abs(centre - first) / first, abs(price - centre) / centre) > p["max_deviation"]:
            out.append(f"{now} stop DEVIATION")
            break
        profit = cash + (shares_in - shares_out) * price
        if shares_in and shares_out and profit / p["max_investment"] >= p["target_profit"]:
            out.append(f"{now} stop TARGET")
            break
        if shares_in and profit / p["max_investment"] <= p["stop_loss"]:
            out.append(f"{now} stop LOSS")
            break
        if p.get("end") is not None and now > p["end"]:
            out.append(f"{now} stop EXPIRED")
            break
        # arming and turning
        side = ""
        if direction == "":
            if price > upper:
                direction, extreme = "up", price
            elif price < lower:
                direction, extreme = "down", price
            continue
        if direction == "up":
            extreme = max(extreme, price)
            if (extreme - price) / extreme < p["callback"] - D("0.0001"):
                continue
            side = "sell" if price >= upper * (one - p["callback"]) else ""
        else:
            extreme = min(extreme, price)
            if (price - extreme) / extreme < p["callback"] - D("0.0001"):
                continue
            side = "buy" if price <= lower * (one + p["callback"]) else ""
        # whatever comes of it, the tracker is over
        rising = direction == "up"
        direction, extreme = "", D(0)
        if not side:
            out.append(f"{now} BEYOND_LINE")
            continue
        tried, traded = (upper_tried, last_sell) if rising else (lower_tried, last_buy)
        rest = 300
        if rising and last_sale is not None and price > last_sale * D("1.02"):
            rest = 150
        if (tried is not None and (now - tried).total_seconds() < 60) or (
            traded is not None and (now - traded).total_seconds() < rest
        ):
            out.append(f"{now} COOLDOWN")
            continue
        if rising:
            upper_tried = now
        else:
            lower_tried = now
        # sizing
        in_lots = sum(lot[0] for lot in lots)
        unmatched = max(0, shares_out - shares_in)
        if rising:
            free = held - bought_today
            wanted = p["fixed_quantity"] or max(int(free * p["position_ratio"]) // 100 * 100, 100)
            quantity = min(wanted, free, in_lots + base - unmatched) // 100 * 100
            if quantity <= 0:
                out.append(f"{now} NOTHING_SELLABLE")
                continue
        else:
            reserved = price * D("1.02")
            left = p["max_investment"] - sum(lot[0] * lot[1] for lot in lots)
            if p["fixed_quantity"]:
                wanted = p["fixed_quantity"]
            elif held:
                wanted = max(int(held * p["position_ratio"]) // 100 * 100, 100)
            else:
                wanted = int(min(left, p["max_investment"] * p["position_ratio"]) / reserved)
            quantity = min(wanted, int(max(left, D(0)) / reserved)) // 100 * 100
            if quantity <= 0:
                out.append(f"{now} BUDGET")
                continue
        # the trade, at once and whole
        out.append(f"{now} {side} {quantity} @ {price}")
        price = price - apart if rising else price + apart
        amount = price * quantity
        cash += (amount if rising else -amount) - fee(side, amount, today)
        centre = price
        upper_tried = lower_tried = None
        if rising:
            held -= quantity
            shares_out += quantity
            last_sell, last_sale = now, price
            left_to_close = quantity
            while left_to_close and lots:
                part = min(left_to_close, lots[-1][0])
                lots[-1][0] -= part
                left_to_close -= part
                if not lots[-1][0]:
                    lots.pop()
        else:
            held += quantity
            bought_today += quantity
            shares_in += quantity
            last_buy = now
            opened = quantity - min(
                quantity, unmatched
            )  # the next buy closes unmatched sales first
            if opened:
                lots.append([opened, price])
    return out


def lot_log(  # noqa: C901  # one plain loop
    path: list[tuple[Decimal, datetime]], base: int, p: dict[str, Any], apart: Decimal = NONE
) -> list[str]:
    """Return what a lot grid does along a path; `p` holds its parameters."""
    reference = p["centre"]
    held, bought_today, today = base, 0, date.min
    lots: list[tuple[int, Decimal, date, int]] = []  # shares, price, day, number
    last_sale = None
    buy_tried = sell_tried = None
    number = 0
    out = []
    for price, now in path:
        if now.date() != today:
            today, bought_today = now.date(), 0
        due = [
            lot
            for lot in lots
            if lot[2] < today
            and (
                price >= lot[1] * (1 + p["grid_take_profit_ratio"])
                or price <= lot[1] * (1 + p["grid_stop_loss_ratio"])
                or (today - lot[2]).days > p["grid_max_hold_days"]
            )
        ]
        due.sort(key=lambda lot: (lot[1], lot[3]))
        if due and (sell_tried is None or (now - sell_tried).total_seconds() >= 60):
            sell_tried = now
            free = held - bought_today
            wanted = min(sum(lot[0] for lot in due), free)
            quantity = free if wanted == free else wanted // 100 * 100
            if quantity == 0:
                out.append(f"{now} NOTHING_SELLABLE")
                continue
            out.append(f"{now} sell {quantity} @ {price} of {[lot[3] for lot in due]}")
            held -= quantity
            last_sale = price - apart
            sell_tried = buy_tried = None
            for lot in due:
                part = min(lot[0], quantity)
                quantity -= part
                lots.remove(lot)
                if part < lot[0]:
                    lots.append((lot[0] - part, *lot[1:]))
            continue
        drop = 1 - p["grid_price_drop"]
        if lots:
            level = min(lot[1] for lot in lots) * drop
        elif last_sale is not None:
            level = min(last_sale, reference) * drop
        else:
            level = reference * drop
        if price > level or len(lots) >= p["max_lots"]:
            continue
        if buy_tried is not None and (now - buy_tried).total_seconds() < 60:
            continue
        buy_tried = now
        left = p["max_investment"] - sum(lot[0] * lot[1] for lot in lots)
        quantity = min(int(p["grid_buy_amount"] / price), int(left / (price * D("1.02"))))
        quantity = quantity // 100 * 100
        if quantity <= 0:
            out.append(f"{now} BUDGET")
            continue
        number += 1
        out.append(f"{now} buy {quantity} @ {price}")
        lots.append((quantity, price + apart, today, number))
        held += quantity
        bought_today += quantity
        sell_tried = buy_tried = None
    return out
