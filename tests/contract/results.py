"""Results of open polls: what the detail page asks for right after its vote."""

from tests.contract.checks import Json, check, fits, same
from tests.contract.objects import RANKED_RESULT, SINGLE_RESULT
from tests.contract.site import UNKNOWN, Site, ids
from tests.contract.today import poll_of
from tests.contract.walk import Area

WORKED_EXAMPLE = ((5, "AP"), (4, "COA"), (3, "OC"))

area = Area()


def result_of(site: Site, poll_id: str) -> Json:
    answer = site.page("GET", f"/polls/{poll_id}/results")
    fits(answer, {"cached": bool, "data": dict})
    result = answer["data"]
    fits(result, SINGLE_RESULT if result["pollType"] == "SINGLE" else RANKED_RESULT, "the result")
    return result


def cast(site: Site, poll: Json, *labels: str) -> None:
    site.vote(poll, ids(poll, *labels))


@area.step
def show_empty(site: Site) -> None:
    """A poll without votes has a result, of zeros and without a winner."""
    poll = poll_of(site, "bare template")
    single = result_of(site, poll["pollId"])
    words = ("pollId", "pollDate", "title", "question", "pollType", "maxRank", "audience", "status")
    fits(single, {name: poll[name] for name in words}, "the result")
    same(single["options"], poll["options"], "the options")
    same(single["totalVotes"], 0, "totalVotes")
    same([row["count"] for row in single["results"]], [0, 0, 0], "the counts")
    labels = [option["label"] for option in poll["options"]]
    same([row["label"] for row in single["results"]], labels, "the order without votes")
    ranked = result_of(site, poll_of(site, "ranked")["pollId"])
    fits(ranked, {"totalBallots": 0, "winnerOptionId": None}, "the ranked result")


@area.step
def count_at_once(site: Site) -> None:
    """A single choice is counted at once: every option, most votes first, then in ballot order."""
    poll = poll_of(site, "bare template")
    result_of(site, poll["pollId"])  # what a cache would keep
    expected = {"No": 0, "Yes": 0, "Perhaps": 0}
    for label in ("Perhaps", "Yes", "Yes"):
        cast(site, poll, label)
        expected[label] += 1
        result = result_of(site, poll["pollId"])
        same({row["label"]: row["count"] for row in result["results"]}, expected, "the counts")
        same(result["totalVotes"], sum(expected.values()), "totalVotes")
    order = [row["label"] for row in result["results"]]
    same(order, ["Yes", "Perhaps", "No"], "the order of the results")
    tied = result_of(site, poll_of(site, "single")["pollId"])["results"]
    counts = [row["count"] for row in tied]
    same(counts, sorted(counts, reverse=True), "the order of counts")


@area.step
def count_worked_example(site: Site) -> None:
    """The worked example of the contract comes out round by round: C wins in the third."""
    poll = poll_of(site, "ranked")
    for times, labels in WORKED_EXAMPLE:
        for _ in range(times):
            cast(site, poll, *labels)
    result = result_of(site, poll["pollId"])
    a, c, o, p = ids(poll, *"ACOP")
    fits(result, {"totalBallots": 12, "winnerOptionId": c}, "the result")
    expected = [
        ({a: 5, c: 4, o: 3, p: 0}, p),
        ({a: 5, c: 4, o: 3}, o),
        ({a: 5, c: 7}, None),
    ]
    rounds = [(each["totals"], each["eliminated"]) for each in result["rounds"]]
    same(rounds, expected, "the rounds")
    same([each["round"] for each in result["rounds"]], [1, 2, 3], "the numbers of the rounds")
    same([each["exhausted"] for each in result["rounds"]], [0, 0, 0], "the exhausted ballots")


@area.step
def break_down_by_rank(site: Site) -> None:
    """The ranks of the worked example: every option at every rank, zeros included."""
    poll = poll_of(site, "ranked")
    breakdown = result_of(site, poll["pollId"])["rankBreakdown"]
    by_label = {
        "A": {"1": 5, "2": 0, "3": 4, "4": 0},
        "C": {"1": 4, "2": 3, "3": 0, "4": 0},
        "O": {"1": 3, "2": 4, "3": 0, "4": 0},
        "P": {"1": 0, "2": 5, "3": 0, "4": 0},
    }
    expected = {ids(poll, label)[0]: ranks for label, ranks in by_label.items()}
    same(breakdown, expected, "rankBreakdown")


@area.step
def count_exhausted(site: Site) -> None:
    """A ballot none of whose options is left is exhausted, and no part of the majority."""
    poll = poll_of(site, "short")  # has B A, and C A
    cast(site, poll, "B", "A")
    cast(site, poll, "C", "A")
    cast(site, poll, "A", "C")
    cast(site, poll, "A", "B")
    cast(site, poll, "B", "C")
    result = result_of(site, poll["pollId"])
    a, b, c = ids(poll, *"ABC")
    same(result["rounds"][0]["totals"], {a: 2, b: 3, c: 2}, "the first round")
    last = result["rounds"][-1]
    check(last["eliminated"] is None, "somebody is eliminated in the last round")
    active = sum(last["totals"].values()) + last["exhausted"]
    same(active, result["totalBallots"], "all ballots of the last round")


@area.step
def tell_ties(site: Site) -> None:
    """A final tie of two has no winner."""
    ranked, single = poll_of(site, "tie"), poll_of(site, "even")
    for labels in (("This", "That"), ("That", "This")):
        cast(site, ranked, *labels)
        cast(site, single, labels[0])
    tied = result_of(site, ranked["pollId"])
    fits(tied, {"winnerOptionId": None, "totalBallots": 2}, "the result")


@area.step
def refuse_unknown_poll(site: Site) -> None:
    """The result of an unknown poll is 404."""
    site.page("GET", f"/polls/{UNKNOWN}/results", status=404)
