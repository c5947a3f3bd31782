"""From ballots to a result: what is stored, grouped, through the tally, as the contract's JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from allthing.database import db
from allthing.models import PollInstance, PollInstanceOption, VoteBallot
from allthing.runoff import Round
from allthing.tally import instant_runoff, plurality

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
        {"optionId": option.id, "label": option.label, "count": counted.counts[option.id]}
        for option in instance.options
    ]
    return {
        "totalVotes": counted.total_ballots,
        "totalBallots": counted.total_ballots,
        "winnerOptionId": counted.winner,
        "outcome": counted.outcome,
        "results": sorted(results, key=lambda row: -row["count"]),
    }


def count_ranked(instance: PollInstance, rankings: Rankings) -> dict[str, Any]:
    """Run the instant runoff; `rankBreakdown` has every option at every rank, zeros included."""
    counted = instant_runoff(rankings, [option.id for option in instance.options], instance.id)
    ranks = range(1, len(instance.options) + 1)
    breakdown = {
        option: dict.fromkeys(map(str, ranks), 0) | {str(r): n for r, n in enumerate(by_rank, 1)}
        for option, by_rank in counted.by_rank.items()
    }
    return {
        "totalVotes": counted.total_ballots,
        "totalBallots": counted.total_ballots,
        "winnerOptionId": counted.winner,
        "outcome": counted.outcome,
        "rounds": [round_json(r) for r in counted.rounds],
        "rankBreakdown": breakdown,
    }


def round_json(counted: Round) -> dict[str, Any]:
    return {
        "round": counted.number,
        "totals": counted.totals,
        "eliminated": next(iter(counted.eliminated), None),
        "eliminatedAll": list(counted.eliminated),
        "exhausted": counted.exhausted,
    }


def option_json(option: PollInstanceOption) -> dict[str, Any]:
    return {"optionId": option.id, "label": option.label, "sortOrder": option.sort_order}
