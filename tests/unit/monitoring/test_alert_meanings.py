"""Each code the program writes has its row in the table, and the page of the operators shows the same table."""

from __future__ import annotations

import ast
import re

import pytest

from grid.domain.state import StopCode
from monitoring.alerts.meanings import MEANINGS, ends, meaning_of
from monitoring.alerts.names import is_named, name_of
from monitoring.models import Category, Severity
from tests.architecture.sources import APPS, ROOT, parsed, python_files
from trading.domain.corporate_actions import ExRights
from trading.domain.types import TradingState
from trading.models import EventLevel

pytestmark = pytest.mark.fast

#: Who writes a code: into the journal, or as a finding that the health tick writes there.
WRITERS = {"Event", "journal", "journal_once", "Finding", "Silence", "Cause", "_alarm", "_tell"}
_CODE = re.compile(r"[A-Z_]{5,}")
#: Words in capitals that are handed to one of these and are no codes of events.
NO_CODES = {"PERSON", "BAD_KEY", "KEY_MISSING", "HOSTS_OPEN", "REDIS_OPEN", "WEB_PLAIN"}
NO_CODES |= {"_CERTIFICATE"}  # the doctor's, with the name of a server before it
#: Codes that are put together: their beginnings, and the codes they become.
PUT_TOGETHER = {
    "TRADING_": {f"TRADING_{state.name}" for state in TradingState},
    "TRADING_STILL_": {"TRADING_STILL_HALTED", "TRADING_STILL_REDUCING"},
    "EX_RIGHTS_": {f"EX_RIGHTS_{kind.name}" for kind in ExRights} - {"EX_RIGHTS_NONE"},
    "GRID_": {f"GRID_{stop.value}" for stop in StopCode},
    "_OVER": set[str](),
}


def _written(tree: ast.Module) -> set[str]:
    """The codes that are handed to a writer, or kept in a name that says so."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            parts = [*node.args, *(one.value for one in node.keywords)] if name in WRITERS else []
        elif isinstance(node, ast.Assign) and "code" in ast.unparse(node.targets[0]).lower():
            parts = [node.value]
        else:
            continue
        for part in parts:
            if isinstance(part, ast.Call):
                continue  # a text
            constants = (one for one in ast.walk(part) if isinstance(one, ast.Constant))
            words = {str(one.value) for one in constants}
            found |= {word for word in words if _CODE.fullmatch(word)}
    return found


def test_every_code_the_program_writes_is_in_the_table():
    written = set().union(*(_written(parsed(path)) for path in python_files(*APPS)))
    assert len(written) > 60  # the search finds them
    assert set(PUT_TOGETHER) <= written
    known = MEANINGS.keys() | PUT_TOGETHER.keys() | NO_CODES
    unknown = {code for code in written - known if code.removesuffix("_OVER") not in known}
    assert unknown == set(), "give each a row in monitoring/alerts/meanings.py"
    assert set().union(*PUT_TOGETHER.values()) <= MEANINGS.keys()


def test_every_code_of_the_table_has_a_name_in_both_languages():
    assert [code for code in MEANINGS if not is_named(code)] == []
    assert name_of("FEED_SILENT_OVER") == ("over: no quotes at all", "已恢复：行情中断")
    assert name_of("SOMETHING_NEW") == ("SOMETHING_NEW", "SOMETHING_NEW")


def test_a_holding_that_was_taken_over_is_no_end_of_anything():
    assert not ends("HOLDING_TAKEN_OVER")
    assert ends("FEED_SILENT_OVER")


def test_the_end_of_a_matter_is_information_about_the_same_thing():
    over = meaning_of("FEED_SILENT_OVER", EventLevel.INFO)
    assert over == (Severity.INFO, Category.QUOTES, False)
    assert meaning_of("TICK_LATE_OVER", EventLevel.INFO).apart


def test_the_page_of_the_operators_has_the_same_table():
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    shown = {}
    for line in page.splitlines():
        row = re.fullmatch(r"\| (\w+) \| (\w+) \| ((?:`[A-Z_]+`(?:, )?)+) \|", line)
        if row is not None:
            for code in re.findall(r"`([A-Z_]+)`", row[3]):
                shown[code] = (row[1], row[2])
    assert shown == {
        code: (one.severity.name.lower(), one.category.value) for code, one in MEANINGS.items()
    }
