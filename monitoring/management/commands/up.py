"""`manage.py up`: prepares everything, runs all processes, and stops them in order."""

from __future__ import annotations

import os
import secrets
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone

from monitoring import stack
from monitoring.alerts.process import end_delivery
from monitoring.alerts.stand_in import StandIn
from monitoring.care.soundness import problem_of_database
from monitoring.child_log import console
from monitoring.left_behind import end_left_behind
from monitoring.management.door import Door, Doors
from monitoring.management.enabled_accounts import AccountsWatch, Enabled, enabled_accounts
from monitoring.management.machine_report import MachineReport
from monitoring.management.only import (
    chosen,
    has_the_database,
    leads_elsewhere,
    names_of,
    refuse_strangers,
    tables_are_missing,
)
from monitoring.processes import AlreadyRunning, only_instance, write_whole
from monitoring.restarts import NAME as RESTARTS
from monitoring.restarts import Restarts
from monitoring.run_file import (
    GATEWAY,
    LOCK,
    read_run_file,
    redis_url,
    started_again,
    write_run_file,
)
from monitoring.security.checks import refuse_to_serve
from monitoring.static_files import collect
from monitoring.supervisor import ProcessSpec, ProcessStatus, StartError, State, Supervisor
from trading.domain.orders import OrderState
from trading.domain.pace import FASTEST
from trading.domain.types import AccountMode, Text
from trading.management.one_instance import Alive
from trading.management.paper_files import remove_notice
from trading.models import Order
from trading.services.demo import ensure_demo_account

ADMIN, PASSWORD_FILE = "admin", "admin-password.txt"
DEMO = "demo"


