"""Categories: a tree, edited one node at a time."""

from collections import defaultdict
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from allthing import catalog
from allthing.admin.audit import audited, describe
from allthing.admin.schemas import CategoryChangesIn, CategoryIn, CategoryOut, to_json
from allthing.database import db, find
from allthing.inputs import read_body
from allthing.models import PollCategory

bp = Blueprint("categories", __name__, url_prefix="/categories")


@bp.get("")
def list_categories() -> ResponseReturnValue:
    ordered = select(PollCategory).order_by(PollCategory.sort_order, PollCategory.name)
    children: dict[str | None, list[PollCategory]] = defaultdict(list)
    for category in db.session.scalars(ordered):
        children[category.parent_id].append(category)

    def below(parent_id: str | None) -> list[dict[str, Any]]:
        return [category_json(child, below(child.id)) for child in children[parent_id]]

    return {"categories": below(None)}


@bp.post("")
@audited("category_created", "category")
def create_category() -> ResponseReturnValue:
    body = read_body(CategoryIn)
    category = catalog.create_category(**body.model_dump())
    describe(category.id, after=to_json(CategoryOut, category))
    return {"ok": True, "category": category_json(category)}


@bp.get("/<category_id>")
def show_category(category_id: str) -> ResponseReturnValue:
    return {"category": category_json(find(PollCategory, category_id))}


@bp.put("/<category_id>")
@bp.patch("/<category_id>")
@audited("category_updated", "category")
def update_category(category_id: str) -> ResponseReturnValue:
    category = find(PollCategory, category_id, lock="change")
    before = to_json(CategoryOut, category)
    catalog.update_category(category, read_body(CategoryChangesIn).model_dump())
    describe(category.id, before=before, after=to_json(CategoryOut, category))
    return {"ok": True, "category": category_json(category)}


def category_json(
    category: PollCategory, sub_categories: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    return to_json(CategoryOut, category) | {"subCategories": sub_categories or []}
