"""What a person fills in on the path to live: ticks with reasons, caps, the account's last four digits, why."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms

from trading.domain.caps import Caps
from trading.domain.settings import SettingError
from trading.domain.stages import Check, Stage
from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import Symbol, Text
from trading.models.fields import both

_CAPS = ("max_order_value", "max_bought_a_day", "max_orders_a_day", "symbols")
_USUAL = Caps()


def _why(label: str, zh: str) -> forms.CharField:
    return forms.CharField(
        label=both(label, zh),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off", "maxlength": 200}),
    )


class CapsForm(forms.Form):
    """The caps of a live account. `caps` of a valid form."""

    max_order_value = forms.DecimalField(
        label=both("One order at most (yuan)", "单笔金额上限（元）"),
        decimal_places=2,
        initial=_USUAL.max_order_value,
    )
    max_bought_a_day = forms.DecimalField(
        label=both("Bought a day at most (yuan)", "每日买入上限（元）"),
        decimal_places=2,
        initial=_USUAL.max_bought_a_day,
    )
    max_orders_a_day = forms.IntegerField(
        label=both("Orders a day at most", "每日委托笔数上限"), initial=_USUAL.max_orders_a_day
    )
    symbols = forms.CharField(
        label=both("Only these may be bought (empty: any)", "只允许买入以下标的（留空则不限）"),
        required=False,
        max_length=1000,
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "600036 510300"}),
    )
    why = _why("Reason", "原因")

    def __init__(self, data: Any = None, caps: Caps | None = None, **more: Any) -> None:
        if caps is not None:
            more["initial"] = initial_of(caps)
        super().__init__(data, **more)

    def clean_symbols(self) -> frozenset[Symbol]:
        found = set()
        for text in re.split(r"[\s,，、;；]+", self.cleaned_data["symbols"].strip()):
            if not text:
                continue
            try:
                found.add(parse_symbol(text))
            except SymbolError as problem:
                raise forms.ValidationError(f"{text}: {problem}") from None
        return frozenset(found)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if all(name in values for name in _CAPS):
            try:
                self.caps = Caps(*(values[name] for name in _CAPS))
            except SettingError as problem:
                self.add_error(problem.field, str(both(*problem.text)))
        return values


def initial_of(caps: Caps) -> dict[str, Any]:
    """Return caps as the form begins with them."""
    return {
        "max_order_value": caps.max_order_value.quantize(Decimal("0.01")),
        "max_bought_a_day": caps.max_bought_a_day.quantize(Decimal("0.01")),
        "max_orders_a_day": caps.max_orders_a_day,
        "symbols": " ".join(sorted(caps.symbols)),
    }


class ForwardForm(CapsForm):
    """One step forward. `asked`: the checks that only the person can answer; `number`: the broker's."""

    digits = forms.CharField(
        label=both("Type the last four characters of the account", "请输入资金账号的最后四位"),
        max_length=4,
        widget=forms.TextInput(attrs={"autocomplete": "off", "maxlength": 4, "size": 6}),
    )

    def __init__(
        self, data: Any, asked: Sequence[Check], number: str, to: Stage, caps: Caps | None = None
    ) -> None:
        super().__init__(data, caps)
        self._number = number
        if to is not Stage.CAPPED:
            for name in _CAPS:
                del self.fields[name]
        self.asked = [check.code for check in asked]
        for code in self.asked:
            self.fields[f"tick_{code}"] = forms.BooleanField(required=False)
            self.fields[f"said_{code}"] = forms.CharField(
                required=False,
                max_length=200,
                label=both("How do you know?", "依据"),
                widget=forms.TextInput(attrs={"autocomplete": "off", "maxlength": 200}),
            )
        self.order_fields(["digits", "why"])

    def clean_symbols(self) -> frozenset[Symbol]:
        return super().clean_symbols() if "symbols" in self.fields else frozenset()

    def clean_digits(self) -> str:
        digits: str = self.cleaned_data["digits"].strip()
        if digits != self._number[-4:]:
            raise forms.ValidationError(
                both(
                    f"{digits} are not the last four of this account: nothing was done.",
                    f"“{digits}”不是该账号的最后四位，未执行任何操作。",
                )
            )
        return digits

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        for code in self.asked:
            if not values.get(f"tick_{code}") or not str(values.get(f"said_{code}", "")).strip():
                self.add_error(
                    f"said_{code}",
                    both(
                        "Tick it, and say how you know: nothing was done.",
                        "请勾选并写明依据，未执行任何操作。",
                    ),
                )
        return values

    @property
    def vouched(self) -> Mapping[str, str]:
        """What the person vouches for, by check; only of a valid form."""
        return {code: self.cleaned_data[f"said_{code}"].strip() for code in self.asked}


class BackForm(forms.Form):
    """A step back asks for nothing but a reason."""

    to = forms.ChoiceField(choices=[(stage.value, stage.value) for stage in Stage])
    why = _why("Reason", "原因")


def first_problem(form: forms.Form) -> Text | None:
    """Return the first thing that is wrong with a form, for whoever reads only the top of the page."""
    for errors in form.errors.values():
        return Text(str(errors[0]), str(errors[0]))
    return None
