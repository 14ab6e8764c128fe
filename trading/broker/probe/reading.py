"""The questions that only look: P2, P6, P7, P9, P13, P14, P15, and the order experiments' results P1, P3, P8, P11."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, time
from typing import Any

from trading.broker.probe.context import Probe
from trading.broker.probe.orders import Trace, trace
from trading.broker.probe.report import Finding, Outcome
from trading.broker.qmt_rows import ORDER_STATES
from trading.domain.types import CHINA, Side, Symbol, Text

#: Queries sent at once, to see whether the client takes them.
BURST = 30
#: How many samples of a lag make a distribution (order-protocol's R4 rests on it).
ENOUGH = 200
AFTER_HOURS = (time(15, 5), time(15, 30))
#: A client that says nothing has not said "none".
NO_LIST = Text(
    "The client gave no list: log in to the client, and run it again.",
    "客户端未返回列表：请登录客户端后重新运行。",
)


def remark(probe: Probe) -> Finding:
    """P1: does the remark come back whole, in response, push and query?"""
    found = trace(probe, Side.BUY)
    if isinstance(found, Text):
        rows = probe.session.query("orders").rows or []
        lengths = Counter(len(str(row["order_remark"] or "").encode()) for row in rows)
        facts = {"bytes of the remarks of today's orders": dict(lengths)}
        return Finding(Outcome.SKIPPED, found, facts)
    sent = found.remarks["sent"]
    whole = {where: kept == sent for where, kept in found.remarks.items() if where != "sent"}
    note = Text(
        "The remark is compared where it came back; after a restart of the client, run P1 again and look at today's orders.",
        "已比较各处返回的备注；重启客户端后请再次运行 P1 并查看当日委托。",
    )
    return Finding(
        _seen(found), note, {"remarks": found.remarks, "whole": whole, "sent": found.sent}
    )


def fill_numbers(probe: Probe) -> Finding:
    """P2: are fill numbers there, and each its own?"""
    answer = probe.session.query("trades")
    rows = answer.rows
    if rows is None:
        return Finding(Outcome.FAILED, NO_LIST, answer.summary())
    numbers = [str(row["traded_id"] or "") for row in rows]
    facts = {
        **answer.summary(),
        "empty": numbers.count(""),
        "doubled": [one for one, count in Counter(numbers).items() if one and count > 1],
    }
    if not rows:
        return Finding(
            Outcome.PARTLY,
            Text(
                "No fill today: run it on a day with fills.",
                "今日没有成交：请在有成交的日子运行。",
            ),
            facts,
        )
    return Finding(
        Outcome.ANSWERED,
        Text("Today's fill numbers were looked at.", "已检查当日成交编号。"),
        facts,
    )


def visibility(probe: Probe) -> Finding:
    """P3: how long after sending does an order show up?"""
    found = trace(probe, Side.BUY)
    if isinstance(found, Text):
        return Finding(Outcome.SKIPPED, found)
    note = Text(
        f"One sample; {ENOUGH} make a distribution: run P3 on several days, at quiet and at busy times.",
        f"仅一个样本；形成分布需 {ENOUGH} 个：请在不同日期、清淡与繁忙时段分别运行 P3。",
    )
    return Finding(Outcome.PARTLY, note, {"seconds": found.seconds, "samples": 1})


def unit_of_timeout(probe: Probe) -> Finding:
    """P6: does `set_timeout` change anything a query shows?"""
    before = probe.session.query("asset").summary()
    probe.session.trader.set_timeout(1000)
    after = probe.session.query("asset").summary()
    probe.session.trader.set_timeout(0)
    note = Text(
        "Asynchronous queries before and after set_timeout(1000); its effect on a terminal that does not answer shows in P4.",
        "set_timeout(1000) 前后的异步查询；终端无应答时的效果见 P4。",
    )
    return Finding(Outcome.PARTLY, note, {"before": before, "after": after})


def throttles(probe: Probe) -> Finding:
    """P7: does the client take a burst of queries? Orders and cancels are not provoked."""
    since = probe.clock()
    numbers = [probe.session.ask("asset") for _ in range(BURST)]
    answers = [probe.session.answer(number, since) for number in numbers]
    times = sorted(one.seconds for one in answers if one.seconds is not None)
    facts = {
        "queries": BURST,
        "answered": len(times),
        "refused (None)": sum(one.seconds is not None and one.rows is None for one in answers),
        "last after seconds": round(times[-1], 2) if times else None,
    }
    note = Text(
        "Queries only: throttles of orders and cancels are asked of the broker, not provoked with real orders. The gateway stays at 2 orders a second and 2.5 s between cancels.",
        "仅测试查询；委托与撤单的限流请询问券商，不以真实委托试探。网关保持每秒 2 笔委托、撤单间隔 2.5 秒。",
    )
    return Finding(Outcome.PARTLY, note, facts)


def refused_cancel(probe: Probe) -> Finding:
    """P8: which status has an order whose cancel was refused?"""
    found = trace(probe, Side.BUY)
    if isinstance(found, Text):
        return Finding(Outcome.SKIPPED, found)
    note = Text(
        "The cancels of the probe's order, and one more of the dead order, which is refused. 51 → 50 needs a cancel the exchange refuses (09:20–09:25); that is not provoked.",
        "探测委托的撤单，以及对已撤委托的再次撤单（应被拒绝）。51 → 50 需交易所拒绝撤单（09:20–09:25），不作试探。",
    )
    facts = {"states": found.states, "cancels": found.cancels, "ended": found.ended}
    return Finding(_seen(found), note, facts)


def after_hours(probe: Probe) -> Finding:
    """P9: which order type do after-hours orders carry, and how are they filled?"""
    answer = probe.session.query("orders")
    if answer.rows is None:
        return Finding(Outcome.FAILED, NO_LIST, answer.summary())
    rows = [row for row in answer.rows if _in_after_hours(row)]
    facts = {
        "orders": [
            {
                "price_type": row["price_type"],
                "state": str(ORDER_STATES.get(row["order_status"])),
                "filled": row["traded_volume"],
            }
            for row in rows
        ]
    }
    if rows:
        return Finding(
            Outcome.ANSWERED,
            Text("Today's orders of 15:05–15:30.", "今日 15:05–15:30 的委托。"),
            facts,
        )
    return Finding(
        Outcome.PARTLY,
        Text(
            "No order of 15:05–15:30 today: enter one in the client by hand and run P9 again after 15:30.",
            "今日没有 15:05–15:30 的委托：请在客户端手动委托一笔，15:30 后再次运行 P9。",
        ),
        facts,
    )


def _in_after_hours(row: dict[str, Any]) -> bool:
    seconds = row["order_time"]
    if not isinstance(seconds, int | float) or seconds <= 0:
        return False
    return AFTER_HOURS[0] <= datetime.fromtimestamp(seconds, CHINA).time() <= AFTER_HOURS[1]


def sellable_after_cancel(probe: Probe) -> Finding:
    """P11: are the shares of a cancelled sale free at once?"""
    found = trace(probe, Side.SELL)
    if isinstance(found, Text):
        return Finding(Outcome.SKIPPED, found)
    facts = {
        "before": found.before,
        "resting": found.resting,
        "after": found.after,
        "ended": found.ended,
    }
    free = found.after.get("can_use_volume") == found.before.get("can_use_volume")
    note = Text(
        f"The shares of the cancelled sale were {'free' if free else 'NOT free'} at the first look.",
        f"撤单后首次查询时，可用数量{'已' if free else '未'}恢复。",
    )
    return Finding(_seen(found), note, facts)


def off_hours(probe: Probe) -> Finding:
    """P13: what do the queries say at this moment?"""
    snapshot = probe.session.snapshot()
    facts: dict[str, Any] = {
        "phase": probe.phase(),
        **{name: answer.summary() for name, answer in snapshot.items()},
    }
    asset = next(iter(snapshot["asset"].rows or ()), {})
    facts["zero in the asset"] = [name for name, value in asset.items() if value == 0]
    positions = snapshot["positions"].rows or []
    facts["positions without quantity"] = sum(not row["volume"] for row in positions)
    facts["positions without value"] = sum(not row["market_value"] for row in positions)
    note = Text(
        "This moment only: run it on a weekend, on a holiday and shortly after midnight as well.",
        "仅代表当前时刻：请在周末、节假日及午夜过后各运行一次。",
    )
    return Finding(Outcome.PARTLY, note, facts)


def ticks(probe: Probe) -> Finding:
    """P14: what do the levels hold now (auction, suspension)?"""
    if probe.data is None:
        return Finding(
            Outcome.SKIPPED, Text("There is no data service here.", "此处没有行情服务。")
        )
    held = [row["stock_code"] for row in probe.session.query("positions").rows or ()]
    codes = sorted({*held, *([probe.symbol] if probe.symbol else ()), *EXAMPLES})
    shown = {code: _tick(row) for code, row in (probe.data.get_full_tick(codes) or {}).items()}
    facts = {
        "phase": probe.phase(),
        "ticks": shown,
        "absent": sorted(set(codes) - shown.keys()),
    }
    note = Text(
        "This moment only: run it between 09:15 and 09:25, and with --symbol of a suspended symbol.",
        "仅代表当前时刻：请在 09:15–09:25 运行，并用 --symbol 指定停牌标的。",
    )
    return Finding(Outcome.PARTLY, note, facts)


#: Looked at whatever the account holds.
EXAMPLES = (Symbol("600036.SH"), Symbol("510300.SH"))
_TICK = ("time", "lastPrice", "lastClose", "open", "volume", "openInt", "stockStatus")


def _tick(row: dict[str, Any]) -> dict[str, Any]:
    levels = ("askPrice", "bidPrice", "askVol", "bidVol")
    return {name: row.get(name) for name in (*_TICK, *levels)}


def granted(probe: Probe) -> Finding:
    """P15: does the broker let programs in at all?"""
    snapshot = probe.session.query("status")
    number = probe.session.account.account_id
    mine = [row["status"] for row in snapshot.rows or () if row["account_id"] == number]
    facts = {**probe.terminal, "codes": probe.session.codes, "account status": mine}
    if 0 in mine and probe.session.codes == {"connect": 0, "subscribe": 0}:
        note = Text(
            "Granted: connected, subscribed, account in order.",
            "已开通：连接、订阅、账户状态均正常。",
        )
        return Finding(Outcome.ANSWERED, note, facts)
    note = Text("Not in order: see the codes.", "异常：见返回码。")
    return Finding(Outcome.FAILED, note, facts)


def _seen(found: Trace) -> Outcome:
    wanted = found.order_id > 0 and found.ended
    return Outcome.ANSWERED if wanted else Outcome.FAILED
