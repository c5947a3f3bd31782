"""What the public sees: the open polls of a day, as a tree of categories."""

import functools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, select

from allthing.catalog.categories import children_by_parent
from allthing.database import db
from allthing.models import (
    PollInstance,
    PollInstanceOption,
    PollResultSnapshot,
    PollTemplate,
)
from allthing.results.snapshots import is_result
from allthing.runtime.clock import end_of, poll_zone, start_of

Tree = list[dict[str, Any]]


def open_polls(day: date) -> dict[str, Any]:
    """Return `{"pollDate", "categories"}` of the contract; categories without polls are left out.

    A poll is listed from its date until it is closed. Its words are those of its opening;
    context, key and `featured` are its template's of now. Newest first.
    """
    is_listed = and_(
        PollInstance.status == "OPEN",
        PollInstance.audience == "PUBLIC",
        PollInstance.poll_date <= day,
    )
    rows = list(poll_rows(is_listed))
    options = options_of([row.id for row in rows])  # not by what may have changed since
    known = templates_with_results(is_listed)
    starts, ends = functools.cache(start_of), functools.cache(end_of)  # many polls of few days
    zone = poll_zone().key
    polls: dict[str, Tree] = defaultdict(list)
    for row in rows:
        polls[row.category_id].append(
            {
                "pollId": row.id,
                "templateId": row.template_id,
                "templateKey": row.key,
                "pollDate": row.poll_date.isoformat(),
                "closeDate": row.close_date.isoformat(),
                "opensAt": starts(row.poll_date).isoformat(),
                "closesAt": ends(row.close_date).isoformat(),
                "timezone": zone,
                "title": row.title,
                "question": row.question,
                "contextText": row.context_text,
                "pollType": row.poll_type,
                "maxRank": row.max_rank,
                "audience": row.audience,
                "status": row.status,
                "featured": row.featured,
                "isNew": row.template_id not in known,
                "options": options[row.id],
            }
        )
    return {"pollDate": day.isoformat(), "categories": category_tree(polls)}


def poll_rows(is_listed: ColumnElement[bool]) -> Iterable[Row[Any]]:
    """Return columns, not objects: those of a thousand polls would take five times as long."""
    return db.session.execute(
        select(
            *(PollInstance.id, PollInstance.template_id, PollInstance.category_id),
            *(PollInstance.poll_date, PollInstance.close_date),
            *(PollInstance.title, PollInstance.question),
            *(PollInstance.poll_type, PollInstance.max_rank),
            *(PollInstance.audience, PollInstance.status),
            *(PollTemplate.key, PollTemplate.context_text, PollTemplate.featured),
        )
        .join(PollTemplate, PollTemplate.id == PollInstance.template_id)
        .where(is_listed)
        .order_by(PollInstance.poll_date.desc(), PollTemplate.key)
    )


def options_of(poll_ids: Sequence[str]) -> dict[str, Tree]:
    """Return the options of each poll, in order."""
    options: dict[str, Tree] = defaultdict(list)
    rows = db.session.execute(
        select(
            *(PollInstanceOption.instance_id, PollInstanceOption.id),
            *(PollInstanceOption.label, PollInstanceOption.sort_order),
        )
        .where(PollInstanceOption.instance_id.in_(poll_ids))
        .order_by(PollInstanceOption.instance_id, PollInstanceOption.sort_order)
    )
    for instance_id, option_id, label, order in rows:
        options[instance_id].append({"optionId": option_id, "label": label, "sortOrder": order})
    return options


def templates_with_results(is_listed: ColumnElement[bool]) -> set[str]:
    """Return those of which a closed poll has a snapshot: they are not new any more."""
    listed = select(PollInstance.template_id).where(is_listed)
    ended = (
        select(PollResultSnapshot.id)
        .join(PollInstance, PollInstance.id == PollResultSnapshot.instance_id)
        .where(PollInstance.template_id == PollTemplate.id, is_result())
    )
    known = select(PollTemplate.id).where(PollTemplate.id.in_(listed), ended.exists())
    return set(db.session.scalars(known))


def category_tree(polls: dict[str, Tree]) -> Tree:
    """Hang the polls into the tree of categories, to any depth, by sort order and name."""
    children = children_by_parent()

    def below(parent_id: str | None) -> Tree:
        nodes = [
            {
                "categoryId": category.id,
                "categoryKey": category.key,
                "categoryName": category.name,
                "sortOrder": category.sort_order,
                "parentCategoryId": category.parent_id,
                "polls": polls.get(category.id, []),
                "subCategories": below(category.id),
            }
            for category in children.get(parent_id, ())
        ]
        return [node for node in nodes if node["polls"] or node["subCategories"]]

    return below(None)
