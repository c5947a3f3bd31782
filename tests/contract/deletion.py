"""The end: what was made is deleted, and nobody does anything without the key."""

from tests.contract.checks import check, fits, is_count, same
from tests.contract.site import UNKNOWN, Site
from tests.contract.templates import path_of
from tests.contract.today import find
from tests.contract.walk import Area

DELETED = {
    "ok": True,
    "cascadeDeleted": {"instances": is_count, "plans": is_count, "votes": is_count},
}
ADMIN_ROUTES = """
GET /categories|POST /categories|GET /categories/ID|PUT /categories/ID|PATCH /categories/ID
GET /templates|POST /templates|GET /templates/ID|PATCH /templates/ID|PUT /templates/ID/options
PATCH /templates/ID/active|PATCH /templates/ID/featured|DELETE /templates/ID
POST /templates/ID/generate-context|PUT /templates/ID/plan|PUT /templates/ID/plan/options
GET /templates/ID/plan|GET /instances|GET /instances/ID|PATCH /instances/ID
POST /instances/ID/close|POST /instances/ID/replace|POST /rollover|POST /close
POST /snapshots/create-missing|POST /snapshots/regenerate|POST /snapshots/create-for-active
POST /instances/ID/snapshot|GET /instances/ID/snapshot|GET /analytics|POST /import|GET /presets
POST /presets|GET /presets/ID|PUT /presets/ID|DELETE /presets/ID|GET /audit-logs
"""

area = Area()


@area.step
def delete_unused(site: Site) -> None:
    """A template without polls is deleted without force; its plan goes with it."""
    template = site.kept["inactive"]
    answer = site.portal("DELETE", path_of(site, "inactive"))
    fits(answer, DELETED)
    fits(answer["cascadeDeleted"], {"instances": 0, "plans": 1, "votes": 0}, "cascadeDeleted")
    deleted = {name: template[name] for name in ("id", "title", "key")}
    fits(answer["deletedTemplate"], deleted, "deletedTemplate")
    site.portal("GET", path_of(site, "inactive"), status=404)
    site.templates.remove(template["id"])


@area.step
def delete_with_polls(site: Site) -> None:
    """A template with polls is 409 unless forced, and then goes with polls and votes."""
    path = path_of(site, "ranked")
    site.portal("DELETE", path, status=409)
    site.portal("DELETE", f"{path}?force=false", status=409)
    answer = site.portal("DELETE", f"{path}?force=true")
    fits(answer, DELETED)
    fits(answer["cascadeDeleted"], {"instances": 1, "plans": 0, "votes": 12}, "cascadeDeleted")
    site.portal("GET", path, status=404)
    poll_id = site.kept["closed ranked"]["pollId"]
    site.page("GET", f"/polls/{poll_id}/results", status=404)
    site.templates.remove(site.kept["ranked"]["id"])


@area.step
def delete_rest(site: Site) -> None:
    """All templates of this walk are deleted, and their polls are gone from today's at once."""
    while site.templates:
        fits(site.portal("DELETE", f"/templates/{site.templates.pop()}?force=true"), DELETED)
    listed = site.portal("GET", f"/templates?categoryId={site.kept['hot']['id']}")
    same(listed["templates"], [], "the templates left")
    for name in ("short", "planned"):
        check(find(site, name) is None, f"the poll {name} of a deleted template is shown")


@area.step
def ask_for_the_key(site: Site) -> None:
    """Every admin route asks for the key: 401."""
    for route in ADMIN_ROUTES.replace("\n", "|").strip("|").split("|"):
        method, path = route.split(" ")
        query = "?pollDate=1999-12-31"
        path = f"/admin{path.replace('ID', UNKNOWN)}{query}"
        site.page(method, path, status=401)
