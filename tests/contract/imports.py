"""Imports: a whole catalog in one body, in which one entry's fault is no other's."""

from tests.contract.checks import Json, check, fits, is_sentence, same
from tests.contract.objects import IMPORT
from tests.contract.site import Site
from tests.contract.walk import Area

area = Area()


def category(site: Site, key: str, **changes: object) -> Json:
    return {
        "key": site.key_for(key),
        "name": f"Walk {key}",
        "emoji": "🥖",
        "sortOrder": 901,
    } | changes


def template(site: Site, key: str, **changes: object) -> Json:
    """Write a template as the page's own help text has it: its audience is EVERYONE."""
    labels = (("rye", "Rye"), ("oat", "Oat"))
    options = [{"key": k, "label": x, "sortOrder": n} for n, (k, x) in enumerate(labels)]
    return {
        "categoryKey": site.key_for("imported"),
        "key": site.key_for(key),
        "title": f"Walk {key}",
        "question": None,
        "pollType": "SINGLE",
        "maxRank": None,
        "audience": "EVERYONE",
        "durationDays": 1,
        "isActive": False,
        "featured": True,
        "options": options,
    } | changes


def send(site: Site, categories: list[Json], templates: list[Json]) -> tuple[Json, list[Json]]:
    """Import; return the answer, and what it tells of each entry, in the order of the entries."""
    answer = site.portal("POST", "/import", {"categories": categories, "templates": templates})
    fits(answer, IMPORT)
    told = {(detail["type"], detail["key"]): detail for detail in answer["details"]}
    sent = [("category", c["key"]) for c in categories] + [
        ("template", t["key"]) for t in templates
    ]
    same(set(told), set(sent), "what the details are about")
    return answer, [told[entry] for entry in sent]


def actions(details: list[Json]) -> list[str]:
    return [detail["action"] for detail in details]


@area.step
def import_new(site: Site) -> None:
    """Categories with an emoji and templates for EVERYONE are created."""
    entries = [category(site, "imported")], [template(site, "rye")]
    answer, details = send(site, *entries)
    fits(answer, {"categoriesCreated": 1, "templatesCreated": 1, "errors": []})
    same(actions(details), ["created", "created"], "the actions")
    same([each["name"] for each in details], ["Walk imported", "Walk rye"], "the names")
    same([each["error"] for each in details], [None, None], "the errors")
    remember(site)
    listed = site.portal("GET", f"/templates?categoryId={site.kept['imported']['id']}")
    sent = {"audience": "PUBLIC", "isActive": False, "featured": True, "title": "Walk rye"}
    fits(listed["templates"][0], sent, "the imported template")


def remember(site: Site) -> None:
    """Note what an import made: its answer has no ids."""
    listed = site.portal("GET", "/categories")["categories"]
    found = [each for each in listed if each["key"] == site.key_for("imported")]
    check(found, "the imported category is not at the top level")
    site.kept["imported"] = found[0]
    path = f"/templates?categoryId={found[0]['id']}"
    made = [each["id"] for each in site.portal("GET", path)["templates"]]
    site.templates += [each for each in made if each not in site.templates]


@area.step
def import_again(site: Site) -> None:
    """A known category takes the new name and place; a known template is skipped, and says so."""
    entries = [category(site, "imported", name="Walk bakery")], [template(site, "rye", title="New")]
    answer, details = send(site, *entries)
    fits(answer, {"categoriesCreated": 0, "templatesCreated": 0})
    same(actions(details), ["updated", "skipped"], "the actions")
    fits(details[1]["error"], is_sentence, "the error of the skipped template")
    remember(site)
    same(site.kept["imported"]["name"], "Walk bakery", "the name of the category")


@area.step
def import_with_faults(site: Site) -> None:
    """What is wrong with an entry is told with it, and the others are imported."""
    faults = [
        template(site, "lost", categoryKey=site.key_for("nowhere")),
        template(site, "option", options=[]),
        template(site, "type", pollType="APPROVAL"),
        template(site, "month", durationDays=31),
    ]
    answer, details = send(site, [category(site, "imported")], [*faults, template(site, "oat")])
    same(actions(details), ["updated", *["skipped"] * len(faults), "created"], "the actions")
    same(answer["templatesCreated"], 1, "templatesCreated")
    check(len(answer["errors"]) >= len(faults), f"only {len(answer['errors'])} errors are told")
    for detail in details[1:-1]:
        fits(detail["error"], is_sentence, f"the error of {detail['key']}")
    remember(site)


@area.step
def import_nothing(site: Site) -> None:
    """Both lists may be left out; what is no list is 422."""
    answer = site.portal("POST", "/import", {})
    nothing = {"categoriesCreated": 0, "templatesCreated": 0, "errors": [], "details": []}
    fits(answer, nothing)
    site.portal("POST", "/import", {"categories": "bread"}, status=422)
    site.portal("POST", "/import", {"templates": {}}, status=422)
