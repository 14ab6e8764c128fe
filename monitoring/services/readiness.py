"""Whether each account may trade, and why not: what load balancers call ready. A closed market is no reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitoring.models import Finding
from monitoring.services.health import CLOSED_PERIOD, LEASE, PERIOD
from trading.domain.calendar import MarketPhase, phase_at
from trading.domain.stages import Stage
from trading.domain.types import AccountMode, GatewayStatus, Text, TradingState
from trading.models import Account, EventLevel, TickLease
from trading.services.calendar import load_calendar
from trading.services.clock import market_time
from trading.services.tick import settings_and_problem


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is not ready: a code, and words."""

    code: str
    text: Text


@dataclass(frozen=True, slots=True)
class AccountReadiness:
    """One account: ready when there is no reason against it."""

    name: str
    phase: MarketPhase
    reasons: Sequence[Reason]


@dataclass(frozen=True, slots=True)
class Readiness:
    """All enabled accounts, and what concerns all of them."""

    reasons: Sequence[Reason]
    accounts: Sequence[AccountReadiness]

    @property
    def ready(self) -> bool:
        return not self.reasons and not any(one.reasons for one in self.accounts)


#: Alarms that want a person and keep nobody from trading now.
_NO_HINDRANCE = (
    *("CALENDAR_ENDS_SOON", "CALENDAR_DISPUTED", "BACKUP_FAILED", "BACKUP_OLD"),
    *("ALERTS_NOT_SENT", "REPORT_MISSING"),
)
_NO_ACCOUNT = Reason("NO_ACCOUNT", Text("no account is enabled", "没有启用的账户"))
_NOT_LOOKED = Reason(
    "HEALTH_NOT_CHECKED",
    Text("nobody has looked at the health lately: does the worker run?", "健康检查近期未运行：任务进程是否在运行？"),
)  # fmt: skip


def readiness(real: datetime) -> Readiness:
    """Return what stands against trading at a real time."""
    calendar = load_calendar()
    accounts = []
    for account in Account.objects.filter(enabled=True).order_by("pk"):
        phase = phase_at(calendar, market_time(AccountMode(account.mode), real))
        accounts.append(AccountReadiness(account.name, phase, _against(account, phase)))
    common = [] if accounts else [_NO_ACCOUNT]
    is_open = any(one.phase is not MarketPhase.CLOSED for one in accounts)
    if accounts and not _looked_lately(real, PERIOD if is_open else CLOSED_PERIOD):
        common.append(_NOT_LOOKED)
    return Readiness(common, accounts)


def _looked_lately(real: datetime, period: timedelta) -> bool:
    looked = TickLease.objects.filter(name=LEASE).values_list("started_at", flat=True).first()
    return looked is not None and real - looked <= 3 * period


def _against(account: Account, phase: MarketPhase) -> list[Reason]:
    reasons = []
    if account.trading_state != TradingState.ACTIVE:
        why = account.trading_state_reason or {}
        text = Text(why.get("en", ""), why.get("zh", ""))
        reasons.append(Reason(f"TRADING_{account.trading_state.upper()}", text))
    reasons += _switches(account)
    if account.standing is Stage.WITHDRAWN:
        text = Text("led back from live: nothing is sent", "已退出实盘：不发出委托")
        reasons.append(Reason("WITHDRAWN", text))
    armed = account.gateway_status == GatewayStatus.ARMED
    if phase is not MarketPhase.CLOSED and not armed:
        why = account.gateway_reason or {}
        text = Text(why.get("en", ""), why.get("zh", ""))
        reasons.append(Reason("GATEWAY_OBSERVING", text))
    known = {one.code for one in reasons}
    alarms = Finding.objects.filter(account=account, level=EventLevel.ALARM)
    for row in alarms.exclude(code__in=_NO_HINDRANCE).order_by("pk"):
        if row.code not in known:
            mask = account.mask
            reasons.append(Reason(row.code, Text(mask(row.text_en), mask(row.text_zh))))
    return reasons


def _switches(account: Account) -> list[Reason]:
    settings, problem = settings_and_problem(account.pk)
    if problem is not None:
        return [Reason("CONFIG_INVALID", problem)]
    if settings is not None and settings.risk.auto_trading_enabled:
        return []
    return [Reason("AUTO_OFF", Text("automatic trading is off", "自动交易已关闭"))]
