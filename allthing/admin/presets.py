"""Presets: named lists of options that the template form offers to start from."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from flask import Blueprint
from pydantic import MISSING, AfterValidator, Field

from allthing.admin.audit import audited
from allthing.admin.fields import MAX_OPTIONS, Description, SortOrder
from allthing.catalog import presets
from allthing.database import find
from allthing.models import PresetOptionSet
from allthing.web.field_types import Visible
from allthing.web.request_data import Input
from allthing.web.typed_views import Out, typed_view

bp = Blueprint("presets", __name__, url_prefix="/presets")


class PresetOptionIn(Input):
    option_id: Annotated[str, Field(min_length=1, max_length=64), Visible(1)]
    label: Annotated[str, Field(min_length=1, max_length=200), Visible(1)]
    sort_order: SortOrder = 0


def in_order(options: list[PresetOptionIn]) -> list[PresetOptionIn]:
    return sorted(options, key=lambda option: option.sort_order)


PresetName = Annotated[str, Field(min_length=1, max_length=128), Visible(1)]
PresetOptions = Annotated[
    list[PresetOptionIn], Field(min_length=1, max_length=MAX_OPTIONS), AfterValidator(in_order)
]


class PresetIn(Input):
    name: PresetName
    description: Description = None
    options: PresetOptions


class PresetChangesIn(Input):
    """Any of a preset's fields; what is absent stays, `description: null` empties it."""

    name: PresetName | MISSING = MISSING
    description: Description | MISSING = MISSING
    options: PresetOptions | MISSING = MISSING


class PresetOut(Out):
    id: str
    name: str
    description: str | None
    options: list[dict[str, Any]]
    created_at: datetime
    updated_at: datetime


class PresetsAnswer(Out):
    presets: list[PresetOut]


class MessageAnswer(Out):
    message: str


@bp.get("")
@typed_view()
def list_presets() -> PresetsAnswer:
    """List all presets by name."""
    return PresetsAnswer(presets=presets.list_presets())


@bp.post("")
@audited("preset_created", "preset")
@typed_view(HTTPStatus.CONFLICT)
def create_preset(body: PresetIn) -> PresetOut:
    """Add a preset."""
    return PresetOut.model_validate(presets.create_preset(**body.model_dump(by_alias=True)))


@bp.get("/<preset_id>")
@typed_view()
def show_preset(preset_id: str) -> PresetOut:
    """Show one preset."""
    return PresetOut.model_validate(find(PresetOptionSet, preset_id))


@bp.put("/<preset_id>")
@audited("preset_updated", "preset")
@typed_view(HTTPStatus.CONFLICT)
def update_preset(preset_id: str, body: PresetChangesIn) -> PresetOut:
    """Change the fields that are sent."""
    preset = presets.update_preset(preset_id, body.model_dump(by_alias=True))
    return PresetOut.model_validate(preset)


@bp.delete("/<preset_id>")
@audited("preset_deleted", "preset")
@typed_view()
def delete_preset(preset_id: str) -> MessageAnswer:
    """Delete a preset; templates that began with it keep their options."""
    preset = presets.delete_preset(preset_id)
    return MessageAnswer(message=f"the preset {preset.name} was deleted")
