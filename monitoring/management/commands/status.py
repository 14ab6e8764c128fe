"""`manage.py status`: what runs, since when, what was started again and why, and whether holdings are protected."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from grid.management.tables import Output
from monitoring.backup_files import Engine
from monitoring.care.backup import database_file, engine_of
from monitoring.doctor.machine import age_in_words
from monitoring.doctor.signs import Up
from monitoring.doctor.values import named
from monitoring.status import AccountStatus, Status, plain, status_of
from monitoring.supervisor import State
from trading.domain.protection import WORDS
from trading.domain.types import CHINA, GatewayStatus, Text, TradingState
from trading.management.language import add_language

_STATES: Mapping[str, Text] = {
    State.WAITING: Text("waits", "等待启动"),
    State.STARTING: Text("starts", "启动中"),
    State.RUNNING: Text("runs", "运行中"),
    State.BACKING_OFF: Text("starts again soon", "即将重启"),
    State.HELD_BACK: Text("HELD BACK", "已暂停重启"),
    State.STOPPED: Text("stopped", "已停止"),
    "silent": Text("SILENT", "无报告"),
    "nowhere": Text("RUNS NOWHERE", "无处运行"),
}
_TRADING = {
    TradingState.ACTIVE: Text("active", "正常"),
    TradingState.REDUCING: Text("reducing: sells only", "只减仓"),
    TradingState.HALTED: Text("HALTED", "已停止交易"),
}
_GATEWAY = {
    GatewayStatus.ARMED: Text("armed", "就绪"),
    GatewayStatus.OBSERVING: Text("observing", "观察中"),
}


class Command(BaseCommand):
    help = "Says what runs here. 显示运行状态。"
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="for programs 输出 JSON")
        add_language(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        # Asking must not make an empty database.
        exists = engine_of() is not Engine.SQLITE or database_file().exists()
        status = status_of(Path(settings.HOME), timezone.now(), exists)
        if options["json"]:
            self.stdout.write(json.dumps(plain(status), ensure_ascii=False, indent=1))
        else:
            _show(Output(self.stdout._out, options["lang"]), status)  # type: ignore[arg-type]
        if status.exit_code:
            sys.exit(status.exit_code)


def _show(output: Output, status: Status) -> None:
    output.say(_up(status))
    if status.processes:
        _show_processes(output, status)
    if status.problem:
        output.say(
            Text(
                f"The database cannot be read: {status.problem}. `python manage.py doctor` says what to do.",
                f"无法读取数据库：{status.problem}。请运行 `python manage.py doctor` 查看处理办法。",
            )
        )
    for account in status.accounts:
        _show_account(output, account)


def _show_processes(output: Output, status: Status) -> None:
    heads = [
        *(Text("process", "进程"), Text("state", "状态"), Text("since", "启动时间")),
        *(Text("restarts", "重启"), Text("why", "原因")),
    ]
    rows = [
        (
            one.name,
            output.word(_STATES.get(one.state, Text(one.state, one.state))),
            _clock(one.since),
            one.restarts,
            output.word(one.story) or None,
        )
        for one in status.processes
    ]
    output.table(heads, rows)


def _show_account(output: Output, account: AccountStatus) -> None:
    output.say(_account(account))
    for reason, symbols in account.holdings.without.items() if account.holdings else ():
        why, said = WORDS[reason], named(symbols)
        text = Text(f"  not protected, {why.en}: {said.en}", f"  未受保护（{why.zh}）：{said.zh}")
        output.say(text)
    late = Text("LATE", "超时")
    output.table(
        [Text("tick", "周期任务"), Text("last run", "最近运行"), Text("late", "是否超时")],
        [
            (
                output.word(tick.label),
                _clock(tick.started_at),
                output.word(late) if tick.is_late else None,
            )
            for tick in account.ticks
        ],
    )


def _up(status: Status) -> Text:
    if status.up is Up.NONE:
        if status.by_hand:
            said = ", ".join(status.by_hand)
            return Text(
                f"`up` does not run; started by hand: {said}.",
                f"`up` 未运行；手动启动的进程：{said}。",
            )
        return Text(
            "Nothing runs here: no holding is protected. Start `python manage.py up`.",
            "当前没有进程在运行，持仓不受保护。请运行 `python manage.py up`。",
        )
    if status.up is Up.HANGS:
        return Text(
            "`up` looks after nothing any more: end it and start it again.",
            "`up` 已无响应：请结束它并重新启动。",
        )
    age = Text("?", "?") if status.since is None else age_in_words(status.at - status.since)
    where = f" {status.web}" if status.web else ""
    return Text(f"`up` has run for {age.en}.{where}", f"`up` 已运行 {age.zh}。{where}")


def _account(one: AccountStatus) -> Text:
    gateway = _GATEWAY[one.gateway] if one.gateway_alive else Text("no gateway", "网关未运行")
    state = _TRADING[one.trading_state]
    if one.holdings is None:
        held = Text("holdings unknown: no quotes can be read", "持仓未知：无法读取行情")
    else:
        held = Text(
            f"{one.holdings.count} holdings, {one.unprotected} not protected",
            f"持仓 {one.holdings.count} 个，未受保护 {one.unprotected} 个",
        )
    return Text(
        f"{one.name} ({one.mode}): {state.en}, {gateway.en}, {held.en}.",
        f"{one.name}（{one.mode}）：{state.zh}，{gateway.zh}，{held.zh}。",
    )


def _clock(at: datetime | None) -> str | None:
    return None if at is None else f"{at.astimezone(CHINA):%m-%d %H:%M:%S}"
