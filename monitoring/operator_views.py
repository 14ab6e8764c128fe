"""The settings of the person who is logged in: language, colours, theme, the table of holdings, sound and flashes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.views.decorators.http import require_http_methods

from monitoring import views
from monitoring.console.spoken_language import speaking
from monitoring.services.operator import (
    AUTO,
    CHOICES,
    DEFAULTS,
    MANY,
    Operator,
    operator_of,
    save_operator,
)
from monitoring.templatetags.console import speak
from trading.domain.types import Text
from trading.models.fields import both

#: Beside the choices: what each is, and what it does.
_WORDS = {
    "language": (
        Text("Language", "语言"),
        Text(
            "Used from the next login on too. The button at the top changes this browser only.",
            "以后登录时同样使用。页面顶部的按钮只影响当前浏览器。",
        ),
    ),
    "colours": (
        Text("Colours of profit and loss", "涨跌颜色"),
        Text("A-shares are usually shown with red for up.", "A 股习惯为红涨绿跌。"),
    ),
    "theme": (Text("Theme", "主题"), Text("Of the console's pages.", "控制台页面的配色。")),
    "columns": (
        Text("Columns of the holdings", "持仓表的列"),
        Text("Name and protection are always shown.", "名称与保护状态始终显示。"),
    ),
    "rows": (
        Text("Holdings listed at first", "初始显示的持仓行数"),
        Text(
            "Those without protection come first; “show all” brings the others.",
            "未受保护的持仓排在最前；点击“显示全部”查看其余。",
        ),
    ),
    "sound": (
        Text("Sound", "声音"),
        Text(
            "A short tone with each flash. Browsers allow it only after you have clicked on the page.",
            "每次提示时播放短音。浏览器要求您先点击过页面。",
        ),
    ),
    "flashes": (
        Text("New events that flash at the top", "在页面顶部提示的新事件"),
        Text("While the overview is open.", "总览页面打开时有效。"),
    ),
}


class OperatorForm(forms.Form):
    """All choices together: whole or nothing."""

    def __init__(self, data: Any, found: Operator) -> None:
        super().__init__(data, initial={name: getattr(found, name) for name in CHOICES})
        for name in CHOICES:
            self.fields[name] = _field(name)

    def chosen(self) -> Operator:
        """Return what was chosen; only of a valid form."""
        values: dict[str, Any] = {
            name: tuple(value) if name in MANY else value
            for name, value in self.cleaned_data.items()
        }
        return replace(DEFAULTS, **values)


def _field(name: str) -> forms.ChoiceField:
    label, effect = _WORDS[name]
    options = [(value, both(*text)) for value, text in CHOICES[name].items()]
    kind = forms.MultipleChoiceField if name in MANY else forms.ChoiceField
    widget = forms.CheckboxSelectMultiple if name in MANY else forms.RadioSelect
    named = ", ".join(CHOICES[name])
    field = kind(
        label=both(*label),
        help_text=both(*effect),
        choices=options,
        required=name not in MANY,
        widget=widget,
    )
    refused = both(
        f"{name} is “%(value)s”: nothing was saved. Choose of: {named}.",
        f"{name} 为“%(value)s”：未保存。可选：{named}。",
    )
    missing = both(
        f"{name} is empty: nothing was saved. Choose one.", f"{name} 为空：未保存。请选择一项。"
    )
    field.error_messages |= {"invalid_choice": refused, "required": missing}
    return field


@require_http_methods(["GET", "HEAD", "POST"])
@views.own_content_only
@login_required
def me(request: HttpRequest) -> HttpResponse:
    """Show the choices of whoever is logged in, and store them."""
    found = operator_of(request.user)
    form = OperatorForm(request.POST if request.method == "POST" else None, found)
    if request.method != "POST" or not form.is_valid():
        return render(request, "monitoring/me.html", {"form": form, "found": found})
    chosen = form.chosen()
    assert request.user.is_authenticated  # login_required
    save_operator(request.user, chosen)
    language = translation.get_language() if chosen.language == AUTO else chosen.language
    with translation.override(language):
        messages.success(request, speak(Text("Saved.", "已保存。")))
    return speaking(chosen, redirect("me"))
