"""What a person wants to see: chosen in one form, kept for the next login, never believed unchecked."""

from __future__ import annotations

import logging
import re

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from monitoring import views
from monitoring.console.build import build
from monitoring.console.shared import SharedConsole
from monitoring.models import OperatorSettings
from monitoring.services.operator import CHOICES, COLUMNS, DEFAULTS, operator_of
from tests.integration.record_scenes import HOSTILE, person, words_of
from tests.integration.still_account import REAL, StillAccount

pytestmark = [pytest.mark.system, pytest.mark.django_db, pytest.mark.usefixtures("calendar")]

GOOD = {
    "language": "en",
    "colours": "green_up",
    "theme": "dark",
    "columns": ["price", "profit"],
    "rows": "20",
    "sound": "on",
    "flashes": ["warning", "alarm"],
}
PASSWORD = "correct horse battery"


@pytest.fixture
def world(tmp_path, monkeypatch):
    with time_machine.travel(REAL, tick=False):
        world = StillAccount()
        shared = SharedConsole(lambda real: build(real, world.store, tmp_path))
        monkeypatch.setattr(views, "console_now", shared)
        yield world


@pytest.fixture
def user(db):
    return get_user_model().objects.create_superuser("anna")


@pytest.fixture
def client(user) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


def html(client: Client, address: str = "/me/") -> str:
    response = client.get(address)
    assert response.status_code == 200
    text: str = response.content.decode()
    return text


def root(page: str) -> str:
    """The page's outermost element, which carries the choices."""
    found: list[str] = re.findall(r"<html[^>]*>", page)
    return found[0]


def store(user, chosen: object) -> None:
    OperatorSettings.objects.update_or_create(user=user, defaults={"chosen": chosen})


# -- choosing


def test_nobody_has_chosen_yet_and_the_markets_habit_is_red_for_up(world, client, user):
    assert operator_of(user) == DEFAULTS
    page = html(client)
    assert 'data-colours="red_up"' in root(page)
    assert 'media="(prefers-color-scheme: dark)"' in page
    assert "hide-" not in root(page)


def test_what_is_chosen_is_kept_and_every_page_follows_it(world, client, user):
    assert client.post("/me/", GOOD).url == "/me/"
    chosen = operator_of(user)
    assert (chosen.colours, chosen.theme, chosen.rows) == ("green_up", "dark", "20")
    assert (chosen.columns, chosen.flashes) == (("price", "profit"), ("warning", "alarm"))
    for address in ("/me/", "/", "/orders/"):
        page = html(client, address)
        assert 'data-colours="green_up"' in root(page), address
        assert 'data-rows="20"' in root(page), address
        hidden = set(re.findall(r"hide-(\w+)", root(page)))
        assert hidden == COLUMNS.keys() - {"price", "profit"}, address
        assert re.search(r'dark.css" media="all"', page), address
        assert '<meta name="color-scheme" content="dark">' in page, address
    overview = html(client, "/")
    assert 'data-levels="warning alarm" data-sound="on"' in overview


def test_a_light_theme_loads_no_dark_one(world, client):
    client.post("/me/", {**GOOD, "theme": "light"})
    page = html(client)
    assert "dark.css" not in page
    assert '<meta name="color-scheme" content="light">' in page


def test_the_language_counts_at_once_and_at_the_next_login(world, client, user):
    client.post("/me/", {**GOOD, "language": "zh-hans"})
    assert "已保存" in html(client)
    user.set_password(PASSWORD)
    user.save()
    other = Client(headers={"accept-language": "en"})
    other.post("/login/", {"username": "anna", "password": PASSWORD})
    assert "个人设置" in html(other)
    client.force_login(user)  # a changed password ends its sessions
    client.post("/me/", {**GOOD, "language": "auto"})
    assert "My settings" in html(client)


def test_no_column_and_no_flash_are_choices_too(world, client, user):
    client.post("/me/", {**GOOD, "columns": [], "flashes": []})
    assert operator_of(user).columns == operator_of(user).flashes == ()
    assert "hide-price" in root(html(client))


