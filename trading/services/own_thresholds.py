"""Thresholds of one holding that count instead of the account's; a person sets them, the next tick decides by them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from trading.domain.exits import ExitRules
from trading.domain.settings import SettingError
from trading.domain.types import Text
from trading.domain.wording import percent
from trading.models import EventLevel, Position
from trading.services.corrections import CorrectionError, needs_reason
from trading.services.events import journal
from trading.services.tick import settings_and_problem


class ThresholdRefused(CorrectionError):
    """A threshold is out of its range: nothing changed. `field` is the threshold."""

    def __init__(self, text: Text, field: str) -> None:
        self.field = field
        super().__init__(text)


def own_rules(
    account_id: int, stop_loss: Decimal | None, first_take_profit: Decimal | None
) -> ExitRules:
    """Return the exit rules a holding of this account would have with these ratios; None: the account's.

    Raises ThresholdRefused, and CorrectionError without usable settings.
    """
    settings, problem = settings_and_problem(account_id)
    if settings is None:
        raise CorrectionError(problem or Text("no settings", "没有配置"))
    try:
        return settings.exits.for_holding(
            stop_loss_ratio=stop_loss, first_take_profit_ratio=first_take_profit
        )
    except SettingError as refused:
        raise ThresholdRefused(refused.text, refused.field) from refused


def set_own_thresholds(
    position_id: int,
    stop_loss: Decimal | None,
    first_take_profit: Decimal | None,
    why: str,
    now: datetime,
    actor: str,
) -> bool:
    """Give an open life thresholds of its own (ratios, -0.05 and 0.08), None the account's. True when it changed.

    Raises CorrectionError.
    """
    needs_reason(why)
    with transaction.atomic():
        row = Position.objects.select_for_update().get(pk=position_id)
        if row.closed_at is not None:
            raise CorrectionError(
                Text(
                    f"{row.symbol}: this life of the holding has ended.",
                    f"{row.symbol}：该持仓周期已结束。",
                )
            )
        own_rules(row.account_id, stop_loss, first_take_profit)
        before = row.stop_loss_ratio, row.first_take_profit_ratio
        if before == (stop_loss, first_take_profit):
            return False
        Position.objects.filter(pk=row.pk).update(
            stop_loss_ratio=stop_loss, first_take_profit_ratio=first_take_profit
        )
        stop, first = _words(stop_loss), _words(first_take_profit)
        text = Text(
            f"Own thresholds of {row.symbol}: stop-loss {stop.en}, first take-profit {first.en}: {why}",
            f"{row.symbol} 的单独阈值：止损 {stop.zh}，首次止盈 {first.zh}：{why}",
        )
        journal(
            row.account_id,
            EventLevel.WARNING,
            "OWN_THRESHOLDS",
            text,
            now,
            symbol=row.symbol,
            actor=actor,
            life=row.life,
            before=[None if one is None else str(one) for one in before],
        )
        return True


def _words(ratio: Decimal | None) -> Text:
    if ratio is None:
        return Text("as the account's", "同账户")
    return Text(percent(ratio), percent(ratio))
