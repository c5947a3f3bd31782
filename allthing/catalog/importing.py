"""Import of categories and templates: safe to repeat, and no entry's fault touches another."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import DataError, IntegrityError

from allthing.catalog import catalog
from allthing.database import db, lock_until_commit
from allthing.errors import Conflict, NotFound, Problem, as_problem
from allthing.models import PollCategory, PollTemplate


@dataclass(frozen=True)
class Entry:
    """A category or template as the door read it; `fault` says why it could not."""

    type: str
    key: str
    name: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    fault: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of an entry: it is `created`, `updated`, or `skipped` for what `error` says.

    `is_fault` tells what can't be imported from what is there already.
    """

    entry: Entry
    action: str
    error: str | None = None
    is_fault: bool = False


class AlreadyThere(Conflict):
    """A template of this key is in this category: an import leaves it as it is."""


def import_catalog(entries: Sequence[Entry], *, dry_run: bool) -> list[Outcome]:
    """Add the entries in their order, each in a savepoint of its own; return what became of them.

    A dry run does all of it and takes it back.
    """
    lock_until_commit("template-keys")
    everything = db.session.begin_nested()
    known = KnownKeys()
    stores = {"category": known.store_category, "template": known.store_template}
    outcomes = [import_entry(entry, stores[entry.type]) for entry in entries]
    everything.rollback() if dry_run else everything.commit()
    return outcomes


def import_entry(entry: Entry, store: Callable[[Entry], str]) -> Outcome:
    if entry.fault is not None:
        return Outcome(entry, "skipped", entry.fault, is_fault=True)
    try:
        with db.session.begin_nested():
            return Outcome(entry, store(entry))
    except AlreadyThere as known:
        return Outcome(entry, "skipped", known.detail)
    except Problem as refusal:
        return Outcome(entry, "skipped", refusal.detail, is_fault=True)
    except (DataError, IntegrityError) as error:
        return Outcome(entry, "skipped", str(as_problem(error)), is_fault=True)


class KnownKeys:
    """The categories and the keys of templates that are stored, and those that come with us."""

    def __init__(self) -> None:
        categories = db.session.scalars(select(PollCategory))
        self.categories = {category.key: category for category in categories}
        templates = db.session.execute(select(PollTemplate.key, PollTemplate.category_id))
        self.homes: dict[str, set[str]] = defaultdict(set)
        for key, category_id in templates:
            self.homes[key].add(category_id)

    def store_category(self, entry: Entry) -> str:
        """Add a top-level category, or give the one of this key the name and place of the entry."""
        category = self.categories.get(entry.key)
        if category is not None:
            catalog.update_category(category, entry.fields)
            return "updated"
        self.categories[entry.key] = catalog.create_category(key=entry.key, **entry.fields)
        return "created"

    def store_template(self, entry: Entry) -> str:
        """Add a template. The site looks keys up globally, so one key serves one template."""
        fields = dict(entry.fields)
        category_key = fields.pop("category_key")
        category = self.categories.get(category_key)
        if category is None:
            raise NotFound(f"there is no category with the key {category_key}")
        homes = self.homes[entry.key]
        if category.id in homes:
            raise AlreadyThere("this template exists")
        if homes:
            raise Conflict("a template of another category has this key")
        catalog.create_template(category_id=category.id, key=entry.key, **fields)
        homes.add(category.id)
        return "created"
