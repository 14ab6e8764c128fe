"""What a person typed and the files they named, checked before anything runs: whole, or an error in one line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path

from trading.domain.calendar import TradingCalendar
from trading.domain.symbols import SymbolError, parse_symbol
from trading.domain.types import CorporateAction, Symbol, Text
from trading.errors import ConfigError, MiniqmtError, SourceError
from trading.market_data.sources import Label, Recording, open_source, read_corporate_actions
from trading.replay.engine import Options, Seed
from trading.replay.guests import guests
from trading.services import config

_MOST = Decimal(10) ** 12
_UNIT = Decimal("0.0001")


class OptionError(MiniqmtError):
    """An option of the command is wrong: nothing was run. `text` is one line in each language."""

    def __init__(self, option: str, value: str, expected: Text) -> None:
        self.text = Text(
            f"{option} is {value!r}, expected {expected.en}.",
            f"{option} 的值为 {value!r}，应为{expected.zh}。",
        )
        super().__init__(self.text.en)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is going to be replayed. `warnings`: what a person should know of it."""

    recordings: tuple[Recording, ...]
    options: Options
    warnings: tuple[Text, ...]


def plan(
    *,
    sources: Sequence[Path],
    positions: Sequence[str] = (),
    cash: str = "1000000",
    settings: Sequence[str] = (),
    corporate_actions: Path | None = None,
    label: Label = "start",
    skip: bool = True,
    output: Path | None = None,
    wishes: Mapping[str, Sequence[str]] | None = None,
) -> Plan:
    """Read and check everything. Raises OptionError for what was typed, SourceError for what a file holds.

    `wishes`: options of other apps, by their key.
    """
    seeds = seeds_of(positions)
    money = _yuan("--cash", cash, least=Decimal(0))
    changes = {**_of_guests(wishes or {}), **settings_of(settings)}
    if output is not None and (output.is_dir() or not output.parent.is_dir()):
        raise OptionError(
            "--json", str(output), Text("a file in a folder that exists", "已存在目录中的文件")
        )
    actions = [] if corporate_actions is None else read_corporate_actions(corporate_actions)
    recordings = tuple(open_source(source, label) for source in sources)
    refuse_overlaps(recordings)
    quoted = {symbol for recording in recordings for symbol in recording.symbols}
    warnings = [warning for recording in recordings for warning in recording.warnings]
    warnings += [_unquoted(seed.symbol) for seed in seeds if seed.symbol not in quoted]
    options = Options(
        seeds=seeds,
        cash=money,
        settings=changes,
        corporate_actions=_within(
            actions, corporate_actions, recordings, {*quoted, *(s.symbol for s in seeds)}
        ),
        skip=skip,
        guests=wishes or {},
    )
    return Plan(recordings, options, tuple(warnings))


