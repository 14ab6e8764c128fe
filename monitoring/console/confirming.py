"""Whether whoever confirms is the person who logged in. The one place that asks."""

from __future__ import annotations

from django.http import HttpRequest

from monitoring.security import second_factor, step_up
from trading.domain.types import Text

#: The fields of the confirmation in which password and code are written.
PASSWORD, CODE = "password", "code"
_EMPTY = Text(
    "Write your password: this account is live. Nothing was done.",
    "请输入您的密码：这是实盘账户。未执行任何操作。",
)


def asks_code(request: HttpRequest) -> bool:
    """Whether this person confirms with a code too."""
    return second_factor.is_on(request.user)


def reauthenticated(request: HttpRequest, *, factor: bool) -> Text | None:
    """Return why this confirmation is not the user's own, None when it is. Asked for live accounts before each act.

    `factor`: the password alone does not do. What was confirmed within the last five minutes is not asked for again;
    wrong ones count as wrong log-ins do.
    """
    if step_up.problem(request, factor=factor) is None:
        return None
    password = request.POST.get(PASSWORD, "")
    if not password:
        return _EMPTY
    wrong = step_up.confirm(request, password, request.POST.get(CODE, ""))
    return wrong or step_up.problem(request, factor=factor)
