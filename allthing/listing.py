"""What the public sees: the open polls of a day, as a tree of categories."""

from collections import defaultdict
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from allthing.clock import poll_zone
from allthing.counting import option_json
from allthing.database import db
from allthing.models import PollCategory, PollInstance, PollResultSnapshot, PollTemplate
from allthing.snapshots import is_result

Tree = list[dict[str, Any]]


def open_polls(day: date) -> dict[str, Any]:
    """Return `{"pollDate", "categories"}` of the contract; categories without polls are left out.

    A poll is listed from its date until it is closed. Its words are those of its opening;
    context, key and `featured` are its template's of now. Newest first.
    """
    rows = db.session.execute(
        select(PollInstance, PollTemplate)
        .join(PollTemplate, PollTemplate.id == PollInstance.template_id)
        .where(
            PollInstance.status == "OPEN",
            PollInstance.audience == "PUBLIC",
            PollInstance.poll_date <= day,
        )
        .order_by(PollInstance.poll_date.desc(), PollTemplate.key)
        .options(selectinload(PollInstance.options))
    ).all()
    known = templates_with_results({template.id for _, template in rows})
    polls: dict[str, Tree] = defaultdict(list)
    for instance, template in rows:
        polls[instance.category_id].append(
            poll_json(instance, template, is_new=template.id not in known)
        )
    return {"pollDate": day.isoformat(), "categories": category_tree(polls)}


def templates_with_results(template_ids: set[str]) -> set[str]:
    """Return those of which a closed poll has a snapshot: they are not new any more."""
    return set(
        db.session.scalars(
            select(PollInstance.template_id)
            .join(PollResultSnapshot, PollResultSnapshot.instance_id == PollInstance.id)
            .where(PollInstance.template_id.in_(template_ids), is_result())
            .distinct()
        )
    )


def category_tree(polls: dict[str, Tree]) -> Tree:
    """Hang the polls into the tree of categories, to any depth, by sort order and name."""
    children: dict[str | None, list[PollCategory]] = defaultdict(list)
    ordered = select(PollCategory).order_by(PollCategory.sort_order, PollCategory.name)
    for category in db.session.scalars(ordered):
        children[category.parent_id].append(category)

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
            for category in children[parent_id]
        ]
        return [node for node in nodes if node["polls"] or node["subCategories"]]

    return below(None)


def poll_json(instance: PollInstance, template: PollTemplate, *, is_new: bool) -> dict[str, Any]:
    return {
        "pollId": instance.id,
        "templateId": template.id,
        "templateKey": template.key,
        "pollDate": instance.poll_date.isoformat(),
        "closeDate": instance.close_date.isoformat(),
        "opensAt": instance.opens_at.isoformat(),
        "closesAt": instance.closes_at.isoformat(),
        "timezone": poll_zone().key,
        "title": instance.title,
        "question": instance.question,
        "contextText": template.context_text,
        "pollType": instance.poll_type,
        "maxRank": instance.max_rank,
        "audience": instance.audience,
        "status": instance.status,
        "featured": template.featured,
        "isNew": is_new,
        "options": [option_json(option) for option in instance.options],
    }
