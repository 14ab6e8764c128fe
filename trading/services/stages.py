"""The path of a broker account from paper to live: one row, one ledger, for each mode; steps forward and back.

A step forward is a person's deliberate act: whoever calls has looked at the checks and asked for the second factor. A
step back needs a reason and nothing else, and is in force with its commit: the gateway asks the row just before a call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from trading.domain.caps import Caps
from trading.domain.stages import (
    LEDGER,
    WORDS,
    Stage,
    following,
    steps_back,
)
from trading.domain.types import AccountMode, Text, TradingState
from trading.models import Account, EventLevel, LiveCaps, TradingConfig, WatchedSymbol
from trading.selectors import WORKING_STATES, open_positions
from trading.services.accounts import set_trading_state
from trading.services.caps import caps_in_words, caps_of, keep_caps
from trading.services.clock import market_time
from trading.services.config import setting_names
from trading.services.corrections import CorrectionError, needs_reason
from trading.services.events import journal

#: What a new ledger takes from the one before: what it costs, and where its terminal is.
_TAKEN = (
    *("terminal_folder", "commission_rate", "commission_minimum", "fund_commission_minimum"),
    *("stamp_duty_rate", "transfer_fee_rate", "transfer_fee_exchanges", "freeze_margin"),
)
_MOVED = Text(
    "Somebody else moved this account meanwhile; nothing was done. Look again.",
    "该账户的阶段刚被他人更改，未执行任何操作。请重新查看。",
)


@dataclass(frozen=True, slots=True)
class Path:
    """The ledgers of one broker account by mode, and the stage it stands at."""

    number: str
    ledgers: Mapping[AccountMode, Account]
    stage: Stage

    @property
    def ledger(self) -> Account | None:
        """The row of the present stage."""
        return self.ledgers.get(LEDGER[self.stage])

    @property
    def live(self) -> Account | None:
        return self.ledgers.get(AccountMode.LIVE)


def path_of(number: str) -> Path:
    """Return the path of a broker account, demo rows left out."""
    rows = Account.objects.filter(broker_account_id=number).exclude(mode=AccountMode.DEMO)
    ledgers = {AccountMode(row.mode): row for row in rows}
    live, shadow = ledgers.get(AccountMode.LIVE), ledgers.get(AccountMode.SHADOW)
    stage = Stage.PAPER
    if live is not None and live.standing is not Stage.WITHDRAWN:
        stage = live.standing
    elif shadow is not None and shadow.enabled:
        stage = Stage.SHADOW
    return Path(number, ledgers, stage)


def paths() -> list[Path]:
    """Return the path of every broker account that has one, in the order in which they were opened."""
    rows = Account.objects.exclude(mode=AccountMode.DEMO).order_by("pk")
    numbers = dict.fromkeys(rows.values_list("broker_account_id", flat=True))
    return [path_of(number) for number in numbers]


# -- forward


def step_forward(
    path: Path,
    why: str,
    real: datetime,
    actor: str,
    *,
    caps: Caps | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> Account:
    """Lead a broker account one step further and return the ledger it now has. Raises CorrectionError.

    `caps`: for the step to live with caps. `evidence`: what the checks said and the person vouched for, as JSON.
    """
    needs_reason(why)
    to = following(path.stage)
    before = path.ledger
    if to is None or before is None:
        raise CorrectionError(_nowhere(path))
    if to is Stage.CAPPED and caps is None:
        raise CorrectionError(Text("Caps are needed.", "必须填写实盘上限。"))
    try:
        with transaction.atomic():
            if _alone(path).stage is not path.stage:
                raise CorrectionError(_MOVED)
            account = _enter(path, to, before, real)
            if caps is not None:
                keep_caps(account, caps)
            text = Text(
                f"{account.masked_number}: from {WORDS[path.stage].en} to {WORDS[to].en}: {why}",
                f"{account.masked_number}：由“{WORDS[path.stage].zh}”进入“{WORDS[to].zh}”：{why}",
            )
            detail = {"from": path.stage.value, "to": to.value, "evidence": dict(evidence or {})}
            _tell(account, EventLevel.ALARM, "STAGE_FORWARD", text, real, actor, **detail)
    except IntegrityError:  # the other half of a double click opened the ledger
        raise CorrectionError(_MOVED) from None
    return account


def _alone(path: Path) -> Path:
    """Return the path as it is now, and let nobody else move it before the transaction ends."""
    rows = Account.objects.select_for_update().filter(broker_account_id=path.number)
    list(rows.order_by("pk").values_list("pk"))
    return path_of(path.number)


def _nowhere(path: Path) -> Text:
    if path.ledger is None:
        words = WORDS[path.stage]
        return Text(
            f"There is no {words.en} account of this number: open one under Accounts first.",
            f"没有该资金账号的“{words.zh}”账户：请先在“账户”中建立。",
        )
    return Text("It is live: there is no further step.", "已处于实盘，没有下一步。")


def _enter(path: Path, to: Stage, before: Account, real: datetime) -> Account:
    """Put the ledger of the stage into operation; the one before rests, if it is another."""
    if to is Stage.LIVE:
        Account.objects.filter(pk=before.pk).update(stage=Stage.LIVE, stage_since=real)
        before.refresh_from_db()
        return before
    Account.objects.filter(pk=before.pk).update(enabled=False)
    account = _ledger(path, LEDGER[to], before)
    stage = Stage.CAPPED if to is Stage.CAPPED else ""
    account.enabled, account.stage, account.stage_since = True, stage, real
    account.save(update_fields=["enabled", "stage", "stage_since"])
    return account


def _ledger(path: Path, mode: AccountMode, like: Account) -> Account:
    """Return the row of a mode, opened like another one where there is none yet: fees, settings and watch list."""
    known = path.ledgers.get(mode)
    if known is not None:
        return known
    account = Account(name=_name(like, mode), broker_account_id=path.number, mode=mode)
    for name in _TAKEN:
        setattr(account, name, getattr(like, name))
    account.save()
    settings = TradingConfig.objects.filter(pk=like.pk).first()
    values = {name: getattr(settings, name) for name in setting_names()} if settings else {}
    if mode is AccountMode.LIVE:
        values["auto_trading_enabled"] = False  # a person switches it on, after an order by hand
    TradingConfig.objects.create(account=account, changed_why="as the stage before", **values)
    WatchedSymbol.objects.bulk_create(
        WatchedSymbol(account=account, symbol=row.symbol, note=row.note, added_at=row.added_at)
        for row in WatchedSymbol.objects.filter(account=like).order_by("pk")
    )
    return account


def _name(like: Account, mode: AccountMode) -> str:
    endings = [f"-{one.value}" for one in AccountMode]
    base = like.name
    for ending in endings:
        base = base.removesuffix(ending)
    wanted = f"{base[:40]}-{mode.value}"
    taken = Account.objects.filter(name=wanted).exists()
    return f"{wanted}-{like.broker_account_id[-4:]}" if taken else wanted


# -- back


def step_back(path: Path, to: Stage, why: str, real: datetime, actor: str) -> Text:
    """Lead a broker account back, at once and without checks; returns what that means. Raises CorrectionError."""
    needs_reason(why)
    with transaction.atomic():
        path = _alone(path)  # what was seen may be long ago: never forward by mistake
        if to not in steps_back(path.stage):
            raise CorrectionError(_no_step_back(path.stage, to))
        like = path.ledger
        assert like is not None
        # First of all: from this commit on nothing new is sent to the real account.
        account = _leave_live(path, to, why, real, actor) or like
        if to is Stage.CAPPED:
            _needs_caps(account)
        elif to is Stage.SHADOW:
            _restart(_ledger(path, AccountMode.SHADOW, like), real)
        elif to is Stage.PAPER:
            _rest(path, real, like)
        text = Text(
            f"{account.masked_number}: back from {WORDS[path.stage].en} to {WORDS[to].en}: {why}",
            f"{account.masked_number}：由“{WORDS[path.stage].zh}”退回“{WORDS[to].zh}”：{why}",
        )
        detail = {"from": path.stage.value, "to": to.value}
        _tell(account, EventLevel.ALARM, "STAGE_BACK", text, real, actor, **detail)
    return _what_it_means(account, to, path_of(path.number))


def _no_step_back(stage: Stage, to: Stage) -> Text:
    words, now = WORDS[to], WORDS[stage]
    return Text(
        f"It stands at {now.en}: {words.en} is no step back.",
        f"当前为“{now.zh}”，“{words.zh}”不是后退一步。",
    )


def _leave_live(path: Path, to: Stage, why: str, real: datetime, actor: str) -> Account | None:
    live = path.live
    if live is None or path.stage not in (Stage.CAPPED, Stage.LIVE):
        return None
    stage = Stage.CAPPED if to is Stage.CAPPED else Stage.WITHDRAWN
    Account.objects.filter(pk=live.pk).update(stage=stage, stage_since=real)
    if stage is Stage.WITHDRAWN:
        now = market_time(AccountMode.LIVE, real)
        set_trading_state(live.pk, TradingState.HALTED, Text(why, why), now, actor)
    live.refresh_from_db()
    return live


def _needs_caps(account: Account) -> None:
    """An account that was live before caps were kept gets the strictest usual ones."""
    if not LiveCaps.objects.filter(pk=account.pk).exists():
        keep_caps(account, Caps())


def _restart(account: Account, real: datetime) -> None:
    Account.objects.filter(pk=account.pk).update(enabled=True, stage_since=real)


def _rest(path: Path, real: datetime, like: Account) -> None:
    """The shadow rests. Paper begins only where no live ledger is looked after: its quotes are of another market."""
    shadow = path.ledgers.get(AccountMode.SHADOW)
    if shadow is not None:
        Account.objects.filter(pk=shadow.pk).update(enabled=False, stage_since=real)
    paper = _ledger(path, AccountMode.PAPER, like)
    is_alone = path.live is None or not path.live.enabled
    Account.objects.filter(pk=paper.pk).update(enabled=is_alone, stage_since=real)


def _what_it_means(account: Account, to: Stage, path: Path) -> Text:
    words, ledger = WORDS[to], path.ledger
    stands = Text(f"It stands at {words.en} now.", f"现处于“{words.zh}”。")
    if to is not Stage.CAPPED and ledger is not None and ledger.enabled:
        stands = Text(
            f"{stands.en} `up` gives {ledger.name} a gateway within half a minute.",
            f"{stands.zh}`up` 将在半分钟内启动 {ledger.name} 的网关。",
        )
    elif to is Stage.PAPER:
        stands = Text(
            f"{stands.en} The paper account rests until the live one is disabled: quotes are of one market at a time.",
            f"{stands.zh}停用实盘账户之前，模拟账户不运行：同一时间只有一个市场的行情。",
        )
    if account.mode != AccountMode.LIVE or to is Stage.CAPPED:
        return stands
    lost = losing_protection(account)
    working = account.orders.filter(state__in=WORKING_STATES).count()
    return Text(
        f"Nothing new is sent for {account.name} any more. NOT PROTECTED from now on: {lost} holdings; sell or watch"
        f" them in the QMT client. At work at the broker: {working} orders; “cancel all”, or cancel in the client."
        f" {stands.en}",
        f"{account.name} 不再发出任何新委托。{lost} 个持仓从现在起不受保护：请在 QMT 客户端卖出或盯盘。"
        f"柜台仍有 {working} 笔未结束委托：请“全部撤单”或在客户端撤单。{stands.zh}",
    )


def losing_protection(account: Account) -> int:
    """Return how many holdings have no stop-loss once nothing is sent."""
    return sum(1 for row in open_positions(account.pk) if row.quantity)


# -- caps


def set_caps(account: Account, caps: Caps, why: str, real: datetime, actor: str) -> None:
    """Change the caps of a live account, in a person's name. Raises CorrectionError."""
    needs_reason(why)
    before = caps_of(account.pk)
    with transaction.atomic():
        keep_caps(account, caps)
        text = Text(
            f"Caps of {account.name}: {caps_in_words(caps).en}: {why}",
            f"{account.name} 的实盘上限：{caps_in_words(caps).zh}：{why}",
        )
        said = {"before": _plain(before), "after": _plain(caps)}
        _tell(account, EventLevel.WARNING, "CAPS_CHANGED", text, real, actor, **said)


def _plain(caps: Caps | None) -> dict[str, str] | None:
    return None if caps is None else caps_in_words(caps)._asdict()


def _tell(
    account: Account,
    level: EventLevel,
    code: str,
    text: Text,
    real: datetime,
    actor: str,
    **more: Any,
) -> None:
    now = market_time(AccountMode(account.mode), real)
    journal(account.pk, level, code, text, now, actor=actor, **more)
