"""Accounts as the services need them: fee schedule, salt, the main switch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from trading.domain.fees import FeeSchedule
from trading.domain.types import AccountMode, Text, TradingState
from trading.models import Account, EventLevel, TradingConfig
from trading.models.prepared import PreparedUpdate
from trading.services.events import journal

#: The modes a person may open an account in; the others are reached by the path to live alone.
OPENED_DIRECTLY = (AccountMode.DEMO, AccountMode.PAPER)
BY_ITS_PATH = Text(
    "A shadow or live account is not opened here: open a paper account with the broker's number, then lead it step by"
    " step on the console's page “Going live”.",
    "影子或实盘账户不能在此直接建立：请先用券商资金账号建立模拟账户，再在控制台“上线路径”页面逐步上线。",
)


def fee_schedule(account: Account) -> FeeSchedule:
    """Return the account's rates."""
    return FeeSchedule(
        commission_rate=account.commission_rate,
        commission_minimum=account.commission_minimum,
        fund_commission_minimum=account.fund_commission_minimum,
        stamp_duty_rate=account.stamp_duty_rate,
        transfer_fee_rate=account.transfer_fee_rate,
        transfer_fee_exchanges=frozenset(filter(None, account.transfer_fee_exchanges.split(","))),
        freeze_margin=account.freeze_margin,
    )


def want_snapshot(account_id: int, now: datetime) -> None:
    """Have the gateway ask for a snapshot that shows what had happened by now, also where it would still wait."""
    _WANT(account_id, snapshot_wanted_at=now)


_WANT = PreparedUpdate(lambda account: Account.objects.filter(pk=account))


def set_trading_state(
    account_id: int, state: TradingState, why: Text, now: datetime, actor: str = "system"
) -> bool:
    """Set the main switch; latched, so an automatic REDUCING never loosens HALTED. True when it changed."""
    rank = [TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED]
    rows = Account.objects.filter(pk=account_id).exclude(trading_state=state)
    if actor == "system":
        rows = rows.filter(trading_state__in=rank[: rank.index(state)])
    if not rows.update(trading_state=state, trading_state_reason=why._asdict()):
        return False
    level = EventLevel.INFO if state is TradingState.ACTIVE else EventLevel.ALARM
    journal(account_id, level, f"TRADING_{state.name}", why, now, actor=actor)
    return True


def save_account(account: Account, changed: Sequence[str], now: datetime, actor: str) -> None:
    """Open an account with the default settings, or save the fields a person changed; either is in the journal.

    Raises ValueError for a new one that only its path may open.
    """
    fields = [name for name in changed if name not in ("broker_account_id", "mode")]
    if account._state.adding and AccountMode(account.mode) not in OPENED_DIRECTLY:
        raise ValueError(BY_ITS_PATH.en)
    with transaction.atomic():
        if account._state.adding:
            account.save()
            TradingConfig.objects.create(account=account)
            text = Text(f"Account {account.name} opened.", f"已建立账户 {account.name}。")
            journal(account.pk, EventLevel.INFO, "ACCOUNT_OPENED", text, now, actor=actor)
        elif fields:
            account.save(update_fields=fields)
            values = {name: str(getattr(account, name)) for name in fields}
            said = ", ".join(f"{name} = {value}" for name, value in values.items())
            text = Text(f"Account changed: {said}.", f"账户已修改：{said}。")
            journal(
                account.pk, EventLevel.WARNING, "ACCOUNT_CHANGED", text, now, actor=actor, **values
            )
