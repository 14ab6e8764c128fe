"""A crash in native code takes one small process with it: the one that reads quotes dies, the gateway stays armed."""

from __future__ import annotations

import os
import signal

import pytest

from tests.stack import copy_of, prepare, running, utc_now, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.system,
    pytest.mark.unattended,
    pytest.mark.usefixtures("whole_machine"),
    pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes end as POSIX has it"),
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crash")
    with running(copy_of(prepare(folder / "prepared"), folder / "home"), "--no-flower") as stack:
        assert wait_for(stack.all_run, 45) is not None
        assert wait_for(lambda: stack.gateway()[0] == "armed", 30) is not None
        yield stack
        print(stack.output())  # noqa: T201 - shown when it fails, or with -rP


@pytest.mark.parametrize(
    "number", [signal.SIGABRT, signal.SIGSEGV], ids=["assertion", "segmentation fault"]
)
def test_f113_quotes_that_crash_the_library_do_not_touch_trading(stack, number):
    before, epoch = stack.processes(), stack.epoch()
    killed = before["market_data"]["pid"]
    os.kill(killed, number)
    assert wait_for(lambda: stack.is_back("market_data", killed), 15) is not None
    since, market = utc_now(), stack.market_now()
    assert wait_for(lambda: stack.works("market_data", since, market), 15) is not None
    after = stack.processes()
    assert after["market_data"]["last_exit"] == -number
    assert after["market_data"]["restarts"] == before["market_data"]["restarts"] + 1
    others = before.keys() - {"market_data"}
    assert {name: after[name]["pid"] for name in others} == {
        name: before[name]["pid"] for name in others
    }
    assert stack.gateway()[0] == "armed"
    assert stack.epoch() == epoch  # the same gateway, which never lost its lease
