"""`manage.py api_token create|list|revoke`: tokens of the JSON API (docs/api.md)."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from grid.management.tables import Output
from monitoring.models import ApiToken
from monitoring.services import api_tokens
from monitoring.services.api_tokens import Scope
from trading.domain.types import CHINA, Text
from trading.management.language import add_language
from trading.services.corrections import CorrectionError

_HEADS = (
    Text("number", "编号"),
    Text("name", "名称"),
    Text("user", "用户"),
    Text("scopes", "权限范围"),
    Text("begins with", "开头"),
    Text("expires", "过期时间"),
    Text("last used", "最近使用"),
    Text("state", "状态"),
)


class Command(BaseCommand):
    help = "Tokens of the JSON API: create, list, revoke. JSON API 令牌：创建、列出、撤销。"
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        todo = parser.add_subparsers(dest="todo", required=True, metavar="COMMAND")
        made = todo.add_parser("create", help="make one, and show it once 创建")
        made.add_argument("name", help="what it is for 用途")
        made.add_argument("--user", required=True, help="for whom it acts 所属用户")
        made.add_argument(
            "--scope",
            action="append",
            default=[],
            metavar="SCOPE",
            help=f"one of {', '.join(Scope)}; repeatable, default read 权限范围",
        )
        made.add_argument(
            "--days", type=int, default=api_tokens.DEFAULT.days, help="how long it lasts 有效天数"
        )
        add_language(made)
        add_language(todo.add_parser("list", help="all of them 列出"))
        gone = todo.add_parser("revoke", help="end one for good 撤销")
        gone.add_argument("number", type=int, help="of the list 列表中的编号")
        add_language(gone)

    def handle(self, *args: Any, **options: Any) -> None:
        output = Output(self.stdout._out, options["lang"])  # type: ignore[arg-type]
        now = timezone.now()
        if options["todo"] == "create":
            self.stdout.write(_create(options, now, output))
        elif options["todo"] == "list":
            output.table(_HEADS, [_row(token, now, output) for token in _tokens()])
        else:
            _revoke(options["number"], now, output)


def _create(options: dict[str, Any], now: datetime, output: Output) -> str:
    """Make a token, say for how long, and return its secret. Raises CommandError."""
    user = User.objects.filter(username=options["user"]).first()
    if user is None:
        names = ", ".join(User.objects.order_by("pk").values_list("username", flat=True)[:20])
        raise CommandError(
            f"There is no user {options['user']!r}; there are: {names}. 没有用户 {options['user']!r}，现有：{names}。"
        )
    scopes = options["scope"] or [Scope.READ.value]
    try:
        token, secret = api_tokens.create(
            user, options["name"], scopes, timedelta(days=options["days"]), now
        )
    except CorrectionError as problem:
        raise CommandError(f"{problem.text.en}. {problem.text.zh}。") from problem
    until = token.expires_at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M")
    output.say(
        Text(
            f"Copy it now, it is shown this once. Scopes {token.scopes}, until {until}:",
            f"请立即复制，仅显示这一次。权限范围 {token.scopes}，有效期至 {until}：",
        )
    )
    return secret


def _tokens() -> list[ApiToken]:
    return list(ApiToken.objects.select_related("user").order_by("pk"))


def _row(token: ApiToken, now: datetime, output: Output) -> list[str]:
    used = token.last_used_at
    return [
        str(token.pk),
        token.name,
        token.user.get_username(),
        token.scopes,
        token.prefix,
        f"{token.expires_at.astimezone(CHINA):%Y-%m-%d %H:%M}",
        "-" if used is None else f"{used.astimezone(CHINA):%Y-%m-%d %H:%M}",
        output.word(_state(token, now)),
    ]


def _state(token: ApiToken, now: datetime) -> Text:
    if token.revoked_at is not None:
        return Text("revoked", "已撤销")
    if token.expires_at <= now:
        return Text("expired", "已过期")
    return Text("good", "有效")


def _revoke(number: int, now: datetime, output: Output) -> None:
    if not ApiToken.objects.filter(pk=number).exists():
        raise CommandError(
            f"There is no token {number}: see `manage.py api_token list`. 没有编号为 {number} 的令牌，"
            "请查看 `manage.py api_token list`。"
        )
    if api_tokens.revoke(number, now):
        output.say(Text(f"Token {number} is revoked.", f"令牌 {number} 已撤销。"))
    else:
        output.say(Text(f"Token {number} was revoked already.", f"令牌 {number} 此前已撤销。"))
