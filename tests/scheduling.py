"""Which process of a run gets which tests: whole files, and everything that starts whole stacks as one piece.

Two whole stacks never run at once (`whole_machine`): spread over two processes, one would always wait for the other.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

_MARK = "whole_machine"


class StacksTogether(LoadFileScheduling):  # type: ignore[misc]  # it carries no types
    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        super().__init__(config, log)
        folder = config.rootpath / "tests" / "acceptance"
        files = folder.glob("test_*.py")
        self._stacks = {path.name for path in files if _MARK in path.read_text(encoding="utf-8")}

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        folder, _, name = file.rpartition("/")
        return folder if folder.endswith("acceptance") and name in self._stacks else file
