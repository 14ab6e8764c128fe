"""Hands this process's work to a child: same terminal, same signals, same exit code."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

# A terminal delivers these to the whole process group, the child included.
_FROM_TERMINAL = ("SIGINT", "SIGQUIT", "SIGHUP", "SIGBREAK")
_FORWARDED = (*_FROM_TERMINAL, "SIGTERM")


def run(command: Sequence[str], *, folder: Path | None = None) -> int:
    """Runs the command to its end and returns its exit code; our signals go to it."""
    child: subprocess.Popen[bytes] | None = None
    early: list[signal.Signals] = []
    delivered = _delivered_to_child()

    def forward(number: int, _frame: FrameType | None) -> None:
        sent = signal.Signals(number)
        if sent in delivered:
            return
        if child is None:
            early.append(sent)
        else:
            child.send_signal(sent)

    for name in _FORWARDED:
        number = getattr(signal, name, None)
        # nohup and shells in the background ignore some: the child inherits that.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, forward)

    child = subprocess.Popen(command, cwd=folder)
    for sent in early:
        child.send_signal(sent)
    code = child.wait()
    return code if code >= 0 else 128 - code


def _delivered_to_child() -> set[signal.Signals]:
    # On Windows the console, or the sender of CTRL_BREAK, addresses the group we share.
    shares_terminal = os.name == "nt" or any(map(os.isatty, (0, 1, 2)))
    names = _FROM_TERMINAL if shares_terminal else ()
    return {signal.Signals[name] for name in names if name in signal.Signals.__members__}
