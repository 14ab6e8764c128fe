"""An installation of the system users come from, made for tests: its files, keys and tables, all invented values."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

NUMBER = "8812345678"

CONFIG = '''
"""Configuration, with what real ones have: environment, arithmetic, calls, comments."""
import os

raise_if_imported = open("/nonexistent/never-run-this")

ENABLE_SIMULATION_MODE = os.getenv("ENABLE_SIMULATION_MODE", "True").lower() == "true"
ENABLE_AUTO_TRADING = True
ENABLE_ALLOW_BUY = True
ENABLE_ALLOW_SELL = True
ENABLE_DYNAMIC_STOP_PROFIT = True
ENABLE_STOP_LOSS_BUY = False
ENABLE_GRID_TRADING = True
ENABLE_THREAD_MONITOR = True
LOG_MAX_SIZE = 10 * 1024 * 1024
POSITION_UNIT = 30000
MAX_POSITION_VALUE = POSITION_UNIT * 2
MAX_TOTAL_POSITION_RATIO: float = 0.9
STOP_LOSS_RATIO = -0.08
INITIAL_TAKE_PROFIT_RATIO = 0.06
INITIAL_TAKE_PROFIT_RATIO_PERCENTAGE = 0.6
BUY_GRID_LEVELS = [1, 0.93, 0.88]
DYNAMIC_TAKE_PROFIT = [
    (0.05, 0.96),
    (0.10, 0.93),
    (0.15, 0.90),
]
PENDING_ORDER_TIMEOUT_MINUTES = 4
STOP_LOSS_PENDING_ORDER_TIMEOUT_MINUTES = 0.5
GRID_SIGNAL_MAX_AGE_SECONDS = 60
DYNAMIC_SIGNAL_MAX_AGE_SECONDS = 100000  # far out of our range
MY_OWN_IDEA = 7
DATA_DIR = os.path.join("data", "x")
CACHE_CONFIG = {"a": {"b": 1}}
'''

STOCK_POOL = """\ufeff// 我的股票池
[
    "600036.SH",   // 招商银行
    "000001",      /* 平安 "银行" */
    {"code": "510300.SH", "name": "沪深300ETF"},
]
"""

ACCOUNTS = f"""{{
    // broker account
    "account_id": "{NUMBER}",
    "account_type": "STOCK",
    "qmt_path": "C:/QMT/userdata_mini"
}}
"""

_SCHEMA = """
CREATE TABLE system_config (config_key TEXT PRIMARY KEY, config_value TEXT, config_type TEXT, description TEXT, last_updated TEXT);
CREATE TABLE positions (stock_code TEXT PRIMARY KEY, stock_name TEXT, volume REAL, available REAL, cost_price REAL,
    base_cost_price REAL, current_price REAL, market_value REAL, profit_ratio REAL, last_update TEXT, open_date TEXT,
    profit_triggered BOOLEAN, highest_price REAL, stop_loss_price REAL, profit_breakout_triggered BOOLEAN,
    breakout_highest_price REAL, stop_profit_enabled BOOLEAN);
CREATE TABLE trade_records (id INTEGER PRIMARY KEY, stock_code TEXT, stock_name TEXT, trade_time TEXT, trade_type TEXT,
    price REAL, volume INTEGER, amount REAL, trade_id TEXT, commission REAL, strategy TEXT);
CREATE TABLE stock_daily_data (stock_code TEXT, date TEXT, close REAL, PRIMARY KEY (stock_code, date));
CREATE TABLE grid_trading_sessions (id INTEGER PRIMARY KEY, stock_code TEXT, status TEXT, enabled BOOLEAN,
    center_price REAL, current_center_price REAL, price_interval REAL, position_ratio REAL, callback_ratio REAL,
    trade_mode TEXT, fixed_volume INTEGER, max_investment REAL, current_investment REAL, max_deviation REAL,
    target_profit REAL, stop_loss REAL, start_time TEXT, end_time TEXT, stop_reason TEXT);
CREATE TABLE grid_lots (id INTEGER PRIMARY KEY, session_id INTEGER, stock_code TEXT, buy_price REAL,
    original_volume INTEGER, remaining_volume INTEGER, buy_amount REAL, opened_at TEXT, status TEXT);
CREATE TABLE grid_orders (order_id TEXT PRIMARY KEY, session_id INTEGER, stock_code TEXT, side TEXT, status TEXT);
CREATE TABLE grid_config_templates (id INTEGER PRIMARY KEY, template_name TEXT UNIQUE, price_interval REAL,
    position_ratio REAL, callback_ratio REAL, max_deviation REAL, target_profit REAL, stop_loss REAL,
    duration_days INTEGER, max_investment_ratio REAL, description TEXT, is_default BOOLEAN);
