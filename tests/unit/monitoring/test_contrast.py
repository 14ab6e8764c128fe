"""Every colour of the console against what it stands on, in both themes and with both habits of up and down (WCAG 2.2 AA)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitoring.templatetags import console

pytestmark = [pytest.mark.fast, pytest.mark.system]

STATIC = Path(console.__file__).parents[1] / "static" / "monitoring"
#: Of words, and of what else must be made out: marks, the focus, the edge of a field.
WORDS, SHAPES = 4.5, 3.0
PLAIN = ("page", "card", "head")

#: What is written in which colour, on which grounds.
WRITTEN = {
    "text": (*PLAIN, "calm-back", "good-back", "changed"),
    "quiet": (*PLAIN, "calm-back", "good-back"),
    "link": (*PLAIN, "calm-back", "good-back"),
    "up": (*PLAIN, "calm-back", "good-back", "changed"),
    "down": (*PLAIN, "calm-back", "good-back", "changed"),
    "good": (*PLAIN, "good-back"),
    "calm": (*PLAIN, "calm-back"),
    "bad": ("bad-back",),
    "bad-line": (*PLAIN, "calm-back"),
    "demo-text": ("demo",),
    "card": ("link",),  # a primary button
}
#: What is drawn.
DRAWN = {
    "link": PLAIN,  # the outline of what has the focus
    "good": PLAIN,
    "calm": PLAIN,
    "bad-line": PLAIN,
    "edge": PLAIN,
    "up": PLAIN,
    "down": PLAIN,
    "text": ("head",),  # the curve
}


def variables(dark: bool, green_up: bool) -> dict[str, str]:
    """Return the colours of a theme by name; what names another one is followed."""
    found: dict[str, str] = {}
    for name in ("console.css", "dark.css")[: 1 + dark]:
        sheet = (STATIC / name).read_text(encoding="utf-8")
        block = re.search(r":root \{(.*?)\}", sheet, re.DOTALL)
        assert block is not None
        found |= dict(re.findall(r"--([a-z-]+): ([^;]+);", block[1]))
    if green_up:
        found["up"], found["down"] = found["down"], found["up"]
    return {
        name: found[value[6:-1]] if value.startswith("var(") else value
        for name, value in found.items()
    }


def luminance(colour: str) -> float:
    digits = colour.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    ("one", "other", "expected"), [("#000", "#fff", 21.0), ("#777777", "#ffffff", 4.48), ("#abc", "#abc", 1.0)]
)  # fmt: skip
def test_contrast_is_what_wcag_says(one, other, expected):
    assert contrast(one, other) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("green_up", [False, True], ids=["red-up", "green-up"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_colour_can_be_read_on_what_it_stands_on(dark, green_up):
    colours = variables(dark, green_up)
    weak = [
        f"{name} on {ground}: {found:.2f} < {least}"
        for pairs, least in ((WRITTEN, WORDS), (DRAWN, SHAPES))
        for name, grounds in pairs.items()
        for ground in grounds
        if (found := contrast(colours[name], colours[ground])) < least
    ]
    assert weak == []


def test_no_colour_is_left_out():
    ours = variables(dark=False, green_up=False)
    named = {
        *WRITTEN,
        *DRAWN,
        *(ground for pairs in (WRITTEN, DRAWN) for one in pairs.values() for ground in one),
    }
    # Red and green are only ever up and down; a line separates, and nothing depends on seeing it.
    assert ours.keys() - named == {"red", "green", "line"}
    assert variables(dark=True, green_up=False).keys() == ours.keys()


def test_what_is_written_in_fixed_colours_can_be_read():
    fixed = {
        ("#ffffff", "#c4000f"),
        ("#ffffff", "#b3125e"),
        ("#bb0000", "#ffffff"),
        ("#006644", "#ffffff"),
        ("#444444", "#ffffff"),
    }
    assert [pair for pair in fixed if contrast(*pair) < WORDS] == []


def test_no_style_sheet_brings_a_colour_of_its_own():
    """Whoever adds one adds it to the variables, or to the fixed ones above."""
    known = {"#c4000f", "#fff", "#b3125e", "#000", "#444", "#bbb", "#b00", "#064"}
    for sheet in STATIC.glob("*.css"):
        text = re.sub(
            r":root \{.*?\}", "", sheet.read_text(encoding="utf-8"), count=1, flags=re.DOTALL
        )
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        found = set(re.findall(r"[:\s](#[0-9a-fA-F]{3,6})\b(?=[^{}]*\})", text))
        assert found <= known, sheet.name
