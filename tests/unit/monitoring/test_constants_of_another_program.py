"""Another program's constants are read from its text; nothing of it runs."""

from __future__ import annotations

from decimal import Decimal

import pytest

from monitoring.moving_in.constants import read_constants


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("X = 0.1", Decimal("0.1")),
        ("X = -0.075", Decimal("-0.075")),
        ("X = 10 * 1024 * 1024", 10485760),
        ("X: float = 1 / 4", Decimal("0.25")),
        ("X = [(0.05, 0.96), (0.1, 0.93)]", [[Decimal("0.05"), Decimal("0.96")], [Decimal("0.1"), Decimal("0.93")]]),
        ("X = not True", False),
        ('X = {"a": [1, None]}', {"a": [1, None]}),
        ('X = os.getenv("PORT", "5000")', "5000"),
        ('X = int(os.environ.get("SET", "5000"))', 6000),
        ('X = float("0.3")', Decimal("0.3")),
        ('X = os.getenv("SWITCH", "False").lower() == "true"', True),
        ('X = os.getenv("SWITCH", "no").strip().lower() in ("1", "true")', True),
        ("Y = 7\nX = Y * 2", 14),
        ("X = 1\nX = 2", 2),
    ],
)  # fmt: skip
def test_a_constant_is_known_without_running(line: str, value: object) -> None:
    found = read_constants(line, {"SET": "6000", "SWITCH": "TRUE"})
    assert found.values["X"] == value
    assert type(found.values["X"]) is type(value)


@pytest.mark.parametrize(
    "line",
    [
        "X = open('/etc/passwd').read()",
        "X = __import__('os').system('true')",
        "X = 'a' * 10**9",
        "X = 9 ** 9 ** 9",
        "X = [n for n in range(3)]",
        "X = os.path.join('a', 'b')",
        "X = unknown",
        "X = 1 / 0",
        "X = {**{}}",
        "X = int('seven')",
        "X = -'text'",
        "X = 1 < 2",
        "X = 1\nX = later()",
    ],
)
def test_what_only_running_could_tell_is_named_by_its_line(line: str) -> None:
    found = read_constants(line, {})
    assert "X" not in found.values
    assert found.unread == {"X": line.count("\n") + 1}


def test_only_constants_of_the_module_count() -> None:
    text = "lower = 1\nA, B = 1, 2\nif True:\n    C = 1\ndef f():\n    D = 1\n"
    assert read_constants(text, {}) == ({}, {})
