"""Checks of this computer: Python, packages, files, disk, clock."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import socket
import stat
import struct
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from importlib import metadata
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.utils.module_loading import import_string

from monitoring.backup_files import FOLDER as BACKUPS
from monitoring.doctor.values import Case, Diagnosis, Severity, fail, named, not_checked, ok, warn
from monitoring.health import LOW_DISK
from monitoring.redaction import is_secret_name
from monitoring.run_file import NAME as RUN_FILE
from trading.domain.types import Text

#: Python versions that are tested: from, and below.
PYTHONS = (3, 11), (3, 14)
#: Of a package only such files are compared with their hashes; of all others the size. Bytes.
HASHED = 65_536
#: Files of a package that run; others are data, which people do change.
CODE = frozenset({".py", ".so", ".pyd", ".dll", ".exe"})
#: Bytes below which the database may fail any moment.
NO_DISK = 200_000_000
#: Files of MINIQMT_HOME that only their owner may read.
PRIVATE = (
    *("secret_key", "admin-password.txt", "paper.token", "paper.json", "run.json"),
    *("redis.password", "redis.conf"),
)
FOLDERS = ("logs", BACKUPS)
#: Seconds a clock may be off: quotes that lie further in the future are refused.
CLOCK_OFF = 2.0
#: Seconds between 1900, where NTP begins, and 1970.
_NTP_EPOCH = 2_208_988_800
_ONLY_OWNER = 0o077


# --- python and packages ---


def python(case: Case) -> Iterable[Diagnosis]:
    """Look at the version and the width of this Python."""
    return python_of(sys.version_info[:2], sys.maxsize > 2**32)


def python_of(version: tuple[int, ...], is_64_bit: bool) -> Iterator[Diagnosis]:
    """Judge a version (major, minor)."""
    said = ".".join(map(str, version))
    remedy = Text(
        "Install 64-bit Python 3.11 from python.org, delete .venv, and start again.",
        "请从 python.org 安装 64 位 Python 3.11，删除 .venv 后重新启动。",
    )
    if not PYTHONS[0] <= version < PYTHONS[1]:
        text = Text(
            f"Python {said} is not supported: 3.11 to 3.13 are.",
            f"不支持 Python {said}：支持 3.11 至 3.13。",
        )
        yield fail("PYTHON_VERSION", text, remedy)
    if not is_64_bit:
        text = Text(f"This Python {said} has 32 bits.", f"当前 Python {said} 为 32 位。")
        yield fail("PYTHON_32_BIT", text, remedy)
    elif PYTHONS[0] <= version < PYTHONS[1]:
        yield ok("PYTHON", f"Python {said}, 64 bit.", f"Python {said}，64 位。")


def packages(case: Case) -> Iterator[Diagnosis]:
    """Compare every pinned package with what is installed: version, sizes, and hashes of small sources."""
    pinned: Mapping[str, str] = import_string(settings.MINIQMT_PINNED)(
        case.project / "requirements.txt"
    )
    remedy = Text(
        "Stop everything, delete the folder .venv and start any command again: it is made anew.",
        "请停止所有进程，删除 .venv 文件夹后重新运行任一命令，它会重新建立。",
    )
    missing: list[str] = []
    other: list[str] = []
    changed: list[str] = []
    touched: list[str] = []
    for name, version in sorted(pinned.items()):
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
            continue
        if found.version != version:
            other.append(f"{name} {found.version} (≠ {version})")
        elif (file := _changed_file(found)) is not None:
            is_code = Path(file).suffix in CODE
            (changed if is_code else touched).append(f"{name} ({file})")
    for code, names, en, zh in (
        ("PACKAGE_MISSING", missing, "Packages are missing", "缺少软件包"),
        ("PACKAGE_VERSION", other, "Packages of other versions", "软件包版本不符"),
        (
            "PACKAGE_CHANGED",
            changed,
            "Packages with files other than installed",
            "软件包文件被改动",
        ),
    ):
        if names:
            said = named(names)
            yield fail(code, Text(f"{en}: {said.en}.", f"{zh}：{said.zh}。"), remedy)
    if touched:
        said = named(touched)
        text = Text(
            f"Packages with data other than installed: {said.en}.",
            f"软件包中的数据文件被改动：{said.zh}。",
        )
        mine = Text(
            f"Right if you did it, such as a certificate of your company. Otherwise: {remedy.en}",
            f"若是您自己所改（例如加入公司证书）则无妨；否则：{remedy.zh}",
        )
        yield warn("PACKAGE_DATA", text, mine)
    if not (missing or other or changed or touched):
        count = len(pinned)
        yield ok("PACKAGES", f"{count} packages as locked.", f"{count} 个软件包与锁定文件一致。")


def _changed_file(package: metadata.Distribution) -> str | None:
    """Return a file that is not as its RECORD says, None when all are; a size, else a hash of 20 ms, says so."""
    for file in package.files or ():
        if file.hash is None or file.size is None:
            continue
        path = Path(str(package.locate_file(file)))
        try:
            if path.stat().st_size != file.size:
                return str(file)
            if file.suffix != ".py" or file.size > HASHED:
                continue
            digest = hashlib.new(file.hash.mode, path.read_bytes()).digest()
        except OSError:
            return str(file)
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
            return str(file)
    return None


# --- files ---


def private_files(case: Case) -> Iterator[Diagnosis]:
    """Look whether secrets are their owner's alone."""
    if sys.platform == "win32":
        yield not_checked(
            "FILE_RIGHTS_NOT_CHECKED",
            "Rights of files are not checked on Windows: keep MINIQMT_HOME in your own user folder.",
            "Windows 上不检查文件权限：请将 MINIQMT_HOME 放在您自己的用户文件夹中。",
        )
        return
    wanted = [(case.home / name, 0o600) for name in PRIVATE]
    wanted += [(path, 0o600) for path in (case.project / ".env",) if _holds_secret(path)]
    wanted += [(case.home, 0o700)]
    wanted += [(case.home / name, 0o700) for name in FOLDERS]
    for path, mode in wanted:
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & _ONLY_OWNER:
            text = Text(
                f"{path} can be read by others of this computer.",
                f"{path} 可被本机其他用户读取。",
            )
            remedy = Text(
                f"`chmod {mode:o} {path}`, or `python manage.py doctor --fix`.",
                f"请运行 `chmod {mode:o} {path}`，或 `python manage.py doctor --fix`。",
            )
            yield fail("FILE_OPEN", text, remedy, partial(path.chmod, mode))
    if all(not path.exists() or not path.stat().st_mode & _ONLY_OWNER for path, _ in wanted):
        yield ok("FILE_RIGHTS", "Secrets are their owner's alone.", "密钥文件仅所有者可读。")