"""

_ROWS = """
INSERT INTO system_config VALUES ('STOP_LOSS_RATIO', '-0.07', 'float', '', '2026-08-01'),
    ('singleBuyAmount', '25000', 'int', '', '2026-08-01'), ('ENABLE_ALLOW_BUY', '"false"', 'bool', '', '2026-08-01');
INSERT INTO positions VALUES
    ('600036', '招商银行', 1000, 1000, 36.5, 36.123456, 38.0, 38000, 0.04, '2026-08-07', '2026-07-01 10:00:00',
        1, 40.1000000001, 33.7, 0, 0, 1),
    ('000001.SZ', '平安银行', 500.0, 500, 11.2, NULL, 11.5, 5750, 0.02, '2026-08-07', '2026-07-15', 0, 11.9, 10.3, 1, 11.95, 0),
    ('688001', '半股', 100.5, 100, 20, 20, 20, 2010, 0, '2026-08-07', '2026-07-15', 0, 20, 18, 0, 0, 1),
    ('600000', '已卖出', 0, 0, 0, 0, 8, 0, 0, '2026-08-07', '2026-05-01', 0, 9, 8, 0, 0, 1);
INSERT INTO trade_records VALUES
    (1, '600036', '招商银行', '2026-07-01 10:00:00', 'BUY', 36.1, 1000, 36100, 'T1', 9.03, 'manual_buy'),
    (2, '600036.SH', '招商银行', '2026-07-20 14:30:05.5', 'SELL', 39.2, 600, NULL, 'T2', NULL, 'auto_partial'),
    (3, '600036', '招商银行', '2026-07-21 09:40:00', 'HOLD', 39.2, 100, NULL, 'T3', NULL, 'x'),
    (4, '999999', '?', '2026-07-21 09:40:00', 'BUY', 'nan', 100, NULL, 'T4', NULL, 'x');
INSERT INTO stock_daily_data VALUES ('600036', '2026-07-01', 36.1), ('600036', '2026-07-02', 36.2);
INSERT INTO grid_trading_sessions VALUES
    (7, '600036', 'active', 1, 36.0, 37.5, 0.05, 0.25, 0.005, 'amount', 0, 20000, 7500, 0.15, 0.10, -0.10,
        '2026-08-03 09:31:00', '2026-09-02 09:31:00', NULL),
    (8, '000001.SZ', 'active', 1, 11, 11, 0.05, 0.25, 0.09, 'amount', 0, 20000, 0, 0.04, 0.10, -0.10,
        '2026-08-03 09:31:00', '2026-09-02 09:31:00', NULL),
    (3, '600000', 'stopped', 0, 9, 9, 0.05, 0.25, 0.005, 'amount', 0, 20000, 0, 0.15, 0.10, -0.10,
        '2026-05-03 09:31:00', '2026-05-10 09:31:00', 'expired');
INSERT INTO grid_lots VALUES (1, 7, '600036', 35.9, 200, 0, 7180, '2026-08-03 10:00:00', 'closed'),
    (2, 7, '600036', 36.123, 200, 100, 7224.6, '2026-08-04 10:00:00', 'open'),
    (3, 7, '600036', 37.5, 100, 100, 3750, '2026-08-05 10:00:00', 'open');
INSERT INTO grid_orders VALUES ('12345', 7, '600036', 'BUY', 'submitted'), ('12344', 7, '600036', 'BUY', 'filled');
INSERT INTO grid_config_templates VALUES (1, 'calm', 0.08, 0.2, 0.008, 0.2, 0.08, -0.08, 30, 0.5, '', 1),
    (2, '我的模板', 0.03, 0.3, 0.003, 0.1, 0.15, -0.15, 7, 0.5, '', 0);
"""


def installation(folder: Path) -> Path:
    """Write one, and return its folder."""
    (folder / "data").mkdir(parents=True)
    (folder / "config.py").write_text(CONFIG, encoding="utf-8")
    (folder / ".env").write_text("ENABLE_SIMULATION_MODE=False\n", encoding="utf-8")
    (folder / "stock_pool.json").write_text(STOCK_POOL, encoding="utf-8")
    (folder / "account_config.json").write_text(ACCOUNTS, encoding="utf-8")
    with closing(sqlite3.connect(folder / "data" / "trading.db")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(_SCHEMA + _ROWS)
        connection.commit()
    return folder
