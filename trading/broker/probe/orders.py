"""The two experiments with an order: one lot, at the far end of the day's limits, confirmed twice, and cancelled."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from trading.broker import xt_reference
from trading.broker.probe.context import Probe
from trading.broker.probe.session import LOOK, ProbeSession
from trading.broker.qmt_rows import FIX_PRICE, ORDER_STATES, STOCK_BUY, STOCK_SELL
from trading.domain.instruments import instrument_for, lot_rule
from trading.domain.reference import InstrumentDetail
from trading.domain.types import ZERO, Side, Symbol, Text

#: All of the remark's 24 characters, the most the client keeps; only the time makes one differ from the next.
REMARK = "PROBE{:%m%d%H%M%S}ABCDEFGHI"
STRATEGY = "probe"
#: How far from the market the order must lie, as a ratio of the last price.
FAR = Decimal("0.03")
#: Seconds an answer, and the end of a cancelled order, are waited for; between two cancels; and how many of them.
PATIENCE, BETWEEN, CANCELS = 10.0, 3.0, 3


@dataclass
class Trace:
    """What was seen of one order. Durations in seconds since it was sent."""

    sent: dict[str, Any]
    remarks: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    states: list[str] = field(default_factory=list)
    cancels: list[dict[str, Any]] = field(default_factory=list)
    before: dict[str, Any] = field(default_factory=dict)
    resting: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    order_id: int = -1
    ended: bool = False


def trace(probe: Probe, side: Side) -> Trace | Text:
    """Return what became of the one order of this side, sent now unless it was; or why none was sent."""
    if side not in probe.traces:
        probe.traces[side] = _experiment(probe, side)
    found: Trace | Text = probe.traces[side]
    return found


def _experiment(probe: Probe, side: Side) -> Trace | Text:
    if not probe.with_orders or probe.person is None or probe.symbol is None:
        return Text(
            "No order was sent: that takes --with-orders and --symbol.",
            "未发送委托：需要 --with-orders 与 --symbol。",
        )
    why = _objection(probe)
    if why is not None:
        return why
    detail = _detail(probe, probe.symbol)
    price, quantity = _far_price(probe, detail, side), _lot(probe, probe.symbol)
    if isinstance(price, Text):
        return price
    if side is Side.SELL and _can_use(probe.session, probe.symbol) < quantity:
        return Text(
            f"{probe.symbol} is not held: nothing to offer for sale.",
            f"未持有可卖的 {probe.symbol}，无法挂卖单。",
        )
    if not _confirmed(probe, side, quantity, price):
        return Text("Not confirmed: no order was sent.", "未确认：没有发送委托。")
    why = _objection(probe)  # typing takes time
    return why if why is not None else _send(probe, side, quantity, price)


def _objection(probe: Probe) -> Text | None:
    if not probe.phase().continuous:
        return Text(
            "Refused: orders are probed in continuous trading only (09:30–11:30, 13:00–14:57).",
            "拒绝：仅在连续竞价时段（09:30–11:30、13:00–14:57）进行委托探测。",
        )
    return probe.objection()


def _detail(probe: Probe, symbol: Symbol) -> InstrumentDetail | None:
    read = xt_reference.read_details(probe.data, [symbol])
    return next(iter(read.rows), None)


def _lot(probe: Probe, symbol: Symbol) -> int:
    return lot_rule(instrument_for(symbol), probe.now().date()).minimum


def _far_price(probe: Probe, detail: InstrumentDetail | None, side: Side) -> Decimal | Text:
    """Return the day's limit away from the market: lowest for a buy, highest for a sale."""
    bound: Decimal | None = None
    if detail is not None and not detail.suspended:
        bound = detail.limit_down if side is Side.BUY else detail.limit_up
    tick = (probe.data.get_full_tick([probe.symbol]) or {}).get(probe.symbol, {})
    last = Decimal(str(tick.get("lastPrice") or 0))
    if bound is None or last <= ZERO:
        return Text(
            "Refused: the terminal states no limits or no price, or the symbol is suspended.",
            "拒绝：终端没有涨跌停价或最新价，或该标的停牌。",
        )
    if abs(bound - last) < FAR * last:
        return Text(
            f"Refused: {bound} is within 3 % of the market ({last}).",
            f"拒绝：{bound} 距最新价 {last} 不足 3%。",
        )
    return bound


def _confirmed(probe: Probe, side: Side, quantity: int, price: Decimal) -> bool:
    """Ask twice, each time for something else to be typed."""
    person, number = probe.person, probe.session.account.account_id
    assert person is not None
    verb = Text("BUY", "买入") if side is Side.BUY else Text("SELL", "卖出")
    typed = person.asked(
        Text(
            f"A REAL ORDER will be sent: {verb.en} {quantity} {probe.symbol} at {price}, then cancelled. Type the symbol to go on:",
            f"即将发送真实委托：{verb.zh} {probe.symbol} {quantity} 股，价格 {price}，随后撤单。输入代码以继续：",
        )
    )
    if typed.strip().upper() != probe.symbol:
        return False
    typed = person.asked(
        Text(
            "Once more: type the last four digits of the account:",
            "再次确认：输入资金账号后四位：",
        )
    )
    return typed.strip() == str(number)[-4:]


