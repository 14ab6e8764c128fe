"""One view for all operations: who asks, how often, with what; then the answer, or a problem."""

from __future__ import annotations

import hashlib
import logging
import math
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from time import monotonic
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.translation import get_language
from django.views.decorators.csrf import csrf_exempt

from monitoring import views as pages
from monitoring.api import access
from monitoring.api.document import document
from monitoring.api.operations import Call, Caller, Operation
from monitoring.api.problems import Fault, Problem, ProblemBody, conflict, shown
from monitoring.api.rates import Rates
from monitoring.api.reading import parse, read, read_query
from monitoring.api.shapes import shape_of, text_of
from monitoring.api.written import OfConsole, Written, write
from monitoring.models import ApiCall
from monitoring.services import api_calls
from trading.domain.types import Text

#: Bytes of a body: nothing that can be asked for is larger.
LARGEST = 64 * 1024
#: What a change takes of the units a caller has; a read takes one.
_COST_OF_CHANGE = 5
#: Seconds after which a key that has no answer will get none any more.
_DONE_WITHIN = 60
_KEY = re.compile(r"[!-~]{1,64}", re.ASCII)
_JSON, _PROBLEM = "application/json", "application/problem+json"

log = logging.getLogger(__name__)

doorkeeper = access.Doorkeeper()
rates = Rates(settings.MINIQMT_API_RATE, 2 * settings.MINIQMT_API_RATE)
#: Who is refused for want of a token that counts, by address.
strangers = Rates(1, 20)
of_console = OfConsole()


def endpoint(operations: Mapping[str, Operation]) -> Callable[..., HttpResponse]:
    """Return the view of one path; `operations` by method."""

    @csrf_exempt  # a session's changes are checked in `access`; a token needs none
    def view(request: HttpRequest, **path: Any) -> HttpResponse:
        def answer() -> HttpResponse:
            operation = _operation(request, operations)
            return _answer(request, operation, path)

        return _guarded(request, answer)

    return view


@csrf_exempt
def openapi(request: HttpRequest) -> HttpResponse:
    """Answer with the document, to whoever may call anything."""

    def answer() -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            raise _not_allowed(request, "GET")
        _known_caller(request, timezone.now(), changes=False)
        body = text_of(document())
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        return _conditional(request, Written(body, etag))

    return _guarded(request, answer)


@csrf_exempt
def nowhere(request: HttpRequest, **path: Any) -> HttpResponse:
    """Answer for an address that is none."""

    def answer() -> HttpResponse:
        text = Text(f"There is nothing at {request.path}.", f"地址 {request.path} 不存在。")
        remedy = Text("See /api/v1/openapi.json.", "请查看 /api/v1/openapi.json。")
        raise Problem(HTTPStatus.NOT_FOUND, Fault("NO_SUCH_ADDRESS", text, remedy))

    return _guarded(request, answer)


def _guarded(request: HttpRequest, answer: Callable[[], HttpResponse]) -> HttpResponse:
    try:
        response = answer()
    except Problem as problem:
        response = _refused(problem)
    except (DatabaseError, TimeoutError):
        text = Text("The database keeps us waiting.", "数据库繁忙。")
        remedy = Text(
            "Try again; a change with the same Idempotency-Key.",
            "请重试；变更请使用相同的 Idempotency-Key。",
        )
        busy = Problem(HTTPStatus.SERVICE_UNAVAILABLE, Fault("BUSY", text, remedy), retry_after=2)
        response = _refused(busy)
    except Exception:
        number = secrets.token_hex(4)
        log.exception("API problem %s: %s %s", number, request.method, request.path)
        response = _refused(_unexpected(request, number))
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
    response.headers["X-Content-Type-Options"] = "nosniff"
    patch_vary_headers(response, ("Authorization", "Cookie"))
    return response


def _unexpected(request: HttpRequest, number: str) -> Problem:
    """Return the problem that tells under which number the log has what went wrong, and nothing else of it."""
    text = Text(f"Something is wrong here: problem {number}.", f"系统内部错误：编号 {number}。")
    if request.method in ("GET", "HEAD"):
        remedy = Text("Search for this number in the logs.", "请在日志中查找该编号。")
    else:
        remedy = Text(
            "Whether it was done is not known: look before you ask again. The logs have this number.",
            "无法确定是否已执行：重试前请先核实。可在日志中查找该编号。",
        )
    fault = Fault("UNEXPECTED", text, remedy, value=number)
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, fault)


