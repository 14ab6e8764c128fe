"""What a person may look for in the records: a bad value is named and not applied, every other one is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q

from monitoring.console.denial_words import gist
from monitoring.console.search_fields import choice
from trading.domain.orders import OrderState
from trading.domain.types import CHINA, AccountMode, DenialCode, SignalKind, SignalState
from trading.models import Account, Instrument
from trading.models.fields import both, choices
from trading.services.clock import environment_of, market_at, read_clocks
from trading.services.reach import Reach

#: Symbols a name may stand for; a shorter name is no name to look for.
_NAMES = 200
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
#: A choice of the orders' states that is none of OrderState: everything that has not ended.
WORKING = "working"


@dataclass(frozen=True, slots=True)
class AccountNow:
    """An account, its market time, and how many market seconds pass in a real one."""

    row: Account
    now: datetime
    speed: Decimal = Decimal(1)

    @property
    def on(self) -> date:
        return self.now.astimezone(CHINA).date()


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose records are wanted, and of which day. `day` None: of each account's today, or of `every` day."""

    accounts: Mapping[int, AccountNow]
    day: date | None
    every: bool

    @property
    def is_today(self) -> bool:
        return self.day is None and not self.every

    @property
    def current(self) -> date | None:
        """The one day that is shown, None when there is more than one."""
        days = {one.on for one in self.accounts.values()} if self.day is None else {self.day}
        return days.pop() if not self.every and len(days) == 1 else None

    def on_days(self, field: str) -> Q:
        """Select the accounts' rows by a trade date."""
        return self._rows(lambda day: Q(**{field: day}))

    def at_times(self, field: str) -> Q:
        """Select the accounts' rows by a moment within the day."""

        def within(day: date) -> Q:
            begin = datetime.combine(day, time.min, CHINA)
            return Q(**{f"{field}__gte": begin, f"{field}__lt": begin + timedelta(days=1)})

        return self._rows(within)

    def _rows(self, of_day: Any) -> Q:
        if not self.is_today:
            rows = Q(account__in=list(self.accounts))
            return rows if self.day is None else rows & of_day(self.day)
        rows = Q(pk__in=())
        for pk, one in self.accounts.items():
            rows |= Q(account=pk) & of_day(one.on)
        return rows


def read_accounts(real: datetime, reach: Reach) -> Mapping[int, AccountNow]:
    """Return the accounts that somebody sees, with their market times at a real time."""
    clocks, found = read_clocks(), {}
    for row in reach.rows(Account.objects.order_by("pk")):
        clock = clocks.get(environment_of(AccountMode(row.mode)))
        speed = Decimal(1) if clock is None else clock.speed
        found[row.pk] = AccountNow(row, market_at(clock, real), speed)
    return found


def _text(label: Any, longest: int, hint: Any) -> forms.CharField:
    field = forms.CharField(
        label=label, required=False, max_length=longest,
        widget=forms.TextInput(attrs={"placeholder": hint, "autocomplete": "off"}),
    )  # fmt: skip
    too_long = both(f"at most {longest} characters", f"最多 {longest} 个字符")
    field.error_messages["max_length"] = too_long
    field.validators[0].message = too_long  # type: ignore[attr-defined]
    return field


class RecordForm(forms.Form):
    """Day, account and symbol; the pages add their own. Always bound: an empty one asks for today."""

    day = forms.CharField(
        label=both("Day (empty: today)", "日期（空：今日）"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    account = choice(both("Account", "账户"), [], both("all", "全部"))
    symbol = _text(
        both("Symbol or name", "代码或名称"), 20, both("600036 or a name", "600036 或名称")
    )
    every = forms.BooleanField(label=both("every day", "所有日期"), required=False)

    def __init__(self, data: Mapping[str, Any], accounts: Mapping[int, AccountNow]) -> None:
        super().__init__(data)
        self._accounts = accounts
        field = self.fields["account"]
        assert isinstance(field, forms.ChoiceField)
        names = [(str(pk), one.row.name) for pk, one in accounts.items()]
        field.choices = [("", both("all", "全部")), *names]
        if len(accounts) < 2:
            field.widget = forms.HiddenInput()
        if self.errors.get("day"):
            # A date box shows nothing that is no date: what was typed must not get lost.
            self.fields["day"].widget = forms.TextInput()

    def clean_day(self) -> date | None:
        typed = str(self.cleaned_data["day"])
        if not typed:
            return None
        try:
            if _DAY.fullmatch(typed):
                return date.fromisoformat(typed)
        except ValueError:
            pass  # the 31st of February: said below
        raise ValidationError(
            both(
                f"“{typed}” is no day; write 2026-01-31.",
                f"“{typed}”不是日期，请写成 2026-01-31。",
            )
        )

    @property
    def scope(self) -> Scope:
        """Return whose records are wanted, and of when."""
        chosen = self.value("account")
        accounts = {
            pk: one for pk, one in self._accounts.items() if not chosen or str(pk) == chosen
        }
        day = self.value("day")
        return Scope(accounts, day, every=bool(self.value("every")) and day is None)

    def value(self, name: str) -> Any:
        """Return what was asked for, None when nothing (usable) was."""
        return self.cleaned_data.get(name) or None

    def symbols(self) -> Q:
        """Select rows by the beginning of the symbol or a part of the name."""
        wanted = self.value("symbol")
        if wanted is None:
            return Q()
        named = Instrument.objects.filter(name__icontains=wanted).order_by("symbol")
        named_symbols = list(named.values_list("symbol", flat=True)[:_NAMES])
        return Q(symbol__startswith=wanted.upper()) | Q(symbol__in=named_symbols)


class OrderForm(RecordForm):
    """Orders: by state besides. A chain is shown when one of its orders is in the state."""

    state = choice(
        both("State", "状态"),
        [(WORKING, both("still works", "未结束")), *choices(OrderState)],
        both("any", "全部"),
    )
    field_order = ("symbol", "state", "account", "day", "every")


class SignalForm(RecordForm):
    """Signals and denials: by state, kind, code and words besides."""

    state = choice(both("State", "状态"), choices(SignalState), both("any", "全部"))
    kind = choice(both("Kind", "类型"), choices(SignalKind), both("any", "全部"))
    code = choice(
        both("Denial code", "拒绝代码"),
        [(code, both(*(f"{code}: {said}" for said in gist(code)))) for code in DenialCode],
        both("any", "全部"),
    )
    words = _text(both("Words", "关键词"), 60, both("in the reason", "原因中包含"))
    field_order = ("symbol", "state", "kind", "code", "words", "account", "day", "every")
