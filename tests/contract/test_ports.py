"""Whoever stands behind a port has every one of its methods, with the arguments the callers give."""

from __future__ import annotations

import inspect

import pytest

from tests.full_client.broker import FullClientBroker
from trading.broker.qmt import QmtBroker
from trading.market_data.mootdx_feed import MootdxFeed
from trading.ports import Broker, Desk, Feed
from trading.services.desk import AccountDesk

pytestmark = [pytest.mark.fast, pytest.mark.orders]


def methods(protocol):
    return {
        name: member
        for name, member in vars(protocol).items()
        if not name.startswith("_") and inspect.isfunction(member)
    }


@pytest.mark.parametrize(
    ("port", "adapter"),
    [
        (Broker, QmtBroker),
        (Broker, FullClientBroker),
        (Desk, AccountDesk),
        (Feed, MootdxFeed),
    ],
)
def test_f009_no_caller_calls_what_is_not_there(port, adapter):
    for name, wanted in methods(port).items():
        there = vars(adapter).get(name)
        assert there is not None, f"{adapter.__name__} only inherits {name} from the port"
        assert list(inspect.signature(there).parameters) == list(
            inspect.signature(wanted).parameters
        ), name


@pytest.mark.parametrize(("port", "least"), [(Broker, 6), (Desk, 15)])
def test_the_ports_are_looked_at(port, least):
    assert len(methods(port)) >= least
