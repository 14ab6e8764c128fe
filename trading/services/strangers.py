"""Orders at the broker that are not in our books: told once each, counted by the terminal, never cancelled by us."""

from __future__ import annotations

from datetime import datetime

from trading.domain.order_ids import LENGTH, is_client_order_id
from trading.domain.reports import BrokerOrder
from trading.domain.types import Text
from trading.models import EventLevel, Order
from trading.services.broker_rows import plain
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
        self._tell(EventLevel.WARNING, "EXTERNAL_ORDER", text, report, now)

    def unplaced(self, report: BrokerOrder, now: datetime) -> None:
        """An order that may be ours, but which of ours it is cannot be said: a person decides."""
        text = Text(
            f"Order {report.broker_order_id} of {report.symbol} (mark {report.remark!r}) may be ours, "
            "but it cannot be said which order it is. Look at the terminal.",
            f"{report.symbol} 的委托 {report.broker_order_id}（标记 {report.remark!r}）可能为本程序所下，"
            "但无法对应。请查看客户端。",
        )
        self._tell(EventLevel.ALARM, "ORDER_UNPLACED", text, report, now)

    def orphan(self, report: BrokerOrder, now: datetime) -> Text | None:
        """An order with our mark that fits none of today's. Returns what is broken (invariant I2), if anything.

        A mark that is cut, or whose order we have, only differs: a person looks.
        """
        mark = report.remark[:LENGTH]
        if not is_client_order_id(mark) or Order.objects.filter(client_order_id=mark).exists():
            self.unplaced(report, now)
            return None
        return Text(
            f"The broker shows order {report.broker_order_id} of {report.symbol} with our mark {report.remark!r}, "
            "which our books do not have. Were they restored from a copy? Check it at the terminal.",
            f"券商显示 {report.symbol} 的委托 {report.broker_order_id} 带有本程序标记 {report.remark!r}，"
            "但账本中没有。是否恢复过旧数据？请在客户端核对。",
        )

    def _tell(
        self, level: EventLevel, code: str, text: Text, report: BrokerOrder, now: datetime
    ) -> None:
        if (code, report.broker_order_id) in self._told:
            return
        self._told.add((code, report.broker_order_id))
        journal(
            self._account_id, level, code, text, now, symbol=report.symbol, order=plain(report)
        )