def test_each_person_has_settings_of_their_own(world, client):
    client.post("/me/", GOOD)
    assert 'data-colours="red_up"' in root(html(person("view_account")))
    assert 'data-colours="red_up"' in root(html(Client(), "/login/"))


# -- what makes no sense


BAD = [
    ({"colours": "blue_up"}, "colours is “blue_up”"),
    ({"theme": HOSTILE}, "theme is “"),
    ({"rows": "1e400"}, "rows is “1e400”"),
    ({"rows": "-5"}, "rows is “-5”"),
    ({"rows": ""}, "rows is empty"),
    ({"sound": "false"}, "sound is “false”"),
    ({"language": "fr"}, "language is “fr”"),
    ({"columns": ["price", "name"]}, "columns is “name”"),
    ({"flashes": ["panic"]}, "flashes is “panic”"),
]


def test_one_bad_value_saves_nothing_and_is_named_with_its_remedy(world, client, user):
    client.post("/me/", GOOD)
    for changes, said in BAD:
        response = client.post("/me/", {**GOOD, "colours": "red_up", **changes})
        assert response.status_code == 200, changes
        page = response.content.decode()
        assert said in words_of(page), changes
        assert "nothing was saved" in page, changes
        assert HOSTILE not in page
        assert operator_of(user).colours == "green_up", changes
        if "colours" not in changes:  # what was chosen beside it stays chosen
            assert re.search(r'value="red_up"[^>]*checked', page), changes


def test_half_a_form_saves_nothing(world, client, user):
    page = client.post("/me/", {"colours": "green_up"}).content.decode()
    assert "theme is empty" in words_of(page)
    assert not OperatorSettings.objects.exists()


@pytest.mark.parametrize(
    ("stored", "named"),
    [
        ({"colours": "mauve"}, "colours"),
        ({"rows": 20}, "rows"),
        ({"theme": None}, "theme"),
        ({"columns": "price"}, "columns"),
        ({"columns": ["price", 7]}, "columns"),
        ({"columns": [["price"]]}, "columns"),
        ({"font": "large"}, "font"),
        ({HOSTILE: HOSTILE}, "&lt;script&gt;"),
        (["price"], "*"),
        ("dark", "*"),
        (None, "*"),
    ],
)
def test_an_old_or_hostile_row_falls_back_to_the_default_and_says_so(
    world, client, user, caplog, stored, named
):
    if stored is not None:
        store(user, stored)
    else:
        store(user, {})
        with connection.cursor() as cursor:
            cursor.execute("UPDATE monitoring_operatorsettings SET chosen = 'null'")
    with caplog.at_level(logging.WARNING):
        page = html(client, "/orders/")
    assert f"Your setting {named}" in page
    assert HOSTILE not in page
    assert 'data-colours="red_up"' in root(page)
    assert any("settings of user" in one.message for one in caplog.records)
    client.post("/me/", GOOD)
    assert operator_of(user).problems == ()


def test_what_is_good_beside_a_bad_value_still_counts(world, client, user):
    store(user, {"colours": "mauve", "rows": "50"})
    assert (operator_of(user).colours, operator_of(user).rows) == ("red_up", "50")


# -- who, and what it costs


def test_it_takes_a_login_and_the_token_against_forged_forms(world, user):
    assert Client().get("/me/").status_code == 302
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)
    assert strict.post("/me/", GOOD).status_code == 403


def test_the_board_is_the_same_for_whoever_hides_what(world, client):
    """The stream renders once for all: hiding is the style sheet's."""
    before = client.get("/board/").content
    client.post("/me/", GOOD)
    assert client.get("/board/").content == before


def test_a_page_asks_once_for_the_choices(world, client):
    html(client, "/")
    with CaptureQueriesContext(connection) as captured:
        html(client, "/")
    asked = [one for one in captured.captured_queries if "operatorsettings" in one["sql"]]
    assert len(asked) == 1


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_every_choice_is_offered_in_both_languages(world, language):
    page = html(person("view_account", language=language))
    at = 1 if language == "zh-hans" else 0
    for name, options in CHOICES.items():
        for value, words in options.items():
            assert f'name="{name}" value="{value}"' in page, (name, value)
            assert words[at] in page, (name, value)
