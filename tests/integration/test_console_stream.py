"""The live stream over ASGI: who may watch, what travels, who is too slow, and what it costs."""

from __future__ import annotations

import asyncio
import json
import re
import zlib
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from miniqmt import asgi
from monitoring import views
from monitoring.console import live as stream
from monitoring.console.access import allowed
from monitoring.console.boards import Boards, Reader, reader_of, render
from monitoring.console.build import build
from monitoring.console.live import Live
from monitoring.console.parts import whole
from tests.world import World
from trading.services.clock import DEMO, set_clock

pytestmark = [pytest.mark.system, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

HELD, OTHER = "600036.SH", "600000.SH"
PATIENCE = 10.0


@pytest.fixture
def world(calendar, monkeypatch) -> World:
    """Two holdings at 09:31:30; a look every hundredth of a second instead of every second."""
    world = World(holdings=[(HELD, 1000, "10.00"), (OTHER, 1000, "10.00")])
    for symbol in (HELD, OTHER):
        world.hold(symbol, "10.40", since="09:30:00", until="09:31:31")
    world.run(until="09:31:30")
    set_clock(DEMO, timezone.now() - timedelta(seconds=100), world.moment("09:29:50"))
    monkeypatch.setattr(stream, "PERIOD", 0.01)
    monkeypatch.setattr(stream, "PULSE", 0.02)
    return world


class Looks:
    """What the stream looks at: the world, counted; and out of order while there is a `problem`."""

    def __init__(self, world: World, home) -> None:
        self.world, self.home, self.count = world, home, 0
        self.problem: Exception | None = None
        # Fixed, so that nothing but what a test changes is news.
        self.real = timezone.now()

    def __call__(self, real, good_for=None):
        self.count += 1
        if self.problem is not None:
            raise self.problem
        return build(self.real, self.world.store, self.home)


@pytest.fixture
def looks(world, tmp_path) -> Looks:
    return Looks(world, tmp_path)


@pytest.fixture
def live(looks) -> Live:
    return Live(looks, Boards(render), allowed, timezone.now)


def person(name: str = "reader", *permissions: str) -> Client:
    user = get_user_model().objects.create_user(name)
    wanted = permissions or ("view_account",)
    user.user_permissions.set(Permission.objects.filter(codename__in=wanted))
    client = Client()
    client.force_login(user)
    return client


def session_of(client: Client) -> str:
    return client.cookies["sessionid"].value


class Viewer:
    """One browser's line: what it got, in events; it takes nothing while `may_take` is not set."""

    def __init__(self) -> None:
        self.status, self.left, self.newest = 0, False, b""
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        #: Opens what a browser that takes gzip is sent.
        self.gzip: Any = None
        self.may_take, self.hangs_up = asyncio.Event(), asyncio.Event()
        self.may_take.set()

    async def receive(self):
        await self.hangs_up.wait()
        return {"type": "http.disconnect"}

    async def send(self, message) -> None:
        await self.may_take.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if (b"content-encoding", b"gzip") in message["headers"]:
                self.gzip = zlib.decompressobj(wbits=31)
            return
        self.left = not message.get("more_body", False)
        body = message["body"] if self.gzip is None else self.gzip.decompress(message["body"])
        if b"event: board" in body:
            self.newest = message["body"]
        for text in filter(None, body.decode().split("\n\n")):
            lines = dict(line.split(": ", 1) for line in text.split("\n"))
            if "event" in lines:
                data = json.loads(lines["data"])
                self.events.put_nowait((lines["event"], lines.get("id", ""), data))

    async def hears(self, event: str = "board"):
        """Return (id, data) of the next event of that name."""
        while True:
            name, number, data = await asyncio.wait_for(self.events.get(), PATIENCE)
            if name == event:
                return number, data


@asynccontextmanager
async def watching(
    live, session: str, since: str = "", last: str = "", method: str = "GET", encoding: str = ""
):
    headers = [(b"host", b"localhost"), (b"cookie", f"sessionid={session}".encode())]
    headers += [(b"accept-language", b"en")]
    headers += [(b"last-event-id", last.encode())] if last else []
    headers += [(b"accept-encoding", encoding.encode())] if encoding else []
    scope = {
        "type": "http",
        "method": method,
        "path": reverse("console-stream"),
        "query_string": f"since={since}".encode(),
        "headers": headers,
    }
    viewer = Viewer()
    line = asyncio.create_task(live(scope, viewer.receive, viewer.send))
    try:
        yield viewer
        viewer.hangs_up.set()
        await asyncio.wait_for(line, PATIENCE)
    finally:
        line.cancel()


def plays(scene):
    """Run a scene of viewers; whatever it asks of the database is asked in this thread."""
    async_to_sync(scene)()


async def price(world: World, at: str, value: str) -> None:
    quote = world.quote(at, HELD, value)
    await sync_to_async(world.store.put)("xtquant", [quote], 10, quote.time)


# -- what travels


def test_f165_one_tick_of_a_price_reaches_the_page_as_the_cells_it_changes(world, live):
    session = session_of(person())

    async def scene():
        async with watching(live, session) as viewer:
            first, data = await viewer.hears()
            assert data["from"] is None
            assert "10.40" in data["parts"]["board"]
            await price(world, "09:31:32", "10.56")
            number, data = await viewer.hears()
            assert data["from"] == first != number
            changed = {key.rpartition("-")[0] for key in data["parts"]}
            assert {"price", "profit", "distance"} <= changed <= {
                *("price", "profit", "high", "sale", "distance", "protected"),
            }  # fmt: skip
            assert len("".join(data["parts"].values())) < 1500
            assert viewer.status == 200

    plays(scene)


def test_a_page_goes_on_where_it_was_after_a_broken_line(world, live):
    session = session_of(person())

    async def scene():
        async with watching(live, session) as viewer:
            first, _ = await viewer.hears()
        async with watching(live, session) as other:  # the world goes on meanwhile
            await other.hears()
            await price(world, "09:31:32", "10.56")
            await other.hears()
            async with watching(live, session, since="long ago", last=first) as again:
                number, data = await again.hears()
                assert data["from"] == first
                assert "board" not in data["parts"]
                async with watching(live, session, since=number) as third:
                    _, data = await third.hears("pulse")
                    assert data["id"] == number
                    assert third.events.empty()

    plays(scene)


def test_a_page_and_the_stream_speak_of_the_same_versions(world, looks, live, monkeypatch):
    client = person()
    monkeypatch.setattr(views, "boards", live._boards)
    monkeypatch.setattr(views.console_now, "at", looks)
    page = client.get("/", headers={"accept-language": "en"}).content.decode()
    [version] = re.findall('data-version="([^"]+)"', page)

    async def scene():
        async with watching(live, session_of(client), since=version) as viewer:
            _, data = await viewer.hears("pulse")
            assert data["id"] == version

    plays(scene)


# -- what it costs


def test_f171_forty_viewers_are_served_from_one_look_a_round(world, looks, live):
    session = session_of(person())

    async def scene():
        async with watching(live, session) as first:
            await first.hears()
            lines = [watching(live, session) for _ in range(39)]
            viewers = [first, *[await line.__aenter__() for line in lines]]
            for viewer in viewers[1:]:
                await viewer.hears()
            before = looks.count
            await price(world, "09:31:32", "10.56")
            told = [await viewer.hears() for viewer in viewers]
            assert len({number for number, _ in told}) == 1
            assert len({id(viewer.newest) for viewer in viewers}) == 1  # written once
            assert looks.count - before <= 5
            for line in lines:
                await line.__aexit__(None, None, None)
        await asyncio.sleep(0.05)
        at_rest = looks.count
        await asyncio.sleep(0.1)
        assert looks.count == at_rest  # nobody watches: nothing runs
        assert live.viewers == 0

    plays(scene)


def test_browsers_that_take_gzip_hear_the_same_pressed_once_for_all_of_them(world, live):
    session = session_of(person())

    async def scene():
        async with (
            watching(live, session) as plain,
            watching(live, session, encoding="gzip, deflate, br") as one,
            watching(live, session, encoding="gzip") as other,
        ):
            viewers = (plain, one, other)
            first = [await viewer.hears() for viewer in viewers]
            assert len({number for number, _ in first}) == 1
            await price(world, "09:31:32", "10.56")
            told = [await viewer.hears() for viewer in viewers]
            assert told[0][1]["parts"] == told[1][1]["parts"] == told[2][1]["parts"]
            assert plain.gzip is None
            assert one.newest is other.newest  # the very bytes
            assert len(one.newest) < len(plain.newest)

    plays(scene)


def test_whether_all_of_them_may_still_watch_is_two_queries(django_assert_num_queries):
    sessions = {session_of(person(f"reader{number}")) for number in range(20)}
    with django_assert_num_queries(2):
        assert allowed(sessions, timezone.now()).keys() == sessions


def test_a_slow_reader_is_told_the_newest_and_nothing_waits_for_it(world, live):
    session = session_of(person())

    async def scene():
        async with watching(live, session) as slow, watching(live, session) as quick:
            first, _ = await slow.hears()
            await quick.hears()
            slow.may_take.clear()
            for second in range(5):
                await price(world, f"09:31:3{second + 2}", f"10.5{second}")
                newest, _ = await quick.hears()
            slow.may_take.set()
            number, data = await slow.hears()
            while number != newest:  # at most what was on its way when it stopped
                assert data["from"] == first
                first = number
                number, data = await slow.hears()
            assert "10.54" in "".join(data["parts"].values())
            assert slow.events.qsize() <= 1

    plays(scene)


def test_who_takes_nothing_for_long_is_left(world, live, monkeypatch):
    monkeypatch.setattr(stream, "SLOW", 0.1)
    session = session_of(person())

    async def scene():
        async with watching(live, session) as viewer:
            await viewer.hears()
            viewer.may_take.clear()
            async with asyncio.timeout(PATIENCE):
                while live.viewers:
                    await asyncio.sleep(0.01)

    plays(scene)


def test_while_the_database_does_not_answer_nothing_is_said_and_then_it_goes_on(looks, live):
    session = session_of(person())

    async def scene():
        async with watching(live, session) as viewer:
            await viewer.hears("pulse")
            looks.problem = OperationalError("database is locked")
            failed = looks.count + 3
            while looks.count < failed:
                await asyncio.sleep(0.01)
            while not viewer.events.empty():
                viewer.events.get_nowait()
            await asyncio.sleep(0.1)
            assert viewer.events.empty()  # so the page says that it grows old
            looks.problem = None
            await viewer.hears("pulse")

    plays(scene)


# -- who may


def log_out(client: Client) -> None:
    client.post(reverse("logout"))


def take_the_permission(client: Client) -> None:
    get_user_model().objects.get(username="reader").user_permissions.clear()


def close_the_user(client: Client) -> None:
    get_user_model().objects.filter(username="reader").update(is_active=False)


def change_the_password(client: Client) -> None:
    user = get_user_model().objects.get(username="reader")
    user.set_password("another long password")
    user.save()


@pytest.mark.parametrize(
    "act", [log_out, take_the_permission, close_the_user, change_the_password]
)
def test_the_stream_ends_for_who_may_not_watch_any_more_and_for_nobody_else(world, live, act):
    client, other = person(), person("other")

    async def scene():
        async with (
            watching(live, session_of(client)) as viewer,
            watching(live, session_of(other)) as stays,
        ):
            await viewer.hears()
            await sync_to_async(act)(client)
            await viewer.hears("end")
            while not viewer.left:
                await asyncio.sleep(0.01)
            await price(world, "09:31:32", "10.56")
            await stays.hears()
            while not stays.events.empty():
                assert stays.events.get_nowait()[0] != "end"
            assert viewer.events.empty()

    plays(scene)


@pytest.mark.parametrize(
    ("permissions", "method", "status"),
    [
        (("view_order",), "GET", 401),
        (("view_account",), "POST", 405),
    ],
)
def test_who_may_not_watch_gets_no_stream(live, permissions, method, status):
    session = session_of(person("reader", *permissions))

    async def scene():
        for key in (session, "", "0" * 32):
            async with watching(live, key, method=method) as viewer:
                while not viewer.left:
                    await asyncio.sleep(0.01)
                assert viewer.status == status
                assert viewer.events.empty()

    plays(scene)


def test_a_line_too_many_is_sent_away(live, monkeypatch):
    monkeypatch.setattr(stream, "MOST", 1)
    session = session_of(person())

    async def scene():
        async with watching(live, session) as first:
            await first.hears()
            async with watching(live, session) as viewer:
                while not viewer.left:
                    await asyncio.sleep(0.01)
                assert viewer.status == 503

    plays(scene)


def test_the_stream_stands_beside_the_pages_and_only_at_its_own_address(monkeypatch):
    asked = []

    async def answers(name, scope):
        asked.append((name, scope["path"]))

    async def scene():
        for path in ("/stream/", "/", "/stream", "/login/"):
            scope = {"type": "http", "path": path}
            await asgi.beside(
                lambda scope, *_: answers("pages", scope),
                "/stream/",
                lambda scope, *_: answers("stream", scope),
            )(scope, None, None)

    plays(scene)
    assert asked == [("stream", "/stream/"), ("pages", "/"), ("pages", "/stream"), ("pages", "/login/")]  # fmt: skip


def test_a_server_that_cannot_stream_tells_the_page_not_to_ask_again(client):
    answer = client.get(reverse("console-stream"))
    assert (answer.status_code, answer.content) == (204, b"")


# -- the templates


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_each_part_of_the_board_is_one_element_with_its_name(world, looks, language):
    boss = get_user_model().objects.create_superuser("boss")
    frames = render(looks(looks.real), reader_of(boss, language))
    html = whole(frames)
    assert "<!--" not in html
    for key, frame in frames.items():
        if key == "board":
            continue
        tag = re.match(r"<(\w+) [^>]*>", frame)
        assert tag is not None, key
        assert f'id="{key}"' in tag[0]
        assert frame.endswith(f"</{tag[1]}>"), key
        assert html.count(f'id="{key}"') == 1


def test_who_may_open_nothing_gets_no_link(looks):
    html = whole(render(looks(looks.real), Reader("en", False, frozenset())))
    assert "/admin/" not in html
