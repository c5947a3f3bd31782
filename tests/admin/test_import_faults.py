"""Faults in an import: a bad entry never touches the others, a bad body is refused whole."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import insert

from allthing.models import PollCategory
from tests.support.api import Admin, Json
from tests.support.imported import FOOD, SOUP, actions, categories, load, templates
from tests.support.queries import engine_of, wait_for_lock


def test_an_unknown_category_is_a_fault_of_its_template_alone(admin: Admin) -> None:
    lost = SOUP | {"key": "lost", "categoryKey": "nowhere"}

    answer = load(admin, categories=[FOOD], templates=[lost, SOUP])

    assert actions(answer)[1:] == [
        ("template", "lost", "skipped"),
        ("template", "best-soup", "created"),
    ]
    assert "nowhere" in answer["details"][1]["error"]
    assert answer["errors"] == [f"template lost: {answer['details'][1]['error']}"]


def without(name: str) -> Json:
    return {key: value for key, value in SOUP.items() if key != name}


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("nonsense", "body"),
        (None, "body"),
        ({}, "key"),
        (without("title"), "title"),
        (SOUP | {"key": "!!"}, "key"),
        (SOUP | {"key": "k" * 65}, "key"),
        (SOUP | {"title": " \t "}, "title"),
        (SOUP | {"title": "t" * 201}, "title"),
        (SOUP | {"question": "q" * 501}, "question"),
        (SOUP | {"pollType": "BOTH"}, "pollType"),
        (SOUP | {"audience": "NOBODY"}, "audience"),
        (SOUP | {"maxRank": 0}, "maxRank"),
        (SOUP | {"maxRank": 1}, "maxRank"),
        (SOUP | {"durationDays": 31}, "durationDays"),
        (SOUP | {"durationDays": "7"}, "durationDays"),
        (SOUP | {"options": SOUP["options"][:1]}, "options"),
        (SOUP | {"options": [{"label": "l" * 201}, {"label": "Pea"}]}, "label"),
        (SOUP | {"options": [{"label": "Leek", "sortOrder": -1}, {"label": "Pea"}]}, "sortOrder"),
    ],
)
def test_one_faulty_template_never_touches_the_others(
    admin: Admin, entry: object, reason: str
) -> None:
    good = [SOUP | {"key": "first"}, SOUP | {"key": "last"}]

    answer = load(admin, categories=[FOOD], templates=[good[0], entry, good[1]])

    assert set(templates(admin)) == {"first", "last"}
    assert [detail["action"] for detail in answer["details"][1:]] == [
        "created",
        "skipped",
        "created",
    ]
    assert reason in answer["details"][2]["error"]
    assert len(answer["errors"]) == 1


@pytest.mark.parametrize(
    "entry",
    [
        [],
        {"key": "ok"},
        {"key": "", "name": "Empty"},
        {"key": "long", "name": "n" * 101},
        {"key": "low", "name": "Low", "sortOrder": -1},
        {"key": "high", "name": "High", "sortOrder": 2**31},
    ],
)
def test_one_faulty_category_never_touches_the_others(admin: Admin, entry: object) -> None:
    answer = load(admin, categories=[entry, FOOD], templates=[SOUP])

    assert set(categories(admin)) == {"food"}
    assert set(templates(admin)) == {"best-soup"}
    assert len(answer["errors"]) == 1


@pytest.mark.parametrize(
    "body",
    [[], {"categories": {}}, {"templates": "x"}, {"categories": None}, {"dryRun": "true"}],
)
def test_a_body_of_another_shape_is_refused_whole(admin: Admin, body: object) -> None:
    response = admin.call("POST", "/import", body)

    assert response.status_code == 422
    assert isinstance(response.json["detail"], str)


def test_a_body_over_a_megabyte_is_refused(admin: Admin) -> None:
    body = {"categories": [FOOD | {"emoji": "x" * 1024 * 1024}]}

    assert admin.call("POST", "/import", body).status_code == 413


@pytest.mark.postgresql
def test_an_entry_that_the_database_refuses_never_touches_the_others(
    admin: Admin, app: Flask
) -> None:
    """Somebody else adds the same category, and commits only while the import waits for it."""
    drinks = {"key": "drinks", "name": "Drinks"}
    rival = insert(PollCategory).values(id="rival", key="food", name="Rival", sortOrder=0)
    with ThreadPoolExecutor(1) as pool, engine_of(app).connect() as connection:
        connection.execute(rival)
        importing = pool.submit(lambda: load(admin, categories=[FOOD, drinks], templates=[SOUP]))
        wait_for_lock(engine_of(app))
        connection.commit()
        answer = importing.result()

    assert actions(answer)[:2] == [
        ("category", "food", "skipped"),
        ("category", "drinks", "created"),
    ]
    assert categories(admin)["food"]["name"] == "Rival"
    assert "drinks" in categories(admin)
