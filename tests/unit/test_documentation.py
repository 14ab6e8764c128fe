"""The pages say what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.db.models import Field

from miniqmt.schedule import SCHEDULE
from trading.domain.protection import WORDS
from trading.models import TradingConfig
from trading.services.config import setting_names
from trading.services.setting_help import HELP

pytestmark = pytest.mark.fast
ROOT = Path(__file__).resolve().parents[2]


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return " ".join(f"{gain}:{coefficient}" for gain, coefficient in value)
    return "empty" if value is None else str(value)


@pytest.mark.parametrize("name", setting_names())
def test_the_configuration_page_names_each_setting_with_its_default(name):
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    [line] = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
    default = line.split("|")[3].strip()
    field = TradingConfig._meta.get_field(name)
    assert isinstance(field, Field)
    assert default == _shown(field.get_default())


def test_the_form_explains_each_setting_with_the_range_of_the_configuration_page():
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| `")]
    ranges = {
        row[1].strip(" `"): row[4].strip() for row in rows if row[1].islower()
    }  # the others are of the environment
    assert tuple(HELP) == setting_names()
    assert {name: entry.range.en for name, entry in HELP.items()} == ranges


def test_the_console_page_explains_each_reason_in_the_words_of_the_console():
    page = (ROOT / "docs" / "console.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")]
    explained = {(row[0].removeprefix("| "), row[1]) for row in rows}
    assert {(words.en, words.zh) for words in WORDS.values()} - explained == set()


@pytest.mark.parametrize("name", ["api", "console"])
def test_a_page_in_both_languages_has_the_same_parts_and_the_same_commands(name):
    english, chinese = (
        (ROOT / "docs" / f"{name}{ending}.md").read_text(encoding="utf-8")
        for ending in ("", ".zh-CN")
    )
    for pattern in (r"^## ", r"^\| ?[^|-]", r"`(?:[A-Z]+ )?/[a-z_/{}.-]+`", r"^```"):
        assert len(re.findall(pattern, english, re.MULTILINE)) == len(
            re.findall(pattern, chinese, re.MULTILINE)
        ), pattern


@pytest.mark.parametrize(
    "page",
    [
        *("README.md", "README.zh-CN.md", "docs/architecture.md"),
        *("docs/api.md", "docs/api.zh-CN.md", "docs/console.md", "docs/console.zh-CN.md"),
    ],
)
def test_every_file_a_page_links_to_exists(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert ((ROOT / page).parent / target).exists(), target


def test_the_schedule_page_names_exactly_the_periodic_tasks_with_period_queue_and_expiry():
    page = (ROOT / "docs" / "schedule.md").read_text(encoding="utf-8")
    cells = [[cell.strip() for cell in line.split("|")] for line in page.splitlines()]
    rows = {row[1].strip("`"): row[2:8] for row in cells if len(row) > 8 and "`" in row[1]}
    told = {name: tuple(row[:3]) for name, row in rows.items()}
    assert told == {
        name: (
            f"{entry['schedule'].total_seconds():g} s",
            entry["options"]["queue"],
            f"{entry['options']['expire_seconds']} s",
        )
        for name, entry in SCHEDULE.items()
    }
    assert all(cell for row in rows.values() for cell in row)
