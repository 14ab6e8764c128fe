"""Thresholds of one holding: its own stop-loss and first take-profit instead of the account's."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from monitoring.console.acting import (
    Action,
    Confirmation,
    Fact,
    Gone,
    Moment,
    Objection,
    Outcome,
    account_facts,
    open_holding,
    said,
)
from monitoring.console.acting_forms import ThresholdForm
from trading.domain import wording
from trading.domain.exits import ExitRules, stop_price
from trading.domain.types import Symbol, Text
from trading.models import Position
from trading.selectors import position_value_of
from trading.services.corrections import CorrectionError
from trading.services.manual_preview import view_of
from trading.services.own_thresholds import own_rules, set_own_thresholds

_UNUSABLE = Text("One of the thresholds cannot be used.", "有阈值不可用。")


class Thresholds(Action):
    """Give a holding its own thresholds, or the account's again."""

    name, form, takes_factor = "thresholds", ThresholdForm, True

    def find(self, pk: int) -> Position:
        return open_holding(pk)

    def initial(self, subject: Position, asked: Mapping[str, Any], at: Moment) -> dict[str, Any]:
        stop, first = subject.stop_loss_ratio, subject.first_take_profit_ratio
        now = {
            "stop_loss_ratio": "" if stop is None else wording.percent(-stop).rstrip("%"),
            "first_take_profit_ratio": "" if first is None else wording.percent(first).rstrip("%"),
        }
        return {name: asked.get(name, shown) for name, shown in now.items()}

    def confirm(self, subject: Position, answers: Mapping[str, Any], at: Moment) -> Confirmation:
        symbol = Symbol(subject.symbol)
        view = view_of(subject.account_id, symbol, at.now, at.quotes, at.calendar)
        row = view.rows.get(symbol)
        if row is None or row.pk != subject.pk:
            raise Gone(Text("This holding is sold already.", "该持仓已清空。"))
        problem, rules = None, None
        try:
            stop, first = answers["stop_loss_ratio"], answers["first_take_profit_ratio"]
            rules = own_rules(subject.account_id, stop, first)
        except KeyError:
            problem = _UNUSABLE
        except CorrectionError as refused:
            problem = refused.text
        quote, value = view.latest(symbol), position_value_of(row)
        last = quote.last if quote is not None and quote.last > 0 else None
        before = view.rules_of(row)
        level = None if rules is None else stop_price(value, rules)
        sells = level is not None and last is not None and last <= level
        cost = value.cost_for_decision
        return Confirmation(
            title=Text("Own thresholds of a holding", "持仓的单独阈值"),
            account=subject.account,
            facts=(
                *account_facts(subject.account),
                Fact(
                    Text("Symbol", "标的"),
                    said(f"{view.instrument(symbol).name} {symbol}".strip()),
                ),
                Fact(Text("Held", "持有"), said(f"{row.quantity:,}")),
                Fact(Text("Cost", "成本"), said(_price(cost))),
                Fact(Text("Last price", "最新价"), said(_price(last))),
                Fact(Text("Now", "现为"), _words(before, cost)),
                *(
                    ()
                    if rules is None
                    else (Fact(Text("Afterwards", "之后"), _words(rules, cost)),)
                ),
            ),
            button=Text("Set these thresholds", "设置阈值"),
            warnings=(
                Text(
                    "They count from the next tick on, for this life of the holding only. Empty: the account's.",
                    "从下一次检查起生效，仅限该持仓周期；留空则使用账户的设置。",
                ),
            ),
            objections=(
                Objection(
                    Text(
                        f"The price is at or below the new stop-loss {_price(level)}: the next tick sells everything"
                        " sellable.",
                        f"现价已不高于新的止损价 {_price(level)}：下一次检查将卖出全部可卖数量。",
                    ),
                    waits=False,
                    label=Text("would sell at once", "会立即卖出"),
                ),
            )
            if sells
            else (),
            problem=problem,
            shown=f"{level} {None if rules is None else rules.first_take_profit_ratio} {sells}",
            is_grave=sells,
        )

    def act(self, subject: Position, answers: Mapping[str, Any], at: Moment) -> Outcome:
        rows = {"holding": subject.pk}
        if not set_own_thresholds(
            subject.pk,
            answers["stop_loss_ratio"],
            answers["first_take_profit_ratio"],
            answers["why"],
            at.now,
            at.actor,
        ):
            return Outcome(
                Text("It was so already; nothing changed.", "状态原本如此，未做更改。"), rows
            )
        return Outcome(
            Text(
                f"The thresholds of {subject.symbol} are set: the next tick, within 5 s, decides by them.",
                f"{subject.symbol} 的阈值已设置：下一次检查（5 秒内）起生效。",
            ),
            rows,
        )


def _words(rules: ExitRules, cost: Decimal | None) -> Text:
    """Say both thresholds with the prices they stand for."""
    stop, first = rules.stop_loss_ratio, rules.first_take_profit_ratio
    at_stop, at_first = _of(cost, stop), _of(cost, first)
    return Text(
        f"stop-loss {wording.percent(stop)} ({at_stop}), first take-profit {wording.percent(first)} ({at_first})",
        f"止损 {wording.percent(stop)}（{at_stop}），首次止盈 {wording.percent(first)}（{at_first}）",
    )


def _of(cost: Decimal | None, ratio: Decimal) -> str:
    return _price(None if cost is None else cost * (1 + ratio))


def _price(price: Decimal | None) -> str:
    return "—" if price is None else wording.yuan(price)
