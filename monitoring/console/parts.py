"""The board in parts, so that only what changed travels: pure functions of texts.

Frames: the HTML of each part by its key, with a hole where another part goes. A part is one element whose id is its
key; the outermost, `ROOT`, is what stands inside the board. A hole is a comment, and what a template writes of others'
words is escaped, so no name can look like one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

Frames = Mapping[str, str]

ROOT = "board"
_HOLE = re.compile(r"<!--part ([a-z0-9_-]+)-->")


def hole(key: str) -> str:
    """Return what stands in a frame for the part `key`."""
    return f"<!--part {key}-->"


def whole(frames: Frames, key: str = ROOT) -> str:
    """Return the HTML of a part with all that is in it."""
    return _HOLE.sub(lambda found: whole(frames, found[1]), frames[key])


def changes(old: Frames, new: Frames) -> dict[str, str]:
    """Return what makes a page that shows `old` show `new`: whole parts, the outermost that differ, by key.

    Without anything old that is everything, as one part. No part lies inside another one of the answer, and the order
    does not matter.
    """
    found: dict[str, str] = {}
    waiting = [ROOT]
    while waiting:
        key = waiting.pop()
        if old.get(key) != new[key]:
            found[key] = whole(new, key)
        else:
            waiting += _HOLE.findall(new[key])
    return found


def sharing(old: Frames, new: Frames) -> Frames:
    """Return `new`, with the very strings of `old` where they are equal: several versions cost little more than one."""
    return {key: kept if (kept := old.get(key)) == text else text for key, text in new.items()}
