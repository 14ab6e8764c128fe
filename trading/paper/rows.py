"""What a query or a push shows, in the vendor's field names: plain JSON-able dicts, prices and cash as floats in yuan."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from trading.domain.symbols import exchange_of
from trading.domain.types import ZERO, Side
from trading.paper import xtconstant
from trading.paper.exchange import Exchange
from trading.paper.records import Account, Holding, Order, Trade

Row = dict[str, Any]

#: The number a counter shows for a limit order; it is not the FIX_PRICE that was sent.
COUNTER_LIMIT_ORDER = 50

_TYPE = {Side.BUY: xtconstant.STOCK_BUY, Side.SELL: xtconstant.STOCK_SELL}
_OFFSET = {Side.BUY: xtconstant.OFFSET_FLAG_OPEN, Side.SELL: xtconstant.OFFSET_FLAG_CLOSE}


def order_row(exchange: Exchange, order: Order) -> Row:
    """Return the parameters of an XtOrder; `traded_price` is the average of its fills, 0 without one."""
    traded = order.traded_quantity
    return {
        "account_id": order.account_id,
        "stock_code": str(order.symbol),
        "order_id": order.order_id,
        "order_sysid": order.sysid,
        "order_time": int(order.at.timestamp()),
        "order_type": _TYPE[order.side],
        "order_volume": order.quantity,
        "price_type": COUNTER_LIMIT_ORDER,
        "price": float(order.price),
        "traded_volume": traded,
        "traded_price": float(order.traded_amount / traded) if traded else 0.0,
        "order_status": order.status,
        "status_msg": order.message,
        "strategy_name": order.strategy,
        "order_remark": order.remark,
        "direction": 0,
        "offset_flag": _OFFSET[order.side],
        "secu_account": "",
        "instrument_name": _name(exchange, order),
    }


def trade_row(exchange: Exchange, trade: Trade) -> Row:
    """Return the parameters of an XtTrade."""
    return {
        "account_id": trade.account_id,
        "stock_code": str(trade.symbol),
        "order_type": _TYPE[trade.side],
        "traded_id": trade.traded_id,
        "traded_time": int(trade.at.timestamp()),
        "traded_price": float(trade.price),
        "traded_volume": trade.quantity,
        "traded_amount": float(trade.amount),
        "order_id": trade.order_id,
        "order_sysid": trade.sysid,
        "strategy_name": trade.strategy,
        "order_remark": trade.remark,
        "direction": 0,
        "offset_flag": _OFFSET[trade.side],
        "commission": float(trade.fees),
        "secu_account": "",
        "instrument_name": _name(exchange, trade),
    }


def position_row(exchange: Exchange, account: Account, holding: Holding) -> Row:
    """Return the parameters of an XtPosition; a holding sold out today is a row with volume 0."""
    last, cost = exchange.last_price(holding), holding.diluted_cost
    return {
        "account_id": account.account_id,
        "stock_code": str(holding.symbol),
        "volume": holding.quantity,
        "can_use_volume": holding.sellable,
        "open_price": float(holding.open_price),
        "market_value": float(last * holding.quantity),
        "frozen_volume": holding.frozen,
        "on_road_volume": 0,
        "yesterday_volume": holding.yesterday,
        "avg_price": float(cost),
        "direction": 0,
        "last_price": float(last),
        "profit_rate": float((last - cost) / cost) if cost > 0 else 0.0,
        "secu_account": "",
        "instrument_name": _name(exchange, holding),
    }


def asset_row(exchange: Exchange, account: Account) -> Row:
    """Return the parameters of an XtAsset."""
    value = market_value(exchange, account)
    return {
        "account_id": account.account_id,
        "cash": float(account.cash),
        "frozen_cash": float(account.frozen_cash),
        "market_value": float(value),
        "total_asset": float(account.cash + account.frozen_cash + value),
        "fetch_balance": float(account.cash),
    }


def market_value(exchange: Exchange, account: Account) -> Decimal:
    """Return what the account's holdings are worth now, in yuan."""
    holdings = account.positions.values()
    return sum((exchange.last_price(one) * one.quantity for one in holdings), ZERO)


def cancel_error_row(order: Order, message: str) -> Row:
    """Return the parameters of an XtCancelError."""
    market = xtconstant.MARKET_STR_TO_ENUM_MAPPING[exchange_of(order.symbol)]
    return {
        "account_id": order.account_id,
        "order_id": order.order_id,
        "market": market,
        "order_sysid": order.sysid,
        "error_id": -1,
        "error_msg": message,
    }


def _name(exchange: Exchange, record: Order | Trade | Holding) -> str:
    instrument = exchange.instruments.get(record.symbol)
    return instrument.name if instrument else ""
