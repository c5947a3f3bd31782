"""Instances: shown, moved, replaced and closed, with neither body nor Content-Type."""

from tests.contract.checks import check, fits, same
from tests.contract.objects import INSTANCE
from tests.contract.results import result_of
from tests.contract.site import UNKNOWN, Site, ids
from tests.contract.snapshots import snapshot_of
from tests.contract.today import find, poll_of, tree
from tests.contract.walk import Area

area = Area()


@area.step
def show_one(site: Site) -> None:
    """One instance is shown by its id, which is the poll's."""
    poll = poll_of(site, "ranked")
    answer = site.portal("GET", f"/instances/{poll['pollId']}")
    fits(answer, {"instance": INSTANCE})
    names = ("pollDate", "closeDate", "title", "question", "pollType", "maxRank", "status")
    expected = {name: poll[name] for name in names}
    fits(answer["instance"], expected | {"id": poll["pollId"]}, "the instance")
    site.portal("GET", f"/instances/{UNKNOWN}", status=404)


@area.step
def move(site: Site) -> None:
    """A moved instance shows in its new category at once."""
    poll, breads = poll_of(site, "tie"), site.kept["breads"]
    path = f"/instances/{poll['pollId']}"
    answer = site.portal("PATCH", path, {"categoryId": breads["id"]})
    fits(answer, {"ok": True, "instanceId": poll["pollId"], "categoryId": breads["id"]})
    food = next(c for c in tree(site) if c["categoryKey"] == site.kept["food"]["key"])
    shown = next(c for c in food["subCategories"] if c["categoryKey"] == breads["key"])
    same([p["pollId"] for p in shown["polls"]], [poll["pollId"]], "the polls of the new category")
    site.portal("PATCH", path, {"categoryId": UNKNOWN}, status=404)
    site.portal("PATCH", path, {}, status=422)
    site.portal("PATCH", f"/instances/{UNKNOWN}", {"categoryId": breads["id"]}, status=404)


@area.step
def replace(site: Site) -> None:
    """A replaced poll is closed with its votes and its snapshot, and a new one stands for it."""
    old, template_id = poll_of(site, "planned"), site.kept["planned"]["id"]
    answer = site.portal("POST", f"/instances/{old['pollId']}/replace")
    told = {"ok": True, "oldInstanceId": old["pollId"], "snapshotCreated": True, "usedPlan": True}
    fits(answer, told | {"pollDate": old["pollDate"], "templateId": template_id})
    new = poll_of(site, "planned")
    same(new["pollId"], answer["newInstanceId"], "the poll shown")
    check(new["pollId"] != old["pollId"], "the new poll has the id of the old one")
    fits(new, {"status": "OPEN", "pollDate": old["pollDate"], "isNew": False}, "the new poll")
    shown = site.portal("GET", f"/instances/{old['pollId']}")["instance"]
    same(shown["status"], "CLOSED", "the status of the old one")
    same(result_of(site, old["pollId"])["totalVotes"], 1, "the votes of the old one")
    same(result_of(site, new["pollId"])["totalVotes"], 0, "the votes of the new one")
    site.kept["replaced"] = old


@area.step
def close(site: Site) -> None:
    """A closed poll is gone from today's at once, and says whether it has a snapshot."""
    for name in ("single", "ranked", "bare template", "even", "tie"):
        poll = poll_of(site, name)
        answer = site.portal("POST", f"/instances/{poll['pollId']}/close")
        told = {"ok": True, "instanceId": poll["pollId"], "snapshotCreated": True}
        fits(answer, told | {"pollDate": poll["pollDate"], "templateId": poll["templateId"]})
        check(find(site, name) is None, f"the closed poll {name} is among today's")
        site.kept[f"closed {name}"] = poll


@area.step
def keep_results(site: Site) -> None:
    """The result of a closed poll is its snapshot, which says that it is closed."""
    for name in ("bare template", "ranked"):
        poll_id = site.kept[f"closed {name}"]["pollId"]
        answer = site.page("GET", f"/polls/{poll_id}/results")
        same(answer["cached"], expected=True, what="cached")
        result = result_of(site, poll_id)
        same(result["status"], "CLOSED", f"the status of {name}")
        same(result, snapshot_of(site, poll_id)["resultsJson"], f"the result of {name}")
        retaken = snapshot_of(site, poll_id, "POST")["resultsJson"]
        same(retaken, result, f"the retaken result of {name}")
    winner = ids(site.kept["closed ranked"], "C")[0]
    same(result["winnerOptionId"], winner, "the winner of the worked example")


@area.step
def refuse_votes(site: Site) -> None:
    """A vote for a closed or replaced poll is 409."""
    closed, replaced = site.kept["closed single"], site.kept["replaced"]
    site.vote(closed, ids(closed, "Leek"), status=409)
    site.vote(replaced, ids(replaced, "Beet"), status=409)


@area.step
def refuse_to_close_twice(site: Site) -> None:
    """To close or replace a closed poll is 409, an unknown one 404."""
    for action in ("close", "replace"):
        for name in ("closed single", "replaced"):
            site.portal("POST", f"/instances/{site.kept[name]['pollId']}/{action}", status=409)
        site.portal("POST", f"/instances/{UNKNOWN}/{action}", status=404)


@area.step
def stay_closed(site: Site) -> None:
    """A rollover opens no poll again that was closed today."""
    site.portal("POST", f"/rollover?pollDate={site.today}")
    check(find(site, "single") is None, "the closed poll was opened again")
