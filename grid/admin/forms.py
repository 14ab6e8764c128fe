"""The forms of grid trading: parameters as one field each, empty = the template's; the domain judges them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.db import models

from grid.domain.rules import STYLES, parameter_names
from grid.models import GridSession
from grid.models.sessions import StopPolicy
from grid.selectors import templates
from grid.services.parameter_help import HELP, style_words
from grid.services.sessions import Request, SessionRefused
from grid.services.words import plain
from trading.admin.base import ReasonForm, say
from trading.domain.types import Text
from trading.models import Account
from trading.models.fields import both
from trading.services.reach import Reach

#: Choices of `plan` that are no template: the style's own defaults.
OWN = "own:"


def parameters() -> tuple[str, ...]:
    """Return the names of all parameters of all styles, each once; the money, which all share, first."""
    found = dict.fromkeys(("max_investment",))
    for style in STYLES:
        found.update(dict.fromkeys(parameter_names(style)))
    return tuple(found)


def parameter_field(name: str) -> forms.Field:
    """Return a field for one parameter, never required, with what it does and its range."""
    column = GridSession._meta.get_field(name)
    assert isinstance(column, models.Field)
    field = column.formfield(required=False)
    assert field is not None
    field.required = False
    if name in HELP:
        effect, range_ = HELP[name]
        allowed = (
            Text(f"Range: {range_.en}.", f"范围：{range_.zh}。") if range_.en else Text("", "")
        )
        field.help_text = f"{say(effect)} {say(allowed)}".strip()
    if isinstance(field, forms.DecimalField):
        field.widget = forms.TextInput(attrs={"size": 12, "inputmode": "decimal"})
    return field


class ParameterForm(forms.Form):
    """Fields of parameters; `given()` is what was filled in."""

    #: Which parameters; None: of all styles.
    names: Iterable[str] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.names or parameters():
            self.fields[name] = parameter_field(name)

    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        """Return the visible fields under their headings: what all sessions have, then the parameters of each style."""
        found: dict[str, list[forms.BoundField]] = {"": []}
        for field in self.visible_fields():
            styles = [style for style in STYLES if field.name in parameter_names(style)]
            title = say(style_words(styles[0])) if len(styles) == 1 else ""
            found.setdefault(title, []).append(field)
        return [(title, fields) for title, fields in found.items() if fields]

    def given(self) -> dict[str, Any]:
        """Return the parameters somebody filled in."""
        found = {}
        for name in self.names or parameters():
            value = self.cleaned_data.get(name)
            if value not in (None, ""):
                found[name] = value
        return found

    def refuse(self, problem: SessionRefused) -> None:
        """Put a refusal at the field it is about."""
        name = problem.field if problem.field in self.fields else None
        self.add_error(name, say(problem.text))


class StartForm(ParameterForm):
    """A session somebody wants. `plan`: a template, or the defaults of a style."""

    account = forms.ModelChoiceField(
        Account.objects.filter(enabled=True).order_by("name"), label=both("Account", "账户")
    )
    symbol = forms.CharField(
        label=both("Symbol", "代码"),
        max_length=16,
        help_text=both("Such as 600036 or 600036.SH.", "例如 600036 或 600036.SH。"),
    )
    plan = forms.ChoiceField(
        label=both("Style and template", "风格与模板"),
        help_text=both(
            "Where its parameters come from; those filled in below replace them.",
            "参数来源；下方填写的参数优先。",
        ),
    )
    centre = forms.DecimalField(
        label=both("Centre or reference (yuan)", "中心价/基准价（元）"),
        required=False,
        min_value=Decimal("0.0001"),
        decimal_places=8,
        max_digits=20,
        widget=forms.TextInput(attrs={"size": 12, "inputmode": "decimal"}),
        help_text=both(
            "Empty: the holding's high since entry, else the last price.",
            "留空：持仓以来最高价，没有则为最新价。",
        ),
    )
    base_quantity = forms.IntegerField(
        label=both("Base holding (shares)", "底仓数量（股）"),
        required=False,
        min_value=0,
        help_text=both(
            "Shares of the holding it may sell besides what it bought; empty: all of the holding.",
            "除自己买入的股份外还可卖出的持仓；留空为全部持仓。",
        ),
    )
    exits_may_sell_base = forms.BooleanField(
        label=both("Exits may sell the base holding", "退出规则可卖出底仓"),
        required=False,
        initial=True,
        help_text=both(
            "Off: stop-loss and take-profit leave the base holding alone while the session runs: less protection.",
            "关闭：会话运行期间，止损与止盈不卖出底仓，保护减弱。",
        ),
    )
    stop_policy = forms.ChoiceField(
        label=both("When it stops by itself", "自动停止时"),
        choices=StopPolicy.choices,
        initial=StopPolicy.KEEP,
    )
    why = ReasonForm.base_fields["why"]

    def __init__(self, *args: Any, reach: Reach, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        account = self.fields["account"]
        assert isinstance(account, forms.ModelChoiceField)
        assert account.queryset is not None
        account.queryset = reach.tradable(account.queryset)
        plan = self.fields["plan"]
        assert isinstance(plan, forms.ChoiceField)
        plan.choices = plans()
        self.order_fields(
            ["account", "symbol", "plan", "max_investment", "centre", "base_quantity",
             "exits_may_sell_base", "stop_policy", "why"]
        )  # fmt: skip

    def style(self) -> str:
        """Return the style that was chosen."""
        plan: str = self.cleaned_data["plan"]
        if plan.startswith(OWN):
            return plan.removeprefix(OWN)
        return templates()[plan].style

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if "plan" not in values:
            return values
        style = self.style()
        for name in self.given():
            if name not in parameter_names(style):
                word = style_words(style)
                text = Text(
                    f"{name} is no parameter of the {word.en}: leave it empty, or choose the other style",
                    f"{name} 不是{word.zh}的参数：请留空或改选另一种风格",
                )
                self.add_error(name, say(text))
        return values

    def request(self) -> Request:
        """Return what is asked for; only of a valid form."""
        values = self.cleaned_data
        plan: str = values["plan"]
        own = plan.startswith(OWN)
        return Request(
            account_id=values["account"].pk,
            symbol=values["symbol"].strip(),
            template=None if own else plan,
            style=self.style(),
            values=self.given(),
            centre=values["centre"],
            base_quantity=values["base_quantity"],
            exits_may_sell_base=values["exits_may_sell_base"],
            stop_policy=StopPolicy(values["stop_policy"]),
        )


def plans() -> list[tuple[str, str]]:
    """Return the templates, the default one first, and the styles with their own defaults."""
    found = [
        (name, f"{say(one.text)} ({say(style_words(one.style))})")
        for name, one in templates().items()
    ]
    found.sort(key=lambda plan: plan[0] != "moderate")
    own = both("own parameters", "自定参数")
    return [
        *found,
        *((f"{OWN}{style}", f"{own} ({say(style_words(style))})") for style in STYLES),
    ]


class EditForm(ParameterForm):
    """Parameters of a running session, base holding, exit switch, policy; the revision the person saw."""

    base_quantity = StartForm.base_fields["base_quantity"]
    exits_may_sell_base = StartForm.base_fields["exits_may_sell_base"]
    stop_policy = StartForm.base_fields["stop_policy"]
    why = ReasonForm.base_fields["why"]
    seen_revision = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, row: GridSession, *args: Any, **kwargs: Any) -> None:
        self.names = parameter_names(row.style)
        self._row = row
        super().__init__(*args, **kwargs)
        for name in (*self.names, "base_quantity"):
            self.fields[name].required = True
        for name in (*self.names, "base_quantity", "exits_may_sell_base", "stop_policy"):
            self.initial[name] = plain(getattr(row, name))
        self.initial["seen_revision"] = row.revision
        self.order_fields(
            [*self.names, "base_quantity", "exits_may_sell_base", "stop_policy", "why"]
        )

    def changes(self) -> dict[str, Any]:
        """Return what differs from the session the person saw."""
        names = (*(self.names or ()), "base_quantity", "exits_may_sell_base", "stop_policy")
        return {
            name: self.cleaned_data[name]
            for name in names
            if self.cleaned_data[name] != getattr(self._row, name)
        }


class StopForm(ReasonForm):
    """What becomes of the shares it bought, and why it stops."""

    policy = forms.ChoiceField(
        label=both("Its shares", "其持仓"), choices=StopPolicy.choices, initial=StopPolicy.KEEP
    )
    field_order = ("policy", "why")


class TemplateForm(ParameterForm):
    """Named parameters of one style, without the money."""

    name = forms.SlugField(label=both("Name", "名称"), max_length=50)
    style = forms.ChoiceField(label=both("Style", "风格"))

    def __init__(self, *args: Any, style: str | None = None, **kwargs: Any) -> None:
        every = parameters() if style is None else parameter_names(style)
        self.names = [name for name in every if name != "max_investment"]
        super().__init__(*args, **kwargs)
        choice = self.fields["style"]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = [(name, say(style_words(name))) for name in STYLES]
        if style is not None:
            del self.fields["name"], self.fields["style"]


def hidden(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return form values as they are posted again; a switch that is off is left out."""
    return [
        (name, "on" if value is True else str(value))
        for name, value in values.items()
        if value not in (None, False, "")
    ]
