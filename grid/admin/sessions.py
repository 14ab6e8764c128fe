"""Grid sessions: a start with a preview, pause, resume, stop, edit with history, clone, and the page of one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, QuerySet, When
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse

from grid.admin.forms import OWN, EditForm, StartForm, StopForm, hidden
from grid.admin.pages import preview_page, session_page
from grid.domain.rules import parameter_names
from grid.domain.state import SessionStatus
from grid.models import GridSession
from grid.models.sessions import StopPolicy
from grid.services import sessions
from grid.services.overview import overview, state_words
from grid.services.preview import Preview, prepare
from grid.services.sessions import SessionRefused
from grid.services.words import plain
from trading.admin.base import Readable, actor_of, ask_and_act, market_now, say
from trading.domain.types import Text
from trading.models.fields import both
from trading.services.calendar import load_calendar
from trading.services.shared_quotes import quotes_of_thread

_TRADE = ["trade"]
_PAGES = "admin/grid/"
_NOT_PARAMETERS = ("status", "base_quantity", "exits_may_sell_base", "stop_policy", "ends_at")


@admin.register(GridSession)
class GridSessionAdmin(Readable):
    """Sessions, the open ones first. All that changes one goes through the services, with a reason."""

    list_display = (
        *("symbol", "account", "style", "state", "max_investment", "realised", "started_at"),
    )
    list_filter = ("status", "style", "account")
    search_fields = ("symbol",)
    ordering = (
        Case(When(status=SessionStatus.STOPPED, then=1), default=0),
        "-pk",
    )
    actions = ("pause", "resume", "stop")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_trade_permission(request) and self.reach(request).has_any_to_trade

    @admin.display(description=both("state", "状态"), ordering="status")
    def state(self, row: GridSession) -> str:
        return say(state_words(row))

    # -- actions

    @admin.action(description=both("Pause", "暂停"), permissions=_TRADE)
    def pause(self, request: HttpRequest, rows: QuerySet[GridSession]) -> HttpResponse | None:
        title = Text(
            "Pause: no new orders, working ones are cancelled, exits only alert",
            "暂停：不发新委托，撤销在途委托，退出条件只提醒",
        )
        return self._simple(request, rows, title, sessions.pause)

    @admin.action(description=both("Resume", "恢复"), permissions=_TRADE)
    def resume(self, request: HttpRequest, rows: QuerySet[GridSession]) -> HttpResponse | None:
        return self._simple(request, rows, Text("Resume", "恢复运行"), sessions.resume)

    @admin.action(description=both("Stop", "停止"), permissions=_TRADE)
    def stop(self, request: HttpRequest, rows: QuerySet[GridSession]) -> HttpResponse | None:
        def act(row: GridSession, answers: dict[str, Any]) -> bool:
            policy, now = StopPolicy(answers["policy"]), market_now(row.account)
            return sessions.stop(row.pk, policy, answers["why"], now, actor_of(request))

        title = Text(
            "Stop: working orders are cancelled; it ends when they have ended",
            "停止：撤销在途委托，全部结束后会话结束",
        )
        return ask_and_act(self, request, rows, title, act, StopForm)

    def _simple(
        self, request: HttpRequest, rows: QuerySet[GridSession], title: Text, service: Any
    ) -> HttpResponse | None:
        def act(row: GridSession, answers: dict[str, Any]) -> bool:
            done: bool = service(
                row.pk, answers["why"], market_now(row.account), actor_of(request)
            )
            return done

        return ask_and_act(self, request, rows, title, act)

    # -- start, with a preview

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Ask, show what would come of it, and start it once that was confirmed."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return self._ask(
                request, StartForm(initial=self._initial(request), reach=self.reach(request))
            )
        form = StartForm(request.POST, reach=self.reach(request))
        if "back" in request.POST or not form.is_valid():
            return self._ask(request, form)
        account = form.cleaned_data["account"]
        now, quotes = market_now(account), quotes_of_thread()
        try:
            found = prepare(form.request(), quotes, load_calendar(), now)
            if "confirmed" not in request.POST:
                return self._preview(request, form, found)
            row = sessions.start_session(
                form.request(), found.quote, now, actor=actor_of(request), why=form.cleaned_data["why"]
            )  # fmt: skip
        except SessionRefused as problem:
            form.refuse(problem)
            return self._ask(request, form)
        done = Text(f"The grid on {row.symbol} runs.", f"{row.symbol} 的网格已启动。")
        self.message_user(request, say(done), messages.SUCCESS)
        return HttpResponseRedirect(_url("change", row.pk))

    def _initial(self, request: HttpRequest) -> dict[str, Any]:
        """Return what the form begins with: nothing, or the parameters of the session that is cloned."""
        number = request.GET.get("clone", "")
        if not number.isdecimal():
            return {}
        row = self._row(request, number)
        values = {name: plain(getattr(row, name)) for name in parameter_names(row.style)}
        return {
            **values,
            "account": row.account_id,
            "plan": f"{OWN}{row.style}",
            "exits_may_sell_base": row.exits_may_sell_base,
            "stop_policy": row.stop_policy,
        }

    def _ask(self, request: HttpRequest, form: forms.Form) -> HttpResponse:
        context = {
            **self._context(request, Text("Start a grid", "启动网格")),
            "form": form,
            "go_on": say(Text("Preview", "预览")),
            "about": say(
                Text(
                    "Nothing starts yet: the next page shows what it would do.",
                    "此时不会启动：下一页显示它将如何运行。",
                )
            ),
        }
        return TemplateResponse(request, f"{_PAGES}form.html", context)

    def _preview(self, request: HttpRequest, form: StartForm, found: Preview) -> HttpResponse:
        """Show the preview; what is confirmed is what was shown, so the values it found are fixed."""
        posted = {
            **form.cleaned_data,
            "account": form.cleaned_data["account"].pk,
            "max_investment": plain(found.draft.rules.max_investment),
            "centre": plain(found.draft.centre),
            "base_quantity": str(found.draft.base_quantity),
        }
        context = {
            **self._context(request, Text("Preview of the grid", "网格预览")),
            **preview_page(found),
            "hidden": hidden(posted),
        }
        return TemplateResponse(request, f"{_PAGES}preview.html", context)

    # -- one session

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show everything there is to say of a session; nothing is changed here."""
        row = self._row(request, object_id)
        if request.method == "POST":
            raise PermissionDenied
        found = overview(row, quotes_of_thread(), load_calendar(), market_now(row.account))
        context = {
            **self._context(request, Text(f"Grid on {row.symbol}", f"{row.symbol} 网格"), row),
            **session_page(found),
            "may_trade": self._may_trade(request, row),
            "history_url": _url("history", row.pk),
            "edit_url": _url("edit", row.pk),
            "clone_url": f"{_url('add')}?clone={row.pk}",
            "list_url": _url("changelist"),
        }
        return TemplateResponse(request, f"{_PAGES}session.html", context)

    def get_urls(self) -> list[Any]:
        edit = path(
            "<path:object_id>/edit/",
            self.admin_site.admin_view(self.edit_view),
            name="grid_gridsession_edit",
        )
        return [edit, *super().get_urls()]

    def edit_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Change parameters of an open session, all or none, unless somebody else was faster."""
        row = self._row(request, object_id)
        if not self._may_trade(request, row):
            raise PermissionDenied
        form = EditForm(row, request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                self._edit(request, row, form)
            except SessionRefused as problem:
                form.refuse(problem)
            else:
                return HttpResponseRedirect(_url("change", row.pk))
        title = Text(f"Edit the grid on {row.symbol}", f"修改 {row.symbol} 网格")
        context = {
            **self._context(request, title, row),
            "form": form,
            "go_on": say(Text("Save", "保存")),
            "about": say(
                Text(
                    "Counts from the next tick on; centre, lots and tracker stay.",
                    "下一轮起生效；中心价、批次与跟踪状态不变。",
                )
            ),
        }
        return TemplateResponse(request, f"{_PAGES}form.html", context)

    def _edit(self, request: HttpRequest, row: GridSession, form: EditForm) -> None:
        changes = form.changes()
        if not changes:
            same = Text("Nothing was different, nothing changed.", "内容相同，未做更改。")
            self.message_user(request, say(same), messages.WARNING)
            return
        sessions.edit(
            row.pk,
            changes,
            revision=form.cleaned_data["seen_revision"],
            why=form.cleaned_data["why"],
            now=market_now(row.account),
            actor=actor_of(request),
        )
        self.message_user(request, say(Text("Saved.", "已保存。")), messages.SUCCESS)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Show who changed what, when and why, newest first."""
        row = self._row(request, object_id)
        versions = list(row.history.select_related("history_user").order_by("-history_id")[:101])
        older = [*versions[1:], None]
        entries = [
            {"version": version, "changes": [] if before is None else differences(before, version)}
            for version, before in zip(versions[:100], older, strict=False)
        ]
        words = {
            "when": Text("When", "时间"),
            "why": Text("Who and why", "操作者与原因"),
            "what": Text("What changed", "变更内容"),
            "revision": Text("Revision", "版本"),
        }
        context = {
            **self._context(request, Text("History of the session", "会话变更历史"), row),
            "entries": entries,
            "words": {name: say(text) for name, text in words.items()},
        }
        return TemplateResponse(request, f"{_PAGES}history.html", context)

    def _may_trade(self, request: HttpRequest, row: GridSession) -> bool:
        return self.has_trade_permission(request) and self.reach(request).changes(row)

    def _row(self, request: HttpRequest, object_id: str) -> GridSession:
        rows = self.get_queryset(request).select_related("account")
        row: GridSession = get_object_or_404(rows, pk=object_id if object_id.isdecimal() else 0)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return row

    def _context(
        self, request: HttpRequest, title: Text, row: GridSession | None = None
    ) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": row,
            "title": say(title),
        }


def differences(before: Any, after: Any) -> list[dict[str, str]]:
    """Return what two versions of a session differ in, in words."""
    found = []
    for name in (*parameter_names(after.style), *_NOT_PARAMETERS):
        one, two = getattr(before, name), getattr(after, name)
        if one != two:
            label = str(GridSession._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
            found.append(
                {"label": label, "before": _value(before, name), "after": _value(after, name)}
            )
    return found


def _value(version: Any, name: str) -> str:
    words = getattr(version, f"get_{name}_display", None)
    if words is not None:
        return str(words())
    value = getattr(version, name)
    if isinstance(value, bool):
        return say(Text("on", "开") if value else Text("off", "关"))
    return "-" if value is None else str(plain(value))


def _url(name: str, *arguments: object) -> str:
    return reverse(f"admin:grid_gridsession_{name}", args=arguments)
