"""Why data care did not do what it was asked to."""

from __future__ import annotations

from trading.domain.types import Text
from trading.errors import MiniqmtError


class NothingDone(MiniqmtError):
    """Nothing was changed: tell the person the text, which says what to do."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.text = Text(en, zh)
