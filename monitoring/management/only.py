"""Which processes `up` runs on this machine, when the others run elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from monitoring.run_file import GATEWAY
from monitoring.supervisor import ProcessSpec
from trading.domain.types import Text

#: Every process by name; a gateway is written `gateway:ACCOUNT`, all of them `gateways`.
NAMES = ("redis", "paper_terminal", "market_data", "worker", "beat", "web", "flower")
_GATEWAYS = "gateways"


def names_of(written: str) -> frozenset[str]:
    """Return the names of `--only`; none: everything. Raises CommandError for one that is no process."""
    found = set()
    for word in written.replace(",", " ").split():
        kind, _, account = word.partition(":")
        if word in (*NAMES, _GATEWAYS):
            found.add(word)
        elif kind == "gateway" and account:
            found.add(f"{GATEWAY}{account}")
        else:
            known = ", ".join((*NAMES, "gateway:ACCOUNT", _GATEWAYS))
            raise _problem(
                f"--only {word!r} is no process of `up`; there are: {known}.",
                f"--only “{word}”不是 `up` 的进程；可用：{known}。",
            )
    return frozenset(found)


def chosen(processes: Sequence[ProcessSpec], wanted: frozenset[str]) -> list[ProcessSpec]:
    """Return those that run here."""
    return [one for one in processes if not wanted or _is_wanted(one.name, wanted)]


def refuse_strangers(processes: Sequence[ProcessSpec], wanted: frozenset[str]) -> None:
    """Raise CommandError for a gateway of an account there is not."""
    there = {one.name for one in processes}
    strange = [name for name in wanted if name.startswith(GATEWAY) and name not in there]
    if strange:
        name = strange[0].removeprefix(GATEWAY)
        raise _problem(
            f"--only gateway:{name}: there is no enabled account of this name that has a gateway.",
            f"--only gateway:{name}：没有此名称且已启用的账户。",
        )


def _is_wanted(name: str, wanted: frozenset[str]) -> bool:
    return name in wanted or (name.startswith(GATEWAY) and _GATEWAYS in wanted)


def has_the_database(wanted: frozenset[str]) -> bool:
    """Whether this machine brings tables up to date: the one that runs beat, so that never two do at once."""
    return not wanted or "beat" in wanted


def leads_elsewhere(wanted: frozenset[str], redis_url: str) -> CommandError | None:
    """Return why this does not do: the Redis of the others has to be named where `up` runs none of its own."""
    if not wanted or "redis" in wanted or redis_url:
        return None
    return _problem(
        "--only without redis: name the one of the other machine in REDIS_URL.",
        "--only 未包含 redis：请在 REDIS_URL 中填写另一台机器上的 Redis。",
    )


def tables_are_missing() -> bool:
    """Whether there are migrations that were not applied."""
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _problem(en: str, zh: str) -> CommandError:
    text = Text(en, zh)
    return CommandError(f"{text.en} {text.zh}")
