"""Templates: the built-in ones to read, those of users to make, change and delete, judged by the same ranges."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from grid.admin.forms import TemplateForm
from grid.domain.rules import STYLES, parameter_names
from grid.domain.templates import DEFAULT_TEMPLATE, TEMPLATES, Template
from grid.models import GridSession, GridTemplate
from grid.selectors import templates
from grid.services.parameter_help import style_words
from grid.services.sessions import SessionRefused
from grid.services.templates import change_template, save_template
from grid.services.words import parameter_words, plain
from trading.admin.base import TRADE, say
from trading.admin.reach import WithinReach
from trading.domain.types import Text
from trading.models.fields import both

_PAGES = "admin/grid/"


@admin.register(GridTemplate)
class GridTemplateAdmin(WithinReach, admin.ModelAdmin):
    """User-made rows; the built-in templates stand above the list, with what they say."""

    list_display = ("name", "style_name", "parameters", "created_at")
    change_list_template = f"{_PAGES}templates.html"
    search_fields = ("name",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.reach(request).is_everything and bool(request.user.has_perm(TRADE))

    has_change_permission = has_add_permission
    has_delete_permission = has_add_permission

    @admin.display(description=both("style", "风格"))
    def style_name(self, row: GridTemplate) -> str:
        return say(style_words(row.style))

    @admin.display(description=both("parameters", "参数"))
    def parameters(self, row: GridTemplate) -> str:
        template = templates().get(row.name)
        return "-" if template is None else described(template)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        built_in = [
            {
                "name": say(one.text),
                "key": one.name,
                "style": say(style_words(one.style)),
                "parameters": described(one, whole=True),
                "default": one.name == DEFAULT_TEMPLATE,
            }
            for one in TEMPLATES.values()
        ]
        words = {
            "built_in": say(Text("Built-in templates (read-only)", "内置模板（只读）")),
            "own": say(Text("Templates of your own", "自建模板")),
            "default": say(Text("default", "默认")),
        }
        return super().changelist_view(request, {"built_in": built_in, "words": words})

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = TemplateForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            answers = form.cleaned_data
            try:
                row = save_template(
                    answers["name"], answers["style"], form.given(), timezone.now()
                )
            except SessionRefused as problem:
                form.refuse(problem)
            else:
                return self._saved(request, row)
        title = Text("New template", "新建模板")
        return self._page(request, form, title, None)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        row = get_object_or_404(GridTemplate, pk=object_id if object_id.isdecimal() else 0)
        if not self.has_change_permission(request):
            raise PermissionDenied
        form = TemplateForm(request.POST or None, style=row.style, initial=_initial(row))
        if request.method == "POST" and form.is_valid():
            try:
                change_template(row.name, form.given())
            except SessionRefused as problem:
                form.refuse(problem)
            else:
                return self._saved(request, row)
        title = Text(f"Template {row.name}", f"模板 {row.name}")
        return self._page(request, form, title, row)

    def _saved(self, request: HttpRequest, row: GridTemplate) -> HttpResponse:
        self.message_user(request, say(Text(f"{row.name}: saved.", f"{row.name}：已保存。")), messages.SUCCESS)  # fmt: skip
        return HttpResponseRedirect(reverse("admin:grid_gridtemplate_changelist"))

    def _page(
        self, request: HttpRequest, form: forms.Form, title: Text, row: GridTemplate | None
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": row,
            "title": say(title),
            "form": form,
            "go_on": say(Text("Save", "保存")),
            "about": say(
                Text(
                    "What is left empty keeps the style's default. Sessions keep what they began with.",
                    "留空则采用该风格的默认值。已启动的会话不受影响。",
                )
            ),
        }
        return TemplateResponse(request, f"{_PAGES}form.html", context)


def described(template: Template, *, whole: bool = False) -> str:
    """Return a template's parameters in one line; `whole`: with the style's defaults it leaves as they are."""
    values = dict(template.values)
    if whole:
        defaults = STYLES[template.style].parameters.__dataclass_fields__
        values = {
            name: values.get(name, defaults[name].default)
            for name in parameter_names(template.style)
            if name != "max_investment"
        }
    return ", ".join(
        f"{GridSession._meta.get_field(name).verbose_name} {say(parameter_words(name, value))}"  # type: ignore[union-attr]
        for name, value in values.items()
    )


def _initial(row: GridTemplate) -> dict[str, Any]:
    return {name: plain(value) for name, value in row.values.items()}
