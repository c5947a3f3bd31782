"""Templates: the polls that recur, and their options."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from allthing import cache
from allthing.database import conflict, db, find, lock_until_commit
from allthing.errors import Invalid
from allthing.models import PollCategory, PollTemplate, PollTemplateOption
from allthing.models.changes import record_change, values_of

KEY_LENGTH = 64  # characters
SUFFIX_LENGTH = 4  # of them may be needed to tell a key from others: `-2` to `-999`
SLUG_LENGTH = 25  # characters
SLUG_WORDS = 3


def list_templates(
    *, category_id: str | None = None, is_active: bool | None = None
) -> Sequence[PollTemplate]:
    """Return templates with their options, by category and key; all, or those that match."""
    query = select(PollTemplate).order_by(PollTemplate.category_id, PollTemplate.key)
    if category_id is not None:
        query = query.where(PollTemplate.category_id == category_id)
    if is_active is not None:
        query = query.where(PollTemplate.is_active == is_active)
    return db.session.scalars(query.options(selectinload(PollTemplate.options))).all()


def create_template(
    *, category_id: str, title: str, options: Sequence[str], key: str | None = None, **fields: Any
) -> PollTemplate:
    """Add a template with its options, in order; without a key it gets one of category and title.

    Raises `NotFound` for an unknown category, `Conflict` for a key in use.
    """
    category = find(PollCategory, category_id)
    key = key or free_key(category.key, title)
    template = PollTemplate(category_id=category_id, key=key, title=title, **fields)
    template.options = numbered(options)
    check_max_rank(template)
    with conflict(f"the template key {template.key} is taken"):
        db.session.add(template)
    record_change(template.id, after=values_of(template))
    return template


def update_template(template_id: str, changes: Mapping[str, Any]) -> PollTemplate:
    """Set the given attributes; polls that are open keep their words.

    Raises `NotFound` for an unknown template or category, `Conflict` for a key in use.
    """
    template = find(PollTemplate, template_id, lock="update")
    before = values_of(template)
    if "category_id" in changes:
        find(PollCategory, changes["category_id"])
    with conflict(f"the template key {changes.get('key', template.key)} is taken"):
        for attribute, value in changes.items():
            setattr(template, attribute, value)
        check_max_rank(template)
    cache.invalidate_on_commit(cache.POLLS_TOPIC)
    record_change(template.id, before=before, after=values_of(template))
    return template


def replace_options(template_id: str, labels: Sequence[str]) -> PollTemplate:
    """Give a template these options instead; open polls keep the ones they have.

    Raises `NotFound`.
    """
    template = find(PollTemplate, template_id, lock="update")
    before = [option.label for option in template.options]
    template.options = []
    db.session.flush()  # deletes go first, or the new numbers collide with the old
    template.options = numbered(labels)
    db.session.flush()
    record_change(template.id, before={"options": before}, after={"options": list(labels)})
    return template


def numbered(labels: Iterable[str]) -> list[PollTemplateOption]:
    return [PollTemplateOption(label=label, sort_order=n) for n, label in enumerate(labels)]


def check_max_rank(template: PollTemplate) -> None:
    if template.poll_type == "RANKED" and template.max_rank == 1:
        raise Invalid("maxRank: a ranked poll needs at least 2")


def free_key(category_key: str, title: str) -> str:
    """Make a template key that no template has yet: the site looks keys up globally.

    The contract's form: `<categoryKey>-<slug>`, then `-2`, `-3`… when taken.
    """
    lock_until_commit("template-keys")
    stem = f"{category_key}-{slug(title)}"[: KEY_LENGTH - SUFFIX_LENGTH].rstrip("-")
    pattern = re.compile(rf"{re.escape(stem)}(-\d+)?")
    like = select(PollTemplate.key).where(PollTemplate.key.startswith(stem, autoescape=True))
    taken = {key for key in db.session.scalars(like) if pattern.fullmatch(key)}
    candidates = (stem if n == 1 else f"{stem}-{n}" for n in range(1, len(taken) + 2))
    return next(key for key in candidates if key not in taken)


def slug(title: str) -> str:
    """Shorten a title to at most three words of `[a-z0-9-]`, or `poll` if nothing remains."""
    words = re.sub(r"[^a-z0-9\s-]", "", title.lower()).split()
    return "-".join(words[:SLUG_WORDS])[:SLUG_LENGTH].strip("-") or "poll"
