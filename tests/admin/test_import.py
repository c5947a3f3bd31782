"""Import: a catalog in one body, entry by entry, as often as you like."""

from collections.abc import Callable

from flask import Flask

from tests.support.api import Admin, Json
from tests.support.imported import FOOD, SOUP, actions, categories, load, templates
from tests.support.queries import engine_of, statements
from tests.support.routes import contents


def test_categories_and_templates_are_created(admin: Admin) -> None:
    answer = load(admin, categories=[FOOD], templates=[SOUP])

    assert (answer["categoriesCreated"], answer["templatesCreated"]) == (1, 1)
    assert answer["errors"] == []
    assert answer["details"] == [
        {"type": "category", "action": "created", "key": "food", "name": "Food", "error": None},
        {
            "type": "template",
            "action": "created",
            "key": "best-soup",
            "name": "Best soup",
            "error": None,
        },
    ]
    category, template = categories(admin)["food"], templates(admin)["best-soup"]
    assert (category["name"], category["sortOrder"]) == ("Food", 3)
    assert template["categoryId"] == category["id"]
    assert [option["label"] for option in template["options"]] == ["Leek", "Pea"]
    for name in ("title", "question", "pollType", "maxRank", "durationDays", "featured"):
        assert template[name] == SOUP[name]
    assert (template["audience"], template["isActive"]) == ("PUBLIC", True)


def test_an_imported_template_is_opened_by_the_rollover(admin: Admin) -> None:
    load(admin, categories=[FOOD], templates=[SOUP])

    assert admin.rollover()["createdCount"] == 1


def test_both_lists_may_be_left_out(admin: Admin) -> None:
    assert load(admin)["details"] == []


def test_the_same_import_again_adds_nothing(admin: Admin, app: Flask) -> None:
    load(admin, categories=[FOOD], templates=[SOUP])
    before = contents(app)

    again = load(admin, categories=[FOOD], templates=[SOUP])

    assert contents(app) == before
    assert (again["categoriesCreated"], again["templatesCreated"]) == (0, 0)
    assert actions(again) == [
        ("category", "food", "updated"),
        ("template", "best-soup", "skipped"),
    ]
    assert again["details"][1]["error"]
    assert again["errors"] == []


def test_a_known_category_gets_the_new_name_and_place(admin: Admin) -> None:
    parent = admin.category(key="things")
    admin.category(key="food", name="Meals", parentCategoryId=parent["id"])

    answer = load(admin, categories=[FOOD])

    (food,) = categories(admin)["things"]["subCategories"]
    assert (food["name"], food["sortOrder"]) == ("Food", 3)
    assert answer["categoriesUpdated"] == 1


def test_a_known_category_keeps_its_place_if_none_is_given(admin: Admin) -> None:
    load(admin, categories=[FOOD])

    load(admin, categories=[{"key": "food", "name": "Meals"}])

    assert categories(admin)["food"]["sortOrder"] == 3


def test_a_known_template_is_left_as_it_is(admin: Admin) -> None:
    load(admin, categories=[FOOD], templates=[SOUP])

    load(admin, templates=[SOUP | {"title": "Worst soup"}])

    assert templates(admin)["best-soup"]["title"] == "Best soup"


def test_a_key_of_another_category_is_refused_for_the_site_looks_keys_up_globally(
    admin: Admin,
) -> None:
    load(admin, categories=[FOOD, {"key": "drinks", "name": "Drinks"}], templates=[SOUP])

    answer = load(admin, templates=[SOUP | {"categoryKey": "drinks"}])

    assert actions(answer) == [("template", "best-soup", "skipped")]
    assert len(answer["errors"]) == 1


def test_a_template_may_come_into_a_category_that_is_there(admin: Admin) -> None:
    admin.category(key="food")

    assert load(admin, templates=[SOUP])["templatesCreated"] == 1


def test_keys_are_cleaned_wherever_they_stand(admin: Admin) -> None:
    answer = load(
        admin,
        categories=[{"key": " Fast Food! ", "name": "Fast  food"}],
        templates=[SOUP | {"categoryKey": "FAST FOOD", "key": "Best_Soup?"}],
    )

    assert answer["errors"] == []
    assert categories(admin)["fast-food"]["name"] == "Fast food"
    assert set(templates(admin)) == {"bestsoup"}


def test_everyone_means_public(admin: Admin) -> None:
    load(admin, categories=[FOOD], templates=[SOUP | {"audience": "EVERYONE"}])

    assert templates(admin)["best-soup"]["audience"] == "PUBLIC"


def test_the_second_of_two_equal_keys_is_skipped(admin: Admin) -> None:
    answer = load(admin, categories=[FOOD, FOOD], templates=[SOUP, SOUP])

    assert [detail["action"] for detail in answer["details"]] == [
        "created",
        "updated",
        "created",
        "skipped",
    ]
    assert answer["errors"] == []


class TestDryRun:
    def test_it_reports_the_same_and_changes_nothing(self, admin: Admin, app: Flask) -> None:
        admin.category(key="drinks", name="Drinks")
        lists = {
            "categories": [FOOD, {"key": "drinks", "name": "Juices"}, {}],
            "templates": [SOUP, SOUP, SOUP | {"key": "lost", "categoryKey": "nowhere"}],
        }
        before = contents(app)

        trial = load(admin, dry_run=True, **lists)

        assert contents(app) == before
        assert trial.pop("dryRun") is True
        real = load(admin, dry_run=False, **lists)
        assert real.pop("dryRun") is False
        assert real == trial
        assert (real["categoriesCreated"], real["templatesCreated"]) == (1, 1)

    def test_it_is_audited_as_one(self, admin: Admin) -> None:
        load(admin, dry_run=True, categories=[FOOD])

        (row,) = admin.audit(action="import_data")

        assert row["metadata"]["dryRun"] is True
        assert row["changes"] is None


def test_the_audit_says_what_came_of_it(admin: Admin) -> None:
    load(admin, categories=[FOOD, {}], templates=[SOUP])

    (row,) = admin.audit(action="import_data")

    assert row["changes"]["after"]["categoriesCreated"] == ["food"]
    assert row["changes"]["after"]["templatesCreated"] == ["best-soup"]
    assert (row["metadata"]["errorCount"], row["metadata"]["dryRun"]) == (1, False)


def number_of_statements(app: Flask, send: Callable[[], object]) -> int:
    with statements(engine_of(app)) as seen:
        send()
    return len(seen)


def test_an_entry_costs_its_savepoint_and_its_inserts_and_a_known_one_less(
    admin: Admin, app: Flask
) -> None:
    def bodies(count: int, stem: str) -> Json:
        entries = [SOUP | {"key": f"{stem}-{n}"} for n in range(count)]
        return {"categories": [FOOD], "templates": entries}

    load(admin, categories=[FOOD])
    small = number_of_statements(app, lambda: load(admin, **bodies(1, "a")))
    large = number_of_statements(app, lambda: load(admin, **bodies(11, "b")))
    known = number_of_statements(app, lambda: load(admin, **bodies(11, "b")))

    assert large - small <= 10 * 4
    assert known - small <= 10 * 2
