"""A previewed order in words: its facts, its share of each limit, and the checks it passes or fails now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType

from monitoring.console.acting import Fact, Objection, Share, amount, named, said
from trading.domain import wording
from trading.domain.order_price import PriceMode
from trading.domain.types import CHINA, Side, Text
from trading.services.manual_preview import Preview

_MODES = {
    PriceMode.OPPONENT: Text("the opposite book's", "对手盘价"),
    PriceMode.LAST: Text("the last price", "最新价"),
    PriceMode.LIMIT: Text("the level that triggered it", "触发价"),
}

_WOULD_WAIT = Text("would wait", "会等待")
_WOULD_DENY = Text("would be denied", "会被拒绝")

#: What each check looks at, for the list of those that pass.
CHECK_WORDS: Mapping[str, Text] = MappingProxyType(
    {
        "account_enabled": Text("account enabled", "账户已启用"),
        "settings_valid": Text("settings usable", "配置有效"),
        "kill_file": Text("no KILL file", "无 KILL 文件"),
        "continuous_trading": Text("continuous trading", "连续竞价时段"),
        "auto_off": Text("auto trading (not asked of a person)", "自动交易（不限制人工）"),
        "strategy_off": Text("strategy orders (not asked of a person)", "策略下单（不限制人工）"),
        "trading_state": Text("main switch", "总开关"),
        "gateway_not_armed": Text("gateway armed", "网关就绪"),
        "market_closed": Text("market takes orders", "市场接受委托"),
        "calendar_unknown": Text("trading day known", "交易日已知"),
        "quote_source": Text("source of the quote", "行情来源"),
        "quote_stale": Text("quote fresh", "行情新鲜"),
        "suspended": Text("not suspended", "未停牌"),
        "limits_problem": Text("price limits agree", "涨跌停价一致"),
        "no_price": Text("price known", "价格已知"),
        "price_limit": Text("within the price limits", "未触及涨跌停"),
        "lot": Text("lots", "申报数量"),
        "tick": Text("price step", "最小变动价位"),
        "not_sellable": Text("sellable (T+1)", "可卖数量（T+1）"),
        "shares_promised": Text("shares not promised", "股份未被占用"),
        "cash": Text("cash", "可用资金"),
        "stage": Text("stage of going live", "上线阶段"),
        "caps": Text("caps of going live", "实盘上限"),
        "max_order_value": Text("order value", "单笔金额"),
        "max_position_value": Text("position value", "单只持仓市值"),
        "max_total_position_ratio": Text("total position ratio", "总仓位比例"),
        "daily_loss": Text("day's loss", "当日亏损"),
        "books_differ": Text("books agree", "账目一致"),
        "max_orders_per_day": Text("buys today", "今日买入笔数"),
        "order_rate": Text("orders a second", "每秒委托数"),
        "cancel_ratio": Text("share of cancels", "撤单比例"),
        "self_trade": Text("none of ours opposite", "无反向委托"),
        "duplicate": Text("no second order of its kind", "无同类委托"),
        "switched_off": Text("buying and selling switched on", "买卖开关已开启"),
        "refused_repeatedly": Text("not refused again and again", "未被连续拒单"),
    }
)


def order_facts(order: Preview, name: str) -> Iterator[Fact]:
    """Yield what would be ordered, at which price, and what there is to sell."""
    instrument, tone = order.instrument, "" if order.is_fresh else "bad"
    yield Fact(Text("Symbol", "标的"), said(f"{name} {instrument.symbol}".strip()))
    yield Fact(Text("Side", "方向"), named(order.side))
    pieces = order.pieces
    yield Fact(
        Text("Quantity", "数量"),
        Text(
            f"{order.quantity:,} shares" + (f" in {pieces} orders, one after another" if pieces > 1 else ""),
            f"{order.quantity:,} 股" + (f"，分 {pieces} 笔依次报出" if pieces > 1 else ""),
        ),
    )  # fmt: skip
    yield Fact(Text("Value at the last price", "按最新价金额"), _yuan(order.value))
    mode = _MODES[order.mode]
    price = "—" if order.price is None else wording.yuan(order.price)
    yield Fact(
        Text("Would be sent at", "预计委托价"),
        Text(
            f"{price} ({mode.en}; priced again when it is decided)",
            f"{price}（{mode.zh}；处理时重新定价）",
        ),
    )
    if order.highest is not None:
        bound = wording.yuan(order.highest)
        yield Fact(
            Text("Never above", "买入价上限"),
            Text(
                f"{bound}: below the book it rests, until it fills or its timeout cancels it",
                f"{bound}：低于卖盘时挂单等待，直至成交或超时撤单",
            ),
        )
    yield Fact(Text("Last price", "最新价"), _last(order), tone)
    if order.held or order.side is Side.SELL:
        yield _holding(order)


def _last(order: Preview) -> Text:
    if order.quote is None or order.last is None:
        return Text("— not known", "— 未知")
    at, shown = f"{order.quote.time.astimezone(CHINA):%H:%M:%S}", wording.yuan(order.last)
    if order.is_fresh:
        return Text(f"{shown} at {at}", f"{shown}（{at}）")
    return Text(f"⚠ {shown} at {at}: not fresh", f"⚠ {shown}（{at}）：不新鲜")


def _holding(order: Preview) -> Fact:
    held, sellable, locked = order.held, order.sellable, order.locked
    more_en = f", {locked:,} bought today (T+1)" if locked else ""
    more_zh = f"，今日买入 {locked:,}（T+1）" if locked else ""
    return Fact(
        Text("Held / sellable", "持有 / 可卖"),
        Text(f"{held:,} / {sellable:,}{more_en}", f"{held:,} / {sellable:,}{more_zh}"),
    )


def shares_of_limits(order: Preview) -> Iterator[Share]:
    """Yield how much of each limit the order would use; a sale has only its own value and count."""
    facts, limits, value = order.facts, order.limits, order.order_value
    yield _share(Text("Order value", "单笔金额"), value, limits.order_value_limit)
    if order.side is Side.SELL or facts is None:
        return
    yield _share(Text("Cash with fees", "所需资金（含费用）"), facts.cash_needed, facts.cash)
    position, total = _sum(facts.position_value, value), _sum(facts.total_position_value, value)
    yield _share(
        Text("Position value afterwards", "买入后该持仓市值"), position, limits.max_position_value
    )
    most = (
        None if facts.total_asset is None else facts.total_asset * limits.max_total_position_ratio
    )
    yield _share(Text("All holdings afterwards", "买入后总持仓"), total, most)
    buys, allowed = facts.buys_today + 1, limits.max_buy_orders_per_day
    yield Share(
        Text("Buys today with this one", "今日买入笔数（含本笔）"),
        *(str(buys), str(allowed), Decimal(buys) / allowed),
    )


def _share(label: Text, used: Decimal | None, most: Decimal | None) -> Share:
    known = used is not None and most is not None and most > 0
    return Share(label, amount(used), amount(most), used / most if known else None)  # type: ignore[operator]


def _sum(held: Decimal | None, value: Decimal | None) -> Decimal | None:
    return None if held is None or value is None else held + value


def objections_of(order: Preview) -> Iterator[Objection]:
    """Yield the checks that fail now, those that deny before those that wait."""
    failing = sorted(order.failing, key=lambda check: check.waits)
    for check in failing:
        assert check.objection is not None
        yield Objection(check.objection, check.waits, _WOULD_WAIT if check.waits else _WOULD_DENY)


def passes_of(order: Preview) -> Iterator[Text]:
    """Yield what is in order."""
    return (CHECK_WORDS[check.name] for check in order.checks if check.objection is None)


def _yuan(value: Decimal | None) -> Text:
    return Text(f"{amount(value)} yuan", f"{amount(value)} 元")
