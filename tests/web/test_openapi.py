"""The API document is true: it names what there is, and what comes is what it says."""

import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import jsonschema
import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator
from werkzeug.test import TestResponse

from allthing.web.typed_views import view_spec
from tests.conftest import AppFactory
from tests.support.api import Json, Polls
from tests.support.routes import Request, requests, store

UNDOCUMENTED = {"openapi.show_document"}


@pytest.fixture
def document(client: FlaskClient) -> Json:
    return client.get("/openapi.json").json


def documented(app: Flask, ids: dict[str, str]) -> list[Request]:
    return [request for request in requests(app, ids) if request.endpoint not in UNDOCUMENTED]


def template_of(request: Request) -> str:
    return re.sub(r"<(\w+)>", r"{\1}", request.rule.rule)


def operation_of(document: Json, request: Request) -> Json:
    return document["paths"][template_of(request)][request.method.lower()]


def operations(document: Json) -> list[Json]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def names_of(operation: Json, place: str) -> set[str]:
    return {found["name"] for found in operation["parameters"] if found["in"] == place}


def documented_answer(document: Json, request: Request, app: Flask, **changes: Any) -> TestResponse:
    """Send it; the status, type, body and headers of the answer have to be the document's."""
    response = request.send(app.test_client(), **changes)
    known = operation_of(document, request)["responses"]
    assert str(response.status_code) in known, (str(request), response.status_code, response.text)
    described = known[str(response.status_code)]
    assert response.content_type in described["content"], str(request)
    schema = described["content"][response.content_type]["schema"]
    jsonschema.validate(
        response.json if response.mimetype.endswith("json") else response.text,
        schema | {"components": document["components"]},
        cls=jsonschema.Draft202012Validator,
        format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
    )
    assert set(described.get("headers", {})) <= set(response.headers.keys()), str(request)
    return response


def test_document_is_valid(document: Json) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_every_route_is_in_the_document_and_nothing_else(app: Flask, document: Json) -> None:
    served = {(template_of(request), request.method.lower()) for request in documented(app, {})}

    assert served == {
        (path, method) for path, found in document["paths"].items() for method in found
    }
    assert len(served) > 40


def test_every_parameter_and_body_is_in_the_document(app: Flask, document: Json) -> None:
    for request in documented(app, {}):
        operation = operation_of(document, request)
        typed = view_spec(app, request.endpoint)
        assert typed is not None
        assert names_of(operation, "path") == request.rule.arguments, str(request)
        assert names_of(operation, "query") == set(request.example.query), str(request)
        assert ("requestBody" in operation) == (request.example.body is not None), str(request)
        if typed.body is not None:
            schema = document["components"]["schemas"][typed.body.__name__]
            assert set(schema["properties"]) == set(request.example.body), str(request)
            assert set(schema.get("required", [])) == set(request.example.required), str(request)


def test_every_query_parameter_is_documented_as_it_arrives(document: Json) -> None:
    parameters = [found for operation in operations(document) for found in operation["parameters"]]

    assert {found["schema"]["type"] for found in parameters} == {"string", "integer", "boolean"}


def test_every_example_is_as_the_document_wants_it(
    app: Flask, document: Json, polls: Polls
) -> None:
    for request in documented(app, store(polls)):
        if request.body is not None:
            body = operation_of(document, request)["requestBody"]
            schema = body["content"]["application/json"]["schema"]
            jsonschema.validate(request.body, schema | {"components": document["components"]})


def test_every_operation_has_a_name_of_its_own(document: Json) -> None:
    names = Counter(operation["operationId"] for operation in operations(document))

    assert set(names.values()) == {1}
    assert all(re.fullmatch("[a-z_]+", name) for name in names)


def test_every_component_is_referred_to_and_defined(document: Json) -> None:
    references = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}

    assert set(re.findall(r'"\$ref": "(.*?)"', json.dumps(document))) == references
    assert all(re.fullmatch(r"#/components/schemas/[A-Za-z]+", name) for name in references)


def test_every_admin_route_says_that_it_takes_a_key(app: Flask, document: Json) -> None:
    schemes = set(document["components"]["securitySchemes"])
    for request in documented(app, {}):
        operation = operation_of(document, request)
        if request.rule.rule.startswith("/admin"):
            assert [set(wanted) for wanted in operation["security"]] == [schemes], str(request)
            assert "401" in operation["responses"], str(request)
        else:
            assert "security" not in operation, str(request)
            assert "401" not in operation["responses"], str(request)


