"""The chain: each audit row gets a link whose digest covers the row and the link before it.

Whoever changes, deletes or slips in a row breaks it at that place. Whoever computes all later links anew is found by an
anchor, which is a link's number and digest kept elsewhere: one a day in `audit-anchors.txt`, and wherever it was sent.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import transaction
from django.db.models import Exists, Model, OuterRef

from monitoring.audit.tables import CHAINED, canonical, columns_of
from monitoring.models import AuditForm, AuditLink
from trading.domain.types import CHINA, Text

log = logging.getLogger(__name__)
ANCHORS = "audit-anchors.txt"
#: Rows that one transaction links: a write lock of a few milliseconds; and so many transactions a run.
BATCH, BATCHES = 200, 100
_START = "0" * 64


@dataclass(frozen=True, slots=True)
class Anchor:
    """The number and the digest of a link; `on` is the day it was written down."""

    number: int
    digest: str
    on: str = ""

    def __str__(self) -> str:
        return f"{self.number}:{self.digest}"


# -- growing


def extend(now: datetime) -> int:
    """Link the audit rows that have no link yet; returns how many. `now` is real time."""
    left = iter(range(BATCHES))
    return sum(sum(_batches(model, left, now)) for model in CHAINED)


def _batches(model: type[Model], left: Iterator[int], now: datetime) -> Iterator[int]:
    """Link the rows of one table, batch by batch while batches are left."""
    for _ in left:
        with transaction.atomic():
            count = _extend(model, now)
        yield count
        if count < BATCH:
            return


def _extend(model: type[Model], now: datetime) -> int:
    table = model._meta.db_table
    rows = list(model._default_manager.filter(pk__gt=_newest_row(table)).order_by("pk")[:BATCH])
    if not rows:
        return 0
    form = _form(table, columns_of(model))
    last = AuditLink.objects.order_by("-pk").first()
    number, digest = (last.pk, last.digest) if last else (0, _START)
    links = []
    for row in rows:
        number, digest = number + 1, _digest(digest, canonical(row, form.columns))
        links.append(AuditLink(pk=number, form=form, row=row.pk, digest=digest, at=now))
    AuditLink.objects.bulk_create(links)
    return len(links)


def _newest_row(table: str) -> int:
    """Return the key of the newest row of a table that has a link; each look is one step in an index."""
    forms = AuditForm.objects.filter(table=table)
    tops = (
        AuditLink.objects.filter(form=form).order_by("-row").values_list("row", flat=True).first()
        for form in forms
    )
    return max((top for top in tops if top is not None), default=0)


def _form(table: str, columns: list[str]) -> AuditForm:
    form: AuditForm
    form, _ = AuditForm.objects.get_or_create(table=table, columns=columns)
    return form


def _digest(before: str, said: str) -> str:
    return sha256(f"{before}\n{said}".encode()).hexdigest()


# -- anchors


def newest_anchor() -> Anchor | None:
    """Return the last link of the chain."""
    last = AuditLink.objects.order_by("-pk").first()
    return Anchor(last.pk, last.digest) if last else None


def write_anchor(home: Path, now: datetime) -> Anchor | None:
    """Write today's anchor down, once a day (China's), and say it in the log. None: there is one, or no chain yet."""
    on, known, newest = f"{now.astimezone(CHINA):%Y-%m-%d}", anchors(home), newest_anchor()
    if newest is None or (known and known[-1].on == on):
        return None
    path = home / ANCHORS
    path.touch(mode=0o600, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{on} {newest}\n")
    log.warning("audit anchor of %s: %s", on, newest)
    return newest


def anchors(home: Path) -> list[Anchor]:
    """Return the anchors that were written down here, oldest first."""
    try:
        lines = (home / ANCHORS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [anchor for anchor in map(_read, lines) if anchor is not None]


def _read(line: str) -> Anchor | None:
    on, _, rest = line.strip().rpartition(" ")
    number, _, digest = rest.partition(":")
    return Anchor(int(number), digest, on) if number.isdecimal() and digest else None


def parse_anchor(text: str) -> Anchor | None:
    """Return the anchor a person typed, `NUMBER:DIGEST`; None when it is none."""
    return _read(text)


# -- verifying


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many links hold, and the first thing that does not; `unlinked` rows wait for the next run."""

    links: int
    problem: Text | None = None
    unlinked: int = 0


