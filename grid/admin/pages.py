"""What the pages show, in the reader's language: the preview of a session, and a session that runs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from grid.domain.preview import PreviewLine
from grid.domain.rules import parameter_names
from grid.models import GridSession
from grid.services.overview import Overview, away_words, state_words
from grid.services.preview import Preview
from grid.services.words import NO, YES, parameter_words, rehearsal_words, side_words, warnings
from trading.admin.base import plain, say
from trading.domain.types import Side, Text

Fact = tuple[str, str]


def words(**texts: Text) -> dict[str, str]:
    """Return texts in the reader's language."""
    return {name: say(text) for name, text in texts.items()}


def preview_page(found: Preview) -> dict[str, Any]:
    """Return the context of a preview."""
    draft, plan = found.draft, found.plan
    return {
        "warnings": [say(text) for text in warnings(found)],
        "facts": [
            (say(Text("Symbol", "代码")), f"{draft.instrument.symbol} {draft.instrument.name}"),
            *_parameters(draft.rules),
            (say(Text("Centre or reference (yuan)", "中心价/基准价（元）")), plain(draft.centre)),
            (
                say(Text("Last price (yuan)", "最新价（元）")),
                plain(found.quote.last) if found.quote is not None else "-",
            ),
            (
                say(Text("Held, of it base holding", "持有，其中底仓")),
                f"{draft.held} / {draft.base_quantity}",
            ),
            (
                say(Text("Worst case: yuan in lots and fees", "最坏情况：批次与费用占用（元）")),
                plain(plan.worst_case.quantize(Decimal("0.01"))),
            ),
            (
                say(Text("Rehearsal on the past", "历史演练")),
                say(rehearsal_words(found.rehearsal)),
            ),
        ],
        "lines": [_preview_line(line) for line in plan.lines],
        "words": words(
            side=Text("Side", "方向"),
            price=Text("Price", "价格"),
            quantity=Text("Shares", "股数"),
            amount=Text("Amount (yuan)", "金额（元）"),
            fees=Text("Fees (yuan)", "费用（元）"),
            invested=Text("Invested by then (yuan)", "累计投入（元）"),
            closes=Text("Sold again at", "卖出价"),
            even=Text("Break-even after fees", "保本价（含费用）"),
            profit=Text("Profit of the round (yuan)", "每轮盈利（元）"),
            confirm=Text("Start it", "确认启动"),
            back=Text("Back to the form", "返回修改"),
            lines=Text("Its lines", "档位"),
            none=Text("It has no lines with these parameters.", "以此参数没有档位。"),
        ),
    }


def _preview_line(line: PreviewLine) -> dict[str, str]:
    return {
        "side": say(side_words(line.side)),
        "price": plain(line.price),
        "quantity": f"{line.quantity:,}",
        "amount": plain(line.amount),
        "fees": plain(line.fees),
        "invested": plain(line.invested),
        "closes": plain(line.closes_at),
        "even": plain(line.break_even),
        "profit": plain(line.profit),
    }


def _parameters(rules: Any) -> list[Fact]:
    found = []
    for name in parameter_names(rules.style):
        column = GridSession._meta.get_field(name)
        found.append((str(column.verbose_name), say(parameter_words(name, getattr(rules, name)))))  # type: ignore[union-attr]
    return found


