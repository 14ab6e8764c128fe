"""Prepares `.venv` from the lock files. Standard library only: nothing else is installed yet.

Each lock file leaves a stamp in `.venv`: what was installed, on which Python, in which place,
and the folders it gave. A `.venv` without valid stamps is new, half made, moved or damaged.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from miniqmt import lockfile

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


RUNTIME = ("requirements.txt",)
WITH_TESTS = ("requirements.txt", "requirements-dev.txt")

# Every process started below a prepared one inherits this: lock files that change during a
# trading day must not make a restarted gateway wait for packages.
PREPARED = "MINIQMT_PREPARED"
LOCK_SECONDS = 1800.0

# What the end of pip's output means, the surest first: pattern, English, Chinese.
_CAUSES = (
    (
        r"DO NOT MATCH THE HASHES",
        "a downloaded package is not the one that was locked; choose another package index with"
        " PIP_INDEX_URL and start again.",
        "下载的软件包与锁定的不一致；请用 PIP_INDEX_URL 更换软件源后重新启动。",
    ),
    (
        r"No space left|Errno 28|WinError 112",
        "the disk is full; free at least 1 GB and start again.",
        "磁盘已满；请至少腾出 1 GB 空间后重新启动。",
    ),
    (
        r"Permission denied|WinError (5|32)\b",
        "a file is protected or in use; stop every miniqmt program and start again.",
        "文件受保护或正被占用；请停止所有 miniqmt 程序后重新启动。",
    ),
    (
        r"Retrying \(|Max retries|NewConnectionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError",
        "the package index cannot be reached; check the network and the proxy, or set"
        " PIP_INDEX_URL to a mirror such as https://pypi.tuna.tsinghua.edu.cn/simple, and start"
        " again.",
        "无法连接软件源；请检查网络与代理，或将 PIP_INDEX_URL 设为镜像（例如"
        " https://pypi.tuna.tsinghua.edu.cn/simple）后重新启动。",
    ),
    (
        r"No matching distribution",
        "the package index lacks a locked package; set PIP_INDEX_URL to https://pypi.org/simple"
        " or a full mirror and start again.",
        "软件源缺少锁定的软件包；请将 PIP_INDEX_URL 设为 https://pypi.org/simple"
        " 或完整镜像后重新启动。",
    ),
)


class SetupError(Exception):
    """Setting up failed. The arguments say what failed and what to do: English, Chinese."""


def say(english: str, chinese: str = "") -> None:
    # stderr replaces a character that the console lacks, and leaves stdout to the command.
    print(f"[miniqmt] {english} {chinese}".rstrip(), file=sys.stderr, flush=True)


def prepare(root: Path, *, for_tests: bool = False) -> str:
    """The Python that has every pinned package, made ready first if need be."""
    locks = WITH_TESTS if for_tests else RUNTIME
    python, prefix = sys.executable, sys.prefix
    if os.environ.get(PREPARED) == _token(prefix, locks):
        return python
    venv = Venv(root / ".venv", locks)
    if venv.is_running:
        venv.ensure()
    elif not _suffices(venv):
        venv.ensure()
        python, prefix = str(venv.python), str(venv.folder)
    os.environ[PREPARED] = _token(prefix, locks)
    return python


def _suffices(venv: Venv) -> bool:
    """Whether this Python, somebody's own environment, has all packages already."""
    is_bare = sys.prefix == sys.base_prefix
    if is_bare and not venv.missing():
        return False
    return lockfile.are_installed(venv.folder.parent / lock for lock in venv.locks)


def _token(prefix: str, locks: Sequence[str]) -> str:
    return os.pathsep.join((prefix, *locks))


