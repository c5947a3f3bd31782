"""What the public sees of a day."""

from datetime import datetime, timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from allthing.database import db
from allthing.runtime import clock
from tests.support.api import POLL_ZONE, Admin, Polls, today
from tests.support.queries import statements


def test_first_reader_of_a_day_opens_it(admin: Admin, client: FlaskClient) -> None:
    admin.template()

    categories = client.get("/polls/today").json["data"]["categories"]

    assert len(categories[0]["polls"]) == 1
    assert len(admin.done("GET", f"/instances?pollDate={today()}")["instances"]) == 1


def test_a_poll_has_the_fields_of_the_contract(polls: Polls, admin: Admin) -> None:
    template = admin.template(
        title="Best soup",
        question="Which?",
        contextText="*Why*",
        pollType="RANKED",
        maxRank=2,
        durationDays=2,
        featured=True,
    )
    admin.rollover()

    (poll,) = polls.listed()

    assert [(o["label"], o["sortOrder"]) for o in poll.pop("options")] == [("Leek", 0), ("Pea", 1)]
    assert poll.pop("pollId")
    opens, closes = (datetime.fromisoformat(poll.pop(name)) for name in ("opensAt", "closesAt"))
    assert opens <= clock.now() < closes
    assert timedelta(hours=47) <= closes - opens <= timedelta(hours=49)
    assert poll == {
        "templateId": template["id"],
        "templateKey": template["key"],
        "pollDate": today(),
        "closeDate": (clock.now().date().fromisoformat(today()) + timedelta(days=1)).isoformat(),
        "title": "Best soup",
        "question": "Which?",
        "contextText": "*Why*",
        "pollType": "RANKED",
        "maxRank": 2,
        "audience": "PUBLIC",
        "status": "OPEN",
        "featured": True,
        "isNew": True,
        "timezone": POLL_ZONE.key,
    }


def test_categories_without_polls_are_left_out_but_not_the_way_to_one(
    polls: Polls, admin: Admin, client: FlaskClient
) -> None:
    admin.category(key="empty")
    food = admin.category(key="food")
    soup = admin.category(key="soup", parentCategoryId=food["id"])
    deep = admin.category(key="broth", parentCategoryId=soup["id"])
    polls.open(categoryId=deep["id"])

    (top,) = client.get("/polls/today").json["data"]["categories"]

    assert top["categoryKey"] == "food"
    assert top["polls"] == []
    assert top["subCategories"][0]["subCategories"][0]["polls"][0]["title"] == "Best soup"


def test_only_public_polls_are_listed(polls: Polls, admin: Admin) -> None:
    admin.template(audience="USER_ONLY")
    admin.rollover()

    assert polls.listed() == []


def test_context_and_featured_are_of_now_but_words_of_the_opening(
    polls: Polls, admin: Admin
) -> None:
    poll = polls.open(title="Best soup")
    changes = {"title": "Other title", "contextText": "New context", "featured": True}

    admin.done("PATCH", f"/templates/{poll['templateId']}", changes)

    (listed,) = polls.listed()
    assert (listed["title"], listed["contextText"], listed["featured"]) == (
        "Best soup",
        "New context",
        True,
    )


def test_a_poll_is_new_until_one_of_its_template_has_closed(polls: Polls, admin: Admin) -> None:
    admin.template()
    assert polls.listed()[0]["isNew"] is True

    with time_machine.travel(clock.now() + timedelta(days=1)):
        assert polls.listed()[0]["isNew"] is False


def test_second_read_comes_from_the_cache(polls: Polls, client: FlaskClient) -> None:
    polls.open()

    first, second = client.get("/polls/today").json, client.get("/polls/today").json

    assert (first["cached"], second["cached"]) == (True, True)  # polls.open has read it before
    assert first["data"] == second["data"]


def test_closing_shows_at_once(polls: Polls, admin: Admin) -> None:
    poll = polls.open()

    admin.close(poll["pollId"])

    assert polls.listed() == []


def test_another_day_lists_what_is_open_then(client: FlaskClient, admin: Admin) -> None:
    admin.template()
    client.get("/polls/today")

    assert client.get(f"/polls?pollDate={today()}").json["data"]["categories"]
    assert client.get("/polls?pollDate=2001-01-01").json["data"] == {
        "pollDate": "2001-01-01",
        "categories": [],
    }


@pytest.mark.parametrize(
    "query", ["", "?pollDate=", "?pollDate=today", "?pollDate=2026-02-30", "?pollDate=20260220"]
)
def test_a_bad_date_is_refused(client: FlaskClient, query: str) -> None:
    assert client.get(f"/polls{query}").status_code == 422


def test_list_costs_the_same_queries_for_one_poll_and_for_many(
    app: Flask, admin: Admin, polls: Polls
) -> None:
    def cost() -> int:
        admin.rollover()
        with app.app_context(), statements(db.engine) as sent:
            polls.listed()
        return len(sent)

    polls.open()
    one = cost()
    for _ in range(5):
        admin.template()

    assert cost() == one
