"""What the pages share: nothing is written through a form, numbers of accounts are masked, acting needs a reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from importlib import import_module
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from trading.admin.reach import WithinReach, within_reach
from trading.domain.types import AccountMode, Text
from trading.models import Account
from trading.models.fields import ScaledDecimalField, both
from trading.services.clock import market_time
from trading.services.corrections import CorrectionError

TRADE, RELEASE = "trading.trade_account", "trading.release_account"
_PAGE = "admin/trading/reason.html"


def say(text: Text) -> str:
    """Return the text in the language of the reader."""
    return text.in_language(get_language() or "en")


def masked(account: Account, value: object) -> str:
    """Return a value as text, without the full number of the account."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
    return account.mask(text)


def actor_of(request: HttpRequest) -> str:
    """Return who acts, as the journal keeps it."""
    return request.user.get_username()[:64]


def market_now(account: Account) -> Any:
    """Return the market time of this account now."""
    return market_time(AccountMode(account.mode), timezone.now())


def plain(value: Decimal | None) -> str:
    """Return an amount, price or ratio without the zeros its storage adds, with at least two decimals."""
    if value is None:
        return "-"
    whole, _, decimals = f"{value:f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def unconfirmed(request: HttpRequest, accounts: Iterable[Account]) -> SafeString | None:
    """Return what a person has to do before this concerns a live account, with the link to it; None when nothing."""
    if not any(account.mode == AccountMode.LIVE for account in accounts):
        return None
    step_up = import_module(settings.MINIQMT_STEP_UP)
    problem = step_up.problem(request, factor=True)
    if problem is None:
        return None
    go = Text("Do that here, then repeat this.", "前往确认，然后重试。")
    address = step_up.address(request)
    return format_html('{} <a href="{}" target="_blank">{}</a>', say(problem), address, say(go))


class AsksAgain:
    """A page whose form may have to say `unconfirmed`: the form finds the request that it answers."""

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)  # type: ignore[misc]
        form.request = request  # made for this request alone
        return form


class PlainNumbers:
    """Lists and read-only pages show exact numbers as a person writes them: 12.5569, not 12.55690000."""

    model: Any

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [self._column(name) for name in super().get_list_display(request)]  # type: ignore[misc]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [self._column(name) for name in super().get_fields(request, obj)]  # type: ignore[misc]

    def _column(self, name: Any) -> Any:
        if not isinstance(name, str):
            return name
        try:
            field = self.model._meta.get_field(name)
        except FieldDoesNotExist:
            return name
        if not isinstance(field, ScaledDecimalField):
            return name

        @admin.display(description=field.verbose_name, ordering=name)
        def column(row: Any) -> str:
            return plain(getattr(row, name))

        column.__name__ = name  # its place in the page, and its CSS class
        return column


class ReadOnly:
    """Nobody adds, changes or deletes these rows by hand, a superuser neither."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class Readable(WithinReach, PlainNumbers, ReadOnly, admin.ModelAdmin):
    """A list with filters and pages to read; `has_trade_permission` is what `permissions=["trade"]` asks."""

    list_per_page = 50
    show_full_result_count = False
    list_select_related: ClassVar[tuple[str, ...]] = ("account",)

    def has_trade_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(TRADE))


class ReasonForm(forms.Form):
    """Every action says why."""

    why = forms.CharField(
        label=both("Reason", "原因"), max_length=200, widget=forms.TextInput(attrs={"size": 80})
    )


Act = Callable[[Any, dict[str, Any]], bool | Text]


def ask_and_act(
    page: admin.ModelAdmin,
    request: HttpRequest,
    rows: QuerySet[Any],
    title: Text,
    act: Act,
    form_class: type[ReasonForm] = ReasonForm,
    stopped_by: SafeString | None = None,
) -> HttpResponse | None:
    """Show the rows and ask for the reason; once given, act on each row and say what came of it.

    `act(row, answers)` is True when it changed something, or a Text that says what will happen; a CorrectionError is
    told, the other rows go on. `stopped_by` says why nothing may be done at all (`unconfirmed`).
    """
    if stopped_by is not None:
        page.message_user(request, stopped_by, messages.ERROR)
        return None
    rows = within_reach(page, request, rows)
    if not rows.exists():
        return None
    form = form_class(request.POST if "confirmed" in request.POST else None)
    if form.is_valid():
        for row in rows:
            _act_on(page, request, row, act, form.cleaned_data)
        return None
    context = {
        **page.admin_site.each_context(request),
        "opts": page.model._meta,
        "title": say(title),
        "rows": rows,
        "form": form,
        "action": request.POST.get("action"),
        "checkbox": ACTION_CHECKBOX_NAME,
        "confirm": say(Text("Do it", "确认执行")),
        "back": say(Text("Back, change nothing", "返回，不做更改")),
        "about": say(Text("This concerns:", "涉及：")),
    }
    return TemplateResponse(request, _PAGE, context)


def _act_on(
    page: admin.ModelAdmin, request: HttpRequest, row: Model, act: Act, answers: dict[str, Any]
) -> None:
    try:
        changed = act(row, answers)
    except CorrectionError as problem:
        page.message_user(request, say(problem.text), messages.ERROR)
        return
    done = Text(f"{row}: done.", f"{row}：已执行。")
    same = Text(f"{row}: it was so already, nothing changed.", f"{row}：状态原本如此，未做更改。")
    if isinstance(changed, Text):
        page.message_user(request, say(changed), messages.SUCCESS)
    elif changed:
        page.message_user(request, say(done), messages.SUCCESS)
    else:
        page.message_user(request, say(same), messages.WARNING)
