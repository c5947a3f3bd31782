"""What a transaction changes, told by the rule that changes it, for the audit row beside it.

It stands with the session, not with a request: whoever commits the change, the admin blueprint or
a command, asks for it here. What is rolled back is forgotten, like the change itself.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic.alias_generators import to_camel
from pydantic_core import to_jsonable_python
from sqlalchemy import event, inspect
from sqlalchemy.orm import Session

from allthing.database import Base, db

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SESSION_KEY = "recorded_change"
COMMITTED_KEY = "committed_change"
OPTION_FIELDS = ("id", "label", "sortOrder")

Values = Mapping[str, Any]


@dataclass
class Change:
    """What an action did: to which entity, the values before and after, and further facts."""

    entity_id: str | None = None
    changes: dict[str, Any] | None = None
    details: dict[str, Any] = field(default_factory=dict)


def record_change(
    entity_id: str | None = None,
    *,
    before: Values | None = None,
    after: Values | None = None,
    details: Values | None = None,
) -> None:
    """Tell what the session's transaction changes; only values that differ are kept.

    Of several calls the last one counts: a rule that uses others describes the whole.
    """
    change = Change(entity_id, difference(before, after), dict(details or {}))
    db.session.info[SESSION_KEY] = change


def recorded_change() -> Change:
    """Return what was recorded last in this session; an empty `Change` if nothing was."""
    change: Change = db.session.info.get(SESSION_KEY) or Change()
    return change


@event.listens_for(Session, "after_commit")
def keep_committed_change(session: Session) -> None:
    if SESSION_KEY in session.info and not session.in_nested_transaction():
        session.info[COMMITTED_KEY] = session.info[SESSION_KEY]


@event.listens_for(Session, "after_rollback")
def forget_rolled_back_change(session: Session) -> None:
    if not session.in_nested_transaction():
        session.info[SESSION_KEY] = session.info.get(COMMITTED_KEY)


def difference(before: Values | None, after: Values | None) -> dict[str, Any] | None:
    """Return `{"before": …, "after": …}` with the entries that differ; None if nothing does."""
    old, new = dict(before or {}), dict(after or {})
    changed = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if not changed:
        return None
    return {
        "before": {name: old[name] for name in changed if name in old} or None,
        "after": {name: new[name] for name in changed if name in new} or None,
    }


def facts_of(done: "DataclassInstance") -> dict[str, Any]:
    """Return what an action gave back as JSON, in camelCase."""
    facts: dict[str, Any] = to_jsonable_python(
        {to_camel(name): value for name, value in asdict(done).items()}
    )
    return facts


def values_of(entity: Base) -> dict[str, Any]:
    """Return an entity as JSON: its columns by their names, and its options, if it has any."""
    mapper = inspect(type(entity))
    values = {
        attribute.columns[0].name: getattr(entity, attribute.key)
        for attribute in mapper.column_attrs
    }
    for related in mapper.relationships:  # only options are
        options = [values_of(option) for option in getattr(entity, related.key)]
        values[related.key] = [{name: row[name] for name in OPTION_FIELDS} for row in options]
    written: dict[str, Any] = to_jsonable_python(values)
    return written
