"""What holds for all paths: who may call, from where, and how it is told no."""

from typing import Any

from tests.contract.checks import check, fits, same
from tests.contract.objects import CATEGORY, ERROR
from tests.contract.site import Site
from tests.contract.walk import Area

PREFLIGHT_SECONDS = "600"
TOO_LARGE = 3 * 1024 * 1024  # more than any form sends, in bytes
FOREIGN = "https://evil.example"

area = Area()


def preflight(site: Site, path: str, method: str, status: int | set[int], origin: str) -> Any:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "content-type,x-admin-key",
    }
    return site.ask("OPTIONS", path, status=status, headers=asked)


@area.step
def allow_preflights(site: Site) -> None:
    """A preflight of an allowed page needs no key, and allows all methods and both headers."""
    for path, method in (
        ("/polls/today", "GET"),
        ("/polls/some/vote", "POST"),
        ("/admin/categories/some", "PUT"),
        ("/admin/templates/some", "PATCH"),
        ("/admin/presets/some", "DELETE"),
    ):
        answer = preflight(site, path, method, {200, 204}, site.origin).headers
        methods = answer.get("Access-Control-Allow-Methods", "")
        check(method in methods, f"the preflight of {method} {path} allows {methods!r}")
        allowed = answer.get("Access-Control-Allow-Headers", "").lower()
        for name in ("content-type", "x-admin-key"):
            check(name in allowed, f"the preflight of {method} {path} allows {allowed!r}")
        same(answer.get("Access-Control-Max-Age"), PREFLIGHT_SECONDS, "Access-Control-Max-Age")


@area.step
def refuse_foreign_preflights(site: Site) -> None:
    """A preflight of a page that is not allowed, or only looks alike, is 400."""
    for origin in (FOREIGN, f"{site.origin}.evil.example", "null"):
        preflight(site, "/polls/today", "GET", 400, origin)


@area.step
def tell_no_foreign_page(site: Site) -> None:
    """A page that is not allowed gets no CORS header, and never a star."""
    for origin in (FOREIGN, f"{site.origin}.evil.example"):
        answer = site.ask("GET", "/polls/today", status=200, headers={"Origin": origin}).headers
        check(answer.get("Access-Control-Allow-Origin") is None, f"{origin} may read the answer")


@area.step
def allow_other_local_pages(site: Site) -> None:
    """The four local origins are allowed if the default one is."""
    if site.origin != "http://localhost:3000":
        return
    for scheme in ("http", "https"):
        for port in (3000, 5173):
            origin = f"{scheme}://localhost:{port}"
            answer = preflight(site, "/polls/today", "GET", {200, 204}, origin).headers
            same(answer.get("Access-Control-Allow-Origin"), origin, "Access-Control-Allow-Origin")


@area.step
def show_health(site: Site) -> None:
    """The root, /healthz and /readyz answer as probes expect."""
    fits(site.page("GET", "/"), {"ok": True, "service": str})
    fits(site.page("GET", "/healthz"), {"ok": True, "status": "healthy"})
    ready = {
        "ok": True,
        "status": {"healthy", "degraded"},
        "components": {"database": "healthy", "redis": str},
    }
    fits(site.page("GET", "/readyz"), ready)


@area.step
def log_in(site: Site) -> None:
    """The login probe takes the key, and answers with the categories."""
    fits(site.portal("GET", "/categories"), {"categories": [CATEGORY]})
    site.may_change = True


@area.step
def refuse_wrong_keys(site: Site) -> None:
    """No key, an empty or a wrong one is 401, which the page may read."""
    for headers in ({}, {"x-admin-key": ""}, {"x-admin-key": f"{site.key}x"}, {"xadminkey": "x"}):
        fits(site.page("GET", "/admin/categories", status=401, headers=headers), ERROR)


@area.step
def take_the_key_of_the_cron_job(site: Site) -> None:
    """The header xadminkey of the cron job is taken for x-admin-key."""
    headers = {"xadminkey": site.key}
    yesterday = {"pollDate": "1999-12-31"}  # closes nothing anywhere
    answer = site.ask("POST", "/admin/close", status=200, headers=headers, params=yesterday)
    fits(answer.json(), {"ok": True, "pollDate": "1999-12-31", "closedCount": 0})


@area.step
def refuse_unknown_paths(site: Site) -> None:
    """An unknown path, also one with a trailing slash, is 404 in JSON."""
    for path in ("/nowhere", "/polls/today/", "/polls/some/nowhere", "/api/polls/today"):
        site.page("GET", path, status=404)
    site.portal("GET", "/nowhere", status=404)


@area.step
def refuse_wrong_methods(site: Site) -> None:
    """A method that a path does not have is 405 in JSON."""
    site.page("DELETE", "/polls/today", status=405)
    site.page("GET", "/polls/some/vote", status=405)
    site.portal("DELETE", "/categories", status=405)


@area.step
def refuse_what_is_not_json(site: Site) -> None:
    """A body that is not JSON is 415 by its type, 400 or 422 by its content."""
    key = {"x-admin-key": site.key}
    for path in ("/polls/some/vote", "/admin/categories"):
        text = {"Content-Type": "text/plain"} | key
        site.page("POST", path, status=415, headers=text, data='{"key": "walk"}')
        json = {"Content-Type": "application/json"} | key
        site.page("POST", path, status={400, 422}, headers=json, data='{"key": ')
        site.page("POST", path, status=422, headers=json, data="[]")


@area.step
def refuse_large_bodies(site: Site) -> None:
    """A body of megabytes is 413 in JSON."""
    headers = {"Content-Type": "application/json", "x-admin-key": site.key}
    headers["Connection"] = "close"  # who sends so much may be hung up on
    body = b'{"key": "' + b"x" * TOO_LARGE + b'"}'
    for path in ("/polls/some/vote", "/admin/categories"):
        site.page("POST", path, status=413, headers=headers, data=body)
