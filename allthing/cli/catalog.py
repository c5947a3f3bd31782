"""Categories and templates."""

from collections.abc import Iterator, Sequence

import click

from allthing.admin.categories import CategoryNode, ChangedCategoryAnswer, category_tree
from allthing.admin.schemas import CategoryIn, TemplateOut
from allthing.admin.templates import (
    ChangedTemplateAnswer,
    DeletedTemplateAnswer,
    TemplateChangesIn,
    TemplateQuery,
)
from allthing.catalog import categories as category_rules
from allthing.catalog import deletion
from allthing.catalog import templates as template_rules
from allthing.cli.commands import audited_command, command
from allthing.cli.output import Output, aligned, short, table
from allthing.web.request_data import validate


@command("categories")
def categories() -> Output:
    """List all categories as a tree.

    Columns: id, name, key.
    """
    nodes = list(walk(category_tree()))
    rows = [(node.id, "  " * depth + short(node.name, 30), node.key) for node, depth in nodes]
    flat = [node.model_dump(mode="json", exclude={"sub_categories"}) for node, _ in nodes]
    return Output(flat, aligned(rows))


def walk(nodes: Sequence[CategoryNode], depth: int = 0) -> Iterator[tuple[CategoryNode, int]]:
    for node in nodes:
        yield node, depth
        yield from walk(node.sub_categories, depth + 1)


@command("templates")
@click.option("--category-id", default=None, help="Only those of this category.")
@click.option("--active/--resting", default=None, help="Only those that recur, or do not.")
def templates(category_id: str | None, active: bool | None) -> Output:
    """List templates by category and key.

    Columns: id, active or resting, type, days open, title.
    """
    query = validate(TemplateQuery, {"categoryId": category_id, "isActive": active})
    found = template_rules.list_templates(**query.model_dump())
    return table(
        [TemplateOut.model_validate(template) for template in found],
        lambda template: (
            template.id,
            "active" if template.is_active else "resting",
            template.poll_type,
            f"{template.duration_days}d",
            short(template.title, 38),
        ),
    )


@audited_command("create-category", "category_created", "category")
@click.option("--key", required=True, help="Lower-case letters, digits and dashes.")
@click.option("--name", required=True)
@click.option("--sort-order", default=0, show_default=True)
@click.option("--parent-category-id", default=None, help="Leave out for a top-level category.")
def create_category(key: str, name: str, sort_order: int, parent_category_id: str | None) -> Output:
    """Add a category."""
    fields = {"key": key, "name": name, "sortOrder": sort_order}
    body = validate(CategoryIn, fields | {"parentCategoryId": parent_category_id})
    category = category_rules.create_category(**body.model_dump())
    done = ChangedCategoryAnswer(category=category)
    return Output(done, [f"category {key} created: {done.category.id}"])


@audited_command("update-template-category", "template_updated", "template")
@click.argument("template_id", metavar="ID")
@click.option("--category-id", required=True, help="Where the template moves to.")
def update_template_category(template_id: str, category_id: str) -> Output:
    """Move a template to another category; its polls stay where they are."""
    body = validate(TemplateChangesIn, {"categoryId": category_id})
    template = template_rules.update_template(template_id, body.model_dump())
    done = ChangedTemplateAnswer(template=template)
    return Output(done, [f"template {template_id} is in category {category_id} now"])


@audited_command("delete-template", "template_deleted", "template")
@click.argument("template_id", metavar="ID")
@click.option("--force", is_flag=True, help="Delete its polls as well, votes and results included.")
def delete_template(template_id: str, force: bool) -> Output:
    """Delete a template and its plans; one that has had polls only with --force."""
    done = DeletedTemplateAnswer.model_validate(deletion.delete_template(template_id, force=force))
    gone = done.cascade_deleted
    counts = f"{gone.instances} polls, {gone.plans} plans, {gone.votes} votes"
    return Output(done, [f"template {done.deleted_template.key} deleted, with {counts}"])
