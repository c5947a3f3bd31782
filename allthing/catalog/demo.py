"""The demo: a small catalog to play with, and commands to paste."""

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from sqlalchemy import select

from allthing.catalog.categories import create_category
from allthing.catalog.templates import create_template
from allthing.database import db
from allthing.models import PollCategory, PollInstance
from allthing.models.changes import facts_of, record_change


@dataclass(frozen=True)
class Loaded:
    categories: int
    templates: int


def seed_demo() -> Loaded:
    """Add the demo's categories and templates, unless there is any category already."""
    if db.session.scalar(select(PollCategory.id).limit(1)) is not None:
        return done(Loaded(0, 0))
    content = json.loads(files("allthing.catalog").joinpath("demo.json").read_text("utf-8"))
    categories: dict[str, str] = {}
    templates = 0
    for place, entry in enumerate(content["categories"]):
        category = create_category(
            key=entry["key"],
            name=entry["name"],
            sort_order=place,
            parent_id=categories.get(entry.get("parent")),
        )
        categories[entry["key"]] = category.id
        for template in entry["templates"]:
            add_template(category.id, template)
            templates += 1
    return done(Loaded(len(categories), templates))


def done(loaded: Loaded) -> Loaded:
    record_change(details=facts_of(loaded))
    return loaded


def add_template(category_id: str, entry: dict[str, Any]) -> None:
    create_template(
        category_id=category_id,
        title=entry["title"],
        question=entry["question"],
        context_text=entry.get("contextText"),
        poll_type=entry["pollType"],
        max_rank=entry.get("maxRank"),
        duration_days=entry.get("durationDays", 1),
        featured=entry.get("featured", False),
        options=entry["options"],
    )


def commands_to_try(url: str, admin_key: str) -> list[str]:
    """Return shell lines that read today's polls, vote in one of them, and ask as an admin."""
    lines = [f"curl -s {url}/polls/today"]
    poll = db.session.scalar(
        select(PollInstance)
        .where(PollInstance.status == "OPEN", PollInstance.poll_type == "SINGLE")
        .order_by(PollInstance.poll_date.desc(), PollInstance.title)
        .limit(1)
    )
    if poll is not None:
        body = json.dumps({"rankedChoices": [poll.options[0].id]})
        lines.append(
            f"curl -s {url}/polls/{poll.id}/vote -H 'content-type: application/json' -d '{body}'"
        )
    return [*lines, f"curl -s {url}/admin/audit-logs -H 'x-admin-key: {admin_key}'"]
