"""Who may use the JSON API, and what was asked of it once."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from trading.models.fields import both


class ApiToken(models.Model):
    """API 令牌: lets a program act for a user within some scopes until a day. The secret itself is kept nowhere."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=both("user", "用户"),
        on_delete=models.CASCADE,
        related_name="api_tokens",
    )
    name = models.CharField(both("name", "名称"), max_length=40)
    #: Scopes with a blank between them, in the order of `Scope`.
    scopes = models.CharField(both("scopes", "权限范围"), max_length=80)
    #: How its secret begins: enough to recognise it, far too little to use it.
    prefix = models.CharField(both("begins with", "开头"), max_length=12)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(both("created", "创建时间"))  # real time, as all here
    expires_at = models.DateTimeField(both("expires", "过期时间"))
    #: To the ten minutes.
    last_used_at = models.DateTimeField(both("last used", "最近使用"), null=True, blank=True)
    revoked_at = models.DateTimeField(both("revoked", "撤销时间"), null=True, blank=True)

    class Meta:
        verbose_name = both("API token", "API 令牌")
        verbose_name_plural = both("API tokens", "API 令牌")

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class ApiCall(models.Model):
    """API 请求: one change that carried a key, claimed before anything is done; repeated, it gets the same answer.

    `status` empty: it is being done, or its doer died in it; it is not done again.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_calls"
    )
    key = models.CharField(max_length=64)
    #: SHA-256 of method, address and body.
    digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.TextField(blank=True)
    at = models.DateTimeField(db_index=True)  # real time

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="one_api_call_per_key")
        ]

    def __str__(self) -> str:
        return self.key
