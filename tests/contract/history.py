"""History: past results of a template, for the detail page."""

from tests.contract.checks import Json, fits, same
from tests.contract.objects import PAST_POLL, PAST_RANKED_POLL
from tests.contract.site import UNKNOWN, Site, ids
from tests.contract.walk import Area

area = Area()


def past_polls(site: Site, name: str, query: str = "") -> list[Json]:
    answer = site.page("GET", f"/polls/templates/{site.kept[name]['id']}/history{query}")
    fits(answer, {"data": [PAST_POLL]})
    days = [poll["pollDate"] for poll in answer["data"]]
    same(days, sorted(days, reverse=True), "the order of the days")
    return answer["data"]


def only(site: Site, name: str) -> Json:
    polls = past_polls(site, name)
    closed = site.kept[f"closed {name}"]
    same([poll["pollId"] for poll in polls], [closed["pollId"]], "the past polls")
    fits(polls[0], {key: closed[key] for key in ("pollDate", "title", "pollType")}, "the past poll")
    return polls[0]


@area.step
def show_single(site: Site) -> None:
    """A past single choice has its winner, and every option with votes and percentage."""
    poll = only(site, "bare template")
    same(poll["totalVotes"], 3, "totalVotes")
    shares = [(each["label"], each["voteCount"], each["percentage"]) for each in poll["options"]]
    same(shares, [("Yes", 2, 66.7), ("Perhaps", 1, 33.3), ("No", 0, 0.0)], "the options")
    winner = {"label": "Yes", "voteCount": 2, "percentage": 66.7}
    fits(poll["winner"], winner | {"optionId": poll["options"][0]["optionId"]}, "the winner")


@area.step
def show_ranked(site: Site) -> None:
    """A past ranking has the votes of its last round: C of the worked example has 58.3 percent."""
    poll = only(site, "ranked")
    fits(poll, PAST_RANKED_POLL, "the past poll")
    fits(poll, {"totalVotes": 12, "totalBallots": 12}, "the past poll")
    c = ids(site.kept["closed ranked"], "C")[0]
    winner = {"optionId": c, "label": "C", "voteCount": 7, "percentage": 58.3, "isWinner": True}
    fits(poll["winner"], winner, "the winner")
    shares = [(each["label"], each["voteCount"], each["isWinner"]) for each in poll["options"]]
    same(shares[:2], [("C", 7, True), ("A", 5, False)], "the first options")
    same(sorted(shares[2:]), [("O", 0, False), ("P", 0, False)], "the other options")
    same(poll["options"][1]["rankBreakdown"], {"1": 5, "2": 0, "3": 4, "4": 0}, "the ranks of A")
    last = {each["optionId"]: each["voteCount"] for each in poll["options"][:2]}
    same(poll["rounds"][-1]["totals"], last, "the last round")
    same(len(poll["rounds"]), 3, "the number of rounds")


@area.step
def show_ties(site: Site) -> None:
    """A tie is history without a winner, single or ranked."""
    for name in ("tie", "even"):
        poll = only(site, name)
        fits(poll, {"winner": None, "totalVotes": 2}, f"the past poll {name}")
        same([each["percentage"] for each in poll["options"]], [50.0, 50.0], "the percentages")


@area.step
def show_replaced(site: Site) -> None:
    """A replaced poll is history, the one that stands for it is not yet."""
    polls = past_polls(site, "planned")
    same([poll["pollId"] for poll in polls], [site.kept["replaced"]["pollId"]], "the past polls")
    same(past_polls(site, "short"), [], "the history of a poll that runs")


@area.step
def limit(site: Site) -> None:
    """The limit is 1 to 50, else 422; an unknown template is 404."""
    for number in (1, 50):
        same(len(past_polls(site, "ranked", f"?limit={number}")), 1, "the number of past polls")
    for bad in ("0", "51", "-1", "many"):
        path = f"/polls/templates/{site.kept['ranked']['id']}/history?limit={bad}"
        site.page("GET", path, status=422)
    site.page("GET", f"/polls/templates/{UNKNOWN}/history", status=404)
