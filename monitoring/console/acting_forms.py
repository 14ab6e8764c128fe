"""What people write when they act. A value that cannot be used is named with its field and what to write instead."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError

from grid.models.sessions import StopPolicy
from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import Symbol, Text
from trading.models.fields import both
from trading.services.manual import BuySize, Size, for_amount, part, shares, so_many

ALL, SHARES, PERCENT, AMOUNT = "all", "shares", "percent", "amount"
#: At most ten digits before the point: more is a slip of the hand.
_NUMBER = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,4})?")


def number_of(written: str) -> Decimal | None:
    """Return the number above 0 somebody wrote (`1,000`, full-width digits too), None when it is none."""
    plain = unicodedata.normalize("NFKC", written).strip().replace(",", "").replace("，", "")
    if not _NUMBER.fullmatch(plain):
        return None
    return Decimal(plain) or None


def _percent(label: Any) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        max_length=20,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )


class ActForm(forms.Form):
    """Every act says why."""

    why = forms.CharField(
        label=both("Reason", "原因"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={
            "required": both("Reason: write in a few words why.", "原因：请用几个字说明为什么。"),
            "max_length": both("Reason: at most 200 characters.", "原因：最多 200 个字符。"),
        },
    )
    #: Fields whose change shows the confirmation anew.
    shows_anew: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.shows_anew:
            self.fields[name].widget.attrs["data-again"] = "1"

    def usable(self) -> dict[str, Any]:
        """Return the answers that can be used, whatever the others are."""
        self.is_valid()
        return dict(self.cleaned_data)

    def refuse(self, field: str | None, text: Text) -> None:
        """Name what is wrong, at its field where there is one."""
        self.add_error(field if field in self.fields else None, ValidationError(both(*text)))


class QuantityForm(ActForm):
    """How much: `size` is what the service takes, None while it cannot be told."""

    shows_anew: ClassVar[tuple[str, ...]] = ("how", "amount")
    how = forms.ChoiceField()
    amount = forms.CharField(
        required=False,
        max_length=40,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        error_messages={"max_length": both("At most 40 characters.", "最多 40 个字符。")},
    )
    field_order: Any = ("how", "amount", "why")

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        values["size"] = None
        if "how" in values and "amount" in values:
            values["size"] = self._size(values["how"], values["amount"].strip())
        return values

    def _size(self, how: str, written: str) -> Any:
        raise NotImplementedError

    def _number(self, written: str, label: Text, example: str) -> Decimal | None:
        found = number_of(written)
        if found is None:
            shown = written[:20] or "…"
            self.refuse(
                "amount",
                Text(
                    f"{label.en}: “{shown}” is no number above 0; write one such as {example}.",
                    f"{label.zh}：“{shown}”不是大于 0 的数字，请填写例如 {example}。",
                ),
            )
        return found

    def _whole(self, written: str, example: str) -> int | None:
        found = self._number(written, Text("Shares", "股数"), example)
        if found is None:
            return None
        if found != int(found):
            self.refuse(
                "amount",
                Text(
                    f"Shares: {written} is not whole; write one such as {example}.",
                    f"股数：{written} 不是整数，请填写例如 {example}。",
                ),
            )
            return None
        return int(found)


class SaleForm(QuantityForm):
    """Everything, a percentage, or so many shares."""

    how = forms.ChoiceField(
        label=both("Sell", "卖出"),
        choices=[
            (ALL, both("everything sellable", "全部可卖")),
            (PERCENT, both("a percentage of what is sellable", "按可卖数量的百分比")),
            (SHARES, both("so many shares", "按股数")),
        ],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amount"].label = both("Percent or shares", "百分比或股数")

    def _size(self, how: str, written: str) -> Size | None:
        if how == ALL:
            return part(Decimal(1))
        if how == SHARES:
            whole = self._whole(written, "100")
            return None if whole is None else shares(whole)
        percent = self._number(written, Text("Percent", "百分比"), "50")
        if percent is not None and percent > 100:
            self.refuse(
                "amount",
                Text(
                    f"Percent: {written} is more than everything; write at most 100.",
                    f"百分比：{written} 超过全部，最多填写 100。",
                ),
            )
            return None
        return None if percent is None else part(percent / 100)


class BuyForm(QuantityForm):
    """For so much money, or so many shares; never above a price, if one is written."""

    shows_anew: ClassVar[tuple[str, ...]] = ("how", "amount", "highest")
    symbol = forms.CharField(max_length=20, widget=forms.HiddenInput)
    how = forms.ChoiceField(
        label=both("Buy", "买入"),
        choices=[
            (AMOUNT, both("for at most so many yuan", "按金额（元，不超过）")),
            (SHARES, both("so many shares", "按股数")),
        ],
    )
    highest = forms.CharField(
        label=both("Never above (yuan a share, empty: no bound)", "买入价上限（元，可留空）"),
        required=False,
        max_length=20,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    field_order: Any = ("symbol", "how", "amount", "highest", "why")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amount"].label = both("Yuan or shares", "金额或股数")

    def clean_symbol(self) -> Symbol:
        return symbol_of(self.cleaned_data["symbol"])

    def clean_highest(self) -> Decimal | None:
        written = self.cleaned_data["highest"].strip()
        found = number_of(written) if written else None
        if written and found is None:
            raise ValidationError(
                both(
                    f"Never above: “{written}” is no price; write one such as 12.50, or nothing.",
                    f"买入价上限：“{written}”不是价格，请填写例如 12.50，或留空。",
                )
            )
        return found

    def _size(self, how: str, written: str) -> BuySize | None:
        if how == SHARES:
            whole = self._whole(written, "100")
            return None if whole is None else so_many(whole)
        yuan = self._number(written, Text("Amount", "金额"), "20000")
        return None if yuan is None else for_amount(yuan)


class ThresholdForm(ActForm):
    """A holding's own thresholds in percent of its cost; nothing written: the account's."""

    shows_anew: ClassVar[tuple[str, ...]] = ("stop_loss_ratio", "first_take_profit_ratio")
    stop_loss_ratio = _percent(
        both(
            "Stop-loss: % below the cost (empty: the account's)",
            "止损：低于成本的百分比（留空：同账户）",
        )
    )
    first_take_profit_ratio = _percent(
        both(
            "First take-profit: % above the cost (empty: the account's)",
            "首次止盈：高于成本的百分比（留空：同账户）",
        )
    )
    field_order: Any = ("stop_loss_ratio", "first_take_profit_ratio", "why")

    def clean_stop_loss_ratio(self) -> Decimal | None:
        ratio = self._ratio("stop_loss_ratio", Text("Stop-loss", "止损"), Decimal(20))
        return None if ratio is None else -ratio

    def clean_first_take_profit_ratio(self) -> Decimal | None:
        return self._ratio(
            "first_take_profit_ratio", Text("First take-profit", "首次止盈"), Decimal(20)
        )

    def _ratio(self, name: str, label: Text, most: Decimal) -> Decimal | None:
        written = self.cleaned_data[name].strip()
        if not written:
            return None
        found = number_of(written.removeprefix("-").removesuffix("%"))
        if found is None or not 1 <= found <= most:
            raise ValidationError(
                both(
                    f"{label.en}: “{written}” is no percentage from 1 to {most}; write one such as 5, or nothing.",
                    f"{label.zh}：“{written}”不是 1 至 {most} 之间的百分比，请填写例如 5，或留空。",
                )
            )
        return found / 100


class StopForm(ActForm):
    """What becomes of the shares a grid session bought."""

    policy = forms.ChoiceField(
        label=both("Its shares", "其持仓"), choices=StopPolicy.choices, initial=StopPolicy.KEEP
    )
    field_order = ("policy", "why")


class WatchForm(ActForm):
    """Which symbol, and a note; a list of wishes needs no reason."""

    symbol = forms.CharField(
        label=both("Symbol", "代码"),
        max_length=20,
        error_messages={
            "required": both("Symbol: write one such as 600036.", "代码：请填写例如 600036。"),
            "max_length": both("Symbol: at most 20 characters.", "代码：最多 20 个字符。"),
        },
    )
    note = forms.CharField(
        label=both("Note", "备注"),
        required=False,
        max_length=100,
        error_messages={
            "max_length": both("Note: at most 100 characters.", "备注：最多 100 个字符。")
        },
    )
    why = None  # type: ignore[assignment]

    def clean_symbol(self) -> Symbol:
        return symbol_of(self.cleaned_data["symbol"])


class NoReasonForm(ActForm):
    """Nothing is asked."""

    why = None  # type: ignore[assignment]


def symbol_of(written: str) -> Symbol:
    """Return the symbol somebody wrote. Raises ValidationError, in both languages."""
    try:
        return parse_symbol(written)
    except SymbolError as problem:
        en, zh = problem.text
        raise ValidationError(both(f"Symbol: {en}.", f"代码：{zh}。")) from problem
