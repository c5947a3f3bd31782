"""Categories: a tree, edited one node at a time."""

from http import HTTPStatus

from flask import Blueprint
from pydantic import MISSING, Field

from allthing.admin.audit import audited
from allthing.admin.fields import Key, Name, ParentId, SortOrder
from allthing.admin.schemas import CategoryIn, CategoryOut
from allthing.catalog import categories
from allthing.database import find
from allthing.models import PollCategory
from allthing.web.request_data import Input
from allthing.web.typed_views import Out, typed_view

bp = Blueprint("categories", __name__, url_prefix="/categories")


class CategoryChangesIn(Input):
    """As `CategoryIn`; what is absent stays, `parentCategoryId: null` makes it top-level."""

    key: Key | MISSING = MISSING
    name: Name | MISSING = MISSING
    sort_order: SortOrder | MISSING = MISSING
    parent_id: ParentId | MISSING = Field(MISSING, alias="parentCategoryId")


class CategoryNode(CategoryOut):
    sub_categories: list["CategoryNode"] = Field(default_factory=list)


class CategoriesAnswer(Out):
    categories: list[CategoryNode]


class CategoryAnswer(Out):
    category: CategoryNode


class ChangedCategoryAnswer(CategoryAnswer):
    ok: bool = True


@bp.get("")
@typed_view()
def list_categories() -> CategoriesAnswer:
    """List the top-level categories, with all others below them."""
    return CategoriesAnswer(categories=category_tree())


def category_tree() -> list[CategoryNode]:
    """Return the top-level categories, each with those below it."""
    children = categories.children_by_parent()

    def below(parent_id: str | None) -> list[CategoryNode]:
        nodes = [CategoryNode.model_validate(child) for child in children.get(parent_id, ())]
        for node in nodes:
            node.sub_categories = below(node.id)
        return nodes

    return below(None)


@bp.post("")
@audited("category_created", "category")
@typed_view(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
def create_category(body: CategoryIn) -> ChangedCategoryAnswer:
    """Add a category."""
    return ChangedCategoryAnswer(category=categories.create_category(**body.model_dump()))


@bp.get("/<category_id>")
@typed_view()
def show_category(category_id: str) -> CategoryAnswer:
    """Show one category, without those below it."""
    return CategoryAnswer(category=find(PollCategory, category_id))


@bp.put("/<category_id>")
@bp.patch("/<category_id>")
@audited("category_updated", "category")
@typed_view(HTTPStatus.CONFLICT)
def update_category(category_id: str, body: CategoryChangesIn) -> ChangedCategoryAnswer:
    """Change the fields that are sent."""
    category = categories.update_category(category_id, body.model_dump())
    return ChangedCategoryAnswer(category=category)
