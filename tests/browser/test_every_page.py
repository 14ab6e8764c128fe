"""Every page of the console in a real browser: both languages, desk and phone, and what people do most, in three clicks.

One house, one server and one browser serve all tests of this file. The pages come from the URL configuration: a new one
fails the first test until it has a line in `PAGES`. With MINIQMT_SCREENSHOTS each page is kept there as a picture.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.urls import URLPattern, reverse

from grid.models import GridSession
from monitoring.urls import urlpatterns
from tests.browser.chromium import Page, chromium, installed
from tests.browser.server import web_server
from tests.browser.whole_house import GRID, HOSTILE, SCRIPT, TURNED, House, whole_house
from trading.models import TradingConfig

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(installed() is None, reason="no Chromium is installed here"),
    # The server lives through all tests here, and each begins with the filters anew: see `web_server`.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous"),
]

#: Addresses that no person looks at, and why.
NO_PAGES = {
    "console-board": "a part of the overview",
    "console-stream": "what the overview listens to",
    "alerts-acknowledge": "what a button sends",
    "backups-make": "what a button sends",
    "logout": "what a button sends",
    "alive": "for programs",
    "ready": "for programs",
    "metrics": "for programs",
}


def _at(name: str, *fields: str, query: str = "") -> Callable[[House], str]:
    """An address by its name; fields name what the house has, or stand for themselves."""
    return lambda house: reverse(name, args=[getattr(house, one, one) for one in fields]) + query


#: Each page: its address in the house, its main heading in Chinese, and what else must stand there in Chinese.
PAGES: dict[str, tuple[Callable[[House], str], str, tuple[str, ...]]] = {
    "console": (_at("console"), "总览", ("持仓", "今日委托", "今日成交", "今日信号", "今日风控拒绝", "定时检查")),
    "orders": (_at("orders"), "委托与成交", ("查询", "今日")),
    "signals": (_at("signals"), "信号", ("查询", "可用资金不足以支付买入金额及费用")),
    "holding": (_at("holding", "holding"), "招商银行", ("受保护", "止损价", "以表格显示")),
    "trade": (_at("trade"), "交易", ("自选列表", "网格会话", "最近确认的操作")),
    "act": (_at("act", "sell", "holding"), "卖出", ("返回，不做更改",)),
    "act-done": (_at("act-done", "token"), "已提交的操作", ("没有可撤销的委托。",)),
    "configuration": (_at("configuration"), "配置", ("最近变更", "止损", "查看变更")),
    "configuration-history": (_at("configuration-history", "account"), "配置变更历史", ("版本", "操作者", "变更内容")),
    "configuration-compare": (_at("configuration-compare", "account", query="?one=1&two=2"), "版本", ("变更历史",)),
    "configuration-back": (_at("configuration-back", "account", "first_version"), "回滚到第", ("本次变更的原因",)),
    "going-live": (_at("going-live"), "上线路径", ("当前阶段", "限额实盘")),
    "going-live-path": (_at("going-live-path", "capped"), "上线路径", ("影子与市场对照", "下一步", "退回", "单笔上限")),
    "going-live-caps": (_at("going-live-caps", "capped"), "实盘上限", ("您的密码", "返回，不做更改")),
    "grids": (_at("grids"), "网格", ("启动网格", "已用额度")),
    "grid-start": (_at("grid-start", query=f"?symbol={GRID}"), "启动网格", ()),
    "grid": (_at("grid", "grid"), "黄金ETF", ("全部网格", "停止")),
    "me": (_at("me"), "个人设置", ("语言", "主题", "保存")),
    "results": (_at("results"), "收益", ()),
    "reports": (_at("reports"), "日报", ("盈亏（已扣费用）", "对账")),
    "report": (_at("report", "2023-02-01"), "日报", ()),
    "alerts": (_at("alerts"), "告警", ("查询",)),
    "backups": (_at("backups"), "备份", ("立即备份", "验证")),
    "logs": (_at("logs"), "日志", ("查询", "按进程")),
    "second-factor": (_at("second-factor"), "第二验证因素", ("您的密码",)),
    "confirm": (_at("confirm"), "确认身份", ("您的密码",)),
    "login": (_at("login"), "登录", ()),
}  # fmt: skip

#: What a page of these must show as it was written: the name of a symbol, a note, a reason.
WRITTEN = {
    "console": HOSTILE,
    "orders": HOSTILE,
    "signals": HOSTILE,
    "trade": TURNED,
    "configuration": HOSTILE,
    "configuration-history": HOSTILE,
    "going-live-path": HOSTILE,
    "report": HOSTILE,
    "alerts": SCRIPT,
    "logs": HOSTILE,
}

#: What is wrong with how the page stands in this window.
_FAULTS = r"""(() => {
  const faults = [];
  const seen = (one) => one.checkVisibility({visibilityProperty: true}) && one.getClientRects().length > 0;
  const every = (css) => [...document.querySelectorAll(css)].filter(seen);
  const what = (one) => one.outerHTML.slice(0, 110);
  const name = (one) => [one.textContent, one.getAttribute('aria-label'), one.title].join(' ').trim();
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) {
    const widest = every('body *').find((one) => one.getBoundingClientRect().right > innerWidth + 1);
    faults.push(`${wide} px wide: ${widest ? what(widest) : ''}`);
  }
  if (!document.title.trim()) faults.push('no title');
  if (document.querySelectorAll('h1').length !== 1) faults.push('not one h1');
  if (document.querySelectorAll('main').length !== 1) faults.push('not one main');
  every('input:not([type=hidden]), select, textarea').forEach((one) => {
    if (![...one.labels].some((label) => label.textContent.trim()) && !one.getAttribute('aria-label')) faults.push(`no label: ${what(one)}`);
  });
  every('a, button, summary').forEach((one) => {
    if (!name(one)) faults.push(`no name: ${what(one)}`);
    if (one.tabIndex < 0 || (one.tagName === 'A' && !one.hasAttribute('href'))) faults.push(`not by keyboard: ${what(one)}`);
  });
  every('[data-sort], [onclick]').forEach((one) => { if (one.tabIndex < 0) faults.push(`not by keyboard: ${what(one)}`); });
  if (innerWidth < 500) every('button, nav a, a.button, .acts a, input:not([type=checkbox]):not([type=radio]), select').forEach((one) => {
    if (one.getBoundingClientRect().height < 32) faults.push(`small for a finger: ${what(one)}`);
  });
  if (document.querySelector('header.top') && !document.querySelector('a[href], button')?.matches('.skip[href="#content"]')) faults.push('the first stop is not the way to the content');
  // Contrast (WCAG 2.2 AA) of every word as it is drawn, on the first ground behind it that is not transparent.
  const parts = (colour) => colour.match(/[\d.]+/g).map(Number);
  const light = (colour) => {
    const [red, green, blue] = parts(colour).slice(0, 3).map((one) => (one /= 255) <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ground = (one) => {
    for (; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor, [, , , alpha = 1] = parts(colour);
      if (alpha === 1) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), told = new Set();
  for (let node; (node = walker.nextNode()); ) {
    const one = node.parentElement, style = getComputedStyle(one), size = parseFloat(style.fontSize);
    if (!node.data.trim() || !seen(one) || !size || one.closest('script, .aside, :disabled, .chart, .changed')) continue;
    const [high, low] = [light(style.color), light(ground(one))].sort((a, b) => b - a), found = (high + 0.05) / (low + 0.05);
    const least = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
    if (found < least && !told.has(style.color)) {
      told.add(style.color);
      faults.push(`contrast ${found.toFixed(2)} of ${style.color} on ${ground(one)}: ${what(one)}`);
    }
  }
  const ids = [...document.querySelectorAll('[id]')].map((one) => one.id);
  ids.filter((one, place) => ids.indexOf(one) !== place).forEach((one) => faults.push(`twice: #${one}`));
  if (document.querySelector('script:not([src]):not([type="application/json"]), img[src=x], [style]:not(.chart *)') || typeof hacked !== 'undefined') faults.push('markup from outside');
  return faults;
})()"""

#: Lines of the page with five English words in a row.
_ENGLISH = """(() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  for (let node; (node = walker.nextNode()); ) {
    if (/[A-Za-z]{2,}( [A-Za-z]{1,}[,;:.]?){4,}/.test(node.data)) found.push(node.data.trim());
  }
  return found;
})()"""
TEXT = "document.body.textContent"
HEADING = "document.querySelector('h1')?.textContent.trim()"


@pytest.fixture(scope="module")
def db(django_db_setup, django_db_blocker) -> Iterator[None]:
    """The test database, for all tests of this file together: nothing is emptied between them."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture(scope="module")
def house(db, _calendar_rows, tmp_path_factory) -> Iterator[House]:
    with whole_house(tmp_path_factory.mktemp("house"), _calendar_rows) as house:
        yield house


@pytest.fixture(scope="module")
def seat(house) -> Iterator[tuple[Page, str]]:
    """The browser, logged in, and the address of the console."""
    with web_server() as web, chromium() as page:
        page.cookie(web.url, "sessionid", house.client.cookies["sessionid"].value)
        yield page, web.url


@pytest.fixture
def page(seat: tuple[Page, str], house: House) -> Page:
    """The overview in Chinese, on a desk."""
    page, url = seat
    page.cookie(url, "sessionid", house.client.cookies["sessionid"].value)
    page.cookie(url, "django_language", "zh-hans")
    page.size(1280, 800)
    page.open(url)
    return page


def test_every_address_of_the_console_is_a_page_here_or_has_a_reason_not_to_be():
    names = {one.name for one in urlpatterns if isinstance(one, URLPattern)}
    assert names == PAGES.keys() | NO_PAGES.keys()


@pytest.mark.parametrize("language", ["zh-hans", "en"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole(seat, house, name, language):
    page, url = seat
    address, heading, words = PAGES[name]
    page.complaints.clear()
    page.requests.clear()
    page.cookie(url, "django_language", language)
    # The log-in sends on whoever is logged in.
    page.cookie(url, "sessionid", "" if name == "login" else house.client.cookies["sessionid"].value)  # fmt: skip
    faults: list[object] = []
    for width, height in ((1280, 800), (390, 844)):
        page.size(width, height)
        if not page.requests:
            page.open(f"{url}{address(house)}")
        faults += [(width, fault) for fault in page.ask(_FAULTS)]
        page.size(width, height, dark=True)
        faults += [(width, "dark", fault) for fault in page.ask(_FAULTS)]
        page.size(width, height)
        keep(page, f"{name}-{language[:2]}-{width}")
    text = page.ask(TEXT)
    if language == "en":
        assert heading not in page.ask(HEADING) or name in ("holding", "grid")
    else:
        assert heading in page.ask(HEADING)
        assert [one for one in words if one not in text] == []
        faults += [("English", line) for line in page.ask(_ENGLISH)]
    if name in WRITTEN:
        assert WRITTEN[name] in text
    assert faults == []
    assert page.complaints == []
    assert [one for one in page.requests if not one.startswith((url, "data:"))] == []


def keep(page: Page, name: str) -> None:
    """Keep pictures where somebody wants them: as it is, and dark."""
    folder = os.environ.get("MINIQMT_SCREENSHOTS")
    if not folder:
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    page.picture(Path(folder) / f"{name}.png")
    width, height = page.ask("[innerWidth, innerHeight]")
    page.size(width, height, dark=True)
    page.picture(Path(folder) / f"{name}-dark.png")
    page.size(width, height)


# -- by keyboard

_HERE = """(() => {
  const one = document.activeElement, style = getComputedStyle(one);
  return [one.outerHTML.slice(0, 80), style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2, one.getBoundingClientRect().top >= 0];
})()"""


def test_every_act_of_the_overview_is_reached_by_keyboard_and_seen_to_be(page, house):
    wanted = page.ask(
        "[...document.querySelectorAll('[data-act], .act-link, nav a, nav button')].filter("
        "(one) => one.checkVisibility()).map((one) => one.outerHTML.slice(0, 80))"
    )
    assert len(wanted) > 10
    page.key("Tab")
    first, is_outlined, is_on_screen = page.ask(_HERE)
    assert 'class="skip"' in first
    assert is_outlined
    assert is_on_screen
    visited, unseen = {first}, []
    for _ in range(300):
        page.key("Tab")
        one, is_outlined, _ = page.ask(_HERE)
        if one.startswith("<body"):
            break
        visited.add(one)
        unseen += [] if is_outlined else [one]
    assert [one for one in wanted if one not in visited] == []
    assert unseen == []


def test_the_way_to_the_content_leaves_the_head_behind(page):
    page.key("Tab")
    page.key("Enter")
    page.until("location.hash === '#content'")
    page.key("Tab")
    assert page.ask("document.getElementById('content').contains(document.activeElement)")


def test_an_act_is_done_by_keyboard_alone(page, house):
    page.ask(f"document.getElementById('sell-{house.holding}').focus(); 1")
    page.key("Enter")
    page.until(
        "document.getElementById('acting').open && document.querySelector('#acting [name=why]')"
    )
    assert page.ask("document.getElementById('acting').contains(document.activeElement)")
    page.key("Escape")
    page.until("!document.getElementById('acting').open")


# -- what people do most: at most three clicks from the overview


class Clicks:
    """Clicks on what can be seen, at most three."""

    def __init__(self, page: Page) -> None:
        self.page, self.left = page, 3

    def on(self, css: str, then: str) -> None:
        """Click, and wait until something holds."""
        self.left -= 1
        assert self.left >= 0, "more than three clicks"
        one = f"document.querySelector({css!r})"
        self.page.until(f"document.readyState === 'complete' && {one}")
        assert self.page.ask(f"{one}.getClientRects().length") > 0
        self.page.ask(f"{one}.click()")
        self.page.until(f"document.readyState === 'complete' && ({then})")


def write(page: Page, css: str, text: str) -> None:
    page.ask(
        f"document.querySelector({css!r}).focus(); document.querySelector({css!r}).value = ''; 1"
    )
    page.write(text)


def test_what_is_protected_and_what_would_sell_next_is_on_the_overview(page, house):
    assert "受保护" in page.ask("document.querySelector('#summary strong').textContent")
    row = f"document.querySelector('#holding-{house.holding} .c-sale').textContent"
    assert page.ask(row) == "9.25 止损"
    Clicks(page).on(f"#p-{house.holding}", "document.querySelector('.answer')")
    assert "受保护" in page.ask("document.querySelector('.answer').textContent")


def test_why_a_signal_was_denied_is_one_click_away(page, house):
    Clicks(page).on(f"#s-{house.denied}", "document.querySelector(':target')")
    assert "可用资金不足以支付买入金额及费用。" in page.ask(
        "document.querySelector(':target').textContent"
    )


def test_a_grid_is_stopped(page, house):
    clicks = Clicks(page)
    clicks.on("#to-grids", "location.pathname === '/grids/'")
    clicks.on(f"[href='/act/grid-stop/{house.grid}/']", "document.getElementById('acting').open")
    page.until("document.querySelector('#acting [name=why]')")
    write(page, "#acting [name=why]", "行情变化")
    clicks.on("#acting button.primary", "document.querySelector('#acting .answered')")
    assert GridSession.objects.get(pk=house.grid).status in ("stopping", "stopped")


def test_the_stop_loss_is_changed_with_a_reason_and_rolled_back(page, house):
    before = TradingConfig.objects.get(pk=house.account)
    clicks = Clicks(page)
    clicks.on("#to-configuration", "document.getElementById('review')")
    write(page, "#f-stop_loss_ratio", "-0.06")
    clicks.on("#review", "document.getElementById('save')")
    write(page, "#why", "市场波动")
    clicks.on(
        "#save", "location.pathname === '/configuration/' && document.getElementById('undo')"
    )
    changed = TradingConfig.objects.get(pk=house.account)
    assert changed.stop_loss_ratio != before.stop_loss_ratio

    page.open(page.ask("location.origin"))
    clicks = Clicks(page)
    clicks.on("#to-configuration", "document.getElementById('undo')")
    clicks.on("#undo", "document.getElementById('save')")
    write(page, "#why", "恢复")
    clicks.on("#save", "!location.pathname.includes('/back/')")
    assert TradingConfig.objects.get(pk=house.account).stop_loss_ratio == before.stop_loss_ratio
    assert TradingConfig.objects.get(pk=house.account).revision > changed.revision
