"""What must not leave this computer: each secret is planted in every way it is written, and is gone afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import pytest

from monitoring.redaction import HIDDEN, known_secrets, redacted

pytestmark = pytest.mark.fast

SECRET = "s3cr&t/with+signs"


@pytest.mark.parametrize(
    "text",
    [
        f"it is {SECRET} there",
        f"redis://:{quote(SECRET, safe='')}@127.0.0.1:6379/0",
        json.dumps({"anything": SECRET}),
    ],
)
def test_a_known_secret_is_gone_however_it_is_written(text: str) -> None:
    clean = redacted(text, [SECRET])
    assert SECRET not in clean
    assert quote(SECRET, safe="") not in clean
    assert HIDDEN in clean


@pytest.mark.parametrize(
    "text",
    [
        "password=PLANTED",
        "PASSWORD: PLANTED",
        '"api_key": "PLANTED"',
        "{'token': 'PLANTED'}",
        "DJANGO_SECRET_KEY=PLANTED",
        "Authorization: Bearer PLANTED",
        "cookie: PLANTED",
        "postgres://miniqmt:PLANTED@db:5432/miniqmt",
        "redis://:PLANTED@127.0.0.1:6379/0",
        "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=PLANTED",
        "https://hc-ping.com/PLANTED",
        "https://user:PLANTED@example.com",
        "wecombot://PLANTED",
        "dingtalk://PLANTED/13800000000",
        "mailto://somebody:PLANTED@example.com",
        "http://127.0.0.1:8000/?token=PLANTED",
        "somebody showed mqt_PLANTED-0123456789abcdef",
    ],
)
def test_what_is_named_like_a_secret_or_lets_somebody_in_is_gone(text: str) -> None:
    clean = redacted(text)
    assert "PLANTED" not in clean
    assert redacted(clean) == clean


@pytest.mark.parametrize(
    "text",
    [
        "order 1a2b3c4d5e of 600036.SH: 1000 shares at 9.20, not sent",
        "http://127.0.0.1:8000/console/",
        "tcp://127.0.0.1:41234",
        "a tick is late: strategy",
        "the tokens are counted",
        '"cash": "1000.00", "symbol": "600036.SH"',
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


def test_of_an_account_number_the_last_four_stay() -> None:
    assert (
        redacted("account 8800123456 is armed", numbers=["8800123456"]) == "account …3456 is armed"
    )


def test_the_secrets_of_a_data_directory_and_of_the_environment_are_known(tmp_path: Path) -> None:
    (tmp_path / "paper.token").write_text("of-the-terminal\n", encoding="utf-8")
    (tmp_path / "run.json").write_text(
        json.dumps({"redis_url": "redis://:of-our-redis@127.0.0.1:1/0"}), encoding="utf-8"
    )
    environment = {"SOME_TOKEN": "of-somebody", "HOME": "/home/somebody", "X_KEY": "short"}
    found = known_secrets(tmp_path, environment)
    assert {"of-the-terminal", "of-our-redis", "of-somebody"} <= found
    assert not found & {"/home/somebody", "short"}
