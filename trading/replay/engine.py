"""The replay: one thread, a virtual clock, the twin, and the very services that trade live.

Market time advances second by second. In each second, in this order: the exchange and the feed get the quotes whose
time has come; the gateway steps; then the ticks that are due (sync every 10 s, strategy every 5 s, orders every 2 s,
at whole seconds of market time); then gateway and terminal take turns until nothing is left to say.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from trading.broker.gateway import Gateway
from trading.broker.qmt import QmtBroker
from trading.domain.calendar import TradingCalendar, books_closed, phase_at
from trading.domain.instruments import Instrument as InstrumentValue
from trading.domain.types import CHINA, AccountMode, CorporateAction, Quote, SignalState, Symbol
from trading.market_data.pump import MarketData
from trading.market_data.sources import Recording
from trading.market_data.store import MemoryQuoteStore
from trading.market_data.xtquant_feed import XtQuantFeed
from trading.models import Account, Close, Instrument, Order, Signal, TradingConfig
from trading.models import CorporateAction as CorporateActionRow
from trading.models.prepared import Prepared
from trading.paper import transport, xtdata, xttrader, xttype
from trading.paper.exchange import Exchange
from trading.paper.records import Trade
from trading.paper.terminal import Terminal
from trading.replay.guests import guests
from trading.selectors import instruments_of
from trading.services import config
from trading.services.accounts import fee_schedule
from trading.services.calendar import load_calendar
from trading.services.clock import environment_of
from trading.services.desk import AccountDesk
from trading.services.orders_tick import orders_tick
from trading.services.pricing import limits_by_rule
from trading.services.runner import plugged_in
from trading.services.sync import ASK_AFTER, sync_tick
from trading.services.tick import strategy_tick

SYNC, STRATEGY, ORDERS = 10, 5, 2  # periods of the ticks in seconds of market time
#: Enough turns of gateway and terminal within one second; more would be a conversation without an end.
TURNS = 50
SECOND = timedelta(seconds=1)
BROKER_ACCOUNT = "8800000001"
#: Where the clock starts on a day and where it stops: the books close at 15:35.
DAY_STARTS, DAY_ENDS = time(9, 14, 50), time(15, 35, 20)
_names = itertools.count()


@dataclass(frozen=True, slots=True)
class Seed:
    """A holding at the start, bought the session before: `quantity` shares at `cost` yuan."""

    symbol: Symbol
    quantity: int
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Options:
    """What a replay starts from. `skip`: leave out ticks that nothing can use (the result is the same)."""

    seeds: Sequence[Seed] = ()
    cash: Decimal = Decimal(1_000_000)
    settings: dict[str, str] = field(default_factory=dict)
    corporate_actions: Sequence[CorporateAction] = ()
    skip: bool = True
    #: What was asked of other apps, by their key (`guests.py`).
    guests: Mapping[str, Sequence[str]] = field(default_factory=dict)


Progress = Callable[[datetime, int, int], None]


class Replay:
    """One replay over recordings, on the current (fresh) database. After `run`, the rows tell the story."""

    def __init__(self, recordings: Sequence[Recording], options: Options) -> None:
        self.recordings, self.options = recordings, options
        self.calendar: TradingCalendar = load_calendar()
        self._first = min(on for recording in recordings for on in recording.sessions)
        self.account = _create_account(options)
        symbols = sorted(
            {s for r in recordings for s in r.symbols} | {seed.symbol for seed in options.seeds}
        )
        self.exchange = Exchange(self.calendar, dict(_instruments(symbols)))
        self.store = MemoryQuoteStore()
        self._address = f"memory://replay-{next(_names)}"
        self._terminal = Terminal(self.exchange)
        self._seed()
        transport.serve_in_process(self._address, self._terminal)
        heartbeat = max((recording.heartbeat for recording in recordings), default=10)
        feed = XtQuantFeed(xtdata.connect_to(self._address), heartbeat=heartbeat)
        self.market_data = MarketData([feed], self.store, limits_by_rule(self.calendar))
        self.market_data.subscribe(symbols)
        self._broker = QmtBroker(xttrader, xttype, self._address, 100, BROKER_ACCOUNT)
        self.gateway = Gateway(
            self._broker, AccountDesk(self.account.pk, self.store, self.calendar)
        )
        self._new_quotes, self._orders_moved = False, True
        self._to_watch = self._to_look_after = True
        self._waiting = {one.key: (one, options.guests.get(one.key, ())) for one in guests()}
        self._open: tuple[int, int] | None = None
        self.ticks = 0
        #: The exchange's own, which it forgets when a new session starts.
        self.trades: list[Trade] = []

    def run(
        self, progress: Progress | None = None, until: Callable[[datetime], bool] | None = None
    ) -> None:
        """Play every session of the recordings, from before its opening auction to the close of its books.

        `until` is asked after every second and ends the replay there, books open.
        """
        quotes = sorted(
            (quote for recording in self.recordings for quote in recording.quotes()),
            key=lambda quote: quote.time,
        )
        total = len(quotes)
        done, stopped = 0, False
        for on, of_day in itertools.groupby(
            quotes, key=lambda quote: quote.time.astimezone(CHINA).date()
        ):
            day = list(of_day)
            self._record_closes(on, day)
            for now, batch in _seconds(on, day):
                done += len(batch)
                self._second(now, batch)
                if progress is not None and now.second == 0:
                    progress(now, done, total)
                stopped = until is not None and until(now)
                if stopped:
                    break
            self.trades += self.exchange.account(BROKER_ACCOUNT).trades
            if stopped:
                break
        self.gateway.close(
            datetime.combine(quotes[-1].time.astimezone(CHINA).date(), DAY_ENDS, CHINA)
        )
        transport.forget(self._address)

    # -- one second

    def _second(self, now: datetime, batch: Sequence[Quote]) -> None:
        self._show(now, batch)
        self._converse(now)
        second = now.hour * 3600 + now.minute * 60 + now.second
        if second % SYNC == 0 and self._may_sync(now):
            sync_tick(self.account.pk, now, self.store, self.calendar)
        if second % STRATEGY == 0:
            self._decide(now)
        if second % ORDERS == 0 and self._may_watch(now):
            before = self._open_orders()
            self._to_watch, self._open = False, None
            orders_tick(self.account.pk, now, self.store, self.calendar, self._nudge)
            if self._open_orders() != before:
                self._moved()  # a chain ended: its rule may decide anew
        self._converse(now)

    def _decide(self, now: datetime) -> None:
        """Run the strategy tick and those of other apps; outside trading theirs still look after what ended."""
        decides = self._may_decide(now)
        if decides:
            self._begin_guests(now)
            strategy_tick(self.account.pk, now, self.store, self.calendar, self._nudge)
        if decides or self._to_look_after:
            self._to_look_after = False
            for spec in plugged_in():
                spec.run(self.account.pk, now, self.store, self.calendar, self._nudge)
        if decides:
            self._new_quotes = self._orders_moved = False
            self._open = None
            self.ticks += 1

    def _begin_guests(self, now: datetime) -> None:
        for key, (guest, texts) in self._waiting.items():
            if texts:
                self._waiting[key] = guest, guest.begin(self, texts, now)

    def _show(self, now: datetime, batch: Sequence[Quote]) -> None:
        """Hand quotes to the exchange one snapshot of a symbol at a time, so that the feed sees each of them."""
        shown: set[Symbol] = set()
        part: list[Quote] = []
        for quote in batch:
            if quote.symbol in shown:
                self._terminal.feed(part)
                self._terminal.step(part[-1].time)
                shown, part = set(), []
            shown.add(quote.symbol)
            part.append(quote)
        if part:
            self._terminal.feed(part)
        self._terminal.step(now)
        if batch and self.market_data.step(now):
            self._new_quotes = True

    def _converse(self, now: datetime) -> None:
        for _ in range(TURNS):
            if self.options.skip and not self.gateway.due(now):
                return
            if self.gateway.step(now):
                self._moved()
            self._terminal.step(now)
            if not self._broker.pending:
                return
        raise RuntimeError(f"gateway and terminal did not come to an end at {now}")

    # -- may a tick be left out? Only when nothing it reads has changed and no deadline of its own passes.

    def _may_sync(self, now: datetime) -> bool:
        taken_at = self.gateway.snapshot_at
        return (
            not self.options.skip
            or books_closed(now)
            or taken_at is None
            or now - taken_at >= ASK_AFTER
        )

    def _may_decide(self, now: datetime) -> bool:
        if not self.options.skip:
            return True
        if not phase_at(self.calendar, now).continuous:
            return (
                False  # it would not look; the quotes of before wait for the first tick that does
            )
        return self._new_quotes or self._orders_moved or self._open_signals()

    def _may_watch(self, now: datetime) -> bool:
        if not self.options.skip:
            return True
        # Timeouts and re-orders belong to continuous trading; ends and cancels are told, whenever they come.
        told = self._to_watch or books_closed(now) or phase_at(self.calendar, now).continuous
        return (told and self._open_orders() > 0) or self._open_signals()

    def _open_orders(self) -> int:
        return self._count()[0]

    def _open_signals(self) -> bool:
        return self._count()[1] > 0

    def _count(self) -> tuple[int, int]:
        """Return how many chains and signals are open; read again only after something moved."""
        if self._open is None:
            account = self.account.pk
            self._open = len(_OPEN_ORDERS(account)), len(_OPEN_SIGNALS(account))
        return self._open

    def _moved(self) -> None:
        self._orders_moved = self._to_watch = self._to_look_after = True
        self._open = None

    def _nudge(self, account_id: int) -> None:
        self._moved()
        self.gateway.nudge()

    # -- the start

    def _seed(self) -> None:
        self.exchange.open_account(BROKER_ACCOUNT, self.options.cash, fee_schedule(self.account))
        first = self._first
        before = self.calendar.previous_session(first) or first - timedelta(days=1)
        self.exchange.advance(datetime.combine(before, time(15, 40), CHINA))
        for seed in self.options.seeds:
            self.exchange.seed_position(
                BROKER_ACCOUNT, seed.symbol, seed.quantity, seed.cost, before
            )
        for action in self.options.corporate_actions:
            self.exchange.corporate_action(action)
            CorporateActionRow.objects.create(
                symbol=action.symbol,
                on=action.on,
                factor=action.factor,
                share_ratio=action.share_ratio,
                cash_per_share=action.cash_per_share,
                note=action.note,
            )

    def _record_closes(self, on: date, day: Sequence[Quote]) -> None:
        """On the first day nobody recorded yesterday's closes: they are what the exchange says, before any ex-rights."""
        before = self.calendar.previous_session(on)
        environment = environment_of(AccountMode(self.account.mode))
        if before is None or Close.objects.filter(environment=environment, on=before).exists():
            return
        factors = {
            action.symbol: action.factor
            for action in self.options.corporate_actions
            if action.on == on
        }
        closes: dict[Symbol, Decimal] = {}
        for quote in day:
            closes.setdefault(
                quote.symbol, quote.previous_close / factors.get(quote.symbol, Decimal(1))
            )
        unit = Decimal("0.0001")
        Close.objects.bulk_create(
            Close(environment=environment, symbol=symbol, on=before, close=close.quantize(unit))
            for symbol, close in closes.items()
            if close > 0
        )
        if before == self.calendar.previous_session(self._first):
            self._record_total(before, closes)

    def _record_total(self, before: date, closes: Mapping[Symbol, Decimal]) -> None:
        """What the account was worth the session before: without it nobody knows the day's loss, and buys are denied."""
        held = sum(
            seed.quantity * (closes.get(seed.symbol) or seed.cost) for seed in self.options.seeds
        )
        Account.objects.filter(pk=self.account.pk).update(
            previous_total=(self.options.cash + held).quantize(Decimal("0.0001")),
            previous_total_on=before,
        )


