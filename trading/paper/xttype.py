"""Look-alikes of `xtquant.xttype`: the same constructor parameters and attributes; prices and cash are floats in yuan."""

from __future__ import annotations

from typing import Any

from trading.paper import xtconstant


class StockAccount:
    """An account's number and type. Like the vendor's, a number that is no string gives back a string, not an object."""

    account_id: str
    account_type: int

    def __new__(cls, account_id: Any, account_type: str = "STOCK") -> Any:
        if not isinstance(account_id, str):
            return "资金账号必须为字符串类型"
        return super().__new__(cls)

    def __init__(self, account_id: str, account_type: str = "STOCK") -> None:
        for number, name in xtconstant.ACCOUNT_TYPE_DICT.items():
            if account_type.upper() == name:
                self.account_type = number
                self.account_id = account_id
                return
        raise Exception(f"不支持的账号类型：{account_type.upper()}！")


class XtAsset:
    """Cash and totals of an account in yuan; `cash` is usable cash, `fetch_balance` what can be withdrawn."""

    def __init__(
        self,
        account_id: str,
        cash: float,
        frozen_cash: float,
        market_value: float,
        total_asset: float,
        fetch_balance: float,
    ) -> None:
        self.account_type = xtconstant.SECURITY_ACCOUNT
        self.account_id = account_id
        self.cash = cash
        self.frozen_cash = frozen_cash
        self.market_value = market_value
        self.total_asset = total_asset
        self.fetch_balance = fetch_balance


class XtOrder:
    """One order as the counter shows it; `price_type` is the counter's own number, not the one sent."""

    def __init__(
        self,
        account_id: str,
        stock_code: str,
        order_id: int,
        order_sysid: str,
        order_time: int,
        order_type: int,
        order_volume: int,
        price_type: int,
        price: float,
        traded_volume: int,
        traded_price: float,
        order_status: int,
        status_msg: str,
        strategy_name: str,
        order_remark: str,
        direction: int,
        offset_flag: int,
        secu_account: str,
        instrument_name: str,
    ) -> None:
        self.account_type = xtconstant.SECURITY_ACCOUNT
        self.account_id = account_id
        self.stock_code = stock_code
        self.order_id = order_id
        self.order_sysid = order_sysid
        self.order_time = order_time
        self.order_type = order_type
        self.order_volume = order_volume
        self.price_type = price_type
        self.price = price
        self.traded_volume = traded_volume
        self.traded_price = traded_price
        self.order_status = order_status
        self.status_msg = status_msg
        self.strategy_name = strategy_name
        self.order_remark = order_remark
        self.direction = direction
        self.offset_flag = offset_flag
        self.secu_account = secu_account
        self.instrument_name = instrument_name


class XtTrade:
    """One fill; `traded_id` is unique within account and day, `commission` all its fees in yuan."""

    def __init__(
        self,
        account_id: str,
        stock_code: str,
        order_type: int,
        traded_id: str,
        traded_time: int,
        traded_price: float,
        traded_volume: int,
        traded_amount: float,
        order_id: int,
        order_sysid: str,
        strategy_name: str,
        order_remark: str,
        direction: int,
        offset_flag: int,
        commission: float,
        secu_account: str,
        instrument_name: str,
    ) -> None:
        self.account_type = xtconstant.SECURITY_ACCOUNT
        self.account_id = account_id
        self.stock_code = stock_code
        self.order_type = order_type
        self.traded_id = traded_id
        self.traded_time = traded_time
        self.traded_price = traded_price
        self.traded_volume = traded_volume
        self.traded_amount = traded_amount
        self.order_id = order_id
        self.order_sysid = order_sysid
        self.strategy_name = strategy_name
        self.order_remark = order_remark
        self.direction = direction
        self.offset_flag = offset_flag
        self.commission = commission
        self.secu_account = secu_account
        self.instrument_name = instrument_name


class XtPosition:
    """One holding; `open_price` is the average buy price, `avg_price` the cost diluted by sells and fees."""

    def __init__(
        self,
        account_id: str,
        stock_code: str,
        volume: int,
        can_use_volume: int,
        open_price: float,
        market_value: float,
        frozen_volume: int,
        on_road_volume: int,
        yesterday_volume: int,
        avg_price: float,
        direction: int,
        last_price: float,
        profit_rate: float,
        secu_account: str,
        instrument_name: str,
    ) -> None:
        self.account_type = xtconstant.SECURITY_ACCOUNT
        self.account_id = account_id
        self.stock_code = stock_code
        self.volume = volume
        self.can_use_volume = can_use_volume
        self.open_price = open_price
        self.market_value = market_value
        self.frozen_volume = frozen_volume
        self.on_road_volume = on_road_volume
        self.yesterday_volume = yesterday_volume
        self.avg_price = avg_price
        self.direction = direction
        self.last_price = last_price
        self.profit_rate = profit_rate
        self.secu_account = secu_account
        self.instrument_name = instrument_name


class XtOrderError:
    """An order that failed before it had a row."""

    def __init__(
        self,
        account_id: str,
        order_id: int,
        error_id: int | None = None,
        error_msg: str | None = None,
        strategy_name: str | None = None,
        order_remark: str | None = None,
    ) -> None:
        self.account_type = xtconstant.SECURITY_ACCOUNT
        self.account_id = account_id
        self.order_id = order_id
        self.error_id = error_id
        self.error_msg = error_msg
        self.strategy_name = strategy_name
        self.order_remark = order_remark


class XtCancelError:
    """A cancel the counter refused."""

    def __init__(
        self,
        account_id: str,
        order_id: int,
        market: int,
        order_sysid: str,
        error_id: int | None = None,
        error_msg: str | None = None,
    ) -> None:
        self.account_type = xtconstant.SECURITY_ACCOUNT
        self.account_id = account_id
        self.order_id = order_id
        self.market = market
        self.order_sysid = order_sysid
        self.error_id = error_id
        self.error_msg = error_msg


class XtOrderResponse:
    """The answer to an async order; `order_id` -1: it does not exist."""

    def __init__(
        self,
        account_id: str,
        order_id: int,
        strategy_name: str,
        order_remark: str,
        error_msg: str,
        seq: int,
    ) -> None:
        self.account_type = xtconstant.SECURITY_ACCOUNT
        self.account_id = account_id
        self.order_id = order_id
        self.strategy_name = strategy_name
        self.order_remark = order_remark
        self.error_msg = error_msg
        self.seq = seq


class XtCancelOrderResponse:
    """The answer to an async cancel: `cancel_result` 0 says only that the request went out."""

    def __init__(
        self,
        account_id: str,
        cancel_result: int,
        order_id: int,
        order_sysid: str,
        seq: int,
        error_msg: str,
    ) -> None:
        self.account_type = xtconstant.SECURITY_ACCOUNT
        self.account_id = account_id
        self.cancel_result = cancel_result
        self.order_id = order_id
        self.order_sysid = order_sysid
        self.seq = seq
        self.error_msg = error_msg


class XtAccountStatus:
    """The state of an account's login, see `xtconstant.ACCOUNT_STATUS_*`."""

    def __init__(
        self,
        account_id: str,
        account_type: int,
        status: int,
    ) -> None:
        self.account_id = account_id
        self.account_type = account_type
        self.status = status
