"""One day of one account for its report: what was booked, what was refused, what went wrong, who changed what.

A constant number of queries, each with an end; counted anew whenever somebody looks, so that a late fill is in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

from django.db.models import Count, Q, Sum

from monitoring.console.curve import CurveView, curve_of, read_points
from monitoring.console.deals import closes_of, read_sales
from monitoring.console.denial_words import meaning
from monitoring.console.listings import fill_view
from monitoring.console.record_filters import AccountNow
from monitoring.console.shadow_rows import ShadowRow, shadow_rows
from monitoring.console.values import EventView, FillView
from monitoring.models import Alert, DayReport, ShadowDay
from monitoring.results import RuleResult, by_rule, total_of
from trading.domain.calendar import TradingCalendar
from trading.domain.types import CHINA, ZERO, AccountMode, Side, Symbol, Text
from trading.models import (
    Account,
    BooksState,
    DayBooks,
    Denial,
    Event,
    EventLevel,
    Fill,
    Order,
    TradingConfig,
)
from trading.selectors import instruments_of
from trading.services import config
from trading.services.clock import Clock, environment_of, market_at, read_clocks

#: Rows of a list in a report; how many more there were is said.
FILLS, INCIDENTS, CHANGES = 1000, 300, 100
#: How the code of an event ends that tells that something is over: no warning, but a reader wants to know when.
_OVER = "_OVER"
#: The code of the alert that a process was started again (monitoring/alerts/sources.py).
_RESTARTED = "PROCESS_RESTARTED"


class Fees(NamedTuple):
    """What a day's fills cost, in yuan."""

    commission: Decimal
    stamp_duty: Decimal
    transfer_fee: Decimal

    @property
    def total(self) -> Decimal:
        return self.commission + self.stamp_duty + self.transfer_fee


class Refused(NamedTuple):
    """Denials of one code: how many there were, what the code means, and the newest one's own words."""

    code: str
    times: int
    means: Text
    newest: Text


class Changed(NamedTuple):
    """One change of the settings (market time), and what it changed: label, before, after."""

    at: datetime
    revision: int
    who: str
    why: str
    what: tuple[tuple[Any, Text, Text], ...]


class Restart(NamedTuple):
    """A process of the stack that ended and was started again (market time); it concerns every account."""

    at: datetime
    words: Text


class Held(NamedTuple):
    """A holding at the end of the day; yuan, None = not recorded."""

    symbol: str
    name: str
    quantity: int
    cost: Decimal | None
    close: Decimal | None
    value: Decimal | None


@dataclass(frozen=True, slots=True)
class DailyView:
    """One account's day. `report`: None while its books are open, or nobody made one. `more_…`: rows that are not here."""

    pk: int
    account: str
    number: str
    mode: AccountMode
    on: date
    is_session: bool
    report: DayReport | None
    books: DayBooks | None
    before: Decimal | None
    total: Decimal | None
    curve: CurveView | None
    orders: int
    fills: tuple[FillView, ...]
    more_fills: int
    bought: Decimal
    sold: Decimal
    fees: Fees
    rules: tuple[RuleResult, ...]
    realised: Decimal
    unknown: int
    complete: bool
    refused: tuple[Refused, ...]
    incidents: tuple[EventView, ...]
    more_incidents: int
    restarts: tuple[Restart, ...]
    changes: tuple[Changed, ...]
    held: tuple[Held, ...]
    shadow: tuple[ShadowRow, ...]

    @property
    def change(self) -> Decimal | None:
        return None if self.total is None or self.before is None else self.total - self.before

    @property
    def ratio(self) -> Decimal | None:
        change = self.change
        return change / self.before if change is not None and self.before else None

    @property
    def is_signed(self) -> bool:
        return self.books is not None and self.books.state in (
            BooksState.MATCHED,
            BooksState.EXPLAINED,
        )


