"""The machines this installation runs on, each with what its `up` said last."""

from __future__ import annotations

from django.db import models

from trading.models.fields import both


class Machine(models.Model):
    """One machine. `processes`: the rows of its `run.json`; `seen_at`: the database's time when it said so."""

    name = models.CharField(both("name", "名称"), max_length=64, primary_key=True)
    processes = models.JSONField(default=list)
    seen_at = models.DateTimeField(both("last heard of", "最近报告"))
    #: Milliseconds its clock is ahead of the database's; null: nobody has compared.
    clock_ahead = models.IntegerField(null=True)

    class Meta:
        verbose_name = both("machine", "机器")
        verbose_name_plural = both("machines", "机器")

    def __str__(self) -> str:
        return self.name
