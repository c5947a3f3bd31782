"""The daily job, the dashboard's figures, and the audit of all that was done."""

import hashlib

from tests.contract.checks import Json, check, fits, is_count, same
from tests.contract.objects import ANALYTICS, AUDIT_LOG, OK
from tests.contract.site import Site, day_after
from tests.contract.today import find
from tests.contract.walk import Area

MAX_PAGES = 20
ACTIONS = {
    "category_created",
    "category_updated",
    "template_created",
    "template_updated",
    "template_options_replaced",
    "template_active_set",
    "template_featured_set",
    "plan_upserted",
    "plan_options_replaced",
    "import_data",
    "preset_created",
    "preset_updated",
    "preset_deleted",
    "rollover_run",
    "polls_closed",
    "instance_category_updated",
    "instance_closed",
    "instance_replaced",
    "instance_snapshot_created",
    "snapshots_created",
    "snapshots_regenerated",
    "snapshots_created_for_active",
    "generate_poll_context",
}

area = Area()


@area.step
def close_by_date(site: Site) -> None:
    """Closing by date closes what has ended by then, and nothing that runs on."""
    yesterday = day_after(site.today, -1)
    shape = OK | {"closedCount": is_count, "snapshotCount": is_count}
    answer = site.portal("POST", f"/close?pollDate={yesterday}")
    fits(answer, shape | {"pollDate": yesterday})
    check(find(site, "short") is not None, "a poll of today was closed with yesterday's")
    if site.alone:
        answer = site.portal("POST", f"/close?pollDate={site.today}")
        fits(answer, shape)
        check(answer["closedCount"] > 0, "closedCount is 0")
        check(find(site, "short") is None, "a poll that ends today is open still")
    site.portal("POST", "/close", status=422)
    site.portal("POST", "/close?pollDate=2026-02-30", status=422)


@area.step
def do_the_daily_job(site: Site) -> None:
    """The cron job closes yesterday and rolls over to today with the header xadminkey."""
    for action, day in (("close", day_after(site.today, -1)), ("rollover", str(site.today))):
        path = f"/admin/{action}?pollDate={day}"
        answer = site.ask("POST", path, status=200, headers={"xadminkey": site.key})
        fits(answer.json(), OK | {"pollDate": day})


@area.step
def show_figures(site: Site) -> None:
    """The dashboard has all five figures as numbers, today's votes among them."""
    figures = site.portal("GET", "/analytics")
    fits(figures, ANALYTICS)
    for name in ("totalVotes", "todayVotes"):
        check(figures[name] >= site.ballots, f"{name} is {figures[name]}, we cast {site.ballots}")
    check(figures["todayInstances"] > 0, "todayInstances is 0")
    check(figures["uniqueInstances"] > 0, "uniqueInstances is 0")
    days = figures["dailyBreakdown"]
    dates = [day["date"] for day in days]
    same(dates, sorted(set(dates), reverse=True), "the order of the days")
    check(len(days) <= 30, f"there are {len(days)} days")
    check(all(day["votes"] > 0 for day in days), "a day without votes is listed")
    today = {"date": site.today.isoformat(), "votes": figures["todayVotes"]}
    fits(days[0], today, "the newest day")


@area.step
def audit(site: Site) -> None:
    """Every change is audited under its name, with the hash of the key and the browser."""
    rows = audit_rows(site)
    done = {row["action"] for row in rows if row["success"]}
    refused = {row["action"] for row in rows if not row["success"]}
    missing = ACTIONS - done - (refused & {"generate_poll_context"})  # nothing may write it here
    check(not missing, f"there are no rows of {sorted(missing)}")
    whole = hashlib.sha256(site.key.encode()).hexdigest()
    same({row["adminKeyHash"] for row in rows if row["success"]}, {whole}, "adminKeyHash")
    created = site.kept["food"]["id"]
    of_food = [row["action"] for row in rows if row["entityId"] == created and row["success"]]
    check("category_created" in of_food, "the row of a new category does not name it")


def audit_rows(site: Site) -> list[Json]:
    """Return the rows of this walk, which are known by its user agent."""
    rows: list[Json] = []
    cursor = ""
    for _ in range(MAX_PAGES):
        page = site.portal("GET", f"/audit-logs?limit=200{cursor}")
        fits(page, {"auditLogs": [AUDIT_LOG]})
        agent = site.session.headers["User-Agent"]
        ours = [row for row in page["auditLogs"] if row["userAgent"] == agent]
        rows += ours
        if not ours or not page.get("nextCursor"):
            break
        cursor = f"&cursor={page['nextCursor']}"
    return rows