_OPEN_ORDERS = Prepared(
    lambda account: Order.objects.filter(account_id=account, chain_settled=False).values_list("pk")
)
_OPEN_SIGNALS = Prepared(
    lambda account: Signal.objects.filter(
        account_id=account, state=SignalState.PENDING
    ).values_list("pk")
)


def _create_account(options: Options) -> Account:
    account = Account.objects.create(
        name="replay", broker_account_id=BROKER_ACCOUNT, mode=AccountMode.DEMO
    )
    TradingConfig.objects.create(account=account, auto_trading_enabled=True)
    if options.settings:
        config.change(account.pk, options.settings, actor=None, why="replay options")
    return account


def _instruments(symbols: Sequence[Symbol]) -> Iterator[tuple[Symbol, InstrumentValue]]:
    for symbol, instrument in instruments_of(symbols).items():
        Instrument.objects.create(
            symbol=symbol,
            name=instrument.name,
            board=instrument.board,
            category=instrument.category,
            settlement=instrument.settlement,
            special_treatment=instrument.special_treatment,
            index_board=instrument.index_board or "",
        )
        yield symbol, instrument


def _seconds(on: date, day: Sequence[Quote]) -> Iterator[tuple[datetime, list[Quote]]]:
    """Yield each second of a day with the quotes that arrived in it; quotes from before the start come with the first."""
    now, end = datetime.combine(on, DAY_STARTS, CHINA), datetime.combine(on, DAY_ENDS, CHINA)
    at = 0
    while now <= end:
        start = at
        while at < len(day) and day[at].time <= now:
            at += 1
        yield now, list(day[start:at])
        now += SECOND
