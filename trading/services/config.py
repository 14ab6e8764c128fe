"""Configuration: a row becomes validated rules; a change is whole or nothing, versioned, with who and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DataError, connection, models, transaction
from django.utils import translation

from trading.domain.exits import ExitRules
from trading.domain.risk import RiskLimits
from trading.domain.settings import SettingError, in_range
from trading.domain.signals import SignalRules
from trading.domain.timeouts import OrderRules
from trading.domain.types import Text
from trading.errors import ConfigError
from trading.models import TradingConfig

#: Not settings: who changed what is recorded with them.
_NOT_SETTINGS = {"account", "revision", "changed_why"}
#: Settings that no rules object of the domain checks under their own name.
_OWN_RANGES = (
    ("buy_amount", Decimal(1000), Decimal(10_000_000)),
    ("signal_max_age", 10, 600),
    ("grid_signal_max_age", 10, 600),
    ("signal_max_drift", Decimal("0.001"), Decimal("0.1")),
)
#: What a column raises that a hand wrote past the validation, or that cannot be written.
_UNREADABLE = (ValueError, TypeError, ArithmeticError)
_TRUE, _FALSE = {"true", "on", "yes", "1"}, {"false", "off", "no", "0"}


class Refused(ConfigError):
    """A setting or a change that cannot be used, in both languages; `str()` is English."""

    def __init__(self, en: str, zh: str) -> None:
        self.text = Text(en, zh)
        super().__init__(en)


@dataclass(frozen=True, slots=True)
class Settings:
    """One revision, validated. `problem`: why the row is not it: this is the last valid one, only stop-losses act."""

    revision: int
    exits: ExitRules
    signals: SignalRules
    orders: OrderRules
    risk: RiskLimits
    buy_amount: Decimal
    grid_enabled: bool
    pause_grid_after_full_exit: bool
    allow_mootdx_trading: bool
    problem: Text | None = None

    @property
    def valid(self) -> bool:
        """Whether the row itself can be used."""
        return self.problem is None


def setting_names() -> tuple[str, ...]:
    """Return the names of all settings, in the order of the model."""
    return tuple(
        f.name for f in TradingConfig._meta.concrete_fields if f.name not in _NOT_SETTINGS
    )


def settings_of(row: Any) -> Settings:
    """Return the validated settings of a row (or of a historical row). Raises ConfigError naming field and range."""
    try:
        for name, low, high in _OWN_RANGES:
            in_range(name, getattr(row, name), low, high)
        return Settings(
            revision=row.revision,
            exits=ExitRules(
                stop_loss_enabled=row.stop_loss_enabled,
                take_profit_enabled=row.take_profit_enabled,
                stop_loss_ratio=row.stop_loss_ratio,
                first_take_profit_ratio=row.first_take_profit_ratio,
                first_take_profit_sell_ratio=row.first_take_profit_sell_ratio,
                first_take_profit_pullback=row.first_take_profit_pullback,
                trailing_tiers=_tiers(row.trailing_tiers),
                trailing_never_lowers=row.trailing_never_lowers,
                add_on_enabled=row.add_on_enabled,
                add_on_drop=row.add_on_drop,
            ),
            signals=SignalRules(
                exit_max_age=row.signal_max_age,
                grid_max_age=row.grid_signal_max_age,
                max_drift=row.signal_max_drift,
            ),
            orders=OrderRules(
                price_mode=row.price_mode,
                sell_order_timeout=row.sell_order_timeout,
                take_profit_order_timeout=row.take_profit_order_timeout,
                grid_order_timeout=row.grid_order_timeout,
                buy_order_timeout=row.buy_order_timeout,
                reorder_max_attempts=row.reorder_max_attempts,
                sell_monitor_enabled=row.sell_monitor_enabled,
            ),
            risk=RiskLimits(
                max_order_value=row.max_order_value,
                max_position_value=row.max_position_value,
                max_total_position_ratio=row.max_total_position_ratio,
                daily_loss_ratio=row.daily_loss_ratio,
                max_buy_orders_per_day=row.max_buy_orders_per_day,
                orders_per_second=row.orders_per_second,
                buy_enabled=row.buy_enabled,
                sell_enabled=row.sell_enabled,
                auto_trading_enabled=row.auto_trading_enabled,
                strategy_execution_enabled=row.strategy_execution_enabled,
            ),
            buy_amount=row.buy_amount,
            grid_enabled=row.grid_enabled,
            pause_grid_after_full_exit=row.pause_grid_after_full_exit,
            allow_mootdx_trading=row.allow_mootdx_trading,
        )
    except ValueError as problem:
        raise ConfigError(str(problem)) from problem


def effective(account_id: int) -> Settings:
    """Return the row's settings; when it is invalid, the newest valid revision with its `problem` (fail closed).

    Raises ConfigError when no revision was ever valid.
    """
    try:
        return settings_of(TradingConfig.objects.get(pk=account_id))
    except (ConfigError, *_UNREADABLE) as problem:
        wrong = (
            problem
            if isinstance(problem, ConfigError)
            else Refused(f"unreadable: {problem}", f"无法读取：{problem}")
        )
        for number in _versions(account_id):
            try:
                version = TradingConfig.history.get(history_id=number)
                return replace(settings_of(version), problem=explain(wrong))
            except (ConfigError, *_UNREADABLE):
                continue
        raise wrong from problem.__cause__


def _versions(account_id: int) -> list[int]:
    rows = TradingConfig.history.filter(account_id=account_id).order_by("-history_id")
    return list(rows.values_list("history_id", flat=True)[:50])


def load(account_id: int) -> Settings:
    """Return the effective settings of an account. Raises ConfigError.

    The row is read each time; it is validated again only when it is not, column by column, the one read before.
    """
    table = connection.ops.quote_name(TradingConfig._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} WHERE account_id = %s", [account_id])
        columns = cursor.fetchone()
    if columns is None:
        raise Refused(f"account {account_id} has no configuration", f"账户 {account_id} 没有配置")
    known = _read.get(account_id)
    if known is None or known[0] != columns:
        known = _read[account_id] = (columns, effective(account_id))
    return known[1]


#: account id → the row as it was read, and what it means. Bounded by the number of accounts.
_read: dict[int, tuple[tuple[Any, ...], Settings]] = {}


def change(
    account_id: int,
    changes: Mapping[str, Any],
    *,
    actor: Any,
    why: str,
    revision: int | None = None,
) -> Settings:
    """Change settings, all or none, and return the new ones.

    Values may be text, as a person types them. `revision`: the one the person saw (optimistic lock). Raises
    ConfigError naming the field, the value and the remedy.
    """
    if not why.strip():
        raise Refused("a change of the configuration needs a reason", "修改配置必须填写原因")
    with transaction.atomic():
        row = TradingConfig.objects.select_for_update().get(pk=account_id)
        if revision is not None and row.revision != revision:
            raise Refused(
                f"the configuration is at revision {row.revision} by now, you saw {revision}: look again",
                f"配置现为第 {row.revision} 版，您看到的是第 {revision} 版：请重新查看",
            )
        settings = replace(tried(row, changes), revision=row.revision + 1)
        row.revision += 1
        row.changed_why = why[:200]
        row._history_user = actor  # type: ignore[attr-defined]  # simple_history reads both, and writes its row once
        row._change_reason = why[:100]  # type: ignore[attr-defined]
        try:
            row.save()
        except (
            *_UNREADABLE,
            DataError,
        ) as problem:  # more decimals than are kept, or a number beyond the column
            raise Refused(str(problem), f"数值无法保存：{problem}") from problem
    return settings


def tried(row: TradingConfig, changes: Mapping[str, Any]) -> Settings:
    """Return what the row would mean with these changes; they are put into it, nothing is saved. Raises ConfigError."""
    for name, value in changes.items():
        setattr(row, name, _parse(name, value))
    return settings_of(row)


def field_of(problem: ConfigError) -> str | None:
    """Return the setting a configuration error is about, where it is about one."""
    cause = problem.__cause__
    return cause.field if isinstance(cause, SettingError) else None


def explain(problem: ConfigError) -> Text:
    """Return both languages of a configuration error."""
    if isinstance(problem, Refused):
        return problem.text
    cause = problem.__cause__
    return cause.text if isinstance(cause, SettingError) else Text(str(problem), str(problem))


def label_of(name: str) -> Text:
    """Return what both languages call a setting."""
    label = TradingConfig._meta.get_field(name).verbose_name  # type: ignore[union-attr]
    with translation.override("en"):
        en = str(label)
    with translation.override("zh-hans"):
        return Text(en, str(label))


def _parse(name: str, value: Any) -> Any:
    if name not in setting_names():
        names = ", ".join(setting_names())
        raise Refused(
            f"{name} is no setting; the settings are {names}",
            f"没有名为 {name} 的配置项；可用的配置项：{names}",
        )
    field = TradingConfig._meta.get_field(name)
    assert isinstance(field, models.Field)
    if isinstance(field, models.BooleanField):
        return _switch(name, value)
    if isinstance(value, str) and not value.strip() and field.null:
        return None
    if isinstance(field, models.JSONField):
        return [[str(part) for part in pair] for pair in _tiers(value)]
    try:
        return field.to_python(value)
    except ValidationError as problem:
        # Django says them in the language that is active when they are read.
        with translation.override("en"):
            en = " ".join(problem.messages)
        with translation.override("zh-hans"):
            zh = " ".join(problem.messages)
        raise Refused(f"{name} is {value!r}: {en}", f"{name} 为 {value!r}：{zh}") from problem


def _switch(name: str, value: Any) -> bool:
    """Text such as "false" is False here, and anything unclear is refused (F170)."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in _TRUE | _FALSE:
        return word in _TRUE
    raise Refused(
        f"{name} is {value!r}, expected on or off",
        f"{name} 为 {value!r}，应为 on（开）或 off（关）",
    )


def _tiers(value: Any) -> tuple[tuple[Decimal, Decimal], ...]:
    """Tiers as pairs, or as text `0.05:0.96,0.10:0.93`."""
    if isinstance(value, str):
        value = [pair.split(":") for pair in value.split(",")]
    try:
        return tuple(
            (Decimal(str(gain)), Decimal(str(coefficient))) for gain, coefficient in value
        )
    except (ArithmeticError, TypeError, ValueError) as problem:
        raise Refused(
            f"trailing_tiers is {value!r}, expected pairs such as 0.05:0.96,0.10:0.93",
            f"trailing_tiers 为 {value!r}，应为 0.05:0.96,0.10:0.93 这样的数对",
        ) from problem
