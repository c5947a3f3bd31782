"""Categories through the admin API."""

import pytest

from tests.support.api import Admin, Polls


def test_tree_is_nested_to_any_depth_in_order(admin: Admin) -> None:
    food = admin.category(key="food", name="Food", sortOrder=2)
    admin.category(key="art", name="Art", sortOrder=1)
    soup = admin.category(key="soup", name="Soup", parentCategoryId=food["id"])
    admin.category(key="broth", name="Broth", parentCategoryId=soup["id"])

    top = admin.done("GET", "/categories")["categories"]

    assert [category["key"] for category in top] == ["art", "food"]
    (child,) = top[1]["subCategories"]
    assert child["subCategories"][0]["key"] == "broth"
    assert child["subCategories"][0]["parentCategoryId"] == soup["id"]


def test_a_taken_key_is_a_conflict(admin: Admin) -> None:
    admin.category(key="food")
    other = admin.category(key="art")

    assert admin.call("POST", "/categories", {"key": "food", "name": "Two"}).status_code == 409
    assert admin.call("PUT", f"/categories/{other['id']}", {"key": "food"}).status_code == 409


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_edit_touches_only_what_is_sent(admin: Admin, method: str) -> None:
    food = admin.category(key="food", name="Food")
    soup = admin.category(key="soup", name="Soup", sortOrder=5, parentCategoryId=food["id"])

    edited = admin.done(method, f"/categories/{soup['id']}", {"name": "Soups"})["category"]

    assert edited == soup | {"name": "Soups"}


@pytest.mark.parametrize("empty", [None, ""])
def test_null_parent_makes_a_category_top_level(admin: Admin, empty: str | None) -> None:
    food = admin.category(key="food")
    soup = admin.category(key="soup", parentCategoryId=food["id"])

    edited = admin.done("PUT", f"/categories/{soup['id']}", {"parentCategoryId": empty})

    assert edited["category"]["parentCategoryId"] is None


def test_a_category_never_gets_below_itself(admin: Admin) -> None:
    food = admin.category(key="food")
    soup = admin.category(key="soup", parentCategoryId=food["id"])
    broth = admin.category(key="broth", parentCategoryId=soup["id"])

    for below in (food, soup, broth):
        response = admin.call("PUT", f"/categories/{food['id']}", {"parentCategoryId": below["id"]})
        assert response.status_code == 422


def test_an_unknown_parent_is_not_found(admin: Admin) -> None:
    body = {"key": "soup", "name": "Soup", "parentCategoryId": "unknown"}

    assert admin.call("POST", "/categories", body).status_code == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"key": "Food"},
        {"key": "a b"},
        {"key": "f"},
        {"key": "f" * 65},
        {"name": "F"},
        {"name": "F" * 129},
        {"name": "   "},
        {"name": "\u200b\u200b\u200b"},
        {"sortOrder": "1"},
        {"sortOrder": 2**31},
        {"sortOrder": True},
        {"name": None},
    ],
)
def test_a_body_against_the_rules_is_refused(admin: Admin, fields: dict) -> None:
    response = admin.call("POST", "/categories", {"key": "food", "name": "Food"} | fields)

    assert response.status_code == 422
    assert response.json["detail"].startswith(next(iter(fields)))


def test_text_is_cleaned_but_not_escaped(admin: Admin) -> None:
    name = "  Food \t &  <b>drink</b>\x07 \u202e👩‍🍳 "

    assert admin.category(name=name)["name"] == "Food & <b>drink</b> 👩‍🍳"


def test_an_emoji_that_is_younger_than_python_can_be_seen(admin: Admin) -> None:
    assert admin.category(name="\U0001fae9\U0001fadf")["name"] == "\U0001fae9\U0001fadf"


def test_a_whole_number_may_be_written_with_a_point(admin: Admin) -> None:
    """JSON knows one kind of number, and some clients write them all so."""
    assert admin.category(sortOrder=2.0)["sortOrder"] == 2


def test_a_renamed_category_shows_at_once(admin: Admin, polls: Polls, client) -> None:
    poll = polls.open()
    client.get("/polls/today")
    category = admin.done("GET", "/categories")["categories"][0]

    admin.done("PUT", f"/categories/{category['id']}", {"name": "Renamed"})

    body = client.get("/polls/today").json
    assert body["data"]["categories"][0]["categoryName"] == "Renamed"
    assert body["data"]["categories"][0]["polls"][0]["pollId"] == poll["pollId"]
