"""Orders at the broker that are not in our books: told once each, counted by the terminal, never cancelled by us."""

from __future__ import annotations

from datetime import datetime

from trading.domain.fees import cash_needed
from trading.domain.order_ids import LENGTH, is_client_order_id
from trading.domain.orders import OrderState
from trading.domain.reports import BrokerOrder
from trading.domain.types import CHINA, ZERO, Side, SignalKind, Text
from trading.models import Account, EventLevel, Order, OrderEvent, Position
from trading.selectors import instrument_of
from trading.services.accounts import fee_schedule
from trading.services.booking import ADOPTED
from trading.services.broker_rows import EXTERNAL_ORDER, plain
from trading.services.events import journal


class Strangers:
    """Those of one account; what it was told already it remembers until the process ends."""

    def __init__(self, account_id: int) -> None:
        self._account_id = account_id
        self._told: set[tuple[str, int]] = set()

    def external(self, report: BrokerOrder, now: datetime) -> None:
        """Adopt an order somebody made elsewhere."""
        text = Text(
            f"Order {report.broker_order_id} for {report.quantity} {report.symbol} was not made by this program.",
            f"{report.symbol} {report.quantity} 股的委托 {report.broker_order_id} 不是本程序所下。",
        )
        self._tell(EventLevel.WARNING, EXTERNAL_ORDER, text, report, now)

    def unplaced(self, report: BrokerOrder, now: datetime) -> None:
        """An order that may be ours, but which of ours it is cannot be said: a person decides."""
        text = Text(
            f"Order {report.broker_order_id} of {report.symbol} (mark {report.remark!r}) may be ours, "
            "but it cannot be said which order it is. Look at the terminal.",
            f"{report.symbol} 的委托 {report.broker_order_id}（标记 {report.remark!r}）可能为本程序所下，"
            "但无法对应。请查看客户端。",
        )
        self._tell(EventLevel.ALARM, "ORDER_UNPLACED", text, report, now)

    def orphan(
        self, report: BrokerOrder, began_at: datetime | None, epoch: int, now: datetime
    ) -> Order | Text | None:
        """An order with our mark that fits none of today's: adopted, or what is broken (invariant I2), or neither.

        `began_at`: when this gateway took over. An older order was lost by the books (restored from a copy, a power
        cut): it is ours, and becomes an order of ours again. One that came since then somebody else sent with our mark.
        A mark that is cut, or whose order we have, only differs: a person looks.
        """
        mark = report.remark[:LENGTH]
        if not is_client_order_id(mark) or Order.objects.filter(client_order_id=mark).exists():
            self.unplaced(report, now)
            return None
        if began_at is not None and report.time < began_at and report.side is not None:
            return self._adopt(report, report.side, mark, epoch, now)
        return Text(
            f"The broker shows order {report.broker_order_id} of {report.symbol} with our mark {report.remark!r}, "
            "which our books do not have and this gateway did not send. Does another program use the account? "
            "Check it at the terminal.",
            f"券商显示 {report.symbol} 的委托 {report.broker_order_id} 带有本程序标记 {report.remark!r}，"
            "但账本中没有，也不是本网关所发。是否有其他程序使用该账户？请在客户端核对。",
        )

    def _adopt(
        self, report: BrokerOrder, side: Side, mark: str, epoch: int, now: datetime
    ) -> Order:
        """Nobody knows any more which rule wanted it: it is looked after like a person's, and never ordered again."""
        account, kind = Account.objects.get(pk=self._account_id), SignalKind.MANUAL
        on = report.time.astimezone(CHINA).date()
        reserved = ZERO
        if side is Side.BUY:
            instrument = instrument_of(report.symbol)
            reserved = cash_needed(
                fee_schedule(account), instrument, report.quantity, report.price, on
            )
        order = Order.objects.create(
            account=account,
            position=Position.objects.filter(
                account=account, symbol=report.symbol, closed_at=None
            ).first(),
            client_order_id=mark,
            decision_key=f"{account.pk}|adopted|{mark}",
            trade_date=on,
            symbol=report.symbol,
            side=side,
            kind=kind,
            purpose=kind.purpose,
            quantity=report.quantity,
            chain_quantity=report.quantity,
            price=report.price,
            state=OrderState.SUBMITTED,
            reserved_cash=reserved,
            epoch=epoch,
            broker_order_id=report.broker_order_id,
            sysid=report.sysid,
            approved_at=report.time,
            expires_at=report.time,
            claimed_at=report.time,
            submitted_at=report.time,
            was_unknown=True,
            config_revision=0,
            source=ADOPTED,
        )
        OrderEvent.objects.create(
            order=order,
            at=now,
            new_state=OrderState.SUBMITTED,
            epoch=epoch,
            detail={"adopted": True},
        )
        text = Text(
            f"Our books lost order {mark} ({order.side} {order.quantity} {order.symbol}), which the broker shows as "
            f"{report.broker_order_id}; it is in the books again. Were they restored from a copy? Look at the orders "
            "and holdings of today. After a sale the first take-profit of the holding counts as done.",
            f"账本丢失了委托 {mark}（{order.symbol} {order.quantity} 股），券商显示为 {report.broker_order_id}，"
            "现已补入账本。是否恢复过旧数据？请核对今日的委托与持仓。若为卖出，该持仓的首次止盈视为已完成。",
        )
        journal(
            self._account_id, EventLevel.ALARM, "ORDER_ADOPTED", text, now, symbol=report.symbol
        )
        return order

    def _tell(
        self, level: EventLevel, code: str, text: Text, report: BrokerOrder, now: datetime
    ) -> None:
        if (code, report.broker_order_id) in self._told:
            return
        self._told.add((code, report.broker_order_id))
        journal(
            self._account_id, level, code, text, now, symbol=report.symbol, order=plain(report)
        )
