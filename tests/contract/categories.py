"""Categories: a tree that the portal edits and the site shows."""

from collections.abc import Iterator

from tests.contract.checks import Json, check, fits, same
from tests.contract.objects import CATEGORY
from tests.contract.site import UNKNOWN, Site
from tests.contract.walk import Area

SAVED = {"ok": True, "category": CATEGORY}

area = Area()


def form(site: Site, which: str, parent: Json | None = None, **changes: object) -> Json:
    """Fill in the form, which always sends the whole object."""
    return {
        "key": site.key_for(which),
        "name": f"Walk {which}",
        "sortOrder": 900,
        "parentCategoryId": parent and parent["id"],
    } | changes


def create(site: Site, which: str, parent: Json | None = None, **changes: object) -> Json:
    body = form(site, which, parent, **changes)
    answer = site.portal("POST", "/categories", body | {"isActive": True})  # is none of ours
    fits(answer, SAVED)
    fits(answer["category"], body, "the new category")
    site.kept[which] = answer["category"]
    return answer["category"]


def update(site: Site, which: str, method: str = "PUT", **changes: object) -> Json:
    answer = site.portal(method, f"/categories/{site.kept[which]['id']}", changes)
    fits(answer, SAVED)
    fits(answer["category"], changes, "the changed category")
    return answer["category"]


def everything(categories: list[Json]) -> Iterator[Json]:
    for category in categories:
        yield category
        yield from everything(category["subCategories"])


@area.step
def create_tree(site: Site) -> None:
    """Categories are created at the top, below it and below that; null is no parent."""
    food = create(site, "food")
    same(food["parentCategoryId"], None, "parentCategoryId")
    soups = create(site, "soups", food, sortOrder=2)
    create(site, "breads", food, sortOrder=1)
    create(site, "hot", soups)


@area.step
def list_tree(site: Site) -> None:
    """The list has the top level only, in order, and nests the rest to any depth."""
    listed = site.portal("GET", "/categories")["categories"]
    fits(listed, [CATEGORY | {"parentCategoryId": None}])
    orders = [category["sortOrder"] for category in listed]
    same(orders, sorted(orders), "the order of the top level")
    food = next(c for c in listed if c["id"] == site.kept["food"]["id"])
    below = [category["id"] for category in food["subCategories"]]
    same(below, [site.kept["breads"]["id"], site.kept["soups"]["id"]], "the order below")
    hot = food["subCategories"][1]["subCategories"]
    same([c["id"] for c in hot], [site.kept["hot"]["id"]], "the third level")
    check(hot[0]["parentCategoryId"] == below[1], "the third level has another parent")


@area.step
def show_one(site: Site) -> None:
    """One category is shown by its id."""
    soups = site.kept["soups"]
    answer = site.portal("GET", f"/categories/{soups['id']}")
    fits(answer, {"category": CATEGORY})
    shown = {name: value for name, value in soups.items() if name != "subCategories"}
    fits(answer["category"], shown, "the category")


@area.step
def give_defaults(site: Site) -> None:
    """A category needs no more than a key and a name."""
    body = {"key": site.key_for("bare"), "name": "Bare"}
    answer = site.portal("POST", "/categories", body)
    fits(answer["category"], body | {"sortOrder": 0, "parentCategoryId": None}, "the category")
    site.kept["bare"] = answer["category"]


@area.step
def edit(site: Site) -> None:
    """An edit changes what it names: an absent parent stays, null makes it a top-level one."""
    breads = site.kept["breads"]
    food_id = site.kept["food"]["id"]
    changed = update(site, "breads", name="Walk loaves", sortOrder=3)
    fits(changed, {"parentCategoryId": food_id, "key": breads["key"]}, "what was not named")
    update(site, "breads", parentCategoryId=None)
    top = site.portal("GET", "/categories")["categories"]
    check(breads["id"] in [c["id"] for c in top], "with parentCategoryId null it is not at the top")
    update(site, "breads", **form(site, "breads", site.kept["food"]))


@area.step
def patch(site: Site) -> None:
    """PATCH changes name and order as PUT does."""
    update(site, "breads", "PATCH", name="Walk breads", sortOrder=1)


@area.step
def clean_names(site: Site) -> None:
    """Names lose outer blanks, control characters and runs of blanks, but no markup."""
    changed = site.portal(
        "PUT", f"/categories/{site.kept['breads']['id']}", {"name": "  Tom\u0007 &   <b>Eve</b> "}
    )
    same(changed["category"]["name"], "Tom & <b>Eve</b>", "the name")


@area.step
def refuse_circles(site: Site) -> None:
    """A category can be neither its own parent nor below one of its own: 422."""
    for name in ("food", "soups", "hot"):
        body = form(site, "food", site.kept[name])
        site.portal("PUT", f"/categories/{site.kept['food']['id']}", body, status=422)


@area.step
def refuse_taken_keys(site: Site) -> None:
    """A key in use is 409, for a new category and for an edited one."""
    site.portal("POST", "/categories", form(site, "food"), status=409)
    taken = {"key": site.key_for("food")}
    site.portal("PUT", f"/categories/{site.kept['bare']['id']}", taken, status=409)


@area.step
def refuse_unknown_categories(site: Site) -> None:
    """An unknown category or parent is 404."""
    site.portal("GET", f"/categories/{UNKNOWN}", status=404)
    site.portal("PUT", f"/categories/{UNKNOWN}", {"name": "Nowhere"}, status=404)
    site.portal("PATCH", f"/categories/{UNKNOWN}", {"name": "Nowhere"}, status=404)
    orphan = form(site, "orphan", {"id": UNKNOWN})
    site.portal("POST", "/categories", orphan, status=404)
    site.portal("PUT", f"/categories/{site.kept['bare']['id']}", orphan, status=404)


@area.step
def refuse_bad_fields(site: Site) -> None:
    """A key or name that is missing, too short, too long or of wrong characters is 422."""
    for changes in (
        {"key": "x"},
        {"key": "x" * 65},
        {"key": "Not A Key!"},
        {"key": None},
        {"name": "x"},
        {"name": "x" * 129},
        {"name": " \t  "},
        {"name": None},
        {"sortOrder": "many"},
    ):
        site.portal("POST", "/categories", form(site, "bad", **changes), status=422)
