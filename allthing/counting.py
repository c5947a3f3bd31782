"""From ballots to a result: what is stored, grouped, through the tally, as the contract's JSON."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from sqlalchemy import func, select

from allthing.database import db
from allthing.models import PollInstance, PollInstanceOption, VoteBallot
from allthing.tally import instant_runoff, plurality
from allthing.tally.runoff import percent

Rankings = dict[tuple[str, ...], int]


def encode_ranking(positions: Mapping[str, int], choices: Sequence[str]) -> str:
    """Write chosen option ids as their places among the options, best first, as in `2.0.1`."""
    return ".".join(str(positions[choice]) for choice in choices)


def grouped_rankings(instance: PollInstance) -> Rankings:
    """Count the ballots of each distinct ranking; keys are option ids, best first."""
    rows = db.session.execute(
        select(VoteBallot.ranking, func.count())
        .where(VoteBallot.instance_id == instance.id)
        .group_by(VoteBallot.ranking)
    )
    ids = [option.id for option in instance.options]
    return {tuple(ids[int(place)] for place in text.split(".")): n for text, n in rows}


def count_ballots(instance: PollInstance) -> dict[str, Any]:
    """Return the instance's result as it stands, in the contract's form (section 2)."""
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
    return result | count(instance, grouped_rankings(instance))


def count_single(instance: PollInstance, rankings: Rankings) -> dict[str, Any]:
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


def count_ranked(instance: PollInstance, rankings: Rankings) -> dict[str, Any]:
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
