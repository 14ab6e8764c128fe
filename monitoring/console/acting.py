"""What every act of a person in the console has in common: what is confirmed, in words, and what came of it.

An action finds its subject, says everything about it before it is confirmed, and then calls the one service that does
it. It writes nothing else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar

from monitoring.console.acting_forms import ActForm
from trading.domain.calendar import TradingCalendar
from trading.domain.types import AccountMode, Text
from trading.models import Account, Position
from trading.models.fields import CHINESE
from trading.ports import QuoteReader
from trading.services.calendar import load_calendar
from trading.services.clock import SIMULATED, market_time
from trading.services.shared_quotes import quotes_of_thread

_CENT = Decimal("0.01")


class Gone(Exception):
    """What was to be acted on is not there (any more); `text` says so. Nothing was done."""

    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(text.en)


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a confirmation. `tone`: good, calm or bad, which a mark says too."""

    label: Text
    value: Text
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """How much of a limit an order would use: `used` of `most`; `ratio` None: not known."""

    label: Text
    used: str
    most: str
    ratio: Decimal | None

    @property
    def is_over(self) -> bool:
        return self.ratio is not None and self.ratio > 1


@dataclass(frozen=True, slots=True)
class Objection:
    """A check that fails now. `waits`: it would be tried again, not denied. `label`: what it brings, in two words."""

    words: Text
    waits: bool
    label: Text


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Everything a person is told before the second click.

    `shown` names what is confirmed: is it another by the time of the click, the person looks again. `problem`: why it
    cannot be done at all now. `passes`: the checks that object to nothing. `unfit`: acting would only be refused later.
    """

    title: Text
    account: Account
    facts: tuple[Fact, ...]
    button: Text
    warnings: tuple[Text, ...] = ()
    shares: tuple[Share, ...] = ()
    objections: tuple[Objection, ...] = ()
    passes: tuple[Text, ...] = ()
    problem: Text | None = None
    shown: str = ""
    is_grave: bool = False
    links: tuple[tuple[Text, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an act brought about: words, and the rows to look at by their kind."""

    words: Text
    rows: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Moment:
    """When somebody acts, and what they act with: market time of the account, and who."""

    now: datetime
    actor: str
    quotes: QuoteReader
    calendar: TradingCalendar


def moment_of(account: Account, real: datetime, actor: str) -> Moment:
    """Return the moment on this account's clock at a real time."""
    now = market_time(AccountMode(account.mode), real)
    return Moment(now, actor[:64], quotes_of_thread(), load_calendar())


class Action(ABC):
    """One thing a person can do. `name` is its part of the address."""

    name: ClassVar[str]
    form: ClassVar[type[ActForm]] = ActForm
    #: Whether a live account asks for the second factor, not for the password alone. What makes trading safer does not.
    takes_factor: ClassVar[bool] = False
    #: Whether a live account asks who it is at all: nothing may stand between a person and the brake.
    takes_proof: ClassVar[bool] = True

    @abstractmethod
    def find(self, pk: int) -> Any:
        """Return what is acted on. Raises Gone."""

    def loosens(self, subject: Any) -> bool:
        """Whether it releases the main switch: that is a permission of its own, and takes the second factor."""
        return False

    def account_of(self, subject: Any) -> Account:
        """Return whose it is."""
        account: Account = subject.account
        return account

    def subject_words(self, subject: Any, answers: Mapping[str, Any]) -> str:
        """Name it in the record of acts: a symbol where there is one."""
        return str(answers.get("symbol") or getattr(subject, "symbol", ""))

    def initial(self, subject: Any, asked: Mapping[str, Any], at: Moment) -> dict[str, Any]:
        """Return what the form begins with; `asked`: what the address names."""
        return {}

    @abstractmethod
    def confirm(self, subject: Any, answers: Mapping[str, Any], at: Moment) -> Confirmation:
        """Say everything about it as it is now; `answers`: the usable ones. Raises CorrectionError, GatewayUnavailable."""

    @abstractmethod
    def act(self, subject: Any, answers: Mapping[str, Any], at: Moment) -> Outcome:
        """Do it. Raises CorrectionError, and nothing was done; GatewayUnavailable likewise."""

    def is_other(self, shown: str, now: Confirmation) -> bool:
        """Whether what would be done now is not what the person was shown."""
        return shown != now.shown


def said(value: object) -> Text:
    """Say something that reads the same in both languages."""
    return Text(str(value), str(value))


def named(value: str) -> Text:
    """Name a value of an enumeration in both languages."""
    return Text(str(value).replace("_", " "), CHINESE.get(str(value), str(value)))


def amount(value: Decimal | None) -> str:
    """Write yuan with thousands, "—" when not known."""
    return "—" if value is None else f"{value.quantize(_CENT, ROUND_HALF_UP):,}"


def account_facts(account: Account) -> tuple[Fact, ...]:
    """Say whose account it is: its name, the last four characters of its number, and its mode."""
    en, zh = named(account.mode)
    meaning = Text(f"{en}: simulated, no real money", f"{zh}：模拟交易，不涉及真实资金")
    if account.mode == AccountMode.SHADOW:
        meaning = Text(f"{en}: recorded, never sent", f"{zh}：只记录，不会发出")
    elif is_real(account):
        meaning = Text(f"⚠ {en.upper()}: real money", f"⚠ {zh}：真实资金")
    return (
        Fact(Text("Account", "账户"), said(f"{account.name} {account.masked_number}")),
        Fact(Text("Mode", "模式"), meaning, "bad" if is_real(account) else ""),
    )


def is_real(account: Account) -> bool:
    """Whether real money may be at stake: whatever is not known to be simulated."""
    return AccountMode(account.mode) not in (*SIMULATED, AccountMode.SHADOW)


def open_holding(pk: int) -> Position:
    """Return an open holding. Raises Gone."""
    row = Position.objects.select_related("account").filter(pk=pk).first()
    if row is None:
        raise Gone(Text("There is no such holding.", "没有该持仓。"))
    if row.closed_at is not None:
        raise Gone(
            Text(f"{row.symbol}: this holding is sold already.", f"{row.symbol}：该持仓已清空。")
        )
    return row


def account_row(pk: int) -> Account:
    """Return an account. Raises Gone."""
    row = Account.objects.filter(pk=pk).first()
    if row is None:
        raise Gone(Text("There is no such account.", "没有该账户。"))
    return row