def _refused(problem: Problem) -> HttpResponse:
    body = problem.body(get_language() or "en")
    response = HttpResponse(
        text_of(shape_of(ProblemBody).write(body)), status=problem.status, content_type=_PROBLEM
    )
    if problem.status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="miniqmt"'
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    if problem.allow:
        response.headers["Allow"] = problem.allow
    return response


def _operation(request: HttpRequest, operations: Mapping[str, Operation]) -> Operation:
    method = "GET" if request.method == "HEAD" else str(request.method)
    if method not in operations:
        raise _not_allowed(request, ", ".join(operations))
    return operations[method]


def _not_allowed(request: HttpRequest, allowed: str) -> Problem:
    text = Text(
        f"{request.method} is nothing one can do here.", f"此地址不支持 {request.method}。"
    )
    remedy = Text(f"One of: {allowed}.", f"可用：{allowed}。")
    fault = Fault("METHOD", text, remedy)
    return Problem(HTTPStatus.METHOD_NOT_ALLOWED, fault, allow=allowed)


def _answer(request: HttpRequest, operation: Operation, path: dict[str, Any]) -> HttpResponse:
    if operation.changes and request.content_type:
        _must_be_json(request)  # before anybody tries to read it as a form
    real = timezone.now()
    caller = _known_caller(request, real, changes=operation.changes)
    access.check(caller, operation)
    if operation.changes:
        return _change(request, operation, caller, path, real)
    if operation.of_console:
        now = pages.console_now.at(real)
        written = of_console.at(
            f"{caller.reach.tag} {request.get_full_path()}",
            now,
            lambda: _read(request, operation, caller, path, real),
        )
    else:
        written = _read(request, operation, caller, path, real)
    return _conditional(request, written)


def _known_caller(request: HttpRequest, real: datetime, *, changes: bool) -> Caller:
    """Return who asks, if not too often. Raises Problem."""
    at = monotonic()
    try:
        caller = doorkeeper.caller_of(request, real, at, changes=changes)
    except Problem:
        wait = strangers.take(str(request.META.get("REMOTE_ADDR", "")), at)
        if wait:
            raise _too_often(wait) from None
        raise
    wait = rates.take(caller.bucket, at, _COST_OF_CHANGE if changes else 1)
    if wait:
        raise _too_often(wait)
    return caller


def _too_often(wait: float) -> Problem:
    seconds = math.ceil(wait)
    text = Text("Too many requests.", "请求过于频繁。")
    remedy = Text(f"Wait {seconds} s.", f"请等待 {seconds} 秒。")
    fault = Fault("TOO_OFTEN", text, remedy)
    return Problem(HTTPStatus.TOO_MANY_REQUESTS, fault, retry_after=seconds)


def _read(
    request: HttpRequest,
    operation: Operation,
    caller: Caller,
    path: dict[str, Any],
    real: datetime,
) -> Written:
    call = _call(request, operation, caller, path, real, None)
    return write(operation.answer, operation.handler(call))


def _call(
    request: HttpRequest,
    operation: Operation,
    caller: Caller,
    path: dict[str, Any],
    real: datetime,
    body: Any,
) -> Call:
    return Call(
        caller=caller,
        path=path,
        query=read_query(operation.query, request.GET),
        body=body,
        real=real,
        console=lambda: pages.console_now.at(real).within(caller.reach),
        target=None if operation.target is None else operation.target(path, caller.reach),
    )


def _conditional(request: HttpRequest, written: Written) -> HttpResponse:
    unchanged = get_conditional_response(request, etag=written.etag)
    response = HttpResponse(written.body, content_type=_JSON) if unchanged is None else unchanged
    response.headers["ETag"] = written.etag
    return response


# --- changes --------------------------------------------------------------------------------------


