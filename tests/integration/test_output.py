"""What processes write, on consoles that lack characters, into pipes nobody reads, and while they end."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.redis_servers import ROOT

pytestmark = [pytest.mark.system, pytest.mark.unattended]

# As a command of ours does: Django is set up, something is told, something is logged, also at the very end.
SAYS = """
import atexit, logging, sys
import django
django.setup()
log = logging.getLogger("trading")
atexit.register(lambda: log.warning("goodbye 再见 %s", chr(0x1F680)))
if "closed" in sys.argv:
    sys.stderr.close()
log.warning("price %.2f of %s", None, chr(0x1F680))  # nothing a log line says may matter
log.warning("行情 %s", chr(0x1F680))
print(f"行情 {chr(0x1F680)} ok", flush=True)
"""


def run(home, *options, **environment):
    known = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "miniqmt.settings",
        "MINIQMT_HOME": str(home),
        "MINIQMT_READ_DOTENV": "false",
        **environment,
    }
    known.pop("PYTHONUTF8", None)
    return subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", SAYS, *options],
        cwd=ROOT,
        env=known,
        capture_output=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("encoding", "shown"), [("gbk", "行情 ? ok"), ("cp1252", "?? ? ok"), ("ascii", "?? ? ok")]
)
@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])  # the second: Python on Windows
def test_f126_a_console_that_lacks_a_character_ends_nothing(tmp_path, encoding, shown, errors):
    done = run(tmp_path, PYTHONIOENCODING=f"{encoding}:{errors}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode(encoding).strip() == shown
    assert b"goodbye" in done.stderr


def test_f126_a_log_line_after_its_stream_was_closed_ends_nothing(tmp_path):
    done = run(tmp_path, "closed", PYTHONIOENCODING="utf-8")
    assert done.returncode == 0
    assert done.stdout.decode("utf-8").strip() == "行情 🚀 ok"
