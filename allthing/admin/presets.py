"""Presets: named lists of options that the template form offers to start from."""

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from allthing import presets
from allthing.admin.audit import audited, describe
from allthing.admin.schemas import PresetChangesIn, PresetIn, PresetOut, to_json
from allthing.database import db, find
from allthing.inputs import read_body
from allthing.models import PresetOptionSet

bp = Blueprint("presets", __name__, url_prefix="/presets")


@bp.get("")
def list_presets() -> ResponseReturnValue:
    found = db.session.scalars(select(PresetOptionSet).order_by(PresetOptionSet.name))
    return {"presets": [to_json(PresetOut, preset) for preset in found]}


@bp.post("")
@audited("preset_created", "preset")
def create_preset() -> ResponseReturnValue:
    preset = presets.create_preset(**read_body(PresetIn).model_dump(by_alias=True))
    after = to_json(PresetOut, preset)
    describe(preset.id, after=after)
    return after


@bp.get("/<preset_id>")
def show_preset(preset_id: str) -> ResponseReturnValue:
    return to_json(PresetOut, find(PresetOptionSet, preset_id))


@bp.put("/<preset_id>")
@audited("preset_updated", "preset")
def update_preset(preset_id: str) -> ResponseReturnValue:
    changes = read_body(PresetChangesIn).model_dump(by_alias=True)
    preset = find(PresetOptionSet, preset_id, lock="change")
    before = to_json(PresetOut, preset)
    presets.update_preset(preset, changes)
    after = to_json(PresetOut, preset)
    describe(preset.id, before=before, after=after)
    return after


@bp.delete("/<preset_id>")
@audited("preset_deleted", "preset")
def delete_preset(preset_id: str) -> ResponseReturnValue:
    preset = find(PresetOptionSet, preset_id, lock="change")
    describe(preset.id, before=to_json(PresetOut, preset))
    presets.delete_preset(preset)
    return {"message": f"the preset {preset.name} was deleted"}
