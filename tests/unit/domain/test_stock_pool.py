"""stock_pool.json as people write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain.stock_pool import (
    Entry,
    StockPoolError,
    format_stock_pool,
    parse_stock_pool,
    without_comments,
)
from trading.domain.types import Symbol

BANK, PING_AN = Symbol("600036.SH"), Symbol("000001.SZ")


@pytest.mark.parametrize(
    "text",
    [
        '["600036.SH", "000001.SZ"]',
        '["sh600036", "000001"]',
        '// list\n["600036", // one\n "000001.SZ", /* two */ ]',
        '\ufeff["600036.SH", "000001.SZ", "600036"]',  # a mark of Windows, and one twice
        '{"stocks": ["600036.SH", "000001.SZ",],}',
        '{"stock_pool": [{"code": "600036"}, {"symbol": "000001"}]}',
    ],
)
def test_a_pool_is_read_in_every_form_people_write(text: str) -> None:
    assert parse_stock_pool(text) == [Entry(BANK, ""), Entry(PING_AN, "")]


def test_names_become_notes() -> None:
    assert parse_stock_pool('{"600036.SH": "招商 // 银行"}') == [Entry(BANK, "招商 // 银行")]
    assert parse_stock_pool('[{"stock_code": "000001", "stock_name": "平安,]"}]') == [
        Entry(PING_AN, "平安,]")
    ]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('["600036.SH" "000001.SZ"]', "line 1"),
        ('[\n"600036.SH",\n// no bracket\n', "line"),
        ("[600036]", "entry 1 is 600036"),
        ('["600036.SH", "700036.XX"]', "entry 2"),
        ('["000001.SH"]', "entry 1"),
        ('"600036.SH"', "a stock pool is a list"),
        ("", "line 1"),
        ('[{"price": 3}]', "entry 1"),
    ],
)
def test_what_cannot_be_used_is_named_with_the_remedy(text: str, named: str) -> None:
    with pytest.raises(StockPoolError) as problem:
        parse_stock_pool(text)
    assert named in problem.value.text.en
    assert problem.value.text.zh


def test_comments_keep_the_number_of_every_line() -> None:
    text = '[\n"600036.SH", /* a\nb\nc */\n"x\n'
    assert without_comments(text).count("\n") == text.count("\n")


@given(st.text(alphabet='/*" \\,]}\n中a', max_size=40))
def test_whatever_is_in_a_note_comes_back(note: str) -> None:
    kept = [Entry(BANK, note[:100])]
    assert parse_stock_pool(format_stock_pool(kept)) == kept