@dataclass(frozen=True)
class Venv:
    folder: Path
    locks: Sequence[str]

    @property
    def python(self) -> Path:
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def is_running(self) -> bool:
        return Path(sys.prefix).resolve() == self.folder.resolve()

    def ensure(self) -> None:
        """Installs what is missing, alone among all starts; returns at once when nothing is."""
        if not self.missing():
            return
        try:
            with exclusive(self.folder.with_name(".venv.lock"), LOCK_SECONDS) as inherited:
                self._install_missing(inherited)
        except OSError as problem:
            raise SetupError(
                f"The folder .venv cannot be written ({problem}); stop every miniqmt program,"
                " check the folder's permissions and start again.",
                "无法写入 .venv 文件夹；请停止所有 miniqmt 程序，检查文件夹权限后重新启动。",
            ) from problem

    def missing(self) -> list[str]:
        """The lock files whose packages are not known to be here, whole."""
        if not self.python.exists():
            return list(self.locks)
        return [lock for lock in self.locks if not Stamp(self.folder, lock).is_current()]

    def _install_missing(self, inherited: Sequence[int]) -> None:
        missing = self.missing()
        if not missing:  # another start did the work while we waited
            return
        started = time.monotonic()
        if not self.is_running and self._is_beyond_repair():
            missing = list(self.locks)
            self._create()
        for lock in missing:
            stamp = Stamp(self.folder, lock)
            stamp.file.unlink(missing_ok=True)
            self._install(self.folder.parent / lock, inherited)
            stamp.write()
        seconds = round(time.monotonic() - started)
        say(f"Ready after {seconds} s.", f"环境就绪，用时 {seconds} 秒。")

    def _is_beyond_repair(self) -> bool:
        # pip believes its own records: it would not bring back what somebody deleted.
        stamps = [Stamp(self.folder, lock) for lock in self.locks]
        damaged = any(stamp.file.exists() and not stamp.is_whole() for stamp in stamps)
        return damaged or not stamps[0].file.exists() or not self.python.exists()

    def _create(self) -> None:
        version = platform.python_version()
        say(f"Creating .venv with Python {version} ...", f"正在用 Python {version} 创建 .venv ……")
        options = ["--clear"] if _has_ensurepip() else ["--clear", "--without-pip"]
        command = [sys.executable, "-m", "venv", *options, str(self.folder)]
        result = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
        if result.returncode != 0:
            reason = (result.stderr or result.stdout).strip().rpartition("\n")[2]
            raise SetupError(
                f"The folder .venv cannot be made ({reason}); stop every miniqmt program, delete"
                " .venv and start again.",
                "无法创建 .venv 文件夹；请停止所有 miniqmt 程序，删除 .venv 后重新启动。",
            )

    def _install(self, lock: Path, inherited: Sequence[int]) -> None:
        total = len(lockfile.pinned(lock))
        say(
            f"Installing {total} packages of {lock.name} ...",
            f"正在安装 {lock.name} 的 {total} 个软件包 ……",
        )
        command = [
            *self._pip(),
            *("install", "--require-hashes", "--no-deps", "--only-binary", ":all:"),
            *("--no-input", "--disable-pip-version-check", "-r", str(lock)),
        ]
        log = self.folder / "setup.log"
        with (
            log.open("w", encoding="utf-8") as record,
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                env={**os.environ, "PYTHONUTF8": "1"},
                pass_fds=inherited,
            ) as pip,
        ):
            collected = 0
            for line in pip.stdout or ():
                record.write(line)
                if line.startswith(("Collecting ", "Processing ")):
                    collected += 1
                    say(f"  {collected}/{total} {Path(line.split()[1]).name}")
                elif line.startswith("Installing collected packages"):
                    say("  Unpacking ...", "正在解包 ……")
        if pip.returncode != 0:
            raise explain(log)

    def _pip(self) -> list[str]:
        if self.is_running or _has_ensurepip():
            return [str(self.python), "-m", "pip"]
        return [sys.executable, "-m", "pip", "--python", str(self.python)]


def _has_ensurepip() -> bool:
    # Some distributions split it off; then the pip of the base Python does the work.
    return importlib.util.find_spec("ensurepip") is not None


@dataclass(frozen=True)
class Stamp:
    """What one lock file gave to a `.venv`, written when its installation is complete."""

    venv: Path
    lock: str

    @property
    def file(self) -> Path:
        return self.venv / f"{self.lock}.stamp"

    def write(self) -> None:
        lines = [self._content(), self._place(), *sorted(self._packages())]
        self.file.write_text("\n".join(lines), encoding="utf-8")

    def is_current(self) -> bool:
        """The packages are those of the lock file as it is now."""
        return self.is_whole() and self._read()[0] == self._content()

    def is_whole(self) -> bool:
        """The packages are there as installed, though perhaps from an older lock file."""
        recorded = self._read()
        return (
            len(recorded) > 2
            and recorded[1] == self._place()
            and self._packages().issuperset(recorded[2:])
        )

    def _read(self) -> list[str]:
        try:
            return self.file.read_text(encoding="utf-8").split("\n")
        except (FileNotFoundError, UnicodeDecodeError):
            return []

    def _content(self) -> str:
        return hashlib.sha256((self.venv.parent / self.lock).read_bytes()).hexdigest()

    def _place(self) -> str:
        """Python's version, where it lives, and where we are: a copied `.venv` does not work."""
        try:
            settings = (self.venv / "pyvenv.cfg").read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        home = re.search(r"^home *= *(.+)$", settings, re.MULTILINE)
        if home is None or not Path(home[1]).exists():
            return ""
        digest = hashlib.sha256(settings.encode()).hexdigest()
        return f"{digest} {self.venv.resolve()}"

    def _packages(self) -> set[str]:
        folders = (*self.venv.glob("Lib/site-packages"), *self.venv.glob("lib/*/site-packages"))
        names = (name for folder in folders for name in os.listdir(folder))
        return {name for name in names if not name.endswith((".dist-info", "__pycache__"))}


@contextlib.contextmanager
def exclusive(path: Path, seconds: float) -> Iterator[Sequence[int]]:
    """Holds the lock of a file; yields the descriptors by which a child goes on holding it.

    The system frees the lock when its holders are gone, however they died.
    """
    deadline = time.monotonic() + seconds
    waits = False
    with path.open("ab") as file:
        while True:
            try:
                _try_lock(file.fileno())
                break
            except OSError:
                if time.monotonic() >= deadline:
                    raise SetupError(
                        f"Another start has been preparing .venv for {seconds:.0f} s; stop it,"
                        " delete .venv and start again.",
                        f"另一个启动过程已占用 .venv 达 {seconds:.0f} 秒；请结束它，删除 .venv"
                        " 后重新启动。",
                    ) from None
            if not waits:
                waits = True
                say("Another start is preparing .venv ...", "另一个启动过程正在准备 .venv ……")
            time.sleep(0.2)
        yield () if os.name == "nt" else (file.fileno(),)


def explain(log: Path) -> SetupError:
    """Makes one sentence of pip's output."""
    output = log.read_text(encoding="utf-8", errors="replace")
    for pattern, english, chinese in _CAUSES:
        if re.search(pattern, output):
            return SetupError(
                f"The packages cannot be installed: {english}", f"安装失败：{chinese}"
            )
    return SetupError(
        f"The packages cannot be installed; read {log} for the reason and start again.",
        f"软件包安装失败；原因见 {log}，解决后重新启动。",
    )
