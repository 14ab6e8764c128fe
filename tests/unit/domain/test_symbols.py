"""One canonical key per instrument, whatever a person types."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain.symbols import SymbolError, exchange_of, parse_symbol

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    "text",
    [
        "600036.SH",
        "SH600036",
        "sh600036",
        "sh.600036",
        "SH.600036",
        "600036",
        " 600036.sh ",
        "６０００３６．ＳＨ",
    ],
)
def test_every_way_to_write_a_share_gives_one_key(text):
    assert parse_symbol(text) == "600036.SH"


@pytest.mark.parametrize(
    ("code", "exchange"),
    [
        ("600000", "SH"),
        ("688293", "SH"),
        ("689009", "SH"),
        ("510300", "SH"),
        ("900901", "SH"),
        ("110059", "SH"),
        ("204001", "SH"),
        ("000001", "SZ"),
        ("200002", "SZ"),
        ("300750", "SZ"),
        ("123107", "SZ"),
        ("131810", "SZ"),
        ("159915", "SZ"),
        ("161725", "SZ"),
        ("180101", "SZ"),
        ("920819", "BJ"),
        ("430047", "BJ"),
        ("832000", "BJ"),
        ("870204", "BJ"),
        ("889999", "BJ"),
    ],
)
def test_a_bare_code_finds_its_exchange_by_the_longest_prefix(code, exchange):
    symbol = parse_symbol(code)
    assert symbol == f"{code}.{exchange}"
    assert exchange_of(symbol) == exchange


@pytest.mark.parametrize(
    "text", ["100001", "130001", "140001", "190001", "400001", "700001", "810001", "890001"]
)
def test_a_code_that_no_exchange_owns_is_an_error_not_a_guess(text):
    with pytest.raises(SymbolError, match="no known code range") as caught:
        parse_symbol(text)
    assert "代码段" in caught.value.text.zh


@pytest.mark.parametrize(
    "text", ["600036.SZ", "SZ600036", "000001.SH", "sh.000001", "920819.SH", "159915.SH"]
)
def test_a_stated_exchange_that_does_not_list_the_code_is_an_error(text):
    with pytest.raises(SymbolError, match="listed in"):
        parse_symbol(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "招商银行",
        "60003",
        "6000366",
        "600036.HK",
        "SH600036.SH",
        "600036.",
        ".600036",
        "6000 36",
        "600036\n1",
        "-600036",
    ],
)
def test_what_is_no_symbol_is_refused_in_both_languages(text):
    with pytest.raises(SymbolError, match="is not a symbol") as caught:
        parse_symbol(text)
    assert str(caught.value) == caught.value.text.en
    assert "不是证券代码" in caught.value.text.zh


@pytest.mark.parametrize(
    "form", ["{code}", "{code}.{exchange}", "{exchange}{code}", "{exchange}.{code}"]
)
def test_f012_code_with_and_without_suffix_is_one_instrument(form):
    pending = {parse_symbol("600036.SH")}
    assert parse_symbol(form.format(code="600036", exchange="SH")) in pending
    assert parse_symbol(form.format(code="600036", exchange="sh")) in pending


def test_f086_a_grid_session_and_its_holding_share_one_key():
    session_key, holding_key = parse_symbol("000001.SZ"), parse_symbol("sz000001")
    assert session_key == holding_key


@given(st.from_regex(r"[0-9]{6}", fullmatch=True))
def test_parsing_is_idempotent_for_every_code(code):
    try:
        symbol = parse_symbol(code)
    except SymbolError:
        return
    assert parse_symbol(symbol) == symbol
    assert parse_symbol(symbol.lower()) == symbol
    assert parse_symbol(exchange_of(symbol) + code) == symbol


@given(st.text(max_size=12))
def test_any_text_is_a_symbol_or_a_symbol_error(text):
    try:
        symbol = parse_symbol(text)
    except SymbolError:
        return
    assert len(symbol) == 9
    assert exchange_of(symbol) in {"SH", "SZ", "BJ"}
