"""Presets: named lists of options to start a template from."""

from collections.abc import Mapping, Sequence
from typing import Any

from allthing.database import conflict, db
from allthing.models import PresetOptionSet

Options = Sequence[Mapping[str, Any]]


def create_preset(
    *, name: str, options: Options, description: str | None = None
) -> PresetOptionSet:
    """Add a preset. Raises 409 for a name in use."""
    preset = PresetOptionSet(name=name, description=description, options=list(options))
    with conflict(f"a preset named {name} exists already"):
        db.session.add(preset)
    return preset


def update_preset(preset: PresetOptionSet, changes: Mapping[str, Any]) -> None:
    """Set the given attributes. Raises 409 for a name in use."""
    with conflict(f"a preset named {changes.get('name')} exists already"):
        for attribute, value in changes.items():
            setattr(preset, attribute, value)


def delete_preset(preset: PresetOptionSet) -> None:
    """Remove a preset; templates that began with it keep their options."""
    db.session.delete(preset)
    db.session.flush()
