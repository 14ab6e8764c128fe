"""The table of operations: addresses, checks, limits and the document come from it, and nothing is anywhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from monitoring.api import answers, books, changes, configuration, market, records, targets, trades
from monitoring.api.operations import Call, Operation, Target, always, never
from monitoring.console.access import VIEW
from monitoring.services.api_tokens import Scope
from trading.admin.base import RELEASE, TRADE
from trading.domain.types import Text, TradingState
from trading.models import Account
from trading.services import kill_switch
from trading.services.reach import Reach

_CONFIG = (VIEW, "trading.view_tradingconfig")
_OUTCOMES = (VIEW, "trading.view_unknownoutcome")
_GRIDS = (VIEW, "grid.view_gridsession")
_WATCH = (VIEW, "trading.view_watchedsymbol")

READS = (
    Operation(
        "overview", "GET", "/overview", Text("Everything at one glance", "总览"),
        answers.Overview, records.overview, of_console=True,
    ),
    Operation(
        "accounts", "GET", "/accounts", Text("The accounts", "账户"),
        answers.Accounts, records.accounts, of_console=True,
    ),
    Operation(
        "holdings", "GET", "/holdings",
        Text("Open holdings, their protection and what would sell them", "持仓、保护状态与当前卖出价"),
        answers.Holdings, records.holdings, query=records.HoldingQuery, of_console=True,
    ),
    Operation(
        "holding", "GET", "/holdings/{pk}",
        Text("One holding: all levels, and its story", "单只持仓：全部价位与决策、成交记录"),
        answers.HoldingStory, records.holding, query=records.After, target=targets.holding,
    ),
    Operation(
        "orders", "GET", "/orders",
        Text("Orders with their re-orders and fills", "委托、重挂与成交"),
        answers.Chains, records.orders, query=records.OrderQuery,
    ),
    Operation(
        "fills", "GET", "/fills", Text("Fills", "成交"),
        answers.Fills, records.fills, query=records.RecordQuery,
    ),
    Operation(
        "signals", "GET", "/signals", Text("Signals and denials", "信号与风控拒绝"),
        answers.Signals, records.signals, query=records.SignalQuery,
    ),
    Operation(
        "events", "GET", "/events", Text("The journal", "事件"),
        answers.Events, records.events, query=records.EventQuery,
    ),
    Operation(
        "health", "GET", "/health",
        Text("Processes, gateways, ticks, and what is wrong now", "进程、网关、定时检查与当前异常"),
        answers.Health, records.health,
    ),
    Operation(
        "quotes", "GET", "/quotes", Text("Quotes by source", "行情源"),
        market.Quotes, market.quotes, permissions=(VIEW, "trading.view_quotesource"),
        query=market.QuoteQuery,
    ),
    Operation(
        "grids", "GET", "/grids", Text("Grid sessions", "网格会话"),
        market.Grids, market.grids, permissions=_GRIDS, query=market.GridQuery,
    ),
    Operation(
        "grid", "GET", "/grids/{pk}",
        Text("One grid session: lines, lots, fills", "单个网格会话：档位、批次与成交"),
        market.GridAnswer, market.grid, permissions=_GRIDS, target=targets.grid,
    ),
    Operation(
        "configuration", "GET", "/accounts/{pk}/configuration",
        Text("The settings of an account", "账户配置"),
        configuration.Configuration, configuration.configuration, permissions=_CONFIG, target=targets.settings,
    ),
    Operation(
        "configuration_history", "GET", "/accounts/{pk}/configuration/history",
        Text("Who changed which settings, when and why", "配置变更历史"),
        configuration.History, configuration.history, permissions=_CONFIG, query=configuration.HistoryQuery,
        target=targets.settings,
    ),
    Operation(
        "watch_list", "GET", "/accounts/{pk}/watch-list", Text("The watch list", "自选列表"),
        books.WatchList, books.watch_list, permissions=_WATCH, target=targets.account,
    ),
    Operation(
        "unknown_outcomes", "GET", "/unknown-outcomes",
        Text("Orders whose outcome is unknown", "结果未知的委托"),
        books.Outcomes, books.outcomes, permissions=_OUTCOMES, query=books.OutcomeQuery,
    ),
    Operation(
        "unknown_outcome", "GET", "/unknown-outcomes/{pk}",
        Text("What each source said of one", "各来源对该委托的消息"),
        books.OutcomeStory, books.outcome, permissions=_OUTCOMES, target=targets.outcome,
    ),
    Operation(
        "reports", "GET", "/reports", Text("Day reports", "日报"),
        books.Reports, books.reports, permissions=(VIEW, "monitoring.view_dayreport"),
        query=books.ReportQuery,
    ),
    Operation(
        "backups", "GET", "/backups", Text("Backups of the database", "数据库备份"),
        books.BackupList, books.backups,
    ),
)  # fmt: skip


def _change(
    name: str,
    path: str,
    summary: Text,
    handler: Callable[[Call], Any],
    body: type | None,
    target: Callable[[Mapping[str, Any], Reach], Target],
    scope: Scope,
    permission: str,
    *,
    method: str = "POST",
    answer: Any = changes.Done,
    trades: bool = False,
    risky: bool = False,
    calms: Callable[[Account], bool] = never,
) -> Operation:
    return Operation(
        name,
        method,
        path,
        summary,
        answer,
        changes.refusing(handler),
        scope=scope,
        permissions=(VIEW, permission),
        body=body,
        target=target,
        trades=trades,
        risky=risky,
        calms=calms,
    )


def _tightens(account: Account) -> bool:
    return not kill_switch.loosens(account, TradingState.REDUCING)


#: What can lead to an order or end one `trades`; what can loosen what guards an account is `risky`: so is reducing, of
#: one that is halted. Halting is neither. What `calms` takes as little of a session as on the page.
CHANGES = (
    _change(
        "sell", "/holdings/{pk}/sell", Text("Sell from a holding", "卖出持仓"),
        trades.sell, trades.Sale, targets.holding, Scope.TRADE, TRADE, trades=True,
    ),
    _change(
        "buy", "/accounts/{pk}/buy", Text("Buy for an account", "买入"),
        trades.buy, trades.Purchase, targets.account, Scope.TRADE, TRADE, trades=True,
    ),
    _change(
        "cancel", "/orders/{pk}/cancel", Text("Cancel an order", "撤单"),
        changes.cancel, changes.Reason, targets.order, Scope.TRADE, TRADE, trades=True, calms=always,
    ),
    _change(
        "cancel_all", "/accounts/{pk}/cancel-all",
        Text("Cancel all orders: exits of their holdings rest for 5 minutes", "全部撤单：相关持仓的自动退出暂停 5 分钟"),
        changes.cancel_all, changes.Reason, targets.account, Scope.TRADE, TRADE, trades=True, calms=always,
    ),
    _change(
        "pause_grid", "/grids/{pk}/pause", Text("Pause a grid session", "暂停网格会话"),
        changes.pause_grid, changes.Reason, targets.grid, Scope.TRADE, TRADE, trades=True, calms=always,
    ),
    _change(
        "resume_grid", "/grids/{pk}/resume", Text("Resume a grid session", "恢复网格会话"),
        changes.resume_grid, changes.Reason, targets.grid, Scope.TRADE, TRADE, trades=True,
    ),
    _change(
        "stop_grid", "/grids/{pk}/stop", Text("Stop a grid session", "停止网格会话"),
        changes.stop_grid, changes.Stop, targets.grid, Scope.TRADE, TRADE, trades=True, calms=always,
    ),
    _change(
        "exits", "/holdings/{pk}/exits", Text("Switch the exits of a holding", "开关持仓的退出规则"),
        changes.exits, changes.Switch, targets.holding, Scope.CONFIGURE, TRADE, risky=True,
    ),
    _change(
        "configure", "/accounts/{pk}/configuration",
        Text("Change settings, whole or nothing", "修改配置（全部生效或全部不生效）"),
        changes.configure, changes.Change, targets.settings, Scope.CONFIGURE,
        "trading.change_tradingconfig", method="PATCH", answer=configuration.Configuration, risky=True,
    ),
    _change(
        "halt", "/accounts/{pk}/halt", Text("Halt: no order at all", "停止：不发任何委托"),
        changes.switch_to(TradingState.HALTED), changes.Reason, targets.account, Scope.OPERATE, TRADE,
    ),
    _change(
        "reduce", "/accounts/{pk}/reduce", Text("Reduce only: no buying", "只减仓：不买入"),
        changes.switch_to(TradingState.REDUCING), changes.Reason, targets.account, Scope.OPERATE, TRADE,
        risky=True, calms=_tightens,
    ),
    _change(
        "resume", "/accounts/{pk}/resume", Text("Resume trading", "恢复交易"),
        changes.switch_to(TradingState.ACTIVE), changes.Reason, targets.account, Scope.OPERATE, RELEASE,
        risky=True,
    ),
    _change(
        "decide", "/unknown-outcomes/{pk}/decide",
        Text("Decide about an order whose outcome is unknown", "对结果未知的委托作出决定"),
        changes.decide, changes.Verdict, targets.outcome, Scope.OPERATE, TRADE, trades=True,
    ),
    _change(
        "watch", "/accounts/{pk}/watch-list", Text("Watch symbols", "加入自选"),
        changes.watch, changes.Addition, targets.account, Scope.OPERATE, "trading.add_watchedsymbol",
        answer=books.WatchList,
    ),
    _change(
        "unwatch", "/accounts/{pk}/watch-list/{symbol}", Text("Watch a symbol no more", "移出自选"),
        changes.unwatch, None, targets.account, Scope.OPERATE, "trading.delete_watchedsymbol",
        method="DELETE", answer=books.WatchList,
    ),
)  # fmt: skip

OPERATIONS: tuple[Operation, ...] = (*READS, *CHANGES)
