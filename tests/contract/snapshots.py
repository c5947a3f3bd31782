"""Snapshots: the kept results, as the operations page takes and shows them."""

from tests.contract.checks import Json, check, fits, is_count, same
from tests.contract.objects import OK, SNAPSHOT
from tests.contract.site import UNKNOWN, Site
from tests.contract.today import poll_of
from tests.contract.walk import Area

area = Area()


def snapshot_of(site: Site, poll_id: str, method: str = "GET") -> Json:
    answer = site.portal(method, f"/instances/{poll_id}/snapshot")
    fits(answer, {"ok": True, "snapshot": SNAPSHOT})
    if method == "POST":
        expected = {"instanceId": poll_id, "snapshotId": answer["snapshot"]["id"]}
        fits(answer, expected)
    fits(answer["snapshot"], {"instanceId": poll_id}, "the snapshot")
    return answer["snapshot"]


@area.step
def take_of_open_polls(site: Site) -> None:
    """The snapshot of an open poll shows its result as it stands, single or ranked."""
    for name, total in (("bare template", "totalVotes"), ("ranked", "totalBallots")):
        poll = poll_of(site, name)
        kept = snapshot_of(site, poll["pollId"], "POST")
        now = site.page("GET", f"/polls/{poll['pollId']}/results")["data"]
        same(kept["resultsJson"], now, f"resultsJson of {name}")
        same(kept[total], now[total], f"{total} of {name}")
        same(snapshot_of(site, poll["pollId"])["id"], kept["id"], "the id of the snapshot shown")
    same(kept["winnerOptionId"], now["winnerOptionId"], "winnerOptionId")


@area.step
def take_of_all(site: Site) -> None:
    """Snapshots are taken of all open polls, of all closed ones, and where they are missing."""
    for path, counts in (
        ("create-for-active", ("createdCount", "totalActive")),
        ("create-missing", ("createdCount", "totalMissing")),
        ("regenerate", ("regeneratedCount", "totalClosed")),
    ):
        answer = site.portal("POST", f"/snapshots/{path}")
        fits(answer, OK | dict.fromkeys(counts, is_count))
        check(isinstance(answer.get("message", ""), str), f"message of {path} is no text")


@area.step
def stay_new(site: Site) -> None:
    """A poll that runs stays new, whatever snapshots were taken of it."""
    same(poll_of(site, "ranked")["isNew"], expected=True, what="isNew")


@area.step
def refuse_unknown(site: Site) -> None:
    """An unknown instance has no snapshot: 404."""
    site.portal("POST", f"/instances/{UNKNOWN}/snapshot", status=404)
    site.portal("GET", f"/instances/{UNKNOWN}/snapshot", status=404)
