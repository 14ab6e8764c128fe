"""`manage.py doctor` as a person and a program run it, and the bundle for a report of a fault: no secret is in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from monitoring.doctor.bundle import write_bundle
from monitoring.doctor.values import Case
from monitoring.models import AlertChannel
from monitoring.redaction import SECRET_FILES
from tests.database_files import event
from tests.integration.ill_house import House, database_away
from tests.redis_servers import ROOT
from trading.models import Account

pytestmark = [pytest.mark.system, pytest.mark.unattended]


@pytest.fixture
def house(home, settings) -> House:
    return House(home, settings)


def run(home: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {
        **os.environ,
        "MINIQMT_HOME": str(home),
        "MINIQMT_READ_DOTENV": "false",
        "DJANGO_SETTINGS_MODULE": "miniqmt.settings",
        **environment,
    }
    return subprocess.run(
        [sys.executable, "-m", "django", "doctor", "--lang", "en", *options],
        cwd=ROOT,
        env=known,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


def test_before_the_first_start_nothing_is_made_and_nothing_is_wrong(tmp_path):
    done = run(tmp_path, "--json")
    told = json.loads(done.stdout)
    faults = [one for one in told["diagnoses"] if one["severity"] in ("warn", "fail")]
    assert [one for one in faults if one["check"] not in ("ports", "packages", "files")] == []
    assert not (tmp_path / "miniqmt.sqlite3").exists()
    assert (told["schema"], told["exit_code"]) == (1, done.returncode)
    assert set(told["diagnoses"][0]) == {
        *("check", "code", "severity", "en", "zh", "remedy_en", "remedy_zh", "fixable")
    }


def test_without_database_server_and_redis_it_says_both_and_puts_right_what_it_can(tmp_path):
    tmp_path.chmod(0o755)
    done = run(
        tmp_path,
        "--fix",
        DATABASE_URL="postgres://nobody:hidden-word@127.0.0.1:1/none",
        REDIS_URL="redis://:hidden-word@127.0.0.1:1/0",
    )
    assert done.returncode == 2, done.stderr
    for words in (
        "database cannot be reached",
        "Redis at 127.0.0.1:1 does not answer",
        "Put right",
    ):
        assert words in done.stdout
    assert "hidden-word" not in done.stdout + done.stderr
    assert os.name == "nt" or tmp_path.stat().st_mode & 0o077 == 0
    assert (tmp_path / "logs").is_dir()


# --- the bundle ---


@dataclass(frozen=True)
class Planted:
    where: str
    secret: str


SECRETS = [
    Planted("the key", "planted-django-secret-key-of-48-characters-0123"),
    Planted("a password in a log", "planted-password-in-a-log"),
    Planted("an address to notify", "planted-wecom-key"),
    Planted("a heartbeat", "planted-heartbeat-uuid"),
    Planted("the server", "planted-database-password"),
    Planted("the token of programs that look", "planted-metrics-token"),
    Planted("a channel's address", "planted-channel-address"),
    Planted("a token of the API", "mqt_planted-api-token-0123456789"),
    Planted("the account", "8800123456"),
    *(Planted(name, f"planted-{number}-in-{name}") for number, name in enumerate(SECRET_FILES)),
]


@pytest.fixture
def bundle(house):
    secret = {one.where: one.secret for one in SECRETS}
    for name in SECRET_FILES:
        (house.home / name).write_text(f"{secret[name]}\n", encoding="utf-8")
    house.settings.SECRET_KEY = secret["the key"]
    house.settings.MINIQMT_NOTIFY_URLS = [f"wecombot://{secret['an address to notify']}"]
    house.settings.MINIQMT_HEARTBEAT_URL = f"https://hc-ping.com/{secret['a heartbeat']}"
    house.settings.MINIQMT_METRICS_TOKEN = secret["the token of programs that look"]
    AlertChannel.objects.create(name="mine", url="schan://" + secret["a channel's address"])
    Account.objects.update(broker_account_id=secret["the account"])
    lines = [
        f"login with password={secret['a password in a log']}",
        f"posting to https://qyapi.weixin.qq.com/send?key={secret['an address to notify']}",
        f"account {secret['the account']} is armed, key {secret['the key']}",
        f"ping https://hc-ping.com/{secret['a heartbeat']}",
        f"postgres://me:{secret['the server']}@db/x is away",
        "told at schan://" + secret["a channel's address"] + " by " + secret["a token of the API"],
        *(f"{name} holds {secret[name]}" for name in SECRET_FILES),
    ]
    (house.home / "logs" / "worker.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    event("ARMED", text_en=f"account {secret['the account']} is armed")
    path = house.home / "bundle.zip"
    house.names = write_bundle(path, Case(house.home, ROOT, house.now), house.look())
    with zipfile.ZipFile(path) as file:
        return b"\n".join(file.read(name) for name in file.namelist()) + path.read_bytes()


@pytest.mark.parametrize("planted", SECRETS, ids=lambda one: one.where)
def test_no_planted_secret_is_in_the_bundle(bundle, planted):
    assert planted.secret.encode() not in bundle


def test_the_bundle_has_what_a_report_needs_and_only_its_owner_may_read_it(house, bundle):
    assert {"doctor.json", "versions.json", "settings.json", "events.json"} <= set(house.names)
    assert {"schedule.json", "processes.json", "logs/worker.log"} <= set(house.names)
    assert "…3456".encode() in bundle
    if os.name == "posix":
        assert (house.home / "bundle.zip").stat().st_mode & 0o077 == 0
    with pytest.raises(FileExistsError):
        write_bundle(house.home / "bundle.zip", Case(house.home, ROOT, house.now), [])


def test_without_a_database_there_is_a_bundle_all_the_same(house):
    database_away(house)
    path = house.home / "bundle.zip"
    write_bundle(path, Case(house.home, ROOT, house.now), house.look())
    with zipfile.ZipFile(path) as file:
        assert b"DATABASE" in file.read("doctor.json")
        assert b"could not be read" in file.read("events.json")
