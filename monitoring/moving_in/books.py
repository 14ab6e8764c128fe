"""Account, settings, watch list, holdings and past fills of the former system become rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from monitoring.moving_in.installation import Installation, NotAnInstallation, Row, stored_settings
from monitoring.moving_in.report import Outcome, Report
from monitoring.moving_in.settings_map import EXPLAINED, MAPPED, REMARKS
from monitoring.moving_in.values import Unusable, day, moment, money, shares, switch
from trading.domain.stock_pool import StockPoolError, parse_stock_pool
from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import AccountMode, Side, Symbol, Text
from trading.errors import ConfigError
from trading.models import Account, FormerFill, FormerHolding, Position, TradingConfig
from trading.services import config, watch_list
from trading.services.accounts import save_account
from trading.services.corrections import CorrectionError

_ACCOUNT = Text("account", "账户")
SETTING = Text("setting", "设置")
_WATCHED = Text("watch list", "自选")
_HOLDING = Text("holding", "持仓")
_FILL = Text("past fill", "历史成交")
_NOTHING = Text("", "")
_SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
#: Fills written at once.
_BATCH = 500


def unusable(problem: Unusable | SymbolError) -> Text:
    """Return why a stored value was left out."""
    if isinstance(problem, SymbolError):
        return problem.text
    return Text(
        f"{problem.field} is {problem.value!r}, expected {problem.expected_en}",
        f"{problem.field} 为 {problem.value!r}，应为{problem.expected_zh}",
    )


def the_account(
    found: Installation, name: str | None, now: datetime, actor: str, report: Report
) -> Account:
    """Return the account everything goes to: the one of this number, or a new one, paper and switched off.

    Raises NotAnInstallation when the number is not known or not the only one.
    """
    if len(found.numbers) != 1:
        many = ", ".join(f"…{number[-4:]}" for number in found.numbers)
        raise NotAnInstallation(
            Text(
                f"accounts found: {many or 'none'}; name one with --number BROKER_ACCOUNT",
                f"找到的账户：{many or '无'}；请用 --number 指定资金账号",
            )
        )
    number = found.numbers[0]
    account = Account.objects.filter(broker_account_id=number).order_by("pk").first()
    if account is not None:
        report.add(_ACCOUNT, account.masked_number, Outcome.SAME, account.name)
        return account
    wanted = name or f"qmt-{re.sub(r'[^A-Za-z0-9]', '', number)[-4:] or 'account'}"
    if Account.objects.filter(name=wanted).exists():
        raise NotAnInstallation(
            Text(
                f"an account named {wanted} has another number; choose a name with --account",
                f"名为 {wanted} 的账户对应另一资金账号；请用 --account 另取名称",
            )
        )
    account = Account(name=wanted, broker_account_id=number, mode=AccountMode.PAPER, enabled=False)
    save_account(account, [], now, actor)
    why = Text(
        "paper, and not enabled: enable it under Accounts when everything is as it should be",
        "模拟模式且未启用：核对无误后在“账户”中启用",
    )
    report.add(_ACCOUNT, account.masked_number, Outcome.NEW, account.name, why)
    return account


def settings(found: Installation, account: Account, actor: str, report: Report) -> None:
    """Import what maps and is in our ranges, in one revision; say why the rest is not."""
    row = TradingConfig.objects.get(pk=account.pk)
    before = {name: getattr(row, name) for name in config.setting_names()}
    wanted: dict[str, Any] = {}
    lines: dict[str, tuple[str, Any]] = {}  # our setting → the newest source that names it
    sources = {**found.constants, **dict(stored_settings(found.tables["system_config"]))}
    for key, value in sources.items():
        mapped = MAPPED.get(key)
        if mapped is None:
            _left(key, found, report)
            continue
        try:
            ours = mapped.convert(key, value)
        except Unusable as problem:
            report.add(SETTING, key, Outcome.UNUSABLE, mapped.setting, unusable(problem))
            continue
        if ours is not None:
            lines[mapped.setting] = (key, ours)
    # Each alone first: one that is out of range must not keep the others out.
    for setting, (key, ours) in lines.items():
        trial = TradingConfig.objects.get(pk=account.pk)
        try:
            config.tried(trial, {**wanted, setting: ours})
        except ConfigError as problem:
            report.add(SETTING, key, Outcome.UNUSABLE, setting, config.explain(problem))
            continue
        wanted[setting] = ours
        same = getattr(trial, setting) == before[setting]
        outcome = Outcome.SAME if same else Outcome.CHANGED
        report.add(SETTING, key, outcome, f"{setting} = {shown(ours)}", REMARKS.get(key, _NOTHING))
        if same:
            del wanted[setting]
    if wanted:
        config.change(account.pk, wanted, actor=None, why=f"moved in by {actor}"[:200])


def shown(value: Any) -> str:
    """Return a value as a person reads it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ", ".join(":".join(pair) for pair in value)
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


def _left(key: str, found: Installation, report: Report) -> None:
    why = EXPLAINED.get(
        key, Text("not known here; nothing is made of it", "本系统不认识此项，不作处理")
    )
    report.add(SETTING, key, Outcome.LEFT, "", why)


