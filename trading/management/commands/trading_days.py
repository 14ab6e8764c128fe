"""`manage.py trading_days [YEAR --closed DAYS… [--write]]`: how far the calendar goes, and a year more of it."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from trading.domain.calendar_year import CalendarYearError, days_of, parse_closed
from trading.management.people import actor_of
from trading.services.calendar import disputed_days, load_calendar
from trading.services.calendar_year import add_year

_WEEKDAYS = "一二三四五六日"


class Command(BaseCommand):
    help = "Shows how far the trading days are known, and adds a year of them. 查看交易日历，补充一年。"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("year", nargs="?", type=int, help="the year to add 要补充的年份")
        parser.add_argument(
            "--closed",
            nargs="+",
            default=[],
            metavar="DAYS",
            help="closed weekdays of the exchanges' notice: 2027-01-01 2027-02-05..2027-02-11 休市日或区间",
        )
        parser.add_argument(
            "--write",
            action="store_true",
            help="add them; without, they are only shown 写入（默认只预览）",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["year"] is None:
            self._show(timezone.localdate())
            return
        words = [one for word in options["closed"] for one in re.split(r"[,，\s]+", word) if one]
        try:
            self._add(options["year"], words, write=options["write"])
        except CalendarYearError as problem:
            raise CommandError(f"{problem.text.en} {problem.text.zh}") from None

    def _show(self, today: date) -> None:
        calendar = load_calendar()
        self.stdout.write(
            f"Trading days are known from {calendar.known_from} until {calendar.known_until}."
            f" 交易日历：{calendar.known_from} 至 {calendar.known_until}。"
        )
        for day in disputed_days(today):
            self.stdout.write(
                f"{day}: calendar and terminal disagree; decide it under Trading days in the admin."
                f" {day}：日历与终端不一致，请在管理后台“交易日历”中确定。"
            )

    def _add(self, year: int, words: list[str], *, write: bool) -> None:
        if not 2005 <= year <= 2100:
            raise CommandError(
                f"YEAR: {year} is no year to add; name one from 2005 to 2100. 年份应为 2005 至 2100。"
            )
        closed = parse_closed(words, year)
        days = days_of(year, closed)
        self.stdout.write(
            f"{year}: {sum(days.values())} sessions, closed on {len(closed)} weekdays:"
            f" 交易日 {sum(days.values())} 个，工作日休市 {len(closed)} 天："
        )
        for day in sorted(closed):
            self.stdout.write(f"  {day} {day:%a} 周{_WEEKDAYS[day.weekday()]}")
        if not write:
            self.stdout.write(
                "Nothing was written: compare this with the notice, then add --write."
                " 尚未写入：请与交易所通知核对后加上 --write。"
            )
            return
        added = add_year(days, actor_of("trading_days"))
        self.stdout.write(
            f"{added.days} days were added; processes that run begin anew with them within a minute."
            f" 已补充 {added.days} 天；正在运行的进程将在一分钟内按新日历重新启动。"
        )
        for day in added.differing:
            self.stdout.write(
                f"{day} was known and says otherwise; it stays as it was. {day} 已有记录且不一致，保持不变。"
            )
