"""The folder `userdata_mini` of a QMT client: what can be told from it, and the files of our sessions in it.

Programs talk to the client through queue files in this folder, one set per session number. A number is held by one
program at a time, so a fixed number per account is a lock of the terminal's own. A program that was killed leaves its
files behind, and the number is then refused until they are gone. File names: the vendor's library; what they mean:
reports from the field, none of it seen on a live client here.
"""

from __future__ import annotations

import logging
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trading.domain.types import Text

log = logging.getLogger(__name__)

#: The folder's name, and the file the client makes in it once it lets programs in.
FOLDER, QUEUE = "userdata_mini", "up_queue"
#: The client with programs in mind, and the full one, which can log in by itself.
CLIENTS = ("XtMiniQmt.exe", "XtItClient.exe")
#: Session numbers of one account: the first is its own, the others are for when its files cannot be freed.
GATEWAY_SESSIONS, PROBE_SESSIONS = 8, 2
#: Where the numbers begin, and how many each account has.
FIRST_SESSION, SESSIONS = 100, GATEWAY_SESSIONS + PROBE_SESSIONS


def first_session(account: int) -> int:
    """Return the session number of an account's gateway; the probe has the ones from `+ GATEWAY_SESSIONS` on."""
    return FIRST_SESSION + account * SESSIONS


def client_runs() -> bool | None:
    """Whether a client runs on this machine; None where that cannot be told."""
    try:
        listed = subprocess.run(
            ["tasklist", "/FO", "CSV", "/NH"], capture_output=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    names = listed.stdout.decode("utf-8", "replace").lower()
    return any(f'"{name.lower()}"' in names for name in CLIENTS)


def folder_problem(path: str) -> Text | None:
    """Say why this cannot be the folder of a client that lets programs in, and what to do, or None."""
    folder = Path(path)
    if not path:
        return Text(
            "No folder of a QMT client is set: MINIQMT_QMT_PATH, or the terminal folder of the account, names its userdata_mini.",
            "未设置 QMT 文件夹：请将 MINIQMT_QMT_PATH（或该账户的“终端文件夹”）设为客户端的 userdata_mini。",
        )
    if not folder.is_dir():
        return Text(f"There is no folder {path}.", f"文件夹 {path} 不存在。")
    if folder.name.lower() != FOLDER:
        return Text(
            f"{path} is not a {FOLDER} folder: name the one of that name in the client's installation.",
            f"{path} 不是 {FOLDER} 文件夹：请填写客户端安装目录下同名的文件夹。",
        )
    if not any(folder.glob(f"{QUEUE}*")):
        return Text(
            f"{path} has no {QUEUE} file: the client never ran in 极简模式 (mini mode) here, or the broker has not enabled programs for this account.",
            f"{path} 中没有 {QUEUE} 文件：客户端从未以“极简模式”登录，或券商尚未为该账户开通 miniQMT。",
        )
    return None


def session_files(folder: Path, session: int) -> list[Path]:
    """Return the queue and lock files of one session number, never those of another one."""
    mine = re.compile(rf"(lock_)?down_queue_(\D+_)?{session}(\D.*)?")
    return sorted(path for path in folder.glob("*down_queue*") if mine.fullmatch(path.name))


def remove_session(folder: Path, session: int) -> bool:
    """Remove the files a dead holder of the number left; False when one of them is in use."""
    for path in session_files(folder, session):
        try:
            path.unlink(missing_ok=True)
        except OSError as problem:
            log.warning("session %s is held: %s", session, problem)
            return False
    return True


@dataclass(frozen=True)
class Try:
    """One attempt to connect. `tidy`: remove the files of this number first."""

    session: int
    tidy: bool


def next_try(first: int, failures: int, client_is_there: bool) -> Try:
    """Return how to connect after so many failures in a row.

    First the account's own number as it is: a client that starts or logs in refuses everybody, and the number of a
    program that has just ended is refused for some seconds. Then the same without the files left behind; then the
    reserved numbers, one after the other, never a random one: each leaves 75 MB. Without proof that a client runs
    here nothing is removed and no number is tried but our own.
    """
    if failures < 2 or not client_is_there:
        return Try(first, tidy=False)
    return Try(first + (failures - 2) % GATEWAY_SESSIONS, tidy=True)


class Sessions:
    """The session numbers of one account's gateway, in the folder of its client; the twin has no folder."""

    def __init__(
        self,
        first: int,
        folder: Path | None = None,
        runs: Callable[[], bool | None] = client_runs,
    ) -> None:
        self._first, self._folder, self._runs = first, folder, runs
        self._failures = 0
        self._last: int | None = None

    def begin(self) -> int:
        """Return the number to connect with, its old files removed where that is due.

        The caller holds the account's lock and lease: nobody else of ours can be the holder of these files.
        """
        there = self._folder is not None and self._failures >= 2 and self._runs() is True
        this = next_try(self._first, self._failures, there)
        if this.tidy and self._folder is not None:
            for session in {self._last or this.session, this.session}:
                remove_session(self._folder, session)
        self._last = this.session
        return this.session

    def failed(self) -> None:
        """The terminal let nobody in with that number."""
        self._failures += 1

    def succeeded(self) -> None:
        self._failures = 0

    def client_is_there(self) -> bool | None:
        """Whether a client runs, as far as that is known: it makes a refusal plainer."""
        return self._runs() if self._folder is not None else None
