"""`manage.py install_autostart`: shows, writes or removes what makes this system start `up` by itself."""

from __future__ import annotations

import getpass
import os
import re
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from grid.management.tables import Output
from monitoring.autostart import Place, systemd_unit, task_xml
from trading.domain.types import Text
from trading.management.language import add_language

WINDOWS, LINUX = "windows", "linux"
#: Variables that others set.
DOMAIN, CONFIG_FOLDER = "USERDOMAIN", "XDG_CONFIG_HOME"
UNIT, TASK = "{name}.service", "{name}.xml"
#: Variables that may hold a secret, or say where everything is: the new process has only what `.env` says.
_OURS = re.compile(r"MINIQMT_(?!HOME$|SPEED$|PREPARED$)\w+|DATABASE_URL|REDIS_URL|DJANGO_SECRET_KEY|DEBUG|ALLOWED_HOSTS|LOG_LEVEL|FALLBACK_QUOTES")  # fmt: skip


class Command(BaseCommand):
    help = "Lets this system start miniqmt by itself. 设置开机（登录）自动启动。"
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--print", action="store_true", help="only show it (default) 仅显示（默认）"
        )
        what.add_argument("--write", action="store_true", help="write it 写入")
        what.add_argument("--remove", action="store_true", help="take it away 删除")
        parser.add_argument(
            "--system",
            choices=(WINDOWS, LINUX),
            default=WINDOWS if sys.platform == "win32" else LINUX,
            help="of which system 操作系统",
        )
        parser.add_argument("--folder", help="where it is written 写入的文件夹")
        parser.add_argument(
            "--name", default="miniqmt", help="one a data directory 名称，每个数据目录一个"
        )
        parser.add_argument(
            "up_options", nargs="*", help="options of `up`, after --, e.g. -- --no-flower"
        )
        add_language(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", options["name"]):
            raise _problem(
                f"--name {options['name']!r}: letters, digits, - and _ only.",
                f"--name {options['name']!r}：只能包含字母、数字、- 和 _。",
            )
        output = Output(self.stdout._out, options["lang"])  # type: ignore[arg-type]
        path = _target(options)
        if options["remove"]:
            _remove(path, output, options)
            return
        place, content = _content(options)
        if not options["write"]:
            self.stdout.write(content.decode("utf-16" if path.suffix == ".xml" else "utf-8"))
            output.say(
                Text(
                    f"Nothing was written. --write puts this into {path}",
                    f"未写入任何内容。加 --write 将写入 {path}",
                )
            )
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError as problem:
            raise _problem(f"{path}: {problem}.", f"{path}：{problem}。") from None
        output.say(Text(f"Wrote {path}. Now:", f"已写入 {path}。接下来请运行："))
        for line in _next_steps(options, path):
            output.say(line)
        _tell_left_out(output, place)


def _content(options: dict[str, Any]) -> tuple[Place, bytes]:
    project = Path(settings.BASE_DIR)
    place = Place(
        project, Path(settings.HOME), _python(project), _user(), tuple(options["up_options"])
    )
    if options["system"] == WINDOWS:
        return place, task_xml(place)
    return place, systemd_unit(place).encode("utf-8")


def _python(project: Path) -> Path:
    """The project's own environment outlives the one this command happens to run in."""
    folder = "Scripts/python.exe" if sys.platform == "win32" else "bin/python"
    own = project / ".venv" / folder
    return own if own.exists() else Path(sys.executable)


def _user() -> str:
    domain = os.environ.get(DOMAIN, "")
    return f"{domain}\\{getpass.getuser()}" if domain else getpass.getuser()


def _target(options: dict[str, Any]) -> Path:
    name = TASK if options["system"] == WINDOWS else UNIT
    if options["folder"]:
        folder = Path(options["folder"]).resolve()
    elif options["system"] == WINDOWS:
        folder = Path(settings.HOME) / "autostart"
    else:
        config = os.environ.get(CONFIG_FOLDER) or Path.home() / ".config"
        folder = Path(config) / "systemd" / "user"
    return folder / name.format(name=options["name"])


def _next_steps(options: dict[str, Any], path: Path) -> Sequence[Text]:
    name = options["name"]
    if options["system"] == WINDOWS:
        return (
            Text(*2 * [f'  schtasks /Create /TN "{name}" /XML "{path}" /F']),
            Text(
                "It starts 30 s after you log on; at once: "
                f'schtasks /Run /TN "{name}". Let Windows log on by itself, and QMT with it (docs/windows.md).',
                f'登录后 30 秒启动；立即启动：schtasks /Run /TN "{name}"。请设置 Windows 自动登录，并让 QMT 随之启动（见 docs/windows.md）。',
            ),
        )
    return (
        Text(*2 * ["  systemctl --user daemon-reload"]),
        Text(*2 * [f"  systemctl --user enable --now {name}.service"]),
        Text(*2 * ["  loginctl enable-linger"]),
        Text(
            "The last one lets it run while nobody is logged in. `systemctl --user status` and `journalctl --user` show it.",
            "最后一条使其在无人登录时也能运行。用 `systemctl --user status` 与 `journalctl --user` 查看。",
        ),
    )


def _remove(path: Path, output: Output, options: dict[str, Any]) -> None:
    name = options["name"]
    stop = (
        f'schtasks /Delete /TN "{name}" /F'
        if options["system"] == WINDOWS
        else f"systemctl --user disable --now {name}.service; systemctl --user daemon-reload"
    )
    try:
        path.unlink()
    except FileNotFoundError:
        output.say(Text(f"There is no {path}.", f"不存在 {path}。"))
    except OSError as problem:
        raise _problem(f"{path}: {problem}.", f"{path}：{problem}。") from None
    else:
        output.say(Text(f"Removed {path}.", f"已删除 {path}。"))
    output.say(
        Text(f"The system forgets it with: {stop}", f"请运行以下命令使系统不再启动它：{stop}")
    )


def _tell_left_out(output: Output, place: Place) -> None:
    """Name variables of this shell that the started process will not have, without their values."""
    left = sorted(name for name in os.environ if _OURS.fullmatch(name))
    if left:
        said = ", ".join(left)
        output.say(
            Text(
                f"Set in this shell only, and not taken over, for they may be secrets: {said}. Put them into {place.project / '.env'}.",
                f"以下变量只在当前终端中设置，可能含有密钥，未写入：{said}。请写入 {place.project / '.env'}。",
            )
        )


def _problem(en: str, zh: str) -> CommandError:
    text = Text(en, zh)
    return CommandError(f"{text.en} {text.zh}")
