"""The page of unknown outcomes: it tells what is known, and a person's decision reaches the gateway with a reason."""

from __future__ import annotations

import pytest

from tests.integration.scenes import at_broker, falling
from tests.integration.test_admin import LANGUAGES, act, client_of, html, page, person
from tests.misbehaving import Misbehaving, lost, news
from trading.models import Event, UnknownOutcome
from trading.services.unknown_story import candidates, silent, story

pytestmark = [
    pytest.mark.orders,
    pytest.mark.unattended,
    pytest.mark.django_db,
    pytest.mark.usefixtures("calendar"),
]


@pytest.fixture
def boss(django_user_model):
    return client_of(django_user_model.objects.create_superuser("boss", password="x"))


@pytest.fixture
def world():
    """Our sale rests at the broker under a remark of somebody else, and nothing tells of it but queries."""

    def shown(request, truth):
        if request["op"] != "query_stock_orders" or not truth:
            return truth
        return [{**row, "order_remark": "other"} for row in truth]

    world = falling(Misbehaving(back=lost(news), shown=shown))
    world.run(until="09:31:20")
    return world


def test_it_tells_what_was_sent_what_each_source_said_and_which_orders_it_may_be(world):
    outcome = UnknownOutcome.objects.get()
    [candidate] = candidates(outcome.order)
    assert candidate.number == at_broker(world)[0].order_id
    assert (candidate.quantity, candidate.price, candidate.remark) == (1000, "9.2", "other")
    assert [text.en for text in silent(outcome)] == ["answer to the call", "push"]
    told = [(said.source.en, said.text.en) for said in story(outcome)]
    assert ("our books", "submitting → unknown no answer for 8 s") in told
    assert any("looks like it" in text for _, text in told)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_opens_in_both_languages_without_the_accounts_number(world, boss, language):
    headers = {"accept-language": language}
    row = UnknownOutcome.objects.get()
    for url in (page(UnknownOutcome, "changelist"), page(UnknownOutcome, "change", row.pk)):
        response = boss.get(url, headers=headers)
        assert response.status_code == 200
        assert world.account.broker_account_id not in html(response)
    assert str(at_broker(world)[0].order_id) in html(response)


@pytest.mark.parametrize(
    ("action", "answers", "wish"),
    [
        ("never_sent", {}, "absent"),
        ("keep_waiting", {}, "wait"),
        ("it_is_this_order", {"number": "77"}, "bind"),
    ],
)
def test_a_decision_is_a_row_with_who_and_why(world, boss, action, answers, wish):
    row = UnknownOutcome.objects.get()
    act(boss, UnknownOutcome, action, row, why="I looked", **answers)
    row.refresh_from_db()
    assert (row.wish, row.wish_actor, row.wish_reason) == (wish, "boss", "I looked")
    told = Event.objects.get(code="UNKNOWN_DECIDED")
    assert (told.actor, told.symbol) == ("boss", row.order.symbol)


def test_a_decision_reaches_the_order_at_the_gateways_next_step(world, boss):
    row = UnknownOutcome.objects.get()
    number = at_broker(world)[0].order_id
    act(boss, UnknownOutcome, "it_is_this_order", row, why="same minute", number=str(number))
    world.gateway.step(world.moment("09:31:22"))
    row.order.refresh_from_db()
    assert (row.order.state, row.order.broker_order_id) == ("submitted", number)


def test_a_reader_decides_nothing(world):
    row = UnknownOutcome.objects.get()
    reader = person("view_unknownoutcome")
    assert reader.get(page(UnknownOutcome, "changelist")).status_code == 200
    act(reader, UnknownOutcome, "never_sent", row, why="x")
    row.refresh_from_db()
    assert row.wish == ""
