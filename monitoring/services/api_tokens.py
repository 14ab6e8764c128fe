"""Tokens of the JSON API: made, recognised, revoked. Only a hash of the secret is kept; it is shown once."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from django.contrib.auth.models import User
from django.db.models import Q

from monitoring.models import ApiToken
from trading.domain.types import Text
from trading.services.corrections import CorrectionError

#: How a secret begins, so that people and scanners of files know what it is.
MARK = "mqt_"
#: Characters of a secret that are kept for recognition, the mark among them.
_SHOWN = 10
LONGEST, DEFAULT = timedelta(days=365), timedelta(days=90)
#: How exactly the last use is noted.
_COARSE = timedelta(minutes=10)


class Scope(StrEnum):
    """What a token may be used for; its user's permissions bound it as well."""

    READ = "read"
    TRADE = "trade"
    CONFIGURE = "configure"
    OPERATE = "operate"
    TRADE_LIVE = "trade-live"


SCOPE_WORDS = {
    Scope.READ: Text("read everything", "读取全部"),
    Scope.TRADE: Text("sell, cancel, grids", "卖出、撤单、网格"),
    Scope.CONFIGURE: Text("settings, exits of a holding", "配置、持仓退出规则"),
    Scope.OPERATE: Text(
        "main switch, unknown outcomes, watch list", "总开关、结果未知的委托、自选列表"
    ),
    Scope.TRADE_LIVE: Text(
        "the same on live accounts, if this installation allows it",
        "对实盘账户同样有效（须系统允许）",
    ),
}


def create(
    user: User, name: str, scopes: Iterable[str], lasts: timedelta, now: datetime
) -> tuple[ApiToken, str]:
    """Make a token that lasts so long from `now` (real time); returns it with its secret. Raises CorrectionError."""
    chosen = set(scopes)
    wrong = chosen - set(Scope)
    if wrong or not chosen:
        known = ", ".join(Scope)
        raise CorrectionError(
            Text(
                f"scopes are {', '.join(sorted(wrong)) or 'none'}: choose among {known}",
                f"权限范围为 {', '.join(sorted(wrong)) or '空'}：请从 {known} 中选择",
            )
        )
    if not timedelta(0) < lasts <= LONGEST:
        raise CorrectionError(
            Text(
                f"it would last {lasts.days} days: give 1 to {LONGEST.days}",
                f"有效期为 {lasts.days} 天：请填写 1 至 {LONGEST.days} 天",
            )
        )
    if not name.strip() or len(name) > 40:
        raise CorrectionError(
            Text(
                f"the name is {name!r}: give 1 to 40 characters",
                f"名称为 {name!r}：请填写 1 至 40 个字符",
            )
        )
    secret = MARK + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        name=name.strip(),
        scopes=" ".join(scope.value for scope in Scope if scope in chosen),
        prefix=secret[:_SHOWN],
        digest=digest_of(secret),
        created_at=now,
        expires_at=now + lasts,
    )
    return token, secret


def digest_of(secret: str) -> str:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def recognised(secret: str, now: datetime) -> ApiToken | None:
    """Return the token of a secret, with its user, if it may be used at `now`; its use is noted."""
    token = (
        ApiToken.objects.select_related("user")
        .filter(digest=digest_of(secret), revoked_at=None, expires_at__gt=now)
        .first()
    )
    if token is None or not token.user.is_active:
        return None
    if token.last_used_at is None or token.last_used_at <= now - _COARSE:
        long_ago = Q(last_used_at=None) | Q(last_used_at__lte=now - _COARSE)
        ApiToken.objects.filter(long_ago, pk=token.pk).update(last_used_at=now)
    return token


def scopes_of(token: ApiToken) -> frozenset[Scope]:
    """Return what a token may be used for; a scope of another version is none."""
    return frozenset(scope for scope in Scope if scope.value in token.scopes.split())


def revoke(token_id: int, now: datetime) -> bool:
    """End a token for good; False when it is revoked already."""
    return bool(ApiToken.objects.filter(pk=token_id, revoked_at=None).update(revoked_at=now))
