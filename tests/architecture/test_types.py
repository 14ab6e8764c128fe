"""What the type check of this project finds, shown on lines that once cost a day of trading."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from mypy import api

from tests.architecture.sources import APPS, ROOT

pytestmark = [pytest.mark.slow, pytest.mark.unattended]

#: "Is it trading time?" and "is the book being closed?", asked of the functions and not of their answers.
PLANTED = """
from __future__ import annotations

class Book:
    def is_finalizing(self) -> bool:
        return False

def is_trade_time() -> bool:
    return False

def decide() -> str:
    if is_trade_time:
        return "trades at night"
    return "right" if is_trade_time() else "waits"

def price(book: Book) -> str:
    if not book.is_finalizing:
        return "never"
    return "right" if not book.is_finalizing() else "waits"
"""


def settings() -> dict[str, object]:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found: dict[str, object] = tomllib.loads(text)["tool"]["mypy"]
    return found


def test_f128_f129_a_function_used_as_its_answer_is_an_error(tmp_path: Path):
    known = settings()
    lines = ["[mypy]", f"strict = {known['strict']}"]
    codes = known["enable_error_code"]
    assert isinstance(codes, list)
    lines.append(f"enable_error_code = {', '.join(codes)}")
    config, planted = tmp_path / "mypy.ini", tmp_path / "planted.py"
    config.write_text("\n".join(lines), encoding="utf-8")
    planted.write_text(PLANTED.lstrip("\n"), encoding="utf-8")

    said, _, code = api.run(
        ["--config-file", str(config), "--cache-dir", str(tmp_path / "cache"), str(planted)]
    )

    assert code == 1
    found = [line for line in said.splitlines() if line.endswith("[truthy-function]")]
    assert [line.split(":")[1] for line in found] == ["11", "16"]


def test_f128_f129_all_code_is_checked_and_nothing_switches_that_off():
    known = settings()
    files = known["files"]
    assert isinstance(files, list)
    assert {"manage.py", *APPS} <= set(files)
    assert known["strict"] is True
    disabled = str(known.get("disable_error_code", ""))
    assert "truthy" not in disabled
    overrides = known["overrides"]
    assert isinstance(overrides, list)
    loosened = [
        one for one in overrides if one.get("ignore_errors") or one.get("disable_error_code")
    ]
    assert loosened == []