def verify(known: list[Anchor]) -> Verdict:
    """Go through the whole chain, link by link. `known`: anchors it has to pass through."""
    digest, number = _START, 0
    digests = {anchor.number: anchor for anchor in known}
    for number, (link, row) in enumerate(_links(), 1):
        problem = _problem(link, row, number, digest) or _differs(digests.get(number), link.digest)
        if problem is not None:
            return Verdict(number - 1, problem)
        digest = link.digest
    ahead = [anchor for anchor in known if anchor.number > number]
    problem = _ends_early(number, ahead[0]) if ahead else _slipped_in()
    return Verdict(number, problem, sum(map(_waiting, CHAINED)))


def _links() -> Iterator[tuple[AuditLink, Model | None]]:
    """Every link in order, with its row."""
    models = {model._meta.db_table: model for model in CHAINED}
    links = AuditLink.objects.select_related("form").order_by("pk").iterator(chunk_size=BATCH)
    while chunk := list(islice(links, BATCH)):
        rows: dict[str, dict[Any, Model]] = {}
        for table in {link.form.table for link in chunk} & models.keys():
            keys = [link.row for link in chunk if link.form.table == table]
            rows[table] = models[table]._default_manager.in_bulk(keys)
        for link in chunk:
            yield link, rows.get(link.form.table, {}).get(link.row)


def _problem(link: AuditLink, row: Model | None, number: int, before: str) -> Text | None:
    where = f"{link.form.table} {link.row}"
    if link.pk != number:
        return Text(
            f"Link {number} is missing: it was deleted from the chain. The next one is {link.pk} ({where}).",
            f"缺少第 {number} 环：已从链中删除。其后为第 {link.pk} 环（{where}）。",
        )
    if row is None:
        return Text(
            f"Link {number}: the row {where} is gone. It was deleted after {link.at:%Y-%m-%d %H:%M} UTC.",
            f"第 {number} 环：记录 {where} 已不存在，在 {link.at:%Y-%m-%d %H:%M}（UTC）之后被删除。",
        )
    try:
        said = canonical(row, link.form.columns)
    except FieldDoesNotExist as problem:
        return Text(
            f"Link {number}: {where} cannot be verified, the program no longer has a column ({problem}).",
            f"第 {number} 环：无法核对 {where}，程序已不再有该列（{problem}）。",
        )
    if _digest(before, said) != link.digest:
        return Text(
            f"Link {number}: the row {where} or this link was changed after {link.at:%Y-%m-%d %H:%M} UTC.",
            f"第 {number} 环：记录 {where} 或该环在 {link.at:%Y-%m-%d %H:%M}（UTC）之后被修改。",
        )
    return None


def _differs(anchor: Anchor | None, digest: str) -> Text | None:
    if anchor is None or anchor.digest == digest:
        return None
    return Text(
        f"Link {anchor.number} is not the one of the anchor {anchor.on}: the chain was written anew, or this is the"
        " database of another installation.",
        f"第 {anchor.number} 环与锚点 {anchor.on} 不符：链被重写，或这是另一套系统的数据库。",
    )


def _ends_early(number: int, anchor: Anchor) -> Text:
    return Text(
        f"The chain ends at link {number}, earlier than the anchor {anchor.on} ({anchor.number}): an older backup was"
        " restored, or its end was cut off. What came later is in the replaced database.",
        f"链止于第 {number} 环，早于锚点 {anchor.on}（{anchor.number}）：恢复过较早的备份，或末尾被截去。"
        "其后的内容在被替换的数据库中。",
    )


def _slipped_in() -> Text | None:
    """Rows without a link, older than one that has a link."""
    for model in CHAINED:
        table = model._meta.db_table
        links = AuditLink.objects.filter(form__in=list(AuditForm.objects.filter(table=table)))
        mine = Exists(links.filter(row=OuterRef("pk")))
        rows = model._default_manager.filter(~mine, pk__lte=_newest_row(table))
        row = rows.order_by("pk").first()
        if row is not None:
            return Text(
                f"The row {table} {row.pk} has no link: it was slipped in behind rows that are linked.",
                f"记录 {table} {row.pk} 没有对应的环：是在已入链的记录之间插入的。",
            )
    return None


def _waiting(model: type[Model]) -> int:
    newest = _newest_row(model._meta.db_table)
    return model._default_manager.filter(pk__gt=newest).count()
