"""The form of a manual sale: everything, a number of shares, or a percentage."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms

from trading.admin.base import ReasonForm, say
from trading.domain.types import Text
from trading.models.fields import both
from trading.services.manual import Size, part, shares

_ALL, _SHARES, _PERCENT = "all", "shares", "percent"


class SaleForm(ReasonForm):
    """How much, and why; `size` is what the service takes."""

    how = forms.ChoiceField(
        label=both("Sell", "卖出"),
        choices=[
            (_ALL, both("everything sellable", "全部可卖")),
            (_SHARES, both("a number of shares", "按股数")),
            (_PERCENT, both("a percentage of what is sellable", "按可卖数量的百分比")),
        ],
    )
    amount = forms.DecimalField(
        label=both("Shares or percent", "股数或百分比"),
        required=False,
        min_value=Decimal("0.01"),
        decimal_places=2,
        max_digits=12,
    )
    field_order = ("how", "amount", "why")

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if "how" in values and "amount" not in self.errors:
            values["size"] = self._size(values["how"], values.get("amount"))
        return values

    def _size(self, how: str, amount: Decimal | None) -> Size | None:
        if how == _ALL:
            return part(Decimal(1))
        if amount is None:
            self._refuse(Text("Say how much.", "请填写数量。"))
        elif how == _SHARES and amount != int(amount):
            self._refuse(Text("Shares are whole.", "股数必须为整数。"))
        elif how == _SHARES:
            return shares(int(amount))
        elif amount > 100:
            self._refuse(Text("At most 100 percent.", "最多 100%。"))
        else:
            return part(amount / 100)
        return None

    def _refuse(self, text: Text) -> None:
        self.add_error("amount", say(text))
