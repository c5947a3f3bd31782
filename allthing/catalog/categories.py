"""Categories: a tree, changed one node at a time."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from allthing import cache
from allthing.database import conflict, db, find, lock_until_commit
from allthing.errors import Invalid
from allthing.models import PollCategory
from allthing.models.changes import record_change, values_of


def children_by_parent() -> Mapping[str | None, Sequence[PollCategory]]:
    """Return all categories by the id of their parent, siblings by sort order and name.

    Those of None are the top level.
    """
    children: dict[str | None, list[PollCategory]] = defaultdict(list)
    ordered = select(PollCategory).order_by(PollCategory.sort_order, PollCategory.name)
    for category in db.session.scalars(ordered):
        children[category.parent_id].append(category)
    return children


def create_category(
    *, key: str, name: str, sort_order: int = 0, parent_id: str | None = None
) -> PollCategory:
    """Add a category. Raises `NotFound` for an unknown parent, `Conflict` for a key in use."""
    if parent_id is not None:
        find(PollCategory, parent_id)
    category = PollCategory(key=key, name=name, sort_order=sort_order, parent_id=parent_id)
    with conflict(f"the category key {key} is taken"):
        db.session.add(category)
    record_change(category.id, after=values_of(category))
    return category


def update_category(category_id: str, changes: Mapping[str, Any]) -> PollCategory:
    """Set the given attributes of a category.

    Raises `NotFound` for an unknown category or parent, `Conflict` for a key in use, and
    `Invalid` where the tree would become a circle.
    """
    category = find(PollCategory, category_id, lock="update")
    before = values_of(category)
    apply_changes(category, changes)
    record_change(category.id, before=before, after=values_of(category))
    return category


def apply_changes(category: PollCategory, changes: Mapping[str, Any]) -> None:
    """Set the given attributes; raises as `update_category` does."""
    if changes.get("parent_id") is not None:
        check_parent(category, changes["parent_id"])
    with conflict(f"the category key {changes.get('key')} is taken"):
        for attribute, value in changes.items():
            setattr(category, attribute, value)
    cache.invalidate_on_commit(cache.POLLS_TOPIC)


def check_parent(category: PollCategory, parent_id: str) -> None:
    """Refuse the category itself and all below it as its parent."""
    lock_until_commit("category-tree")
    ancestor: str | None = find(PollCategory, parent_id).id
    while ancestor is not None:
        if ancestor == category.id:
            raise Invalid("parentCategoryId: a category can't be below itself")
        ancestor = find(PollCategory, ancestor).parent_id