def _of_guests(wishes: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Check what other apps are asked for and return the settings that needs. Raises OptionError."""
    needed: dict[str, str] = {}
    for guest in guests():
        texts = wishes.get(guest.key, ())
        for text in texts:
            if problem := guest.problem(text):
                raise OptionError(guest.option, text, problem)
        if texts:
            needed.update(guest.settings)
    return needed


def seeds_of(texts: Sequence[str]) -> tuple[Seed, ...]:
    """Return the holdings of `600519:1000@1720`, by symbol. Raises OptionError."""
    seeds: dict[Symbol, Seed] = {}
    for text in texts:
        seed = _seed(text)
        if seed.symbol in seeds:
            raise OptionError("--position", text, Text("every symbol once", "每个代码只出现一次"))
        seeds[seed.symbol] = seed
    return tuple(seeds[symbol] for symbol in sorted(seeds))


def _seed(text: str) -> Seed:
    name, colon, rest = text.rpartition(":")
    quantity, at, cost = rest.partition("@")
    if not (colon and at):
        raise OptionError(
            "--position",
            text,
            Text(
                "SYMBOL:QTY@COST such as 600519:1000@1720", "代码:数量@成本，例如 600519:1000@1720"
            ),
        )
    try:
        symbol = parse_symbol(name)
    except SymbolError as problem:
        expected = Text(f"a symbol ({problem.text.en})", f"证券代码（{problem.text.zh}）")
        raise OptionError("--position", text, expected) from problem
    if not (quantity.isascii() and quantity.isdecimal() and 0 < int(quantity) <= 10**9):
        raise OptionError(
            "--position", text, Text("a whole number of shares above 0", "大于 0 的整数股数")
        )
    return Seed(symbol, int(quantity), _yuan("--position", cost, least=_UNIT, whole=text))


def _yuan(option: str, text: str, *, least: Decimal, whole: str = "") -> Decimal:
    try:
        amount = Decimal(text if text.isascii() and "_" not in text else "")
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not least <= amount < _MOST or amount != amount.quantize(_UNIT):
        expected = Text(
            f"an amount in yuan of at least {least}, at most four decimals",
            f"不小于 {least} 的金额（元），最多四位小数",
        )
        raise OptionError(option, whole or text, expected)
    return amount


def settings_of(texts: Sequence[str]) -> dict[str, str]:
    """Return the settings of `stop_loss_ratio=-0.05`. Raises OptionError for a name that is none, or twice the same."""
    changes: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise OptionError(
                "--config",
                text,
                Text(
                    "KEY=VALUE such as stop_loss_ratio=-0.05",
                    "名称=值，例如 stop_loss_ratio=-0.05",
                ),
            )
        if name not in config.setting_names():
            names = ", ".join(config.setting_names())
            expected = Text(f"KEY one of {names}", "上列名称之一")
            raise OptionError("--config", text, expected)
        if name in changes:
            raise OptionError("--config", text, Text("every setting once", "每个配置项只出现一次"))
        changes[name] = value
    return changes


def setting_problem(settings: dict[str, str], problem: ConfigError) -> OptionError:
    """Return what to tell of settings that were refused as a whole."""
    typed = " ".join(f"{name}={value}" for name, value in settings.items())
    said = config.explain(problem)
    return OptionError(
        "--config", typed, Text(f"valid settings ({said.en})", f"有效的配置（{said.zh}）")
    )


def check_days(recordings: Iterable[Recording], calendar: TradingCalendar) -> None:
    """Raise SourceError for a day that is no session, or that the calendar does not know."""
    for recording in recordings:
        for on in recording.sessions:
            if not calendar.knows(on):
                known = (
                    f"a day the calendar knows, {calendar.known_from} to {calendar.known_until}"
                )
                raise SourceError(recording.name, None, "day", on.isoformat(), known)
            if not calendar.is_session(on):
                raise SourceError(
                    recording.name, None, "day", on.isoformat(), "a trading day of the exchange"
                )


def refuse_overlaps(recordings: Sequence[Recording]) -> None:
    """Raise SourceError when two sources overlap in one symbol's session: no quote may be taken twice."""
    spans: dict[tuple[Symbol, date], list[tuple[datetime, datetime, int]]] = {}
    if len(recordings) < 2:
        return
    for number, recording in enumerate(recordings):
        for key, (first, last) in _spans(recording).items():
            spans.setdefault(key, []).append((first, last, number))
    for (symbol, _), parts in sorted(spans.items()):
        for before, after in pairwise(sorted(parts)):
            if after[0] <= before[1]:
                expected = f"a time after {before[1].isoformat()}, where {recordings[before[2]].name} ends"
                name = recordings[after[2]].name
                raise SourceError(name, None, f"time of {symbol}", after[0].isoformat(), expected)


def _spans(recording: Recording) -> dict[tuple[Symbol, date], tuple[datetime, datetime]]:
    spans: dict[tuple[Symbol, date], tuple[datetime, datetime]] = {}
    for quote in recording.quotes():
        key = quote.symbol, quote.time.date()
        first, _ = spans.get(key, (quote.time, quote.time))
        spans[key] = first, quote.time
    return spans


def _within(
    actions: Sequence[CorporateAction],
    path: Path | None,
    recordings: Sequence[Recording],
    symbols: set[Symbol],
) -> tuple[CorporateAction, ...]:
    """Return the events of the replayed days. Raises SourceError for one on a day that was left out."""
    sessions = sorted({on for recording in recordings for on in recording.sessions})
    kept = []
    for action in actions:
        if action.symbol not in symbols or not sessions[0] <= action.on <= sessions[-1]:
            continue
        if action.on not in sessions:
            name = path.name if path is not None else ""
            expected = f"one of the replayed sessions, for {action.symbol}"
            raise SourceError(name, None, "date", action.on.isoformat(), expected)
        kept.append(action)
    return tuple(kept)


def _unquoted(symbol: Symbol) -> Text:
    return Text(
        f"{symbol}: no source quotes this holding, nothing is decided on it",
        f"{symbol}：没有行情，不对该持仓作任何决策",
    )
