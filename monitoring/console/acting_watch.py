"""The watch list, and finding a symbol by its code or a part of its name."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from monitoring.console.acting import (
    Action,
    Confirmation,
    Fact,
    Gone,
    Moment,
    Outcome,
    account_facts,
    account_row,
    said,
)
from monitoring.console.acting_forms import NoReasonForm, WatchForm
from trading.domain.stock_pool import Entry
from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import Symbol, Text
from trading.models import Account, Instrument, WatchedSymbol
from trading.selectors import instruments_of
from trading.services import watch_list

#: More are no answer: write more of the name.
FOUND = 20


@dataclass(frozen=True, slots=True)
class Found:
    """One symbol that fits what was written."""

    symbol: Symbol
    name: str


def find_symbols(account_id: int, written: str) -> tuple[Sequence[Found], bool]:
    """Return what the words may mean, and whether there was more: a symbol, the beginning of a code, a part of a name.

    Names are those of the instruments and the notes of the watch list.
    """
    words = unicodedata.normalize("NFKC", written).strip()
    if not words:
        return (), False
    found: dict[Symbol, None] = {}
    with suppress(SymbolError):  # part of a code or a name
        found[parse_symbol(words)] = None
    watched = WatchedSymbol.objects.filter(account_id=account_id)
    instruments = Instrument.objects.order_by("symbol")
    for rows in (
        watched.filter(symbol__startswith=words.upper()),
        watched.filter(note__icontains=words),
        instruments.filter(symbol__startswith=words.upper()),
        instruments.filter(name__icontains=words),
    ):
        found |= dict.fromkeys(map(Symbol, rows.values_list("symbol", flat=True)[: FOUND + 1]))
    names = instruments_of(found)
    listed = [Found(symbol, names[symbol].name) for symbol in found]
    return listed[:FOUND], len(listed) > FOUND


class Watch(Action):
    """Put a symbol on the account's watch list: its quotes are fetched, nothing is decided about it."""

    name, form = "watch", WatchForm

    def find(self, pk: int) -> Account:
        return account_row(pk)

    def account_of(self, subject: Account) -> Account:
        return subject

    def initial(self, subject: Account, asked: Mapping[str, Any], at: Moment) -> dict[str, Any]:
        return {"symbol": asked.get("symbol", "")}

    def confirm(self, subject: Account, answers: Mapping[str, Any], at: Moment) -> Confirmation:
        symbol = answers.get("symbol")
        facts = (*account_facts(subject),)
        if symbol is not None:
            name = instruments_of([symbol])[symbol].name
            facts = (*facts, Fact(Text("Symbol", "标的"), said(f"{name} {symbol}".strip())))
        return Confirmation(
            title=Text("Add to the watch list", "加入自选"),
            account=subject,
            facts=facts,
            button=Text("Watch it", "加入自选"),
            warnings=(
                Text(
                    "Its quotes are fetched from now on; nothing is bought or sold because of it.",
                    "此后会获取其行情；不会因此买卖。",
                ),
            ),
        )

    def act(self, subject: Account, answers: Mapping[str, Any], at: Moment) -> Outcome:
        symbol = answers["symbol"]
        entry = Entry(symbol, answers.get("note", ""))
        done = watch_list.watch(subject.pk, [entry], at.now, at.actor)
        if not done.added:
            return Outcome(
                Text(
                    f"{symbol} is on the watch list already; a new note replaced the old one.",
                    f"{symbol} 已在自选列表中；如填写了新备注则已更新。",
                )
            )
        return Outcome(
            Text(
                f"{symbol} is on the watch list; its first quote comes within seconds while the market is open.",
                f"{symbol} 已加入自选；开市时数秒内可见行情。",
            )
        )


class Unwatch(Action):
    """Take a symbol off the list."""

    name, form = "unwatch", NoReasonForm

    def find(self, pk: int) -> WatchedSymbol:
        row = WatchedSymbol.objects.select_related("account").filter(pk=pk).first()
        if row is None:
            raise Gone(Text("It is not on the watch list (any more).", "自选列表中已没有该标的。"))
        return row

    def confirm(
        self, subject: WatchedSymbol, answers: Mapping[str, Any], at: Moment
    ) -> Confirmation:
        symbol = Symbol(subject.symbol)
        return Confirmation(
            title=Text("Take off the watch list", "移出自选"),
            account=subject.account,
            facts=(
                *account_facts(subject.account),
                Fact(
                    Text("Symbol", "标的"),
                    said(f"{instruments_of([symbol])[symbol].name} {symbol}".strip()),
                ),
                Fact(Text("Note", "备注"), said(subject.note or "—")),
            ),
            button=Text("Take it off the list", "移出自选"),
            warnings=(
                Text(
                    "A holding, an order or a grid of this symbol is not touched.",
                    "该标的的持仓、委托和网格不受影响。",
                ),
            ),
        )

    def act(self, subject: WatchedSymbol, answers: Mapping[str, Any], at: Moment) -> Outcome:
        symbol = Symbol(subject.symbol)
        watch_list.unwatch(subject.account_id, [symbol], at.now, at.actor)
        return Outcome(Text(f"{symbol} is off the watch list.", f"{symbol} 已移出自选列表。"))
