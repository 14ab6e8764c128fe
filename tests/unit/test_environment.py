"""The set-up of `.venv`: real folders, real locks, real child processes."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import manage
from miniqmt import environment, lockfile, testing

pytestmark = pytest.mark.fast

ROOT = Path(__file__).resolve().parents[2]
POSIX_ONLY = pytest.mark.skipif(os.name == "nt", reason="Windows delivers no such signal")


@pytest.fixture
def venv(tmp_path):
    """A project whose `.venv` looks as pip leaves it."""
    (tmp_path / "requirements.txt").write_text("django==5.2.19 \\\n    --hash=sha256:00\n")
    (tmp_path / "requirements-dev.txt").write_text("pytest==9.2.0\n")
    folder = tmp_path / ".venv"
    python = environment.Venv(folder, ()).python
    python.parent.mkdir(parents=True)
    python.touch()
    packages = folder / (
        "Lib/site-packages" if os.name == "nt" else "lib/python3.11/site-packages"
    )
    (packages / "django").mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).parent}\nversion = 3.11.7\n")
    return environment.Venv(folder, environment.WITH_TESTS)


def stamp(venv, lock="requirements.txt"):
    return environment.Stamp(venv.folder, lock)


def test_an_old_python_can_read_manage_py_to_be_told():
    ast.parse((ROOT / "manage.py").read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize(
    ("version", "largest"),
    [((3, 10, 13), 2**63 - 1), ((3, 14, 0), 2**63 - 1), ((3, 11, 9), 2**31 - 1)],
)
def test_an_unsupported_python_is_told_in_one_sentence(monkeypatch, capsys, version, largest):
    monkeypatch.setattr(sys, "version_info", version)
    monkeypatch.setattr(sys, "maxsize", largest)

    assert manage.main() == 2

    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "install 64-bit Python 3.11" in told
    assert "请安装 64 位 Python 3.11" in told


def test_nothing_is_known_about_a_folder_without_stamps(venv):
    assert venv.missing() == ["requirements.txt", "requirements-dev.txt"]
    assert not stamp(venv).is_whole()


def test_each_lock_file_has_its_own_stamp(venv):
    stamp(venv).write()

    assert venv.missing() == ["requirements-dev.txt"]


def test_a_changed_lock_file_is_installed_into_the_whole_folder(venv):
    stamp(venv).write()
    (venv.folder.parent / "requirements.txt").write_text("django==5.2.20\n")

    assert not stamp(venv).is_current()
    assert stamp(venv).is_whole()


@pytest.mark.parametrize("damage", ["package", "base python", "other python", "moved", "cut"])
def test_a_damaged_folder_is_not_whole(venv, tmp_path, damage):
    stamp(venv).write()
    settings = venv.folder / "pyvenv.cfg"
    match damage:
        case "package":
            next(venv.folder.rglob("django")).rmdir()
        case "base python":
            settings.write_text("home = /no/such/folder\n")
        case "other python":
            settings.write_text(settings.read_text().replace("3.11.7", "3.12.1"))
        case "moved":
            shutil.copytree(tmp_path, tmp_path.with_name("copy"))
            venv = environment.Venv(tmp_path.with_name("copy") / ".venv", environment.RUNTIME)
        case "cut":
            stamp(venv).file.write_text("")

    assert not stamp(venv).is_whole()
    assert not stamp(venv).is_current()


def test_a_folder_without_its_python_lacks_everything(venv):
    for lock in environment.WITH_TESTS:
        stamp(venv, lock).write()
    venv.python.unlink()

    assert venv.missing() == list(environment.WITH_TESTS)


def test_a_package_of_the_users_own_does_no_harm(venv):
    stamp(venv).write()
    next(venv.folder.rglob("site-packages")).joinpath("ipdb").mkdir()

    assert stamp(venv).is_current()


def test_a_process_below_a_prepared_one_is_not_prepared_again(tmp_path, monkeypatch):
    token = os.pathsep.join((sys.prefix, *environment.RUNTIME))
    monkeypatch.setenv(environment.PREPARED, token)

    assert environment.prepare(tmp_path) == sys.executable
    assert list(tmp_path.iterdir()) == []


def test_an_environment_that_has_the_packages_is_used_as_it_is(tmp_path, monkeypatch):
    monkeypatch.delenv(environment.PREPARED, raising=False)
    monkeypatch.setattr(sys, "base_prefix", "/another/python")
    version = lockfile._installed_version("pytest")
    (tmp_path / "requirements.txt").write_text(f"pytest=={version}\n")

    assert environment.prepare(tmp_path) == sys.executable
    assert not (tmp_path / ".venv").exists()


def test_only_one_start_prepares_and_the_others_give_up_at_the_deadline(tmp_path, capsys):
    file = tmp_path / ".venv.lock"

    with environment.exclusive(file, 5):
        started = time.monotonic()
        with pytest.raises(environment.SetupError), environment.exclusive(file, 0.5):
            pass
        assert time.monotonic() - started < 5
    with environment.exclusive(file, 0):
        pass  # free again

    assert "另一个启动过程" in capsys.readouterr().err


def test_the_lock_of_a_killed_start_is_free(tmp_path):
    file = tmp_path / ".venv.lock"
    code = (
        "import sys, time, pathlib; from miniqmt import environment\n"
        "with environment.exclusive(pathlib.Path(sys.argv[1]), 5):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, file], stdout=subprocess.PIPE, cwd=ROOT)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == b"held"
        holder.kill()

    with environment.exclusive(file, 5):
        pass


def test_a_marker_is_read_as_pip_reads_it():
    holds = lockfile.applies

    assert holds("python_full_version >= '3.11'")
    assert not holds("python_full_version < '3.9'")
    assert holds("python_version < '3.9' or python_version >= '3.10'")
    assert not holds("sys_platform == 'plan9' and python_version >= '3.11'")
    assert holds("implementation_name != 'jython'")
    with pytest.raises(ValueError, match="not understood"):
        holds("'linux' in sys_platform")


@pytest.mark.parametrize("lock", environment.WITH_TESTS)
def test_every_line_of_the_lock_files_is_understood(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")
    names = {line.partition("==")[0] for line in text.splitlines() if line[:1].isalpha()}

    found = {name for name, _version, _marker in lockfile._PINNED.findall(text)}

    assert found == names
    assert len(lockfile.pinned(ROOT / lock)) > 20


def test_both_lock_files_pin_the_same_versions():
    runtime, tests = (lockfile.pinned(ROOT / lock) for lock in environment.WITH_TESTS)

    assert {name: tests[name] for name in runtime.keys() & tests.keys()} == {
        name: runtime[name] for name in runtime.keys() & tests.keys()
    }


@pytest.mark.parametrize("lock", environment.WITH_TESTS)
def test_the_lock_files_name_no_place_but_the_users_index(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")

    assert all(word not in text for word in ("file:", "--find-links", "--index-url", "://"))
    assert text.count("--hash=sha256:") > len(lockfile.pinned(ROOT / lock))


@pytest.mark.parametrize(
    ("output", "english", "chinese"),
    [
        ("WARNING: Retrying (Retry(total=4)) after connection broken", "network", "网络"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "not the one", "不一致"),
        ("OSError: [Errno 28] No space left on device", "disk is full", "磁盘"),
        ("PermissionError: [WinError 5] 拒绝访问", "in use", "占用"),
        ("ERROR: No matching distribution found for x==1", "lacks", "缺少"),
        ("Traceback: something else", "setup.log", "setup.log"),
    ],
)
def test_a_failed_installation_is_one_sentence_in_both_languages(
    tmp_path, output, english, chinese
):
    log = tmp_path / "setup.log"
    log.write_text(output, encoding="utf-8")

    problem = environment.explain(log)

    assert english in problem.args[0]
    assert chinese in problem.args[1]
    assert "\n" not in "".join(problem.args)


BOTH_CORES = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], [*BOTH_CORES]),
        (["fast"], [*BOTH_CORES, "-m", "fast"]),
        (["fast", "grid", "-x"], [*BOTH_CORES, "-m", "fast or grid", "-x"]),
        (["-k", "grid", "tests/unit"], [*BOTH_CORES, "-k", "grid", "tests/unit"]),
        (["tests/unit", "--lf"], [*BOTH_CORES, "tests/unit", "--lf"]),
        (["--pdb"], ["--pdb"]),
        (["-n", "4"], ["-n", "4"]),
    ],
)
def test_a_bare_marker_names_a_group_of_tests(given, expected):
    assert testing.pytest_options(ROOT, given) == expected


def hand_over(code):
    """A process that hands over to a child which runs the code."""
    parent = (
        "import sys; from miniqmt import handover\n"
        "sys.exit(handover.run([sys.executable, '-c', sys.argv[1]]))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", parent, code],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=ROOT,
    )


def test_the_exit_code_is_the_childs():
    with hand_over("import sys; sys.exit(3)") as process:
        assert process.wait(20) == 3


@POSIX_ONLY
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_reaches_the_child_once(name):
    code = (
        "import signal, time\n"
        f"signal.signal(signal.{name}, lambda *_: print('signal', flush=True))\n"
        "print('ready', flush=True)\n"
        "end = time.monotonic() + 1\n"
        "while time.monotonic() < end: time.sleep(0.05)"
    )
    with hand_over(code) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.Signals[name])
        assert process.stdout.read() == b"signal\n"
        assert process.wait(20) == 0


@POSIX_ONLY
def test_a_killed_child_gives_the_code_of_a_shell():
    with hand_over("import os, signal; os.kill(os.getpid(), signal.SIGTERM)") as process:
        assert process.wait(20) == 128 + signal.SIGTERM


def test_f168_the_tests_run_away_from_the_operators_settings_data_and_redis(monkeypatch, tmp_path):
    for name, value in {
        "MINIQMT_HOME": str(ROOT / "var"),
        "MINIQMT_READ_DOTENV": "true",
        "REDIS_URL": "redis://127.0.0.1:6379",
    }.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\nmarkers = []\n", "utf-8")
    (tmp_path / "test_it.py").write_text(
        "import os\n\n\ndef test_it():\n"
        "    known = os.environ\n"
        "    assert known['MINIQMT_READ_DOTENV'] == 'false'\n"
        "    empty = None if os.name == 'nt' else ''  # Windows knows no empty ones\n"
        "    assert known.get('REDIS_URL') == empty\n"
        f"    assert not known['MINIQMT_HOME'].startswith({str(ROOT)!r})\n",
        "utf-8",
    )
    assert testing.run(sys.executable, tmp_path, ["-q", "-p", "no:django", "-n", "0"]) == 0
