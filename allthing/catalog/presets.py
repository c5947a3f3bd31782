"""Presets: named lists of options to start a template from."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from allthing.database import conflict, db, find
from allthing.models import PresetOptionSet
from allthing.models.changes import record_change, values_of

Options = Sequence[Mapping[str, Any]]


def list_presets() -> Sequence[PresetOptionSet]:
    """Return all presets by name."""
    return db.session.scalars(select(PresetOptionSet).order_by(PresetOptionSet.name)).all()


def create_preset(
    *, name: str, options: Options, description: str | None = None
) -> PresetOptionSet:
    """Add a preset. Raises `Conflict` for a name in use."""
    preset = PresetOptionSet(name=name, description=description, options=list(options))
    with conflict(f"a preset named {name} exists already"):
        db.session.add(preset)
    record_change(preset.id, after=values_of(preset))
    return preset


def update_preset(preset_id: str, changes: Mapping[str, Any]) -> PresetOptionSet:
    """Set the given attributes. Raises `NotFound`, `Conflict` for a name in use."""
    preset = find(PresetOptionSet, preset_id, lock="update")
    before = values_of(preset)
    with conflict(f"a preset named {changes.get('name')} exists already"):
        for attribute, value in changes.items():
            setattr(preset, attribute, value)
    record_change(preset.id, before=before, after=values_of(preset))
    return preset


def delete_preset(preset_id: str) -> PresetOptionSet:
    """Delete a preset and return it; templates that began with it keep their options.

    Raises `NotFound`.
    """
    preset = find(PresetOptionSet, preset_id, lock="update")
    record_change(preset.id, before=values_of(preset))
    db.session.delete(preset)
    db.session.flush()
    return preset
