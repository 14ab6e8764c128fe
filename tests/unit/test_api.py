"""The parts of the JSON API that need no database: the document, how values are written, how often one may ask."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from monitoring.api.document import document
from monitoring.api.rates import Rates
from monitoring.api.shapes import components, number, text_of
from monitoring.api.table import OPERATIONS

pytestmark = [pytest.mark.fast, pytest.mark.system]


def test_every_operation_is_in_the_document_once_and_its_schemas_lead_somewhere():
    described = document()
    found = {
        (path, method.upper(), one["operationId"])
        for path, methods in described["paths"].items()
        for method, one in methods.items()
    }
    assert found == {(one.path, one.method, one.name) for one in OPERATIONS}
    assert len({one.name for one in OPERATIONS}) == len(OPERATIONS)
    text = json.dumps(described)
    for name in described["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in text, name


#: What version 1 has promised: one line a field of an answer, a parameter, or a field of a request.
PROMISED = Path(__file__).with_name("api_v1.txt")


def promises() -> set[str]:
    described = document()
    found = {
        f"{name}.{field}: {json.dumps(schema.get('type') or schema.get('$ref') or schema.get('anyOf'))}"
        for name, part in described["components"]["schemas"].items()
        for field, schema in part["properties"].items()
    }
    for path, methods in described["paths"].items():
        for method, one in methods.items():
            at = f"{method.upper()} {path}"
            found |= {f"{at} {given['in']} {given['name']}" for given in one["parameters"]}
            body = one.get("requestBody", {"content": {"application/json": {"schema": {}}}})
            fields = body["content"]["application/json"]["schema"].get("properties", {})
            found |= {f"{at} body {name}" for name in fields}
    return found


def test_what_version_1_has_promised_stays():
    """A new field is a new line of the file; one that is gone or has another type breaks somebody's program."""
    promised = set(PROMISED.read_text(encoding="utf-8").splitlines())
    assert promised - promises() == set()


def test_two_types_of_one_name_are_refused():
    other = type(
        "Overview", (), {"__doc__": "x", "__annotations__": {"a": int}, "_fields": ("a",)}
    )
    mine = next(one.answer for one in OPERATIONS if one.name == "overview")
    with pytest.raises(TypeError, match="Overview"):
        components([mine, other])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("12.5000", "12.50"), ("0", "0.00"), ("-0.0", "0.00"), ("10.4", "10.40"), ("35000", "35000.00"),
        ("-0.075000", "-0.075"), ("9.25000001", "9.25000001"), ("1E+3", "1000.00"),
        (Decimal(1) / 3, "0.33333333"), (Decimal(-2) / 3, "-0.66666667"),
    ],
)  # fmt: skip
def test_a_decimal_is_a_string_without_the_zeros_of_its_storage(value, shown):
    assert number(Decimal(value)) == shown


def test_buckets_refill_steadily_and_their_memory_has_an_end():
    some = Rates(per_second=10, burst=20, most=3)
    assert [some.take("a", 0, 10) for _ in range(3)] == [0, 0, 1.0]
    assert some.take("a", 0.5, 10) == pytest.approx(0.5)
    assert some.take("a", 1.0, 10) == 0
    assert some.take("a", 0.2, 1) == pytest.approx(0.1)  # a clock that goes back gives nothing
    for name in "bcdef":
        some.take(name, 1)
    assert len(some) == 3


def test_json_is_safe_in_a_page_too_and_says_the_same():
    words = '<script>&\u2028\u2029"\\ 招商 \ud800'
    written = text_of({"name": words})
    assert json.loads(written) == {"name": words}
    assert not set("<>&\u2028\u2029") & set(written.decode())
