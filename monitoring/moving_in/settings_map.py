"""Which setting of the former system is which of ours, and why the others have no counterpart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from monitoring.moving_in.values import Unusable, number, switch
from trading.domain.types import Text

_HUNDRED, _MILLION, _ONE = Decimal(100), Decimal(1_000_000), Decimal(1)


class Mapped(NamedTuple):
    """Our setting, and how a value becomes ours: `convert(key, value)`; None = our default already says it."""

    setting: str
    convert: Callable[[str, Any], Any]


def _seconds(key: str, value: Any) -> int:
    return int(number(key, value))


def _minutes(key: str, value: Any) -> int:
    return int(number(key, value) * 60)


def _percent(key: str, value: Any) -> Decimal:
    return number(key, value) / _HUNDRED


def _loss_percent(key: str, value: Any) -> Decimal:
    return -abs(_percent(key, value))


def _of_a_million(key: str, value: Any) -> Decimal:
    return number(key, value) / _MILLION


def _attempts(key: str, value: Any) -> int | None:
    """Re-orders on: our own number of attempts stands."""
    return None if switch(key, value) else 0


def _tiers(key: str, value: Any) -> list[list[str]]:
    try:
        pairs = [[str(number(key, gain)), str(number(key, rate))] for gain, rate in value]
    except (TypeError, ValueError) as problem:
        raise Unusable(
            key, value, "pairs of gain and coefficient", "涨幅与系数的列表"
        ) from problem
    return sorted(pairs, key=lambda pair: Decimal(pair[0]))


def _first_drop(key: str, value: Any) -> Decimal:
    """[1, 0.93, 0.88]: the second step is 7 % below the first."""
    if not isinstance(value, list) or len(value) < 2:
        raise Unusable(
            key, value, "levels such as [1, 0.93, 0.88]", "档位列表，例如 [1, 0.93, 0.88]"
        )
    return _ONE - number(key, value[1]) / number(key, value[0])


MAPPED: Mapping[str, Mapped] = {
    "ENABLE_ALLOW_BUY": Mapped("buy_enabled", switch),
    "ENABLE_ALLOW_SELL": Mapped("sell_enabled", switch),
    "ENABLE_DYNAMIC_STOP_PROFIT": Mapped("take_profit_enabled", switch),
    "ENABLE_STOP_LOSS_BUY": Mapped("add_on_enabled", switch),
    "ENABLE_GRID_TRADING": Mapped("grid_enabled", switch),
    "ENABLE_PAUSE_GRID_AFTER_TAKE_PROFIT_FULL": Mapped("pause_grid_after_full_exit", switch),
    "ENABLE_PENDING_ORDER_AUTO_CANCEL": Mapped("sell_monitor_enabled", switch),
    "MARKET_HEALTH_ALLOW_MOOTDX_FOR_TRADING": Mapped("allow_mootdx_trading", switch),
    "STOP_LOSS_RATIO": Mapped("stop_loss_ratio", number),
    "INITIAL_TAKE_PROFIT_RATIO": Mapped("first_take_profit_ratio", number),
    "INITIAL_TAKE_PROFIT_PULLBACK_RATIO": Mapped("first_take_profit_pullback", number),
    "INITIAL_TAKE_PROFIT_RATIO_PERCENTAGE": Mapped("first_take_profit_sell_ratio", number),
    "DYNAMIC_TAKE_PROFIT": Mapped("trailing_tiers", _tiers),
    "BUY_GRID_LEVELS": Mapped("add_on_drop", _first_drop),
    "POSITION_UNIT": Mapped("buy_amount", number),
    "MAX_POSITION_VALUE": Mapped("max_position_value", number),
    "MAX_TOTAL_POSITION_RATIO": Mapped("max_total_position_ratio", number),
    "DYNAMIC_SIGNAL_MAX_AGE_SECONDS": Mapped("signal_max_age", _seconds),
    "GRID_SIGNAL_MAX_AGE_SECONDS": Mapped("grid_signal_max_age", _seconds),
    "GRID_SIGNAL_MAX_PRICE_DRIFT_RATIO": Mapped("signal_max_drift", number),
    "STOP_LOSS_PENDING_ORDER_TIMEOUT_MINUTES": Mapped("sell_order_timeout", _minutes),
    "PENDING_ORDER_TIMEOUT_MINUTES": Mapped("take_profit_order_timeout", _minutes),
    "GRID_PENDING_ORDER_TIMEOUT_SECONDS": Mapped("grid_order_timeout", _seconds),
    "PENDING_ORDER_AUTO_REORDER": Mapped("reorder_max_attempts", _attempts),
    # as the former console called them, in its units
    "allowBuy": Mapped("buy_enabled", switch),
    "allowSell": Mapped("sell_enabled", switch),
    "firstProfitSellEnabled": Mapped("take_profit_enabled", switch),
    "stopLossBuyEnabled": Mapped("add_on_enabled", switch),
    "globalAllowGridTrading": Mapped("grid_enabled", switch),
    "pauseGridAfterTakeProfitFull": Mapped("pause_grid_after_full_exit", switch),
    "stockStopLoss": Mapped("stop_loss_ratio", _loss_percent),
    "firstProfitSell": Mapped("first_take_profit_ratio", _percent),
    "stockGainSellPencent": Mapped("first_take_profit_sell_ratio", _percent),
    "stopLossBuy": Mapped("add_on_drop", _percent),
    "singleBuyAmount": Mapped("buy_amount", number),
    "singleStockMaxPosition": Mapped("max_position_value", number),
    "totalMaxPosition": Mapped("max_total_position_ratio", _of_a_million),
}

_BY_HAND = Text(
    "a switch to trade is never imported: switch on automatic trading in the configuration when you have looked",
    "交易开关不会导入：核对后请在“配置”中自行开启自动交易",
)
_MODE = Text(
    "here an account has one mode; this one begins as paper, live is a step of its own",
    "本系统中账户只有一种模式；此账户先为模拟，转实盘须单独操作",
)
_SUPERVISED = Text(
    "supervision of the processes is always on here and has no switch",
    "进程监护始终开启，没有开关",
)
_PROTOCOL = Text(
    "an order is sent once and followed until it is proven; there is nothing to tune",
    "委托只发送一次并一直跟踪到有结论，无需设置",
)
_LOGS = Text("logs rotate by themselves in the folder logs", "日志在 logs 文件夹中自动轮转")
_WEB = Text(
    "the console listens on this computer only, behind a login; see .env.example",
    "控制台仅在本机监听且需登录；见 .env.example",
)
_QMT = Text(
    "set MINIQMT_QMT_PATH in .env to the folder userdata_mini", "请在 .env 中设置 MINIQMT_QMT_PATH"
)
_ONE_WAY = Text(
    "there is one way to the broker: the gateway of the account",
    "通往柜台只有一条路：账户的网关进程",
)
_SOURCES = Text(
    "quotes come from the terminal, then mootdx; other sources are not used",
    "行情取自终端，其次 mootdx；不使用其他来源",
)
_HEALTH = Text(
    "health of quotes is judged by fixed rules, per symbol and source",
    "行情健康度按固定规则逐标的、逐来源判断",
)
_HOURS = Text(
    "the exchange's calendar and phases decide, lunch and holidays included",
    "由交易所日历与时段决定，含午休与节假日",
)
_TICKS = Text(
    "the schedule of the ticks is fixed: docs/schedule.md", "任务周期固定：见 docs/schedule.md"
)
_HISTORY = Text("orders, fills and audit are kept for good", "委托、成交与审计永久保留")
_GRID = Text(
    "every grid session has its own value; it is moved in with the session",
    "每个网格会话各有其值，随会话迁入",
)
_INDICATORS = Text(
    "fixed: MACD 12/26/9, averages 10/20/30/60", "固定为 MACD 12/26/9、均线 10/20/30/60"
)
_DEAD = Text("nothing read it there either", "原系统中也没有任何代码读取它")
_STOP_LOSS = Text(
    "a pending signal is refreshed while its condition holds", "条件持续时，待执行信号自动刷新"
)
_PRICE = Text(
    "re-orders go to level 3 of the book, then 5, then the edge of the cage",
    "重挂依次为对手第 3 档、第 5 档、价格笼子边缘",
)
_GUARD = Text("always on here", "始终开启")

_GROUPS: Sequence[tuple[Text, str]] = (
    (_BY_HAND, "ENABLE_AUTO_OPERATION ENABLE_AUTO_TRADING globalAutoOperation globalAllowBuySell ENABLE_MACD_SELL"),
    (_MODE, "ENABLE_SIMULATION_MODE simulationMode SIMULATION_BALANCE"),
    (_SUPERVISED, "ENABLE_THREAD_MONITOR THREAD_CHECK_INTERVAL THREAD_RESTART_COOLDOWN"),
    (_PROTOCOL, "USE_SYNC_ORDER_API ASYNC_ORDER_ID_WAIT_TIMEOUT_SECONDS ASYNC_ORDER_ID_WAIT_INTERVAL_SECONDS ASYNC_ORDER_ID_WAIT_TIMEOUT ASYNC_ORDER_ID_WAIT_INTERVAL ASYNC_ORDER_QUERY_FALLBACK_TIMEOUT_SECONDS ASYNC_ORDER_QUERY_FALLBACK_INTERVAL_SECONDS ASYNC_ORDER_QUERY_FALLBACK_TIMEOUT ASYNC_ORDER_QUERY_FALLBACK_INTERVAL ASYNC_ORDER_QUERY_MATCH_PRE_WINDOW_SECONDS ASYNC_ORDER_QUERY_MATCH_POST_WINDOW_SECONDS ASYNC_ORDER_UNKNOWN_COOLDOWN_SECONDS QMT_ORDER_ID_MAP_TTL_SECONDS QMT_ORDER_ID_MAP_MAX_ENTRIES QMT_CONNECT_TIMEOUT QMT_STOP_TIMEOUT QMT_RECONNECT_ON_ERRORS MAX_CANCEL_RETRIES CANCEL_RETRY_INTERVAL_SECONDS GRID_ORDER_RECONCILE_INTERVAL GRID_ORDER_STALE_SECONDS GRID_ORDER_RECONCILE_STALE_SECONDS ENABLE_GRID_PENDING_ORDER_AUTO_CANCEL GRID_PENDING_ORDER_AUTO_REORDER GRID_PENDING_ORDER_REORDER_MAX_ATTEMPTS GRID_PENDING_CANCEL_CONFIRM_TIMEOUT_SECONDS GRID_CONFIRM_LIVE_ORDER_BY_DEAL ALLOW_TAKE_PROFIT_FULL_WITH_PENDING"),
    (_LOGS, "LOG_LEVEL LOG_FILE LOG_MAX_SIZE LOG_BACKUP_COUNT XQM_LOG_FILE XQM_LOG_MAX_SIZE XQM_LOG_BACKUP_COUNT ENABLE_WEB_ACCESS_LOG WEB_ACCESS_LOG_LEVEL WEB_ACCESS_LOG_EXCLUDE_PATHS WEB_ACCESS_LOG_INCLUDE_TIMING VERBOSE_LOOP_LOGGING ENABLE_HEARTBEAT_LOG HEARTBEAT_INTERVAL ENABLE_LOG_CLEANUP LOG_CLEANUP_DAYS LOG_CLEANUP_TIME GRID_LOG_LEVEL"),
    (_WEB, "WEB_SERVER_HOST WEB_SERVER_PORT WEB_SERVER_DEBUG WEB_API_TOKEN QMT_API_TOKEN WEB_PUBLIC_MODE WEB_TRADE_RECORDS_DISPLAY_DAYS connectPort VERSION_INCREMENT_INTERVAL ENABLE_VERSION_HEARTBEAT ENABLE_WEB_REFRESH_AFTER_REINIT"),
    (_QMT, "QMT_PATH DEFAULT_QMT_PATHS ACCOUNT_CONFIG_FILE QMT_ACCOUNT_ID ACCOUNT_CONFIG"),
    (_ONE_WAY, "ENABLE_XTQUANT_MANAGER XTQUANT_MANAGER_PORT XTQUANT_MANAGER_URL XTQUANT_MANAGER_TOKEN XTQUANT_MANAGER_RATE_LIMIT XQM_PORT ENABLE_QMT_IPC_FALLBACK QMT_IPC_ROOT QMT_IPC_SECRET QMT_IPC_ORDER_TIMEOUT QMT_IPC_HEARTBEAT_MAX_AGE QMT_IPC_DEAL_POLL_INTERVAL QMT_IPC_DONE_LOOKBACK_SECONDS ENABLE_QMT_RPC_FALLBACK QMT_RPC_TRANSPORT QMT_RPC_REDIS QMT_RPC_TIMEOUT_SECONDS QMT_RPC_ORDER_TIMEOUT QMT_RPC_DEAL_POLL_INTERVAL QMT_RPC_ALLOW_ORDER"),
    (_SOURCES, "ENABLE_BAOSTOCK_STOCK_NAME_LOOKUP ENABLE_BAOSTOCK_HISTORY_DATA BAOSTOCK_LOGIN_TIMEOUT BAOSTOCK_RETRY_COOLDOWN BAOSTOCK_MAX_CONSECUTIVE_FAILURES BAOSTOCK_API_KEY ENABLE_TUSHARE_DATA_SOURCE TUSHARE_TOKEN TUSHARE_API_TIMEOUT TUSHARE_STOCK_NAME_TIMEOUT TUSHARE_RETRY_COOLDOWN TUSHARE_MAX_CONSECUTIVE_FAILURES HISTORY_UPDATE_THROTTLE_SECONDS HISTORY_INVALID_DATE_LOG_INTERVAL HISTORY_TODAY_DAILY_AVAILABLE_AFTER HISTORY_NO_DATA_LOG_INTERVAL_SECONDS INDICATOR_EMPTY_DATA_LOG_INTERVAL_SECONDS HISTORY_DATA_DOWNLOAD_TIMEOUT SHENZHEN_INDEX_CODE MACD_ADVICE_CACHE_TTL"),
    (_HEALTH, "ENABLE_MARKET_DATA_CIRCUIT_BREAKER MARKET_DATA_FAILURE_THRESHOLD MARKET_DATA_FAILURE_WINDOW_SECONDS MARKET_DATA_CIRCUIT_BREAK_SECONDS MARKET_HEALTH_ENABLED MARKET_HEALTH_OBSERVE_ONLY MARKET_HEALTH_WINDOW_SECONDS MARKET_HEALTH_MAX_EVENTS MARKET_HEALTH_MIN_EVENTS MARKET_HEALTH_HEALTHY_SCORE MARKET_HEALTH_DEGRADED_SCORE MARKET_HEALTH_UNSTABLE_SCORE MARKET_HEALTH_TRADING_MIN_SCORE"),
    (_HOURS, "DEBUG DEBUG_SIMU_STOCK_DATA TRADE_TIME PREMARKET_SYNC_TIME ENABLE_PREMARKET_XTQUANT_REINIT PREMARKET_REINIT_XTDATA PREMARKET_REINIT_XTTRADER"),
    (_TICKS, "UPDATE_INTERVAL ENABLE_DATA_SYNC ENABLE_POSITION_MONITOR MONITOR_LOOP_INTERVAL MONITOR_CALL_TIMEOUT MONITOR_NON_TRADE_SLEEP GRID_POSITION_QUERY_TIMEOUT GRID_LOCK_ACQUIRE_TIMEOUT QMT_POSITION_QUERY_INTERVAL REAL_POSITION_EMPTY_CONFIRM_COUNT POSITION_SYNC_INTERVAL CLEARED_POSITION_WARNING_INTERVAL XTQUANT_RECONNECT_INTERVAL ENABLE_SELL_MONITOR ENABLE_SELL_ALERT_NOTIFICATION"),
    (_HISTORY, "ENABLE_DB_MAINTENANCE DB_MAINTENANCE_TIME DB_MAINTENANCE_CHECK_INTERVAL DB_MAINTENANCE_REQUIRE_NON_TRADE_TIME DB_MAINTENANCE_ENABLE_VACUUM DB_MAINTENANCE_VACUUM_MIN_DELETED_ROWS TRADE_RECORD_RETENTION_DAYS GRID_SESSION_RETENTION_DAYS AUTOBUY_DECISION_LOG_RETENTION_DAYS PREMARKET_HISTORY_RETENTION_DAYS CONFIG_HISTORY_RETENTION_DAYS DATA_DIR DB_PATH"),
    (_GRID, "GRID_CALLBACK_RATIO GRID_LEVEL_COOLDOWN GRID_BUY_COOLDOWN GRID_SELL_COOLDOWN GRID_SELL_COOLDOWN_PRICE_THRESHOLD GRID_REQUIRE_PROFIT_TRIGGERED GRID_MAX_DEVIATION_RATIO GRID_TARGET_PROFIT_RATIO GRID_STOP_LOSS_RATIO GRID_DEFAULT_DURATION_DAYS GRID_DEFAULT_PRICE_INTERVAL GRID_DEFAULT_POSITION_RATIO GRID_DEFAULT_MAX_INVESTMENT_RATIO GRID_DEFAULT_TRADE_MODE GRID_STRATEGY_NAME"),
    (_PRICE, "PENDING_ORDER_REORDER_PRICE_MODE GRID_USE_COUNTERPARTY_PRICE GRID_COUNTERPARTY_BUY_PRICE_BUFFER_RATIO"),
    (_GUARD, "GRID_ENABLE_PRICE_LIMIT_GUARD GRID_PRICE_LIMIT_EPS"),
    (_STOP_LOSS, "ENABLE_DYNAMIC_SIGNAL_KEEPALIVE DYNAMIC_SIGNAL_KEEPALIVE_SECONDS"),
    (_INDICATORS, "MACD_FAST MACD_SLOW MACD_SIGNAL MA_PERIODS"),
    (_DEAD, "PERIODS DEFAULT_PERIOD INITIAL_DAYS REALTIME_DATA_CONFIG BUY_AMOUNT_RATIO XTQUANT_CALL_TIMEOUT XTQUANT_NON_TRADE_TIMEOUT CACHE_CONFIG HTTP_API_MIN_INTERVAL ENABLE_HTTP_VERSION_CONTROL SELL_ALERT_CONFIG"),
    (Text("the file is imported as the watch list", "该文件作为自选列表导入"), "DEFAULT_STOCK_POOL STOCK_POOL_FILE STOCK2BUY_FILE"),
)  # fmt: skip

#: Why a known key has no counterpart.
EXPLAINED: Mapping[str, Text] = {key: text for text, keys in _GROUPS for key in keys.split()}

#: What a mapped key meant beside, there, that it does not mean here.
REMARKS: Mapping[str, Text] = {
    "ENABLE_DYNAMIC_STOP_PROFIT": Text(
        "there it switched the stop-loss off too; here the stop-loss stays on",
        "原系统中它也会关闭止损；本系统的止损保持开启",
    ),
    "MAX_TOTAL_POSITION_RATIO": Text(
        "it was never enforced there; here it is", "原系统从未执行此限制；本系统会执行"
    ),
    "MAX_POSITION_VALUE": Text(
        "only add-ons honoured it there; here every buy does",
        "原系统仅补仓遵守；本系统所有买入均遵守",
    ),
    "ENABLE_ALLOW_SELL": Text("off stops the stop-loss too", "关闭会连止损一并停止"),
    "allowSell": Text("off stops the stop-loss too", "关闭会连止损一并停止"),
}
REMARKS = {
    **REMARKS,
    "firstProfitSellEnabled": REMARKS["ENABLE_DYNAMIC_STOP_PROFIT"],
    "totalMaxPosition": REMARKS["MAX_TOTAL_POSITION_RATIO"],
    "singleStockMaxPosition": REMARKS["MAX_POSITION_VALUE"],
}
