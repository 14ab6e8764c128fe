#!/usr/bin/env python
"""Every command prepares `.venv` on a fresh machine, then hands over to Django.

This file parses on Python 3.8, so that an old Python is told what is wrong.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
UNSUPPORTED = (
    "[miniqmt] Python {version} ({bits}-bit) cannot run miniqmt: install 64-bit Python 3.11"
    " (3.12 and 3.13 work too) and start again with it."
    " 当前 Python {version}（{bits} 位）无法运行 miniqmt：请安装 64 位 Python 3.11"
    "（3.12、3.13 亦可），再用它重新启动。\n"
)


def main() -> int:
    is_64_bit = sys.maxsize > 2**32
    if not (3, 11) <= sys.version_info[:2] < (3, 14) or not is_64_bit:
        bits = 64 if is_64_bit else 32
        sys.stderr.write(UNSUPPORTED.format(version=sys.version.split()[0], bits=bits))
        return 2

    from miniqmt import environment, handover

    wants_tests = sys.argv[1:2] == ["test"]
    try:
        python = environment.prepare(ROOT, for_tests=wants_tests)
    except environment.SetupError as problem:
        environment.say(*problem.args)
        return 1
    except KeyboardInterrupt:
        return 130

    if wants_tests:
        from miniqmt import testing

        return testing.run(python, ROOT, sys.argv[2:])
    if python != sys.executable:
        return handover.run([python, *sys.argv])

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "miniqmt.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
    return 0


if __name__ == "__main__":
    sys.exit(main())
