"""Presets over HTTP."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
import time_machine

from allthing.runtime import clock
from tests.support.api import Admin, Json

UNKNOWN = "00000000-0000-0000-0000-000000000000"
OPTIONS = [
    {"optionId": "opt-1", "label": "Yes", "sortOrder": 0},
    {"optionId": "opt-2", "label": "No", "sortOrder": 1},
]


def create(admin: Admin, name: str = "Yes or no", **fields: object) -> Json:
    return admin.done("POST", "/presets", {"name": name, "options": OPTIONS} | fields)


def presets(admin: Admin) -> list[Json]:
    return admin.done("GET", "/presets")["presets"]


def test_a_preset_is_answered_bare_as_it_is_stored(admin: Admin) -> None:
    preset = create(admin, description="For quick questions")

    assert preset == {
        "id": preset["id"],
        "name": "Yes or no",
        "description": "For quick questions",
        "options": OPTIONS,
        "createdAt": preset["createdAt"],
        "updatedAt": preset["updatedAt"],
    }
    assert datetime.fromisoformat(preset["createdAt"]).tzinfo is not None
    assert admin.done("GET", f"/presets/{preset['id']}") == preset
    assert presets(admin) == [preset]


def test_presets_are_listed_by_name(admin: Admin) -> None:
    for name in ("Numbers", "Colours", "Seasons"):
        create(admin, name)

    assert [preset["name"] for preset in presets(admin)] == ["Colours", "Numbers", "Seasons"]


def test_options_are_kept_in_their_order(admin: Admin) -> None:
    assert create(admin, options=OPTIONS[::-1])["options"] == OPTIONS


def test_texts_are_cleaned_and_extras_ignored(admin: Admin) -> None:
    option = {"optionId": "o", "label": " A \u0007 b ", "sortOrder": 0, "emoji": "x"}

    preset = create(admin, "  Yes   or no ", description="", options=[option], isActive=True)

    assert (preset["name"], preset["description"]) == ("Yes or no", None)
    assert preset["options"] == [{"optionId": "o", "label": "A b", "sortOrder": 0}]


def test_an_update_touches_only_what_is_sent_and_the_time(admin: Admin) -> None:
    preset = create(admin, description="For quick questions")
    path = f"/presets/{preset['id']}"
    later = clock.now() + timedelta(hours=1)

    with time_machine.travel(later, tick=False):
        renamed = admin.done("PUT", path, {"name": "Or no"})

    assert datetime.fromisoformat(renamed["updatedAt"]) == later
    assert renamed == preset | {"name": "Or no", "updatedAt": renamed["updatedAt"]}
    assert admin.done("GET", path) == renamed


def test_null_empties_the_description_and_options_are_replaced_whole(admin: Admin) -> None:
    preset = create(admin, description="For quick questions")
    changes = {"description": None, "options": OPTIONS[:1]}

    changed = admin.done("PUT", f"/presets/{preset['id']}", changes)

    assert (changed["name"], changed["description"]) == ("Yes or no", None)
    assert changed["options"] == OPTIONS[:1]


def test_a_taken_name_is_a_conflict(admin: Admin) -> None:
    create(admin)
    other = create(admin, "Other")

    again = admin.call("POST", "/presets", {"name": "Yes or no", "options": OPTIONS})
    renamed = admin.call("PUT", f"/presets/{other['id']}", {"name": "Yes or no"})

    assert (again.status_code, renamed.status_code) == (409, 409)
    assert "Yes or no" in again.json["detail"]
    assert [preset["name"] for preset in presets(admin)] == ["Other", "Yes or no"]


def test_a_preset_may_keep_its_name(admin: Admin) -> None:
    preset = create(admin)

    kept = admin.done("PUT", f"/presets/{preset['id']}", {"name": "Yes or no"})

    assert kept["name"] == "Yes or no"


@pytest.mark.postgresql
def test_eight_of_one_name_at_once_make_one_preset(admin: Admin) -> None:
    body = {"name": "Yes or no", "options": OPTIONS}

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: admin.call("POST", "/presets", body), range(8)))

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    assert len(presets(admin)) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": " \u200b"},
        {"name": "x" * 129},
        {"name": None},
        {"description": "x" * 501},
        {"options": []},
        {"options": None},
        {"options": OPTIONS * 51},
        {"options": [{"label": "Yes", "sortOrder": 0}]},
        {"options": [{"optionId": "x" * 65, "label": "Yes", "sortOrder": 0}]},
        {"options": [{"optionId": "o", "label": "x" * 201, "sortOrder": 0}]},
        {"options": [{"optionId": "o", "label": "Yes", "sortOrder": -1}]},
        {"options": [{"optionId": "o", "label": "Yes", "sortOrder": 2**31}]},
    ],
)
def test_a_bad_preset_is_neither_made_nor_changed(admin: Admin, fields: Json) -> None:
    preset = create(admin, "Kept")

    made = admin.call("POST", "/presets", {"name": "New", "options": OPTIONS} | fields)
    changed = admin.call("PUT", f"/presets/{preset['id']}", fields)

    for refused in (made, changed):
        assert refused.status_code == 422
        assert isinstance(refused.json["detail"], str)
    assert presets(admin) == [preset]


def test_a_deleted_preset_is_gone(admin: Admin) -> None:
    preset = create(admin)

    answer = admin.done("DELETE", f"/presets/{preset['id']}")

    assert list(answer) == ["message"]
    assert "Yes or no" in answer["message"]
    assert presets(admin) == []


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("PUT", {}), ("DELETE", None)])
@pytest.mark.parametrize("preset_id", [UNKNOWN, "nope"])
def test_an_unknown_preset_is_not_found(
    admin: Admin, preset_id: str, method: str, body: Json | None
) -> None:
    assert admin.call(method, f"/presets/{preset_id}", body).status_code == 404


def test_every_change_of_a_preset_is_audited(admin: Admin) -> None:
    preset = create(admin)
    admin.done("PUT", f"/presets/{preset['id']}", {"name": "Or no"})
    admin.done("DELETE", f"/presets/{preset['id']}")

    deleted, updated, created = admin.audit(entityType="preset", entityId=preset["id"])

    assert [row["action"] for row in (created, updated, deleted)] == [
        "preset_created",
        "preset_updated",
        "preset_deleted",
    ]
    assert created["changes"]["after"]["options"] == OPTIONS
    assert updated["changes"]["before"]["name"] == "Yes or no"
    assert deleted["changes"]["before"]["name"] == "Or no"
