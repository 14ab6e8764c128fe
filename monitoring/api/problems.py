"""What is answered instead of what was asked: one form for all (RFC 9457), with the field, the value and the remedy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from django.utils import translation

from monitoring.api.shapes import Json
from trading.domain.types import Text

NOTHING = Text("", "")
#: A value is repeated so far.
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. `field`: where, `value`: what stood there; both None when it is about none."""

    code: str
    text: Text
    remedy: Text = NOTHING
    field: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class ProblemBody:
    """A refusal. `detail` is in the language asked for; the words of `errors` are in both. All that is wrong is there."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str | None
    value: str | None
    text: Text
    remedy: Text
    errors: tuple[Fault, ...]


class Problem(Exception):
    """The request is refused and nothing was done. `retry_after`: seconds after which another try makes sense."""

    def __init__(
        self, status: HTTPStatus, *faults: Fault, retry_after: int | None = None, allow: str = ""
    ) -> None:
        self.status, self.faults = status, faults
        self.retry_after, self.allow = retry_after, allow
        super().__init__(faults[0].text.en)

    def body(self, language: str) -> ProblemBody:
        """Return what is answered, `detail` in a language."""
        first = self.faults[0]
        detail = " ".join(
            part.in_language(language) for one in self.faults for part in (one.text, one.remedy)
        )
        return ProblemBody(
            type="about:blank",
            title=self.status.phrase,
            status=self.status.value,
            detail=" ".join(detail.split()),
            code=first.code,
            field=first.field,
            value=first.value,
            text=first.text,
            remedy=first.remedy,
            errors=tuple(self.faults),
        )


def shown(value: Json) -> str | None:
    """Return a value as it is repeated: as text, and not at any length."""
    if value is None:
        return None
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def not_found(text: Text, field: str | None = None, value: object = None) -> Problem:
    """Return the problem of what does not exist."""
    remedy = Text("Look at the list it is from.", "请查看相应列表。")
    return Problem(HTTPStatus.NOT_FOUND, Fault("NOT_FOUND", text, remedy, field, shown(value)))


def invalid(*faults: Fault) -> Problem:
    """Return the problem of values that cannot be used; every one is named."""
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, *faults)


def conflict(code: str, text: Text, remedy: Text = NOTHING, **about: str | None) -> Problem:
    """Return the problem of a request that does not fit what is there by now."""
    return Problem(HTTPStatus.CONFLICT, Fault(code, text, remedy, **about))


def spoken(say: Callable[[], object]) -> Text:
    """Return words that follow the reader's language in both."""
    with translation.override("en"):
        en = str(say())
    with translation.override("zh-hans"):
        return Text(en, str(say()))


def listed(codes: Sequence[str]) -> Text:
    """Return choices in words."""
    return Text(", ".join(codes), "、".join(codes))