def session_page(found: Overview) -> dict[str, Any]:
    """Return the context of a session's page."""
    row, money = found.row, found.figures
    return {
        "row": row,
        "state": say(state_words(row)),
        "open": row.stopped_at is None,
        "paused": row.status == "paused",
        "active": row.status == "active",
        "now_text": [say(text) for text in found.now_text],
        "price": plain(found.last),
        "price_at": found.quote.time if found.quote is not None else None,
        "facts": _session_facts(row),
        "figures": [
            (say(Text("Realised", "已实现")), _yuan(money.realised)),
            (say(Text("Unrealised", "未实现")), _yuan(money.unrealised)),
            (say(Text("Profit, fees included", "盈亏合计（含费用）")), _yuan(money.profit)),
            (say(Text("Fees paid", "已付费用")), _yuan(money.fees)),
            (say(Text("In open lots", "未平批次占用")), _yuan(money.open_cost)),
            (say(Text("Budget left", "剩余额度")), _yuan(money.budget_left)),
            (
                say(Text("Bought / sold (shares)", "累计买入/卖出（股）")),
                f"{row.bought_quantity:,} / {row.sold_quantity:,}",
            ),
            (say(Text("Sales so far", "已完成卖出")), str(found.rounds)),
        ],
        "lines": [
            {
                "text": say(line.text),
                "price": plain(line.price.quantize(Decimal("0.0001"))),
                "quantity": "-" if line.quantity is None else f"{line.quantity:,}",
                "away": away_words(line.away),
                "is_price": line.text.en == "price now",
            }
            for line in found.lines
        ],
        "lots": [
            {
                "number": lot.number,
                "kind": say(
                    Text("sold out of the base", "底仓卖出")
                    if lot.unmatched
                    else Text("bought", "买入")
                ),
                "quantity": f"{lot.quantity:,}",
                "price": plain(lot.price.quantize(Decimal("0.0001"))),
                "cost": plain(lot.cost),
                "profit": _yuan(lot.profit),
                "on": lot.on,
            }
            for lot in found.lots
        ],
        "trades": [
            {
                "at": trade.at,
                "side": say(side_words(trade.side)),
                "quantity": f"{trade.quantity:,}",
                "price": plain(trade.price),
                "fees": plain(trade.fees),
                "realised": plain(trade.realised)
                if trade.side == Side.SELL or trade.realised
                else "-",
                "order": trade.fill.order,
            }
            for trade in found.trades
        ],
        "orders": [
            {
                "pk": order.pk,
                "at": order.approved_at,
                "name": order.client_order_id,
                "side": say(side_words(order.side)),
                "quantity": f"{order.quantity:,}",
                "price": plain(order.price),
                "filled": f"{order.filled_quantity:,}",
                "state": order.get_state_display(),
            }
            for order in found.orders
        ],
        "notes": [
            {"at": note.at, "code": note.code, "text": say(note.text)} for note in found.notes
        ],
        "words": _session_words(),
    }


def _session_facts(row: GridSession) -> list[Fact]:
    def label(name: str) -> str:
        return str(GridSession._meta.get_field(name).verbose_name)  # type: ignore[union-attr]

    switch = YES if row.exits_may_sell_base else NO
    return [
        (label("account"), row.account.name),
        (label("style"), str(row.get_style_display())),
        *(
            (label(name), say(parameter_words(name, getattr(row, name))))
            for name in parameter_names(row.style)
        ),
        (label("first_centre"), plain(row.first_centre.quantize(Decimal("0.0001")))),
        (label("base_quantity"), f"{row.base_quantity:,}"),
        (label("exits_may_sell_base"), say(switch)),
        (label("stop_policy"), str(row.get_stop_policy_display())),
        (label("revision"), str(row.revision)),
        (label("changed_why"), row.changed_why),
    ]


def _session_words() -> dict[str, str]:
    return words(
        now=Text("What it waits for", "当前状态说明"),
        figures=Text("Profit and loss (yuan)", "盈亏（元）"),
        parameters=Text("Parameters", "参数"),
        ladder=Text("Lines, highest first", "档位（由高到低）"),
        lots=Text("Open lots", "未平批次"),
        fills=Text("Fills", "成交"),
        orders=Text("Orders", "委托"),
        notes=Text("What it decided last, and why", "最近决策及原因"),
        line=Text("Line", "档位"),
        price=Text("Price", "价格"),
        away=Text("From the price now", "距现价"),
        shares=Text("Shares", "股数"),
        number=Text("Lot", "批次"),
        kind=Text("Kind", "类型"),
        cost=Text("Cost (yuan)", "成本（元）"),
        profit=Text("Profit now (yuan)", "浮动盈亏（元）"),
        day=Text("Day", "日期"),
        time=Text("Time", "时间"),
        side=Text("Side", "方向"),
        fees=Text("Fees (yuan)", "费用（元）"),
        realised=Text("Realised (yuan)", "已实现（元）"),
        order=Text("Order", "委托号"),
        state=Text("State", "状态"),
        filled=Text("Filled", "已成交"),
        code=Text("Code", "代码"),
        why=Text("Why", "原因"),
        none=Text("None.", "无。"),
        pause=Text("Pause", "暂停"),
        resume=Text("Resume", "恢复"),
        stop=Text("Stop", "停止"),
        edit=Text("Edit", "修改"),
        clone=Text("Clone", "复制"),
        history=Text("History", "变更历史"),
        started=Text("started", "开始于"),
        ends=Text("ends", "到期"),
        stopped=Text("stopped", "停止于"),
        last=Text("Price now", "现价"),
    )


def _yuan(amount: Decimal | None) -> str:
    return "-" if amount is None else f"{amount:,.2f}"
