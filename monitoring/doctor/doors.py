"""Checks of the doors: the ports of web and Flower, and who may come in."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings

from monitoring.doctor.signs import Up, up_state, web_port
from monitoring.doctor.values import Case, Diagnosis, fail, named, ok, warn
from monitoring.loopback import answers, serves
from monitoring.security.exposure import LOOPBACK, Facts, holes
from monitoring.stack import FLOWER_PORT, SMALL_PAGE, WEB_PORT
from trading.domain.types import Text

# --- ports ---


def ports(case: Case) -> Iterator[Diagnosis]:
    """Look whether the web answers where `up` says it does; when nothing runs, whether the ports are free."""
    if up_state(case.home, case.now) is not Up.NONE:
        yield from _own_web(web_port(case.home))
        return
    for port, name in (
        (WEB_PORT, Text("the web", "网页")),
        (FLOWER_PORT, Text("Flower", "Flower")),
    ):
        if answers(port):
            text = Text(
                f"Port {port} is another program's: {name.en} will take the next free one.",
                f"端口 {port} 已被其他程序占用：{name.zh}将使用下一个空闲端口。",
            )
            remedy = Text(
                "Read the address that `up` prints, or end the other program first.",
                "请以 `up` 显示的地址为准，或先结束占用端口的程序。",
            )
            yield warn("PORT_TAKEN", text, remedy)
        else:
            yield ok("PORT_FREE", f"Port {port} is free.", f"端口 {port} 空闲。")


def _own_web(port: int) -> Iterator[Diagnosis]:
    if not port:
        yield ok("WEB_OFF", "`up` runs without the web.", "`up` 未启动网页。")
        return
    try:
        is_there = serves(port, SMALL_PAGE)
    except OSError:
        is_there = False
    if is_there:
        yield ok("WEB", f"The web answers at port {port}.", f"网页在端口 {port} 正常应答。")
        return
    text = Text(f"The web at port {port} does not answer.", f"端口 {port} 的网页没有应答。")
    remedy = Text(
        "`up` starts it again within half a minute; logs/web.log says why it ended. Trading goes on.",
        "`up` 会在半分钟内重新启动它；原因见 logs/web.log。交易不受影响。",
    )
    yield fail("WEB_SILENT", text, remedy)


# --- how open the web is ---


def openness(case: Case) -> Iterator[Diagnosis]:
    """Look at DEBUG, the names the web answers to, and the key."""
    if settings.DEBUG:
        text = Text(
            "DEBUG is on: an error page shows settings and program details.",
            "DEBUG 已打开：错误页面会显示设置与程序细节。",
        )
        yield fail("DEBUG_ON", text, Text("Set DEBUG=false.", "请设置 DEBUG=false。"))
    others = sorted(set(settings.ALLOWED_HOSTS) - LOOPBACK)
    yield from _holes()
    if others and settings.HTTPS:
        said = named(others)
        text = Text(
            f"The web answers to names beyond this computer: {said.en}.",
            f"网页接受本机以外的主机名：{said.zh}。",
        )
        remedy = Text(
            "Right only behind a proxy of your own with TLS (docs/security.md); the server itself listens on this computer alone.",
            "仅当前面有您自己的 TLS 代理时才合适（见 docs/security.zh-CN.md）；服务本身只在本机监听。",
        )
        yield warn("HOSTS_BEYOND", text, remedy)
    if len(settings.SECRET_KEY) < 32:
        text = Text("The secret key is shorter than 32 characters.", "密钥短于 32 个字符。")
        remedy = Text(
            "Leave DJANGO_SECRET_KEY unset: a good one is made. Everybody logs in again.",
            "不设置 DJANGO_SECRET_KEY 即可自动生成；所有人需重新登录。",
        )
        yield fail("SECRET_KEY_SHORT", text, remedy)
    if not settings.DEBUG and not others and len(settings.SECRET_KEY) >= 32:
        yield ok("WEB_CLOSED", "The web is this computer's alone.", "网页仅供本机访问。")


def _holes() -> Iterator[Diagnosis]:
    """What keeps the web from being served beyond this computer; DEBUG and the key are told whoever it faces."""
    facts = Facts(
        (), False, settings.SECRET_KEY, settings.ALLOWED_HOSTS, settings.HTTPS, settings.REDIS_URL
    )
    codes = {"E003": "HOSTS_OPEN", "E004": "REDIS_OPEN", "E005": "WEB_PLAIN"}
    remedy = Text(
        "Do what the text says: until then the web is not served beyond this computer (docs/security.md).",
        "请按上述说明处理；在此之前网页不会对本机以外提供服务（见 docs/security.zh-CN.md）。",
    )
    for hole in holes(facts):
        code = codes.get(hole.id.rpartition(".")[2])
        if code is not None:
            yield fail(code, hole.text, remedy)
