"""Who is really there: what touches real money asks for the password again."""

from __future__ import annotations

from django.contrib.auth import authenticate
from django.http import HttpRequest

from trading.domain.types import Text

#: The field of a form that holds it.
PASSWORD = "password"

_EMPTY = Text(
    "password is empty: enter your password again, this concerns real money.",
    "密码为空：涉及真实资金，请再次输入您的登录密码。",
)
_WRONG = Text(
    "password is not the one of your user: nothing was done. Enter it again.",
    "密码不正确：未做任何更改，请重新输入。",
)


def reauthenticated(request: HttpRequest) -> Text | None:
    """Return None when the form brings the password of the user who is logged in, else what is wrong with it.

    It goes the way of a login, so whatever counts failed ones counts these too.
    """
    typed = request.POST.get(PASSWORD, "")
    if not typed:
        return _EMPTY
    name = request.user.get_username()
    user = authenticate(request, username=name, password=typed)
    return None if user is not None and user.pk == request.user.pk else _WRONG
