"""What each source of quotes says of each symbol now, and why one is taken and another not: a page to read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import get_language

from trading.admin.base import ReadOnly, say
from trading.admin.reach import WithinReach
from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import CHINA, Symbol, Text
from trading.errors import GatewayUnavailable
from trading.models import QuoteSource
from trading.services.clock import market_time
from trading.services.quote_sources import PAGE, Overview, overview, quotes_mode
from trading.services.reach import within
from trading.services.shown_sources import shown


@admin.register(QuoteSource)
class QuoteSourceAdmin(WithinReach, ReadOnly, admin.ModelAdmin):
    """A page without rows of its own; whoever may view it sees what the market data process noted last."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("trading.view_quotesource"))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            return super().changelist_view(request, extra_context)  # which refuses
        mode = quotes_mode()
        now = market_time(mode, timezone.now())
        query, trouble = request.GET.get("q", "").strip(), "trouble" in request.GET
        page = _number(request.GET.get("p"))
        problem, found = "", Overview((), (), 0, None, False)
        try:
            asked = within(self.reach(request), _asked(query))
            found = overview(now, mode, asked, trouble_only=trouble, page=page)
        except (SymbolError, GatewayUnavailable) as error:
            problem = say(error.text) if isinstance(error, SymbolError) else str(error)
        language = get_language() or "en"
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": say(Text("Quotes by source", "行情源")),
            "problem": problem or _silence(found),
            "query": query,
            "trouble": trouble,
            "sources": [shown(line, language) for line in found.sources],
            "symbols": [
                (one.symbol, one.name, [shown(line, language) for line in one.lines])
                for one in found.symbols
            ],
            "count": found.count,
            "pages": range(1, (found.count - 1) // PAGE + 2) if found.count > PAGE else (),
            "page": page,
            "at": now.astimezone(CHINA).strftime("%m-%d %H:%M:%S"),
            "words": _page_words(),
        }
        return TemplateResponse(request, "admin/trading/quote_sources.html", context)


def _asked(query: str) -> list[Symbol] | None:
    """Return the symbols a person asks for, None = all that are wanted. Raises SymbolError."""
    return [parse_symbol(text) for text in query.replace(",", " ").split()[:PAGE]] or None


def _number(text: str | None) -> int:
    return max(int(text), 1) if text and text.isascii() and text.isdigit() and len(text) < 6 else 1


def _silence(found: Overview) -> str:
    if not found.noted:
        text = Text(
            "The market data process has noted nothing yet: is it running? (manage.py up, or manage.py market_data)",
            "行情进程尚无记录：是否在运行？（manage.py up 或 manage.py market_data）",
        )
        return say(text)
    if found.silent_since is None:
        return ""
    at = found.silent_since.astimezone(CHINA).strftime("%m-%d %H:%M:%S")
    return say(
        Text(
            f"The market data process has noted nothing since {at}: what follows is old.",
            f"行情进程自 {at} 起没有更新，以下内容已过时。",
        )
    )


def _page_words() -> dict[str, str]:
    words = {
        "source": Text("Source", "行情源"),
        "state": Text("State", "状态"),
        "last": Text("Last (yuan)", "最新价（元）"),
        "book": Text("Bid / ask", "买一 / 卖一"),
        "volume": Text("Volume (shares)", "成交量（股）"),
        "time": Text("Time of the quote", "行情时间"),
        "heard": Text("Last delivery", "最近送达"),
        "age": Text("Age", "已过"),
        "latency": Text("Latency", "延迟"),
        "answered": Text("Calls answered (5 min)", "请求成功（5 分钟）"),
        "accepted": Text("Accepted (5 min)", "接受（5 分钟）"),
        "total": Text("Accepted since start", "启动以来接受"),
        "refusals": Text("Refused since start", "启动以来拒收"),
        "why": Text("Taken or not, and why", "是否采用及原因"),
        "symbol": Text("Symbol", "代码"),
        "taken": Text("taken", "采用"),
        "sources": Text("The sources, first in order first", "行情源（按优先顺序）"),
        "symbols": Text("What is held, traded, gridded or watched", "持仓、委托、网格与自选标的"),
        "none": Text("No symbol is in trouble.", "没有异常标的。"),
        "nobody": Text(
            "no source has said anything: only what is held, traded, gridded or watched is asked for",
            "尚无行情源的记录：只订阅持仓、委托、网格与自选标的",
        ),
        "nothing": Text(
            "Nothing is held, traded, gridded or watched.", "没有持仓、委托、网格或自选标的。"
        ),
        "search": Text("Symbols, e.g. 600036 000001.SZ", "代码，例如 600036 000001.SZ"),
        "show": Text("Show", "查看"),
        "trouble": Text("only those a source does not serve well", "只看有异常的标的"),
        "at": Text("Market time", "市场时间"),
        "about": Text(
            "A symbol is taken from the first source that serves it well, and goes back to a better one when that is"
            " good again. Quotes of mootdx are shown; an account trades on them only with allow_mootdx_trading.",
            "每个标的采用排序靠前且正常的行情源；更优的行情源恢复正常后切回。mootdx 行情仅供显示，"
            "账户打开“允许 mootdx 行情交易”后才可用于交易。",
        ),
    }
    return {name: say(text) for name, text in words.items()}