def _change(
    request: HttpRequest,
    operation: Operation,
    caller: Caller,
    path: dict[str, Any],
    real: datetime,
) -> HttpResponse:
    key = _key(request, operation)
    raw = _body(request, operation)
    body = None if operation.body is None else read(operation.body, parse(raw))
    call = _call(request, operation, caller, path, real, body)
    if call.target is not None:
        access.check_reach(caller, call.account)
        allowed = settings.MINIQMT_API_TRADES_LIVE
        access.check_live(caller, request, operation, call.account, allowed)
    if key is None:
        return _done(operation, call)
    about = f"{operation.name} {request.get_full_path()}\n".encode() + raw
    claimed = api_calls.claim(caller.user.pk, key, hashlib.sha256(about).hexdigest(), real)
    if not isinstance(claimed, ApiCall):
        return _again(claimed, key, real)
    try:
        response = _done(operation, call)
    except Problem as problem:
        if problem.status is HTTPStatus.UNPROCESSABLE_ENTITY:
            api_calls.release(claimed)
            raise
        response = _refused(problem)
    api_calls.answer(claimed, response.status_code, response.content.decode("utf-8"))
    return response


def _done(operation: Operation, call: Call) -> HttpResponse:
    written = write(operation.answer, operation.handler(call))
    return HttpResponse(written.body, content_type=_JSON)


def _again(before: api_calls.Before, key: str, real: datetime) -> HttpResponse:
    """Answer a key that was there before: with what was answered then, or say why that cannot be."""
    if not before.same:
        text = Text("This key was used for another request.", "该键已用于另一请求。")
        remedy = Text("Use a new key for each request.", "每个请求请使用新的键。")
        raise conflict("KEY_REUSED", text, remedy, field="Idempotency-Key", value=key)
    if before.status is None:
        if (real - before.at).total_seconds() < _DONE_WITHIN:
            text = Text("This request is being done.", "该请求正在处理。")
            fault = Fault(
                "BEING_DONE", text, Text("Ask again.", "请稍后再问。"), "Idempotency-Key", key
            )
            raise Problem(HTTPStatus.CONFLICT, fault, retry_after=1)
        text = Text(
            "Whether this request was done is not known; it is not done again.",
            "无法确定该请求是否已执行，不会再次执行。",
        )
        remedy = Text(
            "Look at signals, orders and events, then use a new key.",
            "请查看信号、委托与事件，再使用新的键。",
        )
        raise conflict("OUTCOME_UNKNOWN", text, remedy, field="Idempotency-Key", value=key)
    ok = before.status == HTTPStatus.OK
    response = HttpResponse(
        before.answer, status=before.status, content_type=_JSON if ok else _PROBLEM
    )
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _key(request: HttpRequest, operation: Operation) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is None and not operation.trades:
        return None
    if key is None or not _KEY.fullmatch(key):
        code = "KEY_MISSING" if key is None else "BAD_KEY"
        text = Text(
            "Whatever can lead to an order needs an Idempotency-Key of 1 to 64 visible ASCII characters.",
            "可能产生委托的请求必须带有 Idempotency-Key：1 至 64 个可见 ASCII 字符。",
        )
        remedy = Text(
            "Send a new random one, such as a UUID, and the same one when you repeat the request.",
            "请发送新的随机值（例如 UUID）；重试时使用相同的值。",
        )
        fault = Fault(code, text, remedy, "Idempotency-Key", shown(key))
        raise Problem(HTTPStatus.BAD_REQUEST, fault)
    return key


def _body(request: HttpRequest, operation: Operation) -> bytes:
    """Return what was sent. Raises Problem when it is no JSON by its own word, or too long."""
    size = request.META.get("CONTENT_LENGTH") or "0"
    if size.isdigit() and int(size) > LARGEST:
        raise _too_large()
    raw: bytes = request.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise _too_large()
    if operation.body is not None or raw:
        _must_be_json(request)
    return raw


def _must_be_json(request: HttpRequest) -> None:
    if request.content_type == _JSON:
        return
    kind = request.content_type or ""
    text = Text(f"The body is {kind or 'of no type'}.", f"请求体类型为 {kind or '空'}。")
    remedy = Text(
        "Send Content-Type: application/json.", "请发送 Content-Type: application/json。"
    )
    fault = Fault("NOT_JSON", text, remedy, "Content-Type", shown(kind))
    raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, fault)


def _too_large() -> Problem:
    kilobytes = LARGEST // 1024
    text = Text(f"The body is larger than {kilobytes} KB.", f"请求体超过 {kilobytes} KB。")
    fault = Fault("TOO_LARGE", text, Text("Send less.", "请减小请求体。"))
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, fault)
