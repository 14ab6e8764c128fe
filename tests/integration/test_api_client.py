"""The client that docs/api.md offers, against a real server."""

from __future__ import annotations

import importlib.util
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.architecture.sources import ROOT
from tests.browser.server import web_server
from tests.integration.api_scenes import Program, a_day
from tests.integration.record_scenes import HELD
from trading.models import Signal
from trading.services import shared_quotes
from trading.services.clock import DEMO, set_clock

pytestmark = [pytest.mark.system]

_SPEC = importlib.util.spec_from_file_location("api_client", ROOT / "docs" / "api_client.py")
assert _SPEC is not None
assert _SPEC.loader is not None
api_client = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(api_client)


def test_the_documented_client_reads_changes_once_and_says_what_is_refused(
    transactional_db, calendar, tmp_path, monkeypatch, capsys
):
    world = a_day(tmp_path, monkeypatch)
    set_clock(DEMO, timezone.now() - timedelta(seconds=150), world.moment("09:29:50"))
    # The server's threads read the same quotes as this one.
    every = type("_OfThread", (shared_quotes._OfThread,), {"reader": world.store})
    monkeypatch.setattr(shared_quotes, "_of_thread", every())
    with web_server() as web:
        secret = Program().secret
        console = api_client.Client(web.url, secret)
        api_client.main(web.url, secret)
        assert f"{HELD} 招商银行 1000 10.40" in capsys.readouterr().out

        [holding] = console.get("/holdings", symbol=HELD)["items"]
        path = f"/holdings/{holding['holding']['pk']}/sell"
        done = console.change("POST", path, {"ratio": "0.5", "why": "enough"})
        assert done["changed"] is True
        assert Signal.objects.get(kind="manual").quantity == 500
        with pytest.raises(api_client.Refused, match="已有手动委托在处理中"):
            console.change("POST", path, {"ratio": "0.5", "why": "enough"})

        settings = console.get(f"/accounts/{world.account.pk}/configuration")
        assert console.get(f"/accounts/{world.account.pk}/configuration") is settings  # a 304
        with pytest.raises(api_client.Refused) as refused:
            api_client.Client(web.url, "mqt_nothing").get("/overview")
        assert refused.value.problem["code"] == "UNAUTHENTICATED"
