"""Templates: the polls that recur, as the portal's forms send them, whole and with extras."""

from tests.contract.checks import Json, check, fits, same
from tests.contract.objects import OK, TEMPLATE, TEMPLATE_WITH_OPTIONS
from tests.contract.site import UNKNOWN, Site
from tests.contract.walk import Area

SAVED = {"ok": True, "template": TEMPLATE}

area = Area()


def form(site: Site, title: str, *labels: str, **changes: object) -> Json:
    """Fill in the form for a new template: empty fields are null, and some are not ours."""
    options = [{"id": f"row-{n}", "label": x, "sortOrder": n} for n, x in enumerate(labels)]
    return {
        "categoryId": site.kept["hot"]["id"],
        "title": title,
        "question": None,
        "pollType": "SINGLE",
        "maxRank": None,
        "audience": "PUBLIC",
        "durationDays": 1,
        "isActive": True,
        "emoji": "🍲",
        "options": options,
    } | changes


def create(site: Site, name: str, body: Json) -> Json:
    answer = site.portal("POST", "/templates", body)
    fits(answer, {"ok": True, "template": TEMPLATE_WITH_OPTIONS})
    template = answer["template"]
    site.templates.append(template["id"])
    site.kept[name] = template
    sent = {name: value for name, value in body.items() if name not in {"emoji", "options"}}
    fits(template, sent, "the new template")
    labels = [option["label"] for option in template["options"]]
    same(labels, [option["label"] for option in body["options"]], "the options")
    return template


def path_of(site: Site, name: str) -> str:
    return f"/templates/{site.kept[name]['id']}"


def show(site: Site, name: str) -> Json:
    answer = site.portal("GET", path_of(site, name))
    fits(answer, {"template": TEMPLATE_WITH_OPTIONS})
    return answer["template"]


@area.step
def create_single(site: Site) -> None:
    """A single choice is created from the whole form, nulls and unknown fields included."""
    template = create(site, "single", form(site, "Best soup ever made", "Leek", "Pea", "Corn"))
    fits(template, {"contextText": None, "featured": False}, "the new template")


@area.step
def create_others(site: Site) -> None:
    """Ranked polls, long ones, those of users and inactive ones are created as they are sent."""
    create(site, "ranked", form(site, "Worked example", "A", "C", "O", "P", pollType="RANKED"))
    short = form(site, "Best two", "A", "B", "C", pollType="RANKED", maxRank=2)
    create(site, "short", short | {"question": "Which two?"})
    create(site, "tie", form(site, "Even", "This", "That", pollType="RANKED", durationDays=3))
    create(site, "even", form(site, "Even again", "This", "That"))
    create(site, "planned", form(site, "Planned", "Leek", "Pea"))
    create(site, "skipped", form(site, "Skipped", "Leek", "Pea"))
    create(site, "users", form(site, "For users", "Leek", "Pea", audience="USER_ONLY"))
    create(site, "inactive", form(site, "Inactive", "Leek", "Pea", isActive=False))


@area.step
def give_defaults(site: Site) -> None:
    """A template needs no more than a category, a title, a type and two options."""
    body = form(site, "Bare", "Yes", "No")
    required = {name: body[name] for name in ("categoryId", "title", "pollType")}
    options = [{"label": "Yes"}, {"label": "No"}]  # equal sort orders are numbered, not refused
    template = create(site, "bare template", required | {"options": options})
    orders = [option["sortOrder"] for option in template["options"]]
    same(orders, [0, 1], "the numbers of the options")
    defaults = {"audience": "PUBLIC", "durationDays": 1, "isActive": True, "maxRank": None}
    fits(template, defaults | {"question": None}, "the new template")


@area.step
def make_keys(site: Site) -> None:
    """A key is made of the category's and three words of the title, and is unique."""
    stem = f"{site.kept['hot']['key']}-best-soup-ever"
    same(site.kept["single"]["key"], stem, "the key")
    again = create(site, "again", form(site, "BEST soup, ever!", "Leek", "Pea", isActive=False))
    same(again["key"], f"{stem}-2", "the second key")
    nothing = create(site, "nothing", form(site, "¿¡ ?!", "Leek", "Pea", isActive=False))
    same(nothing["key"], f"{site.kept['hot']['key']}-poll", "the key of a title without letters")


@area.step
def list_templates(site: Site) -> None:
    """The list has every template, and can be asked for a category or the active ones."""
    listed = site.portal("GET", "/templates")
    fits(listed, {"templates": [TEMPLATE]})
    known = {template["id"] for template in listed["templates"]}
    check(known.issuperset(site.templates), "the list lacks templates that were created")
    category_id = site.kept["hot"]["id"]
    ours = site.portal("GET", f"/templates?categoryId={category_id}")["templates"]
    same({template["id"] for template in ours}, set(site.templates), "the category's templates")
    keys = [template["key"] for template in ours]
    same(keys, sorted(keys), "the order of the keys")
    for value in ("true", "false"):
        path = f"/templates?categoryId={category_id}&isActive={value}"
        found = {template["isActive"] for template in site.portal("GET", path)["templates"]}
        same(found, {value == "true"}, f"isActive={value}")


