"""Strategy ticks in a process of their own, as the worker is one: run by `console_live`, told by lines how many.

`python -m tests.benchmarks.ticking REDIS_URL HOLDINGS` works on the data directory it inherits.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

ROOT_ARGUMENTS = (sys.executable, "-m", "tests.benchmarks.ticking")


class Ticking:
    """The process, from outside."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, count: int) -> list[float]:
        """Run so many ticks; return the milliseconds of each. Raises EOFError."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise EOFError("the process of ticks has ended")
        found: list[float] = json.loads(line)
        return found


@contextmanager
def ticking(url: str, holdings: int) -> Iterator[Ticking]:
    """Run the process."""
    with subprocess.Popen(
        [*ROOT_ARGUMENTS, url, str(holdings)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        yield Ticking(process)
        assert process.stdin is not None
        process.stdin.close()


def main(url: str, holdings: int) -> None:
    import django

    django.setup()
    from django.conf import settings
    from django.utils import timezone

    from miniqmt.celery import let_garbage_wait
    from tests.benchmarks.strategy_tick import CENT, COST, HoldingAccount, Market
    from trading.models import Account, TickLease
    from trading.services.clock import DEMO, market_at, read_clocks
    from trading.services.runner import STRATEGY, run_tick

    let_garbage_wait()
    market = Market(settings.HOME, url, holdings)

    class Standing(HoldingAccount):
        """The account that the other process has made."""

        def __init__(self) -> None:
            self.pk = Account.objects.get().pk

    account = Standing()
    clock, number = read_clocks()[DEMO], 0
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            number += 1
            market.now = market_at(clock, timezone.now())
            price = COST + CENT * (number % 50 + 1)
            market.tell([market.quote(symbol, price) for symbol in market.symbols])
            account.prepare(market.now)
            TickLease.objects.all().delete()  # due again at once
            time.sleep(0.2)  # others get their turn, as they do between two ticks
            began = time.perf_counter()
            assert run_tick(STRATEGY, market.reader, lambda _: None, timezone.now) == 1
            times.append((time.perf_counter() - began) * 1000)
            account.clean()
        print(json.dumps(times), flush=True)  # noqa: T201
    market.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
