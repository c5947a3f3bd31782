"""How much is voted: in all, today, and day by day in the poll time zone."""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import case, func, select

from allthing.database import db
from allthing.models import PollInstance, VoteBallot
from allthing.runtime import clock

DAYS = 30


def vote_figures(today: date) -> dict[str, Any]:
    """Return the contract's five figures; they count ballots as they are stored.

    `totalVotes` is all ballots of all time, `uniqueInstances` the polls that have any.
    `todayVotes` is the ballots cast on the poll day `today`, whichever day their poll began, and
    `todayInstances` the polls they are for. `dailyBreakdown` has the same two numbers for each
    of the 30 poll days that end with `today`, newest first; days without votes are left out.
    """
    ballots = select(func.count()).select_from(VoteBallot)
    voted = select(VoteBallot.id).where(VoteBallot.instance_id == PollInstance.id).exists()
    instances = select(func.count()).select_from(PollInstance).where(voted)
    total, unique = db.session.execute(
        select(ballots.scalar_subquery(), instances.scalar_subquery())
    ).one()
    days = daily_breakdown(today)
    now = next((day for day in days if day["date"] == today.isoformat()), {})
    return {
        "totalVotes": total,
        "uniqueInstances": unique,
        "todayVotes": now.get("votes", 0),
        "todayInstances": now.get("instances", 0),
        "dailyBreakdown": days,
    }


def daily_breakdown(today: date) -> list[dict[str, Any]]:
    """Count the ballots of each recent day and the polls they are for, in one query.

    Each ballot is of the last day that had begun when it was cast: right for days of any length
    and for zones at any offset.
    """
    days = [today - timedelta(days=back) for back in range(DAYS)]
    begun = [(VoteBallot.created_at >= clock.start_of(day), day.isoformat()) for day in days]
    of_day = (
        select(case(*begun).label("day"), VoteBallot.instance_id, func.count().label("ballots"))
        .where(
            VoteBallot.created_at >= clock.start_of(days[-1]),
            VoteBallot.created_at < clock.end_of(today),
        )
        .group_by("day", VoteBallot.instance_id)
        .subquery()
    )
    rows = db.session.execute(
        select(of_day.c.day, func.sum(of_day.c.ballots), func.count())
        .group_by(of_day.c.day)
        .order_by(of_day.c.day.desc())
    )
    return [{"date": day, "votes": int(votes), "instances": n} for day, votes, n in rows]
