"""Whether the web may face more than this computer, and what stands against it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitoring.security.exposure import Facts, bound_to, holes, is_exposed

pytestmark = [pytest.mark.fast, pytest.mark.system]

KEY = "k3Jd9-fQz0aPwLm7Xs2Vb8Nc5Ty1Ru4Ei6Og-Hh_Jj0Kk9Ll8Mm7Nn"
SAFE = Facts(
    arguments=["uvicorn", "miniqmt.asgi:application", "--host", "0.0.0.0"],
    debug=False,
    key=KEY,
    hosts=["127.0.0.1", "trade.example.com"],
    https=True,
    redis_url="redis://:secret@127.0.0.1:6379/0",
)
HOME = replace(SAFE, arguments=["manage.py", "up"], hosts=["127.0.0.1", "localhost", "[::1]"])


def test_a_start_with_everything_in_order_is_let_through():
    assert is_exposed(SAFE)
    assert holes(SAFE) == []


@pytest.mark.parametrize(
    ("change", "id"),
    [
        ({"debug": True}, "miniqmt.E001"),
        ({"key": "short"}, "miniqmt.E002"),
        ({"key": "a" * 60}, "miniqmt.E002"),
        ({"key": "django-insecure-" + KEY}, "miniqmt.E002"),
        ({"hosts": ["*"]}, "miniqmt.E003"),
        ({"redis_url": "redis://127.0.0.1:6379/0"}, "miniqmt.E004"),
        ({"https": False}, "miniqmt.E005"),
    ],
)
def test_each_hole_is_refused_with_its_remedy_and_none_of_them_on_this_computer_alone(change, id):
    [hole] = holes(replace(SAFE, **change))
    assert hole.id == id
    assert hole.text.en != hole.text.zh
    inside = {name: value for name, value in change.items() if name != "hosts"}
    assert holes(replace(HOME, **inside)) == []


def test_a_name_that_is_not_this_computers_counts_as_facing_the_network():
    assert [
        hole.id for hole in holes(replace(HOME, hosts=["trade.example.com"], https=False))
    ] == ["miniqmt.E005"]


@pytest.mark.parametrize(
    ("line", "host"),
    [
        ("manage.py up", ""),
        ("manage.py runserver", ""),
        ("manage.py runserver 8000", ""),
        ("manage.py runserver --noreload 0.0.0.0:8000", "0.0.0.0"),
        ("manage.py runserver 0:8000", "0.0.0.0"),
        ("manage.py runserver [::]:8000", "[::]"),
        ("manage.py runserver 127.0.0.1:8000", "127.0.0.1"),
        ("uvicorn miniqmt.asgi:application", ""),
        (
            "/x/uvicorn/__main__.py miniqmt.asgi:application --host=192.0.2.7 --port 80",
            "192.0.2.7",
        ),
        ("uvicorn miniqmt.asgi:application --host ::", "::"),
        ("gunicorn --bind 0.0.0.0:80 miniqmt.wsgi", "0.0.0.0"),
        ("daphne -b 127.0.0.1 miniqmt.asgi:application", "127.0.0.1"),
    ],
)
def test_a_command_line_says_where_the_web_listens(line, host):
    assert bound_to(line.split()) == host
    faces = host not in ("", "127.0.0.1")
    assert is_exposed(replace(HOME, arguments=line.split())) is faces
