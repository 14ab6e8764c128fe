"""Selling from a holding, and buying a symbol."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from django.urls import reverse

from monitoring.console.acting import (
    Action,
    Confirmation,
    Fact,
    Gone,
    Moment,
    Outcome,
    account_facts,
    account_row,
    open_holding,
    said,
)
from monitoring.console.acting_forms import ALL, AMOUNT, BuyForm, SaleForm
from monitoring.console.order_words import (
    objections_of,
    order_facts,
    passes_of,
    shares_of_limits,
)
from trading.domain.instruments import Settlement
from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import Side, SignalKind, Symbol, Text
from trading.models import Account, Position, Signal
from trading.services import manual
from trading.services.corrections import CorrectionError
from trading.services.manual_preview import Preview, preview, view_of
from trading.services.view import TickView

#: A price that moved further since it was shown is shown again before anything is asked for.
DRIFT = Decimal("0.01")
_T1 = Text(
    "What is bought today can be sold on the next trading day at the earliest (T+1): no stop-loss sells it before.",
    "今日买入的股份最早下一交易日才可卖出（T+1）：在此之前止损也无法卖出。",
)
_HOW_MUCH = Text("Say how much.", "请填写数量。")


class _Trade(Action):
    """An order a person wishes: what is shown is its quantity and the price of the moment."""

    def is_other(self, shown: str, now: Confirmation) -> bool:
        try:
            (quantity, last), (quantity_now, last_now) = shown.split("@"), now.shown.split("@")
            moved = abs(Decimal(last_now) - Decimal(last)) > Decimal(last) * DRIFT
        except (ValueError, InvalidOperation):
            return True
        return quantity != quantity_now or moved

    def _confirmed(self, order: Preview, title: Text, button: Text, **more: Any) -> Confirmation:
        denial = order.denial
        if denial is not None:
            button = Text(f"{button.en} — would be denied now", f"{button.zh}——目前会被拒绝")
        elif order.failing:
            button = Text(f"{button.en} — would wait now", f"{button.zh}——目前会等待")
        return Confirmation(
            title=title,
            account=order.account,
            facts=(*account_facts(order.account), *order_facts(order, order.instrument.name)),
            button=button,
            shares=tuple(shares_of_limits(order)),
            objections=tuple(objections_of(order)),
            passes=tuple(passes_of(order)),
            shown=f"{order.quantity}@{order.last or 0}",
            is_grave=denial is not None,
            **more,
        )

    def _asked_for(self, account: Account, symbol: str, words: Text) -> Outcome:
        """Return the answer with its signal: one manual signal of a symbol is pending at a time."""
        wished = Signal.objects.filter(account=account, symbol=symbol, kind=SignalKind.MANUAL)
        newest = wished.order_by("-pk").first()
        return Outcome(words, {} if newest is None else {"signal": newest.pk})


class Sell(_Trade):
    """Sell from an open holding: all, a part, or so many shares."""

    name, form, takes_factor = "sell", SaleForm, True

    def find(self, pk: int) -> Position:
        return open_holding(pk)

    def initial(self, subject: Position, asked: Mapping[str, Any], at: Moment) -> dict[str, Any]:
        return {"how": asked.get("how", ALL), "amount": asked.get("amount", "")}

    def confirm(self, subject: Position, answers: Mapping[str, Any], at: Moment) -> Confirmation:
        view = view_of(subject.account_id, Symbol(subject.symbol), at.now, at.quotes, at.calendar)
        row = view.rows.get(Symbol(subject.symbol))
        if row is None or row.pk != subject.pk:
            raise Gone(Text("This holding is sold already.", "该持仓已清空。"))
        name = view.instrument(Symbol(subject.symbol)).name or subject.symbol
        title, size = Text(f"Sell {name}", f"卖出 {name}"), answers.get("size")
        if size is None:
            return _not_now(title, view, subject.symbol, _HOW_MUCH)
        try:
            manual.nothing_at_work(view, Symbol(subject.symbol))
            quantity = manual.sale_quantity(view, row, size)
        except CorrectionError as problem:
            return _not_now(title, view, subject.symbol, problem.text)
        order = preview(view, Symbol(subject.symbol), Side.SELL, quantity)
        button = Text(f"Ask to sell {quantity:,} shares", f"请求卖出 {quantity:,} 股")
        here = reverse("act", args=(self.name, subject.pk))
        parts = [
            (Text(f"{part} %", f"{part}%"), f"{here}?how=percent&amount={part}")
            for part in (25, 50, 75)
        ]
        everything = (Text("everything", "全部"), f"{here}?how=all")
        return self._confirmed(order, title, button, links=(*parts, everything))

    def act(self, subject: Position, answers: Mapping[str, Any], at: Moment) -> Outcome:
        words = manual.sell(
            subject.pk,
            answers["size"],
            answers["why"],
            at.now,
            at.actor,
            quotes=at.quotes,
            calendar=at.calendar,
        )
        return self._asked_for(subject.account, subject.symbol, words)


class Buy(_Trade):
    """Buy a symbol, held or not, by amount or by shares."""

    name, form, takes_factor = "buy", BuyForm, True

    def find(self, pk: int) -> Account:
        return account_row(pk)

    def account_of(self, subject: Account) -> Account:
        return subject

    def initial(self, subject: Account, asked: Mapping[str, Any], at: Moment) -> dict[str, Any]:
        try:
            symbol = parse_symbol(str(asked.get("symbol", "")))
        except SymbolError as problem:
            raise Gone(
                Text(
                    f"Choose what to buy: {problem.text.en}.",
                    f"请选择买入标的：{problem.text.zh}。",
                )
            ) from problem
        view = view_of(subject.pk, symbol, at.now, at.quotes, at.calendar)
        usual = f"{view.settings.buy_amount:f}"
        return {
            "symbol": symbol,
            "how": asked.get("how", AMOUNT),
            "amount": asked.get(
                "amount", usual.rstrip("0").rstrip(".") if "." in usual else usual
            ),
        }

    def confirm(self, subject: Account, answers: Mapping[str, Any], at: Moment) -> Confirmation:
        symbol = answers.get("symbol")
        if symbol is None:
            raise Gone(Text("No symbol is named.", "未指明标的。"))
        view = view_of(subject.pk, symbol, at.now, at.quotes, at.calendar)
        name = view.instrument(symbol).name or symbol
        title = Text(f"Buy {name}", f"买入 {name}")
        size, highest = answers.get("size"), answers.get("highest")
        if size is None:
            return _not_now(title, view, symbol, _HOW_MUCH)
        try:
            manual.nothing_at_work(view, symbol)
            quantity = manual.buy_quantity(view, symbol, size, highest)
        except CorrectionError as problem:
            return _not_now(title, view, symbol, problem.text, self._remedies(view, symbol))
        order = preview(view, symbol, Side.BUY, quantity, highest)
        button = Text(f"Ask to buy {quantity:,} shares", f"请求买入 {quantity:,} 股")
        t1 = order.instrument.settlement is Settlement.T1
        return self._confirmed(order, title, button, warnings=(_T1,) if t1 else ())

    def _remedies(self, view: TickView, symbol: Symbol) -> tuple[tuple[Text, str], ...]:
        """Offer to watch a symbol nobody has a price of: its quotes are then fetched."""
        if view.latest(symbol) is not None:
            return ()
        watch = f"{reverse('act', args=('watch', view.account_id))}?symbol={symbol}"
        words = Text(
            "Watch it: its quotes are then fetched within seconds",
            "加入自选：系统将在数秒内获取其行情",
        )
        return ((words, watch),)

    def act(self, subject: Account, answers: Mapping[str, Any], at: Moment) -> Outcome:
        words = manual.buy(
            subject.pk,
            answers["symbol"],
            answers["size"],
            answers["why"],
            at.now,
            at.actor,
            quotes=at.quotes,
            calendar=at.calendar,
            highest=answers.get("highest"),
        )
        return self._asked_for(subject, answers["symbol"], words)


def _not_now(
    title: Text,
    view: TickView,
    symbol: str,
    problem: Text,
    links: tuple[tuple[Text, str], ...] = (),
) -> Confirmation:
    """Say what is known where there is no order to show, and why."""
    name = view.instrument(Symbol(symbol)).name
    return Confirmation(
        title=title,
        account=view.account,
        facts=(
            *account_facts(view.account),
            Fact(Text("Symbol", "标的"), said(f"{name} {symbol}".strip())),
        ),
        button=Text("Look again", "重新计算"),
        problem=problem,
        links=links,
    )