def daily_view(account: AccountNow, on: date, calendar: TradingCalendar) -> DailyView:
    """Read one day of an account."""
    row = account.row
    report = DayReport.objects.filter(account=row, on=on).first()
    fills = Fill.objects.filter(account=row, trade_date=on)
    shown = list(fills.order_by("at", "pk")[:FILLS])
    sums = _sums(row.pk, on)
    sales = read_sales(row.pk, on, on)
    rules = by_rule(sales.rows, closes_of(row, sales.rows))
    held = report.positions if report is not None else []
    names = instruments_of({Symbol(one.symbol) for one in shown} | {Symbol(one["symbol"]) for one in held})  # fmt: skip
    window = _window(on, calendar)
    clock = read_clocks().get(environment_of(AccountMode(row.mode)))
    events = _incidents(row.pk, window)
    before, total = _totals(account, on, report)
    points = read_points({row.pk: (on, account.now)}).get(row.pk, [])
    return DailyView(
        pk=row.pk,
        account=row.name,
        number=row.masked_number,
        mode=AccountMode(row.mode),
        on=on,
        is_session=calendar.is_session(on),
        report=report,
        books=DayBooks.objects.filter(account=row, on=on).first(),
        before=before,
        total=total,
        curve=curve_of(points, before),
        orders=Order.objects.filter(account=row, trade_date=on).count(),
        fills=tuple(fill_view(one, names) for one in shown),
        more_fills=sums.times - len(shown),
        bought=sums.bought,
        sold=sums.sold,
        fees=sums.fees,
        rules=rules,
        realised=total_of(sales.rows),
        unknown=sum(rule.unknown for rule in rules),
        complete=sales.complete,
        refused=_refused(row.pk, window, row.mask),
        incidents=tuple(
            EventView(one.pk, one.at, one.level, one.code, one.symbol,
                      Text(row.mask(one.text_en), row.mask(one.text_zh)), one.actor)
            for one in events[:INCIDENTS]
        ),
        more_incidents=max(0, events.count() - INCIDENTS),
        restarts=_restarts(clock, window),
        changes=_changes(row.pk, clock, window),
        held=tuple(_held(one, names) for one in held),
        shadow=_shadow(row, on),
    )  # fmt: skip


def _shadow(account: Account, on: date) -> tuple[ShadowRow, ...]:
    if account.mode != AccountMode.SHADOW:
        return ()
    return tuple(shadow_rows(ShadowDay.objects.filter(account=account, on=on).first()))


class _Sums(NamedTuple):
    times: int
    bought: Decimal
    sold: Decimal
    fees: Fees


def _sums(account_id: int, on: date) -> _Sums:
    rows = Fill.objects.filter(account=account_id, trade_date=on).values("side")
    found = rows.annotate(
        count=Count("pk"), amounts=Sum("amount"),
        one=Sum("commission"), two=Sum("stamp_duty"), three=Sum("transfer_fee"),
    )  # fmt: skip
    by_side: Mapping[str, Mapping[str, Any]] = {row["side"]: row for row in found}

    def total(name: str, sides: Iterable[str] = (Side.BUY, Side.SELL)) -> Decimal:
        return sum((by_side[side][name] for side in sides if side in by_side), ZERO)

    return _Sums(
        times=sum(row["count"] for row in by_side.values()),
        bought=total("amounts", [Side.BUY]),
        sold=total("amounts", [Side.SELL]),
        fees=Fees(total("one"), total("two"), total("three")),
    )


def _window(on: date, calendar: TradingCalendar) -> tuple[datetime, datetime]:
    """From the midnight after the session before to the next one: a weekend belongs to the session after it."""
    before = calendar.previous_session(on) or on - timedelta(days=1)
    begin, end = (datetime.combine(day + timedelta(days=1), time(), CHINA) for day in (before, on))
    return begin, end


def _totals(
    account: AccountNow, on: date, report: DayReport | None
) -> tuple[Decimal | None, Decimal | None]:
    """Return the total at the previous close and at the end, or now while the day is not over."""
    if report is not None:
        return report.equity_before, report.equity
    row = account.row
    if on != account.on or row.previous_total_on == on:
        return None, None
    return row.previous_total, row.total_asset


def _refused(account_id: int, window: tuple[datetime, datetime], mask: Any) -> tuple[Refused, ...]:
    rows = Denial.objects.filter(account=account_id, at__gte=window[0], at__lt=window[1])
    counted = rows.values("code").annotate(count=Count("pk")).order_by("-count", "code")
    found = []
    for one in counted[:50]:  # there are not as many codes
        newest = rows.filter(code=one["code"]).order_by("-at", "-pk")[0]
        words = Text(mask(newest.text_en), mask(newest.text_zh))
        found.append(Refused(one["code"], one["count"], meaning(one["code"]), words))
    return tuple(found)


