"""`manage.py alerts`: tries a channel, lists alerts, and delivers what is due (the worker starts that by itself)."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from monitoring.alerts.channels import send_apart
from monitoring.alerts.collect import collect
from monitoring.alerts.deliver import deliver, file_unsent
from monitoring.alerts.messages import line_of, trial
from monitoring.models import Alert, AlertChannel
from monitoring.services.health import check_health
from trading.domain.types import Text
from trading.services.shared_quotes import quotes_of_thread


class Command(BaseCommand):
    help = "Alerts: try a channel, list, deliver. 告警：测试渠道、列出、发送。"

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        test = acts.add_parser("test", help="send a test message now 立即发送测试消息")
        test.add_argument("name", help="name of the channel 渠道名称")
        listed = acts.add_parser("list", help="the newest alerts 最近的告警")
        listed.add_argument("--most", type=int, default=30, help="how many 条数")
        acts.add_parser("channels", help="the channels 渠道")
        acts.add_parser("deliver", help="send what is due, then end 发送到期的告警后退出")
        acts.add_parser(
            "round", help="what the worker does: look, make alerts, send 检查、生成并发送一轮"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        acts = {
            "test": self._test,
            "list": self._list,
            "channels": self._channels,
            "deliver": self._deliver,
            "round": self._round,
        }
        acts[options["act"]](options)

    def _test(self, options: dict[str, Any]) -> None:
        name = options["name"]
        channel = AlertChannel.objects.filter(name=name).first()
        if channel is None:
            names = ", ".join(AlertChannel.objects.values_list("name", flat=True)) or "-"
            raise _problem(
                f"There is no channel {name}; there are: {names}.",
                f"没有名为 {name} 的渠道；现有：{names}。",
            )
        [answer] = send_apart(channel.url, [trial(channel.name, timezone.now())])
        if not answer.ok:
            raise _problem(f"Not sent: {answer.text}", f"发送失败：{answer.text}")
        self.stdout.write(f"{name}: sent 已送达. {answer.text}")

    def _list(self, options: dict[str, Any]) -> None:
        rows = Alert.objects.select_related("account").order_by("-made_at", "-pk")
        for alert in reversed(rows[: max(1, options["most"])]):
            self.stdout.write(line_of(alert))

    def _channels(self, options: dict[str, Any]) -> None:
        for one in AlertChannel.objects.order_by("name"):
            state = "on 启用" if one.enabled else "off 停用"
            problem = f" last problem 最近失败: {one.last_problem}" if one.last_problem else ""
            self.stdout.write(f"{one.name} {one.masked_url} {state}{problem}")

    def _deliver(self, options: dict[str, Any]) -> None:
        deliver(send_apart, timezone.now)

    def _round(self, options: dict[str, Any]) -> None:
        """In place of a worker that is away; whoever comes second finds nothing to do."""
        home = Path(settings.HOME)
        check_health(quotes_of_thread(), timezone.now, home)
        collect(timezone.now(), home)
        file_unsent(timezone.now(), home)
        deliver(send_apart, timezone.now)


def _problem(en: str, zh: str) -> CommandError:
    text = Text(en, zh)
    return CommandError(f"{text.en} {text.zh}")
