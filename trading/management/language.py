"""The language of a command: what was asked for, else what the environment says."""

from __future__ import annotations

import os
from argparse import ArgumentParser


def environment_language() -> str:
    """Return `zh` when the environment asks for Chinese, else `en`."""
    wanted = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    return "zh" if wanted.lower().startswith("zh") else "en"


def add_language(parser: ArgumentParser) -> None:
    """Add `--lang`."""
    parser.add_argument(
        "--lang",
        choices=("en", "zh"),
        default=environment_language(),
        help="language of the tables 语言",
    )
