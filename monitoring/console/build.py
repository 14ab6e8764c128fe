"""Builds the console's value from rows and quotes; the number of queries does not depend on how much there is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from django.conf import settings

from monitoring import health
from monitoring.console.curve import Curves, Point, curve_of
from monitoring.console.health import last_sign, processes, tick_starts, ticks_of
from monitoring.console.listings import TodaysRows
from monitoring.console.machines import with_machines
from monitoring.console.values import (
    AccountView,
    Console,
    GatewayView,
    HoldingView,
    ProcessView,
    SwitchView,
)
from monitoring.models import DayReport, Finding
from monitoring.run_file import read_run_file
from trading.domain import positions
from trading.domain.calendar import TradingCalendar, phase_at
from trading.domain.orders import OrderState
from trading.domain.protection import Protection, ProtectionReport
from trading.domain.types import (
    AccountMode,
    GatewayStatus,
    Quote,
    Side,
    Symbol,
    Text,
    TradingState,
)
from trading.errors import ConfigError, GatewayUnavailable
from trading.models import Account, TradingConfig
from trading.ports import QuoteReader
from trading.selectors import instruments_today, symbols_of_interest
from trading.services import config
from trading.services.calendar import load_calendar
from trading.services.clock import Clock, environment_of, market_at, read_clocks
from trading.services.config import Settings
from trading.services.protection import gateway_alive, gateway_heard_at, protection_reports
from trading.services.quote_sources import refused_since
from trading.services.quotes import CapturedQuotes
from trading.services.view import TickView

_NO_SETTINGS = Text("unprotected: no usable settings", "未受保护：没有可用的配置")
_DISABLED = Text("unprotected: the account is disabled", "未受保护：账户已停用")


def build(
    real: datetime, quotes: QuoteReader, home: Path, curves: Curves | None = None
) -> Console:
    """Read everything the page shows at a real time. `home`: the data directory, where `run.json` is.

    `curves`: those of the last look, so that they are read again only when there is a new point.

    Quotes that cannot be read are unknown quotes, the rest of the page is true all the same.
    """
    clocks, calendar, starts = read_clocks(), load_calendar(), tick_starts()
    captured, problem = [], False
    accounts = list(Account.objects.order_by("pk"))
    warnings = _warnings()
    for account in accounts:
        try:
            captured.append(_capture(symbols_of_interest(account.pk), quotes))
        except GatewayUnavailable:
            captured.append(CapturedQuotes({}, {}, {}))
            problem = True
    builders = [
        _AccountBuilder(account, clocks, calendar, known, real)
        for account, known in zip(accounts, captured, strict=True)
    ]
    befores = _previous_totals([(one.account, one.now.date()) for one in builders])
    points = (curves or Curves()).of((one.pk, one.now) for one in builders)
    return Console(
        taken_at=real,
        accounts=tuple(
            one.build(
                starts, warnings.get(one.pk, ()), points.get(one.pk, ()), befores.get(one.pk)
            )
            for one in builders
        ),
        processes=_processes(home, real),
        quotes_problem=problem,
    )


def _processes(home: Path, real: datetime) -> tuple[ProcessView, ...] | None:
    """Return those of this machine, and of others that share the database; None when nobody reports any."""
    here = processes(read_run_file(home), last_sign(home), real)
    found = with_machines(settings.MINIQMT_MACHINE, here or ())
    return None if here is None and not found else tuple(found)


def _warnings() -> Mapping[int, tuple[Text, ...]]:
    """Return the standing findings that are said again every day, by account; one query."""
    found: dict[int, tuple[Text, ...]] = {}
    for row in Finding.objects.filter(code__in=health.DAILY).order_by("code"):
        said = Text(row.text_en, row.text_zh)
        found[row.account_id] = (*found.get(row.account_id, ()), said)
    return found


def _previous_totals(accounts: Sequence[tuple[Account, date]]) -> Mapping[int, Decimal | None]:
    """Return each account's total at the close before its day. Once the day's own close is recorded in its row, the
    report of the day still knows the one before; one query for all of these.
    """
    found = {one.pk: one.previous_total for one, on in accounts if one.previous_total_on != on}
    closed = {one.pk: on for one, on in accounts if one.pk not in found}
    if closed:
        rows = DayReport.objects.filter(account__in=closed, on__in=set(closed.values()))
        for account_id, on, before in rows.values_list("account_id", "on", "equity_before"):
            if closed[account_id] == on:
                found[account_id] = before
    return found


def _capture(symbols: Iterable[Symbol], quotes: QuoteReader) -> CapturedQuotes:
    wanted = list(symbols)
    latest = dict(quotes.latest(wanted))
    return CapturedQuotes({}, latest, quotes.feeds(latest))


class _AccountBuilder:
    """One account on its own clock."""

    def __init__(
        self,
        account: Account,
        clocks: Mapping[str, Clock],
        calendar: TradingCalendar,
        quotes: QuoteReader,
        real: datetime,
    ) -> None:
        self._account, self._real = account, real
        self._clock = clocks.get(environment_of(AccountMode(account.mode)))
        now = market_at(self._clock, real)
        self._settings, self._problem = _settings(account.pk)
        # Nobody decides by the defaults: they only let the view be built where nothing valid is stored.
        known = self._settings or config.settings_of(TradingConfig())
        self._view = TickView(account.pk, known, now, phase_at(calendar, now), quotes, calendar)
        self._view.account = account  # read already
        self.account, self.pk, self.now = account, account.pk, now

    def build(
        self,
        starts: Mapping[str, datetime | None],
        warnings: tuple[Text, ...],
        points: Sequence[Point],
        before: Decimal | None,
    ) -> AccountView:
        account, view = self._account, self._view
        gateway = self._gateway()
        todays = TodaysRows(account, view.now)
        names = instruments_today({*view.rows, *todays.symbols()}, view.now)
        reports = protection_reports(view, gateway.is_alive, refused_since(view.rows))
        holdings = [
            self._holding(symbol, reports[symbol], names[symbol].name) for symbol in view.rows
        ]
        total = account.total_asset
        profit = None if total is None or before is None else total - before
        return AccountView(
            pk=account.pk,
            name=account.name,
            number=account.masked_number,
            mode=AccountMode(account.mode),
            is_enabled=account.enabled,
            clock=self._clock,
            phase=view.phase,
            trading_state=TradingState(account.trading_state),
            state_reason=_words(account.trading_state_reason),
            revision=None if self._settings is None else self._settings.revision,
            problem=self._problem,
            warnings=warnings,
            switches=_switches(self._settings),
            gateway=gateway,
            read_at=account.snapshot_at,
            total=total,
            cash=account.cash,
            market_value=account.market_value,
            day_profit=profit,
            day_ratio=profit / before if profit is not None and before else None,
            curve=curve_of(points, before),
            holdings=tuple(sorted(holdings, key=lambda holding: holding.is_protected)),
            ticks=tuple(ticks_of(account.pk, starts, view.calendar, view.now, self._real))
            if account.enabled
            else (),
            signals=todays.signals(names),
            denials=todays.denials(names),
            orders=todays.orders(names),
            fills=todays.fills(names),
            events=todays.events(),
            stands=account.standing,
        )

    def _gateway(self) -> GatewayView:
        account, status = self._account, GatewayStatus(self._account.gateway_status)
        heard_at = gateway_heard_at(account, self._clock)
        return GatewayView(
            status,
            _words(account.gateway_reason),
            gateway_alive(status, heard_at, self._real),
            heard_at,
        )

    def _holding(self, symbol: Symbol, report: ProtectionReport, name: str) -> HoldingView:
        view, row, value = self._view, self._view.rows[symbol], self._view.positions[symbol]
        quote, cost = view.latest(symbol), value.cost_for_decision
        last = _last(quote)
        report = self._true_of(report)
        gain = None if last is None or cost is None else last - cost
        return HoldingView(
            pk=row.pk,
            symbol=symbol,
            name=name,
            quantity=row.quantity,
            sellable=self._sellable(symbol),
            cost=cost,
            last=last,
            change=_change(quote),
            quote_at=None if quote is None else quote.time,
            fresh=view.fresh(symbol),
            profit=None if gain is None else gain * row.quantity,
            profit_ratio=None if gain is None or cost is None else gain / cost,
            high=value.high_since_entry or None,
            sale_kind=report.kind,
            sale_price=report.price,
            distance=(last - report.price) / last if last and report.price is not None else None,
            status=report.status,
            words=report.text,
        )

    def _true_of(self, report: ProtectionReport) -> ProtectionReport:
        """Return the report, but nothing would sell by settings that do not exist or for a disabled account."""
        if not self._account.enabled:
            return ProtectionReport(Protection.AUTO_OFF, report.kind, report.price, _DISABLED)
        if self._settings is None:
            return ProtectionReport(Protection.AUTO_OFF, None, None, _NO_SETTINGS)
        return report

    def _sellable(self, symbol: Symbol) -> int | None:
        view, row = self._view, self._view.rows[symbol]
        if row.broker_sellable is None:
            return None
        promised = sum(
            order.quantity - order.filled_quantity
            for order in view.orders
            if order.symbol == symbol
            and order.side == Side.SELL
            and OrderState(order.state).working
        )
        locked = view.locked(symbol)
        return positions.sellable(row.quantity, locked, True, row.broker_sellable, promised)


def _settings(account_id: int) -> tuple[Settings | None, Text | None]:
    try:
        settings = config.load(account_id)
    except ConfigError as problem:
        return None, config.explain(problem)
    return settings, settings.problem


def _switches(settings: Settings | None) -> tuple[SwitchView, ...]:
    if settings is None:
        return ()
    exits, risk = settings.exits, settings.risk
    return (
        SwitchView(Text("auto trading", "自动交易"), risk.auto_trading_enabled, True),
        SwitchView(Text("stop-loss", "止损"), exits.stop_loss_enabled, True),
        SwitchView(Text("take-profit", "止盈"), exits.take_profit_enabled, False),
        SwitchView(Text("sell monitor", "卖单监控"), settings.orders.sell_monitor_enabled, True),
        SwitchView(Text("selling", "允许卖出"), risk.sell_enabled, True),
        SwitchView(Text("buying", "允许买入"), risk.buy_enabled, False),
        SwitchView(Text("add-on buying", "补仓"), exits.add_on_enabled, False),
        SwitchView(Text("grid", "网格"), settings.grid_enabled, False),
        SwitchView(Text("strategy orders", "策略下单"), risk.strategy_execution_enabled, False),
    )


def _last(quote: Quote | None) -> Decimal | None:
    return quote.last if quote is not None and quote.last > 0 else None


def _change(quote: Quote | None) -> Decimal | None:
    last = _last(quote)
    if quote is None or last is None or quote.previous_close <= 0:
        return None
    return last / quote.previous_close - 1


def _words(reason: Mapping[str, str]) -> Text:
    return Text(reason.get("en", ""), reason.get("zh", ""))
