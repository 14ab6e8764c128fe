"""An installation that the doctor examines, sound, and one function for each fault that is planted in it."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from django.utils import timezone

from monitoring import backup_files
from monitoring.backup_files import Why
from monitoring.care import backup
from monitoring.doctor.examine import at_once, examine
from monitoring.doctor.rows import _write_tasks
from monitoring.doctor.table import CHECKS
from monitoring.doctor.values import Case, Diagnosis, Severity
from monitoring.models import Finding
from monitoring.run_file import write_run_file
from tests.database_files import changed
from trading.domain.source_health import Observation, Said
from trading.domain.types import Quote, Symbol, Text
from trading.market_data.file_store import FileQuoteStore
from trading.models import Account, Position, TradingConfig, TradingDay
from trading.services import shared_quotes

HELD = Symbol("600036.SH")
ENDS_IN = timedelta(days=90)


class House:
    """A sound installation whose `up` runs, at night; `look` examines it."""

    def __init__(self, home: Path, settings) -> None:
        self.home, self.settings, self.now = home, settings, timezone.now()
        self.project = home / "project"
        self.project.mkdir()
        (self.project / "requirements.txt").write_text("redis==", encoding="utf-8")
        self.require("redis")
        for folder in ("logs", "backups"):
            (home / folder).mkdir(mode=0o700)
        home.chmod(0o700)
        settings.REDIS_URL, settings.ALLOWED_HOSTS = "", ["127.0.0.1", "localhost"]
        settings.SECRET_KEY = "k" * 48
        TradingDay.objects.all().delete()
        today = self.now.date()
        days = [today + timedelta(days=n) for n in range(-10, ENDS_IN.days + 1)]
        TradingDay.objects.bulk_create(
            TradingDay(on=day, is_session=False, source="test") for day in days
        )
        self.account = Account.objects.get()
        Account.objects.update(gateway_status="armed", gateway_seen_at=self.now)
        backup.make(home, Why.BY_HAND, self.now)
        self.runs()
        _write_tasks(settings.CELERY_BEAT_SCHEDULE)

    def require(self, name: str, version: str = "") -> None:
        from importlib import metadata

        line = f"{name}=={version or metadata.version(name)}\n"
        (self.project / "requirements.txt").write_text(line, encoding="utf-8")

    def runs(self, **process: object) -> None:
        row = {"name": "worker", "state": "running", "restarts": 0, "last_exit": None, **process}
        write_run_file(self.home, {"source": "demo", "web": "", "pid": 1, "processes": [row]})
        (self.home / "up.lock").touch()

    def look(self, ntp: str = "") -> list[Diagnosis]:
        shared_quotes._of_thread.__dict__.clear()
        case = Case(self.home, self.project, self.now, ntp)
        return list(examine(case, CHECKS, at_once))

    def fix(self, code: str) -> None:
        [found] = [one for one in self.look() if one.code == code]
        assert found.fix is not None
        found.fix()

    def old(self, name: str, age: timedelta = timedelta(hours=1)) -> Path:
        path = self.home / name
        path.touch()
        at = (self.now - age).timestamp()
        os.utime(path, (at, at))
        return path

    def quotes(self) -> FileQuoteStore:
        return FileQuoteStore(self.home / shared_quotes.FILE, writes=True)


def package_of_another_version(house: House) -> None:
    house.require("redis", "1.0")


def package_missing(house: House) -> None:
    house.require("no-such-package", "1.0")


def package_data_changed(house: House) -> None:
    package_changed(house)
    info = house.home / "site" / "planted-1.0.dist-info"
    (house.home / "site" / "ca.pem").write_text("one more\n", encoding="utf-8")
    (info / "RECORD").write_text("ca.pem,sha256=abc,1\n", encoding="utf-8")


def package_changed(house: House) -> None:
    site = house.home / "site"
    info = site / "planted-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "planted.py").write_text("changed = True\n", encoding="utf-8")
    (info / "METADATA").write_text("Name: planted\nVersion: 1.0\n", encoding="utf-8")
    (info / "RECORD").write_text("planted.py,sha256=abc,15\n", encoding="utf-8")
    sys.path.insert(0, str(site))
    house.require("planted", "1.0")


def folder_missing(house: House) -> None:
    (house.home / "logs").rmdir()


def folder_is_read_only(house: House) -> None:
    (house.home / "logs").rmdir()
    (house.home / "logs").write_text("a file, where the folder should be", encoding="utf-8")
    (house.home / "logs").chmod(0o600)


def secret_for_everybody(house: House) -> None:
    (house.home / "paper.token").write_text("t", encoding="utf-8")
    (house.home / "paper.token").chmod(0o644)


def debug(house: House) -> None:
    house.settings.DEBUG = True


def every_host(house: House) -> None:
    house.settings.ALLOWED_HOSTS = ["*"]


def host_beyond(house: House) -> None:
    house.settings.ALLOWED_HOSTS, house.settings.HTTPS = ["miniqmt.example.com"], True


def plain_web(house: House) -> None:
    house.settings.ALLOWED_HOSTS, house.settings.HTTPS = ["miniqmt.example.com"], False


def redis_open(house: House) -> None:
    plain_web(house)
    house.settings.REDIS_URL = "redis://127.0.0.1:1/0"


def short_key(house: House) -> None:
    house.settings.SECRET_KEY = "short"
    shutil.rmtree(house.home / "backups")
    (house.home / "backups").mkdir(mode=0o700)
    backup.make(house.home, Why.BY_HAND, house.now)


def no_zone(house: House) -> None:
    house.settings.TIME_ZONE = "Asia/Nowhere"


def web_silent(house: House) -> None:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        port = line.getsockname()[1]
    row = {"name": "web", "state": "running", "restarts": 0}
    write_run_file(house.home, {"web": f"http://127.0.0.1:{port}/", "processes": [row]})


def database_damaged(house: House) -> None:
    path = house.home / "miniqmt.sqlite3"
    from django.db import connection

    connection.close()
    for more in ("-wal", "-shm"):
        Path(f"{path}{more}").unlink(missing_ok=True)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 40_000)


def database_away(house: House) -> None:
    from django.db import connection

    connection.close()
    connection.settings_dict["NAME"] = str(house.home / "nowhere" / "database")


def migration_missing(house: House) -> None:
    changed(house.home / "miniqmt.sqlite3", "DELETE FROM django_migrations WHERE app = 'grid'")


def redis_away(house: House) -> None:
    house.settings.REDIS_URL = "redis://:x@127.0.0.1:1/0"


def redis_password(house: House) -> None:
    house.settings.REDIS_URL = house.redis_url.replace("for-tests-only", "another")  # type: ignore[attr-defined]


def up_hangs(house: House) -> None:
    house.old("up.lock")


def up_died(house: House) -> None:
    house.old("up.lock")


def up_died_and_left_children(house: House) -> None:
    house.old("up.lock")
    (house.home / "market_data.lock").touch()


def process_down(house: House) -> None:
    house.runs(state="backing off", last_exit=-9)


def process_restarts(house: House) -> None:
    house.runs(restarts=5)


def drafts_left(house: House) -> None:
    house.old(".run.json.4711")


def calendar_ends(house: House) -> None:
    until = (house.now + timedelta(days=20)).date()
    TradingDay.objects.filter(on__gt=until).delete()


def calendar_disputed(house: House) -> None:
    day = house.now.date() + timedelta(days=3)
    TradingDay.objects.filter(on=day).update(is_session=False, source="disputed: terminal")


def task_missing(house: House) -> None:
    changed(
        house.home / "miniqmt.sqlite3",
        "DELETE FROM django_celery_beat_periodictask WHERE name = 'backup'",
    )


def task_differs(house: House) -> None:
    changed(
        house.home / "miniqmt.sqlite3",
        "UPDATE django_celery_beat_periodictask SET expire_seconds = NULL WHERE name = 'orders'",
    )


def task_paused(house: House) -> None:
    changed(
        house.home / "miniqmt.sqlite3",
        "UPDATE django_celery_beat_periodictask SET enabled = 0 WHERE name = 'strategy'",
    )


def settings_invalid(house: House) -> None:
    TradingConfig.objects.update(stop_loss_ratio=Decimal("5"))


def token_missing(house: House) -> None:
    (house.home / f"gateway-{house.account.pk}.lock").touch()


def gateway_observes(house: House) -> None:
    token_missing(house)
    Account.objects.update(
        gateway_status="observing", gateway_reason={"en": "no session", "zh": "未登录"}
    )


def gateway_silent(house: House) -> None:
    token_missing(house)
    Account.objects.update(gateway_seen_at=house.now - timedelta(hours=1))


def said(house: House) -> Said:
    return Said("xtquant", 0, Symbol(""), False, house.now, Observation(expected=True, calls=1))


def clock_behind(house: House) -> None:
    unprotected(house)
    price, later = Decimal(10), house.now + timedelta(seconds=30)
    store = house.quotes()
    store.put("xtquant", [Quote(HELD, later, price, price, open=price, high=price, low=price, volume=1)], 10, later)  # fmt: skip
    store.note([said(house)])
    store.close()


def unprotected(house: House) -> None:
    Position.objects.create(
        account=house.account,
        symbol=HELD,
        quantity=100,
        bought_quantity=100,
        bought_amount=Decimal(1000),
        opened_on=date(2026, 8, 7),
    )
    Account.objects.update(trading_state="halted")


def backup_none(house: House) -> None:
    for path in (house.home / "backups").iterdir():
        path.unlink()


def backup_old(house: House) -> None:
    house.now += timedelta(days=5)
    house.runs()
    at = house.now.timestamp()
    os.utime(house.home / "up.lock", (at, at))


def backup_changed(house: House) -> None:
    [one] = backup_files.list_backups(house.home, house.settings.SECRET_KEY)
    with one.path.open("r+b") as file:
        file.seek(one.note.size - 10)
        file.write(b"changed")


def backup_strange(house: House) -> None:
    house.settings.SECRET_KEY = "n" * 48


def backup_failed(house: House) -> None:
    backup_files.remember_failure(house.home, Text("No room.", "空间不足。"), house.now)


def finding_stands(house: House) -> None:
    Finding.objects.create(
        account=house.account,
        code="FEED_SILENT",
        level="alarm",
        text_en="no quotes",
        text_zh="没有行情",
        since=house.now,
        seen_at=house.now,
    )


FAIL, WARN = Severity.FAIL, Severity.WARN
FAULTS: dict[str, tuple[Callable[[House], None], Severity, str]] = {
    "PACKAGE_VERSION": (package_of_another_version, FAIL, "delete the folder .venv"),
    "PACKAGE_MISSING": (package_missing, FAIL, "delete the folder .venv"),
    "PACKAGE_CHANGED": (package_changed, FAIL, "delete the folder .venv"),
    "PACKAGE_DATA": (package_data_changed, WARN, "certificate"),
    "FOLDER_MISSING": (folder_missing, WARN, "doctor --fix"),
    "FOLDER_READ_ONLY": (folder_is_read_only, FAIL, "writable"),
    "FILE_OPEN": (secret_for_everybody, FAIL, "chmod 600"),
    "DEBUG_ON": (debug, FAIL, "DEBUG=false"),
    "HOSTS_OPEN": (every_host, FAIL, "docs/security.md"),
    "WEB_PLAIN": (plain_web, FAIL, "docs/security.md"),
    "REDIS_OPEN": (redis_open, FAIL, "docs/security.md"),
    "HOSTS_BEYOND": (host_beyond, WARN, "proxy"),
    "SECRET_KEY_SHORT": (short_key, FAIL, "DJANGO_SECRET_KEY"),
    "CLOCK_ZONE": (no_zone, FAIL, ".venv"),
    "WEB_SILENT": (web_silent, FAIL, "logs/web.log"),
    "DATABASE_DAMAGED": (database_damaged, FAIL, "restore"),
    "MIGRATIONS_MISSING": (migration_missing, FAIL, "migrate"),
    "REDIS_AWAY": (redis_away, FAIL, "REDIS_URL"),
    "RUN_FILE_STALE": (up_died, WARN, "manage.py up"),
    "PROCESSES_LEFT": (up_died_and_left_children, FAIL, "end"),
    "PROCESS_DOWN": (process_down, FAIL, "logs/worker.log"),
    "PROCESS_RESTARTS": (process_restarts, WARN, "logs/worker.log"),
    "DRAFTS_LEFT": (drafts_left, WARN, "--fix"),
    "CALENDAR_ENDS": (calendar_ends, FAIL, "trading_days"),
    "TASK_MISSING": (task_missing, WARN, "--fix"),
    "TASK_DIFFERS": (task_differs, FAIL, "--fix"),
    "TASK_PAUSED": (task_paused, FAIL, "Resume"),
    "SETTINGS_INVALID": (settings_invalid, FAIL, "Settings"),
    "TERMINAL_TOKEN": (token_missing, FAIL, "paper_terminal.log"),
    "TERMINAL_AWAY": (token_missing, FAIL, "paper_terminal.log"),
    "GATEWAY_OBSERVES": (gateway_observes, FAIL, "log in"),
    "GATEWAY_SILENT": (gateway_silent, FAIL, "log"),
    "CLOCK_BEHIND_QUOTES": (clock_behind, FAIL, "NTP"),
    "UNPROTECTED": (unprotected, WARN, "console"),  # at night: a warning
    "BACKUP_NONE": (backup_none, WARN, "backup now"),
    "BACKUP_OLD": (backup_old, FAIL, "backup now"),
    "BACKUP_CHANGED": (backup_changed, FAIL, "backup now"),
    "BACKUP_STRANGE": (backup_strange, FAIL, "backup now"),
    "BACKUP_FAILED": (backup_failed, FAIL, "backup now"),
    "FINDING": (finding_stands, FAIL, "operations.md"),
}


def wrong(found: Sequence[Diagnosis]) -> list[Diagnosis]:
    return [one for one in found if one.severity in (Severity.WARN, Severity.FAIL)]
