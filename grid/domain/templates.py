"""Templates: named settings of a style, without the money (rules §3). Users may store their own beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from grid.domain.parameters import GridRules
from grid.domain.rules import build
from trading.domain.types import Text


@dataclass(frozen=True, slots=True)
class Template:
    """Named settings of a style, without the money."""

    name: str
    text: Text
    style: str
    values: Mapping[str, Any]

    def rules(self, max_investment: Decimal, **own: Any) -> GridRules:
        """Return the parameters of a session: the template's, then `own`. Raises SettingError."""
        return build(self.style, {**self.values, **own, "max_investment": max_investment})


def _centred(name: str, zh: str, values: str) -> Template:
    names = (
        "interval",
        "position_ratio",
        "callback",
        "max_deviation",
        "target_profit",
        "stop_loss",
    )
    numbers = map(Decimal, values.split())
    return Template(
        name, Text(name, zh), "centred", MappingProxyType(dict(zip(names, numbers, strict=True)))
    )


#: Rules §3; the default is `moderate`.
TEMPLATES: Mapping[str, Template] = MappingProxyType(
    {
        template.name: template
        for template in (
            _centred("conservative", "稳健", "0.08 0.20 0.008 0.20 0.08 -0.08"),
            _centred("moderate", "适中", "0.05 0.25 0.005 0.15 0.10 -0.10"),
            _centred("aggressive", "积极", "0.03 0.30 0.003 0.10 0.15 -0.15"),
            Template("lots", Text("lots", "逐笔"), "lot", MappingProxyType({})),
        )
    }
)
DEFAULT_TEMPLATE = "moderate"
