"""What was acknowledged, held against what is stored and shown; a sentence per violation."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from tests.crash.deployment import Deployment
from tests.crash.http_client import Json
from tests.crash.journal import STORED, Case, Journal, Outcome

CLOSINGS = """SELECT "entityId" FROM "adminAuditLogs"
    WHERE success AND action IN ('instance_closed', 'instance_replaced')"""

Counts = dict[str, Counter[str]]  # how often each ranking, by poll


@dataclass(frozen=True)
class Stored:
    """All that is checked, as the database has it."""

    polls: dict[str, tuple[str, date]]  # status and last day
    ballots: dict[tuple[str, str], list[str]]  # rankings, by poll and voter
    counts: Counts
    tallies: Counts
    snapshots: dict[str, list[tuple[str, Json]]]  # reason and result, by version
    audited: set[str]  # polls whose closing is in the audit log

    @classmethod
    def read(cls, deployment: Deployment) -> "Stored":
        polls = deployment.query('SELECT id, status, "closeDate" FROM "pollInstances"')
        counts, tallies = ({poll: Counter() for poll, *_ in polls} for _ in range(2))
        ballots, snapshots = defaultdict(list), defaultdict(list)
        stored = deployment.query('SELECT "instanceId", religion, ranking FROM "voteBallots"')
        for poll, voter, ranking in stored:
            ballots[poll, voter].append(ranking)
            counts[poll][ranking] += 1
        tallied = deployment.query('SELECT "instanceId", ranking, votes FROM "voteTallies"')
        for poll, ranking, count in tallied:
            tallies[poll][ranking] += count
        kept = deployment.query(
            'SELECT "instanceId", reason, "resultsJson" FROM "pollResultSnapshots" ORDER BY version'
        )
        for poll, reason, result in kept:
            snapshots[poll].append((reason, result))
        audited = {poll for (poll,) in deployment.query(CLOSINGS)}
        states = {poll: (status, last_day) for poll, status, last_day in polls}
        return cls(states, dict(ballots), counts, tallies, dict(snapshots), audited)


def violations(deployment: Deployment, journal: Journal) -> list[str]:
    """Return all that is wrong; nothing, if the app keeps its promises."""
    stored = Stored.read(deployment)
    return [
        *journal.unexpected,
        *(
            f"{case.voter_id} {violation}"
            for case in journal.cases
            for violation in violations_of_case(case, stored)
        ),
        *unknown_ballots(journal, stored),
        *inconsistent_polls(journal, stored),
        *miscounted(stored),
    ]


def violations_of_case(case: Case, stored: Stored) -> Iterator[str]:
    """Say what is wrong with one voter's ballot in one poll, or with what was told of it."""
    poll = case.poll["pollId"]
    status, last_day = stored.polls.get(poll, ("LOST", date.min))
    rankings = stored.ballots.get((poll, case.voter_id), [])
    acknowledged = {ranking_of(case.poll, choices) for choices in case.acknowledged}
    tried = {ranking_of(case.poll, attempt.choices) for attempt in case.attempts}
    told = [attempt.outcome for attempt in case.attempts]
    if status == "LOST":
        yield f"voted in poll {poll}, and it is lost"
    if len(rankings) > 1:
        yield f"is counted {len(rankings)} times"
    if acknowledged - set(rankings):
        yield f"was acknowledged and is lost: {told}"
    if len(acknowledged) > 1 or (not case.is_keyed and told.count(Outcome.COUNTED) > 1):
        yield f"was acknowledged twice: {told}"
    if case.has_outcome(*STORED) and not rankings:
        yield f"was told that a ballot is there, and there is none: {told}"
    if case.is_keyed and len(tried) == 1 and Outcome.ALREADY_VOTED in told:
        yield f"got no answer to a retry but a refusal: {told}"
    if set(rankings) - tried:
        yield f"chose {tried} and has {rankings}"
    if set(told) == {Outcome.CLOSED} and rankings:
        yield "was refused, the poll being closed, and is counted"
    closed_on = [attempt.day for attempt in case.attempts if attempt.outcome is Outcome.CLOSED]
    if closed_on and status == "OPEN" and min(closed_on) <= last_day:
        yield f"was told on {min(closed_on)} that a poll is closed which is open to {last_day}"
    yield from (f"got {a.answer}" for a in case.attempts if a.outcome is Outcome.UNEXPECTED)


