"""Plans: what one date changes for one template."""

from tests.contract.checks import check, fits, same
from tests.contract.objects import OK, PLAN
from tests.contract.site import UNKNOWN, Site, day_after
from tests.contract.templates import path_of
from tests.contract.walk import Area

OPTIONS = [{"label": "Lentil", "sortOrder": 0}, {"label": "Beet", "sortOrder": 1}]

area = Area()


@area.step
def show_no_plan(site: Site) -> None:
    """A date without a plan has the plan null."""
    answer = site.portal("GET", f"{path_of(site, 'planned')}/plan?pollDate=2031-05-04")
    fits(answer, {"plan": None})


@area.step
def plan_today(site: Site) -> None:
    """A plan asks another question today, with other options; another one skips the day."""
    today = site.today.isoformat()
    planned = path_of(site, "planned")
    fields = {"pollDate": today, "isEnabled": True, "questionOverride": "And today?"}
    plan = site.portal("PUT", f"{planned}/plan", fields)
    check(plan["ok"] is True, "the answer is not ok")
    options = {"pollDate": today, "options": OPTIONS}
    answer = site.portal("PUT", f"{planned}/plan/options", options)
    fits(answer, OK | {"planId": plan["planId"], "optionCount": 2})
    shown = site.portal("GET", f"{planned}/plan?pollDate={today}")
    fits(shown, {"plan": PLAN})
    fits(shown["plan"], fields | {"id": plan["planId"], "templateId": site.kept["planned"]["id"]})
    labels = [option["label"] for option in shown["plan"]["options"]]
    same(labels, ["Lentil", "Beet"], "the planned options")
    skipped = {"pollDate": today, "isEnabled": False, "questionOverride": None}
    fits(site.portal("PUT", f"{path_of(site, 'skipped')}/plan", skipped), OK)


@area.step
def plan_twice(site: Site) -> None:
    """A plan is made by its options alone, and saving it again keeps it one plan."""
    path = f"{path_of(site, 'inactive')}/plan"
    day = day_after(site.today, 1)
    made = site.portal("PUT", f"{path}/options", {"pollDate": day, "options": OPTIONS})
    again = site.portal("PUT", path, {"pollDate": day, "isEnabled": True})
    same(again["planId"], made["planId"], "the id of the plan saved again")
    plan = site.portal("GET", f"{path}?pollDate={day}")["plan"]
    fits(plan, {"isEnabled": True, "questionOverride": None, "pollDate": day}, "the plan")


@area.step
def refuse_bad_plans(site: Site) -> None:
    """A plan without a date, with a long question or one option is 422; of no template, 404."""
    path = f"{path_of(site, 'inactive')}/plan"
    day = day_after(site.today, 1)
    site.portal("GET", path, status=422)
    site.portal("GET", f"{path}?pollDate=2026-02-30", status=422)
    site.portal("PUT", path, {"isEnabled": True}, status=422)
    long = {"pollDate": day, "questionOverride": "x" * 1001}
    site.portal("PUT", path, long, status=422)
    one = {"pollDate": day, "options": OPTIONS[:1]}
    site.portal("PUT", f"{path}/options", one, status=422)
    nowhere = f"/templates/{UNKNOWN}/plan"
    site.portal("PUT", nowhere, {"pollDate": day}, status=404)
    site.portal("PUT", f"{nowhere}/options", {"pollDate": day, "options": OPTIONS}, status=404)