def _incidents(account_id: int, window: tuple[datetime, datetime]) -> Any:
    """Warnings and alarms, and the ends of what lasted: restarts and outages are among them."""
    rows = Event.objects.filter(account=account_id, at__gte=window[0], at__lt=window[1])
    loud = Q(level__in=[EventLevel.WARNING, EventLevel.ALARM]) | Q(code__endswith=_OVER)
    return rows.filter(loud).defer("detail").order_by("at", "pk")


def _restarts(clock: Clock | None, window: tuple[datetime, datetime]) -> tuple[Restart, ...]:
    """Return the restarts that were told of; they are kept in real time, the day is one of market time."""
    rows = Alert.objects.filter(code=_RESTARTED).order_by("-pk")[:CHANGES]
    found = []
    for row in reversed(rows):
        at = _market(clock, row.first_at)
        if at is not None and window[0] <= at < window[1]:
            found.append(Restart(at, Text(row.text_en, row.text_zh)))
    return tuple(found)


def _changes(
    account_id: int, clock: Clock | None, window: tuple[datetime, datetime]
) -> tuple[Changed, ...]:
    """Return what was changed in the settings; each version keeps real time, the day is one of market time."""
    rows = TradingConfig.history.filter(account_id=account_id).select_related("history_user")
    versions = list(rows.order_by("-history_id")[: CHANGES + 1])
    found = []
    for version, before in pairwise([*versions, None]):
        at = _market(clock, version.history_date)
        if before is not None and at is not None and window[0] <= at < window[1]:
            who = version.history_user
            found.append(
                Changed(at, version.revision, who.get_username() if who else "",
                        version.changed_why, _differences(before, version))
            )  # fmt: skip
    return tuple(reversed(found))


def _market(clock: Clock | None, real: datetime) -> datetime | None:
    """Return the market time of a real one; None before this clock was set: nobody knows that day."""
    return None if clock is not None and real < clock.base_real else market_at(clock, real)


def _differences(before: Any, after: Any) -> tuple[tuple[Any, Text, Text], ...]:
    found = []
    for name in config.setting_names():
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            label = getattr(TradingConfig._meta.get_field(name), "verbose_name", name)
            found.append((label, _shown(old), _shown(new)))
    return tuple(found)


def _shown(value: object) -> Text:
    if isinstance(value, bool):
        return Text("on", "开") if value else Text("off", "关")
    if value is None:
        return Text("empty", "空")
    text = str(value)
    if isinstance(value, list):
        text = " ".join(
            ":".join(map(str, pair)) if isinstance(pair, list) else str(pair) for pair in value
        )
    elif isinstance(value, Decimal) and "." in text:
        text = text.rstrip("0").rstrip(".")
    return Text(text, text)


def _held(row: Mapping[str, Any], names: Mapping[Symbol, Any]) -> Held:
    known = names.get(Symbol(row["symbol"]))
    amounts = [None if row[one] is None else Decimal(row[one]) for one in ("cost", "close", "value")]  # fmt: skip
    return Held(row["symbol"], known.name if known else "", row["quantity"], *amounts)


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One line of the list of reports: a session of an account."""

    report: DayReport
    books: str


def report_rows(
    after: date | None, most: int, accounts: Collection[int]
) -> tuple[Sequence[ReportRow], date | None]:
    """Return the newest reports of these accounts (keys) up to the session before `after`, whole sessions, and where to go on."""
    every = DayReport.objects.filter(account__in=accounts)
    days = every.order_by("-on").values_list("on", flat=True).distinct()
    if after is not None:
        days = days.filter(on__lt=after)
    wanted = list(days[: most + 1])
    shown = wanted[:most]
    reports = every.filter(on__in=shown).select_related("account")
    states = {(one.account_id, one.on): one.state for one in DayBooks.objects.filter(on__in=shown)}
    rows = [
        ReportRow(one, states.get((one.account_id, one.on), ""))
        for one in reports.order_by("-on", "account")
    ]
    return rows, shown[-1] if len(wanted) > most else None
