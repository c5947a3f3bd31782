"""Import of categories and templates: safe to repeat, and no entry's fault touches another."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import DataError, IntegrityError

from allthing.catalog.categories import apply_changes, create_category
from allthing.catalog.templates import create_template
from allthing.database import db, lock_until_commit
from allthing.errors import Conflict, NotFound, Problem, as_problem
from allthing.models import PollCategory, PollTemplate
from allthing.models.changes import record_change


@dataclass(frozen=True)
class Entry:
    """A category or template as it was read; `fault` says why it could not be."""

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


@dataclass(frozen=True)
class Imported:
    """What an import did; a dry run would have done it, and took it back."""

    outcomes: Sequence[Outcome]
    dry_run: bool

    @property
    def errors(self) -> list[str]:
        """A sentence for each entry that can't be imported."""
        return [f"{o.entry.type} {o.entry.key}: {o.error}" for o in self.outcomes if o.is_fault]

    @property
    def keys(self) -> dict[str, list[str]]:
        """The keys of what was created and updated, by the name of their count in the contract."""
        return {
            "categoriesCreated": self._keys("category", "created"),
            "categoriesUpdated": self._keys("category", "updated"),
            "templatesCreated": self._keys("template", "created"),
        }

    def _keys(self, entry_type: str, action: str) -> list[str]:
        done = (entry_type, action)
        return [o.entry.key for o in self.outcomes if (o.entry.type, o.action) == done]

    @property
    def counts(self) -> dict[str, int]:
        return {name: len(keys) for name, keys in self.keys.items()}


class AlreadyThere(Conflict):
    """A template of this key is in this category: an import leaves it as it is."""


def import_catalog(entries: Sequence[Entry], *, dry_run: bool) -> Imported:
    """Add the entries in their order, each in a savepoint of its own; return what became of them.

    A dry run does all of it and takes it back.
    """
    lock_until_commit("template-keys")
    everything = db.session.begin_nested()
    known = KnownKeys()
    stores = {"category": known.store_category, "template": known.store_template}
    outcomes = [import_entry(entry, stores[entry.type]) for entry in entries]
    everything.rollback() if dry_run else everything.commit()
    imported = Imported(outcomes, dry_run)
    record_change(
        after=None if dry_run else imported.keys,
        details={**imported.counts, "dryRun": dry_run, "errorCount": len(imported.errors)},
    )
    return imported


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
            apply_changes(category, entry.fields)
            return "updated"
        self.categories[entry.key] = create_category(key=entry.key, **entry.fields)
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
        create_template(category_id=category.id, key=entry.key, **fields)
        homes.add(category.id)
        return "created"
