"""What is no page: messages to the workers, files of strangers, secrets on disk and in logs, packages."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pickle
import re
import sqlite3
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from kombu.exceptions import ContentDisallowed

from miniqmt import asgi, web
from miniqmt.celery import app
from monitoring import stack
from monitoring.care import backup
from monitoring.care.errors import NothingDone
from monitoring.care.restore import restore
from monitoring.management.commands import up
from monitoring.management.enabled_accounts import enabled_accounts
from monitoring.moving_in.installation import read_installation
from monitoring.security import checks
from tests.database_files import NOW
from tests.former_installation import installation
from tests.integration.people import PASSWORD, browser, code_of, everything, phone, somebody
from tests.integration.scenes import falling
from trading.models import Account

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has rights of folders instead")


# -- messages


class Bomb:
    """What a pickle can do to whoever opens it."""

    def __reduce__(self):
        return os.mkdir, (BOMB,)


BOMB = "exploded"


def test_a_worker_opens_no_pickle(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    got, refused = [], []
    with app.connection_for_read(url="memory://") as connection:
        queue = app.amqp.queues["ticks"]
        consumer = app.amqp.TaskConsumer(
            connection.default_channel,
            queues=[queue],
            callbacks=[lambda body, message: got.append(body)],
            on_decode_error=lambda message, problem: refused.append(problem),
        )
        producer = connection.Producer()
        for kind, body in (
            ("application/x-python-serialize", pickle.dumps(Bomb())),
            ("application/x-yaml", b"!!python/object/apply:os.mkdir [exploded]"),
            ("application/json", json.dumps([[], {}, {}]).encode()),
        ):
            producer.publish(
                body, routing_key="ticks", content_type=kind, content_encoding="binary"
            )
        with consumer:
            for _ in range(3):
                connection.drain_events(timeout=5)
    assert [type(problem) for problem in refused] == [ContentDisallowed, ContentDisallowed]
    assert got == [[[], {}, {}]]
    assert not (tmp_path / BOMB).exists()


def ours() -> list[str]:
    app.loader.import_default_modules()
    return sorted(n for n in app.tasks if n.split(".")[0] in ("trading", "grid", "monitoring"))


@pytest.mark.django_db
def test_a_forged_message_with_surprising_arguments_does_nothing(calendar):
    falling(book={}).run(until="09:31:05")
    before = everything()
    assert len(ours()) >= 12
    for name in ours():
        for args, kwargs in (
            ([{"__class__": "os.system"}], {}),
            (["'; DROP TABLE trading_order; --"], {}),
            ([], {"account": 1, "quantity": 10**9}),
        ):
            result = app.tasks[name].apply(args=args, kwargs=kwargs, throw=False)
            assert isinstance(result.result, TypeError), name
    assert everything() == before


# -- files of strangers


def test_a_zip_bomb_is_no_backup(home):
    file = home / "bomb.sqlite3"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("miniqmt.sqlite3", b"\0" * 50_000_000)
    with pytest.raises(NothingDone, match="is not a database"):
        restore(home, str(file), NOW, unsealed=True)


def test_a_backup_whose_audit_triggers_were_cut_out_is_refused(home):
    file = home / "cut.sqlite3"
    made = backup.make(home, backup.Why.BY_HAND, NOW)
    file.write_bytes(made.path.read_bytes())
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("DROP TRIGGER audit_trading_event_delete")
    with pytest.raises(NothingDone, match="lacks what protects the audit rows"):
        restore(home, str(file), NOW, unsealed=True)


def test_the_number_of_an_account_leads_to_no_other_folder(tmp_path):
    folder = installation(tmp_path / "former")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("x/../../elsewhere", "../elsewhere", "..\\elsewhere"):
        (folder / "data" / "trading.db").replace(elsewhere / "trading.db")
        (folder / "data_x").mkdir(exist_ok=True)
        found = read_installation(folder, name)
        assert not any(found.tables.values())
        (elsewhere / "trading.db").replace(folder / "data" / "trading.db")


def test_a_view_that_counts_for_ever_is_not_read(tmp_path):
    folder = installation(tmp_path / "former")
    with closing(sqlite3.connect(folder / "data" / "trading.db")) as database, database:
        database.execute("DROP TABLE positions")
        database.execute(
            "CREATE VIEW positions AS WITH RECURSIVE n(stock_code) AS"
            " (SELECT 1 UNION ALL SELECT stock_code + 1 FROM n) SELECT * FROM n"
        )
    assert read_installation(folder, None).tables["positions"] == []


def test_a_restore_never_follows_a_name_out_of_the_list(home):
    (home / "secret_key").write_text("key", "utf-8")
    for name in ("../secret_key", "backups/../secret_key", str(home / "secret_key")):
        with pytest.raises(CommandError, match="Nothing was changed"):
            call_command("restore", name, "--unsealed", "--lang", "en")


# -- secrets


@POSIX
@pytest.mark.django_db
def test_what_is_generated_only_its_owner_reads(tmp_path, monkeypatch):
    monkeypatch.setattr(stack, "installed_redis", lambda: None)
    around = stack.Surroundings(ROOT, tmp_path, stack.our_redis())
    up._admin(tmp_path)
    stack.redis_process(around)
    monkeypatch.setattr(stack, "installed_redis", lambda: "redis-server")
    stack.redis_process(around)
    up.write_run_file(tmp_path, {"redis_url": around.redis.url})
    made = {path.name: path.stat().st_mode & 0o077 for path in tmp_path.iterdir()}
    assert made == dict.fromkeys(
        ("admin-password.txt", "redis.password", "redis.conf", "run.json"), 0
    )
    home = tmp_path / "fresh"
    environment = {**os.environ, "MINIQMT_HOME": str(home), "DJANGO_SECRET_KEY": ""}
    code = "import miniqmt.settings"
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, check=True, timeout=60)
    assert home.stat().st_mode & 0o077 == 0
    assert (home / "secret_key").stat().st_mode & 0o077 == 0


@pytest.mark.django_db
def test_no_secret_reaches_a_log_however_much_is_logged(calendar, caplog, settings, tmp_path):
    settings.HOME = tmp_path
    settings.SECRET_KEY = secret = "planted-secret-key-" + "0123456789abcdef" * 3
    caplog.set_level(logging.DEBUG)
    around = stack.Surroundings(ROOT, tmp_path, stack.our_redis())
    password, _ = up._admin(tmp_path)
    user = somebody("boss", superuser=True)
    device = phone(user)
    client = browser()
    client.post("/login/", {"username": "boss", "password": "a planted wrong one"})
    client.post("/login/", {"username": "boss", "password": PASSWORD})
    code = code_of(device)
    client.post("/confirm/", {"password": PASSWORD, "code": code})
    falling(book={}).run(until="09:31:05")
    app.connection_for_write(url=around.redis.url).as_uri()
    specs = [
        stack.redis_process(around),
        stack.web(around, 1),
        stack.flower(around, 1, up.ADMIN, password),
        *stack.trading_processes(around, [stack.gateway(around, 1, "one")]),
    ]
    session = client.cookies["sessionid"].value
    planted = (
        *(secret, password, around.redis.password, PASSWORD, "a planted wrong one"),
        *(device.key, session),
    )
    for one in planted:
        assert one not in caplog.text
        for spec in specs:  # everybody on this computer sees command lines
            assert one not in " ".join(spec.argv)
    assert not re.search(rf"\b{code}\b", caplog.text)


INLINE = re.compile(
    r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:", re.IGNORECASE
)


@pytest.mark.fast
def test_no_page_has_script_or_style_inside_which_the_policy_would_refuse():
    pages = [*(ROOT / "templates").rglob("*.html"), *ROOT.glob("*/templates/**/*.html")]
    texts = {page.name: page.read_text(encoding="utf-8") for page in pages}
    # What is kept as a file brings a policy of its own.
    served = {name: text for name, text in texts.items() if "Content-Security-Policy" not in text}
    found = {name: INLINE.findall(text) for name, text in served.items() if INLINE.search(text)}
    assert len(pages) > 20
    assert found == {}
    for line in ("<p onclick='x()'>", "<td style='color:red'>", "<script>x()</script>"):
        assert INLINE.search(line)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("mode", "options", "starts"),
    [
        ("paper", {}, True),
        ("paper", {"no_flower": True}, False),
        ("live", {}, False),
        ("live", {"flower": True}, True),
        ("live", {"flower": True, "no_flower": True}, False),
    ],
)
def test_flower_stays_off_beside_a_live_account_unless_asked_for(mode, options, starts):
    Account.objects.create(name="one", broker_account_id="1", mode=mode)
    options = {"flower": False, "no_flower": False, **options}
    assert up._wants_flower(options, enabled_accounts()) is starts


def test_no_header_says_where_a_request_came_from_unless_a_server_stands_before():
    around = stack.Surroundings(ROOT, ROOT, stack.our_redis())
    assert "--proxied" not in stack.web(around, 1).argv
    assert "--proxied" in stack.web(around, 1, proxied=True).argv
    assert not web.configuration(1).proxy_headers
    assert web.configuration(1, is_proxied=True).proxy_headers


# -- where the web is served


def ask(address: str) -> int:
    sent = []

    async def pages(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def keep(message):
        sent.append(message)

    async def come():
        scope = {"type": "http", "server": (address, 8000), "path": "/"}
        await asgi.within(pages, checks.may_face)(scope, None, keep)

    asyncio.run(come())
    return int(sent[0]["status"])


def test_who_came_to_an_address_of_the_network_is_not_served():
    checks._is_meant.cache_clear()
    assert [ask(one) for one in ("127.0.0.1", "::1", "192.0.2.7", "/run/a.sock")] == [
        *(200, 200, 403, 403)
    ]


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "MINIQMT_READ_DOTENV": "false", **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=30,
    )


def test_the_web_does_not_start_beyond_this_computer_with_holes(tmp_path):
    command = ("-m", "uvicorn", "miniqmt.asgi:application", "--host", "0.0.0.0", "--port", "0")
    holes = {"DEBUG": "true", "DJANGO_SECRET_KEY": "x", "ALLOWED_HOSTS": "*"}
    done = run(*command, MINIQMT_HOME=str(tmp_path), REDIS_URL="redis://127.0.0.1/0", **holes)
    assert done.returncode != 0
    for number in range(1, 6):
        assert f"miniqmt.E00{number}" in done.stdout + done.stderr
    checked = run("manage.py", "check", MINIQMT_HOME=str(tmp_path), ALLOWED_HOSTS="a.example")
    assert "miniqmt.E005" in checked.stderr


@pytest.mark.parametrize("https", ["", "true"])
def test_the_deployment_checks_are_clean_with_and_without_https(tmp_path, https):
    environment = {"MINIQMT_HOME": str(tmp_path), "MINIQMT_HTTPS": https or "false"}
    done = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", **environment)
    assert done.returncode == 0, done.stderr
    assert ("0 silenced" in done.stdout) is bool(https)


# -- packages


LOCKS = ("requirements.txt", "requirements-dev.txt")


def requirements(name: str) -> list[str]:
    """The requirements of a lock file, each with its continuation lines."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    return [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]


