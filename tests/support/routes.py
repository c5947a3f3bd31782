"""Every route of the app with a request that it takes: where tests that walk the app begin."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Table, insert, select
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from allthing import cache
from allthing.database import Base, db
from allthing.models import PollInstance
from tests.conftest import ADMIN_KEY
from tests.support.api import ORIGIN, Polls, today
from tests.support.examples import EXAMPLES, PLANNED_DAY, Example

HEADERS = {"Origin": ORIGIN, "x-admin-key": ADMIN_KEY}
UNWALKED = frozenset({"HEAD", "OPTIONS"})


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


Rows = dict[Table, list[dict[str, Any]]]
stored: dict[Any, tuple[dict[str, str], Rows]] = {}  # ids and rows, by what was stored


def store(polls: Polls, **fields: Any) -> dict[str, str]:
    """Store one of everything but ballots, and nothing else; return an id for each path argument.

    What was stored before in this run is put back as it was, which takes a tenth of the time.
    """
    key = (polls.app.config["SQLALCHEMY_DATABASE_URI"], today(), *sorted(fields.items()))
    replace_all(polls.app, stored[key][1] if key in stored else {})
    if key not in stored:
        ids = store_by_requests(polls, **fields)
        with polls.app.app_context():
            tables = Base.metadata.sorted_tables
            rows = {
                t: [dict(row) for row in db.session.execute(select(t)).mappings()] for t in tables
            }
        stored[key] = ids, rows
    return stored[key][0].copy()


def replace_all(app: Flask, rows: Rows) -> None:
    """Store these rows, and nothing else."""
    with app.app_context():
        for table in reversed(Base.metadata.sorted_tables):
            db.session.execute(table.delete())
        for table, of_table in rows.items():
            if of_table:
                db.session.execute(insert(table), of_table)
        for instance in rows.get(PollInstance.__table__, []):
            cache.invalidate_on_commit(cache.results_topic(instance["id"]))
        cache.invalidate_on_commit(cache.POLLS_TOPIC)
        db.session.commit()


def store_by_requests(polls: Polls, **fields: Any) -> dict[str, str]:
    poll = polls.open(**fields)
    template = polls.admin.done("GET", f"/templates/{poll['templateId']}")["template"]
    options = [{"optionId": "aye", "label": "Aye"}]
    preset = polls.admin.done("POST", "/presets", {"name": poll["pollId"], "options": options})
    polls.admin.plan(template["id"], PLANNED_DAY)
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