def _holds_secret(settings_file: Path) -> bool:
    """Whether a file of variables gives one of them that is a secret, or an address with a password in it."""
    try:
        text = settings_file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    lines = (
        line.partition("=") for line in text.splitlines() if not line.lstrip().startswith("#")
    )
    return any(value.strip() and is_secret_name(name.strip()) for name, _, value in lines)


def folders(case: Case) -> Iterator[Diagnosis]:
    """Look whether the folders are there and take a file."""
    for folder in (case.home, *(case.home / name for name in FOLDERS)):
        if not folder.exists():
            yield _missing(folder, has_run=(case.home / RUN_FILE).exists())
        elif not _takes_a_file(folder):
            text = Text(f"Nothing can be written to {folder}.", f"文件夹 {folder} 无法写入。")
            remedy = Text(
                "Make it writable for the user who runs miniqmt, and look whether the disk is full or read-only.",
                "请使运行 miniqmt 的用户可写该文件夹，并检查磁盘是否已满或只读。",
            )
            yield fail("FOLDER_READ_ONLY", text, remedy)
        else:
            yield ok("FOLDER", f"{folder} can be written to.", f"{folder} 可写。")


def _missing(folder: Path, has_run: bool) -> Diagnosis:
    text = Text(f"The folder {folder} is missing.", f"缺少文件夹 {folder}。")
    remedy = Text(
        "It is made when it is needed; `python manage.py doctor --fix` makes it now.",
        "需要时会自动建立；`python manage.py doctor --fix` 可立即建立。",
    )
    make = partial(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
    severity = Severity.WARN if has_run and folder.name != BACKUPS else Severity.NOT_CHECKED
    return Diagnosis("FOLDER_MISSING", severity, text, remedy, make)


def _takes_a_file(folder: Path) -> bool:
    probe = folder / f".doctor.{os.getpid()}"
    try:
        probe.write_bytes(b"miniqmt")
        probe.unlink()
    except OSError:
        return False
    return True


def disk(case: Case) -> Iterator[Diagnosis]:
    """Look how much is free where the data lie."""
    free = shutil.disk_usage(case.home).free
    text = Text(f"{free / 1e9:.1f} GB are free.", f"剩余空间 {free / 1e9:.1f} GB。")
    remedy = Text(
        f"Make room on the disk of {case.home}; older backups may be moved elsewhere.",
        f"请清理 {case.home} 所在磁盘；较早的备份可移到别处。",
    )
    if free < NO_DISK:
        yield fail("DISK_FULL", text, remedy)
    elif free < LOW_DISK:
        yield warn("DISK_LOW", text, remedy)
    else:
        yield ok("DISK", *text)


# --- clock ---


def clock(case: Case) -> Iterator[Diagnosis]:
    """Look at the time zone, and, when a server may be asked, how far the clock is off."""
    try:
        ZoneInfo(settings.TIME_ZONE)
    except (ZoneInfoNotFoundError, ValueError):
        remedy = Text("Delete .venv and start again.", "请删除 .venv 后重新启动。")
        text = Text("Python knows no time zones.", "Python 缺少时区数据。")
        yield fail("CLOCK_ZONE", text, remedy)
        return
    yield ok(
        "CLOCK_ZONE",
        f"Times are {settings.TIME_ZONE}; this computer's own zone does not matter.",
        f"时间均为 {settings.TIME_ZONE}；与本机时区无关。",
    )
    if not case.ntp:
        yield not_checked(
            "CLOCK_OFFSET",
            "How far the clock is off was not asked: --online asks a time server.",
            "未检查时钟误差：加 --online 可查询时间服务器。",
        )
        return
    yield from _offset(case.ntp)


def _offset(server: str) -> Iterator[Diagnosis]:
    remedy = Text(
        "Let the system keep its clock by NTP (Windows: Settings, Time, Synchronise now).",
        "请让系统通过 NTP 校时（Windows：设置 → 时间 → 立即同步）。",
    )
    try:
        off = ntp_offset(server)
    except (OSError, ValueError) as problem:
        yield not_checked(
            "CLOCK_OFFSET",
            f"The time server {server} did not answer: {problem}.",
            f"时间服务器 {server} 没有应答：{problem}。",
        )
        return
    text = Text(f"The clock is {off:+.2f} s off.", f"时钟误差 {off:+.2f} 秒。")
    if abs(off) > CLOCK_OFF:
        yield fail("CLOCK_OFF", text, remedy)
    else:
        yield ok("CLOCK_OFFSET", *text)


def ntp_offset(server: str, patience: float = 2.0) -> float:
    """Return how many seconds this clock is ahead of a time server, `HOST` or `HOST:PORT`. Raises OSError, ValueError."""
    host, _, port = server.partition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.settimeout(patience)
        sent = time.time()
        line.sendto(b"\x23" + 47 * b"\0", (host, int(port or 123)))
        reply, _ = line.recvfrom(256)
        came = time.time()
    if len(reply) < 48 or reply[0] & 7 != 4 or not reply[1]:
        raise ValueError("not the answer of a time server")
    there: list[float] = [
        whole - _NTP_EPOCH + part / 2**32
        for whole, part in (struct.unpack("!II", reply[at : at + 8]) for at in (32, 40))
    ]
    return (sent + came) / 2 - sum(there) / 2


def age_in_words(age: timedelta) -> Text:
    """Return an age as a person says it."""
    seconds = age.total_seconds()
    for size, en, zh in ((86_400, "days", "天"), (3600, "hours", "小时"), (60, "minutes", "分钟")):
        if seconds >= 2 * size:
            return Text(f"{seconds / size:.0f} {en}", f"{seconds / size:.0f} {zh}")
    return Text(f"{seconds:.0f} s", f"{seconds:.0f} 秒")
