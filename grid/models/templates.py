"""Templates of users, beside the built-in ones of the domain."""

from __future__ import annotations

from django.db import models

from trading.models.fields import both


class GridTemplate(models.Model):
    """网格模板: named parameters of a style without the money, as text; validated by building the rules."""

    name = models.SlugField(both("name", "名称"), unique=True)
    style = models.CharField(both("style", "风格"), max_length=16)
    values = models.JSONField(both("parameters", "参数"), default=dict)
    created_at = models.DateTimeField(both("created", "创建时间"))

    class Meta:
        verbose_name = both("grid template", "网格模板")
        verbose_name_plural = both("grid templates", "网格模板")

    def __str__(self) -> str:
        return self.name
