"""Templates through the admin API."""

import pytest

from tests.support.api import Admin, Polls


def labels(template: dict) -> list[str]:
    return [option["label"] for option in template["options"]]


def test_a_template_has_the_fields_of_the_contract(admin: Admin) -> None:
    category = admin.category(key="food")

    template = admin.template(categoryId=category["id"], title="Best soup", options=("Leek", "Pea"))

    assert [option["sortOrder"] for option in template.pop("options")] == [0, 1]
    assert len(template.pop("id")) == 36
    assert template == {
        "categoryId": category["id"],
        "key": "food-best-soup",
        "title": "Best soup",
        "question": None,
        "contextText": None,
        "pollType": "SINGLE",
        "maxRank": None,
        "audience": "PUBLIC",
        "durationDays": 1,
        "isActive": True,
        "featured": False,
    }


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("What is the best soup", "what-is-the"),
        ("Ünï¢ode ??", "node"),
        ("???", "poll"),
        ("Extraordinarily incomprehensible words", "extraordinarily-incompreh"),
    ],
)
def test_key_is_made_of_the_title(admin: Admin, title: str, slug: str) -> None:
    category = admin.category(key="food")

    assert admin.template(categoryId=category["id"], title=title)["key"] == f"food-{slug}"


def test_a_taken_key_gets_a_number(admin: Admin) -> None:
    category = admin.category(key="food")["id"]

    keys = [admin.template(categoryId=category)["key"] for _ in range(3)]

    assert keys == ["food-best-soup", "food-best-soup-2", "food-best-soup-3"]


def test_keys_stay_within_64_characters(admin: Admin) -> None:
    category = admin.category(key="f" * 64)["id"]

    keys = [admin.template(categoryId=category)["key"] for _ in range(3)]

    assert len(set(keys)) == 3
    assert max(map(len, keys)) <= 64


def test_options_are_ordered_and_renumbered(admin: Admin) -> None:
    entries = [
        {"label": "Third", "sortOrder": 7, "id": "ignored"},
        {"label": "First", "sortOrder": 1},
        {"label": "Second", "sortOrder": 1},
    ]
    category = admin.category()["id"]
    body = {"categoryId": category, "title": "Soup", "pollType": "SINGLE", "options": entries}

    template = admin.done("POST", "/templates", body)["template"]

    assert labels(template) == ["First", "Second", "Third"]
    assert [option["sortOrder"] for option in template["options"]] == [0, 1, 2]


def test_an_edit_touches_only_what_is_sent(admin: Admin) -> None:
    template = admin.template(question="Which?", contextText="*Why*")

    edited = admin.done("PATCH", f"/templates/{template['id']}", {"title": "Best broth"})

    assert edited["template"] == template | {"title": "Best broth"}


def test_null_empties_what_may_be_empty(admin: Admin) -> None:
    template = admin.template(pollType="RANKED", maxRank=2, question="Which?", contextText="*Why*")
    nulls = {"question": None, "contextText": None, "maxRank": None}

    edited = admin.done("PATCH", f"/templates/{template['id']}", nulls)["template"]

    assert edited == template | nulls


def test_null_does_not_empty_the_title(admin: Admin) -> None:
    template = admin.template()

    response = admin.call("PATCH", f"/templates/{template['id']}", {"title": None})

    assert response.status_code == 422


def test_a_ranked_poll_needs_two_ranks(admin: Admin) -> None:
    ranked = admin.template(pollType="RANKED")
    single = admin.template(maxRank=1)

    for template, change in ((ranked, {"maxRank": 1}), (single, {"pollType": "RANKED"})):
        path = f"/templates/{template['id']}"
        assert admin.call("PATCH", path, change).status_code == 422
        assert admin.done("GET", path)["template"] == template


def test_a_key_taken_in_the_category_is_a_conflict(admin: Admin) -> None:
    first = admin.template()
    second = admin.template(categoryId=first["categoryId"])

    response = admin.call("PATCH", f"/templates/{second['id']}", {"key": first["key"]})

    assert response.status_code == 409


def test_replaced_options_leave_open_polls_as_they_are(admin: Admin, polls: Polls) -> None:
    poll = polls.open(options=("Leek", "Pea"))
    path = f"/templates/{poll['templateId']}"

    done = admin.done("PUT", f"{path}/options", {"options": [{"label": "Corn"}, {"label": "Bean"}]})

    assert done == {"ok": True, "templateId": poll["templateId"], "optionCount": 2}
    assert labels(admin.done("GET", path)["template"]) == ["Corn", "Bean"]
    assert labels(polls.listed()[0]) == ["Leek", "Pea"]


def test_switches_are_set_one_by_one(admin: Admin) -> None:
    path = f"/templates/{admin.template()['id']}"

    assert not admin.done("PATCH", f"{path}/active", {"isActive": False})["template"]["isActive"]
    assert admin.done("PATCH", f"{path}/featured", {"featured": True})["template"]["featured"]


def test_form_may_create_an_inactive_template(admin: Admin) -> None:
    assert admin.template(isActive=False)["isActive"] is False


def test_list_is_filtered_by_category_and_activity(admin: Admin) -> None:
    first = admin.template()
    second = admin.template(isActive=False)

    def listed(query: str) -> list[str]:
        return [t["id"] for t in admin.done("GET", f"/templates{query}")["templates"]]

    assert set(listed("")) == {first["id"], second["id"]}
    assert listed("?isActive=false") == [second["id"]]
    assert listed(f"?categoryId={first['categoryId']}") == [first["id"]]


@pytest.mark.parametrize(
    "fields",
    [
        {"pollType": "APPROVAL"},
        {"audience": "EVERYBODY"},
        {"durationDays": 0},
        {"durationDays": 366},
        {"maxRank": 0},
        {"title": "S"},
        {"title": "S" * 257},
        {"question": "Q" * 1001},
        {"options": [{"label": "Only one"}]},
        {"options": [{"label": " "}, {"label": "Two"}]},
        {"options": "Leek, Pea"},
    ],
)
def test_a_body_against_the_rules_is_refused(admin: Admin, fields: dict) -> None:
    body = {
        "categoryId": admin.category()["id"],
        "title": "Best soup",
        "pollType": "SINGLE",
        "options": [{"label": "Leek"}, {"label": "Pea"}],
    }

    response = admin.call("POST", "/templates", body | fields)

    assert response.status_code == 422
    assert next(iter(fields)) in response.json["detail"]
    assert admin.done("GET", "/templates") == {"templates": []}


def test_an_unknown_category_is_not_found(admin: Admin) -> None:
    template = admin.template()

    response = admin.call("PATCH", f"/templates/{template['id']}", {"categoryId": "unknown"})

    assert response.status_code == 404