class Command(BaseCommand):
    help = "Runs everything; stop it with Ctrl-C. 启动全部进程，按 Ctrl-C 停止。"
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--status", action="store_true", help="say what runs, and end 显示运行状态"
        )
        parser.add_argument("--no-web", action="store_true", help="no web server 不启动网页")
        parser.add_argument("--no-flower", action="store_true", help="no Flower 不启动 Flower")
        parser.add_argument(
            "--flower",
            action="store_true",
            help="Flower beside a live account too 有实盘账户时也启动 Flower",
        )
        parser.add_argument(
            "--only",
            metavar="NAME[,NAME]",
            default=settings.MINIQMT_RUNS,
            help="processes to run on this machine, such as gateway:ACCOUNT,market_data; the others run elsewhere"
            " (default MINIQMT_RUNS, or all) 本机只运行这些进程",
        )
        parser.add_argument(
            "--replay", metavar="SOURCE", help="play a recorded day instead of the demo 回放行情"
        )
        parser.add_argument(
            "--speed",
            type=float,
            default=1.0,
            help=f"of market time, up to {FASTEST:g} (default 1) 倍速",
        )
        parser.add_argument(
            "--position",
            action="append",
            default=[],
            metavar="SYMBOL:QTY@COST",
            help="holding of a new simulated account, repeatable 初始持仓",
        )
        parser.add_argument(
            "--misbehave",
            default="",
            metavar="NAME[,NAME]",
            help="incidents of the simulated terminal, as for paper_terminal 模拟终端故意异常",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        home = Path(settings.HOME)
        if options["status"]:
            call_command("status")
            return
        try:
            with only_instance(home / LOCK):
                self._run(home, options)
        except AlreadyRunning:
            raise _problem(
                f"miniqmt is already running in {home}; stop it first, or set MINIQMT_HOME to"
                " another folder.",
                f"{home} 中已有 miniqmt 在运行；请先停止它，或将 MINIQMT_HOME 设为另一个文件夹。",
            ) from None
        except StartError as problem:
            raise _problem(
                f"{problem}; the files in {home / 'logs'} say why.",
                f"启动失败；原因见 {home / 'logs'} 中的日志。",
            ) from None

    def _run(self, home: Path, options: dict[str, Any]) -> None:
        source = _source(home, options["replay"])
        if not 0 < options["speed"] <= FASTEST:
            raise _problem(
                f"--speed must be above 0 and at most {FASTEST:g}; the command `replay` is faster.",
                f"--speed 必须大于 0 且不超过 {FASTEST:g}；更快请用 replay 命令。",
            )
        wanted = names_of(options["only"])
        around = self._prepare(home, options["speed"], wanted)
        accounts = enabled_accounts()
        doors = self._open_doors(around, options, wanted, accounts)
        processes = self._processes(around, doors, source, options, accounts)
        refuse_strangers(processes, wanted)
        watch = AccountsWatch(accounts)
        machine = MachineReport(settings.MINIQMT_MACHINE, timezone.now, watch.look)
        facts = {
            "pid": os.getpid(),
            "source": source,
            "redis_url": around.redis.url if around.redis.port else "",
            "earlier": started_again(read_run_file(home)),
        }
        has_said = False

        def publish(statuses: Sequence[ProcessStatus]) -> None:
            nonlocal has_said
            rows = [status.as_row() for status in statuses]
            machine.say(rows)
            where = {name: doors.address(name) for name in ("web", "flower")}
            write_run_file(home, {**facts, **where, "processes": rows})
            if not has_said and all(status.state is State.RUNNING for status in statuses):
                has_said = True
                self._say_where(home, doors, source)

        show, alive, tell = console(sys.stdout), Alive(home / LOCK), StandIn(home)

        def every_step() -> None:
            alive()
            tell()
            for door in doors.all:
                elsewhere = door.moved(supervisor.statuses())
                if elsewhere is not None:
                    show(door.name, f"another program has its port: goes to port {door.port}")
                    supervisor.keep(door.name, [elsewhere])
                    self._say_addresses(doors)
            others = watch.changed()
            if others is not None:
                supervisor.keep(GATEWAY, chosen(_gateways(around, others), wanted))
                if not _wants_flower(options, others):
                    supervisor.keep("flower", [])

        supervisor = Supervisor(
            chosen(processes, wanted),
            home / "logs",
            wall=timezone.now,
            publish=publish,
            show=show,
            alive=every_step,
            restarts=Restarts(home / RESTARTS, lambda line: show("up", line)),
        )
        machine.start()
        try:
            supervisor.run()
        finally:
            machine.stop()
            end_delivery()
            # Nobody must look for a Redis that is gone.
            earlier = started_again(read_run_file(home))
            write_run_file(home, {"source": source, "redis_url": "", "earlier": earlier})
        self._say("Everything has stopped.", "已全部停止。")

    def _prepare(self, home: Path, speed: float, wanted: frozenset[str]) -> stack.Surroundings:
        """Bring database, account and Redis into being, where nothing of a killed `up` is left."""
        end_left_behind(read_run_file(home).get("processes", ()), console(sys.stdout))
        with suppress(OSError):
            stack.end_left_redis(redis_url(home))
        remove_notice(home)
        refuse_to_serve()
        problem = problem_of_database(home)
        if problem is not None:
            raise _problem(problem.en, problem.zh)
        given = os.environ.get("REDIS_URL", "")
        if leads_elsewhere(wanted, given):
            raise CommandError(str(leads_elsewhere(wanted, given)))
        if not has_the_database(wanted):
            if tables_are_missing():
                raise _problem(
                    "The database has other tables than this version needs: start `up` on the machine that runs beat"
                    " first, with the same version.",
                    "数据库结构与本版本不一致：请先在运行 beat 的机器上用相同版本启动 `up`。",
                )
        else:
            call_command("migrate", verbosity=0, interactive=False)
        self._collect()
        if has_the_database(wanted) and ensure_demo_account():
            self._say(
                "A demo account with invented holdings has been made.",
                "已建立演示账户及虚构持仓。",
            )
        redis = stack.Redis(str(settings.REDIS_URL)) if given else stack.our_redis()
        return stack.Surroundings(Path(settings.BASE_DIR), home, redis, speed, _ceiling())

    def _collect(self) -> None:
        try:
            collect()
        except OSError as problem:  # pages load slower, and work
            self._say(
                f"Styles and scripts were not compressed: {problem}.",
                f"网页样式和脚本未能压缩：{problem}。",
            )

    def _open_doors(
        self,
        around: stack.Surroundings,
        options: dict[str, Any],
        wanted: frozenset[str],
        accounts: Sequence[Enabled],
    ) -> Doors:
        has_web = not options["no_web"] and (not wanted or "web" in wanted)
        has_flower = _wants_flower(options, accounts) and (not wanted or "flower" in wanted)
        password, is_new = "", False
        if has_web or has_flower or not wanted:
            password, is_new = _admin(around.home)
        web = partial(stack.web, around, proxied=settings.HTTPS)
        flower = partial(stack.flower, around, user=ADMIN, password=password)
        # Flower comes last: what trades does not share the processor with it at the start.
        doors = [
            *([Door("web", stack.WEB_PORT, web)] if has_web else []),
            *([Door("flower", stack.FLOWER_PORT, flower)] if has_flower else []),
        ]
        return Doors(doors, password, is_new)

    def _processes(
        self,
        around: stack.Surroundings,
        doors: Doors,
        source: str,
        options: dict[str, Any],
        accounts: Sequence[Enabled],
    ) -> list[ProcessSpec]:
        market = ["--source", source]
        for position in options["position"]:
            market += ["--position", position]
        if options["misbehave"]:
            market += ["--misbehave", options["misbehave"]]
        processes = [
            *([stack.redis_process(around)] if around.redis.port else []),
            stack.paper_terminal(around, market, holds_recording=source != DEMO),
            *stack.trading_processes(around, _gateways(around, accounts)),
        ]
        processes += [door.spec() for door in doors.all]
        connection.close()  # the supervisor seldom needs the database
        return processes

    def _say_where(self, home: Path, doors: Doors, source: str) -> None:
        if source == DEMO:
            self._say(
                "This is a DEMO market: every price, holding and order in it is invented.",
                "这是演示行情：其中的价格、持仓和委托都是虚构的。",
            )
        else:
            self._say(
                f"This is a REPLAY of {source} in a simulated market: no real order is sent.",
                f"这是在模拟市场中回放 {source}：不会发出真实委托。",
            )
        self._say_addresses(doors)
        if not doors.password:
            self._say("The console is on another machine.", "控制台在另一台机器上。")
        elif doors.is_new:
            self._say(
                f"User {ADMIN}, password {doors.password} (said only now; kept in"
                f" {home / PASSWORD_FILE})",
                "用户名和初始密码，只显示这一次，另存于上述文件。",
            )
        else:
            self._say(
                f"User {ADMIN}; its first password is in {home / PASSWORD_FILE}",
                "用户名；初始密码在上述文件中。",
            )
        self._say(f"Logs: {home / 'logs'}. Ctrl-C stops everything.", "按 Ctrl-C 全部停止。")

    def _say_addresses(self, doors: Doors) -> None:
        web, flower = doors.address("web"), doors.address("flower")
        if web:
            self._say(f"Open {web}", "用浏览器打开左侧地址：控制台。")
            self._say(f"To change things: {web}admin/", "修改与操作：管理后台。")
        if flower:
            self._say(f"Tasks (Flower): {flower}", "任务情况（Flower）。")

    def _say(self, en: str, zh: str) -> None:
        text = Text(en, zh)
        with suppress(OSError):  # the terminal was closed: trading goes on
            self.stdout.write(f"{text.en} {text.zh}")
            self.stdout.flush()


def _gateways(around: stack.Surroundings, accounts: Sequence[Enabled]) -> list[ProcessSpec]:
    return [
        stack.gateway(
            around, one.pk, one.name, _nothing_under_way, is_shadow=one.mode is AccountMode.SHADOW
        )
        for one in accounts
    ]


def _source(home: Path, replay: str | None) -> str:
    """Return what is played. Raises CommandError when this data directory has seen another market."""
    source = str(Path(replay).resolve()) if replay else DEMO
    if replay and not Path(replay).exists():
        raise _problem(f"There is no file or folder {replay}.", f"文件或文件夹 {replay} 不存在。")
    played = read_run_file(home).get("source", source)
    if played != source and (home / "paper.sqlite3").exists():
        raise _problem(
            f"The account in {home} has traded in another market ({played}); set MINIQMT_HOME to"
            " a new folder.",
            f"{home} 中的账户已在另一行情（{played}）中交易；请将 MINIQMT_HOME 设为新文件夹。",
        )
    return source


def _wants_flower(options: dict[str, Any], accounts: Sequence[Enabled]) -> bool:
    """It can end and send tasks: beside a live account only for who asks for it."""
    if options["no_flower"] or options["flower"]:
        return not options["no_flower"]
    return all(one.mode is not AccountMode.LIVE for one in accounts)


def _admin(home: Path) -> tuple[str, bool]:
    """Return the generated password and whether it is new; make it and its user where there are none."""
    path = home / PASSWORD_FILE
    try:
        password, is_new = path.read_text(encoding="utf-8").strip(), False
    except FileNotFoundError:
        password, is_new = secrets.token_urlsafe(12), True
        write_whole(path, password + "\n")
    users = get_user_model().objects
    if not users.filter(is_superuser=True).exists() and not users.filter(username=ADMIN).exists():
        users.create_superuser(ADMIN, "", password)
    return password, is_new


def _ceiling() -> int | None:
    """Return MINIQMT_MEMORY_CEILING_MB, None when it is not set. Raises CommandError."""
    ceiling: int | None = settings.MINIQMT_MEMORY_CEILING_MB
    if ceiling is not None and ceiling < 0:
        raise _problem(
            f"MINIQMT_MEMORY_CEILING_MB is {ceiling}: give a number of MB, or 0 for no ceiling.",
            f"MINIQMT_MEMORY_CEILING_MB 为 {ceiling}：请填写内存上限（MB），0 表示不限制。",
        )
    return ceiling


def _nothing_under_way(account_id: int) -> bool:
    """Whether every order of the account has its answer. Raises what the database raises when it is away."""
    try:
        under_way = Order.objects.filter(account_id=account_id, state=OrderState.SUBMITTING)
        return not under_way.exists()
    finally:
        connection.close()


def _problem(en: str, zh: str) -> CommandError:
    text = Text(en, zh)
    return CommandError(f"{text.en} {text.zh}")
