"""The live stream (Server-Sent Events): one look for all viewers, twice a second at most, and a socket for each.

It stands beside Django's pages in the ASGI server, not behind their middleware: that would give every request a thread
and a database connection for as long as it lasts, and these last all day. The event loop only passes bytes on; all that
asks the database or renders is done by one thread, in turn. A reader that is slow has nothing queued for it: when it has
taken what it was sent, it is told the difference to the newest version. One that takes nothing for `SLOW` seconds is
left. What is said is made, and pressed, once for all who know the same. While nobody watches nothing runs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from io import BytesIO
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.db import DatabaseError, close_old_connections
from django.utils import translation

from monitoring.console.boards import Boards, Reader, reader_of
from monitoring.console.speech import END, HELLO, PRESS, pressed, speech
from monitoring.console.values import Console
from trading.services.reach import reaches

#: Seconds between two looks, unless a look takes long: then so many times as long as the last one took, but never more
#: than `LONGEST`. What looks must leave the machine to what trades.
PERIOD, PAUSE, LONGEST = 0.5, 4.0, 1.0
#: Seconds between two signs of life, with each of which every session is checked again.
PULSE = 2.0
#: Seconds a viewer may take to accept what it is sent.
SLOW = 10.0
#: Viewers at once; the next one is sent away and polls.
MOST = 500

Message = dict[str, Any]
Receive = Callable[[], Coroutine[Any, Any, Message]]
Send = Callable[[Message], Coroutine[Any, Any, None]]
_Found = TypeVar("_Found")
_TROUBLE = (DatabaseError, OSError)  # TimeoutError is an OSError

log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Viewer:
    session: str
    reader: Reader
    seen: str
    takes_pressed: bool
    may_watch: bool = True


@dataclass(eq=False)
class _Rounds:
    """One run of looks, for as long as somebody watches. `bell` is rung, and replaced, when there is something to say."""

    viewers: set[_Viewer] = field(default_factory=set)
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    taken: datetime | None = None
    #: Seconds between two looks now; none before the first.
    period: float = 0.0
    is_over: bool = False
    #: What was said since the last bell, by reader, version seen, newest version, and whether pressed: most viewers are
    #: told the same.
    said: dict[tuple[Reader, str, str, bool], bytes] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None

    def ring(self) -> None:
        self.said.clear()
        rung, self.bell = self.bell, asyncio.Event()
        rung.set()


class Live:
    """The ASGI application of the stream's one address.

    `look` gives the newest console at a real time, younger than so long; `allowed` the users of those sessions that may
    watch; `now` the real time.
    """

    def __init__(
        self,
        look: Callable[[datetime, timedelta], Console],
        boards: Boards,
        allowed: Callable[[Collection[str], datetime], Mapping[str, User]],
        now: Callable[[], datetime],
    ) -> None:
        self._look, self._boards, self._allowed, self._now = look, boards, allowed, now
        self._rounds = _Rounds()

    @property
    def viewers(self) -> int:
        """How many watch."""
        return len(self._rounds.viewers)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        admitted = await self._admit(scope)
        if isinstance(admitted, HTTPStatus):
            await _refuse(send, admitted)
            return
        rounds = self._join(admitted)
        try:
            await _first_of(_gone(receive), self._tell(rounds, admitted, send))
        finally:
            rounds.viewers.discard(admitted)

    # -- who comes

    async def _admit(self, scope: Message) -> _Viewer | HTTPStatus:
        request = ASGIRequest(scope, BytesIO())
        try:
            request.get_host()
        except DisallowedHost:
            return HTTPStatus.BAD_REQUEST
        if request.method != "GET":
            return HTTPStatus.METHOD_NOT_ALLOWED
        if self.viewers >= MOST:
            return HTTPStatus.SERVICE_UNAVAILABLE
        session = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
        language = translation.get_language_from_request(request)
        try:
            reader = await _in_thread(partial(self._reader, session, language))
        except _TROUBLE:
            return HTTPStatus.SERVICE_UNAVAILABLE
        if reader is None:
            return HTTPStatus.UNAUTHORIZED
        seen = request.headers.get("last-event-id") or request.GET.get("since", "")
        return _Viewer(session, reader, seen, "gzip" in request.headers.get("accept-encoding", ""))

    def _reader(self, session: str, language: str) -> Reader | None:
        user = self._allowed([session], self._now()).get(session)
        return None if user is None else reader_of(user, language)

    def _join(self, viewer: _Viewer) -> _Rounds:
        rounds = self._rounds
        if rounds.task is None or rounds.task.done():
            rounds = self._rounds = _Rounds()
        rounds.viewers.add(viewer)
        if rounds.task is None:
            rounds.task = asyncio.create_task(self._run(rounds), name="console rounds")
        return rounds

    # -- what they are told

    async def _tell(self, rounds: _Rounds, viewer: _Viewer, send: Send) -> None:
        headers = [*_HEADERS, _PRESSED] if viewer.takes_pressed else _HEADERS
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await _pass_on(send, PRESS + pressed(HELLO) if viewer.takes_pressed else HELLO)
        while viewer.may_watch and not rounds.is_over:
            bell = rounds.bell  # this one, so that what is rung while we send is not missed
            kept = self._boards.kept(viewer.reader)
            if kept and rounds.taken is not None:
                seen = viewer.seen if any(viewer.seen == board.id for board in kept) else ""
                known = (viewer.reader, seen, kept[-1].id, viewer.takes_pressed)
                if known not in rounds.said:
                    words = speech(seen, kept, rounds.taken, self._now())
                    rounds.said[known] = pressed(words) if viewer.takes_pressed else words
                await _pass_on(send, rounds.said[known])
                viewer.seen = kept[-1].id
            await bell.wait()
        if not viewer.may_watch:
            await _pass_on(send, pressed(END) if viewer.takes_pressed else END)
        await send({"type": "http.response.body", "body": b""})

    async def _run(self, rounds: _Rounds) -> None:
        loop = asyncio.get_running_loop()
        pulse_at = 0.0
        try:
            while rounds.viewers:
                began = loop.time()
                is_pulse, viewers = began >= pulse_at, tuple(rounds.viewers)
                try:
                    is_news = await _in_thread(partial(self._round, rounds, viewers, is_pulse))
                except _TROUBLE as problem:
                    # Nothing is said, so every page says by itself that it grows old.
                    log.warning("the console's look failed: %s", problem)
                else:
                    if is_news or is_pulse:
                        pulse_at = began + PULSE
                        rounds.ring()
                rounds.period = min(max(PERIOD, PAUSE * (loop.time() - began)), LONGEST)
                await asyncio.sleep(self._until_the_next(rounds))
        finally:
            rounds.is_over = True  # whatever ended it: nobody waits for a bell that never rings
            rounds.ring()

    def _until_the_next(self, rounds: _Rounds) -> float:
        """Return the seconds until what was seen last is a period old: a moment earlier and the same is seen again."""
        period = rounds.period
        due = (
            period
            if rounds.taken is None
            else period - (self._now() - rounds.taken).total_seconds()
        )
        return min(period, max(due + 0.001, period / 10))

    def _round(self, rounds: _Rounds, viewers: Collection[_Viewer], is_pulse: bool) -> bool:
        """Look once, for all; return whether anybody's board has changed. In the thread."""
        if is_pulse:
            standing = self._allowed({one.session for one in viewers}, self._now())
            reach = reaches({user.pk: user for user in standing.values()}.values())
            for viewer in viewers:
                viewer.may_watch = viewer.session in standing
                if viewer.may_watch:
                    # Whoever was limited meanwhile is told nothing of the other accounts any more.
                    limit = reach[standing[viewer.session].pk]
                    viewer.reader = replace(viewer.reader, reach=limit)
        now = self._look(self._now(), timedelta(seconds=rounds.period))
        rounds.taken = now.taken_at
        is_news = False
        for reader in {viewer.reader for viewer in viewers}:
            before = self._boards.kept(reader)
            is_news |= self._boards.of(now, reader).id != (before[-1].id if before else "")
        return is_news


def _in_thread(act: Callable[[], _Found]) -> Coroutine[Any, Any, _Found]:
    """Run it in the one thread that the process has for this: outside of a request it is the same for all."""

    def connected() -> _Found:
        close_old_connections()  # no request does it here
        return act()

    return sync_to_async(connected, thread_sensitive=True)()


async def _pass_on(send: Send, body: bytes) -> None:
    async with asyncio.timeout(SLOW):
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _first_of(*acts: Coroutine[Any, Any, None]) -> None:
    """Run both until one has ended; the other one is cancelled. A reader that took nothing in time has left."""
    tasks = [asyncio.create_task(act) for act in acts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for problem in ended:
        if isinstance(problem, Exception) and not isinstance(problem, OSError):
            raise problem


async def _refuse(send: Send, status: HTTPStatus) -> None:
    await send({"type": "http.response.start", "status": status.value, "headers": _HEADERS[1:]})
    await send({"type": "http.response.body", "body": b""})


_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]
_PRESSED = (b"content-encoding", b"gzip")
