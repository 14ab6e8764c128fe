"""The folder of a QMT client, the session numbers, the machine: what refuses us is said with its remedy."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from trading.broker import refusals, userdata
from trading.broker.renewal import is_due
from trading.broker.userdata import Sessions, Try, folder_problem, next_try, session_files
from trading.broker.vendor import CHINA_OFFSET, Machine, why_not
from trading.domain.types import CHINA
from trading.paper import xtconstant

pytestmark = [pytest.mark.fast, pytest.mark.unattended]


def client_folder(tmp_path: Path, *files: str) -> Path:
    folder = tmp_path / "userdata_mini"
    folder.mkdir()
    for name in ("up_queue_win_", *files):
        (folder / name).touch()
    return folder


# -- the folder


def test_a_folder_of_a_client_that_lets_programs_in_is_accepted(tmp_path):
    assert folder_problem(str(client_folder(tmp_path))) is None


@pytest.mark.parametrize(
    ("made", "named", "says"),
    [
        ("userdata_mini", "", "No folder of a QMT client is set"),
        ("userdata_mini", "elsewhere/userdata_mini", "There is no folder"),
        ("userdata", "userdata", "is not a userdata_mini folder"),
        ("userdata_mini", "userdata_mini", "has no up_queue file"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said_with_the_remedy(tmp_path, made, named, says):
    (tmp_path / made).mkdir()
    problem = folder_problem(str(tmp_path / named) if named else "")
    assert problem is not None
    assert says in problem.en
    assert problem.zh


def test_the_files_of_a_session_are_its_own_and_never_those_of_a_longer_number(tmp_path):
    mine = ["down_queue_win_110", "down_queue_win_110__mutex", "lock_down_queue_win_110"]
    folder = client_folder(tmp_path, *mine, "down_queue_win_1100", "down_queue_win_11")
    assert [path.name for path in session_files(folder, 110)] == mine


# -- session numbers


def test_the_numbers_of_two_accounts_never_meet():
    one, other = userdata.first_session(1), userdata.first_session(2)
    assert one + userdata.SESSIONS == other


@pytest.mark.parametrize(
    ("failures", "client_is_there", "wanted"),
    [
        (0, True, Try(110, tidy=False)),
        (1, True, Try(110, tidy=False)),  # a number is refused for some seconds after its holder
        (2, True, Try(110, tidy=True)),
        (3, True, Try(111, tidy=True)),
        (9, True, Try(117, tidy=True)),
        (10, True, Try(110, tidy=True)),  # eight numbers, no more: each leaves 75 MB
        (5, False, Try(110, tidy=False)),
    ],
)
def test_a_refused_session_tries_its_own_number_then_its_files_then_a_small_range(
    failures, client_is_there, wanted
):
    assert next_try(110, failures, client_is_there) == wanted


def test_files_left_behind_are_removed_when_a_client_runs_and_only_then(tmp_path):
    folder = client_folder(tmp_path, "down_queue_win_110", "down_queue_win_220")
    for answer, left in ((None, 3), (False, 3), (True, 2)):

        def runs(answer: bool | None = answer) -> bool | None:
            return answer

        sessions = Sessions(110, folder, runs)
        for _ in range(3):
            assert sessions.begin() == 110
            sessions.failed()
        assert len(list(folder.iterdir())) == left


def test_a_number_that_was_tried_in_vain_leaves_no_file_behind(tmp_path):
    folder = client_folder(tmp_path)
    sessions = Sessions(110, folder, lambda: True)
    used = []
    for _ in range(12):
        number = sessions.begin()
        (folder / f"down_queue_win_{number}").touch()
        used.append(number)
        sessions.failed()
    assert set(used) == set(range(110, 118))
    assert len(list(folder.glob("down_queue*"))) == 1
    sessions.succeeded()
    assert sessions.begin() == 110


# -- the machine

GOOD = Machine(True, 64, (3, 11), CHINA_OFFSET, True)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, None),
        ({"desktop": None}, None),
        ({"windows": False}, "runs on Windows only"),
        ({"bits": 32}, "64-bit"),
        ({"python": (3, 14)}, "3.11, 3.12 or 3.13"),
        ({"utc_offset": 0}, "Beijing"),
        ({"desktop": False}, "Windows service"),
    ],
)
def test_a_machine_on_which_the_library_cannot_work_is_refused_with_the_reason(change, says):
    problem = why_not(replace(GOOD, **change))
    assert (problem is None) is (says is None)
    assert problem is None or (says in problem.en and problem.zh)


# -- codes


def test_every_account_status_of_the_vendor_has_its_words():
    numbers = {
        value for name, value in vars(xtconstant).items() if name.startswith("ACCOUNT_STATUS")
    }
    assert numbers == refusals.ACCOUNT_STATUSES.keys()


@pytest.mark.parametrize(
    "said",
    [
        refusals.connect_refusal(-1, None),
        refusals.connect_refusal(-1, False),
        refusals.subscribe_refusal(-1),
        refusals.account_status(5),
        refusals.account_status(None),
    ],
)
def test_a_refusal_names_its_code_in_both_languages(said):
    for text in said:
        assert any(code in text for code in ("-1", "5", "None"))
    assert said.en != said.zh


def test_a_client_that_does_not_run_is_told_apart_from_one_that_refuses():
    assert "no QMT client runs" in refusals.connect_refusal(-1, False).en
    assert "not logged in" in refusals.connect_refusal(-1, True).en


# -- the session of yesterday


@pytest.mark.parametrize(
    ("connected", "now", "due"),
    [
        ("2026-11-23T09:00", "2026-11-24T08:49", False),
        ("2026-11-23T09:00", "2026-11-24T08:50", True),
        ("2026-11-24T08:50", "2026-11-24T14:00", False),
        ("2026-11-24T03:00", "2026-11-24T09:00", True),
    ],
)
def test_a_session_that_is_older_than_the_last_morning_is_made_anew(connected, now, due):
    at = [datetime.fromisoformat(one).replace(tzinfo=CHINA) for one in (connected, now)]
    assert is_due(*at) is due
    assert not is_due(None, at[1])
