"""The kill switch: the account's state, a file that works without database and Redis, and "cancel everything".

The file `KILL` (all accounts) or `KILL-<account>` in the data directory stops sending while it is there; the gateway
reads it just before each call, and latches HALTED in the account. Afterwards a person has to remove the file *and*
resume with a reason.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from trading.domain.stages import Stage
from trading.domain.types import Text, TradingState
from trading.models import Account, EventLevel, Order
from trading.selectors import WORKING_STATES
from trading.services.accounts import set_trading_state
from trading.services.corrections import CorrectionError, needs_reason
from trading.services.events import journal
from trading.services.orders import request_cancel

KILL = "KILL"


def kill_file(account_name: str) -> str | None:
    """Return the name of the file that forbids this account to send, None without one.

    A data directory that cannot be read, or is gone, counts as forbidding: nobody could be heard.
    """
    home = Path(settings.HOME)
    for name in (KILL, f"{KILL}-{account_name}"):
        try:
            (home / name).lstat()
        except FileNotFoundError:
            continue
        except OSError:
            return name
        return name
    return None if home.is_dir() else KILL


def place_kill_file(account_name: str | None, why: str) -> Path:
    """Forbid all sending, of one account or of all, without a database."""
    path = Path(settings.HOME) / (KILL if account_name is None else f"{KILL}-{account_name}")
    path.write_text(f"{why}\n", encoding="utf-8")
    return path


_STRICTER = (TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED)


def loosens(account: Account, state: TradingState) -> bool:
    """Whether more may be sent in this state than now: that is a permission of its own."""
    now = TradingState(account.trading_state)
    return _STRICTER.index(state) < _STRICTER.index(now)


def switch(account: Account, state: TradingState, why: str, now: datetime, actor: str) -> bool:
    """Set the main switch in a person's name; True when it changed. Raises CorrectionError.

    Nothing resumes while a kill file is there: the gateway would only halt again.
    """
    needs_reason(why)
    if account.standing is Stage.WITHDRAWN and state is not TradingState.HALTED:
        raise CorrectionError(
            Text(
                f"{account.name} was led back from live: nothing resumes it but the path itself (page “Going live”).",
                f"{account.name} 已退出实盘：只能在“上线路径”页面重新逐步上线。",
            )
        )
    name = kill_file(account.name) if state is not TradingState.HALTED else None
    if name is not None:
        raise CorrectionError(
            Text(
                f"The file {name} is in the data directory: remove it first, then resume.",
                f"数据目录中有文件 {name}：请先删除它，再恢复交易。",
            )
        )
    return set_trading_state(account.pk, state, Text(why, why), now, actor)


def latch(account_id: int, name: str, now: datetime) -> bool:
    """Halt because of the file `name`; True when it changed."""
    why = Text(
        f"The file {name} is there, or the data directory cannot be read: nothing is sent."
        " Remove it and resume with a reason.",
        f"存在文件 {name}，或数据目录无法读取：停止一切委托。请删除该文件，并填写原因后恢复。",
    )
    return set_trading_state(account_id, TradingState.HALTED, why, now)


def cancel_all(account: Account, why: str, now: datetime, actor: str) -> int:
    """Ask for the cancel of every order that works, in a person's name; returns how many. Raises CorrectionError.

    One that is being sent, or unknown, is cancelled as soon as it is known at the broker. Exits pause as after any
    cancel by a person.
    """
    needs_reason(why)
    with transaction.atomic():
        rows = Order.objects.filter(account=account, state__in=WORKING_STATES)
        asked = sum(
            request_cancel(order, "CANCEL_ALL", now, by_person=True)
            for order in rows.order_by("pk")
        )
        text = Text(
            f"Cancel of all orders asked for ({asked}): {why}",
            f"已请求撤销全部委托（{asked} 笔）：{why}",
        )
        journal(account.pk, EventLevel.ALARM, "CANCEL_ALL", text, now, actor=actor, orders=asked)
    return asked
