"""The rules of the catalog: how categories and templates come to be and change."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from allthing import cache
from allthing.database import conflict, db, find, lock_until_commit
from allthing.errors import Invalid
from allthing.models import PollCategory, PollInstance, PollTemplate, PollTemplateOption

KEY_LENGTH = 64
SLUG_LENGTH = 25
SLUG_WORDS = 3


def create_category(
    *, key: str, name: str, sort_order: int = 0, parent_id: str | None = None
) -> PollCategory:
    """Add a category. Raises 404 for an unknown parent, 409 for a key in use."""
    if parent_id is not None:
        find(PollCategory, parent_id)
    category = PollCategory(key=key, name=name, sort_order=sort_order, parent_id=parent_id)
    with conflict(f"the category key {key} is taken"):
        db.session.add(category)
    return category


def update_category(category: PollCategory, changes: Mapping[str, Any]) -> None:
    """Set the given attributes. Raises 404, 409, and 422 where the tree would become a circle."""
    if changes.get("parent_id") is not None:
        check_parent(category, changes["parent_id"])
    with conflict(f"the category key {changes.get('key')} is taken"):
        assign(category, changes)
    cache.forget_on_commit(cache.POLLS)


def check_parent(category: PollCategory, parent_id: str) -> None:
    """Refuse the category itself and all below it as its parent."""
    lock_until_commit("category-tree")
    ancestor: str | None = find(PollCategory, parent_id).id
    while ancestor is not None:
        if ancestor == category.id:
            raise Invalid("parentCategoryId: a category can't be below itself")
        ancestor = find(PollCategory, ancestor).parent_id


def move_instance(instance: PollInstance, category_id: str) -> None:
    """Show a poll in another category; its template stays. Raises 404 for an unknown one."""
    instance.category_id = find(PollCategory, category_id).id
    db.session.flush()
    cache.forget_on_commit(cache.POLLS)


def create_template(
    *, category_id: str, title: str, options: Sequence[str], key: str | None = None, **fields: Any
) -> PollTemplate:
    """Add a template with its options, in order; without a key it gets one of category and title.

    Raises 404 for an unknown category, 409 for a key in use.
    """
    category = find(PollCategory, category_id)
    key = key or free_key(category.key, title)
    template = PollTemplate(category_id=category_id, key=key, title=title, **fields)
    template.options = numbered(options)
    check_ranks(template)
    with conflict(f"the template key {template.key} is taken"):
        db.session.add(template)
    return template


def update_template(template: PollTemplate, changes: Mapping[str, Any]) -> None:
    """Set the given attributes. Raises 404 for an unknown category, 409 for a key in use."""
    if "category_id" in changes:
        find(PollCategory, changes["category_id"])
    with conflict(f"the template key {changes.get('key', template.key)} is taken"):
        assign(template, changes)
        check_ranks(template)
    cache.forget_on_commit(cache.POLLS)


def replace_options(template: PollTemplate, labels: Sequence[str]) -> None:
    """Give the template these options instead; open polls keep the ones they have."""
    template.options = []
    db.session.flush()  # deletes go first, or the new numbers collide with the old
    template.options = numbered(labels)
    db.session.flush()


def numbered(labels: Iterable[str]) -> list[PollTemplateOption]:
    return [PollTemplateOption(label=label, sort_order=n) for n, label in enumerate(labels)]


def check_ranks(template: PollTemplate) -> None:
    if template.poll_type == "RANKED" and template.max_rank == 1:
        raise Invalid("maxRank: a ranked poll needs at least 2")


def assign(entity: PollCategory | PollTemplate, changes: Mapping[str, Any]) -> None:
    for attribute, value in changes.items():
        setattr(entity, attribute, value)


def free_key(category_key: str, title: str) -> str:
    """Make a template key that no template has yet: the site looks keys up globally.

    The contract's form: `<categoryKey>-<slug>`, then `-2`, `-3`… when taken.
    """
    lock_until_commit("template-keys")
    stem = f"{category_key}-{slug(title)}"[: KEY_LENGTH - 4].rstrip("-")
    pattern = re.compile(rf"{re.escape(stem)}(-\d+)?")
    like = select(PollTemplate.key).where(PollTemplate.key.startswith(stem, autoescape=True))
    taken = {key for key in db.session.scalars(like) if pattern.fullmatch(key)}
    candidates = (stem if n == 1 else f"{stem}-{n}" for n in range(1, len(taken) + 2))
    return next(key for key in candidates if key not in taken)


def slug(title: str) -> str:
    """Shorten a title to at most three words of `[a-z0-9-]`, or `poll` if nothing remains."""
    words = re.sub(r"[^a-z0-9\s-]", "", title.lower()).split()
    return "-".join(words[:SLUG_WORDS])[:SLUG_LENGTH].strip("-") or "poll"
