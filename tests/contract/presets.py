"""Presets: named lists of options that the template form offers."""

from tests.contract.checks import check, fits, is_sentence, same
from tests.contract.objects import PRESET
from tests.contract.site import UNKNOWN, Site
from tests.contract.walk import Area

OPTIONS = [
    {"optionId": "yes", "label": "Yes", "sortOrder": 0},
    {"optionId": "no", "label": "No", "sortOrder": 1},
]

area = Area()


def path_of(site: Site) -> str:
    return f"/presets/{site.kept['preset']['id']}"


@area.step
def create(site: Site) -> None:
    """A preset is saved from the template form and answered as it is."""
    body = {"name": site.key_for("preset"), "description": None, "options": OPTIONS}
    preset = site.portal("POST", "/presets", body)
    fits(preset, PRESET)
    fits(preset, {"name": body["name"], "description": None}, "the preset")
    same(preset["options"], OPTIONS, "its options")
    site.kept["preset"] = preset


@area.step
def show(site: Site) -> None:
    """Presets are listed by name, and shown one by one."""
    listed = site.portal("GET", "/presets")
    fits(listed, {"presets": [PRESET]})
    names = [preset["name"] for preset in listed["presets"]]
    ours = [name for name in names if name.startswith("walk-")]
    same(ours, sorted(ours), "the order of the names")
    check(site.kept["preset"]["name"] in ours, "the list lacks the new preset")
    same(site.portal("GET", path_of(site)), site.kept["preset"], "the preset")


@area.step
def edit(site: Site) -> None:
    """An edit changes what it names; null empties the description."""
    told = site.portal("PUT", path_of(site), {"description": "For what is clear."})
    fits(told, PRESET)
    fits(told, {"description": "For what is clear.", "name": site.kept["preset"]["name"]})
    same(told["options"], OPTIONS, "the options")
    renamed = {"name": site.key_for("renamed"), "description": None, "options": OPTIONS[:1]}
    edited = site.portal("PUT", path_of(site), renamed)
    same({name: edited[name] for name in renamed}, renamed, "the preset")


@area.step
def refuse(site: Site) -> None:
    """A taken name is 409, a bad field 422, an unknown preset 404."""
    name = site.key_for("renamed")
    site.portal("POST", "/presets", {"name": name, "options": OPTIONS}, status=409)
    for changes in (
        {"name": ""},
        {"name": "x" * 129},
        {"description": "x" * 501},
        {"options": []},
        {"options": [OPTIONS[0] | {"label": ""}]},
        {"options": [OPTIONS[0] | {"optionId": "x" * 65}]},
        {"options": [OPTIONS[0] | {"label": "x" * 201}]},
        {"options": [OPTIONS[0] | {"sortOrder": -1}]},
    ):
        body = {"name": site.key_for("bad"), "options": OPTIONS} | changes
        site.portal("POST", "/presets", body, status=422)
    site.portal("GET", f"/presets/{UNKNOWN}", status=404)
    site.portal("PUT", f"/presets/{UNKNOWN}", {"description": "?"}, status=404)
    site.portal("DELETE", f"/presets/{UNKNOWN}", status=404)


@area.step
def delete(site: Site) -> None:
    """A preset is deleted with neither body nor Content-Type, and then is 404."""
    fits(site.portal("DELETE", path_of(site)), {"message": is_sentence})
    site.portal("GET", path_of(site), status=404)
