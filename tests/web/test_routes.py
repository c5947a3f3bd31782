"""The table that other tests walk, `tests/support/examples.py`, is complete and true."""

import json

from flask import Flask

from allthing.web.request_data import Input, Query
from allthing.web.typed_views import view_spec
from tests.support.api import Polls
from tests.support.bodies import every_input, send, with_body
from tests.support.examples import EXAMPLES
from tests.support.routes import Request, leaves, requests, store


class TestExamples:
    """The table that the other tests walk is complete and true."""

    def test_every_route_that_changes_something_has_one(self, app: Flask) -> None:
        missing = {
            request.endpoint
            for request in requests(app, {})
            if request.method != "GET" and request.endpoint not in EXAMPLES
        }

        assert not missing, "add an example of each to tests/support/examples.py"

    def test_every_one_has_a_body_or_a_query_where_the_route_reads_one(self, app: Flask) -> None:
        for request in requests(app, {}):
            typed = view_spec(app, request.endpoint)
            if typed is not None:
                example = request.example
                assert (typed.body is not None) == (example.body is not None), str(request)
                assert (typed.query is not None) == bool(example.query), str(request)

    def test_every_name_that_is_read_occurs_in_one(self) -> None:
        bodies = [example.body for example in EXAMPLES.values()]
        queries = {name for example in EXAMPLES.values() for name in example.query}
        fields = {name for place, _ in leaves(bodies) for name in place}
        for base, known in ((Input, fields), (Query, queries)):
            for model in every_input(base):
                of_an_import = model.__name__.startswith("Imported")  # see tests of the import
                if model.__module__.startswith("allthing.") and not of_an_import:
                    read = {field.alias or name for name, field in model.model_fields.items()}
                    assert read <= known, (
                        f"{model.__name__}: it is in no request of tests/support/examples.py"
                    )

    def test_every_one_is_taken(self, app: Flask, polls: Polls) -> None:
        for request in requests(app, {}):
            filled = Request(request.method, request.rule, store(polls))
            response = filled.send(app.test_client())

            assert response.status_code == request.example.status, (str(request), response.text)

    def test_required_fields_are_enough(self, app: Flask, polls: Polls) -> None:
        for request in with_body(app, store(polls)):
            body = {name: request.body[name] for name in request.example.required}

            assert send(app, request, json.dumps(body).encode()).status_code == 200, str(request)
