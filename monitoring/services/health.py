"""The health tick: gathers the facts of each account, decides, and tells what has changed: begun or over, once each."""

from __future__ import annotations

import logging
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction

from monitoring import health
from monitoring.alerts.silences import silences
from monitoring.backup_files import list_backups, newest_of, read_failure
from monitoring.models import Finding
from monitoring.run_file import held_back
from monitoring.services.silence_facts import silence_facts
from monitoring.services.source_facts import source_facts
from trading.domain.calendar import MarketPhase, TradingCalendar, phase_at
from trading.domain.orders import OrderState
from trading.domain.protection import Protection
from trading.domain.types import AccountMode, GatewayStatus, Symbol, Text
from trading.errors import GatewayUnavailable
from trading.models import Account, EventLevel, Order, TickLease
from trading.ports import QuoteReader
from trading.selectors import open_positions, symbols_of_interest
from trading.services import leases
from trading.services.calendar import disputed_days, load_calendar
from trading.services.clock import Clock, environment_of, read_clocks
from trading.services.config import Settings
from trading.services.events import journal, journal_once
from trading.services.failures import database_failed, tell_tick_failed
from trading.services.pace import pace_of
from trading.services.protection import protection_reports
from trading.services.quote_sources import refused_since
from trading.services.runner import TICKS, TickSpec, lease_name
from trading.services.tick import settings_and_problem
from trading.services.view import TickView

log = logging.getLogger(__name__)

LEASE = "health"
PERIOD = timedelta(seconds=30)
#: While every market is closed.
CLOSED_PERIOD = timedelta(minutes=10)
#: A finding is over when it was not seen for this long: what comes and goes is told once.
OVER_AFTER = timedelta(seconds=60)
#: Said by the strategy tick too, in the same words.
_SAID_ELSEWHERE = frozenset({"CONFIG_INVALID"})


@dataclass(frozen=True, slots=True)
class _Moment:
    """One account at one moment: real time, its market time, and how the two go together."""

    account: Account
    real: datetime
    clock: Clock
    calendar: TradingCalendar

    @property
    def now(self) -> datetime:
        return self.clock.market(self.real)

    @property
    def phase(self) -> MarketPhase:
        return phase_at(self.calendar, self.now)

    def before(self, real: timedelta) -> datetime:
        """Market time so much real time ago."""
        return self.clock.market(self.real - real)

    def age(self, at: datetime | None) -> timedelta | None:
        """Real time since a market time. Nights the clock jumped over do not count."""
        if at is None:
            return None
        return (self.now - max(at, self.clock.base_market)) / float(self.clock.speed)

    def traded_for(self, market: timedelta) -> bool:
        """Whether there was continuous trading now and so long ago."""
        return self.phase.continuous and phase_at(self.calendar, self.now - market).continuous

    def needs(self, spec: TickSpec, real: timedelta) -> bool:
        """Whether a tick was of use now and so much real time ago."""
        moments = (self.now, self.before(real))
        return all(spec.useful(phase_at(self.calendar, at), at) for at in moments)


@dataclass(frozen=True, slots=True)
class _Machine:
    """What is the same for every account."""

    free_bytes: int
    held_back: Sequence[str]
    backup_problem: Text | None
    backup_age: timedelta | None


