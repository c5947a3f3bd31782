"""Every route of the app with a request that it takes: where tests that walk the app begin.

A new route that changes something, or reads a query string, needs its entry in `EXAMPLES`.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from allthing.database import Base, db
from tests.api import Json, Polls, today
from tests.conftest import ADMIN_KEY

ORIGIN = "http://localhost:3000"
HEADERS = {"Origin": ORIGIN, "x-admin-key": ADMIN_KEY}
PLANNED_DAY = "2031-05-06"
UNWALKED = frozenset({"HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Example:
    """A request that a route takes. `<names>` stand for ids of what `store` made.

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
        body=CATEGORY | {"key": "<new>", "parentCategoryId": None},
        lengths={"key": 64, "name": 128},
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
        body=PRESET,
        required=("name", "options"),
        lengths={"name": 128, "description": 500, "optionId": 64, "label": 200},
    ),
    "admin.presets.update_preset": Example(
        body=PRESET | {"name": "<new>"},
        lengths={"name": 128, "description": 500, "optionId": 64, "label": 200},
    ),
    "admin.presets.delete_preset": Example(),
    "admin.snapshots.create_missing": Example(),
    "admin.snapshots.regenerate": Example(),
    "admin.snapshots.create_for_active": Example(),
    "admin.snapshots.take_snapshot": Example(),
}


@dataclass(frozen=True)
class Request:
    """A request to one route, with all that its example names."""

    method: str
    rule: Rule
    ids: Mapping[str, str]

    @property
    def endpoint(self) -> str:
        return self.rule.endpoint

    @property
    def example(self) -> Example:
        return EXAMPLES.get(self.endpoint, Example())

    @property
    def body(self) -> Any:
        return fill(self.example.body, self.ids)

    @property
    def query(self) -> Any:
        return fill(dict(self.example.query), self.ids)

    def path(self, **other_ids: str) -> str:
        """Return the path, percent-encoded, with an id for each of its arguments."""
        path = self.rule.rule
        for name in self.rule.arguments:
            path = path.replace(f"<{name}>", quote((self.ids | other_ids)[name], safe=""))
        return path

    def send(self, client: FlaskClient, path: str | None = None, **changes: Any) -> TestResponse:
        """Send the request as an admin on an allowed page, but for what `changes` say."""
        body = {} if self.body is None or "data" in changes else {"json": self.body}
        arguments = {"headers": HEADERS, "query_string": self.query} | body | changes
        return client.open(path or self.path(), method=self.method, **arguments)

    def __str__(self) -> str:
        return f"{self.method} {self.rule.rule}"


def fill(value: Any, ids: Mapping[str, str]) -> Any:
    """Return `value` with what its `<names>` stand for: ids, or with `<new>` one not in use."""
    if isinstance(value, dict):
        return {name: fill(inner, ids) for name, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, ids) for inner in value]
    if isinstance(value, str) and value.startswith("<"):
        return str(uuid4()) if value == "<new>" else ids[value[1:-1]]
    return value


def store(polls: Polls, **fields: Any) -> dict[str, str]:
    """Store something of everything; return an id for each argument that a path may have."""
    poll = polls.open(**fields)
    template = polls.admin.done("GET", f"/templates/{poll['templateId']}")["template"]
    options = [{"optionId": "aye", "label": "Aye"}]
    preset = polls.admin.done("POST", "/presets", {"name": poll["pollId"], "options": options})
    polls.admin.done("PUT", f"/templates/{template['id']}/plan", {"pollDate": PLANNED_DAY})
    polls.admin.done("POST", f"/instances/{poll['pollId']}/snapshot")
    return {
        "category_id": template["categoryId"],
        "template_id": template["id"],
        "poll_id": poll["pollId"],
        "instance_id": poll["pollId"],
        "option_id": poll["options"][0]["optionId"],
        "preset_id": preset["id"],
    }


def requests(app: Flask, ids: Mapping[str, str]) -> list[Request]:
    """Return a request for every route and method, except HEAD, OPTIONS and a library's files."""
    return [
        Request(method, rule, ids)
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.startswith("swagger_ui.")
        for method in sorted((rule.methods or set()) - UNWALKED)
    ]


def contents(app: Flask) -> dict[str, list[Any]]:
    """Return all that is stored, but for the audit, which keeps refusals as well."""
    with app.app_context():
        return {
            table.name: sorted(map(repr, db.session.execute(select(table))))
            for table in Base.metadata.sorted_tables
            if table.name != "adminAuditLogs"
        }


def leaves(value: Any, *place: str | int) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield every value inside a body, lists and the entries of lists too, with its place."""
    if place and not isinstance(value, dict):
        yield place, value
    inside = value.items() if isinstance(value, dict) else ()
    inside = enumerate(value) if isinstance(value, list) else inside
    for name, inner in inside:
        yield from leaves(inner, *place, name)


def assert_refused(response: TestResponse, *statuses: int, origin: str | None = ORIGIN) -> None:
    """Assert what every refusal has: its status, a sentence, and that the page may read it."""
    assert response.status_code in statuses, (response.status_code, response.text[:500])
    assert response.content_type == "application/problem+json"
    assert response.json["status"] == response.status_code
    assert isinstance(response.json["detail"], str)
    assert response.json["detail"]
    assert response.headers.get("Access-Control-Allow-Origin") == origin
    assert "Origin" in response.vary
