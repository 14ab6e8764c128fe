"""A person at the real thing: `manage.py up` in a data directory of its own, a browser, and nothing else."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import whole_machine
from tests.browser.chromium import Page, chromium, installed
from tests.redis_servers import wait_until
from tests.stack import Stack, copy_of, is_there, prepare, running

__all__ = ["whole_machine"]

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.unattended,
    pytest.mark.skipif(installed() is None, reason="no Chromium is installed here"),
    pytest.mark.skipif(
        sys.platform == "win32", reason="Ctrl-C reaches a process of its own as POSIX knows it"
    ),
    pytest.mark.usefixtures("whole_machine"),
]

#: Bytes of a first load over the line, at most (docs/performance.md).
FIRST_LOAD = 400_000
WHY = "[name=why]"
SWITCH = "document.querySelector('.ribbon .state').textContent"
PRICES = "[...document.querySelectorAll('[id^=price] b')].map((one) => one.textContent).join()"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    home = copy_of(prepare(tmp_path / "prepared"), tmp_path / "home")
    with running(home, "--no-flower") as stack:
        wait_until(stack.all_run, 60)
        yield stack


def log_in(page: Page, stack: Stack) -> None:
    page.cookie(stack.facts()["web"], "django_language", "zh-hans")
    page.open(stack.facts()["web"])
    page.until("location.pathname === '/login/'")
    for name, words in (
        ("username", "admin"),
        ("password", (stack.home / "admin-password.txt").read_text("utf-8").strip()),
    ):
        page.ask(f"document.querySelector('[name={name}]').focus(); 1")
        page.write(words)
    page.key("Enter")
    page.until("location.pathname === '/' && document.readyState === 'complete'")


def act(page: Page, name: str) -> None:
    """Press what does this, say why, confirm."""
    page.ask(f"document.querySelector('#board [href*=\"/act/{name}/\"]').click(); 1")
    page.until(
        f"document.getElementById('acting').open && document.querySelector('#acting {WHY}')"
    )
    page.ask(f"document.querySelector('#acting {WHY}').focus(); 1")
    page.write("看一看")
    page.ask("document.querySelector('#acting button.primary').click(); 1")
    page.until("document.querySelector('#acting .answered')")
    page.key("Escape")


def test_a_person_watches_the_demo_halts_it_lets_it_go_and_stops_it(stack):
    with chromium() as page:
        page.size(1280, 800)
        log_in(page, stack)
        # Everything that the overview needs came over the line: names that hold their content, pressed.
        page.until("document.querySelector('[id^=price] b')")
        links = page.ask(
            "[...document.querySelectorAll('link[rel=stylesheet], script[src]')].map((one) => one.href || one.src)"
        )
        assert [
            one for one in links if one.count(".") < 5
        ] == []  # four of the address, one of the hash
        before = page.received
        page.open(stack.facts()["web"])
        page.until("document.querySelector('[id^=price] b')")
        page.ask("1")
        again = page.received - before
        print(f"first load {before} bytes with the log-in, {again} once more")  # noqa: T201
        assert 20_000 < before < FIRST_LOAD
        assert again < before / 2  # styles and scripts are not asked for again

        shown = page.ask(PRICES)
        page.until(f"{PRICES} !== {shown!r}", 30)
        act(page, "halt")
        page.until(f"{SWITCH}.includes('停止')", 15)
        assert stack.rows("SELECT trading_state FROM trading_account") == [("halted",)]
        act(page, "resume")
        page.until(f"{SWITCH}.includes('正常')", 15)
        assert page.complaints == []

        children = [row["pid"] for row in stack.processes().values()]
        stack.process.send_signal(signal.SIGINT)
        stack.process.wait(30)
        assert not any(map(is_there, children))
        page.until("!document.getElementById('stale').hidden", 15)  # the page left open says so
