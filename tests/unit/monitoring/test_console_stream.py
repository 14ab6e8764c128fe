"""What the stream tells a page: only what changed, from wherever it stands; as bytes that all viewers share."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitoring.console import boards as kept_boards
from monitoring.console.boards import Board, Boards, Reader
from monitoring.console.parts import ROOT, changes, hole, sharing, whole
from monitoring.console.speech import END, HELLO, PRESS, pressed, speech
from monitoring.console.values import Console

pytestmark = [pytest.mark.fast, pytest.mark.system]

NOON = datetime(2026, 1, 5, 4, 0, tzinfo=UTC)
CHINESE = Reader("zh-hans", True, frozenset({"trading.view_order"}))
ENGLISH = Reader("en", False, frozenset())


def frames(
    price: str = "10.40", name: str = "招商银行", cash: str = "5.00", rows=(1,)
) -> dict[str, str]:
    """A board of a table with rows, each with a cell, beside a sum."""
    made = {
        ROOT: hole("cash-1") + hole("holdings-1"),
        "cash-1": f'<b id="cash-1">{cash}</b>',
        "holdings-1": '<table id="holdings-1">' + "".join(hole(f"holding-{n}") for n in rows),
    }
    for n in rows:
        made[f"holding-{n}"] = f'<tr id="holding-{n}">{name}{hole(f"price-{n}")}</tr>'
        made[f"price-{n}"] = f'<b id="price-{n}">{price}</b>'
    return made


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        pytest.param(frames(), frames(), set(), id="nothing"),
        pytest.param(frames(), frames("10.56"), {"price-1"}, id="one cell"),
        pytest.param(frames(), frames("10.56", cash="4"), {"price-1", "cash-1"}, id="two places"),
        pytest.param(frames(), frames(name="*ST"), {"holding-1"}, id="a row, its cell stayed"),
        pytest.param(frames(), frames("9", name="*ST"), {"holding-1"}, id="a row with its cell"),
        pytest.param(frames(), frames(rows=(1, 2)), {"holdings-1"}, id="a row more"),
        pytest.param(frames(rows=(1, 2)), frames(), {"holdings-1"}, id="a row less"),
        pytest.param(frames(rows=(1, 2)), frames(rows=(2, 1)), {"holdings-1"}, id="another order"),
        pytest.param({}, frames(), {ROOT}, id="everything, to who has nothing"),
    ],
)
def test_only_the_outermost_parts_that_differ_are_told(old, new, told):
    found = changes(old, new)
    assert set(found) == told
    for key, html in found.items():
        assert html == whole(new, key)
        assert "<!--" not in html  # it is complete


def page_after(page: dict[str, str], told: dict[str, str]) -> str:
    """The HTML of a page with these frames once the parts it was told stand in it."""
    return whole({**page, **told})


def test_a_page_that_was_told_of_the_change_is_the_new_page_wherever_it_stood():
    versions = [
        {},
        frames(),
        frames("10.56"),
        frames("10.56", rows=(2, 1)),
        frames(cash="—", rows=(2,)),
        frames(),
    ]
    for old in versions:
        for new in versions[1:]:
            assert page_after(old or {ROOT: ""}, changes(old, new)) == whole(new)


def test_what_a_vendor_calls_a_stock_cannot_look_like_a_part():
    from django.utils.html import escape

    hostile = frames(name=escape("<!--part cash-1-->"))
    assert whole(hostile).count('id="cash-1"') == 1


def test_versions_share_the_texts_they_have_in_common():
    old, new = frames(), frames("10." + "56")
    kept = sharing(old, new)
    assert kept == new
    assert kept["holding-1"] is old["holding-1"]


# -- from which version


def board(number: int, price: str) -> Board:
    made = frames(price)
    return Board(f"v{number}", made)


KEPT = (board(1, "10.40"), board(2, "10.50"), board(3, "10.40"), board(4, "10.60"))


def said(seen: str, kept=KEPT) -> tuple[str, str, dict[str, Any]]:
    """(event, id, data) of the one event that is told."""
    text = speech(seen, kept, NOON, NOON + timedelta(milliseconds=30)).decode()
    assert text.endswith("\n\n")
    lines = dict(line.split(": ", 1) for line in text.strip().split("\n"))
    return lines["event"], lines.get("id", ""), json.loads(lines["data"])


@pytest.mark.parametrize(
    ("seen", "start", "told"),
    [
        pytest.param("v3", "v3", {"price-1"}, id="the one before"),
        pytest.param(
            "v1", "v1", {"price-1"}, id="after a break: one step over all that was missed"
        ),
        pytest.param("v0", None, {ROOT}, id="too long ago: the whole"),
        pytest.param("", None, {ROOT}, id="a page that knows nothing"),
        pytest.param("\n\nevent: end", None, {ROOT}, id="an id nobody gave"),
    ],
)
def test_a_viewer_resumes_from_what_it_saw_last(seen, start, told):
    event, number, data = said(seen)
    assert (event, number) == ("board", "v4")
    assert data["from"] == start
    assert set(data["parts"]) == told
    assert "10.60" in "".join(data["parts"].values())


def test_a_price_that_came_back_is_no_change_for_who_missed_the_excursion():
    event, number, data = said("v1", KEPT[:3])
    assert (event, number, data["parts"]) == ("board", "v3", {})


def test_whoever_is_up_to_date_hears_that_it_still_is_and_since_when():
    event, number, data = said("v4")
    assert (event, number) == ("pulse", "")  # the id a browser resumes with stays
    assert data == {"id": "v4", "taken": 1767585600000, "served": 1767585600030}


def test_words_of_others_cannot_end_an_event():
    made = frames(name="a\r\n\ndata: b\u2028")
    text = speech("", (Board("v1", made),), NOON, NOON).decode()
    assert text.strip().count("\n") == 2
    assert "\r" not in text


@pytest.mark.parametrize("words", [HELLO, END])
def test_what_never_changes_is_an_event_too(words):
    assert words.endswith(b"\n\n")


# -- who sees the same


class Renderer:
    def __init__(self) -> None:
        self.rendered: list[tuple[str, Reader]] = []

    def __call__(self, now: Console, reader: Reader) -> dict[str, str]:
        self.rendered.append((now.digest, reader))
        return frames(cash=f"{now.digest}{reader.language}")


def look(number: int) -> Console:
    """A console whose content differs by its number."""
    return Console(NOON, (), None if number % 2 else (), number > 1)


def test_a_board_is_rendered_once_for_all_who_see_the_same():
    renderer = Renderer()
    boards = Boards(renderer)
    first = [boards.of(look(0), reader) for reader in (CHINESE, ENGLISH) for _ in range(100)]
    assert len(renderer.rendered) == 2
    assert len({board.id for board in first}) == 2
    assert boards.of(look(1), CHINESE).id not in {board.id for board in first}
    assert [len(boards.kept(reader)) for reader in (CHINESE, ENGLISH)] == [2, 1]


def test_f163_after_a_restart_the_same_content_is_the_same_version_and_any_other_is_news():
    before, after = Boards(Renderer()), Boards(Renderer())
    seen = [before.of(look(number), ENGLISH).id for number in range(3)]
    newest = after.of(look(2), ENGLISH)
    assert newest.id == seen[2]
    assert said(seen[2], after.kept(ENGLISH))[0] == "pulse"
    for id_before in seen[:2]:  # whether it sorts before or after the new one
        event, number, data = said(id_before, after.kept(ENGLISH))
        assert (event, number, data["from"]) == ("board", newest.id, None)


def test_another_right_or_language_is_another_board():
    readers = {
        CHINESE,
        ENGLISH,
        Reader("zh-hans", False, CHINESE.rights),
        Reader("zh-hans", True, frozenset()),
    }
    assert len({reader.tag for reader in readers}) == 4


def test_neither_versions_nor_kinds_of_readers_grow_without_end():
    boards = Boards(Renderer())
    for number in range(3 * kept_boards.KEPT):
        newest = boards.of(look(number), CHINESE)
    assert len(boards.kept(CHINESE)) == kept_boards.KEPT
    assert boards.kept(CHINESE)[-1] is newest
    for number in range(3 * kept_boards.READERS):
        boards.of(look(0), Reader("en", False, frozenset({str(number)})))
    assert len(boards._kept) == kept_boards.READERS
    assert boards.kept(CHINESE) == ()


def test_pressed_pieces_make_one_gzip_stream_whatever_a_viewer_heard_before():
    opened = zlib.decompressobj(wbits=31)  # what a browser has: gzip
    assert opened.decompress(PRESS + pressed(HELLO)) == HELLO
    said = pressed("event: board\ndata: 受保护\n\n".encode() * 100)
    assert len(said) < 200
    for _ in range(2):  # each piece comes out whole at once, also one that was said already
        assert opened.decompress(said) == "event: board\ndata: 受保护\n\n".encode() * 100
    assert opened.decompress(pressed(END)) == END
