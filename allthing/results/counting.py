"""From ballots to a result: what is stored, grouped, through the tally, as the contract's JSON."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import orjson
from sqlalchemy import BindParameter, String, Subquery, cast, func, literal, select, union_all

from allthing.database import db
from allthing.models import PollInstance, PollInstanceOption, VoteBallot, VoteTally
from allthing.results.tally import (
    Ballots,
    Preferences,
    Rankings,
    by_options,
    instant_runoff,
    plurality,
)
from allthing.results.tally.runoff import percent

Counts = Mapping[str, int]


@dataclass(frozen=True)
class TallyCheck:
    """What the ballots of a poll say and what its tallies say, both at one moment."""

    ballots: Counts
    tallies: Counts

    @property
    def differences(self) -> dict[str, tuple[int, int]]:
        """Return the tally and the ballots of each ranking for which they differ."""
        found = {
            ranking: (self.tallies.get(ranking, 0), self.ballots.get(ranking, 0))
            for ranking in sorted(self.tallies.keys() | self.ballots.keys())
        }
        return {ranking: pair for ranking, pair in found.items() if pair[0] != pair[1]}


def check_tallies(instance: PollInstance) -> TallyCheck:
    """Count the ballots of each distinct ranking, and read their tallies in the same statement."""
    ballots = select(VoteBallot.ranking, func.count().label("cast"), literal(0).label("tallied"))
    tallies = select(VoteTally.ranking, literal(0), VoteTally.votes)
    both = union_all(
        ballots.where(VoteBallot.instance_id == instance.id).group_by(VoteBallot.ranking),
        tallies.where(VoteTally.instance_id == instance.id),
    ).subquery()
    rows = db.session.execute(
        select(both.c.ranking, func.sum(both.c.cast), func.sum(both.c.tallied))
        .group_by(both.c.ranking)
        .order_by(both.c.ranking)
    ).all()
    return TallyCheck(
        ballots={ranking: int(cast) for ranking, cast, _ in rows if cast},
        tallies={ranking: int(tallied) for ranking, _, tallied in rows if tallied},
    )


def tallies_of(instance_id: BindParameter[str]) -> Subquery:
    """Select the rankings of a poll's ballots and how many hold each, as two texts, in one row.

    Shards are not added up: the count does that as well.
    """
    rankings = func.aggregate_strings(VoteTally.ranking, ",")
    votes = func.aggregate_strings(cast(VoteTally.votes, String), ",")
    tallies = select(rankings.label("rankings"), votes.label("votes"))
    return tallies.where(VoteTally.instance_id == instance_id).subquery()


def read_tallies(rankings: str | None, votes: str | None) -> Iterable[Ballots]:
    """Read what `tallies_of` selected; of a poll without ballots that is nothing."""
    if rankings is None:
        return []
    return zip(rankings.split(","), orjson.loads(f"[{votes}]"), strict=True)


def grouped_rankings(instance: PollInstance) -> Rankings:
    """Count the ballots of each distinct ranking; keys are option ids, best first."""
    ids = [option.id for option in instance.options]
    return by_options(check_tallies(instance).ballots.items(), ids)


def result_of(instance: PollInstance, ballots: Iterable[Ballots]) -> dict[str, Any]:
    """Return the result of these ballots in the contract's form (section 2)."""
    result: dict[str, Any] = {
        "found": True,
        "pollId": instance.id,
        "pollDate": instance.poll_date.isoformat(),
        "title": instance.title,
        "question": instance.question,
        "pollType": instance.poll_type,
        "maxRank": instance.max_rank,
        "audience": instance.audience,
        "status": instance.status,
        "options": [option_json(option) for option in instance.options],
    }
    count = count_single if instance.poll_type == "SINGLE" else count_ranked
    ids = [option.id for option in instance.options]
    return result | count(instance, Preferences.of_places(ballots, ids))


def count_single(instance: PollInstance, rankings: Preferences) -> dict[str, Any]:
    """Count single choices; ties keep the order of the ballot."""
    counted = plurality(rankings, [option.id for option in instance.options])
    results = [
        {
            "optionId": option.id,
            "label": option.label,
            "count": counted.counts[option.id],
            "percentage": percent(counted.counts[option.id], counted.total_ballots),
        }
        for option in instance.options
    ]
    return {
        "totalVotes": counted.total_ballots,
        "totalBallots": counted.total_ballots,
        "winnerOptionId": counted.winner,
        "outcome": counted.outcome,
        "tied": list(counted.tied),
        "results": sorted(results, key=lambda row: -row["count"]),
    }


def count_ranked(instance: PollInstance, rankings: Preferences) -> dict[str, Any]:
    """Run the instant runoff by IRV-1: the contract's fields, and beside them the rule's own.

    Where they share a name, the contract's form stands: `eliminated` is the first option in the
    order of the ballot and `eliminatedAll` has all that leave; `rankBreakdown` has every option at
    every rank, zeros included.
    """
    labels = {option.id: option.label for option in instance.options}
    counted = instant_runoff(rankings, list(labels), instance.id)
    result = counted.as_dict(labels)
    ranks = [str(rank) for rank in range(1, len(labels) + 1)]
    del result["winner"]
    return result | {
        "totalVotes": counted.total_ballots,
        "winnerOptionId": counted.winner,
        "rounds": [round_json(entry) for entry in result["rounds"]],
        "rankBreakdown": {
            option: dict(zip_longest(ranks, by_rank, fillvalue=0))
            for option, by_rank in counted.by_rank.items()
        },
    }


def round_json(entry: dict[str, Any]) -> dict[str, Any]:
    eliminated = entry["eliminated"]
    return entry | {"eliminated": next(iter(eliminated), None), "eliminatedAll": eliminated}


def option_json(option: PollInstanceOption) -> dict[str, Any]:
    return {"optionId": option.id, "label": option.label, "sortOrder": option.sort_order}
