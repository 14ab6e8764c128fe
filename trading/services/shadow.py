"""The shadow's ledger: it begins its days with a copy of what the real account holds.

A copy is rows that somebody read; nothing here knows how to reach a terminal. What agrees with the copy goes on with
its exit state; what does not ends, and is taken up again from the twin as the copy has it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from trading.domain.types import ZERO, Symbol, Text
from trading.models import Account, AccountCopy, BrokerSnapshot, DayBooks, EventLevel, Order
from trading.selectors import WORKING_STATES, open_positions
from trading.services.corrections import CorrectionError
from trading.services.events import journal, journal_once

#: One holding of a copy: symbol, shares, the cost of one in yuan.
Holding = tuple[Symbol, int, Decimal]


def keep_copy(
    account: Account,
    source: str,
    cash: Decimal,
    holdings: Iterable[Holding],
    real: datetime,
    now: datetime,
    actor: str,
) -> AccountCopy:
    """Keep what a real account holds. `account`: any ledger of it. Raises CorrectionError for what cannot be held."""
    rows = sorted(holdings)
    if cash < ZERO or any(quantity <= 0 or cost <= ZERO for _, quantity, cost in rows):
        raise CorrectionError(
            Text(
                "Cash below 0, or a holding without shares or cost: nothing was kept.",
                "资金为负，或持仓缺少数量、成本：未保存。",
            )
        )
    if len({symbol for symbol, _, _ in rows}) != len(rows):
        raise CorrectionError(
            Text("A symbol stands twice: nothing was kept.", "同一标的出现两次：未保存。")
        )
    with transaction.atomic():
        copy = AccountCopy.objects.create(
            broker_account_id=account.broker_account_id,
            taken_at=real,
            source=source,
            cash=cash,
            holdings=[[symbol, quantity, str(cost)] for symbol, quantity, cost in rows],
            actor=actor[:64],
        )
        text = Text(
            f"The real account {account.masked_number} was copied: {cash:,.2f} yuan, {len(rows)} holdings.",
            f"已复制真实账户 {account.masked_number}：资金 {cash:,.2f} 元，持仓 {len(rows)} 个。",
        )
        journal(
            account.pk, EventLevel.INFO, "ACCOUNT_COPIED", text, now, actor=actor, copy=copy.pk
        )
    return copy


def holdings_of(copy: AccountCopy) -> list[Holding]:
    """Return the holdings of a copy."""
    return [
        (Symbol(symbol), int(quantity), Decimal(cost)) for symbol, quantity, cost in copy.holdings
    ]


def copy_to_begin_with(account: Account, now: datetime) -> AccountCopy | None:
    """Return the newest copy when a day may begin with it: it is unused, and nothing was ordered today."""
    copies = AccountCopy.objects.filter(broker_account_id=account.broker_account_id)
    newest = copies.order_by("-taken_at", "-pk").first()
    if newest is None or newest.used_at is not None:
        return None
    orders = Order.objects.filter(account=account)
    busy = orders.filter(trade_date=now.date()) | orders.filter(state__in=WORKING_STATES)
    return None if busy.exists() else newest


def begin_with(account: Account, copy: AccountCopy, real: datetime, now: datetime) -> None:
    """Make the ledger begin with a copy, which the twin holds by now. `now`: market time."""
    held = {symbol: quantity for symbol, quantity, _ in holdings_of(copy)}
    with transaction.atomic():
        for row in open_positions(account.pk):
            if held.get(Symbol(row.symbol)) != row.quantity:
                row.closed_at, row.quantity = now, 0
                row.save(update_fields=["closed_at", "quantity"])
        # The day's books open with the copy's cash, whatever the last ones closed with.
        books, _ = DayBooks.objects.get_or_create(account=account, on=now.date())
        DayBooks.objects.filter(pk=books.pk).update(opening_cash=copy.cash)
        AccountCopy.objects.filter(pk=copy.pk).update(used_at=real)
        # The next reading is news, whatever it says: what ended here is looked for in it.
        BrokerSnapshot.objects.filter(pk=account.pk).update(projected_digest="")
        text = Text(
            f"{account.name} begins with the copy of {copy.taken_at:%Y-%m-%d %H:%M} UTC: {copy.cash:,.2f} yuan,"
            f" {len(held)} holdings.",
            f"{account.name} 按 {copy.taken_at:%Y-%m-%d %H:%M}（UTC）的副本开始：资金 {copy.cash:,.2f} 元，"
            f"持仓 {len(held)} 个。",
        )
        journal(account.pk, EventLevel.INFO, "SHADOW_BEGAN", text, now)


def goes_on(account: Account, now: datetime) -> None:
    """Say once a day that the shadow goes on with what it held itself."""
    copies = AccountCopy.objects.filter(broker_account_id=account.broker_account_id)
    newest = copies.order_by("-taken_at").first()
    if newest is not None and newest.taken_at.astimezone(now.tzinfo).date() == now.date():
        return
    text = Text(
        f"{account.name} goes on with its own holdings: the real account was not copied today. `python manage.py"
        f" account_copy {account.name}`, then start its process anew before the open.",
        f"{account.name} 沿用自己的持仓：今日未复制真实账户。请运行 `python manage.py account_copy {account.name}`，"
        "并在开盘前重启其进程。",
    )
    journal_once(account.pk, EventLevel.WARNING, "SHADOW_NOT_BEGUN", text, now)