def check_health(quotes: QuoteReader, clock: Callable[[], datetime], home: Path) -> int:
    """Look after every enabled account; returns how many findings have begun or ended. `clock` gives real time.

    The first look after a gap says nothing: whatever was away with this tick is on its way back.
    """
    real = clock()
    moments = _moments(real)
    is_open = any(moment.phase is not MarketPhase.CLOSED for moment in moments)
    period = PERIOD if is_open else CLOSED_PERIOD
    if not leases.is_due(LEASE, period, real):
        return 0
    machine = _Machine(
        shutil.disk_usage(home).free,
        held_back(home, real),
        read_failure(home),
        _backup_age(home, real),
    )
    found = []
    for moment in moments:
        try:
            findings = [
                *health.findings(_facts(moment, quotes, machine)),
                *_silences(moment, is_first=moment is moments[0]),
            ]
        except Exception as problem:
            if database_failed(problem):
                raise
            # One account's trouble must not hide what is wrong with the others.
            log.exception("the health of account %s cannot be told", moment.account.name)
            tell_tick_failed(moment.account.pk, LEASE, problem, moment.now)
        else:
            found.append((moment, findings))
    before = TickLease.objects.filter(name=LEASE).values_list("started_at", flat=True).first()
    with transaction.atomic():
        if not leases.claim(LEASE, period, clock()):
            return 0
        if before is None or real - before > 2 * period:
            return 0
        return sum(_tell(moment, findings) for moment, findings in found)


def _moments(real: datetime) -> list[_Moment]:
    clocks, calendar = read_clocks(), load_calendar()
    none = Clock(real, real)
    return [
        _Moment(
            account, real, clocks.get(environment_of(AccountMode(account.mode)), none), calendar
        )
        for account in Account.objects.filter(enabled=True).order_by("pk")
    ]


# --- facts ---


def _facts(moment: _Moment, quotes: QuoteReader, machine: _Machine) -> health.Facts:
    account = moment.account
    settings, problem = settings_and_problem(account.pk)
    return health.Facts(
        calendar=health.CalendarFacts(
            moment.now.date(),
            moment.calendar.known_until,
            disputed_days(moment.now.date()),
        ),
        ticks=_tick_facts(moment),
        gateway=_gateway_facts(moment),
        quotes=_quote_facts(moment, quotes),
        sources=_source_facts(moment),
        orders=_order_facts(moment),
        unprotected={} if settings is None else _unprotected(moment, settings, quotes),
        config_problem=problem,
        free_bytes=machine.free_bytes,
        held_back=machine.held_back,
        backup_problem=machine.backup_problem,
        backup_age=machine.backup_age,
    )


def _silences(moment: _Moment, *, is_first: bool) -> list[health.Finding]:
    facts = silence_facts(
        moment.account.pk, moment.now.date(), moment.real, moment.age, tells_of_alerts=is_first
    )
    found = silences(facts, moment.real)
    return [health.Finding(one.code, health.Level.ALARM, one.text) for one in found]


def _backup_age(home: Path, real: datetime) -> timedelta | None:
    newest = newest_of(list_backups(home, settings.SECRET_KEY))
    return None if newest is None else real - newest.note.made_at


def _tick_facts(moment: _Moment) -> list[health.TickFacts]:
    names = {lease_name(spec, moment.account.pk): spec for spec in TICKS.values()}
    started = dict(TickLease.objects.filter(name__in=names).values_list("name", "started_at"))
    facts = []
    for name, spec in names.items():
        at = started.get(name)
        period = pace_of(AccountMode(moment.account.mode)).period(spec.period)
        needed = moment.needs(spec, health.patience(period))
        age = None if at is None else moment.real - at
        facts.append(health.TickFacts(spec.name, period, age, needed))
    return facts


def _gateway_facts(moment: _Moment) -> health.GatewayFacts | None:
    account = moment.account
    opened = phase_at(moment.calendar, moment.before(health.GATEWAY_PATIENCE))
    is_needed = MarketPhase.CLOSED not in (moment.phase, opened)
    if not is_needed:
        return None
    reason = account.gateway_reason
    return health.GatewayFacts(
        GatewayStatus(account.gateway_status),
        Text(reason.get("en", ""), reason.get("zh", "")),
        moment.age(account.gateway_seen_at),
        moment.age(account.snapshot_at),
    )