@pytest.mark.fast
@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_pinned_with_its_hashes(name):
    lines = requirements(name)
    assert len(lines) > 5
    for line in lines:
        assert re.match(r"^[A-Za-z0-9._-]+(\[[^\]]+\])?==[^\s;]+", line), line
        assert "--hash=sha256:" in line, line
        assert "://" not in line, line


def for_windows(line: str) -> str:
    """A requirement as pip would read it there: the markers are asked of the Python that runs pip."""
    return re.sub(r"; sys_platform == 'win32'\s", " ", line)


def ask_for_wheels(lines: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Ask the index for wheels of Windows; `folder/found.json` then says which. Nothing is downloaded for it.

    With the hashes of the lock pip would download every file to check it, so they are compared with what it reports.
    """
    folder.mkdir()
    asked, found = folder / "asked.txt", folder / "found.json"
    asked.write_text("\n".join(re.sub(r"\s--hash=\S+", "", line) for line in lines), "utf-8")
    command = ("-m", "pip", "install", "--dry-run", "--no-deps", "--ignore-installed", "--quiet")
    target = ("--platform", "win_amd64", "--python-version", "3.11", "--only-binary", ":all:")
    where = ("--target", str(folder / "x"), "--disable-pip-version-check", "--report", str(found))
    return subprocess.run(
        [sys.executable, *command, *target, *where, "-r", str(asked)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
    )


@pytest.mark.slow
def test_every_package_is_there_as_a_wheel_for_windows(tmp_path):
    lines = [for_windows(line) for line in requirements(LOCKS[0])]
    if ask_for_wheels(lines[:1], tmp_path / "one").returncode:
        pytest.skip("there is no network: the package index does not answer")
    parts = {tmp_path / f"part{number}": lines[number::4] for number in range(4)}
    with ThreadPoolExecutor(len(parts)) as pool:
        done = list(pool.map(ask_for_wheels, parts.values(), parts))
    assert [one.stderr for one in done if one.returncode] == []
    locked = "\n".join(lines)
    found = [
        package["download_info"]
        for part in parts
        for package in json.loads((part / "found.json").read_text("utf-8"))["install"]
    ]
    assert len(found) >= len(lines) - sum("python_" in line for line in lines)
    for package in found:
        assert package["url"].endswith(".whl")
        assert f"--hash=sha256:{package['archive_info']['hashes']['sha256']}" in locked, package
