"""Who asks, and whether that may: a session with its CSRF token, or a bearer token with its scopes."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from monitoring.api.operations import Caller, Operation
from monitoring.api.problems import Fault, Problem
from monitoring.console.acting import is_real
from monitoring.security import step_up
from monitoring.services.api_tokens import SCOPE_WORDS, Scope, digest_of, recognised, scopes_of
from trading.domain.types import Text
from trading.models import Account
from trading.services.reach import ONLY_LOOK, reach_of

#: Seconds for which a token that was recognised may read without being looked up again.
_GOOD_FOR = 1.0
#: Tokens remembered so.
_MOST = 256


class _CsrfCheck(CsrfViewMiddleware):
    """Says why a request is refused instead of answering with a page."""

    def _reject(self, request: HttpRequest, reason: str) -> Any:
        return reason


def _nothing(request: HttpRequest) -> HttpResponse:
    """Stand where the check expects a view; it is not called."""
    return HttpResponse()


class Doorkeeper:
    """Recognises callers. A token that reads is remembered for a second; one that changes something is looked up."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Caller]] = {}

    def caller_of(
        self, request: HttpRequest, real: datetime, at: float, *, changes: bool
    ) -> Caller:
        """Return who asks at real time `real`, `at` by a monotonic clock. Raises Problem."""
        written = request.headers.get("Authorization")
        if written is None:
            return _of_session(request, changes=changes)
        scheme, _, secret = written.partition(" ")
        if scheme.lower() != "bearer":
            raise _stranger(
                "The Authorization header is no bearer token.",
                "Authorization 头不是 Bearer 令牌。",
            )
        digest = digest_of(secret.strip())
        good_until, known = self._known.get(digest, (0.0, None))
        if known is not None and at < good_until and not changes:
            return known
        caller = _of_token(secret.strip(), real)
        known_ones = [*self._known.items()][-_MOST + 1 :]
        # A new mapping: who reads the old one meanwhile is not disturbed.
        self._known = {**dict(known_ones), digest: (at + _GOOD_FOR, caller)}
        return caller


def _of_token(secret: str, real: datetime) -> Caller:
    token = recognised(secret, real)
    if token is None:
        raise _stranger(
            "The token is unknown, expired or revoked, or its user is not active.",
            "令牌不存在、已过期或已撤销，或其用户未启用。",
        )
    return Caller(
        user=token.user,
        name=f"{token.user.get_username()} (API {token.name})"[:64],
        scopes=scopes_of(token),
        permissions=frozenset(token.user.get_all_permissions()),
        bucket=f"token {token.pk}",
        reach=reach_of(token.user),
    )


def _of_session(request: HttpRequest, *, changes: bool) -> Caller:
    user = request.user
    if not isinstance(user, User) or not user.is_active:
        raise _stranger("Nobody is logged in and there is no token.", "未登录，也没有令牌。")
    if changes:
        check = _CsrfCheck(_nothing)
        check.process_request(request)
        reason = check.process_view(request, _nothing, (), {})
        if reason is not None:
            text = Text(f"The CSRF check failed: {reason}", f"CSRF 校验失败：{reason}")
            remedy = Text(
                "Send the cookie csrftoken as X-CSRFToken, or use a bearer token.",
                "请将 csrftoken Cookie 的值放入 X-CSRFToken 头，或使用 Bearer 令牌。",
            )
            raise Problem(HTTPStatus.FORBIDDEN, Fault("CSRF", text, remedy))
    permissions = frozenset(user.get_all_permissions())
    bucket = f"user {user.pk}"
    return Caller(user, user.get_username()[:64], None, permissions, bucket, reach_of(user))


def _stranger(en: str, zh: str) -> Problem:
    remedy = Text(
        "Log in, or send Authorization: Bearer with a token of `manage.py api_token create`.",
        "请登录，或用 `manage.py api_token create` 创建令牌并以 Authorization: Bearer 发送。",
    )
    return Problem(HTTPStatus.UNAUTHORIZED, Fault("UNAUTHENTICATED", Text(en, zh), remedy))


def check(caller: Caller, operation: Operation) -> None:
    """See whether somebody may call an operation at all. Raises Problem."""
    for name in operation.permissions:
        check_permission(caller, name)
    _needs(caller, operation.scope)


def check_permission(caller: Caller, name: str) -> None:
    """See whether somebody has a permission. Raises Problem."""
    if name in caller.permissions:
        return
    text = Text(f"The user lacks the permission {name}.", f"该用户没有权限 {name}。")
    remedy = Text(
        "Ask whoever runs this system for it; a token never does more than its user.",
        "请向系统管理员申请；令牌的权限不会超过其用户。",
    )
    raise Problem(HTTPStatus.FORBIDDEN, Fault("PERMISSION", text, remedy))


def check_reach(caller: Caller, account: Account) -> None:
    """See whether somebody may act on an account at all. Raises Problem."""
    if caller.reach.trades(account.pk):
        return
    remedy = Text(
        "Ask whoever looks after users for it; a token never does more than its user.",
        "请向用户管理员申请；令牌的权限不会超过其用户。",
    )
    raise Problem(HTTPStatus.FORBIDDEN, Fault("ONLY_LOOK", ONLY_LOOK, remedy))


def check_live(
    caller: Caller, request: HttpRequest, operation: Operation, account: Account, allowed: bool
) -> None:
    """See whether this may be done where real money is. `allowed`: tokens may (MINIQMT_API_TRADES_LIVE). Raises Problem.

    A session must have confirmed who it is within the last minutes, by what the pages ask for.
    """
    if not (operation.trades or operation.risky) or not is_real(account):
        return
    if caller.scopes is None:
        problem = step_up.problem(request, factor=not operation.calms(account))
        if problem is not None:
            page = step_up.address(request, "/")
            remedy = Text(f"Confirm at {page}, then repeat.", f"请在 {page} 确认后重试。")
            raise Problem(HTTPStatus.FORBIDDEN, Fault("STEP_UP", problem, remedy))
        return
    if not allowed:
        text = Text(
            f"{account.name} is a live account, and tokens may not act on live accounts here.",
            f"{account.name} 是实盘账户，本系统不允许令牌操作实盘账户。",
        )
        remedy = Text(
            "Set MINIQMT_API_TRADES_LIVE=true and start again, or act in the console.",
            "请设置 MINIQMT_API_TRADES_LIVE=true 并重启，或在控制台操作。",
        )
        raise Problem(HTTPStatus.FORBIDDEN, Fault("LIVE", text, remedy))
    _needs(caller, Scope.TRADE_LIVE)


def _needs(caller: Caller, scope: Scope) -> None:
    if caller.scopes is None or scope in caller.scopes:
        return
    about = SCOPE_WORDS[scope]
    text = Text(
        f"The token lacks the scope {scope} ({about.en}).", f"令牌没有范围 {scope}（{about.zh}）。"
    )
    remedy = Text("Make a token that has it.", "请创建含有该范围的令牌。")
    raise Problem(HTTPStatus.FORBIDDEN, Fault("SCOPE", text, remedy))
