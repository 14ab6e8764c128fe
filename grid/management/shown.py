"""What `manage.py grid` prints: lists, a preview, a session."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from grid.domain.rules import parameter_names
from grid.domain.templates import TEMPLATES
from grid.management.tables import Output
from grid.models import GridSession
from grid.selectors import templates
from grid.services.overview import Overview, away_words, state_words
from grid.services.parameter_help import style_words
from grid.services.preview import Preview
from grid.services.words import parameter_words, plain, rehearsal_words, side_words, warnings
from trading.domain.types import CHINA, Text

_TIME = "%Y-%m-%d %H:%M:%S"
_SIDE, _PRICE, _SHARES = Text("side", "方向"), Text("price", "价格"), Text("shares", "股数")
_FEES, _AT, _DAY = Text("fees", "费用"), Text("time", "时间"), Text("day", "日期")
_FINE = Decimal("0.0001")


def show_list(out: Output, rows: Iterable[GridSession]) -> None:
    """Print sessions, one a line."""
    heads = [
        Text("id", "编号"), Text("account", "账户"), Text("symbol", "代码"), Text("style", "风格"), Text("state", "状态"),
        Text("budget", "额度"), Text("realised", "已实现"), Text("fees", "费用"), Text("started", "开始时间"),
    ]  # fmt: skip
    out.table(
        heads,
        (
            [
                row.pk,
                row.account.name,
                row.symbol,
                out.word(style_words(row.style)),
                out.word(state_words(row)),
                _yuan(row.max_investment),
                _yuan(row.realised),
                _yuan(row.fees),
                f"{row.started_at.astimezone(CHINA):{_TIME}}",
            ]
            for row in rows
        ),
    )


def show_preview(out: Output, found: Preview) -> None:
    """Print what a session would be and do."""
    draft = found.draft
    out.facts(
        [
            (out.word(Text("symbol", "代码")), f"{draft.instrument.symbol} {draft.instrument.name}".strip()),
            (out.word(Text("style", "风格")), out.word(style_words(draft.rules.style))),
            *_parameters(out, draft.rules.style, draft.rules),
            (out.word(Text("centre or reference", "中心价/基准价")), plain(draft.centre)),
            (out.word(Text("held, of it base holding", "持有，其中底仓")), f"{draft.held} / {draft.base_quantity}"),
            (out.word(Text("worst case (yuan)", "最坏情况（元）")), _yuan(found.plan.worst_case)),
            (out.word(Text("rehearsal on the past", "历史演练")), out.word(rehearsal_words(found.rehearsal))),
        ]
    )  # fmt: skip
    heads = [
        _SIDE, _PRICE, _SHARES, Text("amount", "金额"), _FEES, Text("invested", "累计投入"),
        Text("sold again at", "卖出价"), Text("break-even", "保本价"), Text("profit", "盈利"),
    ]  # fmt: skip
    out.table(
        heads,
        (
            [
                out.word(side_words(line.side)), plain(line.price), line.quantity, plain(line.amount), plain(line.fees),
                plain(line.invested), plain(line.closes_at), plain(line.break_even), plain(line.profit),
            ]
            for line in found.plan.lines
        ),
    )  # fmt: skip
    for text in warnings(found):
        out.say(text)


def show_session(out: Output, found: Overview) -> None:
    """Print everything there is to say of a session."""
    row, money = found.row, found.figures
    title = f"{row.pk}  {row.symbol}  {row.account.name}"
    out.say(Text(f"{title}  {state_words(row).en}", f"{title}  {state_words(row).zh}"))
    for text in found.now_text:
        out.say(Text(f"  - {text.en}", f"  - {text.zh}"))
    out.facts(
        [
            (out.word(Text("price now", "现价")), str(plain(found.last) or "-")),
            (out.word(Text("realised / unrealised / fees", "已实现/未实现/费用")), f"{_yuan(money.realised)} / {_yuan(money.unrealised)} / {_yuan(money.fees)}"),
            (out.word(Text("in open lots / budget left", "批次占用/剩余额度")), f"{_yuan(money.open_cost)} / {_yuan(money.budget_left)}"),
            (out.word(Text("bought / sold / sales", "买入/卖出/卖出次数")), f"{row.bought_quantity} / {row.sold_quantity} / {found.rounds}"),
            *_parameters(out, row.style, row),
            (out.word(Text("base holding", "底仓")), str(row.base_quantity)),
            (out.word(Text("revision", "版本")), f"{row.revision}: {row.changed_why}"),
        ]
    )  # fmt: skip
    _title(out, Text("Lines", "档位"))
    out.table(
        [Text("line", "档位"), _PRICE, _SHARES, Text("from the price", "距现价")],
        (
            [out.word(one.text), plain(one.price.quantize(_FINE)), one.quantity, away_words(one.away)]
            for one in found.lines
        ),
    )  # fmt: skip
    _title(out, Text("Open lots", "未平批次"))
    out.table(
        [Text("lot", "批次"), _SHARES, _PRICE, Text("cost", "成本"), Text("profit", "盈亏"), _DAY],
        (
            [one.number, -one.quantity if one.unmatched else one.quantity, plain(one.price.quantize(_FINE)), _yuan(one.cost), _yuan(one.profit), one.on]
            for one in found.lots
        ),
    )  # fmt: skip
    _title(out, Text("Fills", "成交"))
    out.table(
        [_AT, _SIDE, _SHARES, _PRICE, _FEES, Text("realised", "已实现"), Text("order", "委托号")],
        (
            [_clock(one.at), out.word(side_words(one.side)), one.quantity, plain(one.price), plain(one.fees), plain(one.realised), one.fill.order]
            for one in found.trades
        ),
    )  # fmt: skip
    _title(out, Text("What it decided last", "最近决策"))
    out.table(
        [_AT, Text("code", "代码"), Text("why", "原因")],
        ([_clock(one.at), one.code, out.word(one.text)] for one in found.notes),
    )


def show_templates(out: Output) -> None:
    """Print all templates, the built-in ones first."""
    built_in = Text("built-in", "内置")
    own = Text("own", "自建")
    out.table(
        [Text("name", "名称"), Text("kind", "类别"), Text("style", "风格"), Text("parameters", "参数")],
        (
            [
                name,
                out.word(built_in if name in TEMPLATES else own),
                out.word(style_words(one.style)),
                ", ".join(f"{key}={plain(value)}" for key, value in one.values.items()),
            ]
            for name, one in templates().items()
        ),
    )  # fmt: skip


def _parameters(out: Output, style: str, holder: Any) -> list[tuple[str, str]]:
    names = parameter_names(style)
    return [(name, out.word(parameter_words(name, getattr(holder, name)))) for name in names]


def _title(out: Output, text: Text) -> None:
    out.say(Text(f"\n{text.en}", f"\n{text.zh}"))


def _clock(at: Any) -> str:
    return f"{at.astimezone(CHINA):{_TIME}}"


def _yuan(amount: Decimal | None) -> str:
    return "-" if amount is None else f"{amount:,.2f}"
