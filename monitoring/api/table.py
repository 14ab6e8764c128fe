"""The table of operations: addresses, checks, limits and the document come from it, and nothing is anywhere else."""

from __future__ import annotations

from monitoring.api import answers, books, configuration, market, records, targets
from monitoring.api.operations import Operation
from monitoring.console.access import VIEW
from trading.domain.types import Text

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
        configuration.Configuration, configuration.configuration, permissions=_CONFIG, target=targets.account,
    ),
    Operation(
        "configuration_history", "GET", "/accounts/{pk}/configuration/history",
        Text("Who changed which settings, when and why", "配置变更历史"),
        configuration.History, configuration.history, permissions=_CONFIG, query=configuration.HistoryQuery,
        target=targets.account,
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

OPERATIONS: tuple[Operation, ...] = READS
