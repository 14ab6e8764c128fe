"""Forms, commands and the manual say of each parameter what the rules allow."""

from __future__ import annotations

import dataclasses
import re
from decimal import Decimal
from pathlib import Path

import pytest

from grid.domain import centred_grid, lot_grid
from grid.domain.rules import STYLES, parameter_names
from grid.services.parameter_help import HELP, style_words

pytestmark = [pytest.mark.fast, pytest.mark.grid]

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "grid.md").read_text(encoding="utf-8")
RANGES = {"lot": lot_grid._RANGES, "centred": centred_grid._RANGES}


def test_every_parameter_of_every_style_is_explained_in_both_languages():
    names = {name for style in STYLES for name in parameter_names(style)}
    assert set(HELP) == names
    assert all(text.en and text.zh for text, _ in HELP.values())
    assert {style_words(style).zh for style in STYLES} == {"逐笔网格", "中心网格"}


@pytest.mark.parametrize("style", RANGES)
def test_the_ranges_shown_are_those_of_the_rules(style):
    for name, low, high in RANGES[style]:
        shown = re.match(r"(\S+) – ([^\s,，]+)", HELP[name].range.en)
        assert shown is not None, name
        assert (Decimal(shown[1]), Decimal(shown[2])) == (low, high), name


@pytest.mark.parametrize("style", STYLES)
def test_the_manual_has_each_parameter_with_its_range_and_its_default(style):
    defaults = {one.name: one.default for one in dataclasses.fields(STYLES[style].parameters)}
    for name in parameter_names(style):
        rows = re.findall(rf"^\| `{name}` \| ([^|]+) \| ([^|]+) \|", PAGE, re.MULTILINE)
        assert rows, name
        if name in ("max_investment", "trade_mode"):
            continue
        assert (Decimal(rows[0][0].strip()), rows[0][1].strip()) == (defaults[name], HELP[name].range.en)  # fmt: skip