def watched(
    found: Installation, account: Account, now: datetime, actor: str, report: Report
) -> None:
    """Import the stock pool; what is watched already stays, nothing is removed."""
    if found.has_candidates:
        why = Text(
            "candidates to buy; `manage.py watch import data/stock2buy.json` adds them",
            "候选买入列表；可用 `manage.py watch import data/stock2buy.json` 加入",
        )
        report.add(_WATCHED, "stock2buy.json", Outcome.LEFT, "", why)
    if found.stock_pool is None:
        return
    try:
        entries = parse_stock_pool(found.stock_pool)
        outcome = watch_list.watch(account.pk, entries, now, actor)
    except (StockPoolError, CorrectionError) as problem:
        report.add(_WATCHED, "stock_pool.json", Outcome.UNUSABLE, "", problem.text)
        return
    for symbol in outcome.added:
        report.add(_WATCHED, "stock_pool.json", Outcome.NEW, symbol)
    for symbol in outcome.known:
        report.add(_WATCHED, "stock_pool.json", Outcome.SAME, symbol)


def holdings(found: Installation, account: Account, report: Report) -> dict[Symbol, int]:
    """Import the exit state of every holding, to wait for its holding; returns the shares held by symbol."""
    held: dict[Symbol, int] = {}
    for row in found.tables["positions"]:
        name = str(row.get("stock_code"))
        try:
            symbol, quantity = parse_symbol(name), shares("volume", row.get("volume") or 0)
            if quantity == 0:
                continue
            state = _exit_state(row, quantity)
        except (Unusable, SymbolError) as problem:
            report.add(_HOLDING, name, Outcome.UNUSABLE, "", unusable(problem))
            continue
        held[symbol] = quantity
        _holding(account, symbol, state, report)
    return held


def _exit_state(row: Row, quantity: int) -> dict[str, Any]:
    def price(field: str) -> Decimal:
        return max(money(field, row.get(field) or 0), Decimal(0))

    return {
        "quantity": quantity,
        "opened_on": day("open_date", row["open_date"]) if row.get("open_date") else None,
        "base_cost": price("base_cost_price") or price("cost_price") or None,
        "high_since_entry": price("highest_price"),
        "first_take_profit_done": switch("profit_triggered", row.get("profit_triggered")),
        "armed": switch("profit_breakout_triggered", row.get("profit_breakout_triggered")),
        "armed_high": price("breakout_highest_price"),
        "exit_enabled": switch("stop_profit_enabled", row.get("stop_profit_enabled", True)),
    }


def _holding(account: Account, symbol: Symbol, state: Mapping[str, Any], report: Report) -> None:
    if Position.objects.filter(account=account, symbol=symbol, closed_at__isnull=True).exists():
        why = Text(
            "it is in the books and has a state of its own, which stays",
            "该持仓已在账本中，其状态保持不变",
        )
        report.add(_HOLDING, symbol, Outcome.SAME, symbol, why)
        return
    row = FormerHolding.objects.filter(account=account, symbol=symbol).first()
    changed = row is not None and any(getattr(row, key) != one for key, one in state.items())
    if row is not None and (row.adopted_at is not None or not changed):
        report.add(_HOLDING, symbol, Outcome.SAME, symbol)
        return
    FormerHolding.objects.update_or_create(account=account, symbol=symbol, defaults=state)
    why = Text(
        "applied when the holding is found in the account; number and cost are the terminal's",
        "在账户中找到该持仓时生效；数量与成本以终端为准",
    )
    if not state["exit_enabled"]:
        why = Text(
            f"its exits are OFF, as they were; {why.en}", f"退出规则为关闭（沿用原设置）；{why.zh}"
        )
    report.add(_HOLDING, symbol, Outcome.CHANGED if changed else Outcome.NEW, symbol, why)


def past_fills(found: Installation, account: Account, report: Report) -> None:
    """Import the trade records to read; they are counted in no book of ours. One line says how many."""
    rows = found.tables["trade_records"]
    known = set(FormerFill.objects.filter(account=account).values_list("number", flat=True))
    new = list(_fills(rows, account, known, report))
    FormerFill.objects.bulk_create(new, batch_size=_BATCH)
    if new:
        report.add(_FILL, "trade_records", Outcome.NEW, str(len(new)))
    if known:
        report.add(_FILL, "trade_records", Outcome.SAME, str(len(known)))


def _fills(rows: Any, account: Account, known: set[int], report: Report) -> Iterator[FormerFill]:
    for row in rows:
        number = row.get("id")
        if number in known:
            continue
        try:
            yield _fill(account, row)
        except (Unusable, SymbolError) as problem:
            report.add(_FILL, f"trade_records {number}", Outcome.UNUSABLE, "", unusable(problem))


def _fill(account: Account, row: Row) -> FormerFill:
    side = _SIDES.get(str(row.get("trade_type")).upper())
    if side is None:
        raise Unusable("trade_type", row.get("trade_type"), "BUY or SELL", " BUY 或 SELL")
    quantity, price = shares("volume", row.get("volume")), money("price", row.get("price"))
    amount = row.get("amount")
    return FormerFill(
        account=account,
        number=shares("id", row.get("id")),
        at=moment("trade_time", row.get("trade_time")),
        symbol=parse_symbol(str(row.get("stock_code"))),
        name=str(row.get("stock_name") or "")[:32],
        side=side,
        quantity=quantity,
        price=price,
        amount=price * quantity if amount is None else money("amount", amount),
        commission=money("commission", row.get("commission") or 0),
        traded_id=str(row.get("trade_id") or "")[:64],
        strategy=str(row.get("strategy") or "")[:32],
    )
