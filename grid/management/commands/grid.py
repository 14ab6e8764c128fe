"""`manage.py grid …`: look at grid sessions, start, steer, check them (docs/grid.md)."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from getpass import getuser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone, translation

from grid.domain.rules import STYLES, parameter_names
from grid.domain.state import SessionStatus
from grid.management.shown import show_list, show_preview, show_session, show_templates
from grid.management.tables import Output
from grid.models import GridSession
from grid.models.sessions import StopPolicy
from grid.services import sessions
from grid.services.ledger import check_ledger
from grid.services.overview import overview
from grid.services.preview import prepare
from grid.services.sessions import Request, SessionRefused
from grid.services.spec import pairs, request_of, typed
from grid.services.templates import delete_template, save_template
from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import AccountMode, Quote, Text
from trading.errors import SourceError
from trading.management.language import add_language
from trading.market_data.sources import open_source
from trading.models import Account
from trading.services.calendar import load_calendar
from trading.services.clock import market_time
from trading.services.shared_quotes import quotes_of_thread

#: Exit codes: refused or something differs; the command was typed wrong (argparse's own).
REFUSED, BAD_OPTION = 1, 2


class Command(BaseCommand):
    help = "Grid sessions: look, start, steer, check. 网格会话：查看、启动、操作、核对。"
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        todo = parser.add_subparsers(dest="todo", required=True, metavar="COMMAND")

        def command(name: str, help_: str) -> ArgumentParser:
            made: ArgumentParser = todo.add_parser(name, help=help_)
            add_language(made)
            return made

        def session(made: ArgumentParser) -> None:
            made.add_argument("id", type=int, help="number of the session 会话编号")

        def why(made: ArgumentParser) -> None:
            made.add_argument("--why", required=True, help="the reason, kept in the history 原因")

        def beginning(made: ArgumentParser) -> None:
            made.add_argument("--account", help="its name; needed when there are several 账户名称")
            made.add_argument("--history", action="append", default=[], type=Path, metavar="SOURCE", help="recorded days to rehearse on, repeatable 用于演练的历史行情")  # fmt: skip
            made.add_argument("--yes", action="store_true", help="start it; without, only the preview 确认启动，否则仅预览")  # fmt: skip

        made = command("list", "sessions that are not stopped 未停止的会话")
        made.add_argument("--all", action="store_true", help="stopped ones too 包括已停止的")
        session(command("show", "everything of one session 会话详情"))
        made = command("start", "preview, and with --yes start 预览并启动")
        made.add_argument("symbol")
        made.add_argument("plan", nargs="?", help=f"a template or a style ({', '.join(STYLES)}) 模板或风格")  # fmt: skip
        made.add_argument("values", nargs="*", metavar="NAME=VALUE", help="parameters, and centre, base_quantity, exits_may_sell_base, stop_policy 参数")  # fmt: skip
        beginning(made)
        why(made)
        made = command("clone", "start another one with the same parameters 以相同参数启动")
        session(made)
        made.add_argument("symbol")
        made.add_argument("values", nargs="*", metavar="NAME=VALUE")
        beginning(made)
        why(made)
        for name, help_ in (("pause", "no new orders 暂停"), ("resume", "trade again 恢复")):
            made = command(name, help_)
            session(made)
            why(made)
        made = command("stop", "cancel its orders, then end 停止")
        session(made)
        made.add_argument("--policy", choices=StopPolicy.values, default=StopPolicy.KEEP.value, help="what becomes of its shares 持仓处理")  # fmt: skip
        why(made)
        made = command("edit", "change parameters 修改参数")
        session(made)
        made.add_argument("values", nargs="+", metavar="NAME=VALUE")
        made.add_argument("--revision", type=int, help="refuse when it is at another one 版本不符则拒绝")  # fmt: skip
        why(made)
        made = command("check", "compare ledgers with their fills 核对账本与成交")
        made.add_argument("id", nargs="*", type=int)
        made.add_argument("--repair", action="store_true", help="write what differs again 重建有差异的账本")  # fmt: skip
        made = command("templates", "list, --save or --delete templates 模板")
        made.add_argument("--save", metavar="NAME")
        made.add_argument("--delete", metavar="NAME")
        made.add_argument("--style", choices=tuple(STYLES), default="centred")
        made.add_argument("values", nargs="*", metavar="NAME=VALUE")

    def handle(self, *args: Any, **options: Any) -> None:
        self._out = Output(self.stdout._out, options["lang"])  # type: ignore[arg-type]
        self._options = options
        language = "zh-hans" if options["lang"] == "zh" else "en"
        try:
            with translation.override(language):
                getattr(self, f"_{options['todo']}")()
        except SessionRefused as problem:
            raise _error(problem.text, REFUSED) from problem
        except SourceError as problem:
            raise CommandError(str(problem), returncode=REFUSED) from problem

    # -- looking

    def _list(self) -> None:
        rows = GridSession.objects.select_related("account").order_by("pk")
        if not self._options["all"]:
            rows = rows.exclude(status=SessionStatus.STOPPED)
        show_list(self._out, rows)

    def _show(self) -> None:
        row = self._row(self._options["id"])
        show_session(
            self._out, overview(row, quotes_of_thread(), load_calendar(), _now(row.account))
        )

    # -- starting

    def _start(self) -> None:
        named, plan = list(self._options["values"]), self._options["plan"]
        if plan is not None and "=" in plan:  # the plan was left out
            named, plan = [plan, *named], None
        account = self._account()
        self._begin(request_of(account.pk, self._options["symbol"], plan, pairs(named)), account)

    def _clone(self) -> None:
        model = self._row(self._options["id"])
        account = self._account(model.account)
        own = {name: getattr(model, name) for name in parameter_names(model.style)}
        own |= {name: getattr(model, name) for name in ("exits_may_sell_base", "stop_policy")}
        own["stop_policy"] = str(own["stop_policy"])
        named = {**own, **pairs(self._options["values"])}
        self._begin(request_of(account.pk, self._options["symbol"], model.style, named), account)

    def _begin(self, request: Request, account: Account) -> None:
        now, why = _now(account), self._options["why"]
        history = self._history(request.symbol)
        found = prepare(request, quotes_of_thread(), load_calendar(), now, history)
        show_preview(self._out, found)
        if not self._options["yes"]:
            self._out.say(Text("Nothing was started: add --yes.", "未启动：加上 --yes 才会启动。"))
            return
        row = sessions.start_session(request, found.quote, now, actor=_actor(), why=why)
        self._out.say(Text(f"Session {row.pk} runs.", f"会话 {row.pk} 已启动。"))

    def _history(self, symbol: str) -> list[Quote] | None:
        sources = self._options["history"]
        if not sources:
            return None
        try:
            code = parse_symbol(symbol)
        except SymbolError as problem:
            raise SessionRefused(problem.text, "symbol") from problem
        quotes = [quote for source in sources for quote in open_source(source).quotes()]
        return sorted(
            (quote for quote in quotes if quote.symbol == code), key=lambda quote: quote.time
        )

    # -- steering

    def _pause(self) -> None:
        self._simple(sessions.pause)

    def _resume(self) -> None:
        self._simple(sessions.resume)

    def _stop(self) -> None:
        policy = StopPolicy(self._options["policy"])
        self._simple(lambda pk, why, now, actor: sessions.stop(pk, policy, why, now, actor))

    def _simple(self, service: Any) -> None:
        row = self._row(self._options["id"])
        if service(row.pk, self._options["why"], _now(row.account), _actor()):
            self._out.say(Text("Done.", "已执行。"))
        else:
            same = Text("It was so already, nothing changed.", "状态原本如此，未做更改。")
            self._out.say(same)

    def _edit(self) -> None:
        row = self._row(self._options["id"])
        changes = typed(pairs(self._options["values"]))
        done = sessions.edit(
            row.pk,
            changes,
            revision=self._options["revision"],
            why=self._options["why"],
            now=_now(row.account),
            actor=_actor(),
        )
        self._out.say(
            Text(f"Saved as revision {done.revision}.", f"已保存为版本 {done.revision}。")
        )

    # -- books and templates

    def _check(self) -> None:
        rows = GridSession.objects.select_related("account").order_by("pk")
        if self._options["id"]:
            rows = rows.filter(pk__in=[self._row(number).pk for number in self._options["id"]])
        repair = self._options["repair"]
        wrong = [
            text
            for row in rows
            if (text := check_ledger(row, _now(row.account), repair=repair)) is not None
        ]
        for text in wrong:
            self._out.say(text)
        count = rows.count()
        if wrong and not repair:
            en = f"{len(wrong)} of {count} ledgers differ from their fills: run check --repair."
            zh = f"{count} 个账本中有 {len(wrong)} 个与成交不符：请执行 check --repair。"
            raise _error(Text(en, zh), REFUSED)
        if not wrong:
            self._out.say(
                Text(f"{count} ledgers equal their fills.", f"{count} 个账本与成交一致。")
            )

    def _templates(self) -> None:
        options = self._options
        if options["save"]:
            values = typed(pairs(options["values"]))
            save_template(options["save"], options["style"], values, timezone.now())
        if options["delete"]:
            delete_template(options["delete"])
        show_templates(self._out)

    def _row(self, number: int) -> GridSession:
        row = GridSession.objects.select_related("account").filter(pk=number).first()
        if row is None:
            raise SessionRefused(
                Text(
                    f"id is {number}, expected a session: see `grid list --all`",
                    f"id 为 {number}，没有这个会话：见 `grid list --all`",
                )
            )
        return row

    def _account(self, default: Account | None = None) -> Account:
        name = self._options["account"]
        if name is None and default is not None:
            return default
        enabled = list(Account.objects.filter(enabled=True).order_by("name"))
        named = [account for account in enabled if name in (None, account.name)]
        if len(named) == 1:
            return named[0]
        known = ", ".join(account.name for account in enabled) or "-"
        raise _error(
            Text(
                f"--account is {name}, expected one of {known}",
                f"--account 为 {name}，应为 {known} 之一",
            ),
            BAD_OPTION,
        )


def _now(account: Account) -> datetime:
    return market_time(AccountMode(account.mode), timezone.now())


def _actor() -> str:
    """Return who typed the command, as the journal keeps it."""
    try:
        return f"cli:{getuser()}"[:64]
    except (ImportError, KeyError, OSError):  # a user without a name
        return "cli"


def _error(text: Text, code: int) -> CommandError:
    return CommandError(f"{text.en} {text.zh}", returncode=code)
