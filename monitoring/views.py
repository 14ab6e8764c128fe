"""The console's pages: they read one shared value and write nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.decorators import method_decorator
from django.utils.translation import get_language
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from monitoring.console.access import VIEW, allowed
from monitoring.console.boards import Board, Boards, reader_of
from monitoring.console.boards import render as render_board
from monitoring.console.build import build
from monitoring.console.curve import Curves
from monitoring.console.live import Live
from monitoring.console.shared import SharedConsole
from monitoring.console.spoken_language import speaking
from monitoring.console.values import Console
from monitoring.services.operator import AUTO, operator_of
from monitoring.templatetags.console import epoch
from trading.services.reach import reach_of
from trading.services.shared_quotes import quotes_of_thread

#: Nothing from elsewhere, no script and no style inside a page.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_View = Callable[..., HttpResponseBase]


_curves = Curves()


def _build(real: datetime) -> Console:
    return build(real, quotes_of_thread(), Path(settings.HOME), _curves)


console_now = SharedConsole(_build)
boards = Boards(render_board)
#: What the ASGI server answers at the stream's address (miniqmt/asgi.py).
live = Live(lambda *moment: console_now.at(*moment), boards, allowed, timezone.now)


def own_content_only(view: _View) -> _View:
    """Let the browser load nothing that is not ours, and keep nothing."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["Cache-Control"] = "no-store"
        return response

    return guarded


@method_decorator(own_content_only, name="dispatch")
class Login(LoginView):
    """Who is there; afterwards the console."""

    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        chosen = operator_of(form.get_user())
        return response if chosen.language == AUTO else speaking(chosen, response)


def console_of(request: HttpRequest) -> Console:
    """Return what whoever asks sees of the newest console."""
    return console_now.at(timezone.now()).within(reach_of(request.user))


@gzip_page  # a megabyte at 1,000 holdings; nothing secret is in it that does not change with each answer
@require_safe
@own_content_only
@login_required
@permission_required(VIEW, raise_exception=True)
def console(request: HttpRequest) -> HttpResponse:
    """Show the whole page; its script listens to `stream`, or asks for `board`, from then on."""
    now = console_of(request)
    context = {"console": now, "board": _board_of(now, request), "served_at": timezone.now()}
    return render(request, "monitoring/console.html", context)


@require_safe
def no_stream(request: HttpRequest) -> HttpResponse:
    """Tell a browser not to ask again: this server cannot hold many lines open (`runserver`), so the page polls."""
    return HttpResponse(status=204)


@require_safe
@own_content_only
def board(request: HttpRequest) -> HttpResponse:
    """Answer with what changes, or 304 while nothing did; the headers say how old it is."""
    if not request.user.is_authenticated:
        # A redirect would put the login form into the middle of the page.
        back = f"{reverse('login')}?{urlencode({'next': reverse('console')})}"
        return HttpResponse(status=401, headers={"HX-Redirect": back})
    return _board(request)


@permission_required(VIEW, raise_exception=True)
def _board(request: HttpRequest) -> HttpResponse:
    now = console_of(request)
    newest = _board_of(now, request)
    etag = f'"{newest.id}"'
    response = get_conditional_response(request, etag=etag) or HttpResponse(newest.html)
    response.headers["ETag"] = etag
    response.headers["X-Taken-At"] = str(epoch(now.taken_at))
    response.headers["X-Served-At"] = str(epoch(timezone.now()))
    return response


def _board_of(now: Console, request: HttpRequest) -> Board:
    return boards.of(now, reader_of(request.user, get_language() or "en"))