def _send(probe: Probe, side: Side, quantity: int, price: Decimal) -> Trace:
    session, symbol = probe.session, str(probe.symbol)
    remark = REMARK.format(probe.now())[:24]
    kept = Trace({"side": side, "symbol": symbol, "quantity": quantity, "price": str(price)})
    kept.remarks["sent"] = remark
    kept.before = _money(session, symbol)
    mark, since = len(session.heard), probe.clock()
    try:
        kept.sent["seq"] = session.trader.order_stock_async(
            session.account,
            symbol,
            STOCK_BUY if side is Side.BUY else STOCK_SELL,
            quantity,
            FIX_PRICE,
            float(price),
            STRATEGY,
            remark,
        )
        _watch_birth(probe, kept, mark, since, remark)
        kept.resting = _money(session, symbol)
    finally:
        _leave_nothing(probe, kept)
    kept.after = _money(session, symbol)
    kept.states = [
        str(one.row["order_status"])
        for one in session.heard[mark:]
        if one.kind == "order" and one.row["order_id"] == kept.order_id
    ]
    return kept


def _watch_birth(probe: Probe, kept: Trace, mark: int, since: float, remark: str) -> None:
    """Note when response, push and query first tell of the order, and with which remark."""
    session = probe.session
    while probe.clock() - since < PATIENCE and not {"submitted", "order", "query"} <= set(
        kept.seconds
    ):
        for row in session.query("orders").rows or ():
            if _is_it(row, kept, remark):
                _first(kept, "query", row, probe.clock() - since)
        for one in session.heard[mark:]:
            is_ours = one.row.get("seq") == kept.sent["seq"] or _is_it(one.row, kept, remark)
            if one.kind in ("submitted", "order") and is_ours:
                _first(kept, one.kind, one.row, one.at - since)
        if kept.sent.get("refused"):
            return
        session.listen(LOOK)


def _first(kept: Trace, where: str, row: dict[str, Any], seconds: float) -> None:
    if where in kept.seconds:
        return
    kept.seconds[where] = round(seconds, 2)
    kept.remarks[where] = str(row["order_remark"])
    kept.order_id = max(kept.order_id, int(row["order_id"] or -1))
    if where == "submitted" and kept.order_id <= 0:
        kept.sent["refused"] = row["error_msg"]


def _is_it(row: dict[str, Any], kept: Trace, remark: str) -> bool:
    """By its number, or by as much of its remark as any client keeps."""
    number = row.get("order_id")
    return number == kept.order_id > 0 or str(row.get("order_remark"))[:10] == remark[:10]


def _leave_nothing(probe: Probe, kept: Trace) -> None:
    """Cancel it; a person looks whenever that is not seen to have worked, also when the client broke down meanwhile."""
    if kept.sent.get("refused"):
        return
    try:
        _cancel(probe, kept)
    finally:
        if not kept.ended and probe.person is not None:
            probe.person.asked(
                Text(
                    f"THE ORDER ({kept.order_id}) MAY STILL BE THERE: cancel it in the client by hand, then press Enter.",
                    f"委托（{kept.order_id}）可能仍未撤单：请在客户端手动撤单，然后按回车。",
                )
            )


def _cancel(probe: Probe, kept: Trace) -> None:
    """Cancel until it is gone, three times at most; then once more, to see how a cancel of a dead order is refused."""
    session, trader = probe.session, probe.session.trader
    if kept.order_id > 0:
        for _ in range(CANCELS):
            _one_cancel(probe, kept)
            kept.ended = bool(session.until(lambda: _ended(session, kept), BETWEEN))
            if kept.ended:
                break
    if kept.ended:
        mark = len(session.heard)
        trader.cancel_order_stock_async(session.account, kept.order_id)
        session.listen(1.0)
        kept.cancels.append(
            {"of the dead order": [(one.kind, one.row) for one in session.heard[mark:]]}
        )


def _one_cancel(probe: Probe, kept: Trace) -> None:
    session, trader = probe.session, probe.session.trader
    mark, since = len(session.heard), probe.clock()
    seq = trader.cancel_order_stock_async(session.account, kept.order_id)
    session.until(lambda: True if len(session.heard) > mark else None, BETWEEN)
    told = [(one.kind, round(one.at - since, 2)) for one in session.heard[mark:]]
    kept.cancels.append({"seq": seq, "told": told})


def _ended(session: ProbeSession, kept: Trace) -> bool | None:
    rows = session.query("orders").rows or ()
    mine = [one for one in rows if one["order_id"] == kept.order_id]
    states = [ORDER_STATES.get(one["order_status"]) for one in mine]
    return True if any(state is not None and state.terminal for state in states) else None


def _money(session: ProbeSession, symbol: str) -> dict[str, Any]:
    asset = next(iter(session.query("asset").rows or ()), {})
    return {
        "cash": asset.get("cash"),
        "frozen_cash": asset.get("frozen_cash"),
        "can_use_volume": _can_use(session, symbol),
    }


def _can_use(session: ProbeSession, symbol: str) -> int:
    rows = session.query("positions").rows or ()
    return sum(int(one["can_use_volume"] or 0) for one in rows if one["stock_code"] == symbol)
