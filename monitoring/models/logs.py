"""What processes warned of, and how far their files were read."""

from __future__ import annotations

from django.db import models

from trading.models.fields import both


class LogLine(models.Model):
    """日志: what a process warned of, read from its file; old ones are forgotten (monitoring/care/retention.py)."""

    at = models.DateTimeField(both("time", "时间"), db_index=True)  # real time
    process = models.CharField(both("process", "进程"), max_length=64)
    level = models.CharField(
        both("level", "级别"),
        max_length=8,
        choices=[
            ("warning", both("warning", "警告")),
            ("error", both("error", "错误")),
            ("critical", both("critical", "严重")),
        ],
    )
    logger = models.CharField(both("logger", "记录器"), max_length=100)
    text = models.TextField(both("what was said", "内容"))
    trace = models.TextField(both("traceback", "调用栈"), blank=True)
    #: Of the worker's task it was said in.
    tick = models.CharField(both("tick", "任务编号"), max_length=36, blank=True, db_index=True)
    repeated = models.PositiveIntegerField(both("times repeated", "重复次数"), default=0)
    detail = models.JSONField(both("details", "详情"), default=dict, blank=True)

    class Meta:
        verbose_name = both("log line", "日志")
        verbose_name_plural = both("log lines", "日志")

    def __str__(self) -> str:
        return f"{self.process} {self.level} {self.text[:60]}"


class LogMark(models.Model):
    """How far a log file was read, in bytes; `identity` is the file's own, whatever it is called by now."""

    name = models.CharField(max_length=120, primary_key=True)
    identity = models.CharField(max_length=64)
    read_to = models.PositiveBigIntegerField()

    def __str__(self) -> str:
        return f"{self.name} {self.read_to}"
