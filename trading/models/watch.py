"""The watch list: symbols whose quotes a person wants without holding them."""

from __future__ import annotations

from django.db import models

from trading.models.accounts import Account
from trading.models.fields import both


class WatchedSymbol(models.Model):
    """自选: one symbol of an account's watch list. People write it, no sync does; it decides nothing by itself."""

    account = models.ForeignKey(
        Account,
        verbose_name=both("account", "账户"),
        on_delete=models.CASCADE,
        related_name="watched",
    )
    symbol = models.CharField(both("symbol", "代码"), max_length=12)
    note = models.CharField(both("note", "备注"), max_length=100, blank=True)
    added_at = models.DateTimeField(both("added", "加入时间"))

    class Meta:
        verbose_name = both("watched symbol", "自选标的")
        verbose_name_plural = both("watch list", "自选列表")
        ordering = ["account", "symbol"]
        constraints = [
            models.UniqueConstraint(fields=["account", "symbol"], name="symbol_watched_once")
        ]

    def __str__(self) -> str:
        return self.symbol