def unknown_ballots(journal: Journal, stored: Stored) -> Iterator[str]:
    """Find ballots that nobody cast."""
    cast = {(case.poll["pollId"], case.voter_id) for case in journal.cases}
    yield from (f"nobody cast the ballot {place}" for place in stored.ballots.keys() - cast)


def inconsistent_polls(journal: Journal, stored: Stored) -> Iterator[str]:
    """Find polls whose closing, result and counters don't belong together."""
    for poll, (status, _) in stored.polls.items():
        reasons = [reason for reason, _ in stored.snapshots.get(poll, [])]
        results = [reason for reason in reasons if reason != "INTERIM"]
        if status == "OPEN" and poll in journal.closed:
            yield f"poll {poll} was closed for an admin and is open"
        if poll in journal.closed - stored.audited:
            yield f"poll {poll} was closed for an admin and no audit row tells it"
        if status == "OPEN" and results:
            yield f"poll {poll} is open and has a final result"
        if status == "CLOSED" and not results:
            yield f"poll {poll} is closed and has no result"
        if len(results) > 1:
            yield f"the result of poll {poll} had to be corrected: {results}"


def miscounted(stored: Stored) -> Iterator[str]:
    """Find counters and closed polls' results that are not what their ballots say."""
    for poll in stored.polls:
        ballots = stored.counts[poll]
        if +stored.tallies[poll] != ballots:
            yield f"poll {poll} counted {stored.tallies[poll]} of {ballots}"
        for reason, result in stored.snapshots.get(poll, []):
            total = result["totalBallots"]
            if total > ballots.total() or (reason != "INTERIM" and not agree(result, ballots)):
                yield f"the {reason} result of {poll} has {total} of {ballots.total()} ballots"


def agree(result: Json, ballots: Counter[str]) -> bool:
    """Tell whether a result counts these rankings: all of them, and each option at each rank."""
    places = Counter(
        (int(place), rank)
        for ranking in ballots.elements()
        for rank, place in enumerate(ranking.split("."), 1)
    )
    if result["pollType"] == "SINGLE":
        shown = {row["optionId"]: {"1": row["count"]} for row in result["results"]}
    else:
        shown = result["rankBreakdown"]
    counted = Counter(
        {
            (option["sortOrder"], int(rank)): count
            for option in result["options"]
            for rank, count in shown[option["optionId"]].items()
        }
    )
    return result["totalBallots"] == ballots.total() and +counted == places


def ranking_of(poll: Json, choices: tuple[str, ...]) -> str:
    """Write a ballot as it is stored: the places of its options, best first."""
    places = {option["optionId"]: option["sortOrder"] for option in poll["options"]}
    return ".".join(str(places[choice]) for choice in choices)


def wrong_results_shown(deployment: Deployment) -> list[str]:
    """Return where any replica shows results other than of all the ballots there are."""
    counts: dict[str, int] = dict(
        deployment.query('SELECT "instanceId", count(*) FROM "voteBallots" GROUP BY 1')
    )
    found = []
    for (poll,) in deployment.query('SELECT id FROM "pollInstances"'):
        for port in deployment.ports:
            answer = deployment.client.send(port, "GET", f"/polls/{poll}/results")
            total = answer and answer.body.get("data", {}).get("totalBallots")
            if total != counts.get(poll, 0):
                found.append(f"poll {poll} shows {total} of {counts.get(poll, 0)} ballots")
    return found
