"""The API under fire: requests of every kind that the document allows, and of kinds it does not.

Schemathesis makes them of `/openapi.json` and holds each answer against it, with all its checks.
"""

import zlib

import hypothesis
import pytest
import schemathesis
from flask import Flask
from schemathesis import Case
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import positive_data_acceptance

from allthing.web.openapi import build_document
from tests.conftest import ADMIN_KEY
from tests.support.api import Json, Polls
from tests.support.examples import PLANNED_DAY
from tests.support.routes import fill, store

pytestmark = [pytest.mark.postgresql, pytest.mark.fuzz]

MAX_EXAMPLES = 8  # beside those of the coverage phase, which are many
KEY = {"x-admin-key": ADMIN_KEY}
CONFIG = SchemathesisConfig.from_dict(
    {
        # That nothing works without the key is tried on every route in tests/admin.
        "checks": {"enabled": True, "ignored_auth": {"enabled": False}},
        "generation": {
            "deterministic": True,
            "max-examples": MAX_EXAMPLES,
            "allow-x00": False,  # see UNSTORABLE
            "with-security-parameters": False,  # we give the key
        },
        "operations": [
            {
                # The answer, and a true one, as long as nothing writes context texts.
                "include-operation-id": "generate_context",
                "checks": {"not_a_server_error": {"expected-statuses": ["2xx", "4xx", "503"]}},
            }
        ],
    }
)
# What depends on what is stored, or on another field, is no matter of a schema: there 422 is right,
# and only for these reasons.
UNSTORABLE = "text may not contain NUL or half a surrogate pair"  # nor may a name that is ignored
ONE_RANK = "maxRank: a ranked poll needs at least 2"
CIRCLE = "parentCategoryId: a category can't be below itself"
UNDOCUMENTABLE = {
    "create_template": (ONE_RANK,),
    "update_template": (ONE_RANK,),
    "update_category_put": (CIRCLE,),
    "update_category_patch": (CIRCLE,),
    "list_plans": ("to: has to be from 0 to 365 days after from",),
    "show_preview": ("from: has to be from ",),
    "list_audit_logs": ("cursor: is not a cursor of this list",),
    "cast_vote": (
        "rankedChoices: not an option of this poll",
        "rankedChoices: needs exactly 1 entry",
        "idempotencyKey: was used for another ballot",
        "idempotencyKey: differs from the header Idempotency-Key",
    ),
}
IN_BODIES = {"categoryId": "<category_id>", "rankedChoices": ["<option_id>"]}
IN_QUERIES = {"categoryId": "<category_id>", "cursor": "<cursor>"}
USED_UP = ("/close", "/replace")


class StoredExamples:
    """Something of everything, stored anew when a request has deleted or used it up."""

    def __init__(self, polls: Polls) -> None:
        self.polls = polls
        self.operation = ""  # that was asked for last

    def renew(self) -> None:
        self.ids = store(self.polls)
        page = self.polls.admin.done("GET", "/audit-logs?limit=1")
        self.ids["cursor"] = page["nextCursor"]

    def put_into(self, case: Case) -> None:
        """Put ids of what there is into three of four requests that are valid."""
        if zlib.crc32(repr((case.path_parameters, case.query, case.body)).encode()) % 4 == 0:
            return
        if is_valid(case, ParameterLocation.PATH):
            case.path_parameters = {name: self.ids[name] for name in case.path_parameters or {}}
        if is_valid(case, ParameterLocation.QUERY) and case.query:
            case.query = self.with_ids(case.query, IN_QUERIES)
            if case.operation.label == "DELETE /admin/templates/{template_id}/plan":
                case.query["pollDate"] = PLANNED_DAY
        if is_valid(case, ParameterLocation.BODY) and isinstance(case.body, dict):
            case.body = self.with_ids(case.body, IN_BODIES)

    def with_ids(self, given: Json, names: Json) -> Json:
        return given | fill({name: names[name] for name in names.keys() & given.keys()}, self.ids)


def is_valid(case: Case, place: ParameterLocation) -> bool:
    return not case.meta.is_negative_at(place)


@pytest.fixture
def stored(request: pytest.FixtureRequest, polls: Polls) -> StoredExamples:
    request.node._nodeid = request.node.nodeid  # schemathesis asks for it, pytest 9.2 has no such
    return StoredExamples(polls)


@pytest.fixture
def schema(app: Flask) -> BaseSchema:
    with app.app_context():
        schema = schemathesis.openapi.from_dict(build_document(app), config=CONFIG)
    schema.app = app
    return schema


# Made when the tests run, for that takes long; in two parts, for two processes to work on.
operations = schemathesis.pytest.from_fixture("schema")
reading = operations.include(method="GET").parametrize()
changing = operations.exclude(method="GET").parametrize()
few_examples = hypothesis.settings(
    max_examples=MAX_EXAMPLES,
    derandomize=True,
    database=None,
    # A store of its own for each route, not for each request; and a shared machine may be slow.
    suppress_health_check=[
        hypothesis.HealthCheck.function_scoped_fixture,
        hypothesis.HealthCheck.too_slow,
    ],
)


@reading
@few_examples
def test_every_answer_to_a_read_keeps_to_the_document(case: Case, stored: StoredExamples) -> None:
    assert_documented(case, stored)


@changing
@few_examples
def test_every_answer_to_a_change_keeps_to_the_document(case: Case, stored: StoredExamples) -> None:
    assert_documented(case, stored)


def assert_documented(case: Case, stored: StoredExamples) -> None:
    if stored.operation != case.operation.label:
        stored.operation = case.operation.label
        stored.renew()
    stored.put_into(case)
    response = case.call(headers=KEY)
    name = case.operation.definition.raw["operationId"]
    reasons = (UNSTORABLE, *UNDOCUMENTABLE.get(name, ()))
    is_excused = response.status_code == 422 and response.json()["detail"].startswith(reasons)
    excused = [positive_data_acceptance] if is_excused else []
    case.validate_response(
        response, excluded_checks=excused, headers=KEY, transport_kwargs={"headers": KEY}
    )
    if response.status_code == 200 and (case.method == "DELETE" or case.path.endswith(USED_UP)):
        stored.renew()
