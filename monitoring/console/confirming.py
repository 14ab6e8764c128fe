"""Whether whoever confirms is the person who logged in. The one place that asks; another factor is added here."""

from __future__ import annotations

from django.contrib.auth import authenticate
from django.http import HttpRequest

from trading.domain.types import Text

#: The field of the confirmation that the password is written in.
PASSWORD = "password"


def reauthenticated(request: HttpRequest) -> Text | None:
    """Return why this confirmation is not the user's own, None when it is. Asked for live accounts before each act.

    The password goes through the same backends as the login, so whatever counts wrong ones there counts these too.
    """
    written = request.POST.get(PASSWORD, "")
    if not written:
        return Text(
            "Write your password: this account is live. Nothing was done.",
            "请输入您的密码：这是实盘账户。未执行任何操作。",
        )
    found = authenticate(request, username=request.user.get_username(), password=written)
    if found is None or found.pk != request.user.pk:
        return Text(
            "This is not your password: nothing was done. Write it again.",
            "密码不正确，未执行任何操作。请重新输入。",
        )
    return None
