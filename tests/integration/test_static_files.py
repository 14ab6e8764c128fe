"""Styles and scripts: named by their content and compressed once they are collected, right also where they are not."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.http.response import HttpResponseBase
from django.test import Client

from monitoring import static_files

pytestmark = [pytest.mark.system, pytest.mark.django_db]

STYLE = "monitoring/console.css"
HASHED = re.compile(r"/static/monitoring/console\.[0-9a-f]{12}\.css")


@pytest.fixture
def own(settings, tmp_path) -> Path:
    """A style of our own among those of the program, and nothing collected yet."""
    folder: Path = tmp_path / "brought"
    folder.mkdir()
    (folder / "own.css").write_text("body { color: #111 }\n" * 50, encoding="utf-8")
    # Those of the admin are many, and no different.
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATICFILES_DIRS = [folder, settings.BASE_DIR / "monitoring" / "static"]
    settings.STATIC_ROOT = tmp_path / "collected"
    settings.STATIC_ROOT.mkdir()
    return folder / "own.css"


def served(address: str, **headers: str) -> tuple[HttpResponseBase, bytes]:
    """Ask a server that has just been started (it looks for files at its start); return answer and content."""
    answer = Client(headers=headers).get(address)
    try:
        return answer, answer.getvalue()
    finally:
        answer.close()


def test_before_anything_is_collected_pages_link_to_what_lies_there(own):
    assert staticfiles_storage.url(STYLE) == f"/static/{STYLE}"
    answer, content = served(f"/static/{STYLE}")
    assert (answer.status_code, b"--" in content) == (200, True)
    assert answer.headers["Cache-Control"] == "max-age=60, public"


def test_what_was_collected_is_named_by_its_content_compressed_and_kept_for_good(own):
    static_files.collect()
    address = staticfiles_storage.url(STYLE)
    assert HASHED.fullmatch(address)
    answer, content = served(address, **{"accept-encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Cache-Control"] == "max-age=315360000, public, immutable"
    plain, whole = served(f"/static/{STYLE}")
    assert gzip.decompress(content) == whole
    assert plain.headers["Cache-Control"] == "max-age=60, public"


def test_after_an_upgrade_no_page_links_to_what_was_collected_before(own, settings):
    static_files.collect()
    before = staticfiles_storage.url("own.css")
    assert before != "/static/own.css"
    own.write_text("body { color: #222; margin: 0 }\n", encoding="utf-8")

    settings.STATIC_ROOT = Path(settings.STATIC_ROOT)  # as a process that starts now
    assert staticfiles_storage.url("own.css") == "/static/own.css"
    static_files.collect()
    settings.STATIC_ROOT = Path(settings.STATIC_ROOT)
    after = staticfiles_storage.url("own.css")
    assert after not in (before, "/static/own.css")
    assert b"#222" in served(after)[1]
    assert served(before)[0].status_code == 404  # never the old style under a name a browser keeps


def test_what_is_collected_is_not_collected_again(own, settings):
    static_files.collect()
    kept = {file: file.stat().st_mtime_ns for file in Path(settings.STATIC_ROOT).rglob("*")}
    static_files.collect()
    assert kept == {
        file: file.stat().st_mtime_ns for file in Path(settings.STATIC_ROOT).rglob("*")
    }


def test_a_collecting_that_was_cut_off_counts_as_none(own, settings):
    static_files.collect()
    (Path(settings.STATIC_ROOT) / "collected-from").unlink()
    settings.STATIC_ROOT = Path(settings.STATIC_ROOT)
    assert staticfiles_storage.url(STYLE) == f"/static/{STYLE}"
