"""A door is at a port of its own, and at another one where somebody else came first."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from monitoring.child_process import ProcessSpec, ProcessStatus, State
from monitoring.loopback import HOST, free_port
from monitoring.management.door import Door, Doors

pytestmark = [pytest.mark.system, pytest.mark.unattended]


def door():
    return Door("web", free_port(), lambda port: ProcessSpec("web", ["serve", str(port)]))


def statuses(state):
    return [ProcessStatus(name, state, None, None, 1, 1) for name in ("worker", "web")]


def taken(port):
    """Somebody else's server."""
    return closing(socket.create_server((HOST, port)))


def test_a_door_is_at_the_port_that_its_process_is_given():
    one = door()
    assert one.spec().argv == ["serve", str(one.port)]
    assert Doors([one], "", is_new=False).address("web") == f"http://127.0.0.1:{one.port}/"
    assert Doors([one], "", is_new=False).address("flower") == ""


@pytest.mark.parametrize("state", [State.BACKING_OFF, State.HELD_BACK])
def test_who_ended_because_another_program_has_the_port_gets_the_next_one(state):
    one = door()
    before = one.port
    with taken(before):
        spec = one.moved(statuses(state))
    assert spec is not None
    assert spec.argv == ["serve", str(one.port)]
    assert one.port > before


@pytest.mark.parametrize("state", [State.WAITING, State.STARTING, State.RUNNING, State.STOPPED])
def test_who_answers_at_the_port_of_a_process_that_has_not_ended_is_that_process(state):
    one = door()
    with taken(one.port):
        assert one.moved(statuses(state)) is None


def test_a_process_that_ended_for_another_reason_keeps_its_port():
    one = door()
    before = one.port
    assert one.moved(statuses(State.BACKING_OFF)) is None
    assert one.port == before
