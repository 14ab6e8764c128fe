"""Money in the database: whole numbers of the smallest unit, `Decimal` in Python, exact in SQL too.

Django's own DecimalField is a binary float in SQLite; these fields are integers, so sums and comparisons are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.functional import lazy
from django.utils.translation import get_language

from trading.domain.types import Text


def _speak(en: str, zh: str) -> str:
    return Text(en, zh).in_language(get_language() or "en")


#: A label that follows the reader's language: `both("Price", "价格")`.
both: Callable[[str, str], str] = lazy(_speak, str)


#: How the pages call the values of the domain's enumerations in Chinese; a value without a word is shown as it is.
CHINESE = {
    "buy": "买入", "sell": "卖出",
    "exit": "退出", "manual": "手动", "grid": "网格", "add_on": "补仓", "strategy": "策略",
    "stop_loss": "止损", "first_take_profit": "首次止盈", "trailing_take_profit": "动态止盈",
    "pending": "待执行", "accepted": "已采纳", "denied": "已拒绝", "superseded": "已取代",
    "approved": "已批准", "submitting": "报单中", "submitted": "已报", "partially_filled": "部分成交",
    "filled": "全部成交", "cancel_requested": "撤单中", "cancelled": "已撤",
    "partially_cancelled": "部分撤单", "rejected": "废单", "unknown": "状态不明",
    "absent": "柜台无此单", "expired": "已过期",
    "open": "未结", "matched": "一致", "differs": "有差异", "explained": "已说明",
    "bind": "是这笔柜台委托", "wait": "继续等待",
    "demo": "演示", "paper": "模拟", "shadow": "影子", "live": "实盘",
    "capped": "限额实盘", "withdrawn": "已退出实盘",
    "rested": "未成交", "too_good": "偏乐观", "missed": "未排到",
    "active": "正常", "reducing": "只减仓", "halted": "停止",
    "observing": "观察中", "armed": "就绪",
    "info": "信息", "warning": "警告", "alarm": "报警",
    "main": "主板", "chinext": "创业板", "star": "科创板", "bse": "北交所",
    "stock": "股票", "fund": "基金", "convertible_bond": "可转债",
    "depositary_receipt": "存托凭证", "other": "其他",
}  # fmt: skip


class ScaledDecimalField(models.BigIntegerField):
    """A `Decimal` with `scale` decimals stored as an integer.

    `exact` (default): a value with more decimals raises ValueError, nothing is lost silently; otherwise it is
    rounded half up (averages and levels, which are no amounts of money).
    """

    # What the type checker's Django plugin reads and writes through this field.
    _pyi_private_set_type: Decimal  # type: ignore[assignment]
    _pyi_private_get_type: Decimal  # type: ignore[assignment]
    _pyi_lookup_exact_type: Decimal  # type: ignore[assignment]

    def __init__(self, *args: Any, scale: int = 4, exact: bool = True, **kwargs: Any) -> None:
        self.scale, self.exact = scale, exact
        self.unit = Decimal(1).scaleb(-scale)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        name, path, args, kwargs = super().deconstruct()
        kwargs["scale"] = self.scale
        if not self.exact:
            kwargs["exact"] = False
        return name, path, args, kwargs

    def get_internal_type(self) -> str:
        return "BigIntegerField"

    def from_db_value(
        self, value: int | None, expression: object, connection: object
    ) -> Decimal | None:
        return None if value is None else Decimal(value).scaleb(-self.scale)

    def to_python(self, value: Any) -> Decimal | None:
        if value is None or isinstance(value, Decimal):
            return value
        try:
            number = Decimal(str(value).strip())
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite():
            raise ValidationError(
                both(f"{value!r} is no number.", f"{value!r} 不是数字。"), code="invalid"
            )
        return number

    def get_prep_value(self, value: Any) -> int | None:
        if value is None:
            return None
        if hasattr(value, "resolve_expression"):
            return value  # type: ignore[no-any-return]  # an F() expression is scaled already
        number = value if isinstance(value, Decimal) else Decimal(str(value))
        scaled = number.scaleb(self.scale)
        whole = scaled.to_integral_value(ROUND_HALF_UP)
        if self.exact and whole != scaled:
            raise ValueError(f"{self.name}: {number} has more than {self.scale} decimals")
        return int(whole)

    def formfield(self, **kwargs: Any) -> Any:
        defaults = {
            "form_class": forms.DecimalField,
            "decimal_places": self.scale,
            "max_digits": 20,
        }
        return models.Field.formfield(self, **{**defaults, **kwargs})


class MoneyField(ScaledDecimalField):
    """Yuan, to 1/10000; prices as well as amounts."""


class RatioField(ScaledDecimalField):
    """A ratio (0.05 is 5 %), to 1/1000000."""

    def __init__(self, *args: Any, scale: int = 6, **kwargs: Any) -> None:
        super().__init__(*args, scale=scale, **kwargs)


class LevelField(ScaledDecimalField):
    """A computed price level, to 1/100000000; rounded half up when stored."""

    def __init__(self, *args: Any, scale: int = 8, exact: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, scale=scale, exact=exact, **kwargs)


def choices(enum: Any) -> list[tuple[str, str]]:
    """Return Django choices for a StrEnum of the domain."""
    return [
        (
            member.value,
            both(member.value.replace("_", " "), CHINESE.get(member.value, member.value)),
        )
        for member in enum
    ]


class AppendOnlyQuerySet(models.QuerySet[Any]):
    """Rows that are written once: none of the ways to change or delete many at a time works."""

    def update(self, **kwargs: Any) -> int:
        raise TypeError(f"{self.model.__name__} rows are append-only")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError(f"{self.model.__name__} rows are append-only")

    def bulk_update(self, *args: Any, **kwargs: Any) -> int:
        raise TypeError(f"{self.model.__name__} rows are append-only")

    def bulk_create(self, *args: Any, **kwargs: Any) -> list[Any]:
        if kwargs.get("update_conflicts"):
            raise TypeError(f"{self.model.__name__} rows are append-only")
        return super().bulk_create(*args, **kwargs)


class AppendOnlyManager(models.Manager[Any]):
    """Hands out query sets that only add and read."""

    def get_queryset(self) -> AppendOnlyQuerySet:
        return AppendOnlyQuerySet(self.model, using=self._db)


class AppendOnlyModel(models.Model):
    """A row that is written once: it can be neither changed nor deleted through the ORM."""

    objects = AppendOnlyManager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError(f"{type(self).__name__} rows are append-only")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError(f"{type(self).__name__} rows are append-only")
