"""The chain of digests over what nobody may change."""

from __future__ import annotations

from django.db import models

from trading.models.fields import AppendOnlyModel


class AuditForm(AppendOnlyModel):
    """Which columns of a table a link covers: those it had when the link was made, so that a new one breaks nothing."""

    table = models.CharField(max_length=63)
    columns = models.JSONField()

    def __str__(self) -> str:
        return f"{self.table} ({len(self.columns)})"


class AuditLink(AppendOnlyModel):
    """One link of the audit chain: its number is its key, its digest covers the row and the link before."""

    form = models.ForeignKey(AuditForm, on_delete=models.PROTECT)
    row = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    at = models.DateTimeField()  # real time

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["form", "row"], name="one_link_per_row_and_form")
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.digest[:12]}"