def test_every_tag_is_explained(document: Json) -> None:
    used = {name for operation in operations(document) for name in operation["tags"]}

    assert [found["name"] for found in document["tags"]] == sorted(used)
    assert all(found["description"].endswith(".") for found in document["tags"])
    assert all(operation["summary"].endswith(".") for operation in operations(document))
    assert document["info"]["description"]
    assert "`vt`" in document["paths"]["/polls/{poll_id}/vote"]["post"]["description"]


def test_document_is_the_same_for_every_app(document: Json, make_app: AppFactory) -> None:
    assert make_app().test_client().get("/openapi.json").json == document


def test_every_answer_is_as_documented(app: Flask, document: Json, polls: Polls) -> None:
    for request in documented(app, {}):
        response = documented_answer(document, replace(request, ids=store(polls)), app)
        assert response.status_code not in {400, 401, 404, 415, 422}, str(request)


@pytest.mark.parametrize("poll_type", ["SINGLE", "RANKED"])
def test_every_read_of_a_poll_with_votes_is_as_documented(
    app: Flask, document: Json, polls: Polls, poll_type: str
) -> None:
    ids = store(polls, pollType=poll_type)
    labels = ("Leek", "Pea")[: 1 if poll_type == "SINGLE" else 2]
    assert polls.vote(polls.listed()[0], *labels).status_code == 200
    polls.admin.close(ids["instance_id"])
    polls.admin.template(title="Without a snapshot", pollType=poll_type)
    polls.admin.rollover()

    for request in documented(app, ids):
        if request.method == "GET":
            response = documented_answer(document, request, app)
            has_no_rounds = "rctab.json" in request.path() and poll_type == "SINGLE"
            assert response.status_code == (409 if has_no_rounds else 200), str(request)


REFUSALS = {
    "no key": {"headers": {}},
    "a body that is no JSON": {"data": b"{", "content_type": "application/json"},
    "a body of another type": {"data": b"{}", "content_type": "text/plain"},
    "a body of another shape": {"data": b"[]", "content_type": "application/json"},
    "a long body": {"data": b" " * 1_100_000, "content_type": "application/json"},
    "a query that is wrong": {"query_string": {"pollDate": "x", "limit": "x", "days": "x"}},
}


@pytest.mark.parametrize("changes", REFUSALS.values(), ids=REFUSALS)
def test_every_refusal_is_as_documented(
    app: Flask, document: Json, polls: Polls, changes: Json
) -> None:
    for request in documented(app, store(polls)):
        if "data" not in changes or request.body is not None:
            documented_answer(document, request, app, **changes)


def test_every_unknown_id_is_refused_as_documented(
    app: Flask, document: Json, polls: Polls
) -> None:
    for request in documented(app, store(polls)):
        if request.rule.arguments:
            path = request.path(**dict.fromkeys(request.rule.arguments, "unknown"))
            assert documented_answer(document, request, app, path=path).status_code == 404


def test_every_limit_is_as_documented(
    document: Json, make_app: AppFactory, app: Flask, polls: Polls
) -> None:
    narrow = make_app(global_rate_limit="1 per day", vote_rate_limit="1 per day")
    narrow.test_client().get("/polls/today")
    narrow.test_client().post("/polls/x/vote")

    for request in documented(app, store(polls)):
        response = documented_answer(document, request, narrow)
        assert response.status_code == (200 if "z" in request.rule.rule else 429), str(request)


def test_every_answer_without_a_database_is_as_documented(
    document: Json, make_app: AppFactory, app: Flask, polls: Polls
) -> None:
    lost = make_app(database_url="postgresql://nobody@127.0.0.1:1/none", redis_url="")

    for request in documented(app, store(polls)):
        documented_answer(document, request, lost)


class Assets(HTMLParser):
    """Collects the addresses that a page loads by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if (tag, name) in {("script", "src"), ("link", "href"), ("img", "src")} and value:
                self.found.append(value)


def test_docs_load_nothing_from_elsewhere(app: Flask) -> None:
    client = app.test_client()
    page = client.get("/docs", follow_redirects=True)
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assets = Assets()
    assets.feed(page.text)

    assert len(assets.found) > 3
    for asset in assets.found:
        assert urlsplit(asset).netloc == "", asset
        with client.get(urljoin(page.request.path, asset)) as response:
            assert response.status_code == 200, asset
    assert '"url": "/openapi.json"' in page.text
