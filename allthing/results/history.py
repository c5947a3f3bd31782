"""Past results of a template, as they were frozen when its polls were closed."""

from typing import Any

from sqlalchemy import select

from allthing.database import db, find
from allthing.models import PollInstance, PollResultSnapshot, PollTemplate
from allthing.results.snapshots import is_result

Result = dict[str, Any]

SHARED_FIELDS = ("pollId", "pollDate", "title", "pollType", "totalVotes", "outcome", "tied")
RANKED_FIELDS = (
    *("totalBallots", "ruleset", "rounds", "decidedByLot", "lotDecisive", "lotOrder"),
    *("pairwise", "condorcetWinner"),
)


def history_of(template_id: str, limit: int) -> list[dict[str, Any]]:
    """Return the template's closed polls that have a snapshot, newest first, as the contract says.

    A poll that was replaced comes after the one that took its date. Raises `NotFound` for an
    unknown template.
    """
    template = find(PollTemplate, template_id)
    frozen = db.session.scalars(
        select(PollResultSnapshot.results)
        .join(PollInstance, PollInstance.id == PollResultSnapshot.instance_id)
        .where(PollInstance.template_id == template.id, is_result())
        .order_by(
            PollInstance.poll_date.desc(),
            PollInstance.replaced_at.desc().nulls_first(),
            PollInstance.id,
        )
        .limit(limit)
    )
    return [past_poll(result) for result in frozen]


def past_poll(result: Result) -> dict[str, Any]:
    """Retell a frozen result, options with most votes first; a tie has no winner."""
    is_ranked = result["pollType"] == "RANKED"
    options = ranked_options(result) if is_ranked else single_options(result)
    winner = next((o for o in options if o["optionId"] == result["winnerOptionId"]), None)
    told = SHARED_FIELDS + (RANKED_FIELDS if is_ranked else ())
    return {name: result[name] for name in told} | {"winner": winner, "options": options}


def single_options(result: Result) -> list[dict[str, Any]]:
    return [option_json(row, row["count"], result) for row in result["results"]]


def ranked_options(result: Result) -> list[dict[str, Any]]:
    """Give each option its votes in the last round: none if it was eliminated before."""
    totals = result["rounds"][-1]["totals"] if result["rounds"] else {}
    options = [
        option_json(option, totals.get(option["optionId"], 0), result)
        | {
            "isWinner": option["optionId"] == result["winnerOptionId"],
            "rankBreakdown": result["rankBreakdown"][option["optionId"]],
        }
        for option in result["options"]
    ]
    return sorted(options, key=lambda option: -option["voteCount"])


def option_json(option: dict[str, Any], votes: int, result: Result) -> dict[str, Any]:
    total = result["totalBallots"]
    return {
        "optionId": option["optionId"],
        "label": option["label"],
        "voteCount": votes,
        "percentage": round(100 * votes / total, 1) if total else 0.0,
    }
