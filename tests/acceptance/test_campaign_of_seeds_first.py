"""The first thousand seeds of the campaign."""

from __future__ import annotations

import pytest

from tests.acceptance.thousand_seeds import play_a_thousand

pytestmark = [pytest.mark.orders, pytest.mark.unattended, pytest.mark.slow]


def test_no_seed_breaks_an_invariant_and_processes_die_nearly_everywhere(django_db_blocker):
    play_a_thousand(0, django_db_blocker)
