"""The day: rolled over, and shown to the public as a tree of categories."""

from tests.contract.checks import Json, check, fits, is_count, same
from tests.contract.objects import CHOICE, INSTANCE, OK, POLLS_OF_DAY
from tests.contract.site import Site, day_after
from tests.contract.templates import path_of
from tests.contract.walk import Area

OPENED = ("single", "ranked", "short", "tie", "even", "planned", "bare template")

area = Area()


def tree(site: Site) -> list[Json]:
    return site.page("GET", "/polls/today")["data"]["categories"]


def polls_below(categories: list[Json]) -> list[Json]:
    """Return all polls of the tree, as the pages walk it."""
    found = []
    for category in categories:
        found += category["polls"] + polls_below(category["subCategories"])
    return found


def find(site: Site, name: str) -> Json | None:
    """Return today's poll of one of our templates, as the detail page finds it: by its key."""
    key = site.kept[name]["key"]
    return next((p for p in polls_below(tree(site)) if p["templateKey"] == key), None)


def poll_of(site: Site, name: str) -> Json:
    poll = find(site, name)
    check(poll is not None, f"the poll {name} is not among today's")
    return poll or {}


@area.step
def roll_over(site: Site) -> None:
    """A rollover opens today's polls, and a second one opens nothing."""
    path = f"/rollover?pollDate={site.today}"
    shape = OK | {"pollDate": site.today.isoformat()}
    answer = site.portal("POST", path)
    fits(answer, shape | {"createdCount": is_count})
    check(answer["createdCount"] > len(OPENED), f"createdCount is {answer['createdCount']}")
    fits(site.portal("POST", path), shape | {"createdCount": 0})
    site.portal("POST", "/rollover", status=422)
    site.portal("POST", "/rollover?pollDate=tomorrow", status=422)


@area.step
def list_instances(site: Site) -> None:
    """Each active template has one instance of today: a copy, with the plan's changes."""
    answer = site.portal("GET", f"/instances?pollDate={site.today}")
    fits(answer, {"pollDate": site.today.isoformat(), "instances": [INSTANCE]})
    of_template = {instance["templateId"]: instance for instance in answer["instances"]}
    for name in (*OPENED, "users"):
        template = site.kept[name]
        check(template["id"] in of_template, f"there is no instance of the template {name}")
        copied = ("categoryId", "pollType", "maxRank", "audience")
        expected = {field: template[field] for field in copied} | {"status": "OPEN"}
        days = template["durationDays"] - 1
        expected |= {"pollDate": answer["pollDate"], "closeDate": day_after(site.today, days)}
        fits(of_template[template["id"]], expected, f"the instance of {name}")
    for name in ("skipped", "inactive"):
        check(site.kept[name]["id"] not in of_template, f"there is an instance of {name}")
    site.portal("GET", "/instances", status=422)
    site.portal("GET", "/instances?pollDate=2026-02-30", status=422)


@area.step
def show_today(site: Site) -> None:
    """Today's polls have every field of the contract, and the server's day is New York's."""
    answer = site.page("GET", "/polls/today")
    fits(answer, POLLS_OF_DAY)
    same(answer["data"]["pollDate"], site.today.isoformat(), "pollDate")
    for name in OPENED:
        poll, template = poll_of(site, name), site.kept[name]
        fits(poll, {"templateId": template["id"], "isNew": True}, f"the poll {name}")
        orders = [option["sortOrder"] for option in poll["options"]]
        same(orders, sorted(orders), f"the order of the options of {name}")


@area.step
def show_tree(site: Site) -> None:
    """Categories nest to any depth, in order; those without polls are left out."""
    top = tree(site)
    orders = [category["sortOrder"] for category in top]
    same(orders, sorted(orders), "the order of the categories")
    level, parent = top, None
    for name in ("food", "soups", "hot"):
        found = [c for c in level if c["categoryKey"] == site.kept[name]["key"]]
        check(found, f"the category {name} is not where it belongs")
        told = {"categoryId": site.kept[name]["id"], "categoryName": site.kept[name]["name"]}
        fits(found[0], told | {"parentCategoryId": parent}, f"the category {name}")
        level, parent = found[0]["subCategories"], found[0]["categoryId"]
    check(found[0]["polls"], "the third level has no polls")
    keys = [c["categoryKey"] for c in top]
    check(site.kept["bare"]["key"] not in keys, "a category without polls is shown")


@area.step
def keep_to_the_public(site: Site) -> None:
    """Polls for users, of inactive templates and skipped by a plan are not shown."""
    for name in ("users", "inactive", "skipped"):
        check(find(site, name) is None, f"the poll {name} is shown")


@area.step
def show_plan(site: Site) -> None:
    """A plan's question and options stand in place of the template's."""
    poll = poll_of(site, "planned")
    same(poll["question"], "And today?", "the question")
    same([option["label"] for option in poll["options"]], ["Lentil", "Beet"], "the options")


@area.step
def show_edits(site: Site) -> None:
    """An edit shows at once in context, key and featured; the words stay the opening's."""
    title = poll_of(site, "single")["title"]
    key = site.key_for("renamed")
    edit = {"contextText": "# Warm\n\n*Indeed.*", "featured": True, "key": key, "title": "Renamed"}
    site.kept["single"] = site.portal("PATCH", path_of(site, "single"), edit)["template"]
    expected = {"contextText": edit["contextText"], "featured": True, "title": title}
    fits(poll_of(site, "single"), expected | {"templateKey": key}, "the poll")
    site.portal("PATCH", path_of(site, "single"), {"contextText": None, "featured": False})
    fits(poll_of(site, "single"), {"contextText": None, "featured": False}, "the poll")
    name = {"name": "Walk hot ones"}
    site.kept["hot"] = site.portal("PUT", f"/categories/{site.kept['hot']['id']}", name)["category"]
    check("Walk hot ones" in str(tree(site)), "the new name of a category does not show")


@area.step
def show_other_days(site: Site) -> None:
    """Another date has the same shape; a missing or bad one is 422."""
    answer = site.page("GET", f"/polls?pollDate={site.today}")
    fits(answer, POLLS_OF_DAY)
    fits(answer["data"], {"pollDate": site.today.isoformat()})
    ours = {poll["templateId"] for poll in polls_below(answer["data"]["categories"])}
    check(site.kept["single"]["id"] in ours, "today's poll is not among the date's")
    fits(poll_of(site, "single")["options"], [CHOICE], "the options")
    for query in ("", "?pollDate=", "?pollDate=2026-02-30", "?pollDate=yesterday"):
        site.page("GET", f"/polls{query}", status=422)