@area.step
def save_edit_form(site: Site) -> None:
    """The edit form saves all it has; question and context can be filled and emptied again."""
    template = show(site, "single")
    filled = template | {
        "title": "Best soup of all",
        "question": "Which one?",
        "contextText": "It is **cold**.\n\nVery.",
        "region": "none of ours",
    }
    del filled["id"], filled["options"]
    answer = site.portal("PATCH", path_of(site, "single"), filled)
    fits(answer, SAVED)
    del filled["region"]
    fits(answer["template"], filled, "the saved template")
    fits(show(site, "single"), filled, "the template shown")
    emptied = {"question": None, "contextText": None, "maxRank": None}
    answer = site.portal("PATCH", path_of(site, "single"), filled | emptied)
    fits(answer["template"], filled | emptied, "the emptied template")
    site.portal("PATCH", path_of(site, "single"), {"contextText": "Still **cold**."})
    fits(show(site, "single"), {"question": None, "title": "Best soup of all"}, "the rest")


@area.step
def clear_ranks(site: Site) -> None:
    """The limit of ranks is set and cleared by the edit form."""
    ranked = path_of(site, "ranked")
    for ranks in (3, None):
        answer = site.portal("PATCH", ranked, {"maxRank": ranks})
        fits(answer["template"], {"maxRank": ranks}, "the saved template")


@area.step
def replace_options(site: Site) -> None:
    """The options are replaced as a whole; ids in them are ignored."""
    rows = show(site, "bare template")["options"]
    rows = [*reversed(rows), {"id": "new-3", "label": "Perhaps", "sortOrder": 7}]
    body = {"options": [row | {"sortOrder": n} for n, row in enumerate(rows)]}
    path = path_of(site, "bare template")
    answer = site.portal("PUT", f"{path}/options", body)
    same(answer["templateId"], site.kept["bare template"]["id"], "templateId")
    fits(answer, OK | {"optionCount": 3})
    shown = show(site, "bare template")["options"]
    same([option["label"] for option in shown], ["No", "Yes", "Perhaps"], "the options")


@area.step
def toggle(site: Site) -> None:
    """The list switches a template off and on; it is featured likewise."""
    for switch, field in (("active", "isActive"), ("featured", "featured")):
        for value in (False, True):
            path = f"{path_of(site, 'bare template')}/{switch}"
            answer = site.portal("PATCH", path, {field: value})
            fits(answer, SAVED)
            fits(answer["template"], {field: value}, "the switched template")


@area.step
def refuse_taken_key(site: Site) -> None:
    """A key that another template has is 409."""
    taken = {"key": site.kept["single"]["key"]}
    site.portal("PATCH", path_of(site, "again"), taken, status=409)


@area.step
def refuse_unknown_templates(site: Site) -> None:
    """An unknown template or category is 404, whatever is asked of it."""
    template = f"/templates/{UNKNOWN}"
    options = [{"label": "Leek", "sortOrder": 0}, {"label": "Pea", "sortOrder": 1}]
    site.portal("GET", template, status=404)
    site.portal("PATCH", template, {"title": "Nothing"}, status=404)
    site.portal("PATCH", f"{template}/active", {"isActive": True}, status=404)
    site.portal("PATCH", f"{template}/featured", {"featured": True}, status=404)
    site.portal("PUT", f"{template}/options", {"options": options}, status=404)
    site.portal("DELETE", f"{template}?force=true", status=404)
    lost = form(site, "Lost", "Leek", "Pea", categoryId=UNKNOWN)
    site.portal("POST", "/templates", lost, status=404)
    site.portal("PATCH", path_of(site, "single"), {"categoryId": UNKNOWN}, status=404)


@area.step
def refuse_bad_fields(site: Site) -> None:
    """A template that breaks a rule of the form is 422, and says why in a sentence."""
    one = [{"label": "Leek", "sortOrder": 0}]
    for changes in (
        {"title": "x"},
        {"title": "x" * 257},
        {"title": " \t\n "},
        {"question": "x" * 1001},
        {"pollType": "APPROVAL"},
        {"pollType": "RANKED", "maxRank": 1},
        {"maxRank": 0},
        {"audience": "NOBODY"},
        {"durationDays": 0},
        {"durationDays": 366},
        {"options": one},
        {"options": [*one, {"label": " ", "sortOrder": 1}]},
        {"options": [*one, {"label": "x" * 257, "sortOrder": 1}]},
    ):
        site.portal("POST", "/templates", form(site, "Bad", "A", "B") | changes, status=422)
    site.portal("PUT", f"{path_of(site, 'single')}/options", {"options": one}, status=422)
    site.portal("PATCH", path_of(site, "single"), {"key": "x"}, status=422)
