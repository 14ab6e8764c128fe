"""`manage.py login`: what only whoever owns this computer does about log-ins, also when nobody can log in any more."""

from __future__ import annotations

import logging
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from monitoring.security import lockout, second_factor
from monitoring.security.sessions import end_sessions
from trading.domain.types import Text

log = logging.getLogger(__name__)
_EVERYBODY = "--all"


class Command(BaseCommand):
    help = "Lifts a lock, ends sessions, removes a second factor. 解除登录锁定、结束会话、移除第二验证因素。"

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        unlock = acts.add_parser("unlock", help="lift the lock of a user 解除锁定")
        unlock.add_argument("name")
        end = acts.add_parser("end-sessions", help="of a user, or of everybody 结束会话")
        end.add_argument("name", nargs="?", help="without it: everybody's 不填则为所有人")
        remove = acts.add_parser("remove-second-factor", help="phone and codes are lost 移除")
        remove.add_argument("name")

    def handle(self, *_args: Any, **options: Any) -> None:
        name = options["name"]
        user = _user(name) if name else None
        if options["act"] == "unlock":
            changed = lockout.lift(name)
            done = Text(f"{name} may log in again.", f"{name} 可以重新登录。")
        elif options["act"] == "end-sessions":
            count = end_sessions(user.pk if user else None, timezone.now())
            changed = True
            done = Text(f"Sessions ended: {count}.", f"已结束会话：{count}。")
        else:
            assert user is not None
            changed = second_factor.remove(user)
            done = Text(f"The second factor of {name} is off.", f"{name} 的第二验证因素已移除。")
        same = Text("It was so already, nothing changed.", "状态原本如此，未做更改。")
        said = done if changed else same
        log.warning("login %s %s: %s", options["act"], name or _EVERYBODY, said.en)
        self.stdout.write(f"{said.en} {said.zh}")


def _user(name: str) -> User:
    try:
        return User.objects.get(username=name)
    except User.DoesNotExist:
        raise CommandError(f"There is no user {name}. 没有用户 {name}。") from None
