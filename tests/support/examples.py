"""For each route a request that it takes: the table that tests walk.

A new route that changes something, or reads a query string, needs its entry in `EXAMPLES`.
"""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from tests.support.api import Json, today

PLANNED_DAY = "2031-05-06"


@dataclass(frozen=True)
class Example:
    """A request that a route takes. `<names>` stand for ids of what `routes.store` made.

    `status` is not 200 only where a route can't succeed on the server of the tests.

    `body` has every field that the route knows, `required` those that it can't do without, and
    `lengths` how many characters a text may have.
    """

    body: Json | None = None
    required: tuple[str, ...] = ()
    lengths: Mapping[str, int] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


SURVEY_LENGTHS = {
    "ageRange": 20,
    "gender": 50,
    "race": 100,
    "ethnicity": 100,
    "state": 2,
    "urbanRuralSuburban": 20,
    "politicalParty": 50,
    "politicalIdeology": 50,
    "religion": 100,
    "educationLevel": 100,
}
CATEGORY = {"key": "<new>", "name": "Soups", "sortOrder": 1, "parentCategoryId": "<category_id>"}
OPTIONS = [{"label": "Leek", "sortOrder": 0}, {"label": "Pea", "sortOrder": 1}]
TEMPLATE = {
    "categoryId": "<category_id>",
    "title": "Best stew",
    "question": "Which one?",
    "contextText": "It is **cold**.",
    "pollType": "RANKED",
    "maxRank": 2,
    "audience": "PUBLIC",
    "durationDays": 2,
    "isActive": True,
    "featured": True,
}
PLAN = {"pollDate": "2031-05-04", "isEnabled": True, "questionOverride": "And today?"}
PRESET = {
    "name": "<new>",
    "description": "For what is clear.",
    "options": [{"optionId": "yes", "label": "Yes", "sortOrder": 0}],
}
PRESET_LENGTHS = {"name": 128, "description": 500, "optionId": 64, "label": 200}

EXAMPLES = {
    "polls.list_day": Example(query={"pollDate": "2031-05-04"}),
    "polls.cast_vote": Example(
        body={"rankedChoices": ["<option_id>"], "idempotencyKey": "retry-1", "turnstileToken": "t"}
        | dict.fromkeys(SURVEY_LENGTHS, "NY"),
        required=("rankedChoices",),
        lengths={"idempotencyKey": 128, "turnstileToken": 2048} | SURVEY_LENGTHS,
    ),
    "polls.show_history": Example(query={"limit": "10"}),
    # The poll of `store` is open.
    "exports.export_blt": Example(status=409),
    "exports.export_soi": Example(status=409),
    "exports.export_csv": Example(status=409),
    "exports.export_rctab_summary": Example(status=409),
    "admin.audit_logs.list_audit_logs": Example(
        query={
            "adminKeyHash": "0" * 64,
            "action": "category_created",
            "entityType": "category",
            "entityId": "<category_id>",
            "success": "true",
            "from": "2031-05-04",
            "to": "2031-05-04T12:00:00+02:00",
            "limit": "10",
            "cursor": urlsafe_b64encode(f"2031-05-04T12:00+00:00|{UUID(int=0)}".encode()).decode(),
        }
    ),
    "admin.categories.create_category": Example(
        body=CATEGORY, required=("key", "name"), lengths={"key": 64, "name": 128}
    ),
    "admin.categories.update_category": Example(
        body=CATEGORY | {"parentCategoryId": None}, lengths={"key": 64, "name": 128}
    ),
    "admin.instances.list_instances": Example(query={"pollDate": "2031-05-04"}),
    "admin.imports.import_data": Example(
        # What is wrong in an entry is told in the answer, and no fault of the whole body.
        body={"categories": [], "templates": [], "dryRun": False}
    ),
    "admin.instances.move": Example(body={"categoryId": "<category_id>"}, required=("categoryId",)),
    "admin.instances.close": Example(),
    "admin.instances.replace": Example(),
    "admin.operations.roll_over": Example(query={"pollDate": today()}),
    "admin.operations.close_polls": Example(query={"pollDate": today()}),
    "admin.templates.list_templates": Example(
        query={"categoryId": "<category_id>", "isActive": "true"}
    ),
    "admin.templates.create_template": Example(
        body=TEMPLATE | {"options": OPTIONS},
        required=("categoryId", "title", "pollType", "options"),
        lengths={"title": 256, "question": 1000, "label": 256},
    ),
    "admin.templates.update_template": Example(
        body=TEMPLATE | {"key": "<new>"},
        lengths={"key": 64, "title": 256, "question": 1000},
    ),
    "admin.templates.delete_template": Example(query={"force": "true"}),
    "admin.templates.generate_context": Example(status=503),  # no AI is configured
    "admin.templates.set_active": Example(body={"isActive": False}, required=("isActive",)),
    "admin.templates.set_featured": Example(body={"featured": True}, required=("featured",)),
    "admin.templates.replace_options": Example(
        body={"options": OPTIONS}, required=("options",), lengths={"label": 256}
    ),
    "admin.plans.show_plan": Example(query={"pollDate": "2031-05-04"}),
    "admin.plans.list_plans": Example(query={"from": "2031-05-04", "to": "2031-05-05"}),
    "admin.plans.upsert_plan": Example(
        body=PLAN, required=("pollDate",), lengths={"questionOverride": 1000}
    ),
    "admin.plans.replace_plan_options": Example(
        body={"pollDate": "2031-05-04", "options": OPTIONS},
        required=("pollDate", "options"),
        lengths={"label": 256},
    ),
    "admin.plans.delete_plan": Example(query={"pollDate": PLANNED_DAY}),
    "admin.preview.show_preview": Example(query={"from": today(), "days": "3"}),
    "admin.presets.create_preset": Example(
        body=PRESET, required=("name", "options"), lengths=PRESET_LENGTHS
    ),
    "admin.presets.update_preset": Example(body=PRESET, lengths=PRESET_LENGTHS),
    "admin.presets.delete_preset": Example(),
    "admin.snapshots.create_missing": Example(),
    "admin.snapshots.regenerate": Example(),
    "admin.snapshots.create_for_active": Example(),
    "admin.snapshots.take_snapshot": Example(),
}
