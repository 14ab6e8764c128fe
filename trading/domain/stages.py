"""Going live on purpose: paper → shadow → live with caps → live, and what each step forward asks.

Facts in, checks with words out. A step forward needs every check; what cannot be looked at from here is asked of the
person, with a reason. A step back needs nothing and is always allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from trading.domain.types import AccountMode, Text


class Stage(StrEnum):
    """Where an account stands. WITHDRAWN: a live ledger from which nothing is sent; its path stands further back."""

    PAPER = "paper"
    SHADOW = "shadow"
    CAPPED = "capped"
    LIVE = "live"
    WITHDRAWN = "withdrawn"


#: The path, in its order.
PATH = (Stage.PAPER, Stage.SHADOW, Stage.CAPPED, Stage.LIVE)
#: The ledger (one account row) in which a stage is kept.
LEDGER: Mapping[Stage, AccountMode] = {
    Stage.PAPER: AccountMode.PAPER,
    Stage.SHADOW: AccountMode.SHADOW,
    Stage.CAPPED: AccountMode.LIVE,
    Stage.LIVE: AccountMode.LIVE,
    Stage.WITHDRAWN: AccountMode.LIVE,
}
WORDS: Mapping[Stage, Text] = {
    Stage.PAPER: Text("paper", "模拟"),
    Stage.SHADOW: Text("shadow", "影子"),
    Stage.CAPPED: Text("live with caps", "限额实盘"),
    Stage.LIVE: Text("live", "实盘"),
    Stage.WITHDRAWN: Text("withdrawn from live", "已退出实盘"),
}


def standing(mode: AccountMode, stage: str) -> Stage:
    """Return where one row stands. A live row that nobody led along the path sends nothing."""
    if mode is AccountMode.LIVE:
        return Stage(stage) if stage in (Stage.CAPPED, Stage.LIVE) else Stage.WITHDRAWN
    return Stage.SHADOW if mode is AccountMode.SHADOW else Stage.PAPER


def following(stage: Stage) -> Stage | None:
    """Return the next step, None at the end of the path."""
    at = PATH.index(stage)
    return PATH[at + 1] if at + 1 < len(PATH) else None


def steps_back(stage: Stage) -> tuple[Stage, ...]:
    """Return where one may go back to from here, the nearest first."""
    return tuple(reversed(PATH[: PATH.index(stage)]))


@dataclass(frozen=True, slots=True)
class Needs:
    """How many sessions each stage lasts at least, and how old what was proven may be."""

    paper_sessions: int = 5
    shadow_sessions: int = 5
    capped_sessions: int = 5
    fresh: timedelta = timedelta(days=7)
    backup: timedelta = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a path now. Ages are real time, None: it never happened.

    `clean_sessions`: sessions since the present stage began whose books agree or are explained; `differing`: those that
    are not. `working`: orders at work in the present ledger. `alarms`: what the health check finds wrong, by code.
    `quotes`: where quotes of the real market come from, "" nowhere. `simulated`: other accounts that are enabled and
    live in an invented market. `compared`: shadow sessions that were compared with the market. `probed`: the newest outcome
    of each question that was put to the real client, in words of the probe's report.
    """

    clean_sessions: int
    differing: int
    unknown_orders: int
    working: int
    alarms: Sequence[str]
    quotes: str
    copy_age: timedelta | None
    simulated: Sequence[str]
    compared: int
    premarket_ready: bool | None
    probed: Mapping[str, str]
    channel_age: timedelta | None
    backup_age: timedelta | None
    has_factor: bool
    caps_problem: Text | None


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `passed` None: only the person can say."""

    code: str
    name: Text
    passed: bool | None
    text: Text


_Judge = Callable[[Facts, Needs], Check]


def entry_checks(to: Stage, facts: Facts, needs: Needs) -> tuple[Check, ...]:
    """Return every check of the step to `to`, in the order in which a person works them off."""
    return tuple(judge(facts, needs) for judge in _CHECKS[to])


def may_enter(checks: Sequence[Check], ticked: Mapping[str, str]) -> bool:
    """Whether nothing stands against the step; `ticked`: what the person vouches for, each with a reason."""
    return all(
        bool(ticked.get(check.code, "").strip()) if check.passed is None else check.passed
        for check in checks
    )


def _check(code: str, name: Text, passed: bool, good: Text, bad: Text) -> Check:
    return Check(code, name, passed, good if passed else bad)


def _sessions(least_of: Callable[[Needs], int]) -> _Judge:
    def judge(facts: Facts, needs: Needs) -> Check:
        count, least, differing = facts.clean_sessions, least_of(needs), facts.differing
        said = Text(
            f"{count} of at least {least} since this stage began.",
            f"本阶段开始以来 {count} 个，至少需要 {least} 个。",
        )
        if differing:
            said = Text(
                f"The books of {differing} sessions differ and nobody has explained it. Explain it under “Books of the days”.",
                f"有 {differing} 个交易日的账目存在差异且未说明。请在“日终对账”中说明。",
            )
        name = Text("Sessions with clean books", "账目一致的交易日")
        return Check("SESSIONS", name, not differing and count >= least, said)

    return judge


def _compared(facts: Facts, needs: Needs) -> Check:
    count, least = facts.compared, needs.shadow_sessions
    said = Text(
        f"{count} of at least {least} sessions compared with the market.",
        f"已与市场对照 {count} 个交易日，至少需要 {least} 个。",
    )
    name = Text("Shadow compared with the market", "影子与市场对照")
    return Check("COMPARED", name, count >= least, said)


def _unknown(facts: Facts, needs: Needs) -> Check:
    number = facts.unknown_orders
    return _check(
        "UNKNOWN_ORDERS",
        Text("Orders of unknown outcome", "结果未知的委托"),
        not number,
        Text("None.", "没有。"),
        Text(
            f"{number} open: decide them on their page.",
            f"有 {number} 笔未处理：请在其页面上处理。",
        ),
    )


def _working(facts: Facts, needs: Needs) -> Check:
    number = facts.working
    return _check(
        "WORKING_ORDERS",
        Text("Orders at work", "未结束的委托"),
        not number,
        Text("None: this ledger may rest.", "没有，本账簿可以停用。"),
        Text(
            f"{number} at work in the present ledger: cancel them, or step after the close.",
            f"当前账簿有 {number} 笔未结束：请先撤单，或收盘后再进行。",
        ),
    )


def _health(facts: Facts, needs: Needs) -> Check:
    named = ", ".join(facts.alarms)
    return _check(
        "HEALTH",
        Text("Health check", "健康检查"),
        not facts.alarms,
        Text("Finds nothing wrong with this account.", "未发现该账户有异常。"),
        Text(f"Stands now: {named}. See “Alerts”.", f"当前存在：{named}。详见“告警”。"),
    )


def _quotes(facts: Facts, needs: Needs) -> Check:
    return _check(
        "QUOTES",
        Text("Quotes of the real market", "真实行情来源"),
        bool(facts.quotes),
        Text(f"From {facts.quotes}.", f"来自 {facts.quotes}。"),
        Text(
            "Nowhere: install QMT here and set MINIQMT_QMT_PATH, or set FALLBACK_QUOTES=mootdx.",
            "没有：请在本机安装 QMT 并设置 MINIQMT_QMT_PATH，或设置 FALLBACK_QUOTES=mootdx。",
        ),
    )


def _copy(facts: Facts, needs: Needs) -> Check:
    age = facts.copy_age
    return _check(
        "COPY",
        Text("Copy of the real account", "真实账户的副本"),
        age is not None and age <= needs.fresh,
        Text("Cash and holdings were copied lately.", "近期已复制资金与持仓。"),
        Text(
            "None of the last days: `python manage.py account_copy ACCOUNT` reads it from QMT, or from a file.",
            "近期没有：用 `python manage.py account_copy 账户` 从 QMT 或文件读取。",
        ),
    )


def _simulated(facts: Facts, needs: Needs) -> Check:
    named = ", ".join(facts.simulated)
    return _check(
        "ONE_MARKET",
        Text("One market at a time", "同一时间只有一个市场"),
        not facts.simulated,
        Text("No other account lives in an invented market.", "没有其他账户使用虚构行情。"),
        Text(
            f"Disable first, under Accounts: {named}. From here on all quotes are of the real market.",
            f"请先在“账户”中停用：{named}。此后所有行情均为真实行情。",
        ),
    )


def _premarket(facts: Facts, needs: Needs) -> Check:
    return _check(
        "PREMARKET",
        Text("Pre-market check", "盘前检查"),
        facts.premarket_ready is True,
        Text("The last one said: ready.", "最近一次结论：可以开盘。"),
        Text(
            "The last one did not say ready, or there was none: `python manage.py premarket`.",
            "最近一次不是“可以开盘”，或尚未检查：`python manage.py premarket`。",
        ),
    )


#: Questions of the probe without whose answer nobody goes on (docs/live-qmt.md): those it asks by reading, and those
#: that take an order, or fills, of the capped account.
_BY_READING, _BY_ORDERS = ("P5", "P15"), ("P1", "P2", "P11")


def _probe(asked: Sequence[str], how: str) -> _Judge:
    def judge(facts: Facts, needs: Needs) -> Check:
        open_ = ", ".join(one for one in asked if facts.probed.get(one) != "answered")
        failed = ", ".join(one for one, outcome in facts.probed.items() if outcome == "failed")
        good = Text(
            f"{', '.join(asked)} are answered; read the reports."
            + f" Failed: {failed}." * bool(failed),
            f"{'、'.join(asked)} 已有答案，请阅读报告。"
            + f"失败的问题：{failed}。" * bool(failed),
        )
        bad = Text(
            f"The real client has not answered {open_} yet: `python manage.py qmt_probe {how}`.",
            f"真实客户端尚未回答 {open_}：`python manage.py qmt_probe {how}`。",
        )
        name = Text("Probe of the QMT client", "QMT 客户端探测")
        return _check("PROBE", name, not open_, good, bad)

    return judge


def _factor(facts: Facts, needs: Needs) -> Check:
    return _check(
        "SECOND_FACTOR",
        Text("Your second factor", "您的第二验证因素"),
        facts.has_factor,
        Text("It is on.", "已启用。"),
        Text("It is off: set it up on the page “Security”.", "未启用：请在“安全”页面设置。"),
    )


def _channel(facts: Facts, needs: Needs) -> Check:
    age = facts.channel_age
    return _check(
        "ALERT_CHANNEL",
        Text("Alerts reach somebody", "告警能送达"),
        age is not None and age <= needs.fresh,
        Text("One was delivered lately.", "近期有告警送达。"),
        Text(
            "None was delivered in the last days: make a channel in the admin (Alert channels) and send a test there.",
            "近期没有送达：请在管理后台“告警渠道”中建立渠道并发送测试。",
        ),
    )


def _backup(facts: Facts, needs: Needs) -> Check:
    age = facts.backup_age
    return _check(
        "BACKUP",
        Text("Verified backup", "已核验的备份"),
        age is not None and age <= needs.backup,
        Text("The newest one was verified.", "最新备份已核验。"),
        Text(
            "None that is young and verified: `python manage.py backup`.",
            "没有足够新且已核验的备份：`python manage.py backup`。",
        ),
    )


def _caps(facts: Facts, needs: Needs) -> Check:
    problem = facts.caps_problem
    return _check(
        "CAPS",
        Text("Caps", "实盘上限"),
        problem is None,
        Text("Filled in below.", "已在下方填写。"),
        problem or Text("", ""),
    )


def _asked(code: str, name: Text, text: Text) -> _Judge:
    return lambda facts, needs: Check(code, name, None, text)


_DOCTOR = _asked(
    "DOCTOR",
    Text("Doctor", "体检"),
    Text(
        "This page does not run it: I ran `python manage.py doctor`, and no fault is left.",
        "此页面不运行体检：我已运行 `python manage.py doctor`，没有遗留问题。",
    ),
)
_REPORTED = _asked(
    "REPORTED",
    Text("Programmatic trading reported", "程序化交易已报告"),
    Text(
        "Only you know: the account is reported to the broker for programmatic trading, and the broker has confirmed it.",
        "只有您知道：该账户已向券商报告程序化交易，并已获确认。",
    ),
)
_STOPPING = _asked(
    "KNOWS_HOW_TO_STOP",
    Text("Knows how to stop", "知道如何停止"),
    Text(
        "I have tried each: the console's button, `python manage.py halt`, a file KILL in the data directory.",
        "我已逐一试过：控制台按钮、`python manage.py halt`、数据目录中的 KILL 文件。",
    ),
)
_COMPARED_BY_HAND = _asked(
    "COMPARED_WITH_CLIENT",
    Text("Compared with the client", "已与客户端核对"),
    Text(
        "I have compared the orders of the capped sessions with the client: fills, fees, cash and holdings.",
        "我已将限额阶段的委托与客户端核对：成交、费用、资金与持仓。",
    ),
)

_IN_PAPER = _sessions(lambda needs: needs.paper_sessions)
_IN_SHADOW = _sessions(lambda needs: needs.shadow_sessions)
_WITH_CAPS = _sessions(lambda needs: needs.capped_sessions)
_READ, _ORDERED = _probe(_BY_READING, "ACCOUNT"), _probe(_BY_ORDERS, "ACCOUNT --with-orders")

_CHECKS: Mapping[Stage, tuple[_Judge, ...]] = {
    Stage.SHADOW: (
        *(_IN_PAPER, _unknown, _working, _health, _quotes, _copy, _simulated, _factor, _DOCTOR),
    ),
    Stage.CAPPED: (
        *(_IN_SHADOW, _compared, _unknown, _working, _health, _premarket, _READ, _simulated),
        *(_channel, _backup, _factor, _caps, _REPORTED, _STOPPING),
    ),
    Stage.LIVE: (
        *(_WITH_CAPS, _unknown, _health, _premarket, _ORDERED, _channel, _backup, _factor),
        _COMPARED_BY_HAND,
    ),
}
