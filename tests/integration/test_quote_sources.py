"""What the sources of quotes say is kept, shown, told and obeyed: from the feed to the page and to the order."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from monitoring import health
from monitoring.models import Finding
from monitoring.services.source_facts import source_facts
from tests.integration.test_health import House
from tests.tdx_server import TdxServer
from tests.unit.market_data.test_two_sources import Source
from trading.domain.source_health import FALLBACK, Condition
from trading.domain.types import CHINA, AccountMode, BookStatus, Level, Quote, Symbol
from trading.errors import GatewayUnavailable
from trading.management import background_feed
from trading.management.background_feed import BackgroundFeed
from trading.management.fallback import fallback_feeds
from trading.market_data.file_store import FileQuoteStore
from trading.market_data.pump import MarketData
from trading.market_data.shared_store import SharedQuotes
from trading.models import Account, MarketClock, TradingConfig, WatchedSymbol
from trading.ports import Feed
from trading.services import shared_quotes
from trading.services.clock import environment_of
from trading.services.quote_sources import overview, refused_since

pytestmark = [pytest.mark.system, pytest.mark.django_db]

BANK, OTHER = Symbol("600036.SH"), Symbol("000001.SZ")
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=CHINA)


def quote(last: str, at: datetime, symbol: Symbol = BANK) -> Quote:
    return Quote(symbol, at, Decimal(last), Decimal(10), status=BookStatus.CONTINUOUS)


class Noted:
    """Two sources, the real file store, and what they have said so far."""

    def __init__(self, home: Path) -> None:
        self.main, self.second = Source("xtquant"), Source(FALLBACK)
        self.store = SharedQuotes(FileQuoteStore(home / shared_quotes.FILE, writes=True), "")
        self.pump = MarketData([self.main, self.second], self.store)
        self.pump.subscribe([BANK, OTHER])
        self.now = NOW

    def step(self, main: str | None, second: str | None, times: int = 1) -> None:
        for _ in range(times):
            for source, last in ((self.main, main), (self.second, second)):
                source.next = [] if last is None else [quote(last, self.now)]
            self.pump.step(self.now, trading=True)
            self.now += timedelta(seconds=3)
        self.store.note(self.pump.said(self.now))


@pytest.fixture
def noted(tmp_path, settings, monkeypatch):
    settings.HOME = tmp_path
    monkeypatch.setattr(shared_quotes, "_of_thread", shared_quotes._OfThread())
    made = Noted(tmp_path)
    yield made
    made.store.close()
    shared_quotes._of_thread.file.close()


@pytest.fixture
def account(db) -> Account:
    account = Account.objects.create(name="one", broker_account_id="8800123456", mode="demo")
    TradingConfig.objects.create(account=account)
    WatchedSymbol.objects.create(account=account, symbol=BANK, added_at=NOW)
    WatchedSymbol.objects.create(account=account, symbol=OTHER, added_at=NOW)
    return account


def client_of(language: str = "en", *permissions: str) -> Client:
    user = get_user_model().objects.create_user(f"reader-{language}", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client(headers={"accept-language": language})
    client.force_login(user)
    return client


def the_market_is_at(now: datetime) -> None:
    MarketClock.objects.create(
        environment=environment_of(AccountMode.DEMO),
        base_real=timezone.now(),
        base_market=now,
        speed=Decimal(1),
    )


PAGE = "admin:trading_quotesource_changelist"


def test_what_was_said_is_read_as_it_was_said(noted):
    noted.step("10.00", "10.01", 3)
    noted.step("0", "10.02", 6)
    said = list(noted.pump.said(noted.now, everything=True))
    noted.store.note(said)
    read = shared_quotes.said_of_thread([BANK])
    assert read == sorted(said, key=lambda one: (one.symbol, one.rank))
    assert [one.refusals for one in read if one.symbol] == [{"no_price": 6}, {}]


def test_a_process_that_starts_again_forgets_what_was_said_before_and_its_own_stays(
    noted, tmp_path
):
    noted.step("10.00", "10.01")
    again = Noted(tmp_path)
    again.pump.subscribe([OTHER])
    again.step(None, None)
    assert {one.symbol for one in shared_quotes.said_of_thread([BANK, OTHER])} == {""}
    again.store.close()


def test_only_what_has_changed_is_written_again(noted):
    noted.step("10.00", "10.01")
    list(noted.pump.said(noted.now))
    assert {one.symbol for one in noted.pump.said(noted.now)} == {""}


@pytest.mark.usefixtures("account")
def test_a_page_of_many_symbols_costs_few_queries(noted, django_assert_max_num_queries):
    noted.step("10.00", "10.01")
    with django_assert_max_num_queries(10):
        found = overview(noted.now, AccountMode.DEMO)
    assert [one.symbol for one in found.symbols] == [OTHER, BANK]


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["Quotes by source", "taken: its quotes are new, in time and plausible",
                "not taken: 6 of 9 quotes are refused since 10:00:09: no last price yet, or suspended",
                "no price × 6", "10.02"]),
        ("zh-hans", ["行情源", "采用：行情及时、新鲜、合理", "9 笔中拒收 6 笔（自 10:00:09）：尚无最新价或停牌", "无最新价 × 6"]),
    ],
)  # fmt: skip
def test_the_page_says_who_serves_a_symbol_and_why(noted, language, expected):
    noted.step("10.00", "10.01", 3)
    noted.step("0", "10.02", 6)
    the_market_is_at(noted.now)
    response = client_of(language, "view_quotesource").get(reverse(PAGE), {"q": "600036"})
    text = response.content.decode().replace("&#x27;", "'")
    assert response.status_code == 200
    assert [one for one in expected if one not in text] == []


@pytest.mark.usefixtures("account", "noted")
def test_the_page_is_for_those_who_may_view_it_and_says_when_nothing_is_there():
    assert client_of("en").get(reverse(PAGE)).status_code == 403
    page = client_of("zh-hans", "view_quotesource").get(reverse(PAGE)).content.decode()
    assert "行情进程尚无记录" in page
    wrong = client_of("fr", "view_quotesource").get(reverse(PAGE), {"q": "nonsense", "p": "x"})
    assert wrong.status_code == 200
    assert "nonsense" in wrong.content.decode()


@pytest.mark.usefixtures("account")
def test_a_silent_market_data_process_is_said(noted):
    noted.step("10.00", "10.01")
    late = noted.now + timedelta(minutes=2)
    the_market_is_at(late)
    page = client_of("en", "view_quotesource").get(reverse(PAGE)).content.decode()
    assert "has noted nothing since 11-23 10:00:03" in page


@pytest.mark.usefixtures("account")
def test_the_command_says_the_same(noted, capsys):
    with pytest.raises(CommandError, match="noted nothing yet"):
        call_command("quotes")
    noted.step("10.00", "10.01", 3)
    noted.step("0", "10.02", 6)
    the_market_is_at(noted.now)
    call_command("quotes", "600036", lang="en")
    told = capsys.readouterr().out
    assert "* mootdx: 10.02" in told
    assert "not taken: 6 of 9 quotes are refused" in told
    call_command("quotes", lang="zh")
    told = capsys.readouterr().out
    assert "600036.SH" in told  # in trouble, so it is shown unasked
    with pytest.raises(CommandError, match="nonsense"):
        call_command("quotes", "nonsense")


def test_refused_quotes_are_published_unless_another_source_serves_the_symbol(noted):
    noted.step("10.00", None)
    noted.step("0", None, 6)
    assert refused_since([BANK, OTHER]) == {BANK: NOW + timedelta(seconds=3)}
    noted.step("0", "10.02", 3)
    assert refused_since([BANK]) == {}


def test_the_health_tick_hears_of_a_source_that_is_down_refused_or_stands_in(noted):
    noted.step("10.00", "10.01", 3)
    assert health._sources(source_facts([BANK])) is not None
    assert list(health._sources(source_facts([BANK]))) == []
    noted.step("0", "10.02", 6)
    told = {one.code: one for one in health._sources(source_facts([BANK]))}
    assert set(told) == {"QUOTES_REFUSED", "SOURCE_FILLS_IN"}
    assert (
        told["QUOTES_REFUSED"].text.zh
        == "行情源 xtquant 的行情被拒收：600036.SH；600036.SH：尚无最新价或停牌。"
    )
    assert told["SOURCE_FILLS_IN"].subject == FALLBACK
    noted.main.down = True
    noted.step(None, "10.02", 3)
    told = {one.code: one for one in health._sources(source_facts([BANK]))}
    assert told["SOURCE_DOWN"].text.en.endswith("calls failed: xtquant: nobody there.")
    assert {one.level for one in told.values()} == {health.Level.WARNING}


@pytest.mark.usefixtures("calendar")
def test_the_health_tick_publishes_that_the_quotes_of_a_holding_are_refused(noted, tmp_path):
    noted.step("10.00", None)
    noted.step("0", None, 6)
    house = House(tmp_path, NOW)
    house.look()
    told = {(row.code, row.subject): row for row in Finding.objects.all()}
    assert told["UNPROTECTED", "quote_refused"].text_en == (
        "Not protected, the quotes are refused as implausible: 600036.SH."
    )
    assert told["QUOTES_REFUSED", "xtquant"].level == "warning"
    noted.step("10.00", None, 30)
    for _ in range(3):  # over when it was not seen for a minute
        house.look()
    assert not {code for code, _ in Finding.objects.values_list("code", "subject")} & {
        "QUOTES_REFUSED"
    }


# --- a source in a thread of its own ------------------------------------------------------------


class Hanging(Feed):
    """It answers once and then never again, until it is let go."""

    def __init__(self) -> None:
        self.name, self.heartbeat = FALLBACK, 30
        self.let_go = threading.Event()
        self.asked = 0

    def subscribe(self, symbols: Iterable[Symbol]) -> None:
        pass

    def poll(self, now: datetime) -> Sequence[Quote]:
        self.asked += 1
        if self.asked > 1:
            self.let_go.wait(timeout=20)
        return [quote("10.01", now)]


def until(condition) -> None:
    """Wait for a thread, three seconds at most."""
    end = time.monotonic() + 3
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_second_source_that_hangs_never_holds_up_the_first(noted):
    hanging, at = Hanging(), 0.0
    background = BackgroundFeed(lambda: hanging, FALLBACK, period=0.01, clock=lambda: at)
    pump = MarketData([noted.main, background], noted.store)
    pump.subscribe([BANK])
    try:
        pump.step(NOW, trading=True)
        until(lambda: hanging.asked == 2)
        assert background.heartbeat == 30
        began = time.monotonic()
        for second in range(40):
            at = float(second)
            noted.main.next = [quote("10.00", NOW + timedelta(seconds=second))]
            assert pump.step(NOW + timedelta(seconds=second), trading=True) >= 1
        assert time.monotonic() - began < 1
        assert threading.active_count() < 20  # one thread, whatever happens
        said = {
            one.source: one for one in pump.said(NOW + timedelta(seconds=40)) if not one.symbol
        }
        assert said[FALLBACK].condition is Condition.DOWN
        assert said["xtquant"].condition is Condition.GOOD
    finally:
        hanging.let_go.set()
        background.close()


def test_a_second_source_that_breaks_in_any_way_is_opened_anew_and_says_why(monkeypatch):
    monkeypatch.setattr(background_feed, "LEFT_ALONE", 0.01)
    opened: list[Source] = []

    def open_feed() -> Feed:
        source = Source(FALLBACK)
        opened.append(source)
        if len(opened) < 3:
            raise KeyError("no server") if len(opened) == 1 else MemoryError("much too much")
        source.next = [quote("10.01", NOW)]
        return source

    background = BackgroundFeed(open_feed, FALLBACK, period=0.01)
    background.subscribe([BANK])
    found: list[Quote] = []
    problems: set[str] = set()

    def arrived() -> bool:
        try:
            found.extend(background.poll(NOW))
        except GatewayUnavailable as problem:
            problems.add(str(problem))
        return bool(found)

    until(arrived)
    background.close()
    assert found == [quote("10.01", NOW)]
    assert "mootdx: KeyError: 'no server'" in problems


def test_the_switch_plugs_the_real_mootdx_client_in_behind_the_terminal(
    noted, settings, monkeypatch
):
    monkeypatch.setattr(background_feed, "PERIOD", 0.05)
    monkeypatch.setattr("trading.market_data.mootdx_feed.OPEN", 0.05)
    settings.FALLBACK_QUOTES = "tdx"
    with pytest.raises(CommandError, match="expected one of: mootdx"):
        fallback_feeds()
    with TdxServer() as server:
        settings.FALLBACK_QUOTES = FALLBACK
        settings.MINIQMT_MOOTDX_SERVERS = [server.address]
        [feed] = fallback_feeds()
        pump = MarketData([noted.main, feed], noted.store)
        pump.subscribe([BANK, Symbol("920002.BJ")])
        reader = FileQuoteStore(Path(settings.HOME) / shared_quotes.FILE)
        now, end = NOW, time.monotonic() + 10
        try:
            while reader.fed(BANK).source != FALLBACK:
                assert time.monotonic() < end
                now += timedelta(seconds=3)
                shown = quote("10.01", now)
                server.show([replace(shown, bids=(Level(Decimal("10.01"), 1000),))])
                pump.step(now, trading=True)
                time.sleep(0.05)
        finally:
            feed.close()
    newest = reader.latest([BANK])[BANK]
    reader.close()
    assert newest.last == Decimal("10.01")