def _quote_facts(moment: _Moment, quotes: QuoteReader) -> health.QuoteFacts:
    speed = float(moment.clock.speed)
    if not moment.traded_for(health.FEED_PATIENCE * speed):
        return health.QuoteFacts()
    symbols = [Symbol(row.symbol) for row in open_positions(moment.account.pk)]
    latest = quotes.latest(symbols)
    moving = [one for one in symbols if one not in latest or not latest[one].suspended]
    fed = [feed.at for feed in quotes.feeds(moving).values() if feed.at is not None]
    return health.QuoteFacts(
        feed_silent_for=moment.age(max(fed, default=None)),
        feed_needed=True,
        ages={one: moment.now - latest[one].time if one in latest else None for one in moving},
        quotes_needed=moment.traded_for(health.QUOTE_PATIENCE),
    )


def _source_facts(moment: _Moment) -> list[health.SourceFacts]:
    """What the sources of quotes say; nothing while none is expected, or the process that notes it has not begun."""
    if not moment.traded_for(health.FEED_PATIENCE * float(moment.clock.speed)):
        return []
    try:
        return source_facts(symbols_of_interest(moment.account.pk))
    except GatewayUnavailable:
        return []


def _order_facts(moment: _Moment) -> list[health.OrderFacts]:
    waiting = Order.objects.filter(
        account=moment.account, state__in=(OrderState.SUBMITTING, OrderState.UNKNOWN)
    )
    return [
        health.OrderFacts(
            order.client_order_id,
            order.symbol,
            OrderState(order.state),
            moment.age(order.claimed_at) or timedelta(0),
        )
        for order in waiting
    ]


def _unprotected(
    moment: _Moment, settings: Settings, quotes: QuoteReader
) -> Mapping[Protection, Sequence[Symbol]]:
    """Return the unprotected holdings by reason; the gateway's silence is a finding of its own."""
    found: dict[Protection, list[Symbol]] = defaultdict(list)
    if moment.phase is MarketPhase.CLOSED:
        return found
    view = TickView(moment.account.pk, settings, moment.now, moment.phase, quotes, moment.calendar)
    refused = refused_since(view.rows)
    for symbol, report in protection_reports(view, alive=True, refused=refused).items():
        if report.status is not Protection.PROTECTED:
            found[report.status].append(symbol)
    return found


# --- what has changed ---


def _tell(moment: _Moment, found: Sequence[health.Finding]) -> int:
    standing = {
        (row.code, row.subject): row for row in Finding.objects.filter(account=moment.account)
    }
    begun = [one for one in found if one.key not in standing]
    for one in begun:
        _begin(moment, one)
    seen = [standing[one.key].pk for one in found if one.key in standing]
    Finding.objects.filter(pk__in=seen).update(seen_at=moment.real)
    for one in found:
        if one.key in standing and one.code in health.DAILY:
            level = EventLevel(one.level.value)
            journal_once(moment.account.pk, level, one.code, one.text, moment.now)
    over = _over(moment, standing, found)
    for row in over:
        _end(moment, row)
    return len(begun) + len(over)


def _over(
    moment: _Moment,
    standing: Mapping[tuple[str, str], Finding],
    found: Iterable[health.Finding],
) -> list[Finding]:
    still = {one.key for one in found}
    gone = [row for key, row in standing.items() if key not in still]
    return [row for row in gone if moment.real - row.seen_at >= OVER_AFTER]


def _begin(moment: _Moment, one: health.Finding) -> None:
    account, level = moment.account, EventLevel(one.level.value)
    Finding.objects.create(
        account=account,
        code=one.code,
        subject=one.key[1],
        symbol=one.symbol,
        level=level,
        text_en=one.text.en,
        text_zh=one.text.zh,
        since=moment.now,
        seen_at=moment.real,
    )
    tell = journal_once if one.code in _SAID_ELSEWHERE else journal
    tell(account.pk, level, one.code, one.text, moment.now, symbol=one.symbol)


def _end(moment: _Moment, row: Finding) -> None:
    row.delete()
    text = Text(f"Over: {row.text_en}", f"已恢复：{row.text_zh}")
    code = f"{row.code}_OVER"
    journal(row.account_id, EventLevel.INFO, code, text, moment.now, symbol=row.symbol)
